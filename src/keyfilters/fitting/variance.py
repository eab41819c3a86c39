"""Methods A and B: scales from weighted variances, in closed form or by matching."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from ..choices import Edge
from ..filters import DERIVATIVE, Key
from ..models import ideal_filter
from ..moments import coordinates, spread
from .problem import factors, largest_scale


def weighted_variances(h: np.ndarray, row: Key, edge: Edge, reference_scale: float = 1.0) -> np.ndarray:
    """Variances (x, y) of ``|h|`` weighted by the key's template at the reference scale.

    Key 7 has no template in the published procedure; plain smoothing stands in for it.
    """
    key = row.number if row.kind == DERIVATIVE else 8
    template = ideal_filter(key, reference_scale, size=len(h), edge=edge)
    return np.diag(spread(h, template).covariance).copy()


def closed_form(h: np.ndarray, row: Key, edge: Edge) -> np.ndarray:
    r"""Method A: scales from the variances of continuous Gaussian derivatives.

    A Gaussian of scale sigma weighted by one of scale 1 has variance sigma^2 / (1 + sigma^2); the
    method takes both to have the scale that is sought, so that the product has half the variance:

    - plain axis: :math:`v = \sigma^2 / 2`, so :math:`\sigma = \sqrt{2 v}`;
    - derivative axis: :math:`v = 3 \sigma^2 / 2`, so :math:`\sigma = \sqrt{2 v / 3}`.
    """
    return closed_form_of(weighted_variances(h, row, edge), row)


def closed_form_of(v: np.ndarray, row: Key) -> np.ndarray:
    """Method A from the weighted variances (x, y), shape (..., 2)."""
    divisor = np.ones(2)
    if row.derivative_axis is not None:
        divisor[row.derivative_axis] = 3.0
    return np.sqrt(2 * v / divisor)


def factor_variance(operator: str, sigma: ArrayLike, size: int, edge: Edge, reference_scale: float = 1.0) -> np.ndarray:
    """Weighted variance, along its axis, of a model's one-dimensional factor at each scale.

    Models and templates are separable, so the other axis cancels out of the weighted variance.
    """
    sigma = np.asarray(sigma, dtype=np.float64)
    weight = np.abs(factors(operator, np.float64(reference_scale) ** 2, size, edge)[0])
    a = np.abs(factors(operator, sigma**2, size, edge)[0]) * weight
    u = coordinates(size)[0][0]
    total = a.sum(-1)
    mean = (a @ u) / total
    return (a @ u**2) / total - mean**2


@lru_cache(maxsize=64)
def _tabled(operator: str, size: int, edge: Edge, reference_scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Scales, a hundredth of a grid unit apart, and the variances there: the same for every filter."""
    grid = np.linspace(0.0, largest_scale(size), 1 + round(largest_scale(size) / 0.01))
    return grid, factor_variance(operator, grid, size, edge, reference_scale)


def match_variance(
    operator: str, variance: float, size: int, edge: Edge, reference_scale: float = 1.0
) -> tuple[float, float, bool]:
    """Method B along one axis: the smallest sigma at which the model's weighted variance equals ``variance``.

    Returns sigma, the remaining difference of the variances, and whether a root was found; where the
    variance lies below the model's smallest, sigma is 0, where it lies above its largest, the scale of
    the largest. In a window so small that all scales have one variance, no scale is determined: 0, no root.
    """
    grid, tabled = _tabled(operator, size, edge, reference_scale)

    def mismatch(sigma):
        return factor_variance(operator, sigma, size, edge, reference_scale) - variance

    difference = tabled - variance
    if np.ptp(difference) <= 1e-12:
        return 0.0, float(difference[0]), False
    # At a grid point that is a root, rounding decides the sign: take the point itself.
    difference[np.abs(difference) <= 1e-14 * max(1.0, variance)] = 0.0
    crossing = np.flatnonzero(difference[:-1] * difference[1:] <= 0)
    if not len(crossing):
        nearest = int(np.abs(difference).argmin())
        return float(grid[nearest]), float(difference[nearest]), False
    i = int(crossing[0])
    if difference[i] * difference[i + 1] == 0:
        return float(grid[i if difference[i] == 0 else i + 1]), 0.0, True
    sigma = float(brentq(lambda s: float(mismatch(s)), grid[i], grid[i + 1], xtol=1e-14, rtol=1e-14))
    return sigma, float(mismatch(sigma)), True


def many_variances(filters: np.ndarray, row: Key, edge: Edge, reference_scale: float = 1.0) -> np.ndarray:
    """:func:`weighted_variances` of many filters, shape (b, n, n), at once: shape (b, 2)."""
    key = row.number if row.kind == DERIVATIVE else 8
    size = filters.shape[-1]
    a = np.abs(filters) * np.abs(ideal_filter(key, reference_scale, size=size, edge=edge))
    total = a.sum((1, 2))
    moments = [((a * u).sum((1, 2)) / total, (a * u * u).sum((1, 2)) / total) for u in coordinates(size)]
    return np.stack([second - first**2 for first, second in moments], -1)


def match_many(operator: str, variances: np.ndarray, size: int, edge: Edge, reference_scale: float = 1.0) -> np.ndarray:
    """:func:`match_variance` for many variances at once; returns the scales sigma, shape (b,)."""
    grid, tabled = _tabled(operator, size, edge, reference_scale)
    difference = tabled - np.asarray(variances)[:, None]
    crossing = difference[:, :-1] * difference[:, 1:] <= 0
    first = crossing.argmax(1)
    rows = np.arange(len(difference))
    low, high = grid[first], grid[first + 1]
    below = difference[rows, first]
    # Bisection: a few dozen halvings leave rounding.
    for _ in range(50):
        middle = (low + high) / 2
        value = factor_variance(operator, middle, size, edge, reference_scale) - variances
        left = np.sign(value) == np.sign(below)
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return np.where(crossing.any(1), (low + high) / 2, grid[np.abs(difference).argmin(1)])
