"""Checks of chapter 27, wavelets, curvelets, contourlets and the edge."""

from __future__ import annotations

import numpy as np

from .verdict import array, call, exercise, hints, mapping, near, number, numbers, rounded

__all__ = ["check_27_1", "check_27_2", "check_27_3"]


@exercise("n, the number of coefficients, and the side in pixels", answers="far_n far_side")
def check_27_1(answer):
    """Where the bound of the theorem has the local slope -1.9."""
    from scipy.optimize import brentq

    n, side = numbers(answer, ["n", "side"]).values()
    logarithm = brentq(lambda t: -2 + 3 / t + 1.9, 1, 100)
    hints(
        (near(n, logarithm), "n: that is its natural logarithm."),
        (
            near(n, 10**logarithm, rtol=0.01) or near(n, 2**logarithm, rtol=0.01),
            "n: the logarithm of the slope is the natural one.",
        ),
        (not rounded(n, np.exp(logarithm), digits=2), "n: which value must 3 / ln n have? Solve for ln n first."),
        (
            near(side, n, rtol=0.01) or near(side, n / 2, rtol=0.01),
            "side: the image is a square, and n is the number of all of its pixels.",
        ),
        (not near(side, np.sqrt(n), rtol=0.02), "side: how long is the side of a square with n pixels?"),
    )


@exercise(
    "a function of a frame, an image and n that returns the number by which the squared error is divided",
    answers="error_divided_by",
)
def check_27_2(answer):
    """What least-squares coefficients gain over the thresholded series."""
    from ..representations.approximation import keep_largest
    from ..representations.edges import cartoon
    from ..representations.frames import frame

    image, n = cartoon(32, 1), 200
    for name in ("contourlet", "sym8"):
        f = frame(name, 32)
        found = number(call(answer, f, image, n), "the result")
        on = np.flatnonzero(keep_largest(f.analyse(image), n))
        atoms = np.stack([f.synthesise(row).ravel() for row in np.eye(len(f))[on]], axis=1)
        coefficients = np.linalg.lstsq(atoms, image.ravel(), rcond=None)[0]
        before = ((image.ravel() - atoms @ f.analyse(image)[on]) ** 2).sum()
        after = ((image.ravel() - atoms @ coefficients) ** 2).sum()
        right = before / after
        hints(
            (
                near(found, 1, rtol=1e-3),
                "Nothing has changed. The atoms of a frame overlap: solve for their coefficients together.",
            ),
            (
                near(found, after / before, rtol=1e-3),
                "That is the share of the error that is left; asked for is what it is divided by.",
            ),
            (near(found, np.sqrt(right), rtol=1e-3), "That is the quotient of the norms; take the squares."),
            (
                near(found, after, rtol=1e-3) or near(found, before, rtol=1e-3),
                "That is an error itself; compare the one before with the one after.",
            ),
            (found > 1.1 * right, "No coefficients of these n atoms bring the error down so far. Are there others among them?"),
            right=near(found, right, rtol=1e-3),
            otherwise="The error is not the least one for these atoms. Is the residual orthogonal to all of them?",
        )


@exercise(
    "for fixed and doubled a pair: slope of the count, slope of the size, per octave",
    "Both extremes lead back to the rate of wavelets.",
    answers="slopes_fixed slopes_doubled",
)
def check_27_3(answer):
    """The slopes that counting predicts for other laws of the number of wedges."""
    found = mapping(answer, ["fixed", "doubled"])
    rows = {name: array(found[name], [2], name) for name in ("fixed", "doubled")}
    laws = {"fixed": 0.0, "doubled": 1.0}
    parabola = _slopes(0.5)
    for name, row in rows.items():
        right = _slopes(laws[name])
        hints(
            (
                near(row, parabola, atol=0.01),
                f"{name}: those are the slopes of the parabolic law, with as many wedges as it has.",
            ),
            (
                near(row, np.abs(right), atol=0.01),
                f"{name}: from octave to octave the coefficients become smaller: their slope is negative.",
            ),
            (near(row, right[::-1], atol=0.01), f"{name}: the two are exchanged, the slope of the count comes first."),
            (
                name == "doubled" and (near(row[1], -0.5, atol=0.01) or near(row[0], 0, atol=0.01)),
                "doubled: the edge is curved. Over which length does it stay within an atom's width of its tangent?",
            ),
            (
                near(row[0], right[0], atol=0.01),
                f"{name}: the count is right. The size is the sup norm of the atom times the area in which it meets the edge.",
            ),
            right=near(row, right, atol=0.01),
            otherwise=f"{name}: how long and how wide are the atoms of octave j, and how many meet the edge?",
        )


def _slopes(growth: float) -> np.ndarray:
    """Slopes per octave of count and size for 2^(growth j) wedges: atoms 2^-j wide and 2^(-(1 - growth) j) long.

    An atom meets the edge over its own length, or over 2^(-j/2) if it is longer; as many lie along the edge as such
    pieces fit, or as there are directions. Its sup norm is the inverse root of its area.
    """
    long, met = -(1 - growth), -max(1 - growth, 0.5)
    return np.array([max(1 - growth, growth), -(long - 1) / 2 + met - 1])
