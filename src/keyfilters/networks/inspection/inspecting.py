"""The report of ``keyfilters inspect``: what the depthwise filters of a network are like, layer by layer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from ...checks import choice, integer
from ...fitting import JOINT_METHODS, METHODS
from ...fitting.joint import key_parameters
from ...moments import spread
from ...output import as_json, written
from ...uncertainty import bootstrap_interval
from ..surgery.depthwise import DYNAMIC, DepthwiseLayer, key_filters, key_filters_at
from ..surgery.matching import LayerMatch, Matches, centred, layers_and_notes, match
from ..surgery.nulls import NULLS, explained_interval, null_distributions
from ..surgery.printing import WIDTH, broken, by_x, frame_text
from ..surgery.scale_fits import OwnScales, fit_scales
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
