"""Model minus filter as a function of the scales: values, derivatives, and whole grids of norms.

The parameters are variances s = sigma^2 (and gamma for key 7): in s the derivatives of the discrete
Gaussian are exact and do not vanish at s = 0, so that a boundary optimum shows as a non-zero slope.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ..choices import Edge
from ..differences import difference
from ..filters import SHARPENING, Key
from ..gaussian import _cosines, _period
from ..models import factor

GRID_STEP = {1: 0.001, 2: 0.015}
"""Spacing of the start grid in sigma (grid units) by the number of scales searched together."""


def largest_scale(size: int) -> float:
    """Upper end of the searched scales: beyond it the kernel is flat over the window."""
    return float(max(3, size // 2))


@lru_cache(maxsize=128)
def _factor_matrix(operator: str, size: int, edge: Edge) -> tuple[np.ndarray, np.ndarray]:
    """Exponents e_k and the matrix that maps exp(s e_k) to u, u', u'' (derivatives in s).

    Everything after the exponential is linear: sum over frequencies, cropping, differencing. The
    derivatives in s only multiply the exponential by powers of its exponent.
    """
    radius = size // 2 + 1
    exponent, half = _cosines(radius, _period(largest_scale(size), radius))
    taps = np.concatenate([half[:, :0:-1], half], axis=1)
    if operator == "second":
        # Key 7's Laplacian: zeros outside the cropped kernel, or the true neighbours.
        rows = difference(taps[:, 1:-1], "second", edge="zero") if edge == "crop" else difference(taps, "second", edge="shrink")
    else:
        rows = factor(operator, taps, edge)
    return exponent, np.concatenate([rows, exponent[:, None] * rows, exponent[:, None] ** 2 * rows], axis=1)


def _product(a, b) -> np.ndarray:
    """Matrix product, by blocks of rows small enough that BLAS keeps to one thread.

    At these sizes a second thread mostly waits, and waiting costs as much processor time as working.
    """
    rows = max(1, 200_000 // b.size)
    if a.ndim == 1 or len(a) <= rows:
        return a @ b
    return np.concatenate([a[i : i + rows] @ b for i in range(0, len(a), rows)])


def factors(operator: str, s: ArrayLike, size: int, edge: Edge) -> np.ndarray:
    """Return u, du/ds, d2u/ds2 of a one-dimensional factor, shape (3,) + s.shape + (size,)."""
    exponent, matrix = _factor_matrix(operator, size, edge)
    s = np.asarray(s, dtype=np.float64)
    values = _product(np.exp(s[..., None] * exponent), matrix)
    return np.moveaxis(values.reshape(*s.shape, 3, size), -2, 0)


def _norm_map(column, row, target, power: int, weight=None) -> np.ndarray:
    """l1 or l2 norm of column_i (outer) row_j - target, times the weights, for all pairs (i, j) of candidate factors."""
    if power == 2 and weight is not None:
        square = column**2 @ weight**2 @ (row**2).T - 2 * column @ (weight**2 * target) @ row.T + ((weight * target) ** 2).sum()
        return np.sqrt(np.maximum(square, 0.0))
    if power == 2:
        # |a b^T - h|^2 expands into products of small matrices.
        cross = _product(column @ target, row.T)
        square = np.outer((column**2).sum(1), (row**2).sum(1)) - 2 * cross + (target**2).sum()
        return np.sqrt(np.maximum(square, 0.0))
    # One pixel at a time: a buffer that stays in the cache beats one pass over a 49 times larger array.
    total = np.zeros((len(column), len(row)))
    buffer = np.empty_like(total)
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            np.multiply.outer(column[:, i], row[:, j], out=buffer)
            np.subtract(buffer, target[i, j], out=buffer)
            np.abs(buffer, out=buffer)
            if weight is not None:
                buffer *= weight[i, j]
            total += buffer
    return total


class SeparableProblem:
    """Residuals of one or more separable keys with one shared scale or one scale per axis.

    Parameters
    ----------
    rows : sequence of Key
        The keys (one, or a group that shares a single scale).
    targets : sequence of ndarray, shape (n, n)
        Normalised filters, one per key.
    scales : {1, 2}
        Number of free scales: 2 is sigma_x, sigma_y.
    edge : {"crop", "exact"}
    weight : ndarray, shape (n, n), optional
        Factor of the residual of each tap, the same for all keys.
    """

    def __init__(
        self, rows: Sequence[Key], targets: Sequence[np.ndarray], scales: int, edge: Edge, weight: np.ndarray | None = None
    ):
        self.rows, self.targets, self.scales, self.edge, self.weight = rows, targets, scales, edge, weight
        self.size = targets[0].shape[0]
        self.lower, self.upper = np.zeros(scales), np.full(scales, largest_scale(self.size) ** 2)
        self.total = sum(float(np.abs(t if weight is None else weight * t).sum()) for t in targets)

    def evaluate(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return residual (m,), Jacobian (m, d) and second derivatives (m, d, d) at variances p."""
        parts = []
        for row, target in zip(self.rows, self.targets, strict=True):
            u, du, ddu = factors(row.x, p[0], self.size, self.edge)
            v, dv, ddv = factors(row.y, p[-1], self.size, self.edge)[..., ::-1]
            value = np.outer(v, u) - target
            v_du, dv_u, dv_du = np.outer(v, du), np.outer(dv, u), np.outer(dv, du)
            if self.scales == 2:
                first = [v_du, dv_u]
                second = [np.outer(v, ddu), dv_du, dv_du, np.outer(ddv, u)]
            else:
                first = [v_du + dv_u]
                second = [np.outer(v, ddu) + 2 * dv_du + np.outer(ddv, u)]
            if self.weight is not None:
                value, first, second = (self.weight * a for a in (value, np.stack(first), np.stack(second)))
            parts.append((value.ravel(), np.stack(tuple(first), -1).reshape(-1, self.scales), np.stack(tuple(second), -1)))
        d = self.scales
        return (
            np.concatenate([a for a, _, _ in parts]),
            np.concatenate([b for _, b, _ in parts]),
            np.concatenate([c.reshape(-1, d, d) for _, _, c in parts]),
        )

    def axes(self) -> list[np.ndarray]:
        """Scales sigma of the start grid along each parameter."""
        top = largest_scale(self.size)
        return [np.linspace(0.0, top, 1 + round(top / GRID_STEP[self.scales]))] * self.scales

    def norm_grid(self, axes: Sequence[np.ndarray], power: int) -> tuple[np.ndarray, np.ndarray]:
        """Norm of the residual on a grid of scales, and a bound on its slope per unit of sigma.

        The grid is indexed [sigma_x, sigma_y] (or [sigma]); pooled keys add up (l1) or add their
        squares under the root (l2). The slope bound is the triangle inequality on the factors:
        ``|d/dsigma_x| <= |du/dsigma_x| |v|``, summed over both axes.
        """
        if self.weight is not None:
            return self._weighted_norm_grid(self.weight, axes, power)
        norm, slope = np.zeros(()), np.zeros(())
        size_of = (lambda a: np.abs(a).sum(-1)) if power == 1 else (lambda a: np.sqrt((a**2).sum(-1)))
        for row, target in zip(self.rows, self.targets, strict=True):
            u, du, _ = factors(row.x, axes[0] ** 2, self.size, self.edge)
            v, dv, _ = factors(row.y, axes[-1] ** 2, self.size, self.edge)[..., ::-1]
            per_sigma = [2 * axes[0] * size_of(du), 2 * axes[-1] * size_of(dv)]
            if self.scales == 2:
                part = _norm_map(v, u, target, power).T
                bound = np.outer(per_sigma[0], size_of(v)) + np.outer(size_of(u), per_sigma[1])
            else:
                part = size_of((v[:, :, None] * u[:, None, :] - target).reshape(len(u), -1))
                bound = per_sigma[0] * size_of(v) + size_of(u) * per_sigma[1]
            norm = norm + part**power
            slope = slope + bound**power
        return norm ** (1 / power), slope ** (1 / power)

    def _weighted_norm_grid(self, own: np.ndarray, axes: Sequence[np.ndarray], power: int) -> tuple[np.ndarray, np.ndarray]:
        """The same with weights: the norm of a weighted product of factors is a product of matrices."""
        norm, slope = np.zeros(()), np.zeros(())
        weight = own**power

        def size_of(v, u):
            return ((np.abs(v) ** power @ weight) @ (np.abs(u) ** power).T) ** (1 / power)

        for row, target in zip(self.rows, self.targets, strict=True):
            u, du, _ = factors(row.x, axes[0] ** 2, self.size, self.edge)
            v, dv, _ = factors(row.y, axes[-1] ** 2, self.size, self.edge)[..., ::-1]
            part = _norm_map(v, u, target, power, own)
            bound = size_of(v, du) * 2 * axes[0] + size_of(dv, u) * (2 * axes[-1])[:, None]
            part, bound = (part.T, bound.T) if self.scales == 2 else (np.diagonal(part), np.diagonal(bound))
            norm, slope = norm + part**power, slope + bound**power
        return norm ** (1 / power), slope ** (1 / power)

    def start(self, axes: Sequence[np.ndarray], index: Sequence[int]) -> np.ndarray:
        """Parameters at a grid index."""
        return np.array([axis[i] ** 2 for axis, i in zip(axes, index, strict=True)])

    def box(self, p: np.ndarray) -> np.ndarray:
        """Half-widths, in the parameters, of the first trust region around p: about two grid cells."""
        step = 2 * GRID_STEP[self.scales]
        return 2 * np.sqrt(np.maximum(p, 0.0)) * step + step**2

    def sigmas(self, p: np.ndarray) -> tuple[float, float, float | None]:
        """sigma_x, sigma_y and gamma (None) of the parameters."""
        root = np.sqrt(np.maximum(p, 0.0))
        return float(root[0]), float(root[-1]), None


class SharpeningProblem:
    """Residuals of key 7, delta - gamma * Laplacian(T): parameters (s, gamma).

    The residual is linear in gamma, so the start grid runs over sigma alone and takes the best gamma
    at each scale: a weighted median of ratios (l1) or a quotient of inner products (l2).
    """

    scales = 2

    def __init__(self, target: np.ndarray, edge: Edge, weight: np.ndarray | None = None):
        self.target, self.edge, self.size = target, edge, target.shape[0]
        self.lower, self.upper = np.array([0.0, -np.inf]), np.array([largest_scale(self.size) ** 2, np.inf])
        self.weight = np.ones(target.shape) if weight is None else weight
        self.total = float(np.abs(self.weight * target).sum())
        impulse = np.zeros_like(target)
        impulse[self.size // 2, self.size // 2] = 1.0
        self.rest = (self.weight * (impulse - target)).ravel()

    def laplacians(self, s: ArrayLike) -> np.ndarray:
        """Weighted Laplacian of T and its first two derivatives in s, shape (3,) + s.shape + (n * n,)."""
        t, dt, ddt = factors("identity", s, self.size, self.edge)
        a, da, dda = factors("second", s, self.size, self.edge)

        def outer(f, g):
            product = f[..., :, None] * g[..., None, :]
            return (product + np.swapaxes(product, -1, -2)).reshape(*product.shape[:-2], -1)

        stack = np.stack([outer(a, t), outer(da, t) + outer(a, dt), outer(dda, t) + 2 * outer(da, dt) + outer(a, ddt)])
        return stack * self.weight.ravel()

    def evaluate(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residual, Jacobian and second derivatives at (s, gamma)."""
        f, df, ddf = self.laplacians(p[0])
        jacobian = np.stack([-p[1] * df, -f], -1)
        zero = np.zeros_like(f)
        return self.rest - p[1] * f, jacobian, np.stack([-p[1] * ddf, -df, -df, zero], -1).reshape(-1, 2, 2)

    def axes(self) -> list[np.ndarray]:
        """The scales of the start grid."""
        top = largest_scale(self.size)
        return [np.linspace(0.0, top, 1 + round(top / GRID_STEP[2]))]

    def best_gamma(self, s: ArrayLike, power: int) -> np.ndarray:
        """The gamma that minimises the norm at each s."""
        f = self.laplacians(s)[0]
        if power == 2:
            return (f @ self.rest) / (f**2).sum(-1)
        # sum_i |rest_i - gamma f_i| is minimal at the median of rest_i / f_i weighted by |f_i|.
        weight = np.abs(f)
        ratio = np.divide(self.rest, f, out=np.zeros_like(f), where=weight > 0)
        order = np.argsort(ratio, axis=-1)
        cumulative = np.cumsum(np.take_along_axis(weight, order, -1), -1)
        middle = (cumulative >= cumulative[..., -1:] / 2).argmax(-1)
        return np.take_along_axis(ratio, np.take_along_axis(order, middle[..., None], -1), -1)[..., 0]

    def norm_grid(self, axes: Sequence[np.ndarray], power: int) -> tuple[np.ndarray, np.ndarray]:
        """Norm at the best gamma for each sigma, and a bound on its slope per unit of sigma."""
        s = axes[0] ** 2
        f, df, _ = self.laplacians(s)
        gamma = self.best_gamma(s, power)
        norm = (np.abs(self.rest - gamma[:, None] * f) ** power).sum(-1) ** (1 / power)
        return norm, np.abs(gamma) * 2 * axes[0] * (np.abs(df) ** power).sum(-1) ** (1 / power)

    def start(self, axes: Sequence[np.ndarray], index: Sequence[int]) -> np.ndarray:
        """Parameters at a grid index (with the l2 gamma; the refinement moves it)."""
        s = axes[0][index[0]] ** 2
        return np.array([s, float(self.best_gamma(np.array([s]), 2)[0])])

    def box(self, p: np.ndarray) -> np.ndarray:
        """Half-widths of the first trust region."""
        step = 2 * GRID_STEP[2]
        return np.array([2 * np.sqrt(max(p[0], 0.0)) * step + step**2, 0.2])

    def sigmas(self, p: np.ndarray) -> tuple[float, float, float | None]:
        """sigma_x, sigma_y (equal) and gamma of the parameters."""
        sigma = float(np.sqrt(max(p[0], 0.0)))
        return sigma, sigma, float(p[1])


Problem = SeparableProblem | SharpeningProblem
"""What a method minimises over."""


def make_problem(
    rows: tuple[Key, ...], targets: Sequence[np.ndarray], scales: int, edge: Edge, weight: np.ndarray | None = None
) -> Problem:
    """Return the problem of one key or of a group of keys with a shared scale."""
    if rows[0].kind == SHARPENING:
        return SharpeningProblem(targets[0], edge, weight)
    return SeparableProblem(rows, targets, scales, edge, weight)
