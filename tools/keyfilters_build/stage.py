"""Turn executed notebooks into pages: strip what differs between machines, add the card and the data links, lift the first figure."""

from __future__ import annotations

import html
import re

import nbformat
from nbformat import NotebookNode

from .check import figure_name, markdown_cell, table_names
from .claim_marks import banner, marked, read_claims
from .links import INTERACTIVE
from .page_form import fold, lifted, opening, shown_code
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


def stage(project: Project, runs: list[Run]) -> None:
    """Write the pages of `runs` to `book/notebooks` and their data to `book/_generated/data`.

    Pages and data of notebooks that are no longer there go. The notebooks as they are written, with the outputs of their runs,
    lie in `Project.written`, for the archives of a class.
    """
    project.staged.mkdir(parents=True, exist_ok=True)
    data = project.generated / "data"
    data.mkdir(parents=True, exist_ok=True)
    wanted = {run.entry.slug for run in runs}
    for path in project.staged.iterdir():
        if path.stem not in wanted or path.suffix != ".ipynb":
            path.unlink() if path.is_file() else remove_tree(path)
    for path in data.iterdir():
        if path.name not in wanted:
            remove_tree(path)
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
