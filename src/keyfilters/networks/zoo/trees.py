"""Where the weights are in what a file holds: under which entry, behind which prefix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .files import Skipped

__all__: list[str] = []
# Serves the readers and reports: on no page of the reference.

State = dict[str, torch.Tensor]
AVERAGED = ("ema", "averag", "swa", "teacher")
"""Parts of the names of entries with averaged weights, which are taken first, as timm does."""
USUAL = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Entries that timm looks into as well: no note where there is one only."""
INSERTED = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "_ddp_module")
"""What wrappers for several devices, for compilation and for saved memory put into names, at any place."""
DEPTH = 8
"""Dicts within dicts that are opened; files that hold themselves have no end."""
BESIDE = ("n_averaged", "total_ops", "total_params")
"""Of torch's averaged model and of counters of operations, beside the weights."""


@dataclass(frozen=True)
class Tree:
    """Tensors by name, and the entry of the file that holds them ("" for the file itself)."""

    entry: str
    tensors: State
    parts: bool = False
    """True where dicts within dicts were joined."""

    @property
    def weights(self) -> int:
        """How many tensors of floating-point numbers there are: counts and states of generators are no weights."""
        return sum(t.is_floating_point() for t in self.tensors.values())

    @property
    def averaged(self) -> bool:
        return any(part in self.entry.lower() for part in AVERAGED)


def _named(node: Mapping) -> State:
    return {
        n: v.detach()
        for n, v in node.items()
        if isinstance(n, str) and isinstance(v, torch.Tensor) and n.rpartition(".")[2] not in BESIDE
    }


def _flat(node: Mapping, head: str = "", depth: int = DEPTH) -> State:
    """Tensors of dicts within dicts, under names joined by points."""
    found = {head + name: value for name, value in _named(node).items()}
    for name, value in node.items():
        if isinstance(name, str) and isinstance(value, Mapping) and depth:
            found |= _flat(value, f"{head}{name}.", depth - 1)
    return found


def _nodes(content, entry: str = "", depth: int = DEPTH) -> Iterator[tuple[str, Mapping]]:
    if not depth:
        return
    if isinstance(content, Mapping):
        yield entry, content
        parts = [(f"{entry}.{name}" if entry else name, value) for name, value in content.items() if isinstance(name, str)]
    elif isinstance(content, (list, tuple)):
        parts = [(f"{entry}[{i}]", value) for i, value in enumerate(content)]
    else:
        return
    for name, value in parts:
        yield from _nodes(value, name, depth - 1)


def trees(content: Any) -> list[Tree]:
    """All trees of tensors in what a file holds: the dicts with tensors, then those with parts, averaged ones first."""
    found = []
    for entry, node in _nodes(content):
        own, flat = _named(node), _flat(node)
        found += [Tree(entry, own)] if own else []
        if len(flat) > len(own):
            found.append(Tree(entry, flat, parts=True))
    return sorted(found, key=lambda tree: not tree.averaged)


def inserted_removed(state: State, keep: Sequence[str] = ()) -> State:
    """``state`` without what wrappers insert into names; as it is where two names would become one.

    ``keep``: parts that the network's own names have.
    """
    drop = {part for part in INSERTED if part not in keep}
    renamed = {".".join(p for p in name.split(".") if p not in drop): value for name, value in state.items()}
    return renamed if len(renamed) == len(state) else state


def prefixes(state: State, most: int = 24) -> list[str]:
    """Possible prefixes of names, "" first, then the most frequent ones of one to four parts."""
    counts: Counter[str] = Counter()
    for name in state:
        parts = name.split(".")[:-1]
        for depth in range(1, min(len(parts), 4) + 1):
            counts[".".join(parts[:depth]) + "."] += 1
    return ["", *(p for p, n in counts.most_common(most) if n > 1)]


def without(state: State, prefix: str) -> State:
    """The tensors behind a prefix, without it."""
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


def largest(content: Any) -> Tree | None:
    """The largest tree of weights, without what wrappers put before every name; None where there is none.

    Dicts of parts count only where no dict has tensors side by side: an optimiser's state is made of parts.
    """
    best = max(trees(content), key=lambda tree: (not tree.parts, tree.weights, len(tree.tensors)), default=None)
    if best is None:
        return None
    state = best.tensors
    while len(state) > 1 and all(name.partition(".")[0] in INSERTED and "." in name for name in state):
        state = {name.partition(".")[2]: value for name, value in state.items()}
    return Tree(best.entry, state)


def contents(content: Any, most: int = 6) -> str:
    """What a file without weights holds, in words."""
    if isinstance(content, Skipped):
        return f"a whole object ({content.what}), not its weights; have its author save state_dict() alone, as .safetensors"
    if isinstance(content, torch.Tensor):
        return f"a single tensor of shape {tuple(content.shape)}"
    if isinstance(content, Mapping):
        names = [f"{name} ({_kind(value)})" for name, value in list(content.items())[:most]]
        return ("the entries " + ", ".join(names) + (", ..." if len(content) > most else "")) if names else "nothing"
    return f"a {_kind(content)}"


def _kind(value) -> str:
    if isinstance(value, Skipped):
        return value.what
    if isinstance(value, torch.Tensor):
        return f"tensor of shape {tuple(value.shape)}"
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, (list, tuple, Mapping)) else type(value).__name__
