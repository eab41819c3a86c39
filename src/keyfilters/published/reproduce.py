"""How each published quantity is computed here: one row of a table per quantity.

Nothing in this module reads a published value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..filters import GROUPS, KEYS, learned_filters
from ..fitting import fit, fit_joint
from ..fitting.grid import Window, published_windows, refined_minimum
from ..fitting.variance import factor_variance, match_variance, weighted_variances
from ..models import ideal_filter
from ..moments import monomial_response, spread
from ..normalization import dc_compensation, normalized_filters

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
