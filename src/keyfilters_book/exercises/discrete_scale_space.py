"""Checks of chapter 2, discrete scale space."""

from __future__ import annotations

import numpy as np

from keyfilters.differences import difference
from keyfilters.gaussian import GAUSSIAN_KINDS, discrete_gaussian, gaussian_kernel

from .verdict import call, exercise, hints, near, number, numbers, rounded

__all__ = ["check_2_1", "check_2_2", "check_2_3"]


@exercise("the scale that is reported, a number", answers="reported_scale")
def check_2_1(answer):
    """The scale that is read off a Gaussian under a template of another scale."""
    found, scale, reference = number(answer), 0.5, 1.0
    variance = 1 / (1 / scale**2 + 1 / reference**2)
    hints(
        (near(found, scale, rtol=1e-3), "That would be reported if the template had the scale of the filter."),
        (
            near(found, variance, rtol=1e-3) or near(found, np.sqrt(variance), rtol=1e-3),
            "That belongs to the product itself. Which scale does the formula for equal scales make of it?",
        ),
        (
            any(near(found, np.sqrt(factor * (scale**2 + reference**2)), rtol=1e-3) for factor in (1, 2)),
            "Variances add in a convolution; here two functions are multiplied.",
        ),
        (not near(found, np.sqrt(2 * variance), rtol=1e-3), "Multiply the two Gaussians: what happens to their exponents?"),
    )


def _cascade(kind: str, once: float, distance=lambda d: np.abs(d).sum()) -> float:
    """Distance between smoothing twice by 0.5 and smoothing once."""
    twice = np.convolve(*(gaussian_kernel(0.5, 20, kind=kind) for _ in range(2)))
    return float(distance(twice - gaussian_kernel(once, 40, kind=kind)))


@exercise(
    "the l1 norms of the differences, in this order: discrete, sampled, normalized-sampled, integrated",
    "A family with this property can be computed from level to level.",
    answers="error_discrete error_sampled error_normalized_sampled error_integrated",
)
def check_2_2(answer):
    """How far each kernel is from forming a semigroup."""
    found = numbers(answer, GAUSSIAN_KINDS)
    right = {kind: _cascade(kind, np.sqrt(0.5)) for kind in GAUSSIAN_KINDS}
    values = list(found.values())
    # The norm of the discrete kernel is rounding alone.
    off = [k for k in GAUSSIAN_KINDS if not (near(found[k], right[k]) or rounded(found[k], right[k], digits=2))]
    hints(
        (
            near(values, [_cascade(kind, 1.0) for kind in GAUSSIAN_KINDS], rtol=1e-3),
            "Which scale do two steps of the same scale make together: do standard deviations add, or variances?",
        ),
        (
            near(values, [_cascade(k, np.sqrt(0.5), lambda d: np.abs(d).max()) for k in GAUSSIAN_KINDS], rtol=1e-3, atol=1e-12),
            "That is the largest difference of a tap; the l1 norm is the sum over all taps.",
        ),
        *((True, f"The value for {k} is not right. Are the kernels long enough, and centred on each other?") for k in off),
        right=not off,
    )


def one_sided_variance(sigma: float) -> float:
    """Variance of the absolute values of the one-sided difference, from its taps."""
    n = np.arange(-60, 61)
    a = np.abs(difference(discrete_gaussian(sigma, 60), "forward", edge="zero"))
    mean = a @ n / a.sum()
    return float(a @ n**2 / a.sum() - mean**2)


@exercise("a function of the scale sigma that returns the variance", answers="difference_variance")
def check_2_3(answer):
    """The variance of a one-sided difference on the grid."""
    for sigma in (0.3, 0.6, 1.5):
        found, right = number(call(answer, sigma), "what the function returns"), one_sided_variance(sigma)
        hints(
            (near(found, right + 0.25), "That is the second moment about the origin. Where is the mean of the absolute value?"),
            (
                near(found, 2 * sigma**2) or near(found, 2 * sigma**2 + 0.25),
                "That is the continuum with or without a correction; on the grid a ratio of Bessel functions takes part.",
            ),
            (
                near(found, one_sided_variance(np.sqrt(sigma))),
                "The function takes the scale sigma; the formula is written in the variance s.",
            ),
            (near(found, right - 0.25), "Let the scale go to 0: what is the variance of the two taps that are left?"),
            (
                not near(found, right),
                "Check the norm first: T rises to its centre and falls again, so what do the absolute differences add up to?",
            ),
        )
