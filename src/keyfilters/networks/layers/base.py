"""The base of the layers: a depthwise convolution whose weight is computed."""

from __future__ import annotations

import sys
import warnings
from typing import Any, TypedDict

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...checks import choice, odd_size
from .weights import ComputedWeight

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
