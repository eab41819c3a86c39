"""Checks of chapter 19, extracting the keys."""

from __future__ import annotations

import numpy as np

from .verdict import array, call, exercise, hint_if, hints, near, number

__all__ = ["check_19_1", "check_19_2", "check_19_3"]


@exercise("a function of an array of N filters (N x 7 x 7) that returns N directions (N x 49)", answers="directions")
def check_19_1(answer):
    """What normalising takes off."""
    rng = np.random.default_rng(19)
    filters = rng.normal(size=(5, 7, 7)) + rng.normal(size=(5, 1, 1))
    found = array(call(answer, filters), [5, 49], "what the function returns")
    flat = filters.reshape(5, 49)
    right = flat - flat.mean(1, keepdims=True)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    lengths = np.linalg.norm(found, axis=1)
    over_filters = flat - flat.mean(0)
    hints(
        (
            near(found, flat / np.linalg.norm(flat, axis=1, keepdims=True)),
            "A constant that is added to a filter changes these directions.",
        ),
        (
            near(found, over_filters / np.linalg.norm(over_filters, axis=1, keepdims=True)),
            "The mean was taken over the filters; each filter has a mean of its own.",
        ),
        (near(np.abs(found), np.abs(right)), "The signs have changed: they are left as they are."),
        (near(lengths, 7), "That divides by the standard deviation. Which length should a direction have?"),
        (not near(lengths, 1), "These are not unit vectors: which norm is the divisor, and taken over which axis?"),
        right=near(found, right),
        otherwise="Unit vectors, but not the right ones: is the mean off before the norm is taken?",
    )


@exercise("a function of m that returns the size at which the elbow of ln j lies, not rounded", answers="elbow_of_log")
def check_19_2(answer):
    """The elbow of a curve without a kink."""
    for m in (8, 12, 50, 1000):
        found = number(call(answer, m), f"the elbow for m = {m}")
        j = np.linspace(1, m, 200_001)
        height = np.log(j) / np.log(m) - (j - 1) / (m - 1)
        right = j[height.argmax()]
        hints(
            (near(found, (m - 1) / np.log10(m)), "The scores are natural logarithms."),
            (near(found, m / np.log(m), rtol=1e-6), "Nearly: how many steps lie between the ends of the path?"),
            (near(found, round(right)), "Give the place of the maximum as if sizes were continuous, without rounding."),
            (
                near(found, np.log(m) / (m - 1)),
                "That is the slope of the curve at the elbow; at which j does the curve have it?",
            ),
            right=near(found, right, rtol=1e-3),
            otherwise=f"Off for m = {m}. Where does the distance from the straight line have a vanishing derivative?",
        )


@exercise("the eight centres as unit vectors, an array 8 x 49", answers="plain_centres")
def check_19_3(answer):
    """Centres of plain k-means, which does not know that opposite filters belong together."""
    from keyfilters.networks import key_filters
    from keyfilters.networks.extraction.comparison import assign

    found = array(answer, [8, 49])
    hints(
        (
            not near(np.linalg.norm(found, axis=1), 1, rtol=1e-3),
            "Divide each centre by its norm; the mean of unit vectors is shorter than 1.",
        ),
        (not near(found.mean(1), 0, atol=0.01), "The centres have means, so the filters were not normalised."),
    )
    keys = key_filters("B").reshape(8, -1)
    lines = keys - keys.mean(1, keepdims=True)
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    resemble = np.abs(found @ lines.T).max(1)
    hint_if(np.median(resemble) < 0.8, "Most centres resemble no key. Are they clusters of the mixture with little noise?")
    opposite = (np.triu(found @ found.T) < -0.9).sum()
    hint_if(
        opposite == 0 or np.abs(assign(found, lines)[1]).min() > 0.95,
        "No key has two centres: this method knows of signs. Give k-means the filters as they are.",
    )
