"""`make check`: what pre-commit runs finds a fault of each kind, changes nothing, and needs neither network nor hooks in git."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat import v4

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ".pre-commit-config.yaml"


def check(place, *arguments):
    programs = Path(sys.executable).parent
    return subprocess.run(
        [programs / "pre-commit", "run", "--all-files", *arguments], cwd=place, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PRE_COMMIT_HOME": str(place / "kept"), "https_proxy": "nowhere:1"},
    )  # fmt: skip


@pytest.fixture
def place(tmp_path):
    """A clone of a small repository with the settings of this one."""
    for name in (CONFIG, "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "module.py").write_text('"""A module."""\n\nx = 1\n', encoding="utf-8")
    cell = v4.new_code_cell("1 + 1", id="one")
    nbformat.write(
        v4.new_notebook(cells=[cell], metadata={"language_info": {"name": "python"}}), tmp_path / "notebooks/one.ipynb"
    )
    subprocess.run("git init -q && git add --all .", shell=True, check=True, cwd=tmp_path)
    return tmp_path


def test_every_hook_comes_from_the_environment():
    [own] = yaml.safe_load((ROOT / CONFIG).read_text(encoding="utf-8"))["repos"]
    assert own["repo"] == "local" and {hook["language"] for hook in own["hooks"]} == {"system"}


@pytest.mark.parametrize("hook, name, text", [
    ("ruff", "module.py", '"""A module."""\n\nimport os\n'),
    ("ruff-format", "module.py", '"""A module."""\n\nx=1\n'),
    ("nbstripout", "notebooks/one.ipynb", None),
])  # fmt: skip
def test_a_fault_is_found_and_left_to_its_author(place, hook, name, text):
    good = check(place, hook)
    assert good.returncode == 0, good.stdout
    if text is None:
        notebook = nbformat.read(place / name, as_version=4)
        notebook.cells[0].update(outputs=[v4.new_output("stream", text="2")], execution_count=1)
        text = nbformat.writes(notebook)
    (place / name).write_text(text, encoding="utf-8")
    bad = check(place, hook)
    assert bad.returncode == 1 and name in bad.stdout
    assert (place / name).read_text(encoding="utf-8") == text
