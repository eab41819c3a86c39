"""What the chapter *All methods side by side* shows: its tables, and least norms of many filters on grids."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

import keyfilters as kf
from keyfilters_book.paper.structure import odd_share

MEASURES = {"relative l1 norm": "relative_l1", "relative l2 norm": "relative_l2", "cosine": "cosine"}
"""Measures of similarity, by their names in the text."""
SCORES = {"relative l1 norm": "{:.2f}", "relative l2 norm": "{:.2f}", "cosine": "{:.3f}"}
MEANS = {
    "formats": dict.fromkeys(MEASURES.values(), "{:.3f}"),
    "headers": {"relative_l1": "relative l1", "relative_l2": "relative l2"},
}
EXPLAINED = {
    "formats": {"explained": "{:.2%}", "as_normalised": "{:.2%}", "amplitude": "{:.3f}", "even": "{:.1%}"},
    "headers": {"explained": "best amplitude", "as_normalised": "as normalised", "amplitude": "$a$", "even": "even part"},
}
CONVENTIONS = {
    "formats": {"dc_scale": "{:.5f}", "edge_scale": "{:.5f}", "edge_l1": "{:+.4f}", "edge_cosine": "{:+.5f}"},
    "headers": {
        "dc_scale": "scale, exact DC",
        "edge_scale": "scale, exact border",
        "edge_method": "in method",
        "edge_l1": "relative l1, exact border",
        "edge_cosine": "cosine, exact border",
    },
}


def _nearest(key: int, targets, metric: str, axes) -> np.ndarray:
    """Of the models on a grid the one nearest to each target, as its scales (x, y)."""
    x, y = [a.ravel() for a in np.meshgrid(*axes)] if len(axes) == 2 else 2 * axes
    models = kf.ideal_filter(key, x, y).reshape(-1, targets.shape[1])
    best = cdist(targets, models, metric).argmin(axis=1)
    return np.stack([x[best], y[best]], axis=1)


def least_norm(key: int, method: str, targets) -> np.ndarray:
    """Scales (x, y) of many filters, shape (m, n, n), by a method that minimises a norm: by two grids, coarse and fine."""
    targets = targets.reshape(len(targets), -1)
    metric = {"C": "cityblock", "D": "sqeuclidean"}[method[0]]
    free = {"1": 2, "2": 1}[method[1]]
    coarse = np.linspace(0, 3, 76)
    found = _nearest(key, targets, metric, free * [coarse])
    step, low, high = coarse[1], found.min(axis=0), found.max(axis=0)
    fine = [np.linspace(max(0, low[i] - step), high[i] + step, 81) for i in range(free)]
    return _nearest(key, targets, metric, fine)


def convention_table(dc, edge) -> pd.DataFrame:
    """The largest change of a scale by the exact constant and the exact border, and what the border changes for D1."""
    table = pd.DataFrame(
        {
            "key": range(1, 9),
            "dc_scale": dc.groupby("key").moved.max().to_numpy(),
            "edge_scale": edge.groupby("key").moved.max().to_numpy(),
            "edge_method": edge.loc[edge.groupby("key").moved.idxmax(), "method"].to_numpy(),
            "edge_l1": edge[edge.method == "D1"].l1.to_numpy(),
            "edge_cosine": edge[edge.method == "D1"].cosine.to_numpy(),
        }
    )
    table.loc[table.edge_scale < 1e-12, "edge_method"] = None
    return table


def similarity_numbers(cosine, l2, l1) -> dict:
    """Numbers of the text: how alike models and filters are, and what the choice of the norm changes."""
    best = cosine.idxmax().value_counts()
    c1_by_l2, d1_by_l1 = l2.loc["C1"] / l2.loc["D1"], l1.loc["D1"] / l1.loc["C1"]
    return {
        "cosine_range": ((cosine.max() - cosine.min()).median(), ".3f"),
        "best_cosine": best.index[0],
        "best_cosine_keys": int(best.iloc[0]),
        "c1_by_l2": (100 * (c1_by_l2 - 1).max(), ".0f"),
        "c1_by_l2_key": int(c1_by_l2.idxmax()),
        "d1_by_l1": (100 * (d1_by_l1 - 1).max(), ".0f", "up"),
        "key_differences": (cosine.mean().max() - cosine.mean().min(), ".2f"),
    }


def left_out_numbers(explained) -> dict:
    """Numbers of the text: what the models explain, and how much of that their symmetry allows."""
    share, even = explained.explained, explained.even
    attained = share / (1 - even)
    return {
        "explained_least": (100 * share.min(), ".0f"),
        "explained_least_key": int(explained.key[share.idxmin()]),
        "explained_derivatives": (100 * share[:6].mean(), ".0f"),
        "explained_rest": (100 * share[6:].min(), ".2f", "down"),
        "attained_least": (100 * attained[:4].min(), ".0f"),
        "attained_most": (100 * attained[:4].max(), ".0f"),
        "even_least": (100 * even[:4].min(), ".0f"),
        "even_most": (100 * even[:4].max(), ".0f"),
        "even_centred": (100 * even[4:6].max(), ".1f", "up"),
    }


def range_numbers(single, both) -> dict:
    """Numbers of the text: the ranges of the scales."""
    by_key = single.groupby("key")[both]
    ranges = (by_key.max() - by_key.min()).max(axis=1)
    centred = single.key.isin((5, 6))
    return {
        "median_centred": (np.median(single[centred][both]), ".2f"),
        "median_others": (np.median(single[~centred][both]), ".2f"),
        "range_derivatives": (ranges[:6].max(), ".2f"),
        "range_key8": (ranges[8], ".2f"),
    }


def firmness_numbers(level, firmness, firm, norms, draws) -> dict:
    """Numbers of the text: how firm the scales are."""
    percent = [f"{100 * level[key]:.1f}" for key in sorted(level)]
    worst = firmness.stack().idxmax()
    return {
        "firm_a": (firm.loc["A"].median(), ".3f"),
        "firm_b": (firm.loc["B"].median(), ".3f"),
        "firm_norms": (firm.loc[norms].stack().median(), ".3f"),
        "firm_draws": draws,
        "noise_percents": ", ".join(percent[:-1]) + f" and {percent[-1]}",
        "firm_worst": f"{worst[0]}, key {worst[1]}",
    }


def convention_numbers(conventions, jump, at_there, at_here) -> dict:
    """Numbers of the text: what the border and the constant change."""
    return {
        "dc_largest": (conventions.dc_scale.max(), ".4f", "up"),
        "edge_centred_l1": (-conventions.edge_l1[4:6].min(), ".3f"),
        "edge_others_l1": (conventions.edge_l1.drop([4, 5]).abs().max(), ".4f", "up"),
        "jump": f"{jump.method}, key {jump.key}",
        "jump_size": (jump.moved, ".3f"),
        "jump_loss": (100 * (at_there / at_here - 1), ".3f"),
    }


def even_share(key, h):
    """The share that is even about the centre of the stencil of a difference."""
    if key.derivative_axis is None:
        return np.nan
    centre = key.expected_offset[key.derivative_axis]
    return 1 - float(odd_share(h, key.derivative_axis, centre))


def scales_of(key, method, targets):
    """Scales (x, y) of many filters: least norms on grids, others by the library."""
    if key != 7 and method[0] in "CD":
        return least_norm(key, method, targets)
    fits = [kf.fit(key, method, filter=g, normalized=True) for g in targets]
    return np.array([(f.sigma_x, f.sigma_y) for f in fits])


def check_scales(first, methods) -> None:
    """That the scales found on grids are as good as those of exact fits, to a hundredth of the norm."""
    for (key, method), (target, scales) in first.items():
        if key != 7 and method in methods:
            rest = np.abs(kf.ideal_filter(key, *scales) - target)
            exact = kf.fit(key, method, filter=target, normalized=True).objective
            above = (rest ** {"C": 1, "D": 2}[method[0]]).sum() / exact - 1
            assert -1e-9 < above < 0.01, f"{above}: {key}, {method}"


def explained_table(fits: pd.DataFrame, filters: np.ndarray, models: np.ndarray) -> pd.DataFrame:
    """How much of each filter its model explains with the best amplitude and as normalised, and the part of it that is even."""
    return pd.DataFrame(
        {
            "key": fits.key.to_list(),
            "explained": [cosine**2 for cosine in fits.cosine],
            "as_normalised": [1 - rest**2 for rest in fits.relative_l2],
            "amplitude": [(h * ideal).sum() / (ideal**2).sum() for h, ideal in zip(filters, models, strict=True)],
            "even": [even_share(key, h) for key, h in zip(kf.KEYS, filters, strict=True)],
        }
    )
