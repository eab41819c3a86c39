"""What a Python file defines and what each of its statements refers to, read without importing it.

A *unit* is a statement of a file's top level. A function, a class or a constant is a unit that counts for those who
refer to it; any other statement counts for all who import the file, since Python executes it then. What cannot be
followed by reading is marked: a unit that looks up computed names, that reads docstrings or source text, or that finds
files beside the code.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

Row = tuple[str, str, str | None]
"""An import: the name that it binds ("" for none), the module, and the name in the module (None: the module itself)."""

# By these a program reaches modules and variables whose names are computed.
_DYNAMIC = {"__import__", "eval", "exec", "globals", "locals", "vars"}
_DYNAMIC_ATTRIBUTES = {"__subclasses__", "import_module", "get_type_hints", "run_module"}
# By these it reads what the hash of a unit leaves out: docstrings, comments, places.
_DOCS = {"__doc__", "getcomments", "getdoc", "getsource", "getsourcelines"}
# Decorators that only wrap what they decorate, and calls that only compute their value.
_WRAPPING = {
    "abstractmethod", "cache", "cached_property", "classmethod", "contextmanager", "dataclass", "inference_mode", "lru_cache",
    "no_grad", "overload", "property", "setter", "staticmethod", "total_ordering", "wraps",
}  # fmt: skip
_COMPUTING = {
    "Path", "compile", "dict", "field", "float", "frozenset", "getLogger", "int", "items", "keys", "len", "list", "max", "min", "range",
    "resolve", "set", "sorted", "str", "sum", "tuple", "values", "zip",
}  # fmt: skip
_CHANGING = {
    "add", "append", "appendleft", "clear", "extend", "insert", "pop", "register", "remove", "setdefault", "update",
}  # fmt: skip
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPE = (*_FUNCTION, ast.Lambda, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Unit:
    """A statement of the top level.

    Attributes
    ----------
    names : list of str
        What it defines.
    lazy : bool
        Whether it counts only for those who refer to it, its decorators permitting.
    digest : str
        Hash of its syntax tree without docstrings, comments and places.
    references : list of list of str
        Dotted names that it uses, ``["figures", "curves"]`` for ``figures.curves``.
    imports : list of list
        What it imports within a function (see ``Row``).
    decorators : list of list of str
        Dotted names of its decorators that may do more than wrap it: one may enter it in a register.
    callable, wraps : bool
        Whether it is a function or a class, and whether it is a function that stores nothing and imports only Python's own modules.
    texts : list of str
        Its strings, where they may name modules, definitions or files.
    dynamic : bool
        Whether it reaches modules or variables by computed names.
    by_text : bool
        Whether it reaches modules that are not known, and in them what its strings name.
    docs : bool
        Whether it reads docstrings or source text.
    beside, literal : bool
        Whether it finds files beside the code, and whether all parts of their paths are its own strings.
    """

    names: list[str]
    lazy: bool
    digest: str
    references: list[list[str]]
    imports: list[Row]
    decorators: list[list[str]]
    callable: bool
    wraps: bool
    texts: list[str]
    dynamic: bool
    by_text: bool
    docs: bool
    beside: bool
    literal: bool


@dataclass
class Source:
    """A file: its hash, its units, what its top level imports, and its rooms.

    The rooms are those of a package that loads names on first use: a dictionary `_ROOMS` from modules to names, and
    a function `__getattr__` that looks there.
    """

    digest: str
    units: list[Unit] = field(default_factory=list)
    imports: list[Row] = field(default_factory=list)
    rooms: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Source:
        return cls(**{**content, "units": [Unit(**unit) for unit in content["units"]]})


def read_module(content: bytes, module: str, *, package: bool) -> Source:
    """The units of the file of `module`, which is the `__init__.py` of a package or not.

    Raises `SyntaxError` for what is no Python.

    Examples
    --------
    >>> source = read_module(b"from .b import f\\nN = 3\\n\\ndef g():\\n    return f(N)\\n", "p.a", package=False)
    >>> source.imports, [(unit.names, unit.lazy, unit.references) for unit in source.units]
    ([('f', 'p.b', 'f')], [(['N'], True, []), (['g'], True, [['N'], ['f']])])
    """
    tree = ast.parse(content)
    base = module if package else module.rpartition(".")[0]
    found = Source(hashlib.sha256(content).hexdigest(), rooms=_rooms(tree))
    # Annotations that nobody evaluates.
    unread = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    for node in tree.body:
        _add(found, node, base, unread)
    return found


def read_cells(cells: Iterable[str]) -> Source:
    """The units of the code cells of a notebook, all of which are executed.

    A cell in IPython's own syntax may do anything: it becomes a unit that reaches whatever there is.

    Examples
    --------
    >>> [unit.references for unit in read_cells(["import numpy as np", "np.ones(3)"]).units]
    [[['np', 'ones']]]
    >>> [unit.dynamic for unit in read_cells(["%matplotlib inline"]).units]
    [True]
    """
    cells = list(cells)
    found = Source(hashlib.sha256("\0".join(cells).encode()).hexdigest())
    for cell in cells:
        try:
            body = ast.parse(cell).body
        except SyntaxError:
            body = ast.parse("exec(cell)").body
        for node in body:
            _add(found, node, "", unread=False)
    return found


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _add(source: Source, node: ast.stmt, base: str, unread: bool) -> None:
    if isinstance(node, ast.Import | ast.ImportFrom):
        source.imports += _imported(node, base)
        return
    only_for_types = isinstance(node, ast.If) and _chain(node.test)[-1:] == ("TYPE_CHECKING",) and not node.orelse
    if _is_text(node) or only_for_types:
        return
    imports = [row for child in ast.walk(node) for row in _imported(child, base)]
    definition = isinstance(node, (*_FUNCTION, ast.ClassDef))
    if not definition:
        # `try: import x`, `with ...: import x`: these bind names of the file.
        source.imports += imports
        imports = []
    used = _References(unread)
    used.visit(node)
    words = {word for chain in used.chains for word in chain} | {row[2] for row in imports if row[2]}
    resources = {bound for bound, module, name in [*source.imports, *imports] if "importlib.resources" in f"{module}.{name}"}
    beside = bool(words & {"__file__", "__path__"} or {chain[0] for chain in used.chains} & resources)
    by_text = any(chain[:2] == ("sys", "modules") for chain in used.chains)
    dynamic = {chain[0] for chain in used.chains} & _DYNAMIC or words & _DYNAMIC_ATTRIBUTES or (by_text and used.computed)
    decorators = [_chain(part.func if isinstance(part, ast.Call) else part) for part in getattr(node, "decorator_list", ())]
    paths = [part.right for part in ast.walk(node) if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div)]
    unit = Unit(
        names=_names(node),
        lazy=(definition and not getattr(node, "keywords", None)) or _only_computes(node),
        digest="",
        references=sorted(map(list, used.chains)),
        imports=imports,
        decorators=[list(chain) for chain in decorators if not chain or chain[-1] not in _WRAPPING],
        callable=definition,
        wraps=isinstance(node, _FUNCTION)
        and {row[1].partition(".")[0] for row in imports} <= sys.stdlib_module_names
        and not _stores(node),
        texts=sorted(text for text in used.texts if len(text) < 100 and (beside or by_text or "." in text)),
        dynamic=bool(dynamic or "__init_subclass__" in used.methods),
        by_text=by_text,
        docs=bool(words & _DOCS or ("help",) in used.chains),
        beside=beside,
        literal="joinpath" not in words and all(isinstance(part, ast.Constant) for part in paths),
    )
    unit.digest = hashlib.sha256(ast.dump(_Bare().visit(node)).encode()).hexdigest()[:24]
    source.units.append(unit)


def _imported(node: ast.AST, base: str) -> list[Row]:
    """The rows of an import; `base` is the package that relative ones start from."""
    if isinstance(node, ast.Import):
        rows: list[Row] = []
        for alias in node.names:
            # `import a.b` binds `a`; with a name it binds `a.b`.
            bound = alias.asname or alias.name.partition(".")[0]
            rows.append((bound, alias.name if alias.asname else bound, None))
            rows.append(("", alias.name, None))
        return rows
    if not isinstance(node, ast.ImportFrom) or node.module == "__future__":
        return []
    parts = base.split(".")
    above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
    module = ".".join(part for part in (above, node.module) if part)
    return [(alias.asname or alias.name, module, alias.name) for alias in node.names]


def _chain(node: ast.AST) -> tuple[str, ...]:
    """`a.b.c` as its names; empty for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def _names(node: ast.stmt) -> list[str]:
    """What a statement of the top level binds, imports aside."""
    if isinstance(node, (*_FUNCTION, ast.ClassDef)):
        return [node.name]
    inner = {part.id for part in _own(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    return sorted(inner | {part.name for part in _own(node) if isinstance(part, (*_FUNCTION, ast.ClassDef))})


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """All below a node that belongs to its own scope, the heads of the scopes within it included."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _SCOPE):
            yield from _own(child)


def _only_computes(node: ast.stmt) -> bool:
    """Whether it gives names a value and does nothing else."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets = [node.target]
    else:
        return False
    parts = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    if not all(isinstance(part, ast.Name) for part in parts):
        return False
    calls = [part.func for part in ast.walk(node.value) if isinstance(part, ast.Call)]
    effects = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
    return not any(isinstance(part, effects) for part in ast.walk(node.value)) and all(
        isinstance(call, ast.Attribute | ast.Name) and getattr(call, "attr", getattr(call, "id", "")) in _COMPUTING
        for call in calls
    )


def _stores(node: ast.AST) -> bool:
    """Whether something below a node changes what was there before."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load):
            return True
        if isinstance(part, ast.Global | ast.Delete):
            return True
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in _CHANGING:
            return True
    return False


def _rooms(tree: ast.Module) -> dict[str, str]:
    """Name -> the module that has it, in a package that loads its names on first use."""
    if not any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body):
        return {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and _chain(node.targets[0]) == ("_ROOMS",):
            return {name: room for room, names in ast.literal_eval(node.value).items() for name in names}
    return {}


class _Bare(ast.NodeTransformer):
    """Removes docstrings, and strings that stand alone."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if _is_text(node) else node


class _References(ast.NodeVisitor):
    """The dotted names that a statement takes from outside, and its strings."""

    def __init__(self, unread: bool) -> None:
        self.unread = unread
        self.chains: set[tuple[str, ...]] = set()
        self.texts: set[str] = set()
        self.methods: set[str] = set()
        self.computed = False
        self._hidden: list[set[str]] = []

    def _use(self, chain: tuple[str, ...]) -> None:
        if not any(chain[0] in names for names in self._hidden):
            self.chains.add(chain)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use((node.id,))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = _chain(node)
        if chain:
            self._use(chain)
        else:
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.texts.add(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        if _chain(node.func) == ("getattr",) and len(node.args) > 1:
            of, name = _chain(node.args[0]), node.args[1]
            if isinstance(name, ast.Constant) and of:
                self._use((*of, str(name.value)))
                node = ast.Call(node.func, node.args[1:], node.keywords)
            self.computed |= not isinstance(name, ast.Constant)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        if not self.unread and node.annotation:
            self.visit(node.annotation)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        parts = (node.target, node.value, None if self.unread else node.annotation)
        for part in filter(None, parts):
            self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.methods.add(node.name)
        for part in (*node.decorator_list, node.args, *([] if self.unread or not node.returns else [node.returns])):
            self.visit(part)
        own = [part for statement in node.body for part in (statement, *_own(statement))]
        names = {part.id for part in own if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        names |= {part.name for part in own if isinstance(part, (*_FUNCTION, ast.ClassDef))}
        shown = {name for part in own if isinstance(part, ast.Global) for name in part.names}
        shown |= {row[0] for part in own for row in _imported(part, "")}
        self._within(_arguments(node.args) | (names - shown), node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._within(_arguments(node.args), [node.body])

    def _within(self, names: set[str], body: list) -> None:
        self._hidden.append(names)
        for part in body:
            self.visit(part)
        self._hidden.pop()


def _arguments(arguments: ast.arguments) -> set[str]:
    rows = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    return {row.arg for row in rows if row is not None}
