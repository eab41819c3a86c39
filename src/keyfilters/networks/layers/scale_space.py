"""Depthwise convolution with idealised filters, given by key and scales, or with frozen filters of any origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike

from ...checks import choice, finite, odd_size, scales
from ...choices import Edge, LayerKernel, Normalization, Share
from ...filters import KEYS, SHARPENING
from ...fitting.joint import key_parameters
from ...models import MODEL_EDGES
from .base import ComputedWeight, ConvGeometry, DepthwiseKernelConv2d, Device, PerChannel
from .kernels import AXES, KERNEL_KINDS, check_keys, kernels_from, reach_of, strips_from
from .tabled import TabledWeight, precise

__all__ = [
    "NORMS", "SHARES", "ConvGeometry", "DepthwiseKernelConv2d", "FilterBankConv2d", "FilterBankWeight", "ScaleSpaceConv2d",
    "ScaleSpaceWeight",
]  # fmt: skip


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


SHARES = ("channel", "key", "layer")
"""What a set of scales belongs to: a channel, all channels of a key, or the whole layer."""
NORMS = {"none": None, "l1": 1, "l2": 2}
"""Norms that a filter may be divided by, with their powers."""
SHARPENING_KEY = next(row.number for row in KEYS if row.kind == SHARPENING)
"""The key that is no difference along an axis: its filters of one row or column have their scale across as well."""


class ScaleSpaceWeight(TabledWeight):
    """Weights of idealised filters, given by key and scales, as a parametrisation of a convolution's own weight.

    The parameters are those of :class:`ScaleSpaceConv2d`; ``channels`` are output channels. ``size`` is a number n for
    n x n, or (1, n), (n, 1) or, for a 1-D convolution, (n,): filters of one row or column are the factor of their key along
    their axis, with one scale (key 7: the row or column through the centre of the filter of equal scales); keys that are a
    difference across are refused.

    Attributes
    ----------
    keys : tensor, shape (C,)
        1 to 8. Stored as floating point, so that a moving average of equal keys rounds to that key.
    form : tensor, shape (6,)
        Which of ``SHARES``, ``KERNEL_KINDS``, ``MODEL_EDGES`` and ``NORMS`` the scales are meant for, and the rows and columns
        of the filters: stored with them, so that a state does not load into weights of another kind.
    axis : str
        ``"x"`` or ``"y"`` of filters of one row or column, else "".
    """

    if TYPE_CHECKING:  # registered as parameters or buffers
        keys: torch.Tensor
        form: torch.Tensor
        raw_x: torch.Tensor
        raw_y: torch.Tensor
        raw_gamma: torch.Tensor

    def __init__(
        self,
        channels: int,
        size: int | tuple[int, int] = 7,
        *,
        keys: ArrayLike | None = None,
        sigma_x: PerChannel | None = None,
        sigma_y: PerChannel | None = None,
        gamma: PerChannel | None = None,
        method: str = "B",
        gain: PerChannel = 1.0,
        offset: PerChannel = 0.0,
        learn_scales: bool = False,
        learn_gamma: bool = False,
        learn_gain: bool = False,
        share: Share = "channel",
        kind: LayerKernel = "discrete",
        edge: Edge = "crop",
        normalize: Normalization = "none",
        device: Device = None,
        dtype: torch.dtype | None = None,
    ):
        factory: dict[str, Any] = {"device": device, "dtype": dtype or torch.get_default_dtype()}
        super().__init__(channels, gain, offset, learn_gain, factory)
        self._shape(size)
        self.share, self.kind = choice(share, SHARES, "share"), choice(kind, KERNEL_KINDS, "kind")
        self.edge, self.normalize = choice(edge, MODEL_EDGES, "edge"), choice(normalize, NORMS, "normalize")
        keys = check_keys(np.arange(channels) % 8 + 1 if keys is None else keys)
        if len(keys) != channels:
            raise ValueError(f"keys has {len(keys)} entries: expected {channels}, one per output channel")
        if across := self._across(keys):
            raise ValueError(across)
        if given := [
            f"sigma_{a}" for a, v in (("x", sigma_x), ("y", sigma_y)) if self.axis and a != self.axis and v is not None
        ]:
            raise ValueError(f"{given[0]} is given: filters along {self.axis} have no scale across")
        self.register_buffer("keys", torch.tensor(keys, **factory))
        self.register_buffer("form", torch.tensor(self._own_form(), **factory))
        start = _start(keys, sigma_x, sigma_y, gamma, method)
        if self.axis:
            start[:2] = [start["xy".index(self.axis)]] * 2
        if self.kind == "sampled" and min(start[0].min(), start[1].min()) == 0:
            raise ValueError("sigma is 0: the sampled Gaussian needs a scale > 0 (kind='discrete' is exact at 0)")
        # One row of filters per set of scales: as many as channels, or one per key.
        if share != "channel":
            _, first, row = np.unique(keys, return_index=True, return_inverse=True)
            means = [np.bincount(row, v) / np.bincount(row) for v in start]
            # A mean of equal numbers can differ from them in the last digit.
            start = [np.where(np.abs(m - v[first]) < 1e-12, v[first], m) for m, v in zip(means, start, strict=True)]
        self._rows = len(start[0])
        if share == "layer":
            start[:2] = [v.mean(keepdims=True) for v in start[:2]]
        for name, value, learned in zip(
            ("raw_x", "raw_y", "raw_gamma"), start, (learn_scales, learn_scales, learn_gamma), strict=True
        ):
            if name not in ("raw_x", "raw_y") or not self.axis or name == f"raw_{self.axis}":
                self._register(name, torch.tensor(value, **factory), learned)
        self._table = self._new_table(reach_of(max(v.max() for v in start[:2])))

    def _shape(self, size) -> None:
        """Take the size: a number, or that of a kernel."""
        known = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
        self.flat = len(known) == 1
        rows, columns = (1, *known) if self.flat else known
        self.size, self.axis = odd_size(max(rows, columns), "kernel_size"), ""
        if rows != columns:
            if min(rows, columns) != 1:
                raise ValueError(f"kernel_size is {rows}x{columns}: expected an odd square, or one row or column")
            self.axis = "x" if rows == 1 else "y"
        self._rows_and_columns = (rows, columns)

    def _own_form(self) -> tuple[int, ...]:
        """What ``form`` holds, from what the weights were made with: the buffer of a network made empty holds anything."""
        choices = (SHARES, self.share), (KERNEL_KINDS, self.kind), (MODEL_EDGES, self.edge), (tuple(NORMS), self.normalize)
        return (*(known.index(chosen) for known, chosen in choices), *self._rows_and_columns)

    def _across(self, keys) -> str:
        """What is wrong with keys of filters of one row or column; "" if nothing."""
        across = [row.number for row in KEYS if self.axis and row.derivative_axis == 1 - "xy".index(self.axis)]
        wrong = [k for k in np.unique(np.rint(keys)).astype(int).tolist() if k in across]
        return f"key {wrong[0]} is a difference across filters along {self.axis}: they have no such key" if wrong else ""

    @property
    def _raw(self) -> tuple[torch.Tensor, ...]:
        """The roots of the variances: along x and y, or along the one axis."""
        return (getattr(self, f"raw_{self.axis}"),) if self.axis else (self.raw_x, self.raw_y)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors):
        found = {name: state_dict.get(prefix + name) for name in ("keys", "form")}
        known = {name: t for name, t in found.items() if isinstance(t, torch.Tensor) and not t.is_meta}
        if "keys" in known and not bool(((known["keys"].round() >= 1) & (known["keys"].round() <= len(KEYS))).all()):
            errors.append(f"{prefix}keys holds other numbers than those of keys, 1 to {len(KEYS)}")
        elif "keys" in known and (across := self._across(known["keys"].float().cpu().numpy())):
            errors.append(f"{prefix}keys: {across}")
        elif (
            "form" in known
            and known["form"].shape == self.form.shape
            and tuple(known["form"].round().tolist()) != self._own_form()
        ):
            errors.append(
                f"{prefix}form: the scales were stored for {_form_text(known['form'].round().tolist())}, these weights are made with {_form_text(self._own_form())}"
            )
        else:
            super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)

    # Sets of scales

    def _key_numbers(self) -> torch.Tensor:
        return self.keys.round().long()

    def _check_keys(self) -> None:
        """``ValueError`` where the keys are no whole numbers: a mean over networks with different keys."""
        if not self.keys.is_cpu or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return
        try:
            off = float((self.keys - self.keys.round()).abs().max())
        except RuntimeError:  # no values of their own, inside vmap for example
            return
        if off > 0.1:
            raise ValueError(
                "keys are no whole numbers: a mean over networks with different keys has no key filters; load the state of one of them"
            )

    def _set_of_key(self, keys) -> torch.Tensor:
        """Row of each key among the keys that occur, shape (8,)."""
        numbers = torch.arange(1, len(KEYS) + 1, device=keys.device)
        return ((keys[:, None] == numbers).any(0).cumsum(0) - 1).clamp(min=0)

    def _of_channels(self, value) -> torch.Tensor:
        if self.share == "channel":
            return value
        keys = self._key_numbers()
        return value.expand(self._rows)[self._set_of_key(keys)[keys - 1]]

    @property
    def sigma_x(self) -> torch.Tensor:
        """Scales along x, grid units, shape (C,); of filters of one column NaN, but for key 7."""
        return self._of_channels(self.raw_x.abs()) if self.axis != "y" else self._beside()

    @property
    def sigma_y(self) -> torch.Tensor:
        """Scales along y, grid units, shape (C,); of filters of one row NaN, but for key 7."""
        return self._of_channels(self.raw_y.abs()) if self.axis != "x" else self._beside()

    def _beside(self) -> torch.Tensor:
        along = self._of_channels(self._raw[0].abs())
        return torch.where(self._key_numbers() == SHARPENING_KEY, along, torch.nan)

    @property
    def gamma(self) -> torch.Tensor:
        """Amount of sharpening, shape (C,); without meaning where the key is not 7."""
        return self._of_channels(self.raw_gamma)

    def filters(self) -> torch.Tensor:
        """The idealised filter of each channel, shape (C, n, n)."""
        self._check_keys()
        *raw, gamma = (v.to(precise(v.dtype)) for v in (*self._raw, self.raw_gamma))
        table, keys = self._current_table(raw), self._key_numbers()
        if self.share == "channel":
            rows = keys
        else:
            # All eight filters, with the scales of those keys that occur.
            sets = self._set_of_key(keys)
            *raw, gamma = (v.expand(self._rows)[sets] for v in (*raw, gamma))
            rows = torch.arange(1, len(KEYS) + 1, device=keys.device)
        variances = [v**2 for v in raw]
        if self.axis:
            f = strips_from(table, rows, variances[0], gamma, self.axis, self.kind).unsqueeze(-AXES[self.axis] - 1)
        else:
            f = kernels_from(table, rows, variances[0], variances[1], gamma, self.kind)
        power = NORMS[self.normalize]
        if power:
            f = f / torch.linalg.vector_norm(f, power, dim=(-2, -1), keepdim=True)
        return f if self.share == "channel" else f[keys - 1]

    @classmethod
    def of(
        cls,
        conv: Any,
        keys: ArrayLike | None = None,
        sigma_x: PerChannel | None = None,
        sigma_y: PerChannel | None = None,
        gamma: PerChannel | None = None,
        gain: PerChannel = 1.0,
        offset: PerChannel = 0.0,
        **options: Any,
    ) -> ScaleSpaceWeight:
        """Weights for a depthwise convolution: its channels, size, device and dtype. Further keywords as in the constructor."""
        own = {"device": conv.weight.device, "dtype": conv.weight.dtype}
        return cls(
            conv.out_channels, conv.kernel_size, keys=keys, sigma_x=sigma_x, sigma_y=sigma_y, gamma=gamma, gain=gain,
            offset=offset, **(own | options),
        )  # fmt: skip


def _form_text(form) -> str:
    names = (SHARES, KERNEL_KINDS, MODEL_EDGES, list(NORMS))
    *chosen, rows, columns = (int(i) for i in form)
    values = [known[i] for known, i in zip(names, chosen, strict=True)]
    return (
        ", ".join(f"{name}={value}" for name, value in zip(("share", "kind", "edge", "normalize"), values, strict=True))
        + f", {rows}x{columns}"
    )


class ScaleSpaceConv2d(DepthwiseKernelConv2d, ScaleSpaceWeight):
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
    share : {"channel", "key", "layer"}
        Whether each channel has its own scales, the channels of a key share theirs, or all of the layer.
        (For ``"layer"`` the mean over the keys that occur is the start.)
    kind : {"discrete", "sampled"}
        Smoothing kernel; the sampled one needs scales > 0.
    edge : {"crop", "exact"}
        Border of the model, see :func:`keyfilters.ideal_filter`.
    normalize : {"none", "l1", "l2"}
        Norm that f is divided by.
    **geometry
        The convolution, as ``nn.Conv2d`` names it: ``out_channels`` (a multiple of the channels), ``stride``, ``padding``
        (default ``"same"``), ``dilation``, ``bias``, ``padding_mode``, ``device``, ``dtype``; see
        :class:`keyfilters.networks.layers.base.ConvGeometry`.

    Input (N, channels, H, W), output (N, out_channels, H', W'). The kernels are stored as those of a
    convolution, and the layer correlates, as ``nn.Conv2d`` and the networks with learned weights do: an odd key
    responds with the opposite sign of the convolution.

    Raises
    ------
    ValueError
        For a size, key, scale, shape or option that is not allowed.
    TypeError
        For a keyword that neither the filters nor ``nn.Conv2d`` have.

    Examples
    --------
    On the ramp f(x) = x, whose difference is +1, key 2 responds with -1:

    >>> ramp = torch.arange(9.0).expand(1, 1, 9, 9)
    >>> difference = ScaleSpaceConv2d(1, keys=[2], sigma_x=0.0, sigma_y=0.0, bias=False)
    >>> float(difference(ramp).detach()[0, 0, 4, 4])
    -1.0

    >>> layer = ScaleSpaceConv2d(16, learn_scales=True)
    >>> layer(torch.zeros(1, 16, 12, 12)).shape, sorted(name for name, _ in layer.named_parameters())
    (torch.Size([1, 16, 12, 12]), ['bias', 'raw_x', 'raw_y'])
    >>> layer.fold()
    Conv2d(16, 16, kernel_size=(7, 7), stride=(1, 1), padding=(3, 3), groups=16)
    """

    def __init__(
        self, channels: int, kernel_size: int = 7, *positional: Any,
        keys: ArrayLike | None = None, sigma_x: PerChannel | None = None, sigma_y: PerChannel | None = None,
        gamma: PerChannel | None = None, method: str = "B", gain: PerChannel = 1.0, offset: PerChannel = 0.0,
        learn_scales: bool = False, learn_gamma: bool = False, learn_gain: bool = False, share: Share = "channel",
        kind: LayerKernel = "discrete", edge: Edge = "crop", normalize: Normalization = "none", **geometry: Unpack[ConvGeometry],
    ):  # fmt: skip
        whole = self._complete(channels, geometry, positional)
        ScaleSpaceWeight.__init__(
            self, int(whole["out_channels"]), kernel_size, keys=keys, sigma_x=sigma_x, sigma_y=sigma_y, gamma=gamma,
            method=method, gain=gain, offset=offset, learn_scales=learn_scales, learn_gamma=learn_gamma,
            learn_gain=learn_gain, share=share, kind=kind, edge=edge, normalize=normalize,
            device=whole["device"], dtype=whole["dtype"],
        )  # fmt: skip
        self._convolve(channels, kernel_size, whole)

    @classmethod
    def from_conv(
        cls,
        conv: Any,
        keys: ArrayLike | None = None,
        sigma_x: PerChannel | None = None,
        sigma_y: PerChannel | None = None,
        gamma: PerChannel | None = None,
        gain: PerChannel = 1.0,
        offset: PerChannel = 0.0,
        **options: Any,
    ) -> ScaleSpaceConv2d:
        """A layer in place of a depthwise convolution, with its stride, padding, dilation, bias, device and dtype.

        Further keywords as in the constructor. Raises ``ValueError`` if ``conv`` is not depthwise, its kernel not an
        odd square, or its class or its hooks do more than ``nn.Conv2d`` (but for timm's Conv2dSame).
        """
        own: dict[str, Any] = {
            "keys": keys,
            "sigma_x": sigma_x,
            "sigma_y": sigma_y,
            "gamma": gamma,
            "gain": gain,
            "offset": offset,
        }
        return cls(conv.in_channels, conv.kernel_size[0], **own, **(cls._geometry(conv) | options))._take_over(conv)


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
            raise ValueError(
                f"{name} has shape {value.shape}: expected one number, 8 (one per key) or {len(keys)}, one per output channel"
            )
        return np.broadcast_to(value, keys.shape)

    given = [spread(sigma_x, "sigma_x", scales), spread(sigma_y, "sigma_y", scales), spread(gamma, "gamma", finite)]
    if any(v is None for v in given):
        fitted = key_parameters(method)
        given = [fitted[i][keys - 1] if v is None else v for i, v in enumerate(given)]
    return [np.array(v, dtype=np.float64) for v in given]
