"""Answers to the exercises of chapter 30: a right one each, and wrong ones with a word of their hint."""

import numpy as np

import keyfilters as kf


def _ratios():
    return np.array([c / a for a, c in (tuple(kf.fit_components(key, "blob").coefficients.values()) for key in range(1, 5))])


def _balance():
    return np.where([True, False, False, True], 1 - _ratios(), 1 + _ratios())


def _saved():
    return (kf.fit_components(1, "paper").left - kf.fit_components(1, "blob").left) * (kf.normalized_filters()[0] ** 2).sum()


def _level():
    return float(np.sqrt(_saved() / np.log(49)))


ANSWERS = {
    "30.1": (
        _balance,
        [
            (1 - _ratios(), "backward"),
            (1 + _ratios(), "forward"),
            (_ratios(), "c over a"),
            (1 / _balance(), "Turned over"),
            ([1, 1, 1, 1], "Collect"),
            ([1, 1], "shape"),
        ],
    ),
    "30.2": (
        lambda: lambda p, q: (p + q, (q - p) / 2),
        [
            (lambda p, q: (p + q, q - p), "twice"),
            (lambda p, q: ((p + q) / 2, (q - p) / 2), "half"),
            (lambda p, q: (p + q, (p - q) / 2), "right"),
            (lambda p, q: (p, q), "Compare"),
        ],
    ),
    "30.3": (
        _level,
        [
            (_level() ** 2, "square"),
            (_level() / np.linalg.norm(kf.normalized_filters()[0]), "Shares"),
            (np.sqrt(_saved()), "cost"),
            (_level() / np.sqrt(2), "How many"),
            (1.0, "Set"),
        ],
    ),
}

ROUNDED = {"30.1": lambda: np.round(_balance(), 3), "30.3": lambda: round(_level(), 3)}
