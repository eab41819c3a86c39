"""Smoothing over time that never looks ahead: a cascade of first-order recursive filters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .checks import finite, integer, scales

SCALE_RATIO = 2**0.5
"""Ratio c of neighbouring temporal scales sigma, unless another is given."""
STAGES = 8
"""Stages of the cascade, unless another number is given: the first then smooths by less than a hundredth of the variance."""


def time_constants(sigma: float, c: float = SCALE_RATIO, levels: int = STAGES) -> np.ndarray:
    r"""Return the time constants of the cascade, shape (levels,), in time steps.

    With :math:`\tau = \sigma^2` the variances reached after the stages are geometric, and each recursive filter has the
    variance :math:`\mu_k^2 + \mu_k` (its kernel is the geometric distribution of mean :math:`\mu_k`):

    .. math::

        \tau_k = c^{2 (k - K)}\, \tau, \qquad
        \mu_k = \frac{\sqrt{1 + 4 (\tau_k - \tau_{k-1})} - 1}{2}, \qquad k = 1 \ldots K, \quad \tau_0 = 0 .

    Raises
    ------
    ValueError
        As :func:`time_causal_kernel`.

    Source: Lindeberg (2016).

    Examples
    --------
    >>> mu = time_constants(3.0)
    >>> round(float((mu**2 + mu).sum()), 12)
    9.0
    """
    scale, ratio = scales(sigma), finite(c, "c")
    if scale.ndim or ratio.ndim or ratio <= 1:
        raise ValueError(f"sigma has shape {scale.shape} and c is {ratio}: expected one scale, and one number above 1")
    levels = integer(levels, "levels")
    steps = np.diff(scale**2 * float(ratio) ** (2.0 * np.arange(1 - levels, 1)), prepend=0.0)
    return (np.sqrt(1 + 4 * steps) - 1) / 2


def time_causal_smooth(
    values: ArrayLike, sigma: float, *, axis: int = 0, c: float = SCALE_RATIO, levels: int = STAGES
) -> np.ndarray:
    r"""Smooth a signal over time with the discrete time-causal limit kernel, without its future.

    Each stage is the recursion

    .. math:: f_k(t) = f_k(t - 1) + \frac{f_{k-1}(t) - f_k(t - 1)}{1 + \mu_k}

    with the constants of :func:`time_constants`: the memory of the past is one number for each stage.

    - causal: the value at t depends on the values up to t alone
    - no stage makes a new local extremum, and values stay between the least and the largest
    - the variance is exactly sigma^2, and the delay is the sum of the time constants
    - unlike the Gaussian it is not symmetric: its delay grows with sigma

    Parameters
    ----------
    values : array_like
        Samples, in the order of time along ``axis``; before the first they are 0.
    sigma : float
        Temporal scale: standard deviation in time steps, >= 0; 0 leaves the signal as it is.
    axis : int
    c : float
        Ratio of neighbouring scales sigma, > 1: a small one has many stages of nearly equal constants and comes close to a
        Gaussian with a long delay, a large one is quick and skew.
    levels : int
        Stages K; the limit kernel has infinitely many, of which the first make next to no difference.

    Returns
    -------
    ndarray, of the shape of ``values``

    Raises
    ------
    ValueError
        For a scale that is negative or not finite, c that is not above 1, levels that are no integer >= 1, values that are
        not finite, and an axis that they do not have.

    Source: Lindeberg (2016), Time-causal and time-recursive spatio-temporal receptive fields.

    Examples
    --------
    >>> time_causal_smooth([0, 0, 1, 0, 0], 1.0, levels=1).round(3)
    array([0.   , 0.   , 0.618, 0.236, 0.09 ])
    """
    from scipy.signal import lfilter

    result = finite(values, "values")
    if not -result.ndim <= axis < result.ndim:
        raise ValueError(f"values has shape {result.shape}: expected an array with the axis {axis}")
    for mu in time_constants(sigma, c, levels):
        result = lfilter([1 / (1 + mu)], [1.0, -mu / (1 + mu)], result, axis=axis)
    return result


def time_causal_kernel(sigma: float, length: int, *, c: float = SCALE_RATIO, levels: int = STAGES) -> np.ndarray:
    """Return the discrete time-causal limit kernel at the times 0 to ``length - 1``: what is left of an impulse.

    Parameters
    ----------
    sigma, c, levels
        As in :func:`time_causal_smooth`.
    length : int
        Number of taps; the kernel has infinitely many, is cropped, and not renormalised.

    Returns
    -------
    ndarray, shape (length,)

    Raises
    ------
    ValueError
        As :func:`time_causal_smooth`, and for a length that is not an integer >= 1.

    Source: Lindeberg (2016).

    Examples
    --------
    >>> h, t = time_causal_kernel(2.0, 200), np.arange(200)
    >>> mean = h @ t
    >>> bool((h > 0).all()), round(float(h.sum()), 12), round(float(h @ (t - mean) ** 2), 9)
    (True, 1.0, 4.0)
    """
    return time_causal_smooth(np.eye(1, integer(length, "length"))[0], sigma, c=c, levels=levels)
