"""Sliders below figures in a browser: moving one changes the picture and the numbers, which are those of the data."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from nbformat import v4
from small_pages import PROTOCOLS, fixtures

import keyfilters as kf
from keyfilters.fitting.joint import fit_table
from keyfilters_build.sweeps import sweep_data, sweep_html

pytestmark = pytest.mark.browser

SIGMA = np.linspace(0.2, 1.5, 14)
METHODS = ["A", "D1", "D2"]


def cells():
    """The two kinds of slider, with data as a chapter stores them."""
    folder = Path(tempfile.mkdtemp())
    n = np.arange(-20, 21)
    rows = []
    for sigma in SIGMA:
        sampled = kf.gaussian_kernel(sigma, 20, "sampled")
        rows.append((sigma, sampled.sum(), sampled @ n**2 / sampled.sum() / sigma**2))
    # The first variance is missing, as where a curve has a gap.
    text = "\n".join(",".join(map(str, row)) for row in rows).replace(str(rows[0][2]), "")
    (folder / "fig-curve.csv").write_text(f"sigma,total,variance\n{text}\n")
    table = fit_table()
    table[table.method.isin(METHODS)].to_csv(folder / "fig-table.csv", index=False)
    models = {name: np.stack([kf.fit(key, name).model() for key in range(1, 9)]) for name in METHODS}
    np.savez(folder / "fig-models.npz", learned=kf.normalized_filters(), **models)
    sweeps = {
        "fig-curve": {
            "label": "scale", "along": "sigma", "value": "ratio", "curves": {"variance": "sampled", "total": "sum"},
            "also": {"total": "also the sum"},
        },
        "fig-models": {
            "label": "method", "filters": METHODS, "beside": "learned", "table": "fig-table", "along": "method",
            "numbers": {"sigma_x": "σx", "relative_l2": "distance"},
        },
    }  # fmt: skip
    run = SimpleNamespace(entry=SimpleNamespace(slug="sweeps"), results=folder)
    return [(v4.new_code_cell("x", metadata={"mystnb": {"figure": {"name": n}}, "sweep": s}), run) for n, s in sweeps.items()]


CELLS = cells()
TEXT = "# Two sliders\n\nA figure stands here.\n\n" + "\n\n".join(sweep_html(*each) for each in CELLS) + "\n"
html, addresses, opened = fixtures("sweeps", "document.querySelectorAll('.sweep output').length === 2", TEXT)


def numbers(box):
    texts = box.locator(".sweep-number").all_inner_texts()
    return [None if text == "–" else float(text.replace("\u2212", "-")) for text in texts]


def close(shown, wanted):
    """Equal to the three digits, or decimals, that are shown."""
    return all(
        a is b if a is None or b is None else a == pytest.approx(b, rel=5.01e-3, abs=5.01e-4)
        for a, b in zip(shown, wanted, strict=True)
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_curves_have_a_mark_and_the_numbers_of_the_setting(opened, protocol):
    tab = opened(protocol=protocol)
    box, data = tab.locator(".sweep").first, sweep_data(*CELLS[0])
    slider = box.locator("input")
    assert tab.evaluate("id => document.querySelector(`label[for=${id}]`).textContent", slider.get_attribute("id")) == "scale"
    slider.focus()
    tab.keyboard.press("Home")
    pictures = set()
    for k, setting in enumerate(data["settings"]):
        assert float(box.locator("output").inner_text()) == pytest.approx(setting, rel=5.01e-3)
        wanted = [data["curves"]["sampled"][k], data["curves"]["sum"][k], data["also"]["also the sum"][k]]
        assert (wanted[0] is None) == (k == 0) and close(numbers(box), wanted)
        spoken = slider.get_attribute("aria-valuetext")
        assert all(text in spoken for text in box.locator(".sweep-number").all_inner_texts())
        pictures.add(box.locator(".sweep-plot > svg").evaluate("e => e.outerHTML"))
        tab.keyboard.press("ArrowRight")
    assert len(pictures) == len(SIGMA)


def test_filters_change_with_the_setting(opened):
    tab = opened()
    box, data = tab.locator(".sweep").last, sweep_data(*CELLS[1])
    box.locator("input").focus()
    tab.keyboard.press("Home")
    pictures = []
    for method in METHODS:
        assert box.locator("output").inner_text() == method
        fits = [kf.fit(key, method) for key in range(1, 9)]
        assert close(numbers(box), [*(f.sigma_x for f in fits), *(f.relative_l2 for f in fits)])
        pictures.append(box.locator("canvas").evaluate_all("all => all.map(canvas => canvas.toDataURL())"))
        tab.keyboard.press("ArrowRight")
    first, last = pictures[0], pictures[-1]
    assert first[:8] == last[:8], "the learned filters changed"
    assert first[8:16] != last[8:16] and first[16:] != last[16:]
    # The strongest weight of key 1 has the colour of the end of the map, within its learned filter.
    pixel = box.locator("canvas").first.evaluate("c => [...c.getContext('2d').getImageData(0, 0, 7, 7).data]")
    strongest = int(np.abs(kf.normalized_filters()[0]).argmax())
    end = data["colours"][-1 if kf.normalized_filters()[0].ravel()[strongest] > 0 else 0]
    assert pixel[4 * strongest : 4 * strongest + 3] == end


@pytest.mark.parametrize("width, mode", [(1280, "light"), (375, "dark")])
def test_nothing_is_cut_or_hard_to_read(opened, axe, width, mode):
    tab = opened(width=width, mode=mode)
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= width
    wide = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth).length"
    assert tab.locator(".sweep, .sweep p, .sweep li, .sweep .sweep-row span").evaluate_all(wide) == 0
    tab.add_script_tag(path=axe)
    found = tab.evaluate(
        "async () => (await axe.run({include: [['.sweep']]}, {elementRef: false, preload: {assets: ['media']}})).violations.map(rule => `${rule.id}: ${rule.nodes[0].html}`)"
    )
    assert not found, found


def test_print_and_a_browser_without_scripts_have_the_figure_alone(opened, running, addresses):
    tab = opened()
    assert tab.locator(".sweep").first.is_visible()
    tab.emulate_media(media="print")
    assert not tab.locator(".sweep").first.is_visible()
    context = running.new_context(java_script_enabled=False)
    try:
        bare = context.new_page()
        bare.goto(f"{addresses['http']}/sweeps.html", wait_until="load")
        assert "A figure stands here" in bare.inner_text("article") and not bare.locator(".sweep").first.is_visible()
    finally:
        context.close()
