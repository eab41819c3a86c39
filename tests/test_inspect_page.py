"""The page *Inspect your network*: its readers and its numbers, in node, against `keyfilters inspect FILE` on the same files."""

import json
import re
import struct

import numpy as np
import pytest
from each import each

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
import ml_dtypes  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from safetensors.torch import save  # noqa: E402

from keyfilters_build.interactive import interactive_data  # noqa: E402
from keyfilters.networks import inspect_file, key_filters  # noqa: E402

MEASURES = {"explained": "explained", "mean": "explained_mean", "median": "explained_median", "impulse": "null_impulse"}


@pytest.fixture(scope="module")
def data():
    return interactive_data()


def filters(count, rows, columns=None, seed=0, noise=0.05):
    """Keys times gains with noise, a dead one among them; noise alone where no key has the size."""
    rng, columns = np.random.default_rng([seed, count, rows]), columns or rows
    found = noise * rng.normal(size=(count, rows, columns))
    if rows == columns and rows % 2:
        keys = key_filters("B", rows)
        keys = keys / keys.std(axis=(1, 2), keepdims=True)
        found += 0.2 * rng.normal(size=(count, 1, 1)) * keys[rng.integers(8, size=count)]
    found[count // 2] = 0.25
    return torch.from_numpy(found[:, None] + 0.1)


def weights():
    """Layers of all kinds in an order that is not that of the alphabet, and tensors that are no layers."""
    return {
        "stem.weight": torch.randn(16, 3, 3, 3), "z.dw.weight": filters(40, 7).float(), "b.conv.weight": filters(24, 3).half(),
        "b.bn.num_batches_tracked": torch.tensor(3), "a.weight": filters(32, 5).bfloat16(), "big.weight": filters(16, 9),
        "row.weight": filters(12, 1, 5).float(), "column.weight": filters(12, 7, 1).float(), "one_d.weight": filters(8, 1, 9)[:, :, 0].float(),
        "even.weight": filters(6, 4).float(), "oblong.weight": filters(6, 3, 5).float(), "point.weight": torch.randn(8, 1, 1, 1),
        "single.weight": torch.randn(1, 1, 3, 3), "steps": torch.ones(4, 1, 3, 3, dtype=torch.int64), "head.weight": torch.randn(10, 16),
    }  # fmt: skip


KINDS = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "bfloat16": TensorProto.BFLOAT16,
}


def tensor(name, array, encoding):
    """An initialiser with its numbers in raw bytes or in the field of their type."""
    if encoding == "raw":
        return numpy_helper.from_array(array, name)
    return helper.make_tensor(name, KINDS[str(array.dtype)], array.shape, array.astype(np.float64).ravel())


def network(path, encoding="raw", dtype=np.float32, constant=False):
    """A file of ONNX with depthwise layers of all kinds, one of dense filters, and one whose weights are no initialiser."""
    nodes, held = [], []

    def conv(name, array, channels, node="", **attributes):
        made = tensor(name, np.asarray(array, dtype=dtype), encoding)
        if constant and name == "first":
            nodes.append(helper.make_node("Constant", [], [name], value=made))
        else:
            held.append(made)
        nodes.append(helper.make_node("Conv", ["x", name], [f"y{len(nodes)}"], name=node, group=channels, **attributes))

    conv("stem", np.ones((40, 3, 3, 3)), 1, pads=[1, 1, 1, 1])
    conv("first", filters(40, 7).numpy(), 40, "/first/Conv", strides=[2, 2], pads=[3, 3, 3, 3])
    conv("second", filters(24, 3).numpy(), 24, pads=[0, 0, 1, 1])
    conv("third", filters(12, 1, 5).numpy(), 12, auto_pad="SAME_UPPER")
    conv("fourth", filters(8, 1, 9)[:, :, 0].numpy(), 8, strides=[2], pads=[4, 4], dilations=[1])
    conv("fifth", filters(6, 4).numpy(), 6)
    conv("sixth", filters(6, 3).numpy(), 1)
    nodes.append(helper.make_node("Conv", ["x", "computed"], ["y"], group=8))
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)], [], held)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def same(found, path):
    """The report of the page is that of the command."""
    right = inspect_file(path, nulls="impulse,random")
    assert found["answer"] == inspect_file(path, nulls="none").answer
    rows = right.frame().replace({np.nan: None}).to_dict("records")
    assert [layer["name"] for layer in found["layers"]] == [row["layer"] for row in rows]
    for layer, row in zip(found["layers"], rows, strict=True):
        assert [f"{layer['rows']}x{layer['columns']}", layer["stride"], layer["padding"], layer["channels"], layer["note"]] == [
            row[name] for name in ("size", "stride", "padding", "channels", "note")
        ]
        if row["note"]:
            continue
        assert layer["dead"] == row["dead"] and layer["counts"] == [row[f"key_{k}"] for k in range(1, 9)]
        for ours, theirs in MEASURES.items():
            assert layer[ours] == pytest.approx(row[theirs], abs=1e-6), (layer["name"], ours)
        # Other draws of the same null: 20 of each.
        assert layer["random"] == pytest.approx(row["null_random"], abs=0.06)
    for size, record in zip(found["sizes"], right.sizes, strict=True):
        assert [size[name] for name in ("size", "layers", "channels", "dead")] == [
            record[name] for name in ("size", "layers", "channels", "dead")
        ]
        assert [size[ours] for ours in MEASURES] == pytest.approx([record[theirs] for theirs in MEASURES.values()], abs=1e-6)
    ours = [(s["key"], s["layer"], s["channel"]) for s in found["samples"]]
    assert ours == [(s.key, s.layer, s.channel) for s in right.samples]
    for sample, theirs in zip(found["samples"], right.samples, strict=True):
        assert [sample["gain"], sample["explained"]] == pytest.approx([theirs.gain, theirs.explained], abs=1e-6)
        assert list(sample["filter"].values()) == theirs.filter.ravel().tolist()
    assert np.array([list(key.values()) for key in found["bank"]]) == pytest.approx(right.bank.reshape(8, -1), abs=1e-9)


def test_safetensors_of_all_types_give_the_report_of_the_command(tmp_path, node, data):
    state = weights()
    (tmp_path / "all.safetensors").write_bytes(save(state, {"format": "pt"}))
    wrapped = {f"module._orig_mod.{name}": value for name, value in state.items()} | {"n_averaged": torch.tensor(1)}
    (tmp_path / "wrapped.safetensors").write_bytes(save(wrapped))
    files = [tmp_path / "all.safetensors", tmp_path / "wrapped.safetensors"]
    answers = node("inspections", data=data, files=list(map(str, files)))
    for found, path in zip(answers, files, strict=True):
        same(found, path)
    layers = {layer["name"]: layer for layer in answers[0]["layers"]}
    assert len(layers) == 9 and "stem" not in layers and layers["one_d"]["rows"] == 1
    assert {name for name in layers if layers[name]["note"]} == {"oblong", "even"}
    assert layers["z.dw"]["dead"] == 1 and layers["z.dw"]["explained"] > 0.7
    assert (
        0 < layers["z.dw"]["impulse"] < layers["z.dw"]["explained"] and layers["z.dw"]["random"] < layers["z.dw"]["explained"]
    )


@pytest.mark.parametrize("encoding", ["raw", "fields"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, ml_dtypes.bfloat16])
def test_onnx_in_both_encodings_gives_the_report_of_the_command(tmp_path, node, data, encoding, dtype):
    path = network(tmp_path / "net.onnx", encoding, dtype, constant=encoding == "fields")
    [found] = node("inspections", data=data, files=[str(path)])
    same(found, path)
    assert [layer["name"] for layer in found["layers"]] == ["/first/Conv", "second", "third", "fourth", "fifth"]
    assert [layer["stride"] for layer in found["layers"][:4]] == ["2x2", "1x1", "1x1", "1x2"]
    assert [layer["padding"] for layer in found["layers"][:4]] == ["3x3", "", "", "0x4"]


@pytest.mark.filterwarnings("ignore")
def test_what_torch_exports_is_read(tmp_path, node, data):
    torch.manual_seed(0)
    own = torch.nn.Sequential(torch.nn.Conv2d(3, 12, 3), torch.nn.Conv2d(12, 12, 7, stride=2, padding=3, groups=12))
    torch.onnx.export(own.eval(), (torch.zeros(1, 3, 20, 20),), str(tmp_path / "net.onnx"), dynamo=False)
    [found] = node("inspections", data=data, files=[str(tmp_path / "net.onnx")])
    same(found, tmp_path / "net.onnx")


def test_dead_layers_and_large_and_small_numbers(tmp_path, node, data):
    state = {
        "dead.weight": torch.full((5, 1, 3, 3), 0.5),
        "large.weight": 1e30 * filters(9, 3),
        "small.weight": 1e-30 * filters(9, 3).float(),
    }
    for name, kept in (("x", state), ("only", {"dead.weight": state["dead.weight"]})):
        (tmp_path / f"{name}.safetensors").write_bytes(save(kept))
    found, only = node("inspections", data=data, files=[str(tmp_path / "x.safetensors"), str(tmp_path / "only.safetensors")])
    assert only["answer"] == inspect_file(tmp_path / "only.safetensors").answer and only["beside"] == ""
    right = inspect_file(tmp_path / "x.safetensors", nulls="none")
    assert found["answer"] == right.answer
    for layer, row in zip(found["layers"], right.frame().to_dict("records"), strict=True):
        assert layer["dead"] == row["dead"] and layer["counts"] == [row[f"key_{k}"] for k in range(1, 9)]


def header(entries, numbers=b""):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def bad_files(folder):
    """name -> bytes, and what is said of it."""
    whole = save({"dw.weight": filters(8, 5).float(), "b.weight": torch.ones(3)})
    graph = network(folder / "whole.onnx").read_bytes()
    entry = {"dtype": "F32", "shape": [4, 1, 3, 3], "data_offsets": [0, 144]}
    nan = filters(4, 3).float()
    nan[2, 0, 1, 1] = np.nan
    external = helper.make_tensor("w", TensorProto.FLOAT, (4, 1, 3, 3), np.zeros(36))
    external.ClearField("float_data")
    external.data_location = TensorProto.EXTERNAL
    external.external_data.add(key="location", value="w.bin")
    conv = helper.make_node("Conv", ["x", "w"], ["y"], group=4)
    outside = helper.make_model(helper.make_graph([conv], "g", [], [], [external])).SerializeToString()
    short = helper.make_tensor("w", TensorProto.FLOAT, (4, 1, 3, 3), np.zeros(36))
    del short.float_data[30:]
    lacking = helper.make_model(helper.make_graph([conv], "g", [], [], [short])).SerializeToString()
    infinite = numpy_helper.from_array(np.full((4, 1, 3, 3), np.inf, dtype=np.float32), "w")
    infinite = helper.make_model(helper.make_graph([conv], "g", [], [], [infinite])).SerializeToString()
    return {
        "cut.safetensors": (whole[:-7], "not a whole safetensors file (numbers are missing at its end)"),
        "header.safetensors": (whole[:40], "not a whole safetensors file (the header is cut short)"),
        "longer.safetensors": (whole + b"\0", "its parts do not fit together"),
        "json.safetensors": (header({})[:8] + b"{]", "the header is no JSON"),
        "shape.safetensors": (header({"a": entry | {"shape": [4, 1, 5, 5]}}, bytes(144)), "the header is damaged"),
        "null.safetensors": (header({"a": None}), "the header is damaged"),
        "offsets.safetensors": (header({"a": entry | {"data_offsets": [-144, 0]}}), "the header is damaged"),
        "eight.safetensors": (header({"a": {"dtype": "F8_E4M3", "shape": [4, 1, 3, 3], "data_offsets": [0, 36]}}, bytes(36)), "has numbers of type F8_E4M3 in a"),
        "nan.safetensors": (save({"dw.weight": nan}), "holds NaN or infinity in dw.weight: expected finite weights"),
        "sparse.safetensors": (save({"d.dwconv.kernel": torch.ones(49, 8)}), "use the command"),
        "dense.safetensors": (save({"a.weight": torch.ones(3, 3)}), "has no depthwise filters"),
        "page.safetensors": (b"<!DOCTYPE html><title>404</title>", "not a whole safetensors file"),
        "empty.onnx": (b"", "is empty"),
        "cut.onnx": (graph[: len(graph) // 2], "not a whole ONNX file"),
        "page.onnx": (b"<!DOCTYPE html><title>404</title>", "not a whole ONNX file"),
        "outside.onnx": (outside, "keeps the numbers of w in another file"),
        "lacking.onnx": (lacking, "not a whole ONNX file (w lacks numbers)"),
        "infinite.onnx": (infinite, "holds NaN or infinity in w"),
        "mine.pth": (b"\x80\x02}q\x00.", "may hold a pickle, which this page never reads: use the command, keyfilters inspect mine.pth"),
        "zipped": (b"PK\x03\x04", "may hold a pickle"),
        "x.index.json": (b'{"weight_map": {}}', "is the index of several files: use the command"),
        "notes.txt": (b"hello, world", "is no file that this page reads: expected .safetensors or .onnx"),
    }  # fmt: skip


def test_the_command_names_the_layer_without_sound_numbers_too(tmp_path):
    (tmp_path / "infinite.onnx").write_bytes(bad_files(tmp_path)["infinite.onnx"][0])
    with pytest.raises(ValueError, match=r"infinite\.onnx holds NaN or infinity in w: expected finite weights$"):
        inspect_file(tmp_path / "infinite.onnx")


def test_a_bad_file_is_answered_in_one_line_that_names_it(tmp_path, node, data):
    cases = bad_files(tmp_path)
    for name, (content, _) in cases.items():
        (tmp_path / name).write_bytes(content)
    answers = node("inspections", data=data, files=[str(tmp_path / name) for name in cases])
    for (name, (_, said)), found in zip(cases.items(), answers, strict=True):
        assert found.get("refused", "").startswith(f"{name} ") and said in found["refused"], (name, found.get("refused"))
        assert "\n" not in found["refused"] and not re.search(r"undefined|NaN is|\[object", found["refused"])


@each("at", [3, 9, 20, 60, 200, 900])
def test_no_damage_to_a_file_is_more_than_a_line(tmp_path, node, data, at):
    """Bytes changed here and there: a report or a line, never an error of the script."""
    rng = np.random.default_rng(at)
    names = []
    for name, content in (("x.onnx", network(tmp_path / "x.onnx").read_bytes()), ("x.safetensors", save(weights()))):
        for i in range(6):
            damaged = bytearray(content)
            for place in rng.integers(max(at, 9), size=2):
                damaged[place] = rng.integers(256)
            names.append(tmp_path / f"{i}{name}")
            names[-1].write_bytes(damaged)
    answers = node("inspections", data=data, files=list(map(str, names)))
    assert all("refused" in found or "answer" in found for found in answers)
