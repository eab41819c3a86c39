"""Local minimisation of the squared l2 norm: Newton's method with bounds."""

from __future__ import annotations

import numpy as np

from .l1 import L1_ROUNDING, LocalMinimum
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
