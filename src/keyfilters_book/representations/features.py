"""The first layer of the two-layer scheme: fixed representations of 28 x 28 images as rows of one table.

``representation(name)`` makes one; calling it turns images into rows of features for a linear classifier.
All but the pixels see the image padded with zeros to 32 x 32, apply linear filters, a pointwise nonlinearity
and (where the name says nothing else) averages over the cells of a grid.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from keyfilters.checks import choice, finite

from . import banks, multiscale, scattering

SIZE, PADDED = 28, 32


@dataclass(frozen=True)
class Representation:
    """A fixed map from images to features; call it.

    Attributes
    ----------
    name, label : str
        Of the row of the table, for code and for people.
    features : int
        Numbers per image.
    multiply_adds : int
        Of the linear steps per image, as they are computed here (an FFT of N points: 2 N log2 N); rectifying
        and averaging not counted.
    filtered, rest : callable
        The linear filters, which take float32 images of shape (n, 28, 28), and what makes features (n, features) of their
        outputs. (Scattering alternates: there the rest is all.)
    """

    name: str
    label: str
    features: int
    multiply_adds: int
    filtered: Callable[[np.ndarray], object] = field(repr=False)
    rest: Callable[[object], np.ndarray] = field(repr=False)

    def __call__(self, images, batch: int = 250) -> np.ndarray:
        """Features of images of shape (n, 28, 28), grey values from 0 to 1: float32, shape (n, features)."""
        return _features([self], images, batch)[0]


def _features(representations, images, batch: int) -> list[np.ndarray]:
    """Features of representations with the same linear filters."""
    x = images if isinstance(images, np.ndarray) and images.dtype == np.float32 else finite(images, "images")
    if x.ndim != 3 or x.shape[1:] != (SIZE, SIZE) or not len(x):
        raise ValueError(f"images has shape {x.shape}: expected (n, {SIZE}, {SIZE}), n >= 1")
    x = x.astype(np.float32)
    parts: list[list[np.ndarray]] = [[] for _ in representations]
    for start in range(0, len(x), batch):
        maps = representations[0].filtered(x[start : start + batch])
        for row, phi in zip(parts, representations, strict=True):
            row.append(phi.rest(maps))
    return [np.concatenate(row).astype(np.float32, copy=False) for row in parts]


def _pad(x):
    edge = (PADDED - SIZE) // 2
    return np.pad(x, ((0, 0), (edge, edge), (edge, edge)))


def _row(*blocks):
    return np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1)


def _pixels():
    return np.asarray, _row, 0


def _orthonormal(kind, t):
    def rest(maps):
        low, details = maps
        return _row(low, banks.rectified(details, kind, t))

    # Along rows and columns, four taps, half as many samples after each; the next scale sees a quarter.
    return (
        lambda x: multiscale.orthonormal_wavelets(_pad(x)),
        rest,
        sum(4 * 4 * PADDED**2 // 4**level // 2 for level in range(multiscale.LEVELS)),
    )


def _wavelets(kind, t, grid):
    weight, weights = multiscale.wavelet_weights()
    weights = weights[:, None, None].astype(np.float32)

    def rest(maps):
        low, details = maps
        details = banks.rectified(details, kind, t)
        # "halves" has every map twice.
        weighted = details * np.tile(weights, (details.shape[1] // len(weights), 1, 1))
        return _row(banks.average(np.concatenate([low * np.float32(weight), weighted], axis=1), grid))

    return lambda x: multiscale.wavelet_maps(_pad(x)), rest, multiscale.LEVELS * 6 * 4 * PADDED**2


def _curvelets(kind, grid):
    choice(kind, ("linear", "modulus"), "kind of curvelets")

    def rest(maps):
        low, *wedges = maps
        bands = [part for c in wedges for part in ([np.abs(c)] if kind == "modulus" else [c.real, c.imag])]
        # The sum over a cell's coefficients and not their mean: wedges have more of them where scales are finer.
        return _row(*[banks.average(band, grid) * np.sqrt(np.float32(band[0].size) / grid**2) for band in (low, *bands)])

    matrix, _ = multiscale.curvelet_matrix(PADDED)
    return lambda x: multiscale.curvelet_maps(_pad(x)), rest, matrix.size


def _scattering(order, scales, angles):
    bank = scattering.morlet_bank(PADDED, scales, angles)
    return _pad, lambda x: _row(scattering.scattering(x, bank, order)), scattering.multiply_adds(bank, order)


def _one_layer(bank, count, kind, t, grid, seed):
    filters = banks.bank(bank, count, seed=seed)

    def rest(maps):
        return _row(banks.average(banks.rectified(maps, kind, t), grid))

    return lambda x: banks.convolve(_pad(x), filters), rest, filters.size * PADDED**2


def _two_layers(bank, count, kind, t, grid, second, seed):
    """First layer as above; its maps, averaged over 2 x 2 pixels, are convolved with all filters once more."""
    filters = banks.bank(bank, count, seed=seed)
    half = PADDED // 2

    def rest(maps):
        maps = banks.rectified(maps, kind, t)
        inner = np.ascontiguousarray(banks.average(maps, half)).reshape(-1, half, half)
        again = banks.rectified(banks.convolve(inner, filters), kind, t)
        return _row(banks.average(maps, grid), banks.average(again, second).reshape(len(maps), -1))

    channels = count * (2 if kind == "halves" else 1)
    return lambda x: banks.convolve(_pad(x), filters), rest, filters.size * (PADDED**2 + channels * half**2)


_BANK = {"count": 8, "kind": "modulus", "t": 0.0, "grid": 8, "seed": 0}

REPRESENTATIONS = {
    "pixels": ("raw pixels", _pixels, {}),
    "wavelet basis": ("wavelet basis, linear", _orthonormal, {"kind": "linear", "t": 0.1}),
    "wavelets": ("wavelets, modulus", _wavelets, {"kind": "modulus", "t": 0.1, "grid": 8}),
    "curvelets": ("curvelets, modulus", _curvelets, {"kind": "modulus", "grid": 8}),
    "scattering 1": ("scattering, order 1", _scattering, {"order": 1, "scales": 2, "angles": 4}),
    "scattering 2": ("scattering, order 2", _scattering, {"order": 2, "scales": 2, "angles": 4}),
    "random 8": ("8 random filters", _one_layer, _BANK | {"bank": "random"}),
    "random 24": ("24 random filters", _one_layer, _BANK | {"bank": "random", "count": 24}),
    "learned keys": ("8 learned keys", _one_layer, _BANK | {"bank": "learned"}),
    "ideal keys": ("8 ideal keys", _one_layer, _BANK | {"bank": "ideal"}),
    "random twice": ("two layers, 8 random", _two_layers, _BANK | {"bank": "random", "second": 4}),
    "learned keys twice": ("two layers, learned keys", _two_layers, _BANK | {"bank": "learned", "second": 4}),
    "ideal keys twice": ("two layers, ideal keys", _two_layers, _BANK | {"bank": "ideal", "second": 4}),
}
"""Name -> what people call it, its maker, and the options that :func:`representation` can change."""


def representation(name: str, **changes) -> Representation:
    """Return one representation of the table.

    Parameters
    ----------
    name : str
        A key of :data:`REPRESENTATIONS`.
    **changes
        Other values for its options: ``kind`` (see :func:`~.banks.rectified`) and threshold ``t`` (grey values),
        ``grid`` (cells a side), ``seed`` and ``count`` of random filters, ``order``, ``scales`` and ``angles``
        of scattering.

    Raises
    ------
    ValueError
        For an unknown name or option, or a value that the option cannot take.

    Examples
    --------
    >>> keys = representation("ideal keys", grid=4)
    >>> keys.features, keys.multiply_adds, keys(np.zeros((2, 28, 28))).shape
    (128, 401408, (2, 128))
    >>> representation("ideal keys", grids=4)
    Traceback (most recent call last):
    ...
    ValueError: unknown option 'grids': expected one of count, kind, t, grid, seed, bank
    """
    label, maker, options = REPRESENTATIONS[choice(name, REPRESENTATIONS, "representation")]
    for option in changes:
        if option not in options:
            raise ValueError(f"unknown option {option!r}: expected one of {', '.join(options) or 'none at all'}")
    filtered, rest, multiply_adds = maker(**(options | changes))
    features = rest(filtered(np.zeros((1, SIZE, SIZE), dtype=np.float32))).shape[1]
    return Representation(name, label, features, int(multiply_adds), filtered, rest)


def features_of_kinds(name: str, kinds, images, batch: int = 250, **changes) -> dict[str, np.ndarray]:
    """Features of one representation with several pointwise nonlinearities: the images are filtered once for all of them.

    Parameters
    ----------
    name : str
        A key of :data:`REPRESENTATIONS` with the option ``kind``.
    kinds : sequence of str
    images : array_like, shape (n, 28, 28)
    batch : int
        Images that are filtered at a time.
    **changes
        Other options of :func:`representation`.

    Returns
    -------
    dict of str to ndarray, shape (n, features)
        For each kind the same as ``representation(name, kind=kind, **changes)(images)``.

    Examples
    --------
    >>> found = features_of_kinds("ideal keys", ["modulus", "halves"], np.zeros((2, 28, 28)))
    >>> {kind: features.shape for kind, features in found.items()}
    {'modulus': (2, 512), 'halves': (2, 1024)}
    """
    kinds = list(kinds)
    return dict(
        zip(kinds, _features([representation(name, kind=kind, **changes) for kind in kinds], images, batch), strict=True)
    )


def feature_seconds(names, images, repeats: int = 3) -> dict[str, float]:
    """Return the CPU seconds per image of representations: the least of a few passes, after one that is not counted.

    Parameters
    ----------
    names : iterable of str
        Keys of :data:`REPRESENTATIONS`.
    images : array_like, shape (n, 28, 28)
        Some hundred, so that the start does not count.
    repeats : int
        Passes.

    Returns
    -------
    dict of str to float
        They differ from run to run, so no result of the book may depend on them but a page that says so.
    """
    found = {}
    for name in names:
        features = representation(name)
        features(images)
        passes = []
        for _ in range(repeats):
            start = time.process_time()
            features(images)
            passes.append(time.process_time() - start)
        found[name] = min(passes) / len(images)
    return found
