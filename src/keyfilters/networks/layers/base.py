"""The base of the layers: a depthwise convolution whose weight is computed."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...checks import choice, finite, odd_size

DYNAMIC = "dynamic"
"""Padding computed at run time as TensorFlow does it (timm's Conv2dSame)."""


def _pair(value, what: str) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(v, int) and v >= 0 for v in pair):
        raise ValueError(f"{what} is {value!r}: expected an integer >= 0 or a pair of them")
    return pair


class DepthwiseKernelConv2d(nn.Module):
    r"""Depthwise convolution whose weight is computed: gain * filter + offset, channel by channel.

    The base of :class:`ScaleSpaceConv2d` and :class:`FilterBankConv2d`, which say what the filters are.
    As every convolution of torch it correlates: with weight w it gives
    :math:`y(p) = b + \sum_u w(u)\, x(p + u)`, the filter's array as it stands (row 0 at the top).
    """

    def __init__(self, channels, size, stride, padding, dilation, multiplier, bias, padding_mode, gain, offset, learn_gain, factory):
        super().__init__()
        for what, value in (("channels", channels), ("multiplier", multiplier)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{what} is {value!r}: expected an integer of at least 1")
        self.in_channels, self.out_channels = int(channels), int(channels * multiplier)
        self.groups, self.kernel_size = self.in_channels, (odd_size(size, "kernel_size"),) * 2
        self.stride, self.dilation = _pair(stride, "stride"), _pair(dilation, "dilation")
        if min(*self.stride, *self.dilation) < 1:
            raise ValueError(f"stride is {stride!r} and dilation {dilation!r}: expected integers of at least 1")
        if padding == "same":
            padding = tuple(d * (size // 2) for d in self.dilation)
        elif padding == "valid":
            padding = 0
        self.padding = padding if padding == DYNAMIC else _pair(padding, "padding")
        self.padding_mode = choice(padding_mode, ("zeros", "reflect", "replicate", "circular"), "padding_mode")
        self.conv_class: type[nn.Conv2d] = nn.Conv2d
        for name, value in (("gain", gain), ("offset", offset)):
            tensor = self._per_channel(value, name, factory)
            if learn_gain:
                setattr(self, name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)
        if bias:
            self.bias = nn.Parameter(torch.zeros(self.out_channels, **factory))
        else:
            self.register_parameter("bias", None)
        self.register_buffer("_frozen", None, persistent=False)
        self.register_load_state_dict_post_hook(_refresh)

    def _per_channel(self, value, name, factory) -> torch.Tensor:
        value = finite(value.detach().cpu() if isinstance(value, torch.Tensor) else value, name)
        if value.shape not in ((), (self.out_channels,)):
            raise ValueError(f"{name} has shape {value.shape}: expected one number or {self.out_channels}, one per output channel")
        return torch.tensor(np.broadcast_to(value, (self.out_channels,)).copy(), **factory)

    def filters(self) -> torch.Tensor:
        """The filters before gain and offset, shape (C, n, n)."""
        raise NotImplementedError

    @property
    def learns(self) -> bool:
        """True if a parameter other than the bias is trained."""
        return any(True for name, p in self.named_parameters() if name != "bias")

    def kernels(self) -> torch.Tensor:
        """The weights that the convolution uses, shape (C, 1, n, n)."""
        if self._frozen is not None and not self.learns:
            return self._frozen
        weight = self.gain[:, None, None] * self.filters().to(self.gain.dtype) + self.offset[:, None, None]
        return weight[:, None]

    def refresh(self) -> None:
        """Compute the frozen weights anew, after scales, gain or offset were set by hand."""
        self._frozen = None
        if not self.learns:
            with torch.no_grad():
                self._frozen = self.kernels()

    @property
    def weight(self) -> torch.Tensor:
        """As :meth:`kernels`; computed, so it cannot be assigned."""
        return self.kernels()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, padding = self.kernels(), self.padding
        if padding == DYNAMIC:
            from timm.layers import pad_same

            x, padding = pad_same(x, self.kernel_size, self.stride, self.dilation), (0, 0)
        elif self.padding_mode != "zeros":
            rows, columns = padding
            x, padding = F.pad(x, (columns, columns, rows, rows), mode=self.padding_mode), (0, 0)
        if self.bias is None or weight.requires_grad or not torch.is_grad_enabled():
            return F.conv2d(x, weight, self.bias, self.stride, padding, self.dilation, self.groups)
        # On a CPU the gradient of a bias inside the convolution costs as much as that of the weights, which
        # frozen filters do without; added afterwards it costs a sum.
        y = F.conv2d(x, weight, None, self.stride, padding, self.dilation, self.groups)
        return y + self.bias.to(y.dtype)[:, None, None]

    def fold(self) -> nn.Conv2d:
        """A plain convolution with the weights written out: the same output, stride, padding, dilation and bias."""
        # Subclasses such as timm's Conv2dSame take neither a padding mode nor a device.
        mode = {} if self.padding_mode == "zeros" else {"padding_mode": self.padding_mode}
        plain = self.conv_class(
            self.in_channels, self.out_channels, self.kernel_size, self.stride,
            0 if self.padding == DYNAMIC else self.padding, self.dilation, self.groups, self.bias is not None, **mode,
        ).to(self.gain.device, self.gain.dtype)  # fmt: skip
        with torch.no_grad():
            plain.weight.copy_(self.kernels())
            if self.bias is not None:
                plain.bias.copy_(self.bias)
        return plain.train(self.training)

    @classmethod
    def _geometry(cls, conv) -> dict:
        """Constructor arguments that a convolution fixes."""
        if not isinstance(conv, (nn.Conv2d, DepthwiseKernelConv2d)) or conv.groups != conv.in_channels:
            raise ValueError(f"{conv}: expected a depthwise convolution, with groups equal to in_channels")
        rows, columns = conv.kernel_size
        if rows != columns or rows % 2 == 0 or rows < 3:
            raise ValueError(f"kernel_size is {rows}x{columns}: expected an odd square of at least 3x3")
        dynamic = getattr(conv, "padding", None) == DYNAMIC or any(c.__name__ == "Conv2dSame" for c in type(conv).__mro__)
        return {
            "channels": conv.in_channels, "multiplier": conv.out_channels // conv.in_channels, "stride": conv.stride,
            "padding": DYNAMIC if dynamic else conv.padding, "dilation": conv.dilation, "bias": conv.bias is not None,
            "padding_mode": conv.padding_mode, "device": conv.weight.device, "dtype": conv.weight.dtype,
        }  # fmt: skip

    def _take_over(self, conv):
        """Take over the bias itself (training goes on with it), the class to fold to, and the mode."""
        if conv.bias is not None:
            self.bias = conv.bias
        self.conv_class = conv.conv_class if isinstance(conv, DepthwiseKernelConv2d) else type(conv)
        return self.train(conv.training)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, bias={self.bias is not None}"
        )


def _refresh(module, _) -> None:
    module.refresh()
