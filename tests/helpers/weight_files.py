"""Files of weights made here, whole and damaged: for the page *Inspect your network* in node and in a browser."""

import json
import struct

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save

from keyfilters import ideal_filter
from keyfilters.networks import key_filters


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


def noisy_filters(kind, size, count=160):
    """Filters of one kind: white noise, smooth noise, or keys of many scales."""
    rng = np.random.default_rng([size, len(kind)])
    white = rng.normal(size=(count, size, size))
    if kind == "smooth":
        line = np.exp(-np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / 2)
        return line @ white @ line
    if kind == "own scales":
        scales = rng.uniform(0, min(2, size / 3), size=(count, 2))
        found = [
            ideal_filter(1 + i % 8, *s, gamma=0.1 + i % 5 if i % 8 == 6 else None, size=size) for i, s in enumerate(scales)
        ]
        return rng.normal(size=(count, 1, 1)) * np.array(found) + 0.02 * white
    return white


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
    conv("wide", filters(24, 3, seed=1).numpy(), 24, dilations=[2, 2], strides=[2, 2], pads=[2, 2, 2, 2])
    conv("again", filters(40, 7, seed=1).numpy(), 40, strides=[2, 2], pads=[3, 3, 3, 3])
    conv("fourth", filters(8, 1, 9)[:, :, 0].numpy(), 8, strides=[2], pads=[4, 4], dilations=[1])
    conv("fifth", filters(6, 4).numpy(), 6)
    conv("sixth", filters(6, 3).numpy(), 1)
    nodes.append(helper.make_node("Conv", ["x", "computed"], ["y"], group=8))
    return _written(path, nodes, held)


CHAINS = {
    "identity": lambda w: ([helper.make_node("Identity", ["w"], ["v"])], [numpy_helper.from_array(w, "w")], w),
    "cast": lambda w: (
        [helper.make_node("Cast", ["w"], ["v"], to=TensorProto.FLOAT)], [numpy_helper.from_array(w.astype(np.float16), "w")], w.astype(np.float16)
    ),
    "reshape": lambda w: (
        [helper.make_node("Reshape", ["w", "shape"], ["v"])],
        [numpy_helper.from_array(w.reshape(len(w), -1), "w"), numpy_helper.from_array(np.array(w.shape), "shape")], w,
    ),
    "quantised": lambda w: (
        [helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["v"], axis=0)],
        [
            numpy_helper.from_array(np.rint(w / 0.02).astype(np.int8), "w"),
            numpy_helper.from_array(np.full(len(w), 0.02, dtype=np.float32), "scale"),
            numpy_helper.from_array(np.zeros(len(w), dtype=np.int8), "zero"),
        ],
        np.rint(w / 0.02).astype(np.int8) * np.float32(0.02),
    ),
}  # fmt: skip
"""What stands between stored numbers and a convolution: (nodes from w to v, what is stored, the weight)."""


def _written(path, nodes, held):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)], [], held)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def onnx_chain(path, name):
    """A depthwise convolution "dw" whose weight comes by a chain, and the weight."""
    nodes, held, weight = CHAINS[name](filters(16, 5).numpy().astype(np.float32))
    return _written(path, [*nodes, helper.make_node("Conv", ["x", "v"], ["y"], name="dw", group=16)], held), weight


def onnx_beside(path, operator, beside):
    """A convolution in groups, "other", that cannot be read (Conv: since its weight is computed); beside one that can, or alone."""
    weight = numpy_helper.from_array(filters(16, 5).numpy().astype(np.float32), "w")
    inputs = {"QLinearConv": ["x", "s", "z", "q", "s", "z", "s", "z"], "Conv": ["x", "computed"]}.get(operator, ["x", "w"])
    other = helper.make_node(operator, inputs, ["y2"], name="other", group=16)
    return _written(path, [helper.make_node("Conv", ["x", "w"], ["y"], name="dw", group=16)] * beside + [other], [weight])


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
    short = helper.make_tensor("w", TensorProto.FLOAT, (4, 1, 3, 3), np.zeros(36))
    del short.float_data[30:]
    infinite = numpy_helper.from_array(np.full((4, 1, 3, 3), np.inf, dtype=np.float32), "w")
    conv = helper.make_node("Conv", ["x", "w"], ["y"], group=4)
    outside, lacking, infinite = (
        helper.make_model(helper.make_graph([conv], "g", [], [], [held])).SerializeToString()
        for held in (external, short, infinite)
    )
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
