"""The gates: what every notebook must satisfy before it becomes a page.

Each gate returns its failures as lines `notebook: cell N: what is wrong and what is expected`; no line, no failure.
Cells are counted from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from .claim_marks import check_claims
from .labels import exercises_of, pieces
from .launch import is_install_cell
from .text_size import too_small

_TABLE = re.compile(r"^:::\{table\}[ \t]*(?P<caption>.*)\n:name: (?P<name>\S+)", re.MULTILINE)
_ROWS = re.compile(r"^\|.*\n\|[ :|-]+\|", re.MULTILINE)
_EQUATION = re.compile(r"^\$\$ \((?P<label>[\w-]+)\)", re.MULTILINE)
_EXERCISE_TITLE = re.compile(r"(?P<chapter>\d+)\.(?P<number>\d+) \((?P<level>easy|medium|harder)\)")
_HEADING = re.compile(r"^(#+)\s+(.*?)\s*#*$", re.MULTILINE)
_FENCE = re.compile(r"^(```+|~~~+).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)


def figure_name(cell: NotebookNode) -> str | None:
    """The name of the numbered figure that a cell makes, if it makes one."""
    return cell.metadata.get("mystnb", {}).get("figure", {}).get("name")


def is_lead(cell: NotebookNode) -> bool:
    """Whether the figure of a cell is the one that its page begins with."""
    return bool(cell.metadata.get("lead", False))


def table_names(cell: NotebookNode) -> list[str]:
    """The names of the numbered tables that a cell shows."""
    return [match["name"] for text in _markdown_outputs(cell) for match in _TABLE.finditer(text)]


def markdown_cell(identifier: str, source: str) -> NotebookNode:
    """A cell with text."""
    cell = new_markdown_cell(source)
    cell["id"] = identifier
    return cell


def _markdown_outputs(cell: NotebookNode) -> Iterable[str]:
    for output in cell.get("outputs", []):
        if "text/markdown" in output.get("data", {}):
            yield output["data"]["text/markdown"]


def _prose(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def _headings(notebook: NotebookNode) -> list[tuple[int, str]]:
    return [(len(marks), text) for marks, text in _HEADING.findall(_FENCE.sub("", _prose(notebook)))]


def check_source(slug: str, notebook: NotebookNode, install: str | None = None) -> list[str]:
    """The form of a notebook as it lies in git: one parameters cell, the parts that every page has. (nbstripout sees to outputs.)

    `install` is the source of the cell that installs the library, which comes second; None where a book has none.
    """
    failures = []

    def fail(what: str, cell: int | None = None) -> None:
        failures.append(f"{slug}: {f'cell {cell}: ' if cell else ''}{what}")

    cells = notebook.cells
    tagged = [n for n, cell in enumerate(cells, start=1) if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        fail(f"{len(tagged)} cells are tagged `parameters`; expected one")
    first = cells[0].source if cells and cells[0].cell_type == "markdown" else ""
    if not first.startswith("# "):
        fail("does not begin with its title (`# Title`)", 1)
    for part in ("Answer.", "Goals", "Prerequisites"):
        if f"**{part}**" not in first:
            fail(f"lacks **{part}**", 1)
    leads = [n for n, cell in enumerate(cells, start=1) if is_lead(cell)]
    if len(leads) != 1:
        which = f"cells {', '.join(map(str, leads))} have" if leads else "no cell has"
        fail(f'{which} `"lead": true` in the metadata; expected one: the figure that the page begins with')
    for n in leads:
        if not figure_name(cells[n - 1]):
            fail('has `"lead": true`, but no figure with a name; expected `mystnb: {figure: {name: ...}}`', n)
    headings = _headings(notebook)
    titles = [text for level, text in headings if level == 1]
    if len(titles) != 1:
        fail(f"has {len(titles)} titles (headings of level 1); expected one")
    for part in ("Exercises", "Summary", "What next"):
        if (2, part) not in headings:
            fail(f"lacks the section `## {part}`")
    text = _prose(notebook)
    referred = set(re.findall(r"\{eq\}`([\w-]+)`", text))
    for label in _EQUATION.findall(text):
        if label not in referred:
            fail(f"the equation {label} is not referred to; expected {{eq}}`{label}` in the text")
    if install is not None:
        fits = len(cells) > 1 and is_install_cell(cells[1]) and cells[1].source == install
        if not fits or "remove-cell" not in cells[1].metadata.get("tags", []):
            fail("is not the cell that installs the library; run python -m keyfilters_build launch", 2)
    return failures + check_claims(slug, notebook) + _check_exercises(slug, notebook)


def _check_exercises(slug: str, notebook: NotebookNode) -> list[str]:
    """Each exercise has a number and a level, a cell for the answer that calls its check, and an executed solution that passes it."""
    failures = []
    exercises = [exercise for exercise in exercises_of(slug, notebook) if exercise.label]
    if len(exercises) < 2:
        failures.append(f"{slug}: {len(exercises)} exercises with a label; expected at least two")
    code: dict[str | None, list[str]] = {None: []}
    for _, cell, text, solution in pieces(notebook):
        if cell.cell_type == "code":
            code.setdefault(solution, []).append(text)
    for exercise in exercises:
        label, where = exercise.label, f"{slug}: exercise {exercise.label}"
        title = _EXERCISE_TITLE.fullmatch(exercise.title)
        if not title or exercise.numbered:
            failures.append(
                f"{where}: expected a title such as `5.1, easy` (or medium, harder) and `:nonumber:` below the label"
            )
        if label not in code:
            failures.append(f"{where}: no executed solution (`:::{{solution-start}} {label}` and code cells)")
        elif title:
            check = f"check_{title['chapter']}_{title['number']}"
            if not re.search(rf"^{check}\(", "\n".join(code[None]), re.MULTILINE):
                failures.append(f"{where}: no cell for the answer; expected one that ends with `{check}(...)`")
            if not re.search(rf"^assert {check}\(|holds=bool\({check}\(", code[label][-1], re.MULTILINE):
                failures.append(
                    f"{where}: the solution's last code cell lacks `assert {check}(...)`, or `holds=bool({check}(...))` in a claim"
                )
    return failures


def figures_referenced(slug: str, notebook: NotebookNode) -> list[str]:
    """Every figure and every table must be referred to in the text of its own notebook."""
    text = _prose(notebook)
    referred = set(re.findall(r"\{numref\}`(?:[^`<]*<)?([^`<>]+)>?`", text))
    failures = []
    for position, cell in enumerate(notebook.cells, start=1):
        names = [figure_name(cell)] if figure_name(cell) else []
        for name in names + table_names(cell):
            if name not in referred:
                failures.append(f"{slug}: cell {position}: {name} is not referred to; expected {{numref}}`{name}` in the text")
    return failures


def check_executed(slug: str, notebook: NotebookNode, results: Path, *, private: Iterable[str] = ()) -> list[str]:
    """The outputs of an executed notebook and the data behind them.

    `results` is the folder of its data; `private` lists texts that may not stand in an output, such as paths.
    """
    failures = []
    seen: set[str] = set()
    private = [text for text in private if text]
    for position, cell in enumerate(notebook.cells, start=1):
        where = f"{slug}: cell {position}"
        if cell.cell_type != "code":
            continue
        if cell.source.strip() and cell.get("execution_count") is None:
            failures.append(f"{where}: was not executed")
        failures += [f"{where}: {problem}" for problem in _check_outputs(cell, private)]
        names = table_names(cell)
        name = figure_name(cell)
        if name:
            names.append(name)
            drawing = results / f"{name}.svg"
            if drawing.is_file():
                small = too_small(drawing.read_bytes())
                failures += [f"{where}: {name}: {small}"] if small else []
            else:
                failures.append(
                    f'{where}: the metadata name the figure {name}, but the cell stored no {name}.svg; expected page.figure(fig, "{name}", ...)'
                )
            if not any((results / f"{name}.{suffix}").is_file() for suffix in ("csv", "npz")):
                failures.append(f'{where}: no data behind {name}; expected page.figure(fig, "{name}", data=...)')
        for label in names:
            if label in seen:
                failures.append(f"{where}: the name {label} is used twice")
            seen.add(label)
    return failures + figures_referenced(slug, notebook)


def _check_outputs(cell: NotebookNode, private: list[str]) -> Iterable[str]:
    images = 0
    for output in cell.get("outputs", []):
        kind = output.output_type
        if kind == "error":
            yield f"raised {output.ename}: {output.evalue}"
        if kind == "stream" and output.name == "stderr":
            yield f"wrote to stderr: {(output.text.strip() or '(blank)').splitlines()[0]}"
        data = output.get("data", {})
        said = [value for mime, value in data.items() if isinstance(value, str) and not mime.startswith("image/png")]
        if any(text in words for text in private for words in [output.get("text", ""), *said]):
            yield "shows a path of the machine that ran it"
        if any(mime.startswith("image/") for mime in data):
            images += 1
        markdown = data.get("text/markdown", "")
        bare = "<table" in data.get("text/html", "") or _ROWS.search(markdown)
        if bare and not _TABLE.search(markdown):
            yield "shows a table without number and caption; expected page.table(...)"
        for match in _TABLE.finditer(markdown):
            if not match["caption"].strip():
                yield f"the table {match['name']} has no caption; expected `tables: {{{match['name']}: ...}}` in the cell's metadata"
    for name in set(cell.metadata.get("tables", {})) - set(table_names(cell)):
        yield f"its metadata have a caption of the table {name}, but it shows none of this name"
    metadata = cell.metadata.get("mystnb", {})
    shown = metadata.get("figure", {})
    for what, part, key in (("name", "figure", "name"), ("caption", "figure", "caption"), ("alternative text", "image", "alt")):
        if images and not str(metadata.get(part, {}).get(key, "")).strip():
            yield f"shows a figure without {what}; expected `mystnb: {{{part}: {{{key}: ...}}}}` in the cell's metadata"
    if images > 1:
        yield f"shows {images} figures; expected one a cell"
    if shown and not images:
        yield f"its metadata name the figure {shown.get('name')}, but it shows none"
