"""Where a result comes from: commit, device, kind of processor, versions and the hash of the data."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from .processor import processor
from .project import Project, digest_files

_REPORTED = ("numpy", "scipy", "matplotlib")
_OF_NEED = {"networks": ("torch", "timm"), "representations": ("scikit-learn", "pywavelets", "curvelets")}


def _git(root: Path, *arguments: str) -> str | None:
    # Within a hook of git they name the repository of the hook.
    own = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}
    command = ["git", "-C", str(root), *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, env=own)
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()


def commit(root: Path, besides: Iterable[str] = ()) -> str:
    """The short commit of `root`, and whether files, `besides` some, differ from it; says so where there is no commit."""
    # A folder without a repository of its own, unpacked within another one, is not of that one's commit.
    if _git(root, "rev-parse", "--show-prefix") != "":
        return "no commit"
    head = _git(root, "rev-parse", "--short=10", "HEAD")
    if head is None:
        return "no commit"
    changed = _git(
        root, "status", "--porcelain", "--untracked-files=normal", "--", "src", "tools", "notebooks", "requirements.lock",
        *(f":(exclude){pattern}" for pattern in besides),
    )  # fmt: skip
    return f"{head} with local changes" if changed else head


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device() -> str:
    """The kind of device, in words that do not identify the machine."""
    count = cores()
    text = f"CPU, {count} core{'s' if count != 1 else ''}"
    names = gpus()
    return f"{text}; GPU, {', '.join(names)}" if names else text


def gpus() -> list[str]:
    """The models of the GPUs of this machine, as the driver of NVIDIA names them.

    None where there is no driver, or where `CUDA_VISIBLE_DEVICES` hides them all.
    """
    if shutil.which("nvidia-smi") is None or os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    asked = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return [line.strip() for line in asked.stdout.splitlines() if line.strip()] if asked.returncode == 0 else []


def versions(needs: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python and of the libraries that compute and draw, of those too that these `needs` of a notebook bring in."""
    names = _REPORTED + tuple(name for need in needs for name in _OF_NEED.get(need, ()))
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def data_files(project: Project) -> list[Path]:
    """The data of the packages: the learned filters, the published numbers, stored results.

    Hidden files are none of them: the system or an editor put them there.
    """
    return [
        path
        for package in project.packages
        for path in sorted((package / "data").rglob("*"))
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts and not path.name.startswith(".")
    ]


def data_sha256(project: Project) -> str:
    """SHA-256 over the names and contents of the package data."""
    return digest_files(data_files(project), *project.packages)


def run_provenance(project: Project, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All of it, as it is written into the record of a run that is executed with the variables `environment`."""
    return {
        "commit": commit(project.root),
        "device": device(),
        "processor": processor(environment),
        "versions": versions(),
        "data_sha256": data_sha256(project),
    }
