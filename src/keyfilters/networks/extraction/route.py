"""The published route to a few keys: networks pooled, candidates along one code, left out by a score in two rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...checks import integer
from ..surgery.matching import as_layers
from .autoencoder import CodeLine, fit_autoencoder
from .extracting import NORMALIZATIONS, Extraction, assigned_extraction, normalized_source
from .reduction import AROUND, CANDIDATES, NEAR, ExplainedVariance, Reduction, reduced_codes


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
