"""The depthwise convolutions of a network, whether they use their weight as it stands, and the key filters at their sizes."""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.nn.utils.parametrize import ParametrizationList
from torch.overrides import TorchFunctionMode

from ...checks import choice, odd_size
from ...filters import KEYS, SHARPENING, learned_filters
from ...fitting import JOINT_METHODS, METHODS
from ...fitting.joint import key_parameters
from ...models import ideal_filter
from ..layers.base import DYNAMIC, DepthwiseKernelConv2d, has_dynamic_padding, overridden, weight_of

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


FILTER_SETS = (*METHODS, *JOINT_METHODS, "learned", "impulse")
"""Names that :func:`key_filters` knows."""


@dataclass(frozen=True)
class DepthwiseLayer:
    """One depthwise convolution of a network.

    Attributes
    ----------
    name : str
        Its name in the network, the first where it stands at several places; "" for the network itself.
    module : torch.nn.Module
    kernel_size, stride, dilation : tuple of (int, int)
        Rows, columns; a 1-D convolution has one row, a 3-D one three numbers. Empty where it is not known.
    padding : tuple of (int, int) or str
        ``"dynamic"`` for TensorFlow's padding computed at run time (timm's Conv2dSame).
    channels : int
        Output channels, that is filters.
    note : str
        Why its filters are not matched and not replaced; "" where they are.
    """

    name: str
    module: nn.Module
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: object
    dilation: tuple[int, int]
    channels: int
    note: str = ""

    @property
    def matchable(self) -> bool:
        """True for an odd square of at least 3x3, or one row or column, whose weights are what is convolved with."""
        return not self.note

    @property
    def filters(self) -> np.ndarray:
        """The filters, shape (channels, rows, columns), float64, a copy.

        Raises ``ValueError``, naming the layer, if the weights hold NaN or infinity or no data at all.
        """
        weight = self.module.weight.detach()
        if weight.is_meta:
            raise ValueError(f"layer {self.name}: its weights are on the meta device; load the weights first")
        array = np.array(weight.to("cpu", torch.float64).numpy()).reshape(self.channels, *self.kernel_size)
        if not np.isfinite(array).all():
            raise ValueError(f"layer {self.name}: its weights hold NaN or infinity; load sound weights")
        return array


def is_strip(kernel_size: tuple[int, int]) -> bool:
    """True for filters of one row or one column, odd and of at least 3 taps."""
    return len(kernel_size) == 2 and min(kernel_size) == 1 and max(kernel_size) % 2 == 1 and max(kernel_size) > 1


def no_key_size(kernel_size: tuple[int, int]) -> str:
    """Why filters of a size in the plane have no keys; "" for odd squares, and for one row or column of an odd number.

    Examples
    --------
    >>> [no_key_size(size) for size in ((7, 7), (1, 7), (4, 4), (4, 1), (3, 5))]
    ['', '', 'kernel of even size (4x4)', 'kernel of even size (4x1)', 'kernel is not square (3x5)']
    """
    rows, columns = kernel_size
    if is_strip(kernel_size):
        return ""
    if rows != columns and min(rows, columns) > 1:
        return f"kernel is not square ({rows}x{columns})"
    return f"kernel of even size ({rows}x{columns})" if max(rows, columns) % 2 == 0 else ""


def _note(module, kernel_size) -> str:
    if isinstance(module, torch.jit.ScriptModule):
        return "a TorchScript module: give the network that it was made from"
    name = type(module).__name__
    if _unknown(module):
        return "a lazy convolution, whose shape is not known yet: run a batch through the network first"
    if not hasattr(module, "kernel_size"):
        return f"{name} has weights of the shape of depthwise filters, and is no convolution of torch: give the network that it was made from"
    if is_quantised(module):
        return why_not(module)
    if isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        return f"a transposed convolution ({name}): not matched"
    if len(kernel_size) != 2:
        return f"kernel of three dimensions ({name}): not matched"
    if not isinstance(module, (nn.Conv1d, nn.Conv2d, DepthwiseKernelConv2d)):
        return f"{name} is no convolution of torch: not matched"
    rows, columns = kernel_size
    if is_strip(kernel_size) and isinstance(module, (nn.Conv1d, nn.Conv2d)):
        return why_not(module)
    if rows == columns == 1:
        return "1x1 kernel: a gain, no filter"
    return no_key_size(kernel_size) or why_not(module)


def _unknown(module: nn.Module) -> bool:
    """True for a lazy module through which no batch has gone."""
    return isinstance(module, LazyModuleMixin) and module.has_uninitialized_params()


def is_depthwise(module: nn.Module) -> bool:
    """One group per input channel, by what a convolution says of itself; else by the shape of its weights."""
    if isinstance(module, DepthwiseKernelConv2d):
        return True
    if not isinstance(module, torch.nn.modules.conv._ConvNd) and next(module.children(), None) is not None:
        return False  # a block, whose convolutions are listed
    groups, channels = getattr(module, "groups", None), getattr(module, "in_channels", None)
    if _unknown(module):
        return isinstance(groups, int) and groups > 1  # perhaps: how many channels come in is not known
    if isinstance(groups, int) and isinstance(channels, int) and hasattr(module, "kernel_size"):
        return groups == channels > 1
    weight = getattr(module, "weight", None)
    return (
        isinstance(weight, torch.Tensor)
        and weight.ndim >= 3
        and weight.shape[1] == 1 < weight.shape[0]
        and max(weight.shape[2:]) > 1
    )


def _layer(name: str, module: nn.Module) -> DepthwiseLayer:
    known = hasattr(module, "kernel_size")
    size = tuple(module.kernel_size) if known and not isinstance(module.kernel_size, int) else tuple(module.weight.shape[2:])
    stride, dilation, padding = (getattr(module, what, ()) for what in ("stride", "dilation", "padding"))
    if has_dynamic_padding(module):
        padding = DYNAMIC
    elif padding == "same":
        padding = tuple(d * (k - 1) // 2 for k, d in zip(size, dilation, strict=True))
    elif padding == "valid":
        padding = (0,) * len(size)
    if len(size) == 1:
        # One row: the axis of a 1-D convolution lies along x.
        size = (1, *size)
        stride, dilation = ((1, *pair) if isinstance(pair, tuple) and pair else pair for pair in (stride, dilation))
        padding = (0, *padding) if isinstance(padding, tuple) and padding else padding
    channels = module.out_channels if known else len(module.weight)
    return DepthwiseLayer(name, module, size, tuple(stride), padding, tuple(dilation), channels, _note(module, size))


def _by_shape(name: str, module: nn.Module, weights: set[int]) -> list[DepthwiseLayer]:
    """Parameters of a module that is no convolution with the shape of depthwise filters, under another name than ``weight``.

    Not those that are the ``weights`` of a convolution as well, by their id.
    """
    if isinstance(module, (torch.nn.modules.conv._ConvNd, DepthwiseKernelConv2d, ParametrizationList)):
        return []
    found = []
    for own, p in module._parameters.items():
        if own == "weight" or p is None or id(p) in weights or is_lazy(p) or p.ndim != 4 or not p.shape[0] > 1 == p.shape[1]:
            continue
        size = tuple(p.shape[2:])
        if size[0] == size[1] >= 3 and size[0] % 2:
            note = f"a parameter of the shape {tuple(p.shape)} of depthwise filters, not the weight of a convolution: give it to keyfilters.networks.match itself"
            found.append(DepthwiseLayer(f"{name}.{own}" if name else own, module, size, (), (), (), len(p), note))
    return found


def find_depthwise(model: nn.Module) -> list[DepthwiseLayer]:
    """Find the depthwise convolutions of a network: one group per input channel.

    ``nn.Conv2d`` and its subclasses with ``groups == in_channels > 1``, any depth multiplier, and the
    layers of :mod:`keyfilters.networks.layers.scale_space`. Those whose filters cannot be replaced are listed
    with a note: 1x1, even, neither square nor one row or column, 3-D, transposed, quantised, lazy, within TorchScript or
    an exported graph, those of classes that compute their weights, and parameters with the shape of depthwise filters that
    are not called ``weight``. A module that stands at several places is listed once.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    list of DepthwiseLayer
        In the order of ``model.named_modules()``; empty if there is none.

    Raises
    ------
    ValueError
        If ``model`` is not a ``torch.nn.Module``.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 5, stride=2, groups=8))
    >>> [(d.name, d.kernel_size, d.stride, d.channels) for d in find_depthwise(network)]
    [('1', (5, 5), (2, 2), 16)]
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is a {type(model).__name__}: expected a torch.nn.Module")
    found, weights = (
        [],
        {id(m._parameters.get("weight")) for m in model.modules() if isinstance(m, torch.nn.modules.conv._ConvNd)},
    )
    for name, module in model.named_modules():
        found += [_layer(name, module)] if is_depthwise(module) else _by_shape(name, module, weights)
    return found


def depthwise_or_error(model: nn.Module) -> list[DepthwiseLayer]:
    """As :func:`find_depthwise`, but ValueError if there is none."""
    layers = find_depthwise(model)
    if not layers and any(isinstance(m, torch.jit.ScriptModule) for m in model.modules()):
        raise ValueError(
            f"{type(model).__name__} is TorchScript without its convolutions as modules: give the network that it was made from"
        )
    if not layers:
        raise ValueError(f"{type(model).__name__} has no depthwise convolution (groups equal to in_channels): nothing to match")
    return layers


@lru_cache(maxsize=128)
def _named(name: str, size: int) -> np.ndarray:
    if name == "impulse":
        bank = np.zeros((1, size, size))
        bank[0, size // 2, size // 2] = 1.0
    elif name == "learned":
        bank = resized(learned_filters(), size)
    else:
        columns = key_parameters(name).T
        bank = np.stack(
            [
                ideal_filter(row, x, y, gamma=gamma if row.kind == SHARPENING else None, size=size)
                for row, (x, y, gamma) in zip(KEYS, columns, strict=True)
            ]
        )
    bank.flags.writeable = False
    return bank


def resized(filters: np.ndarray, size: int) -> np.ndarray:
    """Filters (K, n, n) of another odd size: cropped centrally, or padded with zeros.

    Examples
    --------
    >>> resized(np.ones((1, 3, 3)), 5)[0, 1]
    array([0., 1., 1., 1., 0.])
    >>> resized(learned_filters(), 3).shape
    (8, 3, 3)
    """
    filters = np.asarray(filters, dtype=np.float64)
    grow = (odd_size(size) - filters.shape[-1]) // 2
    if grow > 0:
        return np.pad(filters, [(0, 0), (grow, grow), (grow, grow)])
    return np.array(filters[:, -grow : filters.shape[-1] + grow, -grow : filters.shape[-1] + grow])


def key_filters(filters: ArrayLike | str = "B", size: int = 7) -> np.ndarray:
    """Return a set of filters at an odd size.

    Parameters
    ----------
    filters : str or array_like, shape (K, n, n)
        A method of fitting, ``"A"`` to ``"D2"`` or ``"A-joint"`` to ``"D-joint"``: its eight idealised
        filters, built at that size. ``"learned"``: the learned master keys. ``"impulse"``: the unit
        impulse alone. Or arrays of your own. Learned and own filters of another size are cropped
        centrally, or padded with zeros; their means and norms are not touched.
    size : int
        Odd, at least 3.

    Returns
    -------
    ndarray, shape (K, size, size)
        float64; read-only where it is shared.

    Raises
    ------
    ValueError
        For an unknown name, an even size, or arrays that are not finite odd squares.

    Examples
    --------
    >>> key_filters("B", 5).shape, key_filters("learned").shape, key_filters("impulse", 3).shape
    ((8, 5, 5), (8, 7, 7), (1, 3, 3))
    """
    size = odd_size(size)
    if isinstance(filters, str):
        return _named(choice(filters, FILTER_SETS, "filters"), size)
    array = as_stack(filters, "filters")
    if not array.any():
        raise ValueError("filters are all zero: expected at least one non-zero value")
    return resized(array, size)


def key_filters_at(filters: ArrayLike | str, kernel_size: tuple[int, int]) -> np.ndarray:
    """Key filters at the size of a layer, shape (K, rows, columns).

    For filters of one row or one column they are 1-D: the row or the column through the centre, without smoothing
    across. Where a key is the product of a factor along x and one along y, that is the factor. (Key 7 is not: it is
    smoothed across as along.) The keys that are a difference along the other axis are left out as zeros, which explain
    nothing: along theirs they smooth, as key 8 does.
    """
    rows, columns = kernel_size
    size = max(rows, columns)
    if rows == columns:
        return key_filters(filters, size)
    idealised = isinstance(filters, str) and filters not in ("learned", "impulse")
    bank = (
        _without_across(choice(filters, FILTER_SETS, "filters"), size, rows == 1) if idealised else key_filters(filters, size)
    )
    middle = size // 2
    strips = np.array(bank[:, middle : middle + 1] if rows == 1 else bank[:, :, middle : middle + 1])
    if len(bank) == len(KEYS) and isinstance(filters, str):
        across = [row.number - 1 for row in KEYS if row.derivative_axis == (1 if rows == 1 else 0)]
        strips[across] = 0.0
    return strips


@lru_cache(maxsize=128)
def _without_across(method: str, size: int, along_x: bool) -> np.ndarray:
    """The idealised filters with the scale 0 across; key 7 with that along."""
    planes = []
    for row, (x, y, gamma) in zip(KEYS, key_parameters(method).T, strict=True):
        sharpens = row.kind == SHARPENING
        along = x if along_x else y
        across = along if sharpens else 0.0
        planes.append(
            ideal_filter(row, *((along, across) if along_x else (across, along)), gamma=gamma if sharpens else None, size=size)
        )
    return np.stack(planes)


def as_stack(value: Any, what: str) -> np.ndarray:
    """``value`` as finite filters (C, n, n), n odd; one filter (n, n) and a weight (C, 1, n, n) will do."""
    if isinstance(value, torch.Tensor):
        value = value.detach().to("cpu", torch.float64).numpy()
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is not an array of real numbers: expected the shape (C, n, n) with n odd") from None
    shape = array.shape
    if array.ndim == 4 and shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[1] != array.shape[2] or array.shape[1] % 2 == 0 or array.shape[1] < 3 or not len(array):
        raise ValueError(f"{what} has shape {shape}: expected (C, n, n) with n odd and at least 3")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds NaN or infinity: expected finite numbers")
    return array
