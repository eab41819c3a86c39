"""Sums of terms such as a f + c T: the best coefficients at each scale, and the best scales, for many filters at once.

A term is a sum of products of a factor along x and one along y. A model has fixed terms, whose coefficient is 1, and
free terms, whose coefficients are those of least squares at each scale (variable projection). What is left is a function
of the variances alone, whose gradient and Hessian are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..choices import Edge
from .problem import factors, largest_scale

TERMS: dict[str, tuple[tuple[str, str], ...]] = {
    "T": (("identity", "identity"),),
    "x": (("central", "identity"),),
    "y": (("identity", "central"),),
    "xx": (("second", "identity"),),
    "xy": (("central", "central"),),
    "yy": (("identity", "second"),),
    "x-": (("backward", "identity"),),
    "x+": (("forward", "identity"),),
    "y-": (("identity", "backward"),),
    "y+": (("identity", "forward"),),
    "laplacian": (("second", "identity"), ("identity", "second")),
    "impulse": (),
    "constant": (),
}
"""Each term as its products (operator along x, operator along y), applied to the discrete Gaussian and added up.

A term has the first variance along x and the last along y; ``"x@0"`` has the first along both axes, ``"x@1"`` the second.
"""

GRID_SPACING = {1: 0.02, 2: 0.05}
"""Spacing of the start grid in sigma (grid units) by the number of scales."""

LOWEST_VARIANCE = -1.0
"""Where the variance may become negative, as in a bootstrap: the kernel is defined there too, and sharpens."""


@dataclass(frozen=True)
class Model:
    """Terms over windows of one size, stacked where several filters share the scales.

    Attributes
    ----------
    fixed : tuple of tuple of str
        For each filter of the stack the terms with the coefficient 1.
    free : tuple of str
        Terms with free coefficients (one filter only).
    scales : {0, 1, 2}
        Number of free variances; 2 is one per axis.
    size : int
    edge : {"crop", "exact"}
    """

    fixed: tuple[tuple[str, ...], ...]
    free: tuple[str, ...]
    scales: int
    size: int
    edge: Edge

    def _values(self, names, p):
        """Values, first and second derivatives of terms: (b, m, N), (b, m, d, N), (b, m, d, d, N)."""
        n, d, count = self.size, self.scales, len(p)
        value = np.zeros((count, len(names), n, n))
        first, second = np.zeros((count, len(names), d, n, n)), np.zeros((count, len(names), d, d, n, n))
        split = [term.partition("@") for term in names]
        along = {}
        for name in {operator for term, _, _ in split for pair in TERMS[term] for operator in pair}:
            along[name] = factors(name, p[:, 0], n, self.edge), factors(name, p[:, -1], n, self.edge)

        def outer(v, u):
            return v[:, :, None] * u[:, None, :]

        for j, (term, _, own) in enumerate(split):
            if term == "impulse":
                value[:, j, n // 2, n // 2] = 1.0
            elif term == "constant":
                value[:, j] = 1.0
            for x, y in TERMS[term]:
                # y grows against the row index.
                (u, du, ddu), (v, dv, ddv) = along[x][int(own or 0)], along[y][int(own or 1)][..., ::-1]
                value[:, j] += outer(v, u)
                if own:
                    first[:, j, int(own)] += outer(v, du) + outer(dv, u)
                    second[:, j, int(own), int(own)] += outer(v, ddu) + 2 * outer(dv, du) + outer(ddv, u)
                elif d == 2:
                    first[:, j, 0] += outer(v, du)
                    first[:, j, 1] += outer(dv, u)
                    second[:, j, 0, 0] += outer(v, ddu)
                    second[:, j, 0, 1] += outer(dv, du)
                    second[:, j, 1, 1] += outer(ddv, u)
                elif d == 1:
                    first[:, j, 0] += outer(v, du) + outer(dv, u)
                    second[:, j, 0, 0] += outer(v, ddu) + 2 * outer(dv, du) + outer(ddv, u)
        if d == 2:
            second[:, :, 1, 0] = second[:, :, 0, 1]
        return tuple(a.reshape(*a.shape[:-2], n * n) for a in (value, first, second))

    def evaluate(self, p: np.ndarray) -> tuple[tuple, tuple]:
        """The fixed part and the free terms at variances p, shape (b, d), each with two derivatives.

        Returns ``(value, first, second)`` of the fixed part, shapes (b, N), (b, d, N), (b, d, d, N), and of the
        free terms, with an axis of length m behind the first.
        """
        p = np.asarray(p, dtype=np.float64)
        padded = p if self.scales else np.zeros((len(p), 1))
        stacks = [[a.sum(1) for a in self._values(names, padded)] for names in self.fixed]
        fixed = tuple(np.concatenate(parts, -1) for parts in zip(*stacks, strict=True))
        if not self.free:
            return fixed, tuple(np.zeros((len(p), 0, *part.shape[1:])) for part in fixed)
        return fixed, self._values(self.free, padded)

    def grid(self) -> np.ndarray:
        """Variances of the start grid, shape (g, d)."""
        if not self.scales:
            return np.zeros((1, 0))
        top = largest_scale(self.size)
        s = np.linspace(0.0, top, 1 + round(top / GRID_SPACING[self.scales])) ** 2
        return np.stack(np.meshgrid(*[s] * self.scales, indexing="ij"), -1).reshape(-1, self.scales)


@lru_cache(maxsize=8)
def grid_values(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variances of the start grid, (g, d), the fixed part there, (g, N), and the free terms, (g, m, N)."""
    grid = model.grid()
    (value, _, _), (free, _, _) = model.evaluate(grid)
    return grid, value, free


def grid_energies(model: Model, targets: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy that is left at each point of the start grid: the variances (g, d), and the energies (g, b)."""
    grid, value, free = grid_values(model)
    value, targets = value * weights, targets * weights
    left = (value**2).sum(1)[:, None] - 2 * value @ targets.T + (targets**2).sum(1)
    if model.free:
        # An orthonormal basis of the free terms; what it takes up of the difference is no longer left.
        q = np.linalg.qr(np.swapaxes(free * weights, 1, 2))[0]
        for j in range(q.shape[2]):
            column = q[:, :, j]
            left -= ((column * value).sum(1)[:, None] - column @ targets.T) ** 2
    return grid, np.maximum(left, 0.0)


@dataclass(frozen=True)
class Projection:
    """Best scales and coefficients for each of b filters.

    Attributes
    ----------
    p : ndarray, shape (b, d)
        Variances.
    coefficients : ndarray, shape (b, m)
    residual : ndarray, shape (b, N)
        Model minus filter, without weights.
    energy : ndarray, shape (b,)
        Weighted sum of squares of the residual.
    step : ndarray, shape (b,)
        Length of the last step in the variances: rounding where the descent has arrived.
    """

    p: np.ndarray
    coefficients: np.ndarray
    residual: np.ndarray
    energy: np.ndarray
    step: np.ndarray


def _coefficients(base, free, weights):
    """Least squares of the free terms: coefficients, residual, and the inverse of their Gram matrix."""
    if not free.shape[1]:
        return np.zeros((len(base), 0)), base, np.zeros((len(base), 0, 0))
    weighted = free * weights[:, None]
    scale = np.sqrt((weighted**2).sum(-1))
    # A term of which no tap is left has the coefficient 0.
    scale = np.where(scale > 0, scale, 1.0)
    unit = weighted / scale[..., None]
    gram = unit @ np.swapaxes(unit, 1, 2)
    # Terms that coincide, as at the scale 0, share their coefficient.
    inverse = np.linalg.inv(gram + 1e-13 * np.eye(gram.shape[1])) / (scale[:, :, None] * scale[:, None, :])
    right = (weighted @ (weights * base)[..., None])[..., 0]
    found = -(inverse @ right[..., None])[..., 0]
    return found, base + (found[:, None] @ free)[:, 0], inverse


def project(
    model: Model,
    targets: np.ndarray,
    start: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    held: Sequence[int] = (),
    lowest: float = 0.0,
    steps: int = 80,
) -> Projection:
    """Descend from a start to a least weighted sum of squares, for b filters at once.

    Newton's method on the variances, with the coefficients at their best; Gauss-Newton where the Hessian is not
    positive definite, steps that are halved until the energy falls, variances held within their bounds.

    Parameters
    ----------
    model : Model
    targets : ndarray, shape (b, N)
    start : ndarray, shape (b, d)
    weights : ndarray, shape (N,) or (b, N), optional
        Of the residual of each tap; 0 leaves a tap out.
    held : sequence of int
        Variances that stay where they are.
    lowest : float
        Lower bound of the variances.
    steps : int

    Returns
    -------
    Projection

    Examples
    --------
    >>> model = Model((("T",),), (), 2, 7, "crop")
    >>> from keyfilters import ideal_filter
    >>> found = project(model, ideal_filter(8, 0.7, 0.5).reshape(1, -1), np.array([[0.3, 0.3]]))
    >>> np.sqrt(found.p).round(9)
    array([[0.7, 0.5]])
    """
    targets = np.asarray(targets, dtype=np.float64)
    p = np.array(np.broadcast_to(start, (len(targets), model.scales)), dtype=np.float64)
    weights = np.ones(targets.shape) if weights is None else np.broadcast_to(weights, targets.shape)
    highest = largest_scale(model.size) ** 2
    free_axes = np.array([i not in held for i in range(model.scales)])

    def at(p, rows):
        (value, first, second), free = model.evaluate(p)
        found, residual, inverse = _coefficients(value - targets[rows], free[0], weights[rows])
        energy = ((weights[rows] * residual) ** 2).sum(1)
        return energy, found, residual, (first, second, free, inverse)

    rows = np.arange(len(targets))
    energy, found, residual, parts = at(p, rows)
    last = np.full(len(targets), np.inf)
    active = rows
    for _ in range(steps if free_axes.any() else 0):
        first, second, (basis, basis_first, basis_second), inverse = parts
        w, c, r = weights[active], found[active], residual[active]
        slope = first + np.einsum("bm,bmdn->bdn", c, basis_first)
        bend = second + np.einsum("bm,bmden->bden", c, basis_second)
        ws, wr = slope * w[:, None], w * r
        gradient = np.einsum("bdn,bn->bd", ws, wr)
        gauss = ws @ np.swapaxes(ws, 1, 2)
        hessian = gauss + np.einsum("bden,bn->bde", bend * w[:, None, None], wr)
        if basis.shape[1]:
            cross = ws @ np.swapaxes(basis * w[:, None], 1, 2)
            hessian = hessian - _sandwich(cross + np.einsum("bmdn,bn->bdm", basis_first, w * wr), inverse)
            gauss = gauss - _sandwich(cross, inverse)
        q = p[active]
        still = (~free_axes) | (q <= lowest) & (gradient > 0) | (q >= highest) & (gradient < 0)
        move = _newton_step(gradient, hessian, gauss, still)
        length = np.ones(len(active))
        trial = np.clip(q + move, lowest, highest)
        trial[:, ~free_axes] = q[:, ~free_axes]
        new = at(trial, active)
        worse = new[0] > energy[active]
        for _ in range(30):
            again = worse & (np.abs(move).max(1) * length > 1e-9)
            if not again.any():
                break
            length[again] /= 2
            trial[again] = np.clip(q[again] + length[again, None] * move[again], lowest, highest)
            trial[:, ~free_axes] = q[:, ~free_axes]
            part = at(trial[again], active[again])
            for whole, piece in zip(new[:3], part[:3], strict=True):
                whole[again] = piece
            worse = new[0] > energy[active]
        moved = np.abs(trial - q).max(1)
        p[active], energy[active], found[active], residual[active] = trial, new[0], new[1], new[2]
        last[active] = moved
        active = active[moved > 1e-13 * (1 + np.abs(trial).max(1))]
        if not len(active):
            break
        _, _, _, parts = at(p[active], active)
    return Projection(p, found, residual, energy, np.where(np.isfinite(last), last, 0.0))


def _sandwich(cross, inverse):
    return cross @ inverse @ np.swapaxes(cross, 1, 2)


def _newton_step(gradient, hessian, gauss, still):
    """Newton's step in the parameters that are not still; Gauss-Newton's where the Hessian bends the wrong way."""
    keep = ~still
    mask = keep[:, :, None] & keep[:, None, :]
    eye = np.eye(gradient.shape[1])
    block = np.where(mask, hessian, eye)
    wrong = np.linalg.eigvalsh(block)[:, 0] <= 0
    if wrong.any():
        ridge = 1e-9 * np.trace(gauss, axis1=1, axis2=2)[:, None, None] + 1e-300
        block = np.where(wrong[:, None, None], np.where(mask, gauss + ridge * eye, eye), block)
    return -np.linalg.solve(block, np.where(keep, gradient, 0.0)[..., None])[..., 0]


def least_squares(
    model: Model, targets: np.ndarray, weights: np.ndarray | None = None, *, lowest: float = 0.0, starts: int = 6
) -> Projection:
    """The best of descents from the lowest points of the start grid, for each of b filters.

    A point is a start if it lies below all its neighbours on the grid; at most ``starts`` of them are taken.
    """
    targets = np.asarray(targets, dtype=np.float64)
    common = np.ones(targets.shape[1]) if weights is None else np.asarray(weights)
    grid, left = grid_energies(model, targets, common)
    if not model.scales:
        return project(model, targets, np.zeros((len(targets), 0)), weights)
    side = round(len(grid) ** (1 / model.scales))
    order = grid_minima(left.reshape(*[side] * model.scales, -1), starts)
    best = project(model, targets, grid[order[0]], weights, lowest=lowest)
    for choice in order[1:]:
        found = project(model, targets, grid[choice], weights, lowest=lowest)
        better = found.energy < best.energy * (1 - 1e-12)
        best = Projection(
            *(_where(better, getattr(found, f), getattr(best, f)) for f in ("p", "coefficients", "residual", "energy", "step"))
        )
    return best


def _where(mask, a, b):
    return np.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b)


def grid_minima(values: np.ndarray, count: int) -> list[np.ndarray]:
    """Flat indices of the lowest grid minima of each filter, the lowest first; repeated where there are fewer."""
    *shape, b = values.shape
    lower = np.ones(values.shape, bool)
    for axis in range(len(shape)):
        ahead = np.diff(values, axis=axis) >= 0
        ends = np.ones_like(np.take(ahead, [0], axis))
        lower &= np.concatenate([ahead, ends], axis) & np.concatenate([ends, ~ahead], axis)
    flat = np.where(lower, values, np.inf).reshape(-1, b)
    # The lowest point of all is a start whatever ties do.
    flat[values.reshape(-1, b).argmin(0), np.arange(b)] = values.reshape(-1, b).min(0)
    order = np.argsort(flat, axis=0, kind="stable")[:count]
    finite = np.isfinite(np.take_along_axis(flat, order, 0))
    return [np.where(finite[i], order[i], order[0]) for i in range(len(order)) if i == 0 or finite[i].any()]
