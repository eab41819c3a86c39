"""Statements about what a run found: they may fail on another machine, and then the page says so.

A notebook states one with `page.claim`; the sentence of its text that rests on it is followed by a marker, the HTML
comment ``<!-- claim: the statement -->``, which no reader sees. The build drops the marker where the statement holds
and puts a plain refusal in its place where it does not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat.v4 import new_markdown_cell

from keyfilters_book import claims as stored

from .labels import pieces
from .page_texts import escaped
from .project import BookError

if TYPE_CHECKING:
    from nbformat import NotebookNode

_MARKER = re.compile(r"[ \t]*<!-- claim: (?P<statement>.*?) -->", re.DOTALL)


@dataclass(frozen=True)
class FailedClaim:
    """A claim that did not hold: the notebook, the statement and the numbers that decided."""

    slug: str
    statement: str
    shown: str

    def __str__(self) -> str:
        return f"{self.slug}: {self.statement} ({self.shown})"


def stated(source: str) -> list[str | None]:
    """The statements of the calls of `page.claim` in a code cell; None for one that is no string literal.

    Examples
    --------
    >>> stated('page.claim("one is less than two", holds=1 < 2, shown="1 and 2")')
    ['one is less than two']
    """
    if "claim(" not in source:
        return []
    try:
        tree = ast.parse(source)
    except SyntaxError:  # magics of a notebook, for instance: they state nothing
        return []
    found: list[str | None] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "claim":
            continue
        first = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "statement"), None)
        literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
        found.append(first.value if literal else None)
    return found


def check_claims(slug: str, notebook: NotebookNode) -> list[str]:
    """The gate: claims are literals, each stated once; each has one marker in the text, but for those of solutions."""
    failures: list[str] = []
    markers = [
        (position, " ".join(match["statement"].split()))
        for position, cell, text, _ in pieces(notebook)
        if cell.cell_type == "markdown"
        for match in _MARKER.finditer(text)
    ]
    seen: set[str] = set()
    for position, cell, text, solution in pieces(notebook):
        for statement in stated(text) if cell.cell_type == "code" else []:
            where = f"{slug}: cell {position}: the claim"
            if statement is None:
                failures.append(f"{where} does not begin with its statement as a string literal")
                continue
            if statement in seen:
                failures.append(f"{where} {statement!r} is stated twice")
            seen.add(statement)
            count = sum(name == statement for _, name in markers)
            if count != 1 and not (solution and count == 0):
                failures.append(
                    f"{where} {statement!r} has {count} markers in the text; expected one, <!-- claim: {statement} -->, "
                    "after the sentence that rests on it"
                )
    for position, statement in markers:
        if statement not in seen:
            failures.append(f"{slug}: cell {position}: a marker of a claim that no cell states: {statement!r}")
    return failures


def read_claims(results: Path) -> dict[str, dict[str, Any]]:
    """The claims of a run, see `keyfilters_book.claims`. Raises `BookError` for a file that is not what `page.claim` writes."""
    try:
        return stored.read_claims(results)
    except ValueError as error:
        raise BookError(str(error)) from None


def _words(statement: str, shown: str) -> str:
    return escaped(f"Not so in this run: {statement} ({shown}).")


def _note(text: str) -> str:
    return f":::{{warning}}\n:class: claim-failed\n{text}\n:::"


def marked(cells: list[NotebookNode], claims: Mapping[str, Mapping[str, Any]]) -> tuple[list[NotebookNode], list[str]]:
    """The cells with every marker dropped or answered, and the words of every refusal.

    A claim without a marker that does not hold is answered by a note below its cell.
    """
    false = {statement: _words(statement, claim["shown"]) for statement, claim in claims.items() if not claim["holds"]}
    answered: set[str] = set()
    out: list[NotebookNode] = []

    def answer(match: re.Match[str]) -> str:
        statement = " ".join(match["statement"].split())
        if statement not in false:
            return ""
        answered.add(statement)
        return f" **{false[statement]}**"

    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = _MARKER.sub(answer, cell.source)
    for cell in cells:
        out.append(cell)
        if cell.cell_type == "code":
            notes = [_note(false[s]) for s in stated(cell.source) if s in false and s not in answered]
            out += [new_markdown_cell(note, id=f"claim-{len(out) + n}") for n, note in enumerate(notes)]
    return out, list(false.values())


def banner(words: list[str], count: int) -> str:
    """What stands on top of a page on which claims do not hold; `count` is the number of all its claims."""
    what = "One statement of this page does" if len(words) == 1 else f"{len(words)} statements of this page do"
    text = (
        f"{what} not hold in the run shown here (of {count} that it checks). Sums are rounded in another order on other "
        "processors, and a network that is trained then becomes another one. Each says so where it stands:\n\n"
    )
    return _note(text + "\n".join(f"- {line}" for line in words))


def failed_claims(runs: Iterable[Any]) -> tuple[list[FailedClaim], int]:
    """The claims of all runs that do not hold, and how many were made."""
    failed, count = [], 0
    for run in runs:
        claims = read_claims(run.results)
        count += len(claims)
        failed += [FailedClaim(run.entry.slug, s, c["shown"]) for s, c in claims.items() if not c["holds"]]
    return failed, count


def report(failed: list[FailedClaim], count: int) -> str:
    """The last words of a build about its claims.

    Examples
    --------
    >>> print(report([FailedClaim("one", "it grows", "2 to 1")], 3))
    claims: 2 of 3 hold; in this run these do not, as their pages say:
      one: it grows (2 to 1)
    """
    if not failed:
        return f"claims: all {count} hold"
    head = f"claims: {count - len(failed)} of {count} hold; in this run these do not, as their pages say:"
    return "\n".join([head, *(f"  {claim}" for claim in failed)])
