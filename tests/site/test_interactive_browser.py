"""The interactive page in a browser, from a server and from a file: what a reader does with it, and what must not happen.

The page is built here in a small book of its own, so that it is tested without the notebooks.
"""

import base64
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_pages import PROTOCOLS, WIDTHS, fixtures

import keyfilters as kf
from keyfilters_build.interactive import interactive_data, workbench_data

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
        (
            "#key=3&gamma=1&zoom=2",
            "“zoom=2” in the address is ignored: expected one of key, sx, sy, gamma, model, angle, border, kernel, image, filter, gains, fit (and 1 more)",
        ),
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
    assert [text.strip() for text in buttons.all_inner_texts()] == [
        "A",
        "B",
        "C1",
        "C2",
        "D1",
        "D2",
        "A joint",
        "B joint",
        "C joint",
        "D joint",
    ]
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
    while "kf-show" not in seen and len(seen) < 80:
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate("(e => e.id || e.getAttribute('aria-label') || e.value || '')(document.activeElement)"))
    wanted = ["kx-form", "kx-sx", "kx-sx-number", "kx-sy", "kx-gamma-number", "kx-play", "kx-same", "kx-picture", "kx-file"]
    wanted += ["kx-kernel-discrete", "kx-border-crop", "A", "D-joint", "kx-png"]
    wanted += ["kf-source", "kf-load", "kf-brush", "kf-brush-value", "kf-text", "kf-read", "kf-write"]
    wanted += ["kf-free", "kf-border-crop", "x = −3, y = 3", "kf-gain-1", "kf-best-gains", "kf-show"]
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
        ("1,2\n3,4", "Not read: the text has 2 rows: expected 3, 5 or 7"),
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


SCREENS = [(1280, 800), (375, 700)]
ON_TOP = """([id, x, y]) => {
    const part = document.getElementById(id), found = document.elementFromPoint(x, y);
    return part === found || part.contains(found) || [...(part.labels || [])].some(label => label.contains(found));
}"""
CANVAS = "id => document.getElementById(id).toDataURL()"


def seen(tab, height, *names):
    """Each part lies below the book's own bar and on the screen, and nothing covers it."""
    for name in names:
        box = tab.locator(f"#{name}").bounding_box()
        assert box["y"] >= 40 and box["y"] + box["height"] <= height, (name, box)
        for y in (box["y"] + 3, box["y"] + box["height"] - 3):
            assert tab.evaluate(ON_TOP, [name, box["x"] + box["width"] / 2, y]), f"{name} is covered"


PLAYED = ("kx-image", "kx-answer-model", "kx-sx", "kx-play")


@pytest.mark.parametrize("width, height", SCREENS)
def test_sliders_and_what_comes_of_them_are_on_one_screen(opened, width, height):
    tab = opened("#key=5&sx=0.8&sy=0.8&border=crop", width=width, height=height)
    tab.wait_for_timeout(300)
    names = ("kx-answer-learned", "kx-answer-rest", "kx-spectrum-model")
    seen(tab, height, "kx-key-1", "kx-sy", *PLAYED, *names)
    before = tab.evaluate(CANVAS, "kx-answer-model")
    tab.focus("#kx-sx")
    for _ in range(20):
        tab.keyboard.press("ArrowRight")
    assert tab.evaluate(CANVAS, "kx-answer-model") != before


@pytest.mark.parametrize("width, height", [*SCREENS, (375, 560)])
def test_what_play_and_the_things_to_try_change_is_seen(opened, width, height):
    """By script, from anywhere on the page: Playwright would scroll."""
    tab = opened(width=width, height=height)
    for above in (0, 250, 400, 2000):
        tab.evaluate("y => scrollTo(0, document.getElementById('kx-stage').offsetTop + y)", above)
        tab.evaluate("document.getElementById('kx-play').click()")
        seen(tab, height, *PLAYED)
        tab.evaluate("document.getElementById('kx-play').click()")
    buttons = tab.locator("[data-setting]")
    for i in range(buttons.count()):
        question = buttons.nth(i).evaluate("button => button.parentElement.lastChild.textContent").strip()
        buttons.nth(i).evaluate("button => button.click()")
        assert tab.inner_text("#kx-task-text").replace("\n", "").endswith(question)
        seen(tab, height, "kx-task-text", *PLAYED)
        tab.evaluate("document.getElementById('kx-task-back').click()")
        assert not tab.is_visible("#kx-task") and buttons.nth(i).evaluate("button => button === document.activeElement")
        box = buttons.nth(i).bounding_box()
        assert 40 <= box["y"] <= height - box["height"]


def test_the_sliders_of_a_phone_hide_what_they_slide_over(opened, tmp_path):
    tab = opened("#key=5&sx=0.8&sy=0.8&border=crop", width=375, height=700)
    for name in ("kx-images", "kx-key-name"):
        tab.evaluate("n => scrollBy(0, document.getElementById(n).getBoundingClientRect().top - 500)", name)
        box = tab.locator("#kx-scales").bounding_box()
        assert box["y"] + box["height"] <= 700 and tab.locator(f"#{name}").bounding_box()["y"] > box["y"]
        clip = {"x": box["x"] + 8, "y": box["y"] + 2, "width": 40, "height": 8}
        tab.screenshot(path=tmp_path / "edge.png", clip=clip)
        with Image.open(tmp_path / "edge.png") as picture:
            assert len(picture.convert("RGB").getcolors()) == 1, name


# A box to tick is as large as its words beside it; keys lie below their labels.
SMALL = """() => [...document.querySelectorAll(".kx :is(a, button, input, select, textarea)")].filter(e => e.checkVisibility()).map(e => {
    const box = (e.matches("[type=checkbox], [type=radio]") ? e.labels[0] : e).getBoundingClientRect();
    return [e.id || e.getAttribute("aria-label") || e.value || e.textContent, box.width, box.height];
}).filter(([, width, height]) => Math.min(width, height) < 40)"""


@pytest.mark.parametrize("width", WIDTHS)
def test_fingers_find_what_they_tap(opened, width):
    tab = opened(width=width)
    tab.context.new_cdp_session(tab).send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    tab.wait_for_function("matchMedia('(pointer: coarse)').matches")
    tab.locator("[data-setting]").first.click()
    assert tab.evaluate(SMALL) == []


def test_a_magnified_difference_says_so(opened):
    tab = opened()
    shown = tab.inner_text("#kx-answer-rest + p").removeprefix("difference ×")
    assert f" {shown} times magnified" in tab.inner_text("#kx-image-note") and float(shown) > 1


def test_play_runs_the_scale_from_0_to_3(opened):
    tab = opened("#key=8&sx=1&sy=1&border=crop")
    seen = {tab.evaluate(CANVAS, "kx-answer-model")}
    tab.click("#kx-play")
    assert tab.input_value("#kx-sx-number") == "0" and tab.inner_text("#kx-play") == "Stop"
    while tab.get_attribute("#kx-play", "aria-pressed") == "true":
        tab.wait_for_timeout(50)
        seen.add(tab.evaluate(CANVAS, "kx-answer-model"))
    assert [tab.input_value(f"#kx-{name}-number") for name in ("sx", "sy")] == ["3", "3"] and len(seen) > 5
    tab.wait_for_function("location.hash.includes('sx=3&')")
    tab.click("#kx-play")
    tab.click("#kx-play")
    assert float(tab.input_value("#kx-sx-number")) < 3


@pytest.fixture
def own_picture(tmp_path):
    """A picture that nobody else has, wider than high: black and white halves."""
    path = tmp_path / "mine.png"
    image = Image.new("RGB", (300, 200), "black")
    image.paste("white", (150, 0, 300, 200))
    image.save(path)
    return path


def test_a_picture_of_ones_own_is_filtered_and_never_leaves(opened, own_picture, tmp_path):
    tab = opened("#key=5&sx=0.7&sy=0.7&border=crop")
    sent = []
    tab.on("request", lambda request: sent.append(request) if not request.url.startswith(("data:", "blob:")) else None)
    before = {name: tab.evaluate(CANVAS, name) for name in ("kx-image", "kx-answer-model")}
    tab.set_input_files("#kx-file", own_picture)
    tab.wait_for_function("document.getElementById('kx-picture').value === 'own'")
    assert all(tab.evaluate(CANVAS, name) != old for name, old in before.items())
    # Its middle square: half of it black, half white, and an answer at the edge between them alone.
    row = (
        "id => [...document.getElementById(id).getContext('2d').getImageData(0, 64, 128, 1).data].filter((_, i) => i % 4 === 0)"
    )
    pixels = tab.evaluate(row, "kx-image")
    assert pixels[:63] == [0] * 63 and pixels[-63:] == [255] * 63
    answer = tab.evaluate(row, "kx-answer-model")
    assert len(set(answer[:56])) == 1 and answer[64] != answer[0]
    for picture in ("astronaut", "camera", "made", "cat", "own"):
        tab.select_option("#kx-picture", picture)
        assert (tab.evaluate(CANVAS, "kx-image") == before["kx-image"]) == (picture == "cat")
    tmp_path.joinpath("text.png").write_text("no picture")
    tab.set_input_files("#kx-file", tmp_path / "text.png")
    tab.wait_for_function("document.getElementById('kx-message').textContent.includes('is no picture')")
    assert not sent


def test_a_dropped_picture_is_taken(opened, own_picture):
    tab = opened()
    data = base64.b64encode(own_picture.read_bytes()).decode()
    before = tab.evaluate(CANVAS, "kx-image")
    tab.evaluate(
        """data => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], "mine.png", {type: "image/png"}));
            document.getElementById("kx-pictures").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, cancelable: true}));
        }""",
        data,
    )
    tab.wait_for_function("document.getElementById('kx-picture').value === 'own'")
    assert tab.evaluate(CANVAS, "kx-image") != before


@pytest.mark.parametrize("width, height", SCREENS)
def test_back_undoes_one_change_after_the_other(opened, width, height):
    tab = opened("#key=5&sx=0.8&sy=0.7&border=crop", width=width, height=height)
    tab.wait_for_timeout(300)
    tab.focus("#kx-sx")
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    tab.wait_for_function("location.hash.includes('sx=0.85&')")
    tab.locator("#kx-key-2").check(force=True)
    tab.wait_for_function("location.hash.includes('key=2')")
    tab.select_option("#kx-picture", "camera")
    tab.wait_for_function("location.hash.includes('image=camera')")
    tab.evaluate("history.back()")
    tab.wait_for_function("document.getElementById('kx-picture').value === 'cat'")
    assert tab.is_checked("#kx-key-2")
    tab.evaluate("history.back()")
    tab.wait_for_function("document.getElementById('kx-key-5').checked")
    assert tab.input_value("#kx-sx-number") == "0.85"
    tab.evaluate("history.back()")
    tab.wait_for_function("document.getElementById('kx-sx-number').value === '0.8'")
    tab.evaluate("history.forward()")
    tab.wait_for_function("document.getElementById('kx-sx-number').value === '0.85'")


@pytest.mark.parametrize("width, height", SCREENS)
def test_a_blob_is_mixed_in_and_back_takes_it_out(opened, width, height):
    tab = opened("#key=1&sx=0.5&sy=0.5&border=exact", width=width, height=height)
    tab.wait_for_timeout(300)
    before = numbers(tab, "kx-rest"), tab.evaluate(CANVAS, "kx-answer-rest")
    box = tab.locator("#kx-form").bounding_box()
    assert box["y"] >= 40 and box["y"] + box["height"] <= height
    tab.select_option("#kx-form", "components")
    best = kf.fit_components(1, "blob and constant", edge="exact")
    assert numbers(tab, "kx-model") == pytest.approx(rounded(best.model), abs=0.0051)
    rest = np.abs(numbers(tab, "kx-rest"))
    assert (rest**2).sum() < np.square(before[0]).sum() / 2 and tab.evaluate(CANVAS, "kx-answer-rest") != before[1]
    tab.wait_for_function("document.getElementById('kx-result').textContent.includes(' T ')")
    alone = kf.ideal_filter(1, *best.sigmas, edge="exact").ravel()
    target = kf.normalized_filters()[0].ravel()
    left = 1 - (alone @ target) ** 2 / (alone @ alone) / (target @ target)
    assert f"leaves {100 * best.left:.1f} % of the energy, a f alone {100 * left:.1f} %" in tab.inner_text("#kx-result")
    assert tab.inner_text("#kx-interval") == "Intervals belong to the key’s own model."
    tab.wait_for_function("location.hash.includes('model=components')")
    tab.reload()
    assert tab.input_value("#kx-form") == "components"
    assert float(tab.input_value("#kx-sx-number")) == pytest.approx(best.sigmas[0], abs=5.1e-5)
    tab.evaluate("history.back()")
    tab.wait_for_function("document.getElementById('kx-form').value === 'key'")
    assert tab.input_value("#kx-sx-number") == "0.5" and numbers(tab, "kx-rest") == before[0]


@pytest.mark.parametrize("width, height", SCREENS)
def test_a_model_may_be_turned(opened, width, height):
    tab = opened("#key=5&sx=1.5&sy=0.7&border=crop", width=width, height=height)
    tab.wait_for_timeout(300)
    for name, order in (("first", 1), ("second", 2), ("affine", 0)):
        tab.select_option("#kx-form", name)
        assert tab.is_visible("#kx-angle") and not tab.is_visible("#kx-gamma") and tab.is_disabled("#kx-kernel-sampled")
        box = tab.locator("#kx-angle").bounding_box()
        assert box["y"] >= 40 and box["y"] + box["height"] <= height
        tab.fill("#kx-angle-number", "30")
        before = tab.evaluate(CANVAS, "kx-answer-model")
        tab.focus("#kx-angle")
        tab.keyboard.press("ArrowRight")
        assert tab.evaluate(CANVAS, "kx-answer-model") != before
        c, turn = kf.affine_covariance(1.5, 0.7, np.deg2rad(31)), np.deg2rad(31)
        expected = kf.oriented_filter(order, turn, c, abs(c[0, 1])) if order else kf.jet_filters(c, abs(c[0, 1]))["T"]
        assert numbers(tab, "kx-model") == pytest.approx(rounded(expected), abs=0.0051)
        assert ("some taps" in tab.inner_text("#kx-kernel-note")) == (abs(c[0, 1]) > min(c[0, 0], c[1, 1]))
        tab.wait_for_function(f"location.hash.includes('model={name}&angle=31')")
    tab.select_option("#kx-form", "mixed")
    assert not tab.is_visible("#kx-angle") and tab.is_enabled("#kx-kernel-sampled")
    tab.check("#kx-border-exact")
    assert numbers(tab, "kx-model") == pytest.approx(rounded(kf.jet_filters(np.diag([2.25, 0.49]), 0.0)["xy"]), abs=0.0051)
    tab.wait_for_function("location.hash.includes('model=mixed') && !location.hash.includes('angle')")


def test_intervals_stand_beside_the_parameters(opened):
    tab = opened("#key=7&sx=0.6&sy=0.6&gamma=0.5&border=crop")

    def told(method):
        ends = workbench_data()["intervals"]["crop"][method][6]
        # The published model of key 7 has one scale.
        parts = [f"{w} {ends[n][0]:.2f} to {ends[n][1]:.2f}" for n, w in (("sx", "σ"), ("gamma", "γ"))]
        return f"95 % by {method}: {', '.join(parts)}"

    assert tab.inner_text("#kx-interval") == told("D1")
    tab.click("#kx-presets button[value=A]")
    assert tab.inner_text("#kx-interval") == told("A")
    tab.click("#kx-presets button[value=D1]")
    # The band lies around the thumb of the fitted scale.
    low, high = (
        tab.evaluate(f"document.querySelector('#kx-sx-band i').getBoundingClientRect().{end}") for end in ("left", "right")
    )
    slider = tab.locator("#kx-sx").bounding_box()
    thumb = slider["x"] + 8 + (slider["width"] - 16) * kf.fit(7, "D1").sigma_x / 3.5
    assert low - 1 <= thumb <= high + 1 and slider["x"] < low < high < slider["x"] + slider["width"]
    tab.locator("#kx-key-5").check(force=True)
    assert not tab.is_visible("#kx-gamma-band i")
    x, y = (workbench_data()["intervals"]["crop"]["D1"][4][name] for name in ("sx", "sy"))
    wanted = f"95 % by D1: σx {x[0]:.2f} to {x[1]:.2f}, σy {y[0]:.2f} to {y[1]:.2f}"
    assert tab.inner_text("#kx-interval") == wanted


def test_a_setting_that_a_model_does_not_take_is_named(opened):
    tab = opened("#key=5&sx=1&sy=1&border=crop&angle=30")
    assert tab.inner_text("#kx-message") == "“angle=30” in the address is ignored: only a model along φ takes it"


SOBEL = "1 0 -1\n2 0 -2\n1 0 -1"


def test_the_address_restores_a_pasted_filter_gains_kernel_and_picture(opened):
    tab = opened("#key=6&sx=0.9&sy=0.9&border=exact&kernel=sampled&image=made")
    assert tab.is_checked("#kx-kernel-sampled") and tab.input_value("#kx-picture") == "made"
    model = kf.ideal_filter(6, 0.9, 0.9, edge="exact")
    assert numbers(tab, "kx-model") != pytest.approx(rounded(model), abs=0.0051), "this is the discrete kernel"
    tab.fill("#kf-text", SOBEL)
    tab.click("#kf-read")
    assert tab.inner_text("#kf-message") == "The 3 × 3 numbers were read into the middle of the cells"
    tab.check("#kf-unit")
    assert "Best: key 5 (centred difference along x)" in fitted(tab)
    wanted = np.zeros((7, 7))
    wanted[2:5, 2:5] = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
    assert numbers(tab, "kf-cells") == wanted.ravel().tolist()
    tab.fill("#kf-gain-5", "1.5")
    tab.wait_for_function("location.hash.includes('gains=')")
    assert {"filter", "gains", "kernel", "image", "fit"} <= set(setting(tab))
    says = tab.inner_text("#kf-mix-result")
    tab.reload()
    fitted(tab)
    assert numbers(tab, "kf-cells") == wanted.ravel().tolist() and tab.is_checked("#kf-unit")
    assert tab.input_value("#kf-gain-5") == "1.5" and tab.inner_text("#kf-mix-result") == says
    assert tab.is_checked("#kx-kernel-sampled") and tab.input_value("#kx-picture") == "made"


def test_the_mix_is_the_best_that_the_keys_can(opened):
    tab = opened()
    tab.fill("#kf-text", SOBEL)
    tab.click("#kf-read")
    fitted(tab)
    keys = np.array([kf.fit(key, "D1").model().ravel() for key in range(1, 9)])
    sobel = np.pad([[1, 0, -1], [2, 0, -2], [1, 0, -1]], 2).ravel()
    gains, _, _, _ = np.linalg.lstsq(keys.T, sobel, rcond=None)
    shown = [float(tab.input_value(f"#kf-gain-{key}")) for key in range(1, 9)]
    assert shown == pytest.approx(gains.tolist(), rel=1e-3, abs=1e-3)
    share = 100 * (1 - ((keys.T @ gains - sobel) ** 2).sum() / (sobel**2).sum())
    assert (
        tab.inner_text("#kf-mix-result")
        == f"The mix explains {share:.2f} % of the energy of your filter, the most that it can."
    )
    tab.fill("#kf-gain-1", "2")
    assert "the most" not in tab.inner_text("#kf-mix-result")
    tab.click("#kf-best-gains")
    assert f"{share:.2f} %" in tab.inner_text("#kf-mix-result")


def test_pictures_and_filters_are_saved(opened):
    tab = opened("#key=1&sx=0.6&sy=0.5&border=crop")
    with tab.expect_download() as download:
        tab.click("#kx-csv")
    assert download.value.suggested_filename == "key-1.csv"
    table = pd.read_csv(download.value.path())
    model, learned = kf.ideal_filter(1, 0.6, 0.5), kf.normalized_filters()[0]
    np.testing.assert_allclose(table.idealised, model.ravel(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(table.difference, (model - learned).ravel(), rtol=0, atol=1e-12)
    assert table.loc[0, ["x", "y"]].tolist() == [-3, 3]
    with tab.expect_download() as download:
        tab.click("#kx-png")
    with Image.open(download.value.path()) as picture:
        assert picture.size == (768, 688) and len(picture.convert("L").getcolors()) > 50


def test_the_quiz_asks_tells_and_counts(opened):
    tab = opened()
    first = tab.evaluate(CANVAS, "kq-picture")
    tab.click("#kq-keys button[value='1']")
    said = tab.inner_text("#kq-result")
    assert said.startswith(("Yes: key 1, ", "No, key 1 is the ")) and said.endswith("of 1 so far.")
    tab.click("#kq-keys button[value='2']")
    assert tab.inner_text("#kq-result").endswith("of 1 so far."), "a second guess does not count"
    tab.click("#kq-next")
    assert tab.evaluate(CANVAS, "kq-picture") != first


@pytest.mark.parametrize("width, height", SCREENS)
def test_the_quiz_shows_the_picture_its_riddle_and_the_filters_together(opened, width, height):
    tab = opened(width=width, height=height)
    assert tab.evaluate(CANVAS, "kq-original") == tab.evaluate(CANVAS, "kx-image")
    tab.evaluate("document.getElementById('guess-the-key').scrollIntoView()")
    seen(tab, height, "kq-original", "kq-picture", "kq-keys")
    assert (
        len({button.evaluate("b => b.querySelector('canvas').toDataURL()") for button in tab.locator("#kq-keys button").all()})
        == 8
    )
    # Red, a positive answer, is where it grows brighter along the axis of the derivative: here everywhere.
    answers = tab.evaluate(
        """() => KeyFilters.data.keys.filter(key => key.kind === "derivative").map(key => {
            const along = i => (key.symbol.includes("x") ? i % 9 : -Math.floor(i / 9));
            const ramp = Float64Array.from({length: 81}, (_, i) => along(i));
            return KeyFilters.maths.convolve(ramp, 9, 9, KeyFilters.data.normalized[key.number - 1])[40];
        })"""
    )
    assert answers == pytest.approx([1] * 6, abs=1e-4)


def test_the_list_of_contents_leads_to_all_parts(opened):
    tab = opened(width=375)
    links = tab.locator(".kx-contents a")
    assert links.all_inner_texts() == tab.eval_on_selector_all(
        "section h2, section h3", "all => all.map(e => e.firstChild.textContent)"
    )
    for link in links.all():
        assert tab.locator(link.get_attribute("href")).count() == 1


def test_a_key_without_scales_in_the_address_has_those_that_fit(opened):
    tab, fit = opened("#key=1&border=crop"), kf.fit(1, "D1")
    shown = [float(tab.input_value(f"#kx-{name}-number")) for name in ("sx", "sy")]
    assert shown == pytest.approx([fit.sigma_x, fit.sigma_y], abs=5.1e-5)


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
