"""What the chapter *Performance* shows: how its tables are written, and the features of each representation."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from keyfilters_book.representations.features import representation

PERFORMANCE = {
    "formats": {
        "ours_seconds": "{:.4f}",
        "pyscsp_seconds": "{:.2f}",
        "ratio": "{:.0f}",
        "pyscsp_points": "{:,}",
        "timed": "{:.1%}",
    },
    "headers": {
        "ours_seconds": "this book",
        "pyscsp_seconds": "pyscsp",
        "pyscsp_points": "grid points",
        "timed": "points timed",
    },
}
PERFORMANCE_FEATURES = {
    "formats": {"milliseconds": "{:.2f}", "time": "{:.2f}", "multiply_adds": "{:.2f}", "features": "{:,}"},
    "headers": {"multiply_adds": "multiply-adds"},
}

TIMED = ["work", "ours_seconds", "pyscsp_seconds", "ratio", "pyscsp_points", "timed"]


def features_table(seconds: Mapping[str, float]) -> pd.DataFrame:
    """The features of each representation: time and multiply-adds, also as multiples of those of the idealised keys."""
    keys = representation("ideal keys")
    made = {name: representation(name) for name in seconds}
    rows = [
        (r.label, 1e3 * seconds[n], seconds[n] / seconds["ideal keys"], r.multiply_adds / keys.multiply_adds, r.features)
        for n, r in made.items()
    ]
    return pd.DataFrame(rows, columns=["representation", "milliseconds", "time", "multiply_adds", "features"])


def ratio_numbers(timing) -> dict:
    """Numbers of the text: how much faster than the procedure."""
    return {
        "ratio_fits": (timing.ratio[0], ".0f"),
        "ratio_map": (timing.ratio[1], ".0f"),
        "grid_points": (int(timing.pyscsp_points[0]), ","),
    }


def feature_numbers(features) -> dict:
    """Numbers of the text: the slowest features."""
    slow = features.loc[features.time.idxmax()]
    return {
        "slowest_features": slow.representation,
        "slowest_features_ratio": (slow.time, ".0f"),
        "slowest_features_work": (slow.multiply_adds, ".1f"),
    }
