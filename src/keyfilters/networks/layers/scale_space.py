"""Depthwise convolution with idealised filters, given by key and scales."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ...checks import choice, finite, scales
from ...models import MODEL_EDGES
from .filter_bank import FilterBankConv2d
from .base import DepthwiseKernelConv2d
from .kernels import KERNEL_KINDS, KernelTable, check_keys, kernels_from

__all__ = ["NORMS", "SHARES", "DepthwiseKernelConv2d", "FilterBankConv2d", "ScaleSpaceConv2d", "key_parameters"]

SHARES = ("channel", "key", "layer")
"""What a set of scales belongs to: a channel, all channels of a key, or the whole layer."""
NORMS = {"none": None, "l1": 1, "l2": 2}
"""Norms that a filter may be divided by, with their powers."""


class ScaleSpaceConv2d(DepthwiseKernelConv2d):
    r"""Depthwise convolution with idealised filters, given by key and scales.

    Channel c has the weight

    .. math:: w_c = a_c\, f_{k_c}(\sigma_{x,c}, \sigma_{y,c}, \gamma_c) / \|f\| + b_c

    with f the idealised filter of :func:`keyfilters.ideal_filter` (discrete Gaussian, exact at scale 0),
    gain a, offset b, and the norm as ``normalize`` says. The trained quantity is r with
    :math:`s = \sigma^2 = r^2`: non-negative by construction, smooth through 0. (At r = 0 the gradient
    vanishes, as for any parametrisation that reaches the end of the half-line smoothly.)

    Parameters
    ----------
    channels : int
        Input channels.
    kernel_size : int
        Odd.
    stride, dilation : int or pair
    padding : "same", "valid", "dynamic", int or pair
        ``"same"`` is (n - 1) / 2 times the dilation; ``"dynamic"`` is TensorFlow's, as in timm's Conv2dSame.
    bias : bool
    keys : sequence of int, optional
        Key of each output channel; default: 1 to 8 in turn.
    sigma_x, sigma_y : float or sequence, optional
        Grid units: one number, 8 (one per key) or one per output channel. Default: the scales that
        ``method`` fits to the learned filters.
    gamma : float or sequence, optional
        Amount of sharpening of key 7, likewise.
    method : str
        ``"A"`` to ``"D2"`` or a joint one, for what is not given.
    gain, offset : float or sequence
        Per output channel.
    learn_scales, learn_gamma, learn_gain : bool
        What is trained (gain and offset together).
    multiplier : int
        Output channels per input channel.
    share : {"channel", "key", "layer"}
        Whether each channel has its own scales, the channels of a key share theirs, or all of the layer.
        (For ``"layer"`` the mean over the keys that occur is the start.)
    kind : {"discrete", "sampled"}
        Smoothing kernel; the sampled one needs scales > 0.
    edge : {"crop", "exact"}
        Border of the model, see :func:`keyfilters.ideal_filter`.
    normalize : {"none", "l1", "l2"}
        Norm that f is divided by.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What stands beyond the border of the input, as in ``nn.Conv2d``.
    device : str or torch.device, optional
        Where the tensors are made; default: torch's own.
    dtype : torch.dtype, optional
        Of the weights; default: torch's own, usually float32.

    Input (N, channels, H, W), output (N, channels * multiplier, H', W').

    Raises
    ------
    ValueError
        For a size, key, scale, shape or option that is not allowed.

    Examples
    --------
    >>> layer = ScaleSpaceConv2d(16, learn_scales=True)
    >>> layer(torch.zeros(1, 16, 12, 12)).shape, sorted(name for name, _ in layer.named_parameters())
    (torch.Size([1, 16, 12, 12]), ['bias', 'raw_x', 'raw_y'])
    >>> layer.fold()
    Conv2d(16, 16, kernel_size=(7, 7), stride=(1, 1), padding=(3, 3), groups=16)
    """

    def __init__(
        self, channels, kernel_size=7, stride=1, padding="same", dilation=1, bias=True, *,
        keys=None, sigma_x=None, sigma_y=None, gamma=None, method="B", gain=1.0, offset=0.0,
        learn_scales=False, learn_gamma=False, learn_gain=False, multiplier=1, share="channel",
        kind="discrete", edge="crop", normalize="none", padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        factory = {"device": device, "dtype": dtype or torch.get_default_dtype()}
        super().__init__(
            channels, kernel_size, stride, padding, dilation, multiplier, bias, padding_mode, gain, offset, learn_gain, factory
        )
        self.share, self.kind = choice(share, SHARES, "share"), choice(kind, KERNEL_KINDS, "kind")
        self.edge, self.normalize = choice(edge, MODEL_EDGES, "edge"), choice(normalize, NORMS, "normalize")
        keys = check_keys(np.arange(self.out_channels) % 8 + 1 if keys is None else keys)
        if len(keys) != self.out_channels:
            raise ValueError(f"keys has {len(keys)} entries: expected {self.out_channels}, one per output channel")
        self.register_buffer("keys", torch.tensor(keys, device=device))
        start = _start(keys, sigma_x, sigma_y, gamma, method)
        if self.kind == "sampled" and min(start[0].min(), start[1].min()) == 0:
            raise ValueError("sigma is 0: the sampled Gaussian needs a scale > 0 (kind='discrete' is exact at 0)")
        # One row of filters per set of scales: as many as channels, or one per key.
        if share == "channel":
            row_keys, row = keys, None
        else:
            row_keys, first, row = np.unique(keys, return_index=True, return_inverse=True)
            means = [np.bincount(row, v) / np.bincount(row) for v in start]
            # A mean of equal numbers can differ from them in the last digit.
            start = [np.where(np.abs(m - v[first]) < 1e-12, v[first], m) for m, v in zip(means, start, strict=True)]
            if share == "layer":
                start[:2] = [v.mean(keepdims=True) for v in start[:2]]
        self._rows = len(row_keys)
        self.register_buffer("_row", None if row is None else torch.tensor(row, device=device), persistent=False)
        table = KernelTable(row_keys, self.kernel_size[0], edge, 2 * max(v.max() for v in start[:2]))
        self.size = table.size
        for name in KernelTable.TENSORS:
            tensor = getattr(table, name).to(device)
            self.register_buffer(name, tensor, persistent=False)
        for name, value, learned in zip(("raw_x", "raw_y", "raw_gamma"), start, (learn_scales, learn_scales, learn_gamma), strict=True):
            tensor = torch.tensor(value, **factory)
            if learned:
                setattr(self, name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)
        # The first weights come from the scales in double precision, whatever the layer's own.
        self._exact_start = [torch.tensor(v, device=device, dtype=torch.float64) for v in start]
        self.refresh()
        self._exact_start = None

    def _sets(self) -> list[torch.Tensor]:
        values = self._exact_start or [self.raw_x, self.raw_y, self.raw_gamma]
        return [v.expand(self._rows) for v in values]

    def _of_channels(self, value) -> torch.Tensor:
        value = value.expand(self._rows)
        return value if self._row is None else value[self._row]

    @property
    def sigma_x(self) -> torch.Tensor:
        """Scales along x, grid units, shape (C,)."""
        return self._of_channels(self.raw_x.abs())

    @property
    def sigma_y(self) -> torch.Tensor:
        """Scales along y, grid units, shape (C,)."""
        return self._of_channels(self.raw_y.abs())

    @property
    def gamma(self) -> torch.Tensor:
        """Amount of sharpening, shape (C,); without meaning where the key is not 7."""
        return self._of_channels(self.raw_gamma)

    def filters(self) -> torch.Tensor:
        raw_x, raw_y, gamma = (v.float() if v.dtype.itemsize < 4 else v for v in self._sets())
        table = _Cast(self, raw_x.dtype)
        f = kernels_from(table, raw_x**2, raw_y**2, gamma, self.kind)
        power = NORMS[self.normalize]
        if power:
            f = f / torch.linalg.vector_norm(f, power, dim=(-2, -1), keepdim=True)
        return f if self._row is None else f[self._row]

    @classmethod
    def from_conv(cls, conv, keys=None, sigma_x=None, sigma_y=None, gamma=None, gain=1.0, offset=0.0, **options):
        """A layer in place of a depthwise convolution, with its stride, padding, dilation, bias, device and dtype.

        Further keywords as in the constructor. Raises ``ValueError`` if ``conv`` is not depthwise or its
        kernel not an odd square.
        """
        given = cls._geometry(conv) | options
        layer = cls(
            kernel_size=conv.kernel_size[0], keys=keys, sigma_x=sigma_x, sigma_y=sigma_y, gamma=gamma, gain=gain, offset=offset, **given
        )
        return layer._take_over(conv)


class _Cast:
    """The tables of a layer, floating point ones in the dtype of the scales."""

    def __init__(self, layer, dtype):
        self.size = layer.size
        for name in KernelTable.TENSORS:
            tensor = getattr(layer, name)
            setattr(self, name, tensor.to(dtype) if tensor.dtype.is_floating_point else tensor)


def _start(keys, sigma_x, sigma_y, gamma, method) -> list[np.ndarray]:
    """Scales and gamma of each channel, from what was given and the fits of a method."""

    def spread(value, name, check):
        if value is None:
            return None
        value = check(value.detach().cpu() if isinstance(value, torch.Tensor) else value, name)
        if value.shape == (8,):
            # One per key. (Eight channels with the keys 1 to 8 in turn mean the same.)
            return value[keys - 1] if len(keys) != 8 else value
        if value.shape not in ((), (len(keys),)):
            raise ValueError(f"{name} has shape {value.shape}: expected one number, 8 (one per key) or {len(keys)}, one per output channel")
        return np.broadcast_to(value, keys.shape)

    given = [spread(sigma_x, "sigma_x", scales), spread(sigma_y, "sigma_y", scales), spread(gamma, "gamma", finite)]
    if any(v is None for v in given):
        fitted = key_parameters(method)
        given = [fitted[i][keys - 1] if v is None else v for i, v in enumerate(given)]
    return [np.array(v, dtype=np.float64) for v in given]


_FITS: dict[str, np.ndarray] = {}


def key_parameters(method: str = "B") -> np.ndarray:
    """sigma_x, sigma_y and gamma that a method fits to the eight learned filters.

    Parameters
    ----------
    method : {"A", "B", "C1", "C2", "D1", "D2", "A-joint", "B-joint", "C-joint", "D-joint"}

    Returns
    -------
    ndarray, shape (3, 8)
        gamma is 0 but for key 7.

    Raises
    ------
    ValueError
        For an unknown method.

    Examples
    --------
    >>> key_parameters("D2").shape
    (3, 8)
    """
    from ...fitting import JOINT_METHODS, METHODS, fit, fit_joint

    choice(method, (*METHODS, *JOINT_METHODS), "method")
    if method not in _FITS:
        fits = fit_joint(method).values() if method in JOINT_METHODS else [fit(k, method) for k in range(1, 9)]
        _FITS[method] = np.array([(f.sigma_x, f.sigma_y, f.gamma or 0.0) for f in fits]).T
    return _FITS[method].copy()
