"""Idealised filters in torch: differentiable in their scales, all channels at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from ...checks import choice, odd_size
from ...choices import Edge, LayerKernel
from ...differences import difference
from ...filters import KEYS, SHARPENING
from ...gaussian import _cosines, _period
from ...models import MODEL_EDGES, factor
from .base import Device, PerChannel

KERNEL_KINDS = ("discrete", "sampled")
WIDEST = 4.0
"""Grid units. Up to this scale at least, the periodic lattice keeps aliasing below rounding."""
AXES = {"x": 1, "y": 0}
"""Axis of an array along which 1-D filters lie; one along x is a row."""

TABLED_OPERATORS = ("identity", "backward", "forward", "central", "second")
"""Operators along an axis, in the order in which their factors stand side by side."""
_PLAIN, _SECOND = TABLED_OPERATORS.index("identity"), TABLED_OPERATORS.index("second")
_SHARPENING = next(row.number for row in KEYS if row.kind == SHARPENING)
# Column of a key's operator along each axis, by its number (there is no key 0); of sharpening the first of two terms.
_ALONG_X = [0] + [_SECOND if row.number == _SHARPENING else TABLED_OPERATORS.index(row.x) for row in KEYS]
_ALONG_Y = [0] + [_PLAIN if row.number == _SHARPENING else TABLED_OPERATORS.index(row.y) for row in KEYS]


@lru_cache(maxsize=32)
def _factors_of_taps(size: int, edge: Edge) -> np.ndarray:
    """Matrix (size // 2 + 2, operators * size) from the taps n = 0 .. size//2 + 1 to the factors of all operators."""
    radius = size // 2 + 1
    mirror = np.eye(radius + 1)[np.abs(np.arange(-radius, radius + 1))].T
    columns = []
    for operator in TABLED_OPERATORS:
        if operator == "second" and edge == "crop":
            columns.append(difference(mirror[:, 1:-1], operator, edge="zero"))
        else:
            columns.append(factor(operator, mirror, edge))
    return np.concatenate(columns, axis=1)


@lru_cache(maxsize=32)
def _spectral(size: int, edge: Edge, period: int) -> tuple[np.ndarray, np.ndarray]:
    """Exponents (F,) and matrix (F, operators * size) with ``exp(s * exponents) @ matrix`` = factors at variance s."""
    exponent, cosines = _cosines(size // 2 + 1, period)
    return exponent, cosines @ _factors_of_taps(size, edge)


def half_gaussian(variance: torch.Tensor, radius: int, kind: LayerKernel = "discrete") -> torch.Tensor:
    r"""Taps n = 0..radius of a Gaussian-like kernel, differentiable in the variance.

    discrete: :math:`T(n; s) = \frac1N \sum_k e^{s (\cos w_k - 1)} \cos(w_k n)`, :math:`w_k = 2 \pi k / N`;
    sampled: :math:`g(n; s) = e^{-n^2/2s} / \sqrt{2 \pi s}` (not defined at s = 0).

    Parameters
    ----------
    variance : tensor, shape (...)
        :math:`s = \sigma^2` in squared grid units, >= 0.
    radius : int
    kind : {"discrete", "sampled"}

    Returns
    -------
    tensor, shape (..., radius + 1)

    Raises
    ------
    ValueError
        For an unknown kind.

    Source: Lindeberg (1990); see :func:`keyfilters.discrete_gaussian`.

    Examples
    --------
    >>> half_gaussian(torch.zeros(1), 2)
    tensor([[1., 0., 0.]])
    """
    choice(kind, KERNEL_KINDS, "kind")
    if kind == "sampled":
        n = torch.arange(radius + 1, dtype=variance.dtype, device=variance.device)
        s = variance[..., None]
        return torch.exp(-(n**2) / (2 * s)) / torch.sqrt(2 * torch.pi * s)
    widest = float(variance.detach().max().sqrt()) if variance.numel() else 0.0
    exponent, cosines = _cosines(radius, _period(max(widest, WIDEST), radius))
    half = torch.exp(variance[..., None] * variance.new_tensor(exponent)) @ variance.new_tensor(cosines)
    impulse = torch.eye(1, radius + 1, dtype=variance.dtype, device=variance.device)[0]
    return torch.where(variance[..., None] == 0, impulse, half)


class KernelTable:
    """What :func:`kernels_from` needs and what depends neither on scales nor on keys.

    Attributes
    ----------
    exponent : tensor (F,), matrix : tensor (F, operators * size)
    taps : tensor (size // 2 + 2, operators * size)
        For the sampled kernel, and for the exact limit at scale 0.
    along_x, along_y : tensor of int (9,)
        Column block of each key's operator.
    reach : float
        Grid units: scales up to this one are exact to rounding.
    """

    def __init__(
        self, size: int, edge: Edge = "crop", widest: float = WIDEST, dtype: torch.dtype = torch.float64, device: Device = None
    ):
        self.size = odd_size(size)
        choice(edge, MODEL_EDGES, "edge")
        self.reach, self.dtype, self.device = max(float(widest), WIDEST), dtype, torch.device(device or "cpu")
        exponent, matrix = _spectral(self.size, edge, _period(self.reach, self.size // 2 + 1))
        own: dict[str, Any] = {"dtype": dtype, "device": device}
        self.exponent, self.matrix = torch.tensor(exponent, **own), torch.tensor(matrix, **own)
        self.taps = torch.tensor(_factors_of_taps(self.size, edge), **own)
        self.along_x, self.along_y = torch.tensor(_ALONG_X, device=device), torch.tensor(_ALONG_Y, device=device)


def axis_factors(variance: torch.Tensor, table: KernelTable, kind: LayerKernel) -> torch.Tensor:
    """Factors of all operators, shape (R, operators, size)."""
    if kind == "sampled":
        values = half_gaussian(variance, table.size // 2 + 1, kind) @ table.taps
    else:
        values = torch.exp(variance[:, None] * table.exponent) @ table.matrix
        # The sum is the unit impulse at s = 0 only up to rounding; tap 0 alone is the exact limit.
        values = torch.where(variance[:, None] == 0, table.taps[0], values)
    return values.view(len(variance), len(TABLED_OPERATORS), table.size)


def kernels_from(
    table: KernelTable,
    keys: torch.Tensor,
    variance_x: torch.Tensor,
    variance_y: torch.Tensor,
    gamma: torch.Tensor,
    kind: LayerKernel = "discrete",
) -> torch.Tensor:
    """Idealised filters (R, size, size) from a table, keys (tensor of int), variances and gamma (R,); no checks."""
    # y grows against the row index: the factors along y are flipped.
    x, y = axis_factors(variance_x, table, kind), axis_factors(variance_y, table, kind).flip(-1)
    rows = torch.arange(len(variance_x), device=variance_x.device)
    kernels = y[rows, table.along_y[keys], :, None] * x[rows, table.along_x[keys], None, :]
    curvature = kernels + y[:, _SECOND, :, None] * x[:, _PLAIN, None, :]
    impulse = torch.zeros_like(kernels[:1])
    impulse[:, table.size // 2, table.size // 2] = 1.0
    # Every gamma enters, so that each has a gradient: 0 where the key is not 7.
    return torch.where((keys == _SHARPENING)[:, None, None], impulse - gamma[:, None, None] * curvature, kernels)


def strips_from(
    table: KernelTable,
    keys: torch.Tensor,
    variance: torch.Tensor,
    gamma: torch.Tensor,
    axis: str,
    kind: LayerKernel = "discrete",
) -> torch.Tensor:
    """1-D idealised filters (R, size) along an axis: each key's factor along it, key 7 with the same scale across; no checks.

    Key 7 is the row through the centre of the filter in the plane. Keys that are a difference across have no such filter.
    """
    factors = axis_factors(variance, table, kind)
    along = table.along_x if axis == "x" else table.along_y
    if axis == "y":
        factors = factors.flip(-1)
    middle = table.size // 2
    plain, second = factors[:, _PLAIN], factors[:, _SECOND]
    curvature = second * plain[:, middle, None] + plain * second[:, middle, None]
    impulse = torch.zeros_like(plain[:1])
    impulse[:, middle] = 1.0
    kernels = factors[torch.arange(len(variance), device=variance.device), along[keys]]
    return torch.where((keys == _SHARPENING)[:, None], impulse - gamma[:, None] * curvature, kernels)


def reach_of(widest: float) -> float:
    """The reach of the table for scales up to ``widest``: of few steps, so that it follows from the scales alone.

    Examples
    --------
    >>> [reach_of(widest) for widest in (0.0, 4.0, 4.1, 20.0)]
    [4.0, 4.0, 8.0, 32.0]
    """
    return WIDEST * 2.0 ** max(0, int(np.ceil(np.log2(max(widest, WIDEST) / WIDEST))))


def ideal_kernels(
    keys: Sequence[int] | torch.Tensor,
    sigma_x: PerChannel,
    sigma_y: PerChannel,
    gamma: PerChannel | None = None,
    size: int = 7,
    edge: Edge = "crop",
    kind: LayerKernel = "discrete",
) -> torch.Tensor:
    r"""Idealised filters of many channels at once; the torch twin of :func:`keyfilters.ideal_filter`.

    Parameters
    ----------
    keys : sequence of int, shape (C,)
        1 to 8.
    sigma_x, sigma_y : tensor, shape (C,) or ()
        Scales in grid units; only their squares enter, so any sign will do. The result is
        differentiable in them, of their dtype and on their device.
    gamma : tensor, shape (C,) or (), optional
        Amount of sharpening; used by key 7 only.
    size : int
        Odd number of taps per axis.
    edge : {"crop", "exact"}
        As in :func:`keyfilters.ideal_filter`.
    kind : {"discrete", "sampled"}
        Smoothing kernel (see :func:`half_gaussian`).

    Returns
    -------
    tensor, shape (C, size, size)

    Raises
    ------
    ValueError
        For a key that is not there, an even size, an unknown edge or kind, or gamma missing for key 7.

    Source: Lindeberg, Babaiee and Kiasari (2026), section on idealised models.

    Examples
    --------
    >>> sigma = torch.tensor([0.0, 0.6], dtype=torch.float64)
    >>> ideal_kernels([2, 8], sigma, sigma, size=3)[0]
    tensor([[ 0.,  0.,  0.],
            [ 0.,  1., -1.],
            [ 0.,  0.,  0.]], dtype=torch.float64)
    """
    known = check_keys(keys)
    choice(kind, KERNEL_KINDS, "kind")
    sigma_x, sigma_y = torch.as_tensor(sigma_x), torch.as_tensor(sigma_y)
    dtype = torch.promote_types(sigma_x.dtype, sigma_y.dtype)
    dtype = dtype if dtype.is_floating_point else torch.get_default_dtype()
    if gamma is None:
        if (known == _SHARPENING).any():
            raise ValueError("gamma is missing: key 7 needs it, for example gamma=0.5")
        gamma = 0.0
    full = [torch.as_tensor(v, device=sigma_x.device).to(dtype).expand(len(known)) for v in (sigma_x, sigma_y, gamma)]
    widest = max(float(v.detach().abs().max()) if len(known) else 0.0 for v in full[:2])
    table, numbers = KernelTable(size, edge, widest, dtype, sigma_x.device), torch.tensor(known, device=sigma_x.device)
    return kernels_from(table, numbers, full[0] ** 2, full[1] ** 2, full[2], kind) + 0.0  # no negative zeros


def check_keys(keys: Any) -> np.ndarray:
    """``keys`` as an array of int; ValueError, naming the first that is not 1 to 8."""
    array = np.atleast_1d(np.asarray(keys.detach().cpu() if isinstance(keys, torch.Tensor) else keys))
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"keys has shape {array.shape} and dtype {array.dtype}: expected a list of integers from 1 to 8")
    wrong = array[(array < 1) | (array > len(KEYS))]
    if wrong.size:
        raise ValueError(f"unknown key {wrong[0]}: expected integers from 1 to 8")
    return array.astype(np.int64)
