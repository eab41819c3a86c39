"""The store of finished runs, with a key over everything that a run depends on.

A run lies in `_build/cache/<profile>/<notebook>/<key>/` with the executed notebook, its results and, written last,
`run.json` with the hashes of both. A run without a `run.json` that agrees is not used, whatever interrupted it.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat import NotebookNode

from .closure import Library
from .distributions import needed
from .launch import is_install_cell
from .manifest import Entry
from .processor import computes_as
from .project import Project, remove_tree, write_atomic

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


def _executed_tags(cell: dict[str, Any]) -> list[str]:
    """The tags of a cell that change how it is executed; the others concern its page."""
    return sorted({"parameters", "raises-exception", "skip-execution"} & set(cell["metadata"].get("tags", ())))


def cache_keys(project: Project, entries: Iterable[Entry], profile: str) -> dict[str, str]:
    """Notebook -> what its run depends on, as one hash.

    That is its code cells and parameters, all that they can reach in the package, its data included (see `closure`),
    the distributions that these import, and how the machine computes. Markdown, captions and comments of the package
    are no part of it.
    """
    library = Library(project)
    executor = library.file(Path(__file__).with_name("execute.py"), "the executor")
    keys = {}
    for entry in entries:
        notebook = json.loads((project.notebooks / f"{entry.slug}.ipynb").read_bytes())
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        sources = ["".join(cell["source"]) for cell in cells]
        # The cell that installs computes nothing, and it imports by names that are texts.
        computing = [source for source, cell in zip(sources, cells, strict=True) if not is_install_cell(cell)]
        reached = library.closure(computing, entry.slug)
        parts = {
            "cells": [[source, _executed_tags(cell)] for source, cell in zip(sources, cells, strict=True)],
            "parameters": entry.parameters[profile],
            "profile": profile,
            "timed": entry.timed,
            "package": reached.digest(),
            "distributions": needed(project, reached.outside),
            "environment": computes_as(),
            "executor": [unit.digest for unit in executor.units if unit.names == ["_run_notebook"]],
        }
        keys[entry.slug] = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
    library.keep()
    return keys


def cache_key(project: Project, entry: Entry, profile: str) -> str:
    """The key of one notebook, see `cache_keys`."""
    return cache_keys(project, [entry], profile)[entry.slug]


def page_source(project: Project, run: Run) -> NotebookNode:
    """The notebook as it lies in git with the outputs of its run: text, captions and tags may have changed since.

    A run of other code, made by another clone for instance, is shown as it was.
    """
    executed = nbformat.read(run.notebook, as_version=4)
    # Papermill's own cell with the parameters; the card of the page names them.
    executed.cells = [cell for cell in executed.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    notebook = nbformat.read(project.notebooks / f"{run.entry.slug}.ipynb", as_version=4)
    code, done = ([cell for cell in cells if cell.cell_type == "code"] for cells in (notebook.cells, executed.cells))
    if [cell.source for cell in code] != [cell.source for cell in done]:
        notebook = executed
    else:
        for cell, run_cell in zip(code, done, strict=True):
            cell.outputs, cell.execution_count = run_cell.outputs, run_cell.execution_count
    for cell in notebook.cells:
        caption_tables(cell)
    return notebook


def caption_tables(cell: NotebookNode) -> None:
    """Put the captions of the metadata, ``"tables": {name: caption}``, into the tables that the cell showed without one."""
    for name, caption in cell.metadata.get("tables", {}).items():
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            bare = f":::{{table}}\n:name: {name}\n"
            if data.get("text/markdown", "").startswith(bare):
                data["text/markdown"] = data["text/markdown"].replace(bare, f":::{{table}} {caption}\n:name: {name}\n", 1)
                data["text/html"] = data["text/html"].replace(
                    "<caption></caption>", f"<caption>{html.escape(caption)}</caption>", 1
                )


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
        if not psutil.pid_exists(int(pid)) or int(pid) == os.getpid():
            remove_tree(path)
