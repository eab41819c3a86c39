"""keyfilters inspect FILE: any file of weights, no architecture, nothing executed."""

import json
import sys

import numpy as np
import pytest
from each import each

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from keyfilters.cli import main  # noqa: E402
from keyfilters.networks import inspect_file, inspect_model, key_filters  # noqa: E402
from keyfilters.networks.zoo.checkpoints import write_weights  # noqa: E402


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3)
        self.first = nn.Conv2d(16, 16, 7, stride=2, padding=3, groups=16)
        self.second = nn.Conv2d(16, 16, (1, 5), padding=(0, 2), groups=16, bias=False)
        self.third = nn.Conv2d(16, 16, 4, groups=16)
        self.point = nn.Conv2d(16, 4, 1)

    def forward(self, x):
        return self.point(self.third(self.second(self.first(self.stem(x)))))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Network().eval()


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
    numbers = ["size", "channels", "dead", "explained", "explained_mean", "null_random", "null_gaussian", "null_lines", *(f"key_{k}" for k in range(1, 9))]
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
    assert found.answer.startswith("The 8 keys explain 100 % of the 16 filters in 1 layers of x.safetensors; as many random filters ")
    assert found.frame()[[f"key_{k}" for k in range(1, 9)]].values.tolist() == [[2] * 8]


def test_the_command(tmp_path, network, capsys):
    one, other = saved(network, tmp_path / "one.safetensors"), saved(network, tmp_path / "two.pth")
    assert main(["inspect", str(one), "--nulls", "impulse", "--csv", str(tmp_path / "a.csv"), "--html", str(tmp_path / "a.html")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.startswith("The 8 keys explain ") and "one.safetensors (file: " in out and "not matched: third: kernel of even size" in out
    assert (tmp_path / "a.csv").read_text().startswith("layer,size") and (tmp_path / "a.html").exists()
    assert main(["inspect", str(one), "--nulls", "none", "--json"]) == 0
    assert [row["layer"] for row in json.loads(capsys.readouterr().out)["layers"]] == ["first", "second", "third"]
    assert main(["inspect", str(one), str(other), "--nulls", "none", "--csv", str(tmp_path / "b.csv")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("The 8 keys explain ") == 2 and "two.pth: the weights are those under 'net'" in out
    rows = (tmp_path / "b.csv").read_text().splitlines()
    assert rows[0].startswith("file,layer") and len(rows) == 7


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, capsys):
    (tmp_path / "x.onnx").write_bytes(b"\x08\x07")
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["inspect", str(tmp_path / "x.onnx")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.endswith("which is not installed: pip install 'keyfilters[onnx]'\n")


def test_mistakes_are_one_line(tmp_path, network, capsys):
    write_weights({"a.weight": torch.ones(3, 3)}, tmp_path / "dense.safetensors")
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x07nothing")
    one = saved(network, tmp_path / "one.safetensors")
    for arguments, said in (
        ([str(tmp_path / "dense.safetensors")], "has no depthwise filters"), ([str(tmp_path / "gone.pth")], "is not there"),
        ([str(tmp_path / "bad.onnx")], "bad.onnx"), ([str(one), "resnet18"], "resnet18 is no file"),
        ([str(one), "--weights", str(one)], "--weights goes with the name"), ([str(one), "--csv", "x.txt"], "ends in .csv"),
    ):  # fmt: skip
        assert main(["inspect", *arguments]) != 0
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
