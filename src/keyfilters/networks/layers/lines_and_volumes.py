"""Depthwise convolutions of separable filters along one and three axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike

from ...checks import choice, odd_size, scales
from ...filters import axis_keys
from .base import ConvGeometry, DepthwiseKernelConv, PerChannel
from .kernels import TABLED_OPERATORS, axis_factors, reach_of
from .tabled import TabledWeight, precise

AXIS_LETTERS = "xyz"
"""The axes of the layers; x is the last axis of a tensor."""


class SeparableWeight(TabledWeight):
    """Weights of separable filters: an operator and a scale for each channel and axis; see :class:`ScaleSpaceConv3d`.

    Attributes
    ----------
    operators : tensor, shape (C, axes)
        Numbers of the operators. Stored as floating point, as the keys of ``ScaleSpaceWeight`` are.
    raw : tensor, shape (C, axes)
        Roots of the variances along x, y, z.
    """

    edge = "crop"

    if TYPE_CHECKING:  # registered as parameters or buffers
        operators: torch.Tensor
        raw: torch.Tensor

    def __init__(
        self, channels: int, axes: int, size: int, keys: Sequence[str] | None, sigma: ArrayLike | torch.Tensor,
        gain: PerChannel, offset: PerChannel, learn_scales: bool, learn_gain: bool, factory: dict[str, Any],
    ):  # fmt: skip
        super().__init__(channels, gain, offset, learn_gain, factory)
        self.size, rows = odd_size(size, "kernel_size"), axis_keys(AXIS_LETTERS[:axes])
        names = [list(rows)[c % len(rows)] for c in range(channels)] if keys is None else list(keys)
        if len(names) != channels:
            raise ValueError(f"keys has {len(names)} entries: expected {channels}, one per output channel")
        numbers = [[TABLED_OPERATORS.index(operator) for operator in rows[choice(name, rows, "key")]] for name in names]
        self.register_buffer("operators", torch.tensor(numbers, **factory))
        start = scales(sigma.detach().cpu() if isinstance(sigma, torch.Tensor) else sigma)
        if start.shape not in ((), (axes,), (channels, axes)):
            raise ValueError(
                f"sigma has shape {start.shape}: expected one number, {axes} (one per axis) or ({channels}, {axes}), per output channel"
            )
        self._register("raw", torch.tensor(np.broadcast_to(start, (channels, axes)).copy(), **factory), learn_scales)
        # Stored, so that a state does not load into filters of another size.
        self.register_buffer("form", torch.tensor([size], **factory))
        self._table = self._new_table(reach_of(float(start.max(initial=0.0))))

    @property
    def _raw(self) -> tuple[torch.Tensor, ...]:
        return (self.raw,)

    @property
    def sigma(self) -> torch.Tensor:
        """Scales along x, y, z, grid units, shape (C, axes)."""
        return self.raw.abs()

    def filters(self) -> torch.Tensor:
        """The filter of each channel, shape (C, n), (C, n, n) or (C, n, n, n)."""
        raw = self.raw.to(precise(self.raw.dtype))
        table, (channels, axes) = self._current_table((raw,)), raw.shape
        factors = axis_factors((raw**2).flatten(), table, "discrete")
        rows = torch.arange(len(factors), device=raw.device)
        along = factors[rows, self.operators.round().long().flatten()].view(channels, axes, self.size)
        result = along[:, 0]
        for i in range(1, axes):
            # y grows against the index of its axis.
            own = along[:, i].flip(-1) if i == 1 else along[:, i]
            result = own.reshape(channels, self.size, *[1] * i) * result[:, None]
        return result

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors):
        form = state_dict.get(prefix + "form")
        if form is not None and form.shape == self.form.shape and float(form) != self.size:
            errors.append(f"{prefix}form: the scales were stored for filters of size {float(form):g}, these have {self.size}")
        else:
            super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)


class _ScaleSpaceConv(DepthwiseKernelConv, SeparableWeight):
    def __init__(
        self, channels: int, kernel_size: int = 7, *, sigma: ArrayLike | torch.Tensor, keys: Sequence[str] | None = None,
        gain: PerChannel = 1.0, offset: PerChannel = 0.0, learn_scales: bool = False, learn_gain: bool = False,
        **geometry: Unpack[ConvGeometry],
    ):  # fmt: skip
        whole = self._complete(channels, geometry)
        factory = {"device": whole["device"], "dtype": whole["dtype"] or torch.get_default_dtype()}
        SeparableWeight.__init__(
            self,
            int(whole["out_channels"]),
            self.axes,
            kernel_size,
            keys,
            sigma,
            gain,
            offset,
            learn_scales,
            learn_gain,
            factory,
        )
        self._convolve(channels, kernel_size, whole)


class ScaleSpaceConv1d(_ScaleSpaceConv):
    """Depthwise convolution along one axis with differences of discrete Gaussians; see :class:`ScaleSpaceConv3d`.

    Input (N, channels, L), output (N, out_channels, L'). Keys: ``"x+"``, ``"x-"``, ``"x"``, ``"T"``.

    Examples
    --------
    >>> layer = ScaleSpaceConv1d(1, 5, keys=["x"], sigma=0.0, bias=False)
    >>> layer(torch.arange(7.0)[None, None]).detach()[0, 0, 2:5]
    tensor([-1., -1., -1.])
    """

    axes = 1


class ScaleSpaceConv3d(_ScaleSpaceConv):
    r"""Depthwise convolution along three axes with differences of discrete Gaussians, given by key and scales.

    Channel c has the weight

    .. math:: w_c = a_c \prod_i D_{c,i} T(x_i; \sigma_{c,i}^2) + b_c

    with the filter of :func:`keyfilters.separable_filter`. As in :class:`ScaleSpaceConv2d` the trained quantity is r with
    :math:`\sigma^2 = r^2`. The sharpening of key 7 is no product and has no place here.

    Parameters
    ----------
    channels : int
        Input channels.
    kernel_size : int
        Odd.
    sigma : float or sequence, shape (axes,) or (out_channels, axes)
        Scales along x, y, z in grid units; x is the last axis of a tensor.
    keys : sequence of str, optional
        Key of each output channel, a name of ``keyfilters.axis_keys("xyz")``; default: all ten in turn.
    gain, offset : float or sequence
        Per output channel.
    learn_scales, learn_gain : bool
        What is trained (gain and offset together).
    **geometry
        The convolution, as ``nn.Conv3d`` names it: see :class:`keyfilters.networks.layers.base.ConvGeometry`.

    Input (N, channels, D, H, W), output (N, out_channels, D', H', W'). The kernels are stored as those of a convolution,
    y up, and the layer correlates, as ``nn.Conv3d`` does: an odd key responds with the opposite sign of the convolution.

    Raises
    ------
    ValueError
        For a size, key, scale or shape that is not allowed.
    TypeError
        For a keyword that neither the filters nor ``nn.Conv3d`` have.

    Examples
    --------
    >>> layer = ScaleSpaceConv3d(10, 5, sigma=0.7, learn_scales=True)
    >>> layer(torch.zeros(1, 10, 4, 8, 8)).shape, sorted(name for name, _ in layer.named_parameters())
    (torch.Size([1, 10, 4, 8, 8]), ['bias', 'raw'])
    >>> layer.fold()
    Conv3d(10, 10, kernel_size=(5, 5, 5), stride=(1, 1, 1), padding=(2, 2, 2), groups=10)
    """

    axes = 3
