"""Transfer functions: what a filter does to a wave."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keyfilters.checks import finite, scales, square_filter
from keyfilters.moments import coordinates


def transfer_function(h: ArrayLike, omega_x: ArrayLike, omega_y: ArrayLike = 0.0) -> np.ndarray:
    r"""Return the transfer function of a filter at given angular frequencies.

    .. math:: \hat h(\omega) = \sum_u h(u)\, e^{-i (\omega_x u_x + \omega_y u_y)}

    Convolution with the filter multiplies the wave :math:`e^{i \omega \cdot u}` by it.

    Parameters
    ----------
    h : array_like, shape (n, n), n odd
    omega_x, omega_y : float or array_like
        Angular frequencies in radians per grid unit; they broadcast.

    Returns
    -------
    ndarray of complex, the broadcast shape
        Real for a filter that is even about the origin, imaginary for an odd one.

    Raises
    ------
    ValueError
        If the filter is not a finite odd-sized square array that is not all zero, or a frequency is
        not finite.

    Examples
    --------
    >>> transfer_function([[0, 0, 0], [1, 2, 1], [0, 0, 0]], [0.0, np.pi]).real.round(12)
    array([4., 0.])
    """
    h = square_filter(h)
    wx, wy = np.broadcast_arrays(finite(omega_x, "omega_x"), finite(omega_y, "omega_y"))
    x, y = coordinates(len(h))
    phase = wx[..., None, None] * x + wy[..., None, None] * y
    return (h * np.exp(-1j * phase)).sum(axis=(-2, -1))


def sharpening_gain(omega_x: ArrayLike, omega_y: ArrayLike, sigma: ArrayLike, gamma: ArrayLike) -> np.ndarray:
    r"""Return the transfer function of key 7's model on the infinite grid.

    .. math::

        \hat h(\omega) = 1 + 2 \gamma\, U e^{-\sigma^2 U},
        \qquad U = (1 - \cos \omega_x) + (1 - \cos \omega_y) \in [0, 4] ,

    the transform of :math:`\delta - \gamma \nabla_5^2 T`: the five-point Laplacian has -2 U, the discrete
    Gaussian :math:`e^{-\sigma^2 U}`.

    Parameters
    ----------
    omega_x, omega_y : float or array_like
        Angular frequencies in radians per grid unit.
    sigma : float or array_like
        Scale in grid units, >= 0.
    gamma : float or array_like
        Amount of sharpening.

    Raises
    ------
    ValueError
        For a scale that is negative or not finite, or another argument that is not finite.

    Examples
    --------
    >>> float(sharpening_gain(0, 0, 0.7, 0.5)), float(sharpening_gain(np.pi, np.pi, 0, 0.5))
    (1.0, 5.0)
    """
    wx, wy, gamma = finite(omega_x, "omega_x"), finite(omega_y, "omega_y"), finite(gamma, "gamma")
    u = 2 - np.cos(wx) - np.cos(wy)
    return 1 + 2 * gamma * u * np.exp(-(scales(sigma) ** 2) * u)


def sharpest_gain(sigma: float, gamma: float) -> tuple[float, float]:
    r"""Return the largest gain of key 7's model (gamma > 0) and the U at which it is reached.

    It is :math:`1 + 2 \gamma / (e \sigma^2)` at :math:`U = 1 / \sigma^2`, or, for scales below one half,
    :math:`1 + 8 \gamma e^{-4 \sigma^2}` at the corner U = 4 of the frequency square.

    Raises
    ------
    ValueError
        For a scale that is negative or not finite, or a gamma that is not positive.

    Examples
    --------
    >>> sharpest_gain(1.0, np.e / 2), sharpest_gain(0.0, 0.5)
    ((2.0, 1.0), (5.0, 4.0))
    """
    s, gamma = float(scales(sigma)) ** 2, float(finite(gamma, "gamma"))
    if gamma <= 0:
        raise ValueError(f"gamma is {gamma:g}: expected a positive number")
    u = 4.0 if 4 * s <= 1 else 1 / s
    return 1 + 2 * gamma * u * float(np.exp(-s * u)), u
