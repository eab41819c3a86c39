"""Answers to the exercises of chapter 17: a right one each, and wrong ones with a word of their hint."""

import functools

import numpy as np
from scipy.stats import ttest_1samp

from keyfilters_book.experiments.variants import VARIANTS
from keyfilters_book.significance import holm


def _least(comparisons, factor=None, sides=2):
    factor = comparisons if factor is None else factor
    return next(n for n in range(2, 30) if factor * sides / 2**n <= 0.05)


@functools.cache
def _findings(shared=True):
    rng, comparisons = np.random.default_rng(20260201), len(VARIANTS) - 1
    accuracy = rng.standard_normal((1000, 1 + comparisons, 5))
    learned = accuracy[:, :1] if shared else rng.standard_normal((1000, comparisons, 5))
    p = ttest_1samp(learned - accuracy[:, 1:], 0.0, axis=2).pvalue
    return {"plain": int((p.min(axis=1) < 0.05).sum()), "Holm": sum(holm(row).min() < 0.05 for row in p)}


def _norm(**wrong):
    return {"change": 1e-4, "imperfect": "constant", "spoilt": "bias"} | wrong


ANSWERS = {
    "17.1": (
        lambda: _least,
        [
            (lambda m: _least(m, factor=1), "smallest p-value"),
            (lambda m: _least(m, sides=1), "two sides"),
            (lambda m: 3, "Too few"),
            (lambda m: _least(m) + 1, "Not the least"),
        ],
    ),
    "17.2": (
        _findings,
        [
            ({name: count / 1000 for name, count in _findings().items()}, "share"),
            ({"plain": 51, "Holm": 20}, "at least one of all"),
            (_findings(shared=False), "same learned runs"),
            (_findings() | {"Holm": _findings()["plain"]}, "as many as without"),
            (_findings() | {"Holm": 120}, "of that study"),
            ({"plain": 30, "Holm": 300}, "exchanged"),
        ],
    ),
    "17.3": (
        _norm,
        [
            (_norm(change=0), "different norms"),
            (_norm(change=0.8), "all weights"),
            (_norm(imperfect="rounding"), "finer"),
            (_norm(spoilt="weights"), "added before"),
            (_norm(imperfect="dust"), "one of"),
        ],
    ),
}
