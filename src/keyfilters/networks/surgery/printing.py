"""Reports as text: the tables that the commands print and that ``print`` shows of what a function returned."""

from __future__ import annotations

import shutil
import textwrap
from typing import Any

import pandas as pd

__all__: list[str] = []
# Serves the commands and the reports: on no page of the reference.

WIDTH = 80
"""Characters in a line of what ``print`` shows."""
SHORT = {"channels": "n", "explained_median": "median"}
LONG = ("stride", "padding", "replaced", "dead", "note", "explained_mean")
"""Columns of a report that ``print`` leaves out, so that a row fits a line; they are in its data frame."""


def terminal_width() -> int | None:
    """Characters in a line of the terminal; None where the output goes into a file or a pipe."""
    return shutil.get_terminal_size((0, 0)).columns or None


def by_x(value: Any) -> str:
    """A kernel size, stride or the like as it stands in tables: ``7x7``."""
    return value if isinstance(value, str) else "x".join(map(str, value))


def frame_text(frame: pd.DataFrame, width: int | None = None) -> str:
    """Return a data frame as text: numbers with three decimals, missing ones as ``-``.

    Columns that do not fit into ``width`` characters stand in further blocks below, behind the first column.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"layer": ["a", "b"], "explained": [0.5, None], "key_1": [3, 14]})
    >>> print(frame_text(frame))
    layer explained key_1
        a     0.500     3
        b         -    14
    >>> print(frame_text(frame, width=16))
    layer explained
        a     0.500
        b         -
    <BLANKLINE>
    layer key_1
        a     3
        b    14
    """
    if frame.empty:
        return ""
    columns = []
    for place, name in enumerate(frame):
        cells = [str(name), *map(_cell, frame.iloc[:, place].tolist())]
        wide = max(map(len, cells))
        columns.append([cell.rjust(wide) for cell in cells])
    blocks = _blocks(columns, width)
    # As many blocks as needed, of about the same width.
    while len(blocks) > 1 and width > 1 and len(closer := _blocks(columns, width - 1)) == len(blocks):
        blocks, width = closer, width - 1
    return "\n\n".join("\n".join(" ".join(row).rstrip() for row in zip(*block, strict=True)) for block in blocks)


def _cell(value) -> str:
    if pd.isna(value):
        return "-"
    # A rounded zero carries no sign.
    return f"{round(value, 3) + 0.0:.3f}" if isinstance(value, float) else str(value)


def _blocks(columns, width: int | None) -> list[list]:
    first, *rest = columns
    blocks, used = [[first]], len(first[0])
    for column in rest:
        if width is not None and used + 1 + len(column[0]) > width and len(blocks[-1]) > 1:
            blocks.append([first])
            used = len(first[0])
        blocks[-1].append(column)
        used += 1 + len(column[0])
    return blocks


def layer_table(frame: pd.DataFrame, *lines: str, width: int | None = WIDTH) -> str:
    """Return one row for each layer of a report, then its notes and further ``lines``, broken at ``width``."""
    short = frame.drop(columns=[name for name in frame if name in LONG])
    short = short.rename(columns=lambda name: SHORT.get(name, name.replace("key_", "k")))
    noted = zip(frame["layer"], frame["note"], strict=True)
    lines = [f"{name or 'the network itself'}: {note}" for name, note in noted if note] + list(lines)
    return "\n".join([frame_text(short, width), *(broken(line, width) for line in lines)])


def broken(line: str, width: int | None = WIDTH) -> str:
    """Return a line broken between words, further lines indented."""
    if width is None:
        return line
    return textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
