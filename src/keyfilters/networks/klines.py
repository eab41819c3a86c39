"""k-lines: clustering of vectors by the line through the origin that explains them best."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg.lapack import dsyevr
from tqdm import tqdm

from ..checks import integer


@dataclass(frozen=True)
class Lines:
    """What :func:`k_lines` found; cluster 0 explains the most.

    Attributes
    ----------
    lines : ndarray, shape (k, d)
        Unit vectors, one a cluster. The sign of a line is free: it is chosen such that the projections
        of its own vectors sum to a number >= 0.
    labels : ndarray of int, shape (N,)
        The line of each vector, 0 to k - 1; -1 for a vector that is zero (dead).
    signs : ndarray, shape (N,)
        +1 or -1: on which side of its line the vector lies; 0 for a dead one.
    explained : float
        Share of the total squared norm that the projections on the lines hold, in [0, 1].
    inertia : ndarray
        Squared norm left over by the lines at the start and after each iteration of the best restart;
        it never grows.
    """

    lines: np.ndarray
    labels: np.ndarray
    signs: np.ndarray
    explained: float
    inertia: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Vectors in each cluster, shape (k,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.lines))


def checked_vectors(vectors: ArrayLike, affine: bool) -> np.ndarray:
    """Return vectors scaled to a largest absolute value of 1, without their means where ``affine``."""
    try:
        v = np.array(vectors, dtype=np.float64, copy=True)
    except (TypeError, ValueError):
        raise ValueError("vectors is not an array of real numbers: expected the shape (N, d)") from None
    if v.ndim != 2 or v.shape[1] < 1:
        raise ValueError(f"vectors has shape {v.shape}: expected (N, d)")
    if not np.isfinite(v).all():
        raise ValueError("vectors holds NaN or infinity: expected finite numbers")
    # Scores are squares of squares of the entries at most: keep them away from both ends of the range.
    largest = np.abs(v).max(initial=0.0)
    if largest > 0:
        v /= largest
    if affine:
        flat = np.abs(v).max(axis=1, initial=0.0)
        v -= v.mean(axis=1, keepdims=True)
        # A constant vector is zero but for rounding once its mean is gone.
        v[np.abs(v).max(axis=1, initial=0.0) <= 1e-12 * flat] = 0.0
    return v


def check_count(k: int, available: int, what: str = "vectors", name: str = "k") -> int:
    """Return ``k`` if it is an integer from 1 to the number of things there are.

    Examples
    --------
    >>> check_count(9, 8, "filters")
    Traceback (most recent call last):
    ...
    ValueError: k is 9 but there are only 8 non-zero filters: expected at most as many
    """
    integer(k, name)
    if k > available:
        raise ValueError(f"{name} is {k} but there are only {available} non-zero {what}: expected at most as many")
    return int(k)


def leading_directions(v: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Leading eigenvector of the second-moment matrix of each cluster, shape (k, d); an arbitrary unit vector for an empty one."""
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(k + 1))
    grouped = v[order]
    return np.stack([_leading(grouped[a:b]) for a, b in pairwise(ends)])


def _leading(v: np.ndarray) -> np.ndarray:
    """The leading right singular vector of the vectors of one cluster (m, d).

    Of the smaller of the two matrices that lead to it, (m, m) or (d, d), and of its eigenvectors the last alone.
    """
    m, d = v.shape
    if m == 0 or not v.any():
        return np.eye(1, d)[0]
    square = v @ v.T if m < d else v.T @ v
    last = len(square)
    # What scipy.linalg.eigh calls, whose checks take longer than the sums for matrices this small.
    _, vectors, _, _, failed = dsyevr(square, range="I", il=last, iu=last, lower=1)
    if failed:
        raise np.linalg.LinAlgError(f"the eigenvalues of a cluster of {m} vectors did not converge")
    line = vectors[:, 0] @ v if m < d else vectors[:, 0]
    return line / np.linalg.norm(line)


def first_lines(v: np.ndarray, energy: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++ on the projective sphere: each next line is a vector drawn by what the lines so far leave over.

    Of a few draws the one that leaves the least is kept (greedy k-means++).
    """
    left, total = energy.copy(), energy.sum()
    lines = np.empty((k, v.shape[1]))
    trials = 2 + int(np.log(k))
    for j in range(k):
        # Once all are explained, any vector serves.
        weight = left if left.sum() > 1e-14 * total else energy
        drawn = rng.choice(len(v), size=trials, p=weight / weight.sum())
        directions = v[drawn] / np.sqrt(energy[drawn])[:, None]
        remains = np.minimum(left, energy - (directions @ v.T) ** 2)
        best = remains.sum(axis=1).argmin()
        lines[j], left = directions[best], np.maximum(remains[best], 0.0)
    return lines


def _refill(energy, scores, labels, k) -> np.ndarray:
    """Give each empty cluster the vector that is explained worst; returns the labels."""
    counts = np.bincount(labels, minlength=k)
    empty = np.flatnonzero(counts == 0)
    if len(empty) == 0:
        return labels
    labels = labels.copy()
    left = energy - scores[np.arange(len(labels)), labels]
    for i in np.argsort(-left, kind="stable"):
        if len(empty) == 0:
            break
        # Do not empty another cluster for it.
        if counts[labels[i]] > 1:
            counts[labels[i]] -= 1
            labels[i], empty = empty[0], empty[1:]
            counts[labels[i]] += 1
    return labels


def _nearest(energy, scores, labels) -> np.ndarray:
    """Line of the largest score; a vector leaves its line only for more than rounding."""
    nearest = scores.argmax(axis=1)
    if labels is None:
        return nearest
    rows = np.arange(len(scores))
    # Otherwise a tie could make the search go round in circles.
    return np.where(scores[rows, nearest] - scores[rows, labels] > 1e-14 * energy, nearest, labels)


def _descend(v: np.ndarray, energy: np.ndarray, lines: np.ndarray, iterations: int):
    """Alternate between the best line of each vector and the best line of each cluster."""
    k, rows, total = len(lines), np.arange(len(v)), energy.sum()
    scores = (v @ lines.T) ** 2
    labels, inertia = _nearest(energy, scores, None), []
    inertia.append(total - scores[rows, labels].sum())
    for _ in range(iterations):
        labels = _refill(energy, scores, labels, k)
        lines = leading_directions(v, labels, k)
        scores = (v @ lines.T) ** 2
        nearest = _nearest(energy, scores, labels)
        inertia.append(total - scores[rows, nearest].sum())
        if np.array_equal(nearest, labels):
            break
        labels = nearest
    return lines, labels, np.maximum(inertia, 0.0)


def k_lines(
    vectors: ArrayLike, k: int, *, seed: int = 0, restarts: int = 8, iterations: int = 100, affine: bool = False
) -> Lines:
    r"""Find the k lines through the origin that explain a set of vectors best.

    .. math::

        \max_{\|l_1\| = \dots = \|l_k\| = 1} \; \sum_{i=1}^N \max_j \, (v_i^\top l_j)^2

    This is k-means with a free gain per vector, :math:`v_i \approx a_i l_{c(i)}`, that is on the
    projective sphere: v and -v, and v and 3v, lie on the same line. As in k-means two steps alternate,
    neither of which can make the sum smaller: each vector goes to the line with the largest squared
    projection; each line becomes the leading eigenvector of :math:`\sum_{i \in j} v_i v_i^\top`.
    The first lines are drawn as in k-means++, with the squared norm that is left over as the weight. A
    cluster that runs empty is given the vector that is explained worst.

    A vector counts by its squared norm; normalise the vectors first if all shall count the same
    (then the sum is one of squared cosines and a gain plays no part at all).

    Parameters
    ----------
    vectors : array_like, shape (N, d)
        Zero vectors are dead: they belong to no line.
    k : int
        Number of lines, at most the number of non-zero vectors.
    seed : int
        The result depends on nothing else.
    restarts : int
        Number of starts, of which the best is returned.
    iterations : int
        Largest number of iterations of one start.
    affine : bool
        Take the mean off each vector first, :math:`v_i \approx a_i l_{c(i)} + b_i`: the published matching
        of filters. The lines then sum to zero.

    Returns
    -------
    Lines
        In the order of what they explain.

    Raises
    ------
    ValueError
        For anything but a finite array of shape (N, d), or a k, restarts or iterations out of range.

    Source: Bradley and Mangasarian (2000), "k-plane clustering", J. Global Optimization 16, of which
    lines through the origin are the other extreme; Arthur and Vassilvitskii (2007), "k-means++".

    Examples
    --------
    >>> found = k_lines([[2, 0], [-1, 0], [0, 1], [0, 0.5], [0, 0]], 2)
    >>> found.labels.tolist(), found.signs.tolist(), round(found.explained, 12)
    ([0, 0, 1, 1, -1], [1.0, -1.0, 1.0, 1.0, 0.0], 1.0)
    """
    everything = checked_vectors(vectors, affine)
    energy = np.einsum("ij,ij->i", everything, everything)
    alive = energy > 0
    v, energy = everything[alive], energy[alive]
    k = check_count(k, len(v))
    for name, value in (("restarts", restarts), ("iterations", iterations)):
        integer(value, name)
    best = None
    for child in tqdm(
        np.random.SeedSequence(seed).spawn(restarts), desc="k-lines, restarts", disable=None, leave=False, delay=1
    ):
        found = _descend(v, energy, first_lines(v, energy, k, np.random.default_rng(child)), iterations)
        if best is None or found[2][-1] < best[2][-1]:
            best = found
    return _ordered(everything, alive, energy, *best)


def _ordered(everything, alive, energy, lines, labels, inertia) -> Lines:
    v, k = everything[alive], len(lines)
    projection = np.take_along_axis(v @ lines.T, labels[:, None], axis=1)[:, 0]
    explained = np.bincount(labels, projection**2, minlength=k)
    lines = lines * np.where(np.bincount(labels, projection, minlength=k) < 0, -1.0, 1.0)[:, None]
    order = np.argsort(-explained, kind="stable")
    lines, rank = lines[order], np.argsort(order)
    all_labels = np.full(len(everything), -1)
    all_labels[alive] = rank[labels]
    signs = np.zeros(len(everything))
    signs[alive] = np.where(np.einsum("ij,ij->i", v, lines[rank[labels]]) < 0, -1.0, 1.0)
    return Lines(lines, all_labels, signs, float(min(explained.sum() / energy.sum(), 1.0)), inertia)
