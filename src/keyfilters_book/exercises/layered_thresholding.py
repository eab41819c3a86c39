"""Checks of chapter 23, a CNN is layered thresholding."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .verdict import array, call, choice, exercise, hints, mapping, near, number, rounded

__all__ = ["check_23_1", "check_23_2", "check_23_3"]


@exercise("a function of an array x and of the number t that returns an array of the shape of x", answers="prox_of_cube")
def check_23_1(answer):
    """The proximal map that Moreau's decomposition puts beside soft thresholding."""
    from ..representations.thresholding import threshold

    x = np.array([-3.0, -1.0, -0.4, 0.0, 0.2, 0.7, 2.5])
    for t in (0.5, 1.5):
        found, soft = array(call(answer, x, t), [len(x)]), threshold(x, t, "soft")
        hints(
            (near(found, soft), "That is the proximal map of t times the l1 norm, the other half of the decomposition."),
            (
                near(found, x - threshold(x, t, "hard")),
                "That sends points outside of the cube to 0. Which point of the cube is nearest to them?",
            ),
            (near(found, np.clip(x, 0, t)), "The cube reaches to both sides of 0."),
            (near(found, np.clip(x, -1, 1)), "The side of the cube depends on t."),
            (
                not near(found, x - soft),
                "Minimise the squared distance to x over a penalty that is 0 in the cube and infinite outside.",
            ),
        )


@exercise(
    "a function of D1 and D2 (atoms in the columns) that returns two matrices W1 and W2, as forward() takes them",
    "ReLU units with signs need pairs of channels.",
    answers="paired_weights",
)
def check_23_2(answer):
    """Weights with which a ReLU network is layered soft thresholding."""
    from ..representations.dictionaries import Dictionary
    from ..representations.layered import forward, layered_thresholding

    rng = np.random.default_rng(0)
    layers = [Dictionary(d / np.linalg.norm(d, axis=0)) for d in (rng.normal(size=(12, 9)), rng.normal(size=(9, 7)))]
    y, betas = 2 * rng.normal(size=(12, 20)), (0.4, 0.3)
    weights = call(answer, *(d.atoms for d in layers))
    hints((not isinstance(weights, tuple | list) or len(weights) != 2, "Two matrices are expected, W1 and W2."))
    (n, m1), m2 = layers[0].atoms.shape, layers[1].atoms.shape[1]
    first, second = array(weights[0], [None, None], "W1"), array(weights[1], [None, None], "W2")
    hints(
        (
            first.shape == (n, m1),
            "With as many channels as atoms, ReLU drops what is negative. What would a second set of atoms keep?",
        ),
        (first.shape == (n, 2 * m1) and second.shape[0] == m1, "W2 must read both halves of the channels of the first layer."),
    )
    first, second = array(first, [n, 2 * m1], "W1"), array(second, [2 * m1, 2 * m2], "W2")
    soft = layered_thresholding(y, layers, "soft", thresholds=betas)
    channels = forward(y, [first, second], [-b for b in betas])
    for z, right, name in zip(channels, soft, ("first", "second"), strict=True):
        u, v = np.split(z, 2)
        hints(
            (near(v - u, right), f"The halves of the {name} layer are exchanged: positive parts come first."),
            right=near(u - v, right),
            otherwise=f"The {name} layer does not keep the soft threshold as u - v. With which sign does each half enter?",
        )


@exercise('epsilon, a number, and what comes nearer, "thresholding" or "basis pursuit"', answers="equal_epsilon nearer_method")
def check_23_3(answer):
    """Where the two bounds of an entry's error meet, and which method is nearer to its own."""
    from ..representations.dictionaries import spikes_and_waves

    found = mapping(answer, ["epsilon", "nearer"])
    epsilon = number(found["epsilon"], "epsilon")
    word = choice(found["nearer"], ["thresholding", "basis pursuit"], "nearer")
    mu = spikes_and_waves(256).coherence
    right, shares = 2 * mu / 6.5, _shares_of_bounds()
    hints(
        (near(epsilon, 2 * mu / 7.5, rtol=0.01), "epsilon: the noise adds to the error of thresholding, too."),
        (
            near(epsilon, 3 * mu / 6.5, rtol=0.01),
            "epsilon: an atom of the support is disturbed by the others only, not by itself.",
        ),
        (near(epsilon, 2 / 6.5, rtol=0.01), "epsilon: the coherence of this dictionary is not 1."),
        (
            not rounded(epsilon, right, decimals=3),
            "epsilon: set the two bounds equal, with the coherence of impulses and Walsh functions, and solve.",
        ),
        (
            word != max(shares, key=shares.get),
            "nearer: divide each measured error by its bound. Which quotient is closer to 1?",
        ),
    )


@lru_cache(maxsize=1)
def _shares_of_bounds() -> dict[str, float]:
    """Measured largest error over its bound, of hard thresholding and of basis pursuit, for a little noise."""
    from ..representations.dictionaries import spikes_and_waves
    from ..representations.guarantees import thresholding_guarantee
    from ..representations.layered import basis_pursuit, layered_thresholding
    from ..representations.recovery import random_codes

    layer, epsilon = spikes_and_waves(256), 0.02
    codes = random_codes([layer], 3, 10, seed=1)
    noise = np.random.default_rng(1).normal(size=(256, 10))
    y = layer.atoms @ codes[0] + noise * (epsilon / layer.local_norm(noise))
    at = thresholding_guarantee(codes, [layer], "hard", epsilon)[0].setting
    (kept,) = layered_thresholding(y, [layer], "hard", thresholds=[at])
    lasso = basis_pursuit(y, layer, 4 * epsilon, nonnegative=True)
    bounds = {"thresholding": (kept, 2 * layer.coherence + epsilon), "basis pursuit": (lasso, 7.5 * epsilon)}
    return {name: np.abs(code - codes[0]).max() / bound for name, (code, bound) in bounds.items()}
