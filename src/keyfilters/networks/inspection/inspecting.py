"""The report of ``keyfilters inspect``: what the depthwise filters of a network or a file are like, layer by layer."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...checks import choice, integer
from ...fitting import JOINT_METHODS, METHODS
from ...fitting.joint import key_parameters
from ...moments import spread
from ...output import as_json, written
from ...uncertainty import bootstrap_interval
from ..surgery.depthwise import DYNAMIC, DepthwiseLayer, key_filters, key_filters_at, no_key_size
from ..surgery.matching import LayerMatch, Matches, Stack, centred, layers_and_notes, match
from ..surgery.nulls import NULLS, explained_interval, null_distributions
from ..surgery.printing import WIDTH, broken, by_x, frame_text
from ..surgery.scale_fits import OwnScales, fit_scales
from ..zoo.checkpoints import check_sound, no_weights
from ..zoo.files import check_file, read_content
from ..zoo.weight_formats import computed_weights, dense_kernels, largest, trees
from .report_page import key_names, render  # noqa: F401 (the names of the keys had their place here)

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


SAMPLES = 8
"""Filters shown per key."""
ANSWERS = {
    "random": "as many random filters",
    "gaussian": "the keys on noise of the same covariance",
    "lines": "the best possible lines",
}
"""Nulls that are named in the sentence on top, as words."""
REPORTS = (".json", ".csv", ".html")
"""Endings of the files that a report can be written to."""


@dataclass(frozen=True)
class Sample:
    """A filter (n, n) that a key explains well."""

    layer: str
    channel: int
    key: int
    gain: float
    explained: float
    filter: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Inspection:
    """What :func:`inspect_model` found; ``print`` shows it as ``keyfilters inspect`` does.

    Attributes
    ----------
    name : str
        Of the network.
    method : str
        Of the key filters.
    keys : int
    nulls : tuple of str
    draws, seed : int
    layers : tuple of LayerReport
        All depthwise layers, those not matched with their note.
    sizes, places : list of dict
        One record per kernel size (explained variance, its interval over layers and filters, nulls) and
        one per size, stride and padding (shifts with intervals).
    samples : tuple of Sample
        Up to 8 per key, best first.
    bank : ndarray, shape (keys, n, n)
        The key filters at the largest size that occurs (7 where no layer is matched).
    notes : tuple of str
        What was done to the network before: branches that it merges for deployment were merged.
    sha256 : str
        Of the file that was inspected; "" for a network.
    """

    name: str
    method: str
    keys: int
    nulls: tuple[str, ...]
    draws: int
    seed: int
    layers: tuple[LayerReport, ...] = field(repr=False)
    sizes: list[dict] = field(repr=False)
    places: list[dict] = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)
    bank: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()
    sha256: str = ""

    def _matched(self) -> tuple[list[LayerReport], np.ndarray]:
        """The layers with filters that are matched, and the energy of each."""
        matched = [layer for layer in self.layers if layer.match.live.any()]
        return matched, np.array([layer.match.energy[layer.match.live].sum() for layer in matched])

    @property
    def answer(self) -> str:
        """What was found, in one sentence: the explained variance of all matched filters beside the nulls'."""
        matched, energy = self._matched()
        filters = sum(int(layer.match.live.sum()) for layer in matched)
        if not matched:
            return f"{self.name}: no filter can be matched with the keys."

        def share(values) -> str:
            return f"{100 * float(np.average(values, weights=energy)):.0f} %"

        explained = share([layer.match.pooled() for layer in matched])
        beside = [
            f"{words} {share([layer.nulls[kind]['energy'].mean() for layer in matched])}"
            for kind, words in ANSWERS.items()
            if kind in self.nulls
        ]
        tail = f"; {', '.join(beside)}" if beside else ""
        return (
            f"The {self.keys} keys explain {explained} of the {filters} filters in {len(matched)} layers of {self.name}{tail}."
        )

    @property
    def warning(self) -> str:
        """One sentence where the keys explain no more than a null reaches in one draw of twenty; "" otherwise.

        The nulls that vary, but for the best lines, which are fitted to the filters and always explain more.
        """
        matched, energy = self._matched()
        explained = np.average([layer.match.pooled() for layer in matched], weights=energy) if matched else math.nan
        reached = []
        for kind in self.nulls:
            if NULLS[kind].varies and kind != "lines" and matched:
                draws = np.average([layer.nulls[kind]["energy"] for layer in matched], axis=0, weights=energy)
                if explained <= np.quantile(draws, 0.95):
                    reached.append(kind)
        if not reached:
            return ""
        return f"Warning: that is no more than the nulls reach by chance ({', '.join(reached)}): these filters are no evidence of the keys."

    @property
    def not_matched(self) -> list[LayerMatch]:
        """The layers that were left out; their ``note`` says why."""
        return [layer.match for layer in self.layers if layer.match.note]

    def __str__(self) -> str:
        return self.text(WIDTH)

    def text(self, width: int | None = None, source: str = "", notes: Sequence[str] = ()) -> str:
        """What ``keyfilters inspect`` prints, in lines of ``width`` characters (default: as long as the tables are wide).

        ``source`` of the weights and ``notes`` are added at the end. ``print`` shows the text with a width of 80.
        """
        frame = self.frame()
        left_out = ("mean_x", "mean_y", "xx", "xy", "yy", "l1", "dilation")
        # The note of a layer may be long; it stands below.
        over_filters = [f"null_{kind}_{over}" for kind in self.nulls for over in ("mean", "median")]
        frame = frame.drop(columns=[c for c in frame if c in (*left_out, *over_filters, "note") or c.endswith("_95")])
        said = "\n".join(broken(line, width) for line in (self.answer, self.warning) if line)
        parts = [said, frame_text(_headed(frame).rename(columns=lambda c: c.removeprefix("null_")), width)]
        for title, records in (("by kernel size", self.sizes), ("offsets by stride and padding", self.places)):
            parts += [f"{title}\n{frame_text(_headed(pd.DataFrame(records)), width)}"] if records else []
        lines = [f"not matched: {m.name or 'the network itself'}: {m.note}" for m in self.not_matched]
        lines += [f"note: {note}" for note in (*self.notes, *notes)]
        name = f"{self.name} ({source})" if source else self.name
        lines += [f"{name}: explained variance by the keys {self.method!r}; {self.draws} draws of each null"]
        lines += [
            "explained, low, high and nulls: pooled by energy, a filter counts by its size; mean, median, and those of the nulls: over filters, each alike"
        ]
        lines += [
            "fitted: with scales fitted to each filter; sigma: their medians, in pixels; rank: directions that hold 99 % of the layer's energy"
        ]
        # What was found once more, where a terminal ends.
        return "\n\n".join([*parts, "\n".join(broken(line, width) for line in lines), said])

    def frame(self) -> pd.DataFrame:
        """One row per layer: the columns of ``Matches.frame()``, geometry, nulls and mean spread measures."""
        return pd.DataFrame([row_of(layer, self.keys, self.nulls) for layer in self.layers])

    def records(self) -> list[dict]:
        """As ``frame()``, with missing numbers as None, and under ``by_key`` what each key explains in the layer."""
        found = []
        for layer in self.layers:
            row = as_json(row_of(layer, self.keys, self.nulls))
            found.append(row | {"by_key": [as_json(r) for r in by_key_of(layer)]})
        return found

    def document(self) -> dict:
        """Everything but the samples, ready for JSON."""
        return {
            "model": self.name, "answer": self.answer, "warning": self.warning, "sha256": self.sha256, "method": self.method, "keys": self.keys, "nulls": list(self.nulls), "draws": self.draws,
            "seed": self.seed, "merged": list(self.notes), "sizes": [as_json(r) for r in self.sizes], "places": [as_json(r) for r in self.places],
            "layers": self.records(),
        }  # fmt: skip

    def write(self, path: str | PathLike, force: bool = False, more: Mapping | None = None) -> None:
        """Write the report into a file, which appears whole or not at all.

        ========= ========================================================================
        name ends holds
        ========= ========================================================================
        .html     a page with maps of filters, which needs no other file
        .csv      ``frame()``, one row a layer
        .json     ``document()``, after the entries of ``more``
        ========= ========================================================================

        Parameters
        ----------
        path : str or Path
        force : bool
            Overwrite an existing file.
        more : mapping, optional
            Entries of your own for the JSON; the page names those that are texts at its head.

        Raises
        ------
        ValueError
            For another ending, a folder that is not there, and an existing file without ``force``.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from torch import nn
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "report.html"
        >>> inspect_model(nn.Conv2d(4, 4, 3, groups=4), nulls="none").write(file)
        >>> file.read_text(encoding="utf-8").count("<h1>")
        1
        """
        kind = report_kind(path)
        with written(path, force) as temporary:
            if kind == ".csv":
                self.frame().to_csv(temporary, index=False, lineterminator="\n")
                return
            if kind == ".json":
                text = json.dumps({**(more or {}), **self.document()}, indent=1, allow_nan=False) + "\n"
            else:
                text = render(self, more)
            temporary.write_text(text, encoding="utf-8", newline="\n")


def _headed(frame):
    """With the short names that columns have in print."""
    return frame.rename(columns=lambda c: c.removeprefix("explained_").replace("key_", "k"))


def report_kind(path: str | PathLike) -> str:
    """The ending of a report's name, which says what is written; ``ValueError`` for another one."""
    kind = Path(path).suffix.lower()
    kind = ".html" if kind == ".htm" else kind
    if kind not in REPORTS:
        raise ValueError(f"{path}: expected a name that ends in {', '.join(REPORTS[:-1])} or {REPORTS[-1]}")
    return kind


def _samples(layers, found, keys: int, per_key: int = SAMPLES) -> tuple[Sample, ...]:
    rows = []
    for place, m in enumerate(found):
        rows += [(int(m.key[c]), -float(m.explained[c]), place, c) for c in np.flatnonzero(m.live).tolist()]
    rows.sort()
    chosen = []
    for key in range(1, keys + 1):
        for _, explained, place, c in [row for row in rows if row[0] == key][:per_key]:
            m = found[place]
            chosen.append(Sample(m.name, c, key, float(m.gain[c]), -explained, layers[place].filters[c]))
    return tuple(chosen)


def check_nulls(nulls: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of nulls as a tuple; ``ValueError`` for one that is unknown."""
    if isinstance(nulls, str):
        nulls = tuple(NULLS) if nulls == "all" else () if nulls == "none" else tuple(nulls.split(","))
    return tuple(dict.fromkeys(choice(kind, NULLS, "null") for kind in nulls))


def inspect_model(
    model: nn.Module,
    method: str = "B",
    nulls: str | Sequence[str] = "all",
    draws: int = 20,
    seed: int = 0,
    name: str | None = None,
) -> Inspection:
    """Describe the depthwise filters of a network and how well the keys explain them.

    Branches that a network merges for deployment (MobileOne, FastViT, RepVGG) are merged before, in a copy, with
    their batch norms: then a filter is what the network computes. A note says so.

    Parameters
    ----------
    model : torch.nn.Module
    method : str or array_like
        The key filters: ``"A"`` to ``"D2"``, a joint method, ``"learned"``, or arrays (K, n, n).
    nulls : str or sequence of str
        What the explained variance is set beside: names of ``keyfilters.networks.surgery.nulls.NULLS``, alone,
        comma-separated or in a sequence; ``"all"``, or ``"none"``.
    draws : int
        Of each null that varies.
    seed : int
        Of the nulls and of the bootstrap; the same seed gives the same report.
    name : str, optional
        Of the network, for the report; default: its class.

    Returns
    -------
    Inspection

    Raises
    ------
    ValueError
        For a model that is none or has no depthwise convolution, weights with NaN or infinity (naming the
        layer), an unknown method or null, and draws or a seed out of range.

    Examples
    --------
    >>> from torch import nn
    >>> found = inspect_model(nn.Sequential(nn.Conv2d(6, 6, 7, stride=2, padding=3, groups=6)), nulls="random", draws=5)
    >>> found.frame()[["layer", "size", "stride", "channels", "grid_x"]].values.tolist()
    [['0', '7x7', '2x2', 6, 0.5]]
    """
    layers, notes = layers_and_notes(model)
    return inspect_layers(layers, method, nulls, draws, seed, type(model).__name__ if name is None else str(name), notes)


def inspect_layers(
    layers: Any, method: str, nulls: str | Sequence[str], draws: int, seed: int, name: str, notes: Sequence[str] = ()
) -> Inspection:
    """As :func:`inspect_model`, of a list of layers."""
    nulls, draws, seed = check_nulls(nulls), integer(draws, "draws"), integer(seed, "seed", 0)
    found = match(layers, method)
    sized: dict[tuple, list[int]] = {}
    for i, m in enumerate(found.layers):
        if m.live.any():
            sized.setdefault(m.kernel_size, []).append(i)
    drawn: list[dict[str, dict[str, np.ndarray]]] = [{} for _ in layers]
    pooled = {}
    for size, places in sized.items():
        for kind in nulls:
            by_pool = null_distributions([layers[i] for i in places], method, kind, draws, seed)
            pooled[size, kind] = {pool: null.pooled for pool, null in by_pool.items()}
            for row, i in enumerate(places):
                drawn[i][kind] = {pool: null.explained[row] for pool, null in by_pool.items()}
    reports = []
    for layer, m, values in zip(layers, found.layers, drawn, strict=True):
        bank = None if m.note else key_filters_at(method, m.kernel_size)
        plane = len(layer.kernel_size) == len(layer.stride) == len(layer.dilation) == 2 and layer.padding != ()
        centre = grid_shift(layer.kernel_size, layer.stride, layer.padding, layer.dilation) if plane else (math.nan, math.nan)
        try:
            measures = spreads_of(layer, m, bank)
        except ValueError as error:
            raise ValueError(f"{name}: layer {layer.name}: {error}") from None
        filters = None if m.note else layer.filters.astype(np.float32)
        own, rank = scales_of(layer, m, method), rank_of(layer, m)
        reports.append(LayerReport(m, layer.padding, layer.dilation, measures, centre, values, own, rank, filters))
    return Inspection(
        name, method if isinstance(method, str) else "own filters",
        found.keys, nulls, draws, seed, tuple(reports), size_records(reports, pooled, found.keys, nulls, seed),
        place_records(reports, seed), _samples(layers, found.layers, found.keys),
        key_filters(method, max((max(m.kernel_size) for m in found.layers if m.matched), default=7)), tuple(notes),
    )  # fmt: skip


BRANCHES = re.compile(r"(^|\.)(rbr_\w+|conv_kxk|lkb_origin|small_conv|dil_conv_\w+|token_mixer\.conv1)\.")
"""In names of filters: branches of RepVGG, MobileOne and PP-OCR, RepLKNet and FastViT, UniRepLKNet, RepViT before they are merged."""


def _stack(name: str, array: np.ndarray, **geometry) -> Stack | None:
    """Filters of shape (C, 1, rows, columns) or (C, 1, taps), C > 1; None for other arrays, 1 x 1 and whole numbers."""
    if array.ndim not in (3, 4) or array.shape[1] != 1 or len(array) < 2 or max(array.shape[2:]) < 2 or array.dtype.kind != "f":
        return None
    filters = array.reshape(len(array), *((1,) if array.ndim == 3 else ()), *array.shape[2:]).astype(np.float64)
    return Stack(name, filters, note=no_key_size(filters.shape[1:]), **({"stride": ()} | geometry))


def _of_weights(path: Path) -> tuple[list[Stack], list[str]]:
    content = read_content(path)
    tree = largest(content)
    if tree is None:
        raise no_weights(content, path)
    check_sound(tree.tensors, path)
    names = tree.tensors
    if any(name.endswith("dwconv.kernel") for name in names):
        names = dense_kernels(names)
    names = computed_weights(names)
    found = [
        _stack(name.removesuffix(".weight"), value.to(torch.float64).numpy())
        for name, value in names.items() if value.is_floating_point() and value.ndim in (3, 4)
    ]  # fmt: skip
    found = [f for f in found if f is not None]
    if not found:
        raise _nothing(path, names)
    notes = []
    if tree.entry:
        beside = [t.entry for t in trees(content) if t.entry and t.entry != tree.entry and not t.parts and t.weights > 1]
        more = f", not those under {', '.join(map(repr, beside[:4]))}{', ...' if len(beside) > 4 else ''}" if beside else ""
        notes.append(f"the weights are those under {tree.entry!r}{more}")
    left = [(n, v) for n, v in names.items() if _has_their_shape(v) and not (v.is_floating_point() and v.ndim < 5)]
    if left:
        said = ", ".join(f"{n} ({'3-D' if v.ndim == 5 else str(v.dtype).removeprefix('torch.')})" for n, v in left[:3])
        notes.append(f"not looked at: {said}{f' and {len(left) - 3} more' if len(left) > 3 else ''}")
    if computed := next((n for n in names if ".parametrizations." in f".{n}" and names[n].ndim in (3, 4)), None):
        notes.append(
            f"a weight is computed from {computed}, which is looked at as it stands: inspect the network itself, or remove the parametrisation first"
        )
    if branch := next((n for n, v in names.items() if BRANCHES.search(n) and v.ndim in (3, 4) and v.shape[1] == 1), None):
        notes.append(
            f"there are branches that are merged for deployment ({branch}, ...), each looked at on its own: inspect the network itself, or its merged form"
        )
    return found, notes


def _has_their_shape(value: torch.Tensor) -> bool:
    return value.ndim in (3, 4, 5) and value.shape[1] == 1 < len(value) and max(value.shape[2:]) > 1


def _nothing(path: Path, names: dict) -> ValueError:
    """What a file has in the place of depthwise filters that can be matched."""
    expected = "expected tensors of floating-point numbers of shape (C, 1, rows, columns) or (C, 1, taps) with C > 1"
    for name, value in names.items():
        if name.endswith(("parametrizations.weight.0.gain", "parametrizations.weight.0.keys")):
            return ValueError(
                f"{path} has filters that are computed from keys ({name}): write them out with keyfilters.networks.fold and save that"
            )
        if _has_their_shape(value):
            kind = str(value.dtype).removeprefix("torch.")
            return ValueError(f"{path} has {name} of shape {tuple(value.shape)} in {kind}, which cannot be matched: {expected}")
    return ValueError(f"{path} has no depthwise filters: {expected}")


FOLDED = ("Identity", "Cast", "DequantizeLinear", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Mul", "Div")
"""Operations that files of ONNX have between stored numbers and the weight of a convolution."""


def _constants(graph: Any, opset: int) -> Callable:
    """A function that gives the array of a name, as far as it follows from the numbers in the file; else None."""
    import onnx
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    stored = {tensor.name: tensor for tensor in graph.initializer}
    made = {node.output[0]: node for node in graph.node if node.output}
    for name, node in made.items():
        if node.op_type == "Constant":
            stored.update((name, a.t) for a in node.attribute if a.name == "value")

    def array(name: str, depth: int = 8):
        if name in stored:
            found = numpy_helper.to_array(stored[name])
            # numpy has no such type of its own: the array's kind is not "f".
            return found.astype(np.float32) if stored[name].data_type == onnx.TensorProto.BFLOAT16 else found
        node = made.get(name)
        if node is None or node.op_type not in FOLDED or not depth:
            return None
        inputs = {n: array(n, depth - 1) for n in node.input if n}
        if any(v is None for v in inputs.values()):
            return None
        return ReferenceEvaluator(node, opsets={"": opset}).run(None, inputs)[0]

    return array


def _of_onnx(path: Path) -> tuple[list[Stack], list[str]]:
    try:
        import onnx
    except ImportError:
        raise ValueError(
            f"{path} is read with the package onnx, which is not installed: pip install 'keyfilters[onnx]'"
        ) from None
    try:
        model = onnx.load(str(path))
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise ValueError(f"{path} cannot be read: not a whole ONNX file ({reason}); copy or export it again") from None
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    graph = model.graph
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=13)
    constant, found, readers, left = _constants(graph, opset), [], {}, []
    for node, within in _nodes(graph):
        values = {a.name: a for a in node.attribute}
        if "group" not in values or values["group"].i < 2:
            continue
        values = {name: onnx.helper.get_attribute_value(a) for name, a in values.items()}
        plain = node.op_type == "Conv" and node.domain in ("", "ai.onnx") and len(node.input) > 1 and not within
        array = constant(node.input[1]) if plain else None
        if array is None or array.ndim not in (3, 4):
            kind = node.op_type + (f" within {within}" if within else "") if array is None else f"{array.ndim - 2}-D"
            left.append(f"{node.name or node.output[0]} ({kind})")
            continue
        axes = array.ndim - 2
        # One group per input channel; with a single channel there is one group as well, which is no depthwise layer.
        if array.shape[1] != 1:
            continue
        pads = tuple(values.get("pads", (0,) * (2 * axes)))
        before, after = pads[:axes], pads[axes:]
        # Unequal pads, and those that the size of the image decides, are not one number per axis.
        known = before == after and values.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        stride, dilation = (tuple(values.get(what, (1,) * axes)) for what in ("strides", "dilations"))
        if axes == 1:
            stride, dilation, before = (1, *stride), (1, *dilation), (0, *before)
        padding = before if known else ()
        name = node.name or node.input[1]
        if max(array.shape[2:]) > 1:
            readers.setdefault(node.input[0], []).append(name)
        found.append(_stack(name, np.asarray(array), stride=stride, dilation=dilation, padding=padding))
    layers, notes = [f for f in found if f is not None], []
    if left:
        said = f"{', '.join(left[:3])}{f' and {len(left) - 3} more' if len(left) > 3 else ''}"
        if not layers:
            raise ValueError(
                f"{path} has no depthwise filters that can be matched: there are convolutions in groups that are quantised, computed, fused, conditional, 3-D or transposed: {said}"
            )
        notes.append(
            f"not looked at, since they are quantised, computed, fused, conditional, 3-D or transposed: the convolutions in groups {said}"
        )
    if beside := next((names for names in readers.values() if len(names) > 1), None):
        notes.append(
            f"there are convolutions side by side ({', '.join(beside[:3])}): where their outputs are added they are branches of one filter, each looked at on its own"
        )
    for layer in layers:
        if not np.isfinite(layer.filters).all():
            raise ValueError(f"{path} holds NaN or infinity in {layer.name}: expected finite weights")
    return layers, notes


def _nodes(graph: Any, within: str = "") -> Iterator[tuple[Any, str]]:
    """The nodes of a graph with "", those of the branches of If, Loop and Scan in it with the name of that operation."""
    for node in graph.node:
        yield node, within
        for attribute in node.attribute:
            for part in (attribute.g, *attribute.graphs) if attribute.HasField("g") or attribute.graphs else ():
                yield from _nodes(part, node.op_type)


def sha256_of(path: Path) -> str:
    """Of a file; of an index, of it and of the files that it names."""
    files = [path]
    if path.name.endswith(".index.json"):
        files += [path.parent / name for name in sorted(set(json.loads(path.read_bytes())["weight_map"].values()))]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def filters_of_file(path: str | PathLike) -> tuple[list[Stack], list[str]]:
    """The depthwise filters in a file, layer by layer, and notes; what :func:`inspect_file` reads and describes.

    Raises ``ValueError`` for a file that cannot be read, is refused, or has no depthwise filters.
    """
    path = check_file(path)
    layers, notes = (_of_onnx if path.suffix.lower() == ".onnx" else _of_weights)(path)
    if not layers:
        raise _nothing(path, {})
    return layers, notes


def inspect_file(
    path: str | PathLike, method: str = "B", nulls: str | Sequence[str] = "all", draws: int = 20, seed: int = 0
) -> Inspection:
    """Describe the depthwise filters in a file, without the network that they are of.

    Every tensor of shape (C, 1, rows, columns) or (C, 1, taps) with C > 1 counts as depthwise filters. Nothing in
    the file is executed.

    Parameters
    ----------
    path : str or Path
        What :func:`keyfilters.networks.zoo.checkpoints.read_weights` reads, or .onnx (with the package ``onnx``, the extra ``onnx``).
        Strides and paddings are in .onnx files only; elsewhere they stay empty.
    method, nulls, draws, seed
        See :func:`inspect_model`.

    Returns
    -------
    Inspection
        Its ``name`` is that of the file.

    Raises
    ------
    ValueError
        One line: a file that cannot be read, is refused, or has no depthwise filters; and as ``inspect_model``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from keyfilters.networks.zoo.checkpoints import write_weights
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> write_weights({"stem.weight": torch.randn(16, 3, 3, 3), "dw.weight": torch.randn(16, 1, 5, 5)}, file)
    >>> inspect_file(file, nulls="none").frame()[["layer", "size", "channels"]].values.tolist()
    [['dw', '5x5', 16]]
    """
    layers, notes = filters_of_file(path)
    path = Path(path)
    return replace(inspect_layers(layers, method, nulls, draws, seed, path.name, notes), sha256=sha256_of(path))
