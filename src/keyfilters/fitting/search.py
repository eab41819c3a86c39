"""Global minimisation: a start grid with a slope bound says where the minimum can still be; from there local minimisers go on.

The l1 norm has corners where a residual vanishes, and its minima often sit on them. A linear programme on the linearised
residuals finds which residuals vanish; Newton's method on the optimality conditions with those residuals held at zero then
gives the point to rounding. The squared l2 norm takes Newton's method with bounds.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .problem import Problem

L1_ROUNDING = 1e-13
"""Residuals below this times the filter's l1 norm count as zero."""


@dataclass(frozen=True)
class LocalMinimum:
    """A local minimum with what certifies it.

    Attributes
    ----------
    p : ndarray
        Parameters (variances, gamma).
    value : float
        Objective: l1 norm or squared l2 norm of the residual.
    active : tuple of int
        Indices of residuals that are zero at the minimum (corners of the l1 norm).
    multipliers : tuple of float
        Their multipliers; each must lie in [-1, 1].
    bound : tuple of int
        Indices of parameters at their lower bound.
    stationarity : float
        Largest component of the gradient of the Lagrangian in the free parameters.
    slope_at_bound : float
        Smallest derivative of the objective into the domain at the active bounds (>= 0 at a
        minimum); infinity where no bound is active.
    curvature : float
        Smallest eigenvalue of the Hessian on the subspace that is left free (infinity if none is).
    converged : bool
        All conditions of a strict local minimum hold to rounding.
    """

    p: np.ndarray
    value: float
    active: tuple[int, ...] = ()
    multipliers: tuple[float, ...] = ()
    bound: tuple[int, ...] = ()
    stationarity: float = np.inf
    slope_at_bound: float = np.inf
    curvature: float = np.inf
    converged: bool = False


def linear_step(
    r: np.ndarray, jacobian: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, float, tuple[int, ...]]:
    """Minimise sum ``|r + J d|`` over the box low <= d <= high in one or two dimensions, exactly.

    The minimum of a piecewise linear convex function lies at a vertex: an intersection of two lines
    among the zero lines of the residuals and the sides of the box (in 1-D, a zero or an end). Few
    zero lines cross a small box, so all vertices are tried at once.

    Returns the step, its value, and the residuals whose zero lines meet there.
    """
    dimension = len(low)
    centre, half = (low + high) / 2, (high - low) / 2
    reach = np.abs(jacobian) @ half
    lines = np.flatnonzero((np.abs(r + jacobian @ centre) <= reach * (1 + 1e-12)) & (reach > 0))
    normal = np.concatenate([jacobian[lines], np.eye(dimension), np.eye(dimension)])
    offset = np.concatenate([-r[lines], low, high])
    if dimension == 1:
        pairs = np.arange(len(offset))[:, None]
        points = (offset / normal[:, 0])[:, None]
    else:
        pairs = np.stack(np.triu_indices(len(offset), 1), -1)
        (a, b), (c, d) = normal[pairs[:, 0]].T, normal[pairs[:, 1]].T
        det = a * d - b * c
        good = np.abs(det) > 1e-14 * np.hypot(a, b) * np.hypot(c, d)
        pairs, a, b, c, d, det = pairs[good], a[good], b[good], c[good], d[good], det[good]
        e, f = offset[pairs[:, 0]], offset[pairs[:, 1]]
        points = np.stack([(e * d - b * f) / det, (a * f - e * c) / det], -1)
    inside = ((points >= low - 1e-9 * half) & (points <= high + 1e-9 * half)).all(-1)
    points, pairs = np.clip(points[inside], low, high), pairs[inside]
    values = np.abs(r[:, None] + jacobian @ points.T).sum(0)
    best = int(values.argmin())
    active = tuple(int(lines[i]) for i in pairs[best] if i < len(lines))
    return points[best], float(values[best]), active


def _newton(problem, p, active, bound, reach) -> LocalMinimum | None:
    """Newton's method on the optimality conditions with residuals `active` zero and parameters `bound` fixed."""
    free = [i for i in range(len(p)) if i not in bound]
    k, n = len(active), len(free)
    if k > n:
        return None
    p, active = p.copy(), list(active)
    multiplier = None
    for _ in range(20):
        r, jacobian, second = problem.evaluate(p)
        sign = np.sign(r)
        sign[active] = 0.0
        gradient = sign @ jacobian[:, free]
        rows = jacobian[np.ix_(active, free)]
        if multiplier is None:
            multiplier = np.linalg.lstsq(rows.T, -gradient, rcond=None)[0] if k else np.zeros(0)
        weights = sign
        weights[active] = multiplier
        hessian = np.tensordot(weights, second[:, free][:, :, free], 1)
        system = np.zeros((n + k, n + k))
        system[:n, :n], system[:n, n:], system[n:, :n] = hessian, rows.T, rows
        try:
            step = np.linalg.solve(system, -np.concatenate([gradient, r[active]]))
        except np.linalg.LinAlgError:
            return None
        if (np.abs(step[:n]) > reach[free]).any() or not np.isfinite(step).all():
            return None
        p[free] += step[:n]
        multiplier = step[n:]
        if (p[free] < problem.lower[free]).any() or (p[free] > problem.upper[free]).any():
            return None
        if np.abs(step[:n]).max(initial=0.0) <= 1e-15 * (1 + np.abs(p).max()):
            break
    return _judge(problem, p, tuple(active), bound)


def _vanishes(problem, r, value) -> bool:
    """Nothing is left of the residual but rounding: no parameters can be better."""
    return value <= L1_ROUNDING * problem.total * len(r)


def _judge(problem, p, active, bound) -> LocalMinimum:
    """Check first- and second-order conditions of a candidate."""
    r, jacobian, second = problem.evaluate(p)
    value = float(np.abs(r).sum())
    if _vanishes(problem, r, value):
        return LocalMinimum(p, value, bound=bound, stationarity=0.0, converged=True)
    free = [i for i in range(len(p)) if i not in bound]
    index = list(active)
    sign = np.sign(r)
    sign[index] = 0.0
    multiplier = np.zeros(0)
    rows = jacobian[np.ix_(index, free)]
    if active:
        multiplier = np.linalg.lstsq(rows.T, -(sign @ jacobian[:, free]), rcond=None)[0]
    weights = sign
    weights[index] = multiplier
    slope = weights @ jacobian
    stationarity = float(np.abs(slope[free]).max(initial=0.0))
    hessian = np.tensordot(weights, second[:, free][:, :, free], 1)
    null = np.eye(len(free)) if not active else np.linalg.svd(rows)[2][len(active) :].T
    reduced = null.T @ hessian @ null
    curvature = float(np.linalg.eigvalsh(reduced).min()) if reduced.size else np.inf
    slope_at_bound = float(slope[list(bound)].min()) if bound else np.inf
    scale = max(1.0, float(np.abs(jacobian).sum(0).max()))
    converged = (
        not (p >= problem.upper).any()
        and stationarity <= 1e-9 * scale
        and (np.abs(multiplier) <= 1 + 1e-9).all()
        and np.abs(r[index]).max(initial=0.0) <= 1e-12 * problem.total
        and curvature > 1e-12 * scale
        and slope_at_bound >= 0
    )
    return LocalMinimum(
        p, value, active, tuple(map(float, multiplier)), bound, stationarity, slope_at_bound, curvature, bool(converged)
    )


def minimize_l1(problem: Problem, start: np.ndarray, max_steps: int = 60) -> LocalMinimum:
    """Descend from a start to a local minimum of sum ``|residual|``.

    Parameters
    ----------
    problem : SeparableProblem or SharpeningProblem
    start : ndarray, shape (d,), d = 1 or 2
        Parameters (variances, gamma) inside the domain.
    max_steps : int
        Linear programmes at most.

    Returns
    -------
    LocalMinimum
        ``converged`` is False where no point with all optimality conditions was reached.
    """
    p = np.clip(np.asarray(start, dtype=np.float64), problem.lower, problem.upper)
    box = problem.box(p)
    reach = 2 * box
    r, jacobian, _ = problem.evaluate(p)
    value = float(np.abs(r).sum())
    tried = set()
    active: tuple[int, ...] = ()
    bound: tuple[int, ...] = ()
    for _ in range(max_steps):
        if _vanishes(problem, r, value):
            break
        step, predicted, active = linear_step(
            r, jacobian, np.maximum(problem.lower - p, -box), np.minimum(problem.upper - p, box)
        )
        bound = tuple(int(i) for i in np.flatnonzero((p + step <= problem.lower) | (p + step >= problem.upper)))
        trial = np.clip(p + step, problem.lower, problem.upper)
        new_r, new_jacobian, _ = problem.evaluate(trial)
        new_value = float(np.abs(new_r).sum())
        # The working set may settle before the radius does; each one is worth one attempt.
        if (active, bound) not in tried:
            tried.add((active, bound))
            found = _newton(problem, trial, active, bound, reach)
            if found is not None and found.converged and found.value <= min(value, new_value) * (1 + 1e-12):
                return found
        gain, hoped = value - new_value, value - predicted
        if hoped <= 1e-15 * value or box.max() < 1e-15:
            break
        if gain >= 0.1 * hoped:
            p, r, jacobian, value = trial, new_r, new_jacobian, new_value
            tried = tried if gain < 1e-10 * value else set()
            if gain >= 0.75 * hoped:
                box = np.minimum(2 * box, reach)
        else:
            box = box / 4
    return _newton(problem, p, active, bound, reach) or _judge(problem, p, (), bound)


def minimize_l2(problem: Problem, start: np.ndarray, max_steps: int = 60) -> LocalMinimum:
    """Descend from a start to a local minimum of sum residual^2.

    Newton steps with the exact Hessian (Gauss-Newton where it is indefinite), projected on the bounds
    and shortened until the objective falls.

    Parameters and returns as :func:`keyfilters.fitting.search.minimize_l1`.
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
    return _judge_l2(problem, p)


def _judge_l2(problem, p) -> LocalMinimum:
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
