"""The library's wheel in an environment of its own, with what it asks for and nothing else: README's examples and its doctests."""

import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import patient
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("networks", "onnx", "survey")


def needed(name, extras=()):
    """The distributions that one asks for, and those that these ask for, by name."""
    found, pending = {}, [(name, frozenset(extras))]
    while pending:
        name, extras = pending.pop()
        asked = distribution(name)
        key = asked.metadata["Name"].lower()
        if found.get(key, (None, frozenset(["?"])))[1] >= extras and key in found:
            continue
        found[key] = asked, found.get(key, (None, frozenset()))[1] | extras
        for line in asked.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in (*extras, "")):
                pending.append((requirement.name, frozenset(requirement.extras)))
    return {key: asked for key, (asked, _) in found.items()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A new environment: the wheel is installed, its dependencies are linked from this one."""
    folder = tmp_path_factory.mktemp("alone")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist")]
    patient.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    [wheel] = (folder / "dist").iterdir()
    venv.create(folder / "environment", with_pip=False)
    python = folder / "environment" / "bin" / "python"
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
    linked = needed("keyfilters", EXTRAS) | needed("pytest")
    for name, found in linked.items():
        if name != "keyfilters":
            for top in {Path(file).parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
                target = site / top
                if not target.exists():
                    target.symlink_to(found.locate_file(top))
    shutil.unpack_archive(wheel, site, "zip")
    return python, site, folder


@pytest.mark.slow
def test_the_wheel_alone_runs_the_examples_of_the_readme_and_the_doctests(alone):
    python, site, folder = alone
    shutil.copy(ROOT / "README.md", folder)
    modules = "('keyfilters_book', 'keyfilters_build', 'sphinx')"
    absent = [python, "-c", f"import importlib.util as u; print([u.find_spec(n) for n in {modules}])"]
    assert subprocess.run(absent, cwd=folder, capture_output=True, text=True).stdout.strip() == "[None, None, None]"
    options = "--doctest-modules --doctest-glob=README.md --import-mode=importlib -p no:cacheprovider -q -W error -o".split()
    command = [
        python,
        "-m",
        "pytest",
        *options,
        "doctest_optionflags=ELLIPSIS NORMALIZE_WHITESPACE",
        "README.md",
        site / "keyfilters",
    ]
    done = patient.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
