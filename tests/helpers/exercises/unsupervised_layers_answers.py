"""Answers to the exercises of chapter 24: a right one each, and wrong ones with a word of their hint."""

import numpy as np
from scipy.linalg import sqrtm

from keyfilters.uncertainty import bootstrap_interval


def _change(turn, covariance, mixed=2, own=1, white=1):
    overlap = np.trace(turn @ sqrtm(covariance).real)
    return white * len(turn) + own * np.trace(covariance) - mixed * overlap


def _norm(turn, covariance):
    w = turn @ np.linalg.inv(sqrtm(covariance).real) - np.eye(len(turn))
    return (w**2).sum()


def _gap(a, b, seed=1, level=0.95):
    found = bootstrap_interval(a - b, level=level, seed=seed)
    return found.estimate, found.low, found.high


def _unpaired(a, b):
    rng = np.random.default_rng(0)
    means = [rng.choice(a, len(a)).mean() - rng.choice(b, len(b)).mean() for _ in range(1000)]
    return ((a - b).mean(), *np.quantile(means, [0.025, 0.975]))


ANSWERS = {
    "24.1": (
        lambda: _change,
        [
            (lambda u, s: _change(u, s, mixed=1), "twice"),
            (lambda u, s: _change(u, s, white=0), "whitened data"),
            (lambda u, s: _change(u, s, own=0), "data themselves"),
            (lambda u, s: len(u) + np.trace(s) - 2 * np.trace(u @ s), "inverse root"),
            (lambda u, s: _change(u, s) / len(u), "over the components"),
            (_norm, "norm of W - I"),
            (lambda u, s: _change(np.eye(len(u)), s), "Expand"),
            (1.0, "function"),
        ],
    ),
    "24.2": (
        lambda: lambda c: -2 * np.log(c),
        [
            (lambda c: 2 * np.log(c), "less often"),
            (lambda c: -np.log(c), "How many units"),
            (lambda c: -(c**2), "exponent"),
            (lambda c: -np.log(c**2 - 1), "both probabilities"),
        ],
    ),
    "24.3": (
        lambda: _gap,
        [
            (lambda a, b: [-x for x in _gap(a, b)], "first less the second"),
            (lambda a, b: (np.median(a - b), *_gap(a, b)[1:]), "median"),
            (lambda a, b: ((a - b).mean(), *np.quantile(a - b, [0.025, 0.975])), "single filters"),
            (_unpaired, "draw pairs"),
            (lambda a, b: _gap(a, b, level=0.9), "not one of 95 %"),
            (lambda a, b: _gap(a, b)[:2], "shape"),
        ],
    ),
}
