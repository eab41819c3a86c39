"""The filters of a file of weights, whatever network it is of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..surgery.depthwise import no_key_size
from ..surgery.matching import Stack
from ..zoo.checkpoints import check_sound, no_weights
from ..zoo.files import check_file, read_content
from ..zoo.weight_formats import computed_weights, dense_kernels, largest, trees
from .inspecting import Inspection, inspect_layers

BRANCHES = re.compile(r"(^|\.)(rbr_\w+|conv_kxk|lkb_origin|small_conv|dil_conv_\w+|token_mixer\.conv1)\.")
"""In names of filters: branches of RepVGG, MobileOne and PP-OCR, RepLKNet and FastViT, UniRepLKNet, RepViT before they are merged."""


def _stack(name: str, array: np.ndarray, **geometry) -> Stack | None:
    """Filters of shape (C, 1, rows, columns) or (C, 1, taps), C > 1; None for other arrays, 1 x 1 and whole numbers."""
    if array.ndim not in (3, 4) or array.shape[1] != 1 or len(array) < 2 or max(array.shape[2:]) < 2 or array.dtype.kind != "f":
        return None
    filters = array.reshape(len(array), *((1,) if array.ndim == 3 else ()), *array.shape[2:]).astype(np.float64)
    return Stack(name, filters, note=no_key_size(filters.shape[1:]), **({"stride": ()} | geometry))


def _of_weights(path: Path) -> tuple[list[Stack], list[str]]:
    content = read_content(path)
    tree = largest(content)
    if tree is None:
        raise no_weights(content, path)
    check_sound(tree.tensors, path)
    names = tree.tensors
    if any(name.endswith("dwconv.kernel") for name in names):
        names = dense_kernels(names)
    names = computed_weights(names)
    found = [
        _stack(name.removesuffix(".weight"), value.to(torch.float64).numpy())
        for name, value in names.items() if value.is_floating_point() and value.ndim in (3, 4)
    ]  # fmt: skip
    found = [f for f in found if f is not None]
    if not found:
        raise _nothing(path, names)
    notes = []
    if tree.entry:
        beside = [t.entry for t in trees(content) if t.entry and t.entry != tree.entry and not t.parts and t.weights > 1]
        more = f", not those under {', '.join(map(repr, beside[:4]))}{', ...' if len(beside) > 4 else ''}" if beside else ""
        notes.append(f"the weights are those under {tree.entry!r}{more}")
    left = [(n, v) for n, v in names.items() if _has_their_shape(v) and not (v.is_floating_point() and v.ndim < 5)]
    if left:
        said = ", ".join(f"{n} ({'3-D' if v.ndim == 5 else str(v.dtype).removeprefix('torch.')})" for n, v in left[:3])
        notes.append(f"not looked at: {said}{f' and {len(left) - 3} more' if len(left) > 3 else ''}")
    if computed := next((n for n in names if ".parametrizations." in f".{n}" and names[n].ndim in (3, 4)), None):
        notes.append(
            f"a weight is computed from {computed}, which is looked at as it stands: inspect the network itself, or remove the parametrisation first"
        )
    if branch := next((n for n, v in names.items() if BRANCHES.search(n) and v.ndim in (3, 4) and v.shape[1] == 1), None):
        notes.append(
            f"there are branches that are merged for deployment ({branch}, ...), each looked at on its own: inspect the network itself, or its merged form"
        )
    return found, notes


def _has_their_shape(value: torch.Tensor) -> bool:
    return value.ndim in (3, 4, 5) and value.shape[1] == 1 < len(value) and max(value.shape[2:]) > 1


def _nothing(path: Path, names: dict) -> ValueError:
    """What a file has in the place of depthwise filters that can be matched."""
    expected = "expected tensors of floating-point numbers of shape (C, 1, rows, columns) or (C, 1, taps) with C > 1"
    for name, value in names.items():
        if name.endswith(("parametrizations.weight.0.gain", "parametrizations.weight.0.keys")):
            return ValueError(
                f"{path} has filters that are computed from keys ({name}): write them out with keyfilters.networks.fold and save that"
            )
        if _has_their_shape(value):
            kind = str(value.dtype).removeprefix("torch.")
            return ValueError(f"{path} has {name} of shape {tuple(value.shape)} in {kind}, which cannot be matched: {expected}")
    return ValueError(f"{path} has no depthwise filters: {expected}")


FOLDED = ("Identity", "Cast", "DequantizeLinear", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Mul", "Div")
"""Operations that files of ONNX have between stored numbers and the weight of a convolution."""


def _constants(graph: Any, opset: int) -> Callable:
    """A function that gives the array of a name, as far as it follows from the numbers in the file; else None."""
    import onnx
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    stored = {tensor.name: tensor for tensor in graph.initializer}
    made = {node.output[0]: node for node in graph.node if node.output}
    for name, node in made.items():
        if node.op_type == "Constant":
            stored.update((name, a.t) for a in node.attribute if a.name == "value")

    def array(name: str, depth: int = 8):
        if name in stored:
            found = numpy_helper.to_array(stored[name])
            # numpy has no such type of its own: the array's kind is not "f".
            return found.astype(np.float32) if stored[name].data_type == onnx.TensorProto.BFLOAT16 else found
        node = made.get(name)
        if node is None or node.op_type not in FOLDED or not depth:
            return None
        inputs = {n: array(n, depth - 1) for n in node.input if n}
        if any(v is None for v in inputs.values()):
            return None
        return ReferenceEvaluator(node, opsets={"": opset}).run(None, inputs)[0]

    return array


def _of_onnx(path: Path) -> tuple[list[Stack], list[str]]:
    try:
        import onnx
    except ImportError:
        raise ValueError(
            f"{path} is read with the package onnx, which is not installed: pip install 'keyfilters[onnx]'"
        ) from None
    try:
        model = onnx.load(str(path))
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise ValueError(f"{path} cannot be read: not a whole ONNX file ({reason}); copy or export it again") from None
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    graph = model.graph
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=13)
    constant, found, readers, left = _constants(graph, opset), [], {}, []
    for node, within in _nodes(graph):
        values = {a.name: a for a in node.attribute}
        if "group" not in values or values["group"].i < 2:
            continue
        values = {name: onnx.helper.get_attribute_value(a) for name, a in values.items()}
        plain = node.op_type == "Conv" and node.domain in ("", "ai.onnx") and len(node.input) > 1 and not within
        array = constant(node.input[1]) if plain else None
        if array is None or array.ndim not in (3, 4):
            kind = node.op_type + (f" within {within}" if within else "") if array is None else f"{array.ndim - 2}-D"
            left.append(f"{node.name or node.output[0]} ({kind})")
            continue
        axes = array.ndim - 2
        # One group per input channel; with a single channel there is one group as well, which is no depthwise layer.
        if array.shape[1] != 1:
            continue
        pads = tuple(values.get("pads", (0,) * (2 * axes)))
        before, after = pads[:axes], pads[axes:]
        # Unequal pads, and those that the size of the image decides, are not one number per axis.
        known = before == after and values.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        stride, dilation = (tuple(values.get(what, (1,) * axes)) for what in ("strides", "dilations"))
        if axes == 1:
            stride, dilation, before = (1, *stride), (1, *dilation), (0, *before)
        padding = before if known else ()
        name = node.name or node.input[1]
        if max(array.shape[2:]) > 1:
            readers.setdefault(node.input[0], []).append(name)
        found.append(_stack(name, np.asarray(array), stride=stride, dilation=dilation, padding=padding))
    layers, notes = [f for f in found if f is not None], []
    if left:
        said = f"{', '.join(left[:3])}{f' and {len(left) - 3} more' if len(left) > 3 else ''}"
        if not layers:
            raise ValueError(
                f"{path} has no depthwise filters that can be matched: there are convolutions in groups that are quantised, computed, fused, conditional, 3-D or transposed: {said}"
            )
        notes.append(
            f"not looked at, since they are quantised, computed, fused, conditional, 3-D or transposed: the convolutions in groups {said}"
        )
    if beside := next((names for names in readers.values() if len(names) > 1), None):
        notes.append(
            f"there are convolutions side by side ({', '.join(beside[:3])}): where their outputs are added they are branches of one filter, each looked at on its own"
        )
    for layer in layers:
        if not np.isfinite(layer.filters).all():
            raise ValueError(f"{path} holds NaN or infinity in {layer.name}: expected finite weights")
    return layers, notes


def _nodes(graph: Any, within: str = "") -> Iterator[tuple[Any, str]]:
    """The nodes of a graph with "", those of the branches of If, Loop and Scan in it with the name of that operation."""
    for node in graph.node:
        yield node, within
        for attribute in node.attribute:
            for part in (attribute.g, *attribute.graphs) if attribute.HasField("g") or attribute.graphs else ():
                yield from _nodes(part, node.op_type)


def sha256_of(path: Path) -> str:
    """Of a file; of an index, of it and of the files that it names."""
    files = [path]
    if path.name.endswith(".index.json"):
        files += [path.parent / name for name in sorted(set(json.loads(path.read_bytes())["weight_map"].values()))]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def filters_of_file(path: str | PathLike) -> tuple[list[Stack], list[str]]:
    """The depthwise filters in a file, layer by layer, and notes; what :func:`inspect_file` reads and describes.

    Raises ``ValueError`` for a file that cannot be read, is refused, or has no depthwise filters.
    """
    path = check_file(path)
    layers, notes = (_of_onnx if path.suffix.lower() == ".onnx" else _of_weights)(path)
    if not layers:
        raise _nothing(path, {})
    return layers, notes


def inspect_file(
    path: str | PathLike, method: str = "B", nulls: str | Sequence[str] = "all", draws: int = 20, seed: int = 0
) -> Inspection:
    """Describe the depthwise filters in a file, without the network that they are of.

    Every tensor of shape (C, 1, rows, columns) or (C, 1, taps) with C > 1 counts as depthwise filters. Nothing in
    the file is executed.

    Parameters
    ----------
    path : str or Path
        What :func:`keyfilters.networks.zoo.checkpoints.read_weights` reads, or .onnx (with the package ``onnx``, the extra ``onnx``).
        Strides and paddings are in .onnx files only; elsewhere they stay empty.
    method, nulls, draws, seed
        See :func:`inspect_model`.

    Returns
    -------
    Inspection
        Its ``name`` is that of the file.

    Raises
    ------
    ValueError
        One line: a file that cannot be read, is refused, or has no depthwise filters; and as ``inspect_model``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from keyfilters.networks.zoo.checkpoints import write_weights
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> write_weights({"stem.weight": torch.randn(16, 3, 3, 3), "dw.weight": torch.randn(16, 1, 5, 5)}, file)
    >>> inspect_file(file, nulls="none").frame()[["layer", "size", "channels"]].values.tolist()
    [['dw', '5x5', 16]]
    """
    layers, notes = filters_of_file(path)
    path = Path(path)
    return replace(inspect_layers(layers, method, nulls, draws, seed, path.name, notes), sha256=sha256_of(path))
