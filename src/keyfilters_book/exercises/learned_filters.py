"""Checks of chapter 1, the eight learned filters."""

from __future__ import annotations

import numpy as np

from keyfilters.filters import learned_filters
from keyfilters.moments import monomial_response

from .verdict import array, call, exercise, hint_if, hints, near, number

__all__ = ["check_1_1", "check_1_2", "check_1_3"]


@exercise("the response of key 2 at the origin, a number", answers="response_of_key_2")
def check_1_1(answer):
    """The response of key 2 to the image f(x, y) = x."""
    found, h = number(answer), learned_filters()
    right = monomial_response(h[1], 1, 0)
    hints(
        (
            near(abs(found), 1, rtol=1e-3),
            "The value for the filter as published is asked for: neither its sign alone, nor that of the normalised one.",
        ),
        (near(found, -right, rtol=1e-3), "That is a correlation. In a convolution the weight at u meets the image at -u."),
        (
            near(found, monomial_response(h[1], 0, 1), rtol=1e-3),
            "That is the response to y. Along which axis of the array does x run?",
        ),
        (
            any(near(found, monomial_response(h[k], 1, 0), rtol=1e-3) for k in range(8) if k != 1),
            "That is another key: where does key 1 stand in the array?",
        ),
        (not near(found, right, rtol=1e-3), "The image is the array ramp of the page, and the origin is its centre pixel."),
    )


@exercise("a function of a kernel, an array of 7 x 7 numbers, that returns its canonical form", answers="canonical_form")
def check_1_2(answer):
    """Zero sum and unit l2 norm, whatever the factor and the constant."""
    rng = np.random.default_rng(1)
    for h in learned_filters()[[0, 6]]:
        kernel = rng.uniform(0.5, 2) * h + rng.uniform(0.1, 0.5)
        found = array(call(answer, kernel.copy()), [7, 7], "what the function returns")
        hints(
            (abs(found.sum()) > 1e-9, "The values do not add up to zero. Which of the two steps settles the constant?"),
            (near(np.abs(found).sum(), 1), "This has unit l1 norm; which norm do the published filters share?"),
            (near((found**2).mean(), 1), "A standard deviation divides by the number of pixels, a norm does not."),
            (
                not near((found**2).sum(), 1),
                "The sum is right, the l2 norm is not. Whose norm is divided by: that of the kernel before or after?",
            ),
        )
        right = (kernel - kernel.mean()) / np.linalg.norm(kernel - kernel.mean())
        hint_if(
            not (near(found, right) or near(found, -right)),
            "Sum and norm are right, but this is another kernel. Only a factor and a constant may change.",
        )


def pair_ratio(a: float) -> float:
    """Energy of the projection on the plain axis over that on the other one, of the pair (-1, a) without its mean."""
    f = np.zeros((7, 7))
    f[3, 3:5] = -1, a
    f -= f.mean()
    return float((f.sum(axis=1) ** 2).sum() / (f.sum(axis=0) ** 2).sum())


@exercise("a function of a that returns the ratio of the two energies", answers="energy_ratio")
def check_1_3(answer):
    """What an unequal pair of pixels leaves in the projection on the plain axis."""
    for a in (0.5, 1.5, 3.0):
        found, right = number(call(answer, a), "what the function returns"), pair_ratio(a)
        hints(
            (near(found, 1 / right), "The ratio is upside down: the plain axis is the one without the difference."),
            (near(found, np.sqrt(right)), "An energy is a sum of squares; this is the ratio of two norms."),
            (
                near(found, (a - 1) ** 2 / (1 + a**2)),
                "This pair still has its sum. The constant that is taken away stands in all seven places of a projection.",
            ),
            (
                not near(found, right),
                "Begin with the 7 x 7 array: two pixels, minus the mean of all pixels; then sum its rows and its columns.",
            ),
        )
