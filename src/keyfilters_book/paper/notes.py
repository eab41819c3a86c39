"""The published record beside what the procedure gives: one table per question of the notes on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyfilters.filters import KEYS, learned_filters
from keyfilters.fitting import fit, fit_table
from keyfilters.moments import monomial_response, spread
from keyfilters.normalization import PUBLISHED_SAMPLES, dc_compensation, normalized_filters
from keyfilters.published.reproduce import Row, earlier_key7_scale, rerun
from keyfilters.published.verdicts import published, scorecard

from .procedure import drawn_minimum, published_map

if TYPE_CHECKING:
    import pandas as pd

RETURNED = 1e-12
"""A published number counts as returned by its search if it differs by less (grid units)."""

_LABELS = ["quantity", "key", "component", "method"]


def rerun_table() -> pd.DataFrame:
    """Return every published scale with a grid beside the outcome of its search, run again.

    Returns
    -------
    pandas.DataFrame
        Columns of :func:`keyfilters.scorecard`, and rerun, gap (absolute difference of rerun and
        published) and returned.

    Examples
    --------
    >>> table = rerun_table()
    >>> len(table), int((~table.returned).sum())
    (73, 4)
    """
    card = scorecard()
    card = card[card.quantity.isin(("sigma", "gamma"))]
    again = [rerun(Row(*labels)) for labels in card[_LABELS].itertuples(index=False)]
    table = card.assign(rerun=np.array(again, dtype=float)).dropna(subset="rerun")
    gap = (table.rerun - table.published).abs()
    return table.assign(gap=gap, returned=gap < RETURNED)


def dc_table() -> pd.DataFrame:
    """Return the constant C of keys 7 and 8 by the published parabola and at the kink.

    Returns
    -------
    pandas.DataFrame
        One row per key; columns key, parabola, kink, steps (their distance in steps of the published
        scan), excess (of the criterion, relative), sigma and gamma (largest change of a scale and of
        gamma over all methods if C is taken at the kink; NaN for key 8's gamma).

    Examples
    --------
    >>> dc_table()[["key", "kink"]].values.tolist()
    [[7.0, -0.011767], [8.0, -0.038648]]
    """
    import pandas as pd

    at_kink, as_published = (fit_table(dc=dc).set_index(["method", "key"]) for dc in ("exact", "published"))
    parameters = ["sigma_x", "sigma_y", "gamma"]
    moved = (at_kink[parameters] - as_published[parameters]).abs()
    rows = []
    for key in (7, 8):
        scan, kink = (dc_compensation(learned_filters()[key - 1], key, dc) for dc in ("published", "exact"))
        step = (scan.window[1] - scan.window[0]) / (PUBLISHED_SAMPLES - 1)
        change = moved.xs(key, level="key").max()
        rows.append((
            key, scan.constant, kink.constant, abs(scan.constant - kink.constant) / step, scan.error / kink.error - 1,
            change[["sigma_x", "sigma_y"]].max(), change.gamma,
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=["key", "parabola", "kink", "steps", "excess", "sigma", "gamma"])


def decimals_table() -> pd.DataFrame:
    """Return the published table with three decimals beside the published scales in full.

    Returns
    -------
    pandas.DataFrame
        One row per entry, indexed as in :func:`keyfilters.scorecard`; columns method, key, component, full,
        published (the entry), rounded and truncated (whether the entry is the full scale rounded, or cut,
        to three decimals).

    Examples
    --------
    >>> table = decimals_table()
    >>> len(table), bool((table.rounded | table.truncated).all())
    (96, True)
    """
    numbers = published().set_index(_LABELS).value
    table = scorecard().query("quantity == 'sigma_table'")[["method", "key", "component", "published"]]

    def full(entry):
        if entry.key == "7":
            return numbers["sigma", "7", "both", "C" if entry.method[0] == "C" else "D"]
        return numbers["sigma", entry.key, "both" if entry.method in ("C2", "D2") else entry.component, entry.method]

    values = np.array([full(entry) for entry in table.itertuples()])
    table.insert(3, "full", values)
    return table.assign(
        rounded=np.isclose(np.round(values, 3), table.published, rtol=0, atol=1e-9),
        truncated=np.isclose(np.floor(1000 * values) / 1000, table.published, rtol=0, atol=1e-9),
    )


def axes_table() -> pd.DataFrame:
    """Return where the published fine maps have their lowest point and where their pictures show it.

    Returns
    -------
    pandas.DataFrame
        One row per map; columns method, key, true_first, true_second, drawn_first, drawn_second (sigma_x and
        sigma_y, for key 7 sigma and gamma), displaced (the larger displacement, as a share of the window).

    Examples
    --------
    >>> axes_table().shape
    (16, 7)
    """
    import pandas as pd

    maps = [(method, key) for method in ("C1", "D1") for key in (1, 2, 3, 4, 5, 6, 8)] + [("C", 7), ("D", 7)]
    rows = []
    for method, key in maps:
        first, second, values = published_map(method, key)
        found = drawn_minimum(first, second, values.T)
        width = np.array([first[-1] - first[0], second[-1] - second[0]])
        displaced = np.abs((np.array(found.drawn) - found.true) / width).max()
        rows.append((method, key, *found.true, *found.drawn, displaced))
    columns = ["method", "key", "true_first", "true_second", "drawn_first", "drawn_second", "displaced"]
    return pd.DataFrame(rows, columns=columns)


def earlier_table() -> pd.DataFrame:
    """Return the stored scales of key 7 for A, B and joint beside those of its earlier model.

    Returns
    -------
    pandas.DataFrame
        Columns method, axis, stored, earlier (plain smoothing), difference (absolute), later (the l2 fit).

    Examples
    --------
    >>> table = earlier_table()
    >>> len(table), bool((table.difference < 1e-8).all())
    (5, True)
    """
    import pandas as pd

    table = published()
    table = table[(table.key == "7") & (table.quantity == "sigma") & table.method.str[0].isin(("A", "B"))]
    later, rows = fit(7, "D2").sigma_x, []
    for row in table.itertuples():
        joint = row.method.endswith("-joint")
        scales = [earlier_key7_scale(row.method[0], axis) for axis in ("xy" if joint else row.component)]
        earlier = float(np.exp(np.mean(np.log(scales))))
        rows.append((row.method, "both" if joint else row.component, row.value, earlier, abs(earlier - row.value), later))
    table = pd.DataFrame(rows, columns=["method", "axis", "stored", "earlier", "difference", "later"])
    return table.drop_duplicates(["method", "axis"], ignore_index=True)


def monomials_table() -> pd.DataFrame:
    """Return first-order responses with the monomial as published and centred on the filter.

    Returns
    -------
    pandas.DataFrame
        One row per key, filter ("raw" or "normalised") and monomial ("10" or "01"); columns key, filter,
        monomial, sum (of the filter), shifted (as published, read at -u - m), centred (read at -(u - m)),
        difference (centred minus shifted).

    Examples
    --------
    >>> monomials_table().shape
    (32, 7)
    """
    import pandas as pd

    rows = []
    for row, raw, normalised in zip(KEYS, learned_filters(), normalized_filters(), strict=True):
        for name, h in (("raw", raw), ("normalised", normalised)):
            m = spread(h).mean
            for monomial in ("10", "01"):
                p, q = int(monomial[0]), int(monomial[1])
                rows.append(
                    (row.number, name, monomial, h.sum(), monomial_response(h, p, q, m), monomial_response(h, p, q, -m))
                )
    table = pd.DataFrame(rows, columns=["key", "filter", "monomial", "sum", "shifted", "centred"])
    return table.assign(difference=table.centred - table.shifted)
