"""Scales of a separable filter of any number of axes, by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..checks import choice, cubic_filter
from ..choices import Edge
from ..differences import OPERATORS
from ..models import MODEL_EDGES
from .problem import factors, largest_scale
from .search import minimize_l2

START_STEP = 0.02
"""Spacing of the start grid in sigma, grid units."""


@dataclass(frozen=True)
class SeparableFit:
    """A separable model fitted to a filter.

    Attributes
    ----------
    operators : tuple of str
    sigma : tuple of float
        Scale along each axis, x first, in grid units.
    amplitude : float
        Factor of the model.
    left : float
        Share of the filter's energy that is left: the squared l2 norm of the rest over that of the filter.
    converged : bool
    """

    operators: tuple[str, ...]
    sigma: tuple[float, ...]
    amplitude: float
    left: float
    converged: bool


class _AxesProblem:
    """Residuals of amplitude * model - filter: parameters (variance along each axis, amplitude)."""

    def __init__(self, operators: tuple[str, ...], target: np.ndarray, edge: Edge):
        self.operators, self.target, self.edge, self.size = operators, target, edge, len(target)
        axes, self.total = target.ndim, float(np.abs(target).sum())
        self.lower = np.array([0.0] * axes + [-np.inf])
        self.upper = np.array([largest_scale(self.size) ** 2] * axes + [np.inf])

    def evaluate(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residual (m,), Jacobian (m, d) and second derivatives (m, d, d)."""
        axes = len(self.operators)
        parts = [factors(name, s, self.size, self.edge) for name, s in zip(self.operators, p[:-1], strict=True)]
        if axes > 1:
            parts[1] = parts[1][..., ::-1]  # y grows against the row index
        unit = np.eye(axes, dtype=int)

        def product(orders):
            # Orders of the derivative along each axis; the last axis comes first in the array.
            return reduce(np.multiply.outer, [part[k] for part, k in zip(parts[::-1], orders[::-1], strict=True)]).ravel()

        value, first = product(0 * unit[0]), [product(row) for row in unit]
        second = np.zeros((self.target.size, axes + 1, axes + 1))
        for i in range(axes):
            second[:, i, axes] = second[:, axes, i] = first[i]
            for j in range(axes):
                second[:, i, j] = p[-1] * product(unit[i] + unit[j])
        return p[-1] * value - self.target.ravel(), np.stack([*(p[-1] * d for d in first), value], -1), second

    def start(self) -> np.ndarray:
        """Along each axis the scale whose factor is closest in direction to the filter's leading profile."""
        grid = np.arange(0.0, largest_scale(self.size), START_STEP) ** 2
        p = np.ones(len(self.operators) + 1)
        for i, name in enumerate(self.operators):
            profiles = np.moveaxis(self.target, -1 - i, 0).reshape(self.size, -1)
            leading = np.linalg.svd(profiles, full_matrices=False)[0][:, 0]
            u = factors(name, grid, self.size, self.edge)[0]
            p[i] = grid[np.argmax((u @ (leading[::-1] if i == 1 else leading)) ** 2 / (u**2).sum(1))]
        value = self.evaluate(p)[1][:, -1]
        p[-1] = (value @ self.target.ravel()) / (value @ value)
        return p


def fit_separable(operators: Sequence[str], filter: ArrayLike, *, edge: Edge = "crop") -> SeparableFit:
    r"""Fit :func:`keyfilters.separable_filter` to a filter: amplitude, and a scale along each axis.

    .. math:: \min_{a, \sigma} \Bigl\| a \prod_i D_i T(x_i; \sigma_i^2) - h \Bigr\|_2^2

    The start is the best separable approximation, axis by axis, which is the filter itself where it is separable;
    from there the descent is that of method D. It is a local one.

    Parameters
    ----------
    operators : sequence of str
        Operator along each axis, x first: a row of :func:`keyfilters.axis_keys`.
    filter : array_like, shape (n,) * axes, n odd
        [..., y, x], y up.
    edge : {"crop", "exact"}
        As in :func:`keyfilters.ideal_filter`.

    Returns
    -------
    SeparableFit

    Raises
    ------
    ValueError
        For an unknown operator or edge, a filter that is not a finite array of equal axes of odd size, and another number of
        operators than axes.

    Examples
    --------
    >>> from keyfilters import axis_keys, separable_filter
    >>> row = axis_keys("xyz")["y-"]
    >>> found = fit_separable(row, 2 * separable_filter(row, [0.5, 0.6, 0.9]))
    >>> found.converged, [round(sigma, 9) for sigma in found.sigma], round(found.amplitude, 9)
    (True, [0.5, 0.6, 0.9], 2.0)
    """
    names = tuple(choice(name, OPERATORS, "operator") for name in operators)
    choice(edge, MODEL_EDGES, "edge")
    h = cubic_filter(filter)
    if h.ndim != len(names):
        raise ValueError(
            f"filter has shape {h.shape}: expected {len(names)} axes, one for each of the operators {', '.join(names)}"
        )
    norm = float(np.sqrt((h**2).sum()))
    problem: Any = _AxesProblem(names, h / norm, edge)
    found = minimize_l2(problem, problem.start())
    sigma = tuple(map(float, np.sqrt(np.maximum(found.p[:-1], 0.0))))
    return SeparableFit(names, sigma, float(found.p[-1]) * norm, found.value, found.converged)
