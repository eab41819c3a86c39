"""Master keys of any network: its depthwise filters normalised and clustered, and compared with the eight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...checks import choice, integer
from ..klines import check_count
from ..surgery.matching import as_layers, centred, is_dead, layers_and_notes, unit
from .autoencoder import CodeLine, fit_autoencoder
from .comparison import ALGORITHMS, KeyComparison, compare_keys
from .reduction import AROUND, CANDIDATES, NEAR, ExplainedVariance, Reduction, reduced_codes

NORMALIZATIONS = {"l2 mean-free": (True, True), "mean-free": (True, False), "l2": (False, True), "none": (False, False)}
"""name: (whether each filter's mean is taken off, whether it is divided by its l2 norm afterwards)."""


@dataclass(frozen=True)
class Extraction:
    """What :func:`extract` found; key 0 explains the most.

    Attributes
    ----------
    keys : ndarray, shape (k, n, n)
        Unit l2 norm; mean-free if the normalisation is. Their signs mean nothing.
    labels : ndarray of int, shape (N,)
        Key of each filter, the layers one after the other; -1 for a dead filter.
    explained : float
        Share of the energy of the normalised filters that their keys explain. For ``"l2 mean-free"`` that
        is the mean over the filters of the explained variance of the best a key + b.
    algorithm, normalize : str
    seed : int
    size : int
        n.
    sizes : dict of int to int
        Filters of each size that the network has, matched or not.
    layers : tuple of str
        Names of the layers that were used.
    layer_of : ndarray of int, shape (N,)
        Position in ``layers`` of the layer of each filter.
    vectors : ndarray, shape (N, n * n)
        Normalised filters; zero where dead.
    notes : tuple of str
        What was done to the network before: branches that it merges for deployment were merged.
    """

    keys: np.ndarray
    labels: np.ndarray
    explained: float
    algorithm: str
    normalize: str
    seed: int
    size: int
    sizes: dict[int, int]
    layers: tuple[str, ...] = field(repr=False)
    layer_of: np.ndarray = field(repr=False)
    vectors: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> np.ndarray:
        """Filters of each key, shape (k,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.keys))

    @property
    def affine(self) -> bool:
        """Whether filters count without their means."""
        return NORMALIZATIONS[self.normalize][0]

    @property
    def dead(self) -> int:
        """Number of dead filters."""
        return int((self.labels < 0).sum())

    def frame(self) -> pd.DataFrame:
        """One row per layer: layer, channels, dead, explained, key_1 .. key_k (filters of each key)."""
        flat = self.keys.reshape(len(self.keys), -1)
        projection = np.einsum("ij,ij->i", self.vectors, flat[np.maximum(self.labels, 0)]) ** 2
        energy = np.einsum("ij,ij->i", self.vectors, self.vectors)
        rows = []
        for i, name in enumerate(self.layers):
            here = self.layer_of == i
            total = energy[here].sum()
            counts = np.bincount(self.labels[here & (self.labels >= 0)], minlength=len(self.keys))
            rows.append(
                {
                    "layer": name, "channels": int(here.sum()), "dead": int((self.labels[here] < 0).sum()),
                    "explained": float(projection[here].sum() / total) if total > 0 else float("nan"),
                }
                | {f"key_{j}": int(c) for j, c in enumerate(counts, start=1)}
            )  # fmt: skip
        return pd.DataFrame(rows)

    def explained_by(self, filters: ArrayLike | str) -> float:
        """Share of the energy of the normalised filters that other filters explain: ``"B"``, ``"learned"``, arrays."""
        from ..surgery.depthwise import key_filters
        from .reduction import ExplainedVariance

        return ExplainedVariance(self.vectors, self.affine)(key_filters(filters, self.size))

    def compare(
        self, filters: np.ndarray | str = "B", null: str = "gaussian", draws: int | None = None, seed: int = 0
    ) -> KeyComparison:
        """Assign the keys to other filters; see :func:`keyfilters.networks.extraction.comparison.compare_keys`."""
        return compare_keys(self, filters, null, draws, seed)

    def reduce(self, down_to: int | None = None) -> Extraction:
        """Leave out keys greedily by explained variance; ``down_to`` None stops at the elbow.

        The path itself is ``greedy_reduction(keys, ExplainedVariance(vectors))`` of
        :mod:`keyfilters.networks.extraction.reduction`.
        """
        from .reduction import ExplainedVariance, greedy_reduction

        path = greedy_reduction(self.keys, ExplainedVariance(self.vectors, self.affine), 1 if down_to is None else down_to)
        keys = path.filters(path.elbow if down_to is None else down_to)
        return assigned_extraction(
            keys.reshape(len(keys), -1), self.vectors, algorithm=self.algorithm, normalize=self.normalize, seed=self.seed,
            size=self.size, sizes=self.sizes, layers=self.layers, layer_of=self.layer_of, notes=self.notes,
        )  # fmt: skip


def _listed(sizes: dict[int, int]) -> str:
    return " and ".join(f"{n}x{n} ({count} filters)" for n, count in sorted(sizes.items()))


def _chosen(found, layers, size):
    """The layers of one size, that size, and how many filters there are of each."""
    found = [d for d in found if not d.note and d.kernel_size[0] == d.kernel_size[1]]
    if layers is not None:
        wanted = [layers] if isinstance(layers, str) else list(layers)
        names = {d.name for d in found}
        for name in wanted:
            if name not in names:
                known = ", ".join(sorted(names)[:4]) + (", ..." if len(names) > 4 else "")
                raise ValueError(f"layers: {name!r} is no depthwise layer with odd square filters; there are {known or 'none'}")
        found = [d for d in found if d.name in wanted]
    if not found:
        raise ValueError("there is no depthwise layer with odd square filters of at least 3x3: nothing to extract")
    sizes: dict[int, int] = {}
    for d in found:
        sizes[d.kernel_size[0]] = sizes.get(d.kernel_size[0], 0) + d.channels
    if size is None:
        size = max(sizes, key=lambda n: (sizes[n], n))
    elif isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size not in sizes:
        raise ValueError(f"size is {size!r}, but the filters are {_listed(sizes)}: name one of these")
    return [d for d in found if d.kernel_size[0] == size], int(size), sizes


def normalized(filters: ArrayLike, normalize: str = "l2 mean-free") -> np.ndarray:
    """Filters of one layer as vectors, normalised; dead ones are zero.

    A filter is dead if next to nothing is left of it beside the others of its layer.

    Parameters
    ----------
    filters : ndarray, shape (C, n, n)
    normalize : str
        A name of ``NORMALIZATIONS``.

    Returns
    -------
    ndarray, shape (C, n * n)

    Examples
    --------
    >>> v = normalized(np.stack([np.full((3, 3), 0.7), np.diag([3.0, 0, 0])]))
    >>> v.any(axis=1).tolist(), float((v[1] ** 2).sum().round(12)), abs(float(v[1].sum().round(12)))
    ([False, True], 1.0, 0.0)
    """
    affine, scaled = NORMALIZATIONS[choice(normalize, NORMALIZATIONS, "normalize")]
    vectors = np.array(filters, dtype=np.float64).reshape(len(filters), -1)
    if affine:
        vectors = centred(vectors)[0]
    vectors[is_dead(vectors)] = 0.0
    return unit(vectors) if scaled else vectors


def normalized_source(
    source: Any, layers: Any = None, size: int | None = None, normalize: str = "l2 mean-free"
) -> dict[str, Any]:
    """The normalised filters of one size, with where they come from: what is common to every extraction.

    Parameters and errors are those of :func:`extract`.

    Returns
    -------
    dict
        ``vectors``, ``layer_of``, ``layers``, ``size``, ``sizes``, ``normalize`` and ``notes`` of an :class:`Extraction`.
    """
    choice(normalize, NORMALIZATIONS, "normalize")
    found, notes = layers_and_notes(source)
    chosen, size, sizes = _chosen(found, layers, size)
    return {
        "vectors": np.concatenate([normalized(d.filters, normalize) for d in chosen]), "normalize": normalize,
        "layer_of": np.repeat(np.arange(len(chosen)), [d.channels for d in chosen]), "layers": tuple(d.name for d in chosen),
        "size": size, "sizes": sizes, "notes": tuple(notes),
    }  # fmt: skip


def assigned_extraction(lines: np.ndarray, vectors: np.ndarray, **rest: Any) -> Extraction:
    """The Extraction of some unit lines: labels, order and signs, the same for every algorithm."""
    size = rest["size"]
    alive = vectors.any(axis=1)
    projections = vectors @ lines.T
    labels = (projections**2).argmax(axis=1)
    own = np.where(alive, projections[np.arange(len(vectors)), labels], 0.0)
    k = len(lines)
    gained = np.bincount(labels, own**2, minlength=k)
    lines = lines * np.where(np.bincount(labels, own, minlength=k) < 0, -1.0, 1.0)[:, None]
    order = np.argsort(-gained, kind="stable")
    labels = np.where(alive, np.argsort(order)[labels], -1)
    explained = float(min(gained.sum() / (vectors**2).sum(), 1.0))
    return Extraction(lines[order].reshape(k, size, size), labels, explained, vectors=vectors, **rest)


def extract(
    source: Any,
    k: int = 8,
    algorithm: str = "k-lines",
    *,
    layers: Any = None,
    size: int | None = None,
    normalize: str = "l2 mean-free",
    seed: int = 0,
) -> Extraction:
    """Extract k master keys from the depthwise filters of a network.

    The filters of one size are normalised, then clustered:

    ============= ===================================================================================
    algorithm     keys
    ============= ===================================================================================
    k-lines       :func:`~keyfilters.networks.klines.k_lines`: the k lines that explain the filters best
    k-means       k-means (scikit-learn) with an antipodal pair of centres for each key
    autoencoder   50 filters decoded from equal steps of a one-dimensional code, reduced greedily by
                  explained variance to k + 2, sampled again around these, reduced to k
    ============= ===================================================================================

    Whatever the algorithm, each filter is then given to the key that explains most of it. A gain is free
    and may be negative; with a mean-free normalisation so is an offset: the published matching a f + b.

    The third is the published route (Babaiee et al. 2025, "The quest for universal master key filters in
    DS-CNNs", arXiv 2509.11711, which goes by accuracy: see ``greedy_reduction`` with ``Accuracy``) with
    explained variance as the score; the hypothesis itself is that of Babaiee et al. (AAAI 2025, 1809-1816).
    k-lines has no published counterpart: it is the optimum that the others approach.

    Parameters
    ----------
    source : torch.nn.Module, list of DepthwiseLayer, array (N, n, n) or dict of arrays
        Of a network branches are merged before, see :func:`keyfilters.networks.match`.
    k : int
        Number of keys.
    algorithm : {"k-lines", "k-means", "autoencoder"}
    layers : sequence of str, optional
        Names of the layers to use; all by default.
    size : int, optional
        Kernel size; filters of other sizes are left out. By default the size of the most filters.
    normalize : {"l2 mean-free", "mean-free", "l2", "none"}
        Without l2 a filter counts by its energy.
    seed : int

    Returns
    -------
    Extraction

    Raises
    ------
    ValueError
        If there is no depthwise layer (of that size: the message says which there are), more keys than
        filters, NaN in the weights, or an unknown algorithm, layer or normalisation.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> filters = np.concatenate([learned_filters()[:2], 3 - 2 * learned_filters()[:2]])
    >>> found = extract(filters, k=2)
    >>> round(found.explained, 9), found.counts.tolist(), bool(found.labels[0] == found.labels[2])
    (1.0, [2, 2], True)
    """
    method = ALGORITHMS[choice(algorithm, ALGORITHMS, "algorithm")]
    integer(seed, "seed", 0)
    given = normalized_source(source, layers, size, normalize)
    alive = given["vectors"].any(axis=1)
    k = check_count(k, int(alive.sum()), "filters of size {size}x{size}".format(**given))
    lines = method(given["vectors"][alive], k, int(seed), NORMALIZATIONS[normalize][0], False)
    return assigned_extraction(lines, algorithm=algorithm, seed=int(seed), **given)


def pool_networks(networks: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The odd square depthwise filters of several networks, layer by layer, as one source for an extraction.

    Every filter counts the same, so a network counts by its number of filters.

    Parameters
    ----------
    networks : mapping of str to torch.nn.Module, list of DepthwiseLayer, array (N, n, n) or dict of arrays

    Returns
    -------
    dict of str to ndarray, shape (C, n, n)
        Named ``"network: layer"``.

    Raises
    ------
    ValueError
        If there is no network.

    Examples
    --------
    >>> pooled = pool_networks({"one": np.ones((4, 3, 3)), "two": {"a": np.ones((2, 3, 3)), "b": np.ones((3, 5, 5))}})
    >>> {name: filters.shape for name, filters in pooled.items()}
    {'one: filters': (4, 3, 3), 'two: a': (2, 3, 3), 'two: b': (3, 5, 5)}
    """
    if not networks:
        raise ValueError("networks is empty: expected at least one network by its name")
    return {
        f"{name}: {layer.name}": np.asarray(layer.filters)
        for name, source in networks.items()
        for layer in as_layers(source)
        if not layer.note and layer.kernel_size[0] == layer.kernel_size[1]
    }


@dataclass(frozen=True)
class TwoRounds:
    """What :func:`two_rounds` found.

    Attributes
    ----------
    line : CodeLine
        The autoencoder.
    codes : tuple of ndarray
        Codes of the candidates of the first and of the second round.
    rounds : tuple of Reduction
        Their paths; the candidates are unit filters of shape (n, n).
    seed : int
    """

    line: CodeLine = field(repr=False)
    codes: tuple[np.ndarray, np.ndarray] = field(repr=False)
    rounds: tuple[Reduction, Reduction]
    seed: int
    source: dict[str, Any] = field(repr=False)

    @property
    def elbow(self) -> int:
        """Size at the elbow of the second round, see :func:`keyfilters.networks.elbow`."""
        return self.rounds[1].elbow

    def extraction(self, size: int | None = None) -> Extraction:
        """The filters left at a size of the second round (default: its elbow) as an Extraction, to compare and to count.

        Raises
        ------
        ValueError
            For a size that is not on the path.
        """
        keys = self.rounds[1].filters(self.elbow if size is None else size)
        lines = keys.reshape(len(keys), -1)
        return assigned_extraction(lines, algorithm="autoencoder", seed=self.seed, **self.source)


def two_rounds(
    source: Any,
    score: Callable | None = None,
    *,
    candidates: int = CANDIDATES,
    around: int = AROUND,
    near: int = NEAR,
    down_to: int = 1,
    size: int | None = None,
    normalize: str = "l2 mean-free",
    seed: int = 0,
) -> TwoRounds:
    r"""Extract keys by the published route, with a score of your own.

    1. The filters are normalised, and an autoencoder with one number c in (0, 1) as its code is fitted to them.
    2. First round: ``candidates`` filters decoded from codes in equal steps from 0 to 1 are left out one by one, each time
       the one whose removal leaves the best score, down to ``around``.
    3. Second round: ``near`` filters decoded around the code of each of these, at most ``REACH`` first steps away, are left
       out in the same way, down to ``down_to``.

    The published score is the accuracy of ConvNeXt V2 Tiny with each of its filters replaced by the best a f + b:
    :class:`~keyfilters.networks.extraction.reduction.Accuracy`.

    Source: Babaiee et al. (2025), arXiv 2509.11711, as publicly summarised. Published are the one-number code, the 50
    candidates, the score, and the second round around ten; the autoencoder, ``near`` and ``REACH`` are choices of this library.

    Parameters
    ----------
    source
        As :func:`keyfilters.networks.extract` takes; several networks by :func:`pool_networks`.
    score : callable, optional
        Takes filters of shape (j, n, n), larger is better. Default: the variance of the source that they explain.
    candidates, near : int
        How many there are in the first round, and in the second for each filter that is left.
    around, down_to : int
        Sizes at which the rounds end.
    size, normalize, seed
        As in :func:`keyfilters.networks.extract`.

    Returns
    -------
    TwoRounds

    Raises
    ------
    ValueError
        As ``extract``; for ``around`` or ``down_to`` out of range; for a score that is not finite.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> one, two = -3 * learned_filters(), 1 + learned_filters()
    >>> found = two_rounds(pool_networks({"one": one, "two": two}), around=9, down_to=8)
    >>> [len(codes) for codes in found.codes], found.rounds[1].sizes[-1], found.extraction(8).keys.shape
    ([50, 45], np.int64(8), (8, 7, 7))
    """
    integer(seed, "seed", 0)
    candidates, near = integer(candidates, "candidates", 2), integer(near, "near")
    around, down_to = integer(around, "around"), integer(down_to, "down_to")
    for name, value, most, what in (
        ("around", around, candidates, "candidates"),
        ("down_to", down_to, near * around, "near times around"),
    ):
        if value > most:
            raise ValueError(f"{name} is {value}: expected at most {what}, {most}")
    given = normalized_source(source, None, size, normalize)
    vectors, affine, n = given["vectors"], NORMALIZATIONS[normalize][0], given["size"]
    alive = vectors.any(axis=1)
    line = fit_autoencoder(vectors[alive], seed=int(seed), affine=affine)
    score = ExplainedVariance(vectors, affine) if score is None else score
    first, second = reduced_codes(line.decode, score, (candidates, near), around, down_to, (n, n))
    return TwoRounds(line, (first[0], second[0]), (first[1], second[1]), int(seed), given)
