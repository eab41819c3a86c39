"""Checks of chapter 4, normalisation."""

from __future__ import annotations

import numpy as np

from keyfilters.filters import KEYS, learned_filters
from keyfilters.models import ideal_filter
from keyfilters.moments import monomial_response, spread
from keyfilters.normalization import dc_compensation, dc_error, normalize, normalized_filters

from .verdict import array, exercise, hints, near, rounded

__all__ = ["check_4_1", "check_4_2", "check_4_3"]


@exercise("the normalised filter, an array of 7 x 7 numbers", answers="normalised_key_3")
def check_4_1(answer):
    """Key 3 divided by its response to the monomial of its axis."""
    found, h, right = array(answer, [7, 7]), learned_filters()[2], normalized_filters()[2]
    hints(
        (near(found, h, rtol=1e-4), "That is the learned filter, before the division."),
        (
            near(found, -right, rtol=1e-4),
            "The sign is wrong. Row 0 is at the top, and in a convolution the weight at u meets the image at -u.",
        ),
        (
            near(found, h / monomial_response(h, *KEYS[1].monomial, spread(h).mean), rtol=1e-4),
            "That is the response to x. Along which axis does key 3 differentiate?",
        ),
        (near(found, h / np.abs(h).sum(), rtol=1e-4), "This has unit l1 norm; unit response is asked for."),
        (not rounded(found, right, decimals=3), "Divide by one number, the response of key 3 to the monomial of its axis."),
    )


def slopes(key: int, constant: float, step: float = 1e-7) -> np.ndarray:
    """Slopes of the compactness criterion to the left and to the right of a constant."""
    left, here, right = dc_error(learned_filters()[key - 1], [constant - step, constant, constant + step])
    return np.array([here - left, right - here]) / step


@exercise(
    "the slopes to the left and to the right, a row for key 7 and a row for key 8: an array of 2 x 2 numbers",
    answers="slopes_at_minimum",
)
def check_4_2(answer):
    """Both minima of the compactness criterion are corners."""
    found = array(answer, [2, 2])
    right, elsewhere = (
        np.array([slopes(key, dc_compensation(learned_filters()[key - 1], key, dc).constant) for key in (7, 8)])
        for dc in ("exact", "published")
    )
    hints(
        (near(found, elsewhere, rtol=0.01), "These are the slopes at the published constants, which lie beside the corners."),
        (near(found, right[::-1], rtol=0.01), "The rows are exchanged: key 7 comes first."),
        (near(found, right[:, ::-1], rtol=0.01), "The columns are exchanged: the left slope comes first."),
        (
            near(found, right * [-1, 1], rtol=0.01),
            "Both are distances from the minimum upwards; a slope counts along the axis of C.",
        ),
        (
            near(found[:, 0], found[:, 1], rtol=0.01),
            "A centred difference averages the two sides; take one difference for each.",
        ),
        (
            not near(found, right, rtol=0.01),
            "Are the differences divided by the step, and is the step smaller than the distance to the next pixel value?",
        ),
    )


def restored() -> tuple[list[np.ndarray], np.ndarray]:
    """The contaminated key 8, restored by the criterion and by the mean of the border, and the truth."""
    model = ideal_filter(8, 0.6)
    contaminated = 0.5 * model - 0.03
    border = np.ones((7, 7), dtype=bool)
    border[1:-1, 1:-1] = False
    by_border = contaminated - contaminated[border].mean()
    return [normalize(contaminated, 8, dc="exact"), by_border / by_border.sum()], model / model.sum()


@exercise(
    "the largest absolute error of a weight, by the criterion and by the border mean: an array of two numbers",
    answers="largest_errors",
)
def check_4_3(answer):
    """How well either estimate of the background restores a known filter."""
    found = array(answer, [2])
    estimates, truth = restored()
    right = [np.abs(f - truth).max() for f in estimates]
    hints(
        (near(found, right[::-1], rtol=1e-2, atol=0), "The two are exchanged: the criterion comes first."),
        (
            near(found, [np.abs(f - truth).sum() for f in estimates], rtol=1e-2, atol=0),
            "That is the sum of the errors; the largest one is asked for.",
        ),
        ((found < 0).any(), "An absolute error is not negative."),
        (
            found.max() > 0.1,
            "An error is as large as the weights themselves. Are the filters divided by their sums, or is the window "
            "the published one?",
        ),
        (
            not rounded(found, right, digits=2),
            "Restore the filter twice, divide by the sum each time, and compare with T, which has unit sum.",
        ),
    )
