"""The reference run in git, one file for each profile: `reference/quick.json` and `reference/full.json`.

For each notebook it has what its run printed and stored (numbers, claims, and of every file of data its hash and its
`summary`), and where that comes from. `python -m keyfilters_build reference` writes it from stored runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .claim_marks import read_claims
from .data_summary import summary
from .manifest import Entry
from .project import BookError, Project, fields, read_json, write_atomic
from .run_store import Run, cache_keys, cached_run, newest_run

PASSED = "passed all gates"

_TEXT, _OBJECT = {"type": "string"}, {"type": "object"}


def _entries(kind: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": kind}


_NOTEBOOK = fields(
    parameters=_OBJECT, device=_TEXT, processor={"type": ["object", "null"]}, seconds={"type": "number"},
    memory_mb={"type": ["integer", "null"]}, commit=_TEXT, versions=_OBJECT, data_sha256=_TEXT, verdict=_TEXT,
    numbers=_entries(fields(value={}, text=_TEXT)), claims=_entries({"type": "boolean"}),
    data=_entries(fields(sha256=_TEXT, columns=_OBJECT)),
) | {"additionalProperties": True}  # fmt: skip
_SCHEMA = fields("profile", profile=_TEXT, notebooks=_entries(_NOTEBOOK) | {"minProperties": 1})


def reference_path(project: Project, profile: str) -> Path:
    """Where the reference of a profile lies in git."""
    return project.reference / f"{profile}.json"


def run_facts(run: Run, failures: list[str]) -> dict[str, Any]:
    """Where the results of a run come from, what it took, and what the gates said of it."""
    record = run.record
    return {
        "parameters": record["parameters"],
        "device": record["device"],
        # Records of earlier runs do not name the processor.
        "processor": record.get("processor"),
        "seconds": round(record["seconds"], 1),
        "memory_mb": record.get("memory_mb"),
        "commit": record["commit"],
        "versions": record["versions"],
        "data_sha256": record["data_sha256"],
        "verdict": failures[0] if failures else PASSED,
    }


def numbers_of(run: Run) -> dict[str, dict[str, Any]]:
    """The numbers that a run printed into its text: name -> ``{"value": ..., "text": ...}``."""
    path = run.results / "numbers.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _data_hashes(run: Run) -> dict[str, str]:
    """File of data behind a figure or table -> SHA-256. The drawings are made from them, and are not compared."""
    files = {name.removeprefix("results/"): found for name, found in run.record["content"].items()}
    return {name: files[name] for name in sorted(files) if name.endswith((".csv", ".npz"))}


def run_outcome(run: Run, *, summaries: bool = False) -> dict[str, Any]:
    """What a run found: numbers, claims, and of each file of data its hash, with `summaries` its `summary` too.

    Of a notebook that measures time nothing is kept: it finds something else each time.
    """
    if run.entry.timed:
        return {"numbers": {}, "claims": {}, "data": {}}
    return {
        "numbers": numbers_of(run),
        "claims": {statement: claim["holds"] for statement, claim in read_claims(run.results).items()},
        "data": {
            name: {"sha256": found, **({"columns": summary(run.results / name)} if summaries else {})}
            for name, found in _data_hashes(run).items()
        },
    }


def stored_json(content: Any, depth: int = 4) -> str:
    """JSON with a line for each entry down to `depth`, so that a diff shows what changed and the file stays small.

    Examples
    --------
    >>> print(stored_json({"one": {"a": [1, 2], "b": "x"}}, depth=2), end="")
    {
     "one": {
      "a": [1,2],
      "b": "x"
     }
    }
    """
    return _lines(content, depth, "") + "\n"


def _lines(content: Any, depth: int, indent: str) -> str:
    if not isinstance(content, dict | list) or not content or not depth:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    inner = indent + " "
    if isinstance(content, dict):
        start, end = "{", "}"
        items = [f"{json.dumps(key, ensure_ascii=False)}: {_lines(each, depth - 1, inner)}" for key, each in content.items()]
    else:
        start, end = "[", "]"
        items = [_lines(each, depth - 1, inner) for each in content]
    body = ",\n".join(inner + item for item in items)
    return f"{start}\n{body}\n{indent}{end}"


def load_reference(project: Project, profile: str) -> dict[str, dict[str, Any]] | None:
    """Notebook -> what the reference has of it; None where this profile has no reference.

    Raises `BookError`, naming notebook and field, for a file that is no reference.
    """
    path = reference_path(project, profile)
    if not path.is_file():
        return None
    mend = f"make reference PROFILE={profile} writes it anew"
    return read_json(path, _SCHEMA, project.short(path), mend)["notebooks"]


class Renewal(dict[str, str]):
    """Notebook -> ``"renewed"``, ``"kept"`` or ``"not run"``, of a reference that was written."""

    def __str__(self) -> str:
        counts = {word: list(self.values()).count(word) for word in ("renewed", "kept", "not run")}
        return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def write_reference(
    project: Project,
    entries: Iterable[Entry],
    profile: str,
    check: Callable[[list[Run]], list[str]],
    *,
    runs: Path | None = None,
) -> Renewal:
    """Write the reference of `profile` from stored runs.

    Parameters
    ----------
    check : returns the failures of the gates
    runs : the build folder of another clone; the newest run of each notebook there with the parameters of the manifest
        is taken. Default: the runs of this state of the book.

    The quick profile is written as a whole. The full one takes hours: a notebook without a stored run stays as it is in
    the file. Raises `BookError` where runs are missing, and leaves the file as it was.
    """
    entries = list(entries)
    if runs is not None and not (runs / project.cache.name).is_dir():
        raise BookError(
            f"{runs} is no build folder: there is no {project.cache.name}/ in it; expected one such as ../other-clone/{project.build.name}"
        )
    keys = cache_keys(project, entries, profile) if runs is None else {}
    found = {
        entry.slug: cached_run(project, entry, profile, keys[entry.slug])
        if runs is None
        else newest_run(runs / project.cache.name, entry, profile)
        for entry in entries
    }
    missing = [slug for slug, run in found.items() if run is None]
    if missing and (profile == "quick" or len(missing) == len(entries)):
        where = "of this state of the book" if runs is None else f"in {runs}"
        which = "any notebook" if len(missing) == len(entries) else ", ".join(missing)
        raise BookError(f"no stored run {where} with profile {profile} for {which}; run make book PROFILE={profile} first")
    before = (load_reference(project, profile) or {}) if missing else {}
    rows: dict[str, dict[str, Any]] = {}
    done = Renewal()
    for slug, run in found.items():
        if run is not None:
            rows[slug], done[slug] = run_facts(run, check([run])) | run_outcome(run, summaries=True), "renewed"
        elif slug in before:
            rows[slug], done[slug] = before[slug], "kept"
        else:
            done[slug] = "not run"
    write_atomic(reference_path(project, profile), stored_json({"profile": profile, "notebooks": rows}))
    return done


def digest(rows: Mapping[str, Any]) -> str:
    """Hash over what a reference found, by which a verdict names the reference that it was made with."""
    found = {slug: {key: row[key] for key in ("numbers", "claims", "data")} for slug, row in rows.items()}
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
