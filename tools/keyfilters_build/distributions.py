"""Which distributions the imports of a notebook need, with all that these need, and in which versions."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata

from .project import Project

EXECUTORS = ("papermill", "nbclient", "ipykernel", "ipython", "myst-nb")
"""What executes a notebook and takes its outputs, whatever it imports; what these need themselves computes nothing."""

# Imported without being declared; the run of a notebook depends on it all the same.
_UNDECLARED = {"pyscsp": {"torch"}}

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*==\s*(?P<rest>[^\\\n]*)", re.MULTILINE)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(project: Project) -> dict[str, list[str]]:
    """Distribution -> its versions in the lock, each with the condition that it holds under; hashes are left out."""
    text = project.lock.read_text(encoding="utf-8") if project.lock.is_file() else ""
    found: dict[str, list[str]] = {}
    for match in _PINNED.finditer(text):
        found.setdefault(_canonical(match["name"]), []).append(match["rest"].strip())
    return found


@cache
def _of_import() -> dict[str, list[str]]:
    return {package: [_canonical(name) for name in names] for package, names in metadata.packages_distributions().items()}


@cache
def _installed(name: str) -> tuple[str | None, frozenset[str]]:
    """The version of a distribution and the names of those that it needs here; None where it is not installed."""
    from packaging.requirements import Requirement

    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None, frozenset()
    requirements = map(Requirement, found.requires or ())
    wanted = (row for row in requirements if row.marker is None or row.marker.evaluate({"extra": ""}))
    return found.version, frozenset(_canonical(row.name) for row in wanted) | _UNDECLARED.get(_canonical(name), set())


def needed(project: Project, imports: Iterable[str]) -> dict[str, list[str | None]]:
    """The distributions that imports need, each with its version here and its versions in the lock.

    Parameters
    ----------
    project : the book with its lock
    imports : packages as Python imports them, such as ``sklearn``; Python's own need nothing

    What is not installed stands there by the name of its import: the run may notice.

    Examples
    --------
    >>> from pathlib import Path
    >>> found = needed(Project(Path("no-book")), ["matplotlib", "json"])
    >>> {"matplotlib", "numpy", "pillow", "nbclient"} <= set(found), "json" in found, "scipy" in found
    (True, False, False)
    """
    pins = locked(project)
    todo = [
        name for package in set(imports) - sys.stdlib_module_names for name in _of_import().get(package, [_canonical(package)])
    ]
    todo += EXECUTORS
    found: dict[str, list[str | None]] = {}
    while todo:
        name = todo.pop()
        if name not in found:
            version, others = _installed(name)
            found[name] = [version, *pins.get(name, ())]
            todo += others if name not in EXECUTORS else ()
    return found
