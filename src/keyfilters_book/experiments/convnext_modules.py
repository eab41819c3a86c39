"""The table of layers of a ConvNeXt V2 read off the modules of timm, to be set beside ``keyfilters_book.paper.architecture``."""

from __future__ import annotations

import torch
from torch import nn

from keyfilters_book.paper.architecture import Layer

_COUNTED = (nn.Conv2d, nn.Linear, nn.LayerNorm)


def _kind(name: str, module: nn.Module) -> tuple[str, str]:
    """Name and kind of a layer as in :mod:`keyfilters_book.paper.architecture`."""
    if isinstance(module, nn.LayerNorm):
        return "layer normalisation", "normalisation"
    if not isinstance(module, _COUNTED):
        return "global response normalisation", "normalisation"
    if name.startswith("head."):
        return "linear classifier", "head"
    inputs, outputs = module.weight.shape[1], module.weight.shape[0]
    side = 1 if isinstance(module, nn.Linear) else module.kernel_size[0]
    if side == 1:
        return f"1x1 convolution, {'expanding' if outputs > inputs else 'contracting'}", "pointwise"
    if module.groups == module.in_channels > 1:
        return f"{side}x{side} depthwise convolution", "depthwise"
    return f"{side}x{side} convolution, stride {module.stride[0]}", "stem" if name.startswith("stem.") else "between stages"


def _place(name: str, stages: int) -> tuple[int, int]:
    """Stage and block, counted from 1, of a module's name in timm."""
    parts = name.split(".")
    if parts[0] != "stages":
        return (0 if parts[0] == "stem" else stages + 1), 0
    return int(parts[1]) + 1, int(parts[3]) + 1 if parts[2] == "blocks" else 0


def module_layers(model: nn.Module, image_size: int = 224) -> tuple[Layer, ...]:
    """The layers of one of timm's ConvNeXt V2 networks, in the order in which an image passes them.

    Sizes are those of the outputs in a forward pass; parameters are counted, products of a weight and an
    activation follow from the shapes; the receptive field is carried along.

    Parameters
    ----------
    model : nn.Module
        Made by ``timm.create_model``; on the device "meta" nothing is computed.
    image_size : int

    Raises
    ------
    ValueError
        If the network has no stages, or holds a layer with parameters that this table does not know.

    Examples
    --------
    >>> import timm
    >>> from keyfilters_book.paper.architecture import layers
    >>> with torch.device("meta"):
    ...     model = timm.create_model("convnextv2_atto", pretrained=False)
    >>> module_layers(model) == layers("atto")
    True
    """
    from timm.layers.grn import GlobalResponseNorm

    if not hasattr(model, "stages"):
        raise ValueError(f"{type(model).__name__} has no stages: expected a ConvNeXt V2 of timm")
    seen: list[tuple[str, nn.Module, int]] = []
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, (*_COUNTED, GlobalResponseNorm)):

            def note(module, inputs, output, name=name):
                # Normalisations and linear layers of a block keep the channels last.
                seen.append((name, module, output.shape[2] if output.ndim == 4 and isinstance(module, nn.Conv2d) else 0))

            hooks.append(module.register_forward_hook(note))
        elif next(module.parameters(recurse=False), None) is not None:
            raise ValueError(f"{name} is a {type(module).__name__}, which has parameters that are not counted")
    parameter = next(model.parameters())
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, image_size, image_size, device=parameter.device, dtype=parameter.dtype))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    found: list[Layer] = []
    size, jump, field = image_size, 1, 1
    for name, module, rows in seen:
        stage, block = _place(name, len(model.stages))
        label, kind = _kind(name, module)
        if isinstance(module, nn.Conv2d):
            field += (module.kernel_size[0] - 1) * jump
            size, jump = rows, jump * module.stride[0]
        if stage > len(model.stages):
            size = 1
        products = module.weight.numel() * size**2 if kind != "normalisation" else 0
        found.append(Layer(stage, block, label, kind, sum(p.numel() for p in module.parameters()), products, size, jump, field))
    return tuple(found)


def stage_table(model: nn.Module):
    """One row per stage: stage, blocks, channels, filters (depthwise, in all its blocks)."""
    import pandas as pd

    from keyfilters.networks.surgery.depthwise import find_depthwise

    rows = {}
    for layer in find_depthwise(model):
        stage, _ = _place(layer.name, len(model.stages))
        rows.setdefault(stage, []).append(layer.channels)
    return pd.DataFrame(
        [(stage, len(c), c[0], sum(c)) for stage, c in rows.items()], columns=["stage", "blocks", "channels", "filters"]
    )
