"""Answers to the exercises of chapter 32: a right one each, and wrong ones with a word of their hint."""

import numpy as np


def _weights(angle):
    return np.cos(angle) ** 2, np.sin(2 * angle), np.sin(angle) ** 2


ANSWERS = {
    "32.1": (
        lambda: (1.5, 2.5),
        [
            ((2.5, 1.5), "exchanged"),
            ((0, 1), "turned"),
            ((0.5, 1.5), "variances"),
            ((-1.5, 1.5), "corners share"),
            ((0, 9), "first"),
            ([1, 2, 3], "shape"),
        ],
    ),
    "32.2": (
        lambda: _weights,
        [
            (lambda a: (np.cos(a) ** 2, np.cos(a) * np.sin(a), np.sin(a) ** 2), "twice"),
            (lambda a: (np.sin(a) ** 2, -np.sin(2 * a), np.cos(a) ** 2), "across"),
            (lambda a: (np.cos(a) ** 2, np.sin(2 * a), -(np.sin(a) ** 2)), "sign"),
            (lambda a: (np.cos(a), 0, np.sin(a)), "first derivatives"),
            (lambda a: (1, 0, 1), "Square"),
            (lambda a: 1.0, "shape"),
        ],
    ),
    "32.3": (
        lambda: 1 + np.sqrt(2),
        [
            ((1 + np.sqrt(2)) ** 2, "variances"),
            (np.sqrt(2) - 1, "shorter"),
            (10.0, "45 degrees"),
            (2.0, "Set"),
            ("long", "number"),
        ],
    ),
}

ROUNDED = {"32.3": lambda: 2.414}
