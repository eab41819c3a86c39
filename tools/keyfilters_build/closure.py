"""What a notebook executes: the definitions, the modules and the data files of the book's packages that its code can reach.

It is found by reading, without importing anything (see `definitions`), and may be too large but never too small: an
attribute of a module leads to the definition that it names, through packages that only hand names on; a module that is
passed about counts whole; a package that is searched by computed names counts whole.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from .definitions import Source, Unit, read_cells, read_module
from .project import Project, write_atomic

OLD_NAMES = "keyfilters._moved"
"""The table of old names of modules: it leads to a module only where somebody uses its old name, and no notebook does."""
Node = tuple[Any, ...]
"""`("load", module)`, `("unit", module, position)`, `("whole", module)`, `("data", file)`, `("outside", module)`,
`("row", bound, module, name)`: an import that was followed, and `("docs",)`: docstrings and comments are read."""


class Closure:
    """All that some code can reach.

    Attributes
    ----------
    modules : set of str
        Modules of the package that may be imported.
    outside : set of str
        Packages of others that may be imported, Python's own included.
    """

    def __init__(self, library: Library, nodes: set[Node]):
        self._library, self.nodes = library, nodes
        self.modules = {node[1] for node in nodes if node[0] == "load"}
        self.outside = {node[1] for node in nodes if node[0] == "outside"}

    @property
    def data(self) -> set[str]:
        """Files beside the code that may be read, relative to their package."""
        return {node[1] for node in self.nodes if node[0] == "data"}

    @property
    def definitions(self) -> set[tuple[str, str]]:
        """Module and name of every function, class and constant."""
        units = ((node[1], self._library.unit(node)) for node in self.nodes if node[0] == "unit")
        return {(module, name) for module, unit in units for name in unit.names}

    def digest(self) -> str:
        """Hash over all of it, without comments, docstrings and places, unless something reads them."""
        units: dict[str, list[int]] = {}
        for node in self.nodes:
            if node[0] == "unit":
                units.setdefault(node[1], []).append(node[2])
        sources = {module: self._library.source(module) for module in units}
        parts = {
            "units": {module: [sources[module].units[n].digest for n in sorted(units[module])] for module in sorted(units)},
            "rows": sorted([str(part) for part in node[1:]] for node in self.nodes if node[0] == "row"),
            "modules": sorted(self.modules),
            "data": {name: self._library.data_digest(name) for name in sorted(self.data)},
        }
        if ("docs",) in self.nodes:
            parts["text"] = {module: self._library.source(module).digest for module in sorted(self.modules)}
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Library:
    """The packages of a book, read once; what was read is kept in `_build`, for the next time."""

    def __init__(self, project: Project):
        self.packages = project.packages
        self._store = project.build / "definitions.json"
        self._sources: dict[str, Source] = {}
        self._changed = False
        # A module may have been written anew meanwhile: what is remembered belongs to this reading.
        self._successors = cache(self._follow)
        self.data_digest = cache(self._data_digest)

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Dotted name -> file."""
        found = {}
        for package in self.packages:
            for path in sorted(package.rglob("*.py")):
                parts = path.relative_to(package.parent).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    @cached_property
    def files(self) -> dict[str, list[Path]]:
        """The files that are neither code nor a README, by their name relative to their package."""
        found: dict[str, list[Path]] = {}
        for package in self.packages:
            for path in sorted(package.rglob("*")):
                if path.is_file() and path.suffix not in (".py", ".pyc") and path.name != "README.md":
                    found.setdefault(path.relative_to(package).as_posix(), []).append(path)
        return found

    def _data_digest(self, name: str) -> str:
        return hashlib.sha256(b"".join(path.read_bytes() for path in self.files[name])).hexdigest()

    @cached_property
    def _kept(self) -> dict[str, Any]:
        """What was read before, by name; read by other code than this, it is of no use."""
        try:
            stored = json.loads(self._store.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stored["read"] if stored.get("reader") == _reader() else {}

    def source(self, module: str) -> Source:
        """The units of a module."""
        if module not in self._sources:
            self._sources[module] = self.file(self.modules[module], module)
        return self._sources[module]

    def file(self, path: Path, module: str) -> Source:
        """The units of a file, which need not be one of the package."""
        content = path.read_bytes()
        return self._read(module, content, lambda: read_module(content, module, package=path.name == "__init__.py"))

    def _read(self, name: str, content: bytes, read: Callable[[], Source]) -> Source:
        digest = hashlib.sha256(content).hexdigest()
        if self._kept.get(name, {}).get("digest") != digest:
            found = read()
            self._kept[name] = found.as_json()
            self._changed = True
            return found
        return Source.from_json(self._kept[name])

    def keep(self) -> None:
        """Store what was read."""
        if self._changed:
            write_atomic(self._store, json.dumps({"reader": _reader(), "read": self._kept}))

    def unit(self, node: Node) -> Unit:
        """The unit of a node."""
        return self.source(node[1]).units[node[2]]

    def closure(self, cells: Iterable[str], name: str = "") -> Closure:
        """All that the code cells of the notebook `name` can reach."""
        cells = list(cells)
        code = self._read(f"notebook {name}", "\0".join(cells).encode(), lambda: read_cells(cells))
        found: set[Node] = set()
        todo = [node for row in code.imports for node in self._of_import(row)]
        todo += [node for unit in code.units for node in self._of_unit(code, "", unit)]
        while todo:
            node = todo.pop()
            if node not in found:
                found.add(node)
                todo += self._successors(node)
        return Closure(self, found)

    def _everything(self) -> Iterator[Node]:
        yield from (("whole", module) for module in self.modules)
        yield from (("data", name) for name in self.files)

    def _follow(self, node: Node) -> tuple[Node, ...]:
        """What belongs to all that a node belongs to."""
        kind = node[0]
        if kind == "load":
            return tuple(self._of_load(node[1]))
        if kind == "whole":
            return tuple(self._of_whole(node[1]))
        if kind == "unit":
            return tuple(self._of_unit(self.source(node[1]), node[1], self.unit(node)))
        return ()

    def _of_load(self, module: str) -> Iterator[Node]:
        """What Python executes when a module is imported."""
        source = self.source(module)
        if module.rpartition(".")[0] in self.modules:
            yield ("load", module.rpartition(".")[0])
        for row in source.imports:
            yield from self._of_import(row)
        for position, unit in enumerate(source.units):
            if not unit.lazy or not all(self._only_wraps(source, module, chain) for chain in unit.decorators):
                yield ("unit", module, position)

    def _of_import(self, row: list[Any]) -> Iterator[Node]:
        _, module, name = row
        if module not in self.modules:
            yield ("outside", module.partition(".")[0])
            return
        yield ("load", module)
        room = self.source(module).rooms.get(name)
        for inner in (f"{module}.{name}", f"{module}.{room}"):
            if inner in self.modules:
                yield ("load", inner)
        if name == "*":
            yield ("whole", module)

    def _of_whole(self, module: str) -> Iterator[Node]:
        """All of a module, and of those within it."""
        source = self.source(module)
        yield ("load", module)
        yield from (("unit", module, position) for position in range(len(source.units)))
        for row in source.imports:
            yield from self._of_row(row, [])
        yield from (("whole", inner) for inner in self.modules if inner.rpartition(".")[0] == module)

    def _of_unit(self, source: Source, module: str, unit: Unit) -> Iterator[Node]:
        """What the execution of a unit can reach."""
        for row in unit.imports:
            yield from self._of_import(row)
        references = unit.references
        if unit.names == ["__getattr__"] and source.rooms:
            # What it looks up is followed where a name is asked for.
            references = [chain for chain in references if any(row[0] == chain[0] for row in source.imports)]
        elif unit.dynamic:
            yield from self._everything()
        if unit.docs:
            yield ("docs",)
        for chain in references:
            yield from self._of_chain(source, module, unit.imports, chain)
        for text in unit.texts:
            if "." in text and text in self.modules and module != OLD_NAMES:
                yield ("whole", text)
            if unit.by_text:
                named = (
                    (name, n) for name in self.modules for n, other in enumerate(self.source(name).units) if text in other.names
                )
                yield from (("unit", *place) for place in named)
        if unit.beside:
            yield from (("data", name) for name in self._data_of(unit))

    def _data_of(self, unit: Unit) -> list[str]:
        """The files whose path a unit's strings spell out; those of the folder, or all, where they do not."""
        texts = set(unit.texts)
        if unit.literal and (named := [name for name in self.files if texts.issuperset(name.split("/"))]):
            return named
        within = [name for name in self.files if texts & set(Path(name).parts[:-1])]
        depth = {name: len(texts & set(Path(name).parts[:-1])) for name in within}
        return [name for name in within if depth[name] == max(depth.values())] if unit.literal else within or list(self.files)

    def _of_chain(self, source: Source, module: str, imports: list[list[Any]], chain: list[str]) -> Iterator[Node]:
        """Where a dotted name leads, in a file or in a function that has imports of its own."""
        for row in [*imports, *source.imports]:
            if row[0] == chain[0]:
                yield from self._of_row(row, chain[1:])
            elif row[2] == "*":
                yield from self._of_row([chain[0], row[1], chain[0]], chain[1:])
        if module:
            yield from (("unit", module, position) for position, unit in enumerate(source.units) if chain[0] in unit.names)

    def _of_row(self, row: list[Any], rest: list[str]) -> Iterator[Node]:
        """Where a name leads that an import bound, with the attributes that stand behind it."""
        bound, module, name = row
        yield ("row", bound, module, str(name))
        yield from self._of_attributes(module, [*([] if name in (None, "*") else [name]), *rest])

    def _of_attributes(self, module: str, names: list[str]) -> Iterator[Node]:
        if module not in self.modules:
            yield ("outside", module.partition(".")[0])
            return
        yield ("load", module)
        if not names:
            # The module itself is handed on.
            yield ("whole", module)
            return
        name, rest = names[0], names[1:]
        source = self.source(module)
        yield from self._of_chain(source, module, [], names)
        inner, room = f"{module}.{name}", source.rooms.get(name)
        if room:
            yield from self._of_chain(source, module, [], ["__getattr__"])
            yield from self._of_attributes(f"{module}.{room}", names)
        elif inner in self.modules and not self._binds(source, name):
            yield from self._of_attributes(inner, rest)
        elif name in ("__dict__", "__path__", "__spec__", "__loader__"):
            yield ("whole", module)
        elif name in ("__doc__", "__file__"):
            yield ("docs",)
        elif not source.rooms and not self._binds(source, name) and any("__getattr__" in unit.names for unit in source.units):
            yield from self._everything()

    def _binds(self, source: Source, name: str) -> bool:
        """Whether a package gives a name a meaning of its own; otherwise a module of this name has it."""
        return any(row[0] == name and row[2] for row in source.imports) or any(name in unit.names for unit in source.units)

    def _only_wraps(self, source: Source, module: str, chain: list[str]) -> bool:
        """Whether a decorator is a function of the package that only wraps: it stores nothing and calls no other one."""
        reached = [node for node in self._of_chain(source, module, [], chain) if node[0] == "unit"]
        for node in reached:
            own = self.source(node[1])
            inner = [found for name in self.unit(node).references for found in self._of_chain(own, node[1], [], name)]
            if not self.unit(node).wraps or any(found[0] == "unit" and self.unit(found).callable for found in inner):
                return False
        return bool(reached)


@cache
def _reader() -> str:
    """Hash of the code that reads, and of the Python that parses."""
    code = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("closure.py", "definitions.py"))
    return hashlib.sha256(code + sys.version.encode()).hexdigest()
