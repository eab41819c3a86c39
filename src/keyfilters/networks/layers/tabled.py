"""Weights whose filters come from a table of Gaussian factors: kept where nothing changed, computed where scales are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ...choices import Edge
from .base import ComputedWeight
from .kernels import KernelTable, reach_of

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
