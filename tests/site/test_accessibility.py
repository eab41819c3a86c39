"""The built book for readers with a keyboard, a screen reader, a small screen: known faults, focus, boxes, tables.

axe-core and the texts in figures are looked at by test_pages.py, where every page is visited.
"""

import re

import pytest
from lxml import html as lxml_html
from pages import DATA, DESKTOP, KNOWN, PAGES, PHONE, ROOT, WIDTHS, pages_of_the_contents, ready, selectors

from keyfilters_build.accessible import MENDS, mend_page

pytestmark = [pytest.mark.book, pytest.mark.browser]

each_width = pytest.mark.parametrize("width", WIDTHS, ids=lambda width: f"{width}px")

VIOLATED = """async known => (await axe.run(document, {elementRef: true, runOnly: {type: "rule", values: Object.keys(known)}}))
    .violations.filter(rule => rule.nodes.some(node => node.element.matches(known[rule.id]))).map(rule => rule.id)"""


def test_the_page_on_accessibility_lists_the_known_faults_and_each_is_still_there(visit, addresses, axe):
    """A fault that is gone is taken off the list."""
    text = (ROOT / "book" / "accessibility.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `([^`]+)` \| (.+?) \|$", text, re.MULTILINE)
    assert {rule: (selector, why) for rule, selector, why in rows} == KNOWN
    page, left = visit("index.html"), set(KNOWN)
    for name in pages_of_the_contents():
        page.goto(f"{addresses['http']}/{name}", wait_until="load")
        ready(page)
        known = {rule: selector for rule, selector in selectors().items() if rule in left}
        if any(page.query_selector(selector) for selector in known.values()):
            page.add_script_tag(path=axe)
            left -= set(page.evaluate(VIOLATED, known))
        if not left:
            break
    assert not left


def test_a_tap_shows_a_figure_as_wide_as_its_texts_need_and_closing_returns(visit):
    """By a tap on the picture, and with the keyboard by the button below it; as paper on a dark screen, with no button over it."""
    phone = visit("notebooks/what_a_unit_wants.html", width=PHONE, height=700, mode="dark", has_touch=True, is_mobile=True)
    image, button = phone.locator(".figure-box img.small").first, phone.locator("button.enlarge").first
    needed = image.evaluate("image => parseFloat(image.style.getPropertyValue('--legible'))")
    assert image.evaluate("image => image.clientWidth") < needed
    for act in (image.click, lambda: button.press("Enter")):
        act()
        shown = phone.locator("dialog.enlarged[open]")
        large, box, bar = (shown.locator(part) for part in ("img", "div", "form"))
        large.wait_for()
        assert large.evaluate("image => image.clientWidth") >= needed and large.get_attribute("alt")
        assert box.evaluate("box => box.scrollWidth > box.clientWidth") and box.get_attribute("aria-label").startswith("Figure")
        colour = shown.evaluate("element => getComputedStyle(element).backgroundColor")
        assert max(map(int, re.findall(r"\d+", colour)[:3])) < 80
        assert large.evaluate("image => getComputedStyle(image).filter") == "none"
        over, below = bar.bounding_box(), box.bounding_box()
        assert over["y"] + over["height"] <= below["y"] + 0.5 and bar.locator("span").inner_text().startswith("Figure")
        phone.keyboard.press("Escape")
        shown.wait_for(state="detached")


def test_a_table_keeps_its_caption_and_its_first_column_while_it_scrolls(visit):
    box = visit("notebooks/learned_filters.html", width=PHONE).locator(
        ".pst-scrollable-table-container:has(#tbl-learned-symmetry)"
    )
    places = """box => ["caption", "tbody td", "tbody td:last-child"].map(each => box.querySelector(each).getBoundingClientRect().left)"""
    before = box.evaluate(places)
    box.evaluate("box => { box.scrollLeft = 40; }")
    caption, first, last = (now - then for now, then in zip(box.evaluate(places), before, strict=True))
    assert abs(caption) < 2 and abs(first) < 2 and last < -30
    assert "Swipe" in box.evaluate("box => getComputedStyle(box.querySelector('caption'), '::after').content")


@each_width
def test_formulas_break_and_code_is_folded_where_the_window_is_narrow_alone(width, visit):
    tab = visit("notebooks/learned_filters.html", width=width)
    lines = "document.querySelectorAll('#equation-eq-learned-mirror mjx-container mjx-mtr').length"
    assert tab.evaluate(lines) == (2 if width == PHONE else 0)
    code = tab.locator(".phone-code .cell_input").first
    assert code.is_visible() == (width == DESKTOP)
    if width == PHONE:
        tab.locator(".phone-code > summary").first.click()
        assert code.is_visible()
    # And formulas anew where the column changes.
    tab.set_viewport_size({"width": PHONE + DESKTOP - width, "height": 900})
    tab.wait_for_function(f"{lines} === {0 if width == PHONE else 2}")


@pytest.mark.parametrize("protocol", ["http", "file"])
def test_a_term_is_explained_where_it_stands(protocol, visit):
    """With the keyboard as by a tap; the link to the glossary stays."""
    phone = visit("notebooks/learned_filters.html", protocol, PHONE)
    link, place = phone.locator("a.term-link").first, phone.url
    for act in (link.click, lambda: link.press("Enter")):
        act()
        card = phone.locator("dialog.term-card[open]")
        card.wait_for()
        assert len(card.locator("p").inner_text()) > 20 and "glossary.html#term-" in card.locator("a").get_attribute("href")
        phone.keyboard.press("Escape")
        card.wait_for(state="detached")
        assert phone.url == place and link.evaluate("link => link === document.activeElement")


LED = "links => links.every(link => document.getElementById(link.hash.slice(1)).textContent.trim()[0].toUpperCase() === link.textContent)"
IN_SIGHT = """() => {
    const here = document.querySelector(".bd-sidebar-primary li.active > a").getBoundingClientRect();
    return here.top >= 0 && here.bottom <= innerHeight;
}"""


def test_letters_and_contents_lead_to_what_they_name(visit):
    letters = visit("glossary.html", width=PHONE).locator("nav.letters a")
    shown = letters.all_inner_texts()
    assert letters.evaluate_all(LED) and len(shown) > 15 and shown == sorted(shown)
    # The contents of the book show the page that is read.
    visit("references.html").wait_for_function(IN_SIGHT)


MASK = "box => getComputedStyle(box).maskImage"


@pytest.mark.parametrize("what", ["pre", ".pst-scrollable-table-container"])
def test_what_can_be_scrolled_further_fades(what, visit):
    phone = visit("notebooks/what_a_unit_wants.html", width=PHONE)
    box = phone.query_selector(f"{what}[data-wide]")
    assert box.get_attribute("data-more") == "right" and "gradient" in box.evaluate(MASK)
    for place, more in (("5", "left right"), ("box.scrollWidth", "left")):
        box.evaluate(f"box => {{ box.scrollLeft = {place}; }}")
        phone.wait_for_function(f"box => box.dataset.more === '{more}'", arg=box)
    assert not phone.evaluate(f"[...document.querySelectorAll('{what}:not([data-wide])')].some(box => box.dataset.more)")


def test_a_choice_in_the_contents_closes_their_drawer_and_the_title_of_a_solution_opens_it(visit):
    phone = visit("notebooks/method_a.html", width=PHONE)
    phone.click("button.secondary-toggle")
    phone.click("dialog[open] a[href='#summary']")
    phone.wait_for_function("!document.querySelector('dialog[open]') && scrollY > 1000")
    solution = phone.locator(".solution.dropdown").first
    assert solution.locator(".admonition-title a").count() == 0 and "toggle-hidden" in solution.get_attribute("class")
    solution.locator(".admonition-title").click(position={"x": 60, "y": 12})
    phone.wait_for_function("!document.querySelector('.solution.dropdown').classList.contains('toggle-hidden')")


FOCUSED = """() => {
    const element = document.activeElement;
    // A link that covers a card and the arrow that unfolds pages have no box of their own.
    const shown = element.closest(".sd-card") || element.querySelector(".toctree-toggle") || element;
    const box = shown.getBoundingClientRect(), style = getComputedStyle(shown);
    const number = [...document.querySelectorAll("*")].indexOf(element);
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
    return {number, body: element === document.body, text: (element.textContent || element.getAttribute("aria-label") || "").trim().slice(0, 40),
            seen: box.width > 0 && box.height > 0 && ring, main: Boolean(element.closest("article"))};
}"""


@each_width
@pytest.mark.parametrize("name", ["index.html", "notebooks/key7.html"])
def test_focus_goes_through_the_page_in_its_order(name, width, visit):
    """The link past the header comes first, every stop is seen and has a ring, none comes twice, and the end is reached."""
    tab = visit(name, width=width)
    stops = []
    while len(stops) < 1000:
        tab.keyboard.press("Tab")
        stop = tab.evaluate(FOCUSED)
        if stop["body"]:
            break
        assert not stops or stop["number"] > stops[-1]["number"], f"trapped at {stop}"
        stops.append(stop)
    assert stop["body"] and "skip to main content" in stops[0]["text"].lower()
    assert not [stop for stop in stops if not stop["seen"]] and any(stop["main"] for stop in stops)


@pytest.fixture(scope="module")
def trees(book_html):
    """Page of the contents -> its tree."""
    return {name: lxml_html.parse(str(book_html / name)).getroot() for name in pages_of_the_contents()}


def test_a_chapter_leads_from_its_answer_to_its_summary_and_says_where_its_exercises_run(trees):
    chapters = {name: tree for name, tree in trees.items() if name.startswith("notebooks/")}
    assert chapters
    for name, tree in chapters.items():
        for section, line in (("summary", "short-way"), ("exercises", "where-to-run")):
            assert len(tree.xpath(f"//*[@id='{section}']")) == len(tree.xpath(f"//div[contains(@class, '{line}')]")), name


def test_tables_have_headers_and_captions_and_none_with_a_number_is_folded(trees):
    numbered, problems = 0, []
    for name, tree in trees.items():
        numbered += len(tree.xpath("//table[starts-with(@id, 'tbl-')]"))
        folded = tree.xpath("//details[contains(@class, 'hide')]//table[starts-with(@id, 'tbl-')]/@id")
        problems += [f"{name}: {table} is folded" for table in folded]
        for table in tree.xpath("//main//table[contains(concat(' ', @class, ' '), ' table ')]"):
            heads = list(table.iter("th"))
            caption = "".join(caption.text_content() for caption in table.iter("caption")).strip()
            faults = {
                # The lists of an API page stand below headings that name them, and are not referred to.
                "no caption": not name.startswith("api/") and not caption,
                "headers without scope": not heads or any(head.get("scope") not in ("col", "row") for head in heads),
                "empty header": any(not head.text_content().strip() for head in heads),
            }
            label = f"{name}: {table.get('id') or table.text_content().strip()[:40]}"
            problems += [f"{label}: {fault}" for fault, found in faults.items() if found]
    assert not problems, "\n".join(problems)
    assert numbered > 50


def test_every_mend_has_left_nothing_to_mend(book_html):
    """Each row of the table was of use, and a second pass changes nothing."""
    log = {name: (book_html / name).read_text(encoding="utf-8") for name in PAGES}
    for mend in MENDS:
        assert not [name for name, text in log.items() if mend.pattern.search(text)], mend.why
    again = mend_page(log["index.html"], book_html / "index.html", DATA)
    assert again.count("figure-box") == log["index.html"].count("figure-box")


def test_a_page_has_one_first_heading_and_no_level_is_left_out(trees):
    for name, tree in trees.items():
        levels = [int(element.tag[1]) for element in tree.xpath("//article//*[self::h1 or self::h2 or self::h3 or self::h4]")]
        assert levels.count(1) == 1, name
        assert not [pair for pair in zip(levels, levels[1:], strict=False) if pair[1] > pair[0] + 1], f"{name}: {levels}"
