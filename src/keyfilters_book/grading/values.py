"""Values that pass from a student's process to that of the checks: plain ones as JSON, functions by their number.

The other way arguments are pickled, and read by the student's process: those are ours.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

__all__ = ["decode", "encode"]

_SEQUENCES = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_DEPTH = 8


class Other:
    """An answer that is neither number, word, array nor function."""


def encode(value: Any, functions: list[Callable[..., Any]], depth: int = _DEPTH) -> dict[str, Any]:
    """`value` as JSON; a function is added to `functions`, and its number stands for it.

    >>> encode({"a": (1.5, "x")}, [])
    {'dict': [[{'plain': 'a'}, {'tuple': [{'plain': 1.5}, {'plain': 'x'}]}]]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return {"plain": value}
    for kind, type_ in _SEQUENCES.items():
        if depth and isinstance(value, type_):
            return {kind: [encode(part, functions, depth - 1) for part in value]}
    if depth and isinstance(value, Mapping):
        return {"dict": [[encode(part, functions, depth - 1) for part in pair] for pair in value.items()]}
    if torch := sys.modules.get("torch"):
        if isinstance(value, torch.Tensor):
            return {"tensor": encode(value.detach().cpu().numpy(), functions)}
        if isinstance(value, torch.nn.Module):
            return {"network": encode(dict(value.state_dict()), functions)}
    if hasattr(value, "__array__") and (array := np.asarray(value)).dtype.kind in "biufcU":
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        return {"array": base64.b64encode(stream.getvalue()).decode()}
    if callable(value):
        functions.append(value)
        return {"function": len(functions) - 1}
    return {"other": type(value).__name__}


def decode(content: Mapping[str, Any], function: Callable[[int], Any], given: Any = None) -> Any:
    """The value that `encode` made `content` of.

    `function` makes a function of its number. A network comes as its weights, and goes into a copy of `given`. Content that
    `encode` does not write raises `ValueError`, or what the reader of its kind raises.
    """
    ((kind, inner),) = content.items()
    if kind == "plain":
        return inner
    if kind in _SEQUENCES:
        return _SEQUENCES[kind](decode(part, function) for part in inner)
    if kind == "dict":
        return {decode(name, function): decode(part, function) for name, part in inner}
    if kind == "array":
        return np.load(io.BytesIO(base64.b64decode(inner)), allow_pickle=False)
    if kind == "tensor":
        import torch

        return torch.from_numpy(decode(inner, function))
    if kind == "network":
        return _network(decode(inner, function), given)
    if kind == "function":
        return function(int(inner))
    if kind == "other":
        return Other()
    raise ValueError(f"a value of an unknown kind: {kind!r}")


def _network(weights: dict[str, Any], given: Any) -> Any:
    """A copy of `given` with these weights; where names or shapes differ, a module that has them and does nothing."""
    import torch

    class Weights(torch.nn.Module):
        def state_dict(self) -> dict[str, Any]:  # type: ignore[override]
            return weights

    own = given.state_dict() if isinstance(given, torch.nn.Module) else {}
    if {name: value.shape for name, value in own.items()} != {name: value.shape for name, value in weights.items()}:
        return Weights()
    network = deepcopy(given)
    network.load_state_dict(weights)
    return network
