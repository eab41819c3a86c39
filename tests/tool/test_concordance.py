"""The concordance leads to things that exist: pages, notebooks, labels and functions."""

import importlib
import re
from pathlib import Path

from each import each

from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import Project

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "book" / "concordance.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and "---" not in line
]
HEADS = [row for row in ROWS if row[-1] == "Function"]
BODY = [row for row in ROWS if row[-1] != "Function"]
NOTEBOOKS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")}
ROOMS = {"figures": "keyfilters_book.figures", "": "keyfilters"} | {
    room: f"keyfilters_book.paper.{room}" for room in ("architecture", "structure")
}


def functions(row):
    """The code words of the last column, without strings and keywords, which stand after the word `with`."""
    return [name for part in row[-1].split(", ") for name in re.findall(r"`([\w.]+)`", part.split(" with ")[0])]


def pages_of(row):
    """The pages of a row; each is shown by the name of its notebook."""
    found = re.findall(r"\{doc\}`(\w+) <notebooks/(\w+)>`", " | ".join(row))
    assert all(shown == page for shown, page in found)
    return [page for _, page in found]


def test_there_are_four_tables_and_every_figure_has_a_row():
    assert len(HEADS) == 4
    assert [row[0] for row in BODY if row[0].startswith("Figure")] == [f"Figure {n}" for n in range(1, 6)]


def test_every_notebook_of_the_paper_is_named():
    named = {page for row in BODY for page in pages_of(row)}
    beyond = {entry.slug for entry in load_manifest(Project(ROOT)) if entry.section in ("beyond the paper", "the lecture")}
    assert beyond and named == set(NOTEBOOKS) - {"performance"} - beyond


@each("row", BODY)
def test_functions_labels_and_notebook_of_a_row_are_there(row):
    names, pages, text = functions(row), pages_of(row), " | ".join(row)
    assert names and pages and set(pages) <= set(NOTEBOOKS)
    for name in names:
        room, _, last = name.rpartition(".")
        assert callable(getattr(importlib.import_module(ROOMS.get(room, f"keyfilters.{room}")), last)), name
        # The functions of a figure are called in its notebook.
        assert not row[0].startswith("Figure") or last in NOTEBOOKS[pages[0]], name
    for label in re.findall(r"\{(?:numref|eq)\}`([\w-]+)`", text):
        assert any(label in NOTEBOOKS[page] for page in pages), label
