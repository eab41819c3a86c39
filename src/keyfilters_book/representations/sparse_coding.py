"""Bases that are learned from patches without labels: independent components and sparse dictionaries."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from keyfilters.checks import integer

from . import _extra
from .patches import Patches, whiten


@dataclass(frozen=True)
class Basis:
    """What was learned from patches of n x n pixels.

    Attributes
    ----------
    name : str
    filters : ndarray, shape (K, n, n)
        The response of unit k to a patch is the sum over pixels of filter k times the patch.
    atoms : ndarray, shape (K, n, n)
        What a unit stands for: a patch is about the sum over k of code times atom.
    converged : bool
        Whether the algorithm met a criterion of its own within its iterations.
    iterations : int
    """

    name: str
    filters: np.ndarray
    atoms: np.ndarray
    converged: bool
    iterations: int

    def responses(self, patches) -> np.ndarray:
        """Inner products of patches (N, n, n) with the filters, shape (N, K)."""
        values = patches.values if isinstance(patches, Patches) else np.asarray(patches, dtype=np.float64)
        return values.reshape(len(values), -1) @ self.filters.reshape(len(self.filters), -1).T


def _positive_peak(rows: np.ndarray) -> np.ndarray:
    """+1 or -1 for each row: the sign that makes its entry of the largest size positive."""
    return np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])


def _basis(name, filters, atoms, patches, converged, iterations) -> Basis:
    signs = _positive_peak(filters)[:, None]
    shape = (-1, *patches.values.shape[1:])
    return Basis(name, (filters * signs).reshape(shape), (atoms * signs).reshape(shape), bool(converged), int(iterations))


def _quiet(fit) -> bool:
    """Call ``fit``; False where it warned that it has not converged."""
    with _extra():
        from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        fit()
    return not any(issubclass(w.category, ConvergenceWarning) for w in caught)


def principal_components(patches: Patches, components: int) -> Basis:
    """The PCA whitening as a basis: filters are principal components over their standard deviations."""
    w = whiten(patches.vectors, "pca", components)
    return _basis("PCA", w.forward, w.backward.T, patches, True, 0)


def random_rotation(patches: Patches, components: int, seed: int = 0) -> Basis:
    """A random rotation of the whitened components: as white as ICA, and chosen without looking for anything."""
    from scipy.stats import ortho_group

    w = whiten(patches.vectors, "pca", components)
    turn = ortho_group.rvs(components, random_state=np.random.default_rng(seed))
    return _basis("random rotation", turn @ w.forward, (w.backward @ turn.T).T, patches, True, 0)


def independent_components(
    patches: Patches, components: int, seed: int = 0, iterations: int = 300, tolerance: float = 1e-3
) -> Basis:
    r"""Independent component analysis of patches, by scikit-learn's FastICA.

    The patches are whitened by their first principal components, :math:`z = \Lambda^{-1/2} E^\top x`. Sought
    is the rotation B whose responses :math:`B z` are farthest from normal, measured by
    :math:`E[\log\cosh]`, unit by unit and symmetrically orthogonalised. Filters are the rows of
    :math:`B \Lambda^{-1/2} E^\top`, atoms the columns of :math:`E \Lambda^{1/2} B^\top`.

    Parameters
    ----------
    patches : Patches
    components : int
        Principal components kept, and units.
    seed : int
        Of the first rotation.
    iterations : int
    tolerance : float
        It has converged once no row turns by a cosine of more than this in an iteration.

    Source: Hyvärinen (1999), FastICA; Bell and Sejnowski (1997) for natural images.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sources, mixing = rng.laplace(size=(2000, 4)), rng.standard_normal((4, 4))
    >>> found = independent_components(Patches((sources @ mixing).reshape(-1, 2, 2), np.zeros(2000, str)), 4)
    >>> gains = np.abs(mixing @ found.filters.reshape(4, 4).T)
    >>> sorted(gains.argmax(axis=0).tolist()), found.converged
    ([0, 1, 2, 3], True)
    """
    with _extra():
        from sklearn.decomposition import FastICA

    w = whiten(patches.vectors, "pca", components)
    z = w.apply(patches.vectors)
    model = FastICA(whiten=False, fun="logcosh", max_iter=iterations, tol=tolerance, random_state=seed)
    converged = _quiet(lambda: model.fit(z))
    turn = model.components_
    return _basis("ICA", turn @ w.forward, (w.backward @ turn.T).T, patches, converged, model.n_iter_)


def sparse_dictionary(
    patches: Patches, components: int, atoms: int, penalty: float = 4.0, seed: int = 0, passes: int = 5
) -> Basis:
    r"""A sparse dictionary of whitened patches, by scikit-learn's MiniBatchDictionaryLearning.

    .. math:: \min_{D, A} \; \tfrac12 \| Z - A D \|_F^2 + \alpha \| A \|_1, \qquad \| d_k \|_2 \le 1,

    where the rows of Z are patches whitened by ZCA and divided by the root of the number of components, so
    that their squared norm is 1 in the mean. In the space of ZCA an atom is its own filter; for patches as they
    are that means atoms :math:`W_{\mathrm{zca}}^{+} d_k` and filters :math:`W_{\mathrm{zca}} d_k`. It starts from
    patches drawn at random and ends after a given number of passes, so ``converged`` is False.

    Parameters
    ----------
    patches : Patches
    components : int
        Principal components kept.
    atoms : int
        May exceed the components.
    penalty : float
        :math:`\alpha` times the root of the number of components.
    seed : int
    passes : int
        Over the patches.

    Source: Olshausen and Field (1996); Mairal, Bach, Ponce and Sapiro (2009) for the algorithm.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.where(rng.random((600, 4)) < 0.2, rng.standard_normal((600, 4)), 0.0)
    >>> found = sparse_dictionary(Patches(x.reshape(-1, 2, 2), np.zeros(600, str)), 4, 4, penalty=0.4)
    >>> size = np.abs(found.filters.reshape(4, 4))
    >>> sorted(size.argmax(axis=1).tolist())
    [0, 1, 2, 3]
    """
    with _extra():
        from sklearn.decomposition import MiniBatchDictionaryLearning

    atoms = integer(atoms, "atoms")
    w = whiten(patches.vectors, "zca", components)
    z = w.apply(patches.vectors) / np.sqrt(components)
    if atoms > len(z):
        raise ValueError(f"atoms is {atoms} but there are only {len(z)} patches: expected at most as many")
    first = z[np.random.default_rng(seed).choice(len(z), atoms, replace=False)]
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)
    model = MiniBatchDictionaryLearning(
        n_components=atoms, alpha=penalty / np.sqrt(components), max_iter=passes, batch_size=64, fit_algorithm="cd", dict_init=first,
        transform_algorithm="lasso_cd", random_state=seed, tol=0.0, max_no_improvement=None,
    )  # fmt: skip
    _quiet(lambda: model.fit(z))
    found = model.components_
    return _basis("dictionary", found @ w.forward, found @ w.backward, patches, False, model.n_iter_)


def kurtosis(responses) -> np.ndarray:
    """Excess kurtosis of each column: 0 for normal responses, 3 for Laplace's, large for sparse ones.

    Examples
    --------
    >>> kurtosis(np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 2.0]])).round(3).tolist()
    [-2.0, -0.667]
    """
    from scipy.stats import kurtosis as excess

    return excess(np.asarray(responses, dtype=np.float64), axis=0)
