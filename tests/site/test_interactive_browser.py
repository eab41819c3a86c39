"""The interactive page in a browser, from a server and from a file: what a reader does with it, and what must not happen.

The page is built here in a small book of its own, so that it is tested without the notebooks.
"""

from urllib.parse import urlsplit

import pytest
from small_pages import PROTOCOLS, WIDTHS, fixtures

import keyfilters as kf
from keyfilters_build.interactive import interactive_data

# What was seen to work from a file in two ways needs no second protocol in each run of the tests.
FROM_BOTH = ("http", pytest.param("file", marks=pytest.mark.slow))

pytestmark = pytest.mark.browser

html, addresses, opened = fixtures(
    "interactive", "['kx-result', 'kf-result'].every(id => document.getElementById(id).textContent)"
)


def numbers(tab, table):
    read = "cells => cells.map(cell => cell.querySelector('input')?.value ?? cell.textContent)"
    texts = tab.eval_on_selector_all(f"#{table} td.kx-cell", read)
    return [float(text.replace("\u2212", "-")) for text in texts]


def setting(tab):
    return dict(part.split("=") for part in urlsplit(tab.url).fragment.split("&") if "=" in part)


def fitted(tab):
    """Wait for the fit that the last change asked for; what it says."""
    tab.wait_for_timeout(60)
    tab.wait_for_function("!document.getElementById('kf-fits').hasAttribute('aria-busy')")
    return tab.inner_text("#kf-result")


def rounded(filter):
    return [round(float(x), 2 if abs(filter).max() >= 0.2 else 3) for x in filter.ravel()]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_slider_changes_the_kernel_and_the_address(opened, protocol):
    tab = opened("#key=5&sx=0.8&sy=0.7&border=crop", protocol)
    before = numbers(tab, "kx-model")
    tab.focus("#kx-sx")
    for _ in range(10):
        tab.keyboard.press("ArrowRight")
    assert tab.input_value("#kx-sx-number") == "0.9"
    assert tab.get_attribute("#kx-sx", "aria-valuetext") == "0.900"
    after = numbers(tab, "kx-model")
    assert after != before and after == pytest.approx(rounded(kf.ideal_filter(5, 0.9, 0.7)), abs=0.0051)
    tab.wait_for_function("location.hash.includes('sx=0.9&')")
    assert setting(tab) == {"key": "5", "sx": "0.9", "sy": "0.7", "border": "crop"}
    tab.wait_for_function("document.getElementById('kx-result').textContent.includes('σx 0.900')")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_address_restores_a_setting(opened, protocol):
    tab = opened("#key=7&sx=0.61&sy=0.72&gamma=0.45&border=exact", protocol)
    assert tab.is_checked("#kx-key-7") and tab.is_checked("#kx-border-exact")
    assert [tab.input_value(f"#kx-{name}-number") for name in ("sx", "sy", "gamma")] == ["0.61", "0.72", "0.45"]
    assert tab.is_enabled("#kx-gamma")
    model = kf.ideal_filter(7, 0.61, 0.72, gamma=0.45, edge="exact")
    assert numbers(tab, "kx-model") == pytest.approx(rounded(model), abs=0.0051)
    assert tab.inner_text("#kx-message") == ""
    # An address typed into the same page is followed too.
    tab.evaluate("location.hash = '#key=2&sx=0.4&sy=0.5&border=crop'")
    tab.wait_for_function("document.getElementById('kx-key-2').checked")
    assert numbers(tab, "kx-model") == pytest.approx(rounded(kf.ideal_filter(2, 0.4, 0.5)), abs=0.0051)
    assert tab.is_disabled("#kx-gamma")


@pytest.mark.parametrize(
    "hash, message",
    [
        ("#key=9", "“key=9” in the address is ignored: expected a key from 1 to 8"),
        ("#key=3&sx=-1&sy=0.5", "“sx=-1” in the address is ignored: expected a number from 0 to 3.5"),
        ("#key=3&gamma=1&zoom=2", "“zoom=2” in the address is ignored: expected key, sx, sy, gamma or border (and 1 more)"),
        ("#fit-a-filter", ""),
    ],
)
def test_what_is_wrong_in_the_address_is_said_in_one_line(opened, hash, message):
    tab = opened(hash)
    assert tab.inner_text("#kx-message") == message
    assert numbers(tab, "kx-model") != [0] * 49
    tab.focus("#kx-sy")
    tab.keyboard.press("ArrowRight")
    assert tab.inner_text("#kx-message") == "", "the message stays after the reader went on"


def test_the_methods_are_presets(opened):
    tab = opened("#key=4&sx=1&sy=1&border=crop")
    assert tab.locator("#kx-presets button[aria-pressed=true]").count() == 0
    buttons = tab.locator("#kx-presets button")
    assert buttons.all_inner_texts() == ["A", "B", "C1", "C2", "D1", "D2", "A joint", "B joint", "C joint", "D joint"]
    for method in ("C1", "B", "D-joint"):
        tab.click(f"#kx-presets button[value={method}]")
        assert tab.get_attribute(f"#kx-presets button[value={method}]", "aria-pressed") == "true"
        x, y, _ = interactive_data()["presets"]["crop"][method][3]
        tab.wait_for_function(f"location.hash.includes('sx={x:.4f}')")
        assert [float(setting(tab)[n]) for n in ("sx", "sy")] == pytest.approx([x, y], abs=5.1e-7)
    fit = kf.fit(4, "D1")
    tab.click("#kx-presets button[value=D1]")
    assert float(tab.inner_text("#kx-distance-relativeL2")) == pytest.approx(fit.relative_l2, abs=5.1e-5)
    assert float(tab.inner_text("#kx-distance-cosine")) == pytest.approx(fit.cosine, abs=5.1e-5)
    tab.wait_for_function(f"location.hash.includes('sx={fit.sigma_x:.4f}')")
    url = tab.url
    tab.reload()
    assert tab.get_attribute("#kx-presets button[value=D1]", "aria-pressed") == "true" and tab.url == url


def test_one_scale_for_both_axes_and_a_number_out_of_range(opened):
    tab = opened("#key=8&sx=0.5&sy=0.9&border=crop")
    tab.check("#kx-same")
    assert tab.input_value("#kx-sy-number") == "0.5"
    tab.fill("#kx-sy-number", "1.25")
    assert tab.input_value("#kx-sx-number") == "1.25" and tab.input_value("#kx-sx") == "1.25"
    tab.fill("#kx-sy-number", "7")
    assert tab.inner_text("#kx-message") == "“7” is not taken: expected a number from 0 to 3.5"
    tab.keyboard.press("Tab")
    assert tab.input_value("#kx-sy-number") == "1.25"


def test_the_settings_to_try_are_shown(opened):
    tab = opened()
    buttons = tab.locator("[data-setting]")
    for i in range(buttons.count()):
        buttons.nth(i).click()
        wanted = dict(part.split("=") for part in buttons.nth(i).get_attribute("data-setting").split("&"))
        assert tab.is_checked(f"#kx-key-{wanted['key']}") and setting(tab) == wanted
        assert tab.evaluate("document.activeElement.id") == f"kx-key-{wanted['key']}"


def test_the_keyboard_reaches_everything_in_order(opened):
    tab = opened("#key=7&sx=0.7&sy=0.7&gamma=0.5&border=crop")
    tab.focus("#kx-key-7")
    tab.keyboard.press("ArrowRight")
    assert tab.is_checked("#kx-key-8")
    tab.keyboard.press("ArrowLeft")
    seen = []
    while "kf-show" not in seen and len(seen) < 60:
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate("(e => e.id || e.getAttribute('aria-label') || e.value || '')(document.activeElement)"))
    wanted = ["A", "D-joint", "kx-border-crop", "kx-sx", "kx-sx-number", "kx-sy", "kx-gamma-number", "kx-same"]
    wanted += ["kf-source", "kf-load", "kf-brush", "kf-brush-value", "kf-text", "kf-read", "kf-write"]
    wanted += ["kf-free", "kf-border-crop", "x = −3, y = 3", "kf-show"]
    assert [name for name in seen if name in wanted] == wanted
    assert len([name for name in seen if name.startswith("x = ")]) == 1, "the grid is one stop, not 49"


def test_the_cells_are_edited_with_the_keyboard(opened):
    tab = opened()
    tab.select_option("#kf-source", "empty")
    tab.click("#kf-load")
    assert "nothing to fit" in fitted(tab) and tab.is_disabled("#kf-show")
    cells = tab.locator("#kf-cells input")
    assert cells.nth(0).get_attribute("aria-label") == "x = −3, y = 3"
    cells.nth(24).focus()
    tab.keyboard.type("1")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.type("-1.0")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("PageDown")
    tab.keyboard.press("PageUp")
    tab.keyboard.press("ArrowLeft")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "x = 0, y = 1"
    values = numbers(tab, "kf-cells")
    assert values[24] == 1 and values[25] == -1 and sum(map(abs, values)) == 2
    text = fitted(tab)
    assert text.startswith("Best: key 2 (backward difference along x), σx 0.000, σy 0.000; explains 100.00 %")
    tab.keyboard.type("abc")
    tab.keyboard.press("ArrowDown")
    assert tab.inner_text("#kf-message") == "Cell x = 0, y = 1: “abc” is not a number; write it like 0.25"
    assert numbers(tab, "kf-cells")[17] == 0


def test_the_brush_paints_cells(opened):
    tab = opened()
    tab.select_option("#kf-source", "empty")
    tab.click("#kf-load")
    tab.check("#kf-brush")
    tab.fill("#kf-brush-value", "0.5")
    tab.locator("#kf-cells").scroll_into_view_if_needed()
    boxes = [tab.locator("#kf-cells input").nth(i).bounding_box() for i in (22, 26)]
    tab.mouse.move(boxes[0]["x"] + 5, boxes[0]["y"] + 9)
    tab.mouse.down()
    tab.mouse.move(boxes[1]["x"] + 5, boxes[1]["y"] + 9, steps=30)
    tab.mouse.up()
    tab.mouse.move(boxes[0]["x"], boxes[0]["y"] - 60, steps=5)
    assert [i for i, value in enumerate(numbers(tab, "kf-cells")) if value == 0.5] == [22, 23, 24, 25, 26]
    assert "Best: key 8 (smoothing)" in fitted(tab)


@pytest.mark.parametrize("protocol", FROM_BOTH)
@pytest.mark.parametrize("key", [1, 6, 7])
def test_a_pasted_idealised_filter_is_recovered(opened, protocol, key):
    tab = opened(protocol=protocol)
    gamma = 0.55 if key == 7 else None
    h = 3 * kf.ideal_filter(key, 0.83, 0.61, gamma=gamma) - 0.2
    tab.fill("#kf-text", "\n".join(", ".join(str(float(x)) for x in row) for row in h))
    tab.click("#kf-read")
    said = fitted(tab)
    assert said.startswith(f"Best: key {key} (") and "σx 0.830, σy 0.610" in said and "100.00 % of the variance" in said
    assert (gamma is None) or "γ 0.550" in said
    line = tab.locator("#kf-fits tr.kx-best").inner_text().split()
    assert line[0] == str(key) and line[-3:] == ["3.000", "−0.200", "1.000"]
    tab.click("#kf-show")
    assert tab.is_checked(f"#kx-key-{key}") and tab.input_value("#kx-sx-number") == "0.83"


def test_method_d1_is_fitted_too(opened):
    tab = opened()
    tab.select_option("#kf-source", "normalized 5")
    tab.click("#kf-load")
    tab.check("#kf-unit")
    fit = kf.fit(5, "D1")
    said = fitted(tab)
    assert f"Best: key 5 (centred difference along x), σx {fit.sigma_x:.3f}, σy {fit.sigma_y:.3f}" in said
    assert f"explains {100 * (1 - fit.relative_l2**2):.2f} % of the energy" in said


def test_a_bad_text_is_answered_in_one_line_and_changes_nothing(opened):
    tab = opened()
    before = numbers(tab, "kf-cells")
    for text, message in (
        ("", "Not read: the text is empty: paste 7 rows of 7 numbers"),
        ("1,2\n3,4", "Not read: the text has 2 rows: expected 7 rows; fill a smaller filter up with zeros"),
        ("\n".join(["1 2 3 4 5 6 seven"] * 7), "Not read: row 1, column 7: “seven” is not a number; write it like 0.25"),
    ):
        tab.fill("#kf-text", text)
        tab.click("#kf-read")
        assert tab.inner_text("#kf-message") == message
        assert tab.get_attribute("#kf-text", "aria-invalid") == "true"
        assert numbers(tab, "kf-cells") == before
    tab.click("#kf-write")
    tab.click("#kf-read")
    assert tab.inner_text("#kf-message") == "The text was read into the cells"
    assert tab.get_attribute("#kf-text", "aria-invalid") is None and numbers(tab, "kf-cells") == before


LARGE = [((37 * i) % 49 - 24) * 1000.5 for i in range(49)]


def paste(tab, values):
    """As a reader would, but by script: Playwright would scroll."""
    tab.evaluate(
        """text => {
            document.getElementById("kf-text").value = text;
            document.getElementById("kf-read").click();
        }""",
        " ".join(map(str, values)),
    )
    fitted(tab)


BOXES = """() => {
    const parts = ".kx, .kx > *, .kx-maps > *, .kx td, .kx button, .kx canvas, .kx textarea, h2, h3";
    return [...document.querySelectorAll(parts)].map(e => {
        const box = e.getBoundingClientRect();
        return [`${e.tagName} ${e.id}`, box.left, box.top + scrollY, box.width, box.height];
    });
}"""


def moved(tab, before):
    """Parts of the page that lie elsewhere than before, by more than rounding."""
    pairs = zip(before, tab.evaluate(BOXES), strict=True)
    return [(old, new) for old, new in pairs if max(abs(a - b) for a, b in zip(old[1:], new[1:], strict=True)) > 0.25]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_moves_when_a_setting_changes(opened, width):
    tab = opened(width=width)
    before = tab.evaluate(BOXES)
    settings = ["key=7&sx=3.5&sy=3.5&gamma=-10&border=exact", "key=1&sx=0&sy=0&border=crop", "key=2&gamma=3"]
    settings += ["key=8&sx=abcdefghijklmnopqrst&sy=1&size=3"]
    for hash in settings:
        tab.evaluate(f"location.hash = '#{hash}'")
        tab.wait_for_timeout(450)
        assert not moved(tab, before), hash
    for values in (LARGE, [0] * 49, [1e-4 * v for v in LARGE], [1, "x"]):
        paste(tab, values)
        assert not moved(tab, before), values[:3]


FAULTS = """() => {
    const found = [], all = [...document.querySelectorAll(".kx *")].filter(e => e.checkVisibility());
    const note = (what, e) => found.push(`${what}: ${e.tagName} ${e.id} ${e.textContent.slice(0, 30)}`);
    for (const e of all) {
        if (e.getBoundingClientRect().right > innerWidth + 0.5) note("outside", e);
        const text = e.childElementCount === 0 && e.textContent.trim();
        if (text && e.tagName !== "SUB" && parseFloat(getComputedStyle(e).fontSize) < 12) note("small", e);
        if (e.matches("td, th, button") && e.scrollWidth > e.clientWidth + 1) note("cut", e);
    }
    return found;
}"""


@pytest.mark.parametrize("protocol", FROM_BOTH)
@pytest.mark.parametrize("width", [1280, 768, 375, 320])
def test_the_page_never_scrolls_sideways(opened, width, protocol):
    tab = opened("#key=7&sx=3.5&sy=3.5&gamma=-10&border=exact", protocol, width)
    paste(tab, LARGE)
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= width
    assert tab.evaluate(FAULTS) == []


# Each width and each colours once; the other pairs are among the long tests.
PAIRS = [
    (1280, "light"),
    (375, "dark"),
    *(pytest.param(*pair, marks=pytest.mark.slow) for pair in ((1280, "dark"), (375, "light"))),
]


@pytest.mark.parametrize("width, mode", PAIRS)
def test_axe_finds_nothing(opened, axe, mode, width):
    """All rules of axe-core on the page's own parts, not only those that hold for the theme too."""
    tab = opened("#key=7&sx=0.7&sy=0.7&gamma=0.5&border=crop", width=width, mode=mode)
    tab.add_script_tag(path=axe)
    assert tab.evaluate("document.documentElement.dataset.theme") == mode
    found = tab.evaluate(
        """async () => (await axe.run({include: [[".kx"]]}, {elementRef: false, preload: {assets: ["media"]}})).violations
            .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 140)} ${node.failureSummary}`))"""
    )
    assert not found, "\n".join(found)


def test_the_scripts_are_on_no_other_page(html):
    assert "KeyFilters" in (html / "interactive.html").read_text(encoding="utf-8")
    assert "KeyFilters" not in (html / "notation.html").read_text(encoding="utf-8")
    assert "scalenote" not in (html / "searchindex.js").read_text(encoding="utf-8").lower()
