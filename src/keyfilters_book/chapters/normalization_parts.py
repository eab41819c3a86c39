"""What the chapter *Normalisation: amplitude and constant* shows: its tables, and the data behind its curves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keyfilters_book.paper.tables import beside_published

__all__ = ["compensation_table", "curve_data", "dc_table", "fits_table", "published_of", "sensitivity_table"]

_FIT = {"sigma": r"$\sigma$", "gamma": r"$\gamma$", "rest": "residual"}
_RESPONSES = {"00": "$R_{00}$", "10": "$R_{10}$", "01": "$R_{01}$"}
_SUM = r"$\sum (h - C)$"
_SPREAD = {"x": "$M_x$", "y": "$M_y$", "xx": "$V_{xx}$", "xy": "$V_{xy}$", "yy": "$V_{yy}$"}
_SHIFTS = [f"{c}, {label}" for c in ("10", "01") for label in ("M", "0", "-M")]

RESPONSES = {"formats": {"00": "{:+.0e}", "10": "{:+.6f}", "01": "{:+.6f}"}, "headers": _RESPONSES}
RESPONSES_AFTER = {"formats": dict.fromkeys(_RESPONSES, "{:+.6f}"), "headers": _RESPONSES}
DC = {
    "formats": dict.fromkeys(("published", "here", "exact"), "{:.9f}")
    | {"caption": "{:.4f}", "E_here": "{:.6f}", "E_exact": "{:.6f}"},
    "headers": {"caption": "in caption", "E_here": "$E$ here", "E_exact": "$E$ exact"},
}
FITS = {"formats": dict.fromkeys(_FIT, "{:.5f}"), "headers": _FIT}
SENSITIVITY = {
    "formats": dict.fromkeys(("E", "sum", "sigma", "gamma"), "{:.3f}") | {"C": "{:+.5f}", "rest": "{:.4f}"},
    "headers": _FIT | {"which": "constant", "C": "$C$", "E": "$E(C)$", "sum": _SUM},
}
NORMS = {
    "formats": dict.fromkeys(("before", "before_published", "after", "l1", "l1_published"), "{:.6f}"),
    "headers": {
        "before": _SUM,
        "before_published": f"{_SUM}, published",
        "after": "sum after",
        "l1": "l1 norm after",
        "l1_published": "l1 norm after, published",
    },
}
SPREAD = {"formats": dict.fromkeys(_SPREAD, "{:.5f}"), "headers": _SPREAD | {"source": "filter"}}
SHIFT = {
    "formats": dict.fromkeys(_SHIFTS, "{:+.6f}"),
    "headers": {name: f"$R_{{{name[:2]}}}$, $c = {name[4:]}$" for name in _SHIFTS},
}


def curve_data(curves) -> dict:
    """What is behind the curves of the error, from title to constants, in thousandths, and errors."""
    return {
        title.replace(", ", "_").replace(" ", "_"): np.stack([constant / 1000, error])
        for title, (constant, error) in curves.items()
    }


def dc_table(found, values) -> pd.DataFrame:
    """Constants as published, by the published procedure, and at the exact minimum; `found` maps key and kind to them."""
    rows = []
    for key in (7, 8):
        theirs = values[(values.key == str(key)) & (values.quantity == "dc_compensation")].set_index("decimals").value
        own, exact = found[key, "published"], found[key, "exact"]
        rows.append(
            {
                "key": key,
                "caption": theirs["4"],
                "published": theirs["full"],
                "here": own.constant,
                "exact": exact.constant,
                "E_here": own.error,
                "E_exact": exact.error,
            }
        )
    return pd.DataFrame(rows)


def fits_table(fits) -> pd.DataFrame:
    """Scale, amount of sharpening and residual of pairs of a kind of constant and a fit."""
    return pd.DataFrame(
        {
            "key": fit.key,
            "method": fit.method,
            "constant": dc,
            "sigma": fit.sigma_x,
            "gamma": fit.gamma,
            "rest": fit.relative_l2,
        }
        for dc, fit in fits
    ).astype({"gamma": float})


def sensitivity_table(rows) -> pd.DataFrame:
    """The fits after each choice of the constant; a row is key, choice, constant, error, sum of the filter and fit."""
    return pd.DataFrame(
        {
            "key": key,
            "which": which,
            "C": constant,
            "E": error,
            "sum": total,
            "sigma": fit.sigma_x,
            "gamma": fit.gamma,
            "rest": fit.relative_l2,
        }
        for key, which, constant, error, total, fit in rows
    ).astype({"gamma": float})


def published_of(values, quantity: str) -> list[float]:
    """The published numbers of one quantity for keys 7 and 8."""
    return values[(values.quantity == quantity) & values.key.isin(("7", "8"))].sort_values("key").value.to_list()


def compensation_table(before, after) -> pd.DataFrame:
    """Spread measures of keys 7 and 8 before the compensation, after it, and as published."""
    after = beside_published(after.query("key >= 7"), "mean_abs_normalized", "cov_abs_normalized")
    after["source"] = after.source.map({"here": "normalised", "published": "normalised, published"})
    both = pd.concat([before.query("key >= 7").assign(source="learned"), after])
    return both.sort_values("key", kind="stable", ignore_index=True)[["key", "source", *_SPREAD]]
