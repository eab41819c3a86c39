r"""Pursuits of a multi-layer sparse model: layer by layer, by thresholding or by basis pursuit.

The model: :math:`x = D_1 \Gamma_1`, :math:`\Gamma_1 = D_2 \Gamma_2`, ..., each :math:`\Gamma_i` sparse, each column
of each :math:`D_i` of norm 1. Layered thresholding estimates :math:`\hat\Gamma_i = T_{\beta_i}(D_i^T \hat\Gamma_{i-1})`,
:math:`\hat\Gamma_0 = y = x + E`. With T the one-sided soft threshold this is the forward pass of a network whose weights
are the atoms and whose biases are :math:`-\beta_i`. Layered basis pursuit solves a lasso instead of thresholding.

Source: Papyan, Romano and Elad (2017).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from keyfilters.checks import choice, finite

from . import _extra
from .dictionaries import Dictionary
from .thresholding import threshold

PURSUIT_KINDS = ("hard", "soft", "relu")
"""Thresholdings that a pursuit may use."""


def forward(x, weights: Sequence, biases: Sequence) -> list[np.ndarray]:
    r"""Return the layers of a network, :math:`z_i = \max(W_i^T z_{i-1} + b_i, 0)`, :math:`z_0 = x`.

    Parameters
    ----------
    x : array_like, shape (n,) or (n, draws)
    weights : sequence of array_like, shapes (n, m1), (m1, m2), ...
    biases : sequence of float or array_like, shape (m,)

    Examples
    --------
    >>> forward([1.0, -1.0], [[[1.0, 0.0], [0.0, 1.0]]], [-0.25])[-1]
    array([0.75, 0.  ])
    """
    z, layers = finite(x, "x"), []
    for w, b in zip(weights, biases, strict=True):
        b = finite(b, "bias")
        z = np.maximum(np.asarray(w).T @ z + (b[:, None] if b.ndim and z.ndim > 1 else b), 0)
        layers.append(z)
    return layers


def _signals(y, dictionaries: Sequence[Dictionary]) -> np.ndarray:
    y = finite(y, "y")
    if not dictionaries:
        raise ValueError("no dictionary is given: expected at least one")
    if y.ndim not in (1, 2) or len(y) != len(dictionaries[0].atoms):
        rows = len(dictionaries[0].atoms)
        raise ValueError(f"y has shape {y.shape}: expected {rows} rows, the length of the first layer's atoms")
    for above, below in zip(dictionaries[1:], dictionaries, strict=False):
        if len(above.atoms) != below.atoms.shape[1]:
            found, expected = len(above.atoms), below.atoms.shape[1]
            raise ValueError(f"a layer's atoms have {found} entries: expected {expected}, the atoms of the layer below")
    return y[:, None] if y.ndim == 1 else y


def leave(values, count, kind: str = "hard") -> np.ndarray:
    """Return the threshold for each column that leaves ``count`` entries: the first magnitude that must go.

    For "relu" the entries themselves are ranked, not their magnitudes. No smaller threshold leaves as few.

    Parameters
    ----------
    values : array_like, shape (m, draws)
    count : int or array_like, shape (draws,)
        Less than m.
    kind : {"hard", "soft", "relu"}

    Examples
    --------
    >>> leave([[3.0], [-4.0], [1.0]], 1), leave([[3.0], [-4.0], [1.0]], 1, "relu")
    (array([3.]), array([1.]))
    """
    rank = np.asarray(values, dtype=np.float64)
    rank = rank if choice(kind, PURSUIT_KINDS, "kind") == "relu" else np.abs(rank)
    count = np.broadcast_to(np.asarray(count, dtype=np.int64), rank.shape[1:])
    if (count < 0).any() or (count >= len(rank)).any():
        raise ValueError(f"count goes from {count.min()} to {count.max()}: expected numbers from 0 to {len(rank) - 1}")
    ordered = -np.sort(-rank, axis=0)
    return np.take_along_axis(ordered, count[None], axis=0)[0]


def layered_thresholding(
    y, dictionaries: Sequence[Dictionary], kind: str = "relu", *, thresholds=None, counts=None
) -> list[np.ndarray]:
    r"""Return :math:`\hat\Gamma_i = T_{\beta_i}(D_i^T \hat\Gamma_{i-1})` for every layer, :math:`\hat\Gamma_0 = y`.

    Parameters
    ----------
    y : array_like, shape (n,) or (n, draws)
        Signals in columns.
    dictionaries : sequence of Dictionary
        From the signal upwards.
    kind : {"relu", "soft", "hard"}
    thresholds : sequence of float or array_like, shape (draws,)
        One for each layer; or
    counts : sequence of int or array_like, shape (draws,)
        how many entries each layer keeps: the threshold is then the least that does, :func:`leave`.

    Returns
    -------
    list of ndarray, shapes (m_i, draws)

    Raises
    ------
    ValueError
        For shapes that do not fit, an unknown kind, or unless one of thresholds and counts is given.

    Examples
    --------
    >>> d = Dictionary(np.eye(3))
    >>> layered_thresholding([3.0, -2.0, 0.5], [d], "soft", thresholds=[1.0])[0][:, 0]
    array([ 2., -1.,  0.])
    """
    choice(kind, PURSUIT_KINDS, "kind")
    if (thresholds is None) == (counts is None):
        raise ValueError("thresholds and counts: expected one of the two, for each layer")
    given = thresholds if counts is None else counts
    if len(given) != len(dictionaries):
        raise ValueError(f"{len(given)} thresholds or counts for {len(dictionaries)} layers: expected one for each")
    below, found = _signals(y, dictionaries), []
    for dictionary, value in zip(dictionaries, given, strict=True):
        inner = dictionary.atoms.T @ below
        at = np.asarray(value, dtype=np.float64) if counts is None else leave(inner, value, kind)
        # A column whose largest entries are all negative would ask for a negative threshold.
        below = threshold(inner, np.maximum(at, 0) if kind == "relu" else at, kind)
        found.append(below)
    return found


LAYER_STEPS = 4
"""Penalties, falling geometrically to the one asked for, of which each solution starts the next."""


def basis_pursuit(
    y, dictionary: Dictionary, penalty, *, nonnegative: bool = False, tolerance: float = 1e-7, sweeps: int = 1000
) -> np.ndarray:
    r"""Return :math:`\arg\min_\Gamma \tfrac12 \|y - D \Gamma\|_2^2 + \xi \|\Gamma\|_1` for each column of y.

    Coordinate descent of scikit-learn's ``lasso_path`` on the Gram matrix; for a small penalty
    the solution is close to basis pursuit, the code of least l1 norm among those with :math:`D \Gamma = y`.

    Parameters
    ----------
    y : array_like, shape (n,) or (n, draws)
    dictionary : Dictionary
    penalty : float or array_like, shape (draws,)
        > 0, in units of y.
    nonnegative : bool
        Only codes without negative entries.
    tolerance : float
        Of the duality gap, relative to the sum of squares of y.
    sweeps : int
        At most so many over all entries for each of :data:`LAYER_STEPS` penalties. Where they do not suffice (codes with
        about as many entries as half the length of y, small penalties) the last iterate is returned as it is.

    Raises
    ------
    ValueError
        For a penalty that is not above 0 or shapes that do not fit.

    Examples
    --------
    >>> basis_pursuit([3.0, 0.5], Dictionary(np.eye(2)), 1.0)[:, 0].round(6)
    array([2., 0.])
    """
    with _extra():
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import lasso_path

    y = _signals(y, [dictionary])
    penalty = np.broadcast_to(finite(penalty, "penalty"), y.shape[1:])
    if (penalty <= 0).any():
        found = f"penalty is {penalty.min():g}"
        raise ValueError(f"{found}: expected a number above 0; a small one comes close to basis pursuit")
    codes, atoms = np.zeros((dictionary.atoms.shape[1], y.shape[1])), np.asfortranarray(dictionary.atoms)
    inner = dictionary.atoms.T @ y
    largest = np.abs(inner).max(axis=0)
    for column in np.flatnonzero(largest > penalty):
        falling = np.geomspace(largest[column], penalty[column], LAYER_STEPS + 1)[1:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            # It divides the sum of squares by the number of rows. What it would check has been checked, once for all columns.
            _, path, _ = lasso_path(
                atoms, np.ascontiguousarray(y[:, column]), alphas=falling / len(y), precompute=dictionary.gram,
                Xy=np.ascontiguousarray(inner[:, column]), positive=nonnegative, tol=tolerance, max_iter=sweeps, check_input=False,
            )  # fmt: skip
        codes[:, column] = path[:, -1]
    return codes


def layered_basis_pursuit(y, dictionaries: Sequence[Dictionary], penalties, *, nonnegative: bool = False) -> list[np.ndarray]:
    r"""Return the lasso solutions of every layer, each from the estimate of the layer below.

    Parameters
    ----------
    y : array_like, shape (n,) or (n, draws)
    dictionaries : sequence of Dictionary
    penalties : sequence of float
        :math:`\xi_i` of :func:`basis_pursuit`, one for each layer.
    nonnegative : bool

    Examples
    --------
    >>> d = Dictionary(np.eye(3))
    >>> layered_basis_pursuit([3.0, -2.0, 0.5], [d, d], [0.5, 0.5])[1][:, 0].round(6)
    array([ 2., -1.,  0.])
    """
    below, found = _signals(y, dictionaries), []
    for dictionary, penalty in zip(dictionaries, penalties, strict=True):
        below = basis_pursuit(below, dictionary, penalty, nonnegative=nonnegative)
        found.append(below)
    return found
