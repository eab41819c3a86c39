"""Answers to the exercises of chapter 23: a right one each, and wrong ones with a word of their hint."""

import numpy as np


def _pairs(d1, d2):
    both = np.vstack([d2, -d2])
    return np.hstack([d1, -d1]), np.hstack([both, -both])


def _same_sign(d1, d2):
    both = np.vstack([d2, d2])
    return np.hstack([d1, -d1]), np.hstack([both, -both])


def _exchanged(d1, d2):
    w1, w2 = _pairs(d1, d2)
    return -w1, w2


EPSILON = 2 / 16 / 6.5

ANSWERS = {
    "23.1": (
        lambda: lambda x, t: np.clip(x, -t, t),
        [
            (lambda x, t: np.sign(x) * np.maximum(np.abs(x) - t, 0), "other half"),
            (lambda x, t: np.where(np.abs(x) <= t, x, 0), "nearest"),
            (lambda x, t: np.clip(x, 0, t), "both sides"),
            (lambda x, t: np.clip(x, -1, 1), "depends on t"),
            (lambda x, t: np.maximum(x, -t), "Minimise"),
            (lambda x, t: 0.0, "shape"),
        ],
    ),
    "23.2": (
        lambda: _pairs,
        [
            (lambda d1, d2: (d1, d2), "second set of atoms"),
            (lambda d1, d2: (np.hstack([d1, -d1]), np.hstack([d2, -d2])), "both halves"),
            (_same_sign, "second layer does not keep"),
            (_exchanged, "exchanged"),
            (lambda d1, d2: np.hstack([d1, -d1]), "Two matrices"),
        ],
    ),
    "23.3": (
        lambda: {"epsilon": EPSILON, "nearer": "thresholding"},
        [
            ({"epsilon": 2 / 16 / 7.5, "nearer": "thresholding"}, "adds"),
            ({"epsilon": 3 / 16 / 6.5, "nearer": "thresholding"}, "by itself"),
            ({"epsilon": 2 / 6.5, "nearer": "thresholding"}, "coherence of this dictionary"),
            ({"epsilon": 0.05, "nearer": "thresholding"}, "bounds equal"),
            ({"epsilon": EPSILON, "nearer": "basis pursuit"}, "quotient"),
            ({"epsilon": EPSILON, "nearer": "both"}, "one of"),
        ],
    ),
}

ROUNDED = {"23.3": lambda: {"epsilon": 0.019, "nearer": "thresholding"}}
"""Right answers at the digits that the solution prints."""
