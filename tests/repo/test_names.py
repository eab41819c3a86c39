"""One meaning per public name: nothing is defined twice, no file is called like another."""

import ast
import sys
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import pytest

from keyfilters._moved import RENAMED

ROOT = Path(__file__).resolve().parents[1]
while not (ROOT / "src").is_dir():
    ROOT = ROOT.parent
PACKAGES = ("keyfilters", "keyfilters_book")
CALLED_LIKE_NOTEBOOKS = "keyfilters_book/exercises"
SHARED = {
    "keyfilters/networks/commands": "each command has the same names, by which `keyfilters.cli` calls it",
    "keyfilters_book/chapters": "each module holds the parts of one notebook, which alone imports from it",
    CALLED_LIKE_NOTEBOOKS: "each module is called like its notebook, and only notebooks import from it",
}
"""Folders whose modules may define what others define, with the reason."""


def modules():
    paths = [path.relative_to(ROOT / "src") for package in PACKAGES for path in (ROOT / "src" / package).rglob("*.py")]
    return sorted(path for path in paths if path.parent.as_posix() not in SHARED)


def defined(tree):
    """The public functions, classes and constants of a module."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names = [node.name]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def twice(pairs):
    places = defaultdict(set)
    for name, place in pairs:
        places[name].add(place)
    return {name: sorted(found) for name, found in places.items() if len(found) > 1}


def test_a_public_name_has_one_meaning():
    found = ((name, path.as_posix()) for path in modules() for name in defined(ast.parse((ROOT / "src" / path).read_text())))
    assert twice(found) == {}, "rename all but one, and list the old name in keyfilters._moved.RENAMED"


def test_a_file_name_stands_for_one_file():
    paths = [path.relative_to(ROOT) for folder in ("src", "tools", "tests") for path in (ROOT / folder).rglob("*.py")]
    named = [path for path in paths if path.name != "conftest.py" and path.parent.as_posix() != f"src/{CALLED_LIKE_NOTEBOOKS}"]
    assert twice((path.name, path.as_posix()) for path in named if not path.name.startswith("__")) == {}


def test_no_module_is_named_like_one_of_the_standard_library():
    names = {path.stem for path in modules()} | {path.parent.name for path in modules()}
    assert not {name for name in names if not name.startswith("__")} & sys.stdlib_module_names


def test_the_check_sees_functions_classes_and_constants():
    tree = ast.parse("def f(): pass\nclass C: pass\nA, B = 1, 2\nD: int = 3\n_E = 4\nimport os\n")
    assert list(defined(tree)) == ["f", "C", "A", "B", "D"]
    assert twice([("f", "a"), ("f", "b"), ("g", "a"), ("g", "a")]) == {"f": ["a", "b"]}


@pytest.mark.parametrize("module", sorted(RENAMED))
def test_old_names_lead_to_the_new_ones_with_a_warning(module):
    found = import_module(module)
    for old, now in RENAMED[module].items():
        place = now if "." in now else f"{module}.{now}"
        with pytest.warns(DeprecationWarning, match=rf"^{module}\.{old} is now {place}; the old name goes with"):
            assert getattr(found, old) is resolve_name(place)
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        getattr(found, "no_such_name")  # noqa: B009
