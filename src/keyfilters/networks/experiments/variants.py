"""What the depthwise filters of the reduced network are: one row per variant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from ...checks import choice
from ...filters import learned_filters
from ...fitting import METHODS
from ..surgery.depthwise import find_depthwise, key_filters
from ..layers.filter_bank import FilterBankConv2d
from ..layers.scale_space import ScaleSpaceConv2d

LEARNED, BANK, SCALES = "learned", "bank", "scales"
BANK_SIZE = 8
MEAN_FREE = " mean-free"
"""Behind a method: its filters less their means. The learned master keys are stored so; of the idealised ones
those of keys 7 and 8 are not mean-free as they stand."""


@dataclass(frozen=True)
class Variant:
    """One row of the table.

    Attributes
    ----------
    name, label : str
        For tables of numbers, and for readers.
    kind : str
        ``"learned"``: plain convolutions; ``"bank"``: frozen filters from a bank, given to the channels in
        turn; ``"scales"``: idealised filters whose scales are trained.
    source : str
        Where the bank, or the scales at the start, come from.
    smoothing : str
        Smoothing kernel of learnable scales.
    """

    name: str
    label: str
    kind: str
    source: str = ""
    smoothing: str = "discrete"


VARIANTS: dict[str, Variant] = {
    v.name: v
    for v in (
        Variant("learned", "learned", LEARNED),
        *(Variant(f"ideal-{m}", f"8 idealised keys, {m}", BANK, m) for m in METHODS),
        Variant("ideal-B-mean-free", "8 idealised keys, B, mean-free", BANK, "B mean-free"),
        Variant("master", "8 learned master keys", BANK, "learned"),
        Variant("scales", "learnable scales", SCALES, "B"),
        Variant("random", "8 random filters", BANK, "random"),
        Variant("impulse", "unit impulse", BANK, "impulse"),
        Variant("pca-8", "8 principal components", BANK, "pca"),
        Variant("k-lines-8", "8 lines (k-lines)", BANK, "lines"),
    )
}
"""The variants of the chapter *Eight filters are almost enough*."""

SCALE_VARIANTS: dict[str, Variant] = {
    "scales": VARIANTS["scales"],
    "scales-sampled": Variant("scales-sampled", "learnable scales, sampled Gaussian", SCALES, "B", "sampled"),
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


def bank(source: str, size: int = 7, seed: int = 0, extracted=None) -> np.ndarray:
    """Filters of unit l2 norm that a frozen variant uses, shape (K, size, size).

    Parameters
    ----------
    source : str
        A method, one followed by ``" mean-free"``, ``"learned"``, ``"random"`` (drawn from the seed), ``"impulse"``, or ``"pca"``, ``"lines"``
        and ``"given"`` (these come from ``extracted``).
    extracted : mapping of str to array, optional

    Raises
    ------
    ValueError
        If the source is unknown or its filters were not handed in.

    Examples
    --------
    >>> bank("random", 5, seed=3).shape, bool(np.allclose((bank("B") ** 2).sum((1, 2)), 1))
    ((8, 5, 5), True)
    """
    if source == "random":
        filters = np.random.default_rng((seed, 7)).standard_normal((BANK_SIZE, size, size))
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
    elif source.endswith(MEAN_FREE):
        filters = key_filters(source.removesuffix(MEAN_FREE), size)
        filters = filters - filters.mean((-2, -1), keepdims=True)
    else:
        filters = key_filters(source, size)
    return filters / np.sqrt((filters**2).sum((-2, -1), keepdims=True))


def give_filters(network: nn.Module, name: str, scale: float, seed: int = 0, extracted=None) -> nn.Module:
    """Give the depthwise convolutions of a new network the filters of a variant, in place.

    ``scale`` is the l2 norm of a filter (its root mean square over draws for learned ones): the second
    quantity, beside the rate, that every variant has its own search for. Channels take the filters of a
    bank in turn, so that every layer has all of them.

    Returns the network.
    """
    row = variant(name)
    modules = dict(network.named_modules())
    for layer in find_depthwise(network):
        conv = layer.module
        if row.kind == LEARNED:
            nn.init.trunc_normal_(conv.weight, std=scale / conv.kernel_size[0], a=-1, b=1)
            continue
        if row.kind == SCALES:
            new = ScaleSpaceConv2d.from_conv(
                conv, method=row.source, kind=row.smoothing, normalize="l2", gain=scale, learn_scales=True, learn_gamma=True
            )
        else:
            new = FilterBankConv2d.from_conv(conv, bank(row.source, conv.kernel_size[0], seed, extracted), gain=scale)
        parent, _, child = layer.name.rpartition(".")
        setattr(modules[parent], child, new)
    return network


def depthwise_filters(network: nn.Module) -> np.ndarray:
    """All depthwise filters of a network whose kernels have one size, shape (C, n, n), float64."""
    return np.concatenate([layer.filters for layer in find_depthwise(network)])
