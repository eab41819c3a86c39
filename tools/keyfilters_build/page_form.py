"""How a notebook reads as a page: the question, the first picture, the answer; goals and imports are folded.

The notebook in git keeps its order and all of its lines. The page shows the figure of the cell that has ``"lead": true``
in its metadata below the first paragraph, the code stays in its place, and what is the same on every page is folded.
"""

from __future__ import annotations

import ast
import copy
import html
import re

from nbformat import NotebookNode

from .check import figure_name, is_lead, markdown_cell

_FOLDED = re.compile(r"^\*\*(?:Goals|Prerequisites)\*\*\s*$", re.MULTILINE)


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
