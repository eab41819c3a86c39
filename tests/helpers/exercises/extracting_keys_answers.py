"""Answers to the exercises of chapter 19: a right one each, and wrong ones with a word of their hint."""

import functools

import numpy as np
from sklearn.cluster import KMeans

from keyfilters.networks import extract, key_filters


def _directions(filters, mean=True, axis=1, deviation=False, absolute=False):
    flat = filters.reshape(len(filters), -1)
    flat = flat - flat.mean(axis, keepdims=True) if mean else flat
    size = flat.std(1, keepdims=True) if deviation else np.linalg.norm(flat, axis=1, keepdims=True)
    return np.abs(flat / size) if absolute else flat / size


@functools.cache
def _known():
    """The eight keys with gains of both signs, offsets and a little noise."""
    rng, which = np.random.default_rng(0), np.arange(400) % 8
    noise = rng.normal(scale=0.5 / np.sqrt(48), size=(400, 7, 7))
    gain = rng.uniform(0.3, 3, (400, 1, 1)) * rng.choice([-1.0, 1.0], (400, 1, 1))
    keys = _directions(key_filters("B")).reshape(8, 7, 7)
    return extract(gain * (keys[which] + noise) + rng.normal(size=(400, 1, 1)), 8, seed=0)


@functools.cache
def _centres(unit=True):
    found = KMeans(8, n_init=4, random_state=0).fit(_known().vectors).cluster_centers_
    return found / np.linalg.norm(found, axis=1, keepdims=True) if unit else found


def _raised():
    found = _centres() + 0.05
    return found / np.linalg.norm(found, axis=1, keepdims=True)


ANSWERS = {
    "19.1": (
        lambda: _directions,
        [
            (lambda f: _directions(f, mean=False), "constant"),
            (lambda f: _directions(f, axis=0), "of its own"),
            (lambda f: _directions(f, deviation=True), "standard deviation"),
            (lambda f: _directions(f, absolute=True), "signs"),
            (lambda f: f, "shape"),
        ],
    ),
    "19.2": (
        lambda: lambda m: (m - 1) / np.log(m),
        [
            (lambda m: (m - 1) / np.log10(m), "natural"),
            (lambda m: m / np.log(m), "Nearly"),
            (lambda m: np.log(m) / (m - 1), "slope"),
            (lambda m: round((m - 1) / np.log(m)), "without rounding"),
            (lambda m: m / 2, "straight line"),
        ],
    ),
    "19.3": (
        _centres,
        [
            (_centres(unit=False), "Divide each centre"),
            (_known().keys.reshape(8, -1), "knows of signs"),
            (_raised(), "have means"),
            (np.eye(49)[:8] - np.eye(49)[8:16], "Divide"),
            (_directions(np.random.default_rng(1).normal(size=(8, 7, 7))), "resemble no key"),
        ],
    ),
}
