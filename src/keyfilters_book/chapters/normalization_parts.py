"""What the chapter *Normalisation: amplitude and constant* shows: its tables, and the data behind its curves."""

from __future__ import annotations

import numpy as np
import pandas as pd

import keyfilters as kf
from keyfilters_book import page
from keyfilters_book.paper.tables import beside_published

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
    "pairs": {"here": "published"},
}
FITS = {"formats": dict.fromkeys(_FIT, "{:.5f}"), "headers": _FIT}
SENSITIVITY = {
    "formats": dict.fromkeys(("E", "sum", "sigma", "gamma"), "{:.3f}") | {"C": "{:+.5f}", "rest": "{:.4f}"},
    "headers": _FIT | {"which": "constant", "C": "$C$", "E": "$E(C)$", "sum": _SUM},
}
NORMS = {
    "formats": dict.fromkeys(("before", "before_published", "after", "l1", "l1_published"), "{:.6f}"),
    "headers": {
        "before_published": f"{_SUM}, published / here",
        "after": "sum after",
        "l1_published": "l1 norm after, published / here",
    },
    "pairs": {"before": "before_published", "l1": "l1_published"},
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


def sensitivity_table(filters, found, samples: int, border) -> pd.DataFrame:
    """The fits of keys 7 and 8 after each choice of the constant, with constant, error and sum of the filter."""
    rows = []
    for key in (7, 8):
        f = filters[key - 1]
        for which, constant in choices(f, found[key, "exact"], samples, border).items():
            shifted = f - constant
            total, error = shifted.sum(), kf.dc_error(f, [constant])[0]
            fit = kf.fit(key, "D2", filter=shifted / total, normalized=True)
            rows.append((key, which, constant, error, total, fit))
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


def response_numbers(responses, g, own, rows, raw) -> dict:
    """Numbers of the text: responses to monomials."""
    cross = np.abs([responses(g)[c[::-1]][k] for k, c in enumerate(own)])
    return {
        "response_equal": page.of_all(int((rows.verdict == "equal").sum()), len(rows)),
        "largest_cross": (cross.max(), ".2f"),
        "largest_cross_key": int(cross.argmax()) + 1,
        "least_raw": (raw.min(), ".1f"),
        "most_raw": (raw.max(), ".1f"),
    }


def corner_numbers(dc_table, step, found) -> dict:
    """Numbers of the text: the minimum at a corner."""
    difference = np.abs(dc_table.here - dc_table.published).max()
    miss = (dc_table.published - dc_table.exact).abs()
    return {
        "dc_step": (step, ".1e"),
        "dc_difference": (page.power_of_ten(difference), ".0e"),
        "dc_error_7": (miss[0], ".1e"),
        "dc_error_8": (miss[1], ".1e"),
        "dc_caption": page.of_all(int((dc_table.exact.round(4) == dc_table.caption).sum()), 2),
        "dc_kinks": page.of_all(sum(found[key, "exact"].kink for key in (7, 8)), 2),
    }


def change_numbers(change, deviation) -> dict:
    """Numbers of the text: what the published constants change."""
    return {
        "fit_change_sigma": (change.sigma, ".1e"),
        "fit_change_gamma": (change.gamma, ".1e"),
        "filter_change_7": (deviation[6], ".1e", "up"),
        "filter_change_8": (deviation[7], ".1e", "up"),
    }


def near_numbers(near, by_key) -> dict:
    """Numbers of the text: how sharp the criterion is."""
    return {
        "gamma_low": (near.gamma[7].min(), ".2f"),
        "gamma_high": (near.gamma[7].max(), ".2f"),
        "sigma7_low": (near.sigma[7].min(), ".2f"),
        "sigma7_high": (near.sigma[7].max(), ".2f"),
        "sigma8_low": (near.sigma[8].min(), ".2f"),
        "sigma8_high": (near.sigma[8].max(), ".2f"),
        "gamma_border": (by_key[by_key.which == "border mean"].gamma[7], ".2f"),
    }


def shift_numbers(change) -> dict:
    """Numbers of the text: the shift of the monomials."""
    return {"shift_derivative": (change[:6].max(), ".0e", "up"), "shift_others": (change[6:].max(), ".2f")}


def choices(f, exact, samples, border):
    """Constants near the exact minimum for a filter, and the mean of its border."""
    c = exact.constant + np.linspace(-0.005, 0.005, 10 * samples + 1)
    near = c[kf.dc_error(f, c) <= 1.01 * exact.error]
    return {
        "1 % above, lowest": near.min(),
        "exact minimum": exact.constant,
        "1 % above, highest": near.max(),
        "border mean": f[border].mean(),
    }


def shift_table(filters: np.ndarray) -> pd.DataFrame:
    """Responses to x and y where the filter is shifted by its mean, not at all, and the other way."""
    shift = pd.DataFrame({"key": np.arange(1, 9)})
    for c, powers in {"10": (1, 0), "01": (0, 1)}.items():
        for label, factor in {"M": 1, "0": 0, "-M": -1}.items():
            shift[f"{c}, {label}"] = [kf.monomial_response(f, *powers, factor * kf.spread(f).mean) for f in filters]
    return shift
