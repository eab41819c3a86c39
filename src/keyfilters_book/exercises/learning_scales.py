"""Checks of chapter 18, learning the scales."""

from __future__ import annotations

import numpy as np

from .verdict import array, call, exercise, hints, near, numbers

__all__ = ["check_18_1", "check_18_2", "check_18_3"]


@exercise("how many numbers are trained, and how many are left when folded", answers="count_trained count_folded")
def check_18_1(answer):
    """Numbers of the depthwise layers before and after folding."""
    from keyfilters.networks import find_depthwise, fold
    from keyfilters.networks.zoo.small import SmallConvNeXt

    from ..experiments.design import SCALING
    from ..experiments.variants import give_filters

    found = numbers(answer, ["trained", "folded"])
    network = give_filters(SmallConvNeXt(dims=SCALING.dims, depths=SCALING.depths), "scales", 1.0)
    right = {}
    for name, source in (("trained", network), ("folded", fold(network))):
        tensors = [p for row in find_depthwise(source) for p in row.module.named_parameters()]
        right[name] = sum(p.numel() for part, p in tensors if part != "bias")
        biases = sum(p.numel() for part, p in tensors if part == "bias")
        hints(
            (near(found[name], right[name] + biases), f"{name}: biases are not counted."),
            (near(found[name], sum(p.numel() for p in source.parameters())), f"{name}: of the depthwise layers only."),
        )
    channels = right["folded"] // 49
    hints(
        (
            near(found["trained"], right["folded"]) or near(found["folded"], right["trained"]),
            "Folding changes the number: filters that are written out have a weight for every pixel.",
        ),
        (
            near(found["trained"], 2 * channels) or near(found["trained"], 2 * channels + channels // 8),
            "trained: list the parameters of a layer. How many entries has its gamma?",
        ),
        *(
            (
                not near(found[name], right[name]),
                f"{name}: add up the sizes of the parameters of all depthwise layers, biases aside.",
            )
            for name in found
        ),
    )


@exercise("an array of two rows, the derivatives by s and by r of the taps T(0), T(1), T(2) at zero", answers="slopes_at_zero")
def check_18_2(answer):
    """Derivatives of the discrete Gaussian at scale zero."""
    import torch

    from keyfilters.networks.layers.kernels import half_gaussian

    found = array(answer, [2, 3])
    s = torch.tensor([1e-12], dtype=torch.float64, requires_grad=True)
    by_s = np.array([torch.autograd.grad(half_gaussian(s, 2)[0, n], s)[0].item() for n in range(3)])
    hints(
        (near(found[0], 2 * by_s, atol=1e-5), "The diffusion equation has a factor of one half."),
        (near(found[0], -by_s, atol=1e-5), "Smoothing takes from the centre and gives to its neighbours: look at the signs."),
        (near(found[0], 0, atol=1e-5), "In s the kernel does change at zero, at once: which of the two parameters is squared?"),
        (
            not near(found[0], by_s, rtol=1e-4, atol=1e-5),
            "By s: take the second difference of a unit impulse, with its factor.",
        ),
        (not near(found[1], 0, atol=1e-5), "By r: the chain rule has a factor that depends on r."),
    )


@exercise("a function of r that returns the derivatives of the seven taps by r", answers="tap_slopes")
def check_18_3(answer):
    """The gradient of the kernel from the diffusion equation."""
    from keyfilters.gaussian import gaussian_kernel

    for r in (0.4, 1.1, 2.0):
        found = array(call(answer, r), [7], f"the derivative at r = {r}")
        wide = gaussian_kernel(r, 4)
        second = wide[2:] - 2 * wide[1:-1] + wide[:-2]
        taps = gaussian_kernel(r, 3)
        padded = np.pad(taps, 1)
        hints(
            (
                near(found, r * (np.roll(taps, 1) - 2 * taps + np.roll(taps, -1))),
                "The outermost taps are neighbours of each other here. What lies beyond the window?",
            ),
            (
                near(found, r * (padded[2:] - 2 * taps + padded[:-2])),
                "The outermost taps are wrong: the kernel does not end at the window.",
            ),
            (
                near(found[1:-1], r * second[1:-1], rtol=1e-5, atol=1e-9),
                "Only the outermost taps are wrong: which neighbours do they have?",
            ),
            (near(found, second / 2), "That is the derivative by s."),
            (
                near(found, r * second / 2) or near(found, 2 * r * second),
                "A factor of two: one half from the diffusion equation, and two from the chain rule.",
            ),
            (near(found, -r * second), "The sign: with growing r the centre loses."),
            right=near(found, r * second, rtol=1e-5, atol=1e-9),
            otherwise=f"Off at r = {r}: second difference of the kernel along n, times what the equation says.",
        )
