"""Answers to the exercises of chapter 4: a right one each, and wrong ones with a word of their hint."""

import numpy as np

import keyfilters as kf

H = kf.learned_filters()


def _by_hand(p, q):
    return H[2] / kf.monomial_response(H[2], p, q)


def _slopes(dc="exact", step=1e-7):
    rows = []
    for key in (7, 8):
        c = kf.dc_compensation(H[key - 1], key, dc).constant
        left, here, right = kf.dc_error(H[key - 1], [c - step, c, c + step])
        rows.append([(here - left) / step, (right - here) / step])
    return np.array(rows)


def _errors(divided=True, norm=np.inf):
    model = kf.ideal_filter(8, 0.6)
    contaminated = 0.5 * model - 0.03
    border = np.ones((7, 7), dtype=bool)
    border[1:-1, 1:-1] = False
    by_criterion = contaminated - kf.dc_compensation(contaminated, 8, dc="exact").constant
    by_border = contaminated - contaminated[border].mean()
    filters = [f / f.sum() if divided else f for f in (by_criterion, by_border)]
    return np.array([np.linalg.norm((f - model / model.sum()).ravel(), norm) for f in filters])


ANSWERS = {
    "4.1": (
        lambda: _by_hand(0, 1),
        [
            (H[2], "before the division"),
            (-_by_hand(0, 1), "sign"),
            (_by_hand(1, 0), "differentiate"),
            (H[2] / np.abs(H[2]).sum(), "unit response"),
            (2 * H[2], "one number"),
        ],
    ),
    "4.2": (
        _slopes,
        [
            (_slopes("published"), "published constants"),
            (_slopes()[::-1], "key 7 comes first"),
            (_slopes()[:, ::-1], "left slope"),
            (_slopes() * [-1, 1], "upwards"),
            (np.repeat(_slopes().mean(axis=1, keepdims=True), 2, axis=1), "averages"),
            (_slopes() * 1e-7, "step"),
            (_slopes(step=5e-3), "step"),
        ],
    ),
    "4.3": (
        _errors,
        [
            (_errors()[::-1], "exchanged"),
            (_errors(norm=1), "sum of the errors"),
            (_errors(divided=False), "divided"),
            (-_errors(), "negative"),
            (2 * _errors(), "twice"),
        ],
    ),
}

ROUNDED = {"4.1": lambda: np.round(ANSWERS["4.1"][0](), 3), "4.3": lambda: [2.1e-3, 2.8e-3]}
"""Right answers at the digits that the solution prints."""
