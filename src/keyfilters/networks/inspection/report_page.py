"""An inspection as one HTML page that needs nothing else: no script, no other file, no other host."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from ...figures.style import DIVERGING, ink, symmetric_limit
from ...filters import KEYS
from ..surgery.nulls import NULLS

if TYPE_CHECKING:
    from .inspecting import Inspection

MAP_SIDE = 64
"""CSS pixels of a filter map."""

REPORT_COLUMNS = 32
"""Filters in a row of the picture of all filters of a key."""

MEASURES = {
    "key": "one of the eight master key filters of Babaiee et al. (2025), idealised: differences of a discrete Gaussian (1 to 6), sharpening (7), the Gaussian (8)",
    "method": "how the scales of the idealised keys were fitted to the learned ones: A to D2 and the joint ones as in Lindeberg, Babaiee and Kiasari (2026); "
    "“learned”: the learned filters themselves",
    "correlation": "filters are shown and named as their arrays stand in the network, which correlates; as kernels of a convolution they are mirrored through "
    "their centre: what is called key 1 here convolves as key 3 does, key 2 as key 4, and the other way round",
    "explained": "explained variance: the share of all squares about the filters' means that the matched keys explain",
    "explained_mean, explained_median": "mean and median over the filters, each counting alike; explained itself is pooled by energy, where "
    "a single filter of large values may decide",
    "mean_x, mean_y": "centre of the absolute values of filter less matched offset, in pixels; x to the right, y up",
    "shift_x, shift_y": "the same less the centre of the matched key's own filter",
    "xx, xy, yy": "covariance of the absolute values, in square pixels",
    "l1": "sum of the absolute values",
    "sigma_x, sigma_y": "medians of the scales fitted to each filter with its key, in pixels, over the filters that determine them: with three "
    "taps a difference has the same shape at each scale",
    "explained_fitted": "explained variance with these scales in place of the method's",
    "rank": "how many directions hold 99 % of the energy of the layer's filters",
    "grid_x, grid_y": "shift that would put each output in the middle of its pixels, as stride and padding are",
    "null_..._95": "95 % quantile of the draws of the null",
    "null_..._mean, null_..._median": "mean and median over the filters under the null, as means of draws",
}

CSS = """
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --page: #fff; --soft: #f2f4f7; --line: #c3cad3; --quiet: #4a5563; --bar: #0072b2; --shade: #0004;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebef; --page: #14181d; --soft: #20262e; --line: #46515e; --quiet: #b1bac5; --bar: #56b4e9; --shade: #fff4; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; font: 1rem/1.5 system-ui, sans-serif; }
body { background: var(--page); color: var(--ink); }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin-top: 2rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
.wide { overflow-x: auto; border: 1px solid var(--line); container-type: inline-size; }
/* A table that goes on beyond an edge has a shadow there; covers that scroll along hide the shadows at both ends. */
.wide { background: linear-gradient(to right, var(--page) 30%, transparent) 0 0 / 3rem 100% no-repeat local,
  linear-gradient(to left, var(--page) 30%, transparent) 100% 0 / 3rem 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) 0 0 / 1rem 100% no-repeat scroll,
  linear-gradient(to left, var(--shade), transparent) 100% 0 / 1rem 100% no-repeat scroll; }
/* A scrollbar that is always drawn, also where the system hides them. */
.wide::-webkit-scrollbar { height: .75rem; background: var(--soft); }
.wide::-webkit-scrollbar-thumb { background: var(--quiet); border: .15rem solid var(--soft); border-radius: .5rem; }
.wide:focus-visible { outline: 3px solid var(--bar); }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .5rem; color: var(--quiet); }
/* The caption stays in view while its table scrolls, and wraps at the width of the box. */
caption span { position: sticky; left: .5rem; display: inline-block; max-width: calc(100vw - 4rem); max-width: calc(100cqw - 1rem); }
th, td { padding: .2rem .5rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
thead th { background: var(--soft); vertical-align: bottom; }
thead th:first-child, th[scope=row], td.text { text-align: left; }
td.text { white-space: normal; min-width: 12rem; }
.maps { display: flex; flex-wrap: wrap; gap: .5rem; }
figure { margin: 0; width: 88px; font-size: .75rem; line-height: 1.3; overflow-wrap: anywhere; color: var(--quiet); }
figure img { display: block; image-rendering: pixelated; border: 1px solid var(--line); }
details img { image-rendering: pixelated; max-width: 100%; border: 1px solid var(--line); }
figure.key img { border: 3px solid var(--bar); }
.track { position: relative; display: block; width: 12rem; height: 1rem; background: var(--soft); }
.fill { position: absolute; inset: .2rem auto .2rem 0; background: var(--bar); }
.tick { position: absolute; width: 0; top: 0; bottom: 0; border-left: 2px solid var(--ink); }
.random { border-left-style: dotted; }
.permuted { border-left-style: dashed; }
.impulse { bottom: 60%; } .lines { top: 60%; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; font-size: .875rem; }
.legend .track { display: inline-block; width: 1rem; vertical-align: -.2rem; } .legend .tick { left: .4rem; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem 1rem; }
"""


def key_names(keys: int) -> list[str]:
    """What the keys are called: those of the catalogue where there are eight, else numbers."""
    return [row.name for row in KEYS] if keys == len(KEYS) else [f"filter {k}" for k in range(1, keys + 1)]


def _ramp(page: str, full: str, steps: int = 11) -> str:
    """CSS classes h0 .. h10: background from the page's colour to the full one, text in what reads on it."""
    low, high = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (page, full))
    rules = []
    for i in range(steps):
        rgb = np.rint(low + (high - low) * i / (steps - 1)).astype(int)
        rules.append(f".h{i} {{ background: #{''.join(f'{v:02x}' for v in rgb)}; color: {ink(rgb / 255)}; }}")
    return "\n".join(rules)


def png(h: ArrayLike) -> str:
    """A filter as a data address: one pixel per sample, blue below 0, red above, white at 0."""
    h = np.asarray(h, dtype=np.float64)
    limit = symmetric_limit(h)
    colours = mpl.colormaps[DIVERGING]((h / limit + 1) / 2, bytes=True)[..., :3]
    return _data_url(Image.fromarray(np.ascontiguousarray(colours)))


def _data_url(image) -> str:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def mosaic(filters: Sequence) -> str:
    """All filters in one picture as a data address, ``COLUMNS`` in a row, each scaled by its largest value."""
    side = max(max(h.shape) for h in filters) + 1
    rows = -(-len(filters) // REPORT_COLUMNS)
    # Levels 0 to 254 of the colour map; 255 is the grey between the filters.
    canvas = np.full((rows * side + 1, REPORT_COLUMNS * side + 1), 255, dtype=np.uint8)
    for i, h in enumerate(filters):
        levels = np.rint((np.asarray(h, dtype=np.float64) / symmetric_limit(h) + 1) * 127).astype(np.uint8)
        top, left = (i // REPORT_COLUMNS) * side + 1, (i % REPORT_COLUMNS) * side + 1
        canvas[top : top + h.shape[0], left : left + h.shape[1]] = levels
    image = Image.fromarray(canvas)
    colours = mpl.colormaps[DIVERGING](np.linspace(0, 1, 255), bytes=True)[:, :3]
    image.putpalette([*colours.ravel().tolist(), 128, 128, 128])
    return _data_url(image)


def _known(value) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _text(value, digits: int = 3) -> str:
    if not _known(value):
        return "–"
    # A rounded zero carries no sign.
    return f"{round(value, digits) + 0.0:.{digits}f}" if isinstance(value, float) else escape(str(value))


def _table(caption: str, columns, rows, label: str) -> str:
    """A table whose first column names the row; a row holds texts or (class, html) pairs."""
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in columns)
    body = []
    for first, *rest in rows:
        cells = [f'<td class="{v[0]}">{v[1]}</td>' if isinstance(v, tuple) else f"<td>{_text(v)}</td>" for v in rest]
        body.append(f'<tr><th scope="row">{_text(first) or "the network itself"}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="wide" role="region" aria-label="{escape(label)}" tabindex="0"><table>'
        f"<caption><span>{escape(caption)}</span></caption><thead><tr>{head}</tr></thead><tbody>\n"
        + "\n".join(body)
        + "\n</tbody></table></div>"
    )


def _bar(explained: float, nulls: dict[str, float]) -> str:
    def left(value):
        return f"{100 * min(max(value, 0.0), 1.0):.1f}%"

    if not _known(explained):
        return ""
    marks = [f'<span class="fill" style="width:{left(explained)}"></span>']
    marks += [f'<span class="tick {kind}" style="left:{left(v)}"></span>' for kind, v in nulls.items() if _known(v)]
    return f'<span class="track" aria-hidden="true">{"".join(marks)}</span>'


def _nulls(found, record) -> dict:
    return {kind: record[f"null_{kind}"] for kind in found.nulls}


def _matched(records) -> list[dict]:
    return [r for r in records if not r["note"]]


def _summary(found) -> str:
    rows = []
    for r in found.sizes:
        nulls = _nulls(found, r)
        interval = f"{_text(r['low'])} to {_text(r['high'])}"
        bar = ("bar", _bar(r["explained"], nulls))
        shares = (r["explained"], interval, r["explained_mean"], r["explained_median"])
        over = [r[f"null_{kind}{suffix}"] for suffix in ("_mean", "_median") for kind in found.nulls]
        rows.append((r["size"], r["layers"], r["channels"], r["dead"], *shares, bar, *nulls.values(), *over))
    columns = ["size", "layers", "filters", "dead", "explained", "95 % interval", "mean", "median", "from 0 to 1", *found.nulls]
    columns += [f"{kind}, {over}" for over in ("mean", "median") for kind in found.nulls]
    caption = (
        "Explained variance by kernel size, pooled by energy, with the interval of a bootstrap over layers, then filters; its "
        "mean and median over filters; nulls pooled in the same three ways, as means of draws."
    )
    return _table(caption, columns, rows, "Explained variance by kernel size")


def _legend(found) -> str:
    bar = '<span class="track" aria-hidden="true"><span class="fill" style="width:100%"></span></span>'
    items = [f"<li>{bar} the keys</li>"]
    for kind in found.nulls:
        mark = f'<span class="track" aria-hidden="true"><span class="tick {kind}"></span></span>'
        items.append(f"<li>{mark} <b>{kind}</b>: {escape(NULLS[kind].idea)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _layers(found, matched) -> str:
    shares = ("explained", "explained_mean", "explained_median")
    rows = []
    for r in matched:
        bar = ("bar", _bar(r["explained"], _nulls(found, r)))
        rows.append((r["layer"], r["size"], *(r[c] for c in shares), bar, *_nulls(found, r).values()))
    columns = ["layer", "size", "explained", "mean", "median", "from 0 to 1", *found.nulls]
    caption = "Explained variance of each layer, pooled by energy, its mean and median over filters, and the nulls."
    return _table(caption, columns, rows, "Explained variance by layer")


def _histogram(found, matched) -> str:
    keys, rows = range(1, found.keys + 1), []
    for r in matched:
        live = max(r["channels"] - r["dead"], 1)
        shares = [r[f"key_{k}"] / live for k in keys]
        # The ramp ends at one half: few keys take more of a layer.
        cells = [(f"h{min(round(20 * share), 10)}", f"{100 * share:.0f}") for share in shares]
        rows.append((r["layer"], r["channels"], r["dead"], *cells))
    columns = ["layer", "filters", "dead", *(f"key {k}" for k in keys)]
    caption = "Per cent of a layer's filters (dead ones left out) that each key explains best."
    return _table(caption, columns, rows, "Keys by layer")


def _maps(found) -> str:
    def figure(h, alt, caption, kind=""):
        image = f'<img src="{png(h)}" width="{MAP_SIDE}" height="{MAP_SIDE}" alt="{escape(alt)}">'
        return f'<figure class="{kind}">{image}<figcaption>{escape(caption)}</figcaption></figure>'

    parts = []
    for key, name in enumerate(key_names(found.keys), start=1):
        size = "x".join(map(str, found.bank.shape[1:]))
        panels = [figure(found.bank[key - 1], f"Key {key}, {name}, {size} pixels", f"the key, {size}", "key")]
        for s in (s for s in found.samples if s.key == key):
            share = f"{100 * s.explained:.1f} per cent"
            alt = f"Filter {s.channel} of layer {s.layer}, explained by key {key} to {share}, gain {s.gain:.3g}"
            panels.append(figure(s.filter, alt, f"{s.layer} {s.channel}: {s.explained:.3f}, gain {s.gain:.2g}"))
        parts.append(f'<h3>Key {key}: {escape(name)}</h3><div class="maps">{"".join(panels)}</div>{_every(found, key)}')
    return "\n".join(parts)


def _every(found, key: int) -> str:
    """All filters of a key, folded away."""
    filters = [h for layer in found.layers if layer.filters is not None for h in layer.filters[layer.match.key == key]]
    if not filters:
        return ""
    alt = f"The {len(filters)} filters of key {key}, layer by layer in the order of the network, {REPORT_COLUMNS} in a row, each scaled by its largest value"
    side = max(max(h.shape) for h in filters) + 1
    image = f'<img src="{mosaic(filters)}" width="{3 * (REPORT_COLUMNS * side + 1)}" alt="{escape(alt)}">'
    return f"<details><summary>all {len(filters)} filters of key {key}</summary><p>{escape(alt)}.</p>{image}</details>"


def _scales(matched) -> str:
    names = ("layer", "size", "channels", "sigma_x", "sigma_y", "explained", "explained_fitted", "rank")
    rows = [tuple(r[name] for name in names) for r in matched]
    columns = ["layer", "size", "filters", "sigma_x", "sigma_y", "explained", "with these scales", "rank"]
    caption = (
        "Median scales (pixels) of the keys fitted to each filter, what the keys explain with the method's scales and with "
        "these, and how many directions hold 99 % of the energy of the layer's filters."
    )
    return _table(caption, columns, rows, "Scales and rank by layer")


def _origin(found, more: Mapping) -> str:
    """Where the filters come from: what the caller says, the hash of the file, notes."""
    said = {name: value for name, value in more.items() if isinstance(value, str) and value}
    said |= {"sha256": found.sha256} if found.sha256 else {}
    notes = [*found.notes, *(n for n in more.get("notes", ()) if n not in found.notes)]
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in said.items())
    items += "".join(f"<dt>note</dt><dd>{escape(note)}</dd>" for note in notes)
    return f"<dl>{items}</dl>" if items else ""


def _places(found) -> str:
    rows = []
    for r in found.places:
        numbers = [r["layers"], r["channels"]]
        for axis in ("x", "y"):
            for measure in (f"mean_{axis}", f"shift_{axis}"):
                numbers += [r[measure], f"{_text(r[measure + '_low'])} to {_text(r[measure + '_high'])}"]
            numbers.append(r[f"grid_{axis}"])
        rows.append((r["size"], r["stride"], r["padding"], r["dilation"], *numbers))
    columns = ["size", "stride", "padding", "dilation", "layers", "filters"]
    for axis in ("x", "y"):
        columns += [f"mean_{axis}", "95 % interval", f"shift_{axis}", "95 % interval", f"grid_{axis}"]
    caption = "Offsets in pixels, x to the right and y up, by stride and padding."
    return _table(caption, columns, rows, "Offsets by stride and padding")


def _numbers(matched) -> str:
    columns = [c for c in matched[0] if c not in ("by_key", "note")]
    rows = [tuple(r[c] for c in columns) for r in matched]
    caption = "All numbers of each matched layer; spread measures are means over its filters."
    return _table(caption, columns, rows, "All numbers by layer")


def _left_out(found, records) -> str:
    left = [r for r in records if r["note"]]
    rows = [(r["layer"], r["size"], r["stride"], r["channels"], ("text", escape(r["note"]))) for r in left]
    if not rows:
        return f"<p>All {len(found.layers)} depthwise layers were matched.</p>"
    columns = ["layer", "size", "stride", "filters", "why"]
    return _table("Depthwise layers whose filters were not matched, and why.", columns, rows, "Layers not matched")


def render(inspection: Inspection, more: Mapping | None = None) -> str:
    """Return an inspection as one self-contained HTML page.

    No script, no other file, no other host; light and dark; wide tables scroll in themselves. The same
    inspection gives the same bytes.

    Parameters
    ----------
    inspection : Inspection
    more : mapping, optional
        Texts by name that the page has at its head, such as the source of the weights; under "notes" a list of them.

    Examples
    --------
    >>> from torch import nn
    >>> from keyfilters.networks.inspection.inspecting import inspect_model
    >>> page = render(inspect_model(nn.Conv2d(4, 4, 3, groups=4), nulls="none", name="one layer"))
    >>> page.startswith("<!DOCTYPE html>"), "the network itself" in page
    (True, True)
    """
    records = inspection.records()
    matched = _matched(records)
    channels = sum(r["channels"] for r in records)
    sentence = (
        f"{len(records)} depthwise layers with {channels:,} filters; {len(matched)} layers matched with the key filters "
        f"“{inspection.method}”, {sum(r['dead'] for r in matched)} dead filters. "
        f"Draws of each null: {inspection.draws}, seed {inspection.seed}."
    )
    title = f"Depthwise filters of {inspection.name}"
    sections = []
    if matched:
        sections = [
            ("Explained variance", _legend(inspection) + _summary(inspection) + "<p></p>" + _layers(inspection, matched)),
            ("Which keys", _histogram(inspection, matched)),
            ("Scales and rank", _scales(matched)),
            ("The filters that each key explains best", _maps(inspection)),
            ("Offsets, stride and padding", _places(inspection)),
            ("All numbers", _numbers(matched)),
        ]
    sections.append(("Layers not matched", _left_out(inspection, records)))
    meaning = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in MEASURES.items())
    sections.append(("What the numbers mean", f"<dl>{meaning}</dl>"))
    body = "\n".join(f"<section><h2>{escape(heading)}</h2>\n{content}\n</section>" for heading, content in sections)
    return _page(title, f"{_said(inspection)}\n<p>{escape(sentence)}</p>\n{_origin(inspection, more or {})}\n{body}")


def _said(found) -> str:
    warning = f"\n<p><strong>{escape(found.warning)}</strong></p>" if found.warning else ""
    return f"<p><strong>{escape(found.answer)}</strong></p>{warning}"


def _page(title: str, content: str) -> str:
    dark = f"@media (prefers-color-scheme: dark) {{\n{_ramp('#14181d', '#9ecae1')}\n}}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}\n{_ramp('#ffffff', '#08519c')}\n{dark}\n</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{content}\n</main>\n"
        f"<footer><p>keyfilters {escape(version('keyfilters'))}</p></footer>\n</body>\n</html>\n"
    )


def render_comparison(found: Any) -> str:
    """Return several inspections beside each other as one page: the answers, explained variance by size, the keys."""
    parts = [_said(f) + _origin(f, {"file": f.name}) for f in found]
    for f in found:
        if f.sizes:
            parts.append(
                f"<section><h2>{escape(f.name)}</h2>\n{_legend(f)}{_summary(f)}<p></p>{_histogram(f, _matched(f.records()))}</section>"
            )
    return _page(f"Depthwise filters of {len(found)} files", "\n".join(parts))
