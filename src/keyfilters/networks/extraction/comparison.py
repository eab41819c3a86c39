"""The ways to find k lines in filters; extracted keys against the eight: the best assignment, and what chance would give."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from tqdm import tqdm

from ...checks import choice
from ..klines import check_count, first_lines, k_lines
from ..surgery.matching import centred, unit
from ..surgery.nulls import covariance_root, direction_root

if TYPE_CHECKING:
    from .extracting import Extraction


RESTARTS, QUICK_RESTARTS = 8, 2


def _k_lines(v: np.ndarray, k: int, seed: int, affine: bool, quick: bool) -> np.ndarray:
    return k_lines(v, k, seed=seed, restarts=QUICK_RESTARTS if quick else RESTARTS).lines


def _k_means(v: np.ndarray, k: int, seed: int, affine: bool, quick: bool) -> np.ndarray:
    """k-means of the vectors and their negatives, with 2k centres that begin as antipodal pairs.

    Plain k-means would need one centre for v and another for -v, which are the same key. The doubled set
    is symmetric, so a pair of centres stays a pair.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    energy = np.einsum("ij,ij->i", v, v)
    doubled = np.concatenate([v, -v])
    best = None
    restarts = np.random.SeedSequence(seed).spawn(QUICK_RESTARTS if quick else RESTARTS)
    for child in tqdm(restarts, desc="k-means, restarts", disable=None, leave=False, delay=1):
        first = first_lines(v, energy, k, np.random.default_rng(child)) * np.sqrt(energy.mean())
        with warnings.catch_warnings():
            # Fewer distinct filters than keys: the keys repeat, which is no news to be printed.
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = KMeans(2 * k, init=np.concatenate([first, -first]), n_init=1, random_state=0).fit(doubled)
        if best is None or found.inertia_ < best[0]:
            best = found.inertia_, found.labels_[: len(v)], first
    _, labels, first = best
    side = np.where(labels < k, 1.0, -1.0)
    lines = np.zeros((k, v.shape[1]))
    np.add.at(lines, labels % k, side[:, None] * v)
    norm = np.linalg.norm(lines, axis=1, keepdims=True)
    # A centre that lost all its filters stays where it began.
    lines = np.where(norm > 1e-12 * np.sqrt(energy.sum()), lines, first)
    return lines / np.linalg.norm(lines, axis=1, keepdims=True)


def _autoencoder(v: np.ndarray, k: int, seed: int, affine: bool, quick: bool) -> np.ndarray:
    """Candidates along a one-dimensional code, reduced greedily, in two rounds as published."""
    from .autoencoder import fit_autoencoder
    from .reduction import CANDIDATES, NEAR, ExplainedVariance, reduced_codes

    line, score = fit_autoencoder(v, seed=seed, affine=affine), ExplainedVariance(v, affine)
    # Lines have no shape of a filter; the reduction only wants a stack of arrays.
    codes, path = reduced_codes(line.decode, score, (max(CANDIDATES, 2 * k), NEAR), k + 2, k, (1, v.shape[1]))[1]
    return line.decode(codes[path.indices(k)])


ALGORITHMS = {"k-lines": _k_lines, "k-means": _k_means, "autoencoder": _autoencoder}
"""name: function of (vectors without dead ones, k, seed, affine, quick) that returns k unit lines."""


DRAWS = {"random": 200, "gaussian": 20}


@dataclass(frozen=True)
class KeyComparison:
    """Keys assigned to reference filters, one to one; made by :func:`compare_keys`.

    Attributes
    ----------
    correlation : ndarray, shape (K,)
        Absolute correlation of each reference filter with the key assigned to it; NaN for one left over.
    assigned : ndarray of int, shape (K,)
        Position of that key among the extracted ones; -1 for none.
    sign : ndarray, shape (K,)
        +1 or -1, the sign of the correlation; 0 for none.
    chance : ndarray, shape (draws, K)
        Absolute correlations of the null, assigned in the same way.
    explained, explained_reference : float
        Share of the network's filters that the extracted keys and the reference filters explain.
    explained_chance : ndarray, shape (draws,)
        ``"random"``: share of the network's filters that the random ones explain. ``"gaussian"``: share of
        the surrogate's filters that the keys extracted from it explain.
    null : str
    """

    correlation: np.ndarray
    assigned: np.ndarray
    sign: np.ndarray
    explained: float
    explained_reference: float
    null: str
    chance: np.ndarray = field(repr=False)
    explained_chance: np.ndarray = field(repr=False)

    @property
    def mean(self) -> float:
        """Mean absolute correlation of the assigned pairs."""
        return float(np.nanmean(self.correlation))

    @property
    def chance_mean(self) -> float:
        """Mean of the same number over the draws of the null."""
        return float(np.nanmean(self.chance, axis=1).mean())

    @property
    def p_value(self) -> float:
        """Share of the draws, the observation among them, whose mean correlation is at least as large.

        It cannot fall below 1 / (draws + 1).
        """
        at_least = np.nanmean(self.chance, axis=1) >= self.mean - 1e-12
        return float((1 + at_least.sum()) / (1 + len(self.chance)))

    def frame(self) -> pd.DataFrame:
        """One row per reference filter.

        Columns key (1 to K), extracted (1 to k, missing for none), correlation (absolute), sign,
        chance (mean over the draws), chance_95 (their 95 % quantile).
        """
        # A reference filter may be left over in all draws, if there are fewer keys than references.
        seen = ~np.isnan(self.chance).all(axis=0)
        mean, high = np.full((2, len(seen)), np.nan)
        mean[seen] = np.nanmean(self.chance[:, seen], axis=0)
        high[seen] = np.nanquantile(self.chance[:, seen], 0.95, axis=0)
        return pd.DataFrame(
            {
                "key": np.arange(1, len(seen) + 1),
                "extracted": pd.array([a + 1 if a >= 0 else None for a in self.assigned.tolist()], dtype="Int64"),
                "correlation": self.correlation, "sign": self.sign, "chance": mean, "chance_95": high,
            }
        )  # fmt: skip


def assign(lines: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One-to-one assignment of unit lines to unit reference vectors with the largest sum of ``|correlation|``.

    Returns
    -------
    assigned : ndarray of int, shape (K,)
        Line of each reference vector, -1 for none (fewer lines than references).
    correlation : ndarray, shape (K,)
        Signed; NaN for none.

    Examples
    --------
    >>> assigned, correlation = assign(-np.eye(3)[[2, 0]], np.eye(3))
    >>> assigned.tolist(), correlation.tolist()
    ([1, -1, 0], [-1.0, nan, -1.0])
    """
    table = np.asarray(reference) @ np.asarray(lines).T
    rows, columns = linear_sum_assignment(-np.abs(table))
    assigned, correlation = np.full(len(table), -1), np.full(len(table), np.nan)
    assigned[rows] = columns
    correlation[rows] = np.clip(table[rows, columns], -1.0, 1.0)
    return assigned, correlation


def surrogate(vectors: np.ndarray, layer_of: np.ndarray, rng: np.random.Generator, scaled: bool) -> np.ndarray:
    """Gaussian vectors with the second moments of each layer's filters: as smooth, but without clusters.

    Parameters
    ----------
    vectors : ndarray, shape (N, d)
        Zero rows are dead and stay zero.
    layer_of : ndarray of int, shape (N,)
    rng : numpy.random.Generator
    scaled : bool
        Whether each vector gets the norm 1, as the filters have; the second moments are those of the filters all the same.
    """
    result = np.zeros_like(vectors)
    alive = vectors.any(axis=1)
    for layer in np.unique(layer_of):
        here = np.flatnonzero(alive & (layer_of == layer))
        if len(here):
            root = (direction_root if scaled else covariance_root)(vectors[here])
            result[here] = rng.normal(size=(len(here), len(root))) @ root
    return unit(result) if scaled else result


def _random(extraction, rng, prepared):
    lines = rng.normal(size=(len(extraction.keys), extraction.size**2))
    lines = unit(centred(lines)[0] if extraction.affine else lines)
    return lines, prepared(lines)


def _gaussian(extraction, rng, prepared):
    scaled = "l2" in extraction.normalize
    vectors = surrogate(extraction.vectors, extraction.layer_of, rng, scaled)
    vectors = vectors[vectors.any(axis=1)]
    seed = int(rng.integers(2**31))
    lines = ALGORITHMS[extraction.algorithm](vectors, len(extraction.keys), seed, extraction.affine, True)
    return lines, float(((vectors @ lines.T) ** 2).max(axis=1).sum() / (vectors**2).sum())


KEY_NULLS = {"random": _random, "gaussian": _gaussian}
"""name: function of (extraction, generator, score on the network's filters) -> (lines, explained)."""


def compare_keys(
    extraction: Extraction, filters: ArrayLike | str = "B", null: str = "gaussian", draws: int | None = None, seed: int = 0
) -> KeyComparison:
    """Assign extracted keys to reference filters and judge the correlations against chance.

    The assignment is the one-to-one assignment with the largest sum of absolute correlations (with a
    mean-free normalisation, of the filters without their means). An assignment picks the best of many
    pairs, and smooth filters resemble each other, so that even filters without any structure of keys reach
    high correlations: the nulls say how high.

    ========= ===================================================================================
    null      filters that are assigned in the same way
    ========= ===================================================================================
    random    k filters of white noise
    gaussian  k keys extracted, by the same algorithm (two starts a draw), from Gaussian filters
              with the second moments of each layer's: the same spectrum, no clusters
    ========= ===================================================================================

    Parameters
    ----------
    extraction : Extraction
    filters : str or array_like
        As :func:`keyfilters.networks.key_filters`: ``"B"`` and so on, ``"learned"``, or arrays.
    null : {"gaussian", "random"}
    draws : int, optional
        By default 20 (gaussian) or 200 (random).
    seed : int

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        For unknown filters or null, constant reference filters, or draws below 1.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> from keyfilters.networks.extraction.extracting import extract
    >>> found = extract(np.concatenate([learned_filters(), -2 * learned_filters()])).compare("learned", "random", draws=9)
    >>> round(found.mean, 9), found.chance_mean < 0.6, found.p_value
    (1.0, True, 0.1)
    """
    from ..surgery.depthwise import key_filters

    draw = KEY_NULLS[choice(null, KEY_NULLS, "null")]
    draws = DRAWS[null] if draws is None else draws
    check_count(draws, draws if isinstance(draws, int) else 1, name="draws")
    reference = key_filters(filters, extraction.size)
    reference = reference.reshape(len(reference), -1)
    reference = unit(centred(reference)[0] if extraction.affine else np.array(reference))
    if not reference.any(axis=1).all():
        raise ValueError("filters hold a constant filter: a correlation with it is not defined")
    vectors = extraction.vectors
    energy = (vectors**2).sum()

    def share(lines) -> float:
        return float(min(((vectors @ lines.T) ** 2).max(axis=1).sum() / energy, 1.0))

    assigned, correlation = assign(extraction.keys.reshape(len(extraction.keys), -1), reference)
    rng = np.random.default_rng(seed)
    nulls = [
        draw(extraction, rng, share)
        for _ in tqdm(range(draws), desc=f"null {null}", unit="draw", disable=None, leave=False, delay=1)
    ]
    return KeyComparison(
        np.abs(correlation), assigned, np.nan_to_num(np.sign(correlation)), extraction.explained, share(reference), null,
        np.stack([np.abs(assign(lines, reference)[1]) for lines, _ in nulls]), np.array([e for _, e in nulls]),
    )  # fmt: skip
