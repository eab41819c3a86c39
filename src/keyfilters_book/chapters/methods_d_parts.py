"""What the chapter *Methods D1 and D2: least squares* shows: its tables and two of its figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keyfilters_book import figures
from keyfilters_book.paper import tables

from .methods_c_parts import maps_figure, published_pair

__all__ = [
    "boundary_numbers", "certificate_numbers", "certificate_table", "maps_figure", "measure_numbers", "published_numbers",
    "published_pair", "residual_table", "truncated_numbers", "truncation_figure",
]  # fmt: skip

_METHODS = ("C1", "D1")
CERTIFICATES = {
    "formats": {
        "gradient": "{:.0e}",
        "curvature": "{:.2g}",
        "slope": "{:.3f}",
        "width_x": "{:.2f}",
        "width_y": "{:.2f}",
        "box": "{:.2g}",
    },
    "headers": {
        "gradient": "gradient, at most",
        "open": "open cells",
        "width_x": r"box, $\sigma_x$",
        "width_y": r"box, $\sigma_y$",
        "box": "curvature in the box",
    },
}
RESIDUALS = {
    "formats": {f"{what}_{method}": "{:.2f}" for what in ("largest", "share") for method in _METHODS},
    "headers": {f"{what}_{method}": f"{what}, {method}" for what in ("largest", "share", "close") for method in _METHODS}
    | {"tap": "gain at"},
}


def certificate_table(optimum, windows, boxes) -> pd.DataFrame:
    """What certifies the optimum of each key; `windows` has the open cells, `boxes` the least curvature around them."""
    rows = []
    for key, found in optimum.items():
        c, (low, high) = found.certificate, windows[key].frame
        rows.append(
            {
                "key": key,
                "kind": c.kind,
                "gradient": c.stationarity,
                "curvature": c.curvature,
                "slope": c.slope_at_bound if c.kind == "bound" else np.nan,
                "open": int(windows[key].open.sum()),
                "width_x": high[0] - low[0],
                "width_y": high[1] - low[1],
                "box": boxes[key],
            }
        )
    return pd.DataFrame(rows)


def truncation_figure(sigma, full, cut, grid, on_grid, published: int) -> Figure:
    """The increase of the objective with the full and the cut kernel, and at the first points of the published grid."""
    panel = figures.ProfilePanel(
        1e4 * sigma,
        {"full kernel": 1e9 * full, "cut kernel": 1e9 * cut},
        marks={"published": (1e4 * grid[published], 1e9 * on_grid[published]), "published grid": (1e4 * grid, 1e9 * on_grid)},
    )
    return figures.profile_panels(
        panel, xlabel=r"$\sigma_y \times 10^4$", ylabel=r"increase $\times\, 10^9$", width=6.0, height=3.2
    )


def residual_table(residuals, measures) -> pd.DataFrame:
    """Measures of the residuals, which are by key and method, and the tap (x, y) at which D1 gains most on C1."""
    rows = []
    for key in dict.fromkeys(key for key, _ in residuals):
        of = {method: measures(key, residuals[key, method]) for method in _METHODS}
        gain = residuals[key, "C1"] ** 2 - residuals[key, "D1"] ** 2
        i, j = np.unravel_index(gain.argmax(), gain.shape)
        columns = {f"{what}_{method}": of[method][what] for what in of["C1"] for method in _METHODS}
        rows.append({"key": key} | columns | {"tap": f"({j - 3}, {3 - i})"})
    return pd.DataFrame(rows)


def certificate_numbers(ratio, starts) -> dict:
    """Numbers of the text: the certificates."""
    gap = {key: 100 * (value - 1) for key, value in ratio.items()}
    least, largest = min(gap, key=gap.get), max(gap, key=gap.get)
    return {
        "d_starts": starts**2,
        "d_gap_least": (gap[least], ".0f"),
        "d_gap_least_key": least,
        "d_gap_largest": (gap[largest], ".0f"),
        "d_gap_largest_key": largest,
    }


def boundary_numbers(best, middle, above, below, amplitude, free) -> dict:
    """Numbers of the text: the optimum at the boundary."""
    return {
        "d_slope": (best.certificate.slope_at_bound, ".4f"),
        "d_middle": (middle, ".3f"),
        "d_above": (above, ".3f"),
        "d_below": (below, ".3f"),
        "d_amplitude": (amplitude, ".2f"),
        "d_free_y": (free.sigma_y, ".2f"),
    }


def truncated_numbers(squared, near_zero, grid_x, j, taps, grid_y, i) -> dict:
    """Numbers of the text: the truncated kernel."""
    increases = squared(near_zero**2, grid_x[j] ** 2)
    return {
        "d_tap_gap": (np.ptp(taps, axis=0).max(), ".0e", "up"),
        "d_objective_gap": (np.ptp(increases), ".0e", "up"),
        "d_truncated_x": (grid_x[j], ".4f"),
        "d_truncated_y": (grid_y[i], ".4f"),
    }


def published_numbers(d1, d2) -> dict:
    """Numbers of the text: published scales and ours."""
    return {
        "d1_largest": (np.abs(d1.difference).max(), ".0e"),
        "d2_largest": (np.abs(d2.difference).max(), ".0e", "up"),
        "d2_rerun": tables.DECIMALS,
    }


def measure_numbers(comparison) -> dict:
    """Numbers of the text: what squares look at."""
    return {
        "d_one_c": (comparison.largest_C1[0], ".2f"),
        "d_one_d": (comparison.largest_D1[0], ".2f"),
        "d_closer": int((comparison.close_C1 > comparison.close_D1).sum()),
    }
