"""The store of finished runs, with a key over everything that a run depends on.

A run lies in `_build/cache/<profile>/<notebook>/<key>/` with the executed notebook, its results and, written last,
`run.json` with the hashes of both. A run without a `run.json` that agrees is not used, whatever interrupted it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .manifest import Entry
from .needs import ROOMS, rooms_not_needed
from .project import Project, digest_files, remove_tree, write_atomic

__all__ = ["CALLED", "CHECKING", "Run", "cache_key", "cached_run", "clear_partials", "newest_run", "package_digest", "partial_folder", "store_run"]

CALLED = ("__init__.py", "claims.py", "execute.py", "legible.py", "page.py", "project.py")
"""Files of `book/` that notebooks call or are executed by."""

CHECKING = ("__init__.py", "verdict.py")
"""Files of `exercises/` that every notebook uses."""

# Runs kept for each notebook and profile: switching back and forth between a few states costs nothing.
_KEPT_RUNS = 4


@dataclass(frozen=True)
class Run:
    """A finished run of one notebook: where it lies and its record (parameters, seconds, provenance)."""

    entry: Entry
    profile: str
    folder: Path
    record: dict[str, Any]
    fresh: bool

    @property
    def notebook(self) -> Path:
        return self.folder / "notebook.ipynb"

    @property
    def results(self) -> Path:
        return self.folder / "results"


def package_digest(project: Project, needs: Iterable[str] = tuple(ROOMS.values())) -> str:
    """Hash over the files of the package, its data included, that a notebook with these `needs` may use.

    Left out are the rooms that it does not need, what the book is built with but no notebook calls, and the checks of
    the exercises, of which each notebook uses its own.
    """
    left_out = tuple(project.package / room for room in rooms_not_needed(needs))
    files = [
        path
        for path in project.package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
        and not any(path.is_relative_to(folder) for folder in left_out)
        and _used(path.relative_to(project.package).parts)
    ]
    return digest_files(files, project.package)


def _used(parts: tuple[str, ...]) -> bool:
    """Whether a file of the package concerns every notebook."""
    shared = {"book": CALLED, "exercises": CHECKING}.get(parts[0])
    return shared is None or parts[-1] in shared


def _own_checks(project: Project, entry: Entry) -> str:
    path = project.package / "exercises" / f"{entry.slug}.py"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def cache_key(project: Project, entry: Entry, profile: str, package: str | None = None) -> str:
    """What a run depends on, as one hash; `package` is the `package_digest` where it is already known."""
    lock = project.lock.read_bytes() if project.lock.is_file() else b""
    parts = {
        "notebook": hashlib.sha256((project.notebooks / f"{entry.slug}.ipynb").read_bytes()).hexdigest(),
        "package": package or package_digest(project, entry.needs),
        "checks": _own_checks(project, entry),
        "lock": hashlib.sha256(lock).hexdigest(),
        "parameters": entry.parameters[profile],
        "profile": profile,
        "timed": entry.timed,
        "python": platform.python_version(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _content(folder: Path) -> dict[str, str]:
    """File -> hash, for all that a run consists of besides its record."""
    paths = [folder / "notebook.ipynb", *(path for path in sorted((folder / "results").rglob("*")) if path.is_file())]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def cached_run(project: Project, entry: Entry, profile: str, key: str) -> Run | None:
    """The stored run with this key, if it is whole."""
    folder = project.cache / profile / entry.slug / key
    record = _whole(folder)
    return None if record is None else Run(entry, profile, folder, record, fresh=False)


def newest_run(cache: Path, entry: Entry, profile: str) -> Run | None:
    """The newest whole run of a notebook with the parameters of `entry` in a cache, whatever state of the book it is of."""
    folders = (cache / profile / entry.slug).glob("*/run.json")
    for path in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        record = _whole(path.parent)
        if record is not None and record["parameters"] == entry.parameters[profile]:
            return Run(entry, profile, path.parent, record, fresh=False)
    return None


def _whole(folder: Path) -> dict[str, Any] | None:
    """The record of the run in `folder`, if its files are those that it names."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return record if record["content"] == _content(folder) else None
    except (OSError, ValueError, KeyError):
        return None


def partial_folder(project: Project, entry: Entry, profile: str) -> Path:
    """Where this process executes a notebook before the run is stored."""
    return project.cache / profile / entry.slug / f".partial-{os.getpid()}"


def store_run(project: Project, entry: Entry, profile: str, key: str, facts: dict[str, Any]) -> Run:
    """Store what was executed in `partial_folder`; the record comes last.

    If something that the run depends on changed while it ran, nobody can say what it was made from: it serves
    this build, but gets no record and is not used again.
    """
    partial = partial_folder(project, entry, profile)
    record = {
        "slug": entry.slug,
        "profile": profile,
        "parameters": entry.parameters[profile],
        **facts,
        "content": _content(partial),
    }
    folder = project.cache / profile / entry.slug / key
    remove_tree(folder)
    os.replace(partial, folder)
    if cache_key(project, entry, profile) == key:
        write_atomic(folder / "run.json", json.dumps(record, indent=1) + "\n")
    kept = sorted(
        (path for path in folder.parent.iterdir() if path.is_dir() and not path.name.startswith(".")),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for old in kept[_KEPT_RUNS:]:
        remove_tree(old)
    return Run(entry, profile, folder, record, fresh=True)


def clear_partials(folder: Path) -> None:
    """Remove what an interrupted build left; another build running at the same time is left alone."""
    for path in folder.glob(".partial-*"):
        pid = path.name.rsplit("-", 1)[1]
        if not _alive(int(pid)) or int(pid) == os.getpid():
            remove_tree(path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
