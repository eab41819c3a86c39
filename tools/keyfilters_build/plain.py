"""MyST to plain Markdown: notebooks as any Jupyter and Colab show them, where roles and directives are not understood.

References become what the built book calls them ("Figure 12", "(43)"), with a link where they lead to another
notebook; computed numbers become their values; directives become headings, quotations and captions.

nbconvert and jupytext leave roles and directives as they stand, and know no number of the built book.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

import nbformat
from nbformat import NotebookNode

from .check import figure_name, markdown_cell
from .labels import Names, pieces
from .project import BookError

# A role, or a piece of code that may look like one. Backticks in any number, closed by as many.
_ROLE = re.compile(
    r"\{(?P<role>[a-z][a-z:-]*)\}(?P<open>`+)(?P<text>.+?)(?<!`)(?P=open)(?!`)"
    r"|(?<!`)(?P<code>`+)(?!`).+?(?<!`)(?P=code)(?!`)",
    re.DOTALL,
)
_TITLED = re.compile(r"(?P<title>.+?)\s*<(?P<target>[^<>]+)>", re.DOTALL)
_DISPLAY = re.compile(r"\$\$(?P<body>(?:(?!\$\$).)+)\$\$(?:[ \t]*\((?P<label>[\w-]+)\))?", re.DOTALL)
_TARGET = re.compile(r"^\((?P<label>[\w-]+)\)=[ \t]*$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^(?P<colons>:{3,})\{(?P<name>[\w-]+)\}[ \t]*(?P<argument>.*)$")
_OPTION = re.compile(r"^:(?P<name>[\w-]+):[ \t]*(?P<value>.*)$")
_FENCE = re.compile(r"^[ \t]*(?P<marks>```+|~~~+)")
_QUOTED = ("admonition", "note", "tip", "hint", "important", "warning", "caution", "seealso", "attention")


class Converter:
    """Converts the Markdown of one page.

    Parameters
    ----------
    names : what the book calls its figures, equations and pages
    page : the page that the text stands on, such as ``notebooks/method_a``; links are relative to its folder
    link : page -> address of the link to it
    always : link to figures and equations of this page too, for text that is shown elsewhere
    """

    def __init__(self, names: Names, page: str, link: Callable[[str], str], *, always: bool = False) -> None:
        self.names, self.page, self.link, self.always = names, page, link, always
        self.cited: dict[str, None] = {}

    def markdown(self, source: str) -> str:
        """`source` without roles and directives."""
        return "\n".join(self._blocks(source.split("\n"))).strip("\n")

    def inline(self, text: str) -> str:
        """One piece of text, without directives."""
        return _ROLE.sub(self._role, text)

    def _blocks(self, lines: list[str]) -> list[str]:
        out: list[str] = []
        plain: list[str] = []
        position = 0
        while position < len(lines):
            line = lines[position]
            directive, fence = _DIRECTIVE.match(line), _FENCE.match(line)
            if not directive and not fence:
                plain.append(line)
                position += 1
                continue
            out += self._text(plain)
            plain = []
            marks = directive["colons"] if directive else fence["marks"]
            end = next((n for n in range(position + 1, len(lines)) if lines[n].strip() == marks), len(lines))
            if directive:
                out += self._directive(directive["name"], directive["argument"], lines[position + 1 : end])
            else:
                out += lines[position : end + 1]
            position = end + 1
        return out + self._text(plain)

    def _text(self, lines: list[str]) -> list[str]:
        if not lines:
            return []
        text = _DISPLAY.sub(self._display, "\n".join(lines))
        text = _TARGET.sub(lambda match: f'<a id="{match["label"]}"></a>', text)
        return self.inline(text).split("\n")

    def _display(self, match: re.Match) -> str:
        if match["label"] is None:
            return match[0]
        number = self.names.label(match["label"])[0].strip("()")
        return f"$${match['body'].rstrip()} \\tag{{{number}}}{_line_end(match['body'])}$$"

    def _directive(self, name: str, argument: str, lines: list[str]) -> list[str]:
        options = {}
        while lines and (option := _OPTION.match(lines[0])):
            options[option["name"]] = option["value"].strip()
            lines = lines[1:]
        if name == "solution-end":
            return []
        body = self._blocks(lines)
        while body and not body[0].strip():
            body = body[1:]
        if name == "exercise":
            return [f"### Exercise {self._exercise(options.get('label', ''), argument)}", "", *body]
        if name == "solution-start":
            return [f"#### Solution of exercise {self._exercise(argument.strip(), '')}", "", *body]
        if name in _QUOTED:
            title = self.inline(argument) if argument else name.capitalize()
            return [f"> **{title}**", ">", *(f"> {line}".rstrip() for line in body)]
        if name in ("table", "figure") and options.get("name"):
            return [f"**{self.names.label(options['name'])[0]}.** {self.inline(argument)}", "", *body]
        return body

    def _exercise(self, label: str, argument: str) -> str:
        known = self.names.exercises.get(label)
        return known.title if known else argument.strip()

    def _role(self, match: re.Match) -> str:
        role, text = match["role"], match["text"]
        if role is None:
            return match[0]
        titled = _TITLED.fullmatch(text)
        title, target = (titled["title"], titled["target"]) if titled else (None, text)
        convert = getattr(self, f"_role_{role.replace(':', '_').replace('-', '_')}", None)
        if convert is None:
            return title or text
        return convert(title, target)

    def _role_doc(self, title: str | None, target: str) -> str:
        page = posixpath.normpath(posixpath.join("/", posixpath.dirname(self.page), target)).lstrip("/")
        page = page.removesuffix(".md").removesuffix(".ipynb")
        if page not in self.names.titles:
            raise BookError(f"{self.page}: refers to the page {target!r}, which the built book has not; run make book")
        return f"[{title or self.names.titles[page]}]({self.link(page)})"

    def _linked(self, text: str, page: str) -> str:
        return text if page == self.page and not self.always else f"[{text}]({self.link(page)})"

    def _role_numref(self, title: str | None, target: str) -> str:
        text, page = self.names.label(target)
        number = text.rsplit(" ", 1)[-1]
        return self._linked(title.replace("%s", number).replace("{number}", number) if title else text, page)

    def _role_eq(self, title: str | None, target: str) -> str:
        return self._linked(*self.names.label(target))

    def _role_ref(self, title: str | None, target: str) -> str:
        if target in self.names.exercises:
            exercise = self.names.exercises[target]
            return self._linked(title or f"exercise {exercise.title}", f"notebooks/{exercise.slug}")
        if title is None and target in self.names.labels:
            return self._role_numref(None, target)
        return title or target.replace("-", " ")

    def _role_glue_text(self, title: str | None, target: str) -> str:
        place, _, name = target.rpartition("::")
        slug = posixpath.basename(place or self.page).removesuffix(".ipynb")
        return self.names.number(slug, name.split(":")[0])

    def _cite(self, target: str, parenthesis: bool) -> str:
        parts = []
        for key in (part.strip() for part in target.split(",")):
            if key not in self.names.citations:
                raise BookError(f"{self.page}: cites {key!r}, which references.bib has not")
            source = self.names.citations[key]
            self.cited[key] = None
            parts.append(f"{source.authors}, {source.year}" if parenthesis else f"{source.authors} ({source.year})")
        return f"({'; '.join(parts)})" if parenthesis else " and ".join(parts)

    def _role_cite_t(self, title: str | None, target: str) -> str:
        return self._cite(target, parenthesis=False)

    def _role_cite_p(self, title: str | None, target: str) -> str:
        return self._cite(target, parenthesis=True)

    def _role_math(self, title: str | None, target: str) -> str:
        return f"${title or target}$"

    def _role_term(self, title: str | None, target: str) -> str:
        return title or target

    def references(self) -> str:
        """The sources that were cited so far, as a list; empty where nothing was."""
        entries = [self.names.citations[key].entry for key in self.cited]
        return "\n".join(["## References", "", *(f"- {entry}" for entry in entries)]) if entries else ""


def _line_end(body: str) -> str:
    """A display that was broken into lines stays so, and keeps its indentation in a list."""
    return "\n" + body.rsplit("\n", 1)[1] if "\n" in body else ""


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """`notebook` without what stands between `solution-start` and `solution-end`, both included.

    >>> from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
    >>> start, end = ":::{solution-start} ex-1\\n:::\\n\\nIt is 2.", ":::{solution-end}\\n:::\\n\\nMore."
    >>> cells = [new_markdown_cell(start), new_code_cell("assert 1 + 1 == 2"), new_markdown_cell(end)]
    >>> [cell.source for cell in without_solutions(new_notebook(cells=cells)).cells]
    ['More.']
    """
    kept: dict[int, str] = {}
    label = None
    for position, cell, text, label in pieces(notebook):
        if not label and (text.strip() or cell.cell_type == "code"):
            kept[position] = kept.get(position, "") + text
    if label:
        raise BookError("a solution has no end; expected `:::{solution-end}`")
    cells = [nbformat.from_dict(dict(notebook.cells[position - 1])) for position in kept]
    for cell, text in zip(cells, kept.values(), strict=True):
        cell.source = text if cell.cell_type == "code" else text.strip()
    notebook.cells = cells
    return notebook


def only_solutions(notebook: NotebookNode) -> dict[str, list[tuple[str, str]]]:
    """Label of an exercise -> its solution: kind and text of each piece, without the marks around it; what checks say is left out.

    >>> from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
    >>> start, end = ":::{solution-start} ex-1\\n:::\\n\\nIt is 2.", ":::{solution-end}\\n:::\\n\\nMore."
    >>> only_solutions(new_notebook(cells=[new_markdown_cell(start), new_code_cell("1 + 1"), new_markdown_cell(end)]))
    {'ex-1': [('markdown', 'It is 2.'), ('code', '1 + 1')]}
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for _, cell, text, label in pieces(notebook):
        if label and cell.cell_type == "code":
            said = "".join(output.text for output in cell.outputs if output.output_type == "stream")
            said = "\n".join(line for line in said.strip().splitlines() if not line.startswith("Exercise "))
            found.setdefault(label, []).extend([("code", text), *([("output", said)] if said else [])])
        elif label and text.strip():
            found.setdefault(label, []).append(("markdown", text.strip()))
    return found


def plain_notebook(
    notebook: NotebookNode, slug: str, names: Names, link: Callable[[str], str], heading: str, *, solutions: bool
) -> NotebookNode:
    """The notebook of the page `slug`, with its outputs, as a plain one: with outputs and solutions, or without both.

    `heading` is the line below the title.
    """
    convert = Converter(names, f"notebooks/{slug}", link)
    if not solutions:
        notebook = without_solutions(notebook)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = convert.markdown(cell.source)
            if text.strip():
                cells.append(markdown_cell(cell["id"], text))
            continue
        name = figure_name(cell)
        caption = cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {})
        shown = [_output(output, convert) for output in cell.outputs] if solutions else []
        cell.outputs = [output for output in shown if output is not None]
        if not solutions:
            cell.execution_count = None
        cells.append(cell)
        if name:
            cells.append(markdown_cell(f"caption-{name}"[:64], f"**{names.label(name)[0]}.** {convert.inline(caption)}"))
    cells.insert(1, markdown_cell("about", heading))
    if convert.cited:
        cells.append(markdown_cell("references", convert.references()))
    notebook.cells = cells
    return notebook


_TABLE_NAME = re.compile(r"^:name: (\S+)", re.MULTILINE)


def _output(output: NotebookNode, convert: Converter) -> NotebookNode | None:
    """An output without MyST: a table keeps its HTML, with its number; what was only glued shows nothing and goes."""
    if "data" not in output:
        return output
    data = {mime: value for mime, value in output.data.items() if not mime.startswith("application/papermill")}
    if not data:
        return None
    markdown = "".join(data.get("text/markdown", ""))
    if "text/html" in data:
        text, name = "".join(data["text/html"]), _TABLE_NAME.search(markdown)
        if name:
            text = text.replace("<caption>", f"<caption>{convert.names.label(name[1])[0]}. ")
        data["text/html"] = _bare(convert.inline(text))
        data.pop("text/markdown", None)
    elif markdown:
        data["text/markdown"] = convert.markdown(markdown)
    output.data = nbformat.from_dict(data)
    output.metadata = nbformat.from_dict({})
    return output


def _bare(text: str) -> str:
    """Markdown's links as their text: HTML does not know them."""
    return re.sub(r"\[([^\[\]]+)\]\([^()\s]+\)", r"\1", text)
