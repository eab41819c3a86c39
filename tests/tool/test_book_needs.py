"""What a notebook needs: checked before anything is executed."""

import pytest
from tiny_book import tiny_book

from keyfilters import fetch
from keyfilters_build import prerequisites
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
    expected = r"manifest.yml: \$.notebooks\[0\].needs\[0\]: 'quantum' is not one of \['networks', .*'fashion-mnist'\]$"
    with pytest.raises(BookError, match=expected):
        load_manifest(project)


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A book of two notebooks that asks for all, on a machine that has no Fashion-MNIST and no way to it."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.delenv("KEYFILTERS_DATA", raising=False)
    monkeypatch.setattr(fetch, "DEBIAN_FOLDER", tmp_path / "no package")
    monkeypatch.setattr(fetch, "URLS", ())
    monkeypatch.setattr(prerequisites.shutil, "which", lambda name: None)
    return tiny_book(tmp_path / "book", "one", "two", needs="[networks, representations, fashion-mnist]")


def test_a_build_gets_what_is_missing_before_it_executes(bare, monkeypatch):
    def unpacked():
        """Stands for Debian's package."""
        fetch.cache_folder().mkdir(parents=True)
        for row in fetch.FILES.values():
            (fetch.cache_folder() / row.file).write_bytes(b"")
        return fetch.cache_folder()

    monkeypatch.setattr(prerequisites, "from_debian", unpacked)
    monkeypatch.setattr(fetch, "_read_all", lambda folder: {})
    runs, failures = execute_all(bare, load_manifest(bare), "quick")
    assert [run.entry.slug for run in runs] == ["one", "two"] and not failures


def test_a_build_without_its_data_says_so_and_executes_nothing(bare):
    with pytest.raises(BookError, match="^Fashion-MNIST is not there .*apt-get install dataset-fashion-mnist"):
        execute_all(bare, load_manifest(bare), "quick")
    assert not list(bare.build.rglob("*.ipynb"))


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(prerequisites, "find_spec", lambda name: None if name == "timm" else object())
    with pytest.raises(BookError, match=r"^timm is missing: .*pip install 'keyfilters\[networks\]'$"):
        prerequisites.provide(iter(["representations", "networks"]))
    prerequisites.provide(["representations"])


def test_versions_name_the_libraries_that_compute():
    assert {"torch", "timm"} <= set(versions(["networks", "fashion-mnist"])) and "torch" not in versions()
    assert {"pywavelets", "curvelets", "scikit-learn"} <= set(versions(["representations"]))
