"""Checks of chapter 32, mixed, oriented and affine terms."""

from __future__ import annotations

import numpy as np

from .verdict import array, call, exercise, hints, near, number, rounded

__all__ = ["check_32_1", "check_32_2", "check_32_3"]


@exercise("the smallest and the largest coupling, two numbers in grid units squared", answers="least most")
def check_32_1(answer):
    """The couplings of a Gaussian with taps that are not negative."""
    from keyfilters import affine_covariance, coupling_range

    found = array(answer, [2], "the pair of couplings")
    covariance = affine_covariance(2.0, 1.0, np.pi / 4)
    right = coupling_range(covariance)
    hints(
        (near(found, right[::-1]), "The two have been exchanged."),
        (near(found, coupling_range(affine_covariance(2.0, 1.0))), "That is the Gaussian along an axis; this one is turned."),
        (
            near(found, coupling_range(affine_covariance(np.sqrt(2.0), 1.0, np.pi / 4))),
            "Standard deviations are given; a covariance matrix has variances.",
        ),
        (
            near(found, [-right[0], right[0]]),
            "Four corners share the coupling, and two of them pay for C_xy. Which sign must their weights not have?",
        ),
        right=near(found, right),
        otherwise="Write the covariance matrix first; then look at the corners and at the neighbours along the axes.",
    )


@exercise("a function of the angle in radians that returns three weights", answers="weights")
def check_32_2(answer):
    """A second derivative in any direction."""
    angles = np.array([0.0, np.pi / 2, 0.3, 2.0])
    found = np.array([array(call(answer, float(angle)), [3], "what the function returns") for angle in angles])
    cos, sin = np.cos(angles), np.sin(angles)
    hints(
        (
            near(found, np.stack([cos**2, cos * sin, sin**2], axis=1)),
            "The mixed derivative comes twice: once as x after y, once as y after x.",
        ),
        (near(found, np.stack([sin**2, -2 * cos * sin, cos**2], axis=1)), "That is the derivative across the direction."),
        (
            near(found, np.stack([cos**2, 2 * cos * sin, -(sin**2)], axis=1)),
            "Look at the direction of y alone: which sign has its second derivative?",
        ),
        (
            near(found, np.stack([cos, 0 * cos, sin], axis=1)),
            "Those are the weights of first derivatives. Apply the direction twice.",
        ),
        right=near(found, np.stack([cos**2, 2 * cos * sin, sin**2], axis=1)),
        otherwise="Square the operator cos x-derivative + sin y-derivative.",
    )


@exercise("how many times longer than wide, a number above 1", answers="ratio")
def check_32_3(answer):
    """The longest Gaussian that is not negative at 22.5 degrees."""
    found = number(answer)
    right = 1 + np.sqrt(2)
    hints(
        (near(found, right**2, rtol=1e-2), "That is the ratio of the variances."),
        (near(found, 1 / right, rtol=1e-2), "That is how many times shorter."),
        (found > 5, "At 45 degrees any length would do. Here the angle is half of that."),
        right=near(found, right, rtol=1e-4) or rounded(found, right, decimals=3) or rounded(found, right, decimals=2),
        otherwise="Set |C_xy| equal to the smaller variance, and solve for the ratio of the variances along and across.",
    )
