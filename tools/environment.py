"""Write environment.yml from pyproject.toml and requirements.lock.

`make lock` runs it after resolving: `python tools/environment.py`. The file lists the same Python bound as
pyproject.toml and each direct dependency at the version of the lock, so that conda (and Binder, which
reads this file) makes the environment that `make book` makes.
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


if __name__ == "__main__":
    text = environment(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")),
        (ROOT / "requirements.lock").read_text(encoding="utf-8"),
    )
    (ROOT / "environment.yml").write_text(text, encoding="utf-8")
    print("environment.yml written")
