"""Which lines of a cell are plumbing: imports, and calls that only hand to the page what was computed."""

from __future__ import annotations

import ast


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
