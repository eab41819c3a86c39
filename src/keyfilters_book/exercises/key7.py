"""Checks of chapter 9, key 7."""

from __future__ import annotations

import numpy as np

from keyfilters.filters import learned_filters
from keyfilters.fitting.methods import fit
from keyfilters.normalization import dc_compensation, normalized_filters
from keyfilters_book.paper.spectrum import sharpest_gain

from .verdict import call, exercise, hints, near, number, numbers

__all__ = ["check_9_1", "check_9_2", "check_9_3"]


@exercise(
    "the variance of the noise filtered by the learned filter and by the model, two numbers",
    answers="variance_learned variance_model",
)
def check_9_1(answer):
    """How much white noise a filter amplifies."""
    found = numbers(answer, ["learned", "model"])
    filters = {"learned": normalized_filters()[6], "model": fit(7, "D1").model()}
    for name, h in filters.items():
        hints(
            (
                near(found[name], h.sum() ** 2, rtol=1e-3),
                "That is the square of the sum, or the noise of the filter before it is normalised; neither is asked for.",
            ),
            (near(found[name], np.sqrt((h**2).sum()), rtol=1e-3), "That is the standard deviation; the variance is asked for."),
            (
                near(found[name], np.abs(h).sum(), rtol=1e-3) or near(found[name], np.abs(h).sum() ** 2, rtol=1e-3),
                "The l1 norm bounds the response; for variances the weights count with their squares.",
            ),
            (
                not near(found[name], (h**2).sum(), rtol=5e-4),
                f"The value of {name} is not right. (A simulation is not exact enough: use the weights.)",
            ),
        )


@exercise("a function of the scale sigma and of gamma that returns the largest gain", answers="largest_gain")
def check_9_2(answer):
    """The largest gain of the model of key 7 over all waves of the grid."""
    for sigma, gamma in ((0.7, 0.5), (1.5, 0.8), (0.3, 0.5)):
        found, right = number(call(answer, sigma, gamma), "what the function returns"), sharpest_gain(sigma, gamma)[0]
        hints(
            (near(found, right - 1), "That is what the Laplacian adds; the image itself passes as well."),
            (near(found, 1 / sigma**2), "That is the U at which the gain is largest, not the gain."),
            (
                near(found, 1 + 8 * gamma * np.exp(-4 * sigma**2)) and not near(found, right),
                "That is the finest wave of all; for larger scales the smoothing has already damped it.",
            ),
            (
                near(found, 1 + 2 * gamma / (np.e * sigma**2)) and not near(found, right),
                "It fails for small scales: which values can U take on the grid?",
            ),
            (not near(found, right), "Write the gain as a function of U alone, and find where its derivative vanishes."),
        )


def relative_changes(factor: float, *, divided: bool = True) -> np.ndarray:
    """Relative changes of sigma and gamma of the l2 fit when the constant is multiplied by a factor."""
    raw, best = learned_filters()[6], fit(7, "D1")
    constant = dc_compensation(raw, 7, "published").constant
    h = raw - factor * constant
    found = fit(7, "D1", filter=h / (h.sum() if divided else (raw - constant).sum()), normalized=True)
    return np.array([found.sigma_x / best.sigma_x - 1, found.gamma / best.gamma - 1])


@exercise(
    "the relative changes of sigma and gamma, for a constant that is 10 % larger in size",
    answers="relative_sigma relative_gamma",
)
def check_9_3(answer):
    """Which parameter of key 7 follows the constant of the DC compensation."""
    found = np.array(list(numbers(answer, ["sigma", "gamma"]).values()))
    right, best = relative_changes(1.1), fit(7, "D1")
    hints(
        (near(found, 100 * right, rtol=0.02), "That is in per cent; give plain fractions."),
        (near(found, right[::-1], rtol=0.02), "The two are exchanged: look again at which parameter is which."),
        (
            near(found, right * [best.sigma_x, best.gamma], rtol=0.02),
            "These are differences; divide them by the parameters of the first fit.",
        ),
        (near(found, 1 + right, rtol=2e-3), "These are ratios; a change is what they differ from one by."),
        (near(found, relative_changes(0.9), rtol=0.02), "That is the constant made smaller in size."),
        (
            near(found, relative_changes(1.1, divided=False), rtol=0.02),
            "The sum has changed with the constant: divide by the new one.",
        ),
        right=near(found, right, rtol=0.02),
        otherwise="Subtract the constant, 10 % larger in size, from the learned filter, divide by the sum, and fit again by D1.",
    )
