"""The front page: what was found, the badge, three doors, how to cite, licences, and the parts of the book beside it."""

import re
from pathlib import Path

import browser as chromium
import pytest
import yaml
from bs4 import BeautifulSoup
from lxml import etree
from pybtex.database import parse_string

from keyfilters.published import scorecard
from keyfilters_build.readme import badge, scorecard_badge

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
PARTS = ["The paper", "Networks", "Background", "Beyond the paper", "Using and reference"]


def entries(text):
    return [parse_string(block, "bibtex").entries for block in re.findall(r"```bibtex\n(.*?)```", text, re.DOTALL)]


def test_the_contents_have_five_parts():
    contents = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    assert [part["caption"] for part in contents["parts"]] == PARTS


def test_the_badge_has_the_counts_of_the_scorecard():
    picture = etree.fromstring(scorecard_badge(scorecard()).encode())
    text = " ".join(picture.itertext())
    counts = scorecard()["verdict"].value_counts()
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
    assert list(doors) == ["Read", "Run", "Teach"]
    assert doors["Read"] == "notebooks/learned_filters.html" and doors["Teach"].startswith("course.html")
    for address in doors.values():
        name, _, anchor = address.partition("#")
        target = BeautifulSoup((book_html / name).read_text(encoding="utf-8"), "lxml")
        assert not anchor or target.find(id=anchor)
    assert page.select_one("figure#fig-front img") and page.select_one("img.scorecard-badge")
    headings = [h.text.strip("#\n ") for h in page.select("article h2")]
    assert {"What was found", "How to cite", "Licences"} <= set(headings)
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
