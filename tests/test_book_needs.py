"""What a notebook needs: checked before anything is executed, and part of its key in the store of runs."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_book import tiny_book

from keyfilters import fetch
from keyfilters.book import needs
from keyfilters.book.execute import execute_all
from keyfilters.book.manifest import load_manifest
from keyfilters.book.project import BookError
from keyfilters.book.provenance import versions
from keyfilters.book.runs import CALLED, CHECKING, cache_key

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def project(tmp_path):
    project = tiny_book(tmp_path, "one")
    (project.package / "networks").mkdir(parents=True)
    return project


@pytest.mark.parametrize("wants, file, same", [
    ((), "networks/layers/kernels.py", True),
    ((), "data/fashion_mnist/runs.csv", True),
    ((), "code.py", False),
    ((), "representations/patches.py", True),
    (("networks",), "representations/patches.py", True),
    (("representations",), "representations/patches.py", False),
    (("representations",), "networks/layers/kernels.py", True),
    (("networks", "representations"), "networks/layers/kernels.py", False),
    (("networks",), "networks/layers/kernels.py", False),
    (("networks",), "data/fashion_mnist/runs.csv", False),
    (("networks",), "code.py", False),
    ((), "book/slides.py", True),
    ((), "book/page.py", False),
    ((), "exercises/two.py", True),
    ((), "exercises/one.py", False),
    ((), "exercises/verdict.py", False),
])  # fmt: skip
def test_a_change_of_a_room_leaves_notebooks_without_need_of_it_as_they_are(project, wants, file, same):
    entry = replace(load_manifest(project)[0], needs=wants)
    before = cache_key(project, entry, "quick")
    path = project.package / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("changed = True\n")
    assert (cache_key(project, entry, "quick") == before) is same


def _imports(path):
    """Modules of its own package that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {f"{node.module}.py" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module}


def test_what_notebooks_call_of_the_book_is_part_of_their_key():
    book = ROOT / "src" / "keyfilters" / "book"
    asked = set()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        asked |= {f"{name.strip()}.py" for names in re.findall(r"from keyfilters\.book import ([\w, ]+)", text) for name in names.split(",")}
        asked |= {f"{name}.py" for name in re.findall(r"keyfilters\.book\.(\w+)", text)}
    reached, todo = set(), asked
    while todo:
        reached |= todo
        todo = {name for file in todo for name in _imports(book / file)} - reached
    assert reached <= set(CALLED) and "page.py" in reached
    exercises = ROOT / "src" / "keyfilters" / "exercises"
    reached = {name for file in exercises.glob("*.py") for name in _imports(file)}
    assert reached <= set(CHECKING)


def test_an_unknown_need_is_named(project):
    text = project.manifest.read_text().rstrip() + "\n    needs: [quantum]\n"
    project.manifest.write_text(text)
    with pytest.raises(BookError, match=r"row 1 \(one\): needs 'quantum'; expected networks, representations, fashion-mnist"):
        load_manifest(project)


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine that has no Fashion-MNIST, and a book of two notebooks that asks for it last; gives the book and the
    needs that were asked for."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.delenv("KEYFILTERS_DATA", raising=False)
    monkeypatch.setattr(fetch, "DEBIAN_FOLDER", tmp_path / "no package")
    monkeypatch.setattr(fetch, "URLS", ())
    asked = []

    def recorded(name, see_to):
        return lambda: (asked.append(name), see_to())

    monkeypatch.setattr(needs, "NEEDS", {name: recorded(name, see_to) for name, see_to in needs.NEEDS.items()})
    project = tiny_book(tmp_path / "book", "one", "two", needs="[networks, representations, fashion-mnist]")
    return project, asked


def test_a_build_sees_to_every_need_before_it_executes(bare, monkeypatch):
    project, asked = bare

    def package(name, folder, cache):
        """Stands for the package manager of somebody who is not root."""
        assert asked == ["networks", "representations", "fashion-mnist"]
        cache.mkdir(parents=True)
        for row in fetch.FILES.values():
            (cache / row.file).write_bytes(b"")
        return cache

    monkeypatch.setattr("keyfilters.debian.get_package", package)
    monkeypatch.setattr(fetch, "_read_all", lambda folder: {})
    runs, failures = execute_all(project, load_manifest(project), "quick")
    assert [run.entry.slug for run in runs] == ["one", "two"] and not failures
    assert asked == ["networks", "representations", "fashion-mnist"]
    assert sorted(path.name for path in fetch.cache_folder().iterdir()) == sorted(row.file for row in fetch.FILES.values())


def test_a_build_without_its_data_says_so_and_executes_nothing(bare, monkeypatch):
    project, _ = bare
    monkeypatch.setattr("keyfilters.debian.shutil.which", lambda name: None)
    with pytest.raises(BookError, match="^Fashion-MNIST is not there .*apt-get install dataset-fashion-mnist"):
        execute_all(project, load_manifest(project), "quick")
    assert not list(project.build.rglob("*.ipynb"))


@pytest.mark.parametrize("kind", [list, tuple, iter, set])
def test_each_need_is_seen_to_once(monkeypatch, kind):
    asked = []
    monkeypatch.setattr(needs, "NEEDS", {"a": lambda: asked.append("a"), "b": lambda: asked.append("b")})
    needs.provide(kind(["b", "b", "a"]))
    assert asked == ["a", "b"]


def test_what_is_missing_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == "timm" else object())
    with pytest.raises(BookError, match=r"^timm is missing: .*pip install 'keyfilters\[networks\]'$"):
        needs.provide(["networks"])

    def nowhere():
        raise ValueError("Fashion-MNIST is nowhere;\n mend it")

    monkeypatch.setattr("keyfilters.fetch.ensure_fashion_mnist", nowhere)
    with pytest.raises(BookError, match="^Fashion-MNIST is nowhere; mend it$"):
        needs.provide(["fashion-mnist"])


def test_versions_name_the_libraries_that_compute():
    assert {"torch", "timm"} <= set(versions(["networks", "fashion-mnist"])) and "torch" not in versions()
    assert {"pywavelets", "curvelets", "scikit-learn"} <= set(versions(["representations"]))
