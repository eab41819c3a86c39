"""What is neither along x nor along y: the discrete affine Gaussian, mixed and oriented derivatives.

Coordinates as everywhere: x to the right, y up (row 0 of a filter is the largest y), angles in radians from x towards y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .checks import finite, integer, odd_size, scales
from .differences import difference
from .gaussian import _cosines, _period

JET: dict[str, tuple[str, str]] = {
    "T": ("identity", "identity"),
    "x": ("central", "identity"),
    "y": ("identity", "central"),
    "xx": ("second", "identity"),
    "xy": ("central", "central"),
    "yy": ("identity", "second"),
}
"""The derivatives of :func:`jet_filters`: the operator along x and the one along y, names of ``OPERATORS``."""

WIDEST_AFFINE = 100.0
"""Grid units: the largest standard deviation of an affine Gaussian. Beyond it the two-dimensional sum takes gigabytes."""


def affine_covariance(sigma_along: float, sigma_across: float | None = None, angle: float = 0.0) -> np.ndarray:
    r"""Return the covariance matrix of a Gaussian that is longer in one direction.

    .. math:: C = R \begin{pmatrix} \sigma_1^2 & 0 \\ 0 & \sigma_2^2 \end{pmatrix} R^T, \qquad
        R = \begin{pmatrix} \cos\varphi & -\sin\varphi \\ \sin\varphi & \cos\varphi \end{pmatrix}

    Parameters
    ----------
    sigma_along, sigma_across : float
        Standard deviations in grid units, >= 0, in the direction of the angle and across; the second defaults to the first.
    angle : float
        :math:`\varphi` in radians, from the x axis towards the y axis, which points up.

    Returns
    -------
    ndarray, shape (2, 2)
        In the order x, y.

    Raises
    ------
    ValueError
        For a scale that is negative or not finite, and an angle that is not finite.

    Examples
    --------
    >>> affine_covariance(2.0, 1.0, np.pi / 4).round(12)
    array([[2.5, 1.5],
           [1.5, 2.5]])
    """
    along = scales(sigma_along, "sigma_along")
    across = along if sigma_across is None else scales(sigma_across, "sigma_across")
    turn = finite(angle, "angle")
    for name, value in (("sigma_along", along), ("sigma_across", across), ("angle", turn)):
        if value.ndim:
            raise ValueError(f"{name} has shape {value.shape}: expected one number")
    # Through the doubled angle: a round blob has no angle, to the last digit.
    mean, half = (along**2 + across**2) / 2, (along**2 - across**2) / 2
    cos, sin = half * np.cos(2 * turn), half * np.sin(2 * turn)
    return np.array([[mean + cos, sin], [sin, mean - cos]])


def _checked(covariance: ArrayLike) -> np.ndarray:
    """The covariance as an array (2, 2): symmetric, without negative variances in any direction, not too wide."""
    c = finite(covariance, "covariance")
    if c.shape != (2, 2):
        raise ValueError(f"covariance has shape {c.shape}: expected (2, 2), the variances of x and y on the diagonal")
    size = np.abs(c).max()
    if abs(c[0, 1] - c[1, 0]) > 1e-12 * size:
        raise ValueError(f"covariance is not symmetric: C_xy is {c[0, 1]:g} above the diagonal and {c[1, 0]:g} below")
    low, high = np.linalg.eigvalsh(c)
    if low < -1e-12 * size:
        raise ValueError(f"covariance has the variance {low:g} in some direction: expected none below 0")
    if high > WIDEST_AFFINE**2:
        raise ValueError(
            f"covariance has the standard deviation {np.sqrt(high):g}: expected at most {WIDEST_AFFINE:g} grid units"
        )
    return c


def coupling_range(covariance: ArrayLike) -> tuple[float, float]:
    r"""Return the ends of :math:`|C_{xy}| \le C_q \le \min(C_{xx}, C_{yy})`: the couplings with taps >= 0.

    The first may be the larger one. Then no coupling has taps >= 0: the Gaussian is too long in a direction too far from the
    axes. Where it is at most :math:`1 + \sqrt 2` times as long as wide there is one at every angle.

    Parameters
    ----------
    covariance : array_like, shape (2, 2)

    Raises
    ------
    ValueError
        For what is no covariance matrix.

    Source: Lindeberg (2017), Discrete approximations of affine Gaussian receptive fields.

    Examples
    --------
    >>> coupling_range([[2.5, 1.5], [1.5, 2.5]])
    (1.5, 2.5)
    """
    c = _checked(covariance)
    return float(abs(c[0, 1])), float(min(c[0, 0], c[1, 1]))


def _coupling(c: np.ndarray, coupling: float | None) -> float:
    """The coupling that is given, or the least with taps >= 0."""
    low, high = abs(c[0, 1]), min(c[0, 0], c[1, 1])
    if coupling is not None:
        q = finite(coupling, "coupling")
        if q.ndim:
            raise ValueError(f"coupling has shape {q.shape}: expected one number")
        return float(q)
    if low > high * (1 + 1e-12):
        raise ValueError(
            f"covariance has |C_xy| = {low:g} above min(C_xx, C_yy) = {high:g}: no coupling has taps >= 0; "
            "give one, such as coupling=0, to have some below 0, or a rounder covariance"
        )
    return float(low)


def affine_molecule(covariance: ArrayLike, coupling: float | None = None) -> np.ndarray:
    r"""Return the computational molecule of the semi-discrete affine diffusion equation, 3x3 weights on the neighbours.

    .. math:: \partial_t L = \tfrac12 \left( C_{xx} \delta_{xx} + 2 C_{xy} \delta_{xy} + C_{yy} \delta_{yy}
        + \tfrac12 C_q \delta_{xxyy} \right) L

    with :math:`\delta_{xy} = \delta_x \delta_y` of centred differences and :math:`\delta_{xxyy} = \delta_{xx} \delta_{yy}`. The
    neighbours along the axes have :math:`(C_{xx} - C_q)/2` and :math:`(C_{yy} - C_q)/2`, those along the diagonals
    :math:`(C_q \pm C_{xy})/4`: none is negative if and only if
    :math:`|C_{xy}| \le C_q \le \min(C_{xx}, C_{yy})`.

    Parameters
    ----------
    covariance : array_like, shape (2, 2)
        C: what one unit of t adds to the covariance of L, in grid units squared.
    coupling : float, optional
        :math:`C_q`; the least with weights >= 0, :math:`|C_{xy}|`, where it is not given.

    Returns
    -------
    ndarray, shape (3, 3)
        Entry ``[1 - j, 1 + i]`` is the weight of ``f(x + i, y + j)``, as in :func:`keyfilters.molecule`.

    Raises
    ------
    ValueError
        For what is no covariance matrix, a coupling that is not finite, and where none is given and none has weights >= 0.

    Source: Lindeberg (2017), Discrete approximations of affine Gaussian receptive fields.

    Examples
    --------
    >>> affine_molecule([[2.0, 1.0], [1.0, 2.0]])
    array([[ 0. ,  0.5,  0.5],
           [ 0.5, -3. ,  0.5],
           [ 0.5,  0.5,  0. ]])
    """
    c = _checked(covariance)
    q = _coupling(c, coupling)
    xx, xy, yy = c[0, 0], c[0, 1], c[1, 1]
    along_x, along_y, rising, falling = (xx - q) / 2, (yy - q) / 2, (q + xy) / 4, (q - xy) / 4
    return np.array([[falling, along_y, rising], [along_x, q - xx - yy, along_x], [rising, along_y, falling]])


def affine_gaussian(covariance: ArrayLike, coupling: float | None = None, radius: int = 3) -> np.ndarray:
    r"""Return the discrete affine Gaussian kernel, cropped to ``2 * radius + 1`` taps per axis.

    The solution at t = 1 of the equation of :func:`affine_molecule` that starts with the unit impulse:

    .. math::

        T(x, y; C) = \frac1{N^2} \sum_{u, v} e^{\psi(u, v)} \cos(u x + v y), \qquad u, v = 2 \pi k / N,

        \psi(u, v) = C_{xx} (\cos u - 1) + C_{yy} (\cos v - 1) - C_{xy} \sin u \sin v + C_q (\cos u - 1)(\cos v - 1).

    N grows with the scale, so that the finite sum equals the kernel up to rounding. Sum 1 and covariance C are exact, and
    kernels convolve to the one of the summed covariances and couplings. With :math:`C_{xy} = C_q = 0` it is the product of
    two of :func:`keyfilters.discrete_gaussian`.

    Parameters
    ----------
    covariance : array_like, shape (2, 2)
        C in grid units squared, x before y; see :func:`affine_covariance`.
    coupling : float, optional
        :math:`C_q`, what diagonal neighbours exchange. From :math:`|C_{xy}|`, which is taken where none is given, to
        :math:`\min(C_{xx}, C_{yy})` no tap is negative (:func:`coupling_range`); outside some are.
    radius : int
        Half-width of the window; the kernel is cropped, not renormalised.

    Returns
    -------
    ndarray, shape (2 * radius + 1, 2 * radius + 1)
        Row 0 is the largest y.

    Raises
    ------
    ValueError
        For what is no covariance matrix or has a standard deviation above 100, a radius that is not an integer >= 0, a
        coupling that is not finite or lets waves grow, and where none is given and none has taps >= 0.

    Source: Lindeberg (2017), Discrete approximations of affine Gaussian receptive fields.

    Examples
    --------
    >>> kernel = affine_gaussian(affine_covariance(1.0, 0.5, np.pi / 4), radius=20)
    >>> x = np.arange(-20, 21)
    >>> float(kernel.sum().round(12)), float((kernel * np.outer(x[::-1], x)).sum().round(12)), bool(kernel.min() > -1e-15)
    (1.0, 0.375, True)
    """
    c = _checked(covariance)
    q = _coupling(c, coupling)
    radius = integer(radius, "radius", 0)
    if not c.any() and not q:
        return np.pad([[1.0]], radius)
    # Along each axis the sums of the kernel are those of a discrete Gaussian of this axis' variance.
    period = _period(float(np.sqrt(c.diagonal().max())), radius)
    k = np.arange(period)
    # The exponents are taken from the shared table, the sines where they are 0 to the last digit.
    half = _cosines(radius, period)[0]
    cos = np.concatenate([half, half[-2:0:-1]])
    sin = np.sin(2 * np.pi * np.minimum(k, period - k) / period) * np.sign(period / 2 - k)
    exponent = c[0, 0] * cos + c[1, 1] * cos[:, None] - c[0, 1] * np.outer(sin, sin) + q * np.outer(cos, cos)
    if exponent.max() > 1e-9 * (1 + np.abs(c).max()):
        low, high = abs(c[0, 1]), min(c[0, 0], c[1, 1])
        raise ValueError(f"coupling is {q:g}: it lets waves grow; taps >= 0 have {low:g} to {high:g}")
    turns = 2 * np.pi * (np.outer(np.arange(-radius, radius + 1), k) % period) / period
    waves = np.exp(exponent)
    kernel = (np.cos(turns) @ waves @ np.cos(turns).T - np.sin(turns) @ waves @ np.sin(turns).T) / period**2
    # Equal to its point reflection to the last digit; y up.
    return ((kernel + kernel[::-1, ::-1]) / 2)[::-1]


def jet_filters(covariance: ArrayLike, coupling: float | None = None, size: int = 7) -> dict[str, np.ndarray]:
    r"""Return a discrete affine Gaussian and its first and second derivatives.

    ======= ============================= ======= =================================
    name    filter                        name    filter
    ======= ============================= ======= =================================
    T       :math:`T`                     xx      :math:`\delta_{xx} T`
    x       :math:`\delta_x T`            xy      :math:`\delta_x \delta_y T`
    y       :math:`\delta_y T`            yy      :math:`\delta_{yy} T`
    ======= ============================= ======= =================================

    Differences come first and cropping afterwards. With a round covariance :math:`\sigma^2 I` the first three are the models of keys 8, 5 and 6.

    Parameters
    ----------
    covariance : array_like, shape (2, 2)
    coupling : float, optional
        See :func:`affine_gaussian`.
    size : int
        Odd number of taps per axis.

    Returns
    -------
    dict of str to ndarray, shape (size, size)
        Kernels of a convolution, y up.

    Raises
    ------
    ValueError
        As :func:`affine_gaussian`, and for an even size.

    Examples
    --------
    >>> jet_filters(affine_covariance(0.0), size=3)["xy"]
    array([[-0.25,  0.  ,  0.25],
           [ 0.  ,  0.  ,  0.  ],
           [ 0.25,  0.  , -0.25]])
    """
    size = odd_size(size)
    # Differences run in the direction of growing index: rows with y growing.
    smooth = affine_gaussian(covariance, coupling, size // 2 + 1)[::-1]
    return {name: difference(difference(smooth, y, -2, "shrink"), x, -1, "shrink")[::-1] + 0.0 for name, (x, y) in JET.items()}


def oriented_filter(
    order: int, angle: ArrayLike, covariance: ArrayLike, coupling: float | None = None, size: int = 7
) -> np.ndarray:
    r"""Return the first or second derivative of a discrete affine Gaussian in a direction.

    .. math::

        \delta_\varphi T &= \cos\varphi\, \delta_x T + \sin\varphi\, \delta_y T

        \delta_{\varphi\varphi} T &= \cos^2\varphi\, \delta_{xx} T + 2 \cos\varphi \sin\varphi\, \delta_x \delta_y T
            + \sin^2\varphi\, \delta_{yy} T

    Parameters
    ----------
    order : {1, 2}
    angle : float or array_like
        :math:`\varphi` in radians, from the x axis towards the y axis.
    covariance : array_like, shape (2, 2)
    coupling : float, optional
        See :func:`affine_gaussian`.
    size : int
        Odd number of taps per axis.

    Returns
    -------
    ndarray, shape (..., size, size)
        One filter for each angle: kernels of a convolution, y up.

    Raises
    ------
    ValueError
        For another order, an angle that is not finite, and as :func:`jet_filters`.

    Examples
    --------
    Half the difference of the two diagonal second derivatives is the mixed one.

    >>> rising, falling = oriented_filter(2, [np.pi / 4, 3 * np.pi / 4], affine_covariance(0.7))
    >>> bool(np.allclose((rising - falling) / 2, jet_filters(affine_covariance(0.7))["xy"], atol=1e-15))
    True
    """
    if order not in (1, 2) or isinstance(order, bool):
        raise ValueError(f"order is {order!r}: expected 1 or 2")
    turn = finite(angle, "angle")[..., None, None]
    jet = jet_filters(covariance, coupling, size)
    cos, sin = np.cos(turn), np.sin(turn)
    if order == 1:
        return cos * jet["x"] + sin * jet["y"]
    return cos**2 * jet["xx"] + 2 * cos * sin * jet["xy"] + sin**2 * jet["yy"]
