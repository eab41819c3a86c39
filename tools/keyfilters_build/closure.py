"""What a run depends on: the modules and the data files of the book's packages that its code can reach, and the distributions.

It is found by reading, without importing anything. A module counts whole, with all that it imports, be it within a function. A
package that hands on names, by the imports of its ``__init__.py`` or by its table ``_ROOMS``, leads to the module that has
the name: a figure of one chapter is no part of another. A file of data counts where a string names it or its folder.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

from .project import Project
from .provenance import data_files

Row = tuple[str, str, str | None]
"""An import: the name that it binds, the module, and the name in the module (None: the module itself)."""

# By these a program reaches modules whose names are computed, and docstrings and comments, which a digest leaves out.
_DYNAMIC = {("__import__",), ("eval",), ("exec",), ("import_module",), ("importlib", "import_module"), ("runpy", "run_module")}
_DOCS = {"__doc__", "getcomments", "getdoc", "getsource", "getsourcelines"}


@dataclass(frozen=True)
class Source:
    """A file, or the code of a notebook, as it was read.

    Attributes
    ----------
    digest : str
        Hash of its syntax tree without docstrings, comments and places; of all of it where it reads docstrings or source text.
    defined : set of str
        Names that its top level binds, imports aside.
    imports : list of tuple
        All its imports, see ``Row``.
    chains : set of tuple of str
        Dotted names that it uses, ``("figures", "curves")`` for ``figures.curves``.
    texts : set of str
        Its strings.
    rooms : dict
        Name -> the module that has it, of a package that loads names on first use.
    """

    digest: str
    defined: set[str]
    imports: list[Row]
    chains: set[tuple[str, ...]]
    texts: set[str]
    rooms: dict[str, str]

    @property
    def dynamic(self) -> bool:
        """Whether it reaches modules by computed names; a package with rooms is followed where a name is asked for."""
        return bool(_DYNAMIC & self.chains) and not self.rooms


@cache
def read(text: str, package: str) -> Source:
    """Read the code of a file that lies in `package`. Raises `SyntaxError` for what is no Python.

    >>> found = read("from .b import f\\n\\ndef g():\\n    return f.h(3)\\n", "p")
    >>> found.imports, found.chains, found.defined
    ([('f', 'p.b', 'f')], {('f', 'h')}, {'g'})
    """
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    held = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    chains = {chain for node in nodes if id(node) not in held and (chain := _chain(node))}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    bare = ast.dump(_Bare().visit(ast.parse(text)))
    digest = text if _DOCS & {name for chain in chains for name in chain} else bare
    rooms = {}
    defined = set()
    for node in tree.body:
        defined |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        if isinstance(node, ast.Assign) and _chain(node.targets[0]) == ("_ROOMS",):
            rooms = {name: room for room, names in ast.literal_eval(node.value).items() for name in names}
    imports = [row for node in nodes for row in _imported(node, package)]
    return Source(hashlib.sha256(digest.encode()).hexdigest(), defined, imports, chains, texts, rooms)


def _imported(node: ast.AST, package: str) -> list[Row]:
    """The rows of an import; `package` is what relative ones start from."""
    if isinstance(node, ast.Import):
        # `import a.b` binds `a`; with a name it binds `a.b`.
        names = [(alias.asname or alias.name.partition(".")[0], alias) for alias in node.names]
        return [(bound, alias.name if alias.asname else bound, None) for bound, alias in names]
    if not isinstance(node, ast.ImportFrom):
        return []
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1] if node.level else []
    module = ".".join([*above, *([node.module] if node.module else [])])
    return [(alias.asname or alias.name, module, alias.name) for alias in node.names]


def _chain(node: ast.AST) -> tuple[str, ...]:
    """`a.b.c` as its names; empty for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


class _Bare(ast.NodeTransformer):
    """Removes docstrings, and strings that stand alone."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node


@dataclass
class Closure:
    """All that some code can reach.

    Attributes
    ----------
    modules : dict
        Module of the packages -> hash of what it says.
    outside : set of str
        Packages of others that are imported, Python's own included.
    names : set of str
        What packages handed on, and as what.
    data : dict
        File beside the code -> hash of its content.
    """

    modules: dict[str, str] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    data: dict[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Hash over all of it that lies in the packages."""
        parts = [sorted(self.modules.items()), sorted(self.names), sorted(self.data.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Library:
    """The packages of a book."""

    def __init__(self, project: Project) -> None:
        self.modules: dict[str, Path] = {}
        for package in project.packages:
            for path in package.rglob("*.py"):
                parts = path.relative_to(package.parent).with_suffix("").parts
                self.modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        self.files = {path.relative_to(project.package.parent): path for path in data_files(project)}

    def source(self, module: str) -> Source:
        """A module, read."""
        path = self.modules[module]
        return read(path.read_text(encoding="utf-8"), module if _is_package(path) else module.rpartition(".")[0])

    def closure(self, cells: Iterable[str]) -> Closure:
        """All that the code cells of a notebook can reach; in IPython's own syntax that may be whatever there is."""
        found = Closure()
        try:
            todo = [read("\n".join(cells), "")]
        except SyntaxError:
            todo = [read("exec(cell)", "")]
        texts: set[str] = set()
        while todo:
            source = todo.pop()
            texts |= source.texts
            for module in self._reached(source, found):
                if module not in self.modules:
                    found.outside.add(module.partition(".")[0])
                elif module not in found.modules:
                    todo.append(self.source(module))
                    found.modules[module] = todo[-1].digest
        for name, path in self.files.items():
            # Below the folder of the data: the file itself, or its folder.
            if texts & {name.parts[2], Path(name.parts[2]).stem}:
                found.data[name.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def _reached(self, source: Source, found: Closure) -> Iterator[str]:
        if source.dynamic:
            yield from self.modules
        for bound, module, name in source.imports:
            uses = [chain[1:] for chain in source.chains if chain[0] == bound] or [()]
            for rest in uses:
                yield from self._lead(module, (*([name] if name else []), *rest), found)

    def _lead(self, module: str, names: tuple[str, ...], found: Closure) -> Iterator[str]:
        """The modules to which dotted names of a module lead."""
        if module not in self.modules or not _is_package(self.modules[module]):
            yield module
        elif not names:
            # The package itself is handed on.
            yield from (inner for inner in self.modules if f"{inner}.".startswith(f"{module}."))
        else:
            name, source = names[0], self.source(module)
            rows = [row for row in source.imports if row[0] == name and row[1:] != (module, name)]
            if name in source.rooms:
                yield from self._lead(f"{module}.{source.rooms[name]}", names, found)
            elif rows:
                for _, origin, original in rows:
                    found.names.add(f"{module}.{name}: {origin}, {original}")
                    yield from self._lead(origin, (*([original] if original else []), *names[1:]), found)
            elif f"{module}.{name}" in self.modules and name not in source.defined:
                yield from self._lead(f"{module}.{name}", names[1:], found)
            elif name in source.defined or name.startswith("__"):
                yield module
            else:
                # A name that the package computes.
                yield from self.modules


def _is_package(path: Path) -> bool:
    return path.name == "__init__.py"


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
