"""What pages have from the runs: the status of all notebooks, whether they reproduce here, and where the book comes from."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from keyfilters_book.chapters.scorecard_parts import counted_once

from .course import write_course
from .page_texts import commit_text, csv_text, escaped, memory_text, page_link, parameters_text, prose_table, versions_text
from .processor import KINDS, kind_text
from .project import Project, write_atomic
from .provenance import provenance
from .readme import scorecard_badge, scorecard_counts
from .reproduction import DIFFER, EQUAL, GPU, MEANING, VERDICTS, WITHIN, Stored, digest
from .run_store import Run

if TYPE_CHECKING:
    import pandas as pd

NONE_STORED = "No run is stored yet, so there is no table.\n"

_HEADS = (
    "Notebook", "Verdict", "Equal", "Seconds", "Memory", "Parameters", "Device", "Further versions", "Commit",
)  # fmt: skip
_COLUMNS = (
    "slug", "verdict", "device", "processor", "seconds", "memory_mb", *VERDICTS, "parameters", "versions", "commit",
    "data_sha256",
)  # fmt: skip


def _shared_versions(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
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
    """One row for each of `slugs` that has a run in `rows`, in their order, and one sentence on those that have none.

    Versions that all rows have in common stand in the caption, and so do device and commit, where it is one.

    Examples
    --------
    >>> print(runs_table("Runs", "tbl-runs", ["one"], {}), end="")
    No run is stored yet, so there is no table.
    """
    if not rows:
        return NONE_STORED
    common = _shared_versions(rows.values())
    devices, commits = {_device(row) for row in rows.values()}, {commit_text(row["commit"]) for row in rows.values()}
    where = f", {next(iter(devices))}" if len(devices) == 1 else ""
    shared = [*([versions_text(common)] if common else []), *(commits if len(commits) == 1 else [])]
    caption = f"{what}{where}, with {' and '.join(shared)}." if shared else f"{what}{where}."
    compared = any(EQUAL in row for row in rows.values())
    shown = {"Equal": compared, "Device": len(devices) > 1, "Commit": len(commits) > 1}
    heads = [head for head in _HEADS if shown.get(head, True)]

    def line(slug: str) -> list[str]:
        cells = _cells(slug, rows[slug], common)
        return [cells[head] for head in heads]

    slugs = list(slugs)
    missing = [page_link(slug) for slug in slugs if slug not in rows]
    table = prose_table(caption, name, heads, (line(slug) for slug in slugs if slug in rows))
    return table + (f"\nNot run so: {', '.join(missing)}.\n" if missing else "")


def runs_csv(slugs: Iterable[str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The same rows in full, with parameters and versions as JSON.

    Examples
    --------
    >>> print(runs_csv(["one"], {}), end="")
    slug,verdict,device,processor,seconds,memory_mb,equal,within,differ,parameters,versions,commit,data_sha256
    """

    def line(slug: str) -> dict[str, Any]:
        row = {"slug": slug, **rows[slug]}
        return {key: json.dumps(value) if isinstance(value, dict) else value for key, value in row.items()}

    return csv_text(_COLUMNS, (line(slug) for slug in slugs if slug in rows))


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


# Does it reproduce here?

_EXPECTED = (*KINDS, GPU)
"""Kinds of machine that the page names even where none has run."""


def _total(found: Mapping[str, Any]) -> int:
    return sum(found[verdict] for verdict in VERDICTS)


def answer(found: Mapping[str, Any]) -> str:
    """The first sentence of the page.

    Examples
    --------
    >>> found = {"equal": 3, "within": 1, "differ": 0, "kind": "avx2", "reference": {"kind": "avx2"}, "claims_failed": []}
    >>> print(answer(found))
    **Yes, to the printed digits and their rounding.** Of 4 results compared 3 are equal, 1 is within rounding and none
    differs. This build was computed as x86-64 with AVX2, the reference as x86-64 with AVX2. No claim fails here.
    """
    if found["reference"] is None:
        return "**Nobody knows yet.** There is no reference for this set of parameters, so nothing was compared."
    total, differ = _total(found), found[DIFFER]
    if not total:
        return "**Nobody knows yet.** Nothing in this build could be compared with the reference."
    if differ:
        verdict = f"**Not all of it: {differ:,} of {total:,} results differ.**"
    elif found[WITHIN]:
        verdict = "**Yes, to the printed digits and their rounding.**"
    else:
        verdict = "**Yes, all of it.**"
    here, there = (kind_text(each["kind"]) for each in (found, found["reference"]))

    def number(count: int, one: str, many: str) -> str:
        return f"{'none' if not count else f'{count:,}'} {one if count < 2 else many}"

    claims = len(found["claims_failed"])
    return (
        f"{verdict} Of {total:,} results compared {number(found[EQUAL], 'is', 'are')} equal, "
        f"{number(found[WITHIN], 'is', 'are')} within rounding and {number(differ, 'differs', 'differ')}. "
        f"This build was computed as {here}, the reference as {there}. "
        f"{'No claim fails' if not claims else f'{claims} claims fail' if claims > 1 else 'One claim fails'} here."
    )


def chapters_table(found: Mapping[str, Any]) -> str:
    """One row for each notebook: how many of its results are equal, within and differ."""
    rows = []
    for slug, chapter in found["chapters"].items():
        failed = sum(claim["page"] == slug for claim in found["claims_failed"])
        counts = [str(chapter[verdict]) for verdict in VERDICTS]
        rows.append([page_link(slug), *(["–"] * 3 if chapter["not_compared"] else counts), str(failed)])
    rows.append(["all", *(f"{found[verdict]:,}" for verdict in VERDICTS), str(len(found["claims_failed"]))])
    heads = ("Notebook", "Equal", "Within", "Differ", "Claims failed")
    text = prose_table("The results of this build, compared with the reference.", "tbl-reproduction", heads, rows, narrow=True)
    left_out: dict[str, list[str]] = {}
    for slug, chapter in found["chapters"].items():
        if chapter["not_compared"]:
            left_out.setdefault(chapter["not_compared"], []).append(page_link(slug))
    if found["reference"] is None:
        return text
    return text + "".join(f"\nNot compared, because {why}: {', '.join(pages)}.\n" for why, pages in left_out.items())


def _cell(text: str) -> str:
    return escaped(text) or "–"


def _name(name: str) -> str:
    """The name of a result; a claim is called by its statement."""
    return escaped(name) if " " in name else f"`{name}`"


def _link(slug: str, slugs: Collection[str]) -> str:
    """The link to a notebook's page; the name alone of one that the book no longer has."""
    return page_link(slug) if slug in slugs else f"`{slug}`"


def _differences(found: Mapping[str, Any], slugs: Collection[str], name: str, whose: str) -> str:
    """Everything that differs, with both values and why it may; words where nothing does."""
    rows = [row for row in found["rows"] if row["verdict"] == DIFFER]
    if not rows:
        return f"Nothing differs {whose}.\n"
    lines = [[_link(row["page"], slugs), _name(row["name"]), _cell(row["reference"]), _cell(row["here"])] for row in rows]
    caption = f"Every result that differs {whose}: as the reference has it, and as it came out."
    table = prose_table(
        caption, name, ("Notebook", "Result", "Reference", "There" if whose != "here" else "Here"), lines, narrow=True
    )
    reasons: dict[str, list[str]] = {}
    for page in dict.fromkeys(row["page"] for row in rows):
        chapter = found["chapters"].get(page)
        words = "; ".join(chapter["why"]) if chapter else "the book no longer has this notebook"
        reasons.setdefault(words, []).append(_link(page, slugs))
    why = "".join(f"- {', '.join(links)}: {words}.\n" for words, links in reasons.items())
    return f"{table}\nWhat the records of the two runs tell about why:\n\n{why}"


def _claims(found: Mapping[str, Any]) -> str:
    """The claims that do not hold, with the numbers that decided."""
    if not found["claims_failed"]:
        return "Every claim holds in this build.\n"
    return "".join(
        f"- {page_link(claim['page'])}: {escaped(claim['statement'])} ({escaped(claim['shown'])})\n"
        for claim in found["claims_failed"]
    )


def _verdict_cell(verdict: Mapping[str, Any], slug: str) -> str:
    chapter = verdict["chapters"].get(slug)
    if chapter is None or chapter["not_compared"]:
        return "–"
    total = _total(chapter)
    if chapter[EQUAL] == total:
        return f"all {total}"
    rest = ", ".join(f"{chapter[v]} {v}" for v in (WITHIN, DIFFER) if chapter[v])
    return f"{chapter[EQUAL]} of {total} ({rest})"


def _different(facts: Iterable[Mapping[str, Any]], key: str) -> list[Any]:
    """The different values of a field, in the order in which they come."""
    return list({str(each[key]): each[key] for each in facts}.values())


def _provenance(kind: str, verdict: Mapping[str, Any], current: str | None) -> str:
    facts = list(verdict["chapters"].values())
    machines = [kind_text(p["machine"]) for p in _different(facts, "processor") if p]
    versions = {name: version for each in facts for name, version in each["versions"].items()}
    commits = ", ".join(commit_text(commit) for commit in _different(facts, "commit"))
    stale = "" if verdict["reference"]["digest"] == current else " It was compared with an earlier reference."
    failed = len(verdict["claims_failed"])
    return (
        f"- **{kind_text(kind)}**: {verdict[EQUAL]:,} of {_total(verdict):,} equal, {verdict[WITHIN]:,} within, "
        f"{verdict[DIFFER]:,} differ; claims that fail: {failed}. Run on a machine that is {' and '.join(machines) or 'not described'} "
        f"({'; '.join(_different(facts, 'device'))}), computed as {kind_text(verdict['kind'])}, from {commits}, with {versions_text(versions)}.{stale}\n"
    )


def _machines(stored: Stored, profile: str, slugs: Collection[str]) -> str:
    """The stored verdicts of a profile, kind of machine beside kind of machine, and which kinds have none."""
    machines, reference = stored.machines, stored.references[profile]
    current = None if reference is None else digest(reference)
    kinds = [*_EXPECTED, *(kind for kind in machines if kind not in _EXPECTED)]
    run = {kind: machines[kind][profile] for kind in kinds if profile in machines.get(kind, {})}
    text = ""
    if run:
        rows = [[page_link(slug), *(_verdict_cell(verdict, slug) for verdict in run.values())] for slug in slugs]
        heads = ("Notebook", *map(kind_text, run))
        caption = f"How many results are equal to the reference, by kind of machine; profile {profile}."
        text = prose_table(caption, f"tbl-reproduction-{profile}", heads, rows, narrow=True) + "\n"
    missing = [kind_text(kind) for kind in kinds if kind not in run]
    if missing:
        text += f"Not run with profile {profile}: {', '.join(missing)}.\n\n"
    text += "".join(_provenance(kind, verdict, current) for kind, verdict in run.items()) + "\n"
    for kind, verdict in run.items():
        text += f"{_differences(verdict, slugs, f'tbl-reproduction-{profile}-{kind}', f'on {kind_text(kind)}')}\n"
        text += "".join(
            f"- The claim fails there: {_link(c['page'], slugs)}, {escaped(c['statement'])} ({escaped(c['shown'])})\n"
            for c in verdict["claims_failed"]
        )
    return text


def write_reproduction_page(project: Project, found: Mapping[str, Any], stored: Stored) -> None:
    """Write the pieces of the page to `book/_generated`, and every row as CSV.

    `found` is what `reproduce` returned for this build, `stored` what git has.
    """
    slugs = list(found["chapters"])
    machines = "\n".join(
        _machines(stored, profile, slugs)
        for profile in stored.references
        if profile == found["profile"] or any(profile in verdicts for verdicts in stored.machines.values())
    )
    columns = ("page", "name", "reference", "here", "verdict")
    files = {
        "reproduction_answer.md": answer(found) + "\n",
        "reproduction_meaning.md": "".join(f"- **{verdict}**: {words}.\n" for verdict, words in MEANING.items()),
        "reproduction_chapters.md": chapters_table(found),
        "reproduction_differences.md": _differences(found, slugs, "tbl-reproduction-differences", "here"),
        "reproduction_claims.md": _claims(found),
        "reproduction_machines.md": machines,
        "tables/reproduction.csv": csv_text(columns, found["rows"]),
    }
    for name, text in files.items():
        write_atomic(project.generated / name, text)


# All of it


def provenance_line(project: Project, profile: str) -> str:
    """Where a page of prose comes from: one line of text, with hashes between backticks.

    Equal files, profile and versions give equal text.
    """
    facts = provenance(project)
    return (
        f"Built from {commit_text(facts['commit'])}, profile {profile} · data sha256 `{facts['data_sha256'][:12]}` · "
        f"{versions_text(facts['versions'], ' · ')}\n"
    )


def write_run_pages(
    project: Project, runs: list[Run], scorecard: pd.DataFrame | None, found: Mapping[str, Any], stored: Stored
) -> None:
    """Write the fragments to `book/_generated`.

    `scorecard` is left out where a book has none; `found` is what `reproduce` returned, `stored` what it was compared with.
    """
    write_status(project, found, stored.references["full"], stored.machines)
    write_reproduction_page(project, found, stored)
    write_atomic(project.generated / "provenance.txt", provenance_line(project, runs[0].profile))
    counts = scorecard_counts(counted_once(scorecard)) if scorecard is not None else "This book has no scorecard.\n"
    write_atomic(project.generated / "scorecard_counts.md", counts)
    if scorecard is not None:
        write_atomic(project.generated / "scorecard-badge.svg", scorecard_badge(counted_once(scorecard)))
    write_course(project)
