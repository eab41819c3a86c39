"""Answers to the exercises of chapter 3: a right one each, and wrong ones with a word of their hint."""

import numpy as np

import keyfilters as kf


def _variances(centre=1.0, background=0.02):
    h = np.full((7, 7), background)
    h[3, 3] = centre
    template = kf.ideal_filter(8, 1.0)
    return {"unweighted": kf.spread(h).covariance[0, 0], "weighted": kf.spread(h, template).covariance[0, 0]}


CONSTANTS = np.linspace(-0.05, 0.05, 1001)


def _scan(constants=CONSTANTS):
    s = np.linalg.svd(kf.learned_filters()[:6, None] - constants[:, None, None], compute_uv=False) ** 2
    return s[..., 1:].sum(-1), s[..., 0] / s.sum(-1)


def _shares(a):
    return a / (1 + a), 0.5 + a / (1 + a**2), 0.5 + a**2 / (2 * (1 + a**2))


ANSWERS = {
    "3.1": (
        _variances,
        [
            (_variances() | {"unweighted": np.sqrt(_variances()["unweighted"])}, "standard deviation"),
            (_variances() | {"unweighted": 196 * 0.02}, "total mass"),
            (_variances(centre=1.02), "other 48"),
            (_variances() | {"weighted": _variances()["unweighted"]}, "same"),
            (_variances() | {"weighted": 0.5}, "weighted value"),
            (_variances(background=0.01), "49 pixels"),
        ],
    ),
    "3.2": (
        lambda: _scan()[0].min(axis=1),
        [
            (CONSTANTS[_scan()[0].argmin(axis=1)], "constants"),
            (_scan(np.zeros(1))[0][:, 0], "without a constant"),
            (_scan()[1].max(axis=1), "separable"),
            (_scan(np.linspace(0, 0.05, 501))[0].min(axis=1), "both signs"),
            ([0.01] * 5, "shape"),
        ],
    ),
    "3.3": (
        lambda: {"shares": _shares, "a": 2},
        [
            ({"shares": lambda a: (a / (a - 1), *_shares(a)[1:]), "a": 2}, "absolute value"),
            ({"shares": lambda a: (_shares(a)[0], 1 - _shares(a)[1], _shares(a)[2]), "a": 2}, "between the pixels"),
            ({"shares": lambda a: (*_shares(a)[:2], 0.5 + 1 / (2 * (1 + a**2))), "a": 2}, "first pixel"),
            ({"shares": lambda a: (*_shares(a)[:2], a**2 / (1 + a**2)), "a": 2}, "off the centre"),
            ({"shares": lambda a: (1 / (1 + a), *_shares(a)[1:]), "a": 2}, "at 0 and a at 1"),
            ({"shares": lambda a: (_shares(a)[0], a / (1 + a**2), _shares(a)[2]), "a": 2}, "odd and an even part"),
            ({"shares": _shares, "a": 1}, "compare"),
            ({"shares": 3, "a": 2}, "function"),
        ],
    ),
}

ROUNDED = {
    "3.1": lambda: {"unweighted": 2.0, "weighted": 0.083},
    "3.2": lambda: [0.0116, 0.0104, 0.0059, 0.0093, 0.0167, 0.0165],
}
"""Right answers at the digits that the solution prints."""
