"""Turn executed notebooks into pages: the question, the first picture, the answer; goals and imports are folded.

The notebook in git keeps its order and all of its lines. The page shows the figure of the cell that has ``"lead": true``
in its metadata below the first paragraph, the code stays in its place, and what is the same on every page is folded. What differs
between machines is left out; the card and the links to the data are added.
"""

from __future__ import annotations

import ast
import copy
import html
import re

import nbformat
from nbformat import NotebookNode

from .check import figure_name, is_lead, markdown_cell, table_names
from .claim_marks import banner, marked, read_claims
from .links import INTERACTIVE
from .page_texts import commit_text, memory_text, parameters_text, seconds_text, versions_text
from .project import Project, remove_tree, replace_tree, write_atomic
from .run_store import Run, page_source
from .sweeps import sweep_html

SUMMARY = "## Summary\n"
SHORT_WAY = '\n\n:::{div} short-way\nThe short way: <a href="#summary">from here to the summary</a>.\n:::'
EXERCISES = "## Exercises\n"
WHERE_TO_RUN = (
    ":::{div} where-to-run\nThe parts with code need a computer, or a browser with patience: the rocket at the top of the page "
    "opens the notebook in Binder or Colab, where nothing has to be installed.\n:::"
)
"""What a page says above its exercises; a notebook of a class is open already."""

_KINDS = (("csv", "CSV"), ("npz", "NPZ"), ("svg", "SVG"))
_FOLDED = re.compile(r"^\*\*(?:Goals|Prerequisites)\*\*\s*$", re.MULTILINE)


def stage(project: Project, runs: list[Run]) -> None:
    """Write the pages of `runs` to `book/notebooks` and their data to `book/_generated/data`.

    Pages and data of notebooks that are no longer there go. The notebooks as they are written, with the outputs of their runs,
    lie in `Project.written`, for the archives of a class.
    """
    data = project.generated / "data"
    wanted = {name for run in runs for name in (run.entry.slug, f"{run.entry.slug}.ipynb")}
    for folder in (project.staged, data):
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.name not in wanted:
                path.unlink() if path.is_file() else remove_tree(path)
    for run in runs:
        slug = run.entry.slug
        target = project.staged / f"{slug}.ipynb"
        replace_tree(run.results, data / slug)
        parts = f"src/keyfilters_book/chapters/{slug}_parts.py"
        notebook = page_source(project, run)
        claims = read_claims(run.results)
        notebook.cells, refusals = marked(notebook.cells, claims)
        write_atomic(project.written / target.name, nbformat.writes(notebook) + "\n")
        notebook = page(notebook, run, project.repository, parts if (project.root / parts).is_file() else None)
        if refusals:
            notebook.cells.insert(2, markdown_cell("page-claims", banner(refusals, len(claims))))
        text = nbformat.writes(notebook) + "\n"
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            write_atomic(target, text)


def page(notebook: NotebookNode, run: Run, url: str, parts: str | None = None) -> NotebookNode:
    """The page of an executed notebook; `parts` has its tables and figures."""
    cells: list[NotebookNode] = []
    lead, answered = lifted(notebook.cells)
    for position, cell in enumerate(answered):
        slider = sweep_html(cell, run)
        cell = _stripped(cell)
        if position == 0 and cell.cell_type == "markdown":
            title, _, rest = cell.source.partition("\n")
            question, rest = opening(rest)
            cells.append(markdown_cell("page-title", title))
            cells.append(markdown_cell("page-card", page_card(run, url, parts)))
            if lead is not None:
                line, lead_slider = data_line(lead, run), sweep_html(lead, run)
                cells += [markdown_cell("page-question", question), _stripped(lead)]
                cells += [markdown_cell("data-lead", line)] if line else []
                cells += [markdown_cell("sweep-lead", lead_slider)] if lead_slider else []
                cell.source = rest
            else:
                cell.source = "\n\n".join(part for part in (question, rest) if part)
            if any(other.cell_type == "markdown" and SUMMARY in other.source for other in answered):
                cell.source += SHORT_WAY
            if run.entry.play:
                cells.append(markdown_cell("page-play", play_line(run.entry.play)))
            if not cell.source:
                continue
        if cell.cell_type != "code":
            cell.source = cell.source.replace(EXERCISES, f"{EXERCISES}\n{WHERE_TO_RUN}\n")
            cells.append(cell)
            continue
        line = data_line(cell, run)
        cells += shown_code(cell)
        if line:
            cells.append(markdown_cell(f"data-{position}", line))
        if slider:
            cells.append(markdown_cell(f"sweep-{position}", slider))
    notebook.cells = cells
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


def _stripped(cell: NotebookNode) -> NotebookNode:
    """Keep of the metadata what the book reads: papermill and Jupyter add paths and times."""
    kept = {key: cell.metadata[key] for key in ("mystnb", "tags") if key in cell.metadata}
    if cell.cell_type == "code" and table_names(cell):
        kept["mystnb"] = {**kept.get("mystnb", {}), "markdown_format": "myst"}
    cell.metadata = nbformat.from_dict(kept)
    return cell


def data_line(cell: NotebookNode, run: Run) -> str:
    """The links to the data behind the figure or the tables of a cell; empty where there is nothing behind it."""
    names = [(figure_name(cell), "figure")] if figure_name(cell) else []
    names += [(name, "table") for name in table_names(cell)]
    lines = []
    for name, kind in names:
        links = [
            f"{{download}}`{label} <../_generated/data/{run.entry.slug}/{name}.{suffix}>`"
            for suffix, label in _KINDS
            if (run.results / f"{name}.{suffix}").is_file()
        ]
        if links:
            lines.append(f"Data behind this {kind}: {' · '.join(links)}")
    if not lines:
        return ""
    return ":::{div} data-links\n" + "\\\n".join(lines) + "\n:::"


def play_line(play: dict[str, str]) -> str:
    """The link to the workbench at the setting that a page discusses."""
    address = f"../{INTERACTIVE}#{html.escape(play['address'])}"
    return (
        f':::{{div}} page-play\n<a href="{address}">Play</a>: {play["words"]}{"" if play["words"].endswith("?") else "."}\n:::'
    )


# need -> what a reader has to have, in words; what is downloaded is said with its size
NEEDED = {
    "networks": "PyTorch and timm",
    "representations": "PyWavelets, curvelets and scikit-learn",
    "fashion-mnist": "Fashion-MNIST (30 MB, fetched)",
}


def needs_text(run: Run) -> str:
    """What a page needs to be run, with the minutes and the memory that its run took."""
    entry, record = run.entry, run.record
    things = [words for need, words in NEEDED.items() if need in entry.needs]
    text = f"Needs {'; '.join(things)}" if things else "Needs nothing beyond the library"
    text += f": {seconds_text(record['seconds'])} to run"
    # Records of earlier runs have no memory.
    if record.get("memory_mb"):
        text += f" with {memory_text(record['memory_mb'])} of memory"
    return text + (", on a GPU" if entry.device == "gpu" else ", no GPU")


def page_card(run: Run, url: str, parts: str | None = None) -> str:
    """The line below the title: reading time and part of the paper; parameters, provenance and sources unfold."""
    entry, record = run.entry, run.record
    libraries = versions_text(record["versions"], " · ")
    numbered = f"section {entry.section}" if entry.section[0].isdigit() else entry.section
    where = (
        f"{numbered} of the paper"
        if re.match(r"(sections?|figures?|tables?|appendix)\b", numbered, re.IGNORECASE)
        else numbered
    )
    source = f"{url}/blob/main"
    facts = (
        f"Run in profile **{run.profile}** with {parameters_text(record['parameters'])}\\\n"
        f"{needs_text(run)}\\\n"
        f"Executed from {commit_text(record['commit'])} on {record['device']} · {libraries} · "
        f"data sha256 `{record['data_sha256'][:12]}`\\\n"
        f"Source: {{download}}`this notebook <../../notebooks/{entry.slug}.ipynb>` · "
        f"[notebook in the repository]({source}/notebooks/{entry.slug}.ipynb) · "
        + (f"{{download}}`its tables and figures <../../{parts}>` · " if parts else "")
        + f"[the library]({url}/tree/main/src/keyfilters) · [the package of the chapters]({url}/tree/main/src/keyfilters_book)\\\n"
        "Imports stand folded; lines that only store or show what was computed (`page.…`) stand in the notebook alone."
    )
    return fold(f"{entry.minutes} min to read · {where}", facts, "page-card")


def fold(summary: str, text: str, classes: str) -> str:
    """Text that opens with a click, in MyST.

    >>> print(fold("Goals", "- one", "page-goals"))
    :::{div} page-goals
    <details><summary>Goals</summary>
    <BLANKLINE>
    - one
    <BLANKLINE>
    </details>
    :::
    """
    return f":::{{div}} {classes}\n<details><summary>{html.escape(summary, quote=False)}</summary>\n\n{text.strip()}\n\n</details>\n:::"


def opening(text: str) -> tuple[str, str]:
    """The first paragraph below the title, and the rest with goals and prerequisites folded.

    >>> question, rest = opening("Why?\\n\\n**Answer.** So.\\n\\n**Goals**\\n\\n- one\\n\\n**Prerequisites**\\n\\n- none")
    >>> question, rest.splitlines()[:3]
    ('Why?', ['**Answer.** So.', '', ':::{div} page-goals no-terms'])
    """
    begin = _FOLDED.search(text)
    before, goals = (text[: begin.start()], text[begin.start() :]) if begin else (text, "")
    question, _, answer = before.strip().partition("\n\n")
    folded = fold("Goals and prerequisites", goals, "page-goals no-terms") if goals else ""
    return question, "\n\n".join(part for part in (answer.strip(), folded) if part)


def lifted(cells: list[NotebookNode]) -> tuple[NotebookNode | None, list[NotebookNode]]:
    """The cell that shows the lead figure, None where no cell has it, and the cells with a line where the figure stood."""
    position = next((n for n, cell in enumerate(cells) if is_lead(cell) and _images(cell)), None)
    if position is None:
        return None, cells
    cell = cells[position]
    name = figure_name(cell)
    top = copy.deepcopy(cell)
    # MyST-NB shows nothing of a cell without source.
    top["id"], top.source = "lead-figure", f"# {name}"
    top.outputs = _images(top)
    top.metadata["tags"] = ["remove-input"]
    cell.outputs = [output for output in cell.outputs if output not in _images(cell)]
    for key in ("figure", "image"):
        cell.metadata["mystnb"].pop(key, None)
    cell.metadata.pop("sweep", None)  # its slider stands below the figure
    line = markdown_cell("lead-place", f":::{{div}} lead-place\n{{numref}}`{name}` stands at the top of the page.\n:::")
    return top, [*cells[: position + 1], line, *cells[position + 1 :]]


def _images(cell: NotebookNode) -> list[NotebookNode]:
    return [output for output in cell.get("outputs", ()) if any(mime.startswith("image/") for mime in output.get("data", {}))]


def statements(source: str) -> list[ast.stmt] | None:
    """The statements of a cell; None where it is no plain Python, such as one with a magic."""
    try:
        return ast.parse(source).body
    except SyntaxError:
        return None


def is_import(statement: ast.stmt) -> bool:
    """Whether a statement only imports."""
    return isinstance(statement, ast.Import | ast.ImportFrom)


def hands_over(statement: ast.stmt) -> bool:
    """Whether a statement does nothing but call `page.figure`, `page.numbers` and the like, be it in a loop.

    >>> [hands_over(s) for s in ast.parse("page.figure(fig)\\nfor n in x:\\n    page.number(n, 1)\\nfig = page.draw()").body]
    [True, True, False]
    """
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return ast.unparse(statement.value.func).startswith("page.")
    if isinstance(statement, ast.For | ast.With | ast.If):
        inner = [*statement.body, *getattr(statement, "orelse", [])]
        return all(hands_over(each) for each in inner)
    return False


def without_calls(source: str) -> str:
    """The lines of a cell without the statements that only hand over; what is left between them is not run together.

    >>> print(without_calls("x = 1\\n\\n\\npage.number('x', x)\\n# why\\ny = 2"))
    x = 1
    <BLANKLINE>
    <BLANKLINE>
    # why
    y = 2
    """
    lines = source.split("\n")
    found = statements(source) or []
    taken = {line for each in found if not hands_over(each) for line in _lines(each)}
    dropped = {line for each in found if hands_over(each) for line in _lines(each)} - taken
    kept: list[str] = []
    for number, line in enumerate(lines, start=1):
        if number not in dropped and not (not line.strip() and kept[-2:] == ["", ""]):
            kept.append(line)
    return "\n".join(kept).strip("\n")


def plumbing(source: str) -> int:
    """How many lines of a cell are imports, or statements that only hand over.

    >>> plumbing("import numpy as np\\nx = 1\\npage.numbers(\\n    x=x,\\n)")
    4
    """
    return len({line for each in statements(source) or [] if is_import(each) or hands_over(each) for line in _lines(each)})


def _lines(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def shown_code(cell: NotebookNode) -> list[NotebookNode]:
    """The code cells that a page shows for one of a notebook.

    Imports at its head are folded; statements that only hand to the page what was computed are left out; what remains
    is shown. Cells that are folded or left out as a whole stay as they are.
    """
    tags = list(cell.metadata.get("tags", ()))
    # Where only the output is folded, the code is shown as in any other cell.
    if any(tag.startswith(("hide-", "remove-")) and tag != "hide-output" for tag in tags):
        return [cell]
    found = statements(cell.source)
    if found is None:
        return [cell]
    head = next((n for n, statement in enumerate(found) if not is_import(statement)), len(found))
    lines = cell.source.split("\n")
    cut = found[head - 1].end_lineno or 0 if head else 0
    imports, rest = "\n".join(lines[:cut]), without_calls("\n".join(lines[cut:]))
    cells = []
    if imports:
        prompt = {"code_prompt_show": "Imports", "code_prompt_hide": "Imports"}
        folded = copy.deepcopy(cell)
        folded.source, folded.outputs = imports, [] if rest or cell.outputs else cell.outputs
        folded.metadata["tags"], folded.metadata["mystnb"] = [*tags, "hide-input"], prompt
        folded["id"] = f"{cell['id'][:55]}-imports"
        cells.append(folded)
    if rest or cell.outputs:
        cell.source = rest or cell.source
        if not rest:
            cell.metadata["tags"] = [*tags, "remove-input"]
        cells.append(cell)
    if not cells:
        cell.metadata["tags"] = ["remove-cell"]
    return cells or [cell]
