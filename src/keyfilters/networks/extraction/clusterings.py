"""The ways to find k lines in a set of filters, as rows of one table."""

from __future__ import annotations

import warnings

import numpy as np
from tqdm import tqdm

from ..klines import first_lines, k_lines

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
