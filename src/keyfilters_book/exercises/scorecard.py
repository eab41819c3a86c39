"""Checks of chapter 15, the scorecard."""

from __future__ import annotations

import numpy as np

from keyfilters.published import scorecard, verdict
from keyfilters.published.verdicts import matching_digits, significant_digits

from .verdict import alike, array, call, exercise, hint_if, hints, near, number

__all__ = ["check_15_1", "check_15_2", "check_15_3"]

_CASES = ((0.675, "3", 0.6753), (-12.5, "2", -12.4), (250.0, "full", 250.01), (0.02, "full", 0.02))

_ROUNDED = 0.051
"""The library rounds matching digits to one decimal; an answer need not."""


@exercise("a function of p, q and the digits printed that returns the matching digits", answers="digits")
def check_15_1(answer):
    """The number of matching digits."""
    for p, decimals, q in _CASES:
        printed = significant_digits(p, decimals)
        found = number(call(answer, p, q, printed), f"the digits for {p} and {q}")
        if near(found, matching_digits(p, decimals, q), rtol=0, atol=_ROUNDED):
            continue
        difference = abs(q - p)
        hint_if(difference == 0, "Equal numbers match in all digits that were printed.")
        relative = -np.log10(difference / abs(p))
        hints(
            (
                near(found, min(-np.log10(difference), printed), atol=1e-9),
                "A difference of 0.01 is much for 0.02 and little for 250: it must be relative.",
            ),
            (near(found, min(-np.log(difference / abs(p)), printed)), "Digits are counted in powers of ten."),
            (near(found, -relative, atol=1e-9), "The sign: smaller differences should give more digits."),
            (near(found, relative, atol=1e-9), "No more digits can match than were printed."),
            otherwise=f"Off for p = {p}: the decimal logarithm of the relative difference, at most the digits printed.",
        )


@exercise("the numbers of equal rows for the eight tolerances 1e-13, 1e-12, ..., 1e-6, in this order", answers="equal_rows")
def check_15_2(answer):
    """How the verdict depends on the tolerance."""
    found = array(answer, [8])
    card = scorecard()
    full = card[card.decimals == "full"]
    difference, size = (full.reproduced - full.published).abs().to_numpy(), full.published.abs().to_numpy()
    tolerances = 10.0 ** np.arange(-13, -5)

    def tally(difference):
        return (difference[:, None] <= tolerances).sum(0)

    right = tally(difference / np.maximum(1, size))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(difference == 0, 0.0, difference / size)
    everything = ((card.reproduced - card.published).abs() / np.maximum(1, card.published.abs())).to_numpy()
    hints(
        *alike(
            found,
            (right[::-1], "Begin with the smallest tolerance."),
            (tally(everything), "Only numbers printed in full are judged by this tolerance."),
            (tally(relative), "Below 1 the tolerance is absolute: look at the maximum in the rule."),
        ),
        (np.any(np.diff(found) < 0), "A larger tolerance can only accept more rows."),
        right=near(found, right),
        otherwise="Count the rows printed in full whose difference is at most the tolerance times max(1, |p|).",
    )


@exercise("the mean share of the rows that would still be called equal, a number between 0 and 1", answers="share")
def check_15_3(answer):
    """How demanding three decimals are."""
    found = number(answer)
    card = scorecard()
    rows = card[card.quantity == "sigma_table"]

    def equal(error):
        values = zip(rows.published, rows.decimals, rows.reproduced + error, strict=True)
        return np.array([verdict(p, d, q, None) == "equal" for p, d, q in values])

    # Each sign has probability 1/2: the mean over the draws follows row by row, and 100 draws come near it.
    up, down = equal(0.001).mean(), equal(-0.001).mean()
    right, tolerance = (up + down) / 2, 0.01
    hints(
        (
            near(found, equal(0.0).mean(), rtol=0, atol=0.02),
            "That is the share without any error. Are the changed numbers the ones that are judged?",
        ),
        (1 < found <= 100, "A share, not a percentage or a count."),
        (near(found, 1 - right, rtol=0, atol=tolerance), "That is the share of the rows that are no longer equal."),
        (near(found, up, rtol=0, atol=1e-3) or near(found, down, rtol=0, atol=1e-3), "These errors have all the same sign."),
        (found > right + 0.1, "Too many. Is the step of a grid, which allows more, left out, and the error a full 0.001?"),
        (
            not near(found, right, rtol=0, atol=tolerance),
            "Off by more than chance in 100 draws. Judge each changed number by verdict() and take the mean.",
        ),
    )
