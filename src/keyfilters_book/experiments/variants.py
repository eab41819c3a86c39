"""What the depthwise filters of the reduced network are: one row per variant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from keyfilters.checks import choice
from keyfilters.filters import learned_filters
from keyfilters.fitting import METHODS
from keyfilters.networks.layers.filter_bank import FilterBankConv2d
from keyfilters.networks.layers.scale_space import ScaleSpaceConv2d
from keyfilters.networks.surgery.depthwise import find_depthwise, key_filters

from .basis_weights import BasisConv2d
from .filter_banks import covariance_filters, derivative_basis, matched_random, scaled_keys, two_components, unit_norm

LEARNED, BANK, SCALES, COEFFICIENTS = "learned", "bank", "scales", "coefficients"
BANK_SIZE = 8
MEAN_FREE = " mean-free"
"""Behind a source: its filters less their means. The learned master keys are stored so; of the idealised ones
those of keys 7 and 8 are not mean-free as they stand."""
WIDE = "B wide"
"""The keys of method B with all scales times ``WIDER``."""
WIDER = 1.5


@dataclass(frozen=True)
class Variant:
    """One row of the table.

    Attributes
    ----------
    name, label : str
        For tables of numbers, and for readers.
    kind : str
        ``"learned"``: plain convolutions; ``"bank"``: frozen filters from a bank, given to the channels in
        turn; ``"scales"``: idealised filters whose scales are trained; ``"coefficients"``: a fixed part plus basis filters
        whose coefficients are trained.
    source : str
        Where the bank, the basis, or the filters at the start come from.
    smoothing : str
        Smoothing kernel of learnable scales.
    norm : float
        l2 norm of a filter at the start.
    scale_rate : float, optional
        Learning rate of the scales, as a multiple of the network's; None: the network's.
    """

    name: str
    label: str
    kind: str
    source: str = ""
    smoothing: str = "discrete"
    norm: float = 1.0
    scale_rate: float | None = None


VARIANTS: dict[str, Variant] = {
    v.name: v
    for v in (
        Variant("learned", "learned, norm 1", LEARNED),
        Variant("learned-small", "learned, norm 0.14", LEARNED, norm=0.14),
        Variant("ideal-B", "keys B", BANK, "B"),
        Variant("ideal-B-offset", "keys B, learnable offset", COEFFICIENTS, "offset"),
        Variant("master", "learned master keys", BANK, "learned"),
        Variant("random", "random, matched", BANK, "random"),
        Variant("covariance", "covariance in closed form", BANK, "covariance"),
        Variant("impulse", "unit impulse", BANK, "impulse"),
        Variant("ideal-A", "keys A", BANK, "A"),
        Variant("ideal-D1", "keys D1", BANK, "D1"),
        Variant("learned-keys", "learned, from keys B", LEARNED, "B"),
        Variant("learned-covariance", "learned, from covariance", LEARNED, "covariance"),
        Variant("scales-own-rate", "learnable scales", SCALES, "B", scale_rate=10.0),
        Variant("two-components", "a f + c T + b, fixed", BANK, "two components"),
        Variant("two-components-learned", "a f + c T + b, c and b learned", COEFFICIENTS, "two components"),
        Variant("derivatives", "derivative basis, order 3", COEFFICIENTS, "derivatives"),
        Variant("ideal-B-mean-free", "keys B, mean-free", BANK, "B mean-free"),
        Variant("wide", "keys B, 1.5 times as wide", BANK, WIDE),
        Variant("wide-mean-free", "the same, mean-free", BANK, WIDE + MEAN_FREE),
        Variant("pca-8", "8 principal components", BANK, "pca"),
        Variant("k-lines-8", "8 lines (k-lines)", BANK, "lines"),
    )
}
"""The variants of the chapter on eight frozen filters."""

SCALE_VARIANTS: dict[str, Variant] = {
    v.name: v
    for v in (
        Variant("scales", "learnable scales", SCALES, "B"),
        Variant("scales-sampled", "learnable scales, sampled Gaussian", SCALES, "B", "sampled"),
    )
}
"""Beside each other in the chapter *Learning the scales*."""

GIVEN = Variant("given", "filters handed in", BANK, "given")
"""For banks that are made on the spot; in no stored table."""

ALL_VARIANTS = VARIANTS | SCALE_VARIANTS | {GIVEN.name: GIVEN}


def variant(name) -> Variant:
    """The row of a variant; ValueError, listing the names, for an unknown one.

    Examples
    --------
    >>> variant("ideal-B").kind
    'bank'
    """
    return ALL_VARIANTS[choice(name, ALL_VARIANTS, "variant")]


def variant_bank(
    source: str, size: int = 7, seed: int = 0, extracted=None, *, count: int = BANK_SIZE, depth: float = 0.5
) -> np.ndarray:
    """Filters of unit l2 norm that a frozen variant uses, shape (K, size, size).

    Parameters
    ----------
    source : str
        A method or ``"B wide"``, alone or followed by ``" mean-free"``; ``"learned"``, ``"impulse"``, ``"two components"``;
        ``"random"`` and ``"covariance"`` (drawn from the seed); or ``"pca"``, ``"lines"`` and ``"given"`` (these come from ``extracted``).
    extracted : mapping of str to array, optional
    count, depth
        How many filters are drawn from the covariance, and where between the first (0) and the last layer (1).

    Raises
    ------
    ValueError
        If the source is unknown or its filters were not handed in.

    Examples
    --------
    >>> variant_bank("random", seed=3).shape, bool(np.allclose((variant_bank("B") ** 2).sum((1, 2)), 1))
    ((8, 7, 7), True)
    """
    if source.endswith(MEAN_FREE):
        filters = variant_bank(source.removesuffix(MEAN_FREE), size)
        filters = filters - filters.mean((-2, -1), keepdims=True)
    elif source == WIDE:
        filters = scaled_keys(WIDER, size)
    elif source == "random":
        filters = matched_random(key_filters("B", size), seed)
    elif source == "covariance":
        filters = covariance_filters(count, depth, seed, size)
    elif source == "two components":
        f, basis, coefficients = two_components(size)
        filters = f + (coefficients[:, :, None, None] * basis).sum(1)
    elif source == "impulse":
        filters = np.zeros((1, size, size))
        filters[0, size // 2, size // 2] = 1.0
    elif source in ("pca", "lines", "given"):
        if extracted is None or source not in extracted:
            origin = "" if source == "given" else "its filters come from trained networks; "
            raise ValueError(f"{source}: {origin}hand them in as extracted={{'{source}': ...}}")
        filters = np.asarray(extracted[source], dtype=np.float64)
    elif source == "learned":
        filters = learned_filters()
    else:
        filters = key_filters(choice(source, METHODS, "source"), size)
    return unit_norm(filters)


def _plane(source: str, channels: int, size: int, seed: int, layer: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fixed part, basis and coefficients at the start, for each channel."""
    if source == "derivatives":
        basis = derivative_basis(size=size)
        rng = np.random.default_rng((seed, 17, layer))
        coefficients = rng.standard_normal((channels, len(basis))) / np.sqrt(len(basis))
        return np.zeros((channels, size, size)), np.broadcast_to(basis, (channels, *basis.shape)), coefficients
    index = np.arange(channels) % BANK_SIZE
    if source == "two components":
        return tuple(part[index] for part in two_components(size))
    constant = np.full((channels, 1, size, size), 1 / size)
    return variant_bank("B", size)[index], constant, np.zeros((channels, 1))


def give_filters(network: nn.Module, name: str, scale: float, seed: int = 0, extracted=None) -> nn.Module:
    """Give the depthwise convolutions of a new network the filters of a variant, in place.

    ``scale`` is the l2 norm of a filter (its root mean square over draws for learned ones). Channels take the filters of a
    bank in turn, so that every layer has all of them; from the covariance each channel has a filter of its own.

    Returns the network.
    """
    row = variant(name)
    modules = dict(network.named_modules())
    layers = find_depthwise(network)
    for place, layer in enumerate(layers):
        conv, size, channels = layer.module, layer.module.kernel_size[0], layer.module.out_channels
        if row.kind == LEARNED and not row.source:
            nn.init.trunc_normal_(conv.weight, std=scale / size, a=-1, b=1)
            continue
        filters = None
        if row.kind in (LEARNED, BANK):
            # Each layer draws for itself from the covariance.
            own = seed if row.source != "covariance" else 100 * seed + place
            depth = place / max(len(layers) - 1, 1)
            filters = variant_bank(row.source, size, own, extracted, count=channels, depth=depth)
        if row.kind == LEARNED:
            chosen = filters[np.arange(channels) % len(filters)]
            with torch.no_grad():
                conv.weight.copy_(torch.tensor(scale * chosen[:, None], dtype=conv.weight.dtype))
            continue
        if row.kind == SCALES:
            new = ScaleSpaceConv2d.from_conv(
                conv, method=row.source, kind=row.smoothing, normalize="l2", gain=scale, learn_scales=True, learn_gamma=True
            )
        elif row.kind == COEFFICIENTS:
            new = BasisConv2d.from_conv(conv, *_plane(row.source, channels, size, seed, place), gain=scale)
        else:
            new = FilterBankConv2d.from_conv(conv, filters, gain=scale)
        parent, _, child = layer.name.rpartition(".")
        setattr(modules[parent], child, new)
    return network


def depthwise_filters(network: nn.Module) -> np.ndarray:
    """All depthwise filters of a network whose kernels have one size, shape (C, n, n), float64."""
    return np.concatenate([layer.filters for layer in find_depthwise(network)])
