"""Answers to the exercises of chapter 14: a right one each, and wrong ones with a word of their hint."""

import numpy as np

from keyfilters.fitting.problem import factors
from keyfilters_book.benchmarks import BENCHMARK_SCALES

N = BENCHMARK_SCALES.size


def _quotient(below=1, above=1, divide=2e-5):
    s, step = 0.4, 1e-5
    taps = [factors("forward", s + k * step, 7, "crop")[0] for k in (above, -below)]
    return (taps[0] - taps[1]) / divide


def _map(column, row, target, mixed=2, energy=1):
    squares = np.outer((column**2).sum(1), (row**2).sum(1))
    return squares - mixed * column @ target @ row.T + energy * (target**2).sum()


ANSWERS = {
    "14.1": (
        lambda: {"made": 2 * N**2, "enough": 2 * N},
        [
            ({"made": N**2, "enough": 2 * N}, "two-dimensional"),
            ({"made": 2 * N**2, "enough": N}, "two axes"),
            ({"made": 2 * N**2, "enough": N**2}, "does not depend"),
            ({"made": 1, "enough": 1}, "points of the grid"),
        ],
    ),
    "14.2": (
        _quotient,
        [
            (_quotient(below=0, divide=1e-5), "one-sided"),
            (_quotient(divide=1e-5), "two steps apart"),
            (_quotient(divide=1), "not yet"),
            (_quotient(above=-1, below=-1), "sign"),
            (_quotient() * 2 * np.sqrt(0.4), "by the scale"),
            (np.ones(7), "both sides of s"),
        ],
    ),
    "14.3": (
        lambda: _map,
        [
            (lambda c, r, t: _map(c, r, t, mixed=1), "mixed term"),
            (lambda c, r, t: _map(c, r, t, energy=0), "energy"),
            (lambda c, r, t: np.sqrt(_map(c, r, t)), "norm"),
            (lambda c, r, t: _map(c, r, t.T), "diagonal"),
            (lambda c, r, t: _map(c, r, t).T, "shape"),
            (lambda c, r, t: np.zeros((5, 4)), "three terms"),
        ],
    ),
}
