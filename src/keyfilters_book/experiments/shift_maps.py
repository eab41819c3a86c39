"""The shift at which idealised filters explain a layer best, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keyfilters.checks import choice, finite, integer
from keyfilters.filters import key_row
from keyfilters.networks.surgery.depthwise import is_strip
from keyfilters.networks.surgery.matching import POOLS, as_layers, centred, is_dead, unit

from .shifts import shifted_keys


class Shift(NamedTuple):
    """A shift (x, y), y up, in grid units, and the explained variance there."""

    x: float
    y: float
    explained: float


@dataclass(frozen=True)
class ShiftMap:
    """Explained variance of each filter of a layer by the keys at each shift; made by :func:`shift_map`.

    Attributes
    ----------
    name : str
    x, y : ndarray, shapes (g,) and (h,)
        Shifts, increasing.
    explained : ndarray, shape (C, h, g)
        Live filters only.
    energy : ndarray, shape (C,)
        Sum of squares about the mean of each.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    explained: np.ndarray
    energy: np.ndarray

    def weights(self, pool: str = "filters") -> np.ndarray:
        """How much each filter counts, shape (C,)."""
        return self.energy if choice(pool, POOLS, "pool") == "energy" else np.ones(len(self.energy))


def shift_map(
    layer: Any, method: str = "B-joint", shifts: ArrayLike | None = None, keys: Sequence[int] | None = None, **options: Any
) -> ShiftMap:
    """Explained variance of the filters of one layer by idealised keys moved to each point of a grid.

    Every filter takes the key that is best for it at that shift, with gain and offset, as in ``match``.

    Parameters
    ----------
    layer : DepthwiseLayer, or array (C, n, n)
    method : str
        Whose scales the keys have.
    shifts : array_like, shape (g,), optional
        Increasing; the same along x and y. By default -1 to 1 in steps of 1/16.
    keys : sequence of int, optional
        Use these keys only.
    **options
        ``edge``, ``kind`` and ``widen`` of :func:`shifted_keys`.

    Returns
    -------
    ShiftMap

    Raises
    ------
    ValueError
        For a layer that cannot be matched or has no live filter, shifts that do not increase, an unknown key.

    Examples
    --------
    >>> from keyfilters_book.experiments.shifts import shifted_keys
    >>> moved = shifted_keys("B-joint", 0.25, -0.5, size=5)[[4, 5, 7]]
    >>> found = shift_map(moved, keys=[5, 6, 8])
    >>> [round(v, 2) for v in best_shift([found])]
    [0.25, -0.5, 1.0]
    """
    (layer,) = as_layers([layer] if hasattr(layer, "kernel_size") else layer)
    if layer.note:
        raise ValueError(f"layer {layer.name}: {layer.note}; nothing to match")
    if is_strip(layer.kernel_size):
        raise ValueError(f"layer {layer.name}: filters of one row or column have no shift along both axes; nothing to match")
    grid = np.linspace(-1, 1, 33) if shifts is None else finite(shifts, "shifts")
    if grid.ndim != 1 or not len(grid) or (np.diff(grid) <= 0).any():
        raise ValueError("shifts do not increase: expected a row of increasing numbers")
    chosen = [key_row(k).number - 1 for k in (range(1, 9) if keys is None else keys)]
    size = layer.kernel_size[0]
    vectors = centred(layer.filters.reshape(layer.channels, -1))[0]
    vectors = vectors[~is_dead(vectors)]
    if not len(vectors):
        raise ValueError(f"layer {layer.name}: all its filters are dead; nothing to match")
    directions, bank = unit(vectors), shifted_keys(method, grid, grid[:, None], size=size, **options)[chosen]
    best = np.zeros((len(vectors), grid.size**2))
    for moved in bank:
        lines = unit(centred(moved.reshape(-1, size * size))[0])
        np.maximum(best, (directions @ lines.T) ** 2, out=best)
    best = np.minimum(best, 1.0).reshape(-1, grid.size, grid.size)
    return ShiftMap(layer.name, grid, grid, best, np.einsum("ij,ij->i", vectors, vectors))


def pooled(maps: Sequence[ShiftMap], pool: str = "filters") -> np.ndarray:
    """Explained variance over all filters of all maps (of one grid) at each shift, shape (h, g).

    ``"filters"``: each filter counts the same; ``"energy"``: by its sum of squares about the mean.
    """
    total = sum(m.weights(pool).sum() for m in maps)
    return sum(np.tensordot(m.weights(pool), m.explained, 1) for m in maps) / total


def _vertex(below: float, here: float, above: float) -> float:
    """Place of the vertex of the parabola through three equidistant values, the middle one the largest."""
    bend = below - 2 * here + above
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (below - above) / bend, -0.5, 0.5))


def summit(x: np.ndarray, y: np.ndarray, values: np.ndarray) -> Shift:
    """The largest of values (h, g) on a grid of equal steps, refined along each axis by a parabola.

    At the rim of the grid it is not refined.

    Examples
    --------
    >>> u = np.linspace(-1, 1, 9)
    >>> found = summit(u, u, -((u - 0.3) ** 2) - (u[:, None] + 0.6) ** 2)
    >>> round(found.x, 9), round(found.y, 9)
    (0.3, -0.6)
    """
    i, j = np.unravel_index(int(np.argmax(values)), values.shape)
    place = []
    for axis, at, line in ((np.asarray(x), j, values[i]), (np.asarray(y), i, values[:, j])):
        inside = 0 < at < len(axis) - 1
        place.append(float(axis[at] + (_vertex(*line[at - 1 : at + 2]) * (axis[at + 1] - axis[at]) if inside else 0.0)))
    return Shift(*place, float(values[i, j]))


def best_shift(maps: Sequence[ShiftMap], pool: str = "filters") -> Shift:
    """The shift at which the keys explain the filters of some layers best."""
    return summit(maps[0].x, maps[0].y, pooled(maps, pool))


class ShiftInterval(NamedTuple):
    """A best shift, the ends of its intervals along both axes, and all draws, shape (draws, 2)."""

    best: Shift
    low: tuple[float, float]
    high: tuple[float, float]
    draws: np.ndarray


def shift_interval(
    maps: Sequence[ShiftMap], level: float = 0.95, draws: int = 400, seed: int = 0, pool: str = "filters"
) -> ShiftInterval:
    """The best shift with percentile bootstrap intervals: over layers, if there are several, then over filters.

    Parameters
    ----------
    maps : sequence of ShiftMap
        Of one grid.
    level : float
    draws, seed : int
    pool : {"filters", "energy"}

    Raises
    ------
    ValueError
        For no map, a level outside (0, 1), or draws or a seed out of range.

    Examples
    --------
    >>> from keyfilters_book.experiments.shifts import shifted_keys
    >>> moved = shifted_keys("B-joint", -0.5, 0.5, size=5)[[4, 5, 7]]
    >>> found = shift_interval([shift_map(moved, keys=[5, 6, 8])], draws=20)
    >>> [round(v, 2) for v in (*found.low, *found.high)]
    [-0.5, 0.5, -0.5, 0.5]
    """
    maps, draws = list(maps), integer(draws, "draws")
    if not maps:
        raise ValueError("there is no map: expected at least one")
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ValueError(f"level is {level!r}: expected a number between 0 and 1")
    rng = np.random.default_rng(integer(seed, "seed", 0))
    shape = maps[0].explained.shape[1:]
    sums, totals = np.zeros((draws, shape[0] * shape[1])), np.zeros(draws)
    taken = rng.multinomial(len(maps), np.full(len(maps), 1 / len(maps)), size=draws)
    for m, times in zip(maps, taken.T, strict=True):
        c = len(m.energy)
        # Drawing a layer twice is drawing twice as many of its filters.
        weights = rng.multinomial(c * times, np.full(c, 1 / c)) * m.weights(pool)
        sums += weights @ m.explained.reshape(c, -1)
        totals += weights.sum(axis=1)
    found = np.array([summit(maps[0].x, maps[0].y, v.reshape(shape))[:2] for v in sums / totals[:, None]])
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return ShiftInterval(best_shift(maps, pool), tuple(map(float, low)), tuple(map(float, high)), found)
