"""Checks of chapter 30, what the models leave out."""

from __future__ import annotations

import numpy as np

from keyfilters.fitting import fit_components
from keyfilters.normalization import normalized_filters

from .verdict import array, call, exercise, hints, near, number, rounded

__all__ = ["check_30_1", "check_30_2", "check_30_3"]


@exercise("the weight at the origin over that at the neighbour, four numbers in the order of the keys", answers="ratios")
def check_30_1(answer):
    """The balance of the one-sided keys."""
    found = array(answer, [4], "the row of weights")
    pairs = [tuple(fit_components(key, "blob").coefficients.values()) for key in range(1, 5)]
    forward = np.array([True, False, False, True])
    ratio = np.array([c / a for a, c in pairs])
    right = np.where(forward, 1 - ratio, 1 + ratio)
    hints(
        (near(found, 1 - ratio, rtol=1e-2), "Two of the four are backward differences: write out where their two blobs stand."),
        (
            near(found, 1 + ratio, rtol=1e-2),
            "Two of the four are forward differences: in them the blob at the origin has a minus.",
        ),
        (near(np.abs(found), np.abs(ratio), rtol=1e-2), "That is c over a. What weight does the blob at the origin have?"),
        (near(found, 1 / right, rtol=1e-2), "Turned over: the origin's weight over the neighbour's is asked for."),
        right=near(found, right, rtol=1e-4) or rounded(found, right, decimals=2) or rounded(found, right, decimals=3),
        otherwise="Collect the weights of the blob at the origin, and divide by that of the blob at the neighbour.",
    )


@exercise("a function of p and q that returns u and v", answers="mixture")
def check_30_2(answer):
    """One-sided differences as a centred and a second one."""
    for p, q in ((1.0, 0.0), (0.0, 1.0), (0.3, 1.1)):
        u, v = array(call(answer, p, q), [2], "what the function returns")
        hints(
            (near([u, v], [p + q, q - p]), "The second difference has twice its weight at the middle: look at f(x) alone."),
            (near([u, v], [(p + q) / 2, (q - p) / 2]), "The centred difference has a half in it already."),
            (
                near([u, v], [p + q, (p - q) / 2]),
                "Which of the two one-sided differences reaches to the right? Look at the sign of the second.",
            ),
            right=near([u, v], [p + q, (q - p) / 2]),
            otherwise="Compare the weights of f(x - 1), f(x) and f(x + 1) on both sides.",
        )


@exercise("the noise per tap, a number in units of the normalised filter", answers="level")
def check_30_3(answer):
    """The noise at which the simpler model wins."""
    found = number(answer)
    energy = float((normalized_filters()[0] ** 2).sum())
    saved = (fit_components(1, "paper").left - fit_components(1, "blob").left) * energy
    right = np.sqrt(saved / np.log(49))
    hints(
        (near(found, right**2, rtol=1e-2), "That is its square; the noise is a standard deviation."),
        (
            near(found, right / np.sqrt(energy), rtol=1e-2),
            "Shares of the energy were used: multiply them by the energy of the filter.",
        ),
        (near(found, np.sqrt(saved), rtol=1e-2), "What does one more number cost?"),
        (
            near(found, np.sqrt(saved / (2 * np.log(49))), rtol=1e-2)
            or near(found, np.sqrt(saved / (4 * np.log(49))), rtol=1e-2),
            "How many numbers more does the model with a blob have?",
        ),
        right=near(found, right, rtol=1e-3) or rounded(found, right, digits=2),
        otherwise="Set the two criteria equal, and solve for the noise.",
    )
