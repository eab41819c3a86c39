"""Sphinx extension: links to the data of figures and tables that have none yet, and where a page comes from.

The pages made from notebooks bring their own links and their card (see `stage`). For the others this extension

- writes what a numbered table shows to a CSV file, or takes the file of its name from `_generated/tables`, which holds
  it in full, and links to it below the table,
- links to the SVG and the data of a numbered figure that shows a picture of `_generated/data`,
- ends the page with the line that says where the book comes from.

It acts on the HTML of the book only, not on other builders. Pages are written by as many processes as there are cores,
beside the one that resolves them; they are read by one, since not every extension can share that.
"""

from __future__ import annotations

import csv
import html
import io
import os
import posixpath
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

FOLDER = "_downloads/data"
FIGURE_FORMATS = (("csv", "CSV"), ("npz", "NPZ"), ("svg", "SVG"))
TABLES = "_generated/tables"


def provenance_html(line: str) -> str:
    """The last line of a page: where the book comes from, with what stands in backticks as code.

    >>> provenance_html("Built from commit `1a2b`")
    '<div class="provenance"><p>Built from commit <code class="docutils literal">1a2b</code></p></div>'
    """
    said = re.sub(r"`([^`]*)`", r'<code class="docutils literal">\1</code>', html.escape(line.strip(), quote=False))
    return f'<div class="provenance"><p>{said}</p></div>'


def rows_of(table: nodes.table) -> list[list[str]]:
    """The rows of a table, its head included, as text; formulas as LaTeX."""
    return [
        [re.sub(r"\s+", " ", entry.astext()).strip() for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)
    ]


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _links(kind: str, links: list[tuple[str, str]]) -> nodes.container:
    """The line below a figure or table: the same as on pages made from notebooks."""
    line = nodes.paragraph("", f"Data behind this {kind}: ")
    for position, (label, address) in enumerate(links):
        if position:
            line += nodes.Text(" · ")
        line += nodes.reference("", label, refuri=address, internal=True, classes=["download"])
    return nodes.container("", line, classes=["data-links"])


def _place(app: Sphinx, docname: str, name: str) -> tuple[Path, str]:
    """Where a file of a page goes, and its address from the page."""
    file = f"{FOLDER}/{docname}/{name}"
    path = Path(app.outdir) / file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path, posixpath.relpath(file, posixpath.dirname(docname) or ".")


def _linked(doctree: nodes.document) -> set[str]:
    """Stems of the files that a page offers already."""
    return {Path(link["reftarget"]).stem for link in doctree.findall(addnodes.download_reference)}


def _add_tables(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    linked = _linked(doctree)
    for table in list(doctree.findall(nodes.table)):
        if not table["ids"] or not any(isinstance(child, nodes.title) for child in table) or table["ids"][0] in linked:
            continue
        path, address = _place(app, docname, f"{table['ids'][0]}.csv")
        full = Path(app.srcdir) / TABLES / path.name
        path.write_text(full.read_text(encoding="utf-8") if full.is_file() else _csv(rows_of(table)), encoding="utf-8")
        table.parent.insert(table.parent.index(table) + 1, _links("table", [("CSV", address)]))


def _add_figures(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    linked = _linked(doctree)
    for figure in list(doctree.findall(nodes.figure)):
        picture = next(figure.findall(nodes.image), None)
        if not figure["ids"] or picture is None or figure["ids"][0] in linked:
            continue
        source = Path(app.srcdir) / picture["uri"]
        links = []
        for suffix, label in FIGURE_FORMATS:
            data = source.with_suffix(f".{suffix}")
            if "_generated/data/" in picture["uri"] and data.is_file():
                path, address = _place(app, docname, f"{figure['ids'][0]}.{suffix}")
                shutil.copyfile(data, path)
                links.append((label, address))
        if links:
            figure.parent.insert(figure.parent.index(figure) + 1, _links("figure", links))


def _say_provenance(app: Sphinx, docname: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """End the page with where the book comes from; not as a part of the document, whose words the search finds."""
    path = Path(app.srcdir) / "_generated" / "provenance.txt"
    own = doctree is None or any("page-card" in part["classes"] for part in doctree.findall(nodes.container))
    if app.builder.name == "html" and path.is_file() and not own:
        before, end, after = context["body"].rpartition("</section>")
        context["body"] = before + provenance_html(path.read_text(encoding="utf-8")) + end + after


def _resolved(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.name != "html":
        return
    _add_tables(app, doctree, docname)
    _add_figures(app, doctree, docname)


def _before_writing(app: Sphinx, environment: BuildEnvironment) -> None:
    app.parallel = (os.cpu_count() or 1) + 1
    # Sphinx loads the whole page of a figure, table or section anew for each reference to its number.
    environment.get_doctree = cache(environment.get_doctree)


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point for Sphinx."""
    app.connect("env-check-consistency", _before_writing)
    app.connect("doctree-resolved", _resolved)
    app.connect("html-page-context", _say_provenance)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
