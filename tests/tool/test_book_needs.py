"""What a notebook needs: checked before anything is executed."""

import pytest
from tiny_book import tiny_book

from keyfilters import fetch
from keyfilters_build import needs
from keyfilters_build.execute import execute_all
from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import BookError
from keyfilters_build.provenance import versions


@pytest.fixture
def project(tmp_path):
    return tiny_book(tmp_path, "one")


def test_an_unknown_need_is_named(project):
    text = project.manifest.read_text().rstrip() + "\n    needs: [quantum]\n"
    project.manifest.write_text(text)
    with pytest.raises(
        BookError, match=r"row 1 \(one\): needs 'quantum'; expected networks, representations, survey, fashion-mnist"
    ):
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

    monkeypatch.setattr("keyfilters_build.debian.get_package", package)
    monkeypatch.setattr(fetch, "_read_all", lambda folder: {})
    runs, failures = execute_all(project, load_manifest(project), "quick")
    assert [run.entry.slug for run in runs] == ["one", "two"] and not failures
    assert asked == ["networks", "representations", "fashion-mnist"]
    assert sorted(path.name for path in fetch.cache_folder().iterdir()) == sorted(row.file for row in fetch.FILES.values())


def test_a_build_without_its_data_says_so_and_executes_nothing(bare, monkeypatch):
    project, _ = bare
    monkeypatch.setattr("keyfilters_build.debian.shutil.which", lambda name: None)
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

    def nowhere(*before):
        raise ValueError("Fashion-MNIST is nowhere;\n mend it")

    monkeypatch.setattr("keyfilters.fetch.ensure_fashion_mnist", nowhere)
    with pytest.raises(BookError, match="^Fashion-MNIST is nowhere; mend it$"):
        needs.provide(["fashion-mnist"])


def test_versions_name_the_libraries_that_compute():
    assert {"torch", "timm"} <= set(versions(["networks", "fashion-mnist"])) and "torch" not in versions()
    assert {"pywavelets", "curvelets", "scikit-learn"} <= set(versions(["representations"]))
