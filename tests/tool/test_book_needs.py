"""What a notebook needs: checked before anything is executed."""

import pytest
from tiny_book import executed, tiny_book

from keyfilters import fetch
from keyfilters_build import prerequisites
from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import BookError, write_atomic
from keyfilters_build.provenance import versions


def test_an_unknown_need_is_named(tmp_path):
    project = tiny_book(tmp_path, "one", needs="[quantum]")
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


def test_a_build_gets_what_is_missing_before_it_executes(bare, no_kernels, monkeypatch):
    def unpacked():
        """Stands for Debian's package."""
        for row in fetch.FILES.values():
            write_atomic(fetch.cache_folder() / row.file, b"")
        return fetch.cache_folder()

    monkeypatch.setattr(prerequisites, "from_debian", unpacked)
    monkeypatch.setattr(fetch, "_read_all", lambda folder: {})
    runs, failures = executed(bare)
    assert list(runs) == ["one", "two"] and not failures


def test_a_build_without_its_data_says_so_and_executes_nothing(bare):
    with pytest.raises(BookError, match="^Fashion-MNIST is not there .*apt-get install dataset-fashion-mnist"):
        executed(bare)
    assert not list(bare.build.rglob("*.ipynb"))


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(prerequisites, "find_spec", lambda name: None if name == "timm" else object())
    with pytest.raises(BookError, match=r"^timm is missing: .*pip install 'keyfilters\[networks\]'$"):
        prerequisites.provide(iter(["representations", "networks"]))
    prerequisites.provide(["representations"])


def test_versions_name_the_libraries_that_compute():
    assert {"torch", "timm"} <= set(versions(["networks", "fashion-mnist"])) and "torch" not in versions()
    assert {"pywavelets", "curvelets", "scikit-learn"} <= set(versions(["representations"]))
