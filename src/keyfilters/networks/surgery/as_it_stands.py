"""Whether a convolution uses its weight as it stands: only then can another weight take its place."""

from __future__ import annotations

import copy
import sys
from functools import partial

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from ..layers.base import DepthwiseKernelConv2d, has_dynamic_padding, overridden
from ..layers.parametrised import weight_of

_CONVOLUTIONS = (torch.conv1d, nn.functional.conv1d, torch.conv2d, nn.functional.conv2d, torch.convolution)


def is_quantised(module: nn.Module) -> bool:
    """True for a quantised convolution of torch, whose weight are integers."""
    # Where a module of that class is, its module was imported.
    quantised = sys.modules.get("torch.ao.nn.quantized")
    return quantised is not None and isinstance(module, quantised.Conv2d)


def why_not(module: nn.Module) -> str:
    """Why the weight of a depthwise convolution cannot be replaced; "" where it can.

    Nothing is concluded from the name of a class: a class with a way of its own to convolve is tried, on a copy with other
    weights, in evaluation and in training, and every convolution that it computes has to be one with exactly these weights.
    What else it computes from them may not differ from them: a norm of the weight is another use of it.
    """
    if isinstance(module, DepthwiseKernelConv2d):
        return ""
    name = type(module).__name__
    if is_quantised(module):
        return "its weight is quantised"
    if weight_of(module) is None:
        if parametrize.is_parametrized(module, "weight"):
            made = ", ".join(type(m).__name__.lstrip("_") for m in module.parametrizations.weight)
            return f"its weight is computed by a parametrisation ({made})"
        names = {*module._parameters, *module._buffers}
        for parts, what in (
            ({"weight_g", "weight_v"}, "weight norm"),
            ({"weight_orig", "weight_mask"}, "pruning"),
            ({"weight_orig", "weight_u"}, "spectral norm"),
        ):
            if parts <= names:
                return f"its weight is computed by {what}; remove that first"
        if "weight" not in module._parameters:
            return f"{name} computes its weight itself"
        weight = module.weight
        if not weight.is_floating_point() or weight.itemsize == 1:
            return f"its weight has the dtype {str(weight.dtype).removeprefix('torch.')}"
        if type(weight) not in (torch.Tensor, nn.Parameter):
            return f"its weight is no plain tensor of torch ({type(weight).__name__})"
        if weight._backward_hooks or getattr(weight, "_post_accumulate_grad_hooks", None):
            return "its weight has hooks of its own"
    if any(own in module.__dict__ for own in ("forward", "_conv_forward")):
        return "its forward was replaced in this very layer"
    if any(_names_weight(hook) for hooks in (module._forward_pre_hooks, module._forward_hooks) for hook in hooks.values()):
        return "a hook handles its weight"
    if not overridden(module) or has_dynamic_padding(module):
        return ""
    return _tried(module)


class _Weights(TorchFunctionMode):
    """Notes the weights of all convolutions, and what else is computed from ``weight``."""

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.weight = weight
        self.seen: list[torch.Tensor] = []
        self.made: list[torch.Tensor] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function in _CONVOLUTIONS:
            self.seen.append(kwargs.get("weight", args[1] if len(args) > 1 else None))
        elif isinstance(result, torch.Tensor) and any(a is self.weight for a in (*args, *kwargs.values())):
            self.made.append(result)
        return result


def _tried(module: nn.Conv2d) -> str:
    name, computed = type(module).__name__, weight_of(module)
    try:
        probe = copy.deepcopy(module)
        probe = (probe.to_empty(device="cpu") if module.weight.is_meta else probe.cpu()).float()
        for hooks in (probe._forward_pre_hooks, probe._forward_hooks):
            hooks.clear()
        draw = torch.Generator().manual_seed(0)
        weight = probe.weight.detach() if computed else 3 * torch.randn(probe.weight.shape, generator=draw)
        if not computed:
            probe.weight = nn.Parameter(weight.clone(), requires_grad=False)
        reach = [2 * d * k for d, k in zip(probe.dilation, probe.kernel_size, strict=True)]
        images = torch.randn(2, probe.in_channels, *reach, generator=draw)
        with torch.no_grad(), _Weights(probe.weight) as convolutions:
            for training in (False, True):
                probe.train(training)(images)
    except Exception as error:  # whatever a foreign forward raises
        return f"{name} has a forward of its own, which could not be tried ({type(error).__name__})"
    if not convolutions.seen:
        return f"{name} has a forward of its own, without a convolution"
    used = [*convolutions.seen, *(() if computed else convolutions.made)]
    if not all(isinstance(w, torch.Tensor) and w.shape == weight.shape and torch.equal(w, weight) for w in used):
        return f"{name} does not use its weight as it stands"
    return ""


def _names_weight(hook) -> bool:
    """True if the code of a hook speaks of a weight or of all parameters, which it then may read or set."""
    while isinstance(hook, partial):
        hook = hook.func
    code = getattr(hook, "__code__", None) or getattr(getattr(type(hook), "__call__", None), "__code__", None)  # noqa: B004
    pending, words = [code], []
    while pending:
        code = pending.pop()
        if code is not None:
            words += [*code.co_names, *(c for c in code.co_consts if isinstance(c, str))]
            pending += [c for c in code.co_consts if hasattr(c, "co_names")]
    return any(word.startswith(("weight", "parameters", "named_parameters", "state_dict")) for word in words)
