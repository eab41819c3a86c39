"""Types of the library: every argument of a public function has one, and the words of an option are those the code knows."""

import ast
from importlib.resources import files
from typing import get_args

import pytest

import keyfilters
import keyfilters_book
from keyfilters import choices, differences, gaussian, models, normalization
from keyfilters.fitting import intervals, joint, methods
from keyfilters_book.paper import landscape

SOURCES = sorted(path for path in files("keyfilters").rglob("*.py"))


def public_functions(tree, name="", method=False):
    """Name and node of each public function and method, and whether its first argument is the object or its class."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node, f"{name}{node.name}.", True)
        elif isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name in ("__init__", "__call__")):
            static = any(ast.unparse(mark) == "staticmethod" for mark in node.decorator_list)
            yield name + node.name, node, method and not static


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(files("keyfilters"))))
def test_every_argument_of_a_public_function_has_a_type_and_so_has_what_it_returns(path):
    bare = []
    for name, node, bound in public_functions(ast.parse(path.read_text(encoding="utf-8"))):
        given = node.args
        found = [*given.posonlyargs, *given.args][bound:] + [*given.kwonlyargs, given.vararg, given.kwarg]
        bare += [f"{name}({each.arg})" for each in found if each is not None and each.annotation is None]
        bare += [f"{name} ->"] if node.returns is None and node.name != "__init__" else []
    assert not bare


def test_the_words_of_an_option_are_those_that_the_code_knows():
    pytest.importorskip("torch")
    from keyfilters.networks.layers import kernels, scale_space
    from keyfilters.networks.surgery import replacing

    known = {
        choices.DC: normalization.DC_CHOICES,
        choices.Edge: models.MODEL_EDGES,
        choices.Border: differences.EDGES,
        choices.KernelKind: gaussian.GAUSSIAN_KINDS,
        choices.MethodName: methods.METHODS,
        choices.JointName: joint.JOINT_METHODS,
        choices.Search: methods.SEARCHES,
        choices.Norm: landscape.POWER,
        choices.Way: intervals.WAYS,
        choices.LayerKernel: kernels.KERNEL_KINDS,
        choices.Share: scale_space.SHARES,
        choices.Normalization: scale_space.NORMS,
        choices.ModeName: replacing.MODES,
    }
    assert {words: get_args(words) for words in known} == {words: tuple(table) for words, table in known.items()}


@pytest.mark.parametrize("package", [keyfilters, keyfilters_book])
def test_both_packages_say_that_they_are_typed(package):
    assert (files(package) / "py.typed").is_file()
