"""Checks of chapter 6, method B."""

from __future__ import annotations

import numpy as np

from keyfilters.filters import KEYS
from keyfilters.fitting.grid import published_windows, refined_minimum
from keyfilters.fitting.variance import closed_form, factor_variance, match_variance, weighted_variances
from keyfilters.gaussian import discrete_gaussian
from keyfilters.models import ideal_filter
from keyfilters.normalization import normalized_filters

from .verdict import array, call, exercise, hint_if, hints, near, numbers, rounded

__all__ = ["check_6_1", "check_6_2", "check_6_3"]


def matched(h, row, reference: float) -> list[float]:
    """Scales (x, y) of method B."""
    variances = weighted_variances(h, row, "crop", reference)
    return [match_variance(op, v, 7, "crop", reference)[0] for op, v in zip((row.x, row.y), variances, strict=True)]


@exercise(
    "a function of a filter, the row of its key in kf.KEYS and a reference scale that returns the scales (x, y)",
    answers="method_b",
)
def check_6_1(answer):
    """Method B recovers idealised filters with every template, and depends on it for others."""
    for key, truth in ((1, (0.513, 0.847)), (5, (1.234, 0.911)), (8, (0.617, 0.583))):
        row, h = KEYS[key - 1], ideal_filter(key, *truth)
        for reference in (1.0, 0.7, 1.4):
            found = array(call(answer, h.copy(), row, reference), [2], "what the function returns")
            hints(
                (near(found, truth[::-1], rtol=0, atol=1e-9), "The two scales are exchanged: x comes first."),
                (
                    near(found, closed_form(h, row, "crop")),
                    "That is the closed form of method A; method B compares with the variances of discrete filters.",
                ),
                (reference != 1, "It works for the reference scale 1 only: the same template has to stand on both sides."),
                right=near(found, truth, rtol=0, atol=1e-9),
                otherwise=f"The scales of a filter of key {key} are not recovered. Is each axis matched with its own operator?",
            )
    row, h = KEYS[3], normalized_filters()[3]
    hint_if(
        not near(array(call(answer, h.copy(), row, 1.4), [2], "what the function returns"), matched(h, row, 1.4)),
        "Idealised filters are recovered, a learned one is not: is the reference scale used at all?",
    )


@exercise("the limits of the variance and of the scale, two numbers", answers="limit_of_variance limit_of_scale")
def check_6_2(answer):
    """The largest weighted variance of a plain factor in the window, and what method A reads off it."""
    found = numbers(answer, ["variance", "scale"])
    n, weight = np.arange(-3, 4), discrete_gaussian(1.0, 3)
    limit = (n**2 * weight).sum() / weight.sum()
    hints(
        (
            near(found["variance"], (n**2).mean(), rtol=1e-3),
            "That is the variance of seven equal taps; the template is missing.",
        ),
        (
            near(found["variance"], 1.0, rtol=1e-4) or near(found["variance"], (n**2 * weight).sum(), rtol=1e-4),
            "The window cuts the template off: what does the variance become, and what is it divided by?",
        ),
        (
            near(found["variance"], (n**2 * weight**2).sum() / (weight**2).sum(), rtol=1e-3),
            "That is the template weighted by itself. What becomes of the factor as its scale grows?",
        ),
        (
            not near(found["variance"], limit, rtol=2e-3),
            "The variance is not right: which seven numbers does the product tend to?",
        ),
        (
            near(found["scale"], np.sqrt(found["variance"]), rtol=1e-3),
            "The scale is not right: method A takes filter and template to be equally wide.",
        ),
        (
            not near(found["scale"], np.sqrt(2 * limit), rtol=2e-3),
            "The variance is right, the scale is not: put it into the closed form for a plain axis.",
        ),
    )


def search_errors() -> dict[str, float]:
    """Errors of the published search and of linear interpolation, for key 4 along y."""
    row, window = KEYS[3], published_windows()["B", "4", "y"]
    variance = weighted_variances(normalized_filters()[3], row, "crop")[1]
    root, grid = match_variance(row.y, variance, 7, "crop")[0], window.values
    difference = factor_variance(row.y, grid, 7, "crop") - variance
    i = int(np.flatnonzero(np.diff(np.sign(difference)))[0])
    linear = grid[i] - difference[i] * (grid[i + 1] - grid[i]) / (difference[i + 1] - difference[i])
    return {"squares": refined_minimum(grid, difference**2) - root, "linear": linear - root}


@exercise(
    "the errors, found minus root, of squares, linear and inverse, three numbers",
    answers="error_squares error_linear error_inverse",
)
def check_6_3(answer):
    """What squaring a difference throws away."""
    found = numbers(answer, ["squares", "linear", "inverse"])
    for name, right in search_errors().items():
        hints(
            (
                rounded(found[name], -right, digits=2),
                f"The sign of {name} is wrong: the root is subtracted from what was found.",
            ),
            (abs(found[name]) > 0.1, f"{name} is a scale; its error is asked for."),
            (
                not rounded(found[name], right, digits=2),
                f"The error of {name} is not right. Are the samples those of the published window of key 4 along y?",
            ),
            (
                rounded(found["inverse"], right, digits=2),
                f"The error of inverse is that of {name}; three samples are used, and none is squared.",
            ),
            (
                abs(found["inverse"]) > 1e-3 * abs(right),
                "The inverse parabola does better. Fit the scale as a polynomial in the difference, both scaled, and read it at 0.",
            ),
        )
