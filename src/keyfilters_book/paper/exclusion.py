"""Where the optimum can still be: exclusion of cells by a slope bound, refined region by region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from keyfilters.checks import choice, integer
from keyfilters.choices import Edge
from keyfilters.filters import Key, key_row
from keyfilters.fitting.methods import METHODS, fit
from keyfilters.fitting.problem import largest_scale

from .landscape import two_scale_problem


@dataclass(frozen=True)
class Exclusion:
    """One window of scales, divided into cells around the points of a grid.

    Attributes
    ----------
    level : int
        0 for the whole domain; a window of level n + 1 frames one region that level n left open.
    first, second : ndarray, shapes (m,) and (n,)
        Grid of sigma_x and of sigma_y; both have the same step.
    norm : ndarray, shape (n, m)
        Norm of (model - normalised filter), indexed [second, first].
    lower : ndarray, shape (n, m)
        No point of the cell has a smaller norm, by a slope bound that is evaluated at grid points.
    open : ndarray of bool, shape (n, m)
        Cells that may hold a norm as small as the optimum's.
    """

    level: int
    first: np.ndarray
    second: np.ndarray
    norm: np.ndarray
    lower: np.ndarray
    open: np.ndarray

    @property
    def step(self) -> float:
        """Side of a cell, in grid units of the filter."""
        return float(self.first[1] - self.first[0])

    @property
    def frame(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (sigma_x, sigma_y) of the smallest box that holds all open cells."""
        rows, columns = np.nonzero(self.open)
        low = np.array([self.first[columns.min()], self.second[rows.min()]]) - self.step / 2
        high = np.array([self.first[columns.max()], self.second[rows.max()]]) + self.step / 2
        return np.maximum(low, 0.0), high


def _window(problem, power, value, level, low, high, samples) -> Exclusion:
    step = float((high - low).max()) / (samples - 1)
    axes = [a + step * np.arange(int(np.ceil((b - a) / step - 1e-9)) + 1) for a, b in zip(low, high, strict=True)]
    norm, slope = problem.norm_grid(axes, power)
    # Within its cell a point is at most half a step away along each axis. The slope is bounded at the
    # grid points; the steepest neighbour covers what lies between them.
    lower = norm - step / 2 * ndimage.maximum_filter(slope, size=3, mode="nearest")
    return Exclusion(level, axes[0], axes[1], norm.T, lower.T, (lower <= value).T)


def exclusion(
    key: int | Key, method: Literal["C1", "D1"], *, samples: int = 201, levels: int = 3, edge: Edge = "crop"
) -> list[Exclusion]:
    r"""Exclude all cells of the domain in which the optimum of a two-scale fit cannot lie.

    The norm F of the residual of a model :math:`u(x; \sigma_x)\, v(y; \sigma_y)` cannot change faster than

    .. math:: L = \|\partial u / \partial \sigma_x\|\, \|v\| + \|u\|\, \|\partial v / \partial \sigma_y\| ,

    so a cell of side d around a point p is excluded if :math:`F(p) - L d / 2` exceeds the value that the
    fit reached. Each connected region that stays open is framed and divided anew.

    Parameters
    ----------
    key : int
        1 to 6 or 8.
    method : {"C1", "D1"}
    samples : int
        Grid points along the longer side of a window, at least 3.
    levels : int
        Number of grids on top of each other, at least 1.
    edge : {"crop", "exact"}

    Returns
    -------
    list of Exclusion
        By level; a region that the next level excludes as a whole has a window without open cells.

    Raises
    ------
    ValueError
        For key 7 (its second parameter is no scale), another method, or too few samples or levels.

    Examples
    --------
    >>> [(w.level, bool(w.open.any())) for w in exclusion(5, "C1", levels=2)]
    [(0, True), (1, True)]
    """
    row, problem = key_row(key), two_scale_problem(key, edge)
    strategy = METHODS[choice(method, ("C1", "D1"), "method")]
    for name, number, least in (("samples", samples, 3), ("levels", levels, 1)):
        integer(number, name, least)
    value = fit(row.number, method, edge=edge).objective ** (1 / strategy.power)
    top = largest_scale(problem.size)
    windows = [_window(problem, strategy.power, value, 0, np.zeros(2), np.full(2, top), samples)]
    latest = windows
    for level in range(1, levels):
        following = []
        for window in latest:
            labels, _ = ndimage.label(window.open, structure=np.ones((3, 3)))
            for rows, columns in ndimage.find_objects(labels):
                half = window.step / 2
                low = np.array([window.first[columns.start], window.second[rows.start]]) - half
                high = np.array([window.first[columns.stop - 1], window.second[rows.stop - 1]]) + half
                low, high = np.maximum(low, 0.0), np.minimum(high, top)
                following.append(_window(problem, strategy.power, value, level, low, high, samples))
        windows, latest = windows + following, following
    return windows
