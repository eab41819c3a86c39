"""The pages on which a reader shapes a key and inspects a network: style, scripts and data, in one piece for `{raw} html`.

Nothing is loaded by an address, so that the page works from a file. The scripts do not lie in `_static`: Jupyter Book
would load whatever script lies there on every page.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from keyfilters.filters import DERIVATIVE, KEYS, SHARPENING, learned_filters
from keyfilters.fitting.components import fit_components
from keyfilters.fitting.joint import all_fits, fit_table
from keyfilters.images import photographs
from keyfilters.models import MODEL_EDGES, ideal_filter
from keyfilters.normalization import normalized_filters

from .project import Project, write_atomic
from .sweeps import diverging_colours

INTERACTIVE_PAGES = {
    "interactive": (
        "interactive.css",
        "stage.css",
        "maths.js",
        "forms.js",
        "fit.js",
        "paint.js",
        "state.js",
        "photograph.js",
        "stage.js",
        "readings.js",
        "explorer.js",
        "workbench.js",
        "quiz.js",
    ),
    "inspect_network": (
        "interactive.css",
        "inspect.css",
        "maths.js",
        "fit.js",
        "paint.js",
        "weights.js",
        "scales.js",
        "nulls.js",
        "inspect.js",
        "inspector.js",
    ),
}
"""Page -> its styles and scripts, in this order: each uses what stands before it."""

PHOTOGRAPHS = {"cat": "chelsea", "camera": "camera", "astronaut": "astronaut"}
"""Photograph on the page -> its name in `keyfilters.images`."""

LEVEL = 0.95
"""Of the intervals beside the sliders."""

PHOTOGRAPH = 128
_SHORT = {"sigma_x": "sx", "sigma_y": "sy", "gamma": "gamma"}
_TAGS = {".css": "style", ".js": "script"}


def _symbol(row) -> str:
    """The operator of a key without LaTeX, for labels."""
    if row.kind == DERIVATIVE:
        axis = "xy"[row.derivative_axis]
        side = {"forward": "+", "backward": "−", "central": ""}[row.x if axis == "x" else row.y]
        return f"δ{axis}{side}"
    return "δ − γ∇²" if row.kind == SHARPENING else "T"


def _template(row) -> np.ndarray:
    """Template that weights the spread measures; key 7 takes plain smoothing, as published."""
    return ideal_filter(KEYS[7] if row.kind == SHARPENING else row, row.reference_scale)


def _presets(edge: str) -> dict[str, list[list[float | None]]]:
    """Method -> (sigma_x, sigma_y, gamma) of the eight keys."""
    table = fit_table(edge=edge)
    presets: dict[str, list[list[float | None]]] = {}
    for row in table.itertuples():
        gamma = None if np.isnan(row.gamma) else float(row.gamma)
        presets.setdefault(row.method, []).append([float(row.sigma_x), float(row.sigma_y), gamma])
    return presets


def interactive_data() -> dict:
    """What the pages know: the catalogue, the filters, their templates, the fits of all methods, the colours, and what names wear."""
    from keyfilters.networks.zoo.weight_formats import BESIDE, INSERTED

    keys = [
        {"number": row.number, "kind": row.kind, "x": row.x, "y": row.y, "name": row.name, "symbol": _symbol(row)}
        for row in KEYS
    ]
    return {
        "keys": keys,
        "learned": learned_filters().reshape(8, -1).tolist(),
        "normalized": normalized_filters().reshape(8, -1).tolist(),
        "templates": [_template(row).ravel().tolist() for row in KEYS],
        "presets": {edge: _presets(edge) for edge in MODEL_EDGES},
        "colours": diverging_colours(),
        "wrappers": {"inserted": list(INSERTED), "beside": list(BESIDE)},
    }


def _intervals(edge: str) -> dict[str, list[dict[str, list[float]]]]:
    """Method -> of each key the ends by the page's name of the parameter. The l1 norm (C) would take most of a build's seconds."""
    found: dict[str, list[dict[str, list[float]]]] = {}
    for fitted in all_fits(edge=edge):
        if not fitted.method.startswith("C"):
            ends = fitted.interval(LEVEL)
            found.setdefault(fitted.method, []).append({_SHORT[name]: list(pair) for name, pair in ends.items()})
    return found


def _components(edge: str) -> list[list[float | None]]:
    """(sigma_x, sigma_y, gamma) of the best a f + c T + b of the eight keys.

    Those of D1 for the key that sharpens: its best sum of an impulse, a Laplacian and a blob cancels terms fifty times as large.
    """
    own = _presets(edge)["D1"]
    return [
        own[row.number - 1] if row.kind == SHARPENING else [*fit_components(row, "blob and constant", edge=edge).sigmas, None]
        for row in KEYS
    ]


@lru_cache(maxsize=1)
def workbench_data() -> dict:
    """What only the workbench knows: its photographs, intervals of the fits, and the best scales of the keys with a blob."""
    return {
        "photographs": grey_photographs(),
        "level": LEVEL,
        "intervals": {edge: _intervals(edge) for edge in MODEL_EDGES},
        "components": {edge: _components(edge) for edge in MODEL_EDGES},
    }


def grey_photographs() -> dict[str, str]:
    """Name on the page -> the middle square of a photograph, `PHOTOGRAPH` pixels wide, in grey: its bytes row by row, in base64."""
    from PIL import Image

    found = {}
    for name, picture in photographs(PHOTOGRAPHS.values()).items():
        side = min(picture.shape[:2])
        top, left = ((n - side) // 2 for n in picture.shape[:2])
        square = Image.fromarray(picture[top : top + side, left : left + side]).convert("L")
        small = square.resize((PHOTOGRAPH, PHOTOGRAPH), Image.Resampling.LANCZOS)
        shown = next(shown for shown, own in PHOTOGRAPHS.items() if own == name)
        found[shown] = base64.b64encode(small.tobytes()).decode()
    return found


def _piece(folder: Path, name: str) -> str:
    text, tag = (folder / name).read_text(encoding="utf-8"), _TAGS[Path(name).suffix]
    # A saved report takes the style of reports along.
    known = ' id="ki-style"' if name == "inspect.css" else ""
    return f"<{tag}{known}>\n{text}</{tag}>"


def write_interactive(project: Project) -> None:
    """Write `book/_generated/<page>.html` of each page: its styles, the data and its scripts.

    A file that would not change is left alone, so that its time does not make the book look out of date.
    """
    folder = project.book / "interactive"
    known, workbench = interactive_data(), workbench_data()
    for page, names in INTERACTIVE_PAGES.items():
        content = known | workbench if "forms.js" in names else known
        # A closing tag within a script would end it.
        data = json.dumps(content, separators=(",", ":"), ensure_ascii=False).replace("</", r"<\/")
        parts = [f"<script>\nwindow.KeyFilters = {{data: {data}}};\n</script>", *(_piece(folder, name) for name in names)]
        text = "\n".join(parts) + "\n"
        target = project.generated / f"{page}.html"
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            write_atomic(target, text)
