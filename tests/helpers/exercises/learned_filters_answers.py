"""Answers to the exercises of chapter 1: a right one each, and wrong ones with a word of their hint."""

import numpy as np

import keyfilters as kf

H = kf.learned_filters()


def _canonical(kernel):
    centred = kernel - kernel.mean()
    return centred / np.sqrt((centred**2).sum())


def _ratio(a):
    f = np.zeros((7, 7))
    f[3, 3], f[3, 4] = -1, a
    f = f - f.mean()
    return (f.sum(axis=1) ** 2).sum() / (f.sum(axis=0) ** 2).sum()


ANSWERS = {
    "1.1": (
        lambda: kf.monomial_response(H[1], 1, 0),
        [
            (-kf.monomial_response(H[1], 1, 0), "correlation"),
            (kf.monomial_response(H[1], 0, 1), "response to y"),
            (kf.monomial_response(H[2], 1, 0), "another key"),
            (-1, "sign"),
            (0.3, "centre pixel"),
        ],
    ),
    "1.2": (
        lambda: _canonical,
        [
            (lambda k: k / np.linalg.norm(k), "add up to zero"),
            (lambda k: (k - k.mean()) / np.linalg.norm(k), "before or after"),
            (lambda k: (k - k.mean()) / np.abs(k - k.mean()).sum(), "l1 norm"),
            (lambda k: (k - k.mean()) / k.std(), "standard deviation"),
            (lambda k: _canonical(k.T), "another kernel"),
            (lambda k: k - k.mean(), "l2 norm is not"),
            (_canonical(H[0]), "function"),
        ],
    ),
    "1.3": (
        lambda: _ratio,
        [
            (lambda a: 1 / _ratio(a), "upside down"),
            (lambda a: (a - 1) ** 2 / (1 + a**2), "still has its sum"),
            (lambda a: np.sqrt(_ratio(a)), "sum of squares"),
            (lambda a: (a - 1) ** 2, "Begin with"),
        ],
    ),
}
