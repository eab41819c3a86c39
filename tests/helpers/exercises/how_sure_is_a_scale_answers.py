"""Answers to the exercises of chapter 31: a right one each, and wrong ones with a word of their hint."""

import numpy as np
from scipy import stats

import keyfilters as kf


def _half(level, name="sigma_x"):
    low, high = kf.fit(8, "D1").interval(level)[name]
    return (high - low) / 2


def _factor(quantile, degrees):
    return stats.t.ppf(quantile, degrees) / stats.norm.ppf(quantile)


def _count(errors, share):
    return int(np.ceil(errors * share * (1 - share) / 0.02**2))


ANSWERS = {
    "31.1": (
        lambda: _half(0.68),
        [
            (2 * _half(0.68), "whole"),
            (_half(0.95), "level"),
            (_half(0.68, "sigma_y"), "other axis"),
            (1.0, "difference"),
            ([1, 2], "one"),
        ],
    ),
    "31.2": (
        lambda: _factor(0.975, 21),
        [
            (1 / _factor(0.975, 21), "narrower"),
            (_factor(0.95, 21), "two ends"),
            (_factor(0.975, 48), "dimensions"),
            (np.sqrt(21 / 19), "quantiles"),
            (2.0, "Compare"),
        ],
    ),
    "31.3": (
        lambda: _count(9, 0.93),
        [
            (_count(9, 0.95), "Which"),
            (_count(1, 0.93), "One standard error"),
            (_count(9, 0.93) - 1, "whole"),
            (_count(3, 0.93), "root"),
            (1000, "falls"),
        ],
    ),
}

ROUNDED = {"31.1": lambda: round(_half(0.68), 4), "31.2": lambda: round(_factor(0.975, 21), 3)}
