r"""When layered pursuits are sure to find the supports of all layers: sufficient conditions from the coherence.

Notation, layer i: coherence :math:`\mu`, stripe sparsity :math:`k = \|\Gamma_i\|_{0,\infty}^{\mathrm s}`, least and largest
magnitude a, A of the non-zero entries, and :math:`\epsilon_{i-1}` a bound of the local norm
:math:`\|\hat\Gamma_{i-1} - \Gamma_{i-1}\|_{2,\infty}^{\mathrm p}` of the error that comes from below. Then

- thresholding: on the support :math:`|d^T \hat\Gamma_{i-1}| \ge a - (k - 1) \mu A - \epsilon_{i-1}`, off it
  :math:`\le k \mu A + \epsilon_{i-1}`, so a threshold separates the two if
  :math:`k < \tfrac12 (1 + \tfrac{a}{\mu A}) - \tfrac{\epsilon_{i-1}}{\mu A}`;
- basis pursuit: if :math:`k < \tfrac13 (1 + \tfrac1\mu)`, the lasso with penalty :math:`4 \epsilon_{i-1}` has no entry
  off the support and errs by less than :math:`7.5\, \epsilon_{i-1}` in each; without noise
  :math:`k < \tfrac12 (1 + \tfrac1\mu)` is enough.

Source: Papyan, Romano and Elad (2017); a stripe is here what :class:`~.dictionaries.Dictionary` calls so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keyfilters.checks import choice, finite

from .dictionaries import Dictionary
from .layered import PURSUIT_KINDS


@dataclass(frozen=True, eq=False)
class LayerGuarantee:
    """One layer of a guarantee, a value for each draw.

    Attributes
    ----------
    sparsity : ndarray of int
        Stripe sparsity of the true code.
    bound : ndarray
        What the sparsity must be below.
    holds : ndarray of bool
        Whether this layer and all below it satisfy their conditions.
    setting : ndarray
        The threshold or penalty for which the guarantee speaks.
    error : ndarray
        Bound of the local norm of this layer's error, for the layer above.
    """

    sparsity: np.ndarray
    bound: np.ndarray
    holds: np.ndarray
    setting: np.ndarray
    error: np.ndarray


def _extent(code) -> tuple[np.ndarray, np.ndarray]:
    size = np.abs(code)
    if not size.any(axis=0).all():
        raise ValueError("a code is all zero: expected at least one entry in every column")
    return np.where(size > 0, size, np.inf).min(axis=0), size.max(axis=0)


def _local(code, dictionaries, layer):
    """Square root of the most entries under an atom of the next layer; there is none above the last."""
    return np.sqrt(dictionaries[layer + 1].patches(code)) if layer + 1 < len(dictionaries) else np.ones(code.shape[1])


def thresholding_bound(coherence, ratio=1.0, noise=0.0):
    r"""Return :math:`\tfrac12 (1 + \tfrac{r}{\mu}) - \tfrac{\epsilon}{\mu}`.

    r is the least entry by the largest, the noise is in units of the largest.

    Examples
    --------
    >>> thresholding_bound(1 / 8), thresholding_bound(1 / 8, ratio=0.5)
    (4.5, 2.5)
    """
    return 0.5 * (1 + ratio / coherence) - noise / coherence


def basis_pursuit_bound(coherence, noisy: bool = False):
    r"""Return :math:`\tfrac12 (1 + \tfrac1\mu)`, or with noise :math:`\tfrac13 (1 + \tfrac1\mu)`.

    Examples
    --------
    >>> basis_pursuit_bound(1 / 8), basis_pursuit_bound(1 / 8, noisy=True)
    (4.5, 3.0)
    """
    return (1 + 1 / coherence) / (3 if noisy else 2)


def thresholding_guarantee(
    codes: Sequence, dictionaries: Sequence[Dictionary], kind: str = "relu", noise=0.0
) -> list[LayerGuarantee]:
    r"""Return, layer by layer, whether layered thresholding must find these codes' supports.

    The threshold :math:`\beta` is the least that the condition allows (and a thousandth of the room above it); the
    error handed upwards is
    :math:`\epsilon_i = \sqrt{p}\,((k - 1) \mu A + \epsilon_{i-1})` for hard thresholding, with :math:`\beta` added inside
    the brackets for soft and relu, p = the most entries of the code under an atom of the next layer.

    Parameters
    ----------
    codes : sequence of array_like, shapes (m_i, draws)
        The true codes, from the signal upwards; non-negative for "relu".
    dictionaries : sequence of Dictionary
    kind : {"relu", "soft", "hard"}
    noise : float or array_like, shape (draws,)
        Local norm of the noise of the signal.

    Raises
    ------
    ValueError
        For an unknown kind, a code without entries, or a negative code with "relu".

    Examples
    --------
    >>> d = Dictionary(np.eye(4))
    >>> found = thresholding_guarantee([np.array([[1.0], [0.5], [0.0], [0.0]])], [d], "soft")
    >>> found[0].sparsity.tolist(), found[0].holds.tolist(), found[0].setting.tolist()
    ([1], [True], [0.0005])
    """
    choice(kind, PURSUIT_KINDS, "kind")
    error, holds, found = finite(noise, "noise") + np.zeros(np.shape(codes[0])[1]), True, []
    for layer, (code, dictionary) in enumerate(zip(codes, dictionaries, strict=True)):
        code = finite(code, "code")
        if kind == "relu" and (code < 0).any():
            raise ValueError("a code has negative entries: expected none for relu; use soft")
        least, largest = _extent(code)
        mu, k = dictionary.coherence, dictionary.stripes(code)
        inside, outside = least - (k - 1) * mu * largest - error, k * mu * largest + error
        bound = thresholding_bound(mu, least / largest, error / largest) if mu else np.where(inside > outside, np.inf, 0.0)
        holds = holds & (k < bound)
        # The least threshold that is safe, since soft ones hand theirs on as an error; a little more for rounding.
        beta = outside + 0.001 * np.maximum(inside - outside, 0)
        error = _local(code, dictionaries, layer) * ((k - 1) * mu * largest + error + (beta if kind != "hard" else 0))
        found.append(LayerGuarantee(k, bound, holds, beta, error))
    return found


def basis_pursuit_guarantee(codes: Sequence, dictionaries: Sequence[Dictionary], noise=0.0) -> list[LayerGuarantee]:
    r"""Return, layer by layer, whether layered basis pursuit must find these codes' supports.

    Without noise: whether :math:`k < \tfrac12 (1 + 1/\mu)`, after which the code of least l1 norm is the true one.
    With noise: whether :math:`k < \tfrac13 (1 + 1/\mu)`, after which the lasso with penalty
    :math:`4 \epsilon_{i-1}` has no wrong entry, and :math:`a > 7.5\, \epsilon_{i-1}`, after which none is missing;
    :math:`\epsilon_i = 7.5 \sqrt p\, \epsilon_{i-1}`.

    Parameters
    ----------
    codes, dictionaries
        As for :func:`thresholding_guarantee`.
    noise : float or array_like, shape (draws,)
        Local norm of the noise of the signal; 0 in all draws or in none.

    Examples
    --------
    >>> found = basis_pursuit_guarantee([np.array([[1.0], [0.0], [0.0]])], [Dictionary(np.eye(3))], 0.01)
    >>> found[0].setting.tolist(), found[0].holds.tolist()
    ([0.04], [True])
    """
    error = finite(noise, "noise") + np.zeros(np.shape(codes[0])[1])
    if (error < 0).any() or (error > 0).any() != (error > 0).all():
        raise ValueError(f"noise goes from {error.min():g} to {error.max():g}: expected 0 for all draws, or above 0 for all")
    noisy, holds, found = bool((error > 0).any()), True, []
    for layer, (code, dictionary) in enumerate(zip(codes, dictionaries, strict=True)):
        code = finite(code, "code")
        least, _ = _extent(code)
        k, mu = dictionary.stripes(code), dictionary.coherence
        bound = np.full(len(k), basis_pursuit_bound(mu, noisy) if mu else np.inf)
        holds = holds & (k < bound) & (least > 7.5 * error)
        penalty, error = 4 * error, 7.5 * _local(code, dictionaries, layer) * error
        found.append(LayerGuarantee(k, bound, holds, penalty, error))
    return found
