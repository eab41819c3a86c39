"""Reads what a student handed in: a notebook, or a notebook that was saved as a program of Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

RUNNABLE = (".ipynb", ".py")
"""What can be run."""

# Jupyter writes "# In[3]:" above a cell, other editors "# %%".
_CELL = re.compile(r"^# (?:In\[[ \d]*\]:|%%).*$", re.MULTILINE)


def code_cells(path: Path) -> list[tuple[int, str]]:
    """Number and source of each cell of code; a cell of text counts, too. `ValueError` says why there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is no text. Was it saved by Jupyter, and sent whole?") from None
    if not text.strip():
        raise ValueError(f"{path.name} is empty.")
    if path.suffix == ".py":
        found = list(enumerate(_CELL.split(text), start=1))
        return [(number, source) for number, source in found if source.strip()]
    try:
        cells = json.loads(text)["cells"]
        cells = [(cell["cell_type"] == "code", "".join(cell["source"])) for cell in cells]
    except (ValueError, RecursionError):
        raise ValueError(f"{path.name} is no notebook: it is not JSON. Was it saved by Jupyter, and sent whole?") from None
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{path.name} is no notebook of format 4: open it in Jupyter and save it anew.") from None
    found = [(number, source) for number, (code, source) in enumerate(cells, start=1) if code and source.strip()]
    if not found:
        raise ValueError(f"{path.name} has no code in any cell.")
    return found
