"""The objective of a two-scale fit around and between its minima.

All functions look at the learned, normalised filter of a key with two scales (1 to 6, 8).
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from keyfilters.checks import choice, scales
from keyfilters.choices import Edge, Norm
from keyfilters.filters import SHARPENING, Key, key_row
from keyfilters.fitting.methods import fit, objective_map
from keyfilters.fitting.problem import SeparableProblem
from keyfilters.fitting.search import LOCAL
from keyfilters.normalization import normalized_filters

POWER = {"l1": 1, "l2": 2}


def two_scale_problem(key: int | Key, edge: Edge = "crop") -> SeparableProblem:
    """Return the residuals of a key as a function of its two variances.

    Raises
    ------
    ValueError
        For key 7, whose second parameter is no scale.

    Examples
    --------
    >>> residual, jacobian, second = two_scale_problem(8).evaluate([0.36, 0.36])
    >>> residual.shape, jacobian.shape, second.shape
    ((49,), (49, 2), (49, 2, 2))
    """
    row = key_row(key)
    if row.kind == SHARPENING:
        raise ValueError("key 7 has one scale and gamma: expected a key with two scales, 1 to 6 or 8")
    return SeparableProblem((row,), (normalized_filters()[row.number - 1],), 2, edge)


def local_minima(key: int | Key, norm: Norm, starts: ArrayLike) -> list[tuple[float, float, float]]:
    """Descend from every pair of start scales and return the distinct local minima.

    Parameters
    ----------
    key : int
    norm : {"l1", "l2"}
    starts : array_like, shape (m,)
        Start values of either scale; m * m descents.

    Returns
    -------
    list of (objective, sigma_x, sigma_y)
        The lowest first; the objective is the l1 norm or the squared l2 norm. Descents that did not
        reach a certified minimum are left out.

    Examples
    --------
    >>> len(local_minima(8, "l1", [0.5, 0.7])), len(local_minima(8, "l2", [0.5, 0.7]))
    (2, 1)
    """
    problem, descend = two_scale_problem(key), LOCAL[POWER[choice(norm, POWER, "norm")]]
    pairs = product(scales(starts, "starts"), repeat=2)
    found = (descend(problem, np.array(pair) ** 2) for pair in pairs)
    distinct: dict[tuple, tuple] = {
        tuple(np.round(np.sqrt(m.p), 6)): (m.value, *map(float, np.sqrt(m.p))) for m in found if m.converged
    }
    return sorted(distinct.values())


def along_line(
    key: int | Key, start: tuple[float, float], end: tuple[float, float], t: ArrayLike, norm: Norm = "l1"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the objective along a straight line of scales, and where residuals change their sign.

    Parameters
    ----------
    key : int
    start, end : (sigma_x, sigma_y)
        Scales at t = 0 and at t = 1.
    t : array_like, shape (m,)
        Increasing positions on the line; no scale may become negative.
    norm : {"l1", "l2"}

    Returns
    -------
    values : ndarray, shape (m,)
        l1 norm or squared l2 norm of the residual.
    kinks : ndarray
        Positions of the sign changes, linear between samples: the corners of the l1 norm.

    Examples
    --------
    >>> values, kinks = along_line(8, (0.6, 0.6), (0.62, 0.62), [0.0, 1.0])
    >>> bool((np.diff(np.sign(values)) == 0).all()), len(kinks) > 0
    (True, True)
    """
    power, problem = POWER[choice(norm, POWER, "norm")], two_scale_problem(key)
    t, first, last = (np.asarray(a, dtype=float) for a in (t, start, end))
    points = scales(first + t[:, None] * (last - first), "scale on the line")
    residuals = np.stack([problem.evaluate(p**2)[0] for p in points])
    before, after = residuals[:-1], residuals[1:]
    step, tap = np.nonzero(before * after < 0)
    fraction = before[step, tap] / (before[step, tap] - after[step, tap])
    return (np.abs(residuals) ** power).sum(1), np.sort(t[step] + fraction * (t[step + 1] - t[step]))


def _valley(key, method, tolerance, reach, samples):
    """Points (sigma_x, sigma_y) of a grid around the optimum at which the norm is within a tolerance of its minimum."""
    norm: Norm = "l1" if choice(method, ("C1", "D1"), "method") == "C1" else "l2"
    found = fit(key, method)
    x, y = (np.linspace(max(0.0, c - reach), c + reach, samples) for c in (found.sigma_x, found.sigma_y))
    inside = objective_map(key, x, y, norm=norm) <= (1 + tolerance) * found.objective ** (1 / POWER[norm])
    i, j = np.nonzero(inside)
    return np.stack([x[j], y[i]], axis=1)


def valley_extent(key: int | Key, method: str, tolerance: float = 0.01, reach: float = 0.4, samples: int = 321) -> np.ndarray:
    """Return the range of each scale over which the norm stays within a tolerance of its minimum.

    Parameters
    ----------
    key : int
    method : {"C1", "D1"}
    tolerance : float
        Relative, of the norm.
    reach : float
        Half-width of the window that is looked at, in grid units.
    samples : int
        Grid points per axis.

    Returns
    -------
    ndarray, shape (2, 2)
        Least and largest sigma_x, least and largest sigma_y.

    Examples
    --------
    >>> extent = valley_extent(8, "C1")
    >>> bool((extent[:, 0] < extent[:, 1]).all())
    True
    """
    points = _valley(key, method, tolerance, reach, samples)
    return np.stack([points.min(axis=0), points.max(axis=0)], axis=1)


def valley_tilt(key: int | Key, method: str, tolerance: float = 0.01, reach: float = 0.4, samples: int = 321) -> float:
    """Return the correlation coefficient of the two scales over the same region.

    Positive: both scales grow together along the valley. Negative: one grows while the other shrinks.

    Parameters as :func:`valley_extent`.

    Examples
    --------
    >>> valley_tilt(8, "C1") < 0 < valley_tilt(6, "C1")
    True
    """
    points = _valley(key, method, tolerance, reach, samples)
    return float(np.corrcoef(points.T)[0, 1])


def least_curvature(key: int | Key, low: tuple[float, float], high: tuple[float, float], samples: int) -> float:
    """Return the smallest eigenvalue of the Hessian of the squared l2 norm over a box, sampled.

    The Hessian is taken in the variances. Where it is positive definite all over the box, the objective
    is strictly convex there and has one minimum.

    Parameters
    ----------
    key : int
    low, high : (sigma_x, sigma_y)
        Corners of the box.
    samples : int
        Grid points per axis.

    Examples
    --------
    >>> least_curvature(8, (0.6, 0.6), (0.65, 0.65), 3) > 0
    True
    """
    problem = two_scale_problem(key)
    axes = [np.linspace(a, b, samples) ** 2 for a, b in zip(low, high, strict=True)]
    smallest = np.inf
    for p in np.stack(np.meshgrid(*axes), -1).reshape(-1, 2):
        r, jacobian, second = problem.evaluate(p)
        hessian = 2 * (jacobian.T @ jacobian + np.tensordot(r, second, 1))
        smallest = min(smallest, float(np.linalg.eigvalsh(hessian)[0]))
    return smallest
