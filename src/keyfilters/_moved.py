"""Old names of modules that have moved: they work until release 0.2, with a DeprecationWarning.

The contract of imports in pyproject.toml does not bind this file: the library imports nothing of the chapters' package,
unless somebody asks for one of these names.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec, spec_from_loader
from pkgutil import resolve_name

CHAPTER_FIGURES = (
    "approximation",
    "architecture",
    "clusters",
    "digits",
    "lenet",
    "networks",
    "objective",
    "patches",
    "profiles",
    "representations",
    "scales",
    "single_layer",
    "spreads",
    "thresholding",
    "training",
    "transfer",
    "visualisation",
)
MOVED = {
    "keyfilters.benchmarks": "keyfilters_book.benchmarks",
    "keyfilters.book": "keyfilters_book",
    "keyfilters.exercises": "keyfilters_book.exercises",
    "keyfilters.networks.background": "keyfilters_book.background",
    "keyfilters.networks.experiments": "keyfilters_book.experiments",
    "keyfilters.networks.extraction.klines": "keyfilters.networks.klines",
    "keyfilters.networks.zoo.lenet": "keyfilters_book.background.lenet",
    "keyfilters.networks.zoo.lenet_codes": "keyfilters_book.background.lenet_codes",
    "keyfilters.published.experiments": "keyfilters_book.published_experiments",
    "keyfilters.representations": "keyfilters_book.representations",
    **{f"keyfilters.figures.{name}": f"keyfilters_book.figures.{name}" for name in CHAPTER_FIGURES},
}
"""Old name of a module -> its place now; with what lies in it."""


def place_now(old: str) -> str | None:
    """Where a module of this old name is now; None for a name that has not moved.

    >>> place_now("keyfilters.representations.frames"), place_now("keyfilters.fitting")
    ('keyfilters_book.representations.frames', None)
    """
    module = max((name for name in MOVED if f"{old}.".startswith(f"{name}.")), key=len, default=None)
    return None if module is None else MOVED[module] + old[len(module) :]


def _tell(old: str, now: str) -> None:
    warnings.warn(f"{old} is now {now}; the old name goes with release 0.2", DeprecationWarning, stacklevel=3)


class _OldNames(MetaPathFinder, Loader):
    """Imports a module by its old name: both names stand for the one module."""

    def find_spec(self, fullname, path=None, target=None):
        now = place_now(fullname) if fullname.startswith("keyfilters.") else None
        if now is None:
            return None
        if find_spec(now.partition(".")[0]) is None:
            raise ModuleNotFoundError(
                f"{fullname} is now {now}, of the package keyfilters-book, which is not installed", name=fullname
            )
        return spec_from_loader(fullname, self) if find_spec(now) else None

    def exec_module(self, module):
        old = module.__name__
        now = place_now(old)
        _tell(old, now)
        sys.modules[old] = resolve_name(now)


def chapter_figure(name: str) -> Callable:
    """A name of `keyfilters_book.figures` that stood in `keyfilters.figures`. Raises `AttributeError` for any other."""
    if not name.startswith("_") and find_spec("keyfilters_book"):
        figures = resolve_name("keyfilters_book.figures")
        if name in figures.__all__:
            _tell(f"keyfilters.figures.{name}", f"keyfilters_book.figures.{name}")
            return getattr(figures, name)
    raise AttributeError(f"module 'keyfilters.figures' has no attribute {name!r}")


def install() -> None:
    """Let old names be imported."""
    # First: a package that has moved would otherwise have its modules loaded a second time, under their old names.
    sys.meta_path.insert(0, _OldNames())
