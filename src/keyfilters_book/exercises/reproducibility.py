"""Checks of chapter 13, notes on reproducibility."""

from __future__ import annotations

import numpy as np
from scipy.special import ive

from keyfilters.fitting.grid import published_windows
from keyfilters.normalization import parabola_vertex
from keyfilters.published import published

from ..published_experiments import upward_bessel_kernel
from .verdict import array, call, exercise, hint_if, hints, near, number, numbers, rounded

__all__ = ["check_13_1", "check_13_2", "check_13_3"]


@exercise("the positions of the published gamma on the grids of C and of D, in steps", answers="steps_c steps_d")
def check_13_1(answer):
    """From which grid a number was read."""
    found = numbers(answer, ["C", "D"])
    table, windows = published(), published_windows()
    gamma = float(table.value[(table.quantity == "gamma") & (table.method == "C")].iloc[0])
    grids = {name: windows[name, "7", "gamma"] for name in "CD"}
    right = {name: (gamma - grid.low) / grid.step for name, grid in grids.items()}
    hint_if(near([found["C"], found["D"]], [right["D"], right["C"]], atol=1e-4), "The two grids are exchanged.")
    for name, grid in grids.items():
        hints(
            (
                near(found[name], right[name] + 1, rtol=0, atol=1e-6),
                f"{name}: arrays count from 0, so the lower end of the window has the position 0.",
            ),
            (
                near(found[name], right[name] * grid.samples / (grid.samples - 1), rtol=0, atol=1e-6),
                f"{name}: how many steps lie between n grid points?",
            ),
            (
                near(found[name], round(right[name])) and not near(right[name], round(right[name]), rtol=0, atol=1e-6),
                f"{name}: do not round. Whether the position is a whole number is the point.",
            ),
            right=rounded(found[name], right[name], decimals=2),
            otherwise=f"{name}: divide the distance from the lower end of the window by the step of that grid.",
        )


@exercise("a function of sigma that returns T(n; s) for n = 0 to 3", answers="kernel")
def check_13_2(answer):
    """The recurrence run downwards."""
    for sigma in (0.3, 0.5, 1.0, 1.4):
        found = array(call(answer, sigma), [4], f"the kernel for sigma = {sigma}")
        right = ive(np.arange(4), sigma**2)
        error = np.abs(found / right - 1)
        scaled = found / found[0] * right[0] if found[0] else found
        hints(
            (
                near(found / found.sum(), right / right.sum(), rtol=1e-5) and near(found.sum(), 1, rtol=1e-4),
                "The sum runs over both sides of the kernel: every tap but the central one counts twice.",
            ),
            (near(scaled, right, rtol=1e-5), "The taps have the right ratios and the wrong sum: normalise."),
            (
                near(found, ive(np.arange(4), sigma), rtol=1e-4),
                "The recurrence is in the variance s, and the argument is the scale.",
            ),
            (
                near(found, upward_bessel_kernel(np.array([sigma]))[0], rtol=1e-3),
                "These are the errors of the upward recurrence. In which direction do the terms grow?",
            ),
            right=error.max() < 1e-5,
            otherwise=f"Off by more than rounding, at sigma = {sigma}. Does the recurrence start high enough?",
        )


def _largest_miss(a: float, b: float) -> float:
    """Largest distance between kink and vertex over all places of the samples, by trying many."""
    misses = []
    for t0 in np.linspace(-b, a, 4001) / (a + b):
        t = t0 + np.array([-1.0, 0.0, 1.0])
        misses.append(abs(parabola_vertex(t, np.where(t < 0, -a * t, b * t))))
    return max(misses)


@exercise("a function of the slopes a and b, a <= b, that returns the largest distance in steps", answers="largest_miss")
def check_13_3(answer):
    """How far a parabola misses a kink."""
    for a, b in ((1.0, 1.0), (1.0, 3.0), (2.0, 3.0), (0.1, 5.0)):
        found, right = number(call(answer, a, b)), _largest_miss(a, b)
        hints(
            (
                near(found, 1.5 - 2 * a / (a + b)),
                "Set the derivative of the vertex to zero once more: which power of 1 + t0 stands in it?",
            ),
            (
                near(found, 1.5 - 2 * np.sqrt(b / (a + b))) or near(found, abs(1.5 - 2 * np.sqrt(b / (a + b)))),
                "That is the other side of the kink. On which side is the vertex drawn away farther?",
            ),
            (
                near(found, _largest_miss(1.0, 1.0), rtol=0, atol=1e-5),
                "Equal slopes are right. How does the distance grow when the kink is skew?",
            ),
            (a == b, "Already for equal slopes: write the vertex as a function of t0 and look for its extremes."),
            right=near(found, right, rtol=0, atol=1e-5),
            otherwise="Right for equal slopes only. The middle sample must stay the lowest, and may lie on either side.",
        )
