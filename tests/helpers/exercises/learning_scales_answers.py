"""Answers to the exercises of chapter 18: a right one each, and wrong ones with a word of their hint."""

import numpy as np

from keyfilters.gaussian import gaussian_kernel
from keyfilters.networks import find_depthwise, fold
from keyfilters.networks.zoo.small import SmallConvNeXt
from keyfilters_book.experiments.design import SCALING
from keyfilters_book.experiments.variants import give_filters


def _numbers(biases=False):
    design, found = SCALING, {}
    network = give_filters(SmallConvNeXt(dims=design.dims, depths=design.depths), "scales", 1.0)
    for name, source in (("trained", network), ("folded", fold(network))):
        tensors = [p for row in find_depthwise(source) for p in row.module.named_parameters()]
        found[name] = sum(p.numel() for part, p in tensors if biases or part != "bias")
    return found


def _slope(r, pad="kernel", factor=1.0):
    taps = gaussian_kernel(r, 4)
    if pad == "zero":
        taps = np.pad(gaussian_kernel(r, 3), 1)
    if pad == "wrap":
        taps = np.pad(gaussian_kernel(r, 3), 1, mode="wrap")
    return factor * r * (taps[2:] - 2 * taps[1:-1] + taps[:-2])


ANSWERS = {
    "18.1": (
        _numbers,
        [
            (_numbers(biases=True), "biases"),
            (_numbers() | {"trained": _numbers()["folded"]}, "Folding"),
            (_numbers() | {"trained": 2 * _numbers()["folded"] // 49}, "gamma"),
            (_numbers() | {"folded": 49}, "add up the sizes"),
        ],
    ),
    "18.2": (
        lambda: [[-1, 0.5, 0], [0, 0, 0]],
        [
            ([[-2, 1, 0], [0, 0, 0]], "one half"),
            ([[1, -0.5, 0], [0, 0, 0]], "signs"),
            ([[0, 0, 0], [0, 0, 0]], "squared"),
            ([[-1, 0.5, 0], [-1, 0.5, 0]], "chain rule"),
            ([-1, 0.5, 0], "shape"),
        ],
    ),
    "18.3": (
        lambda: _slope,
        [
            (lambda r: _slope(r, "wrap"), "neighbours of each other"),
            (lambda r: _slope(r, "zero"), "does not end"),
            (lambda r: _slope(r, factor=1 / (2 * r)), "by s"),
            (lambda r: _slope(r, factor=2), "factor of two"),
            (lambda r: _slope(r, factor=-1), "sign"),
            (lambda r: np.gradient(gaussian_kernel(r, 3)), "second difference"),
        ],
    ),
}
