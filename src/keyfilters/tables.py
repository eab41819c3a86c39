"""Tables of the book: one function per kind of table, each returning a DataFrame."""

from __future__ import annotations

from .checks import choice
from .fitting import JOINT_METHODS, METHODS
from .published import Row, grids_of, rerun, scorecard

SCALE_COLUMNS = (
    "key", "axis", "fit", "published", "reproduced", "difference", "rerun", "rerun_difference", "step", "verdict", "deviation",
)  # fmt: skip


def _published_method(method: str) -> tuple[str, ...]:
    """Labels under which the published numbers of a method stand: its own, and that of key 7's fit."""
    if method in JOINT_METHODS:
        return (method,)
    return (method, "C" if method in ("C1", "C2") else "D")


def scales_table(method):
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
        - published, reproduced (closed form, root or certified optimum), difference: reproduced minus
          published;
        - rerun: the published grid search run again, rerun_difference: that minus published, step: the
          spacing of the grid, its largest for logarithmic grids (NaN where no grid is known);
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
                "difference": entry.difference, "rerun": again,
                "rerun_difference": None if again is None else again - entry.published,
                "step": max((window.step for window in grids_of(row)), default=None),
                "verdict": entry.verdict, "deviation": entry.deviation,
            }
        )  # fmt: skip
    import pandas as pd

    numbers = dict.fromkeys(("rerun", "rerun_difference", "step"), "float64")
    return pd.DataFrame(rows, columns=list(SCALE_COLUMNS)).sort_values("key", kind="stable", ignore_index=True).astype(numbers)


def _fit_label(row: Row) -> str:
    if row.key != "7":
        return row.method
    if row.quantity == "sigma" and row.method[0] in "AB":
        return "earlier model"
    return "l1" if row.method == "C" else "l2"
