"""The front page: what was found, the badge, five findings, four doors, how to cite, licences, and the parts of the book beside it."""

import re
from pathlib import Path

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


CHAPTERS = load_manifest(Project(ROOT))


@pytest.fixture(scope="module")
def soup(book_html):
    """A page of the built book."""

    def soup(name):
        return BeautifulSoup((book_html / name).read_text(encoding="utf-8"), "lxml")

    return soup


def test_the_contents_have_five_parts_and_those_with_chapters_are_numbered():
    contents = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    assert [part["caption"] for part in contents["parts"]] == PARTS
    # A page that is no chapter would take the number of one.
    for part in contents["parts"]:
        chapters = [page["file"].startswith("notebooks/") for page in part["chapters"]]
        assert all(chapters) if part.get("numbered") else not any(chapters)


def test_the_badge_has_the_counts_of_the_scorecard_and_escapes_what_it_shows():
    card = counted_once(scorecard())
    picture = etree.fromstring(scorecard_badge(card).encode())
    numbers = re.findall(r"\d+", " ".join(picture.itertext()))
    assert {str(count) for count in card["verdict"].value_counts()} <= set(numbers)
    # Each text stays within its field, whatever the reader's fonts.
    boxes = [(float(t.get("x")), float(t.get("textLength"))) for t in picture.iter("{*}text")]
    assert all(x + length < float(picture.get("width")) for x, length in boxes)
    assert "a &lt; b" in badge("a < b", "c & d") and "c &amp; d" in badge("a < b", "c & d")


def test_what_to_cite_is_valid_and_says_what_the_other_files_say():
    blocks = re.findall(r"```bibtex\n(.*?)```", SOURCE, re.DOTALL)
    article, software = (next(iter(parse_string(block, "bibtex").entries.values())).fields for block in blocks)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    preferred = citation["preferred-citation"]
    assert (article["doi"], article["year"]) == (preferred["doi"], str(preferred["year"]))
    own = [str(citation[name]) for name in ("version", "title", "repository-code")]
    assert [software[name] for name in ("version", "title", "url")] == own


@pytest.mark.book
def test_doors_figure_licences_and_parts_are_on_the_page(soup):
    page = soup("index.html")
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
        assert not anchor or soup(name).find(id=anchor)
    start, chapter = page.select_one("article a.start-here"), CHAPTERS[0]
    assert (start.text.strip(), start["href"]) == (f"Start: 1. {chapter.title}", f"notebooks/{chapter.slug}.html")
    first = page.select_one("article img")
    assert first.find_parent("figure")["id"] == "fig-front" and page.select_one("img.scorecard-badge")
    findings = [p.strong.text for p in page.select_one("#five-findings").select("p") if p.strong]
    assert len(findings) == 5 and all(question.endswith("?") for question in findings)
    headings = {h.text.strip("#\n ") for h in page.select("article h2")}
    assert {"Five findings", "Who made it", "How to cite", "Licences"} <= headings
    assert [caption.text.strip() for caption in page.select("nav.bd-links p.caption")] == PARTS


@pytest.mark.book
@pytest.mark.browser
def test_the_copy_button_copies_the_entry(visit):
    tab = visit("index.html", permissions=["clipboard-read", "clipboard-write"])
    button = tab.locator(".highlight-bibtex button.copybtn").first
    button.scroll_into_view_if_needed()
    button.hover()
    button.click()
    tab.wait_for_timeout(200)
    copied = tab.evaluate("() => navigator.clipboard.readText()")
    assert parse_string(copied, "bibtex").entries.keys() == {"lindeberg2026eight"}


@pytest.mark.book
def test_the_map_has_every_chapter_in_its_order_with_its_number(soup):
    page = soup("how_to_read.html")
    assert [(box["href"], box.text) for box in page.select(".page-map li a")] == [
        (f"notebooks/{entry.slug}.html", f"{number}. {entry.title}") for number, entry in enumerate(CHAPTERS, start=1)
    ]
    assert [part.text for part in page.select(".page-map .map-part")] == PARTS[:-1]
    assert {slug for slugs in PATHS.values() for slug in slugs} <= {entry.slug for entry in CHAPTERS}


@pytest.mark.book
def test_chapters_and_their_figures_carry_the_number_of_the_manifest(soup):
    """In the contents beside the page, in the title, in captions and in formulas."""
    for number, entry in enumerate(CHAPTERS, start=1):
        page = soup(f"notebooks/{entry.slug}.html")
        assert page.select_one("article h1 .section-number").text.strip() == f"{number}."
        assert page.select_one("nav.bd-links li.current a").text.strip().startswith(f"{number}. ")
        captions = [span.text.strip() for span in page.select("article figure .caption-number")]
        assert captions == [f"Figure {number}.{n}" for n in range(1, len(captions) + 1)]
        assert all(re.match(rf"\({number}\.\d+\)", span.text) for span in page.select("article .eqno"))


# The fifth answer; where the page comes from stands below it.
LAST_ANSWER = """() => [...document.querySelectorAll('.bd-article p')].find(p => p.textContent.startsWith('Do the parameters'))
    .getBoundingClientRect().bottom + scrollY"""


@pytest.mark.book
@pytest.mark.browser
def test_what_was_found_beyond_the_paper_is_one_screen_with_four_answers_and_pictures(visit, soup):
    assert visit("beyond_the_paper.html", height=800).evaluate(LAST_ANSWER) <= 800
    cards = soup("beyond_the_paper.html").select(".answers .sd-card")
    targets = {Path(card.select_one("a.sd-stretched-link")["href"]).stem for card in cards}
    assert len(cards) == len(targets) == 4 and all(card.select_one("img")["alt"] for card in cards)
    assert targets <= {entry.slug for entry in CHAPTERS}


def test_the_pages_name_the_keys_that_normalising_turns():
    pairs = zip(kf.learned_filters(), kf.normalized_filters(), strict=True)
    turned = [number for number, (h, normal) in enumerate(pairs, start=1) if (h * normal).sum() < 0]
    words = f"keys {turned[0]} and {turned[1]}"
    assert len(turned) == 2
    for page in ("book/index.md", "book/slides/scale-space.md", "notebooks/learned_filters.ipynb"):
        assert words in (ROOT / page).read_text(encoding="utf-8"), page
