"""Smoothing kernels: the discrete analogue of the Gaussian and what is used in its place."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf

from .checks import choice, scales
from .choices import KernelKind

GAUSSIAN_KINDS = ("discrete", "sampled", "normalized-sampled", "integrated")


def _period(sigma_max: float, radius: int) -> int:
    """Length of the periodic lattice on which aliasing stays below rounding."""
    # T(N - n; s) is the largest aliased term; ten standard deviations put it below 1e-20.
    needed = radius + 10.0 * sigma_max + 16
    return max(64, 1 << int(np.ceil(np.log2(needed))))


@lru_cache(maxsize=64)
def _cosines(radius: int, period: int) -> tuple[np.ndarray, np.ndarray]:
    """(cos w_k - 1) for k = 0..N/2, and the matrix of cos(w_k n) / N that sums over all k."""
    k = np.arange(period // 2 + 1)
    weight = np.where((k == 0) | (k == period // 2), 1.0, 2.0) / period
    # The angle is reduced in integers: a large angle in floating point would cost digits.
    turns = np.outer(k, np.arange(radius + 1)) % period
    return np.cos(2 * np.pi * k / period) - 1, weight[:, None] * np.cos(2 * np.pi * turns / period)


def half_discrete_gaussian(variance: ArrayLike, radius: int) -> np.ndarray:
    r"""T(n; s) for n = 0..radius and an array of variances s, shape (..., radius + 1).

    No checks: the inner loop of the fits. See :func:`discrete_gaussian` for the formula.
    """
    s = np.asarray(variance, dtype=np.float64)
    exponent, cosines = _cosines(radius, _period(float(np.sqrt(s.max(initial=0.0))), radius))
    half = np.exp(s[..., None] * exponent) @ cosines
    # At s = 0 the sum is the unit impulse only up to rounding; the model's limit is exact.
    half[s == 0] = np.eye(1, radius + 1)[0]
    return half


def _mirror(half: np.ndarray) -> np.ndarray:
    return np.concatenate([half[..., :0:-1], half], axis=-1)


def _sampled(sigma, n):
    if (sigma == 0).any():
        raise ValueError("sigma is 0: the sampled Gaussian needs a scale > 0 (kind='discrete' is exact at 0)")
    return np.exp(-(n**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)


def _normalized_sampled(sigma, n):
    # The sum runs over the whole lattice, not over the window, so that cropping stays visible.
    reach = _period(float(sigma.max(initial=0.0)), len(n))
    return _sampled(sigma, n) / _sampled(sigma, np.arange(-reach, reach + 1)).sum(axis=-1, keepdims=True)


def _integrated(sigma, n):
    with np.errstate(divide="ignore"):
        return (erf((n + 0.5) / (np.sqrt(2) * sigma)) - erf((n - 0.5) / (np.sqrt(2) * sigma))) / 2


def gaussian_kernel(sigma: ArrayLike, radius: int = 3, kind: KernelKind = "discrete") -> np.ndarray:
    r"""Return a one-dimensional Gaussian-like smoothing kernel on the integers.

    ==================== ==========================================================================
    kind                 formula, :math:`s = \sigma^2`
    ==================== ==========================================================================
    discrete             :math:`T(n; s) = e^{-s} I_n(s)`
    sampled              :math:`g(n; s) = e^{-n^2/2s} / \sqrt{2 \pi s}`
    normalized-sampled   :math:`g(n; s) / \sum_{m \in Z} g(m; s)`
    integrated           :math:`\int_{n-1/2}^{n+1/2} g(u; s)\, du`
    ==================== ==========================================================================

    - discrete: semigroup over scales, variance exactly s, exact at 0
    - sampled: simplest; sum and variance are wrong below sigma of about 0.7
    - normalized-sampled: right sum, variance too small at fine scales
    - integrated: right sum, variance too large by about 1/12

    Parameters
    ----------
    sigma : float or array_like, shape (...)
        Standard deviation in grid units, >= 0 (> 0 for the sampled kinds).
    radius : int
        The kernel has ``2 * radius + 1`` taps; it is cropped, not renormalised.
    kind : {"discrete", "sampled", "normalized-sampled", "integrated"}

    Returns
    -------
    ndarray, shape (..., 2 * radius + 1)
        Taps for n = -radius .. radius.

    Raises
    ------
    ValueError
        For an unknown kind, a scale that is negative or not finite, or a radius that is not an
        integer >= 0.

    Source: Lindeberg (1990, 2024).

    Examples
    --------
    >>> gaussian_kernel(0.5, radius=1).round(4)
    array([0.0981, 0.791 , 0.0981])
    >>> float(gaussian_kernel(0.5, radius=8, kind="integrated").sum().round(12))
    1.0
    """
    choice(kind, GAUSSIAN_KINDS, "kind")
    sigma = scales(sigma)
    if isinstance(radius, bool) or not isinstance(radius, (int, np.integer)) or radius < 0:
        raise ValueError(f"radius is {radius!r}: expected an integer >= 0")
    radius = int(radius)
    if kind == "discrete":
        return _mirror(half_discrete_gaussian(sigma**2, radius))
    formula = {"sampled": _sampled, "normalized-sampled": _normalized_sampled, "integrated": _integrated}[kind]
    return formula(sigma[..., None], np.arange(-radius, radius + 1))


def discrete_gaussian(sigma: ArrayLike, radius: int = 3) -> np.ndarray:
    r"""Return the discrete analogue of the Gaussian kernel, cropped to ``2 * radius + 1`` taps.

    .. math::

        T(n; s) = e^{-s} I_n(s)
                = \frac1N \sum_{k=0}^{N-1} e^{s (\cos w_k - 1)} \cos(w_k n), \qquad w_k = 2 \pi k / N,

    with :math:`s = \sigma^2` and :math:`I_n` the modified Bessel function. The finite sum (N >= 64)
    equals the kernel up to aliasing below rounding, needs no Bessel function and is differentiable.

    Parameters
    ----------
    sigma : float or array_like, shape (...)
        Standard deviation in grid units, >= 0; 0 gives the unit impulse.
    radius : int
        Half-width of the window.

    Returns
    -------
    ndarray, shape (..., 2 * radius + 1)

    Raises
    ------
    ValueError
        For a scale that is negative or not finite, or a radius that is not an integer >= 0.

    Source: Lindeberg (1990), Scale-space for discrete signals.

    Examples
    --------
    >>> discrete_gaussian(0.0)
    array([0., 0., 0., 1., 0., 0., 0.])
    >>> bool(abs(discrete_gaussian(1.0, radius=20).sum() - 1) < 1e-14)
    True
    """
    return gaussian_kernel(sigma, radius)


def scale_derivative(kernel: np.ndarray) -> np.ndarray:
    r"""Derivative of the discrete Gaussian with respect to s: the semi-discrete diffusion equation.

    .. math:: \partial_s T(n; s) = \tfrac12 \left( T(n+1; s) - 2 T(n; s) + T(n-1; s) \right)

    ``kernel`` has shape (..., m); the result has shape (..., m - 2), since each end needs a neighbour.

    Examples
    --------
    >>> scale_derivative(discrete_gaussian(0.0, radius=2))
    array([ 0.5, -1. ,  0.5])
    """
    t = np.asarray(kernel)
    return (t[..., 2:] - 2 * t[..., 1:-1] + t[..., :-2]) / 2
