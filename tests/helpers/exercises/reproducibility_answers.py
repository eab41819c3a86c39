"""Answers to the exercises of chapter 13: a right one each, and wrong ones with a word of their hint."""

import numpy as np
from scipy.special import ive

from keyfilters.fitting.grid import published_windows
from keyfilters.published import published
from keyfilters_book.published_experiments import upward_bessel_kernel


def _positions(change=lambda position: position):
    table, windows = published(), published_windows()
    gamma = table.value[(table.quantity == "gamma") & (table.method == "C")].iloc[0]
    found = {}
    for name in "CD":
        window = windows[name, "7", "gamma"]
        found[name] = float(change((gamma - window.low) / (window.high - window.low) * (window.samples - 1)))
    return found


def _down(sigma, both_sides=2, normalise=True, dtype=np.float32):
    s, values = dtype(sigma) ** 2, [dtype(0), dtype(1e-30)]
    for n in range(12, 0, -1):
        values.append(values[-2] + dtype(2 * n) / s * values[-1])
    kernel = np.array(values[::-1][:13])
    return (kernel / (kernel[0] + both_sides * kernel[1:].sum()) if normalise else kernel)[:4]


ANSWERS = {
    "13.1": (
        _positions,
        [
            (_positions(lambda p: p + 1), "count from 0"),
            (_positions(lambda p: p * 200 / 199), "how many steps"),
            (_positions(round), "do not round"),
            (dict(zip("DC", _positions().values(), strict=True)), "exchanged"),
            (0.5, "in this order"),
        ],
    ),
    "13.2": (
        lambda: _down,
        [
            (lambda sigma: _down(sigma, both_sides=1), "both sides"),
            (lambda sigma: _down(sigma, normalise=False), "normalise"),
            (lambda sigma: upward_bessel_kernel(np.array([sigma]))[0], "upward"),
            (lambda sigma: ive(np.arange(4), sigma), "variance"),
            (lambda sigma: _down(sigma)[:3], "shape"),
        ],
    ),
    "13.3": (
        lambda: lambda a, b: 1.5 - 2 * np.sqrt(a / (a + b)),
        [
            (lambda a, b: 1.5 - 2 * a / (a + b), "power"),
            (lambda a, b: 1.5 - np.sqrt(2), "skew"),
            (lambda a, b: 0.4, "Already"),
            (lambda a, b: 1.5 - np.sqrt(2) * (a / b) ** 2, "Right for equal"),
        ],
    ),
}

ROUNDED = {"13.1": lambda: {"C": 161.33, "D": 121.0}}
"""Right answers at the digits that the solution prints."""
