"""The page *Inspect your network* in a browser, from a server and from a file: a file is dropped, read and never sent.

The page is built here in a small book of its own, so that it is tested without the notebooks.
"""

import base64

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from safetensors.torch import save  # noqa: E402
from small_pages import PROTOCOLS, WIDTHS, fixtures  # noqa: E402
from tabs import violations  # noqa: E402
from weight_files import bad_files, network, noisy_filters, weights  # noqa: E402

from keyfilters.networks import inspect_file  # noqa: E402

pytestmark = pytest.mark.browser

html, addresses, opened = fixtures("inspect_network", "document.getElementById('ki')")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each kind, made here."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / "mine.safetensors").write_bytes(save(weights()))
    network(folder / "net.onnx")
    return {"safetensors": folder / "mine.safetensors", "onnx": folder / "net.onnx"}


DROP = """(target, [names, contents]) => {
    const carried = new DataTransfer();
    names.forEach((name, i) => carried.items.add(new File([Uint8Array.from(atob(contents[i]), c => c.charCodeAt(0))], name)));
    for (const kind of ["dragover", "drop"]) target.dispatchEvent(new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""


def drop(tab, *paths):
    """Drop files as a reader does; what the page says in the end."""
    contents = [base64.b64encode(path.read_bytes()).decode() for path in paths]
    tab.locator("#ki-drop").evaluate(DROP, [[path.name for path in paths], contents])
    tab.wait_for_function("!document.getElementById('ki').hasAttribute('aria-busy')")
    return tab.inner_text("#ki-message")


def rows(tab, label):
    """The texts of the cells of a table."""
    cells = "lines => lines.map(line => [...line.cells].map(cell => cell.textContent))"
    return tab.eval_on_selector_all(f'[aria-label="{label}"] tbody tr', cells)


def told(cells, numbers):
    """The numbers to three digits; one that is not there is a dash."""
    for cell, number in zip(cells, numbers, strict=True):
        assert (
            cell == "–"
            if number is None or np.isnan(number)
            else float(cell.replace("\u2212", "-")) == pytest.approx(number, abs=0.00051)
        )


def shows(tab, path):
    """The page shows the report of the command."""
    right = inspect_file(path, nulls="impulse,random,permuted,gaussian")
    assert tab.inner_text(".ki-answer") == inspect_file(path, nulls="none").answer
    assert tab.inner_text("#ki-message") == f"{path.name} was read; the report stands below."
    matched = [row for row in right.frame().to_dict("records") if not row["note"]]
    for line, row in zip(rows(tab, "Layers"), matched, strict=True):
        assert line[:6] == [str(row[name] or "–") for name in ("layer", "size", "stride", "padding", "channels")] + [
            str(row["dead"])
        ]
        # The shares of the other nulls, which stand between, are of other draws.
        told(line[6:10], [row[name] for name in ("explained", "explained_mean", "explained_median", "null_impulse")])
        assert line[13:] == [str(row[f"key_{k}"]) for k in range(1, 9)]
    for line, row in zip(rows(tab, "Scales and rank"), matched, strict=True):
        assert [*line[:3], line[7]] == [str(row[name]) for name in ("layer", "size", "channels", "rank")]
        told(line[3:7], [row[name] for name in ("sigma_x", "sigma_y", "explained", "explained_fitted")])
    for line, record in zip(rows(tab, "Offsets by stride and padding"), right.places, strict=True):
        assert line[:6] == [
            str(record[name] or "–") for name in ("size", "stride", "padding", "dilation", "layers", "channels")
        ]
        told(line[6:], [record[f"{name}_{axis}"] for axis in "xy" for name in ("mean", "shift", "grid")])
    assert tab.locator(".ki-warning").all_inner_texts() == ([right.warning] if right.warning else [])
    assert [line[0] for line in rows(tab, "Explained variance by kernel size")] == [record["size"] for record in right.sizes]
    by_key = [str(sum(row[f"key_{k}"] for row in matched)) for k in range(1, 9)]
    assert [line[1] for line in rows(tab, "Filters by key")] == by_key
    assert [[line[0], line[3]] for line in rows(tab, "Layers not matched")] == [[m.name, m.note] for m in right.not_matched]
    assert tab.locator(".ki-maps .ki-key canvas").count() == len({s.key for s in right.samples})
    assert tab.locator(".ki-maps figure:not(.ki-key) canvas").count() == len(right.samples)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["safetensors", "onnx"])
def test_a_dropped_file_gives_the_report_of_the_command(opened, files, kind, width, protocol):
    tab = opened(protocol=protocol, width=width)
    assert tab.inner_text("#ki-report") == "" and tab.is_hidden("#ki-save")
    drop(tab, files[kind])
    shows(tab, files[kind])
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= width


def test_a_file_of_noise_is_warned_of_as_by_the_command(opened, tmp_path):
    tab = opened(width=375)
    (tmp_path / "noise.safetensors").write_bytes(save({"dw.weight": torch.from_numpy(noisy_filters("white", 7)[:, None])}))
    drop(tab, tmp_path / "noise.safetensors")
    shows(tab, tmp_path / "noise.safetensors")
    assert tab.inner_text(".ki-warning").startswith("Warning: that is no more than the nulls reach by chance (random")
    drop(tab, tmp_path / "noise.safetensors")
    assert tab.locator(".ki-warning").count() == 1


def test_a_chosen_file_is_read_too_and_again_and_of_two_the_last_wins(opened, files):
    tab = opened()
    said = "name => document.getElementById('ki-message').textContent.startsWith(`${name} was read;`)"
    for path in (files["onnx"], files["safetensors"], files["safetensors"]):
        tab.set_input_files("#ki-file", path)
        tab.wait_for_function(said, arg=path.name)
        shows(tab, path)
    contents = [[[path.name], [base64.b64encode(path.read_bytes()).decode()]] for path in files.values()]
    tab.evaluate(f"all => all.forEach(each => ({DROP})(document.getElementById('ki-drop'), each))", contents)
    tab.wait_for_function(said, arg="net.onnx")
    shows(tab, files["onnx"])


def test_a_bad_file_is_one_line_and_takes_the_old_report_away(opened, files, tmp_path):
    tab = opened()
    drop(tab, files["onnx"])
    for name, (content, said) in bad_files(tmp_path).items():
        (tmp_path / name).write_bytes(content)
        found = drop(tab, tmp_path / name)
        assert found.startswith(f"{name} ") and said in found and "\n" not in found
        assert tab.inner_text("#ki-report") == "" and tab.is_hidden("#ki-save")
    found = drop(tab, *files.values())
    assert found == "mine.safetensors and 1 more were given: expected one file"
    assert drop(tab, files["onnx"]).startswith("net.onnx was read;")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_saved_report_is_one_file_that_needs_nothing_else(opened, running, files, tmp_path, protocol):
    tab = opened(protocol=protocol)
    name = "<b>mine.safetensors"
    (tmp_path / name).write_bytes(files["safetensors"].read_bytes())
    drop(tab, tmp_path / name)
    assert tab.inner_text(".ki-answer").endswith(f"layers of {name}.")
    with tab.expect_download() as download:
        tab.click("#ki-save")
    target = tmp_path / "saved.html"
    download.value.save_as(target)
    text = target.read_text(encoding="utf-8")
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert not [part for part in ("<script", "://", "<canvas") if part in text]
    for width in WIDTHS:
        page = running.new_page(viewport={"width": width, "height": 900})
        asked = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(target.as_uri())
        assert page.inner_text("h1") == f"Depthwise filters of {name}" == page.title()
        assert page.inner_text(".ki-answer") == tab.inner_text(".ki-answer")
        assert rows(page, "Layers") == rows(tab, "Layers")
        assert page.locator("img").count() == tab.locator(".ki-report canvas").count() > 20
        assert page.evaluate("[...document.images].every(image => image.naturalWidth >= 1 && image.alt)")
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert not [url for url in asked if not url.startswith(("data:", target.as_uri()))]
        page.close()


def test_a_picture_has_the_colours_of_its_filter(opened, tmp_path):
    tab = opened()
    filters = np.zeros((2, 1, 3, 3), dtype=np.float32)
    filters[:, 0, 1] = [-1, 0, 1]
    (tmp_path / "x.safetensors").write_bytes(save({"dw.weight": torch.from_numpy(filters)}))
    drop(tab, tmp_path / "x.safetensors")
    canvas = tab.locator(".ki-maps figure:not(.ki-key) canvas").first
    pixels = canvas.evaluate("canvas => [...canvas.getContext('2d').getImageData(0, 0, 3, 3).data]")
    left, middle, right = (pixels[4 * i : 4 * i + 3] for i in (3, 4, 5))
    assert left[2] > left[0] + 60 and right[0] > right[2] + 60, "blue is below zero and red above"
    assert min(middle) > 230 and pixels[:3] == middle


FAULTS = """() => {
    const found = [], all = [...document.querySelectorAll(".kx *, .ki-report *")].filter(e => e.checkVisibility());
    const note = (what, e) => found.push(`${what}: ${e.tagName} ${e.id} ${e.textContent.slice(0, 30)}`);
    for (const e of all) {
        if (!e.closest(".ki-wide table") && e.getBoundingClientRect().right > innerWidth + 0.5) note("outside", e);
        const text = e.childElementCount === 0 && e.textContent.trim();
        if (text && parseFloat(getComputedStyle(e).fontSize) < 12) note("small", e);
    }
    return found;
}"""


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(opened, axe, files, mode, width):
    tab = opened(width=width, mode=mode)
    drop(tab, files["safetensors"])
    assert tab.evaluate(FAULTS) == []
    assert tab.evaluate("document.documentElement.dataset.theme") == mode
    assert violations(tab, axe, ".kx", ".ki-report") == []


def test_the_keyboard_reaches_the_file_and_the_tables(opened, files):
    tab = opened()
    drop(tab, files["safetensors"])
    tab.focus("#ki-file")
    seen = []
    while len(seen) < 9:
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate("(e => e.id || e.getAttribute('aria-label') || '')(document.activeElement)"))
    tables = ["Explained variance by kernel size", "Nulls by kernel size", "Filters by key", "Layers", "Scales and rank",
              "Offsets by stride and padding"]  # fmt: skip
    assert seen[:8] == ["ki-save", *tables, "Layers not matched"]
