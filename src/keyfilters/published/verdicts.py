"""Published beside reproduced: the numbers, the verdicts, the deviations that are known."""

from __future__ import annotations

import csv
import math
from collections import Counter
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from .reproduce import Row, Workbook, grids_of, reproduce

if TYPE_CHECKING:
    import pandas as pd

EQUAL = "equal"
"""Verdict: the number is reproduced to its printed digits."""
WITHIN = "within grid step"
"""Verdict: the difference is no larger than the step of the published search grid allows."""
DEVIATES = "deviates"
"""Verdict: the difference is larger; `known_deviations` has the reason."""
VERDICTS = {EQUAL: "equal to its printed digits", WITHIN: "within the published grid step", DEVIATES: "deviates, with a reason"}
"""Verdict -> what it means, in words."""

ROUNDING = 1e-12
"""Numbers printed in full are sums of about fifty terms: beyond this (times the number, if that is
larger than 1) their digits depend on the order of summation, and differences count as 0."""

FULL_DIGITS = 12
"""How many of the digits of a number printed in full say something, by the same rule."""

COLUMNS = (
    "quantity", "key", "component", "method", "published", "decimals", "source",
    "reproduced", "difference", "matching_digits", "verdict", "deviation",
)  # fmt: skip
"""Columns of :func:`scorecard`."""


def _read(path: Traversable) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def published() -> pd.DataFrame:
    """Return the published numbers.

    Returns
    -------
    pandas.DataFrame
        357 rows; columns quantity, key (a number, or the numbers of a group), component, method,
        value, decimals (``"full"`` as printed by Python, else the number of decimals), source.

    Source: the notebooks and tables that accompany Lindeberg, Babaiee and Kiasari (2026), CC BY 4.0.

    Examples
    --------
    >>> len(published())
    357
    """
    import pandas as pd

    table = pd.DataFrame(_read(files("keyfilters") / "data" / "published_numbers.csv"))
    return table.assign(value=table.value.astype("float64"))


def known_deviations() -> pd.DataFrame:
    """Return the known deviations: which rows an explanation covers.

    Returns
    -------
    pandas.DataFrame
        Columns id, title, quantity, key, component, method; an empty cell stands for any value. Each
        id has a paragraph on the page on reproducibility.

    Examples
    --------
    >>> "key7-gamma-array" in set(known_deviations().id)
    True
    """
    import pandas as pd

    return pd.DataFrame(_read(files("keyfilters") / "data" / "known_deviations.csv"))


def deviation_id(row: Row, known: list[dict[str, str]]) -> str:
    """The id of the first known deviation that covers a row, or an empty string."""
    for entry in known:
        if all(entry[label] in ("", getattr(row, label)) for label in ("quantity", "key", "component", "method")):
            return entry["id"]
    return ""


def significant_digits(value: float, decimals: str) -> float:
    """Number of significant digits that a published number shows (12 for a full float, whose others are rounding; the decimals of a 0)."""
    if decimals == "full":
        return float(FULL_DIGITS)
    if value == 0:
        return float(decimals)
    return float(max(0, int(decimals) + math.floor(math.log10(abs(value))) + 1))


def _difference(value: float, reproduced: float) -> float:
    """Reproduced minus published, 0 where that is no more than rounding."""
    difference = reproduced - value
    return difference if abs(difference) > ROUNDING * max(1.0, abs(value)) else 0.0


def matching_digits(value: float, decimals: str, reproduced: float) -> float:
    """Matching significant digits, minus log10 of the relative difference, at most those printed.

    Where the published number is 0 or rounding noise the absolute difference counts, as in the
    comparisons of the NIST reference datasets.

    Examples
    --------
    >>> matching_digits(0.675, "3", 0.6753), matching_digits(1.0, "full", 1.001)
    (3.0, 3.0)
    """
    printed = significant_digits(value, decimals)
    difference = abs(_difference(value, reproduced))
    if difference == 0:
        return printed
    digits = -math.log10(difference / (abs(value) if abs(value) > 1e-14 else 1.0))
    return round(min(max(digits, 0.0), printed), 1) + 0.0  # no negative zero


def verdict(value: float, decimals: str, reproduced: float, step: float | None) -> str:
    """Compare a published number with a reproduced one.

    - ``equal``: the reproduced number, rounded to the printed decimals, is the published one (a full
      float: up to the rounding of the summation);
    - ``within grid step``: they differ by no more than the step of the published grid (and the
      rounding of the printed number);
    - ``deviates``: otherwise.

    Examples
    --------
    >>> verdict(0.675, "3", 0.67534, None), verdict(0.58, "3", 0.58066, None)
    ('equal', 'deviates')
    """
    difference = abs(reproduced - value)
    if decimals == "full":
        half_unit = 0.0
        equal = difference <= ROUNDING * max(1.0, abs(value))
    else:
        half_unit = 0.5 * 10.0 ** -int(decimals)
        equal = round(reproduced, int(decimals)) == round(value, int(decimals))
    if equal:
        return EQUAL
    return WITHIN if step is not None and difference <= step + half_unit else DEVIATES


@lru_cache(maxsize=1)
def _rows() -> tuple[dict, ...]:
    book, known = Workbook(), _read(files("keyfilters") / "data" / "known_deviations.csv")
    rows = []
    for entry in _read(files("keyfilters") / "data" / "published_numbers.csv"):
        row = Row(*(entry[label] for label in ("quantity", "key", "component", "method")))
        value, computed = float(entry["value"]), reproduce(row, book)
        step = max((window.step for window in grids_of(row)), default=None)
        outcome = verdict(value, entry["decimals"], computed, step)
        rows.append(
            {
                "quantity": row.quantity, "key": row.key, "component": row.component, "method": row.method,
                "published": value, "decimals": entry["decimals"], "source": entry["source"],
                "reproduced": computed, "difference": _difference(value, computed),
                "matching_digits": matching_digits(value, entry["decimals"], computed),
                "verdict": outcome, "deviation": deviation_id(row, known) if outcome == DEVIATES else "",
            }
        )  # fmt: skip
    return tuple(rows)


def scorecard() -> pd.DataFrame:
    """Return every published number beside the reproduced one.

    Returns
    -------
    pandas.DataFrame
        357 rows; columns quantity, key, component, method, published, decimals, source, reproduced,
        difference (reproduced minus published; 0 where that is no more than rounding, 1e-12), matching_digits,
        verdict, deviation (the id of the explanation where the verdict is ``"deviates"``).

    Examples
    --------
    >>> card = scorecard()
    >>> len(card), sorted(set(card.verdict) - {"equal", "within grid step", "deviates"})
    (357, [])
    """
    import pandas as pd

    return pd.DataFrame(list(_rows()), columns=list(COLUMNS))


def counts() -> dict[str, int]:
    """Number of rows by verdict, and in all.

    Examples
    --------
    >>> counts()["all"]
    357
    """
    tally = Counter(row["verdict"] for row in _rows())
    return {name: tally[name] for name in VERDICTS} | {"all": sum(tally.values())}


def problems() -> list[str]:
    """What a build must not let pass: deviating rows without an explanation, explanations without a row.

    Examples
    --------
    >>> problems()
    []
    """
    found = [
        f"scorecard: {r['quantity']} key {r['key']} {r['component']} {r['method']} deviates "
        f"({r['published']!r} published, {r['reproduced']!r} reproduced) and known_deviations.csv does not cover it"
        for r in _rows()
        if r["verdict"] == DEVIATES and not r["deviation"]
    ]
    used = {r["deviation"] for r in _rows()}
    ids = dict.fromkeys(entry["id"] for entry in _read(files("keyfilters") / "data" / "known_deviations.csv"))
    return found + [f"scorecard: known_deviations.csv lists {i!r}, which no row needs" for i in ids if i not in used]
