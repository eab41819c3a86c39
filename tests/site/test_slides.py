"""The slides in a real browser: from a file and a server, light and dark, on a phone, in print, with the speaker's view."""

import io
import re

import pypdf
import pytest
from tabs import violations
from tiny_book import ROOT

from keyfilters_build.chromium import settle
from keyfilters_build.course import load_course, parse_deck
from keyfilters_build.project import BookError, Project
from keyfilters_build.slides import link_from_deck
from keyfilters_build.text_size import size, texts

PLANS = load_course(Project(ROOT))
DECKS = [plan.slug for plan in PLANS]
each_deck = pytest.mark.parametrize("deck", DECKS)


@pytest.mark.parametrize("text", ["# No name", "(start)=\nNo heading", "(start)=\n# One\n---\n## Two"])
def test_a_slide_without_name_or_heading_is_named(text):
    with pytest.raises(BookError, match=r"slide [12]: expected its name and a heading"):
        parse_deck(text)


@each_deck
def test_every_slide_has_notes_and_no_typed_result(deck):
    for slide in parse_deck((ROOT / "book" / "slides" / f"{deck}.md").read_text(encoding="utf-8")):
        assert slide.notes, slide.name
        # Results come from the run: in what a slide says there is no decimal number but scales that are set.
        said = re.sub(
            r"\{glue:text\}`[^`]*`|\$[^$]*\$|\([^)]*#key[^)]*\)|\]\([^)]*\)|CC BY 4\.0|layer 5\.0|in 2\.0", "", slide.body
        )
        assert not re.search(r"\d\.\d", said), (slide.name, re.findall(r"\S*\d\.\d\S*", said))


def test_addresses_of_pages_and_settings():
    assert link_from_deck("notebooks/key7") == "../notebooks/key7.html"
    assert link_from_deck("interactive.html#key=5&sx=1") == "../interactive.html#key=5&sx=1"


def presented(page):
    settle(page)
    page.wait_for_function("window.Reveal && Reveal.isReady()")


@pytest.fixture
def tab(visit):
    """Opens a deck, by default as a presentation of 1280 by 720 pixels."""

    def tab(deck, how="", protocol="file", ready=presented, width=1280, height=720, mode="light"):
        return visit(f"slides/{deck}.html{how}", protocol, width, mode, height, ready)

    return tab


# What is wrong with the slide that is shown. Mathematics has its own sizes for indices.
LOOK = r"""() => {
    const slide = document.querySelector("section.present"), problems = [], name = slide.id;
    const sheet = slide.querySelector(".sheet"), content = slide.querySelector(".content");
    if (sheet.scrollHeight > 720 || sheet.scrollWidth > 1280) problems.push(`${name}: does not fit: ${sheet.scrollWidth} x ${sheet.scrollHeight}`);
    if (content.scrollHeight > content.clientHeight + 1) problems.push(`${name}: its content does not fit`);
    for (const element of slide.querySelectorAll(".sheet *")) {
        if (element.closest("mjx-container")) continue;
        const box = element.getBoundingClientRect();
        if (box.width && (box.right > 1281 || box.bottom > 721 || box.left < -1)) problems.push(`${name}: sticks out: ${element.tagName}`);
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        const size = parseFloat(getComputedStyle(element).fontSize);
        if (own && size < (element.tagName === "CODE" ? 22 : 24)) problems.push(`${name}: ${size} px: ${element.textContent.slice(0, 40)}`);
    }
    for (const image of slide.querySelectorAll("img")) {
        const box = image.getBoundingClientRect();
        if (!image.naturalWidth || box.height < 250) problems.push(`${name}: figure not shown, or small: ${Math.round(box.height)} px`);
        if (!image.alt.trim()) problems.push(`${name}: a figure without alternative text`);
        if (getComputedStyle(image.parentElement).backgroundColor !== "rgb(255, 255, 255)") problems.push(`${name}: a figure without white paper`);
        const source = slide.querySelector(".source");
        if (!source || !/Figure \d+\.\d+ of the book . CC BY 4\.0 . filters: Babaiee/.test(source.textContent)) problems.push(`${name}: no source`);
        const words = slide.querySelector(".words");
        if (words && words.getBoundingClientRect().bottom > source.getBoundingClientRect().top + 1) problems.push(`${name}: text over the source`);
    }
    if (/\$|\\\(|\{[a-z:]+\}/.test(sheet.innerText)) problems.push(`${name}: raw text: ${sheet.innerText.slice(0, 80)}`);
    if (slide.querySelector("mjx-merror")) problems.push(`${name}: MathJax`);
    if (getComputedStyle(slide.querySelector("aside.notes")).display !== "none") problems.push(`${name}: notes in sight`);
    return problems;
}"""


# Where figures are on the slide that is shown, and where anything is, heading, source and number of the slide apart.
PLACES = r"""() => {
    const slide = document.querySelector("section.present"), boxes = [];
    const walker = document.createTreeWalker(slide.querySelector(".content"), NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
        const range = document.createRange();
        range.selectNodeContents(node);
        if (node.data.trim()) boxes.push(...range.getClientRects());
    }
    const images = [...slide.querySelectorAll("img")].map(image => [image.getAttribute("src"), image.getBoundingClientRect()]);
    boxes.push(...images.map(([_, box]) => box));
    return {
        images: images.map(([name, box]) => [name, box.width, box.height]),
        right: Math.max(...boxes.map(box => box.right)), bottom: Math.max(...boxes.map(box => box.bottom)),
    };
}"""
LEAST = 18
"""The smallest text of a figure, in pixels of a slide 720 high."""


def shown_text(svg, width, height):
    """The smallest text of a figure, in CSS pixels, where it is fitted into so many."""
    wide, high = size(svg)
    return min((points for points, _ in texts(svg)), default=LEAST) * min(width / wide, height / high)


def too_small_on(slide, places, folder):
    """What is too small to be read on a slide, and whether a half of it is empty."""
    found = []
    for name, width, height in places["images"]:
        text = shown_text((folder / name).read_bytes(), width, height)
        found += [f"{slide}: {name}: text of {text:.1f} px"] * (text < LEAST)
    for side, middle in (("right", 640), ("bottom", 360)):
        if places[side] < middle:
            found.append(f"{slide}: nothing beyond {places[side]:.0f} px: its {side} half is empty")
    return found


def test_small_text_and_an_empty_half_are_seen(tmp_path):
    """A page's figure, as decks showed it before they had their own: 541 points high, shown 530 pixels high."""
    text = '<g id="text_1"><!-- a --><g transform="scale(0.12 -0.12)"/></g>'
    (tmp_path / "a.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="498pt" height="541pt">{text}</svg>')
    places = {"images": [["a.svg", 600, 530]], "right": 1200, "bottom": 700}
    assert too_small_on("s", places, tmp_path) == ["s: a.svg: text of 11.8 px"]
    assert too_small_on("s", {"images": [["a.svg", 1200, 900]], "right": 600, "bottom": 700}, tmp_path) == [
        "s: nothing beyond 600 px: its right half is empty"
    ]


def some(*ways):
    """Each deck in the first of the ways, and one of them in the last; the rest are among the long tests."""
    chosen = {*((deck, *ways[0]) for deck in DECKS), (DECKS[0], *ways[-1])}
    cases = [(deck, *way) for deck in DECKS for way in ways]
    return [pytest.param(*case, marks=() if case in chosen else pytest.mark.slow) for case in cases]


@pytest.mark.parametrize("deck, protocol, mode", some(("http", "light"), ("http", "dark"), ("file", "light"), ("file", "dark")))
@pytest.mark.book
@pytest.mark.browser
def test_every_slide_by_the_keyboard(deck, mode, protocol, tab, book_html):
    page = tab(deck, "", protocol, mode=mode)
    slides = [slide for plan in PLANS if plan.slug == deck for part in plan.parts for slide in part.slides]
    problems, seen = [], []
    for _ in slides:
        seen.append(page.evaluate("document.querySelector('section.present').id"))
        problems += page.evaluate(LOOK) + too_small_on(seen[-1], page.evaluate(PLACES), book_html / "slides")
        page.keyboard.press("ArrowRight")
    assert seen == slides and not problems, "\n".join(problems)
    assert page.evaluate("document.querySelectorAll('h1').length") == 1


@pytest.mark.parametrize("deck, mode", some(("light",), ("dark",)))
@pytest.mark.book
@pytest.mark.browser
def test_colours_and_names_are_readable(deck, mode, tab, axe):
    for page in (tab(deck, "?read", "http", settle, mode=mode), tab(deck, "#/plan", "http", mode=mode)):
        assert violations(page, axe) == []


SHRUNK = """() => [...document.querySelectorAll(".paper img")].filter(image =>
    !(image.clientWidth >= parseFloat(image.style.getPropertyValue("--legible")))).map(image => image.src)"""


@each_deck
@pytest.mark.book
@pytest.mark.browser
def test_on_a_phone_the_slides_are_a_page_with_notes(deck, tab):
    page = tab(deck, "#/home", ready=settle, width=375, height=800)
    for holds in (
        "document.documentElement.classList.contains('reading') && !document.querySelector('.reveal')",
        "document.scrollingElement.scrollWidth <= 375",
        "[...document.images].every(image => image.complete && image.naturalWidth > 0)",
        "[...document.querySelectorAll('aside.notes')].every(note => note.checkVisibility())",
        "getComputedStyle(document.body).fontSize === '18px'",
        # The address leads to its slide.
        "Math.abs(document.getElementById('home').getBoundingClientRect().top) < 800",
    ):
        assert page.evaluate(holds), holds
    assert page.query_selector(".paper img") and not page.evaluate(SHRUNK), "text in a figure is smaller than 9 points"


@each_deck
@pytest.mark.book
@pytest.mark.browser
def test_a_slide_is_addressed_by_its_name_and_the_speakers_view_opens_from_a_file(deck, tab):
    page = tab(deck, "#/plan")
    assert page.evaluate("document.querySelector('section.present').id") == "plan"
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    view = opened.value
    view.wait_for_selector(".speaker-controls-notes:not(.hidden)", timeout=20_000)
    view.wait_for_function("document.querySelector('.speaker-controls-notes').innerText.includes('Minutes 0 to')")
    # The clock compares with the minutes of the plan.
    view.wait_for_function("getComputedStyle(document.querySelector('.pacing')).display !== 'none'")
    view.close()


@each_deck
@pytest.mark.book
@pytest.mark.browser
def test_one_slide_a_page_in_print(deck, tab):
    page = tab(deck, "?print-pdf")
    page.wait_for_selector(".pdf-page")
    document = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    assert len(document.pages) == sum(len(part.slides) for plan in PLANS if plan.slug == deck for part in plan.parts)
    assert "Ninety minutes" in document.pages[1].extract_text()
