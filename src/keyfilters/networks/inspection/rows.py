"""The rows of an inspection: numbers per layer, per key within a layer, per kernel size, per stride and padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...filters import KEYS
from ...fitting import JOINT_METHODS, METHODS
from ...fitting.parameters import key_parameters
from ...moments import spread
from ...uncertainty import bootstrap_interval
from ..surgery.depthwise import DYNAMIC, DepthwiseLayer
from ..surgery.matching import LayerMatch, Matches, centred
from ..surgery.nulls import NULLS, explained_interval
from ..surgery.printing import by_x
from ..surgery.scale_fits import OwnScales, fit_scales

POOLED = {"energy": "", "filters": "_mean", "median": "_median"}
"""Endings of the columns of explained variance, by pool."""
ENERGY = 0.99
"""Share of a layer's energy that its rank is counted up to."""
SPREAD_COLUMNS = ("mean_x", "mean_y", "shift_x", "shift_y", "xx", "xy", "yy", "l1")


@dataclass(frozen=True)
class LayerReport:
    """One depthwise layer.

    Attributes
    ----------
    match : LayerMatch
    padding, dilation : as in DepthwiseLayer
    spreads : ndarray, shape (C, 8)
        Columns ``SPREAD_COLUMNS``, of the filter less its matched offset, unweighted; NaN for dead filters.
        shift is the mean less that of the matched key's own filter. x grows to the right, y up.
    grid_shift : tuple of 2 floats
        The shift (x, y) that would put each output in the middle of the stride's cell; see :func:`grid_shift`.
    nulls : dict of str to dict of str to ndarray, shape (draws,)
        Explained variance under each null, pooled by energy, as the mean over filters and as the median.
    scales : OwnScales or None
        Scales of the matched key fitted to each filter; None where the filters are not the eight keys.
    rank : int
        How many directions hold 99 per cent of the energy of the live filters; 0 where the layer is not matched.
    filters : ndarray or None
        Those of a matched layer, shape (C, rows, columns), float32.
    """

    match: LayerMatch
    padding: object
    dilation: tuple[int, int]
    spreads: np.ndarray = field(repr=False)
    grid_shift: tuple[float, float]
    nulls: dict[str, dict[str, np.ndarray]] = field(repr=False)
    scales: OwnScales | None = field(repr=False, default=None)
    rank: int = 0
    filters: np.ndarray | None = field(repr=False, default=None)


def key_names(keys: int) -> list[str]:
    """What the keys are called: those of the catalogue where there are eight, else numbers."""
    return [row.name for row in KEYS] if keys == len(KEYS) else [f"filter {k}" for k in range(1, keys + 1)]


def grid_shift(
    kernel_size: tuple[int, int], stride: int | tuple[int, int], padding: Any, dilation: int | tuple[int, int] = (1, 1)
) -> tuple[float, float]:
    r"""Return the shift (x, y), y up, of a filter whose outputs sit in the middle of what they stand for.

    Output o of a layer with stride s stands for the inputs s o .. s o + s - 1, whose middle is
    :math:`s o + (s - 1)/2`; the window's centre is at :math:`s o - p + d (n - 1)/2` with p zeros of padding
    before the first input. The difference is the shift:

    .. math:: (s - 1)/2 + p - d (n - 1)/2

    Dynamic padding is taken for inputs that the stride divides:
    :math:`p = \lfloor \max(d (n - 1) + 1 - s, 0) / 2 \rfloor`.

    Examples
    --------
    >>> grid_shift((5, 5), (1, 1), (2, 2)), grid_shift((5, 5), (2, 2), (2, 2)), grid_shift((5, 5), (2, 2), "dynamic")
    ((0.0, 0.0), (0.5, -0.5), (-0.5, 0.5))
    """
    along = []
    for axis in (0, 1):
        reach, s = dilation[axis] * (kernel_size[axis] - 1), stride[axis]
        p = max(reach + 1 - s, 0) // 2 if padding == DYNAMIC else padding[axis]
        along.append((s - 1) / 2 + p - reach / 2)
    rows, columns = along
    return columns, 0.0 - rows


def _squared(h: np.ndarray) -> np.ndarray:
    rows, columns = h.shape
    side = max(rows, columns)
    up, left = (side - rows) // 2, (side - columns) // 2
    return np.pad(h, [(up, up), (left, left)])


def spreads_of(layer: DepthwiseLayer, found: LayerMatch, bank: np.ndarray | None) -> np.ndarray:
    """Spread measures of a layer's filters less their offsets, shape (C, 8), columns ``SPREAD_COLUMNS``."""
    table = np.full((found.channels, len(SPREAD_COLUMNS)), np.nan)
    if found.note:
        return table
    # A 1-D filter is one within a square of zeros.
    own = [spread(_squared(h)).mean if h.any() else (np.nan, np.nan) for h in bank]
    filters = layer.filters
    for c in np.flatnonzero(found.live):
        s = spread(_squared(filters[c] - found.offset[c]))
        (xx, xy), (_, yy) = s.covariance
        table[c] = (*s.mean, *(s.mean - own[found.key[c] - 1]), xx, xy, yy, s.l1_norm)
    return table


def scales_of(layer: Any, found: LayerMatch, method: str) -> OwnScales | None:
    """Scales of the matched keys fitted to each filter; None where the layer is not matched or the filters are not the eight keys."""
    if found.note or not isinstance(method, str) or method == "impulse":
        return None
    return fit_scales(layer.filters, found.key, *key_parameters(method if method in (*METHODS, *JOINT_METHODS) else "B"))


def rank_of(layer: Any, found: LayerMatch) -> int:
    """How many directions hold 99 per cent of the energy of a layer's live filters, each less its mean."""
    if found.note or not found.live.any():
        return 0
    bare = centred(layer.filters[found.live].reshape(int(found.live.sum()), -1))[0]
    held = np.linalg.svd(bare, compute_uv=False) ** 2
    return int(np.searchsorted(np.cumsum(held), ENERGY * held.sum()) + 1)


def fitted_row(layer: LayerReport, chosen: Any) -> dict:
    """Median scales of the chosen filters that determine them, and the explained variance of all with scales of their own, pooled by energy."""
    own, energy = layer.scales, layer.match.energy[chosen]
    if own is None or not len(energy):
        return {"sigma_x": math.nan, "sigma_y": math.nan, "explained_fitted": math.nan}
    share = float(np.average(own.explained[chosen], weights=energy / energy.max()))
    scales = {
        name: _over(np.median, values[chosen & firm])
        for name, values, firm in zip(("sigma_x", "sigma_y"), (own.sigma_x, own.sigma_y), own.determined, strict=True)
    }
    return scales | {"explained_fitted": share}


def _over(average, values) -> float:
    """The mean or median of those that are numbers."""
    values = values[~np.isnan(values)]
    return float(average(values)) if len(values) else math.nan


def _null_columns(kind: str, drawn) -> dict:
    """Mean of the draws, pooled in each way; their tail, pooled by energy."""
    found = {f"null_{kind}{suffix}": float(np.mean(drawn[pool])) if drawn else math.nan for pool, suffix in POOLED.items()}
    # A null of one draw has no tail.
    if NULLS[kind].varies:
        found[f"null_{kind}_95"] = float(np.quantile(drawn["energy"], 0.95)) if drawn else math.nan
    return found


def row_of(layer: LayerReport, keys: int, nulls: Any) -> dict:
    """A layer: geometry, the columns of ``Matches.frame()``, nulls, mean spread measures, note last."""
    row = Matches([layer.match], keys).frame().iloc[0].to_dict()
    note = row.pop("note")
    row = {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
    geometry = {"padding": by_x(layer.padding), "dilation": by_x(layer.dilation)}
    first = {k: row.pop(k) for k in ("layer", "size", "stride")}
    row = first | geometry | row
    for kind in nulls:
        row |= _null_columns(kind, layer.nulls.get(kind))
    row |= fitted_row(layer, layer.match.live) | {"rank": layer.rank}
    row |= {name: _over(np.mean, layer.spreads[:, i]) for i, name in enumerate(SPREAD_COLUMNS)}
    return row | {"grid_x": layer.grid_shift[0], "grid_y": layer.grid_shift[1], "note": note}


def by_key_of(layer: LayerReport) -> list[dict]:
    """Each key that occurs in a layer: how often, how often with a positive gain, what it explains, mean spread."""
    found, records = layer.match, []
    for key in np.unique(found.key[found.live]).tolist():
        chosen = found.key == key
        record = {"key": key, "channels": int(chosen.sum()), "explained_mean": float(found.explained[chosen].mean())}
        record["positive"] = int((found.gain[chosen] > 0).sum())
        record |= fitted_row(layer, chosen)
        records.append(record | {name: _over(np.mean, layer.spreads[chosen, i]) for i, name in enumerate(SPREAD_COLUMNS)})
    return records


def size_records(reports: Sequence, pooled: Any, keys: int, nulls: Any, seed: int) -> list[dict]:
    """Explained variance by kernel size, its interval over layers and filters, and the nulls."""
    records = []
    for size in sorted({r.match.kernel_size for r in reports if r.match.matched}):
        chosen = [r.match for r in reports if r.match.matched and r.match.kernel_size == size]
        matches = Matches(chosen, keys)
        record = {
            "size": by_x(size), "layers": len(chosen), "channels": sum(m.channels for m in chosen),
            "dead": sum(m.dead for m in chosen), "explained": matches.pooled(), "low": math.nan, "high": math.nan,
            "explained_mean": matches.pooled("filters"), "explained_median": matches.pooled("median"),
        }  # fmt: skip
        if any(m.live.any() for m in chosen):
            interval = explained_interval(matches, seed=seed)
            record |= {"low": interval.low, "high": interval.high}
        for kind in nulls:
            record |= _null_columns(kind, pooled.get((size, kind)))
        records.append(record)
    return records


def place_records(reports: Sequence, seed: int) -> list[dict]:
    """Mean offsets by size, stride and padding: over filters, with intervals over layers and filters."""
    groups: dict[tuple, list[LayerReport]] = {}
    for report in reports:
        if report.match.matched:
            m = report.match
            place = (m.kernel_size, m.stride, by_x(report.padding), report.dilation, report.grid_shift)
            groups.setdefault(place, []).append(report)
    records = []
    for (size, stride, padding, dilation, centre), members in sorted(groups.items()):
        record = {
            "size": by_x(size), "stride": by_x(stride), "padding": padding, "dilation": by_x(dilation),
            "layers": len(members), "channels": sum(int(r.match.live.sum()) for r in members),
        }  # fmt: skip
        members = [r for r in members if r.match.live.any()]
        labels = np.concatenate([np.full(int(r.match.live.sum()), i) for i, r in enumerate(members)] or [np.empty(0)])
        for axis, name in enumerate(("x", "y")):
            record[f"grid_{name}"] = centre[axis]
            for measure in (f"mean_{name}", f"shift_{name}"):
                column = SPREAD_COLUMNS.index(measure)
                values = np.concatenate([r.spreads[r.match.live, column] for r in members] or [np.empty(0)])
                low = high = math.nan
                if len(values) > 1:
                    found = bootstrap_interval(values, labels if len(members) > 1 else None, draws=400, seed=seed)
                    low, high = found.low, found.high
                record |= {measure: _over(np.mean, values), f"{measure}_low": low, f"{measure}_high": high}
        records.append(record)
    return records
