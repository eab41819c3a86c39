"""Behind every figure and table of the built book there are files, and every page says where it comes from."""

import csv
import re
import zipfile

import lxml.html
import pytest
from docutils.core import publish_doctree
from tiny_book import ROOT

import keyfilters_build.sphinx_data as sphinx_data
from keyfilters_build.build import SAMPLE
from keyfilters_build.project import Project
from keyfilters_build.provenance import data_sha256

NUMBERED = '[@id][.//span[@class="caption-number"]]'


@pytest.fixture(scope="module")
def pages(book_html):
    """Path and tree of the pages of the book, without those that Sphinx adds, the sample of what the command writes and the teaching kit."""
    made = {"search.html", "genindex.html", "py-modindex.html", SAMPLE}
    names = {path: path.relative_to(book_html) for path in sorted(book_html.rglob("*.html"))}
    kept = [
        path
        for path, name in names.items()
        if name.parts[0][0] != "_" and name.parts[0] != "teach" and name.as_posix() not in made
    ]
    return [(path, lxml.html.parse(str(path)).getroot()) for path in kept]


def numbered(pages, kind):
    """(name, element, suffix -> file behind it) of all numbered figures or tables."""
    for path, tree in pages:
        found = tree.xpath('//div[contains(@class, "data-links")]//a/@href')
        links = [(path.parent / link).resolve() for link in found]
        for element in tree.xpath(f"//{kind}{NUMBERED}"):
            own = {file.suffix[1:]: file for file in links if file.stem == element.get("id")}
            yield f"{path.name}: {element.get('id')}", element, own


def rows_in(path):
    """How many rows a CSV file has, all of one length, its head included."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len({len(row) for row in rows}) == 1, path
    return len(rows)


@pytest.mark.book
def test_every_figure_has_its_svg_and_its_data_and_every_table_a_csv_with_as_many_rows(pages):
    figures, tables = list(numbered(pages, "figure")), list(numbered(pages, "table"))
    assert figures and tables
    for name, _, files in figures:
        assert "svg" in files and files.keys() & {"csv", "npz"}, f"{name}: {files}"
        assert lxml.etree.parse(str(files["svg"])).getroot().tag.endswith("}svg"), name
        if "npz" in files:
            with zipfile.ZipFile(files["npz"]) as archive:
                assert archive.testzip() is None and archive.namelist(), name
        else:
            assert rows_in(files["csv"]) > 1, name
    for name, table, files in tables:
        assert "csv" in files and rows_in(files["csv"]) - 1 == len(table.xpath("./tbody/tr")), name


@pytest.mark.book
def test_every_page_says_where_it_comes_from(pages):
    data, lines = data_sha256(Project(ROOT))[:12], set()
    for path, tree in pages:
        cards, footers = tree.find_class("page-card"), tree.find_class("provenance")
        assert len(cards) + len(footers) == 1 and len(cards) == (path.parent.name == "notebooks"), path
        text = " ".join((cards + footers)[0].text_content().split())
        assert re.search(r"(Built|Executed) from (commit [0-9a-f]{7,}|files that are in no commit)", text), f"{path}: {text}"
        assert all(part in text for part in ("profile quick", "NumPy", f"data sha256 {data}")), f"{path}: {text}"
        lines.update([text] if footers else [])
    assert len(lines) == 1, "pages of one build name one build"


def test_rows_are_read_from_a_table_as_it_is_shown():
    doctree = publish_doctree("===  =====\nKey  Scale\n===  =====\n1    *0.5*\n2    a, b\n===  =====\n")
    [table] = doctree.findall(sphinx_data.nodes.table)
    assert sphinx_data.rows_of(table) == [["Key", "Scale"], ["1", "0.5"], ["2", "a, b"]]
