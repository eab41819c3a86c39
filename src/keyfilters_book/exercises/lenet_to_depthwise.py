"""Checks of chapter 22, LeNet-5 to depthwise networks."""

from __future__ import annotations

import numpy as np

from .verdict import alike, call, exercise, hint_if, hints, near, number, numbers

__all__ = ["check_22_1", "check_22_2", "check_22_3"]


@exercise("the parameters of the whole network, and the k of equal parts", answers="parameters_without equal_side")
def check_22_1(answer):
    """LeNet-5 without the table of connections, and the kernel side that balances a separable layer."""
    from ..background.costs import layer_cost
    from ..background.lenet import LeNet5

    parameters, side = numbers(answer, ["parameters", "side"]).values()
    full = LeNet5(table=[tuple(range(6))] * 16)
    count = sum(p.numel() for p in full.parameters())
    hints(
        (
            parameters == sum(p.numel() for p in LeNet5().parameters()),
            "parameters: that is the network with its table. How many inputs has a map of C3 without it?",
        ),
        (
            parameters == sum(p.numel() for p in full.c3.parameters()),
            "parameters: that is C3 alone; the whole network is asked for.",
        ),
        (parameters == count - 16, "parameters: each map of C3 has a bias too."),
        (parameters != count, "parameters: only C3 changes. Take the old C3 away and put the new one in its place."),
        (near(side, 16), "side: the number of taps of a filter is not its side."),
    )
    right = next(k for k in range(1, 100) if 2 * layer_cost(6, 16, k, 1, "depthwise")["weights"]
                 == layer_cost(6, 16, k, 1, "separable")["weights"])  # fmt: skip
    hint_if(not near(side, right), "side: set the weights of the spatial filters equal to those of the mixture. What cancels?")


@exercise(
    "a function of the state x (84 numbers) and of j that returns the rubbish class's score, a number", answers="rubbish_score"
)
def check_22_2(answer):
    """The eleventh score of the softmax that LeNet-5's loss is."""
    from ..background.lenet_codes import output_codes

    codes, rng = output_codes("clothes"), np.random.default_rng(0)
    for j in (84.0, 30.0):
        x = rng.normal(size=84)
        penalties = ((x - codes) ** 2).sum(axis=1)
        dropped = (penalties + 2 * codes @ x).mean()  # the same for all classes
        found = number(call(answer, x, j), "the score")
        hints(
            (
                near(found, -j),
                "The score -j goes with the scores -y. What is the same for all ten classes must be taken from -j as well.",
            ),
            (near(found, dropped), "Where has j gone? The penalty of the rubbish class is j, whatever the state."),
            (near(found, x @ x), "That holds for one value of j only."),
            (near(found, j - dropped), "The sign is wrong: a large j makes the rubbish class improbable."),
            (
                near(found, (dropped - j) / 2),
                "The scores of the classes are twice the inner products; the eleventh has the same unit.",
            ),
            right=near(found, dropped - j),
            otherwise="Expand the square in y, find what all ten classes share, and add it to -y and to -j.",
        )


@exercise(
    "a function of kernels (n x 5 x 5) and of a bank of filters (m x 5 x 5) that returns a share between 0 and 1",
    answers="share_in_span",
)
def check_22_3(answer):
    """The share of the sum of squares in the span of a bank."""
    from ..background.factorisation import span_share

    rng = np.random.default_rng(0)
    bank = rng.normal(size=(3, 5, 5)) + 1.0  # far from orthogonal
    kernels = rng.normal(size=(20, 5, 5)) * rng.uniform(0.1, 3, size=(20, 1, 1)) + 0.3
    found, right = number(call(answer, kernels, bank), "the share"), span_share(kernels, bank)
    w, f = kernels.reshape(20, -1), bank.reshape(3, -1)
    cosines = (w @ (f / np.linalg.norm(f, axis=1, keepdims=True)).T) ** 2
    total = (w**2).sum()
    each = [span_share([k], bank) for k in kernels]
    hints(
        *alike(
            found,
            (1 - right, "That is the share outside of the span."),
            (cosines.sum() / total, "The filters are not orthogonal: what two of them share has been counted twice."),
            (cosines.max(axis=1).sum() / total, "That takes one filter for each kernel; combinations of all are allowed."),
            (np.sqrt(right), "That is a ratio of norms; the share is one of sums of squares."),
            (np.mean(each), "That is a mean over the kernels: a large kernel has to count more than a small one."),
        ),
        (
            not near(found, right),
            "Make an orthonormal basis of the span (QR or SVD), project, and compare sums of squares over all kernels.",
        ),
    )
