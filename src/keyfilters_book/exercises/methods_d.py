"""Checks of chapter 8, methods D1 and D2."""

from __future__ import annotations

import numpy as np

from keyfilters.filters import KEYS
from keyfilters.fitting.methods import fit
from keyfilters.gaussian import discrete_gaussian, scale_derivative
from keyfilters.normalization import normalized_filters
from keyfilters_book.paper.landscape import two_scale_problem

from .verdict import Hint, array, call, exercise, hints, mapping, near, number, rounded

__all__ = ["check_8_1", "check_8_2", "check_8_3"]


def boundary_slope(below: float, middle: float, above: float) -> float:
    """Derivative of the sum of squares in s at s = 0, from the taps and the diffusion equation."""
    rows = np.array([0, 0, below, middle, above, 0, 0])
    return float(2 * (discrete_gaussian(0.0, 3) - rows) @ scale_derivative(discrete_gaussian(0.0, 4)))


@exercise("a function of three weights (below, middle, above) that returns the slope", answers="slope_at_zero")
def check_8_1(answer):
    """When the best variance of a row of three weights is 0."""
    for rows in ((0.1, 1.3, 0.2), (0.2, 1.05, 0.3), (0.1, 0.7, 0.05)):
        found, right = number(call(answer, *rows), "what the function returns"), boundary_slope(*rows)
        hints(
            (
                near(found, 0),
                "That is the slope in the scale, which always vanishes at 0; the slope in the variance is asked for.",
            ),
            (near(found, -right), "The sign is wrong: the residual is model minus filter."),
            (
                near(found, right / 2) or near(found, 2 * right),
                "A factor of 2: the square gives one, the diffusion equation takes one away.",
            ),
            (near(found, right + 2), "At s = 0 the middle tap of the model is not zero."),
            (not near(found, right), "Take the residuals and their derivatives in s at s = 0: three taps have both."),
        )


@exercise("the amplitudes of C1 and of D1, seven numbers each, for keys 1 to 6 and 8", answers="amplitudes_c1 amplitudes_d1")
def check_8_2(answer):
    """The amplitude that least squares would choose."""
    parts = mapping(answer, ["C1", "D1"])
    keys, filters = [row.number for row in KEYS if row.number != 7], normalized_filters()
    for method in ("D1", "C1"):
        found = array(parts[method], [7], method)
        pairs = [(fit(key, method).model().ravel(), filters[key - 1].ravel()) for key in keys]
        right = np.array([m @ t / (m @ m) for m, t in pairs])
        hints(
            (
                near(found, [m @ t / (t @ t) for m, t in pairs], rtol=1e-3),
                "That scales the filter to the model; the model is to be scaled to the filter.",
            ),
            (
                near(found, [np.linalg.norm(t) / np.linalg.norm(m) for m, t in pairs], rtol=1e-3),
                "Equal norms do not make the difference least: the model's direction counts too.",
            ),
            (
                near(found, [m @ t / np.linalg.norm(m) / np.linalg.norm(t) for m, t in pairs], rtol=1e-3),
                "That is the cosine; by whose square is the inner product to be divided?",
            ),
        )
        wrong = [at for at, (a, b) in enumerate(zip(found, right, strict=True)) if not rounded(a, b, decimals=2)]
        if wrong:
            raise Hint(f"{method}, key {keys[wrong[0]]}, is not right. Set the derivative of the squared norm in a to zero.")


def tap_rate(*, second_derivatives: bool = True) -> np.ndarray:
    """Change of the best variances of key 8 with the weight to the right of the centre."""
    found = fit(8, "D1")
    r, jacobian, second = two_scale_problem(8).evaluate(np.square([found.sigma_x, found.sigma_y]))
    half_hessian = jacobian.T @ jacobian + second_derivatives * np.tensordot(r, second, 1)
    return np.linalg.solve(half_hessian, jacobian[3 * 7 + 4])


@exercise("the derivatives of the two variances with respect to t, an array of two numbers", answers="variance_rates")
def check_8_3(answer):
    """How a single tap moves the optimum."""
    found, right, optimum = array(answer, [2]), tap_rate(), fit(8, "D1")
    hints(
        (
            near(found, -right, rtol=2e-3),
            "The sign is wrong: the tap stands in the filter, which is subtracted from the model.",
        ),
        (
            near(found, right[::-1], rtol=2e-3),
            "The two are exchanged: x comes first, and the tap lies to the right of the centre.",
        ),
        (
            near(found, right / (2 * np.array([optimum.sigma_x, optimum.sigma_y])), rtol=2e-3),
            "These are the derivatives of the scales; those of the variances are asked for.",
        ),
        (
            near(found, tap_rate(second_derivatives=False), rtol=2e-3),
            "The Hessian of the squared norm has a second term, because the residuals do not vanish.",
        ),
        (
            near(found, 2 * right, rtol=2e-3) or near(found, right / 2, rtol=2e-3),
            "A factor of 2: gradient and Hessian are both those of G, or both those of G / 2.",
        ),
        (
            np.linalg.norm(found) < 0.05 * np.linalg.norm(right),
            "That is very small. Is it the shift for a small t? It has to be divided by t.",
        ),
        right=near(found, right, rtol=2e-3),
        otherwise="The gradient stays zero: how much does the tap change it, and how much do the variances?",
    )
