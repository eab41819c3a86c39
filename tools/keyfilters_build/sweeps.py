"""Sliders below a figure: what the run computed for a row of settings, to go through by hand (`book/_static/sweeps.js`).

A cell that stores a figure asks for one by a row of its metadata, ``"sweep"``. It takes the data behind that figure, so that the
page shows the numbers of the run and nothing is computed on it. The figure stays, for print and for a browser without JavaScript.

Curves, from a table with a column of settings::

    {"along": "sigma", "label": "scale σ (grid units)", "value": "variance / σ²", "curves": {"variance, sampled": "sampled"}}

=========== =====================================================================================================
along       column of the settings
curves      column -> name of its curve; with ``by`` the values of that column, each a curve of the column ``of``
also        further columns -> names; their numbers are shown without a curve
units       factor of the curves' values, for what would have many zeros (default 1)
=========== =====================================================================================================

Filters, from arrays of eight filters::

    {"filters": ["A", "B"], "beside": "learned", "label": "method", "table": "fig-scales", "along": "method", "numbers": {...}}

Each setting is the name of an array, shown beside the array ``beside`` with the difference of both; ``numbers`` are columns ->
names, of the table stored as ``table``, with a row for each filter where the column ``along`` has the setting.
"""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from nbformat import NotebookNode

from .check import figure_name
from .project import BookError
from .run_store import Run

_CURVES = {"label", "along", "value", "curves", "by", "of", "also", "units"}
_FILTERS = {"label", "filters", "beside", "table", "along", "numbers"}
_COLOURS = 11


def diverging_colours() -> list[list[int]]:
    """The colours of the book's heat maps, from -1 to 1: the map is piecewise linear between these eleven."""
    import matplotlib

    from keyfilters.figures.style import DIVERGING

    colours = matplotlib.colormaps[DIVERGING](np.linspace(0, 1, _COLOURS))[:, :3]
    colours[_COLOURS // 2] = matplotlib.colormaps[DIVERGING]([127, 128])[:, :3].mean(axis=0)
    return np.rint(255 * colours).astype(int).tolist()


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float | None:
    """A cell of a table; None where it holds no number."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _column(rows: list[dict[str, str]], name: str, place: str) -> list[str]:
    if not rows or name not in rows[0]:
        raise BookError(f"{place}: `sweep` names the column {name}; the data have {', '.join(rows[0] if rows else [])}")
    return [row[name] for row in rows]


def _curves(sweep: dict[str, Any], path: Path, place: str) -> dict[str, Any]:
    rows, units = _rows(path), sweep.get("units", 1)
    along = _column(rows, sweep["along"], place)
    settings = list(dict.fromkeys(along))
    if "by" in sweep:
        of, by = _column(rows, sweep["of"], place), _column(rows, sweep["by"], place)
        found = {f"{sweep['by']} {which}": {a: v for a, b, v in zip(along, by, of, strict=True) if b == which} for which in by}
        curves = {name: [values.get(setting, "") for setting in settings] for name, values in found.items()}
    else:
        curves = {name: _column(rows, column, place) for column, name in sweep["curves"].items()}
    also = {name: _column(rows, column, place) for column, name in sweep.get("also", {}).items()}
    if any(len(values) != len(settings) for values in (*curves.values(), *also.values())):
        raise BookError(
            f"{place}: `sweep` runs along {sweep['along']}, which has a setting twice; expected `by`, or another column"
        )

    def numbers(values, factor=1):
        return [None if (x := _number(text)) is None else factor * x for text in values]

    return {
        "label": sweep["label"],
        "value": sweep["value"],
        "settings": numbers(settings),
        "curves": {name: numbers(values, units) for name, values in curves.items()},
        "also": {name: numbers(values) for name, values in also.items()},
    }


def _seen(filters: np.ndarray) -> list[list[float]]:
    """Filters row by row, with as many decimals as a colour shows."""
    return filters.reshape(len(filters), -1).round(4).tolist()


def _filters(sweep: dict[str, Any], folder: Path, path: Path, place: str) -> dict[str, Any]:
    rows = _rows(folder / f"{sweep['table']}.csv")
    along = _column(rows, sweep["along"], place)
    with np.load(path, allow_pickle=False) as arrays:
        if missing := {sweep["beside"], *sweep["filters"]} - set(arrays):
            raise BookError(f"{place}: `sweep` names the array {min(missing)}; the data have {', '.join(arrays)}")
        stacks = {name: _seen(arrays[name]) for name in (sweep["beside"], *sweep["filters"])}
    columns = {name: _column(rows, column, place) for column, name in sweep["numbers"].items()}
    numbers = {
        setting: {
            name: [_number(text) for text, own in zip(values, along, strict=True) if own == setting]
            for name, values in columns.items()
        }
        for setting in sweep["filters"]
    }
    beside = stacks.pop(sweep["beside"])
    for setting, found in numbers.items():
        if any(len(values) != len(beside) for values in found.values()):
            raise BookError(
                f"{place}: `sweep` expects a row for each of the {len(beside)} filters where {sweep['along']} is {setting}"
            )
    return {"label": sweep["label"], "beside": beside, "filters": stacks, "numbers": numbers, "colours": diverging_colours()}


def sweep_data(cell: NotebookNode, run: Run) -> dict[str, Any] | None:
    """What the slider of a cell shows; None for a cell without one.

    `BookError` for a key, a column or an array that there is not, in one line.
    """
    sweep, name = cell.metadata.get("sweep"), figure_name(cell)
    if sweep is None:
        return None
    place = f"{run.entry.slug}: {name or 'a cell without a figure'}"
    known = _FILTERS if "filters" in sweep else _CURVES
    needed = known - ({"by", "of", "also", "units"} if "by" not in sweep else {"curves", "also", "units"})
    if not name or set(sweep) - known or needed - set(sweep):
        raise BookError(
            f"{place}: `sweep` has {', '.join(sorted(sweep))}; expected {', '.join(sorted(needed))} below a named figure"
        )
    suffix = "npz" if "filters" in sweep else "csv"
    path = run.results / f"{name}.{suffix}"
    if not path.is_file():
        raise BookError(f"{place}: `sweep` needs the data of the figure as {path.name}")
    return _filters(sweep, run.results, path, place) if "filters" in sweep else _curves(sweep, path, place)


def sweep_html(cell: NotebookNode, run: Run) -> str:
    """Markdown with the data of a cell's slider; empty for a cell without one."""
    data = sweep_data(cell, run)
    if data is None:
        return ""
    # A closing tag within a script would end it.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("</", r"<\/")
    return (
        ":::{div} page-sweep only-screen\n```{raw} html\n"
        f'<div class="sweep" hidden><script type="application/json">{text}</script></div>\n```\n:::'
    )
