"""Answers to the exercises of chapter 11: a right one each, and wrong ones with a word of their hint."""

import numpy as np


def _measures(model, h, relative_to=None, power=1, centre=False):
    rest, whole = model - h, h if relative_to is None else model
    a, b = (v - v.mean() if centre else v for v in (model, h))
    return (
        np.abs(rest).sum() / np.abs(whole).sum(),
        (np.linalg.norm(rest) / np.linalg.norm(whole)) ** power,
        (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b),
    )


def _best(model, h):
    amplitude = (model * h).sum() / (model**2).sum()
    return amplitude, ((amplitude * model - h) ** 2).sum() / (h**2).sum()


ANSWERS = {
    "11.1": (
        lambda: _measures,
        [
            (lambda m, h: _measures(m, h, relative_to="model"), "relative to something"),
            (lambda m, h: _measures(m, h, power=2), "energies"),
            (lambda m, h: _measures(m, h, centre=True), "no means"),
            (lambda m, h: (0, 0, 1), "49 pixels"),
            (lambda m, h: 1, "shape"),
        ],
    ),
    "11.2": (
        lambda: _best,
        [
            (lambda m, h: ((m * h).sum() / (h**2).sum(), _best(m, h)[1]), "fit the filter to the model"),
            (lambda m, h: (_best(m, h)[0], 1 - _best(m, h)[1]), "explained"),
            (lambda m, h: (_best(m, h)[0], _measures(m, h)[1] ** 2), "normalisation"),
            (lambda m, h: (1.0, _measures(m, h)[1] ** 2), "vertex"),
        ],
    ),
    "11.3": (
        lambda: {"D1", "B", "C1"},
        [
            ({"A", "B", "C1", "D1"}, "continuous"),
            ({"B", "C1", "C2", "D1", "D2"}, "one scale"),
            (["C1", "D1"], "One is missing"),
            ({"B", "D1"}, "itself"),
            ({"E"}, "among"),
        ],
    ),
}
