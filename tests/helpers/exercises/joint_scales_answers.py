"""Answers to the exercises of chapter 10: a right one each, and wrong ones with a word of their hint."""

import numpy as np

import keyfilters as kf
from keyfilters.filters import GROUPS

SIGMA = np.linspace(0.2, 1.6, 651)
FIRST, SECOND = GROUPS["non-centred"], GROUPS["centred"]


def _scales():
    return np.array([(fit.sigma_x, fit.sigma_y) for fit in (kf.fit(k, "B") for k in FIRST)])


def _means(scales):
    return {"geometric": float(np.exp(np.log(scales).mean())), "arithmetic": float(scales.mean())}


def _terms(power):
    targets = kf.normalized_filters()
    return {k: (np.abs(kf.ideal_filter(k, SIGMA) - targets[k - 1]) ** power).sum((1, 2)) for k in FIRST + SECOND}


def _one_scale(root=False, mean=False, percent=False):
    answer = {}
    for method, power in (("C", 1), ("D", 2)):
        terms = _terms(power)
        if root and power == 2:
            terms = {k: np.sqrt(term) for k, term in terms.items()}
        groups = [sum(terms[k] for k in keys) for keys in (FIRST, SECOND)]
        growth = sum(groups).min() / sum(g.min() for g in groups) - 1
        scale = np.mean([SIGMA[g.argmin()] for g in groups]) if mean else SIGMA[sum(groups).argmin()]
        answer[method] = (float(scale), float(100 * growth if percent else growth))
    return answer


def _own_scale(**wrong):
    terms = {k: term for k, term in _terms(2).items() if k in FIRST}
    together = sum(terms.values())
    others = together - terms[8]
    fall = 1 - (others.min() + terms[8].min()) / together.min()
    return {"fall": fall, "gain": terms[8][together.argmin()] / terms[8].min()} | wrong


def _careless():
    terms = _terms(2)
    together = sum(terms[k] for k in FIRST)
    return 1 - (together - terms[8]).min() / together.min()


ANSWERS = {
    "10.1": (
        lambda: _means(_scales()),
        [
            (_means(_scales()[:, 0]), "along y"),
            (_means(_scales() ** 2), "variances"),
            (dict(zip(("arithmetic", "geometric"), _means(_scales()).values(), strict=True)), "exchanged"),
            ({"geometric": 0.6, "arithmetic": 0.6}, "ten numbers"),
            ({"geometric": 0.6}, "in this order"),
        ],
    ),
    "10.2": (
        _one_scale,
        [
            (_one_scale(mean=True), "mean of two"),
            (_one_scale(root=True), "squares"),
            (_one_scale(percent=True), "per cent"),
            ({"C": (0.3, 0.1), "D": (0.3, 0.1)}, "off"),
            ({"C": 0.6, "D": 0.7}, "shape"),
        ],
    ),
    "10.3": (
        _own_scale,
        [
            (_own_scale(fall=_careless()), "own best term"),
            (_own_scale(fall=100 * _own_scale()["fall"]), "per cent"),
            (_own_scale(fall=0.0), "anew"),
            (_own_scale(gain=1 / _own_scale()["gain"]), "larger one"),
            (_own_scale(gain=_own_scale()["gain"] ** 0.5), "squared"),
        ],
    ),
}

ROUNDED = {
    "10.1": lambda: {"geometric": 0.6200, "arithmetic": 0.6247},
    "10.2": lambda: {"C": (0.609, 0.110), "D": (0.553, 0.224)},
    "10.3": lambda: {"fall": 0.014, "gain": 7.4},
}
"""Right answers at the digits that the solution prints."""
