"""Checks of chapter 31, how sure a scale is."""

from __future__ import annotations

import numpy as np
from scipy import stats

from keyfilters.fitting import fit

from .verdict import exercise, hints, near, number, rounded

__all__ = ["check_31_1", "check_31_2", "check_31_3"]


@exercise("half of the interval, a number in grid units", answers="error")
def check_31_1(answer):
    """A standard error from an interval."""
    found = number(answer)
    low, high = fit(8, "D1").interval(0.68)["sigma_x"]
    right = (high - low) / 2
    wide = fit(8, "D1").interval()["sigma_x"]
    other = fit(8, "D1").interval(0.68)["sigma_y"]
    hints(
        (near(found, high - low, rtol=1e-2), "That is the whole interval."),
        (
            near(found, (wide.high - wide.low) / 2, rtol=1e-2),
            "That is half of the interval at its usual level; which level is asked for?",
        ),
        (near(found, (other.high - other.low) / 2, rtol=1e-2), "That is the scale along the other axis."),
        right=near(found, right, rtol=1e-3) or rounded(found, right, digits=2),
        otherwise="Take the difference of the two ends, and half of it.",
    )


@exercise("how many times wider, a number above 1", answers="factor")
def check_31_2(answer):
    """What it costs to estimate the noise."""
    found = number(answer)
    right = stats.t.ppf(0.975, 21) / stats.norm.ppf(0.975)
    hints(
        (near(found, 1 / right, rtol=1e-3), "Is an interval with an estimated noise wider or narrower?"),
        (
            near(found, stats.t.ppf(0.95, 21) / stats.norm.ppf(0.95), rtol=1e-3),
            "An interval has two ends: how much probability lies beyond each?",
        ),
        (
            near(found, stats.t.ppf(0.975, 48) / stats.norm.ppf(0.975), rtol=1e-3),
            "How many dimensions of the 49 told the noise?",
        ),
        (near(found, np.sqrt(21 / 19), rtol=1e-3), "That is the ratio of standard deviations; intervals end at quantiles."),
        right=near(found, right, rtol=1e-4) or rounded(found, right, decimals=3) or rounded(found, right, decimals=2),
        otherwise="Compare a quantile of Student's distribution with the same one of the normal distribution.",
    )


@exercise("a whole number", answers="count")
def check_31_3(answer):
    """How many filters a test of coverage needs."""
    found = number(answer)
    right = int(np.ceil(9 * 0.93 * 0.07 / 0.02**2))
    hints(
        (found == int(np.ceil(9 * 0.95 * 0.05 / 0.02**2)), "Which of the two shares has the standard error that is meant?"),
        (found == int(np.ceil(0.93 * 0.07 / 0.02**2)), "One standard error was taken."),
        (abs(found - 9 * 0.93 * 0.07 / 0.02**2) < 1, "Filters come whole, and one too few is too few."),
        (found == int(np.ceil(3 * 0.93 * 0.07 / 0.02**2)), "The number of filters stands under a root."),
        right=found == right,
        otherwise="The standard error of a share falls with the root of the number; set three of them equal to the difference.",
    )
