"""The report on a network's depthwise filters, as numbers, as a page, and from the command line."""

import base64
import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from bs4 import BeautifulSoup
from each import each
from PIL import Image
from refusals import refused
from safetensors.torch import save_file
from torch import nn

from keyfilters import learned_filters, spread
from keyfilters.networks import find_depthwise, inspect_model, key_filters, load_model
from keyfilters.networks.commands.evaluate import _first_images
from keyfilters.networks.inspection.inspecting import SPREAD_COLUMNS, grid_shift
from keyfilters.networks.inspection.report_page import png, render
from keyfilters_build.chromium import FLAGS, find_chromium

NETWORKS = ("convnextv2_atto", "tf_efficientnet_lite0", "mobilenetv3_small_050")


def network(name):
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=4).eval()


@pytest.fixture(scope="module", params=NETWORKS)
def inspected(request):
    model = network(request.param)
    return model, inspect_model(model, draws=3, name=request.param)


@pytest.fixture(scope="module")
def mixed():
    """Layers of several sizes; some are none that keys could be matched with."""
    torch.manual_seed(1)
    layers = {
        "seven": nn.Conv2d(16, 16, 7, padding=3, groups=16),
        "wide": nn.Conv2d(16, 16, (3, 7), groups=16),
        "gains": nn.Conv2d(16, 16, 1, groups=16),
        "even": nn.Conv2d(16, 32, 4, stride=4, groups=16),
        "strided": nn.Conv2d(32, 32, 3, stride=2, padding=1, groups=32),
    }
    model = nn.ModuleDict(layers)
    with torch.no_grad():
        model.seven.weight[:8, 0] = torch.tensor(-2.5 * learned_filters() + 0.1)
        model.seven.weight[8] = 0.0
    return model


@pytest.fixture(scope="module")
def report(mixed):
    return inspect_model(mixed, "learned", draws=3, name="<mixed> & more")


def test_every_layer_has_a_row(inspected):
    model, found = inspected
    frame = found.frame()
    layers = find_depthwise(model)
    assert frame.layer.tolist() == [d.name for d in layers]
    assert frame.channels.tolist() == [d.channels for d in layers]
    assert (frame[[f"key_{k}" for k in range(1, 9)]].sum(axis=1) + frame.dead == frame.channels).all()
    assert frame.explained.between(0, 1).all()
    assert [r["channels"] for r in found.sizes] == frame.groupby("size").channels.sum().tolist()
    for record in found.sizes:
        assert record["low"] <= record["explained"] <= record["high"]
    text = BeautifulSoup(render(found), "html.parser").get_text(" ")
    assert all(name in text for name in frame.layer)


def test_random_filters_are_explained_as_the_nulls_are(inspected):
    """Untrained networks: nothing that the keys would explain better than chance; the best lines explain more."""
    _, found = inspected
    for record in found.sizes:
        assert abs(record["explained"] - record["null_gaussian"]) < 0.03
        assert record["null_lines"] > record["explained"] + 0.03
        assert record["null_random"] <= record["null_random_95"] and "null_lines_95" not in record
        for kind in found.nulls:
            assert 0 < record[f"null_{kind}_median"] < 1 and 0 < record[f"null_{kind}_mean"] < 1


def test_spread_measures_are_those_of_the_filters(inspected):
    model, found = inspected
    layer, reported = find_depthwise(model)[1], found.layers[1]
    keys = key_filters("B", layer.kernel_size[0])
    for c in (0, 3, 7):
        s = spread(layer.filters[c] - reported.match.offset[c])
        own = spread(keys[reported.match.key[c] - 1]).mean
        expected = [*s.mean, *(s.mean - own), s.covariance[0, 0], s.covariance[0, 1], s.covariance[1, 1], s.l1_norm]
        np.testing.assert_allclose(reported.spreads[c], expected)
    row = found.frame().iloc[1]
    np.testing.assert_allclose(row[list(SPREAD_COLUMNS)].astype(float), reported.spreads.mean(axis=0))


def test_planted_keys_are_found(report):
    seven = report.records()[0]
    assert [seven[f"key_{k}"] >= 1 for k in range(1, 9)] == [True] * 8 and seven["dead"] == 1
    best = {s.key: s for s in report.samples if s.layer == "seven" and s.explained > 1 - 1e-9}
    assert {k: s.channel for k, s in best.items()} == {k: k - 1 for k in range(1, 9)}
    assert all(s.gain == pytest.approx(-2.5) for s in best.values())
    shifts = report.layers[0].spreads[:8, [SPREAD_COLUMNS.index("shift_x"), SPREAD_COLUMNS.index("shift_y")]]
    np.testing.assert_allclose(shifts, 0, atol=1e-5)
    assert np.isnan(report.layers[0].spreads[8]).all()


def test_samples_are_the_best_of_each_key(report):
    for key in range(1, 9):
        chosen = [s.explained for s in report.samples if s.key == key]
        every = np.concatenate([m.match.explained[m.match.key == key] for m in report.layers])
        np.testing.assert_array_equal(chosen, np.sort(every)[::-1][: len(chosen)])
        assert len(chosen) == min(8, len(every))


def test_layers_that_are_not_matched_are_named(report, page):
    notes = {m.name: m.note for m in report.not_matched}
    assert set(notes) == {"wide", "gains", "even"} and all(notes.values())
    frame = report.frame().set_index("layer")
    assert frame.loc["wide", ["explained", "mean_x", "null_random"]].isna().all() and frame.loc["seven", "note"] == ""
    assert {m.match.name for m in report.layers} <= {th.get_text() for th in page.select("th[scope=row]")}
    assert all(note in page.get_text(" ") for note in notes.values())


@pytest.mark.parametrize("padding", [0, 1, 2, 5])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize(("size", "dilation"), [(3, 1), (5, 1), (3, 2), (7, 1)])
def test_the_grid_shift_centres_the_outputs(size, stride, padding, dilation):
    """A smooth filter at the shifted place sees a ramp at the middle of each output's cell."""
    x, y = grid_shift((size, size), (stride, stride), (padding, padding), (dilation, dilation))
    assert y == -x
    ramp = torch.arange(60.0)[None, None, None].expand(1, 1, 60, 60)
    # The window's centre reads position s o - p + d (n - 1) / 2; it is moved by the shift.
    centre = nn.Conv2d(1, 1, size, stride, padding, dilation, bias=False)
    with torch.no_grad():
        centre.weight.zero_()
        centre.weight[0, 0, size // 2, size // 2] = 1.0
        seen = centre(ramp)[0, 0, 8] + x
    o = torch.arange(len(seen))
    inside = (o > 6) & (o < 60 // stride - 8)
    expected = stride * o + (stride - 1) / 2
    torch.testing.assert_close(seen[inside], expected[inside].float())


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (5, 2), (5, 1), (3, 1)])
def test_dynamic_padding_is_that_of_timm(size, stride):
    from timm.layers import pad_same

    padded = pad_same(torch.ones(1, 1, 16, 16), (size, size), (stride, stride))
    before = int((padded[0, 0].sum(dim=0) > 0).int().argmax())
    assert grid_shift((size, size), (stride, stride), "dynamic") == grid_shift((size, size), (stride, stride), (before, before))


def test_the_same_seed_gives_the_same_bytes(mixed, report):
    again = inspect_model(mixed, "learned", draws=3, name="<mixed> & more")
    other = inspect_model(mixed, "learned", draws=3, seed=1, name="<mixed> & more")
    assert render(again) == render(report) and json.dumps(again.document()) == json.dumps(report.document())
    assert again.frame().equals(report.frame()) and other.sizes != report.sizes


def test_json_comes_back(report):
    text = json.dumps(report.document(), allow_nan=False)
    assert json.loads(text) == report.document()
    back, frame = pd.DataFrame(json.loads(text)["layers"]).drop(columns="by_key"), report.frame()
    pd.testing.assert_frame_equal(back.fillna(np.nan), frame, check_dtype=False)
    for record, layer in zip(report.records(), report.layers, strict=True):
        assert sum(r["channels"] for r in record["by_key"]) == int(layer.match.live.sum())


def test_nulls_can_be_chosen(mixed):
    bare = inspect_model(mixed, nulls="none")
    assert not [c for c in bare.frame() if c.startswith("null_")] and "null_random" not in bare.sizes[0]
    some = inspect_model(mixed, nulls=("lines", "impulse", "lines"), draws=2)
    assert [c for c in some.frame() if c.startswith("null_")] == [
        f"null_{kind}{over}" for kind in ("lines", "impulse") for over in ("", "_mean", "_median")
    ]
    assert inspect_model(mixed, nulls="lines,impulse", draws=2).document() == some.document()
    # Filters of one's own as keys.
    own = inspect_model(mixed, np.random.default_rng(0).normal(size=(3, 7, 7)), nulls="random", draws=2)
    assert own.keys == 3 and "key_4" not in own.frame() and "filter 3" in render(own)


def test_the_pooled_share_stands_beside_mean_and_median():
    """One filter of norm 50 decides the first alone."""
    layer, filters = nn.Conv2d(9, 9, 7, groups=9), np.random.default_rng(0).normal(size=(9, 7, 7))
    filters[0] = 50 * learned_filters()[0] / np.linalg.norm(learned_filters()[0])
    layer.weight.data = torch.tensor(filters[:, None], dtype=torch.float32)
    found = inspect_model(nn.Sequential(layer), "learned", nulls="none")
    [row], [size], explained = found.document()["layers"], found.sizes, found.layers[0].match.explained
    for record in (row, size):
        assert record["explained"] > 0.8 and record["explained_median"] < 0.4
        assert (record["explained_mean"], record["explained_median"]) == (explained.mean(), np.median(explained))
    shown = [f"{record:.3f}" for record in (size["explained"], size["explained_mean"], size["explained_median"])]
    tables = BeautifulSoup(render(found), "html.parser").find_all("table")[:2]
    for table in tables:
        head = [th.get_text() for th in table.thead.find_all("th")]
        cells = [cell.get_text() for cell in table.tbody.find_all(["th", "td"])]
        assert [cells[head.index(name)] for name in ("explained", "mean", "median")] == shown
    lines = found.text().splitlines()
    for title in [line for line in lines if "explained" in line.split() and "median" in line.split()]:
        cells = lines[lines.index(title) + 1].split()
        assert [cells[title.split().index(name)] for name in ("explained", "mean", "median")] == shown


def test_a_network_without_any_layer_to_match(mixed):
    found = inspect_model(nn.Sequential(mixed.wide, mixed.even), draws=2)
    assert found.sizes == found.places == [] and len(found.not_matched) == 2
    page = BeautifulSoup(render(found), "html.parser")
    assert {"0", "1"} <= {th.get_text() for th in page.select("th[scope=row]")}


def test_all_dead(mixed):
    layer = nn.Conv2d(4, 4, 3, groups=4)
    nn.init.zeros_(layer.weight)
    found = inspect_model(nn.Sequential(layer, nn.Conv2d(4, 4, 3, groups=4)), draws=2)
    assert found.frame().dead.tolist() == [4, 0] and math.isnan(found.frame().explained[0])
    alone = inspect_model(layer, draws=2)
    assert alone.records()[0]["explained"] is None and "the network itself" in render(alone)
    assert "<td>–</td>" in render(alone) and "<td>None</td>" not in render(alone)
    json.dumps(alone.document(), allow_nan=False)


# --- the page


@pytest.fixture(scope="module")
def page(report):
    return BeautifulSoup(render(report), "html.parser")


def test_the_page_needs_nothing_else(report, page):
    text = render(report)
    assert (
        "http" not in text and "//" not in re.sub(r"base64,[^\"]*", "", text) and "url(" not in text and "@import" not in text
    )
    assert not page.find_all(["script", "link", "iframe", "object"])
    assert all(img["src"].startswith("data:image/png;base64,") for img in page.find_all("img"))


def test_the_page_can_be_read_by_all(page):
    assert page.html["lang"] == "en" and "width=device-width" in page.find("meta", {"name": "viewport"})["content"]
    assert page.title.get_text() == page.h1.get_text() == "Depthwise filters of <mixed> & more"
    assert len(page.find_all("img")) > 8 and all(img["alt"].strip() and img["width"] for img in page.find_all("img"))
    for table in page.find_all("table"):
        assert table.caption.get_text().strip()
        assert all(th.get("scope") in ("col", "row") for th in table.find_all("th"))
        columns = len(table.thead.find_all("th"))
        assert all(len(row.find_all(["th", "td"])) == columns for row in table.tbody.find_all("tr"))
        region = table.parent
        assert region["role"] == "region" and region["tabindex"] == "0" and region["aria-label"]
    assert "prefers-color-scheme: dark" in page.style.get_text() and "overflow-x: auto" in page.style.get_text()
    headings = [h.name for h in page.find_all(re.compile("^h[1-6]$"))]
    assert headings[0] == "h1" and headings.count("h1") == 1 and set(headings) == {"h1", "h2", "h3"}


def _luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


def test_the_text_of_the_heat_map_has_contrast(page):
    rules = re.findall(r"\.h\d+ \{ background: (#\w{6}); color: (\w+); \}", page.style.get_text())
    assert len(rules) == 22
    for background, ink in rules:
        light, dark = sorted((_luminance(background), {"black": 0.0, "white": 1.0}[ink]), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.fixture
def page_file(report, tmp_path):
    (tmp_path / "report.html").write_text(render(report), encoding="utf-8")
    return (tmp_path / "report.html").as_uri()


@pytest.mark.browser
def test_the_page_fits_a_phone_and_has_no_fault_that_axe_finds(page_file, axe, running):
    script = axe.read_text(encoding="utf-8")
    for width, scheme in ((375, "light"), (375, "dark"), (1280, "light")):
        context = running.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page, asked = context.new_page(), []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(page_file)
        assert [url for url in asked if not url.startswith("data:")] == [page_file]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.evaluate(script)
        faults = page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))")
        assert faults == [], (width, scheme)
        context.close()


IN_VIEW = """() => [...document.querySelectorAll('.wide')].map(box => [0, 60, 1e6].map(x => {
    box.scrollLeft = x;
    const caption = document.createRange();
    caption.selectNodeContents(box.querySelector('caption'));
    const [text, edge] = [caption, box].map(e => e.getBoundingClientRect());
    return [box.scrollWidth > box.clientWidth, text.left >= edge.left && text.right <= edge.right,
            box.offsetHeight - box.clientHeight > 8];
}))"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1280])
def test_captions_stay_in_view_and_wide_tables_show_that_they_scroll(page, page_file, running, width):
    # Playwright hides scrollbars, unless told not to.
    shown = running.browser_type.launch(executable_path=find_chromium(), args=FLAGS, ignore_default_args=["--hide-scrollbars"])
    try:
        tab = shown.new_page(viewport={"width": width, "height": 800})
        tab.goto(page_file)
        boxes = tab.evaluate(IN_VIEW)
        shadows = tab.evaluate("getComputedStyle(document.querySelector('.wide')).backgroundAttachment")
    finally:
        shown.close()
    assert len(boxes) == len(page.find_all("table"))
    assert all(in_view for box in boxes for _, in_view, _ in box)
    assert all(scrolls == bar for box in boxes for scrolls, _, bar in box)
    assert sum(box[0][0] for box in boxes) >= (4 if width == 375 else 1)
    assert shadows == "local, local, scroll, scroll"


def test_maps_show_the_filter():
    h = np.array([[0.0, 0, 0], [-2.0, 0, 1.0], [0, 0, 0]])
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(png(h).split(",")[1]))).convert("RGB")).astype(int)
    assert pixels.shape == (3, 3, 3) and pixels[0, 0].min() > 240
    assert pixels[1, 0, 2] > pixels[1, 0, 0] and pixels[1, 2, 0] > pixels[1, 2, 2]  # blue below 0, red above


# --- mistakes and commands


def no_numbers():
    layer = nn.Conv2d(4, 4, 3, groups=4)
    nn.init.constant_(layer.weight, torch.nan)
    return layer


@each(
    ("call", "message"),
    [
        (lambda: inspect_model("resnet18"), "model is a str: expected a torch.nn.Module"),
        (lambda: inspect_model(nn.Conv2d(3, 4, 3)), "Conv2d has no depthwise convolution"),
        (lambda: inspect_model(nn.Conv2d(4, 4, 3, groups=4), "E"), "unknown filters 'E'"),
        (
            lambda: inspect_model(nn.Conv2d(4, 4, 3, groups=4), nulls="random,chance"),
            "unknown null 'chance': expected one of random",
        ),
        (lambda: inspect_model(nn.Conv2d(4, 4, 3, groups=4), draws=0), "draws is 0"),
        (lambda: inspect_model(nn.Conv2d(4, 4, 3, groups=4), seed=-1), "seed is -1"),
        (lambda: inspect_model(nn.Sequential(no_numbers())), "layer 0: its weights hold NaN"),
    ],
)
def test_a_mistake_is_one_line(call, message):
    refused(call, message)


def stored(path, classes=1000):
    """What the commands are told of a network of random weights."""
    torch.manual_seed(0)
    save_file(timm.create_model("mobilenetv3_small_050", num_classes=classes).state_dict(), path)
    return "mobilenetv3_small_050", "--weights", path


@pytest.fixture(scope="module")
def mobile(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("weights") / "mobile.safetensors")


def test_inspect_prints_and_writes(mobile, tmp_path, run):
    arguments = ("inspect", *mobile, "--nulls", "random", "--draws", 2)
    printed = json.loads(run(*arguments, "--json", "-o", tmp_path / "a.json", "--html", tmp_path / "a.html")[1])
    assert printed == json.loads((tmp_path / "a.json").read_text()) and len(printed["layers"]) == 11
    assert "blocks.0.0.conv_dw" in (tmp_path / "a.html").read_text(encoding="utf-8")
    table = run(*arguments, "-o", tmp_path / "b.csv")[1]
    assert all(layer["layer"] in table for layer in printed["layers"]) and "null_random" in table
    assert pd.read_csv(tmp_path / "b.csv").explained.tolist() == [layer["explained"] for layer in printed["layers"]]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.json", "b.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--draws", "0"), "--draws is '0': expected an integer of at least 1"),
        (("--seed", "x"), "--seed is 'x'"),
        (("--nulls", "chance"), "unknown null 'chance'"),
        (("--method", "E"), "unknown filters 'E'"),
        (("-o", "a.txt"), "a.txt: expected a name that ends in .json, .csv or .html"),
        (("--html", "a.json"), "a.json: expected a name that ends in .html"),
        (("--html", "a.html", "-o", "a.html"), "both name a.html"),
        (("-o", "nowhere/a.json"), "the folder nowhere does not exist"),
        (("-o", "there.csv"), "there.csv: exists already"),
        (("--weights", "missing.safetensors"), "missing.safetensors"),
    ],
)
def test_wrong_options_of_inspect_are_one_line(arguments, message, tmp_path, monkeypatch, refuses):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("mine")
    refuses(message, "inspect", "mobilenetv3_small_050", *arguments)
    assert [p.name for p in tmp_path.iterdir()] == ["there.csv"] and (tmp_path / "there.csv").read_text() == "mine"


def images(place, counts):
    """A folder of images for each class, as many as are asked for."""
    for name, count in counts.items():
        (place / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (40, 50), (len(name), 90 * i, 20)).save(place / name / f"{i}, a.png")
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return images(tmp_path_factory.mktemp("images"), {"n01443537": 2, "n02102040": 2})


def test_evaluate_prints_and_writes(mobile, folder, tmp_path, run):
    arguments = ("evaluate", *mobile, "--data", folder)
    document = json.loads(run(*arguments, "--json", "-o", tmp_path / "a.csv")[1])
    assert document["networks"][0]["n"] == 4 and document["comparison"] is None
    # The folders' names say which classes they are.
    table = pd.read_csv(tmp_path / "a.csv")
    assert table.label.tolist() == [1, 1, 217, 217]
    assert table.file.tolist() == [f"{name}/{i}, a.png" for name in ("n01443537", "n02102040") for i in (0, 1)]
    assert any("named by ImageNet's identifiers" in note for note in document["notes"])
    assert "agreement 100.00%" in run(*arguments, "--against-weights", mobile[-1])[1]
    # The images of a package have their names.
    assert run("evaluate", *mobile, "-o", tmp_path / "b.csv")[0] == 0
    table = pd.read_csv(tmp_path / "b.csv")
    assert [int(file.removesuffix(".jpg").rpartition("_")[2]) for file in table.file] == table.label.tolist()
    assert table.file.nunique() == 20


@pytest.fixture
def numbered(tmp_path):
    """A network of twelve classes that answers 10 whatever it sees, and folders 0 to 11: five images in folder 10, one in each other."""
    network = timm.create_model("mobilenetv3_small_050", num_classes=12)
    with torch.no_grad():
        network.classifier.weight.zero_(), network.classifier.bias.zero_()
        network.classifier.bias[10] = 9.0
    save_file(network.state_dict(), tmp_path / "ten.safetensors")
    images(tmp_path / "data", {str(number): 5 if number == 10 else 1 for number in range(12)})
    (tmp_path / "data" / "3" / "list.txt").write_text("")
    return "evaluate", "mobilenetv3_small_050", "--weights", tmp_path / "ten.safetensors", "--data", tmp_path / "data"


def test_evaluate_follows_the_numbers_of_folders_and_says_what_it_skips(numbered, tmp_path, run):
    document = json.loads(run(*numbered, "--json", "-o", tmp_path / "a.csv")[1])
    assert document["networks"][0]["top1"] == 5 / 16
    assert any("10 is class 10" in note or "11 is class 11" in note for note in document["notes"])
    assert any(
        "1 files in the folders of classes, of kinds that are not read, were skipped (1 .txt)" in note
        for note in document["notes"]
    )
    table = pd.read_csv(tmp_path / "a.csv")
    assert [int(file.partition("/")[0]) for file in table.file] == table.label.tolist() and table.file[0] == "0/0, a.png"


def test_a_file_says_which_class_each_folder_is(numbered, tmp_path, run, refuses):
    names = [str(number) for number in range(12)]
    names[10], names[3] = names[3], names[10]
    (tmp_path / "classes.txt").write_text("\n".join(names))
    printed = run(*numbered, "--classes", tmp_path / "classes.txt")[1]
    assert "top-1 6.25%" in printed
    assert f"note: classes: 12 folders have the classes that {tmp_path / 'classes.txt'} says" in printed
    refuses("gone.txt cannot be read", *numbered, "--classes", tmp_path / "gone.txt")
    without = ("--classes", tmp_path / "classes.txt", "--data", "imagenet-samples")
    refuses("--classes is given, and imagenet-samples has no folders of classes", *numbered, *without)
    refuses("--data imagenet-samples has 1000 classes and mobilenetv3_small_050 knows 12", *numbered, *without[2:])
    (tmp_path / "data" / "cat").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "data" / "cat" / "0.png")
    refuses("13 class folders and the network knows 12 classes", *numbered)


def test_evaluate_beside_replaced_filters(mobile, folder, tmp_path, run):
    arguments = ("evaluate", *mobile, "--data", folder, "--replace", "random", "--recalibrate", folder)
    out = run(*arguments, "-o", tmp_path / "a.json")[1]
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["comparison"]["kl_nats"] > 0 and len(document["networks"]) == 2
    assert "batch norms were estimated anew" in out and "McNemar" in out and "11 layers" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--replace", "best"), "unknown mode 'best'"),
        (("--replace", "unit", "--against", "convnext_atto"), "both --replace and --against"),
        (("--recalibrate", "photographs"), "--recalibrate is given without --replace"),
        (("--batch-size", "0"), "--batch-size is '0'"),
        (("--amp", "int8"), "unknown amp 'int8'"),
        (("--data", "nowhere"), "nowhere is not there"),
        (("--split", "dev"), "unknown split 'dev'"),
        (("--device", "gpu9"), "device is 'gpu9'"),
        (("--device", "meta"), "device is 'meta': expected cpu, cuda (cuda:1, ...) or mps"),
        (("--data", "fashion-mnist"), "--data fashion-mnist has 10 classes and mobilenetv3_small_050 knows 1000: expected"),
        (("--method", "D1"), "--method is given without --replace"),
        (("--seed", "0"), "--seed is given without --replace"),
        (("--split", "val"), "--split is given, and imagenet-samples has no splits"),
        (("--split", "train", "--data", "."), "--split is given, and . has no splits"),
        (("--split", "train", "--data", "imagefolder:."), "--split is given, and imagefolder:. has no splits"),
        (("-o", "a.npy"), "a.npy: expected a name that ends in .json or .csv"),
    ],
)
def test_wrong_options_of_evaluate_are_one_line(mobile, arguments, message, tmp_path, monkeypatch, refuses):
    monkeypatch.chdir(tmp_path)
    refuses(message, "evaluate", *mobile, *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--amp", "int8"), "unknown amp 'int8'"),
        (("--device", "gpu9"), "device is 'gpu9'"),
        (("--split", "dev"), "unknown split 'dev'"),
        (("--data", ".", "--classes", "gone.txt"), "gone.txt cannot be read"),
    ],
)
def test_evaluate_looks_at_its_options_before_it_loads_a_network(arguments, message, refuses):
    refuses(message, "evaluate", "no_such_network", *arguments)


def test_recalibration_mixes_the_classes(tmp_path):
    """Of a folder, whose images come class by class: each batch of 16 has some of both classes."""
    for k, name in enumerate(("cat", "dog")):
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(32):
            Image.new("RGB", (8, 8), (200 * k, 0, 0)).save(tmp_path / "train" / name / f"{i}.png")
    loaded = load_model("mobilenetv3_small_050", num_classes=2)
    first = _first_images(str(tmp_path), loaded, 64)
    bright = torch.tensor([float(first[i][0][0].mean()) for i in range(64)]).reshape(4, 16)
    share = (bright > bright.mean()).float().mean(1)
    assert len(first) == 64 and ((share > 0.1) & (share < 0.9)).all()


def test_recalibration_needs_no_classes(tmp_path, run):
    """One folder to recalibrate a network of two classes: only its images are looked at."""
    images(tmp_path, {"train/cat": 1, "val/cat": 1, "val/dog": 1})
    arguments = ("evaluate", *stored(tmp_path / "two.safetensors", 2), "--data", tmp_path, "--split", "val")
    out = run(*arguments, "--replace", "unit", "--recalibrate", tmp_path)[1]
    assert "batch norms were estimated anew" in out
