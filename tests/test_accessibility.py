"""The built book for readers with a keyboard, a screen reader, a small screen: axe-core, focus, boxes, figures, tables."""

import re
from pathlib import Path

import pytest
from lxml import html as lxml_html
from test_pages import MODES, PAGES, SHOWN, WAIT, WIDTHS, each_page, pages_of_the_contents

import browser as chromium
from keyfilters.book.legible import FLOOR, size, texts
from keyfilters.book.mend import MENDS, mend_page

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "book" / "_generated" / "data"

pytestmark = [pytest.mark.book, pytest.mark.browser]

# What axe-core finds and what stays, with the reason. The page book/accessibility.md has the same list.
# rule -> (what it is found at, as a selector, why it stays)
KNOWN = {
    "empty-table-header": (
        "th:has(mjx-container)",
        "The header is a formula. axe-core looks for words and does not read the MathML beside the formula, which screen readers do.",
    ),
}


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
    page = running.new_page(viewport={"width": 375, "height": 900}, reduced_motion="reduce")
    yield page
    page.close()


def visit(tab, address, name):
    tab.goto(f"{address}/{name}", wait_until="load")
    tab.evaluate(WAIT)
    tab.wait_for_function("document.documentElement.dataset.boxes === 'ready'")


AXE = """async known => {
    const found = await axe.run(document, {elementRef: true, resultTypes: ["violations"]});
    return found.violations.flatMap(rule => rule.nodes
        .filter(node => !(known[rule.id] && node.element.matches(known[rule.id])))
        .map(node => `${rule.id}: ${node.html.slice(0, 120)} ${[...node.any, ...node.all, ...node.none].map(c => c.message)[0] || ""}`));
}"""


def faults(tab, axe, modes):
    """What axe-core finds by all rules that it has switched on (WCAG A and AA, best practices), on the whole document."""
    tab.add_script_tag(path=axe)
    problems = []
    for mode in modes:
        tab.emulate_media(color_scheme=mode)
        assert tab.evaluate(SHOWN, mode), f"{mode}: the page does not follow what the system prefers"
        found = tab.evaluate(AXE, {rule: selector for rule, (selector, _) in KNOWN.items()})
        problems += [f"{mode}: {problem}" for problem in found]
    return problems


def test_the_page_on_accessibility_lists_the_known_faults():
    text = (ROOT / "book" / "accessibility.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `([^`]+)` \| (.+?) \|$", text, re.MULTILINE)
    assert {rule: (selector, why) for rule, selector, why in rows} == KNOWN


def test_each_known_fault_is_still_there(running, address, axe):
    """A fault that is gone is taken off the list."""
    page = running.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    left = dict(KNOWN)
    try:
        for name in pages_of_the_contents():
            if not left:
                break
            visit(page, address, name)
            selectors = {rule: selector for rule, (selector, _) in left.items()}
            if not any(page.query_selector(selector) for selector in selectors.values()):
                continue
            page.add_script_tag(path=axe)
            found = page.evaluate(
                """async known => (await axe.run(document, {elementRef: true, runOnly: {type: "rule", values: Object.keys(known)}}))
                    .violations.filter(rule => rule.nodes.some(node => node.element.matches(known[rule.id]))).map(rule => rule.id)""",
                selectors,
            )
            left = {rule: row for rule, row in left.items() if rule not in found}
    finally:
        page.close()
    assert not left


PICTURES = """() => [...document.querySelectorAll("figure[id]")].map(figure => {
    const image = figure.querySelector("img"), box = figure.querySelector(".figure-box"), style = getComputedStyle(image);
    const hint = figure.querySelector(".scroll-hint"), wide = box && box.scrollWidth > box.clientWidth + 1;
    return {id: figure.id, src: image.src, boxed: Boolean(box), wide, hint: Boolean(hint && hint.checkVisibility()),
            tab: box ? box.tabIndex : null, role: box && box.getAttribute("role"), label: box && box.getAttribute("aria-label"),
            width: image.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)};
})"""


def small_texts(tab, name, book_html):
    """Figures with text below 9 points as they are shown, and wide ones whose box cannot be reached or does not say so."""
    problems = []
    for shown in tab.evaluate(PICTURES):
        if not shown["boxed"]:
            problems.append(f"{shown['id']} has no box of its own")
            continue
        svg = DATA / Path(name).stem / f"{shown['id']}.svg"
        if not svg.is_file():
            svg = book_html / "_images" / Path(shown["src"]).name
        drawn = svg.read_bytes()
        # A point is 96/72 CSS pixels.
        scale = shown["width"] * 72 / 96 / size(drawn)[0]
        points, label = min(texts(drawn))
        if points * scale < FLOOR - 0.01:
            problems.append(f"{shown['id']}: {label!r} has {points * scale:.1f} pt")
        if shown["wide"] and not (shown["tab"] == 0 and shown["hint"] and shown["role"] == "region" and shown["label"]):
            problems.append(f"{shown['id']} is wider than its box, which has no stop, hint, role or name")
        if not shown["wide"] and (shown["hint"] or shown["tab"] == 0):
            problems.append(f"{shown['id']} fits, but says that it does not")
    return problems


SCROLLERS = """() => [...document.querySelectorAll("main *")].filter(element => {
    if (!element.checkVisibility() || element.closest("mjx-assistive-mml")) return false;
    if (!/auto|scroll/.test(getComputedStyle(element).overflowX)) return false;
    return element.scrollWidth > element.clientWidth + 1;
}).filter(element => !(element.tabIndex === 0 && (element.getAttribute("aria-label") || element.matches("textarea, select"))))
  .map(element => `${element.tagName}.${element.className}: ${element.textContent.trim().slice(0, 60)}`)"""


@each_page
def test_a_page_is_readable_for_everybody(name, tab, address, book_html, axe):
    """Text in figures, boxes that scroll, and axe-core: in both colour modes on a desktop, in one on a phone, whose colours are the same."""
    visit(tab, address, name)
    problems = small_texts(tab, name, book_html)
    problems += [f"scrolls sideways without a stop or a name: {box}" for box in tab.evaluate(SCROLLERS)]
    problems += faults(tab, axe, MODES if tab.viewport_size["width"] == max(WIDTHS) else MODES[:1])
    assert not problems, "\n" + "\n".join(problems)


def test_a_wide_figure_scrolls_with_the_arrow_keys(phone, address):
    visit(phone, address, "notebooks/what_a_unit_wants.html")
    box = phone.query_selector(".figure-box[data-wide]")
    box.focus()
    phone.keyboard.press("ArrowRight")
    phone.wait_for_function("box => box.scrollLeft > 0", arg=box)


MASK = "box => getComputedStyle(box).maskImage"
@pytest.mark.parametrize("what", ["mjx-container", ".pst-scrollable-table-container", ".figure-box"])
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
