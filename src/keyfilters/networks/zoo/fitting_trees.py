"""Of the trees of tensors in a file, the one that fits a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from .trees import USUAL, State, Tree, inserted_removed, prefixes, trees, without
from .weight_formats import WeightFormat, remapped, weight_format

__all__: list[str] = []
# Serves the readers and reports: on no page of the reference.


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
