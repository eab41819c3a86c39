"""A report of `keyfilters inspect` to look at, of a network whose weights come with the book's packages."""

from __future__ import annotations

from pathlib import Path

from .project import Project, digest_files, write_atomic

SAMPLE = "sample-report.html"
NETWORK = "efficientnet_lite0"


def write_sample(project: Project) -> Path:
    """Write `_build/sample-report.html`, anew where the library has changed since, and return its path."""
    target, stamp = project.build / SAMPLE, project.build / "sample-report.sha256"
    state = digest_files(sorted(project.package.rglob("*.py")), project.package)
    if not (target.is_file() and stamp.is_file() and stamp.read_text() == state):
        from keyfilters.networks import inspect_model, load_model

        found = inspect_model(load_model(NETWORK, pretrained=True).model, name=NETWORK, nulls=("random", "gaussian"))
        target.parent.mkdir(parents=True, exist_ok=True)
        found.write(target, force=True)
        write_atomic(stamp, state)
    return target
