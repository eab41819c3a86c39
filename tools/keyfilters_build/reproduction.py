"""The reference run in git, and how a build compares with it: `reference/<profile>.json` and `_build/reproduction.json`.

For each notebook the reference has what its run printed and stored (numbers, claims, and of every file of data its hash and
its `summary`), and where that comes from. `python -m keyfilters_build reference` writes it from stored runs.

Three things are compared: the numbers in the text, as printed; the claims; and the data behind figures and tables. The
drawings are not: they are made from the data, and their bytes depend on fonts. Notebooks that measure time are not
compared either, nor those with other parameters than the reference had.

The file holds ``{"equal": n, "within": n, "differ": n, "claims_failed": [{"page", "statement", "shown"}],
"rows": [{"page", "name", "reference", "here", "verdict"}]}``, further `profile`, `kind` (of processor), `reference`
(its kind and a hash; null where there is none) and `chapters` (the counts and the provenance of each notebook).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from .claim_marks import failed_claims, read_claims
from .data_summary import ABSOLUTE, RELATIVE, disagreement, summary
from .manifest import PROFILES, Entry
from .page_texts import LIBRARIES, commit_text
from .processor import kind_text
from .project import BookError, Project, fields, read_json, write_atomic
from .run_store import Run, cache_keys, cached_run, newest_run

EQUAL, WITHIN, DIFFER = "equal", "within", "differ"
VERDICTS = (EQUAL, WITHIN, DIFFER)


def _power(value: float) -> str:
    return f"$10^{{{round(math.log10(value))}}}$"


MEANING = {
    EQUAL: "a number is printed with the same digits, a claim holds or fails as before, a file of data has the same bytes",
    WITHIN: (
        "a number differs by no more than one unit of its last printed digit; the decimal numbers of a file agree to "
        f"{_power(RELATIVE)} of their size (or to {_power(ABSOLUTE)}, which is rounding), column by column, and its words "
        "and whole numbers are the same"
    ),
    DIFFER: "everything else; words and counts that are not the same always differ, and so does what only one of the two has",
}
"""What each verdict means."""

GPU = "gpu"
"""The kind of a run on a machine with a GPU; that of any other is the kind of its processor."""

# A number as it is printed: with a minus sign or a hyphen, commas between thousands, an exponent.
_PRINTED = re.compile(r"(?:(?<![\w.)])[-+−])?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+−]?\d+)?")
_ABSENT = "not there"

PASSED = "passed all gates"

_TEXT, _OBJECT, _COUNT, _LIST = ({"type": kind} for kind in ("string", "object", "integer", "array"))


def _entries(kind: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": kind}


_NOTEBOOK = fields(
    parameters=_OBJECT, device=_TEXT, processor={"type": ["object", "null"]}, seconds={"type": "number"},
    memory_mb={"type": ["integer", "null"]}, commit=_TEXT, versions=_OBJECT, data_sha256=_TEXT, verdict=_TEXT,
    numbers=_entries(fields(value={}, text=_TEXT)), claims=_entries({"type": "boolean"}),
    data=_entries(fields(sha256=_TEXT, columns=_OBJECT)),
) | {"additionalProperties": True}  # fmt: skip
_REFERENCE = fields("profile", profile=_TEXT, notebooks=_entries(_NOTEBOOK) | {"minProperties": 1})


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
    return read_json(path, _REFERENCE, project.short(path), mend)["notebooks"]


def write_reference(
    project: Project,
    entries: Iterable[Entry],
    profile: str,
    check: Callable[[list[Run]], list[str]],
    *,
    runs: Path | None = None,
) -> str:
    """Write the reference of `profile` from stored runs; returns how many notebooks were renewed, kept, and not run, in words.

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
    for slug, run in found.items():
        if run is not None:
            rows[slug] = run_facts(run, check([run])) | run_outcome(run, summaries=True)
        elif slug in before:
            rows[slug] = before[slug]
    write_atomic(reference_path(project, profile), stored_json({"profile": profile, "notebooks": rows}))
    counts = {
        "renewed": len(found) - len(missing),
        "kept": len(rows) - len(found) + len(missing),
        "not run": len(found) - len(rows),
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def digest(rows: Mapping[str, Any]) -> str:
    """Hash over what a reference found, by which a verdict names the reference that it was made with."""
    found = {slug: {key: row[key] for key in ("numbers", "claims", "data")} for slug, row in rows.items()}
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def _printed(text: str) -> tuple[list[Decimal], str]:
    """The numbers of a text as they are printed, and the words around them."""
    numbers = [Decimal(found.replace(",", "").replace("−", "-")) for found in _PRINTED.findall(text)]
    return numbers, _PRINTED.sub("#", text)


def _exponent(number: Decimal) -> int:
    return int(number.as_tuple().exponent)


def number_verdict(reference: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The verdict of a number of `numbers.json`, ``{"value": ..., "text": ...}``.

    `"equal"`: the texts are the same. `"within"`: both values are decimal numbers, the words around them are the same,
    and each number in the text differs by no more than one unit of its last printed digit, the finer of the two where
    they were printed to different digits. `"differ"`: all else, so words and counts that are not the same.

    Examples
    --------
    >>> number_verdict({"value": 0.9149, "text": "0.91"}, {"value": 0.9151, "text": "0.92"})
    'within'
    >>> number_verdict({"value": 0.9149, "text": "0.91"}, {"value": 0.9251, "text": "0.93"})
    'differ'
    >>> number_verdict({"value": 3, "text": "3"}, {"value": 4, "text": "4"})
    'differ'
    """
    if reference["text"] == here["text"]:
        return EQUAL
    if not isinstance(reference["value"], float) or not isinstance(here["value"], float):
        return DIFFER
    (one, words), (other, others) = _printed(reference["text"]), _printed(here["text"])
    if words != others or not one:
        return DIFFER
    near = (abs(a - b) <= Decimal(1).scaleb(min(_exponent(a), _exponent(b))) for a, b in zip(one, other, strict=True))
    return WITHIN if all(near) else DIFFER


def _row(page: str, name: str, reference: str, here: str, verdict: str) -> dict[str, str]:
    return {"page": page, "name": name, "reference": reference, "here": here, "verdict": verdict}


def _data_row(page: str, name: str, one: Mapping[str, Any], other: Mapping[str, Any], results: Path) -> dict[str, str]:
    hashes = [each["sha256"][:12] for each in (one, other)]
    if one["sha256"] == other["sha256"]:
        return _row(page, name, *hashes, EQUAL)
    found = disagreement(one["columns"], summary(results / name))
    # Other bytes and nothing that the summaries see: the last of the digits.
    return _row(page, name, *hashes, WITHIN) if found is None else _row(page, name, *found[1:], WITHIN if found[0] else DIFFER)


def _holds(value: bool) -> str:
    return "holds" if value else "does not hold"


def _rows(run: Run, reference: Mapping[str, Any]) -> list[dict[str, str]]:
    """Everything that a run or the reference of its notebook found, compared."""
    page, here = run.entry.slug, run_outcome(run)
    rows = []
    words = {"numbers": lambda number: number["text"], "claims": _holds, "data": lambda data: data["sha256"][:12]}
    for kind, text in words.items():
        one, other = reference[kind], here[kind]
        for name in sorted({*one, *other}):
            if name not in one or name not in other:
                texts = (text(found[name]) if name in found else _ABSENT for found in (one, other))
                rows.append(_row(page, name, *texts, DIFFER))
            elif kind == "data":
                rows.append(_data_row(page, name, one[name], other[name], run.results))
            elif kind == "claims":
                rows.append(
                    _row(page, name, _holds(one[name]), _holds(other[name]), EQUAL if one[name] == other[name] else DIFFER)
                )
            else:
                rows.append(_row(page, name, one[name]["text"], other[name]["text"], number_verdict(one[name], other[name])))
    return rows


def _kind(facts: Mapping[str, Any]) -> str:
    if "GPU" in facts["device"]:
        return GPU
    return facts["processor"]["kind"] if facts["processor"] else "unknown"


def _computed_as(facts: Mapping[str, Any]) -> str:
    return kind_text(facts["processor"]["kind"]) if facts["processor"] else "a processor that was not recorded"


def _reasons(reference: Mapping[str, Any], here: Mapping[str, Any], needs: Iterable[str]) -> list[str]:
    """What the records of two runs of a notebook tell about why their numbers may differ."""
    found = []
    processors = _computed_as(reference), _computed_as(here)
    if processors[0] != processors[1]:
        network = "; the page computes with networks, where a rounding grows" if "networks" in needs else ""
        found.append(f"computed as {processors[1]}, the reference as {processors[0]}{network}")
    if ("GPU" in reference["device"]) != ("GPU" in here["device"]):
        found.append(f"made on {here['device']}, the reference on {reference['device']}")
    for name in sorted({*reference["versions"], *here["versions"]}):
        one, other = (facts["versions"].get(name, "none") for facts in (reference, here))
        if one != other:
            found.append(f"{LIBRARIES.get(name, name)} {other}, the reference {one}")
    if reference["data_sha256"] != here["data_sha256"]:
        found.append("the data of the library changed")
    if reference["commit"] != here["commit"]:
        commits = commit_text(reference["commit"]), commit_text(here["commit"])
        found.append(f"the code may have changed between {commits[0]} and {commits[1]}")
    return found or ["nothing that is recorded differs, so two runs do not agree"]


def _counts(rows: Iterable[Mapping[str, str]]) -> dict[str, int]:
    counts = Counter(row["verdict"] for row in rows)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def _kinds(facts: Iterable[Mapping[str, Any]]) -> str:
    return " and ".join(sorted({_kind(each) for each in facts})) or "unknown"


def reproduce(runs: list[Run], reference: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    """Compare the runs of a build, which passed the gates, with the reference; returns what `_build/reproduction.json` holds.

    `reference` is None where there is none: nothing is compared then. A notebook of the reference that the book no
    longer has is one row, which differs.
    """
    rows: list[dict[str, str]] = []
    chapters: dict[str, dict[str, Any]] = {}
    for run in runs:
        slug, facts = run.entry.slug, run_facts(run, [])
        there = (reference or {}).get(slug)
        left_out = None
        own: list[dict[str, str]] = []
        if reference is None:
            left_out = "there is no reference"
        elif run.entry.timed:
            left_out = "it measures time, which differs from run to run"
        elif there is None:
            left_out = "the reference has no run of it"
        elif there["parameters"] != facts["parameters"]:
            left_out = "its parameters are not those of the reference"
        else:
            own = _rows(run, there)
        counts = _counts(own)
        differ = there is not None and counts[EQUAL] < len(own)
        why = _reasons(there, facts, run.entry.needs) if there is not None and differ else []
        chapters[slug] = {**counts, "not_compared": left_out, "why": why, **facts}
        rows += own
    gone = [slug for slug in reference or {} if slug not in chapters]
    rows += [_row(slug, "the notebook", "there", _ABSENT, DIFFER) for slug in gone]
    failed, _ = failed_claims(runs)
    return {
        **_counts(rows),
        "claims_failed": [{"page": claim.slug, "statement": claim.statement, "shown": claim.shown} for claim in failed],
        "profile": runs[0].profile,
        "kind": _kinds(chapters.values()),
        "reference": None if reference is None else {"kind": _kinds(reference.values()), "digest": digest(reference)},
        "chapters": chapters,
        "rows": rows,
    }


def _path(project: Project) -> Path:
    return project.build / "reproduction.json"


def write_reproduction(project: Project, found: Mapping[str, Any]) -> None:
    """Write `_build/reproduction.json`."""
    write_atomic(_path(project), stored_json(found, depth=3))


def closing_line(project: Project, found: Mapping[str, Any]) -> str:
    """What the build says at its end."""
    if found["reference"] is None:
        name = project.short(reference_path(project, found["profile"]))
        return f"reproduction: nothing to compare with, there is no {name} (make reference writes it)"
    total = sum(found[verdict] for verdict in VERDICTS)
    kinds = kind_text(found["reference"]["kind"])
    if found["kind"] != found["reference"]["kind"]:
        kinds += f"; here {kind_text(found['kind'])}"
    page = project.html / "reproduction.html"
    see = project.short(page if page.is_file() else _path(project))
    if not total:
        return f"reproduction: nothing in this build could be compared with the reference ({kinds}): see {see}"
    return (
        f"reproduction: {found[EQUAL]:,} of {total:,} equal, {found[WITHIN]:,} within, {found[DIFFER]:,} differ "
        f"from the reference ({kinds}): see {see}"
    )


_VERDICT = fields(
    "profile",
    **dict.fromkeys(VERDICTS, _COUNT), claims_failed=_LIST, kind=_TEXT, reference=_OBJECT, chapters=_OBJECT,
    rows=_LIST, profile=_TEXT,
) | {"additionalProperties": True}  # fmt: skip
_VERDICTS = fields(*PROFILES, **dict.fromkeys(PROFILES, _VERDICT))


def machine_path(project: Project, kind: str) -> Path:
    """Where the verdict of a kind of machine lies in git."""
    return project.reference / "machines" / f"{kind}.json"


def load_machines(project: Project) -> dict[str, dict[str, dict[str, Any]]]:
    """Kind of machine -> profile -> the stored verdict of `reference/machines/<kind>.json`.

    Raises `BookError`, naming file and field, for a file that is no verdict.
    """
    mend = "make reference ARGS=--machine writes it on such a machine"
    paths = sorted((project.reference / "machines").glob("*.json"))
    return {path.stem: read_json(path, _VERDICTS, project.short(path), mend) for path in paths}


class Stored(NamedTuple):
    """What git has to compare with: profile -> its reference, and what `load_machines` returns."""

    references: dict[str, dict[str, dict[str, Any]] | None]
    machines: dict[str, dict[str, dict[str, Any]]]


def load_stored(project: Project) -> Stored:
    """The references and the verdicts in git. Raises `BookError` for a file that is broken."""
    return Stored({profile: load_reference(project, profile) for profile in PROFILES}, load_machines(project))


def _kind_of_machine(chapters: Collection[Mapping[str, Any]]) -> str:
    """The kind under which a verdict is looked up: what the machine has, or what it was told to compute as if that is less.

    The build lets newer processors compute as AVX2, but a reader asks by the processor that the reader has.
    """
    kind = _kinds(chapters)
    if kind != "avx2":
        return kind
    return " and ".join(sorted({facts["processor"]["machine"] for facts in chapters}))


def write_machine(project: Project) -> str:
    """Store the verdict of the last build as that of its kind of machine; returns what was written, in words.

    What is equal is only counted. The verdict of the other profile stays. Raises `BookError` where no build was
    compared, or where its runs come from machines of several kinds.
    """
    path = _path(project)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kind, profile = _kind_of_machine(found["chapters"].values()), found["profile"]
        rows = [row for row in found["rows"] if row["verdict"] != EQUAL]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BookError(f"{project.short(path)} is missing or broken; run make book first") from None
    if found["reference"] is None:
        raise BookError(f"the last build had no reference/{profile}.json to be compared with; make reference writes it")
    if " and " in kind or kind == "unknown":
        raise BookError(
            f"the runs of the last build were made on machines of the kinds {kind}; execute all of them on one (make clean book)"
        )
    target = machine_path(project, kind)
    stored = load_machines(project).get(kind, {}) | {profile: {**found, "rows": rows}}
    write_atomic(target, stored_json({name: stored[name] for name in PROFILES if name in stored}))
    return f"{project.short(target)}: profile {profile}, {found[EQUAL]:,} equal, {found[WITHIN]:,} within, {found[DIFFER]:,} differ"
