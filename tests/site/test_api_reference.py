"""The API reference: every public name once, with what its docstring has, and the search finds it."""

import ast
import re
import zlib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

import keyfilters
import keyfilters_book
from keyfilters_build import api_names as reference
from keyfilters_build.api_pages import MISTAKES, PICTURES, filled
from keyfilters_build.chromium import settle
from keyfilters_build.project import BookError

ROOT = Path(__file__).resolve().parents[2]


@cache
def everything():
    """Page -> its names. It takes an import of the whole library, so that it is not done while tests are collected."""
    return {page: reference.names_of(page) for page in reference.PAGES}


@cache
def all_names():
    return [name for names in everything().values() for name in names]


def declared(path):
    """`__all__` of a module, read from its text; None where it has none or computes it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value) if isinstance(node.value, ast.List) else None
    return None


def on_no_page():
    return [m for m in reference.public_modules() if reference.page_of(m) is None and reference._names(m)]


def test_every_public_module_is_on_a_page_and_without_its_line_it_is_missed(monkeypatch):
    lost = ", ".join(on_no_page())
    assert not lost, f"on no page: {lost}; add them to PAGES (or INTERNAL) in tools/keyfilters_build/api_names.py"
    monkeypatch.setattr(reference, "PAGES", {k: v for k, v in reference.PAGES.items() if k != "measures"})
    assert on_no_page() == ["keyfilters.uncertainty", "keyfilters_book.rank_correlations", "keyfilters_book.significance"]


def test_the_picture_of_a_name_is_a_figure_of_a_chapter():
    page = filled("<!-- library: core -->")
    assert page.count(":::{figure}") == sum(name.place in PICTURES for name in everything()["core"]) > 5
    entry = page.index(".. autofunction:: keyfilters.ideal_filter")
    figure = page.index(":::{figure} ../_generated/data/discrete_scale_space/fig-scale-models.svg")
    assert entry < figure and ".. auto" not in page[entry + 5 : figure]
    assert set(PICTURES) <= {name.place for name in all_names()}


def test_a_picture_that_no_chapter_has_and_a_mark_that_names_nothing_are_named(monkeypatch):
    with pytest.raises(BookError, match="no such page"):
        filled("text\n<!-- library: layer -->\n")
    monkeypatch.setitem(PICTURES, "keyfilters.spread", "spread_measures/fig-nowhere")
    with pytest.raises(BookError, match="keyfilters.spread has the picture spread_measures/fig-nowhere"):
        filled("<!-- library: core -->")


@pytest.mark.parametrize("facade", reference.FACADES)
def test_every_exported_name_is_there(facade):
    package = reference.import_module(facade)
    # The module first, then its name: a function may be called like its module.
    places = [name.place.rpartition(".") for name in all_names()]
    objects = {id(getattr(reference.import_module(module), name)) for module, _, name in places}
    assert not [name for name in package.__all__ if id(getattr(package, name)) not in objects]


def test_every_declared_name_of_a_module_is_there_once():
    """Names in `__all__` as they stand in the files, found without the code that the reference is made by."""
    known = {(name.module, name.name) for name in all_names()}
    missing = []
    for source in (Path(package.__file__).parent for package in (keyfilters, keyfilters_book)):
        for path in sorted(path for path in source.rglob("*.py") if path.name != "__init__.py"):
            module = ".".join(path.relative_to(source.parent).with_suffix("").parts)
            if module not in reference.public_modules():
                continue
            for name in declared(path) or ():
                origin = getattr(getattr(reference.import_module(module), name), "__module__", module)
                missing += [f"{module}.{name}"] * (not {(module, name), (origin, name)} & known)
    assert not missing
    assert not [place for place, count in Counter(name.place for name in all_names()).items() if count > 1]


@pytest.mark.parametrize("page", reference.PAGES)
def test_first_lines_say_what(page):
    """Every public name of a page has a docstring that begins with a sentence."""
    silent = []
    for name in everything()[page]:
        first = (name.doc.strip().splitlines() or [""])[0]
        says = name.summary and len(first) > 9 and first != "Parameters" and not first.startswith(">>>")
        silent += [] if says else [f"{name.place}: {first!r} does not say what it is"]
    assert everything()[page] and not silent, "\n".join(silent)


def test_pages_and_contents_agree():
    text = (ROOT / "book" / "_toc.yml").read_text(encoding="utf-8")
    listed = re.findall(r"file: api/(\w+)", text)
    assert yaml.safe_load(text) and len(listed) == len(set(listed))
    pages = {path.stem for path in (ROOT / "book" / "api").glob("*.md")}
    assert set(listed) == pages == {*reference.PAGES, "index", "command_line"}
    for page in reference.PAGES:
        assert f"<!-- library: {page} -->" in (ROOT / "book" / "api" / f"{page}.md").read_text(encoding="utf-8")


def test_reasons_stand_beside_what_is_internal():
    modules = {*reference._all_modules(), *reference.PACKAGES}
    assert all(prefix in modules and reason for prefix, reason in reference.INTERNAL.items())


@cache
def soup(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "lxml")


@pytest.fixture(scope="module")
def inventory(book_html):
    """Place -> (kind, page with anchor) of the objects of Python, from objects.inv."""
    data = (book_html / "objects.inv").read_bytes()
    body = zlib.decompress(data.split(b"\n", 4)[4]).decode()
    rows = (re.match(r"(\S+)\s+py:(\w+)\s+-?\d+\s+(\S+)\s", line) for line in body.splitlines())
    return {row[1]: (row[2], row[3]) for row in rows if row}


@pytest.mark.book
def test_every_name_is_in_the_built_book(inventory):
    expected = {name.place: f"api/{page}.html" for page, names in everything().items() for name in names}
    found = {place: inventory[place][1].partition("#")[0] for place in expected if place in inventory}
    assert found == expected


@pytest.mark.book
@pytest.mark.parametrize("page", reference.PAGES)
def test_entries_have_signature_and_example_and_keep_the_addresses_of_former_names(page, book_html):
    shown, names = soup(book_html / "api" / f"{page}.html"), everything()[page]
    rows = [row.find("a").get_text() for row in shown.select("table.api-names tbody tr")]
    assert sorted(rows) == sorted(name.name for name in names)
    for name in names:
        entry = shown.find("dt", id=name.place)
        assert entry is not None, name.place
        assert name.kind in ("data", "class") or "(" in entry.get_text(), f"{name.place} has no signature"
        text = entry.find_next_sibling("dd").get_text()
        assert (">>>" in name.doc) <= (">>>" in text), f"the example of {name.place} is not shown"
        # Sections of a docstring that were not understood would stand there as text.
        assert "-----" not in text and ":math:" not in text and ".. math::" not in text, name.place
    former = {old for name in names for old in reference.formers(name.place)[-1:]}
    assert former <= {tag["id"] for tag in shown.select("[id]")}


@pytest.mark.book
def test_the_command_line_has_every_command_and_messages_are_shown(book_html):
    text = soup(book_html / "api" / "command_line.html").get_text()
    for command in ("fit", "spread", "scorecard", "inspect", "replace", "train", "evaluate", "extract"):
        assert f"usage: keyfilters {command} " in text
    terms = soup(book_html / "own_network.html").select("dl.simple dt")
    shown = {term.get_text(): term.find_next_sibling("dd").get_text().strip() for term in terms}
    assert [call for call in MISTAKES if len(shown.get(call, "")) < 20] == []
    assert sum(bool(reference.formers(name.place)) for name in all_names()) > 300


@pytest.mark.book
@pytest.mark.browser
def test_the_search_finds_names(visit, inventory):
    for place in ("keyfilters.networks.ScaleSpaceConv2d", "keyfilters.fit", "keyfilters.discrete_gaussian"):
        tab = visit(f"search.html?q={place.rpartition('.')[2]}", ready=settle)
        page = inventory[place][1].replace("$", place)
        tab.wait_for_selector(f'#search-results li a[href*="{page}"]', timeout=20_000)
