"""How facts of a run read on a page: parameters, commits, times, memory, versions, tables of words."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LIBRARIES = {
    "python": "Python", "numpy": "NumPy", "scipy": "SciPy", "matplotlib": "Matplotlib", "torch": "PyTorch",
    "timm": "timm", "scikit-learn": "scikit-learn", "pywavelets": "PyWavelets", "curvelets": "curvelets",
}  # fmt: skip
"""Name of a library in a record, and as it is written."""


def commit_text(text: str) -> str:
    """The commit of a record in words, with the hash set as code.

    Examples
    --------
    >>> commit_text("0123456789 with local changes"), commit_text("no commit")
    ('commit `0123456789` with local changes', 'files that are in no commit')
    """
    head, _, changes = text.partition(" ")
    return f"commit `{head}` {changes}".strip() if head != "no" else "files that are in no commit"


def seconds_text(seconds: float) -> str:
    """Seconds, or minutes where there are many.

    Examples
    --------
    >>> seconds_text(4.64), seconds_text(354)
    ('4.6 s', '6 min')
    """
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """`a = 1, b = 'x'` in the form of code, or words where there are none.

    Examples
    --------
    >>> parameters_text({"draws": 6}), parameters_text({})
    ('`draws = 6`', 'its own defaults')
    """
    if not parameters:
        return "its own defaults"
    return ", ".join(f"`{name} = {value!r}`" for name, value in parameters.items())


def versions_text(versions: Mapping[str, str], separator: str = ", ") -> str:
    """The libraries that compute and draw, each with its version.

    Examples
    --------
    >>> versions_text({"numpy": "2.4.6", "python": "3.12.1"})
    'Python 3.12.1, NumPy 2.4.6'
    """
    return separator.join(f"{label} {versions[key]}" for key, label in LIBRARIES.items() if key in versions)


_BAR = re.compile(r"(?<!\\)\|")
# What Markdown would read as more than the character itself.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>$|#])")


def memory_text(megabytes: float) -> str:
    """`megabytes` rounded up to 10 MB, from 1000 MB on to a tenth of a gigabyte.

    Examples
    --------
    >>> memory_text(231), memory_text(1204)
    ('240 MB', '1.3 GB')
    """
    if megabytes <= 990:
        return f"{10 * math.ceil(megabytes / 10)} MB"
    return f"{math.ceil(megabytes / 100) / 10:.1f} GB"


def escaped(text: str) -> str:
    """Text of a run so that Markdown shows it as it is.

    Examples
    --------
    >>> print(escaped("2*3 of a_1"))
    2\\*3 of a\\_1
    """
    return _SPECIAL.sub(r"\\\1", text)


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
