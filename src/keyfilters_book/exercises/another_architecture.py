"""Checks of chapter 20, another architecture."""

from __future__ import annotations

import numpy as np

from .verdict import array, call, exercise, hint_if, hints, mapping, near, number

__all__ = ["check_20_1", "check_20_2", "check_20_3"]

_STRIDED = ("1.0", "2.0", "3.0", "5.0")


@exercise("the best shift (x, y) in pixels, y up, as the geometry gives it: two numbers", answers="mirrored_shift")
def check_20_1(answer):
    """The shift of a strided layer whose excess zeros lie in front."""
    from keyfilters.networks.inspection.inspecting import grid_shift

    found = array(answer, [2])
    right = grid_shift((5, 5), (2, 2), (2, 2))
    hints(
        (
            near(found, grid_shift((5, 5), (2, 2), "dynamic")),
            "That is the network as it is. How many zeros lie in front if the larger half is put there?",
        ),
        (
            near(found, [right[0], -right[1]]) or near(found, [-right[0], right[1]]),
            "Both axes have the same padding, but rows are counted downwards and y points up.",
        ),
        (near(found, 0), "With stride 2 and an odd kernel no padding gives that. Which part of the formula is not an integer?"),
        right=near(found, right),
        otherwise="Put stride 2, size 5 and the number of zeros in front into the formula, for one axis; then see to signs.",
    )


@exercise(
    "the mean of |w - b| over the filters, and the best shift; each (x, y), y up",
    "The mean tells the direction; for the size a model has to be moved.",
    answers="mean_place best_place",
)
def check_20_2(answer):
    """Two instruments on filters whose shift is known."""
    found = mapping(answer, ["mean", "shift"])
    mean, shift = array(found["mean"], [2], "mean"), array(found["shift"], [2], "shift")
    right, whole = _means_of_shifted()
    true = np.array([-0.5, 0.5])
    hints(
        (
            near(shift, right, rtol=0, atol=0.03) and near(mean, true, rtol=0, atol=0.06),
            "The two have been exchanged: which of them looks at the whole window, background included?",
        ),
        (
            near(shift, -true, rtol=0, atol=0.06) or near(mean, -right, rtol=0, atol=0.03),
            "Left is negative and up is positive: what is moved by (-1/2, +1/2) cannot lie on the other side.",
        ),
        (
            not near(shift, true, rtol=0, atol=0.06),
            "The best shift is off. Take the map of all filters together, with the scales doubled there too.",
        ),
        (
            near(mean, true, rtol=0, atol=0.06),
            "That mean would be the shift itself. Compute it from the filters, noise and offset included.",
        ),
        (
            near(mean, whole, rtol=0, atol=0.04),
            "That is the mean of |w|. From each filter its offset b has to be subtracted first.",
        ),
        (
            not near(mean, right, rtol=0, atol=0.025),
            "The mean is off. Match each filter with the centred keys as fitted, and take |w - b| over the window.",
        ),
    )


def _means_of_shifted() -> tuple[np.ndarray, np.ndarray]:
    """Means of |w - b| and of |w| of 300 shifted copies of key 8 with noise, of a seed of their own."""
    from keyfilters.moments import spread
    from keyfilters.networks import match
    from keyfilters_book.experiments.shifts import shifted_keys

    clean = shifted_keys("B-joint", -0.5, 0.5, size=5, widen=2)[7]
    energy = ((clean - clean.mean()) ** 2).sum()
    filters = clean + np.random.default_rng(5).normal(scale=np.sqrt(energy * (1 / 0.85 - 1) / 24), size=(300, 5, 5))
    offsets = match({"shifted": filters}, "B").layers[0].offset
    less, whole = ([spread(w - b).mean for w, b in zip(filters, o, strict=True)] for o in (offsets, 0 * offsets))
    return np.mean(less, axis=0), np.mean(whole, axis=0)


@exercise(
    "a function of a dictionary of shifts along x, by the names of the four layers, that returns pixels of the image",
    answers="grid_error",
)
def check_20_3(answer):
    """How far the last grid is off after four strided layers."""
    wide = dict(zip(_STRIDED, np.cumprod([2.0] * 4), strict=True))
    expected = -0.5
    none = number(call(answer, dict.fromkeys(_STRIDED, 0.0)), "without shifts the result")
    kept = number(call(answer, dict.fromkeys(_STRIDED, expected)), "with the shifts of the geometry the result")
    hints(
        (near(none, 0), "Without any shift each grid is off by what the geometry asks for, so the sum is not 0."),
        (not near(kept, 0), "Layers that are shifted as the geometry asks must leave the grid where it is."),
    )
    right = -expected * sum(wide.values())
    hints(
        (near(none, -right), "The sign is wrong: the formula adds d less what is expected."),
        (
            near(none, -expected * len(wide)),
            "A pixel of a late layer is wider than one of an early layer: count in pixels of the image.",
        ),
    )
    hint_if(near(none, 2 * right), "A shift is counted in pixels of the layer's input, not of its output.")
    trial = dict(zip(_STRIDED, (-0.3, -0.7, -0.2, -0.45), strict=True))
    hint_if(
        not near(call(answer, trial), sum(j * (trial[n] - expected) for n, j in wide.items())),
        "Each layer's own deviation has to be multiplied by the width of a pixel of its own input.",
    )
