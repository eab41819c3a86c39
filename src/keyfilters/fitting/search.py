"""Global minimisation: a start grid with a slope bound says where the minimum can still be; Newton's method for the l2 norm."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .l1 import L1_ROUNDING, LocalMinimum, minimize_l1
from .problem import Problem


def minimize_l2(problem: Problem, start: np.ndarray, max_steps: int = 60) -> LocalMinimum:
    """Descend from a start to a local minimum of sum residual^2.

    Newton steps with the exact Hessian (Gauss-Newton where it is indefinite), projected on the bounds
    and shortened until the objective falls.

    Parameters and returns as :func:`keyfilters.fitting.l1.minimize_l1`.
    """
    p = np.clip(np.asarray(start, dtype=np.float64), problem.lower, problem.upper)
    r, jacobian, second = problem.evaluate(p)
    value = float(r @ r)
    for _ in range(max_steps):
        gradient = 2 * r @ jacobian
        gauss = 2 * jacobian.T @ jacobian
        hessian = gauss + 2 * np.tensordot(r, second, 1)
        fixed = (p <= problem.lower) & (gradient > 0) | (p >= problem.upper) & (gradient < 0)
        free = np.flatnonzero(~fixed)
        if not len(free):
            break
        block = hessian[np.ix_(free, free)]
        if np.linalg.eigvalsh(block).min() <= 0:
            block = gauss[np.ix_(free, free)] + 1e-12 * np.trace(gauss) * np.eye(len(free))
        step = np.zeros_like(p)
        step[free] = -np.linalg.solve(block, gradient[free])
        length = 1.0
        while True:
            trial = np.clip(p + length * step, problem.lower, problem.upper)
            new = problem.evaluate(trial)
            new_value = float(new[0] @ new[0])
            # So short a Newton step has converged: rounding alone decides whether the value falls.
            if new_value < value or length < 1e-10 or np.abs(step).max() < 1e-9:
                break
            length /= 2
        moved = np.abs(trial - p).max()
        if new_value >= value:
            # Rounding hides further descent: one full step lands on the root of the gradient.
            trial = np.clip(p + step, problem.lower, problem.upper)
            if np.abs(step).max() < 1e-6:
                p = trial
            break
        p, (r, jacobian, second), value = trial, new, new_value
        if moved <= 1e-16 * (1 + np.abs(p).max()):
            break
    return _judge(problem, p)


def _judge(problem, p) -> LocalMinimum:
    r, jacobian, second = problem.evaluate(p)
    value = float(r @ r)
    gradient = 2 * r @ jacobian
    hessian = 2 * (jacobian.T @ jacobian + np.tensordot(r, second, 1))
    bound = tuple(int(i) for i in np.flatnonzero((p <= problem.lower) & (gradient >= 0)))
    free = [i for i in range(len(p)) if i not in bound]
    if value <= (L1_ROUNDING * problem.total) ** 2 * len(r):
        return LocalMinimum(p, value, bound=bound, stationarity=0.0, converged=True)
    stationarity = float(np.abs(gradient[free]).max(initial=0.0))
    curvature = float(np.linalg.eigvalsh(hessian[np.ix_(free, free)]).min()) if free else np.inf
    slope_at_bound = float(gradient[list(bound)].min()) if bound else np.inf
    scale = max(1.0, float((jacobian**2).sum(0).max()))
    converged = (
        not (p >= problem.upper).any() and stationarity <= 1e-9 * scale and curvature > 1e-12 * scale and slope_at_bound >= 0
    )
    return LocalMinimum(p, value, (), (), bound, stationarity, slope_at_bound, curvature, bool(converged))


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
