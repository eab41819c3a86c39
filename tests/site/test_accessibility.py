"""The built book for readers with a keyboard, a screen reader, a small screen: known faults, focus, boxes, tables.

axe-core and the texts in figures are looked at by test_pages.py, where every page is visited.
"""

import re

import browser as chromium
import pytest
from lxml import html as lxml_html
from pages import DATA, DESKTOP, KNOWN, PAGES, PHONE, ROOT, WIDTHS, pages_of_the_contents, ready, selectors

from keyfilters_build.accessible import MENDS, mend_page

pytestmark = [pytest.mark.book, pytest.mark.browser]


@pytest.fixture(scope="module")
def address(book_html):
    with chromium.served(book_html) as http:
        yield http


@pytest.fixture(params=WIDTHS, ids=lambda width: f"{width}px")
def tab(request, running):
    page = running.new_page(viewport={"width": request.param, "height": 900}, color_scheme="light", reduced_motion="reduce")
    yield page
    page.close()


@pytest.fixture
def phone(running):
    page = running.new_page(viewport={"width": PHONE, "height": 900}, reduced_motion="reduce")
    yield page
    page.close()


def visit(tab, address, name):
    tab.goto(f"{address}/{name}", wait_until="load")
    ready(tab)


def test_the_page_on_accessibility_lists_the_known_faults():
    text = (ROOT / "book" / "accessibility.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `([^`]+)` \| (.+?) \|$", text, re.MULTILINE)
    assert {rule: (selector, why) for rule, selector, why in rows} == KNOWN


def test_each_known_fault_is_still_there(running, address, axe):
    """A fault that is gone is taken off the list."""
    page = running.new_page(viewport={"width": DESKTOP, "height": 900}, reduced_motion="reduce")
    left = dict(KNOWN)
    try:
        for name in pages_of_the_contents():
            if not left:
                break
            visit(page, address, name)
            known = {rule: selector for rule, selector in selectors().items() if rule in left}
            if not any(page.query_selector(selector) for selector in known.values()):
                continue
            page.add_script_tag(path=axe)
            found = page.evaluate(
                """async known => (await axe.run(document, {elementRef: true, runOnly: {type: "rule", values: Object.keys(known)}}))
                    .violations.filter(rule => rule.nodes.some(node => node.element.matches(known[rule.id]))).map(rule => rule.id)""",
                known,
            )
            left = {rule: row for rule, row in left.items() if rule not in found}
    finally:
        page.close()
    assert not left


def test_a_tap_shows_a_figure_as_wide_as_its_texts_need_and_closing_returns(phone, address):
    """By a tap on the picture, and with the keyboard by the button below it."""
    visit(phone, address, "notebooks/what_a_unit_wants.html")
    image, button = phone.locator(".figure-box img.small").first, phone.locator("button.enlarge").first
    needed = image.evaluate("image => parseFloat(image.style.getPropertyValue('--legible'))")
    assert image.evaluate("image => image.clientWidth") < needed
    for act in (image.click, lambda: button.press("Enter")):
        act()
        large = phone.locator("dialog.enlarged[open] img")
        large.wait_for()
        assert large.evaluate("image => image.clientWidth") >= needed and large.get_attribute("alt")
        box = phone.locator("dialog.enlarged > div")
        assert box.evaluate("box => box.scrollWidth > box.clientWidth") and box.get_attribute("aria-label").startswith("Figure")
        phone.keyboard.press("Escape")
        phone.locator("dialog.enlarged[open]").wait_for(state="detached")


def test_an_enlarged_figure_is_paper_on_a_dark_screen(running, address):
    """Not dimmed, and no button lies over it."""
    tab = running.new_page(viewport={"width": PHONE, "height": 700}, color_scheme="dark", has_touch=True, is_mobile=True)
    try:
        visit(tab, address, "notebooks/learned_filters.html")
        tab.locator(".figure-box img.small").first.click()
        shown = tab.locator("dialog.enlarged[open]")
        look = "([element, of]) => getComputedStyle(element)[of]"
        dark = [int(part) for part in re.findall(r"\d+", tab.evaluate(look, [shown.element_handle(), "backgroundColor"]))[:3]]
        image = shown.locator("img").element_handle()
        assert max(dark) < 80 and tab.evaluate(look, [image, "filter"]) == "none"
        bar, below = (shown.locator(each).bounding_box() for each in ("form", "div"))
        assert bar["y"] + bar["height"] <= below["y"] + 0.5 and shown.locator("form span").inner_text().startswith("Figure")
    finally:
        tab.close()


def test_a_table_keeps_its_caption_and_its_first_column_while_it_scrolls(phone, address):
    visit(phone, address, "notebooks/learned_filters.html")
    box = phone.locator(".pst-scrollable-table-container:has(#tbl-learned-symmetry)")
    places = """box => ["caption", "tbody td", "tbody td:last-child"].map(each => box.querySelector(each).getBoundingClientRect().left)"""
    before = box.evaluate(places)
    box.evaluate("box => { box.scrollLeft = 40; }")
    caption, first, last = (now - then for now, then in zip(box.evaluate(places), before, strict=True))
    assert abs(caption) < 2 and abs(first) < 2 and last < -30
    assert "Swipe" in box.evaluate("box => getComputedStyle(box.querySelector('caption'), '::after').content")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_formula_is_broken_where_it_does_not_fit_and_only_there(width, running, address):
    tab = running.new_page(viewport={"width": width, "height": 900})
    try:
        visit(tab, address, "notebooks/learned_filters.html")
        formula = tab.locator("#equation-eq-learned-mirror mjx-container")
        lines = "box => box.querySelectorAll('mjx-mtr').length"
        assert formula.evaluate(lines) == (2 if width == PHONE else 0)
        # And anew where the column changes.
        tab.set_viewport_size({"width": PHONE + DESKTOP - width, "height": 900})
        now = f"({lines})(document.querySelector('#equation-eq-learned-mirror mjx-container'))"
        tab.wait_for_function(f"{now} === {0 if width == PHONE else 2}")
    finally:
        tab.close()


@pytest.mark.parametrize("protocol", ["http", "file"])
def test_a_term_is_explained_where_it_stands(protocol, phone, address, book_html):
    """With the keyboard as by a tap; the link to the glossary stays."""
    home = address if protocol == "http" else book_html.as_uri()
    visit(phone, home, "notebooks/learned_filters.html")
    link, place = phone.locator("a.term-link").first, phone.url
    for act in (link.click, lambda: link.press("Enter")):
        act()
        card = phone.locator("dialog.term-card[open]")
        card.wait_for()
        assert len(card.locator("p").inner_text()) > 20 and "glossary.html#term-" in card.locator("a").get_attribute("href")
        phone.keyboard.press("Escape")
        card.wait_for(state="detached")
        assert phone.url == place and link.evaluate("link => link === document.activeElement")


def test_the_letters_of_the_glossary_lead_to_its_terms(phone, address):
    visit(phone, address, "glossary.html")
    letters = phone.locator("nav.letters a")
    assert letters.evaluate_all(
        "links => links.every(link => document.getElementById(link.hash.slice(1)).textContent.trim()[0].toUpperCase() === link.textContent)"
    )
    shown = letters.all_inner_texts()
    assert len(shown) > 15 and shown == sorted(shown)


@pytest.mark.parametrize("width", WIDTHS)
def test_code_is_folded_on_a_phone_alone(width, running, address):
    tab = running.new_page(viewport={"width": width, "height": 900})
    try:
        visit(tab, address, "notebooks/learned_filters.html")
        code = tab.locator(".phone-code .cell_input").first
        assert code.is_visible() == (width == DESKTOP)
        if width == PHONE:
            tab.locator(".phone-code > summary").first.click()
            assert code.is_visible()
    finally:
        tab.close()


def test_the_contents_of_the_book_show_the_page_that_is_read(tab, address):
    """On a phone they are a drawer, which is closed at first."""
    if tab.viewport_size["width"] == PHONE:
        return
    visit(tab, address, "references.html")
    tab.wait_for_function(
        """() => {
            const here = document.querySelector(".bd-sidebar-primary li.active > a").getBoundingClientRect();
            return here.top >= 0 && here.bottom <= innerHeight;
        }"""
    )


MASK = "box => getComputedStyle(box).maskImage"


@pytest.mark.parametrize("what", ["pre", ".pst-scrollable-table-container"])
def test_what_can_be_scrolled_further_fades(what, phone, address):
    visit(phone, address, "notebooks/what_a_unit_wants.html")
    box = phone.query_selector(f"{what}[data-wide]")
    assert box.get_attribute("data-more") == "right" and "gradient" in box.evaluate(MASK)
    box.evaluate("box => { box.scrollLeft = 5; }")
    phone.wait_for_function("box => box.dataset.more === 'left right'", arg=box)
    box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    phone.wait_for_function("box => box.dataset.more === 'left'", arg=box)
    assert not phone.evaluate(f"[...document.querySelectorAll('{what}:not([data-wide])')].some(box => box.dataset.more)")


def test_a_choice_in_the_contents_of_a_page_closes_their_drawer(phone, address):
    visit(phone, address, "notebooks/method_a.html")
    phone.click("button.secondary-toggle")
    phone.click("dialog[open] a[href='#summary']")
    phone.wait_for_function("!document.querySelector('dialog[open]') && scrollY > 1000")


def test_the_title_of_a_solution_opens_it(phone, address):
    visit(phone, address, "notebooks/method_a.html")
    solution = phone.locator(".solution.dropdown").first
    assert solution.locator(".admonition-title a").count() == 0
    assert "toggle-hidden" in solution.get_attribute("class")
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
            seen: box.width > 0 && box.height > 0, ring, main: Boolean(element.closest("article"))};
}"""


@pytest.mark.parametrize("name", ["index.html", "notebooks/key7.html"])
def test_focus_goes_through_the_page_in_its_order(name, tab, address):
    """The link past the header comes first, every stop is seen, none comes twice, and the end is reached."""
    visit(tab, address, name)
    stops = []
    for _ in range(1000):
        tab.keyboard.press("Tab")
        stop = tab.evaluate(FOCUSED)
        if stop["body"]:
            break
        assert stop["number"] not in [earlier["number"] for earlier in stops], f"trapped at {stop}"
        stops.append(stop)
    else:
        pytest.fail("the end of the page is not reached")
    assert "skip to main content" in stops[0]["text"].lower()
    assert [stop["number"] for stop in stops] == sorted(stop["number"] for stop in stops)
    assert not [stop for stop in stops if not stop["seen"]]
    assert not [stop for stop in stops if not stop["ring"]]
    assert any(stop["main"] for stop in stops)


def built(book_html):
    return {name: lxml_html.parse(str(book_html / name)).getroot() for name in pages_of_the_contents()}


def test_a_chapter_leads_from_its_answer_to_its_summary_and_says_where_its_exercises_run(book_html):
    chapters = {name: tree for name, tree in built(book_html).items() if name.startswith("notebooks/")}
    assert chapters
    for name, tree in chapters.items():
        for section, line in (("summary", "short-way"), ("exercises", "where-to-run")):
            assert len(tree.xpath(f"//*[@id='{section}']")) == len(tree.xpath(f"//div[contains(@class, '{line}')]")), (
                name,
                section,
            )


def test_no_numbered_table_is_folded(book_html):
    folded = "//details[contains(@class, 'hide')]//table[starts-with(@id, 'tbl-')]/@id"
    assert sum(len(tree.xpath("//table[starts-with(@id, 'tbl-')]")) for tree in built(book_html).values()) > 50
    assert not {name: found for name, tree in built(book_html).items() if (found := tree.xpath(folded))}


def test_tables_have_headers_and_captions(book_html):
    problems = []
    for name, tree in built(book_html).items():
        for table in tree.xpath("//main//table[contains(concat(' ', @class, ' '), ' table ')]"):
            label = f"{name}: {table.get('id') or table.text_content().strip()[:40]}"
            # The lists of an API page stand below headings that name them, and are not referred to.
            if not name.startswith("api/") and not "".join(caption.text_content() for caption in table.iter("caption")).strip():
                problems.append(f"{label}: no caption")
            heads = list(table.iter("th"))
            if not heads or any(head.get("scope") not in ("col", "row") for head in heads):
                problems.append(f"{label}: headers without scope")
            if any(not head.text_content().strip() for head in heads):
                problems.append(f"{label}: empty header")
    assert not problems, "\n".join(problems)


def test_every_mend_has_left_nothing_to_mend(book_html):
    """Each row of the table was of use, and a second pass changes nothing."""
    log = {name: (book_html / name).read_text(encoding="utf-8") for name in PAGES}
    for mend in MENDS:
        assert not [name for name, text in log.items() if mend.pattern.search(text)], mend.why
    fresh = ROOT / "_build" / "html" / "index.html"
    assert mend_page(log["index.html"], fresh, DATA).count("figure-box") == log["index.html"].count("figure-box")


def test_a_page_has_one_first_heading_and_no_level_is_left_out(book_html):
    problems = []
    for name, tree in built(book_html).items():
        levels = [int(element.tag[1]) for element in tree.xpath("//article//*[self::h1 or self::h2 or self::h3 or self::h4]")]
        if levels.count(1) != 1 or any(after > before + 1 for before, after in zip(levels, levels[1:], strict=False)):
            problems.append(f"{name}: {levels}")
    assert not problems, "\n".join(problems)
