"""The counting of statements and of the notebooks' lines, on a small repository."""

import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import v4

ROOT = Path(__file__).resolve().parents[2]

MODULE = '''"""A module."""

import os; import re

class Thing:
    """A thing."""

    def name(self):
        """Its name."""
        return (
            "a string"
        )

def both(a): return a if a else "not a docstring"
'''


def count(root):
    """What is counted -> its number, and whether it is said to stand above its target."""
    done = subprocess.run([sys.executable, ROOT / "tools" / "count.py", root], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()[1:]
    return {row[:34].strip(): (float(row[34:42].replace(",", "")), row.endswith("above")) for row in rows}


def test_statements_are_counted_without_docstrings_and_whatever_their_layout(tmp_path):
    for folder in ("src/keyfilters", "src/other", "tools", "tests"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "module.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "tests" / "large.py").write_text("x = 1\n" * 9000, encoding="utf-8")
    found = count(tmp_path)
    # Two imports, a class, two functions and what each returns.
    expected = [(7, False), (21, False), (9007, True)]
    assert [found[f"statements in {name}"] for name in ("the library", "src and tools", "tests")] == expected


def test_lines_of_notebooks_are_shared_out_among_visible_and_hidden_cells(tmp_path):
    (tmp_path / "notebooks").mkdir()
    cells = [
        v4.new_markdown_cell("# Title\n\nText."),
        v4.new_code_cell("a = 1\n\nb = 2"),
        v4.new_code_cell("c = 3"),
        v4.new_code_cell("\n".join(["d = 4"] * 25), metadata={"tags": ["parameters"]}),
        v4.new_code_cell("hidden = True", metadata={"tags": ["hide-input"]}),
        v4.new_code_cell("gone = True", metadata={"tags": ["remove-cell"]}),
    ]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "notebooks" / "one.ipynb")
    found = count(tmp_path)
    assert [found[name] for name in (
        "lines of code in notebooks", "of these hidden, in %", "lines of the longest visible cell", "lines of the median visible cell",
    )] == [(30, False), (7, False), (25, True), (2, False)]  # fmt: skip
