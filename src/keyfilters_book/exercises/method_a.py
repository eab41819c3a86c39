"""Checks of chapter 5, method A."""

from __future__ import annotations

import numpy as np

from keyfilters.fitting.variance import factor_variance

from .verdict import array, call, exercise, hints, near, number, rounded

__all__ = ["check_5_1", "check_5_2", "check_5_3"]

_VARIANCES = (0.05, 0.3, 0.45)


@exercise(
    "a function of the variance v and of a truth value that says whether the axis is a derivative axis", answers="scale_of"
)
def check_5_1(answer):
    """The closed form of method A on both kinds of axes."""
    for v in _VARIANCES:
        plain, derivative = (number(call(answer, v, kind), "what the function returns") for kind in (False, True))
        hints(
            (
                near(plain, np.sqrt(v)) or near(derivative, np.sqrt(v)),
                "The variance of the product with the template is not that of the filter: which is smaller?",
            ),
            (
                near(derivative, plain),
                "A derivative moves the weight outwards, so one variance belongs to two different scales.",
            ),
            (
                not near(plain, np.sqrt(2 * v)),
                "The plain axis is wrong. Template and filter have equal scales, so the product has half of the variance of the filter, and v is that of the product.",
            ),
            (
                not near(derivative, np.sqrt(2 * v / 3)),
                "The derivative axis is wrong. By which factor does x squared widen a Gaussian?",
            ),
        )


@exercise(
    "the scales after each of eight rounds, an array of eight numbers",
    "It is the fixed, wide template that keeps the method from collapsing.",
    answers="rounds",
)
def check_5_2(answer):
    """The iteration whose template takes the scale that was found."""
    found = array(answer, [8])
    reference, right = 1.0, []
    for _ in range(8):
        reference = float(np.sqrt(2 * factor_variance("identity", 0.6, 7, "crop", reference)))
        right.append(reference)
    hints(
        (near(found, found[0]), "All rounds give the same: the new reference scale has to go into the next round."),
        (
            not rounded(found[0], right[0], decimals=3),
            "The first round is wrong: reference scale 1, the filter's scale 0.6, a plain axis.",
        ),
        right=rounded(found, right, decimals=3),
        otherwise="The first round is right; a later one is not. Is it the scale that becomes the reference, or the variance?",
    )


@exercise("a function of the variance v that returns the scale", answers="exact_scale")
def check_5_3(answer):
    """The rule that is exact in the continuum for a template of scale 1."""
    for sigma in (0.4, 1.0, 2.5):
        v = sigma**2 / (1 + sigma**2)
        found = number(call(answer, v), "what the function returns")
        hints(
            (
                near(found, np.sqrt(2 * v)) and sigma != 1,
                "That is method A itself, which takes the template to have the scale of the filter.",
            ),
            (near(found, sigma**2) and sigma != 1, "That is the variance of the filter; the scale is asked for."),
            (not near(found, sigma), "Write the variance of the product with the second variance 1, and solve for the first."),
        )
