"""Checks of chapter 3, spread measures and two working hypotheses."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from keyfilters.filters import learned_filters
from keyfilters.models import ideal_filter
from keyfilters.moments import coordinates, spread
from keyfilters_book.paper.structure import odd_share, rank_one_energy

from .verdict import Hint, array, call, exercise, hint_if, hints, mapping, near, number, numbers, rounded

__all__ = ["check_3_1", "check_3_2", "check_3_3"]


def impulse_on_background(background: float, added: bool = False) -> np.ndarray:
    """A pixel of weight 1 among pixels of a small weight, which may stand on the background as well."""
    h = np.full((7, 7), background)
    h[3, 3] = 1 + background * added
    return h


@exercise("V_xx, unweighted and weighted, two numbers", answers="unweighted weighted")
def check_3_1(answer):
    """What a weak background does to a variance, and what a weight does to the background."""
    found = numbers(answer, ["unweighted", "weighted"])
    h, template = impulse_on_background(0.02), ideal_filter(8, 1.0)
    right = {"unweighted": spread(h).covariance[0, 0], "weighted": spread(h, template).covariance[0, 0]}
    added = spread(impulse_on_background(0.02, added=True)).covariance[0, 0]
    second = (coordinates(7)[0] ** 2 * h).sum()
    hints(
        (
            near(found["unweighted"], np.sqrt(right["unweighted"]), rtol=1e-3),
            "That is a standard deviation; the variance is asked for.",
        ),
        (near(found["unweighted"], second, rtol=1e-3), "The second moment has to be divided by the total mass."),
        (
            near(found["unweighted"], added, rtol=1e-4),
            "The centre pixel has the weight 1 in all; the background covers the other 48 pixels.",
        ),
        (
            not near(found["unweighted"], right["unweighted"], rtol=1e-3),
            "The unweighted value is not right: which of the 49 pixels contribute how much to the second moment in x?",
        ),
        (
            near(found["weighted"], found["unweighted"], rtol=1e-3),
            "Both values are the same. The weight is the idealised filter of key 8 at scale 1.",
        ),
        (
            not rounded(found["weighted"], right["weighted"], decimals=3),
            "The weighted value is not right. The weight changes the second moment and the total mass.",
        ),
    )


def non_separable(h, constant: float = 0.0) -> float:
    """Energy of h - C that no separable filter can represent."""
    return float((np.linalg.svd(h - constant, compute_uv=False)[1:] ** 2).sum())


def least_non_separable(h) -> tuple[float, float]:
    """The constant that leaves least non-separable energy, and this energy."""
    scan = np.linspace(-0.1, 0.1, 401)
    k = int(np.argmin([non_separable(h, c) for c in scan]))
    bounds = scan[[k - 1, k + 1]]
    best = minimize_scalar(lambda c: non_separable(h, c), bounds=bounds, method="bounded", options={"xatol": 1e-9})
    return float(best.x), float(best.fun)


@exercise("the non-separable energy that remains of keys 1 to 6, an array of six numbers", answers="remaining_energies")
def check_3_2(answer):
    """What a constant can and cannot explain of the deviation from separability."""
    found, h = array(answer, [6]), learned_filters()[:6]
    constants, right = np.transpose([least_non_separable(f) for f in h])
    hints(
        (near(found, constants, rtol=0.02, atol=2e-4), "These are the constants; the energy that remains is asked for."),
        (near(found, [non_separable(f) for f in h], rtol=1e-3), "That is what is left without a constant."),
        (
            near(found, [rank_one_energy(f - c) for f, c in zip(h, constants, strict=True)], rtol=1e-3),
            "That is the part that is separable; the rest is asked for.",
        ),
    )
    wrong = [key for key, (a, b) in enumerate(zip(found, right, strict=True)) if not rounded(a, b, decimals=4)]
    if wrong:
        raise Hint(
            f"Key {wrong[0] + 1} is not right. Are both signs of C tried, in fine steps, and all but the first "
            "singular value squared?"
        )


def pair(a: float) -> np.ndarray:
    """The weights -1 in the centre and a to its right."""
    f = np.zeros((7, 7))
    f[3, 3:5] = -1, a
    return f


@exercise("shares, a function of a that returns mean, odd share and even share, and a number a", answers="shares border_a")
def check_3_3(answer):
    """An unequal pair between a difference and a shifted blob."""
    parts = mapping(answer, ["shares", "a"])
    for a in (0.5, 1.5, 3.0):
        mean, odd, even = array(call(parts["shares"], a, what="shares"), [3], "what shares returns")
        right_odd, right_even = odd_share(pair(a), 0, 0.5), 1 - odd_share(pair(a), 0, 1.0)
        hints(
            (near(mean, a / (a - 1)), "The mean is that of the absolute value."),
            (not near(mean, spread(pair(a)).mean[0]), "The mean is not right: the two weights are |-1| at 0 and a at 1."),
            (near(odd, 1 - right_odd), "That is the share that is even about the point between the pixels."),
            (
                not near(odd, right_odd),
                "The odd share is not right. Split the pair into an odd and an even part about the middle.",
            ),
            (
                near(even, 1 - odd_share(pair(a), 0, 0.0)),
                "The even share is taken about the first pixel; the second one is meant.",
            ),
            (
                not near(even, right_even),
                "The even share is not right: which part of the energy does the weight off the centre of reflection have?",
            ),
        )
    limit = brentq(lambda a: 1 - odd_share(pair(a), 0, 1.0) - odd_share(pair(a), 0, 0.5), 0.1, 10)
    hint_if(
        not near(number(parts["a"], "a"), limit, rtol=1e-3),
        "The shares are right, the number a is not: put it into them and compare.",
    )
