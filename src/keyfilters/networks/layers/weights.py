"""Weights that are computed: gain * filter + offset, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ...checks import finite

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
