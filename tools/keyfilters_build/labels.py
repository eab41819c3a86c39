"""What the references of a page stand for in the built book: numbers of figures and equations, titles, sources.

The converter to plain notebooks and the slides read all of it from the pages that Sphinx has made, so that "Figure 12"
is the same figure on a page, on a slide and in a notebook that somebody carried home.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from lxml import html as lxml_html
from nbformat import NotebookNode

from .manifest import Entry
from .project import BookError, Project

_EXERCISE = re.compile(
    r"^(?P<colons>:{3,})\{exercise\}[ \t]*(?P<title>[^\n]*)\n(?P<options>(?::[^\n]*\n)*)"
    r"(?P<text>.*?)^(?P=colons)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_SOLUTION = re.compile(
    r"^:::\{solution-(?:start\}\s+(?P<label>\S+)|end\})[^\n]*\n(?::[^\n]*\n)*:::[ \t]*(?:\n|\Z)", re.MULTILINE
)
_LABEL = re.compile(r"^:label:[ \t]*(\S+)", re.MULTILINE)
_LEVEL = re.compile(r"(?P<number>\d+\.\d+),\s*(?P<level>\w+)")


@dataclass(frozen=True)
class Citation:
    """A source: `Lindeberg et al.`, `2026`, and the whole entry in Markdown."""

    authors: str
    year: str
    entry: str


@dataclass(frozen=True)
class Exercise:
    """An exercise of a notebook: its title, such as `5.1 (easy)`, its text in MyST, and whether Sphinx numbers it too."""

    label: str
    slug: str
    title: str
    text: str
    numbered: bool = False


@dataclass(frozen=True)
class Names:
    """label -> (what the book calls it, its page); page -> title; notebook -> number -> text; key -> source."""

    labels: dict[str, tuple[str, str]]
    titles: dict[str, str]
    numbers: dict[str, dict[str, str]]
    citations: dict[str, Citation]
    exercises: dict[str, Exercise]
    figures: dict[str, tuple[str, str, str]]
    repository: dict[str, Any]

    def label(self, name: str) -> tuple[str, str]:
        """What the book calls a figure, table or equation, and the page that has it."""
        if name not in self.labels:
            raise BookError(f"{name}: the built book has no figure, table or equation of this name; run make book")
        return self.labels[name]

    def number(self, slug: str, name: str) -> str:
        """The text of a number that a notebook computed."""
        try:
            return self.numbers[slug][name]
        except KeyError:
            raise BookError(f"{slug} has no number {name!r}; expected a name given to page.number there") from None


def exercises_of(slug: str, notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a notebook, in order.

    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> text = ":::{exercise} 5.1, easy\\n:label: ex-a-1\\n:nonumber:\\n\\nHow wide?\\n:::"
    >>> exercises_of("a", new_notebook(cells=[new_markdown_cell(text)]))
    [Exercise(label='ex-a-1', slug='a', title='5.1 (easy)', text='How wide?', numbered=False)]
    """
    found = []
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for position, match in enumerate(_EXERCISE.finditer(text), start=1):
        label = _LABEL.search(match["options"])
        level = _LEVEL.fullmatch(match["title"].strip())
        title = f"{level['number']} ({level['level']})" if level else match["title"].strip() or str(position)
        found.append(
            Exercise(label[1] if label else "", slug, title, match["text"].strip(), ":nonumber:" not in match["options"])
        )
    return found


def pieces(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode, str, str | None]]:
    """Number (from 1) of a cell, the cell, a piece of its text, and the label of the exercise whose solution that belongs to.

    A cell of code is one piece; the marks of solutions are in none.

    >>> from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
    >>> start, end = ":::{solution-start} ex-1\\n:::\\n\\nIt is 2.", ":::{solution-end}\\n:::\\n\\nMore."
    >>> cells = [new_markdown_cell(start), new_code_cell("assert 1 + 1 == 2"), new_markdown_cell(end)]
    >>> [(text.strip(), label) for _, _, text, label in pieces(new_notebook(cells=cells)) if text]
    [('It is 2.', 'ex-1'), ('assert 1 + 1 == 2', 'ex-1'), ('More.', None)]
    """
    label = None
    for position, cell in enumerate(notebook.cells, start=1):
        begin = 0
        for mark in _SOLUTION.finditer(cell.source) if cell.cell_type == "markdown" else ():
            yield position, cell, cell.source[begin : mark.start()], label
            label, begin = mark["label"], mark.end()
        yield position, cell, cell.source[begin:], label


def citations(bibliography: Path) -> dict[str, Citation]:
    """Key -> source, for every entry of a BibTeX file."""
    from pybtex.database import parse_file
    from pybtex.plugin import find_plugin

    from .bibliography import authors

    data = parse_file(str(bibliography))
    style, backend = find_plugin("pybtex.style.formatting", "unsrt")(), find_plugin("pybtex.backends", "markdown")()
    found = {}
    for formatted in style.format_entries(data.entries.values()):
        entry = data.entries[formatted.key]
        # The backend escapes every full stop, which readers of the raw notebook would stumble over.
        text = re.sub(r"\\([.\-()])", r"\1", formatted.text.render(backend)).replace("\n", " ")
        found[formatted.key] = Citation(authors(entry), entry.fields.get("year", "no year"), text)
    return found


def _page_labels(tree: lxml_html.HtmlElement, page: str) -> dict[str, tuple[str, str]]:
    labels = {}
    for element in tree.iterfind(".//*[@id]"):
        name = element.get("id")
        if element.tag in ("figure", "table"):
            number = element.find(".//span[@class='caption-number']")
            if number is not None:
                labels[name] = (number.text_content().strip(), page)
        elif name.startswith("equation-"):
            number = element.find(".//span[@class='eqno']")
            if number is not None:
                labels[name.removeprefix("equation-")] = (re.match(r"\([\d.]+\)", number.text_content())[0], page)
    return labels


def read_names(project: Project, entries: list[Entry], html: Path) -> Names:
    """Read them from the pages in `html`, the staged notebooks and the data of the runs."""
    labels: dict[str, tuple[str, str]] = {}
    titles: dict[str, str] = {}
    numbers: dict[str, dict[str, str]] = {}
    exercises: dict[str, Exercise] = {}
    figures: dict[str, tuple[str, str, str]] = {}
    prose = [path for path in sorted(project.book.glob("*.md")) if (html / f"{path.stem}.html").is_file()]
    for page in [*(path.stem for path in prose), *(f"notebooks/{entry.slug}" for entry in entries)]:
        tree = lxml_html.parse(str(html / f"{page}.html")).getroot()
        labels |= _page_labels(tree, page)
        heading = next(iter(tree.iterfind(".//main//h1")), None)
        for number in () if heading is None else heading.xpath(".//span[@class='section-number']"):
            number.drop_tree()
        text = heading.text_content() if heading is not None else page
        titles[page] = text.replace("\N{PILCROW SIGN}", "").removesuffix("#").strip()
    for entry in entries:
        stored = project.generated / "data" / entry.slug / "numbers.json"
        content = json.loads(stored.read_text(encoding="utf-8")) if stored.is_file() else {}
        numbers[entry.slug] = {name: value["text"] for name, value in content.items()}
        notebook = nbformat.read(project.staged / f"{entry.slug}.ipynb", as_version=4)
        exercises |= {exercise.label: exercise for exercise in exercises_of(entry.slug, notebook)}
        for cell in notebook.cells:
            shown = cell.metadata.get("mystnb", {})
            if "figure" in shown:
                figures[shown["figure"]["name"]] = (
                    entry.slug, shown["figure"].get("caption", ""), shown.get("image", {}).get("alt", ""),
                )  # fmt: skip
    bibliography = project.book / "references.bib"
    return Names(
        labels=labels,
        titles=titles,
        numbers=numbers,
        citations=citations(bibliography) if bibliography.is_file() else {},
        exercises=exercises,
        figures=figures,
        repository=project.settings["repository"],
    )
