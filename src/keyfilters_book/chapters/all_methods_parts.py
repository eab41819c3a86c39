"""What the chapter *All methods side by side* shows: its tables, and least norms of many filters on grids."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

import keyfilters as kf

__all__ = ["convention_table", "least_norm"]

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
