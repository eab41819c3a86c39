"""Symmetry and separability of filters, and the permuted filters to compare them with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keyfilters.checks import choice, integer, square_filter
from keyfilters.moments import coordinates

KEPT = ("none", "two largest", "rings")


def _stack(h, what: str = "filter") -> np.ndarray:
    """Filters of shape (..., n, n); the first of them is checked for what all must be."""
    h = np.asarray(h, dtype=np.float64)
    if h.ndim < 3:
        return square_filter(h, what)
    square_filter(h.reshape(-1, *h.shape[-2:])[0], what)
    return h


def rank_one_energy(h: ArrayLike) -> np.ndarray:
    r"""Return the share of a filter's energy that its best separable approximation holds.

    .. math:: E_1 = \frac{\lambda_1^2}{\sum_i \lambda_i^2}

    with the singular values :math:`\lambda_1 \ge \lambda_2 \ge \dots` of the filter as a matrix. It is 1
    exactly for :math:`h(x, y) = a(x)\, b(y)` and at least 1/n for any filter of size n.

    Parameters
    ----------
    h : array_like, shape (..., n, n), n odd

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> float(rank_one_energy([[1, 2, 1], [2, 4, 2], [1, 2, 1]]).round(12))
    1.0
    >>> float(rank_one_energy([[0, 1, 0], [1, -4, 1], [0, 1, 0]]).round(3))
    0.99
    """
    s = np.linalg.svd(_stack(h), compute_uv=False) ** 2
    return s[..., 0] / s.sum(axis=-1)


def spread_correlation(h: ArrayLike) -> np.ndarray:
    r"""Return the correlation coefficient of x and y under the weights :math:`|h|`.

    .. math:: \rho = \frac{V_{xy}}{\sqrt{V_{xx} V_{yy}}}, \qquad V = V(|h|)

    Parameters
    ----------
    h : array_like, shape (..., n, n), n odd

    Returns
    -------
    ndarray, shape (...)
        NaN where the filter has no extent along one of the axes.

    Examples
    --------
    >>> float(spread_correlation([[0, 0, 1], [0, 1, 0], [1, 0, 0]]))
    1.0
    """
    a = np.abs(_stack(h))
    x, y = coordinates(a.shape[-1])
    total = a.sum(axis=(-2, -1))
    mx, my, xx, yy, xy = ((a * f).sum(axis=(-2, -1)) / total for f in (x, y, x * x, y * y, x * y))
    with np.errstate(divide="ignore", invalid="ignore"):
        return (xy - mx * my) / np.sqrt((xx - mx * mx) * (yy - my * my))


def odd_share(h: ArrayLike, axis: int, centre: float = 0.0) -> np.ndarray:
    r"""Return the share of a filter's energy that is odd under the reflection about a centre.

    .. math::

        \frac{\sum_u \bigl( (h(u) - h(R u)) / 2 \bigr)^2}{\sum_u h(u)^2}
        = \frac12 \Bigl( 1 - \frac{\sum_u h(u)\, h(R u)}{\sum_u h(u)^2} \Bigr),

    where R reflects one coordinate, :math:`x \mapsto 2 c - x`, and h is 0 outside its window. The
    rest of the energy is even. 1 for an odd filter, 0 for an even one, 1/2 where the filter and its
    mirror image have nothing in common.

    Parameters
    ----------
    h : array_like, shape (..., n, n), n odd
    axis : int
        0 reflects x, 1 reflects y.
    centre : float
        The coordinate c, a multiple of 1/2.

    Raises
    ------
    ValueError
        If the axis is not 0 or 1, or the centre is not a multiple of 1/2.

    Examples
    --------
    >>> step = [[0, 0, 0], [0, 1, -1], [0, 0, 0]]
    >>> [float(odd_share(step, 0, c)) for c in (0, 0.5, 1)]
    [0.25, 1.0, 0.25]
    """
    h = _stack(h)
    if axis not in (0, 1):
        raise ValueError(f"axis is {axis!r}: expected 0 (x) or 1 (y)")
    twice = round(2 * float(centre))
    if twice != 2 * float(centre):
        raise ValueError(f"centre is {centre!r}: expected a multiple of 1/2")
    # x grows with the column; y grows against the row, so the centre changes its sign there.
    lines = h if axis == 0 else np.swapaxes(h, -1, -2)
    n = h.shape[-1]
    mirror = (twice if axis == 0 else -twice) + n - 1 - np.arange(n)
    inside = (mirror >= 0) & (mirror < n)
    product = (lines[..., inside] * lines[..., mirror[inside]]).sum(axis=(-2, -1))
    return (1 - product / (h * h).sum(axis=(-2, -1))) / 2


def mirror_correlation(h: ArrayLike, axis: int, without_peak: bool = False) -> np.ndarray:
    """Return the correlation coefficient of a filter's values with those of its mirror image.

    Parameters
    ----------
    h : array_like, shape (..., n, n), n odd
    axis : int
        0 mirrors x, 1 mirrors y (about the origin).
    without_peak : bool
        Leave out the largest absolute value and its mirror image: a single value much larger than
        all others decides the coefficient by itself wherever it lies on the mirror's axis.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> h = [[1, 0, -1], [1, 9, -1], [1, 0, -1]]
    >>> [float(mirror_correlation(h, 0, w).round(2)) for w in (False, True)]
    [0.85, -1.0]
    """
    h = _stack(h)
    if axis not in (0, 1):
        raise ValueError(f"axis is {axis!r}: expected 0 (x) or 1 (y)")
    n = h.shape[-1]
    along = -1 if axis == 0 else -2
    flat, mirrored = h.reshape(*h.shape[:-2], n * n), np.flip(h, along).reshape(*h.shape[:-2], n * n)
    keep = np.ones(flat.shape)
    if without_peak:
        index = np.arange(n * n).reshape(n, n)
        peak = np.abs(flat).argmax(axis=-1, keepdims=True)
        np.put_along_axis(keep, peak, 0.0, axis=-1)
        np.put_along_axis(keep, np.flip(index, along).ravel()[peak], 0.0, axis=-1)
    count = keep.sum(axis=-1, keepdims=True)
    # The pixels kept are a set that the mirror maps to itself: both have the same mean and variance.
    a, b = (keep * (f - (keep * f).sum(axis=-1, keepdims=True) / count) for f in (flat, mirrored))
    return (a * b).sum(axis=-1) / (a * a).sum(axis=-1)


def permuted_filters(h: ArrayLike, count: int, seed: int = 0, keep: str = "none") -> np.ndarray:
    """Return filters with the same values as a filter in random places: what chance alone gives.

    ============ =========================================================================
    keep         what is permuted
    ============ =========================================================================
    none         all values
    two largest  all but the two largest absolute values, which stay where they are
    rings        values within each set of pixels at the same distance from the origin
    ============ =========================================================================

    Parameters
    ----------
    h : array_like, shape (n, n), n odd
    count : int
        Number of filters, >= 1.
    seed : int
    keep : {"none", "two largest", "rings"}

    Returns
    -------
    ndarray, shape (count, n, n)

    Raises
    ------
    ValueError
        If the filter is not a finite odd-sized square array that is not all zero, for a count below 1
        or an unknown ``keep``.

    Examples
    --------
    >>> h = np.arange(9.0).reshape(3, 3)
    >>> p = permuted_filters(h, 2, keep="two largest")
    >>> p.shape, p[:, 2, 1:].tolist(), bool((np.sort(p.reshape(2, 9)) == np.arange(9)).all())
    ((2, 3, 3), [[7.0, 8.0], [7.0, 8.0]], True)
    """
    h = square_filter(h)
    choice(keep, KEPT, "keep")
    integer(count, "count")
    rng = np.random.default_rng(seed)
    flat = h.ravel()
    if keep == "rings":
        x, y = coordinates(len(h))
        labels = (x * x + y * y).ravel()
    else:
        labels = np.zeros(flat.size)
        if keep == "two largest":
            labels[np.argsort(-np.abs(flat), kind="stable")[:2]] = (1, 2)
    result = np.tile(flat, (count, 1))
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        result[:, places] = rng.permuted(result[:, places], axis=1)
    return result.reshape(count, *h.shape)
