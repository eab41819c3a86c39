"""Checks of chapter 33, what the keys become in one and three dimensions."""

from __future__ import annotations

import numpy as np

from .verdict import array, call, exercise, hints, near, number

__all__ = ["check_33_1", "check_33_2", "check_33_3"]


@exercise("a function of the number of axes that returns a number of keys", answers="count")
def check_33_1(answer):
    """How many separable keys there are."""
    found = array([number(call(answer, n), "what the function returns") for n in (1, 2, 3, 5)], [4])
    axes = array([1, 2, 3, 5], [4])
    hints(
        (near(found, 3 * axes), "One key differentiates along no axis: it is missing."),
        (near(found, 3 * axes + 2), "Key 7 is a sum of products, and no product: it does not count."),
        (near(found, 4**axes), "A key differentiates along one axis at most."),
        (near(found, 2 * axes + 1), "How many kinds of first difference are there along an axis?"),
        right=near(found, 3 * axes + 1),
        otherwise="Count the rows of kf.axis_keys for one letter, for two and for three.",
    )


@exercise("a function of a and b that returns a velocity", answers="blind")
def check_33_2(answer):
    """The velocity to which a sum of two keys is blind."""
    pairs = ((1.0, 1.0), (1.0, -2.0), (3.0, 0.5))
    found = array([number(call(answer, a, b), "what the function returns") for a, b in pairs], [3])
    right = array([a / b for a, b in pairs], [3])
    hints(
        (near(found, -right), "What is the derivative of p(x - v t) by t? Mind its sign."),
        (near(found, 1 / right), "Turned over: a belongs to x, and b, which v multiplies, to t."),
        right=near(found, right),
        otherwise="Differentiate p(x - v t) by x and by t, and set a times one plus b times the other to 0.",
    )


@exercise("a function of the variance and the number of stages that returns a delay in frames", answers="delay")
def check_33_3(answer):
    """The delay of equal stages."""
    pairs = ((2.0, 1), (9.0, 3), (6.0, 12))
    found = array([number(call(answer, *pair), "what the function returns") for pair in pairs], [3])
    tau, stages = np.transpose(pairs)
    right = stages * (np.sqrt(1 + 4 * tau / stages) - 1) / 2
    hints(
        (near(found, right / stages), "That is one stage; the delays of all stages add up."),
        (near(found, (np.sqrt(1 + 4 * tau) - 1) / 2), "That is a single stage: each of several has its share of the variance."),
        (
            near(found, stages * np.sqrt(tau / stages)),
            "In continuous time, yes. A discrete stage has the variance of its constant squared, and something more.",
        ),
        right=near(found, right),
        otherwise="Solve the variance of one stage for its constant, with its share of the whole.",
    )
