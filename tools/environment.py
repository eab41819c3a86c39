"""Write environment.yml and .binder/environment.yml from pyproject.toml and requirements.lock.

`make lock` runs it after resolving: `python tools/environment.py`. The file lists the same Python bound as
pyproject.toml and each direct dependency at the version of the lock, so that conda makes the environment that
`make book` makes.

Binder has a file of its own. Its builder, repo2docker, takes the files of `.binder/` and none beside them where that
folder is there. It starts from an environment with JupyterLab for the Python that is named with `=`, installs
`.binder/environment.yml` into it, and then runs `.binder/postBuild` in the root of the repository, which installs
the library itself. The file holds what notebooks need and leaves out what builds and tests the book. PyTorch comes from
conda, built for the CPU: pip's brings gigabytes for a GPU that Binder does not have. It is not pinned, as conda has not
always the lock's version.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent

HEADER = """\
# Written by tools/environment.py (`make lock`) from pyproject.toml and requirements.lock.
# conda env create -f environment.yml
name: keyfilters
channels:
  - conda-forge
  - nodefaults
dependencies:
"""

BINDER_HEADER = """\
# Written by tools/environment.py (`make lock`) from pyproject.toml and requirements.lock; read by Binder.
channels:
  - conda-forge
dependencies:
"""

BINDER_PYTHON = "3.12"

NOTEBOOKS = ("networks", "representations", "survey", "volumes")
"""Extras that notebooks need to be run."""

FROM_CONDA = {"torch": "pytorch-cpu", "torchvision": "torchvision"}
"""What Binder takes from conda, with its name there."""


def direct_dependencies(pyproject: dict) -> list[Requirement]:
    """The requirements of the project and of all its extras, by name."""
    project = pyproject["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return sorted(map(Requirement, lines), key=lambda requirement: canonicalize_name(requirement.name))


def locked_versions(lock: str) -> dict[str, str]:
    """Name to version of every requirement in the lock that holds for all Pythons."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+) *(;[^\\]*)?\\?$", lock, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version, marker in pins if not marker.strip()}


def environment(pyproject: dict, lock: str) -> str:
    """The text of environment.yml."""
    versions = locked_versions(lock)
    names = dict.fromkeys(canonicalize_name(requirement.name) for requirement in direct_dependencies(pyproject))
    lines = [f"  - python{pyproject['project']['requires-python']}", "  - pip", "  - pip:"]
    lines += [f"      - {name}=={versions[name]}" for name in names]
    lines += ["      - --editable ."]
    return HEADER + "\n".join(lines) + "\n"


def binder(pyproject: dict, lock: str) -> str:
    """The text of .binder/environment.yml."""
    versions = locked_versions(lock)
    project = pyproject["project"]
    asked = [*project["dependencies"], *(line for extra in NOTEBOOKS for line in project["optional-dependencies"][extra])]
    requirements = {canonicalize_name(Requirement(line).name): Requirement(line) for line in asked}
    lines = [f"  - python={BINDER_PYTHON}"]
    lines += [f"  - {FROM_CONDA[name]}{requirements[name].specifier}" for name in sorted(requirements) if name in FROM_CONDA]
    lines += ["  - pip", "  - pip:"]
    lines += [f"      - {name}=={versions[name]}" for name in sorted(requirements) if name not in FROM_CONDA]
    return BINDER_HEADER + "\n".join(lines) + "\n"


if __name__ == "__main__":
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (ROOT / ".binder").mkdir(exist_ok=True)
    for name, text in (("environment.yml", environment(pyproject, lock)), (".binder/environment.yml", binder(pyproject, lock))):
        (ROOT / name).write_text(text, encoding="utf-8")
        print(f"{name} written")
