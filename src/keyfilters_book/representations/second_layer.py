"""A second layer on rectified first-layer responses, and its units drawn as combinations of first-layer atoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keyfilters.checks import choice, integer

from .patches import Patches
from .sparse_coding import independent_components

RECTIFICATIONS = {
    "modulus": lambda r: np.abs(r),
    "on-off": lambda r: np.concatenate([np.maximum(r, 0.0), np.maximum(-r, 0.0)], axis=1),
}
"""What stands between the layers: the size of a response, or its positive and negative part in channels of their own."""


def rectified_maps(patches, filters, block: int, kind: str = "modulus") -> np.ndarray:
    """Responses of filters at all places of patches, rectified, and averaged over blocks.

    Parameters
    ----------
    patches : ndarray, shape (N, m, m)
    filters : ndarray, shape (K, n, n)
        ``m - n + 1`` is a multiple of ``block``.
    block : int
        Side of a block.
    kind : str
        A name of ``RECTIFICATIONS``.

    Returns
    -------
    ndarray, shape (N, K, b, b) for "modulus", (N, 2 K, b, b) for "on-off", with b = (m - n + 1) / block
        Positive parts before negative ones.

    Examples
    --------
    >>> rectified_maps(-np.ones((1, 3, 3)), np.ones((1, 2, 2)), 2, "on-off").tolist()
    [[[[0.0]], [[4.0]]]]
    """
    choice(kind, RECTIFICATIONS, "kind")
    patches, filters = np.asarray(patches, dtype=np.float64), np.asarray(filters, dtype=np.float64)
    places = patches.shape[-1] - filters.shape[-1] + 1
    if places < 1 or places % integer(block, "block"):
        sides = f"filters of side {filters.shape[-1]} have {places} places along patches of side {patches.shape[-1]}"
        raise ValueError(f"{sides}: expected a multiple of the block, {block}")
    windows = np.lib.stride_tricks.sliding_window_view(patches, filters.shape[1:], axis=(1, 2))
    weights = filters.reshape(len(filters), -1).T
    blocks = places // block
    out = []
    for part in np.array_split(windows, max(1, len(patches) // 100)):
        maps = RECTIFICATIONS[kind]((part.reshape(len(part), places**2, -1) @ weights).transpose(0, 2, 1))
        out.append(maps.reshape(len(part), -1, blocks, block, blocks, block).mean(axis=(3, 5)))
    return np.concatenate(out)


def combined(weights, atoms, block: int) -> np.ndarray:
    r"""Second-layer units drawn as linear combinations of first-layer atoms.

    .. math:: D_u(x) = \sum_k \sum_p w_u(k, p) \, \frac1{B^2} \sum_{q \in p} a_k(x - q),

    every atom placed at all places q of the block p (B x B places) and weighted by what the unit gives to this
    feature. This is a *drawing* of weights. The unit itself is not linear in the image, so :math:`D_u` is not
    the pattern that excites it most, and where the features are moduli the sign of every atom is arbitrary.

    Parameters
    ----------
    weights : ndarray, shape (U, K, b, b), or (U, 2 K, b, b) for on and off channels, which count as + and - atoms
    atoms : ndarray, shape (K, n, n)
    block : int

    Returns
    -------
    ndarray, shape (U, m, m), m = b * block + n - 1

    Source: the display of Lee, Grosse, Ranganath and Ng (2009).

    Examples
    --------
    >>> combined(np.array([[[[2.0]], [[1.0]]]]), np.ones((1, 2, 2)), 1).tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """
    weights, atoms = np.asarray(weights, dtype=np.float64), np.asarray(atoms, dtype=np.float64)
    count, n = len(atoms), atoms.shape[-1]
    if weights.ndim != 4 or weights.shape[1] not in (count, 2 * count):
        raise ValueError(f"weights has shape {weights.shape}: expected (units, {count} or {2 * count}, blocks, blocks)")
    if weights.shape[1] == 2 * count:
        weights = weights[:, :count] - weights[:, count:]
    spread = np.repeat(np.repeat(weights, block, axis=2), block, axis=3) / block**2
    places = spread.shape[-1]
    out = np.zeros((len(weights), places + n - 1, places + n - 1))
    for i in range(n):
        for j in range(n):
            out[:, i : i + places, j : j + places] += np.einsum("ukxy,k->uxy", spread, atoms[:, i, j])
    return out


@dataclass(frozen=True)
class SecondLayer:
    """Independent components of rectified, pooled first-layer responses; see :func:`second_layer`.

    Attributes
    ----------
    kind : str
        The rectification.
    first : ndarray, shape (K, n, n)
        First-layer filters.
    block : int
    filters, atoms : ndarray, shape (U, K or 2 K, b, b)
        What a unit weights the features with, and what it stands for among them.
    converged : bool
    """

    kind: str
    first: np.ndarray
    block: int
    filters: np.ndarray
    atoms: np.ndarray
    converged: bool

    def responses(self, patches) -> np.ndarray:
        """Responses of the units to patches (N, m, m), shape (N, U), up to a constant of each unit."""
        features = _features(patches, self.first, self.block, self.kind)
        return features.reshape(len(features), -1) @ self.filters.reshape(len(self.filters), -1).T


def _features(patches, filters, block, kind):
    # The root brings large responses, which have long tails, nearer to the others.
    return np.sqrt(rectified_maps(patches, filters, block, kind))


def second_layer(patches, filters, block: int, units: int, kind: str = "modulus", seed: int = 0) -> SecondLayer:
    """Learn a second layer: ICA of the roots of rectified and pooled responses of the first.

    Parameters
    ----------
    patches : ndarray, shape (N, m, m)
    filters : ndarray, shape (K, n, n)
        Of the first layer.
    block, kind
        See :func:`rectified_maps`.
    units : int
    seed : int

    Source: Hyvärinen, Gutmann and Hoyer (2005) for ICA of the outputs of model complex cells.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((300, 4, 4))
    >>> second_layer(x, np.ones((2, 3, 3)) * [[[1]], [[-2]]], 1, units=3).atoms.shape
    (3, 2, 2, 2)
    """
    features = _features(patches, filters, block, kind)
    flat = Patches(features.reshape(len(features), 1, -1), np.zeros(len(features), str))
    found = independent_components(flat, units, seed=seed)
    shape = (units, *features.shape[1:])
    return SecondLayer(
        kind, np.asarray(filters), block, found.filters.reshape(shape), found.atoms.reshape(shape), found.converged
    )


def column_correlations(a, b) -> np.ndarray:
    """Pearson's correlation of each column of a with the same column of b.

    Examples
    --------
    >>> column_correlations([[0, 0], [1, 1], [2, 0]], [[0, 1], [2, 0], [4, 1]]).round(12).tolist()
    [1.0, -1.0]
    """
    a, b = (np.asarray(x, dtype=np.float64) - np.mean(x, axis=0) for x in (a, b))
    return (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
