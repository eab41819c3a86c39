"""What convolutions cost: weights, multiply-adds and spatial kernels, of a layer and of three networks.

Weights alone are counted: no biases, no normalisation. A multiply-add is a product of a weight and a state.

Source: Howard et al. (2017) for MobileNet; LeCun et al. (1998); Woo et al. (2023), by :mod:`keyfilters_book.paper.architecture`.
"""

from __future__ import annotations

from keyfilters.checks import choice, integer
from keyfilters_book.paper.architecture import layers as convnext_layers

MOBILENET_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1),
)  # fmt: skip
"""Output channels and stride of each block of MobileNet: 3x3 depthwise, then pointwise. (The printed table gives the last
block stride 2 at an unchanged size of 7 x 7, which only stride 1 allows.)"""
MOBILENET_PUBLISHED = (4.2, 569)
"""Millions of parameters and of multiply-adds, as published."""


def _full(inputs, outputs, taps, multiplier):
    return inputs * outputs * taps, inputs * outputs


def _separable(inputs, outputs, taps, multiplier):
    return inputs * multiplier * (taps + outputs), inputs * multiplier


def _depthwise(inputs, outputs, taps, multiplier):
    return inputs * multiplier * taps, inputs * multiplier


LAYER_KINDS = {"full": _full, "separable": _separable, "depthwise": _depthwise}
"""Kind of layer -> weights and number of spatial kernels, from inputs, outputs, taps and filters per input."""


def layer_cost(inputs: int, outputs: int, side: int, size: int, kind: str = "full", multiplier: int = 1) -> dict[str, int]:
    r"""Return what a convolution costs.

    ============ ========================================== =================
    kind         weights                                    spatial kernels
    ============ ========================================== =================
    full         :math:`d_{in} d_{out} k^2`                 :math:`d_{in} d_{out}`
    separable    :math:`m\, d_{in} (k^2 + d_{out})`         :math:`m\, d_{in}`
    depthwise    :math:`m\, d_{in} k^2`                     :math:`m\, d_{in}`
    ============ ========================================== =================

    Parameters
    ----------
    inputs, outputs : int
        Maps.
    side : int
        Of the kernels, k.
    size : int
        Rows (and columns) of an output map.
    kind : {"full", "separable", "depthwise"}
    multiplier : int
        Filters per input map, m.

    Returns
    -------
    dict
        ``weights``, ``multiply_adds`` (weights times positions) and ``kernels``.

    Raises
    ------
    ValueError
        For an unknown kind and numbers below 1.

    Examples
    --------
    >>> layer_cost(6, 16, 5, 10), layer_cost(6, 16, 5, 10, "separable")["weights"]
    ({'weights': 2400, 'multiply_adds': 240000, 'kernels': 96}, 246)
    """
    for name, value in {"inputs": inputs, "outputs": outputs, "side": side, "size": size, "multiplier": multiplier}.items():
        integer(value, name)
    weights, kernels = LAYER_KINDS[choice(kind, LAYER_KINDS, "kind")](inputs, outputs, side**2, multiplier)
    return {"weights": weights, "multiply_adds": weights * size**2, "kernels": kernels}


def _row(name, kind, side, weights, size, kernels=0):
    return {
        "name": name, "kind": kind, "side": side, "size": size, "weights": weights,
        "multiply_adds": weights * size**2, "kernels": kernels,
    }  # fmt: skip


def _lenet5():
    from .lenet import C3_TABLE

    fed = sum(len(row) for row in C3_TABLE)
    return [
        _row("C1", "full", 5, 25 * 6, 28, 6), _row("S2", "subsampling", 2, 6, 14), _row("C3", "full", 5, 25 * fed, 10, fed),
        _row("S4", "subsampling", 2, 16, 5), _row("C5", "full", 5, 25 * 16 * 120, 1, 16 * 120),
        _row("F6", "classifier", 1, 120 * 84, 1), _row("output", "classifier", 1, 84 * 10, 1),
    ]  # fmt: skip


def _mobilenet():
    rows, size, channels = [_row("stem", "full", 3, 9 * 3 * 32, 112, 3 * 32)], 112, 32
    for place, (outputs, stride) in enumerate(MOBILENET_BLOCKS, start=1):
        size //= stride
        rows.append(_row(f"block {place}", "depthwise", 3, 9 * channels, size, channels))
        rows.append(_row(f"block {place}", "pointwise", 1, channels * outputs, size))
        channels = outputs
    return [*rows, _row("classifier", "classifier", 1, channels * 1000, 1)]


def _convnext():
    kinds = {
        "stem": "full", "between stages": "full", "depthwise": "depthwise", "pointwise": "pointwise", "head": "classifier",
    }  # fmt: skip
    rows = []
    for layer in convnext_layers("tiny"):
        if layer.kind not in kinds:
            continue
        side = int(layer.name[0]) if layer.name[0].isdigit() else 1
        weights = layer.multiply_adds // layer.size**2
        kernels = weights // side**2 if side > 1 else 0
        rows.append(_row(layer.name, kinds[layer.kind], side, weights, layer.size, kernels))
    return rows


NETWORKS = {"LeNet-5": _lenet5, "MobileNet": _mobilenet, "ConvNeXt V2 Tiny": _convnext}
"""Name of a network -> its layers; MobileNet and ConvNeXt V2 for images of 224 pixels and 1,000 classes."""


def network_layers(name: str):
    """Return the layers of a network with their costs.

    Parameters
    ----------
    name : {"LeNet-5", "MobileNet", "ConvNeXt V2 Tiny"}

    Returns
    -------
    pandas.DataFrame
        Columns name, kind (full, depthwise, pointwise, subsampling, classifier), side (of the kernels), size (of the
        output maps), weights, multiply_adds, kernels (spatial ones).

    Raises
    ------
    ValueError
        For an unknown network.

    Examples
    --------
    >>> table = network_layers("MobileNet")
    >>> [round(float(table[c].sum()) / 1e6, 1) for c in ("weights", "multiply_adds")]
    [4.2, 568.7]
    """
    import pandas as pd

    return pd.DataFrame(NETWORKS[choice(name, NETWORKS, "network")]())
