"""The interactive page: its formulas in node against the library, its data, what it says to bad input, its text."""

import base64
import json
import re
import shutil
from pathlib import Path

import lxml.html
import numpy as np
import pytest
import yaml
from each import each
from scipy import ndimage

import keyfilters as kf
from keyfilters.filters import KEYS
from keyfilters.fitting.problem import largest_scale
from keyfilters.gaussian import discrete_gaussian, scale_derivative
from keyfilters.images import photographs
from keyfilters.models import factor
from keyfilters.networks.surgery import scale_fits
from keyfilters_build.interactive import (
    INTERACTIVE_PAGES,
    LEVEL,
    PHOTOGRAPH,
    PHOTOGRAPHS,
    grey_photographs,
    interactive_data,
    workbench_data,
    write_interactive,
)
from keyfilters_build.project import Project

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "book" / "interactive"
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.iterdir())}
EDGES = ("crop", "exact")
SIGMAS = (0.0, 1e-9, 1e-3, 0.05, 0.36, 0.5, 0.6753, 0.9, 1.0, 1.3876, 2.0, 2.71, 3.0, 3.5)


@pytest.fixture(scope="session")
def data():
    return interactive_data()


def close(found, expected, room):
    np.testing.assert_allclose(found, expected, rtol=0, atol=room)


def test_kernels_and_factors_agree(node, data):
    cases = [{"sigma": s, "radius": 4, "order": order} for s in SIGMAS for order in (0, 1)]
    for case, found in zip(cases, node("gaussians", cases=cases), strict=True):
        expected = discrete_gaussian(case["sigma"], 5)
        close(found, expected[1:-1] if case["order"] == 0 else scale_derivative(expected), 1e-14)
    cases = [{"row": row, "sigmaX": s, "sigmaY": s, "edge": edge} for row in data["keys"] for s in SIGMAS for edge in EDGES]
    for case, found in zip(cases, node("factors", cases=cases), strict=True):
        kernel = discrete_gaussian(case["sigmaX"], 4)
        close(found, [factor(case["row"][axis], kernel, case["edge"]) for axis in "xy"], 1e-14)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("key", range(1, 9))
def test_models_agree_to_twelve_decimals(node, data, key, edge):
    gammas = (-1.0, 0.0, 0.3, 0.5257, 3.0) if key == 7 else (None,)
    cases = [
        {"row": data["keys"][key - 1], "sigmaX": x, "sigmaY": y, "gamma": gamma, "edge": edge}
        for x in SIGMAS for y in SIGMAS for gamma in gammas
    ]  # fmt: skip
    expected = [kf.ideal_filter(key, c["sigmaX"], c["sigmaY"], gamma=c["gamma"], edge=edge).ravel() for c in cases]
    close(node("models", cases=cases), expected, 1e-12)


def test_spread_measures_and_distances_agree(node, data):
    rng = np.random.default_rng(3)
    filters = [*np.array(data["normalized"]), *rng.normal(size=(4, 49))]
    weights = [None, *data["templates"]]
    cases = [{"filter": f.tolist(), "weight": w} for f in filters for w in weights]
    for case, found in zip(cases, node("spreads", cases=cases), strict=True):
        spread = kf.spread(*(part and np.reshape(part, (7, 7)) for part in (case["filter"], case["weight"])))
        (xx, xy), (_, yy) = spread.covariance
        close([found["l1"], *found["mean"], *found["covariance"]], [spread.l1_norm, *spread.mean, xx, xy, yy], 1e-12)
    fits = [kf.fit(row.number, "D1") for row in KEYS]
    cases = [{"model": f.model().ravel().tolist(), "target": t} for f, t in zip(fits, data["normalized"], strict=True)]
    for fit, found in zip(fits, node("distances", cases=cases), strict=True):
        expected = [fit.objective, fit.relative_l1, fit.relative_l2, fit.cosine]
        close([found["l2"] ** 2, found["relativeL1"], found["relativeL2"], found["cosine"]], expected, 1e-12)


def test_the_convolution_of_the_image_and_the_limits_of_the_fits_agree(node):
    rng = np.random.default_rng(4)
    image, h = rng.normal(size=(11, 15)), rng.normal(size=(7, 7))
    case = {"image": image.ravel().tolist(), "width": 15, "height": 11, "filter": h.ravel().tolist()}
    # Turning the y axis of image and filter round leaves a convolution as it is.
    close(node("convolutions", cases=[case])[0], ndimage.convolve(image, h, mode="nearest").ravel(), 1e-12)
    limits = {"top": {"free": scale_fits.sigma_max(7), "unit": largest_scale(7)}, "gamma": scale_fits.GAMMA_MAX}
    assert node("limits") == limits


def hard_filters(data):
    noise = np.random.default_rng(5).normal(size=(4, 49)).tolist()
    return [*data["normalized"], *noise, kf.ideal_filter(5, 3.0).ravel().tolist(), [-x for x in data["learned"][2]]]


@pytest.mark.parametrize("edge", EDGES)
def test_fits_by_method_d1_agree(node, data, edge):
    """Objective to 1e-12, scales and gamma to 1e-6 (flat valleys: the objective is quadratic in them)."""
    filters = hard_filters(data)
    cases = [{"filter": f, "objective": "unit", "edge": edge} for f in filters]
    for f, answer in zip(filters, node("fits", rows=data["keys"], cases=cases), strict=True):
        for found in answer["fits"]:
            fit = kf.fit(found["key"], "D1", filter=np.reshape(f, (7, 7)), normalized=True, edge=edge)
            assert found["residual"] == pytest.approx(fit.objective, abs=1e-12)
            if fit.converged:
                assert [found["sigmaX"], found["sigmaY"]] == pytest.approx([fit.sigma_x, fit.sigma_y], abs=1e-6)
                assert fit.gamma is None or found["gamma"] == pytest.approx(fit.gamma, abs=1e-6)


def test_fits_with_gain_and_offset_agree(node, data):
    """Never worse than the library's local search; equal scales to 1e-4 where equally good to 1e-10."""
    filters = hard_filters(data)
    cases = [{"filter": f, "objective": "free", "edge": "crop"} for f in filters]
    same = 0
    for f, answer in zip(filters, node("fits", rows=data["keys"], cases=cases), strict=True):
        repeated = np.repeat(np.reshape(f, (1, 7, 7)), 8, axis=0)
        own = scale_fits.fit_scales(repeated, np.arange(1, 9), np.full(8, 0.7), np.full(8, 0.7), np.full(8, 0.5))
        for i, found in enumerate(answer["fits"]):
            assert found["explained"] >= own.explained[i] - 1e-10
            if own.explained[i] > 0.3 and found["explained"] < own.explained[i] + 1e-10:
                same += 1
                theirs = [own.sigma_x[i], own.sigma_y[i], own.gain[i], own.offset[i]]
                assert [found[n] for n in ("sigmaX", "sigmaY", "gain", "offset")] == pytest.approx(theirs, abs=1e-4)
        assert answer["best"]["explained"] == max(found["explained"] for found in answer["fits"])
    assert same > 20


@pytest.mark.parametrize("objective", ["free", "unit"])
def test_an_idealised_filter_is_recovered_whatever_its_size_and_nothing_is_not(node, data, objective):
    truth = [(k, 0.31 + 0.1 * k, 1.2 - 0.09 * k, 0.6 if k == 7 else None) for k in range(1, 9)]
    gains, offset = ([1e-3, 1, 1e6], 0.25) if objective == "free" else ([1], 0.0)
    if objective == "unit":
        truth[6] = (7, 0.8, 0.8, 0.6)
    cases = [(gain, *row) for gain in gains for row in truth]
    filters = [(gain * (kf.ideal_filter(k, x, y, gamma=g) + offset)).ravel().tolist() for gain, k, x, y, g in cases]
    asked = [{"filter": f, "objective": objective, "edge": "crop"} for f in [*filters, [offset] * 49]]
    *answers, nothing = node("fits", rows=data["keys"], cases=asked)
    assert nothing is None
    for (gain, key, x, y, gamma), answer in zip(cases, answers, strict=True):
        best = answer["best"]
        assert best["key"] == key and best["explained"] == pytest.approx(1, abs=1e-12)
        found = [best["sigmaX"], best["sigmaY"], best["gain"] / gain, best["offset"] / gain, best["gamma"] or 0]
        assert found == pytest.approx([x, y, 1, offset, gamma or 0], abs=1e-9)


def line(values, separator=","):
    return "\n".join(separator.join(map(str, row)) for row in np.reshape(values, (7, 7)))


def test_texts_of_a_filter_are_read(node):
    values = np.round(np.random.default_rng(6).normal(size=49), 3)
    square = values.reshape(7, 7)
    texts = [*(line(values, separator) for separator in ", \t;"), " ".join(map(str, values)), str(square)]
    texts += ["array(" + repr(square.tolist()).replace("], ", "],\n") + ")", line(values).replace("-", "\u2212")]
    texts += [line(values).replace("\n", ",\r\n") + "\n\n"]
    assert node("texts", cases=texts) == [{"filter": values.tolist(), "side": 7}] * len(texts)


@each("side", [3, 5])
def test_a_smaller_filter_stands_in_the_middle_of_zeros(node, side):
    values = np.arange(1.0, side * side + 1).reshape(side, side)
    texts = "\n".join(" ".join(map(str, row)) for row in values), ",".join(map(str, values.ravel()))
    expected = {"filter": np.pad(values, (7 - side) // 2).ravel().tolist(), "side": side}
    assert node("texts", cases=texts) == [expected, expected]


def sampled(case, axis, operator):
    """A factor of a model with the sampled Gaussian."""
    sigma, edge = case[f"sigma{axis.upper()}"], case["edge"]
    if case["row"]["number"] == 7 and operator == "second" and edge == "crop":  # zeros beyond the window, as published
        return kf.difference(kf.gaussian_kernel(sigma, 3, kind="sampled"), "second", edge="zero")
    return factor(operator, kf.gaussian_kernel(sigma, 4, kind="sampled"), edge)


def test_models_with_the_sampled_gaussian_agree(node, data):
    cases = [
        {"row": row, "sigmaX": x, "sigmaY": 0.7, "gamma": 0.5 if row["number"] == 7 else None, "edge": edge, "sampled": True}
        for row in data["keys"] for edge in EDGES for x in (0.1, 0.4, 1.0, 3.5)
    ]  # fmt: skip
    for case, found in zip(cases, node("models", cases=cases), strict=True):
        row = case["row"]
        if row["number"] == 7:
            parts = ("second", "identity"), ("identity", "second")
            expected = -0.5 * sum(np.outer(sampled(case, "y", one)[::-1], sampled(case, "x", other)) for one, other in parts)
            expected[3, 3] += 1
        else:
            expected = np.outer(sampled(case, "y", row["y"])[::-1], sampled(case, "x", row["x"]))
        close(found, expected.ravel(), 1e-13)


def test_spectra_and_gains_agree(node, data):
    filters = [*data["normalized"], *np.random.default_rng(8).normal(size=(2, 49)).tolist()]
    w, n = np.linspace(-np.pi, np.pi, 9), np.arange(-3, 4)
    waves = np.exp(-1j * np.outer(w, n))
    expected = [np.abs(waves[::-1] @ np.reshape(h, (7, 7))[::-1] @ waves.T).ravel() for h in filters]
    close(node("spectra", cases=[{"filter": h, "n": 9} for h in filters]), expected, 1e-12)
    keys = np.array([kf.fit(key, "D1").model().ravel() for key in range(1, 9)])
    found = node("gains", cases=[{"filters": keys.tolist(), "target": h} for h in filters])
    close(found, np.linalg.lstsq(keys.T, np.transpose(filters), rcond=None)[0].T, 1e-9)


COVARIANCES = [
    (s, t, angle) for s, t in ((0, 0), (0.7, 0.7), (1.5, 0.6), (3.5, 0.0), (0.4, 2.0)) for angle in (0, 30, 45, 90, 137)
]


def affine(case):
    """Covariance of (sigma along, sigma across, degrees), and the least coupling with taps >= 0, or else without waves that grow."""
    c = kf.affine_covariance(case[0], case[1], np.deg2rad(case[2]))
    return c, abs(c[0, 1])


def forms(node, data, name, key, settings, names=("sx", "sy", "angle", "border")):
    """What the page makes of a model for settings."""
    given = {"form": name, "row": data["keys"][key - 1], "target": data["normalized"][key - 1]}
    settings = [{"gamma": 0.5} | dict(zip(names, setting, strict=True)) for setting in settings]
    return node("forms", cases=[given | {"setting": setting} for setting in settings])


def test_affine_gaussians_and_derivatives_along_any_direction_agree(node, data):
    cases = [{"covariance": affine(c)[0].ravel()[[0, 1, 3]].tolist(), "radius": 4} for c in COVARIANCES]
    settings = [(*case, "crop") for case in COVARIANCES]
    first, second, blob = (forms(node, data, name, 5, settings) for name in ("first", "second", "affine"))
    for i, found in enumerate(node("affine", cases=cases)):
        covariance, angle = affine(COVARIANCES[i]), np.deg2rad(COVARIANCES[i][2])
        close(found, kf.affine_gaussian(*covariance, radius=4).ravel(), 1e-13)
        close(first[i]["filter"], kf.oriented_filter(1, angle, *covariance).ravel(), 1e-13)
        close(second[i]["filter"], kf.oriented_filter(2, angle, *covariance).ravel(), 1e-13)
        close(blob[i]["filter"], kf.jet_filters(*covariance)["T"].ravel(), 1e-13)
    settings = [(x, y, 0, "exact") for x in (0.0, 0.6, 2.0) for y in (0.3, 1.1)]
    for (x, y, *_), found in zip(settings, forms(node, data, "mixed", 7, settings), strict=True):
        close(found["filter"], kf.jet_filters(np.diag([x**2, y**2]), 0.0)["xy"].ravel(), 1e-13)


def blobs(node, data, key, edge, scales):
    """What the page makes of a key with a blob and a constant at (sigma_x, sigma_y, gamma)."""
    settings = [(*setting, edge) for setting in scales]
    return forms(node, data, "components", key, settings, ("sx", "sy", "gamma", "border"))


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("key", [1, 2, 3, 4, 5, 6, 8])
def test_a_key_with_a_blob_agrees(node, data, key, edge):
    """At the scales that the build wrote: those, the coefficients and the sum of the library's fit, and the least that is left."""
    best = kf.fit_components(key, "blob and constant", edge=edge)
    x, y, gamma = workbench_data()["components"][edge][key - 1]
    assert (x, y, gamma) == (*best.sigmas, None)
    near = [(x + dx, y + dy, None) for dx, dy in ((0, 0), (0.02, 0), (0, 0.02), (-0.02, 0), (0, -0.02))]
    found, *others = blobs(node, data, key, edge, near)
    close(found["filter"], best.model.ravel(), 1e-9)
    own, *_ = best.coefficients.values()
    assert [found["a"], found["b"]] == pytest.approx([own, best.coefficients["constant"]], abs=1e-9)
    assert found["c"] is None if key == 8 else found["c"] == pytest.approx(best.coefficients["T"], abs=1e-9)
    target = np.array(data["normalized"][key - 1])
    left = [((f["filter"] - target) ** 2).sum() / (target**2).sum() for f in (found, *others)]
    assert left[0] == pytest.approx(best.left, abs=1e-12) and min(left[1:]) > left[0]


@pytest.mark.parametrize("edge", EDGES)
def test_key_7_with_a_blob_is_the_best_at_its_scales(node, data, edge):
    """At those of method D1; and where two parts are the same, an impulse at scale 0, they share one gain."""
    start = workbench_data()["components"][edge][6]
    fit = kf.fit(7, "D1", edge=edge)
    assert start == [fit.sigma_x, fit.sigma_y, fit.gamma]
    target = np.array(data["normalized"][6])
    for scales, found in zip((start, (0, 0, 0)), blobs(node, data, 7, edge, [start, (0, 0, 0)]), strict=True):
        x, y, gamma = scales
        parts = kf.ideal_filter(7, x, y, gamma=gamma, edge=edge), kf.ideal_filter(8, x, y, edge=edge), np.ones((7, 7))
        design = np.reshape(parts, (3, 49)).T
        expected = design @ np.linalg.lstsq(design, target, rcond=1e-10)[0]
        close(found["filter"], expected, 1e-10)


def fits_of(method, edge):
    """Key -> fit by a method of one key or of all together."""
    return kf.fit_joint(method, edge=edge) if "joint" in method else {k: kf.fit(k, method, edge=edge) for k in range(1, 9)}


SHORT = {"sx": "sigma_x", "sy": "sigma_y", "gamma": "gamma"}
JOINT = ["A-joint", "B-joint", "C-joint", "D-joint"]


def test_the_data_the_fits_and_their_intervals_are_those_of_the_library(data):
    assert np.array_equal(np.reshape(data["learned"], (8, 7, 7)), kf.learned_filters())
    assert np.array_equal(np.reshape(data["normalized"], (8, 7, 7)), kf.normalized_filters())
    assert len(data["colours"]) == 11
    assert max(data["colours"][5]) - min(data["colours"][5]) <= 1, "the middle of the diverging colours is not neutral"
    bench = workbench_data()
    assert bench["level"] == LEVEL == 0.95 and list(data["presets"]) == list(bench["intervals"]) == list(EDGES)
    for edge, methods in data["presets"].items():
        intervals = bench["intervals"][edge]
        assert list(methods) == ["A", "B", "C1", "C2", "D1", "D2", *JOINT]
        assert list(intervals) == ["A", "B", "D1", "D2", "A-joint", "B-joint", "D-joint"]
        for method, shown in methods.items():
            fits = fits_of(method, edge)
            assert shown == [[fits[key].sigma_x, fits[key].sigma_y, fits[key].gamma] for key in range(1, 9)], (edge, method)
            assert all(0 <= scale <= 3.5 for x, y, _ in shown for scale in (x, y))
            for key in (2, 7) if method in intervals else ():
                own = intervals[method][key - 1]
                assert {SHORT[name]: tuple(ends) for name, ends in own.items()} == fits[key].interval(LEVEL), (
                    edge,
                    method,
                    key,
                )
                assert (own.get("gamma") is None) == (key == 2)


def test_the_photographs_are_those_of_the_library():
    shown = grey_photographs()
    assert list(shown) == ["cat", "camera", "astronaut"]
    for name, data in shown.items():
        picture = np.frombuffer(base64.b64decode(data), dtype=np.uint8).reshape(PHOTOGRAPH, PHOTOGRAPH)
        source = photographs([PHOTOGRAPHS[name]])[PHOTOGRAPHS[name]]
        side = min(source.shape[:2])
        top, left = ((n - side) // 2 for n in source.shape[:2])
        grey = source[top : top + side, left : left + side] @ [0.299, 0.587, 0.114]
        assert abs(picture.mean() - grey.mean()) < 1 and picture.std() > 0.8 * grey.std()


@each(
    "text, expected",
    [
        ("  \n", "the text is empty: paste 7 rows of 7 numbers"),
        ("1 2\n4 5", "the text has 2 rows: expected 3, 5 or 7"),
        ("1 2 3\n4 5\n7 8 9", "row 2 has 2 numbers: expected 3"),
        (line(range(49)).replace("30,", ""), "row 5 has 6 numbers: expected 7"),
        (line(range(49)).replace("30,", "x30,"), "row 5, column 3: “x30” is not a number; write it like 0.25"),
        (line(range(49)).replace("30,", ","), "row 5, column 3 is empty: write 0 or the missing number"),
        (line(range(49)).replace("30,", "nan,"), "row 5, column 3: “nan” is not a number; write it like 0.25"),
        (line(range(49)).replace("30,", "1e9,"), "row 5, column 3: 1e9 is too large; divide the filter by a constant"),
        (line(["0,5"] * 49, ", "), "row 1 has 14 numbers: expected 7; write decimals with a point"),
    ],
)
def test_bad_texts_get_one_line_that_names_the_place_and_the_mend(node, text, expected):
    assert node("texts", cases=[text]) == [{"problem": expected}]


def test_the_settings_to_try_can_be_read(node):
    settings = lxml.html.fromstring(SOURCES["settings.html"]).xpath("//@data-setting")
    assert settings and not any(found["problems"] for found in node("addresses", cases=[f"#{s}" for s in settings]))


@each(
    "address, settings, problems",
    [
        ("", {}, 0),
        ("#shape-a-key", {}, 0),
        ("#key=5&sx=0.8&sy=.7&border=exact", {"key": 5, "sx": 0.8, "sy": 0.7, "border": "exact"}, 0),
        ("#key=7&gamma=-0.5", {"key": 7, "gamma": -0.5}, 0),
        ("#key=9&sx=0.8", {"sx": 0.8}, 1),
        ("#sx=&sy=1e99&gamma=0x10&border=none&key=5.0", {}, 5),
        ("#key=5&sx=4&sigma=1&constructor=1", {"key": 5}, 3),
        ("#key=5&sx=%E0%A4", {"key": 5}, 1),
        ("#key=5&model=second&angle=-22.5", {"key": 5, "model": "second", "angle": -22.5}, 0),
        ("#key=5&model=blob&angle=200", {"key": 5}, 2),
        (
            "#key=5&kernel=sampled&image=made&fit=unit-exact",
            {"key": 5, "kernel": "sampled", "image": "made", "fit": "unit-exact"},
            0,
        ),
        ("#gains=1,2,3,4,5,6,7,-8", {"gains": [1, 2, 3, 4, 5, 6, 7, -8]}, 0),
        ("#gains=1,2&filter=1,2,x&image=own&kernel=none", {}, 4),
    ],
)
def test_the_address_is_read_and_what_is_wrong_is_named(node, address, settings, problems):
    [found] = node("addresses", cases=[address])
    assert found["settings"] == settings and len(found["problems"]) == problems
    assert all(" in the address is ignored: expected " in text for text in found["problems"])


def test_the_page_is_written_whole_and_left_alone_when_nothing_changed(tmp_path):
    project = Project(tmp_path)
    shutil.copytree(FOLDER, project.book / "interactive")
    write_interactive(project)
    targets = {page: project.generated / f"{page}.html" for page in INTERACTIVE_PAGES}
    for page, target in targets.items():
        text, kinds = target.read_text(encoding="utf-8"), [Path(name).suffix for name in INTERACTIVE_PAGES[page]]
        assert [text.count(f"</{tag}>") for tag in ("style", "script")] == [kinds.count(".css"), 1 + kinds.count(".js")]
        written = json.loads(re.search(r"KeyFilters = \{data: (.*)\};$", text, re.M)[1])
        assert written == interactive_data() | (workbench_data() if page == "interactive" else {})
    before = [target.stat().st_mtime_ns for target in targets.values()]
    write_interactive(project)
    assert [target.stat().st_mtime_ns for target in targets.values()] == before


def test_no_fitted_value_is_typed_nothing_comes_from_another_host_and_no_file_is_long(data):
    fitted = {x for methods in data["presets"].values() for fits in methods.values() for fit in fits for x in fit if x}
    digits = {f"{x % 1:.3f}"[1:] for x in fitted}
    assert {name for names in INTERACTIVE_PAGES.values() for name in names} == {
        name for name in SOURCES if not name.endswith(".html")
    }
    for name, text in SOURCES.items():
        assert not name.endswith(".js") or not digits & set(re.findall(r"\d*(\.\d{3})", text)), name
        assert "://" not in text and "@import" not in text, name
        assert not re.search(r"\b(fetch|import|XMLHttpRequest|eval)\(", text), name
        assert text.count("\n") <= (400 if name.endswith(".css") else 300), name


def test_every_control_has_a_name_and_every_id_that_a_script_uses_is_there():
    html = "".join(text for name, text in SOURCES.items() if name.endswith(".html"))
    tree = lxml.html.fromstring(f"<div>{html}</div>")
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    labelled = set(tree.xpath("//label/@for"))
    assert labelled <= set(ids)
    for control in tree.xpath("//input | //select | //textarea"):
        assert control.get("aria-label") or control.get("id") in labelled, control.get("id")
    used = {name for text in SOURCES.values() for name in re.findall(r'byId\("([\w-]+)"\)', text)}
    # The build gives the style that goes into a saved report its name.
    assert "ki-style" in used and used - {"ki-style"} <= set(ids)


def test_the_pages_are_in_the_contents_and_embed_their_parts():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    listed = {chapter["file"] for part in toc["parts"] for chapter in part["chapters"]}
    texts = {name: (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8") for name in INTERACTIVE_PAGES}
    embedded = {name: re.findall(r"^:file: (\S+)$", text, re.M) for name, text in texts.items()}
    assert set(INTERACTIVE_PAGES) <= listed and all(files[0] == f"_generated/{name}.html" for name, files in embedded.items())
    parts = {f"interactive/{name}" for name in SOURCES if name.endswith(".html")}
    assert parts == {file for files in embedded.values() for file in files[1:]}
