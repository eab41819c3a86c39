"""What the chapter *The eight learned filters* shows: the formats of its tables and the table of symmetry."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keyfilters_book import page
from keyfilters_book.paper import structure

_L1 = r"$\lVert h \rVert_1$"
SUMS = {
    "formats": {"sum": "{:+.0e}", "l2": "{:.6f}", "l1_published": "{:.6f}", "difference": "{:.1g}"},
    "headers": {"l2": r"$\lVert h \rVert_2$", "l1_published": f"{_L1}, published / here"},
    "pairs": {"l1": "l1_published"},
}
SYMMETRY = {
    "formats": dict.fromkeys(("rho_x", "rho_y", "rho_x_rest", "rho_y_rest"), "{:+.2f}")
    | dict.fromkeys(("chance_x", "chance_y"), "{:.2f}"),
    "headers": {
        "rho_x": r"$\rho_x$",
        "rho_y": r"$\rho_y$",
        "rho_x_rest": r"$\rho_x$ without peak",
        "rho_y_rest": r"$\rho_y$ without peak",
        "chance_x": "chance, x",
        "chance_y": "chance, y",
    },
}


def symmetry_table(whole, rest, chance) -> pd.DataFrame:
    """Mirror correlations (x, y) of each key, whole and without the peak, and what chance gives without the peak."""
    pairs = {"rho_{}": whole, "rho_{}_rest": rest, "chance_{}": chance}
    columns = {name.format(axis): values for name, pair in pairs.items() for axis, values in zip("xy", pair, strict=True)}
    return pd.DataFrame({"key": range(1, 1 + len(whole[0]))} | columns)


def sum_numbers(sums) -> dict:
    """Numbers of the text: sums and norms."""
    return {
        "largest_sum": (np.abs(sums["sum"]).max(), ".0e"),
        "l2_deviation": (np.abs(sums.l2 - 1).max(), ".0e", "up"),
        "l1_difference": (np.abs(sums.difference).max(), ".1g"),
    }


def centred_numbers(ratio) -> dict:
    """Numbers of the text: what centring changes."""
    return {
        "plain_centred": (ratio[4:].max(), ".2f", "up"),
        "plain_least": (ratio[:4].min(), ".2f"),
        "plain_largest": (ratio[:4].max(), ".2f"),
    }


def symmetry_numbers(odd, chance, axis, first_six, even, symmetry) -> dict:
    """Numbers of the text: symmetry."""
    within = np.abs(odd) <= chance[axis, first_six]
    return {
        "even_least": (even.min(), ".3f", "down"),
        "odd_within": page.of_all(int(within[:4].sum()), 4),
        "centred_odd": (max(symmetry.rho_x[4], symmetry.rho_y[5]), ".2f", "up"),
    }


def correlations(filters, without_peak):
    return [structure.mirror_correlation(filters, axis, without_peak) for axis in (0, 1)]
