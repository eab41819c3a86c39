"""Checks of chapter 14, performance."""

from __future__ import annotations

import numpy as np

from keyfilters.fitting.problem import factors

from ..benchmarks import BENCHMARK_SCALES
from .verdict import alike, array, call, exercise, hints, near, numbers

__all__ = ["check_14_1", "check_14_2", "check_14_3"]


@exercise("how many kernels are made and how many are enough, two numbers", answers="kernels_made kernels_enough")
def check_14_1(answer):
    """Kernels for one map with two scales."""
    (made, enough), n = numbers(answer, ["made", "enough"]).values(), BENCHMARK_SCALES.size
    hints(
        (near(made, n**2), "made: a point of the grid stands for a two-dimensional filter. How many kernels does it take?"),
        (not near(made, 2 * n**2), "made: count the points of the grid, and the kernels at one point."),
        (near(enough, n), "enough: so many scales an axis has, but the map has two axes."),
        (near(enough, n**2), "enough: the kernel along x does not depend on the scale along y."),
        (not near(enough, 2 * n), "enough: how many different scales occur along each axis?"),
    )


@exercise("the difference quotient of the seven taps, an array", answers="quotient")
def check_14_2(answer):
    """A central difference quotient of the factor in s."""
    found = array(answer, [7])
    s, step = 0.4, 1e-5
    value, slope, _ = factors("forward", s, 7, "crop")
    above, below = (factors("forward", x, 7, "crop")[0] for x in (s + step, s - step))
    one_sided = [(above - value) / step, (value - below) / step]
    hints(
        (
            any(near(found, quotient, rtol=0, atol=1e-9) for quotient in one_sided),
            "The error of a one-sided quotient falls with the step, that of a central one with its square.",
        ),
        *alike(
            found,
            (2 * slope, "By what is the difference divided? The two points lie two steps apart."),
            (2 * step * slope, "That is the difference itself, not yet a quotient."),
            (-slope, "The sign is wrong: which value is subtracted from which?"),
            (2 * np.sqrt(s) * slope, "That is the derivative by the scale; the matrix gives the one by the variance s."),
            rtol=1e-5,
            atol=1e-10,
        ),
        right=near(found, slope, rtol=0, atol=1e-8),
        otherwise="Take the first of the three arrays of factors() at two variances on both sides of s.",
    )


@exercise(
    "a function of column factors (m x 7), row factors (n x 7) and target (7 x 7) that returns an m x n array",
    answers="squared_map",
)
def check_14_3(answer):
    """A map of the squared l2 norm by products of matrices."""
    rng = np.random.default_rng(20260514)
    column, row, target = rng.normal(size=(5, 7)), rng.normal(size=(4, 7)), rng.normal(size=(7, 7))
    found = array(call(answer, column, row, target), [5, 4], "the map")
    residual = column[:, None, :, None] * row[None, :, None, :] - target
    right = (residual**2).sum((2, 3))
    cross = column @ target @ row.T
    hints(
        *alike(
            found,
            (np.sqrt(right), "That is the norm; its square is asked for."),
            (right + cross, "How often does the mixed term occur in a square?"),
            (right - (target**2).sum(), "The energy of the target is missing."),
            (right + 2 * cross - 2 * column @ target.T @ row.T, "The mixed term has the target turned over its diagonal."),
        ),
        right=near(found, right),
        otherwise="Expand the square under the sum into three terms, and sum each of them over the pixels by itself.",
    )
