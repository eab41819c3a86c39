"""Every page of the built book in a real browser: on a desktop and a phone, from a server and from a file, light and dark."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import browser as chromium
import pytest
from lxml import html as lxml_html
from pages import (
    DESKTOP,
    KINDS,
    KINDS_OF_TEXT,
    MODES,
    PAGES,
    PHONE,
    ROOT,
    SHOWN,
    WIDTHS,
    Visitor,
    faults,
    pages_of_the_contents,
)

from keyfilters_build.build import SAMPLE

pytestmark = [pytest.mark.book, pytest.mark.browser]

each_width = pytest.mark.parametrize("width", WIDTHS, ids=lambda width: f"{width}px")
long_but_for_kinds = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in KINDS else pytest.mark.slow) for name in PAGES]
)


@pytest.fixture(scope="session")
def addresses(book_html):
    """Protocol to the address of the book's folder."""
    with chromium.served(book_html) as http:
        yield {"http": http, "file": book_html.as_uri()}


@pytest.fixture(scope="session")
def visitors(running, book_html, addresses):
    return {width: Visitor(running, book_html, addresses, width) for width in WIDTHS}


def test_the_contents_name_every_page_that_was_built(book_html):
    slides = {f"slides/{path.stem}.html" for path in (ROOT / "book" / "slides").glob("*.md")}
    built = {page for page in chromium.pages_of(book_html) if not page.startswith("teach/") or page == "teach/index.html"}
    assert built == {*PAGES, *slides, "index.html", "teach/index.html", SAMPLE}
    assert set(KINDS) <= set(PAGES)


@each_width
@pytest.mark.parametrize("name", PAGES)
def test_page(name, width, visitors, axe):
    """From a server and light: what the page loads, its layout, mathematics, texts in figures, boxes that scroll, and on a desktop axe-core."""
    problems = visitors[width].visit("http", name, ["light"], axe if width == DESKTOP else None)
    assert not problems, "\n" + "\n".join(problems)


@long_but_for_kinds
def test_axe_core_finds_nothing_on_a_phone(name, visitors, axe):
    problems = visitors[PHONE].visit("http", name, ["light"], axe)
    assert not problems, "\n" + "\n".join(problems)


@each_width
@long_but_for_kinds
def test_page_in_the_dark_and_from_a_file(name, width, visitors, axe):
    """axe-core looks at the dark page on a desktop alone: on a phone its colours are the same."""
    problems = visitors[width].visit("http", name, ["dark"], axe if width == DESKTOP else None)
    problems += visitors[width].visit("file", name, MODES)
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_contrast_of_every_text(name, visitors, axe):
    """The tests above look at three texts of each kind."""
    visitor = visitors[DESKTOP]
    assert not visitor.visit("http", name, ["light"])
    visitor.page.add_script_tag(path=axe)
    for mode in MODES:
        visitor.page.emulate_media(color_scheme=mode)
        assert visitor.page.evaluate(SHOWN, mode)
        assert not faults(visitor.page, every_text=True)


def test_pale_words_are_found(visitors, axe):
    """A heading and one link of a paragraph; a page has a hundred kinds of text, not thousands."""
    page = visitors[DESKTOP].page
    assert not visitors[DESKTOP].visit("http", "how_to_read.html", ["light"])
    page.add_script_tag(path=axe)
    assert not faults(page)
    assert page.evaluate(KINDS_OF_TEXT) < 200
    for selector in ("main h2:visible", "main p a:visible"):
        shown = page.locator(selector).first
        shown.evaluate("element => { element.style.color = '#bbbbbb'; }")
        assert [fault.split(":")[0] for fault in faults(page)] == ["color-contrast"]
        shown.evaluate("element => { element.style.removeProperty('color'); }")


def following(tree):
    return next(iter(tree.xpath("//a[contains(@class, 'right-next')]/@href")), None)


def test_the_arrows_lead_through_the_contents(book_html):
    seen = ["index.html"]
    while (link := following(lxml_html.parse(str(book_html / seen[-1])).getroot())) and len(seen) <= len(PAGES):
        seen.append((book_html / seen[-1]).parent.joinpath(link).resolve().relative_to(book_html.resolve()).as_posix())
    assert sorted(seen) == sorted(pages_of_the_contents())


@pytest.mark.parametrize("most", [5, pytest.param(None, marks=pytest.mark.slow)])
def test_links_between_pages_work_from_a_file(most, running, addresses, book_html):
    """A reader who opened index.html from the disk can go through the book with the arrows."""
    tab = running.new_page(viewport={"width": 1280, "height": 900})
    try:
        tab.goto(f"{addresses['file']}/index.html")
        seen = ["index.html"]
        while len(seen) < (most or len(PAGES) + 1) and (following := tab.query_selector("a.right-next")):
            following.click()
            tab.wait_for_load_state("load")
            seen.append(Path(urlsplit(tab.url).path).relative_to(book_html).as_posix())
    finally:
        tab.close()
    assert len(seen) == len(set(seen)) == most if most else sorted(seen) == sorted(pages_of_the_contents())


def test_search_finds_a_word_from_a_server(running, addresses):
    tab = running.new_page(viewport={"width": 1280, "height": 900})
    try:
        tab.goto(f"{addresses['http']}/search.html?q=Gaussian")
        tab.wait_for_selector("#search-results li a", timeout=20_000)
        assert re.search(r"\.html", tab.query_selector("#search-results li a").get_attribute("href"))
    finally:
        tab.close()
