"""What the chapter *Scorecard* shows: the published numbers in groups, and how a table of them is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import keyfilters as kf
from keyfilters.published import DEVIATES, EQUAL, VERDICTS, WITHIN

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
    """All rows in one table and how it is written; where a number deviates, the verdict leads to the reason."""
    reasons = set(kf.known_deviations().id)
    view = pd.DataFrame(
        {
            "quantity": [_quantity(row) for row in rows.itertuples()],
            "key": rows.key,
            "method": rows.method,
            "part": rows.component,
            "numbers": [_pair(row, digits) for row in rows.itertuples()],
            "digits": rows.matching_digits,
            "verdict": rows.deviation.where(rows.deviation != "", rows.verdict),
        }
    ).reset_index(drop=True)
    formats = {"digits": "{:.1f}", "verdict": lambda v: "deviates" if v in reasons else v.removeprefix("within ")}
    link = {"verdict": lambda v: f"#dev-{v}" if v in reasons else None}
    return view, {"formats": formats, "headers": {"numbers": "published / computed"}, "link": link}


def deviating_table(rows: pd.DataFrame, digits: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows that deviate, each with its reason in words, which leads to the explanation."""
    titles = kf.known_deviations().drop_duplicates("id").set_index("id").title
    own = rows[rows.verdict == DEVIATES]
    view, style = card_table(own, digits)
    view = view.drop(columns="digits").rename(columns={"verdict": "reason"})
    style["formats"] = {"reason": lambda v: titles[v]}
    return view, style | {"link": {"reason": "#dev-{}"}, "wrap": True}


def _quantity(row: Any) -> str:
    return {"sigma_table": "sigma, 3 decimals"}.get(row.quantity, row.quantity.replace("_", " "))


def _pair(row: Any, digits: int) -> str:
    """The published and the computed number, or one with a tick where they are equal to the digits that were printed."""
    number = f"{{:.{digits}g}}"
    published = (number if row.decimals == "full" else f"{{:.{row.decimals}f}}").format(row.published)
    if row.verdict == EQUAL:
        return f"{published} ✓"
    # What is left of a sum that is 0 depends on the processor.
    return f"{published} / {number.format(round(row.reproduced, 14) + 0.0)}"


def digit_numbers(digits) -> dict:
    """Numbers of the text: digits that agree."""
    return {
        "digits_same": (digits.min()["equal"], ".0f", "down"),
        "digits_least": (digits.min()["within grid step"], ".0f", "down"),
        "digits_most": (digits.max()["within grid step"], ".0f", "up"),
    }


def digit_tally(card: pd.DataFrame) -> pd.DataFrame:
    """How many numbers of a group and verdict agree to how many whole digits; each verdict that a group has is a row.

    >>> card = pd.DataFrame({"group": "scales A, B", "verdict": [EQUAL, EQUAL, DEVIATES], "matching_digits": [3.2, 3.9, 1.0]})
    >>> digit_tally(card)[["digits", "numbers", "row"]].to_numpy().tolist()
    [[3.0, 2.0, 0.0], [1.0, 1.0, 1.0]]
    """
    group, verdict = pd.Categorical(card.group, list(GROUPS)), pd.Categorical(card.verdict, list(VERDICTS))
    whole = pd.DataFrame({"group": group, "verdict": verdict, "digits": np.floor(card.matching_digits.to_numpy())})
    tally = whole.groupby(["group", "verdict", "digits"], observed=True).size().reset_index(name="numbers")
    return tally.assign(row=tally.groupby(["group", "verdict"], observed=True).ngroup())


def counted_once(scorecard: pd.DataFrame) -> pd.DataFrame:
    """The rows of the scorecard without what is published twice.

    The covariance of y and x is that of x and y. A scale that both axes share, or that all keys of a group share in a joint
    fit, stands in the tables once for each of them.
    """
    scale = scorecard["quantity"].isin(("sigma", "sigma_table"))
    joint = scorecard["method"].str.endswith("-joint")
    shared = scorecard.assign(key=scorecard["key"].where(~joint, ""))
    again = scale & shared.duplicated(["quantity", "method", "key", "published"])
    return scorecard[(scorecard["component"] != "yx") & ~again]


def once_numbers(card: pd.DataFrame) -> dict:
    """Numbers of the text: the verdicts, each published number counted once."""
    counts = counted_once(card).verdict.value_counts()
    return {
        "once_count": int(counts.sum()),
        "once_equal": int(counts[EQUAL]),
        "once_within": int(counts[WITHIN]),
        "once_deviating": int(counts[DEVIATES]),
    }
