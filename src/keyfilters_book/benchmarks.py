"""Speed of the fits beside the same work done point by point with the kernels of pyscsp.

`pyscsp` (Lindeberg's scale-space toolbox) makes one kernel per call. Whoever fits with it evaluates a grid
of scales: one two-dimensional kernel per grid point, differenced, subtracted from the filter, its norm
taken. That is what the reference here does, on plain grids:

- two parameters (C1, D1; key 7): 200 x 200 points, sigma in steps of 0.01 up to 2, gamma up to 1
- one parameter (C2, D2, the two groups of the joint fits): 200 points
- method B: 200 points per axis; method A and the joint A and B cost nothing worth timing

One pass, no refinement, so the reference ends at the step of its grid where ours ends at the optimum.
`pyscsp` is imported when it is first used; it is in the extra ``bench``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import correlate, correlate1d

from keyfilters.differences import OPERATORS
from keyfilters.filters import GROUPS, KEYS, SHARPENING, key_row
from keyfilters.fitting import fit_table, objective_map
from keyfilters.moments import spread
from keyfilters.normalization import normalized_filters

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GAMMAS", "BENCHMARK_SCALES", "Scan", "measure", "pyscsp_model", "run_scan", "scan_of_one_map", "scans_of_all_fits"]

BENCHMARK_SCALES = np.linspace(0.01, 2.0, 200)
"""Scales of the reference grids (grid units)."""

GAMMAS = np.linspace(0.005, 1.0, 200)
"""Amounts of sharpening of the reference grids."""

_FIVE_POINTS = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])


@lru_cache(maxsize=1)
def _pyscsp_kernel() -> Callable[[float, float, int], np.ndarray]:
    with warnings.catch_warnings():
        # pyscsp warns on import where there is no torch, which this part of it does not need.
        warnings.simplefilter("ignore")
        from pyscsp.discscsp import make1Ddiscgaussfilter
    return make1Ddiscgaussfilter


def pyscsp_model(key, sigma_x: float, sigma_y: float, gamma: float | None = None, size: int = 7) -> np.ndarray:
    """The idealised filter of a key from pyscsp's kernels and SciPy's correlation, one filter per call.

    The same filter as `keyfilters.ideal_filter` with ``edge="crop"``, up to pyscsp's truncation (1e-8).

    Examples
    --------
    >>> from keyfilters import ideal_filter
    >>> bool(abs(pyscsp_model(2, 0.6, 0.7) - ideal_filter(2, 0.6, 0.7)).max() < 1e-7)
    True
    """
    make_kernel = _pyscsp_kernel()
    row = key_row(key)
    taps = []
    for sigma in (sigma_x, sigma_y):
        full = make_kernel(sigma, 1e-8, 2)
        middle, reach = len(full) // 2, min(len(full) // 2, size // 2)
        kernel = np.zeros(size)
        kernel[size // 2 - reach : size // 2 + reach + 1] = full[middle - reach : middle + reach + 1]
        taps.append(kernel)
    model = np.outer(taps[1], taps[0])
    if row.kind == SHARPENING:
        sharp = -gamma * correlate(model, _FIVE_POINTS, mode="constant")
        sharp[size // 2, size // 2] += 1.0
        return sharp
    for axis, operator in ((1, row.x), (0, row.y)):
        if operator != "identity":
            weights = np.array([OPERATORS[operator].get(offset, 0.0) for offset in (-1, 0, 1)])
            # y grows against the row index.
            model = correlate1d(model, weights if axis else weights[::-1], axis=axis, mode="nearest")
    return model


class Scan(NamedTuple):
    """One grid: the parameters of each point, and the number that is minimised there."""

    points: list[tuple]
    value: Callable[..., float]


def _norm_scan(keys: tuple[int, ...], power: int, points: list[tuple]) -> Scan:
    targets = {key: normalized_filters()[key - 1] for key in keys}

    def value(sigma_x, sigma_y, gamma=None):
        return sum((np.abs(pyscsp_model(key, sigma_x, sigma_y, gamma) - targets[key]) ** power).sum() for key in keys)

    return Scan(points, value)


def _variance_scan(key: int, axis: int) -> Scan:
    template = pyscsp_model(key, 1.0, 1.0)
    wanted = spread(normalized_filters()[key - 1], template).covariance[axis, axis]

    def value(sigma_x, sigma_y):
        return (spread(pyscsp_model(key, sigma_x, sigma_y), template).covariance[axis, axis] - wanted) ** 2

    points = [(s, 1.0) if axis == 0 else (1.0, s) for s in BENCHMARK_SCALES]
    return Scan(points, value)


def scans_of_all_fits() -> Iterator[Scan]:
    """The grids that stand for `fit_table()`: what is fitted once there is scanned once here."""
    both = [(x, y) for y in BENCHMARK_SCALES for x in BENCHMARK_SCALES]
    one = [(s, s) for s in BENCHMARK_SCALES]
    sharp = [(s, s, g) for g in GAMMAS for s in BENCHMARK_SCALES]
    separable = [row.number for row in KEYS if row.kind != SHARPENING]
    for key in separable:
        yield from (_variance_scan(key, axis) for axis in (0, 1))
    for power in (1, 2):
        for key in separable:
            yield _norm_scan((key,), power, both)
            yield _norm_scan((key,), power, one)
        yield _norm_scan((7,), power, sharp)
        for keys in GROUPS.values():
            if keys != (7,):
                yield _norm_scan(keys, power, one)


def scan_of_one_map(key: int = 2) -> Scan:
    """The grid that stands for one 200 x 200 map of the l1 norm."""
    return _norm_scan((key,), 1, [(x, y) for y in BENCHMARK_SCALES for x in BENCHMARK_SCALES])


def run_scan(scan: Scan, thin: int = 1) -> tuple[float, tuple, int]:
    """Lowest value on every `thin`-th point, the point, and how many were evaluated."""
    points = scan.points[::thin]
    values = [scan.value(*point) for point in points]
    best = int(np.argmin(values))
    return values[best], points[best], len(points)


def _seconds(work: Callable[[], object], repeats: int) -> float:
    """Least CPU seconds of several runs (CPU time: other work on the machine does not count)."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def measure(thin: int = 37, repeats: int = 3) -> pd.DataFrame:
    """Time both works, ours and with pyscsp, in this process.

    Parameters
    ----------
    thin : int
        Only every `thin`-th point of each reference grid is evaluated, and its time multiplied
        accordingly; 1 evaluates all (about a minute). 37 divides neither 200 nor 40,000, so that the
        points taken lie all over a grid.
    repeats : int
        Runs of our side, of which the fastest counts.

    Returns
    -------
    pandas.DataFrame
        A row for all fits and one for a map of the l1 norm. Columns: work; ours_seconds and
        pyscsp_seconds (CPU); ratio, the second over the first; pyscsp_points, the size of the reference
        grids; pyscsp_evaluated, how many of these points were timed.

    Raises
    ------
    ImportError
        If pyscsp is not installed.
    """
    import pandas as pd

    works = (
        ("all fits: fit_table()", fit_table, list(scans_of_all_fits())),
        (
            "one map of the l1 norm, 200 x 200",
            lambda: objective_map(2, BENCHMARK_SCALES, BENCHMARK_SCALES),
            [scan_of_one_map()],
        ),
    )
    rows = []
    for name, ours, scans in works:
        ours(), run_scan(scans[0], 10_000)  # imports and caches
        mine = _seconds(ours, repeats)
        theirs, evaluated, points = 0.0, 0, 0
        for scan in scans:
            start = time.process_time()
            count = run_scan(scan, thin)[2]
            theirs += (time.process_time() - start) * len(scan.points) / count
            evaluated, points = evaluated + count, points + len(scan.points)
        rows.append((name, mine, theirs, theirs / mine, points, evaluated))
    columns = ["work", "ours_seconds", "pyscsp_seconds", "ratio", "pyscsp_points", "pyscsp_evaluated"]
    return pd.DataFrame(rows, columns=columns)
