"""papermill is the one way to run a notebook with parameters of one's own: from a wheel, in an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml

from keyfilters.book.manifest import load_manifest
from keyfilters.book.project import Project

ROOT = Path(__file__).resolve().parent.parent
ENTRIES = {entry.slug: entry for entry in load_manifest(Project(ROOT))}
CHEAP = ("convnext_architecture",)


@pytest.fixture(scope="session")
def from_wheel(shared_folder, once):
    """Run a module of the environment as somebody does who has installed the library from a wheel."""
    place, made = shared_folder / "wheel", shared_folder / "dist"

    def build():
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(made)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        [wheel] = made.glob("keyfilters-*-py3-none-any.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)

    once("wheel", build)
    # Before the folder of this environment, where the library is a link to the clone.
    environment = {name: value for name, value in os.environ.items() if name != "KEYFILTERS_RESULTS"}
    environment |= {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}

    def run(folder, *arguments):
        return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)

    where = run(shared_folder, "-c", "import keyfilters; print(keyfilters.__file__)").stdout.strip()
    assert Path(where).is_relative_to(place)
    return run


def check(from_wheel, folder, entry, parameters):
    """Run a notebook as the page says; it leaves its output and its results, with the names that the text refers to."""
    folder.mkdir()
    given = []
    for name, value in parameters.items():
        plain = isinstance(value, (int, float, str))
        given += ["-p", name, str(value)] if plain else ["-y", yaml.safe_dump({name: value}, default_flow_style=True)]
    source = ROOT / "notebooks" / f"{entry.slug}.ipynb"
    done = from_wheel(folder, "-m", "papermill", str(source), "out.ipynb", *given)
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(path.name for path in folder.iterdir()) == ["out.ipynb", "results"]
    assert [path.name for path in (folder / "results").iterdir()] == [entry.slug]
    assert (folder / "results" / entry.slug / "numbers.json").is_file()
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
