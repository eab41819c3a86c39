"""Checks of chapter 26, which layer matters."""

from __future__ import annotations

import numpy as np

from .verdict import call, exercise, hint_if, hints, mapping, near, number

__all__ = ["check_26_1", "check_26_2", "check_26_3"]


@exercise("the variance of the weights, a number", answers="preserving_variance")
def check_26_1(answer):
    """The variance at which a ReLU layer of width 5 keeps the mean length of curves."""
    from ..background.trajectories import relu_growth

    variance = number(answer, "the variance")
    growth = relu_growth(1.0, 5)
    hints(
        (near(variance, 2), "That is the limit of wide layers. How much of a curve's length is left at width 5?"),
        (
            near(variance, 1 / growth, rtol=1e-3),
            "That is the standard deviation of the weights (times the root of the width); the variance is asked for.",
        ),
        (
            near(variance, growth**2, rtol=1e-3) or near(variance, growth, rtol=1e-3),
            "That is what variance 1 does to a curve. What must the factor be multiplied by to become 1?",
        ),
        (
            not near(variance * growth**2, 1, rtol=5e-3),
            "The exact factor for width 5 should be 1. How does it depend on the variance?",
        ),
    )


@exercise(
    "for the first matrix, layer 2, layer 8 and the readout a pair: number of weights, accuracy between 0 and 1",
    answers="first_matrix layer_2 layer_8 readout",
)
def check_26_2(answer):
    """The first matrix and the readout, trained alone, beside two hidden layers."""
    from ..background.random_networks import random_weights

    names = ["first", "layer 2", "layer 8", "readout"]
    rows = mapping(answer, names)
    for name in names:
        hint_if(
            not isinstance(rows[name], tuple | list) or len(rows[name]) != 2,
            f"{name}: a pair is expected, the number of weights and the accuracy.",
        )
    counts = [number(rows[name][0], f"{name}: the number of weights") for name in names]
    share = {name: number(rows[name][1], f"{name}: the accuracy") for name in names}
    matrices = random_weights([0], 2.0)
    right = [matrices[i][0].numel() for i in (0, 1, 7, 8)]
    hints(
        (near(counts, [2 * n for n in right]), "Those are the weights of two networks. Count one."),
        (
            not near(counts, right),
            "The numbers of weights are not those of 784 inputs, width 100 and ten classes, without biases.",
        ),
        (max(share.values()) > 1, "The accuracies should be shares between 0 and 1, not per cent."),
        (
            min(share.values()) < 0.2,
            "Guessing gives 0.1, and each of the four learns more than that. Was the layer trained that you evaluate?",
        ),
        (
            near(list(share.values()), share["first"]),
            "Four equal accuracies: has each network been evaluated with its own trained layer?",
        ),
        (
            share["readout"] != min(share.values()),
            "The readout should not be ahead of the others: matrices are counted from 0, and it is the last of nine.",
        ),
        (
            share["layer 2"] <= share["layer 8"] or share["first"] <= share["layer 8"],
            "Compare with the figure of single layers above: in which order are hidden layers 2 and 8 there?",
        ),
    )


@exercise(
    "a function of a list of nine stacks of weights that returns two lists: wild before, wild behind", answers="half_wild"
)
def check_26_3(answer):
    """Networks whose first half of hidden layers, or whose rest, has larger weights."""
    from ..background.random_networks import random_weights

    calm = random_weights([0, 1], 2.0, width=20, inputs=30)
    built = call(answer, [w.clone() for w in calm])
    found = mapping(built, ["wild before", "wild behind"], "what the function returns")
    sizes = [tuple(w.shape) for w in calm]
    stretched = {}
    for name, weights in found.items():
        hint_if(
            not isinstance(weights, list | tuple) or [tuple(getattr(w, "shape", ())) for w in weights] != sizes,
            f"{name}: a list of nine stacks of weights is expected, of the shapes of those given.",
        )
        stretched[name] = [float(w.norm() / c.norm()) for w, c in zip(weights, calm, strict=True)]
    right = np.sqrt(8.0)
    wild = {"wild before": [1] * 4 + [0] * 5, "wild behind": [0] * 4 + [1] * 5}
    expected = {name: [right if on else 1.0 for on in row] for name, row in wild.items()}
    hint_if(
        all(near(stretched[a], expected[b], rtol=0.1) for a, b in zip(expected, reversed(expected), strict=True)),
        'The two are exchanged: "before" means nearer to the image than the trained layer.',
    )
    for name, row in expected.items():
        largest, least = max(stretched[name]), min(stretched[name])
        hints(
            (
                near(largest, 8, rtol=0.1),
                f"{name}: by that factor the variance grows if it multiplies the variance; here it multiplies weights.",
            ),
            (
                not near(largest, right, rtol=0.1) or not near(least, 1, rtol=0.1),
                f"{name}: some matrices should have variance 16, the others variance 2 as given.",
            ),
            (near(stretched[name][8], 1, rtol=0.1) and row[8] > 1, f"{name}: the readout lies behind the trained layer, too."),
            (
                not near(stretched[name], row, rtol=0.1),
                f"{name}: the border is in the wrong place. Hidden layer 1 is matrix 0; which is hidden layer 4?",
            ),
        )
