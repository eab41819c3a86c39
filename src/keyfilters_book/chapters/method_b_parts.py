"""What the chapter *Method B: matching the variances of discrete filters* shows: the format of its table, two figures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import keyfilters as kf
from keyfilters.fitting.grid import refined_minimum
from keyfilters.fitting.variance import factor_variance
from keyfilters_book import figures, page

SCALES = {
    "formats": {
        "published": "{:.10f}",
        "rerun_difference": "{:+.0e}",
        "reproduced": "{:.10f}",
        "difference": "{:+.1e}",
        "step": "{:.0e}",
    },
    "headers": {"rerun_difference": "search again", "published": "published / root"},
    "pairs": {"reproduced": "published"},
}


def curves_figure(sigma, curves, root, learned) -> Figure:
    """The variance along one axis against the scale, by kind of factor; dots are the learned filters, by key and axis."""
    kinds = {"plain axis": ("identity",), "one-sided difference": ("forward", "backward"), "centred difference": ("central",)}
    panels = [
        figures.ProfilePanel(
            sigma,
            {"idealised filter": curves[title]},
            title=title,
            points=[
                (root[key, axis], learned[key, axis], f"{key}{axis}")
                for key, axis in root
                if getattr(kf.KEYS[key - 1], axis) in operators
            ],
        )
        for title, operators in kinds.items()
    ]
    return figures.profile_panels(panels, xlabel=r"$\sigma$", ylabel="weighted variance", columns=2, width=3.9, height=3.2)


def reference_figure(reference, by_key) -> Figure:
    """Scales (x, y) of each key against the scale of the template."""
    panels = [
        figures.ProfilePanel(reference, {f"key {key}": values[:, i] for key, values in by_key.items()}, title=title)
        for i, title in enumerate((r"$\sigma_x$", r"$\sigma_y$"))
    ]
    return figures.profile_panels(
        panels,
        xlabel=r"$\sigma_{\mathrm{ref}}$",
        ylabel=r"$\sigma$ of method B",
        width=3.9,
        height=3.4,
        legend_columns=4,
        share_y=True,
    )


def solution_numbers(own, residual) -> dict:
    """Numbers of the text: residuals and differences of the solutions."""
    rerun_error = np.abs(own["rerun"] - own.published).max()
    return {
        "b_residual": (page.power_of_ten(residual), ".0e"),
        "b_rerun": (page.power_of_ten(rerun_error), ".0e"),
        "b_largest_difference": (np.abs(own.difference).max(), ".0e"),
        "b_least_difference": (np.abs(own.difference).min(), ".0e"),
    }


def reference_numbers(span, by_key) -> dict:
    """Numbers of the text: what the reference scale does."""
    steadiest = min(span, key=span.get)
    grown = sum(int((values[-1] >= 1.5 * values[0]).sum()) for values in by_key.values())
    return {"b_steadiest": steadiest, "b_steadiest_percent": (100 * (span[steadiest] - 1), ".0f", "up"), "b_doubling": grown}


def searched(operator, variance, grid):
    """The published procedure on a grid, and its lowest sample."""
    f = (factor_variance(operator, grid, 7, "crop") - variance) ** 2
    return refined_minimum(grid, f), grid[np.argmin(f)]
