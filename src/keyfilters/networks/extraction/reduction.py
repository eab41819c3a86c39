"""Greedy reduction: leave out the filter that is missed least, again and again, and look for the elbow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from torch import nn

from ..klines import check_count, checked_vectors

CANDIDATES = 50
"""Codes in equal steps from which the candidates of the first round are decoded, as published."""
AROUND = 10
"""Filters of the first round around which those of the second are drawn, as published."""
NEAR = 5
"""Candidates of the second round for each of these."""
REACH = 0.4
"""How far the outermost of them lie from it, in steps of the first round."""


@dataclass(frozen=True)
class Reduction:
    """The path of :func:`greedy_reduction`, from all candidates down.

    Attributes
    ----------
    candidates : ndarray, shape (m, n, n)
    sizes : ndarray of int
        m, m - 1, ..., the smallest size.
    scores : ndarray
        Score of the filters that are left at each size.
    removed : ndarray of int
        Candidate that was left out to get from each size to the next (one entry less than ``sizes``).
    """

    candidates: np.ndarray
    sizes: np.ndarray
    scores: np.ndarray
    removed: np.ndarray

    @property
    def elbow(self) -> int:
        """Size at the elbow of the path, see :func:`elbow`."""
        return elbow(self.sizes, self.scores)

    def indices(self, size: int) -> np.ndarray:
        """Candidates left at a size, in increasing order; ValueError for a size that is not on the path."""
        if size not in self.sizes:
            raise ValueError(f"size is {size!r}: expected one from {self.sizes[-1]} to {self.sizes[0]}")
        return np.setdiff1d(np.arange(len(self.candidates)), self.removed[: len(self.candidates) - size])

    def filters(self, size: int) -> np.ndarray:
        """Filters left at a size, shape (size, n, n)."""
        return self.candidates[self.indices(size)]

    def frame(self) -> pd.DataFrame:
        """One row per size: size, score, removed (the candidate left out next; missing in the last row)."""
        removed = pd.array([*self.removed.tolist(), None], dtype="Int64")
        return pd.DataFrame({"size": self.sizes, "score": self.scores, "removed": removed})


class ExplainedVariance:
    r"""Score of a set of filters: the share of the energy of given filters that it explains.

    .. math:: \frac{\sum_i \max_k (v_i^\top f_k)^2}{\sum_i \|v_i\|^2}

    with unit :math:`f_k`; with ``affine`` both sides are taken without their means, which is the
    explained variance of the best :math:`a f_k + b`.

    Parameters
    ----------
    filters : array_like, shape (N, n, n) or (N, d)
    affine : bool

    Examples
    --------
    >>> score = ExplainedVariance(np.eye(9)[[0, 0, 0, 4]].reshape(4, 3, 3), affine=False)
    >>> score(np.eye(9)[[0]].reshape(1, 3, 3)), score(np.eye(9)[[0, 4]])
    (0.75, 1.0)
    """

    def __init__(self, filters: ArrayLike | str, affine: bool = True):
        filters = np.asarray(filters)
        self.affine = affine
        self.vectors = checked_vectors(filters.reshape(len(filters), -1), affine)
        self.energy = float((self.vectors**2).sum())
        if self.energy == 0:
            raise ValueError("filters are all zero or constant: expected at least one that is not")

    def table(self, candidates: ArrayLike) -> np.ndarray:
        """Energy of each filter that each candidate explains, shape (m, N)."""
        candidates = np.asarray(candidates)
        lines = checked_vectors(candidates.reshape(len(candidates), -1), self.affine)
        if lines.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"candidates have {lines.shape[1]} entries each: expected {self.vectors.shape[1]} as in the filters"
            )
        norm = np.linalg.norm(lines, axis=1, keepdims=True)
        lines = np.divide(lines, norm, out=np.zeros_like(lines), where=norm > 0)
        return (lines @ self.vectors.T) ** 2

    def __call__(self, candidates: ArrayLike) -> float:
        """Share of the energy of the filters that the candidates explain, at most 1."""
        return float(min(self.table(candidates).max(axis=0).sum() / self.energy, 1.0))

    def removals(self, candidates: ArrayLike) -> Callable:
        """Return a function of indices into ``candidates`` that gives the scores of the sets without each one of them.

        The projections are computed once. A filter that is left out costs what its filters lose to their second best.
        """
        table = self.table(candidates)

        def scores(indices) -> np.ndarray:
            part = table[indices]
            best, filters = part.argmax(axis=0), np.arange(part.shape[1])
            first = part[best, filters]
            part[best, filters] = 0.0
            lost = np.bincount(best, first - part.max(axis=0), minlength=len(part))
            return np.minimum((first.sum() - lost) / self.energy, 1.0)

        return scores


class Accuracy:
    """Score of a set of filters: the accuracy of a network whose depthwise filters they replace.

    Each filter of the network becomes the best a f + b over the set, as in the published search; nothing is
    trained. Slow: one evaluation each time it is called, m^2 / 2 times for a path of m candidates.

    Parameters
    ----------
    model : torch.nn.Module
    batches : sequence
        As :func:`keyfilters.networks.evaluate` takes; run through each time, so no exhausted iterator.
    layers : sequence of str, optional
        Replace these only.
    """

    def __init__(self, model: nn.Module, batches: Iterable, layers: Sequence[str] | None = None):
        if iter(batches) is batches:
            raise ValueError("batches can be run through once only: expected a list or a DataLoader")
        self.model, self.batches, self.layers = model, batches, layers

    def __call__(self, candidates: ArrayLike) -> float:
        """Accuracy (top-1) of the network with the candidates in place of its filters."""
        return self._of(self._replaced(candidates))

    def _replaced(self, candidates: ArrayLike):
        from ..surgery.replacing import replace

        return replace(self.model, method=candidates, mode="affine", layers=self.layers)

    def _of(self, done) -> float:
        from ..evaluation.judging import evaluate

        return float(evaluate(done.model, self.batches).top1)

    def removals(self, candidates: ArrayLike) -> Callable:
        """Return a function of indices into ``candidates`` that gives the accuracies of the sets without each one of them.

        The network is copied once, and its filters are exchanged in place. Sets that give every filter the same candidate
        give the same network, which is judged once.
        """
        import torch

        from ..surgery.depthwise import key_filters_at
        from ..surgery.matching import as_layers, match_stack

        candidates = np.asarray(candidates, dtype=np.float64)
        done = self._replaced(candidates)
        filters = {d.name: d.filters for d in as_layers(self.model)}
        parts = [
            (
                done.model.get_submodule(m.name).parametrizations.weight[0],
                filters[m.name],
                key_filters_at(candidates, m.kernel_size),
            )
            for m in done.matches.layers
        ]
        judged: dict[bytes, float] = {}

        def accuracy(indices: np.ndarray) -> float:
            found = [match_stack(h, bank[indices]) for _, h, bank in parts]
            # The candidate of each filter; -1 for a dead one.
            chosen = [np.append(indices, -1)[each["key"] - 1] for each in found]
            name = np.concatenate(chosen).tobytes()
            if name not in judged:
                with torch.no_grad():
                    for (weight, _, bank), each, own in zip(parts, found, chosen, strict=True):
                        for old, new in (
                            (weight.bank, bank[own]),
                            (weight.gain, each["gain"]),
                            (weight.offset, each["offset"]),
                        ):
                            old.copy_(torch.from_numpy(new))
                judged[name] = self._of(done)
            return judged[name]

        def scores(indices) -> list[float]:
            indices = np.asarray(indices)
            return [accuracy(np.delete(indices, i)) for i in range(len(indices))]

        return scores


def greedy_reduction(candidates: ArrayLike, score: Callable, down_to: int = 1) -> Reduction:
    """Leave out one filter after the other, each time the one whose removal leaves the best score.

    Source: the greedy search of Babaiee et al. (2025), arXiv 2509.11711, which goes from candidates that an
    autoencoder generates down to eight filters by the accuracy of ConvNeXt V2 Tiny.

    Parameters
    ----------
    candidates : array_like, shape (m, n, n)
    score : callable
        Takes filters of shape (j, n, n) and returns a number, larger is better; for example
        :class:`ExplainedVariance` or :class:`Accuracy`. Of equal scores the first candidate goes.
    down_to : int
        Smallest size, 1 to m.

    Returns
    -------
    Reduction

    Raises
    ------
    ValueError
        For candidates or ``down_to`` out of range, or a score that is not finite.

    Examples
    --------
    >>> data = np.eye(9)[[0, 0, 0, 4, 4, 8]].reshape(6, 3, 3)
    >>> path = greedy_reduction(np.eye(9)[[8, 0, 4]].reshape(3, 3, 3), ExplainedVariance(data, affine=False))
    >>> path.sizes.tolist(), path.removed.tolist(), path.scores.round(2).tolist()
    ([3, 2, 1], [0, 2], [1.0, 0.83, 0.5])
    """
    candidates = np.array(candidates, dtype=np.float64)
    if candidates.ndim != 3 or not len(candidates):
        raise ValueError(f"candidates have shape {candidates.shape}: expected (m, n, n)")
    if not np.isfinite(candidates).all():
        raise ValueError("candidates hold NaN or infinity: expected finite numbers")
    down_to = check_count(down_to, len(candidates), "candidates", "down_to")

    def one_by_one(indices) -> list[float]:
        return [score(candidates[indices[:i] + indices[i + 1 :]]) for i in range(len(indices))]

    without_each = score.removals(candidates) if hasattr(score, "removals") else one_by_one

    def values(found, filters: int) -> np.ndarray:
        found = np.array(found, dtype=np.float64)
        wrong = found[~np.isfinite(found)]
        if len(wrong):
            raise ValueError(f"score is {wrong[0]} for {filters} filters: expected a finite number")
        return found

    left = list(range(len(candidates)))
    sizes, scores, removed = [len(left)], [*values([score(candidates)], len(left))], []
    while len(left) > down_to:
        trials = values(without_each(left), len(left) - 1)
        best = int(np.argmax(trials))
        removed.append(left.pop(best))
        sizes.append(len(left))
        scores.append(trials[best])
    return Reduction(candidates, np.array(sizes), np.array(scores), np.array(removed, dtype=int))


def reduced_codes(
    decode: Callable, score: Callable, counts: tuple[int, int], around: int, down_to: int, shape: tuple[int, ...]
) -> list[tuple[np.ndarray, Reduction]]:
    """Candidates along a code of one number, left out one by one in two rounds: the codes of each round, and its path.

    The first round has ``counts[0]`` codes in equal steps from 0 to 1 and goes down to ``around`` candidates; the second has
    ``counts[1]`` codes around that of each of them and goes down to ``down_to``.

    Parameters
    ----------
    decode : callable
        Takes codes of shape (m,) and returns vectors of shape (m, d), which are given ``shape``.

    Examples
    --------
    >>> bump = lambda codes: np.exp(-((np.arange(9) / 8 - codes[:, None]) ** 2) / 0.01)
    >>> first, second = reduced_codes(bump, ExplainedVariance(bump(np.array([0.0, 0.52]))), (5, 3), 2, 1, (3, 3))
    >>> first[0][first[1].indices(2)].tolist(), second[0].round(2).tolist()
    ([0.0, 0.5], [0.0, 0.0, 0.1, 0.4, 0.5, 0.6])
    """
    codes = np.linspace(0.0, 1.0, counts[0])
    step, found = codes[1], []
    for offsets, size in ((np.zeros(1), around), (np.linspace(-REACH, REACH, counts[1]) * step, down_to)):
        codes = np.clip((codes[:, None] + offsets).ravel(), 0.0, 1.0)
        path = greedy_reduction(decode(codes).reshape(-1, *shape), score, size)
        found.append((codes, path))
        codes = codes[path.indices(size)]
    return found


def elbow(sizes: Sequence[int], scores: ArrayLike) -> int:
    r"""Return the size at the elbow of a path of scores.

    Sizes and scores are scaled to [0, 1]; the elbow is the size whose score lies highest above the chord
    from the smallest to the largest size,

    .. math:: \max_j \; \frac{s_j - s_{\min}}{s_{\max} - s_{\min}} - \frac{j - j_{\min}}{j_{\max} - j_{\min}},

    where :math:`s_{\min}, s_{\max}` belong to the two ends. (In the scaled plane this is :math:`\sqrt 2`
    times the distance from the chord.) The smallest such size of equal ones; the smallest size of all
    where no score lies above the chord, or the score does not grow from end to end.

    Source: the idea is that of Satopaa et al. (2011), "Finding a 'kneedle' in a haystack".

    Raises
    ------
    ValueError
        For lists of different or no length, repeated sizes, or numbers that are not finite.

    Examples
    --------
    >>> elbow([1, 2, 3, 4, 5], [0.1, 0.5, 0.9, 0.95, 1.0])
    3
    """
    sizes, scores = np.asarray(sizes, dtype=np.float64).ravel(), np.asarray(scores, dtype=np.float64).ravel()
    if len(sizes) != len(scores) or not len(sizes):
        raise ValueError(f"there are {len(sizes)} sizes and {len(scores)} scores: expected as many of both, at least one")
    if not (np.isfinite(sizes).all() and np.isfinite(scores).all()):
        raise ValueError("sizes or scores hold NaN or infinity: expected finite numbers")
    order = np.argsort(sizes)
    sizes, scores = sizes[order], scores[order]
    if (np.diff(sizes) == 0).any():
        raise ValueError("sizes repeat: expected each size once")
    rise = scores[-1] - scores[0]
    if rise <= 0:
        return int(sizes[0])
    above = (scores - scores[0]) / rise - (sizes - sizes[0]) / (sizes[-1] - sizes[0])
    # Rounding must not decide between equal heights.
    return int(sizes[np.flatnonzero(above >= above.max() - 1e-12)[0]])
