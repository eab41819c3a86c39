"""What the chapter *How sure is a scale?* shows: intervals of scales, how often they hold, and how far methods disagree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keyfilters.uncertainty import wilson

COVERAGE = {
    "formats": {"share": "{:.1%}", "low": "{:.0%}", "high": "{:.0%}"},
    "headers": {"hits": "inside", "total": "scales", "low": "from", "high": "to"},
}
WAYS = {"formats": dict.fromkeys(["profile", "bootstrap", "with normalisation"], "{:.3f}")}
MISFIT = {
    "formats": {"misfit": "{:.1f}"} | dict.fromkeys(["observed", "noise", "p", "blob"], "{:.2f}"),
    "headers": {"noise": "by noise", "blob": "by the blob"},
}


def interval_table(fits, intervals) -> pd.DataFrame:
    """Each fitted number with the ends of its interval."""
    rows = [
        (key, name, parameter, low, getattr(fits[key, name], parameter), high)
        for (key, name), found in intervals.items()
        for parameter, (low, high) in found.items()
    ]
    return pd.DataFrame(rows, columns=["key", "method", "parameter", "low", "value", "high"])


def inside_others(scales) -> list:
    """Whether each method's interval holds the scale of each other method, key by key and axis by axis."""
    return [
        (a.low <= b.value) & (b.value <= a.high)
        for _, group in scales.groupby(["key", "parameter"])
        for a in group.itertuples()
        for b in group.itertuples()
        if a.method != b.method
    ]


def coverage_table(counted) -> pd.DataFrame:
    """Share of known scales inside of their intervals by method, with what chance allows for it."""
    sums = counted.groupby("method")[["hits", "total"]].sum()
    sums["share"] = sums.hits / sums.total
    # Both scales of a filter share its noise: count filters, not scales.
    ends = [wilson(round(s.share * s.total / 2), int(s.total / 2), 0.997) for s in sums.itertuples()]
    sums["low"], sums["high"] = zip(*ends, strict=True)
    return sums


def ranges(fits_of_one) -> np.ndarray:
    """Range over the methods of the scale along x and along y."""
    pairs = np.array([(f.sigma_x, f.sigma_y) for f in fits_of_one])
    return np.ptp(pairs, axis=0)


def misfit_rows(key: int, misfit: float, observed, null, again) -> list:
    """For x and y: the range for the learned filter, for filters that obey the model (`null`), and with a blob (`again`)."""
    return [
        (
            key, "xy"[axis], misfit, observed[axis], np.median(null[:, axis]),
            (1 + (null[:, axis] >= observed[axis]).sum()) / (len(null) + 1), again[axis],
        )
        for axis in range(2)
    ]  # fmt: skip


def width_numbers(derivative, wide, inside) -> dict:
    """Numbers of the text: how wide the intervals are."""
    half = (derivative.high - derivative.low) / 2
    spread = (wide.max(axis=1) - wide.min(axis=1)).loc[:6]
    return {
        "half_median": (half.median(), ".2f"),
        "spread_median": (spread.median(), ".2f"),
        "spread_most": (spread.max(), ".2f"),
        "inside": (inside, ".0f"),
    }


def outside_numbers(table, outside, guilty) -> dict:
    """Numbers of the text: published scales outside of their intervals."""
    b4 = table[(table.key == 4) & (table.method == "B") & (table.parameter == "sigma_y")]
    return {
        "outside_all": len(table),
        "outside_count": len(outside),
        "outside_methods": " and ".join(guilty) or "none",
        "b4_value": (b4.value.iloc[0], ".2f"),
        "b4_high": (b4.high.iloc[0], ".2f"),
    }


def misfit_numbers(beyond, judged, sided) -> dict:
    """Numbers of the text: noise and misfit."""
    return {
        "beyond_noise": beyond,
        "judged": len(judged),
        "observed_median": (judged.observed.median(), ".2f"),
        "noise_median": (judged.noise.median(), ".2f"),
        "misfit_least": (judged.misfit.min(), ".1f"),
        "misfit_most": (judged.misfit.max(), ".0f"),
        "blob_median": (sided.blob.median(), ".2f"),
        "sided_median": (sided.observed.median(), ".2f"),
    }


def coverage_numbers(sums) -> dict:
    """Numbers of the text: how often intervals hold the truth."""
    return {"coverage_b": (100 * sums.share["B"], ".0f"), "coverage_d": (100 * sums.share["D1"], ".0f")}


def wider_numbers(wider, ways) -> dict:
    """Numbers of the text: what the normalisation adds."""
    return {"wider": (wider.median(), ".1f"), "wider_gamma": (wider[ways.parameter == "gamma"].iloc[0], ".0f")}
