"""What the chapter *The eight learned filters* shows: the formats of its tables and the table of symmetry."""

from __future__ import annotations

import pandas as pd

__all__ = ["symmetry_table"]

_L1 = r"$\lVert h \rVert_1$"
SUMS = {
    "formats": {"sum": "{:+.0e}", "l2": "{:.6f}", "l1": "{:.6f}", "l1_published": "{:.6f}", "difference": "{:.1g}"},
    "headers": {"l2": r"$\lVert h \rVert_2$", "l1": _L1, "l1_published": f"{_L1} published"},
}
SYMMETRY = {
    "formats": dict.fromkeys(("rho_x", "rho_y", "rho_x_rest", "rho_y_rest"), "{:+.3f}")
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
