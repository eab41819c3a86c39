"""The status page: every notebook of this build, of the run with the full parameters, and of the run on a GPU."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .memory import memory_text
from .processor import kind_text
from .project import Project, write_atomic
from .prose_tables import csv_text, page_link, prose_table
from .reproduction import EQUAL, GPU, VERDICTS
from .words import commit_text, parameters_text, versions_text

__all__ = ["runs_table", "write_status"]

NOT_RUN = "not run"
NONE_STORED = "No run is stored yet, so there is no table.\n"

_HEADS = (
    "Notebook", "Verdict", "Equal", "Seconds", "Memory", "Parameters", "Device", "Further versions", "Commit",
)  # fmt: skip
_COLUMNS = (
    "slug", "verdict", "device", "processor", "seconds", "memory_mb", *VERDICTS, "parameters", "versions", "commit",
    "data_sha256",
)  # fmt: skip


def _common(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The versions that all rows have in common."""
    versions = [row["versions"] for row in rows]
    first = versions[0] if versions else {}
    return {name: found for name, found in first.items() if all(each.get(name) == found for each in versions)}


def _device(row: Mapping[str, Any]) -> str:
    return f"{row['device']} ({kind_text(row['processor']['kind'])})" if row["processor"] else row["device"]


def _equal(row: Mapping[str, Any]) -> str:
    return "not compared" if row["not_compared"] else f"{row[EQUAL]} of {sum(row[verdict] for verdict in VERDICTS)}"


def _cells(slug: str, row: Mapping[str, Any], common: Mapping[str, str]) -> dict[str, str]:
    memory = row["memory_mb"]
    own = {name: version for name, version in row["versions"].items() if name not in common}
    compared = {"Equal": _equal(row)} if EQUAL in row else {}
    return {
        "Notebook": page_link(slug),
        "Verdict": row["verdict"],
        **compared,
        "Seconds": f"{row['seconds']:.1f}",
        "Memory": memory_text(memory) if memory else "–",
        "Parameters": parameters_text(row["parameters"]),
        "Device": _device(row),
        "Further versions": versions_text(own) or "–",
        "Commit": commit_text(row["commit"]).removeprefix("commit "),
    }


def runs_table(what: str, name: str, slugs: Iterable[str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """One row for each of `slugs`, in their order; one without a run in `rows` says so. Without any run, one sentence.

    Versions that all rows have in common stand in the caption, and so do device and commit, where it is one.

    Examples
    --------
    >>> print(runs_table("Runs", "tbl-runs", ["one"], {}), end="")
    No run is stored yet, so there is no table.
    """
    if not rows:
        return NONE_STORED
    common = _common(rows.values())
    devices, commits = {_device(row) for row in rows.values()}, {commit_text(row["commit"]) for row in rows.values()}
    where = f", {next(iter(devices))}" if len(devices) == 1 else ""
    shared = [*([versions_text(common)] if common else []), *(commits if len(commits) == 1 else [])]
    caption = f"{what}{where}, with {' and '.join(shared)}." if shared else f"{what}{where}."
    compared = any(EQUAL in row for row in rows.values())
    shown = {"Equal": compared, "Device": len(devices) > 1, "Commit": len(commits) > 1}
    heads = [head for head in _HEADS if shown.get(head, True)]

    def line(slug: str) -> list[str]:
        if slug not in rows:
            return [page_link(slug), NOT_RUN, *["–"] * (len(heads) - 2)]
        cells = _cells(slug, rows[slug], common)
        return [cells[head] for head in heads]

    return prose_table(caption, name, heads, map(line, slugs))


def runs_csv(slugs: Iterable[str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The same rows in full, with parameters and versions as JSON.

    Examples
    --------
    >>> print(runs_csv(["one"], {}).splitlines()[-1])
    one,not run,,,,,,,,,,,
    """

    def line(slug: str) -> dict[str, Any]:
        row = {"slug": slug, **rows.get(slug, {"verdict": NOT_RUN})}
        return {key: json.dumps(value) if isinstance(value, dict) else value for key, value in row.items()}

    return csv_text(_COLUMNS, map(line, slugs))


def write_status(
    project: Project,
    found: Mapping[str, Any],
    full: Mapping[str, Mapping[str, Any]] | None,
    machines: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the tables of this build, of the full parameters and of the run on a GPU to `book/_generated`, also as CSV.

    Parameters
    ----------
    found : what `reproduce` returned for this build
    full : the reference of the full profile, or None
    machines : what `load_machines` returned
    """
    gpu = machines.get(GPU, {})
    # The larger parameters where they were run.
    verdict = gpu.get("full") or gpu.get("quick") or {"chapters": {}, "profile": "full"}
    tables = {
        "status": ("Every notebook of this build", "tbl-status", found["chapters"]),
        "status_full": ("Every notebook with its full parameters", "tbl-status-full", full or {}),
        "status_gpu": (
            f"Every notebook with profile {verdict['profile']} on a machine with a GPU",
            "tbl-status-gpu",
            verdict["chapters"],
        ),
    }
    slugs = list(found["chapters"])
    for file, (what, name, rows) in tables.items():
        write_atomic(project.generated / f"{file}.md", runs_table(what, name, slugs, rows))
        if rows:
            write_atomic(project.generated / "tables" / f"{name}.csv", runs_csv(slugs, rows))
