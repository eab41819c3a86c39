"""What the filters of each layer are like, and what replacing that layer alone costs, in networks with known labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import nn

from keyfilters.networks.inspection.inspecting import inspect_model
from keyfilters.networks.surgery.matching import as_layers

from . import replacement
from .replacement_images import images_for
from .shift_maps import best_shift, shift_map
from .survey import PACKAGED_NETWORKS, packaged_network

LABELLED = tuple(name for name, network in PACKAGED_NETWORKS.items() if network.architecture)
"""Names of the packaged networks whose classes are those of the labelled images."""
TRAITS = {
    "unexplained": "unexplained by the keys",
    "scale": "fitted scale",
    "offset": "offset",
    "one_sided": "share of keys 1 to 4",
    "centred": "share of keys 5, 6",
    "sharpening": "share of key 7",
    "smoothing": "share of key 8",
}
"""What the keys say of a layer: column of :func:`layer_traits`, and its words."""
LAYER_PLACE = {
    "depth": "depth",
    "width": "width",
    "kernel": "size of the kernel",
    "stride": "stride",
    "residual": "residual connection",
}
"""Where a layer stands in its network, which says nothing of keys."""
SHIFTS = np.linspace(-1, 1, 17)
"""Shifts of the keys that are tried along each axis, grid units."""
HARMS = {"divergence": "divergence", "disagreement": "another class first", "errors": "labelled images lost"}
"""What replacing a layer costs; more is worse."""


def has_skip(model: nn.Module, layer: str) -> bool:
    """Whether a residual connection hands the signal on past a layer of a network of timm, given by its name."""
    return bool(getattr(model.get_submodule(layer.rpartition(".")[0]), "has_skip", False))


def layer_traits(model: nn.Module, method: str = "B") -> pd.DataFrame:
    """One row per depthwise layer: its name, what the keys say of it (``TRAITS``) and its place (``LAYER_PLACE``).

    ============= =======================================================================================
    column        meaning
    ============= =======================================================================================
    unexplained   1 less the explained variance by the best key of each filter, pooled by energy
    scale         mean of the median scales along x and y, fitted to each filter, grid units
    offset        length of the shift at which the keys explain the layer best, grid units (``shift_maps``)
    one_sided ... shares of the filters that are nearest to a key of that kind
    depth         number of the layer over the number of layers
    width         channels
    residual      1 where a residual connection hands the signal on past the layer
    ============= =======================================================================================

    Examples
    --------
    >>> layer_traits(nn.Sequential(nn.Conv2d(8, 8, 5, stride=2, groups=8)))[["layer", "depth", "kernel", "stride", "width"]].values.tolist()
    [['0', 1.0, 5, 2, 8]]
    """
    found = inspect_model(model, method, nulls="none").frame()
    size, stride = (found[name].str.partition("x")[0].astype(int) for name in ("size", "stride"))
    share = {k: found[f"key_{k}"] / (found.channels - found.dead) for k in range(1, 9)}
    moved = [best_shift([shift_map(layer, shifts=SHIFTS)]) for layer in as_layers(model)]
    offset = [float(np.hypot(shift.x, shift.y)) for shift in moved]
    return pd.DataFrame(
        {
            "layer": found.layer, "unexplained": 1 - found.explained, "scale": found[["sigma_x", "sigma_y"]].mean(axis=1),
            "offset": offset, "one_sided": share[1] + share[2] + share[3] + share[4],
            "centred": share[5] + share[6], "sharpening": share[7], "smoothing": share[8],
            "depth": (np.arange(len(found)) + 1) / len(found), "width": found.channels, "kernel": size, "stride": stride,
            "residual": [float(has_skip(model, name)) for name in found.layer],
        }
    )  # fmt: skip


def traits_and_harms(names: Sequence[str] = LABELLED, crops_per_photograph: int = 1, variant: str = "B") -> pd.DataFrame:
    """One row per depthwise layer of packaged networks: :func:`layer_traits`, and the cost of replacing it alone (``HARMS``).

    ============= =======================================================================================
    column        meaning
    ============= =======================================================================================
    divergence    mean KL from the unmodified network over labelled images and crops, nats
    disagreement  share of these images for which another class is put first than by the unmodified network
    errors        labelled images that are put right by the unmodified network less by this one
    ============= =======================================================================================

    Parameters
    ----------
    names : sequence of str
        Of ``LABELLED``.
    crops_per_photograph : int
    variant : str
        Of :data:`keyfilters_book.experiments.replacement.REPLACEMENTS`.
    """
    frames = []
    for name in names:
        loaded = packaged_network(name)
        images = images_for(loaded, crops_per_photograph, 1)
        judge = replacement.Judge(loaded.model, images)
        swept = replacement.layer_sweep(judge, [variant])
        labelled, crops = len(images.labels), len(images.crops)
        harms = {
            "layer": swept.layer,
            "divergence": (labelled * swept.kl + crops * swept.crop_kl) / (labelled + crops),
            "disagreement": 1 - (swept.agree + crops * swept.crop_agree) / (labelled + crops),
            "errors": judge.own.correct.sum() - swept.right,
        }
        frames.append(layer_traits(loaded.model).merge(pd.DataFrame(harms), on="layer").assign(network=name))
    return pd.concat(frames, ignore_index=True)
