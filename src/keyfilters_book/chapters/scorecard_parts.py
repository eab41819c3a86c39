"""What the chapter *Scorecard* shows: the published numbers in groups, and how a table of them is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import keyfilters as kf
from keyfilters.published import VERDICTS

__all__ = ["card_table", "digit_numbers", "groups_of", "verdict_table"]

GROUPS = {
    "spread, raw filters": ["l1_norm_raw", "mean_abs_raw", "cov_abs_raw"],
    "spread, normalised": ["l1_norm_normalized", "mean_abs_normalized", "cov_abs_normalized"],
    "spread, weighted": ["weighted_mean", "weighted_cov"],
    "monomial responses": ["monomial_response_raw", "monomial_response_normalized"],
    "DC compensation": ["dc_compensation", "dc_compensated_sum"],
    "scales A, B": [],
    "scales C, D": [],
    "table, 3 decimals": ["sigma_table"],
}
NAMES = {"component": "part", "reproduced": "computed", "matching_digits": "digits"}
SOURCES = {
    "filteranal.py constants": "constants",
    "modify_dwconvs_initial.py": "table",
    "article, caption of Figure 5": "Figure 5",
}


def groups_of(card: pd.DataFrame) -> pd.Series:
    """The group of each published number: by its quantity, of scales by their method."""
    by_quantity = {quantity: group for group, quantities in GROUPS.items() for quantity in quantities}
    moments = card.method.str[0].isin(["A", "B"])
    scales = pd.Series(np.where(moments, "scales A, B", "scales C, D"), card.index)
    return card.quantity.map(by_quantity).fillna(scales)


def verdict_table(card: pd.DataFrame) -> pd.DataFrame:
    """How many numbers of each group have each verdict."""
    counts = card.groupby(["group", "verdict"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=list(GROUPS), columns=list(VERDICTS), fill_value=0)
    counts["all"] = counts.sum(axis=1)
    counts.loc["all"] = counts.sum()
    counts.index.name = "group"
    return counts.rename_axis(columns=None)


def card_table(rows: pd.DataFrame, digits: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One table and how it is written; where a number deviates, the verdict is the name of its reason and leads to it."""
    number, reasons = f"{{:.{digits}g}}", set(kf.known_deviations().id)
    several = rows.quantity.nunique() > 1
    view = rows.assign(
        verdict=rows.deviation.where(rows.deviation != "", rows.verdict),
        source=[SOURCES.get(text, text.removeprefix("keyfilteranal.ipynb ")) for text in rows.source],
        quantity=rows.quantity.str.replace("_", " "),
    )
    columns = ["quantity"] * several + [
        "key",
        "method",
        "component",
        "verdict",
        "matching_digits",
        "published",
        "reproduced",
        "difference",
        "source",
    ]
    view = view[[c for c in columns if (view[c] != "").any()]].rename(columns=NAMES).reset_index(drop=True)
    printed = set(rows.decimals)
    published = f"{{:.{printed.pop()}f}}" if len(printed) == 1 and "full" not in printed else number
    formats = {
        "published": published,
        # What is left of a sum that is 0 depends on the processor.
        "computed": lambda q: number.format(round(q, 14) + 0.0),
        "difference": lambda d: f"{d:+.0e}" if d else "0",
        "digits": "{:.1f}",
        "verdict": lambda v: "deviates" if v in reasons else v.removeprefix("within "),
    }
    link = {"verdict": lambda v: f"#dev-{v}" if v in reasons else None}
    return view, {"formats": formats, "wrap": several, "link": link}


def digit_numbers(digits) -> dict:
    """Numbers of the text: digits that agree."""
    return {
        "digits_same": (digits.min()["equal"], ".0f", "down"),
        "digits_least": (digits.min()["within grid step"], ".0f", "down"),
        "digits_most": (digits.max()["within grid step"], ".0f", "up"),
    }
