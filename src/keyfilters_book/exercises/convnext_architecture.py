"""Checks of chapter 12, the network."""

from __future__ import annotations

import numpy as np

from keyfilters_book.paper import architecture

from .verdict import call, exercise, hints, near, number, numbers, rounded

__all__ = ["check_12_1", "check_12_2", "check_12_3"]


def _work(kind: str, network="tiny", stage: int | None = None) -> int:
    """Multiply-adds of the layers of a kind, of one stage or of all."""
    rows = architecture.layers(network)
    return sum(row.multiply_adds for row in rows if row.kind == kind and stage in (None, row.stage))


@exercise("a function of d that returns the number of parameters of a block", answers="block_parameters")
def check_12_1(answer):
    """The polynomial of a block's parameters."""
    for network in architecture.variants().values():
        rows = [row for row in architecture.layers(network) if row.block == 1]
        for stage, d in enumerate(network.dims, start=1):
            right = sum(row.parameters for row in rows if row.stage == stage)
            found = number(call(answer, d), f"the value for d = {d}")
            hints(
                (
                    near(found, right - 4 * d**2, rtol=1e-3),
                    "Two pointwise layers stand in a block, one that expands and one that contracts.",
                ),
                (near(right - found, 8 * d), "Global response normalisation has parameters too, on the expanded channels."),
                (0 < right - found < 16 * d, "The quadratic part is right, a linear term is missing: biases count too."),
                right=near(found, right),
                otherwise="Collect what goes with the square of d and what goes with d, term by term.",
            )


@exercise("a factor, and a number of per cent", answers="saved_factor saved_percent")
def check_12_2(answer):
    """What separable filters save."""
    factor, percent = numbers(answer, ["factor", "percent"]).values()
    taps = architecture.KERNEL
    hints(
        (near(factor, taps), "factor: there are two passes, one along each axis."),
        (near(factor, 2 / taps), "factor: by what factor does the work fall? It should be larger than 1."),
        (not near(factor, taps / 2), "factor: count the products at one position before and after."),
    )
    depthwise, total = _work("depthwise"), sum(row.multiply_adds for row in architecture.layers("tiny"))
    right = 100 * depthwise * (1 - 2 / taps) / total
    hints(
        (near(percent, right / 100, rtol=1e-3), "percent: in per cent, please."),
        (
            near(percent, 100 * depthwise / total, rtol=1e-3),
            "percent: that is all of the depthwise work, of which a part remains.",
        ),
        (
            near(percent, 100 * depthwise * 2 / taps / total, rtol=1e-3),
            "percent: that is what the depthwise layers still take; what is saved?",
        ),
        (
            not rounded(percent, right, decimals=2),
            "percent: of the multiply-adds of all layers of the network, pointwise ones included.",
        ),
    )


@exercise("a function of the number of channels d that returns the side of the kernel, not rounded", answers="kernel_bound")
def check_12_3(answer):
    """The size from which the depthwise layers of a stage take more work than the pointwise ones."""
    network = architecture.network_size("tiny")
    for stage, d in enumerate(network.dims, start=1):
        # The depthwise work grows with the square of the side, the pointwise work does not depend on it.
        ratio = _work("pointwise", network, stage) / _work("depthwise", network, stage)
        right = architecture.KERNEL * np.sqrt(ratio)
        found = number(call(answer, d), f"the bound for d = {d}")
        hints(
            (near(found, right / np.sqrt(2)), "A block has two pointwise layers."),
            (near(found, right**2), "That is the number of taps; the side of the kernel is asked for."),
            (near(found, np.round(right)) or near(found, np.ceil(right)), "Give the bound itself, not the next whole number."),
            (
                not near(found, right, rtol=1e-4),
                "Per position the depthwise layer multiplies k k d times. And the two pointwise layers?",
            ),
        )
