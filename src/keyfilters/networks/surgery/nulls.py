"""What a match is worth: explained variance without keys, and intervals for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from ...checks import choice, integer
from .depthwise import key_filters_at
from .matching import ALL_POOLS, POOLS, Matches, as_layers, centred, is_dead, unit

# Each maker takes mean-free filters (C, p) and mean-free keys (K, p) and returns draw(rng) -> (filters, keys).


def _random(vectors, keys):
    return lambda rng: (vectors, centred(rng.standard_normal(keys.shape))[0])


def _permuted(vectors, keys):
    return lambda rng: (vectors, keys[:, rng.permutation(keys.shape[1])])


def _principal(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (p,) and axes (p, p), in columns, of the second moment of vectors (C, p)."""
    values, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    return np.maximum(values, 0.0), axes


def covariance_root(vectors: np.ndarray) -> np.ndarray:
    """Symmetric R (p, p) with ``R @ R`` the second moment of mean-free filters (C, p): noise times R has that covariance.

    The symmetric root does not depend on the signs of eigenvectors, which differ between processors.
    """
    values, axes = _principal(vectors)
    return (axes * np.sqrt(values)) @ axes.T


def spread_of_directions(moments: np.ndarray) -> np.ndarray:
    r"""Variances of independent normal numbers z whose direction :math:`z / \lVert z \rVert` has given second moments.

    Scaling to norm 1 evens out second moments: normal vectors with the variances m do not have them once they are scaled. The
    variances :math:`\lambda` for which they do solve

    .. math:: E \frac{z_i^2}{\lVert z \rVert^2}
        = \int_0^\infty \frac{\lambda_i}{1 + 2 t \lambda_i} \prod_j (1 + 2 t \lambda_j)^{-1/2} \, dt = m_i ,

    which is the gradient of a convex function of the logarithms: there is one solution up to a factor. It is found by
    :math:`\lambda_i \leftarrow \lambda_i m_i / E(z_i^2 / \lVert z \rVert^2)`.

    Parameters
    ----------
    moments : ndarray, shape (p,)
        m, >= 0; those below 1e-12 of the largest count as 0.

    Returns
    -------
    ndarray, shape (p,)

    Source: the angular central Gaussian distribution, Tyler (1987).

    Examples
    --------
    Of two numbers, :math:`E z_1^2 / \lVert z \rVert^2` is :math:`s_1 / (s_1 + s_2)`, with the standard deviations s.

    >>> variances = spread_of_directions(np.array([0.8, 0.2]))
    >>> float((variances[0] / variances[1]).round(6))
    16.0
    """
    present = moments > 1e-12 * moments.max()
    m = moments[present] / moments[present].sum()
    found = np.array(m)
    for _ in range(200):
        # t = exp(u): in u the integrand is smooth and falls off on both sides, so that the trapezoidal rule converges fast.
        u = np.arange(-40.0, 80.0 - np.log(found.min()), 0.5)
        grown = 1 + 2 * np.exp(u) * found[:, None]
        weight = 0.5 * np.exp(u - 0.5 * np.log(grown).sum(axis=0))
        scaled = (found[:, None] / grown) @ weight
        found *= m / scaled
        found /= found.sum()
        if np.abs(m / scaled - 1).max() < 1e-10:
            break
    result = np.zeros(len(moments))
    result[present] = found
    return result


def direction_root(vectors: np.ndarray) -> np.ndarray:
    """Symmetric R (p, p) for vectors (C, p) of norm 1: noise times R, scaled to norm 1, has their second moment."""
    values, axes = _principal(vectors)
    return (axes * np.sqrt(spread_of_directions(values))) @ axes.T


def _gaussian(vectors, keys):
    root = covariance_root(vectors)
    return lambda rng: (rng.standard_normal((len(vectors), len(root))) @ root, keys)


def _directions(vectors, keys):
    root = direction_root(unit(vectors))
    return lambda rng: (unit(rng.standard_normal((len(vectors), len(root))) @ root), keys)


def _impulse(vectors, keys):
    impulse = np.zeros((1, keys.shape[1]))
    impulse[0, keys.shape[1] // 2] = 1.0
    return lambda rng: (vectors, centred(impulse)[0])


def _lines(vectors, keys):
    from ..klines import k_lines

    count = min(len(keys), len(vectors))
    return lambda rng: (vectors, k_lines(vectors, count, seed=int(rng.integers(2**31))).lines)


@dataclass(frozen=True)
class Null:
    """One row of the table of nulls.

    Attributes
    ----------
    name, idea : str
    varies : bool
        False where one draw says all.
    make : callable
    alike : callable or None
        In its place where each filter counts the same, whatever its size; None where that makes no difference.
    """

    name: str
    idea: str
    varies: bool
    make: Callable
    alike: Callable | None = None


NULLS: dict[str, Null] = {
    n.name: n
    for n in (
        Null("random", "as many filters of independent normal pixels in the place of the keys", True, _random),
        Null(
            "permuted", "the keys with their pixels permuted, all in the same way, so that their angles stay", True, _permuted
        ),
        Null(
            "gaussian",
            "normal filters with the covariance of the layer's in their place, matched by the keys",
            True,
            _gaussian,
            _directions,
        ),
        Null("impulse", "the unit impulse as the only key", False, _impulse),
        Null(
            "lines", "the best lines (k-lines) of the layer itself, as many as keys: the most that is possible", False, _lines
        ),
    )
}
"""What the explained variance of the keys is compared with; all use mean-free filters."""


def _prepared(layer, filters) -> tuple[np.ndarray, np.ndarray]:
    """Live mean-free filters (C, p) and mean-free keys (K, p) of a layer."""
    vectors = centred(layer.filters.reshape(layer.channels, -1))[0]
    keys = key_filters_at(filters, layer.kernel_size).reshape(-1, vectors.shape[1])
    # Of 1-D filters only some keys have a factor: a null has as many.
    return vectors[~is_dead(vectors)], centred(keys[keys.any(axis=1)])[0]


def null_filters(
    kind: str, layer: Any, rng: np.random.Generator, filters: ArrayLike | str = "B"
) -> tuple[np.ndarray, np.ndarray]:
    """One draw of a null: the filters and the keys that are matched, both mean-free.

    Parameters
    ----------
    kind : str
        A name of ``NULLS``.
    layer : array (C, n, n) or DepthwiseLayer
        Its dead filters are left out.
    rng : numpy.random.Generator
    filters : str or array_like
        The keys, see :func:`keyfilters.networks.key_filters`.

    Returns
    -------
    ndarray, shape (C', n, n) and ndarray, shape (K, n, n)

    Raises
    ------
    ValueError
        For an unknown kind, a layer without live filters, and as ``match``.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> channels, keys = null_filters("impulse", learned_filters(), np.random.default_rng(0))
    >>> channels.shape, keys.shape
    ((8, 7, 7), (1, 7, 7))
    """
    null = NULLS[choice(kind, NULLS, "kind")]
    (layer,) = as_layers([layer] if hasattr(layer, "kernel_size") else layer)
    if layer.note:
        raise ValueError(f"layer {layer.name}: {layer.note}; nothing to match")
    vectors, keys = _prepared(layer, filters)
    if not len(vectors):
        raise ValueError(f"layer {layer.name}: all its filters are dead; nothing to match")
    size = layer.kernel_size
    return tuple(v.reshape(-1, *size) for v in null.make(vectors, keys)(rng))


def _explained(vectors, keys) -> tuple[np.ndarray, np.ndarray]:
    """Explained and total sum of squares of mean-free filters, each shape (C,)."""
    total = np.einsum("ij,ij->i", vectors, vectors)
    return np.minimum(((vectors @ unit(keys).T) ** 2).max(axis=1), total), total


@dataclass(frozen=True)
class NullDistribution:
    """Explained variance under a null, pooled in one of the ways of :meth:`keyfilters.networks.surgery.matching.Matches.pooled`.

    Attributes
    ----------
    kind : str
    layers : list of str
        Layers with live filters that can be matched.
    explained : ndarray, shape (layers, draws)
    pooled : ndarray, shape (draws,)
        Over all filters of all layers.
    """

    kind: str
    layers: list[str]
    explained: np.ndarray
    pooled: np.ndarray


def null_distribution(
    layers: Any, filters: ArrayLike | str = "B", kind: str = "random", draws: int = 100, seed: int = 0, pool: str = "energy"
) -> NullDistribution:
    """Draw the explained variance of a match under a null.

    ========== ===========================================================================
    kind       what is matched
    ========== ===========================================================================
    random     the layer's filters, by as many filters of independent normal pixels
    permuted   the layer's filters, by the keys with their pixels permuted
    gaussian   normal filters with the covariance of the layer's, by the keys
    impulse    the layer's filters, by the unit impulse alone (one draw)
    lines      the layer's filters, by its own best lines (one draw): an upper bound
    ========== ===========================================================================

    The covariance is the second moment of the mean-free filters of a layer. Pooled by energy the normal filters have that
    covariance. In the other pools each filter counts the same: there the filters scaled to norm 1 and the draws scaled to
    norm 1 have the same second moment (:func:`spread_of_directions`), so that one key explains the same of both. Each layer
    has its own stream of random numbers, given by the seed and its place in the list.

    Parameters
    ----------
    layers : torch.nn.Module, list of DepthwiseLayer, array (C, n, n) or dict of arrays
    filters : str or array_like
        The keys, see :func:`keyfilters.networks.key_filters`.
    kind : str
    draws, seed : int
    pool : {"energy", "filters", "median"}
        See :meth:`keyfilters.networks.surgery.matching.Matches.pooled`.

    Returns
    -------
    NullDistribution

    Raises
    ------
    ValueError
        For an unknown kind or pool, fewer than one draw, and as ``match``; also if no layer has live
        filters.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> null = null_distribution(learned_filters(), "learned", "permuted", draws=20)
    >>> null.explained.shape, bool((null.pooled < 0.9).all())
    ((1, 20), True)
    """
    return null_distributions(layers, filters, kind, draws, seed, (pool,))[pool]


def null_distributions(
    layers: Any,
    filters: ArrayLike | str = "B",
    kind: str = "random",
    draws: int = 100,
    seed: int = 0,
    pools: Sequence[str] = ALL_POOLS,
) -> dict[str, NullDistribution]:
    """As :func:`null_distribution`, by the name of the pool: the same draws pooled in several ways."""
    null = NULLS[choice(kind, NULLS, "kind")]
    for pool in pools:
        choice(pool, ALL_POOLS, "pool")
    draws = integer(draws, "draws") if null.varies else 1
    # Of each layer the sums (explained and total, draws); beyond the energy the share of each filter (filters, draws).
    names, energies, shares = [], [], []
    by_energy, each = "energy" in pools, set(pools) != {"energy"}
    # What is drawn, and whether it serves the sums and the shares.
    makers = (
        [(null.make, by_energy, each)]
        if null.alike is None
        else [(null.make, True, False)] * by_energy + [(null.alike, False, True)] * each
    )
    listed = as_layers(layers)
    # Large kernels take their time; a bar is drawn on a terminal only.
    bar = tqdm(total=len(listed) * draws * len(makers), desc=f"null {kind}", unit="draw", disable=None, leave=False, delay=1)
    for place, layer in enumerate(listed):
        if layer.note:
            continue
        vectors, keys = _prepared(layer, filters)
        if not len(vectors):
            continue
        energy, share = np.empty((2, draws)), np.empty((len(vectors), draws if each else 0))
        for make, sums, shared in makers:
            draw, rng = make(vectors, keys), np.random.default_rng([integer(seed, "seed", 0), place])
            for i in range(draws):
                part, total = _explained(*draw(rng))
                if sums:
                    energy[:, i] = part.sum(), total.sum()
                if shared:
                    share[:, i] = part / total
                bar.update()
        names.append(layer.name)
        energies.append(energy)
        shares.append(share)
    bar.close()
    if not names:
        raise ValueError("no layer has live filters that can be matched: no null distribution")
    found = {}
    for pool in pools:
        if pool == "energy":
            values = np.array([part / total for part, total in energies]), np.divide(*sum(energies))
        else:
            over = np.mean if pool == "filters" else np.median
            values = np.array([over(share, axis=0) for share in shares]), over(np.concatenate(shares), axis=0)
        found[pool] = NullDistribution(kind, names, *values)
    return found


@dataclass(frozen=True)
class ExplainedInterval:
    """A pooled explained variance and its interval, ``low`` to ``high``, at ``level``."""

    estimate: float
    low: float
    high: float
    level: float


def explained_interval(
    matches: Matches, level: float = 0.95, draws: int = 1000, seed: int = 0, pool: str = "energy"
) -> ExplainedInterval:
    """Interval of the pooled explained variance by a hierarchical bootstrap: layers, then filters within them.

    Each draw takes as many layers as there are, with replacement, and from each of them as many live
    filters as it has; the interval lies between the percentiles of the draws. With a single layer it
    says only how the filters scatter.

    Parameters
    ----------
    matches : Matches
        ``matches.select(size=5)`` for one kernel size.
    level : float
        Between 0 and 1.
    draws, seed : int
    pool : {"energy", "filters"}
        See :meth:`keyfilters.networks.surgery.matching.Matches.pooled`.

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        If a parameter is out of range or there is no matched filter.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> from keyfilters.networks.surgery.matching import match
    >>> found = explained_interval(match(learned_filters(), "B"), draws=200)
    >>> found.low <= found.estimate <= found.high
    True
    """
    choice(pool, POOLS, "pool")
    draws = integer(draws, "draws")
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ValueError(f"level is {level!r}: expected a number between 0 and 1")
    layers = [m for m in matches.layers if m.live.any()]
    if not layers:
        raise ValueError("no filter is matched: no interval")
    sides = []
    for m in layers:
        weight = m.energy[m.live] if pool == "energy" else np.ones(int(m.live.sum()))
        sides.append((m.explained[m.live] * weight, weight))
    rng = np.random.default_rng(integer(seed, "seed", 0))
    # How often each layer is taken in each draw; each time with filters of its own.
    taken = rng.multinomial(len(layers), np.full(len(layers), 1 / len(layers)), size=draws)
    sums = np.zeros((2, draws))
    for (part, weight), times in zip(sides, taken.T, strict=True):
        owner = np.repeat(np.arange(draws), times)
        picked = rng.integers(len(part), size=(len(owner), len(part)))
        for side, values in zip(sums, (part, weight), strict=True):
            side += np.bincount(owner, values[picked].sum(axis=1), minlength=draws)
    low, high = np.quantile(sums[0] / sums[1], [(1 - level) / 2, (1 + level) / 2])
    return ExplainedInterval(matches.pooled(pool), float(low), float(high), float(level))
