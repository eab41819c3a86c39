"""Answers to the exercises of chapter 6: a right one each, and wrong ones with a word of their hint."""

import numpy as np

import keyfilters as kf
from keyfilters.fitting.grid import published_windows, refined_minimum
from keyfilters.fitting.variance import closed_form, factor_variance, match_variance, weighted_variances


def _matched(h, row, scale, in_weight=None, in_match=None):
    variances = weighted_variances(h, row, "crop", in_weight or scale)
    return [match_variance(op, v, 7, "crop", in_match or scale)[0] for op, v in zip((row.x, row.y), variances, strict=True)]


def _limit(weight=None):
    n = np.arange(-3, 4)
    weight = kf.discrete_gaussian(1.0, 3) if weight is None else weight
    return (n**2 * weight).sum() / weight.sum()


def _both(variance):
    return {"variance": variance, "scale": np.sqrt(2 * variance)}


def _errors():
    row = kf.KEYS[3]
    v = weighted_variances(kf.normalized_filters()[3], row, "crop")[1]
    root, grid = match_variance(row.y, v, 7, "crop")[0], published_windows()["B", "4", "y"].values
    d = factor_variance(row.y, grid, 7, "crop") - v
    i = int(np.flatnonzero(np.diff(np.sign(d)))[0])
    linear = np.interp(0.0, d[i : i + 2], grid[i : i + 2])
    near = slice(i - 1, i + 2)
    inverse = np.polyval(np.polyfit(d[near] / d[i + 1], grid[near] - root, 2), 0.0)
    return {"squares": refined_minimum(grid, d**2) - root, "linear": linear - root, "inverse": inverse}


ANSWERS = {
    "6.1": (
        lambda: _matched,
        [
            (lambda h, row, scale: _matched(h, row, scale)[::-1], "exchanged"),
            (lambda h, row, scale: closed_form(h, row, "crop"), "method A"),
            (lambda h, row, scale: _matched(h, row, scale, in_match=1.0), "both sides"),
            (lambda h, row, scale: _matched(h, row, scale, in_weight=1.0, in_match=1.0), "at all"),
            (lambda h, row, scale: [0.5, 0.5], "operator"),
            ([0.5, 0.5], "function"),
        ],
    ),
    "6.2": (
        lambda: _both(_limit()),
        [
            (_both(4.0), "template is missing"),
            (_both(1.0), "window"),
            (_both(_limit(kf.discrete_gaussian(1.0, 3) ** 2)), "itself"),
            (_both(_limit()) | {"scale": np.sqrt(_limit())}, "equally wide"),
            (_both(_limit()) | {"scale": 3.0}, "closed form"),
            (_both(0.7), "tend to"),
        ],
    ),
    "6.3": (
        _errors,
        [
            ({name: -value for name, value in _errors().items()}, "sign"),
            (_errors() | {"squares": 0.4}, "its error"),
            (_errors() | {"linear": 2e-6}, "published window"),
            (_errors() | {"inverse": _errors()["squares"]}, "that of squares"),
            (_errors() | {"inverse": 1e-8}, "does better"),
        ],
    ),
}

ROUNDED = {
    "6.2": lambda: {"variance": 0.9643, "scale": 1.3887},
    "6.3": lambda: {"squares": -7.4e-08, "linear": -2.9e-09, "inverse": 2.5e-12},
}
"""Right answers at the digits that the solution prints."""
