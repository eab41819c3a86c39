"""`make pdf`: one file with cover, contents whose numbers are right, numbered figures and tables, links, and no cut lines."""

import re
import shutil
from contextlib import nullcontext

import pytest
from lxml import html as lxml_html
from pypdf import PdfReader
from tiny_book import ROOT

from keyfilters_build import chromium as source
from keyfilters_build import compose as composing
from keyfilters_build.command import main
from keyfilters_build.compose import NOT_PRINTED, compose, printed_pages
from keyfilters_build.pdf import destinations, fit, print_book
from keyfilters_build.project import BookError, Project

PAGE = """<!DOCTYPE html><html><head><title>t</title></head><body><article class="bd-article"><section id="one"><h1>{title}
<a class="headerlink" href="#one">#</a></h1>{body}</section></article></body></html>"""


@pytest.fixture
def small(tmp_path):
    """A built book of three pages, one of which is not printed."""
    project = Project(tmp_path)
    (project.html / "notebooks").mkdir(parents=True)
    (project.book / "print").mkdir(parents=True)
    (project.book / "_static").mkdir()
    project.notebooks.mkdir()
    (project.package / "data").mkdir(parents=True)
    (project.book / "print" / "print.css").write_text("body { color: black; }")
    (project.book / "_static" / "eight-filters.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    project.config.write_text(
        "title: A book\nauthor: nobody\ncopyright: '2026'\nrepository:\n  url: https://example.org/book\n"
    )
    (project.book / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n  - caption: Part one\n    chapters:\n      - file: notebooks/one\n      - file: interactive\n"
    )
    (project.notebooks / "one.ipynb").write_text("{}")
    project.manifest.write_text(
        "notebooks:\n  - slug: one\n    title: One\n    section: 1\n    minutes: 1\n    budget_seconds: 60\n"
    )
    body = '<p><a href="notebooks/one.html#fig">Figure 1</a> <a href="interactive.html">shape</a> <a href="_downloads/x.csv">CSV</a></p>'
    (project.html / "index.html").write_text(PAGE.format(title="Front", body=body))
    body = '<figure id="fig"><img src="../_images/x.png" alt="x"></figure><details><summary>Show</summary><pre>code</pre></details>'
    (project.html / "notebooks" / "one.html").write_text(
        PAGE.format(title="Keys", body=body + '<a href="../index.html">front</a>')
    )
    (project.html / "interactive.html").write_text(PAGE.format(title="Shape", body=""))
    return project


def test_pages_stand_in_the_order_of_the_contents_with_chapter_numbers(small):
    assert [(p.name, p.part, p.chapter) for p in printed_pages(small)] == [
        ("index", "", None),
        ("notebooks/one", "Part one", 1),
    ]


def test_links_lead_to_places_of_the_same_document(small):
    tree = lxml_html.fromstring(compose(small, numbers={"notebooks-one": 17}))
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    for address in tree.xpath("//a/@href"):
        assert address.startswith("https://") or address[1:] in ids, address
    assert "notebooks-one--fig" in ids
    assert tree.xpath("//nav//p[.//a[contains(., 'Keys')]]//a[@class='contents-page']/text()") == ["17"]
    # What is not printed keeps its words and loses its link.
    (paragraph,) = tree.xpath("//main//p")
    assert paragraph.text_content() == "Figure 1 shape CSV" and len(paragraph.xpath(".//a")) == 1


def test_what_is_folded_on_the_screen_is_open_on_paper(small):
    tree = lxml_html.fromstring(compose(small))
    assert [details.get("open") for details in tree.iter("details")] == ["open"]
    assert tree.xpath("//img/@src")[-1] == "../html/notebooks/../_images/x.png"
    assert not tree.xpath("//a[contains(@class, 'headerlink')]")
    assert tree.xpath("//h1/span[@class='chapter-number']/text()") == ["1"]


def test_a_page_that_was_not_built_is_named_in_one_line(small, capsys):
    (small.html / "notebooks" / "one.html").unlink()
    with pytest.raises(BookError, match=r"notebooks/one\.html is missing: build the book first"):
        compose(small)
    assert main(["pdf"], root=small.root) == 2
    assert capsys.readouterr().err == "error: notebooks/one.html is missing: build the book first (make book)\n"
    assert not (small.build / "pdf" / "keyfilters-book.pdf").exists()


@pytest.mark.browser
def test_what_is_too_wide_shrinks_and_a_cut_line_is_named(running):
    tab = running.new_page(viewport={"width": 600, "height": 800})
    try:
        wide = "<td>" + "</td><td style='white-space: nowrap'>".join(["long long words"] * 12) + "</td>"
        tab.set_content(f"<main><div><table><tr>{wide}</tr></table></div></main>")
        assert fit(tab) == []
        tab.set_content(
            "<main><section class='page' id='p'><pre style='overflow: hidden'>" + "x" * 400 + "</pre></section></main>"
        )
        (cut,) = fit(tab)
        assert cut.startswith("pre. in p: xxx")
        tab.set_content(
            f"<main><section class='page' id='p'><pre style='white-space: pre-wrap; overflow-wrap: anywhere'>{'x' * 400}</pre></section></main>"
        )
        assert fit(tab) == []
    finally:
        tab.close()


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


@pytest.mark.slow
@pytest.mark.book
@pytest.mark.browser
class TestTheBook:
    def reader(self, printed):
        return PdfReader(printed)

    def test_it_has_a_cover_contents_and_all_pages(self, printed, book_html):
        reader, project = self.reader(printed), Project(book_html.parent.parent)
        pages, places = printed_pages(project), destinations(printed)
        assert {page.key for page in pages} <= set(places)
        starts = [places[page.key] for page in pages]
        # Each page of the book begins on a sheet of its own, in order.
        assert starts == sorted(set(starts)) and starts[0] > 2
        assert len(reader.pages) > starts[-1] >= 3 * len(pages)
        assert "The eight master key filters" in reader.pages[0].extract_text()
        assert "Contents" in reader.pages[1].extract_text()
        assert reader.metadata.title == "The eight master key filters"
        assert len(reader.outline) >= 1

    def test_the_numbers_of_the_contents_are_those_of_the_sheets(self, printed, book_html):
        reader, project = self.reader(printed), Project(book_html.parent.parent)
        places = destinations(printed)
        first = min(places[page.key] for page in printed_pages(project))
        text = "\n".join(reader.pages[i].extract_text() for i in range(1, first - 1))
        for page in printed_pages(project):
            tree = lxml_html.fromstring((project.html / f"{page.name}.html").read_text(encoding="utf-8"))
            words = " ".join(tree.xpath("//h1")[-1].text_content().replace("#", "").split())
            assert re.search(rf"{re.escape(words)}\s*{places[page.key]}\b", " ".join(text.split())), (words, places[page.key])

    def test_all_fonts_are_embedded(self, printed):
        fonts = {}
        for sheet in self.reader(printed).pages:
            for name, reference in (sheet["/Resources"].get("/Font") or {}).items():
                font = reference.get_object()
                font = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
                fonts[(name, font.get("/BaseFont"))] = font
        assert fonts
        for name, font in fonts.items():
            if font["/Subtype"] != "/Type3":  # the glyphs of a Type 3 font are drawings within the file
                assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(font["/FontDescriptor"].get_object()), name

    def test_links_within_the_file_lead_somewhere(self, printed):
        reader = self.reader(printed)
        places, inside, outside = set(reader.named_destinations), 0, 0
        for sheet in reader.pages:
            for reference in sheet.get("/Annots") or []:
                annotation = reference.get_object()
                if annotation.get("/Subtype") != "/Link":
                    continue
                action = annotation.get("/A", {})
                target = annotation.get("/Dest") or action.get("/D")
                if action.get("/S") == "/URI":
                    assert action["/URI"].startswith(("https://", "http://")), action["/URI"]
                    outside += 1
                else:
                    assert isinstance(target, list) or str(target) in places, target
                    inside += 1
        assert inside > 500 and outside > 10

    def test_every_numbered_figure_and_table_is_printed(self, printed, book_html):
        project = Project(book_html.parent.parent)
        wanted = set()
        for page in printed_pages(project):
            tree = lxml_html.fromstring((project.html / f"{page.name}.html").read_text(encoding="utf-8"))
            wanted |= {text.strip() for text in tree.xpath("//article//*[@class='caption-number']/text()")}
        text = " ".join(" ".join(sheet.extract_text().split()) for sheet in self.reader(printed).pages)
        assert len(wanted) > 100
        assert [label for label in sorted(wanted) if not re.search(rf"{label}\b", text)] == []

    def test_what_is_left_out_is_said_on_the_cover(self, printed):
        text = " ".join(self.reader(printed).pages[0].extract_text().split())
        for name in NOT_PRINTED:
            assert name.rstrip("/") in text
        assert "CC BY 4.0" in text


def test_reasons_are_given_for_what_is_not_printed():
    assert all(reason.strip() for reason in composing.NOT_PRINTED.values())
