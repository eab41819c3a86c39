"""The status page: every notebook of this build, of the run on a GPU, and by how much the two differ."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .manifest import Entry
from .memory import memory_text
from .project import Project, write_atomic
from .record import load_record, record_row
from .runs import Run
from .words import commit_text, parameters_text, versions_text

__all__ = ["deviation", "deviations", "deviations_table", "runs_table", "write_status"]

NOT_RUN = "not run"

_HEADS = ("Notebook", "Verdict", "Device", "Seconds", "Memory", "Parameters", "Further versions")
_COLUMNS = ("slug", "verdict", "device", "seconds", "memory_mb", "parameters", "versions", "commit", "data_sha256")
_DEVIATION_HEADS = (
    "Notebook", "Numbers", "Equal", "Largest relative difference", "Which number", "Largest absolute difference",
)  # fmt: skip


def _table(caption: str, name: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f":::{{table}} {caption}", f":name: {name}", ":class: wrap", "", f"| {' | '.join(heads)} |"]
    lines.append("| --- " * len(heads) + "|")
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([*lines, ":::", ""])


def _page(slug: str) -> str:
    return f"{{doc}}`/notebooks/{slug}`"


def _common(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The versions that all rows have in common."""
    versions = [row["versions"] for row in rows]
    first = versions[0] if versions else {}
    return {name: found for name, found in first.items() if all(each.get(name) == found for each in versions)}


def _cells(row: Mapping[str, Any], common: Mapping[str, str]) -> list[str]:
    memory = row["memory_mb"]
    own = {name: version for name, version in row["versions"].items() if name not in common}
    return [
        _page(row["slug"]),
        row["verdict"],
        row["device"],
        f"{row['seconds']:.1f}",
        memory_text(memory) if memory else "–",
        parameters_text(row["parameters"]),
        versions_text(own) or "–",
    ]


def runs_table(what: str, name: str, slugs: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """One row for each of `slugs`, in their order; one without a run says so.

    Versions that all rows have in common stand in the caption, and so does the commit, where it is one.

    Examples
    --------
    >>> print(runs_table("Runs", "tbl-runs", ["one"], []).splitlines()[-2])
    | {doc}`/notebooks/one` | not run | – | – | – | – | – |
    """
    found = {row["slug"]: row for row in rows}
    common = _common(found.values())
    commits = {commit_text(row["commit"]) for row in found.values()}
    shared = [*([versions_text(common)] if common else []), *(commits if len(commits) == 1 else [])]
    caption = f"{what}, with {' and '.join(shared)}." if shared else f"{what}."
    heads = _HEADS if len(commits) < 2 else (*_HEADS, "Commit")

    def line(slug: str) -> list[str]:
        if slug not in found:
            return [_page(slug), NOT_RUN, *["–"] * (len(heads) - 2)]
        commit = commit_text(found[slug]["commit"]).removeprefix("commit ")
        return [*_cells(found[slug], common), commit][: len(heads)]

    return _table(caption, name, heads, map(line, slugs))


def runs_csv(slugs: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """The same rows in full, with parameters and versions as JSON.

    Examples
    --------
    >>> print(runs_csv(["one"], []).splitlines()[-1])
    one,not run,,,,,,,
    """
    found = {row["slug"]: row for row in rows}

    def line(slug: str) -> dict[str, Any]:
        row = found.get(slug, {"slug": slug, "verdict": NOT_RUN})
        return {key: json.dumps(value) if isinstance(value, dict) else value for key, value in row.items()}

    return _csv(_COLUMNS, map(line, slugs))


def deviation(here: Any, there: Any) -> tuple[float, float]:
    """Absolute and relative difference of two numbers; of two words 0 if they are equal and infinity otherwise.

    The relative difference is ``|here - there| / max(|here|, |there|)``.

    Examples
    --------
    >>> deviation(2.0, 1.5)
    (0.5, 0.25)
    >>> deviation("yes", "no")
    (inf, inf)
    """
    if here == there:
        return 0.0, 0.0
    if isinstance(here, str) or isinstance(there, str):
        return math.inf, math.inf
    absolute = abs(here - there)
    return absolute, absolute / max(abs(here), abs(there))


def deviations(here: Iterable[Mapping[str, Any]], there: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every number that both runs of a notebook with equal parameters have.

    Returns one dictionary for each number: notebook, number, here, there, absolute, relative.
    """
    others = {(row["slug"], row["profile"]): row for row in there}
    rows = []
    for row in here:
        other = others.get((row["slug"], row["profile"]))
        if other is None or other["parameters"] != row["parameters"]:
            continue
        for name in sorted(row["numbers"].keys() & other["numbers"].keys()):
            one, two = row["numbers"][name], other["numbers"][name]
            absolute, relative = deviation(one, two)
            values = {"here": one, "gpu": two, "absolute": absolute, "relative": relative}
            rows.append({"notebook": row["slug"], "number": name, **values})
    return rows


def deviations_table(slugs: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """One row for each of `slugs`: how many numbers were compared, and by how much they differ at most."""
    by_page: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_page.setdefault(row["notebook"], []).append(row)
    lines = []
    for slug in slugs:
        found = by_page.get(slug)
        if not found:
            lines.append([_page(slug), NOT_RUN, "–", "–", "–", "–"])
            continue
        worst = max(found, key=lambda row: row["relative"])
        equal = sum(row["absolute"] == 0 for row in found)
        which = f"`{worst['number']}`" if worst["relative"] else "–"
        largest = max(row["absolute"] for row in found)
        lines.append([_page(slug), str(len(found)), str(equal), f"{worst['relative']:.1e}", which, f"{largest:.1e}"])
    caption = "By how much the numbers of this build and of the run on a GPU with equal parameters differ."
    return _table(caption, "tbl-status-deviations", _DEVIATION_HEADS, lines)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    import csv

    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_status(project: Project, entries: list[Entry], runs: list[Run]) -> None:
    """Write the three tables to `book/_generated`, and every number that was compared as CSV.

    The runs passed all gates: a build whose notebooks do not, ends before.
    """
    here = [record_row(run, []) for run in runs]
    there = load_record(project)
    slugs = [entry.slug for entry in entries]
    compared = deviations(here, there)
    full = [row for row in there if row["profile"] == "full"]
    built = runs_table("Every notebook of this build", "tbl-status", slugs, here)
    gpu = runs_table("Every notebook of the run on a GPU, profile full", "tbl-status-gpu", slugs, full)
    numbers = ("notebook", "number", "here", "gpu", "absolute", "relative")
    files = {
        "status.md": built,
        "status_gpu.md": gpu,
        "status_deviations.md": deviations_table(slugs, compared),
        "tables/tbl-status.csv": runs_csv(slugs, here),
        "tables/tbl-status-gpu.csv": runs_csv(slugs, full),
        "tables/deviations.csv": _csv(numbers, compared),
    }
    for name, text in files.items():
        write_atomic(project.generated / name, text)
