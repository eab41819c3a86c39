"""Behind every figure and table of the built book there are files, and every page says where it comes from."""

import csv
import re
import zipfile

import lxml.html
import pytest
from docutils.core import publish_doctree
from tiny_book import ROOT

import keyfilters_build.sphinx_data as sphinx_data
from keyfilters_build.project import Project
from keyfilters_build.provenance import data_sha256
from keyfilters_build.sample import SAMPLE

NUMBERED = '[@id][.//span[@class="caption-number"]]'


def pages(html):
    """The pages of the book, without those that Sphinx adds, the sample of what the command writes and the teaching kit."""
    made = {"search.html", "genindex.html", "py-modindex.html", SAMPLE}
    for path in sorted(html.rglob("*.html")):
        name = path.relative_to(html)
        if not name.parts[0].startswith("_") and name.parts[0] != "teach" and name.as_posix() not in made:
            yield path, lxml.html.parse(str(path)).getroot()


def files_behind(path, tree, identifier):
    """Suffix -> file, of the links to the data of a figure or table."""
    links = tree.xpath('//div[contains(@class, "data-links")]//a/@href')
    found = [(path.parent / link).resolve() for link in links]
    return {file.suffix[1:]: file for file in found if file.stem == identifier}


def rows_in(path):
    """The rows of a CSV file, its head included."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.book
def test_every_figure_has_its_svg_and_its_data(book_html):
    seen = 0
    for path, tree in pages(book_html):
        for figure in tree.xpath(f"//figure{NUMBERED}"):
            seen += 1
            name = f"{path.relative_to(book_html)}: {figure.get('id')}"
            files = files_behind(path, tree, figure.get("id"))
            assert "svg" in files and files.keys() & {"csv", "npz"}, f"{name}: {files}"
            root = lxml.etree.parse(str(files["svg"])).getroot()
            assert root.tag.endswith("}svg"), name
            if "npz" in files:
                with zipfile.ZipFile(files["npz"]) as archive:
                    assert archive.testzip() is None and archive.namelist(), name
            else:
                rows = rows_in(files["csv"])
                assert len(rows) > 1 and len({len(row) for row in rows}) == 1, name
    assert seen


@pytest.mark.book
def test_every_table_has_a_csv_with_as_many_rows(book_html):
    seen = 0
    for path, tree in pages(book_html):
        for table in tree.xpath(f"//table{NUMBERED}"):
            seen += 1
            name = f"{path.relative_to(book_html)}: {table.get('id')}"
            files = files_behind(path, tree, table.get("id"))
            assert "csv" in files, f"{name} has no CSV"
            rows = rows_in(files["csv"])
            assert len(rows) - 1 == len(table.xpath("./tbody/tr")), name
            assert len({len(row) for row in rows}) == 1, name
    assert seen


@pytest.mark.book
def test_every_page_says_where_it_comes_from(book_html):
    data = data_sha256(Project(ROOT))[:12]
    lines = set()
    for path, tree in pages(book_html):
        name = path.relative_to(book_html)
        cards, footers = tree.find_class("page-card"), tree.find_class("provenance")
        assert len(cards) + len(footers) == 1, name
        assert len(cards) == (name.parts[0] == "notebooks"), name
        text = " ".join((cards + footers)[0].text_content().split())
        assert re.search(r"(Built|Executed) from (commit [0-9a-f]{7,}|files that are in no commit)", text), f"{name}: {text}"
        assert "profile quick" in text and "NumPy" in text, f"{name}: {text}"
        assert f"data sha256 {data}" in text, f"{name}: {text}"
        lines.update([text] if footers else [])
    assert len(lines) == 1, "pages of one build name one build"


def test_rows_are_read_from_a_table_as_it_is_shown():
    doctree = publish_doctree("===  =====\nKey  Scale\n===  =====\n1    *0.5*\n2    a, b\n===  =====\n")
    [table] = doctree.findall(sphinx_data.nodes.table)
    assert sphinx_data.rows_of(table) == [["Key", "Scale"], ["1", "0.5"], ["2", "a, b"]]
