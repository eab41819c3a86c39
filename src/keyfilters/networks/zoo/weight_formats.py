"""Names of tensors in files brought to those of a network, and the comparison of the two."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .files import Skipped

__all__ = ["FORMATS", "WeightFormat", "mismatch", "remapped", "weight_format"]

# timm's clean_state_dict takes two wrappers off the front of a name, its load_state_dict knows four entries: files have others.
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


def _numbered_blocks(model: nn.Module) -> list[str]:
    """``blocks.s.i`` of timm in the order of the network: the packaged files number blocks throughout."""
    places = {
        tuple(map(int, found.groups())) for name in model.state_dict() if (found := re.match(r"blocks\.(\d+)\.(\d+)\.", name))
    }
    return [f"blocks.{s}.{i}" for s, i in sorted(places)]


PACKAGED = {
    "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier",
}  # fmt: skip
PACKAGED_BLOCK = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3",
    "_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand",
}  # fmt: skip
PACKAGED_FIRST = PACKAGED_BLOCK | {"_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""Of blocks that do not expand first."""


def _by_packaged(state: State, model: nn.Module) -> State:
    blocks, out = _numbered_blocks(model), {}
    for name, value in state.items():
        if found := re.fullmatch(r"_blocks\.(\d+)\.(_\w+)\.(\w+)", name):
            number, part, leaf = int(found[1]), found[2], found[3]
            table = PACKAGED_BLOCK if f"_blocks.{number}._expand_conv.weight" in state else PACKAGED_FIRST
            if number < len(blocks) and part in table:
                name = f"{blocks[number]}.{table[part]}.{leaf}"
        elif (part := name.rpartition(".")[0]) in PACKAGED:
            name = f"{PACKAGED[part]}.{name.rpartition('.')[2]}"
        out[name] = value
    return out


def _not_tensorflow(model: nn.Module) -> str:
    """What of a network is not as TensorFlow's EfficientNets compute: padding, and the batch norms' epsilon."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and max(module.stride) > 1 and type(module).__name__ != "Conv2dSame":
            return f"pads symmetrically ({name}), the file's network as TensorFlow does"
        if isinstance(module, nn.BatchNorm2d) and module.eps != 1e-3:
            return f"has epsilon {module.eps:g} in {name}, the file's network 0.001"
    return ""


def _by_timm(state: State, model: nn.Module) -> State:
    """timm's own remapping, a function of the module that defines the network."""
    remap = getattr(sys.modules.get(type(model).__module__), "checkpoint_filter_fn", None)
    if remap is None:
        return state
    try:
        found = remap(dict(state), model)
    except Exception:
        return state
    # Names that are the network's own stay, also where a remapping takes them for another file's (a merged FastViT).
    own = model.state_dict().keys()
    return state if state.keys() == own != found.keys() else found


def dense_kernels(state: State) -> State:
    """ConvNeXt V2 as pretrained on masked images with sparse convolutions, under the names of its dense form.

    Depthwise kernels are (taps, C), others (taps, in, out). Taps run down the columns: tap t of a 7 x 7
    kernel is row t mod 7 of column t // 7, as ``remap_checkpoint_keys`` of the ConvNeXt-V2 repository has it.
    """
    out = {}
    for name, value in state.items():
        if name.endswith(".kernel") and value.ndim in (2, 3) and math.isqrt(len(value)) ** 2 == len(value):
            side = math.isqrt(len(value))
            name = name.removesuffix("kernel") + "weight"
            # (taps, ...) to (columns, rows, ...), and the channels to the front.
            value = value.reshape(side, side, *value.shape[1:])
            value = value.permute(2, 1, 0)[:, None] if value.ndim == 3 else value.permute(3, 2, 1, 0)
        elif name.endswith(("bias", "gamma", "beta")):
            value = value.reshape(-1)
        out[re.sub(r"\.(ln|linear)\.(weight|bias)$", r".\2", name)] = value
    return out


def _weight_norm(v, g):
    over = [d for d in range(v.ndim) if not g.ndim or g.shape[d] == 1]
    return v * (g / torch.linalg.vector_norm(v, dim=over, keepdim=True))


def _spectral_norm(weight, u, v):
    return weight / (u @ (weight.flatten(1) @ v))


COMPUTED = (
    ("weight_orig", ("weight_mask",), lambda weight, mask: weight * mask),
    ("weight_orig", ("weight_u", "weight_v"), _spectral_norm),
    ("parametrizations.weight.original", ("parametrizations.weight.0._u", "parametrizations.weight.0._v"), _spectral_norm),
    ("weight_v", ("weight_g",), _weight_norm),
    ("parametrizations.weight.original1", ("parametrizations.weight.original0",), _weight_norm),
)
"""What torch stores in the place of a weight that it computes: the end of its name, those of the others, and the weight."""


def computed_weights(state: State) -> State:
    """The weights themselves where pruning, weight norm or spectral norm of torch store what they compute them from.

    Examples
    --------
    >>> conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv2d(4, 4, 3, groups=4))
    >>> found = computed_weights(conv.state_dict())
    >>> list(found), bool(torch.allclose(found["weight"], conv.weight.double()))
    (['bias', 'weight'], True)
    """
    out, spent = {}, set()
    for name, value in state.items():
        out[name] = value
        for ending, others, compute in COMPUTED:
            head = name.removesuffix(ending)
            if name != ending and not name.endswith("." + ending) or not all(head + other in state for other in others):
                continue
            with torch.no_grad():
                del out[name]
                out[head + "weight"] = compute(value.double(), *(state[head + other].double() for other in others))
            spent |= {head + other for other in others}
    return {name: value for name, value in out.items() if name not in spent}


def _renamed(state: State, model: nn.Module, rules) -> State:
    """Names by regular expressions; layer scales, response normalisations and 1 x 1 kernels in the network's shapes."""
    own, out = model.state_dict(), {}
    for name, value in state.items():
        for pattern, new in rules:
            name = re.sub(pattern, new, name)
        flat = name.endswith((".gamma", ".grn.weight", ".grn.bias"))
        pointwise = name in own and own[name].ndim == 4 and own[name].shape[2:] == (1, 1) and value.ndim == 2
        out[name] = value.reshape(-1) if flat else value[:, :, None, None] if pointwise else value
    return out


def _torchvision_stage(found) -> str:
    place = int(found[1])
    # Stem, stage, downsampling, stage, ...
    return f"stages.{(place - 1) // 2}.blocks.{found[2]}." if place % 2 else f"stages.{place // 2}.downsample.{found[2]}."


TORCHVISION = (
    (r"^features\.0\.", "stem."), (r"^features\.(\d+)\.(\d+)\.", _torchvision_stage), (r"\.block\.0\.", ".conv_dw."),
    (r"\.block\.2\.", ".norm."), (r"\.block\.3\.", ".mlp.fc1."), (r"\.block\.5\.", ".mlp.fc2."), (r"\.layer_scale$", ".gamma"),
    (r"^classifier\.0\.", "head.norm."), (r"^classifier\.2\.", "head.fc."),
)  # fmt: skip
TRANSFORMERS = (
    (r"^convnext(v2)?\.", ""), (r"^embeddings\.patch_embeddings\.", "stem.0."), (r"^embeddings\.layernorm\.", "stem.1."),
    (r"^encoder\.", ""), (r"\.downsampling_layer\.", ".downsample."), (r"\.layers\.(\d+)\.", r".blocks.\1."),
    (r"\.dwconv\.", ".conv_dw."), (r"\.layernorm\.", ".norm."), (r"\.pwconv([12])\.", r".mlp.fc\1."), (r"\.grn\.", ".mlp.grn."),
    (r"\.layer_scale_parameter$", ".gamma"), (r"^layernorm\.", "head.norm."), (r"^classifier\.", "head.fc."),
)  # fmt: skip


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
    """One row of the table: ``signs`` are tensors one of which only files of this format have (none: any file).

    ``optional`` are tensors that a file of this format may lack; ``describe`` says what the file is of;
    ``unlike`` says what keeps a network from computing as the file's network does, though names and shapes fit;
    ``norm_eps`` is the epsilon of its last layer normalisation, which no file of weights holds.
    """

    what: str
    signs: tuple[str, ...]
    remap: Callable[[State, nn.Module], State]
    optional: tuple[str, ...] = ()
    describe: Callable[[State], str] | None = None
    unlike: Callable[[nn.Module], str] | None = None
    norm_eps: float | None = None


NORM = ("head.norm.weight", "head.norm.bias")
# Pretraining by masked images (FCMAE) leaves neither classifier nor the normalisation before it.
FORMATS = (
    WeightFormat("EfficientNet of the Python packages", ("_conv_stem.weight",), _by_packaged, unlike=_not_tensorflow),
    WeightFormat("Facebook's ConvNeXt V2 with sparse convolutions", ("stages.0.0.dwconv.kernel",), lambda s, m: _by_timm(dense_kernels(s), m), NORM, _facebook_shape),
    WeightFormat("Facebook's ConvNeXt", ("downsample_layers.0.0.weight",), _by_timm, NORM, _facebook_shape),
    WeightFormat("torchvision's ConvNeXt", ("features.1.0.layer_scale",), lambda s, m: _renamed(s, m, TORCHVISION)),
    WeightFormat(
        "ConvNeXt of Hugging Face's transformers",
        tuple(f"{head}embeddings.patch_embeddings.weight" for head in ("convnext.", "convnextv2.", "")),
        lambda s, m: _renamed(s, m, TRANSFORMERS), NORM, norm_eps=1e-12,
    ),
    WeightFormat("timm or an older timm", (), _by_timm),
)  # fmt: skip
"""Formats of files of weights, the most particular first; the last fits any file."""


def _same(state: State, model: nn.Module) -> bool:
    own = model.state_dict()
    return state.keys() == own.keys() and all(state[name].shape == own[name].shape for name in own)


def weight_format(state: State) -> WeightFormat:
    """The row of ``FORMATS`` for these tensors."""
    return next(row for row in FORMATS if not row.signs or any(sign in state for sign in row.signs))


def remapped(state: State, model: nn.Module) -> State:
    """``state`` under the names of ``model`` where its format is known, else as it is."""
    return state if _same(state, model) else weight_format(state).remap(state, model)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def mismatch(state: State, own: State, optional: set[str]) -> str:
    """What keeps ``state`` from filling ``own``, as text ("" if nothing): missing, unexpected, of another shape."""
    missing = [n for n in own if n not in state and n not in optional and not n.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in own]
    other = [name for name in own if name in state and state[name].shape != own[name].shape]
    parts = []
    # Quantised weights have the names and shapes of weights.
    whole = [n for n in own if n in state and own[n].is_floating_point() and not state[n].is_floating_point()]
    if whole:
        parts.append(f"{len(whole)} of whole numbers, which are no weights ({_some([f'{n} {state[n].dtype}' for n in whole])})")
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


@dataclass(frozen=True)
class Fitting:
    """A tree of tensors under a network's names.

    Attributes
    ----------
    tree : Tree
    prefix : str
        Removed from the names.
    original, state : dict of str to Tensor
        Behind the prefix under the file's names, and under the network's.
    style : WeightFormat
    fits : int
        How many of the network's tensors have their name and shape in ``state``.
    others : tuple of Tree
        Further trees of weights in the file.
    equal : tuple of str
        Entries that fit as well.
    """

    tree: Tree
    prefix: str
    inserted: bool
    original: State
    state: State
    style: WeightFormat
    fits: int
    others: tuple[Tree, ...] = ()
    equal: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """What was chosen, where there was a choice."""
        notes = []
        if self.tree.entry and (self.others or self.tree.entry not in USUAL):
            also = f" ({', '.join(repr(e) for e in self.equal)} would fit as well)" if self.equal else ""
            notes.append(f"the weights are those under {self.tree.entry!r}{also}")
        if self.prefix:
            out = [n for n in self.tree.tensors if not n.startswith(self.prefix)]
            more = (
                f", {len(out)} tensors without it left out ({', '.join(out[:3])}{', ...' if len(out) > 3 else ''})"
                if out
                else ""
            )
            notes.append(f"the prefix {self.prefix!r} was removed from the names{more}")
        if self.inserted:
            notes.append("what wrappers for several devices or compilation insert was removed from the names")
        return notes

    def elsewhere(self) -> str:
        """For an error: where the tensors are from, and where in the file there are more."""
        taken = f"; these are under {self.tree.entry!r}" if self.tree.entry else ""
        more = [f"{t.entry!r} ({len(t.tensors)} tensors)" for t in self.others[:4] if t.entry]
        return taken + (f"; the file also holds {', '.join(more)}" if more else "")


def _tried(tree: Tree, model: nn.Module, own: dict, least: int):
    """Fits of a tree, behind each prefix that could fit more than ``least`` of the network's tensors."""
    keep = {part for name in own for part in name.split(".")}
    for prefix in prefixes(tree.tensors):
        state = without(tree.tensors, prefix)
        cleaned = inserted_removed(state, keep)
        for inserted, names in ((False, state), (True, cleaned)):
            if len(names) <= least or (inserted and names.keys() == state.keys()):
                continue
            renamed = remapped(names, model)
            fits = sum(n in renamed and renamed[n].shape == v.shape for n, v in own.items())
            yield Fitting(tree, prefix, inserted, names, renamed, weight_format(names), fits)
            least = max(least, fits)


def fitting(content: Any, model: nn.Module) -> Fitting | None:
    """The tree of tensors, and the prefix of its names, by which most tensors of ``model`` find their name and shape.

    Of several that fit equally: averaged weights, then the one with less beside them, then the first.
    None where the file holds no tensors by name.
    """
    own = model.state_dict()
    found = trees(content)
    best: dict[int, Fitting] = {}
    for place, tree in enumerate(found):
        # What fits no more than another prefix of the same tree is longer: the first stays.
        for tried in _tried(tree, model, own, -1):
            if place not in best or tried.fits > best[place].fits:
                best[place] = tried
    if not best:
        return None
    top = max(f.fits for f in best.values())
    chosen = max(
        best.values(),
        key=lambda f: (f.fits, f.tree.averaged, not f.tree.parts, f.tree.weights if not top else 0, -len(f.tree.tensors)),
    )
    others = tuple(t for t in found if t is not chosen.tree and t.weights > 1 and not t.parts)
    equal = tuple(
        f.tree.entry for f in best.values() if top and f.fits == top and not f.tree.parts and f.tree is not chosen.tree
    )
    return Fitting(**{**chosen.__dict__, "others": others, "equal": equal})
