"""Sphinx extension: after a build only those pages are written again that would come out differently.

A page is made from what Sphinx read of it, and from what it takes from others: titles, labels, numbers, contents,
exercises, glued values, the terms of the glossary. Each part of what pages share has a hash. While these stay the
same, a page whose reading stayed the same is taken from the build before; after any other change every page is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment import BuildEnvironment

from .project import digest_files
from .sphinx_build import BEFORE, RECORD
from .terms import collect

__all__ = ["PageBuilder", "canonical", "setup"]

# What concerns one page alone, one run of Sphinx, or what is told apart by the hashes of files.
_NOT_SHARED = {
    "all_docs", "app", "config", "config_status", "config_status_extra", "dependencies", "doctreedir", "domains", "events",
    "files_to_rebuild", "included", "keyfilters_library", "keyfilters_terms", "nb_metadata", "original_image_uri", "project",
    "ref_context", "reread_always", "settings", "sphinx_exercise_gated_registry", "srcdir", "temp_data", "titles_old", "_pickled_doctree_cache",
    "_write_doc_doctree_cache",
}  # fmt: skip
_INDEX = ("titles", "filenames", "mapping", "title_mapping", "all_titles", "index_entries")


def canonical(value: Any) -> Iterator[str]:
    """What `value` says, piece by piece, and not in which order it was put together.

    >>> "".join(canonical({"b": {2, 1}, "a": [None, "x"]})) == "".join(canonical({"a": [None, "x"], "b": {1, 2}}))
    True
    >>> "".join(canonical([1, 2])) == "".join(canonical([2, 1]))
    False
    """
    if isinstance(value, nodes.Node):
        yield value.pformat()
    elif value is None or isinstance(value, str | bytes | int | float | os.PathLike):
        yield f"{value!r};"
    elif isinstance(value, dict):
        pieces = sorted(("".join(canonical(key)), "".join(canonical(entry))) for key, entry in value.items())
        yield f"{type(value).__name__}{pieces!r};"
    elif isinstance(value, set | frozenset):
        yield f"set{sorted(''.join(canonical(entry)) for entry in value)!r};"
    elif isinstance(value, list | tuple):
        yield f"list{[''.join(canonical(entry)) for entry in value]!r};"
    else:
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        parts = {name: getattr(value, name) for name in slots if hasattr(value, name)} | getattr(value, "__dict__", {})
        yield type(value).__qualname__
        yield from canonical({name: part for name, part in parts.items() if part is not value})


def _hashed(value: Any) -> str:
    digest = hashlib.sha256()
    for piece in canonical(value):
        digest.update(piece.encode())
    return digest.hexdigest()


def _shared(app: Sphinx) -> dict[str, str]:
    """What a page takes from elsewhere than its own reading -> its hash."""
    environment: BuildEnvironment = app.env
    folder = Path(app.srcdir)
    parts = {
        name: part
        for name, part in vars(environment).items()
        if name not in _NOT_SHARED and not name.startswith("_search_index")
    }
    parts |= {f"domain {name}": data for name, data in parts.pop("domaindata").items()}
    # Where on its page a work is cited, and which page was read first, changes nothing elsewhere.
    cited = parts["domain cite"]
    parts["domain cite"] = {
        **cited,
        "citation_refs": {(ref.docname, tuple(target.key for target in ref.targets)) for ref in cited["citation_refs"]},
    }
    # Which words a page has is its own affair.
    parts["metadata"] = {
        name: {field: said for field, said in of.items() if field != "wordcount"} for name, of in parts["metadata"].items()
    }
    found = {name: _hashed(part) for name, part in parts.items()}
    found["terms"] = _hashed(collect(app))
    # Sources, and what they include or show, are read again when they change.
    read = {environment.doc2path(name) for name in environment.found_docs}
    read |= {str(folder / file) for files in environment.dependencies.values() for file in files}
    # That one is written into the finished pages.
    read.add(str(folder / "_generated" / "provenance.txt"))
    found["files"] = digest_files([path for path in folder.rglob("*") if path.is_file() and str(path) not in read], folder)
    glued = Path(app.outdir).parent / "jupyter_execute"
    found["glued"] = digest_files(list(glued.rglob("*.glue.json")), glued.parent)
    return found


class PageBuilder(StandaloneHTMLBuilder):
    """The builder of HTML, which knows the pages of the build before."""

    def read(self) -> list[str]:
        """Read in one process, whatever the number of those that write: not every extension can be shared."""
        processes, self.app.parallel = self.app.parallel, 1
        try:
            return super().read()
        finally:
            self.app.parallel = processes

    def write(self, build_docnames: Iterable[str] | None, updated_docnames: Iterable[str], method: str = "update") -> None:
        """Write what would come out differently, whatever was asked for."""
        self._before = Path(self.outdir).parent / BEFORE
        read = {
            name: digest_files([Path(self.doctreedir, f"{name}.doctree")], Path(self.doctreedir))
            for name in self.env.found_docs
        }
        self._record = {"shared": _shared(self.app), "read": read}
        record = self._before / RECORD
        known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        self._indexed = None
        if known.get("shared") != self._record["shared"]:
            return super().write(None, [], "all")
        self._indexed = known["index"]
        super().write([name for name in read if known["read"].get(name) != read[name]], [], "specific")

    def load_indexer(self, docnames: Iterable[str]) -> None:
        """Take over what the search knows of the pages that stay: Sphinx itself would lose the entries of the index."""
        anew = set(docnames)
        for name, of_pages in (self._indexed or {}).items():
            if name.endswith("mapping"):
                kept = {word: set(pages) - anew for word, pages in of_pages.items() if set(pages) - anew}
            else:
                kept = {page: entry for page, entry in of_pages.items() if page not in anew}
            setattr(self.indexer, f"_{name}", kept)

    def dump_search_index(self) -> None:
        """Write the index of the search in an order that does not tell which pages were written."""
        if self.indexer is None:
            return
        index = {name: dict(sorted(getattr(self.indexer, f"_{name}").items())) for name in _INDEX}
        self.indexer._index_entries = index["index_entries"]
        self._record["index"] = index
        super().dump_search_index()

    def finish(self) -> None:
        """Finish what was written, and put beside it what stays as it was."""
        super().finish()
        if self._indexed is not None:
            for path in self._before.rglob("*"):
                target = Path(self.outdir) / path.relative_to(self._before)
                if path.is_file() and path.name != RECORD and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, target)
        text = json.dumps(self._record, default=sorted, sort_keys=True)
        (Path(self.outdir) / RECORD).write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point for Sphinx."""
    app.add_builder(PageBuilder, override=True)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
