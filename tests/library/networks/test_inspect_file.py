"""keyfilters inspect FILE: any file of weights, no architecture, nothing executed."""

import base64
import hashlib
import io
import json
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
from bs4 import BeautifulSoup
from each import each
from PIL import Image
from refusals import refused

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402
from weight_files import CHAINS, onnx_beside, onnx_chain  # noqa: E402

from keyfilters import ideal_filter  # noqa: E402
from keyfilters.networks import ScaleSpaceConv2d, inspect_file, inspect_model, key_filters, match, replace  # noqa: E402
from keyfilters.networks.zoo.checkpoints import write_weights  # noqa: E402


class OfOneInput(nn.ModuleList):
    """The sum of what several layers make of one image."""

    def forward(self, x):
        return sum(layer(x) for layer in self)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    layers = {
        "stem": nn.Conv2d(3, 16, 3),
        "first": nn.Conv2d(16, 16, 7, stride=2, padding=3, groups=16),
        "second": nn.Conv2d(16, 16, (1, 5), padding=(0, 2), groups=16, bias=False),
        "third": nn.Conv2d(16, 16, 4, groups=16),
        "point": nn.Conv2d(16, 4, 1),
    }
    return nn.Sequential(OrderedDict(layers)).eval()


def saved(network, path):
    state = network.state_dict()
    if path.suffix == ".safetensors":
        write_weights(state, path)
    elif path.suffix == ".npz":
        np.savez(path, **{n: v.numpy() for n, v in state.items()})
    elif path.suffix == ".onnx":
        torch.onnx.export(network, (torch.zeros(1, 3, 40, 40),), str(path), dynamo=False)
    else:
        torch.save({"epoch": 1, "net": state, "best": np.float64(1)}, path)
    return path


@pytest.mark.filterwarnings("ignore")
@each("suffix", [".safetensors", ".pth", ".npz", ".onnx"])
def test_a_file_gives_the_report_of_its_network(tmp_path, network, suffix):
    found = inspect_file(saved(network, tmp_path / f"x{suffix}"), draws=3)
    right = inspect_model(network, draws=3)
    numbers = [
        "size",
        "channels",
        "dead",
        "explained",
        "explained_mean",
        "null_random",
        "null_gaussian",
        "null_lines",
        *(f"key_{k}" for k in range(1, 9)),
    ]
    ours, theirs = found.frame(), right.frame()
    assert ours[numbers].round(6).astype(str).values.tolist() == theirs[numbers].round(6).astype(str).values.tolist()
    for one, other in zip(found.layers, right.layers, strict=True):
        np.testing.assert_allclose(one.match.explained, other.match.explained, atol=1e-6)
        assert one.match.key.tolist() == other.match.key.tolist()
    assert [m.note for m in found.not_matched] == ["kernel of even size (4x4)"]
    known = suffix == ".onnx"
    assert ours.stride.tolist() == (["2x2", "1x1", "1x1"] if known else [""] * 3)
    assert ours.padding.tolist() == (["3x3", "0x2", "0x0"] if known else [""] * 3)
    if known:
        assert ours.grid_x[0] == theirs.grid_x[0] == 0.5
    else:
        assert ours.layer.tolist() == ["first", "second", "third"] and np.isnan(ours.grid_x[0])
    found.write(tmp_path / "r.html", force=True)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert found.answer in page and "<script" not in page


def test_the_answer_is_the_share_of_all_filters(tmp_path):
    keys = key_filters("B")
    filters = np.concatenate([3.0 * keys, -keys])
    write_weights({"dw.weight": torch.from_numpy(filters[:, None])}, tmp_path / "x.safetensors")
    found = inspect_file(tmp_path / "x.safetensors", nulls="random", draws=3)
    assert found.answer.startswith(
        "The 8 keys explain 100 % of the 16 filters in 1 layers of x.safetensors; as many random filters "
    )
    assert found.frame()[[f"key_{k}" for k in range(1, 9)]].values.tolist() == [[2] * 8]
    assert (
        found.warning == ""
        and str(found).startswith(found.answer[:60])
        and " ".join(str(found).split()).endswith(found.answer[-40:])
    )


def test_scales_and_rank_are_those_of_the_filters(tmp_path):
    """Planted: each key at scales of its own, so the fitted ones are known, and of eight different filters the rank."""
    rng = np.random.default_rng(0)
    wide = np.array([ideal_filter(k, 0.9, 0.5, gamma=0.4 if k == 7 else None, size=7) for k in range(1, 9)])
    filters = np.concatenate([gain * wide + 0.1 for gain in rng.uniform(0.5, 2.0, 6)])
    write_weights({"dw.weight": torch.from_numpy(filters[:, None])}, tmp_path / "x.safetensors")
    found = inspect_file(tmp_path / "x.safetensors", nulls="none")
    row = found.frame().iloc[0]
    bare = filters.reshape(len(filters), -1) - filters.reshape(len(filters), -1).mean(1, keepdims=True)
    held = np.cumsum(np.linalg.eigvalsh(bare.T @ bare)[::-1]) / (bare**2).sum()
    assert row["rank"] == (held < 0.99).sum() + 1 <= 8
    assert row.explained < 0.999 < row.explained_fitted == pytest.approx(1.0, abs=1e-6)
    assert (row.sigma_x, row.sigma_y) == (pytest.approx(0.9, abs=1e-3), pytest.approx(0.5, abs=1e-3))
    document = found.document()
    assert {"sigma_x", "sigma_y", "explained_fitted", "rank", "shift_x", "key_1"} <= document["layers"][0].keys()
    assert {row["key"] for row in document["layers"][0]["by_key"]} == set(range(1, 9)) and all(
        row["sigma_x"] for row in document["layers"][0]["by_key"]
    )
    assert (
        document["answer"] == found.answer
        and document["sha256"] == hashlib.sha256((tmp_path / "x.safetensors").read_bytes()).hexdigest()
    )
    # With filters of one's own there is no key whose scales could be fitted.
    assert np.isnan(inspect_model(nn.Conv2d(8, 8, 7, groups=8), wide, nulls="none").frame().sigma_x[0])


def test_random_weights_do_not_pass_without_a_remark(tmp_path):
    torch.manual_seed(0)
    found = inspect_model(nn.Conv2d(256, 256, 7, groups=256), nulls="random,gaussian,lines", draws=20)
    assert found.warning.startswith("Warning: that is no more than the nulls reach by chance (") and found.warning in " ".join(
        str(found).split()
    ).replace("  ", " ")
    found.write(tmp_path / "x.html")
    assert found.warning in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_the_page_shows_every_filter_of_a_key(tmp_path):
    torch.manual_seed(0)
    conv = nn.Conv2d(40, 40, 5, groups=40)
    found = inspect_model(conv, nulls="none")
    found.write(tmp_path / "x.html", more={"weights": "file: mine.pth", "date": "2026-01-02", "notes": ["a head"]})
    page = BeautifulSoup((tmp_path / "x.html").read_text(encoding="utf-8"), "html.parser")
    shown = {}
    for folded in page.select("details"):
        image = Image.open(io.BytesIO(base64.b64decode(folded.img["src"].partition(",")[2]))).convert("RGB")
        pixels = np.asarray(image).astype(int)
        key = int(folded.summary.text.split()[-1])
        # Tiles of 5 x 5 beside grey lines: the first pixel of each is there or grey.
        tiles = [
            pixels[1 + 6 * (i // 32) : 6 + 6 * (i // 32), 1 + 6 * (i % 32) : 6 + 6 * (i % 32)]
            for i in range(32 * (pixels.shape[0] // 6))
        ]
        shown[key] = sum(not (tile == 128).all() for tile in tiles)
    counts = np.bincount(found.layers[0].match.key, minlength=9)[1:]
    assert shown == {k: n for k, n in enumerate(counts, start=1) if n}
    text = page.get_text(" ")
    assert all(word in text for word in ("file: mine.pth", "2026-01-02", "a head", "correlation"))


def test_the_convention_is_one(tmp_path):
    """The layer, match, replace and the report name an array alike: on the ramp x, key 2 of a network responds with -1."""
    ramp = torch.arange(9.0).expand(1, 1, 9, 9)
    seen = {}
    for key in range(1, 7):
        layer = ScaleSpaceConv2d(2, 5, keys=[key, key], sigma_x=0.6, sigma_y=0.6, bias=False)
        conv = layer.fold()
        file = tmp_path / f"{key}.safetensors"
        write_weights({"dw.weight": conv.weight}, file)
        assert match(conv).layers[0].key.tolist() == [key, key]
        assert inspect_file(file, nulls="none").layers[0].match.key.tolist() == [key, key]
        done = replace(conv, mode="own").model
        x = torch.cat([ramp, ramp.transpose(2, 3).flip(2)], 1)  # x grows to the right, y up
        ours, theirs = (m(x).detach()[0, :, 4, 4] for m in (layer, done))
        assert torch.allclose(ours, theirs, atol=1e-4)
        seen[key] = [round(v, 3) for v in ours.tolist()]
        # A filter that convolves as key 2 is, as an array of the network, called key 4.
        mirrored = nn.Conv2d(2, 2, 5, groups=2)
        mirrored.weight.data = conv.weight.data.flip((2, 3))
        assert match(mirrored).layers[0].key.tolist() == [{1: 3, 2: 4, 3: 1, 4: 2}.get(key, key)] * 2
    along_x, along_y = (2, 4, 5), (1, 3, 6)
    assert all(seen[k][0] < -0.5 and abs(seen[k][1]) < 1e-3 for k in along_x) and all(
        seen[k][1] < -0.5 and abs(seen[k][0]) < 1e-3 for k in along_y
    )


@pytest.mark.filterwarnings("ignore")
def test_branches_in_files_are_said(tmp_path):
    """PP-OCR's learnable layers keep their branches in a checkpoint; in .onnx they are convolutions of one input."""
    state = {f"backbone.blocks2.0.dw_conv.conv_kxk.{i}.conv.weight": torch.randn(16, 1, 3, 3) for i in range(4)}
    torch.save(
        {"state_dict": state | {"backbone.blocks2.0.dw_conv.conv_1x1.conv.weight": torch.randn(16, 1, 1, 1)}},
        tmp_path / "ocr.pth",
    )
    found = inspect_file(tmp_path / "ocr.pth", nulls="none")
    assert (
        len(found.layers) == 4
        and "branches that are merged for deployment" in found.notes[-1]
        and found.notes[-1] in " ".join(str(found).split())
    )
    pair = OfOneInput([nn.Conv2d(8, 8, n, padding=n // 2, groups=8) for n in (5, 3)]).eval()
    torch.onnx.export(pair, (torch.zeros(1, 8, 9, 9),), str(tmp_path / "x.onnx"), dynamo=False)
    assert "convolutions side by side" in inspect_file(tmp_path / "x.onnx", nulls="none").notes[0]


def test_the_command(tmp_path, network, run):
    one, other = saved(network, tmp_path / "one.safetensors"), saved(network, tmp_path / "two.pth")
    out = run("inspect", one, "--nulls", "impulse", "--csv", tmp_path / "a.csv", "--html", tmp_path / "a.html")[1]
    out = " ".join(out.split())
    assert (
        out.startswith("The 8 keys explain ")
        and "one.safetensors (file: " in out
        and "not matched: third: kernel of even size" in out
    )
    assert (tmp_path / "a.csv").read_text().startswith("layer,size") and (tmp_path / "a.html").exists()
    report = json.loads(run("inspect", one, "--nulls", "none", "--json")[1])
    assert [row["layer"] for row in report["layers"]] == ["first", "second", "third"]
    out = " ".join(run("inspect", one, other, "--nulls", "none", "--csv", tmp_path / "b.csv")[1].split())
    # On top, and once more where the terminal ends.
    assert out.count("The 8 keys explain ") == 4 and "two.pth: the weights are those under 'net'" in out
    rows = (tmp_path / "b.csv").read_text().splitlines()
    assert rows[0].startswith("file,layer") and len(rows) == 7
    files = ("--html", tmp_path / "b.html", "-o", tmp_path / "b.json")
    printed = json.loads(run("inspect", one, other, "--nulls", "none", *files, "--json")[1])
    assert printed == json.loads((tmp_path / "b.json").read_text()) and [f["model"] for f in printed] == [
        "one.safetensors",
        "two.pth",
    ]
    # Files of one name are told apart by their folders.
    (tmp_path / "there").mkdir()
    again = saved(network, tmp_path / "there" / "one.safetensors")
    printed = json.loads(run("inspect", one, again, "--nulls", "none", "--json")[1])
    assert [f["model"] for f in printed] == [str(one), str(again)]
    page = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert page.count("The 8 keys explain ") == 2 and "<script" not in page and "two.pth" in page


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, refuses):
    (tmp_path / "x.onnx").write_bytes(b"\x08\x07")
    monkeypatch.setitem(sys.modules, "onnx", None)
    refuses("which is not installed: pip install 'keyfilters[onnx]'\n", "inspect", tmp_path / "x.onnx")


def _normed(make):
    conv = nn.Conv2d(16, 16, 5, groups=16)
    with torch.no_grad():
        conv.weight *= torch.linspace(0.5, 3, 16)[:, None, None, None]
    made = make(conv)
    with torch.no_grad():
        for _ in range(3):
            made(torch.zeros(1, 16, 8, 8))
    return nn.Sequential(made.eval())


PARAMETRISED = {
    "pruning": lambda conv: prune.random_unstructured(conv, "weight", 0.6),
    "weight norm": torch.nn.utils.parametrizations.weight_norm,
    "old weight norm": torch.nn.utils.weight_norm,
    "one norm for all": lambda conv: torch.nn.utils.weight_norm(conv, dim=None),
    "spectral norm": torch.nn.utils.parametrizations.spectral_norm,
    "old spectral norm": torch.nn.utils.spectral_norm,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@each("name", PARAMETRISED)
def test_what_weights_are_computed_from_is_put_together(tmp_path, name):
    """A mask is no filter, and a filter before its mask or norm is not what the network uses."""
    torch.manual_seed(0)
    network = _normed(PARAMETRISED[name])
    torch.save(network.state_dict(), tmp_path / "x.pth")
    (found,) = inspect_file(tmp_path / "x.pth", nulls="none").layers
    network[0](torch.zeros(1, 16, 8, 8))
    right = match(network[0].weight.detach()).layers[0]
    assert found.match.name == "0" and found.match.key.tolist() == right.key.tolist()
    np.testing.assert_allclose(found.match.energy, right.energy, rtol=1e-5)
    np.testing.assert_allclose(found.match.explained, right.explained, atol=1e-6)


def test_a_parametrisation_of_ones_own_is_said(tmp_path):
    class Doubled(nn.Module):
        def forward(self, weight):
            return 2 * weight

    conv = nn.Conv2d(16, 16, 5, groups=16)
    torch.nn.utils.parametrize.register_parametrization(conv, "weight", Doubled())
    torch.save(conv.state_dict(), tmp_path / "x.pth")
    assert "computed from parametrizations.weight.original" in inspect_file(tmp_path / "x.pth", nulls="none").notes[0]


def test_what_cannot_be_matched_is_named_with_what_it_is(tmp_path):
    weight = torch.randn(16, 1, 5, 5)
    replaced = replace(nn.Sequential(nn.Conv2d(16, 16, 5, groups=16))).model.state_dict()
    for state, said in (
        (
            {"dw.weight": torch.randn(16, 1, 3, 3, 3)},
            "has dw.weight of shape (16, 1, 3, 3, 3) in float32, which cannot be matched",
        ),
        ({"dw.weight": (50 * weight).to(torch.int8)}, "in int8, which cannot be matched"),
        ({"dw.weight": weight.to(torch.complex64)}, "in complex64, which cannot be matched"),
        ({"dw.weight": torch.empty(16, 1, 5, 5, device="meta")}, "has no numbers for dw.weight"),
        ({"dw.weight": weight.double() * 1e200}, "holds numbers beyond 1e+150 in dw.weight"),
        (replaced, "computed from keys"),
        ({"dw.weight": 1e110 * weight.double()}, "x.pth: layer dw: filter has "),
    ):
        torch.save(state, tmp_path / "x.pth")
        with pytest.raises(ValueError) as caught:
            inspect_file(tmp_path / "x.pth", nulls="none")
        assert said in str(caught.value) and "\n" not in str(caught.value), said


def test_what_is_left_out_beside_what_is_matched_is_said(tmp_path):
    weight = torch.randn(16, 1, 5, 5)
    for state, said in (
        ({"dw.weight": weight, "deep.weight": torch.randn(8, 1, 3, 3, 3)}, "not looked at: deep.weight (3-D)"),
        ({"dw.weight": weight, "q.weight": (50 * weight).to(torch.int8)}, "not looked at: q.weight (int8)"),
        (
            {"g": {"dw.weight": weight, "b": weight}, "d": {"dw.weight": weight, "b": weight}},
            "the weights are those under 'g', not those under 'd'",
        ),
    ):
        torch.save(state, tmp_path / "x.pth")
        assert inspect_file(tmp_path / "x.pth", nulls="none").notes == (said,)
    # Parameters are weights too; strips of an even number are called so.
    conv = nn.Conv2d(16, 16, 5, groups=16)
    strips = {"a.weight": torch.randn(8, 1, 1, 4), "b.weight": torch.randn(8, 1, 768), "c.weight": torch.randn(8, 1, 3, 5)}
    torch.save(dict(conv.named_parameters(prefix="dw")) | strips, tmp_path / "x.pth")
    found = inspect_file(tmp_path / "x.pth", nulls="none")
    assert found.layers[0].match.key.tolist() == match(conv).layers[0].key.tolist()
    notes = ["kernel of even size (1x4)", "kernel of even size (1x768)", "kernel is not square (3x5)"]
    assert [m.note for m in found.not_matched] == notes


def test_functions_of_onnx_are_looked_into_and_branches_are_said(tmp_path):
    """A Conv in a function of the file, one that only one branch of If computes, and one of another domain."""
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(3).normal(size=(16, 1, 5, 5)).astype(np.float32)
    value, opsets = (
        helper.make_tensor_value_info,
        [helper.make_opsetid("", 17), helper.make_opsetid("own", 1), helper.make_opsetid("com.microsoft", 1)],
    )
    held = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.array(True), "c")]

    def saved_as(name, node, functions=()):
        made = helper.make_graph(
            [node], "g", [value("x", TensorProto.FLOAT, None)], [value("y", TensorProto.FLOAT, None)], held
        )
        path = tmp_path / name
        path.write_bytes(helper.make_model(made, opset_imports=opsets, functions=functions).SerializeToString())
        return path

    conv = helper.make_node("Conv", ["x", "w"], ["y"], name="dw", group=16)
    own = helper.make_function("own", "Wise", ["x", "w"], ["y"], [conv], opsets[:1])
    found = inspect_file(
        saved_as("function.onnx", helper.make_node("Wise", ["x", "w"], ["y"], domain="own"), [own]), nulls="none"
    )
    np.testing.assert_allclose(found.layers[0].match.explained, match(weight[:, 0]).layers[0].explained, atol=1e-6)
    branch = helper.make_graph([conv], "branch", [], [value("y", TensorProto.FLOAT, None)])
    either = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    fused = helper.make_node("FusedConv", ["x", "w"], ["y"], name="dw", domain="com.microsoft", group=16)
    for name, node, said in (("if.onnx", either, r"dw \(Conv within If\)"), ("fused.onnx", fused, r"dw \(FusedConv\)")):
        refused(
            lambda name=name, node=node: inspect_file(saved_as(name, node), nulls="none"),
            rf"{name} has no depthwise filters that can be matched: .*{said}",
        )


@each("chain", CHAINS)
def test_numbers_of_onnx_are_followed_to_the_convolution(tmp_path, chain):
    path, right = onnx_chain(tmp_path / "x.onnx", chain)
    found = inspect_file(path, nulls="none").layers[0]
    np.testing.assert_allclose(found.match.explained, match(right[:, 0]).layers[0].explained, atol=1e-6)
    assert found.match.name == "dw"


def test_convolutions_of_onnx_that_are_not_looked_at_are_said(tmp_path):
    for operator in ("ConvTranspose", "QLinearConv", "Conv"):
        path = onnx_beside(tmp_path / "x.onnx", operator, beside=True)
        found = inspect_file(path, nulls="none")
        assert len(found.layers) == 1 and f"other ({operator})" in found.notes[0]
        refused(
            lambda operator=operator: inspect_file(onnx_beside(tmp_path / "x.onnx", operator, beside=False), nulls="none"),
            rf"has no depthwise filters that can be matched: .*other \({operator}\)$",
        )


def test_mistakes_are_one_line(tmp_path, network, refuses):
    write_weights({"a.weight": torch.ones(3, 3)}, tmp_path / "dense.safetensors")
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x07nothing")
    one = saved(network, tmp_path / "one.safetensors")
    for arguments, said in (
        ([str(tmp_path / "dense.safetensors")], "has no depthwise filters"), ([str(tmp_path / "gone.pth")], "is not there"),
        ([str(tmp_path / "bad.onnx")], "bad.onnx"), ([str(tmp_path)], "is a folder: expected a file of weights; name dense.safetensors"), ([str(one), "resnet18"], "resnet18 is no file"),
        ([str(one), "--weights", str(one)], "--weights goes with the name"), ([str(one), "--csv", "x.txt"], "ends in .csv"),
    ):  # fmt: skip
        refuses(said, "inspect", *arguments)


NO_FILE = {
    "inspect": ["gone.pth"], "inspect a model": ["convnext_tiny", "--weights", "gone.pth"], "replace": ["convnext_tiny", "--weights", "gone.pth", "-o", "x.safetensors"],
    "extract": ["convnext_tiny", "--weights", "gone.pth"], "evaluate": ["convnext_tiny", "--weights", "gone.pth", "--data", "photographs"],
    "train": ["--recipe", "fashion-mnist-small", "--weights", "gone.pth", "-o", "x"],
}  # fmt: skip


def test_a_wrong_file_name_is_said_before_torch_is_imported(tmp_path):
    code = "import sys; from keyfilters.cli import main; r = main(sys.argv[1:]); print(r, 'torch' in sys.modules)"
    for what, arguments in NO_FILE.items():
        done = subprocess.run(
            [sys.executable, "-c", code, what.split()[0], *arguments], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.stdout == "2 False\n" and "gone.pth is not there" in done.stderr and done.stderr.count("\n") == 1, (
            what,
            done,
        )


@each(
    ("command", "more"), [("inspect", ["--nulls", "none"]), ("replace", ["-o", "x.safetensors"]), ("extract", ["--draws", 1])]
)
def test_no_weights_means_random_ones_everywhere(command, more, tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = run(command, "mobilenetv3_small_050", "--weights", "none", *more, "--json")[1]
    assert json.loads(out)["weights"] == "random"
