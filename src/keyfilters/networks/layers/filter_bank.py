"""Depthwise convolution with frozen filters of any origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike

from ...checks import finite
from .base import ComputedWeight, ConvGeometry, DepthwiseKernelConv2d, Device, PerChannel


class FilterBankWeight(ComputedWeight):
    """Weights with frozen filters from a bank of any origin, as a parametrisation of a convolution's own weight.

    The parameters are those of :class:`FilterBankConv2d`; ``channels`` are output channels.
    """

    if TYPE_CHECKING:  # registered as a buffer
        bank: torch.Tensor

    def __init__(
        self,
        filters: ArrayLike | torch.Tensor,
        channels: int,
        *,
        index: ArrayLike | None = None,
        gain: PerChannel = 1.0,
        offset: PerChannel = 0.0,
        learn_gain: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ):
        bank = finite(filters.detach().cpu() if isinstance(filters, torch.Tensor) else filters, "filters")
        if bank.ndim != 3 or (bank.shape[1] != bank.shape[2] and min(bank.shape[1:]) != 1) or not len(bank):
            raise ValueError(
                f"filters has shape {bank.shape}: expected (K, n, n) with n odd, or (K, 1, n) or (K, n, 1) of 1-D filters"
            )
        factory: dict[str, Any] = {"device": device, "dtype": dtype or torch.get_default_dtype()}
        super().__init__(channels, gain, offset, learn_gain, factory)
        index = np.arange(channels) % len(bank) if index is None else np.asarray(index)
        if index.shape != (channels,) or index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= len(bank):
            raise ValueError(f"index: expected {channels} integers from 0 to {len(bank) - 1}, one per output channel")
        # One filter for each channel: an index among the tensors would not survive a moving average.
        self.register_buffer("bank", torch.tensor(bank[index], **factory))

    def filters(self) -> torch.Tensor:
        """The filter of each channel, shape (C, n, n)."""
        return self.bank

    @classmethod
    def of(
        cls,
        conv: Any,
        filters: ArrayLike | torch.Tensor,
        index: ArrayLike | None = None,
        gain: PerChannel = 1.0,
        offset: PerChannel = 0.0,
        **options: Any,
    ) -> FilterBankWeight:
        """Weights for a depthwise convolution: its channels, device and dtype."""
        own = {"device": conv.weight.device, "dtype": conv.weight.dtype}
        weight = cls(filters, conv.out_channels, index=index, gain=gain, offset=offset, **(own | options))
        weight.flat = conv.weight.ndim == 3
        return weight


class FilterBankConv2d(DepthwiseKernelConv2d, FilterBankWeight):
    """Depthwise convolution with frozen filters from a bank of any origin.

    Channel c has the weight ``gain[c] * filters[index[c]] + offset[c]``.

    Parameters
    ----------
    filters : array_like, shape (K, n, n)
        The bank: learned master keys, random filters, principal components, ...; n odd.
    channels : int
        Input channels.
    index : sequence of int, optional
        Filter of each output channel, 0 to K - 1; default: all in turn.
    gain, offset, learn_gain
        As in :class:`ScaleSpaceConv2d`.
    **geometry
        As there.

    Raises
    ------
    ValueError
        For filters that are not finite odd-sized squares, and an index outside of the bank.

    Examples
    --------
    >>> from keyfilters import learned_filters
    >>> layer = FilterBankConv2d(learned_filters(), 24)
    >>> layer.weight.shape, [name for name, _ in layer.named_parameters()]
    (torch.Size([24, 1, 7, 7]), ['bias'])
    """

    def __init__(
        self, filters: ArrayLike | torch.Tensor, channels: int, *positional: Any, index: ArrayLike | None = None,
        gain: PerChannel = 1.0, offset: PerChannel = 0.0, learn_gain: bool = False, **geometry: Unpack[ConvGeometry],
    ):  # fmt: skip
        whole = self._complete(channels, geometry, positional)
        if np.ndim(filters) == 3 and min(np.shape(filters)[1:]) < max(np.shape(filters)[1:]):
            raise ValueError(f"filters has shape {tuple(np.shape(filters))}: expected (K, n, n) with n odd")
        FilterBankWeight.__init__(
            self, filters, int(whole["out_channels"]), index=index, gain=gain, offset=offset, learn_gain=learn_gain,
            device=whole["device"], dtype=whole["dtype"],
        )  # fmt: skip
        self._convolve(channels, self.bank.shape[-1], whole)

    @classmethod
    def from_conv(
        cls,
        conv: Any,
        filters: ArrayLike | torch.Tensor,
        index: ArrayLike | None = None,
        gain: PerChannel = 1.0,
        offset: PerChannel = 0.0,
        **options: Any,
    ) -> FilterBankConv2d:
        """A layer in place of a depthwise convolution; see :meth:`ScaleSpaceConv2d.from_conv`."""
        given = cls._geometry(conv) | options
        return cls(filters, conv.in_channels, index=index, gain=gain, offset=offset, **given)._take_over(conv)
