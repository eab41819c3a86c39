"""Spatial spread measures and responses to monomials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .checks import cubic_filter, finite, square_filter


def coordinates(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x (row vector) and y (column vector, growing up) of an odd-sized window.

    Examples
    --------
    >>> x, y = coordinates(3)
    >>> x, y.ravel()
    (array([[-1.,  0.,  1.]]), array([ 1.,  0., -1.]))
    """
    u = np.arange(size, dtype=np.float64) - size // 2
    return u[None, :], u[::-1, None]


def _along(axes: int, size: int) -> list[np.ndarray]:
    """The coordinate along each axis, x first, as arrays that broadcast over a filter of so many axes; y grows up."""
    u = np.arange(size, dtype=np.float64) - size // 2
    return [(u[::-1] if i == 1 else u).reshape(-1, *[1] * i) for i in range(axes)]


@dataclass(frozen=True)
class Spread:
    """Spread measures of ``|h|``: x then y (then z), y up, in grid units.

    Attributes
    ----------
    mean : ndarray, shape (2,); (n,) for a filter of n axes
    covariance : ndarray, shape (2, 2); (n, n)
    l1_norm : float
        Sum of the weighted absolute values.
    """

    mean: np.ndarray
    covariance: np.ndarray
    l1_norm: float


def spread(h: ArrayLike, weight: ArrayLike | None = None) -> Spread:
    r"""Return mean, covariance and l1 norm of the absolute values of a filter.

    With :math:`a(u) = |h(u)|\,|w(u)|` (w = 1 without a weight) and :math:`u = (x, y)`:

    .. math::

        \|h\|_1 = \sum_u a(u), \qquad
        M = \frac{\sum_u u\, a(u)}{\sum_u a(u)}, \qquad
        V = \frac{\sum_u u u^T a(u)}{\sum_u a(u)} - M M^T .

    Parameters
    ----------
    h : array_like, shape (n, n), n odd
        Or of another number of axes, all of one odd size, [..., y, x]: a line (n,), a volume (n, n, n).
    weight : array_like, of the shape of ``h``, optional
        Reference template, for instance ``ideal_filter(key, 1.0)``.

    Returns
    -------
    Spread

    Raises
    ------
    ValueError
        If a filter is not a finite array of equal axes of odd size or is all zero, if the shapes differ, or
        if the weight is zero wherever the filter is not.

    Source: Lindeberg, Babaiee and Kiasari (2026), section on spatial spread measures.

    Examples
    --------
    >>> s = spread([[0, 0, 0], [0, 1, -1], [0, 0, 0]])
    >>> s.mean, s.covariance[0], s.l1_norm
    (array([0.5, 0. ]), array([0.25, 0. ]), 2.0)
    >>> spread([0.0, 1.0, 1.0]).covariance
    array([[0.25]])
    """
    a = np.abs(cubic_filter(h))
    if weight is not None:
        w = np.abs(cubic_filter(weight, "weight"))
        if w.shape != a.shape:
            raise ValueError(f"weight has shape {w.shape}: expected {a.shape}, the shape of the filter")
        a = a * w
    total = a.sum()
    if not total > 0:
        raise ValueError("weight is zero wherever the filter is not: the spread is undefined")
    along = _along(a.ndim, len(a))
    mean = np.array([(u * a).sum() for u in along]) / total
    second = np.array([[(u * v * a).sum() for v in along] for u in along]) / total
    return Spread(mean, second - np.outer(mean, mean), float(total))


def monomial_response(h: ArrayLike, p: int, q: int, centre: ArrayLike = (0.0, 0.0)) -> float:
    r"""Return the response, at the origin, of convolving :math:`(x - c_x)^p (y - c_y)^q` with a filter.

    .. math:: R_{pq} = \sum_u h(u)\, (-u_x - c_x)^p\, (-u_y - c_y)^q

    Because it is a convolution the monomial is read at :math:`-u`; a shift by the filter's mean M
    therefore does not centre the monomial on the filter but moves it to :math:`-M`. That makes no
    difference for a first-order monomial and a filter that sums to 0.

    Parameters
    ----------
    h : array_like, shape (n, n), n odd
    p, q : int
        Exponents along x and y, >= 0.
    centre : sequence of 2 floats
        The shift (c_x, c_y), in grid units.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the filter is not a finite odd-sized square array that is not all zero, an exponent is not an
        integer >= 0, or the centre is not two finite numbers.

    Source: Lindeberg, Babaiee and Kiasari (2026), section on normalisation.

    Examples
    --------
    >>> monomial_response([[0, 0, 0], [0.5, 0, -0.5], [0, 0, 0]], 1, 0)
    1.0
    """
    h = square_filter(h)
    for name, exponent in (("p", p), ("q", q)):
        if isinstance(exponent, bool) or not isinstance(exponent, (int, np.integer)) or exponent < 0:
            raise ValueError(f"{name} is {exponent!r}: expected an integer >= 0")
    centre = finite(centre, "centre")
    if centre.shape != (2,):
        raise ValueError(f"centre has shape {centre.shape}: expected two numbers, c_x and c_y")
    x, y = coordinates(len(h))
    return float((h * (-x - centre[0]) ** p * (-y - centre[1]) ** q).sum())
