"""Tables of the book: one function per kind of table, each returning a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from keyfilters.checks import choice
from keyfilters.choices import JointName, MethodName
from keyfilters.fitting import JOINT_METHODS, METHODS
from keyfilters.published import Row, grids_of, published, rerun, scorecard

if TYPE_CHECKING:
    import pandas as pd

    from keyfilters.fitting import Fit
    from keyfilters.moments import Spread

DECIMALS = 12
"""To which differences of scales are given; what is smaller is rounding."""

SCALE_COLUMNS = (
    "key", "axis", "fit", "published", "reproduced", "difference", "rerun", "rerun_difference", "step", "verdict", "deviation",
)  # fmt: skip

SCALES_SHOWN = ["key", "axis", "fit", "published", "rerun_difference", "reproduced", "difference", "step"]
"""Columns of :func:`scales_table` that a page shows, with the published search run again before the optimum."""

SCALES_STYLE = {
    "formats": {
        "published": "{:.7f}", "rerun_difference": "{:+.0e}", "reproduced": "{:.7f}", "difference": "{:+.0e}", "step": "{:.0e}",
    },
    "headers": {"rerun_difference": "search again", "published": "published / optimum"},
    "pairs": {"reproduced": "published"},
}  # fmt: skip
"""Formats and headings of these columns, in the form that ``keyfilters_book.page.table`` takes."""


def _published_method(method: str) -> tuple[str, ...]:
    """Labels under which the published numbers of a method stand: its own, and that of key 7's fit."""
    if method in JOINT_METHODS:
        return (method,)
    return (method, "C" if method in ("C1", "C2") else "D")


def scales_table(method: MethodName | JointName) -> pd.DataFrame:
    """Return the published scales of a method beside the reproduced ones.

    Parameters
    ----------
    method : {"A", "B", "C1", "C2", "D1", "D2"} or a joint method ("A-joint", ...)

    Returns
    -------
    pandas.DataFrame
        One row per published number; columns

        - key: a number, or the numbers of a group; axis: x, y, both or gamma;
        - fit: the method; "earlier model" for the scales of key 7 that belong to plain smoothing; the
          norm of its two-parameter fit, "l1" or "l2", for the others of key 7;
        - published, reproduced (closed form, root or numerically certified optimum), difference: reproduced minus
          published;
        - rerun: the published grid search run again, rerun_difference: that minus published, step: the
          spacing of the grid, its largest for logarithmic grids (NaN where no grid is known);
        - both differences are rounded to 12 decimals: what is smaller is rounding, which depends on the
          processor;
        - verdict, deviation: as in :func:`keyfilters.scorecard`.

    Raises
    ------
    ValueError
        For an unknown method.

    Examples
    --------
    >>> table = scales_table("C2")
    >>> table[table.key == "3"][["axis", "published", "reproduced"]].round(6).values.tolist()
    [['both', 0.671185, 0.671185]]
    """
    choice(method, (*METHODS, *JOINT_METHODS), "method")
    card = scorecard()
    card = card[card.quantity.isin(("sigma", "gamma")) & card.method.isin(_published_method(method))]
    rows = []
    for entry in card.itertuples():
        row = Row(entry.quantity, entry.key, entry.component, entry.method)
        again = rerun(row)
        rows.append(
            {
                "key": entry.key, "axis": "gamma" if entry.quantity == "gamma" else entry.component,
                "fit": _fit_label(row), "published": entry.published, "reproduced": entry.reproduced,
                "difference": _settled(entry.difference), "rerun": again,
                "rerun_difference": None if again is None else _settled(again - entry.published),
                "step": max((window.step for window in grids_of(row)), default=None),
                "verdict": entry.verdict, "deviation": entry.deviation,
            }
        )  # fmt: skip
    import pandas as pd

    numbers = dict.fromkeys(("rerun", "rerun_difference", "step"), "float64")
    return pd.DataFrame(rows, columns=list(SCALE_COLUMNS)).sort_values("key", kind="stable", ignore_index=True).astype(numbers)


def _settled(difference: float) -> float:
    """Without the digits that depend on the processor, and without the sign of what they leave at 0."""
    return round(difference, DECIMALS) + 0.0


def _fit_label(row: Row) -> str:
    if row.key != "7":
        return row.method
    if row.quantity == "sigma" and row.method[0] in "AB":
        return "earlier model"
    return "l1" if row.method == "C" else "l2"


def spread_table(spreads: Sequence[Spread]) -> pd.DataFrame:
    """Return spread measures as a table, one row per key.

    Parameters
    ----------
    spreads : sequence of Spread
        In the order of the keys, from key 1.

    Returns
    -------
    pandas.DataFrame
        Columns key, x, y (mean), xx, xy, yy (covariance); grid units.

    Examples
    --------
    >>> from keyfilters import learned_filters, spread
    >>> spread_table([spread(h) for h in learned_filters()]).round(2).iloc[4].tolist()
    [5.0, 0.06, -0.04, 3.85, -0.01, 1.85]
    """
    import pandas as pd

    return pd.DataFrame(
        {
            "key": key,
            "x": s.mean[0],
            "y": s.mean[1],
            "xx": s.covariance[0, 0],
            "xy": s.covariance[0, 1],
            "yy": s.covariance[1, 1],
        }
        for key, s in enumerate(spreads, start=1)
    )


def beside_published(frame: pd.DataFrame, *quantities: str) -> pd.DataFrame:
    """Return computed numbers with the published ones below them, two rows per key.

    Parameters
    ----------
    frame : DataFrame
        A column key; the other columns are named as components of the published quantities.
    *quantities : str
        Published quantities that these components belong to, for instance ``"weighted_mean"``.

    Returns
    -------
    pandas.DataFrame
        Columns key, source ("here" or "published") and those of ``frame``; NaN where nothing is
        published.

    Raises
    ------
    ValueError
        For an unknown quantity.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"key": [7], "x": [0.05]})
    >>> beside_published(frame, "mean_abs_normalized").round(5).values.tolist()
    [[7, 'here', 0.05], [7, 'published', 0.05047]]
    """
    import pandas as pd

    numbers = published()
    for quantity in quantities:
        choice(quantity, tuple(numbers.quantity.unique()), "quantity")
    numbers = numbers[numbers.quantity.isin(quantities)].set_index(["key", "component"]).value
    components = [c for c in frame.columns if c != "key"]
    rows = []
    for entry in frame.to_dict("records"):
        rows.append({"key": entry["key"], "source": "here"} | {c: entry[c] for c in components})
        theirs = {c: numbers.get((str(entry["key"]), c), float("nan")) for c in components}
        rows.append({"key": entry["key"], "source": "published"} | theirs)
    return pd.DataFrame(rows)


def explained_numbers(method: str, fits: Iterable[Fit]) -> dict[str, tuple[float, str]]:
    """Numbers of a method's page: the least and the largest share of a filter that its model explains, in per cent."""
    explained = [100 * fit.cosine**2 for fit in fits]
    return {f"{method}_explained_least": (min(explained), ".0f"), f"{method}_explained_most": (max(explained), ".0f")}
