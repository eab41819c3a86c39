"""Published beside reproduced: how each number is computed again, the verdicts, the deviations that are known."""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..filters import GROUPS, KEYS, learned_filters
from ..fitting import fit, fit_joint
from ..fitting.grid import Window, published_windows, refined_minimum
from ..fitting.variance import factor_variance, match_variance, weighted_variances
from ..models import ideal_filter
from ..moments import monomial_response, spread
from ..normalization import dc_compensation, normalized_filters

if TYPE_CHECKING:
    import pandas as pd


AXIS = {"x": 0, "y": 1}


@dataclass(frozen=True)
class Row:
    """Which number is meant: the labels of one published row."""

    quantity: str
    key: str
    component: str
    method: str

    @property
    def number(self) -> int:
        """The key, or the first key of a group."""
        return int(self.key.split()[0])


class Workbook:
    """Intermediate results, each computed once and only when a row asks for it."""

    @cached_property
    def raw(self) -> np.ndarray:
        """The eight learned filters."""
        return learned_filters()

    @cached_property
    def normalized(self) -> np.ndarray:
        """The eight filters, normalised as in the paper."""
        return normalized_filters("published")

    @cached_property
    def _fits(self) -> dict:
        return {}

    def fit(self, key: int, method: str) -> Any:
        """A single or joint fit of the learned filters."""
        if method.endswith("-joint"):
            if method not in self._fits:
                self._fits[method] = fit_joint(method)
            return self._fits[method][key]
        if (key, method) not in self._fits:
            self._fits[key, method] = fit(key, method)
        return self._fits[key, method]


def _template(key: int) -> np.ndarray:
    """Template that weights the spread measures; for key 7 plain smoothing at its reference scale."""
    row = KEYS[key - 1]
    return ideal_filter(8 if key == 7 else key, row.reference_scale)


def _spread_of(filters: str, weighted: bool = False):
    def compute(book: Workbook, row: Row) -> float:
        h = getattr(book, filters)[row.number - 1]
        s = spread(h, _template(row.number) if weighted else None)
        if not row.component:
            return s.l1_norm
        if len(row.component) == 1:
            return float(s.mean[AXIS[row.component]])
        return float(s.covariance[AXIS[row.component[0]], AXIS[row.component[1]]])

    return compute


def _response_of(filters: str):
    def compute(book: Workbook, row: Row) -> float:
        h = getattr(book, filters)[row.number - 1]
        # The monomials are shifted by the mean of the filter whose response is taken.
        return monomial_response(h, int(row.component[0]), int(row.component[1]), spread(h).mean)

    return compute


def _dc_constant(book: Workbook, row: Row) -> float:
    return dc_compensation(book.raw[row.number - 1], row.number, "published").constant


def _dc_sum(book: Workbook, row: Row) -> float:
    return float((book.raw[row.number - 1] - _dc_constant(book, row)).sum())


EARLIER_REFERENCE = {("A", "x"): 2**-0.5, ("A", "y"): 2**-0.5, ("B", "x"): 2**-0.5, ("B", "y"): 0.707}
"""Reference scales of the earlier model of key 7, plain smoothing, by method and axis."""


def earlier_key7_scale(method: str, axis: str, target: np.ndarray | None = None) -> float:
    """Scale of key 7 by its earlier model, plain smoothing T, which later gave way to two parameters.

    Method A is the closed form; B is the published scan about the root, whose window for sigma_y is
    not known (there the root itself is returned).
    """
    target = normalized_filters("published")[6] if target is None else target
    reference = EARLIER_REFERENCE[method, axis]
    variance = weighted_variances(target, KEYS[6], "crop", reference)[AXIS[axis]]
    if method == "A":
        return float(np.sqrt(2 * variance))
    size = len(target)
    root, _, _ = match_variance("identity", variance, size, "crop", reference)
    known = published_windows().get(("B", "7", axis))
    if known is None:
        return root
    values = known.values
    return refined_minimum(values, (factor_variance("identity", values, size, "crop", reference) - variance) ** 2)


def _earlier(method: str, axis: str) -> float:
    if method.endswith("-joint"):
        return float(np.sqrt(earlier_key7_scale(method[0], "x") * earlier_key7_scale(method[0], "y")))
    return earlier_key7_scale(method, axis)


def _sigma(book: Workbook, row: Row) -> float:
    if row.number == 7 and row.method[0] in "AB" and row.quantity == "sigma":
        return _earlier(row.method, row.component)
    method = {"C": "C2", "D": "D2"}.get(row.method, row.method)
    found = book.fit(row.number, method)
    return found.sigma_y if row.component == "y" else found.sigma_x


def _gamma(book: Workbook, row: Row) -> float:
    return book.fit(7, row.method + "2").gamma


REPRODUCE = {
    "l1_norm_raw": _spread_of("raw"),
    "mean_abs_raw": _spread_of("raw"),
    "cov_abs_raw": _spread_of("raw"),
    "l1_norm_normalized": _spread_of("normalized"),
    "mean_abs_normalized": _spread_of("normalized"),
    "cov_abs_normalized": _spread_of("normalized"),
    "weighted_mean": _spread_of("normalized", weighted=True),
    "weighted_cov": _spread_of("normalized", weighted=True),
    "monomial_response_raw": _response_of("raw"),
    "monomial_response_normalized": _response_of("normalized"),
    "dc_compensation": _dc_constant,
    "dc_compensated_sum": _dc_sum,
    "sigma": _sigma,
    "gamma": _gamma,
    "sigma_table": _sigma,
}
"""Quantity to the function that computes it from the learned filters."""


def reproduce(row: Row, book: Workbook | None = None) -> float:
    """Compute the number that a published row reports.

    Examples
    --------
    >>> reproduce(Row("dc_compensated_sum", "8", "00", ""))  # doctest: +ELLIPSIS
    1.893...
    """
    if row.quantity not in REPRODUCE:
        raise ValueError(f"unknown quantity {row.quantity!r}: expected one of {', '.join(REPRODUCE)}")
    return float(REPRODUCE[row.quantity](book or Workbook(), row))


def grids_of(row: Row) -> list[Window]:
    """The published grids on which a row's scale was searched (empty where there was none).

    A joint scale of method B is a mean of scales that have a grid each.

    Examples
    --------
    >>> [w.samples for w in grids_of(Row("sigma", "3", "both", "C2"))]
    [100]
    """
    if row.quantity not in ("sigma", "gamma", "sigma_table") or row.method[0] == "A" and row.number != 7:
        return []
    windows = published_windows()
    if row.number == 7 and row.quantity == "sigma" and row.method[0] in "AB":
        # The earlier model of key 7: a closed form in A, one grid per axis in B.
        axes = ("x", "y") if row.method == "B-joint" else (row.component,)
        return [windows["B", "7", a] for a in axes if row.method[0] == "B" and ("B", "7", a) in windows]
    if row.number == 7:
        # Searched over (sigma, gamma) once per norm; A and B of the table hold the l2 fit.
        norm = "C" if row.method.startswith("C") else "D"
        return [windows[norm, "7", "gamma" if row.quantity == "gamma" else "sigma"]]
    label, axis = row.key, row.component
    if row.method == "B-joint":
        group = next(g for g in GROUPS.values() if row.number in g)
        return [w for (method, key, _), w in windows.items() if method == "B" and int(key) in group]
    if row.method in ("C2", "D2", "C-joint", "D-joint"):
        axis = "both"
    return [w for w in [windows.get((row.method, label, axis))] if w is not None]


def rerun(row: Row) -> float | None:
    """The published search run again for a scale or gamma, None where the row has no known grid."""
    if row.quantity == "sigma_table" or not grids_of(row):
        return None
    if row.number == 7 and row.method[0] in "AB":
        return _earlier(row.method, row.component)
    if row.method.endswith("-joint"):
        return fit_joint(row.method, search="grid")[row.number].sigma_x
    method = {"C": "C2", "D": "D2"}.get(row.method, row.method)
    found = fit(row.number, method, search="grid")
    if row.quantity == "gamma":
        return found.gamma
    return found.sigma_y if row.component == "y" else found.sigma_x


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
