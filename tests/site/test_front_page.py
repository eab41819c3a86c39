"""The front page: what was found, the badge, five findings, four doors, how to cite, licences, and the parts of the book beside it."""

import re
from pathlib import Path

import browser as chromium
import pytest
import yaml
from bs4 import BeautifulSoup
from lxml import etree
from pybtex.database import parse_string

import keyfilters as kf
from keyfilters.published import scorecard
from keyfilters_book.chapters.scorecard_parts import counted_once
from keyfilters_build.manifest import load_manifest
from keyfilters_build.page_map import PATHS
from keyfilters_build.project import Project
from keyfilters_build.readme import badge, scorecard_badge

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
PARTS = ["The paper", "Networks", "Background", "Beyond the paper", "Using and reference"]


def entries(text):
    return [parse_string(block, "bibtex").entries for block in re.findall(r"```bibtex\n(.*?)```", text, re.DOTALL)]


def test_the_contents_have_five_parts_and_those_with_chapters_are_numbered():
    contents = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    assert [part["caption"] for part in contents["parts"]] == PARTS
    # A page that is no chapter would take the number of one.
    for part in contents["parts"]:
        chapters = [page["file"].startswith("notebooks/") for page in part["chapters"]]
        assert all(chapters) if part.get("numbered") else not any(chapters)


def test_the_badge_has_the_counts_of_the_scorecard():
    picture = etree.fromstring(scorecard_badge(counted_once(scorecard())).encode())
    text = " ".join(picture.itertext())
    counts = counted_once(scorecard())["verdict"].value_counts()
    for count in counts:
        assert re.search(rf"\b{count}\b", text)
    # Each text stays within its field, whatever the reader's fonts.
    boxes = [(float(t.get("x")), float(t.get("textLength"))) for t in picture.iter("{*}text")]
    assert all(x + length < float(picture.get("width")) for x, length in boxes)


def test_a_badge_escapes_what_it_shows():
    assert "a &lt; b" in badge("a < b", "c & d") and "c &amp; d" in badge("a < b", "c & d")


def test_what_to_cite_is_valid_and_says_what_the_other_files_say():
    article, software = entries(SOURCE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    fields = article["lindeberg2026eight"].fields
    assert fields["doi"] == citation["preferred-citation"]["doi"]
    assert str(citation["preferred-citation"]["year"]) == fields["year"]
    fields = software["keyfilters2026software"].fields
    assert (fields["version"], fields["title"], fields["url"]) == (
        str(citation["version"]), citation["title"], citation["repository-code"],
    )  # fmt: skip


@pytest.mark.book
def test_doors_figure_licences_and_parts_are_on_the_page(book_html):
    page = BeautifulSoup((book_html / "index.html").read_text(encoding="utf-8"), "lxml")
    doors = {
        card.select_one(".sd-card-title").text.strip(): card.select_one("a")["href"] for card in page.select(".doors .sd-card")
    }
    assert doors == {
        "Read": "how_to_read.html#reading-paths",
        "Play": "interactive.html",
        "Use on your network": "own_network.html",
        "Teach": "course.html",
    }
    for address in doors.values():
        name, _, anchor = address.partition("#")
        target = BeautifulSoup((book_html / name).read_text(encoding="utf-8"), "lxml")
        assert not anchor or target.find(id=anchor)
    start, (chapter, *_) = page.select_one("article a.start-here"), load_manifest(Project(ROOT))
    assert start.text.strip() == f"Start: 1. {chapter.title}" and start["href"] == f"notebooks/{chapter.slug}.html"
    first = page.select_one("article img")
    assert first.find_parent("figure")["id"] == "fig-front" and page.select_one("img.scorecard-badge")
    findings = [p.strong.text for p in page.select_one("#five-findings").select("p") if p.strong]
    assert len(findings) == 5 and all(question.endswith("?") for question in findings)
    headings = [h.text.strip("#\n ") for h in page.select("article h2")]
    assert {"Five findings", "Who made it", "How to cite", "Licences"} <= set(headings)
    beside = [caption.text.strip() for caption in page.select("nav.bd-links p.caption")]
    assert beside == PARTS


@pytest.mark.book
@pytest.mark.browser
def test_the_copy_button_copies_the_entry(running, book_html):
    with chromium.served(book_html) as address:
        context = running.new_context(viewport={"width": 1280, "height": 900})
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
        tab = context.new_page()
        try:
            tab.goto(f"{address}/index.html", wait_until="load")
            button = tab.locator(".highlight-bibtex button.copybtn").first
            button.scroll_into_view_if_needed()
            button.hover()
            button.click()
            tab.wait_for_timeout(200)
            copied = tab.evaluate("() => navigator.clipboard.readText()")
        finally:
            context.close()
    assert parse_string(copied, "bibtex").entries.keys() == {"lindeberg2026eight"}


@pytest.mark.book
def test_the_map_has_every_chapter_in_its_order_with_its_number(book_html):
    page = BeautifulSoup((book_html / "how_to_read.html").read_text(encoding="utf-8"), "lxml")
    entries = load_manifest(Project(ROOT))
    boxes = page.select(".page-map li a")
    assert [box["href"] for box in boxes] == [f"notebooks/{entry.slug}.html" for entry in entries]
    assert [box.text for box in boxes] == [f"{number}. {entry.title}" for number, entry in enumerate(entries, start=1)]
    assert [part.text for part in page.select(".page-map .map-part")] == PARTS[:-1]
    assert {slug for slugs in PATHS.values() for slug in slugs} <= {entry.slug for entry in entries}


@pytest.mark.book
def test_chapters_and_their_figures_carry_the_number_of_the_manifest(book_html):
    """In the contents beside the page, in the title, in captions and in formulas."""
    for number, entry in enumerate(load_manifest(Project(ROOT)), start=1):
        page = BeautifulSoup((book_html / "notebooks" / f"{entry.slug}.html").read_text(encoding="utf-8"), "lxml")
        assert page.select_one("article h1 .section-number").text.strip() == f"{number}."
        assert page.select_one("nav.bd-links li.current a").text.strip().startswith(f"{number}. ")
        captions = [span.text.strip() for span in page.select("article figure .caption-number")]
        assert captions == [f"Figure {number}.{n}" for n in range(1, len(captions) + 1)]
        assert all(re.match(rf"\({number}\.\d+\)", span.text) for span in page.select("article .eqno"))


@pytest.mark.book
@pytest.mark.browser
def test_what_was_found_beyond_the_paper_is_one_screen_with_four_answers_and_pictures(running, book_html):
    with chromium.served(book_html) as address:
        context = running.new_context(viewport={"width": 1280, "height": 800})
        tab = context.new_page()
        try:
            tab.goto(f"{address}/beyond_the_paper.html", wait_until="load")
            bottom = tab.evaluate(
                # The fifth answer; where the page comes from stands below it.
                "() => [...document.querySelectorAll('.bd-article p')].find(p => p.textContent.startsWith('Do the parameters'))"
                ".getBoundingClientRect().bottom + scrollY"
            )
        finally:
            context.close()
    page = BeautifulSoup((book_html / "beyond_the_paper.html").read_text(encoding="utf-8"), "lxml")
    cards = page.select(".answers .sd-card")
    assert bottom <= 800 and len(cards) == 4 and all(card.select_one("img")["alt"] for card in cards)
    targets = {card.select_one("a.sd-stretched-link")["href"] for card in cards}
    assert {entry.slug for entry in load_manifest(Project(ROOT))} >= {Path(target).stem for target in targets} and len(
        targets
    ) == 4


def test_the_pages_name_the_keys_that_normalising_turns():
    pairs = zip(kf.learned_filters(), kf.normalized_filters(), strict=True)
    turned = [number for number, (h, normal) in enumerate(pairs, start=1) if (h * normal).sum() < 0]
    words = f"keys {turned[0]} and {turned[1]}"
    assert len(turned) == 2
    for page in ("book/index.md", "book/slides/scale-space.md", "notebooks/learned_filters.ipynb"):
        assert words in (ROOT / page).read_text(encoding="utf-8"), page
