"""Global minimisation: a start grid with a slope bound says where the minimum can still be."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .l1 import LocalMinimum, minimize_l1
from .l2 import minimize_l2
from .problem import Problem

LOCAL = {1: minimize_l1, 2: minimize_l2}


@dataclass(frozen=True)
class GlobalMinimum:
    """The best local minimum, and how the rest of the domain was ruled out.

    Attributes
    ----------
    best : LocalMinimum
    runner_up : float
        Objective of the next distinct local minimum (infinity if the search met none).
    cells : int
        Cells of the start grid.
    open_cells : int
        Cells whose lower bound (norm minus slope bound times half a step) does not exceed the
        minimum: only there could a better point be, and every basin in them was descended into.
    starts : int
        Descents made.
    """

    best: LocalMinimum
    runner_up: float
    cells: int
    open_cells: int
    starts: int


def _local_minima(values) -> np.ndarray:
    """Mask of grid points not above any neighbour (diagonals included)."""
    padded = np.pad(values, 1, constant_values=np.inf)
    inner = (slice(1, -1),) * values.ndim
    slack = 1e-14 * float(values.max())
    lowest = np.ones(values.shape, bool)
    for shift in itertools.product((-1, 0, 1), repeat=values.ndim):
        moved = tuple(slice(1 + d, s + 1 + d) for d, s in zip(shift, values.shape, strict=True))
        lowest &= padded[inner] <= padded[moved] + slack
    return lowest


def minimize_globally(problem: Problem, power: int) -> GlobalMinimum:
    """Return the global minimum of the l1 norm (power 1) or the squared l2 norm (power 2).

    1. The norm is computed on a grid of scales together with a bound on its slope.
    2. The deepest grid minimum is refined; with it, every cell whose lower bound is above the
       refined value is excluded.
    3. Every grid minimum, and at least the deepest point of every connected region, of the open
       cells is refined too; the best wins.
    """
    axes = problem.axes()
    norm, slope = problem.norm_grid(axes, power)
    half_step = (axes[0][1] - axes[0][0]) / 2
    local = LOCAL[power]
    # A cell's far corner may be a little steeper than its centre: take the steepest neighbour.
    lower = norm - half_step * ndimage.maximum_filter(slope, size=3, mode="nearest")
    minima = _local_minima(norm)

    def refine(index):
        return local(problem, problem.start(axes, index))

    first = np.unravel_index(int(norm.argmin()), norm.shape)
    found = [refine(first)]
    is_open = lower <= min(float(norm.min()), found[0].value ** (1 / power))
    labels, regions = ndimage.label(is_open, structure=np.ones((3,) * norm.ndim))
    # A plateau is one minimum, not one for each of its grid points.
    plateaus, _ = ndimage.label(minima & is_open, structure=np.ones((3,) * norm.ndim))
    candidates = np.argwhere(plateaus)
    candidates = candidates[np.argsort(norm[tuple(candidates.T)], kind="stable")]
    _, lowest = np.unique(plateaus[tuple(candidates.T)], return_index=True)
    queue = {tuple(map(int, candidates[i])) for i in lowest}
    for region in range(1, regions + 1):
        inside = np.where(labels == region, norm, np.inf)
        queue.add(tuple(map(int, np.unravel_index(int(inside.argmin()), norm.shape))))
    queue.discard(tuple(map(int, first)))
    found += [refine(index) for index in sorted(queue, key=lambda i: norm[i])]
    # Among equal values prefer a point whose optimality conditions hold.
    best = min(found, key=lambda m: (round(m.value, 13), not m.converged))
    others = [m.value for m in found if np.abs(m.p - best.p).max() > 1e-6]
    return GlobalMinimum(best, min(others, default=np.inf), norm.size, int(is_open.sum()), len(found))
