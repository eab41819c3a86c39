"""pyproject.toml, requirements.lock and environment.yml describe one environment."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
MEND = "run `make lock`, which writes requirements.lock and environment.yml anew"


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def direct(project):
    """Name to requirement: what pyproject.toml asks for, extras included."""
    lines = sum(project["optional-dependencies"].values(), list(project["dependencies"]))
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


@pytest.fixture(scope="module")
def lock_text():
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def locked(lock_text):
    """Name to the list of requirements in the lock (several where they depend on the Python)."""
    found = {}
    for block in re.split(r"\n(?=\S)", lock_text.strip()):
        requirement = Requirement(block.split("--hash")[0].replace("\\", " ").strip())
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


@pytest.fixture(scope="module")
def conda():
    """(python bound, name to version, other pip lines) of environment.yml."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    (python,) = [entry for entry in entries if isinstance(entry, str) and entry.startswith("python")]
    pins = dict(line.split("==") for line in pip if "==" in line)
    return python, pins, [line for line in pip if "==" not in line]


def version_of(requirement):
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def test_conda_has_the_python_the_direct_dependencies_with_their_locked_versions_and_the_project(
    project, direct, locked, conda
):
    python, pins, others = conda
    assert (python, others) == ("python" + project["requires-python"], ["--editable ."]), MEND
    assert {canonicalize_name(name) for name in pins} == set(direct), MEND
    versions = {name: {version_of(each) for each in locked[canonicalize_name(name)]} for name in pins}
    assert versions == {name: {version} for name, version in pins.items()}, MEND


def test_the_lock_meets_what_the_project_asks_for(direct, locked):
    for name, requirement in direct.items():
        for each in locked[name]:
            assert requirement.specifier.contains(version_of(each), prereleases=True), f"{each} against {requirement}; {MEND}"


def test_the_lock_covers_every_python_that_the_project_allows(project, direct, locked):
    """A direct dependency is locked once for all Pythons, without a marker that could leave one out."""
    assert "3.11" in SpecifierSet(project["requires-python"])
    marked = [str(each) for name in direct for each in locked[name] if each.marker]
    assert not marked


def test_the_lock_has_hashes_and_names_no_host(lock_text):
    blocks = re.split(r"\n(?=\S)", lock_text.strip())
    bare = [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block]
    assert not bare
    assert "://" not in lock_text and "--index" not in lock_text
