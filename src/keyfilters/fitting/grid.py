"""The published search: equidistant grids in hand-chosen windows, as the authors' notebooks ran them.

The windows are facts of the published procedure and stand in ``data/published_grids.csv``; the scales
found on them are computed here.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from ..normalization import parabola_vertex


@dataclass(frozen=True)
class Window:
    """One axis of a published grid.

    Attributes
    ----------
    low, high : float
        Ends of the window (grid units for scales).
    samples : int
    spacing : str
        ``"linear"`` or ``"log"``.
    """

    low: float
    high: float
    samples: int
    spacing: str

    @property
    def values(self) -> np.ndarray:
        """The grid."""
        if self.spacing == "log":
            return np.exp(np.linspace(np.log(self.low), np.log(self.high), self.samples))
        return np.linspace(self.low, self.high, self.samples)

    @property
    def step(self) -> float:
        """Largest spacing of the grid."""
        return float(np.diff(self.values).max())

    def holds(self, value: float) -> bool:
        """Whether a value lies in the window, or so close to its end that the window was meant for it."""
        slack = (self.high - self.low) / 10
        return self.low - slack <= value <= self.high + slack

    @classmethod
    def around(cls, value: float, like: Window, floor: float = 0.0) -> Window:
        """A window of the same kind about a value, not below the floor, for filters that have no published one."""
        half = (like.high - like.low) / 2
        low = max(value - half, 1e-4 if like.spacing == "log" else floor)
        return cls(low, low + 2 * half, like.samples, like.spacing)


@lru_cache(maxsize=1)
def published_windows() -> dict[tuple[str, str, str], Window]:
    """All published windows by (method, key or group, axis).

    Examples
    --------
    >>> published_windows()["C2", "8", "both"]
    Window(low=0.61, high=0.62, samples=100, spacing='log')
    """
    with (files("keyfilters") / "data" / "published_grids.csv").open(encoding="utf-8") as stream:
        return {
            (r["method"], r["key"], r["axis"]): Window(float(r["low"]), float(r["high"]), int(r["samples"]), r["spacing"])
            for r in csv.DictReader(stream)
        }


def window(method: str, key: str, axis: str, optimum: float) -> Window:
    """The published window if it holds the optimum, else one of the same width about the optimum."""
    known = published_windows().get((method, key, axis))
    if known is None:
        raise ValueError(f'no search over a grid was published for key {key} and method {method}: use search="exact"')
    return known if known.holds(optimum) else Window.around(optimum, known, floor=-np.inf if axis == "gamma" else 0.0)


def refined_minimum(grid: np.ndarray, values: np.ndarray) -> float:
    """Parabola through the lowest sample and its neighbours, by index, as in the published scans.

    The vertex is found in units of the index and carried over with the spacing on its side, so on a
    logarithmic grid it differs from the vertex in sigma by the unevenness of the grid.
    """
    k = min(max(int(np.argmin(values)), 1), len(grid) - 2)
    offset = parabola_vertex([-1.0, 0.0, 1.0], values[k - 1 : k + 2])
    side = grid[k + 1] - grid[k] if offset > 0 else grid[k] - grid[k - 1]
    return float(grid[k] + offset * side)
