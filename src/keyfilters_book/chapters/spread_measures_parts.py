"""What the chapter *Spread measures and two working hypotheses* shows: formats of its tables, and two of its figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import keyfilters as kf
from keyfilters_book import figures, page
from keyfilters_book.paper import structure

NULLS = {"none": "all permuted", "two largest": "two largest kept", "rings": "permuted within rings"}
"""Kinds of permuted filters, by their names in the text."""
MEASURES = {
    "formats": dict.fromkeys(("x", "y", "xx", "xy", "yy"), "{:.5f}"),
    "headers": {"x": "$M_x$", "y": "$M_y$", "xx": "$V_{xx}$", "xy": "$V_{xy}$", "yy": "$V_{yy}$"},
}
SEPARABILITY = {
    "formats": {"rho": "{:+.3f}"} | dict.fromkeys(("energy", *NULLS.values()), "{:.4f}"),
    "headers": {"rho": r"$\rho$", "energy": "$E_1$"} | {name: f"$p$, {name}" for name in NULLS.values()},
}
OFFSETS = {"formats": dict.fromkeys(("unweighted", "weighted", "centred weight", "two pixels"), "{:+.3f}")}
CHANCE = {"formats": dict.fromkeys(("unweighted", "sd, unweighted", "weighted", "sd, weighted"), "{:.2f}")}


def separability_figure(energy, null_energy) -> tuple[Figure, pd.DataFrame]:
    """What no separable filter represents, of each key and of 90 % of its permuted filters; figure and data."""
    levels, keys = [0.05, 0.5, 0.95], [f"key {k}" for k in range(1, 9)]
    intervals = {NULLS[keep]: np.quantile(1 - values, levels, axis=1).T for keep, values in null_energy.items()}
    data = pd.DataFrame({"key": keys, "observed": 1 - energy})
    for name, values in intervals.items():
        data[[f"{name}, {level:g}" for level in levels]] = values
    xlabel = "non-separable share $1 - E_1$"
    return figures.interval_rows(1 - energy, intervals, rows=keys, xlabel=xlabel, xscale="log"), data


def strongest(f, count: int) -> np.ndarray:
    """A filter with its `count` largest weights alone."""
    return np.where(np.abs(f) >= np.sort(np.abs(f), axis=None)[-count], f, 0)


def separable_numbers(rho, null_mean, joint, energy) -> dict:
    """Numbers of the text: separability and its null."""
    return {
        "mean_rho": (rho.mean(), ".3f"),
        "largest_rho": (rho.max(), ".2f", "up"),
        "null_rho_none": (null_mean["none"].mean(), ".3f"),
        "null_rho_rings": (null_mean["rings"].mean(), ".3f"),
        "joint_rings": (joint["rings"], ".3f"),
        "least_energy": (energy[:6].min(), ".3f", "down"),
    }


def ring_numbers(separability, p_values, joint, permutations) -> dict:
    """Numbers of the text: tests against the null of rings."""
    rings = separability.set_index("key")["permuted within rings"]
    tests = np.array([*p_values.ravel(), *joint.values()])
    return {
        "key2_rings": (rings[2], ".2f"),
        "key7_rings": (rings[7], ".2f"),
        "key8_rings": (rings[8], ".2f"),
        "tests": len(tests),
        "tests_needed": (0.05 / len(tests), ".4f", "down"),
        "tests_passed": int((tests <= 0.05 / len(tests)).sum()),
        "tests_least": (1 / (1 + permutations), ".4f", "up"),
    }


def energy_numbers(h, energy, model7) -> dict:
    """Numbers of the text: energy outside the separable part."""
    return {
        "raw_energy_8": (structure.rank_one_energy(h)[7], ".3f"),
        "energy_8": (energy[7], ".3f"),
        "model7_energy": (structure.rank_one_energy(model7), ".3f"),
        "energy_7": (energy[6], ".3f"),
    }


def asymmetry_numbers(asymmetry, share) -> dict:
    """Numbers of the text: asymmetry and non-separable shares."""
    return {
        "asymmetry_largest": (100 * asymmetry.max(), ".1f", "up"),
        "non_separable_least": (100 * share.min(), ".1f"),
        "non_separable_largest": (100 * share.max(), ".1f"),
        "factor_least": ((share / asymmetry).min(), ".0f", "down"),
    }


def weighted_numbers(offsets, chance, flat) -> dict:
    """Numbers of the text: the weighted measure under chance."""
    away = (offsets.weighted - 0.5).abs() > (offsets.unweighted - 0.5).abs()
    ends = {"low": offsets.min(), "high": offsets.max()}
    return {
        **{f"{name.replace(' ', '_')}_{end}": (found[name], ".2f") for end, found in ends.items() for name in offsets},
        "chance_weighted": (chance["weighted"].mean(), ".2f"),
        "sd_weighted": (chance["sd, weighted"].mean(), ".1f"),
        "flat_weighted": (flat, ".2f"),
        "weighting_away": page.of_all(int(away.sum()), 4),
    }


def odd_numbers(learned, even, lead) -> dict:
    """Numbers of the text: where the filters are odd."""
    return {
        "odd_maximum_at_half": page.of_all(int((learned.idxmax() == 0.5).sum()), 4),
        "odd_low": (learned.loc[0.5].min(), ".2f"),
        "odd_high": (learned.loc[0.5].max(), ".2f"),
        "even_low": (even[learned.columns].min(), ".2f"),
        "even_high": (even[learned.columns].max(), ".2f"),
        "model_even": (even["model"], ".2f"),
        "even_wins": page.of_all(int((lead > 0).sum()), 4),
        "even_lead": (lead[lead > 0].drop("key 1").max(), ".2f", "up"),
    }


def laplacian_numbers(of_laplacian, laplacian_energy) -> dict:
    """Numbers of the text: the Laplacian, which is not separable."""
    return {"laplacian_correlation": (of_laplacian, ".0f"), "laplacian_energy": (laplacian_energy, ".3f")}


def chance_table(measures, filters: np.ndarray, permutations: int, seed: int) -> pd.DataFrame:
    """Mean and standard deviation of two measures of keys 1 to 4 over permuted filters."""
    chance = pd.DataFrame(index=pd.Index([1, 2, 3, 4], name="key"))
    stacks = {row: structure.permuted_filters(filters[row.number - 1], permutations, seed + row.number) for row in kf.KEYS[:4]}
    for name in ("unweighted", "weighted"):
        null = [measures[name](stack, row) for row, stack in stacks.items()]
        chance[name], chance[f"sd, {name}"] = np.mean(null, axis=1), np.std(null, axis=1)
    return chance


def offset_error(templates) -> float:
    """How far the means of the models of keys 1 to 4 are from half a pixel, with and without weights, over a grid of scales."""
    grid, error = (0.0, 0.5, 1.0, 2.0), 0.0
    for row in kf.KEYS[:4]:
        for model in kf.ideal_filter(row, *np.meshgrid(grid, grid)).reshape(-1, 7, 7):
            for weight in (None, templates[row.number - 1]):
                error = max(error, np.abs(kf.spread(model, weight).mean - row.expected_offset).max())
    return error


def offset_numbers(error: float, exact_edge: float) -> dict:
    """Numbers of the text: the bound of that error, and the mean of a filter that is differenced before it is cut."""
    return {"model_offset_error": (page.power_of_ten(error), ".0e"), "exact_edge": (exact_edge, ".3f")}
