"""Answers to the exercises of chapter 9: a right one each, and wrong ones with a word of their hint."""

import numpy as np

import keyfilters as kf

H = kf.learned_filters()[6]


def _noise(rule=lambda h: (h**2).sum()):
    return {"learned": rule(kf.normalized_filters()[6]), "model": rule(kf.fit(7, "D1").model())}


def _gain(sigma, gamma):
    u = min(4.0, 1 / sigma**2)
    return 1 + 2 * gamma * u * np.exp(-(sigma**2) * u)


def _changes(factor=1.1, divided=True):
    constant, best = kf.dc_compensation(H, 7, "published").constant, kf.fit(7, "D1")
    h = H - factor * constant
    h = h / (h.sum() if divided else (H - constant).sum())
    found = kf.fit(7, "D1", filter=h, normalized=True)
    return {"sigma": found.sigma_x / best.sigma_x - 1, "gamma": found.gamma / best.gamma - 1}


def _each(rule, **arguments):
    return {name: rule(value) for name, value in _changes(**arguments).items()}


def _differences():
    best = kf.fit(7, "D1")
    return {"sigma": best.sigma_x * _changes()["sigma"], "gamma": best.gamma * _changes()["gamma"]}


ANSWERS = {
    "9.1": (
        _noise,
        [
            (_noise(lambda h: h.sum() ** 2), "square of the sum"),
            (_noise(lambda h: np.sqrt((h**2).sum())), "standard deviation"),
            (_noise(lambda h: np.abs(h).sum()), "l1 norm"),
            (_noise() | {"learned": (H**2).sum()}, "before it is normalised"),
            (_noise() | {"model": 0.5}, "simulation"),
            (_noise() | {"learned": _noise()["model"]}, "value of learned"),
        ],
    ),
    "9.2": (
        lambda: _gain,
        [
            (lambda sigma, gamma: _gain(sigma, gamma) - 1, "passes as well"),
            (lambda sigma, gamma: 1 / sigma**2, "not the gain"),
            (lambda sigma, gamma: 1 + 2 * gamma / (np.e * sigma**2), "small scales"),
            (lambda sigma, gamma: 1 + 8 * gamma * np.exp(-4 * sigma**2), "finest wave"),
            (lambda sigma, gamma: 2.0, "U alone"),
        ],
    ),
    "9.3": (
        _changes,
        [
            (_each(lambda change: 100 * change), "per cent"),
            ({"sigma": _changes()["gamma"], "gamma": _changes()["sigma"]}, "exchanged"),
            (_differences(), "differences"),
            (_each(lambda change: 1 + change), "ratios"),
            (_changes(factor=0.9), "made smaller"),
            (_changes(divided=False), "the new one"),
            ({"sigma": 0.1, "gamma": 0.1}, "Subtract"),
        ],
    ),
}

ROUNDED = {"9.1": lambda: {"learned": 3.024, "model": 3.017}, "9.3": lambda: {"sigma": -0.013, "gamma": -0.229}}
"""Right answers at the digits that the solution prints."""
