"""What lies beyond the eight keys: mixed, oriented and affine terms, each as a ninth key, against smooth noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from keyfilters import affine_covariance, affine_gaussian, fit_joint, jet_filters, oriented_filter
from keyfilters.checks import choice, integer
from keyfilters.networks.surgery.depthwise import key_filters_at
from keyfilters.networks.surgery.matching import Matches, Stack, centred, match, unit
from keyfilters.networks.surgery.nulls import ExplainedInterval, covariance_root, explained_interval
from keyfilters_book.significance import holm

from .survey import MARGIN

TERM_MARGIN = MARGIN / 8
"""By how much of the variance a ninth key has to be ahead: an eighth of what the survey asks of eight keys."""
OBLIQUE = (30.0, 45.0, 60.0, 120.0, 135.0, 150.0)
"""Directions in degrees that lie along neither axis."""
ELONGATION = 2.0
"""How much longer than wide the affine terms are."""
ROWS = 20_000
"""Surrogate filters that are drawn at once."""


@dataclass(frozen=True)
class FurtherTerm:
    """One row of the table of terms.

    Attributes
    ----------
    name, idea : str
    part : {"mixed", "axes", "blob", 1, 2}
        The mixed second derivative, those along the axes, the smoothing itself, or the order of a derivative in a direction.
    elongation : float
        Of the smoothing: 1, or longer in the direction of :data:`OBLIQUE`, across which derivatives are then taken.
    """

    name: str
    idea: str
    part: str | int
    elongation: float = 1.0


FURTHER_TERMS: dict[str, FurtherTerm] = {
    term.name: term
    for term in (
        FurtherTerm("along axes", "second derivatives along x and along y: for comparison", "axes"),
        FurtherTerm("mixed", "the mixed second derivative", "mixed"),
        FurtherTerm("oriented first", "first derivatives in six oblique directions", 1),
        FurtherTerm("oriented second", "second derivatives in six oblique directions", 2),
        FurtherTerm("affine blob", "Gaussians twice as long as wide, in these directions", "blob", ELONGATION),
        FurtherTerm("affine edge", "their first derivatives across", 1, ELONGATION),
        FurtherTerm("affine bar", "their second derivatives across", 2, ELONGATION),
    )
}
"""What is tried as a ninth key. Each term has all its filters at the two joint scales of method B; the best one counts."""


@lru_cache(maxsize=32)
def term_filters(name: str, size: int = 7) -> np.ndarray:
    """The filters of a term, shape (m, size, size), read-only.

    Examples
    --------
    >>> term_filters("mixed").shape, term_filters("affine bar", 5).shape
    ((2, 7, 7), (12, 5, 5))
    """
    term = FURTHER_TERMS[choice(name, FURTHER_TERMS, "term")]
    joint = fit_joint("B")
    made = []
    for sigma in (joint[8].sigma_x, joint[5].sigma_x):
        if term.part in ("mixed", "axes"):
            jet = jet_filters(affine_covariance(sigma), size=size)
            made += [jet["xy"]] if term.part == "mixed" else [jet["xx"], jet["yy"]]
            continue
        for angle in np.deg2rad(OBLIQUE):
            smoothing = affine_covariance(term.elongation * sigma, sigma, angle)
            across = angle + np.pi / 2
            made.append(
                affine_gaussian(smoothing, radius=size // 2)
                if term.part == "blob"
                else oriented_filter(int(term.part), across, smoothing, size=size)
            )
    filters = np.stack(made)
    filters.flags.writeable = False
    return filters


def _lines(filters: np.ndarray) -> np.ndarray:
    """Filters without their means, of norm 1, as rows."""
    return unit(centred(filters.reshape(len(filters), -1))[0])


def beyond_keys(vectors: np.ndarray, size: int, banks: Sequence[np.ndarray]) -> np.ndarray:
    r"""Sum of squares that a ninth key explains of each filter beyond the best of the eight.

    .. math:: \max\bigl(0, \max_{t} (w^\top t)^2 - \max_k (w^\top f_k)^2\bigr)

    over the filters t of a term, all without mean and of norm 1.

    Parameters
    ----------
    vectors : ndarray, shape (C, size * size)
        Filters without their means.
    size : int
    banks : sequence of ndarray, shape (m, size, size)
        For each term its filters.

    Returns
    -------
    ndarray, shape (terms, C)

    Examples
    --------
    >>> bank = term_filters("mixed", 5)
    >>> bool(beyond_keys(_lines(bank), 5, [bank]).min() > 0.5)
    True
    """
    best = ((vectors @ _lines(key_filters_at("B", (size, size))).T) ** 2).max(axis=1)
    found = [((vectors @ _lines(bank).T) ** 2).max(axis=1) - best for bank in banks]
    return np.maximum(np.stack(found), 0.0)


def surrogates(layer: Stack, draws: int, rng: np.random.Generator) -> Iterator[tuple[slice, np.ndarray]]:
    """Normal filters with the second moment of a layer's: the draws, and their filters (draws * C, p) one after the other.

    They are not scaled to norm 1; see :func:`keyfilters_book.experiments.survey.survey` for why.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> parts = list(surrogates(Stack("keys", learned_filters()), 3, np.random.default_rng(0)))
    >>> [(part, drawn.shape) for part, drawn in parts]
    [(slice(0, 3, None), (24, 49))]
    """
    vectors = layer.filters.reshape(layer.channels, -1)
    root, block = covariance_root(vectors), max(1, ROWS // len(vectors))
    for start in range(0, draws, block):
        count = min(block, draws - start)
        yield slice(start, start + count), rng.standard_normal((count * len(vectors), len(root))) @ root


@dataclass(frozen=True)
class TermsJudged:
    """What :func:`judge_terms` found in one network.

    Attributes
    ----------
    layers : list of Stack
        Those with square kernels.
    gains : list of ndarray, shape (terms, C)
        For each layer, what a ninth key explains beyond the eight, as a share of each filter's variance.
    null : ndarray, shape (terms, layers, draws)
        The mean of the same over surrogates.
    null_pooled : ndarray, shape (terms, draws)
        Over all layers.
    excess : dict of str to ExplainedInterval
        Of each term, the mean gain less that of the surrogates, with an interval over layers and filters. All the intervals of
        a network hold together with 95 %.
    """

    layers: list[Stack] = field(repr=False)
    gains: list[np.ndarray] = field(repr=False)
    null: np.ndarray = field(repr=False)
    null_pooled: np.ndarray = field(repr=False)
    excess: dict[str, ExplainedInterval]

    def verdict(self, term: str) -> str:
        """By :func:`term_verdict`."""
        return term_verdict(self.excess[term])

    def pooled(self, term: str) -> float:
        """The mean gain over all filters."""
        place = list(FURTHER_TERMS).index(term)
        return float(np.concatenate([g[place] for g in self.gains]).mean())

    def by_layer(self) -> pd.DataFrame:
        """One row per layer and term: gain, mean gain of surrogates, p, and p corrected for the number of terms (Holm)."""
        rows = []
        for place, (layer, gain) in enumerate(zip(self.layers, self.gains, strict=True)):
            null, shown = self.null[:, place], gain.mean(axis=1)
            p = (1 + (null >= shown[:, None]).sum(axis=1)) / (1 + null.shape[1])
            for term, *numbers in zip(FURTHER_TERMS, shown, null.mean(axis=1), p, holm(p), strict=True):
                names = {"number": place + 1, "layer": layer.name, "size": layer.kernel_size[0], "filters": layer.channels}
                rows.append(
                    names | {"term": term} | dict(zip(("gain", "null", "p", "p_holm"), map(float, numbers), strict=True))
                )
        return pd.DataFrame(rows)


def term_verdict(excess: ExplainedInterval, margin: float = TERM_MARGIN) -> str:
    """What the interval of a term's excess over surrogates says.

    ========== =================================================================================
    verdict    where
    ========== =================================================================================
    yes        the lower end is at least ``margin``: filters gather about the term
    no         the upper end is below ``margin``: if they do, it is by next to nothing
    undecided  else
    ========== =================================================================================

    Rule, margin, terms and level were written down before a filter had been looked at for it.

    Examples
    --------
    >>> ends = ((0.01, 0.02), (0.0, 0.01), (-0.01, 0.005))
    >>> [term_verdict(ExplainedInterval(low, low, high, 0.95)) for low, high in ends]
    ['yes', 'undecided', 'no']
    """
    return "yes" if excess.low >= margin else "no" if excess.high < margin else "undecided"


def square_layers(layers: Sequence[Stack]) -> list[Stack]:
    """Those with square kernels: a kernel of one row has no direction."""
    return [layer for layer in layers if layer.kernel_size[0] == layer.kernel_size[1]]


def judge_terms(layers: Sequence[Stack], draws: int = 199, bootstrap: int = 2000, seed: int = 0) -> TermsJudged:
    """Try each of ``FURTHER_TERMS`` as a ninth key of one network, beside surrogates with the covariance of each layer.

    Parameters
    ----------
    layers : list of Stack
        Of :func:`keyfilters_book.experiments.survey.unit_filters`: without means, of norm 1.
    draws : int
        Of the surrogates.
    bootstrap, seed : int
        See :func:`keyfilters.networks.explained_interval`.

    Returns
    -------
    TermsJudged

    Raises
    ------
    ValueError
        If there is no layer with square kernels, and for numbers out of range.

    Examples
    --------
    >>> from keyfilters_book.experiments.survey import unit_filters
    >>> rng = np.random.default_rng(0)
    >>> keys = key_filters_at("B", (7, 7))[rng.integers(8, size=300)]
    >>> keys[:60] = term_filters("mixed")[0]
    >>> found = judge_terms(unit_filters({"a": keys, "b": keys[::2]}), draws=19, bootstrap=200)
    >>> found.verdict("mixed"), found.verdict("affine edge")
    ('yes', 'no')
    """
    draws = integer(draws, "draws")
    stacks = square_layers(layers)
    if not stacks:
        raise ValueError("no layer has square kernels: nothing has a direction")
    gains, sums = [], np.zeros((len(FURTHER_TERMS), len(stacks), draws))
    energies = np.zeros((len(stacks), draws))
    for place, layer in enumerate(stacks):
        size = layer.kernel_size[0]
        banks = [term_filters(term, size) for term in FURTHER_TERMS]
        gains.append(beyond_keys(layer.filters.reshape(layer.channels, -1), size, banks))
        for part, drawn in surrogates(layer, draws, np.random.default_rng([integer(seed, "seed", 0), place])):
            each = (part.stop - part.start, layer.channels)
            sums[:, place, part] = beyond_keys(drawn, size, banks).reshape(-1, *each).sum(axis=2)
            energies[place, part] = np.einsum("ij,ij->i", drawn, drawn).reshape(each).sum(axis=1)
    null = sums / energies
    matches, level, excess = match(stacks), 1 - 0.05 / len(FURTHER_TERMS), {}
    for place, term in enumerate(FURTHER_TERMS):
        over = [g[place] - at for g, at in zip(gains, null[place].mean(axis=1), strict=True)]
        changed = [replace(m, explained=value) for m, value in zip(matches.layers, over, strict=True)]
        excess[term] = explained_interval(Matches(changed, matches.keys), level, bootstrap, seed, "filters")
    return TermsJudged(stacks, gains, null, sums.sum(axis=1) / energies.sum(axis=0), excess)


def best_ninth(layers: Sequence[Stack], size: int, seed: int = 0, steps: int = 100) -> tuple[np.ndarray, float]:
    """The ninth key that explains most beyond the eight, of all that there could be, and its mean gain.

    From each start: the filters that it explains better than the eight do, and their first principal axis, until nothing
    changes, so that the gain never falls. Starts are all filters of all terms and the 16 filters that the keys explain least.
    ``seed`` and ``steps`` bound the search.

    Parameters
    ----------
    layers : list of Stack
        Without means, of norm 1.
    size : int
        Kernels of this size are taken.

    Returns
    -------
    ndarray, shape (size, size), and float
        Of norm 1; its largest value is positive.

    Examples
    --------
    >>> from keyfilters_book.experiments.survey import unit_filters
    >>> keys = np.concatenate([key_filters_at("B", (5, 5)), term_filters("mixed", 5)[:1]])
    >>> ninth, gain = best_ninth(unit_filters(keys), 5)
    >>> bool(abs((ninth * _lines(keys[-1:]).reshape(5, 5)).sum()) > 0.999), gain > 0.1
    (True, True)
    """
    vectors = np.concatenate(
        [layer.filters.reshape(layer.channels, -1) for layer in layers if layer.kernel_size == (size, size)]
    )
    best = ((vectors @ _lines(key_filters_at("B", (size, size))).T) ** 2).max(axis=1)
    starts = [*np.concatenate([_lines(term_filters(term, size)) for term in FURTHER_TERMS])]
    starts += [*vectors[np.argsort(best, kind="stable")[:16]]]
    found, most = starts[0], -1.0
    for line in starts:
        gain = -1.0
        for _ in range(steps):
            over = (vectors @ line) ** 2 - best
            now = float(np.maximum(over, 0.0).sum())
            if now <= gain * (1 + 1e-12):
                break
            gain, kept = now, line
            chosen = vectors[over > 0]
            if not len(chosen):
                break
            line = np.linalg.eigh(chosen.T @ chosen)[1][:, -1]
        if gain > most * (1 + 1e-9):
            found, most = kept, gain
    sign = np.sign(found[np.abs(found).argmax()])
    return (sign * found).reshape(size, size), most / len(vectors)


def orientations(vectors: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    r"""The direction of each filter's first derivative and that of its second ones, and how much of the filter has it.

    With the coefficients a, b of :math:`\delta_x T, \delta_y T` the first is that of (a, b). With those p, q of
    :math:`(\delta_{xx} - \delta_{yy}) T` and :math:`\delta_x \delta_y T` the second is half the direction of (p, q): the rest
    of the second order, :math:`(\delta_{xx} + \delta_{yy}) T`, has none. All have norm 1, at the joint scale of keys 5 and 6.

    Parameters
    ----------
    vectors : ndarray, shape (C, size * size)
    size : int

    Returns
    -------
    angles, weights : ndarray, shape (2, C)
        Radians in [0, pi); sums of squares.

    Examples
    --------
    >>> bank = oriented_filter(1, np.deg2rad([0, 30, 90]), affine_covariance(0.9), size=5).reshape(3, -1)
    >>> np.rad2deg(orientations(bank, 5)[0][0]).round(3)
    array([ 0., 30., 90.])
    """
    jet = jet_filters(affine_covariance(fit_joint("B")[5].sigma_x), size=size)
    a, b, p, q = (vectors @ _lines(np.stack([jet["x"], jet["y"], jet["xx"] - jet["yy"], jet["xy"]])).T).T
    # Rounding must not turn an angle of 0 into one of just below pi.
    angles = np.stack([np.arctan2(b, a), np.arctan2(q, p) / 2]) % np.pi
    angles[np.pi - angles < 1e-12] = 0.0
    return angles, np.stack([a**2 + b**2, p**2 + q**2])


BINS = 12
"""Of a histogram of directions, each 15 degrees wide; the first lies about the x axis."""


@dataclass(frozen=True)
class Directions:
    """Directions of filters beside those of surrogates; the first row is for first derivatives, the second for second ones.

    Attributes
    ----------
    histogram : ndarray, shape (2, BINS)
        Shares of the weight.
    null : ndarray, shape (2, BINS, draws)
    axes : ndarray, shape (2,)
        Share of the weight that lies nearer to an axis than to a diagonal.
    null_axes : ndarray, shape (2, draws)
    """

    histogram: np.ndarray
    null: np.ndarray
    axes: np.ndarray
    null_axes: np.ndarray


def _directions(vectors: np.ndarray, size: int, draws: int = 1) -> np.ndarray:
    """Weight in each bin, near an axis, and in all: shape (2, BINS + 2, draws)."""
    angles, weights = orientations(vectors, size)
    place = np.floor(angles / (np.pi / BINS) + 0.5).astype(int) % BINS
    place += BINS * np.repeat(np.arange(draws), angles.shape[1] // draws)
    near = np.abs(np.cos(2 * angles)) > np.abs(np.sin(2 * angles))
    bins = np.stack([np.bincount(i, w, BINS * draws).reshape(draws, BINS).T for i, w in zip(place, weights, strict=True)])
    axes, total = ((w.reshape(2, 1, draws, -1)).sum(axis=3) for w in (weights * near, weights))
    return np.concatenate([bins, axes, total], axis=1)


def judge_directions(layers: Sequence[Stack], draws: int = 99, seed: int = 0) -> Directions:
    """Histograms of directions over the layers of one network or several, beside surrogates with each layer's covariance.

    Parameters
    ----------
    layers : list of Stack
        Without means, of norm 1; only square kernels count.
    draws, seed : int

    Returns
    -------
    Directions

    Examples
    --------
    >>> from keyfilters_book.experiments.survey import unit_filters
    >>> rng = np.random.default_rng(0)
    >>> found = judge_directions(unit_filters(key_filters_at("B", (5, 5))[rng.integers(6, size=200)]), draws=19)
    >>> bool(found.axes[0] > 0.99), bool(found.null_axes[0].max() < 0.7)
    (True, True)
    """
    shown, drawn = np.zeros((2, BINS + 2, 1)), np.zeros((2, BINS + 2, integer(draws, "draws")))
    for place, layer in enumerate(square_layers(layers)):
        size = layer.kernel_size[0]
        shown += _directions(layer.filters.reshape(layer.channels, -1), size)
        for part, vectors in surrogates(layer, draws, np.random.default_rng([integer(seed, "seed", 0), place])):
            drawn[:, :, part] += _directions(vectors, size, part.stop - part.start)
    shown, drawn = (each[:, :-1] / each[:, -1:] for each in (shown, drawn))
    return Directions(shown[:, :BINS, 0], drawn[:, :BINS], shown[:, BINS, 0], drawn[:, BINS])
