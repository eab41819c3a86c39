"""The record of a run on another machine: `notebooks/gpu_runs.json`, made there and shown on the status page here.

`python -m keyfilters.book record` writes it on a machine with a GPU from the stored runs of both profiles; the
workflow of the GPU run does so and uploads it, and a person puts it into git.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .manifest import PROFILES, Entry
from .project import BookError, Project, write_atomic
from .runs import Run, cache_key, cached_run, numbers_of

__all__ = ["GPU", "PASSED", "load_record", "record_path", "record_row", "write_record"]

GPU = "GPU"
"""What the device of a run is called by where the machine has one."""

PASSED = "passed all gates"

# field -> the types that it may have
_FIELDS: dict[str, tuple[type, ...]] = {
    "slug": (str,), "profile": (str,), "parameters": (dict,), "device": (str,), "seconds": (int, float),
    "memory_mb": (int, type(None)), "commit": (str,), "versions": (dict,), "data_sha256": (str,), "verdict": (str,),
    "numbers": (dict,),
}  # fmt: skip


def record_path(project: Project) -> Path:
    """Where the record lies in git."""
    return project.notebooks / "gpu_runs.json"


def record_row(run: Run, failures: list[str]) -> dict[str, Any]:
    """What is kept of a run: its record, its verdict and its numbers."""
    record = run.record
    return {
        "slug": run.entry.slug,
        "profile": run.profile,
        "parameters": record["parameters"],
        "device": record["device"],
        "seconds": round(record["seconds"], 1),
        "memory_mb": record.get("memory_mb"),
        "commit": record["commit"],
        "versions": record["versions"],
        "data_sha256": record["data_sha256"],
        "verdict": failures[0] if failures else PASSED,
        "numbers": numbers_of(run),
    }


def write_record(project: Project, entries: list[Entry], check: Callable[[list[Run]], list[str]], out: Path) -> int:
    """Write the record of the stored runs of this state of the book that were made on a machine with a GPU.

    `check` returns the failures of the gates. Returns the number of runs. Raises `BookError` where there is no such
    run, and leaves `out` as it was.
    """
    found = [
        run
        for profile in PROFILES
        for entry in entries
        if (run := cached_run(project, entry, profile, cache_key(project, entry, profile))) is not None
        and GPU in run.record["device"]
    ]
    if not found:
        raise BookError(
            "no run of this state of the book on a machine with a GPU; run make book and make book PROFILE=full on one"
        )
    rows = [record_row(run, check([run])) for run in found]
    write_atomic(out, json.dumps({"runs": rows}, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return len(rows)


def load_record(project: Project) -> list[dict[str, Any]]:
    """The rows of the record in git; none where there is no record.

    Raises `BookError`, naming row and field, for a file that is no record.
    """
    path = record_path(project)
    if not path.is_file():
        return []
    name = project.short(path)
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["runs"]
    except (ValueError, KeyError, TypeError) as error:
        mend = "python -m keyfilters.book record writes one"
        raise BookError(f"{name}: not a record of runs ({error}); {mend}") from None
    for position, row in enumerate(rows, start=1):
        for field, types in _FIELDS.items():
            if not isinstance(row, dict) or field not in row or not isinstance(row[field], types):
                problem = "is missing or of the wrong kind; write the record anew"
                raise BookError(f"{name}: row {position}: {field} {problem}")
    return rows
