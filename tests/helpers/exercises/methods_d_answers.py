"""Answers to the exercises of chapter 8: a right one each, and wrong ones with a word of their hint."""

import numpy as np

import keyfilters as kf
from keyfilters_book.paper.landscape import two_scale_problem

KEYS = (1, 2, 3, 4, 5, 6, 8)


def _slope(below, middle, above):
    return 2 * (middle - 1) - below - above


def _amplitudes(rule=lambda m, t: m @ t / (m @ m)):
    g = kf.normalized_filters()
    return {method: [rule(kf.fit(key, method).model().ravel(), g[key - 1].ravel()) for key in KEYS] for method in ("C1", "D1")}


def _rate(newton=True):
    found = kf.fit(8, "D1")
    r, jacobian, second = two_scale_problem(8).evaluate([found.sigma_x**2, found.sigma_y**2])
    return np.linalg.solve(jacobian.T @ jacobian + newton * np.tensordot(r, second, 1), jacobian[25])


def _scales():
    found = kf.fit(8, "D1")
    return np.array([found.sigma_x, found.sigma_y])


ANSWERS = {
    "8.1": (
        lambda: _slope,
        [
            (lambda below, middle, above: 0.0, "in the scale"),
            (lambda below, middle, above: -_slope(below, middle, above), "model minus filter"),
            (lambda below, middle, above: _slope(below, middle, above) / 2, "factor of 2"),
            (lambda below, middle, above: 2 * middle - below - above, "middle tap"),
            (lambda below, middle, above: middle - 1, "three taps"),
        ],
    ),
    "8.2": (
        _amplitudes,
        [
            (_amplitudes(lambda m, t: m @ t / (t @ t)), "to be scaled"),
            (_amplitudes(lambda m, t: np.linalg.norm(t) / np.linalg.norm(m)), "Equal norms"),
            (_amplitudes(lambda m, t: m @ t / np.linalg.norm(m) / np.linalg.norm(t)), "cosine"),
            (_amplitudes() | {"C1": [1.0] * 7}, "C1, key 1"),
            (_amplitudes() | {"D1": [1.0] * 8}, "shape"),
        ],
    ),
    "8.3": (
        _rate,
        [
            (-_rate(), "sign"),
            (_rate()[::-1], "exchanged"),
            (_rate() / (2 * _scales()), "of the scales"),
            (_rate(newton=False), "second term"),
            (2 * _rate(), "factor of 2"),
            (1e-3 * _rate(), "divided by t"),
            ([1.0, -1.0], "stays zero"),
        ],
    ),
}

ROUNDED = {"8.2": lambda: {"C1": [0.63, 0.90, 1.55, 1.36, 0.86, 0.99, 1.01], "D1": [0.96, 0.98, 1.04, 1.08, 0.92, 0.90, 1.01]}}
"""Right answers at the digits that the solution prints."""
