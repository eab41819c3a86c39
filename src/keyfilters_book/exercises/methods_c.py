"""Checks of chapter 7, methods C1 and C2."""

from __future__ import annotations

import numpy as np

from keyfilters.fitting.methods import fit
from keyfilters_book.paper.landscape import two_scale_problem

from .verdict import Hint, array, call, exercise, hint_if, hints, mapping, near, number, rounded

__all__ = ["check_7_1", "check_7_2", "check_7_3"]


@exercise("a function of a list of numbers and of one of them, c, that returns the multiplier of c", answers="multiplier_of")
def check_7_1(answer):
    """The condition for a minimum in a corner, for a constant and a list."""
    numbers = np.array([0.9, -2.0, 3.5, 1.7, 0.2, 6.0, -0.3])
    for c in sorted(numbers):
        found = number(call(answer, numbers.copy(), c), "what the function returns")
        right = float((numbers > c).sum() - (numbers < c).sum())
        hints(
            (
                right and near(found, -right),
                "The sign is wrong: the multiplier has to balance the other slopes, not to equal them.",
            ),
            (
                right and (near(found, right / len(numbers)) or near(found, right / (len(numbers) - 1))),
                "Each residual counts with its slope; nothing is divided by their number.",
            ),
        )
        hints(
            (near(found, (numbers - c).sum()), "That adds up residuals. The slope of |r| is the sign of r."),
            (not near(found, right), "How many slopes are +1, and how many -1? The residual of c itself is not among them."),
        )


TAPS = (0, 10, 20, 30, 41, 48)


@exercise("the indices of the residuals that are not zero, and by how much the scales moved, a number", answers="taps moved")
def check_7_2(answer):
    """The l1 fit finds the taps that are wrong, the l2 fit moves."""
    parts = mapping(answer, ["taps", "moved"])
    optimum = fit(5, "C1")
    corrupt = optimum.model().ravel().copy()
    corrupt[list(TAPS)] += 0.05
    fits = {m: fit(5, m, filter=corrupt.reshape(7, 7), normalized=True) for m in ("C1", "D1")}
    nonzero = np.flatnonzero(np.abs(fits["C1"].model().ravel() - corrupt) > 1e-9)
    taps = np.unique(array(parts["taps"], [None], "taps"))
    hint_if(
        len(taps) > 2 * len(nonzero),
        "Too many taps: rounding leaves residuals of the order of 1e-16, and least squares moves all of them.",
    )
    hint_if(
        not np.array_equal(taps, nonzero), "The taps are not right. They count from 0 along the rows of the filter, flattened."
    )
    changes = np.array([fits["D1"].sigma_x - optimum.sigma_x, fits["D1"].sigma_y - optimum.sigma_y])
    moved = number(parts["moved"], "moved")
    hints(
        (abs(moved) < 1e-9, "That is how far the l1 fit moves; the l2 fit is asked for."),
        (
            near(moved, np.linalg.norm(changes), rtol=1e-3),
            "That is the length of the shift in the plane of the scales; the larger of the two changes is asked for.",
        ),
    )
    right = np.abs(changes).max()
    if not (rounded(moved, right, digits=2) or near(moved, float(f"{right:.0e}"))):  # one digit as it is printed
        raise Hint("moved is not right: compare the scales of the D1 fit with those that the model was made with.")


@exercise(
    "the multipliers of the two taps, in the order of the certificate: an array of two numbers", answers="multipliers_of_key_1"
)
def check_7_3(answer):
    """The multipliers at a corner, from the residuals and their derivatives."""
    found, optimum = array(answer, [2]), fit(1, "C1")
    right = np.array(optimum.certificate.multipliers)
    residual, jacobian, _ = two_scale_problem(1).evaluate(np.square([optimum.sigma_x, optimum.sigma_y]))
    mirrored = [(y + 3) * 7 + x + 3 for x, y in optimum.certificate.active]
    slopes = np.sign(residual)
    slopes[mirrored] = 0
    hints(
        (near(found, -right, rtol=1e-4), "The sign is wrong: the sum of all slopes, those of the two taps included, is zero."),
        (near(found, right[::-1], rtol=1e-4), "The two are exchanged: the certificate names the taps in another order."),
        (
            near(np.abs(found - right), 1, rtol=1e-4) or near(np.abs(found + right), 1, rtol=1e-4),
            "A residual that vanishes has the sign of a rounding error: leave both out of the sum over the others.",
        ),
        (
            near(found, np.linalg.solve(jacobian[mirrored].T, -slopes @ jacobian), rtol=1e-4),
            "These are other taps: y points up, row 0 of the filter is the top row.",
        ),
        (
            (np.abs(found) > 1).any(),
            "At a minimum no multiplier exceeds 1 in size. Do the indices name the taps of the certificate?",
        ),
        right=rounded(found, right, decimals=3),
        otherwise="Two equations, one for each scale: the slopes of the other residuals on one side, those of the two taps on the other.",
    )
