"""Answers to the exercises of chapter 5: a right one each, and wrong ones with a word of their hint."""

import numpy as np

from keyfilters.fitting.variance import factor_variance


def _rounds():
    reference, history = 1.0, []
    for _ in range(8):
        reference = float(np.sqrt(2 * factor_variance("identity", 0.6, 7, "crop", reference)))
        history.append(reference)
    return history


ANSWERS = {
    "5.1": (
        lambda: lambda v, derivative: np.sqrt(2 * v / 3) if derivative else np.sqrt(2 * v),
        [
            (lambda v, derivative: np.sqrt(v), "which is smaller"),
            (lambda v, derivative: np.sqrt(2 * v), "outwards"),
            (lambda v, derivative: np.sqrt(2 * v * 3) if derivative else np.sqrt(2 * v), "derivative axis"),
            (0.5, "function"),
        ],
    ),
    "5.2": (
        _rounds,
        [
            ([_rounds()[0]] * 8, "same"),
            ([1.0, *_rounds()[:-1]], "first round"),
            ([_rounds()[0], *np.square(_rounds()[1:])], "later"),
            ([0.5], "shape"),
        ],
    ),
    "5.3": (
        lambda: lambda v: np.sqrt(v / (1 - v)),
        [
            (lambda v: np.sqrt(2 * v), "method A itself"),
            (lambda v: v / (1 - v), "variance of the filter"),
            (lambda v: 1 / 0, "ZeroDivisionError"),
        ],
    ),
}

ROUNDED = {"5.2": lambda: [0.5443, 0.3183, 0.1885, 0.112, 0.0666, 0.0397, 0.0236, 0.014]}
"""Right answers at the digits that the solution prints."""
