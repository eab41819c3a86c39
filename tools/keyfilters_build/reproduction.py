"""Compare a build with the reference run in git: `_build/reproduction.json`.

Three things are compared: the numbers in the text, as printed; the claims; and the data behind figures and tables. The
drawings are not: they are made from the data, and their bytes depend on fonts. Notebooks that measure time are not
compared either, nor those with other parameters than the reference had.

The file holds ``{"equal": n, "within": n, "differ": n, "claims_failed": [{"page", "statement", "shown"}],
"rows": [{"page", "name", "reference", "here", "verdict"}]}``, further `profile`, `kind` (of processor), `reference`
(its kind and a hash; null where there is none) and `chapters` (the counts and the provenance of each notebook).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from .claim_marks import failed_claims
from .data_summary import ABSOLUTE, RELATIVE, disagreement, summary
from .manifest import PROFILES
from .page_texts import LIBRARIES, commit_text
from .processor import kind_text
from .project import BookError, Project, fields, read_json, write_atomic
from .reference_run import digest, load_reference, reference_path, run_facts, run_outcome, stored_json
from .run_store import Run

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


_COUNT, _LIST, _OBJECT = {"type": "integer"}, {"type": "array"}, {"type": "object"}
_VERDICT = fields(
    "profile",
    **dict.fromkeys(VERDICTS, _COUNT), claims_failed=_LIST, kind={"type": "string"}, reference=_OBJECT, chapters=_OBJECT,
    rows=_LIST, profile={"type": "string"},
) | {"additionalProperties": True}  # fmt: skip
_SCHEMA = fields(*PROFILES, **dict.fromkeys(PROFILES, _VERDICT))


def machine_path(project: Project, kind: str) -> Path:
    """Where the verdict of a kind of machine lies in git."""
    return project.reference / "machines" / f"{kind}.json"


def load_machines(project: Project) -> dict[str, dict[str, dict[str, Any]]]:
    """Kind of machine -> profile -> the stored verdict of `reference/machines/<kind>.json`.

    Raises `BookError`, naming file and field, for a file that is no verdict.
    """
    mend = "make reference ARGS=--machine writes it on such a machine"
    paths = sorted((project.reference / "machines").glob("*.json"))
    return {path.stem: read_json(path, _SCHEMA, project.short(path), mend) for path in paths}


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
