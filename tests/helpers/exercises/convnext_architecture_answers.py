"""Answers to the exercises of chapter 12: a right one each, and wrong ones with a word of their hint."""

import numpy as np

from keyfilters_book.paper import architecture


def _saved(**wrong):
    rows = architecture.layers("tiny")
    depthwise = sum(row.multiply_adds for row in rows if row.kind == "depthwise")
    share = depthwise / sum(row.multiply_adds for row in rows)
    return {"factor": 49 / 14, "percent": 100 * share * (1 - 14 / 49)} | wrong


ANSWERS = {
    "12.1": (
        lambda: lambda d: 8 * d**2 + 65 * d,
        [
            (lambda d: 4 * d**2 + 65 * d, "Two pointwise"),
            (lambda d: 8 * d**2 + 57 * d, "Global response"),
            (lambda d: 8 * d**2 + 55 * d, "linear"),
            (lambda d: d**2, "Collect"),
            (8, "function"),
        ],
    ),
    "12.2": (
        _saved,
        [
            (_saved(factor=7), "two passes"),
            (_saved(percent=_saved()["percent"] / 100), "in per cent"),
            (_saved(percent=_saved()["percent"] * 49 / 35), "a part remains"),
            (_saved(percent=_saved()["percent"] * 14 / 35), "still take"),
            ({}, "in this order"),
        ],
    ),
    "12.3": (
        lambda: lambda d: np.sqrt(8 * d),
        [
            (lambda d: np.sqrt(4 * d), "two pointwise"),
            (lambda d: 8 * d, "number of taps"),
            (lambda d: np.ceil(np.sqrt(8 * d)), "whole number"),
            (lambda d: d, "Per position"),
        ],
    ),
}

ROUNDED = {"12.2": lambda: {"factor": 3.5, "percent": 1.69}}
"""Right answers at the digits that the solution prints."""
