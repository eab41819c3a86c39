"""Networks: layers of idealised filters, surgery on depthwise convolutions, training, evaluation, extraction.

- ``kernels``, ``layers``: idealised filters in torch, and the depthwise convolutions made of them
- ``depthwise``, ``matching``, ``nulls``, ``scale_fits``, ``modes``, ``surgery``: find, match, replace, fold
- ``zoo``, ``hub``, ``checkpoints``, ``weight_formats``, ``small``: networks and their weights
- ``data``, ``images``, ``class_numbers``: images and labels
- ``training`` and ``training_*``, ``recipes``, ``checkpointing``: training on any number of processes
- ``evaluation``, ``forward``, ``recalibration``, ``finetuning``: judging, and mending after surgery
- ``extraction``, ``klines``, ``clusterings``, ``autoencoder``, ``reduction``, ``comparison``: master keys of a network
- ``shifts``: idealised filters moved by fractions of a pixel
- ``inspection``, ``inspection_*``: the report of ``keyfilters inspect``
- ``experiments``: the runs of the book's chapters; ``commands``: the command line

Quick start::

    from keyfilters.networks import load_model, match, replace
    network = load_model("efficientnet_lite0", pretrained=True).model
    print(match(network, "B").frame())
    replaced = replace(network, method="B", mode="affine").model

It needs the extra ``networks`` (torch, torchvision, timm, ...): ``pip install 'keyfilters[networks]'``.
"""

from importlib import import_module
from importlib.util import find_spec

_ROOMS = {
    "kernels": ("half_gaussian", "ideal_kernels"),
    "layers": ("FilterBankConv2d", "ScaleSpaceConv2d"),
    "depthwise": ("DepthwiseLayer", "find_depthwise", "key_filters"),
    "matching": ("match",),
    "nulls": ("NULLS", "explained_interval", "null_distribution"),
    "surgery": ("MODES", "fold", "replace"),
    "zoo": ("load_model",),
    "small": ("SmallConvNeXt",),
    "training": ("TrainConfig", "train"),
    "recipes": ("RECIPES",),
    "evaluation": ("compare", "evaluate"),
    "extraction": ("extract",),
    "klines": ("k_lines",),
    "reduction": ("elbow", "greedy_reduction"),
    "inspection": ("inspect_model",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted(_ROOM_OF)

MISSING = "keyfilters.networks needs torch and timm: pip install 'keyfilters[networks]'"

# k-lines and the command descriptions are plain numpy or nothing at all; only the rooms below need torch,
# so the message comes when one of them is asked for.


def __getattr__(name):
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for package in ("torch", "timm"):
        if find_spec(package) is None:
            raise ImportError(MISSING, name=package)
    value = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
