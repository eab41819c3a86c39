"""What the chapter *Method A: scales in closed form* shows: its tables and the figure of the bias."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import keyfilters as kf
from keyfilters_book import figures

VARIANCES = {
    "formats": dict.fromkeys(("plain_x", "plain_y", "weighted_x", "weighted_y"), "{:.4f}"),
    "headers": {"plain_x": "plain, x", "plain_y": "plain, y", "weighted_x": "weighted, x", "weighted_y": "weighted, y"},
}
SCALES = {"formats": {"published": "{:.10f}", "difference": "{:+.1e}"}, "pairs": {"reproduced": "published"}}
BIAS = {"formats": {"A": "{:.4f}", "B": "{:.4f}", "bias": "{:+.1f}"}, "headers": {"bias": "bias, %"}}


def variance_table(keys, plain, weighted) -> pd.DataFrame:
    """The variances (x, y) of each key, without and with the template as weight."""
    columns = np.hstack([plain, weighted])
    table = pd.DataFrame(columns, columns=["plain_x", "plain_y", "weighted_x", "weighted_y"])
    table.insert(0, "key", [row.number for row in keys])
    return table


def bias_table(found_a, found_b) -> pd.DataFrame:
    """The scales of methods A and B, one row per key and axis; `found_a` and `found_b` map numbers of keys to fits."""
    return pd.DataFrame(
        {
            "key": key,
            "axis": axis,
            "operator": getattr(kf.KEYS[key - 1], axis),
            "A": getattr(found_a[key], f"sigma_{axis}"),
            "B": getattr(found_b[key], f"sigma_{axis}"),
        }
        for key in found_a
        for axis in "xy"
    )


def bias_figure(curves, scales) -> Figure:
    """The scales that method A returns, from title to curve, against the true ones; dots are the rows of `scales`."""
    kinds = {"plain axis": ("identity",), "one-sided difference": ("forward", "backward"), "centred difference": ("central",)}
    panels = [
        figures.ProfilePanel(
            curves["true"],
            {
                "method A on the grid": curves[title],
                "method A in the continuum": curves["continuum"],
                "true scale": curves["true"],
            },
            title=title,
            points=[(row.B, row.A, f"{row.key}{row.axis}") for row in scales.itertuples() if row.operator in operators],
        )
        for title, operators in kinds.items()
    ]
    return figures.profile_panels(
        panels, xlabel=r"true $\sigma$", ylabel=r"$\hat\sigma$ of method A", width=3.9, height=3.4, share_y=True
    )


def limit_numbers(recovered, fine_limit, floor_one, floor_central) -> dict:
    """Numbers of the text: the limits of the rule."""
    plain_at_one = recovered("identity", 1, np.array([1.0]))[0]
    return {
        "a_plain_one": (100 * (1 - plain_at_one), ".0f"),
        "a_fine_limit": (fine_limit, ".3f"),
        "a_floor_one": (floor_one, ".3f"),
        "a_floor_central": (floor_central, ".3f"),
    }
