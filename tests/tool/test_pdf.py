"""`make pdf`: one file with cover, contents whose numbers are right, numbered figures and tables, links, and no cut lines."""

import re
import shutil
from contextlib import nullcontext

import pytest
from lxml import html as lxml_html
from pypdf import PdfReader
from tiny_book import ROOT

from keyfilters_build import chromium as source
from keyfilters_build.command import main
from keyfilters_build.pdf import NOT_PRINTED, compose, destinations, fit, print_book, printed_pages
from keyfilters_build.project import Project, write_atomic

PAGE = """<!DOCTYPE html><html><head><title>t</title></head><body><article class="bd-article"><section id="one"><h1>{title}
<a class="headerlink" href="#one">#</a></h1>{body}</section></article></body></html>"""


TOC = """format: jb-book
root: index
parts:
  - caption: Part one
    chapters:
      - file: notebooks/one
      - file: interactive
"""
MANIFEST = "notebooks:\n  - slug: one\n    title: One\n    section: 1\n    minutes: 1\n    budget_seconds: 60\n"
FRONT = '<p><a href="notebooks/one.html#fig">Figure 1</a> <a href="interactive.html">shape</a> <a href="_downloads/x.csv">CSV</a></p>'
KEYS = (
    '<figure id="fig"><img src="../_images/x.png" alt="x"></figure><details><summary>Show</summary><pre>code</pre></details>'
    '<a href="../index.html">front</a>'
)


@pytest.fixture
def small(tmp_path):
    """A built book of three pages, one of which is not printed."""
    project = Project(tmp_path)
    (project.package / "data").mkdir(parents=True)
    for path, text in {
        project.book / "print" / "print.css": "body { color: black; }",
        project.book / "_static" / "eight-filters.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
        project.config: "title: A book\nauthor: nobody\ncopyright: '2026'\nrepository:\n  url: https://example.org/book\n",
        project.book / "_toc.yml": TOC,
        project.notebooks / "one.ipynb": "{}",
        project.manifest: MANIFEST,
        project.html / "index.html": PAGE.format(title="Front", body=FRONT),
        project.html / "notebooks" / "one.html": PAGE.format(title="Keys", body=KEYS),
        project.html / "interactive.html": PAGE.format(title="Shape", body=""),
    }.items():
        write_atomic(path, text)
    return project


def test_pages_stand_in_the_order_of_the_contents_with_chapter_numbers(small):
    assert [(p.name, p.part, p.chapter) for p in printed_pages(small)] == [
        ("index", "", None),
        ("notebooks/one", "Part one", 1),
    ]


def test_links_lead_to_places_of_the_same_document_and_what_is_folded_is_open(small):
    tree = lxml_html.fromstring(compose(small, {"notebooks-one": 17}))
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids)) and "notebooks-one--fig" in ids
    assert not [link for link in tree.xpath("//a/@href") if not link.startswith("https://") and link[1:] not in ids]
    assert tree.xpath("//nav//p[.//a[contains(., 'Keys')]]//a[@class='contents-page']/text()") == ["17"]
    # What is not printed keeps its words and loses its link.
    (paragraph,) = tree.xpath("//main//p")
    assert paragraph.text_content() == "Figure 1 shape CSV" and len(paragraph.xpath(".//a")) == 1
    assert tree.xpath("//details/@open") == ["open"] and not tree.xpath("//a[contains(@class, 'headerlink')]")
    assert tree.xpath("//img/@src")[-1] == "../html/notebooks/../_images/x.png"
    assert tree.xpath("//h1/span[@class='chapter-number']/text()") == ["1"]


def test_a_page_that_was_not_built_is_named_in_one_line(small, capsys):
    (small.html / "notebooks" / "one.html").unlink()
    assert main(["pdf"], root=small.root) == 2
    assert capsys.readouterr().err == "error: notebooks/one.html is missing: build the book first (make book)\n"
    assert not (small.build / "pdf" / "keyfilters-book.pdf").exists()


@pytest.mark.browser
def test_what_is_too_wide_shrinks_and_a_cut_line_is_named(running):
    wide = "<td>" + "</td><td style='white-space: nowrap'>".join(["long long words"] * 12) + "</td>"
    line = "<main><section class='page' id='p'><pre style='{}'>" + "x" * 400 + "</pre></section></main>"
    pages = (
        f"<main><div><table><tr>{wide}</tr></table></div></main>",
        line.format("overflow: hidden"),
        line.format("white-space: pre-wrap; overflow-wrap: anywhere"),
    )
    with running.new_page(viewport={"width": 600, "height": 800}) as tab:
        found = [tab.set_content(page) or fit(tab) for page in pages]
    assert [len(cut) for cut in found] == [0, 1, 0] and found[1][0].startswith("pre. in p: xxx")


@pytest.fixture(scope="session")
def printed(book_html, running, once):
    """The real book, printed; the browser of the tests is lent to the printing, since a process has only one."""
    project = Project(book_html.parent.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "chromium", lambda: nullcontext(running))
        once("printed", lambda: print_book(project))
    return project.build / "pdf" / "keyfilters-book.pdf"


@pytest.mark.browser
def test_a_small_book_is_printed(small, running, monkeypatch):
    """The way of `make pdf`, with three pages; the whole book is printed by the long tests."""
    shutil.copy(ROOT / "book" / "print" / "print.css", small.book / "print")
    monkeypatch.setattr(source, "chromium", lambda: nullcontext(running))
    path = print_book(small)
    reader, places = PdfReader(path), destinations(path)
    assert [places[page.key] for page in printed_pages(small)] == [3, 4] and len(reader.pages) == 4
    assert "A book" in reader.pages[0].extract_text() and re.search(r"Keys\s*4\b", reader.pages[1].extract_text())
    assert "/notebooks-one--fig" in {f"/{name.lstrip('/')}" for name in reader.named_destinations}
    assert reader.metadata.title == "A book"


def article(project, page):
    return lxml_html.fromstring((project.html / f"{page.name}.html").read_text(encoding="utf-8"))


def words(text):
    return " ".join(text.split())


@pytest.mark.slow
@pytest.mark.book
@pytest.mark.browser
def test_the_book_has_a_cover_contents_with_the_numbers_of_the_sheets_and_all_figures_and_tables(printed, book_html):
    reader, places, project = PdfReader(printed), destinations(printed), Project(book_html.parent.parent)
    pages, sheets = printed_pages(project), [words(sheet.extract_text()) for sheet in reader.pages]
    starts = [places[page.key] for page in pages]
    # Each page of the book begins on a sheet of its own, in order.
    assert starts == sorted(set(starts)) and starts[0] > 2 and len(sheets) > starts[-1] >= 3 * len(pages)
    assert reader.metadata.title == "The eight master key filters" and len(reader.outline) >= 1
    # What is left out is said on the cover.
    assert all(name.rstrip("/") in sheets[0] for name in ("The eight master key filters", *NOT_PRINTED, "CC BY 4.0"))
    contents, text = " ".join(sheets[1 : starts[0] - 1]), " ".join(sheets)
    assert "Contents" in sheets[1]
    labels = set()
    for page in pages:
        tree = article(project, page)
        title = words(tree.xpath("//h1")[-1].text_content().replace("#", ""))
        assert re.search(rf"{re.escape(title)}\s*{places[page.key]}\b", contents), (title, places[page.key])
        labels |= {label.strip() for label in tree.xpath("//article//*[@class='caption-number']/text()")}
    assert len(labels) > 100 and [label for label in sorted(labels) if not re.search(rf"{label}\b", text)] == []


@pytest.mark.slow
@pytest.mark.book
@pytest.mark.browser
def test_all_fonts_of_the_book_are_embedded_and_its_links_lead_somewhere(printed):
    reader = PdfReader(printed)
    places, inside, outside, fonts = set(reader.named_destinations), 0, 0, {}
    for sheet in reader.pages:
        for name, reference in (sheet["/Resources"].get("/Font") or {}).items():
            font = reference.get_object()
            fonts[name, font.get("/BaseFont")] = (
                font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
            )
        links = [reference.get_object() for reference in sheet.get("/Annots") or []]
        for link in (link for link in links if link.get("/Subtype") == "/Link"):
            action = link.get("/A", {})
            target = link.get("/Dest") or action.get("/D")
            if action.get("/S") == "/URI":
                assert action["/URI"].startswith(("https://", "http://")), action["/URI"]
                outside += 1
            else:
                assert isinstance(target, list) or str(target) in places, target
                inside += 1
    assert inside > 500 and outside > 10 and fonts
    # The glyphs of a Type 3 font are drawings within the file.
    described = {
        name: set(font["/FontDescriptor"].get_object()) for name, font in fonts.items() if font["/Subtype"] != "/Type3"
    }
    assert all({"/FontFile", "/FontFile2", "/FontFile3"} & kept for kept in described.values()), described
