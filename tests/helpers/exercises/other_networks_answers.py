"""Answers to the exercises of chapter 21: a right one each, and wrong ones with a word of their hint."""

import numpy as np


def _rule(low, high):
    return "for" if low >= 0.05 else "against" if high < 0 else "undecided"


def _shares(explained, energy):
    return {"energy": explained @ energy / energy.sum(), "mean": explained.mean(), "median": np.median(explained)}


def _with(**other):
    return lambda explained, energy: _shares(explained, energy) | {name: f(explained, energy) for name, f in other.items()}


def _merged(large, small, dilation):
    kernel = large.copy()
    for i in range(3):
        for j in range(3):
            kernel[3 + dilation * (i - 1), 3 + dilation * (j - 1)] += small[i, j]
    return kernel


def _in_place(large, small, dilation):
    large[3 - dilation : 4 + dilation : dilation, 3 - dilation : 4 + dilation : dilation] += small
    return large


def _cornered(large, small, dilation):
    kernel = large.copy()
    first = 2 if dilation == 1 else 0
    kernel[first : first + 2 * dilation + 1 : dilation, first : first + 2 * dilation + 1 : dilation] += small
    return kernel


ANSWERS = {
    "21.1": (
        lambda: _rule,
        [
            (lambda low, high: "for" if low > 0 else "against" if high < 0 else "undecided", "margin"),
            (lambda low, high: "for" if low >= 0.05 else "undecided" if high >= 0.05 else "against", "less than the margin"),
            (lambda low, high: _rule((low + high) / 2, (low + high) / 2), "width"),
            (lambda low, high: "for" if low > 0.05 else "against" if high <= 0 else "undecided", "exactly"),
            (lambda low, high: low > 0.05, "three words"),
            ("for", "function"),
        ],
    ),
    "21.2": (
        lambda: _shares,
        [
            (_with(energy=lambda r, e: r.mean()), "each alike"),
            (_with(energy=lambda r, e: r @ e), "total"),
            (_with(energy=lambda r, e: r @ np.sqrt(e) / np.sqrt(e).sum()), "norms"),
            (_with(energy=lambda r, e: 0.0), "all filters together"),
            (_with(mean=lambda r, e: np.median(r), median=lambda r, e: r.mean()), "exchanged"),
            (_with(mean=lambda r, e: r @ e), "do not enter"),
            (_with(median=lambda r, e: r[0]), "half"),
            (lambda r, e: r.mean(), "in this order"),
        ],
    ),
    "21.3": (
        lambda: _merged,
        [
            (lambda a, b, d: _merged(0 * a, b, d), "alone"),
            (lambda a, b, d: _merged(a, b[::-1, ::-1], d), "turned"),
            (lambda a, b, d: _merged(a, b, 1), "far apart"),
            (_cornered, "same centre"),
            (_in_place, "copy"),
            (lambda a, b, d: a, "impulse"),
            (lambda a, b, d: b, "shape"),
        ],
    ),
}
