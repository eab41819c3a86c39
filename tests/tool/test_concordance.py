"""The concordance leads to things that exist: pages, notebooks, labels and functions."""

import importlib
import json
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
NOTEBOOKS = {
    path.stem: "".join("".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
    + path.read_text(encoding="utf-8")
    for path in (ROOT / "notebooks").glob("*.ipynb")
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
def test_the_functions_of_a_row_exist(row):
    names = functions(row)
    assert names
    for name in names:
        room, _, last = name.rpartition(".")
        module = importlib.import_module(
            {"figures": "keyfilters_book.figures", "": "keyfilters"}.get(room)
            or f"{'keyfilters_book.paper' if room in ('architecture', 'structure') else 'keyfilters'}.{room}"
        )
        assert callable(getattr(module, last)), name


@each("row", BODY)
def test_labels_and_notebook_of_a_row_belong_to_its_page(row):
    text = " | ".join(row)
    pages = pages_of(row)
    assert pages and all(page in NOTEBOOKS for page in pages)
    for label in re.findall(r"\{(?:numref|eq)\}`([\w-]+)`", text):
        assert any(label in NOTEBOOKS[page] for page in pages), label


def test_the_functions_of_a_figure_are_called_in_its_notebook():
    for row in BODY:
        if row[0].startswith("Figure"):
            (page,) = pages_of(row)
            for name in functions(row):
                assert name.rpartition(".")[2] in NOTEBOOKS[page], (row[0], name)
