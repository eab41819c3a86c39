"""What the API reference holds: the public names of the library, each at the place where a user imports it from.

A name is public if a package of the library exports it (``keyfilters``, ``keyfilters.networks``, ...), or if it is a
function, a class or a documented constant of a module that is not in `INTERNAL`. A module may narrow this by ``__all__``.

>>> "keyfilters.networks.FilterBankConv2d" in [name.place for name in names_of("layers")]
True
"""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from keyfilters._moved import FIGURES_RENAMED, MOVED, RENAMED

PACKAGES = ("keyfilters", "keyfilters_book", "keyfilters_build")
"""The library, the package of the chapters, and the tool."""
FACADES = (
    "keyfilters", "keyfilters.fitting", "keyfilters.published", "keyfilters.figures", "keyfilters.networks", "keyfilters_book.figures",
)  # fmt: skip
"""Packages from which users import what their modules define; the first that has a name is its place."""


def _in(package: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{package}.{name}" for name in names)


PAGES: dict[str, tuple[str, ...]] = {
    "core": _in(
        "keyfilters",
        "filters",
        "gaussian",
        "temporal",
        "differences",
        "models",
        "affine",
        "moments",
        "normalization",
        "choices",
    ),
    "fitting": ("keyfilters.fitting", *_in("keyfilters_book.paper", "exclusion", "landscape")),
    "measures": (
        "keyfilters.uncertainty",
        "keyfilters_book.significance",
        "keyfilters_book.rank_correlations",
        *_in("keyfilters_book.paper", "structure", "spectrum", "sharpening"),
    ),
    "published": ("keyfilters.published", "keyfilters_book.paper", "keyfilters_book.published_experiments"),
    "figures": ("keyfilters.figures", "keyfilters_book.figures", "keyfilters_book.paper.tables"),
    "figures_lecture": _in(
        "keyfilters_book.figures", "lenet_pictures", "pursuits", "mosaics", "image_grids", "lines", "atoms", "representations"
    ),  # fmt: skip
    "layers": ("keyfilters.networks.layers",),
    "surgery": ("keyfilters.networks.surgery", *_in("keyfilters_book.experiments", "shifts", "shift_maps")),
    "zoo": ("keyfilters.networks.zoo", *_in("keyfilters_book.background", "lenet", "lenet_codes")),
    "data": ("keyfilters.networks.data", *_in("keyfilters", "images", "fetch", "filter_files")),
    "training": ("keyfilters.networks.training",),
    "evaluation": ("keyfilters.networks.evaluation",),
    "extraction": ("keyfilters.networks.extraction", "keyfilters.networks.klines"),
    "inspection": ("keyfilters.networks.inspection", *_in("keyfilters_book.experiments", "survey", "further_terms")),
    "experiments": ("keyfilters_book.experiments", "keyfilters_build.experiments"),
    "background": ("keyfilters_book.background",),
    "background_units": _in(
        "keyfilters_book.background", "probing", "regularisers", "visualisation", "inversion", "linearisation"
    ),
    "sparsity": _in(
        "keyfilters_book.representations",
        "thresholding",
        "dictionaries",
        "key_dictionary",
        "layered",
        "guarantees",
        "recovery",
        "parity",
        "patches",
        "colour",
        "sparse_coding",
        "gabor",
        "second_layer",
    ),  # fmt: skip
    "wavelets": _in(
        "keyfilters_book.representations", "approximation", "frames", "contourlets", "multiscale", "edges", "denoising", "sizes"
    ),
    "representations": ("keyfilters_book.representations",),
    "notebooks": _in("keyfilters_book", "page", "exercises", "benchmarks"),
}
"""Page of the reference -> the modules on it, with all that lies in them."""

INTERNAL: dict[str, str] = {
    "keyfilters_build": "makes the book; only the runs of `keyfilters_build.experiments` are explained",
    "keyfilters_build.experiments.__main__": "a command of the Makefile",
    "keyfilters_book.chapters": "tables and figures of one chapter each; the page of the chapter links to them",
    "keyfilters_book.grading": "a command; the page on the course says what it does",
    "keyfilters_book.claims": "what `page.claim` keeps, for the build",
    "keyfilters.cli": "the page on the command line shows what it does",
    "keyfilters.networks.commands": "the page on the command line shows what they do",
    "keyfilters.checks": "checks what users hand in; its messages are what they see",
    "keyfilters.output": "serves the command line",
    "keyfilters._moved": "old names of what has moved",
}
"""Modules that are not meant to be called from outside, with the reason. `PAGES` goes before."""

_JOINED = (
    ("fitting", "search", "l2", "minimize_l2"),
    ("networks.layers", "base", "parametrised", "parametrise write_out"),
    ("networks.layers", "scale_space", "tabled", "FAR TabledWeight precise"),
    ("networks.layers", "scale_space", "lines_and_volumes", "AXIS_LETTERS SeparableWeight"),
    ("networks.inspection", "inspecting", "rows", "ENERGY LayerReport POOLED by_key_of fitted_row grid_shift place_records rank_of "
     "row_of scales_of size_records spreads_of"),
)  # fmt: skip
"""Of modules that joined another one beside the last that did: room, module, former module, and its names."""
MOVED_NAMES = {
    **{
        f"keyfilters.{room}.{now}.{name}": f"keyfilters.{room}.{old}.{name}"
        for room, now, old, names in _JOINED
        for name in names.split()
    },
    "keyfilters_book.experiments.store.banks_of": "keyfilters.networks.experiments.campaign.banks_of",
    "keyfilters_build.experiments": "keyfilters.networks.experiments",
    "keyfilters.networks.inspection.report_page.key_names": "keyfilters.networks.inspection.rows.key_names",
    "keyfilters_book.figures": "keyfilters.figures",
}
"""Place -> former place, of what did not move with its module."""

_RENAMED = {
    now if "." in now else f"{module}.{now}": f"{module}.{old}"
    for module, names in RENAMED.items()
    for old, now in names.items()
}
_WITHIN = {f"keyfilters_book.figures.{now}": f"keyfilters_book.figures.{old}" for old, now in FIGURES_RENAMED.items()} | {
    "keyfilters_book.experiments.filter_banks": "keyfilters_book.experiments.banks"
}


def formers(place: str) -> tuple[str, ...]:
    """All places that a name had, whose addresses others may have kept, the latest first.

    >>> formers("keyfilters.fit")
    ()
    >>> formers("keyfilters_book.figures.lines.layer_lines")
    ('keyfilters_book.figures.single_layer.layer_lines', 'keyfilters.figures.single_layer.layer_lines')
    """
    found = [place]
    for names in (_RENAMED, _WITHIN, {now: old for old, now in MOVED.items()} | MOVED_NAMES):
        known = max((name for name in names if f"{found[-1]}.".startswith(f"{name}.")), key=len, default=None)
        if known is not None:
            found.append(names[known] + found[-1][len(known) :])
    return tuple(found[1:])


@dataclass(frozen=True)
class Name:
    """A public name.

    Attributes
    ----------
    place : str
        Where a user imports it from, dotted.
    module : str
        Where it is defined.
    kind : {"function", "class", "data"}
    doc : str
        Its docstring; for a constant the string that follows it.
    """

    place: str
    module: str
    kind: str
    doc: str

    @property
    def name(self) -> str:
        """The last part of the place."""
        return self.place.rpartition(".")[2]

    @property
    def summary(self) -> str:
        """The first paragraph of the docstring, on one line."""
        return " ".join(self.doc.strip().partition("\n\n")[0].split())


def _within(module: str, prefixes) -> str | None:
    """The longest of the prefixes that the module is or lies in."""
    found = [p for p in prefixes if f"{module}.".startswith(f"{p}.")]
    return max(found, key=len, default=None)


@cache
def _all_modules() -> tuple[str, ...]:
    roots = ((package, str(Path(import_module(package).__file__).parent)) for package in PACKAGES)
    return tuple(sorted(found.name for package, root in roots for found in pkgutil.walk_packages([root], f"{package}.")))


def _public(module: str) -> bool:
    """Whether a module is meant to be called from outside: the longest prefix in `PAGES` or `INTERNAL` decides."""
    paged = _within(module, [prefix for prefixes in PAGES.values() for prefix in prefixes]) or ""
    internal = _within(module, INTERNAL)
    return internal is None or len(paged) > len(internal)


def public_modules() -> list[str]:
    """All modules of the library that are not internal, those included that are on no page yet."""
    return [module for module in _all_modules() if _public(module)]


def page_of(module: str) -> str | None:
    """The page that a module stands on: that with the longest prefix."""
    owner = {prefix: page for page, prefixes in PAGES.items() for prefix in prefixes}
    return owner.get(_within(module, owner))


def modules_of(page: str) -> list[str]:
    """The modules of a page that have something to show, in the order of `PAGES` and then of the alphabet."""
    prefixes = PAGES[page]
    found = [m for m in _all_modules() if page_of(m) == page and _names(m)]
    return sorted(found, key=lambda m: (prefixes.index(_within(m, prefixes)), m))


def names_of(page: str) -> list[Name]:
    """The public names on a page."""
    return [name for module in modules_of(page) for name in _names(module)]


@cache
def _names(module: str) -> tuple[Name, ...]:
    """The public names that a module defines, by the order of their definition."""
    from sphinx.pycode import ModuleAnalyzer

    loaded, analyzer = import_module(module), ModuleAnalyzer.for_module(module)
    analyzer.analyze()
    constants = {name: "\n".join(lines).strip() for (scope, name), lines in analyzer.attr_docs.items() if not scope}
    declared, internal = getattr(loaded, "__all__", analyzer.tagorder), not _public(module)
    exported = {facade: import_module(facade) for facade in FACADES}
    found = []
    for name in analyzer.tagorder:
        thing = getattr(loaded, name, None)
        own = callable(thing) and getattr(thing, "__module__", None) == module
        if name.startswith("_") or not (own or name in constants):
            continue
        facade = next((f for f, room in exported.items() if name in room.__all__ and getattr(room, name) is thing), None)
        if facade or (name in declared and not internal):
            kind = "data" if name in constants else "class" if isinstance(thing, type) else "function"
            doc = constants.get(name) or inspect.cleandoc(thing.__doc__ or "")
            found.append(Name(f"{facade or module}.{name}", module, kind, doc))
    return tuple(found)
