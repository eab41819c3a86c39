"""Matching: the key that explains each filter of a network best, up to gain and offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...checks import choice
from .branches import merged
from .depthwise import DepthwiseLayer, as_stack, depthwise_or_error, key_filters, key_filters_at
from .printing import by_x, layer_table

DEAD = 1e-4
"""A filter is dead if its deviation from its mean has less than this share of the median of its layer.

In trained networks there is a wide gap: dead channels have decayed to 1e-7 or less, live ones stay above 1e-2.
"""
POOLS = ("energy", "filters")
"""What filters count by: their energy, or each alike."""
ALL_POOLS = (*POOLS, "median")


@dataclass(frozen=True)
class LayerMatch:
    """Best key of each filter of a layer.

    Attributes
    ----------
    name : str
    kernel_size, stride : tuple of (int, int)
    note : str
        Why the layer is not matched; "" where it is.
    key : ndarray of int, shape (C,)
        1 to K; 0 for a dead filter (constant, or next to nothing beside the others of the layer).
    gain, offset : ndarray, shape (C,)
        The filter is about ``gain * key filter + offset``. Dead filters: 0 and their mean.
    explained : ndarray, shape (C,)
        Explained variance, in [0, 1]; NaN for dead ones.
    explained_by_key : ndarray, shape (C, K)
        The same for each key.
    energy : ndarray, shape (C,)
        Sum of squares about the filter's mean.
    """

    name: str
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    note: str
    key: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    explained: np.ndarray
    explained_by_key: np.ndarray
    energy: np.ndarray

    @property
    def matched(self) -> bool:
        """False for a layer that was left out, as ``note`` says."""
        return not self.note

    @property
    def channels(self) -> int:
        """Number of channels of the layer."""
        return len(self.key)

    @property
    def live(self) -> np.ndarray:
        """Mask of the matched filters, shape (C,)."""
        return self.key > 0

    @property
    def dead(self) -> int:
        """Number of dead filters."""
        return int((~self.live).sum()) if self.matched else 0

    def pooled(self, pool: str = "energy") -> float:
        """Explained variance of the layer: see :meth:`Matches.pooled`."""
        return _pooled([self], pool)


@dataclass(frozen=True)
class Matches:
    """What :func:`match` found: ``layers``, one LayerMatch each, and ``keys``, the number K of key filters.

    ``notes`` say what was done to the network before: branches that it merges for deployment were merged.

    ``print`` shows one row for each layer: its kernel size, number n of filters, explained variance (pooled by
    energy), and how many filters each key k1, k2, ... explains best.
    """

    layers: list[LayerMatch]
    keys: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        filters, dead = (sum(getattr(m, name) for m in self.layers if m.matched) for name in ("channels", "dead"))
        found = f"{filters} filters matched, {dead} of them dead; explained variance {self.pooled():.3f} (pooled by energy)"
        found += f"; over the filters mean {self.pooled('filters'):.3f}, median {self.pooled('median'):.3f}"
        return layer_table(
            self.frame(), found, f"k1 to k{self.keys}: how many filters of the layer are nearest to each key", *self.notes
        )

    def select(self, size: int | None = None, stride: int | None = None) -> Matches:
        """The matched layers of one kernel size or stride (both axes)."""
        chosen = [
            m for m in self.layers
            if m.matched and (size is None or m.kernel_size == (size, size)) and (stride is None or m.stride == (stride, stride))
        ]  # fmt: skip
        return Matches(chosen, self.keys)

    def pooled(self, pool: str = "energy") -> float:
        """Explained variance over all matched filters.

        ``"energy"``: explained over total sum of squares about the means, so a filter counts by its
        size, and one large filter may decide. ``"filters"``: mean over the filters, each counts the same (a
        gain plays no part). ``"median"``: median over the filters. NaN if there is none.
        """
        return _pooled(self.layers, pool)

    def frame(self) -> pd.DataFrame:
        """One row per layer.

        Columns layer, size ("7x7"), stride ("2x2"), channels, dead, explained (pooled by energy),
        explained_mean and explained_median (over filters), key_1 .. key_K (how often each key is the best), note.
        """
        rows = []
        for m in self.layers:
            counts = np.bincount(m.key[m.live], minlength=self.keys + 1)[1:]
            rows.append(
                {
                    "layer": m.name, "size": by_x(m.kernel_size), "stride": by_x(m.stride),
                    "channels": m.channels, "dead": m.dead, "explained": m.pooled(), "explained_mean": m.pooled("filters"),
                    "explained_median": m.pooled("median"),
                }
                | {f"key_{k}": int(c) for k, c in enumerate(counts, start=1)}
                | {"note": m.note}
            )  # fmt: skip
        return pd.DataFrame(rows)


def _pooled(layers, pool: str) -> float:
    choice(pool, ALL_POOLS, "pool")
    explained = np.concatenate([m.explained[m.live] for m in layers] or [np.empty(0)])
    if not len(explained):
        return float("nan")
    if pool != "energy":
        return float(explained.mean() if pool == "filters" else np.median(explained))
    energy = np.concatenate([m.energy[m.live] for m in layers])
    return float(np.average(explained, weights=energy / energy.max()))


def centred(vectors: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (N, p) less their means, and the means (N,); a constant vector gives exact zeros.

    Examples
    --------
    >>> centred(np.array([[0.1, 0.1, 0.1], [1.0, 2.0, 3.0]]))
    (array([[ 0.,  0.,  0.],
           [-1.,  0.,  1.]]), array([0.1, 2. ]))
    """
    # Less the first sample before the mean is taken: a constant is then its mean to the last digit.
    rest = vectors - vectors[:, :1]
    shift = rest.mean(axis=1)
    return rest - shift[:, None], vectors[:, 0] + shift


def unit(vectors: ArrayLike) -> np.ndarray:
    """Vectors (N, p) divided by their norms; zero stays zero."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm > 0)


def is_dead(vectors: ArrayLike) -> np.ndarray:
    """Mask of dead filters among mean-free ones (C, p)."""
    norm = np.linalg.norm(vectors, axis=1)
    if not norm.any():
        return np.ones(len(norm), dtype=bool)
    return norm <= DEAD * np.median(norm[norm > 0])


def match_stack(filters: np.ndarray, keys: np.ndarray) -> dict:
    """The numbers of a LayerMatch for filters (C, n, n) and key filters (K, n, n).

    Examples
    --------
    >>> keys = key_filters("B")
    >>> found = match_stack(-2.0 * keys[4:5] + 0.5, keys)
    >>> int(found["key"][0]), float(found["gain"][0].round(12)), float(found["explained"][0].round(12))
    (5, -2.0, 1.0)
    """
    vectors, mean = centred(filters.reshape(len(filters), -1))
    bank, bank_mean = centred(keys.reshape(len(keys), -1))
    norm = np.linalg.norm(bank, axis=1)
    projection = vectors @ unit(bank).T
    energy = np.einsum("ij,ij->i", vectors, vectors)
    dead = is_dead(vectors)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_key = np.where(dead[:, None], np.nan, np.minimum(projection**2 / energy[:, None], 1.0))
    best = np.argmax(projection**2, axis=1)
    rows = np.arange(len(filters))
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(dead | (norm[best] == 0), 0.0, projection[rows, best] / norm[best])
    return {
        "key": np.where(dead, 0, best + 1), "gain": gain, "offset": mean - gain * bank_mean[best],
        "explained": by_key[rows, best], "explained_by_key": by_key, "energy": energy,
    }  # fmt: skip


def match_layer(layer: Any, filters: ArrayLike | str = "B") -> LayerMatch:
    """The LayerMatch of one DepthwiseLayer."""
    if layer.note:
        count = len(key_filters(filters))
        blank = np.full(layer.channels, np.nan)
        numbers = {
            "key": np.zeros(layer.channels, dtype=int), "gain": blank, "offset": blank, "explained": blank,
            "explained_by_key": np.full((layer.channels, count), np.nan), "energy": blank,
        }  # fmt: skip
    else:
        numbers = match_stack(layer.filters, key_filters_at(filters, layer.kernel_size))
    return LayerMatch(layer.name, layer.kernel_size, layer.stride, layer.note, **numbers)


@dataclass(frozen=True)
class Stack:
    """Filters that come from no network, in the place of a DepthwiseLayer."""

    name: str
    filters: np.ndarray
    stride: tuple[int, int] = (1, 1)
    note: str = ""
    padding: object = ()
    dilation: tuple[int, int] = ()

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Rows and columns of the filters."""
        return self.filters.shape[1:]

    @property
    def channels(self) -> int:
        """Number of filters."""
        return len(self.filters)


def layers_and_notes(source: Any) -> tuple[list, list[str]]:
    """Layers of a network, a list of DepthwiseLayer, or arrays (C, n, n), alone or by name in a dict; and notes.

    Branches that a network merges for deployment are merged in a copy, and a note says so.
    """
    if isinstance(source, (list, tuple)) and source and all(isinstance(d, (DepthwiseLayer, Stack)) for d in source):
        return list(source), []
    if isinstance(source, dict):
        return [Stack(str(name), as_stack(value, str(name))) for name, value in source.items()], []
    if isinstance(source, np.ndarray) or hasattr(source, "detach"):
        return [Stack("filters", as_stack(source, "filters"))], []
    network, notes = merged(source)
    return depthwise_or_error(network), notes


def as_layers(source: Any) -> list:
    """The layers of :func:`layers_and_notes`."""
    return layers_and_notes(source)[0]


def match(source: Any, filters: ArrayLike | str = "B") -> Matches:
    r"""Find the key filter that explains each depthwise filter best, up to gain and offset.

    For each filter w and key k the least squares fit

    .. math:: \min_{a, b} \| w - a f_k - b \|^2, \qquad
        R_k^2 = 1 - \frac{\min \| w - a f_k - b \|^2}{\| w - \bar w \|^2},

    and over the keys the one of the largest explained variance :math:`R_k^2`.

    Arrays are taken as they stand. They are weights, and a network correlates: on the ramp f(x) = x a layer whose weight
    is key 2 responds with -1. As kernels of a convolution they are mirrored, and keys 1 and 3, 2 and 4 change places.

    Parameters
    ----------
    source : torch.nn.Module, list of DepthwiseLayer, array (C, n, n) or dict of arrays
        Odd squares are matched, and 1-D filters (1, k), (k, 1), (k): a factor of a key is what they can be, see
        :func:`keyfilters.networks.surgery.depthwise.key_filters_at`. Other layers are listed with a note.
        Branches that a network merges for deployment (MobileOne, FastViT, RepViT) are merged before, in a copy, with
        their batch norms: then a filter is what the network computes. A list of layers is taken as it is.
    filters : str or array_like
        See :func:`keyfilters.networks.key_filters`; used at the size of each layer.

    Returns
    -------
    Matches

    Raises
    ------
    ValueError
        If there is no depthwise convolution, for NaN or infinity in the weights (naming the layer), and
        as ``key_filters``.

    Source: Babaiee, Kiasari, Rus and Grosu (2025), master key filters.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> found = match(0.1 - 3.0 * learned_filters(), "learned").layers[0]
    >>> found.key.tolist(), found.gain.round(6).tolist()[0]
    ([1, 2, 3, 4, 5, 6, 7, 8], -3.0)
    """
    layers, notes = layers_and_notes(source)
    return Matches([match_layer(layer, filters) for layer in layers], len(key_filters(filters)), tuple(notes))
