"""Depthwise convolution with idealised filters, given by key and scales, of one to three axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from ...checks import choice, finite, odd_size, scales
from ...choices import Edge, LayerKernel, Normalization, Share
from ...filters import KEYS, SHARPENING, axis_keys
from ...fitting.joint import key_parameters
from ...models import MODEL_EDGES
from .base import ComputedWeight, ConvGeometry, DepthwiseKernelConv, DepthwiseKernelConv2d, Device, PerChannel
from .kernels import (
    AXES,
    KERNEL_KINDS,
    TABLED_OPERATORS,
    KernelTable,
    axis_factors,
    check_keys,
    kernels_from,
    reach_of,
    strips_from,
)

__all__ = [
    "AXIS_LETTERS", "FAR", "NORMS", "SHARES", "ConvGeometry", "DepthwiseKernelConv2d",
    "ScaleSpaceConv1d", "ScaleSpaceConv2d", "ScaleSpaceConv3d", "ScaleSpaceWeight", "SeparableWeight", "TabledWeight", "precise",
]  # fmt: skip

FAR = 64.0
"""Grid units. Filters of greater scales are next to constant in any kernel."""


class TabledWeight(ComputedWeight):
    """The base of weights that are made of discrete Gaussians, whatever their number of axes.

    Subclasses set ``size`` and ``edge``, then ``_table`` by ``_new_table``, and say which parameters ``_raw`` are the roots of variances.
    """

    if TYPE_CHECKING:  # set by subclasses
        size: int
        edge: Edge
        _table: KernelTable

    _kept: tuple[list, list, torch.Tensor] | None = None

    @property
    def _raw(self) -> tuple[torch.Tensor, ...]:
        """The roots of the variances."""
        raise NotImplementedError

    def kernels(self) -> torch.Tensor:
        """The weights that the convolution uses, shape (C, 1, n, n), or that of 1-D filters.

        Where no gradient is asked for they are kept, together with a copy of the parameters and buffers that they were
        computed from, and computed anew when one of those is another tensor or has other values.
        """
        state = [t for own in (self._parameters, self._buffers) for name, t in own.items() if name != "bias" and t is not None]
        if not _may_keep(state):
            return super().kernels()
        kept = self._kept
        # Versions of tensors do not tell of a change through ``.data``: the values themselves are compared.
        if kept is None or not all(a is b and _equal(a, c) for a, b, c in zip(state, *kept[:2], strict=True)):
            kept = self._kept = (state, [t.detach().clone() for t in state], super().kernels())
        # A copy, so that nobody writes into what is kept.
        return kept[2].clone()

    def __getstate__(self):
        return self.__dict__ | {"_kept": None}

    # Tables: constants for a size and an edge. They are no part of the state, and no conversion rounds them.

    def _new_table(self, reach: float) -> KernelTable:
        raw = self._raw[0]
        # What is made in inference mode could not be trained with afterwards.
        with torch.inference_mode(False):
            # Elsewhere than on a CPU a look at the scales would make it wait: the table is wide enough for all that a kernel shows.
            return KernelTable(self.size, self.edge, reach if raw.is_cpu else FAR, precise(raw.dtype), raw.device)

    def _current_table(self, raw) -> KernelTable:
        """The table for these scales, and for no others that were there before: its size shows in the last digit."""
        table, first = self._table, raw[0]
        own = table.dtype == first.dtype and table.device == first.device
        reach = table.reach
        if first.is_cpu and not (torch.compiler.is_compiling() or torch.jit.is_tracing()):
            try:
                widest = max(float(v.detach().abs().max()) for v in raw)
                reach = reach_of(widest) if widest < float("inf") else reach
            except RuntimeError:  # no values of their own, inside vmap for example
                pass
        if own and reach == table.reach:
            return table
        if not own:
            return KernelTable(self.size, self.edge, reach, first.dtype, first.device)
        self._table = self._new_table(reach)
        return self._table

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self._table = self._new_table(self._table.reach)
        return self


def _may_keep(state) -> bool:
    """True where comparing values is cheap and possible: plain tensors on a CPU, no gradient wanted, nothing that traces.

    Autocast rounds what is computed under it: kept, it would be handed out where nobody asked for fewer digits.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.is_autocast_enabled("cpu"):
        return False
    if torch.is_grad_enabled() and any(t.requires_grad for t in state):
        return False
    return all(type(t) in (torch.Tensor, nn.Parameter) and t.is_cpu for t in state)


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    try:
        return a.dtype == b.dtype and torch.equal(a, b)
    except RuntimeError:  # no values of their own, inside vmap for example
        return False


def precise(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which filters are computed: single precision at least."""
    return torch.float32 if dtype.itemsize < 4 else dtype


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
