"""The page on which a reader shapes a key: its style, scripts and data, written in one piece for `{raw} html`.

Nothing is loaded by an address, so that the page works from a file. The scripts do not lie in `_static`: Jupyter Book
would load whatever script lies there on every page.
"""

from __future__ import annotations

import json

import numpy as np

from ..filters import DERIVATIVE, KEYS, SHARPENING, learned_filters
from ..fitting.joint import fit_table
from ..models import MODEL_EDGES, ideal_filter
from ..normalization import normalized_filters
from .project import Project, write_atomic

__all__ = ["SCRIPTS", "interactive_data", "write_interactive"]

# In this order: each uses what stands before it.
SCRIPTS = ("maths.js", "fit.js", "paint.js", "state.js", "explorer.js", "workbench.js")
STYLE = "interactive.css"

_COLOURS = 11


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
    """What the page knows: the catalogue, the filters, their templates, the fits of all methods, the colours."""
    import matplotlib

    from ..figures.style import DIVERGING

    # The map is piecewise linear between these colours, so eleven of them are the whole of it.
    colours = matplotlib.colormaps[DIVERGING](np.linspace(0, 1, _COLOURS))[:, :3]
    colours[_COLOURS // 2] = matplotlib.colormaps[DIVERGING]([127, 128])[:, :3].mean(axis=0)
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
        "colours": np.rint(255 * colours).astype(int).tolist(),
    }


def write_interactive(project: Project) -> None:
    """Write `book/_generated/interactive.html`: style, data and scripts of the page.

    A file that would not change is left alone, so that its time does not make the book look out of date.
    """
    folder = project.book / "interactive"
    # A closing tag within a script would end it.
    data = json.dumps(interactive_data(), separators=(",", ":"), ensure_ascii=False).replace("</", r"<\/")
    parts = [f"<style>\n{(folder / STYLE).read_text(encoding='utf-8')}</style>"]
    parts.append(f"<script>\nwindow.KeyFilters = {{data: {data}}};\n</script>")
    parts += [f"<script>\n{(folder / name).read_text(encoding='utf-8')}</script>" for name in SCRIPTS]
    text = "\n".join(parts) + "\n"
    target = project.generated / "interactive.html"
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        write_atomic(target, text)
