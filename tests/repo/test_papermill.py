"""papermill is the one way to run a notebook with parameters of one's own: from two wheels, in an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml

from keyfilters_build.launch import SUBDIRECTORY
from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import Project

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = {entry.slug: entry for entry in load_manifest(Project(ROOT))}
CHEAP = ("convnext_architecture",)


@pytest.fixture(scope="session")
def from_wheel(shared_folder, once):
    """Run a module of the environment as somebody does who has installed library and chapters from their wheels."""
    place, made = shared_folder / "wheel", shared_folder / "dist"

    def build():
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(made)]
        for folder, name in ((ROOT, "keyfilters"), (ROOT / SUBDIRECTORY, "keyfilters_book")):
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
            [wheel] = made.glob(f"{name}-*-py3-none-any.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(place)

    once("wheel", build)
    # Before the folder of this environment, where the library is a link to the clone.
    environment = {name: value for name, value in os.environ.items() if name != "KEYFILTERS_RESULTS"}
    environment |= {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}

    def run(folder, *arguments):
        return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)

    where = run(
        shared_folder, "-c", "import keyfilters, keyfilters_book; print(keyfilters.__file__, keyfilters_book.__file__)"
    ).stdout.split()
    assert len(where) == 2 and all(Path(file).is_relative_to(place) for file in where)
    assert {path.name for path in place.iterdir() if not path.name.endswith(".dist-info")} == {"keyfilters", "keyfilters_book"}
    assert not (place / "keyfilters" / "keyfilters_book").exists() and (place / "keyfilters_book" / "LICENSE").is_file()
    return run


def check(from_wheel, folder, entry, parameters):
    """Run a notebook as the page says; it leaves its output and nothing else."""
    folder.mkdir()
    given = []
    for name, value in parameters.items():
        plain = isinstance(value, (int, float, str))
        given += ["-p", name, str(value)] if plain else ["-y", yaml.safe_dump({name: value}, default_flow_style=True)]
    source = ROOT / "notebooks" / f"{entry.slug}.ipynb"
    done = from_wheel(folder, "-m", "papermill", str(source), "out.ipynb", *given)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [path.name for path in folder.iterdir()] == ["out.ipynb"]
    injected = [
        cell.source for cell in nbformat.read(folder / "out.ipynb", as_version=4).cells
        if "injected-parameters" in cell.metadata.get("tags", [])
    ]  # fmt: skip
    assert [[name for name in parameters if f"{name} = " in source] for source in injected] == [list(parameters)]


@pytest.mark.parametrize("slug", CHEAP)
def test_a_notebook_runs_with_one_parameter(from_wheel, tmp_path, slug):
    entry = ENTRIES[slug]
    name, value = next(iter(entry.parameters["quick"].items()))
    check(from_wheel, tmp_path / "empty", entry, {name: value})


@pytest.mark.slow
@pytest.mark.parametrize("slug", sorted(set(ENTRIES) - set(CHEAP)))
def test_every_notebook_runs_with_its_parameters(from_wheel, tmp_path, slug):
    entry = ENTRIES[slug]
    check(from_wheel, tmp_path / "empty", entry, entry.parameters["quick"])
