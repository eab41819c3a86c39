"""What the chapter *Discrete scale space* shows: names of its kernels, formats of its tables, two of its figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keyfilters_book import figures, page

LABELS = {
    "discrete": "discrete analogue",
    "sampled": "sampled",
    "normalized-sampled": "normalised sampled",
    "integrated": "integrated",
}
"""Kinds of kernels, by their names in the text."""
MOMENTS = {
    "formats": dict.fromkeys(
        ("sum, sampled", "variance, sampled", "variance, integrated", "variance, discrete analogue"), "{:.4f}"
    ),
    "headers": {"sigma": r"$\sigma$"},
}
BIAS = {
    "formats": dict.fromkeys(("smoothing", "centred difference", "one-sided difference"), "{:.3f}"),
    "headers": {"sigma": r"$\sigma$"},
}


def kernel_figure(kernels) -> tuple[Figure, dict]:
    """The kernels as stems, from scale to kind to taps; and the data."""
    stems = {rf"$\sigma$ = {sigma:g}": {LABELS[kind]: taps for kind, taps in group.items()} for sigma, group in kernels.items()}
    data = {f"sigma_{sigma:g}_{kind}": taps for sigma, group in kernels.items() for kind, taps in group.items()}
    return figures.kernel_stems(stems), data


def columns(sigma, panels) -> pd.DataFrame:
    """The data behind panels of curves over the scale, from title to label to curve."""
    return pd.DataFrame(
        {"sigma": sigma} | {f"{title}, {label}": y for title, group in panels.items() for label, y in group.items()}
    )


def model_title(row) -> str:
    """The key and the symbols of its model."""
    return f"key {row.number}:  ${row.symbol if row.number == 7 else row.symbol.replace('1', '')}\\, T$"


def variance_figure(sigma, itself, weighted) -> tuple[Figure, dict]:
    """Variances over squared scale, unweighted and weighted, beside the constants of the continuum; figure and panels."""
    ones = np.ones_like(sigma)
    panels = {
        "unweighted": itself | {"continuum, plain axis": ones, "continuum, derivative axis": 2 * ones},
        "weighted by itself": weighted | {"continuum, plain axis": ones / 2, "continuum, derivative axis": 1.5 * ones},
    }
    return figures.curves(sigma, panels, xlabel=r"$\sigma$", ylabel=r"variance / $\sigma^2$", ylim=(0, 5)), panels


def sampling_numbers(grid, table, half) -> dict:
    """Numbers of the text: what sampling does at half a grid unit."""
    poisson = 1 + 2 * sum(np.exp(-2 * np.pi**2 * k**2 * grid**2) for k in range(1, 9))
    poisson_error = np.abs(poisson - table["sum, sampled"]).max()
    return {
        "sampled_sum": (half["sum, sampled"], ".3f"),
        "sampled_variance": (half["variance, sampled"], ".2f"),
        "integrated_variance": (half["variance, integrated"], ".2f"),
        "poisson_error": (page.power_of_ten(poisson_error), ".0e"),
    }


def bias_numbers(half, product) -> dict:
    """Numbers of the text: how much narrower differences are than derivatives."""
    return {
        "bias_half": (half["smoothing"], ".2f"),
        "bias_half_centred": (half["centred difference"], ".2f"),
        "bias_half_one_sided": (half["one-sided difference"], ".2f"),
        "product_error": (page.power_of_ten(np.abs(product).max()), ".0e"),
    }


def closed_numbers(itself, s, formulas, taps, moments) -> dict:
    """Numbers of the text: closed forms of the variances."""
    closed = max(np.abs(itself[name] * s - formulas[name]).max() for name in taps)
    offset = np.abs(moments(taps["one-sided difference"])[1] + 0.5).max()
    return {"closed_error": (page.power_of_ten(closed), ".0e"), "offset_error": (page.power_of_ten(offset), ".0e")}


def identities(bessel, total, variance, fine, first, second, both, plus, minus, eps, diffusion) -> dict:
    """What is zero for the discrete analogue, by the name of the identity."""
    return {
        "formula against Bessel functions": bessel,
        "sum - 1": total - 1,
        "variance - s": variance - fine**2,
        "semigroup": np.convolve(first, second) - both,
        "diffusion equation (centred difference in s)": (plus - minus) / (2 * eps) - diffusion,
    }
