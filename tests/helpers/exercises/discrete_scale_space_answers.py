"""Answers to the exercises of chapter 2: a right one each, and wrong ones with a word of their hint."""

import numpy as np
from scipy.special import ive

import keyfilters as kf
from keyfilters.gaussian import GAUSSIAN_KINDS


def _cascades(once, power=1.0, radius=20):
    found = {}
    for kind in GAUSSIAN_KINDS:
        twice = np.convolve(*(kf.gaussian_kernel(0.5, radius, kind=kind) for _ in range(2)))
        found[kind] = np.linalg.norm(twice - kf.gaussian_kernel(once, 2 * radius, kind=kind), power)
    return found


def _closed(sigma):
    s = sigma**2
    return s * (1 + ive(1, s) / ive(0, s)) + 0.25


ANSWERS = {
    "2.1": (
        lambda: np.sqrt(2 * 0.25 / 1.25),
        [(0.5, "scale of the filter"), (0.2, "product itself"), (np.sqrt(1.25), "multiplied"), (1.0, "exponents")],
    ),
    "2.2": (
        lambda: _cascades(np.sqrt(0.5), 1),
        [
            (_cascades(1.0, 1), "add"),
            (_cascades(np.sqrt(0.5), np.inf), "largest difference"),
            (_cascades(np.sqrt(0.5), 1) | {"sampled": 0.0}, "sampled"),
            (_cascades(np.sqrt(0.5), 1) | {"discrete": 0.01}, "discrete"),
            (["discrete"], "in this order"),
        ],
    ),
    "2.3": (
        lambda: _closed,
        [
            (lambda sigma: _closed(sigma) + 0.25, "origin"),
            (lambda sigma: 2 * sigma**2, "continuum"),
            (lambda sigma: _closed(np.sqrt(sigma)), "takes the scale"),
            (lambda sigma: _closed(sigma) - 0.25, "two taps"),
            (lambda sigma: sigma**2, "norm first"),
        ],
    ),
}

ROUNDED = {"2.2": lambda: {"discrete": 2.8e-15, "sampled": 0.17, "normalized-sampled": 0.16, "integrated": 0.040}}
"""Right answers at the digits that the solution prints."""
