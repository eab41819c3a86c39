"""Tables of the pages of prose, as MyST Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["csv_text", "page_link", "prose_table"]

_BAR = re.compile(r"(?<!\\)\|")


def prose_table(caption: str, name: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, narrow: bool = False) -> str:
    """A numbered table of words, whose long cells break into lines; with `narrow` words break too, where a phone has no room.

    Examples
    --------
    >>> print(prose_table("Letters.", "tbl-letters", ["First", "Last"], [["a", "y|z"]]))
    :::{table} Letters.
    :name: tbl-letters
    :class: wrap
    <BLANKLINE>
    | First | Last |
    | --- | --- |
    | a | y\\|z |
    :::
    <BLANKLINE>
    """
    lines = [
        f":::{{table}} {caption}",
        f":name: {name}",
        f":class: wrap{' narrow' if narrow else ''}",
        "",
        f"| {' | '.join(heads)} |",
    ]
    lines.append("| --- " * len(heads) + "|")
    lines += [f"| {' | '.join(_BAR.sub(chr(92) + '|', cell) for cell in row)} |" for row in rows]
    return "\n".join([*lines, ":::", ""])


def page_link(slug: str) -> str:
    """The role that links to the page of a notebook by its title."""
    return f"{{doc}}`/notebooks/{slug}`"


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV, those fields that `columns` names.

    Examples
    --------
    >>> csv_text(["a"], [{"a": 1, "b": 2}])
    'a\\n1\\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
