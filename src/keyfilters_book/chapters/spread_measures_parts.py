"""What the chapter *Spread measures and two working hypotheses* shows: formats of its tables, and two of its figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keyfilters_book import figures

__all__ = ["separability_figure", "strongest"]

NULLS = {"none": "all permuted", "two largest": "two largest kept", "rings": "permuted within rings"}
"""Kinds of permuted filters, by their names in the text."""
MEASURES = {
    "formats": dict.fromkeys(("x", "y", "xx", "xy", "yy"), "{:.5f}"),
    "headers": {"x": "$M_x$", "y": "$M_y$", "xx": "$V_{xx}$", "xy": "$V_{xy}$", "yy": "$V_{yy}$"},
}
SEPARABILITY = {
    "formats": {"rho": "{:+.3f}"} | dict.fromkeys(("energy", *NULLS.values()), "{:.4f}"),
    "headers": {"rho": r"$\rho$", "energy": "$E_1$"} | {name: f"$p$, {name}" for name in NULLS.values()},
}
OFFSETS = {"formats": dict.fromkeys(("unweighted", "weighted", "centred weight", "two pixels"), "{:+.3f}")}
CHANCE = {"formats": dict.fromkeys(("unweighted", "sd, unweighted", "weighted", "sd, weighted"), "{:.2f}")}


def separability_figure(energy, null_energy) -> tuple[Figure, pd.DataFrame]:
    """What no separable filter represents, of each key and of 90 % of its permuted filters; figure and data."""
    levels, keys = [0.05, 0.5, 0.95], [f"key {k}" for k in range(1, 9)]
    intervals = {NULLS[keep]: np.quantile(1 - values, levels, axis=1).T for keep, values in null_energy.items()}
    data = pd.DataFrame({"key": keys, "observed": 1 - energy})
    for name, values in intervals.items():
        data[[f"{name}, {level:g}" for level in levels]] = values
    xlabel = "non-separable share $1 - E_1$"
    return figures.interval_rows(1 - energy, intervals, rows=keys, xlabel=xlabel, xscale="log"), data


def strongest(f, count: int) -> np.ndarray:
    """A filter with its `count` largest weights alone."""
    return np.where(np.abs(f) >= np.sort(np.abs(f), axis=None)[-count], f, 0)
