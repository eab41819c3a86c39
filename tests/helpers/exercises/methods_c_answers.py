"""Answers to the exercises of chapter 7: a right one each, and wrong ones with a word of their hint."""

import numpy as np

import keyfilters as kf
from keyfilters_book.paper.landscape import two_scale_problem


def _multiplier(numbers, c):
    others = np.asarray(numbers)[np.asarray(numbers) != c]
    return -np.sign(c - others).sum()


WRONG = [0, 10, 20, 30, 41, 48]


def _moved(norm=np.inf):
    optimum = kf.fit(5, "C1")
    corrupt = optimum.model().ravel().copy()
    corrupt[WRONG] += 0.05
    found = kf.fit(5, "D1", filter=corrupt.reshape(7, 7), normalized=True)
    return np.linalg.norm([found.sigma_x - optimum.sigma_x, found.sigma_y - optimum.sigma_y], norm)


def _multipliers(up=-1, own_signs=False):
    found = kf.fit(1, "C1")
    residual, jacobian, _ = two_scale_problem(1).evaluate([found.sigma_x**2, found.sigma_y**2])
    taps = [(3 + up * y) * 7 + x + 3 for x, y in found.certificate.active]
    slopes = np.sign(residual)
    slopes[taps] = [1, -1] if own_signs else 0
    return np.linalg.solve(jacobian[taps].T, -slopes @ jacobian)


ANSWERS = {
    "7.1": (
        lambda: _multiplier,
        [
            (lambda numbers, c: -_multiplier(numbers, c), "balance"),
            (lambda numbers, c: _multiplier(numbers, c) / len(numbers), "divided"),
            (lambda numbers, c: (numbers - c).sum(), "sign of r"),
            (lambda numbers, c: 0.0, "how many -1"),
            (lambda numbers, c: _multiplier(numbers, c) + 1, "itself"),
            (0.0, "function"),
        ],
    ),
    "7.2": (
        lambda: {"taps": WRONG, "moved": _moved()},
        [
            ({"taps": list(range(49)), "moved": _moved()}, "rounding"),
            ({"taps": [tap + 1 for tap in WRONG], "moved": _moved()}, "from 0"),
            ({"taps": WRONG, "moved": 0.0}, "l1 fit"),
            ({"taps": WRONG, "moved": _moved(2)}, "length"),
            ({"taps": WRONG, "moved": 0.05}, "made with"),
            (WRONG, "in this order"),
        ],
    ),
    "7.3": (
        _multipliers,
        [
            (-_multipliers(), "sign"),
            (_multipliers()[::-1], "order"),
            (_multipliers(own_signs=True), "rounding"),
            (_multipliers(up=1), "y points up"),
            ([2.0, 0.1], "exceeds 1"),
            ([0.1, 0.1], "Two equations"),
        ],
    ),
}

ROUNDED = {"7.2": lambda: {"taps": [0, 10, 20, 30, 41, 48], "moved": 0.1}, "7.3": lambda: [-0.3156, -0.5514]}
"""Right answers at the digits that the solution prints."""
