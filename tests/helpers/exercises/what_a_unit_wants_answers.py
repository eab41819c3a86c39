"""Answers to the exercises of chapter 25: a right one each, and wrong ones with a word of their hint."""

import numpy as np
from scipy.fft import dctn, idctn

from keyfilters_book.background.inversion import pixel_correlation
from keyfilters_book.background.regularisers import PENALTY_SLOPE


def _wanted(m, bound):
    return {"norm": m / np.linalg.norm(m), "pixel": bound * m / np.linalg.norm(m, axis=0)}


def _image(g, w):
    n, m = g.shape[1:]
    eigen = np.add.outer(*(4 * np.sin(np.pi * np.arange(k) / (2 * k)) ** 2 for k in (n, m)))
    eigen[0, 0] = np.inf
    return 0.5 * w * n * m * PENALTY_SLOPE**2 * idctn(dctn(g, axes=(1, 2), norm="ortho") / eigen, axes=(1, 2), norm="ortho")


def _wrapped(g, w):
    n, m = g.shape[1:]
    waves = np.add.outer(*(4 * np.sin(np.pi * np.arange(k) / k) ** 2 for k in (n, m)))
    waves[0, 0] = np.inf
    return 0.5 * w * n * m * PENALTY_SLOPE**2 * np.fft.ifft2(np.fft.fft2(g) / waves).real


def _cosine(a, b):
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def _one_mean(a, b):
    return _cosine(*(x - x.mean((1, 2, 3), keepdims=True) for x in (a, b)))


ANSWERS = {
    "25.1": (
        lambda: _wanted,
        [
            (lambda m, b: _wanted(m, b) | {"norm": m}, "length"),
            (lambda m, b: _wanted(m, b) | {"norm": np.sign(m)}, "signs"),
            (lambda m, b: _wanted(m, b) | {"norm": 0 * m}, "Schwarz"),
            (lambda m, b: _wanted(m, b) | {"pixel": b * m / np.linalg.norm(m)}, "do not take"),
            (lambda m, b: _wanted(m, b) | {"pixel": b * np.sign(m)}, "three numbers"),
            (lambda m, b: _wanted(m, 1.0), "how long"),
            (lambda m, b: m, "in this order"),
        ],
    ),
    "25.2": (
        lambda: pixel_correlation,
        [
            (_cosine, "tint"),
            (_one_mean, "one mean for all"),
            (lambda a, b: np.corrcoef(a.ravel(), b.ravel())[0, 1], "not one for all together"),
            (lambda a, b: np.abs(pixel_correlation(a, b)), "negative"),
            (lambda a, b: np.sqrt(((a - b) ** 2).mean((1, 2, 3))), "both norms"),
        ],
    ),
    "25.3": (
        lambda: _image,
        [
            (lambda g, w: -_image(g, w), "sign"),
            (lambda g, w: 2 * _image(g, w), "factor of two"),
            (lambda g, w: _image(g, 1.0), "strength"),
            (_wrapped, "opposite borders"),
            (lambda g, w: 3 * g, "g itself"),
            (lambda g, w: np.cumsum(g, axis=1), "not zero"),
            (lambda g, w: g[0], "shape"),
        ],
    ),
}
