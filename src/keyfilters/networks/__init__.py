"""Networks: layers of idealised filters, surgery on depthwise convolutions, training, evaluation, extraction.

- ``layers``: idealised filters in torch, and the depthwise convolutions made of them
- ``surgery``: find the depthwise filters of a network, match them to the keys, replace, fold
- ``zoo``: networks and their weights; ``data``: data sets and batches
- ``training``, ``evaluation``: on any number of processes; judging, and mending after surgery
- ``klines``: lines that explain a set of filters best; ``extraction``: master keys of a network; ``inspection``: the report of ``keyfilters inspect``
- ``commands``: the command line

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
    "layers.kernels": ("half_gaussian", "ideal_kernels"),
    "layers.filter_bank": ("FilterBankConv2d",),
    "layers.scale_space": ("ScaleSpaceConv1d", "ScaleSpaceConv2d", "ScaleSpaceConv3d"),
    "layers.base": ("scale_parameters", "weight_of"),
    "surgery.depthwise": ("DepthwiseLayer", "find_depthwise", "key_filters"),
    "surgery.matching": ("match",),
    "surgery.nulls": ("NULLS", "explained_interval", "null_distribution"),
    "surgery.replacing": ("MODES", "fold", "replace"),
    "zoo.loading": ("load_model",),
    "zoo.small": ("SmallConvNeXt",),
    "training.loop": ("TrainConfig", "train"),
    "training.recipes": ("RECIPES",),
    "evaluation.judging": ("compare", "evaluate"),
    "extraction.extracting": ("extract", "pool_networks", "two_rounds"),
    "klines": ("k_lines",),
    "extraction.reduction": ("elbow", "greedy_reduction"),
    "inspection.inspecting": ("inspect_file", "inspect_model"),
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
