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
from tabs import violations

import keyfilters as kf
from keyfilters_build.interactive import interactive_data, workbench_data

# What was seen to work from a file in two ways needs no second protocol in each run of the tests.
FROM_BOTH = ("http", pytest.param("file", marks=pytest.mark.slow))

pytestmark = pytest.mark.browser

html, addresses, opened = fixtures(
    "interactive", "['kx-result', 'kf-result'].every(id => document.getElementById(id).textContent)"
)

SCREENS = [(1280, 800), (375, 700)]
each_screen = pytest.mark.parametrize("width, height", SCREENS)
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


def numbers(tab, table):
    read = "cells => cells.map(cell => cell.querySelector('input')?.value ?? cell.textContent)"
    texts = tab.eval_on_selector_all(f"#{table} td.kx-cell", read)
    return [float(text.replace("\u2212", "-")) for text in texts]


def shown(filter):
    """What `numbers` gives for a filter that is shown."""
    digits = 2 if abs(filter).max() >= 0.2 else 3
    return pytest.approx([round(float(x), digits) for x in filter.ravel()], abs=0.0051)


def drawn(tab, canvas):
    return tab.evaluate("id => document.getElementById(id).toDataURL()", canvas)


def values(tab, *names):
    return [tab.input_value(f"#kx-{name}-number") for name in names]


def setting(tab):
    return dict(part.split("=") for part in urlsplit(tab.url).fragment.split("&") if "=" in part)


def addressed(tab, *parts):
    """Wait until the address has these parts."""
    tab.wait_for_function(" && ".join(f"location.hash.includes('{part}')" for part in parts))


def press(tab, *keys):
    for key in keys:
        tab.keyboard.press(key)


def fitted(tab):
    """Wait for the fit that the last change asked for; what it says."""
    tab.wait_for_timeout(60)
    tab.wait_for_function("!document.getElementById('kf-fits').hasAttribute('aria-busy')")
    return tab.inner_text("#kf-result")


def pasted(tab, filter):
    tab.fill("#kf-text", "\n".join(", ".join(map(str, row)) for row in filter))
    tab.click("#kf-read")
    return fitted(tab)


def loaded(tab, source):
    tab.select_option("#kf-source", source)
    tab.click("#kf-load")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_slider_changes_the_kernel_and_the_address_which_restores_a_setting(opened, protocol):
    tab = opened("#key=7&sx=0.61&sy=0.72&gamma=0.45&border=exact", protocol)
    assert tab.is_checked("#kx-key-7") and tab.is_checked("#kx-border-exact") and tab.is_enabled("#kx-gamma")
    assert values(tab, "sx", "sy", "gamma") == ["0.61", "0.72", "0.45"] and tab.inner_text("#kx-message") == ""
    assert numbers(tab, "kx-model") == shown(kf.ideal_filter(7, 0.61, 0.72, gamma=0.45, edge="exact"))
    # An address typed into the same page is followed too.
    tab.evaluate("location.hash = '#key=5&sx=0.8&sy=0.7&border=crop'")
    tab.wait_for_function("document.getElementById('kx-key-5').checked")
    before = numbers(tab, "kx-model")
    assert before == shown(kf.ideal_filter(5, 0.8, 0.7)) and tab.is_disabled("#kx-gamma")
    tab.focus("#kx-sx")
    press(tab, *["ArrowRight"] * 10)
    assert values(tab, "sx") == ["0.9"] and tab.get_attribute("#kx-sx", "aria-valuetext") == "0.900"
    assert before != numbers(tab, "kx-model") == shown(kf.ideal_filter(5, 0.9, 0.7))
    addressed(tab, "sx=0.9&")
    assert setting(tab) == {"key": "5", "sx": "0.9", "sy": "0.7", "border": "crop"}
    tab.wait_for_function("document.getElementById('kx-result').textContent.includes('σx 0.900')")


@pytest.mark.parametrize("hash, message", [
    ("#key=9", "“key=9” in the address is ignored: expected a key from 1 to 8"),
    ("#key=3&sx=-1&sy=0.5", "“sx=-1” in the address is ignored: expected a number from 0 to 3.5"),
    ("#key=3&gamma=1&zoom=2", "“zoom=2” in the address is ignored: expected one of key, sx, sy, gamma, model, angle, border, "
                              "kernel, image, filter, gains, fit (and 1 more)"),
    ("#key=5&sx=1&sy=1&border=crop&angle=30", "“angle=30” in the address is ignored: only a model along φ takes it"),
    ("#fit-a-filter", ""),
])  # fmt: skip
def test_what_is_wrong_in_the_address_is_said_in_one_line(opened, hash, message):
    tab = opened(hash)
    assert tab.inner_text("#kx-message") == message and numbers(tab, "kx-model") != [0] * 49
    tab.focus("#kx-sy")
    press(tab, "ArrowRight")
    assert tab.inner_text("#kx-message") == "", "the message stays after the reader went on"


def test_the_methods_are_presets(opened):
    tab, words = opened("#key=4&sx=1&sy=1&border=crop"), "A|B|C1|C2|D1|D2|A joint|B joint|C joint|D joint"
    buttons = tab.locator("#kx-presets button")
    assert tab.locator("#kx-presets button[aria-pressed=true]").count() == 0
    assert "|".join(text.strip() for text in buttons.all_inner_texts()) == words
    for method in ("C1", "B", "D-joint", "D1"):
        tab.click(f"#kx-presets button[value={method}]")
        assert tab.get_attribute(f"#kx-presets button[value={method}]", "aria-pressed") == "true"
        x, y, _ = interactive_data()["presets"]["crop"][method][3]
        addressed(tab, f"sx={x:.4f}")
        assert [float(setting(tab)[n]) for n in ("sx", "sy")] == pytest.approx([x, y], abs=5.1e-7)
    fit = kf.fit(4, "D1")
    distances = [float(tab.inner_text(f"#kx-distance-{name}")) for name in ("relativeL2", "cosine")]
    assert distances == pytest.approx([fit.relative_l2, fit.cosine], abs=5.1e-5)
    url = tab.url
    tab.reload()
    assert tab.get_attribute("#kx-presets button[value=D1]", "aria-pressed") == "true" and tab.url == url


def test_one_scale_for_both_axes_and_a_number_out_of_range(opened):
    tab = opened("#key=8&sx=0.5&sy=0.9&border=crop")
    tab.check("#kx-same")
    assert values(tab, "sy") == ["0.5"]
    tab.fill("#kx-sy-number", "1.25")
    assert values(tab, "sx") == ["1.25"] and tab.input_value("#kx-sx") == "1.25"
    tab.fill("#kx-sy-number", "7")
    assert tab.inner_text("#kx-message") == "“7” is not taken: expected a number from 0 to 3.5"
    press(tab, "Tab")
    assert values(tab, "sy") == ["1.25"]


def test_the_keyboard_reaches_everything_in_order(opened):
    tab, seen = opened("#key=7&sx=0.7&sy=0.7&gamma=0.5&border=crop"), []
    tab.focus("#kx-key-7")
    press(tab, "ArrowRight")
    assert tab.is_checked("#kx-key-8")
    press(tab, "ArrowLeft")
    while "kf-show" not in seen and len(seen) < 80:
        press(tab, "Tab")
        seen.append(tab.evaluate("(e => e.id || e.getAttribute('aria-label') || e.value || '')(document.activeElement)"))
    wanted = ["kx-form", "kx-sx", "kx-sx-number", "kx-sy", "kx-gamma-number", "kx-play", "kx-same", "kx-picture", "kx-file",
              "kx-kernel-discrete", "kx-border-crop", "A", "D-joint", "kx-png",
              "kf-source", "kf-load", "kf-brush", "kf-brush-value", "kf-text", "kf-read", "kf-write",
              "kf-free", "kf-border-crop", "x = −3, y = 3", "kf-gain-1", "kf-best-gains", "kf-show"]  # fmt: skip
    assert [name for name in seen if name in wanted] == wanted
    assert len([name for name in seen if name.startswith("x = ")]) == 1, "the grid is one stop, not 49"


def test_the_cells_are_edited_with_the_keyboard_and_painted_with_the_brush(opened):
    tab = opened()
    loaded(tab, "empty")
    assert "nothing to fit" in fitted(tab) and tab.is_disabled("#kf-show")
    cells = tab.locator("#kf-cells input")
    assert cells.nth(0).get_attribute("aria-label") == "x = −3, y = 3"
    cells.nth(24).focus()
    tab.keyboard.type("1")
    press(tab, "ArrowRight")
    tab.keyboard.type("-1.0")
    press(tab, "ArrowUp", "PageDown", "PageUp", "ArrowLeft")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "x = 0, y = 1"
    cells_now = numbers(tab, "kf-cells")
    assert cells_now[24:26] == [1, -1] and sum(map(abs, cells_now)) == 2
    best = "Best: key 2 (backward difference along x), σx 0.000, σy 0.000; explains 100.00 %"
    assert fitted(tab).startswith(best)
    tab.keyboard.type("abc")
    press(tab, "ArrowDown")
    assert tab.inner_text("#kf-message") == "Cell x = 0, y = 1: “abc” is not a number; write it like 0.25"
    assert numbers(tab, "kf-cells")[17] == 0

    loaded(tab, "empty")
    tab.check("#kf-brush")
    tab.fill("#kf-brush-value", "0.5")
    tab.locator("#kf-cells").scroll_into_view_if_needed()
    first, last = (cells.nth(i).bounding_box() for i in (22, 26))
    tab.mouse.move(first["x"] + 5, first["y"] + 9)
    tab.mouse.down()
    tab.mouse.move(last["x"] + 5, last["y"] + 9, steps=30)
    tab.mouse.up()
    tab.mouse.move(first["x"], first["y"] - 60, steps=5)
    assert [i for i, value in enumerate(numbers(tab, "kf-cells")) if value == 0.5] == [22, 23, 24, 25, 26]
    assert "Best: key 8 (smoothing)" in fitted(tab)


@pytest.mark.parametrize("protocol", FROM_BOTH)
@pytest.mark.parametrize("key", [1, 6, 7])
def test_a_pasted_idealised_filter_is_recovered(opened, protocol, key):
    tab, gamma = opened(protocol=protocol), 0.55 if key == 7 else None
    said = pasted(tab, 3 * kf.ideal_filter(key, 0.83, 0.61, gamma=gamma) - 0.2)
    assert said.startswith(f"Best: key {key} (") and "σx 0.830, σy 0.610" in said and "100.00 % of the variance" in said
    assert gamma is None or "γ 0.550" in said
    line = tab.locator("#kf-fits tr.kx-best").inner_text().split()
    assert line[0] == str(key) and line[-3:] == ["3.000", "−0.200", "1.000"]
    tab.click("#kf-show")
    assert tab.is_checked(f"#kx-key-{key}") and values(tab, "sx") == ["0.83"]


def test_method_d1_is_fitted_too_and_a_bad_text_is_answered_in_one_line_and_changes_nothing(opened):
    tab, fit = opened(), kf.fit(5, "D1")
    loaded(tab, "normalized 5")
    tab.check("#kf-unit")
    said = fitted(tab)
    assert f"Best: key 5 (centred difference along x), σx {fit.sigma_x:.3f}, σy {fit.sigma_y:.3f}" in said
    assert f"explains {100 * (1 - fit.relative_l2**2):.2f} % of the energy" in said
    before = numbers(tab, "kf-cells")
    for rows, message in (
        ([], "Not read: the text is empty: paste 7 rows of 7 numbers"),
        ([[1, 2], [3, 4]], "Not read: the text has 2 rows: expected 3, 5 or 7"),
        ([[1, 2, 3, 4, 5, 6, "seven"]] * 7, "Not read: row 1, column 7: “seven” is not a number; write it like 0.25"),
    ):
        pasted(tab, rows)
        assert tab.inner_text("#kf-message") == message and tab.get_attribute("#kf-text", "aria-invalid") == "true"
        assert numbers(tab, "kf-cells") == before
    tab.click("#kf-write")
    tab.click("#kf-read")
    assert tab.inner_text("#kf-message") == "The text was read into the cells"
    assert tab.get_attribute("#kf-text", "aria-invalid") is None and numbers(tab, "kf-cells") == before


LARGE = [((37 * i) % 49 - 24) * 1000.5 for i in range(49)]
# As a reader would, but by script: Playwright would scroll.
PASTE = """text => {
    document.getElementById("kf-text").value = text;
    document.getElementById("kf-read").click();
}"""
BOXES = """() => {
    const parts = ".kx, .kx > *, .kx-maps > *, .kx td, .kx button, .kx canvas, .kx textarea, h2, h3";
    return [...document.querySelectorAll(parts)].map(e => {
        const box = e.getBoundingClientRect();
        return [`${e.tagName} ${e.id}`, box.left, box.top + scrollY, box.width, box.height];
    });
}"""


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_moves_when_a_setting_changes(opened, width):
    tab = opened(width=width)
    before = tab.evaluate(BOXES)

    def moved():
        """Parts of the page that lie elsewhere than before, by more than rounding."""
        pairs = zip(before, tab.evaluate(BOXES), strict=True)
        return [(old, new) for old, new in pairs if max(abs(a - b) for a, b in zip(old[1:], new[1:], strict=True)) > 0.25]

    settings = ["key=7&sx=3.5&sy=3.5&gamma=-10&border=exact", "key=1&sx=0&sy=0&border=crop", "key=2&gamma=3"]
    for hash in [*settings, "key=8&sx=abcdefghijklmnopqrst&sy=1&size=3"]:
        tab.evaluate(f"location.hash = '#{hash}'")
        tab.wait_for_timeout(450)
        assert not moved(), hash
    for own in (LARGE, [0] * 49, [1e-4 * v for v in LARGE], [1, "x"]):
        tab.evaluate(PASTE, " ".join(map(str, own)))
        fitted(tab)
        assert not moved(), own[:3]


ON_TOP = """([id, x, y]) => {
    const part = document.getElementById(id), found = document.elementFromPoint(x, y);
    return part === found || part.contains(found) || [...(part.labels || [])].some(label => label.contains(found));
}"""


def seen(tab, height, *names):
    """Each part lies below the book's own bar and on the screen, and nothing covers it."""
    for name in names:
        box = tab.locator(f"#{name}").bounding_box()
        assert box["y"] >= 40 and box["y"] + box["height"] <= height, (name, box)
        for y in (box["y"] + 3, box["y"] + box["height"] - 3):
            assert tab.evaluate(ON_TOP, [name, box["x"] + box["width"] / 2, y]), f"{name} is covered"


PLAYED = ("kx-image", "kx-answer-model", "kx-sx", "kx-play")


@each_screen
def test_sliders_and_what_comes_of_them_are_on_one_screen(opened, width, height):
    tab = opened("#key=5&sx=0.8&sy=0.8&border=crop", width=width, height=height)
    tab.wait_for_timeout(300)
    seen(tab, height, "kx-key-1", "kx-sy", *PLAYED, "kx-answer-learned", "kx-answer-rest", "kx-spectrum-model")
    before = drawn(tab, "kx-answer-model")
    tab.focus("#kx-sx")
    press(tab, *["ArrowRight"] * 20)
    assert drawn(tab, "kx-answer-model") != before


@pytest.mark.parametrize("width, height", [*SCREENS, (375, 560)])
def test_what_play_and_the_things_to_try_change_is_seen(opened, width, height):
    """By script, from anywhere on the page: Playwright would scroll."""
    tab = opened(width=width, height=height)
    for above in (0, 250, 400, 2000):
        tab.evaluate("y => scrollTo(0, document.getElementById('kx-stage').offsetTop + y)", above)
        tab.evaluate("document.getElementById('kx-play').click()")
        seen(tab, height, *PLAYED)
        tab.evaluate("document.getElementById('kx-play').click()")
    for button in tab.locator("[data-setting]").all():
        question = button.evaluate("button => button.parentElement.lastChild.textContent").strip()
        wanted = dict(part.split("=") for part in button.get_attribute("data-setting").split("&"))
        button.evaluate("button => button.click()")
        assert tab.is_checked(f"#kx-key-{wanted['key']}") and setting(tab) == wanted
        assert tab.evaluate("document.activeElement.id") == f"kx-key-{wanted['key']}"
        assert tab.inner_text("#kx-task-text").replace("\n", "").endswith(question)
        seen(tab, height, "kx-task-text", *PLAYED)
        tab.evaluate("document.getElementById('kx-task-back').click()")
        assert not tab.is_visible("#kx-task") and button.evaluate("button => button === document.activeElement")
        box = button.bounding_box()
        assert 40 <= box["y"] <= height - box["height"]


def test_the_sliders_of_a_phone_hide_what_they_slide_over(opened, tmp_path):
    tab = opened("#key=5&sx=0.8&sy=0.8&border=crop", width=375, height=700)
    for name in ("kx-images", "kx-key-name"):
        tab.evaluate("n => scrollBy(0, document.getElementById(n).getBoundingClientRect().top - 500)", name)
        box = tab.locator("#kx-scales").bounding_box()
        assert box["y"] + box["height"] <= 700 and tab.locator(f"#{name}").bounding_box()["y"] > box["y"]
        tab.screenshot(path=tmp_path / "edge.png", clip={"x": box["x"] + 8, "y": box["y"] + 2, "width": 40, "height": 8})
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


def test_play_runs_the_scale_from_0_to_3(opened):
    tab = opened("#key=8&sx=1&sy=1&border=crop")
    answers = {drawn(tab, "kx-answer-model")}
    tab.click("#kx-play")
    assert values(tab, "sx") == ["0"] and tab.inner_text("#kx-play") == "Stop"
    while tab.get_attribute("#kx-play", "aria-pressed") == "true":
        tab.wait_for_timeout(50)
        answers.add(drawn(tab, "kx-answer-model"))
    assert values(tab, "sx", "sy") == ["3", "3"] and len(answers) > 5
    addressed(tab, "sx=3&")
    tab.click("#kx-play")
    tab.click("#kx-play")
    assert float(*values(tab, "sx")) < 3


DROP = """data => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], "mine.png", {type: "image/png"}));
    document.getElementById("kx-pictures").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, cancelable: true}));
}"""
MIDDLE = (
    "id => [...document.getElementById(id).getContext('2d').getImageData(0, 64, 128, 1).data].filter((_, i) => i % 4 === 0)"
)


def test_a_picture_of_ones_own_is_filtered_and_never_leaves(opened, tmp_path):
    """One that nobody else has, wider than high: black and white halves; chosen, and dropped."""
    image = Image.new("RGB", (300, 200), "black")
    image.paste("white", (150, 0, 300, 200))
    image.save(tmp_path / "mine.png")
    (tmp_path / "text.png").write_text("no picture")
    tab, sent = opened("#key=5&sx=0.7&sy=0.7&border=crop"), []
    tab.on("request", lambda request: sent.append(request) if not request.url.startswith(("data:", "blob:")) else None)
    before, answer = (drawn(tab, name) for name in ("kx-image", "kx-answer-model"))
    tab.set_input_files("#kx-file", tmp_path / "mine.png")
    tab.wait_for_function("document.getElementById('kx-picture').value === 'own'")
    own = drawn(tab, "kx-image")
    assert own != before and drawn(tab, "kx-answer-model") != answer
    # Its middle square: half of it black, half white, and an answer at the edge between them alone.
    pixels, answers = tab.evaluate(MIDDLE, "kx-image"), tab.evaluate(MIDDLE, "kx-answer-model")
    assert pixels[:63] == [0] * 63 and pixels[-63:] == [255] * 63
    assert len(set(answers[:56])) == 1 and answers[64] != answers[0]
    for picture in ("astronaut", "camera", "made", "own", "cat"):
        tab.select_option("#kx-picture", picture)
        assert (drawn(tab, "kx-image") == before) == (picture == "cat")
    tab.set_input_files("#kx-file", tmp_path / "text.png")
    tab.wait_for_function("document.getElementById('kx-message').textContent.includes('is no picture')")
    tab.evaluate(DROP, base64.b64encode((tmp_path / "mine.png").read_bytes()).decode())
    tab.wait_for_function("document.getElementById('kx-picture').value === 'own'")
    assert drawn(tab, "kx-image") == own and not sent


@each_screen
def test_back_undoes_one_change_after_the_other(opened, width, height):
    tab = opened("#key=5&sx=0.8&sy=0.7&border=crop", width=width, height=height)
    tab.wait_for_timeout(300)
    tab.focus("#kx-sx")
    press(tab, *["ArrowRight"] * 5)
    addressed(tab, "sx=0.85&")
    tab.locator("#kx-key-2").check(force=True)
    addressed(tab, "key=2")
    tab.select_option("#kx-picture", "camera")
    addressed(tab, "image=camera")
    for way, name, state in (
        ("back", "picture", "value === 'cat'"), ("back", "key-5", "checked"), ("back", "sx-number", "value === '0.8'"),
        ("forward", "sx-number", "value === '0.85'"),
    ):  # fmt: skip
        assert tab.is_checked("#kx-key-2") == (name == "picture" or name == "key-5")
        tab.evaluate(f"history.{way}()")
        tab.wait_for_function(f"document.getElementById('kx-{name}').{state}")
        assert tab.input_value("#kx-sx-number") == "0.85" or name in ("picture", "sx-number")


@each_screen
def test_a_blob_is_mixed_in_and_back_takes_it_out(opened, width, height):
    tab = opened("#key=1&sx=0.5&sy=0.5&border=exact", width=width, height=height)
    tab.wait_for_timeout(300)
    before, picture = numbers(tab, "kx-rest"), drawn(tab, "kx-answer-rest")
    seen(tab, height, "kx-form")
    tab.select_option("#kx-form", "components")
    best = kf.fit_components(1, "blob and constant", edge="exact")
    assert numbers(tab, "kx-model") == shown(best.model) and drawn(tab, "kx-answer-rest") != picture
    assert np.square(numbers(tab, "kx-rest")).sum() < np.square(before).sum() / 2
    tab.wait_for_function("document.getElementById('kx-result').textContent.includes(' T ')")
    alone, target = kf.ideal_filter(1, *best.sigmas, edge="exact").ravel(), kf.normalized_filters()[0].ravel()
    left = 1 - (alone @ target) ** 2 / (alone @ alone) / (target @ target)
    assert f"leaves {100 * best.left:.1f} % of the energy, a f alone {100 * left:.1f} %" in tab.inner_text("#kx-result")
    assert tab.inner_text("#kx-interval") == "Intervals belong to the key’s own model."
    addressed(tab, "model=components")
    tab.reload()
    assert tab.input_value("#kx-form") == "components"
    assert float(*values(tab, "sx")) == pytest.approx(best.sigmas[0], abs=5.1e-5)
    tab.evaluate("history.back()")
    tab.wait_for_function("document.getElementById('kx-form').value === 'key'")
    assert values(tab, "sx") == ["0.5"] and numbers(tab, "kx-rest") == before


@each_screen
def test_a_model_may_be_turned(opened, width, height):
    tab, turn = opened("#key=5&sx=1.5&sy=0.7&border=crop", width=width, height=height), np.deg2rad(31)
    tab.wait_for_timeout(300)
    c = kf.affine_covariance(1.5, 0.7, turn)
    coupling = abs(c[0, 1])
    for name, expected in (
        ("first", kf.oriented_filter(1, turn, c, coupling)),
        ("second", kf.oriented_filter(2, turn, c, coupling)),
        ("affine", kf.jet_filters(c, coupling)["T"]),
    ):
        tab.select_option("#kx-form", name)
        assert not tab.is_visible("#kx-gamma") and tab.is_disabled("#kx-kernel-sampled")
        seen(tab, height, "kx-angle")
        tab.fill("#kx-angle-number", "30")
        before = drawn(tab, "kx-answer-model")
        tab.focus("#kx-angle")
        press(tab, "ArrowRight")
        assert drawn(tab, "kx-answer-model") != before and numbers(tab, "kx-model") == shown(expected)
        assert ("some taps" in tab.inner_text("#kx-kernel-note")) == (coupling > min(c[0, 0], c[1, 1]))
        addressed(tab, f"model={name}&angle=31")
    tab.select_option("#kx-form", "mixed")
    assert not tab.is_visible("#kx-angle") and tab.is_enabled("#kx-kernel-sampled")
    tab.check("#kx-border-exact")
    assert numbers(tab, "kx-model") == shown(kf.jet_filters(np.diag([2.25, 0.49]), 0.0)["xy"])
    tab.wait_for_function("location.hash.includes('model=mixed') && !location.hash.includes('angle')")


def test_intervals_stand_beside_the_parameters(opened):
    tab = opened("#key=7&sx=0.6&sy=0.6&gamma=0.5&border=crop")

    def told(method, key, **names):
        ends = workbench_data()["intervals"]["crop"][method][key - 1]
        parts = [f"{word} {ends[name][0]:.2f} to {ends[name][1]:.2f}" for name, word in names.items()]
        return f"95 % by {method}: {', '.join(parts)}"

    # The published model of key 7 has one scale.
    assert tab.inner_text("#kx-interval") == told("D1", 7, sx="σ", gamma="γ")
    tab.click("#kx-presets button[value=A]")
    assert tab.inner_text("#kx-interval") == told("A", 7, sx="σ", gamma="γ")
    tab.click("#kx-presets button[value=D1]")
    # The band lies around the thumb of the fitted scale.
    band, slider = (tab.locator(part).bounding_box() for part in ("#kx-sx-band i", "#kx-sx"))
    low, high = band["x"], band["x"] + band["width"]
    thumb = slider["x"] + 8 + (slider["width"] - 16) * kf.fit(7, "D1").sigma_x / 3.5
    assert low - 1 <= thumb <= high + 1 and slider["x"] < low < high < slider["x"] + slider["width"]
    tab.locator("#kx-key-5").check(force=True)
    assert not tab.is_visible("#kx-gamma-band i") and tab.inner_text("#kx-interval") == told("D1", 5, sx="σx", sy="σy")


def test_the_address_restores_a_pasted_filter_gains_kernel_and_picture(opened):
    tab = opened("#key=6&sx=0.9&sy=0.9&border=exact&kernel=sampled&image=made")
    assert numbers(tab, "kx-model") != shown(kf.ideal_filter(6, 0.9, 0.9, edge="exact")), "this is the discrete kernel"
    pasted(tab, SOBEL)
    assert tab.inner_text("#kf-message") == "The 3 × 3 numbers were read into the middle of the cells"
    tab.check("#kf-unit")
    assert "Best: key 5 (centred difference along x)" in fitted(tab)
    tab.fill("#kf-gain-5", "1.5")
    addressed(tab, "gains=")
    assert {"filter", "gains", "kernel", "image", "fit"} <= set(setting(tab))
    says = tab.inner_text("#kf-mix-result")
    tab.reload()
    fitted(tab)
    assert numbers(tab, "kf-cells") == np.pad(SOBEL, 2).ravel().tolist() and tab.is_checked("#kf-unit")
    assert tab.input_value("#kf-gain-5") == "1.5" and tab.inner_text("#kf-mix-result") == says
    assert tab.is_checked("#kx-kernel-sampled") and tab.input_value("#kx-picture") == "made"


def test_the_mix_is_the_best_that_the_keys_can(opened):
    tab = opened()
    pasted(tab, SOBEL)
    keys, sobel = np.array([kf.fit(key, "D1").model().ravel() for key in range(1, 9)]), np.pad(SOBEL, 2).ravel()
    gains, [left], _, _ = np.linalg.lstsq(keys.T, sobel, rcond=None)
    found = [float(tab.input_value(f"#kf-gain-{key}")) for key in range(1, 9)]
    assert found == pytest.approx(gains.tolist(), rel=1e-3, abs=1e-3)
    most = f"The mix explains {100 * (1 - left / (sobel @ sobel)):.2f} % of the energy of your filter, the most that it can."
    assert tab.inner_text("#kf-mix-result") == most
    tab.fill("#kf-gain-1", "2")
    assert "the most" not in tab.inner_text("#kf-mix-result")
    tab.click("#kf-best-gains")
    assert tab.inner_text("#kf-mix-result") == most


def test_pictures_and_filters_are_saved(opened):
    tab = opened("#key=1&sx=0.6&sy=0.5&border=crop")

    def saved(button):
        with tab.expect_download() as download:
            tab.click(button)
        return download.value

    file = saved("#kx-csv")
    table, model = pd.read_csv(file.path()), kf.ideal_filter(1, 0.6, 0.5)
    assert file.suggested_filename == "key-1.csv" and table.loc[0, ["x", "y"]].tolist() == [-3, 3]
    np.testing.assert_allclose(table.idealised, model.ravel(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(table.difference, (model - kf.normalized_filters()[0]).ravel(), rtol=0, atol=1e-12)
    with Image.open(saved("#kx-png").path()) as picture:
        assert picture.size == (768, 688) and len(picture.convert("L").getcolors()) > 50


# Red, a positive answer, is where it grows brighter along the axis of the derivative: on a ramp everywhere.
ANSWERS = """() => KeyFilters.data.keys.filter(key => key.kind === "derivative").map(key => {
    const along = i => (key.symbol.includes("x") ? i % 9 : -Math.floor(i / 9));
    const ramp = Float64Array.from({length: 81}, (_, i) => along(i));
    return KeyFilters.maths.convolve(ramp, 9, 9, KeyFilters.data.normalized[key.number - 1])[40];
})"""
RIDDLES = "buttons => new Set(buttons.map(button => button.querySelector('canvas').toDataURL())).size"


@each_screen
def test_the_quiz_shows_picture_riddle_and_filters_together_asks_tells_and_counts(opened, width, height):
    tab = opened(width=width, height=height)
    assert drawn(tab, "kq-original") == drawn(tab, "kx-image")
    tab.evaluate("document.getElementById('guess-the-key').scrollIntoView()")
    seen(tab, height, "kq-original", "kq-picture", "kq-keys")
    assert tab.eval_on_selector_all("#kq-keys button", RIDDLES) == 8
    assert tab.evaluate(ANSWERS) == pytest.approx([1] * 6, abs=1e-4)
    first = drawn(tab, "kq-picture")
    tab.click("#kq-keys button[value='1']")
    assert tab.inner_text("#kq-result").startswith(("Yes: key 1, ", "No, key 1 is the "))
    tab.click("#kq-keys button[value='2']")
    assert tab.inner_text("#kq-result").endswith("of 1 so far."), "a second guess does not count"
    tab.click("#kq-next")
    assert drawn(tab, "kq-picture") != first


def test_the_list_of_contents_leads_to_all_parts(opened):
    tab = opened(width=375)
    names = "all => all.map(e => `${e.firstChild.textContent} #${e.closest('section').id}`)"
    links = "all => all.map(e => `${e.textContent} ${e.getAttribute('href')}`)"
    assert tab.eval_on_selector_all(".kx-contents a", links) == tab.eval_on_selector_all("section h2, section h3", names)


def test_a_key_without_scales_has_those_that_fit_and_a_magnified_difference_says_so(opened):
    tab, fit = opened("#key=1&border=crop"), kf.fit(1, "D1")
    assert [float(text) for text in values(tab, "sx", "sy")] == pytest.approx([fit.sigma_x, fit.sigma_y], abs=5.1e-5)
    times = tab.inner_text("#kx-answer-rest + p").removeprefix("difference ×")
    assert f" {times} times magnified" in tab.inner_text("#kx-image-note") and float(times) > 1


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
    tab.evaluate(PASTE, " ".join(map(str, LARGE)))
    fitted(tab)
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= width and tab.evaluate(FAULTS) == []


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
    assert tab.evaluate("document.documentElement.dataset.theme") == mode and violations(tab, axe, ".kx") == []


def test_the_scripts_are_on_no_other_page(html):
    assert "KeyFilters" in (html / "interactive.html").read_text(encoding="utf-8")
    assert "KeyFilters" not in (html / "notation.html").read_text(encoding="utf-8")
    assert "scalenote" not in (html / "searchindex.js").read_text(encoding="utf-8").lower()
