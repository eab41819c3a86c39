"""The base of the layers: weights that are computed, in a network's own convolutions or in a stand-alone depthwise one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from ...checks import choice, finite, odd_size

PerChannel = float | Sequence[float] | np.ndarray | torch.Tensor
"""A number for all channels, or one for each."""
Device = torch.device | str | int | None
"""A device as torch names it; None for the default."""


class ComputedWeight(nn.Module):
    """Compute the weight of a depthwise convolution: gain * filter + offset, channel by channel.

    A parametrisation in the sense of ``torch.nn.utils.parametrize``, and what the layers of
    :mod:`keyfilters.networks.layers.scale_space` consist of beside their convolution. Subclasses say what the filters are.
    What it computes follows from its parameters and buffers as they are at that moment.
    """

    if TYPE_CHECKING:  # registered as parameters or buffers
        gain: torch.Tensor
        offset: torch.Tensor

    taking_over = False
    """True while a convolution is being parametrised."""
    flat = False
    """True for the weights of a 1-D convolution, shape (C, 1, n)."""

    def __init__(self, channels: int, gain: PerChannel, offset: PerChannel, learn_gain: bool, factory: dict[str, Any]):
        super().__init__()
        self._channels = channels
        self.was_trained = True
        for name, value in (("gain", gain), ("offset", offset)):
            self._register(name, self._per_channel(value, name, factory), learn_gain)

    def _register(self, name: str, tensor: torch.Tensor, learned: bool) -> None:
        if learned:
            setattr(self, name, nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor)

    def _per_channel(self, value, name, factory) -> torch.Tensor:
        value = finite(value.detach().cpu() if isinstance(value, torch.Tensor) else value, name)
        if value.shape not in ((), (self._channels,)):
            raise ValueError(f"{name} has shape {value.shape}: expected one number or {self._channels}, one per output channel")
        return torch.tensor(np.broadcast_to(value, (self._channels,)).copy(), **factory)

    def filters(self) -> torch.Tensor:
        """The filters before gain and offset: shape (C, n, n), (C, 1, n) or (C, n, 1), or of another number of axes (C, n, ...)."""
        raise NotImplementedError

    @property
    def learns(self) -> bool:
        """True if a parameter other than the bias is trained."""
        return any(True for name, p in self.named_parameters() if name != "bias")

    @property
    def trained(self) -> bool:
        """Whether the weight is to be trained on once it is written out: as its parameters are, else as it was before."""
        flags = [p.requires_grad for name, p in self.named_parameters() if name != "bias"]
        return any(flags) if flags else self.was_trained

    def kernels(self) -> torch.Tensor:
        """The weights that the convolution uses, shape (C, 1, n, n), or that of 1-D filters."""
        filters = self.filters()
        gain, offset = (v.reshape(-1, *[1] * (filters.ndim - 1)) for v in (self.gain, self.offset))
        weight = gain * filters.to(self.gain.dtype) + offset
        return weight[:, 0, None] if self.flat else weight[:, None]

    def forward(self) -> torch.Tensor:
        """As :meth:`kernels`; called by torch."""
        return self.kernels()

    def right_inverse(self, weight: torch.Tensor) -> tuple:
        """Called by torch when a convolution is parametrised, of whose weight nothing is kept, and when a weight is set.

        Raises
        ------
        ValueError
            In the second case.
        """
        if not self.taking_over:
            raise ValueError(
                "the weight is computed and cannot be set: set gain, offset or what the filters are made of, or fold first"
            )
        return ()


DYNAMIC = "dynamic"
"""Padding computed at run time as TensorFlow does it (timm's Conv2dSame)."""


# Number of axes: torch's function and its layer.
_TORCH: dict[int, tuple[Any, Any]] = {1: (F.conv1d, nn.Conv1d), 2: (F.conv2d, nn.Conv2d), 3: (F.conv3d, nn.Conv3d)}


class ConvGeometry(TypedDict, total=False):
    """What a depthwise convolution is beside its weight, in the names of ``nn.Conv1d``, ``nn.Conv2d`` and ``nn.Conv3d``.

    Each may be left out. ``out_channels``: a multiple of the channels (default: as many); ``stride``, ``dilation``: a
    number, or one for each axis (1); ``padding``: ``"same"`` (default; (n - 1) / 2 times the dilation), ``"valid"``, a number
    or one for each axis, or, in the plane, ``"dynamic"``, TensorFlow's as in timm's Conv2dSame; ``bias`` (True);
    ``padding_mode`` (``"zeros"``); ``device``, ``dtype``: torch's own.
    """

    out_channels: int
    stride: int | tuple[int, ...]
    padding: str | int | tuple[int, ...]
    dilation: int | tuple[int, ...]
    bias: bool
    padding_mode: str
    device: Any
    dtype: Any


def _old(what: str) -> None:
    # The caller's line is that of the layer: below this function, _complete and __init__.
    warnings.warn(f"{what}; the old way goes with release 0.2", DeprecationWarning, stacklevel=4)


def _whole(value, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{what} is {value!r}: expected an integer of at least 1")
    return int(value)


def _of_axes(value, axes: int, what: str) -> tuple[int, ...]:
    each = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(each) != axes or not all(isinstance(v, int) and v >= 0 for v in each):
        raise ValueError(f"{what} is {value!r}: expected an integer >= 0 or {axes} of them, one for each axis")
    return each


class DepthwiseKernelConv(ComputedWeight):
    r"""Depthwise convolution whose weight is computed: gain * filter + offset, channel by channel.

    The base of the layers, which say what the filters are and have how many axes.
    As every convolution of torch it correlates: with weight w it gives
    :math:`y(p) = b + \sum_u w(u)\, x(p + u)`, the filter's array as it stands (row 0 at the top).
    """

    axes: int = 2
    """How many axes the convolution has, from 1 to 3."""

    @classmethod
    def _complete(cls, channels, geometry, positional=()) -> ConvGeometry:
        """The geometry with what it leaves out; old ways of giving it are told of.

        Raises ``TypeError`` for a name that torch's layer does not have, ``ValueError`` for numbers of channels.
        """
        geometry = dict(geometry)
        if positional:
            names = ("stride", "padding", "dilation", "bias")[: len(positional)]
            _old(f"{', '.join(names)} of {cls.__name__} by position: give them by name")
            if len(positional) > len(names) or set(names) & set(geometry):
                raise TypeError(f"{cls.__name__}: too many arguments by position, or one of {', '.join(names)} twice")
            geometry |= dict(zip(names, positional, strict=True))
        if "multiplier" in geometry:
            _old(f"multiplier of {cls.__name__}: give out_channels, the channels times it")
            _whole(channels, "channels")
            geometry["out_channels"] = channels * _whole(geometry.pop("multiplier"), "multiplier")
        known = ConvGeometry.__annotations__
        if unknown := sorted(set(geometry) - set(known)):
            raise TypeError(
                f"{cls.__name__} takes no {unknown[0]!r}: expected what its filters are, or of nn.Conv{cls.axes}d {', '.join(known)}"
            )
        if _whole(geometry.setdefault("out_channels", channels), "out_channels") % _whole(channels, "channels"):
            raise ValueError(f"out_channels is {geometry['out_channels']}: expected a multiple of the {channels} channels")
        own = {
            "stride": 1,
            "padding": "same",
            "dilation": 1,
            "bias": True,
            "padding_mode": "zeros",
            "device": None,
            "dtype": None,
        }
        return own | geometry

    def _convolve(self, channels, size, geometry: ConvGeometry) -> None:
        """Set what the convolution is, beside its weight."""
        stride, padding, dilation = geometry["stride"], geometry["padding"], geometry["dilation"]
        self.in_channels, self.out_channels = int(channels), int(geometry["out_channels"])
        self.groups, self.kernel_size = self.in_channels, (odd_size(size, "kernel_size"),) * self.axes
        self.stride, self.dilation = _of_axes(stride, self.axes, "stride"), _of_axes(dilation, self.axes, "dilation")
        if min(*self.stride, *self.dilation) < 1:
            raise ValueError(f"stride is {stride!r} and dilation {dilation!r}: expected integers of at least 1")
        if padding == "same":
            padding = tuple(d * (size // 2) for d in self.dilation)
        elif padding == "valid":
            padding = 0
        if padding == DYNAMIC and self.axes == 2:
            self.padding: Any = padding
        else:
            self.padding = _of_axes(padding, self.axes, "padding")
        self.padding_mode = choice(geometry["padding_mode"], ("zeros", "reflect", "replicate", "circular"), "padding_mode")
        # The first of the parameters but for gain and offset; the order is that in which gradients are added up.
        later = {name: self._parameters.pop(name) for name in list(self._parameters) if name not in ("gain", "offset")}
        self.register_parameter("bias", nn.Parameter(torch.zeros_like(self.gain)) if geometry["bias"] else None)
        self._parameters.update(later)

    @property
    def weight(self) -> torch.Tensor:
        """As :meth:`kernels`; computed, so it cannot be assigned."""
        return self.kernels()

    def _padded(self, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """The input with what the convolution does not pad itself, and the padding that is left to it."""
        if self.padding_mode == "zeros":
            return x, self.padding
        # torch pads the last axis first.
        return F.pad(x, [p for p in reversed(self.padding) for _ in range(2)], mode=self.padding_mode), (0,) * self.axes

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]  # a layer, where its base is a weight
        """The filtered images, shape (N, C, ...), with an axis for each of the filters."""
        weight, convolve = self.kernels(), _TORCH[self.axes][0]
        x, padding = self._padded(x)
        bias: Any = self.bias
        if bias is None or weight.requires_grad or not torch.is_grad_enabled():
            return convolve(x, weight, bias, self.stride, padding, self.dilation, self.groups)
        # On a CPU the gradient of a bias inside the convolution costs as much as that of the weights, which
        # frozen filters do without; added afterwards it costs a sum.
        y = convolve(x, weight, None, self.stride, padding, self.dilation, self.groups)
        return y + bias.to(y.dtype).reshape(-1, *[1] * self.axes)

    def _plain(self) -> tuple[Any, Any, dict[str, str]]:
        """The class of torch's layer, with its padding and further keywords."""
        return _TORCH[self.axes][1], self.padding, {"padding_mode": self.padding_mode}

    def fold(self) -> Any:
        """A plain convolution with the weights written out: the same output, stride, padding, dilation and bias.

        With padding computed at run time it is timm's Conv2dSame. Its weight is trained on unless the parameters
        that made it no longer were.
        """
        conv_class, padding, mode = self._plain()
        plain = conv_class(
            self.in_channels, self.out_channels, self.kernel_size, self.stride, padding, self.dilation, self.groups,
            self.bias is not None, **mode,
        ).to(self.gain.device, self.gain.dtype)  # fmt: skip
        with torch.no_grad():
            plain.weight.copy_(self.kernels())
            if self.bias is not None:
                plain.bias.copy_(self.bias)
        plain.weight.requires_grad_(self.trained)
        return plain.train(self.training)

    def extra_repr(self) -> str:
        """What stands between the brackets when the layer is printed."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, bias={self.bias is not None}"
        )


class DepthwiseKernelConv2d(DepthwiseKernelConv):
    """The base of :class:`ScaleSpaceConv2d` and :class:`FilterBankConv2d`; in the plane, where networks have their convolutions.

    It stands alone; :func:`keyfilters.networks.replace` leaves a network's own convolutions where they are.
    """

    def _padded(self, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        if self.padding != DYNAMIC:
            return super()._padded(x)
        from timm.layers import pad_same

        return pad_same(x, list(self.kernel_size), list(self.stride), list(self.dilation)), (0, 0)

    def _plain(self) -> tuple[Any, Any, dict[str, str]]:
        if self.padding != DYNAMIC:
            return super()._plain()
        from timm.layers import Conv2dSame

        return Conv2dSame, 0, {}  # the class takes no padding mode

    @classmethod
    def _geometry(cls, conv) -> dict[str, Any]:
        """That of a convolution."""
        if not isinstance(conv, (nn.Conv2d, DepthwiseKernelConv2d)) or conv.groups != conv.in_channels:
            raise ValueError(f"{conv}: expected a depthwise convolution, with groups equal to in_channels")
        rows, columns = conv.kernel_size
        if rows != columns or rows % 2 == 0 or rows < 3:
            raise ValueError(f"kernel_size is {rows}x{columns}: expected an odd square of at least 3x3")
        dynamic = has_dynamic_padding(conv)
        if isinstance(conv, nn.Conv2d) and not dynamic and (overridden(conv) or conv._forward_hooks or conv._forward_pre_hooks):
            raise ValueError(
                f"{type(conv).__name__} does more than nn.Conv2d: no layer can take its place; see keyfilters.networks.replace"
            )
        return {
            "out_channels": conv.out_channels, "stride": conv.stride,
            "padding": DYNAMIC if dynamic else conv.padding, "dilation": conv.dilation, "bias": conv.bias is not None,
            "padding_mode": conv.padding_mode, "device": conv.weight.device, "dtype": conv.weight.dtype,
        }  # fmt: skip

    def _take_over(self, conv):
        """Take over the bias itself (training goes on with it), what is trained, and the mode."""
        if conv.bias is not None:
            self.bias = conv.bias
        self.was_trained = conv.trained if isinstance(conv, ComputedWeight) else conv.weight.requires_grad
        return self.train(conv.training)


def has_dynamic_padding(module: nn.Module) -> bool:
    """True for timm's Conv2dSame and a layer of ours that pads as it does."""
    # Where a module of that class is, its module was imported.
    same = sys.modules.get("timm.layers.conv2d_same")
    return getattr(module, "padding", None) == DYNAMIC or (
        same is not None and getattr(type(module), "forward", None) is same.Conv2dSame.forward
    )


def overridden(module: nn.Conv2d) -> bool:
    """True if the module's class or the module itself has its own way of convolving."""
    cls, names = type(module), ("forward", "_conv_forward", "__call__")
    return any(getattr(cls, name) is not getattr(nn.Conv2d, name) for name in names) or any(n in module.__dict__ for n in names)


def weight_of(module: nn.Module) -> ComputedWeight | None:
    """What computes the weight of a convolution, None where it is stored.

    For a stand-alone layer of ours that is the layer itself; for a convolution that :func:`keyfilters.networks.replace`
    gave its weight, the parametrisation ``module.parametrizations.weight[0]``.

    Examples
    --------
    >>> from keyfilters.networks import replace
    >>> network = replace(nn.Conv2d(8, 8, 3, groups=8)).model
    >>> type(weight_of(network)).__name__, weight_of(nn.Conv2d(8, 8, 3, groups=8)) is None
    ('ScaleSpaceWeight', True)
    """
    if isinstance(module, ComputedWeight):
        return module
    if parametrize.is_parametrized(module, "weight"):
        chain: Any = module.parametrizations.weight  # type: ignore[union-attr]  # registered by torch
        if len(chain) == 1 and isinstance(chain[0], ComputedWeight):
            return chain[0]
    return None


def parametrise(conv: nn.Conv2d, weight: ComputedWeight) -> None:
    """Let ``weight`` compute the weight of a convolution, in place of a stored or another computed one."""
    if weight_of(conv) is not None:
        write_out(conv)
    weight.was_trained = conv.weight.requires_grad
    weight.train(conv.training)
    _own_class(conv)
    # Nothing is left of the stored weight: a parameter without a gradient would get weight decay and stop DDP.
    weight.taking_over = True
    try:
        parametrize.register_parametrization(conv, "weight", weight)
    finally:
        weight.taking_over = False


def write_out(conv: nn.Conv2d) -> None:
    """Store the computed weight of a convolution as its own; its class and the order of its parameters are as before."""
    weight = weight_of(conv)
    if weight is None:
        raise ValueError(f"{conv}: its weight is not computed")
    with torch.no_grad():
        stored = nn.Parameter(weight.kernels().clone(), requires_grad=weight.trained)
    _own_class(conv)
    parametrize.remove_parametrizations(conv, "weight")
    del conv.weight
    others = dict(conv._parameters)
    conv._parameters.clear()
    conv.weight = stored
    conv._parameters.update(others)


def _own_class(conv: nn.Module) -> None:
    # Copies of a parametrised module share the class that torch made for it, and torch changes that class when a
    # parametrisation comes or goes.
    if parametrize.is_parametrized(conv):
        cls = type(conv)
        conv.__class__ = type(cls.__name__, cls.__bases__, dict(cls.__dict__))


def scale_parameters(model: nn.Module, lr: float | None = None) -> list[dict]:
    """The parameters of a network in two groups for an optimiser: all others, and those of computed weights.

    Weight decay would pull scales to zero, that is filters to bare differences, and gains with them; and a scale, of
    the order of one grid unit, moves at another rate than a weight.

    Parameters
    ----------
    model : torch.nn.Module
    lr : float, optional
        Rate of the second group (scales, gamma, gain, offset); default: that of the optimiser.

    Returns
    -------
    list of dict
        ``[{"params": ...}, {"params": ..., "weight_decay": 0.0, "lr": lr}]``; parameters that are frozen are left out,
        and so is a group without any.

    Raises
    ------
    ValueError
        For a rate that is not positive.

    Examples
    --------
    >>> from keyfilters.networks import replace
    >>> network = replace(nn.Conv2d(8, 8, 3, groups=8), mode="learnable").model
    >>> groups = scale_parameters(network, lr=1e-2)
    >>> [(len(g["params"]), g.get("weight_decay"), g.get("lr")) for g in groups]
    [(1, None, None), (2, 0.0, 0.01)]
    >>> optimiser = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.05)
    """
    if lr is not None and not (isinstance(lr, (int, float)) and 0 < lr < float("inf")):
        raise ValueError(f"lr is {lr!r}: expected a learning rate > 0")
    own = {
        id(p): p
        for module in model.modules() if isinstance(module, ComputedWeight)
        for name, p in module.named_parameters(recurse=False) if name != "bias" and p.requires_grad
    }  # fmt: skip
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    second = {"params": list(own.values()), "weight_decay": 0.0} | ({} if lr is None else {"lr": lr})
    return [group for group in ({"params": others}, second) if group["params"]]
