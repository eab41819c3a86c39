"""Fixed banks of small filters, and the layer they stand in: convolve, rectify, average.

One layer is ``average(rectified(convolve(images, bank), kind=...), grid)``. Banks are rows of :data:`BANKS`.
"""

from __future__ import annotations

import numpy as np

from keyfilters.checks import choice, finite, integer
from keyfilters.filters import KEYS, SHARPENING, learned_filters
from keyfilters.models import ideal_filter

from .sizes import shaped
from .thresholding import THRESHOLD_KINDS, threshold

RECTIFIERS = ("linear", *THRESHOLD_KINDS, "halves")
"""What :func:`rectified` knows: nothing, the thresholdings, and both halves of the sign apart."""


def _ideal_keys(count, size, seed):
    from keyfilters.fitting import fit

    found = {row.number: fit(row.number, "B") for row in KEYS}
    return np.stack([
        ideal_filter(k, f.sigma_x, f.sigma_y, gamma=f.gamma if KEYS[k - 1].kind == SHARPENING else None, size=size)
        for k, f in found.items()
    ])  # fmt: skip


def _learned_keys(count, size, seed):
    if size != 7:
        raise ValueError(f"size is {size}: expected 7, the size of the learned keys")
    return learned_filters()


BANKS = {
    "learned": _learned_keys,
    "ideal": _ideal_keys,
    "random": lambda count, size, seed: np.random.default_rng(seed).normal(size=(count, size, size)),
}
"""The learned master keys, their models at the scales of method B, and white noise."""


def bank(name: str, count: int = 8, size: int = 7, seed: int = 0) -> np.ndarray:
    """Return a bank of filters of unit l2 norm, shape (count, size, size), convolution kernels with y up.

    Parameters
    ----------
    name : {"learned", "ideal", "random"}
        The two kinds of keys are always eight.
    count, size, seed : int
        ``count`` and ``seed`` are for random filters, normal and independent from pixel to pixel.

    Raises
    ------
    ValueError
        For an unknown name, another number of keys than eight, or learned keys of another size than 7.

    Examples
    --------
    >>> h = bank("random", 3, 5, seed=1)
    >>> h.shape, (h**2).sum(axis=(1, 2)).round(12).tolist()
    ((3, 5, 5), [1.0, 1.0, 1.0])
    """
    choice(name, BANKS, "bank")
    integer(count, "count")
    if name != "random" and count != len(KEYS):
        raise ValueError(f"count is {count}: expected {len(KEYS)}, there are no other keys")
    filters = BANKS[name](count, size, seed)
    return filters / np.sqrt((filters**2).sum(axis=(1, 2), keepdims=True))


_CACHE = 2**18
"""Numbers that a matrix product reads at a time."""


def _maps(x, what: str = "images", dimensions: int = 3) -> np.ndarray:
    shape = "(n, height, width)" if dimensions == 3 else "(n, channels, height, width)"
    return shaped(x, what, dimensions, shape, single=True)


def convolve(images, filters) -> np.ndarray:
    """Return every image convolved with every filter, zeros beyond the border, same size.

    Parameters
    ----------
    images : array_like, shape (n, height, width)
        float32 stays float32.
    filters : array_like, shape (count, size, size), size odd

    Returns
    -------
    ndarray, shape (n, count, height, width)

    Examples
    --------
    >>> impulse = np.zeros((1, 5, 5)); impulse[0, 2, 2] = 1
    >>> h = np.arange(9.0).reshape(1, 3, 3)
    >>> bool((convolve(impulse, h)[0, 0, 1:4, 1:4] == h[0]).all())
    True
    """
    x, h = _maps(images), finite(filters, "filters")
    if h.ndim != 3 or h.shape[1] != h.shape[2] or h.shape[1] % 2 == 0:
        raise ValueError(f"filters has shape {h.shape}: expected (count, size, size), size odd")
    (n, height, width), size = x.shape, h.shape[-1]
    padded = np.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    # A convolution sees its kernel turned round.
    taps = h[:, ::-1, ::-1].reshape(len(h), -1).astype(x.dtype)
    out = np.empty((n, len(h), height, width), dtype=x.dtype)
    # All filters in one matrix product, a few images at a time: their shifted copies have to fit in the cache.
    step = max(1, _CACHE // (size * size * height * width))
    for start in range(0, n, step):
        some = windows[start : start + step]
        copies = some.reshape(len(some), size * size, height * width)
        np.matmul(taps, copies, out=out[start : start + step].reshape(len(some), len(h), height * width))
    return out


def rectified(maps, kind: str = "modulus", t: float = 0.0) -> np.ndarray:
    """Return maps after a pointwise nonlinearity; ``"halves"`` doubles the channels (axis 1).

    Parameters
    ----------
    maps : ndarray, shape (n, channels, ...)
    kind : str
        "linear" (nothing is done), a kind of :func:`~.thresholding.threshold`, or "halves": the maps
        max(x, 0) and then the maps max(-x, 0), which together keep everything.
    t : float
        Threshold in units of the maps; "linear", "modulus" and "halves" have none.

    Examples
    --------
    >>> rectified(np.array([[-2.0, 1.0]]), "halves").tolist()
    [[0.0, 1.0, 2.0, 0.0]]
    """
    choice(kind, RECTIFIERS, "kind")
    if kind == "linear":
        return np.asarray(maps)
    if kind == "halves":
        return np.concatenate([threshold(maps, 0.0, "relu"), threshold(-np.asarray(maps), 0.0, "relu")], axis=1)
    return threshold(maps, t, kind)


def average(maps, grid: int) -> np.ndarray:
    """Return the means over the equal cells of a grid, shape (n, channels, grid, grid).

    Parameters
    ----------
    maps : array_like, shape (n, channels, height, width)
        Height and width are multiples of ``grid``.
    grid : int
        Cells along each side.

    Raises
    ------
    ValueError
        If the cells do not come out even.

    Examples
    --------
    >>> average(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    maps = _maps(maps, "maps", 4)
    n, channels, height, width = maps.shape
    if isinstance(grid, bool) or not isinstance(grid, (int, np.integer)) or grid < 1 or height % grid or width % grid:
        raise ValueError(f"grid is {grid!r}: expected a divisor of both sides of the maps, {height} and {width}")
    cell = width // grid
    # A matrix product adds up along rows much faster than a sum over a short axis does.
    across = np.repeat(np.eye(grid, dtype=maps.dtype), cell, axis=0) / maps.dtype.type(cell)
    return (maps @ across).reshape(n, channels, grid, height // grid, grid).mean(axis=3)
