"""What the page *Does it reproduce here?* has from the build: the answer, the counts, what differs, and other machines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .claims import escaped
from .processor import KINDS, kind_text
from .project import Project, write_atomic
from .prose_tables import csv_text, page_link, prose_table
from .reference_run import digest
from .reproduction import DIFFER, EQUAL, GPU, MEANING, VERDICTS, WITHIN, Stored
from .words import commit_text, versions_text

__all__ = ["answer", "chapters_table", "write_reproduction_page"]

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


def _common(facts: Iterable[Mapping[str, Any]], key: str) -> list[Any]:
    """The different values of a field, in the order in which they come."""
    values: list[Any] = []
    for each in facts:
        if each[key] not in values:
            values.append(each[key])
    return values


def _provenance(kind: str, verdict: Mapping[str, Any], current: str | None) -> str:
    facts = list(verdict["chapters"].values())
    machines = [kind_text(p["machine"]) for p in _common(facts, "processor") if p]
    versions = {name: version for each in facts for name, version in each["versions"].items()}
    commits = ", ".join(commit_text(commit) for commit in _common(facts, "commit"))
    stale = "" if verdict["reference"]["digest"] == current else " It was compared with an earlier reference."
    failed = len(verdict["claims_failed"])
    return (
        f"- **{kind_text(kind)}**: {verdict[EQUAL]:,} of {_total(verdict):,} equal, {verdict[WITHIN]:,} within, "
        f"{verdict[DIFFER]:,} differ; claims that fail: {failed}. Run on a machine that is {' and '.join(machines) or 'not described'} "
        f"({'; '.join(_common(facts, 'device'))}), computed as {kind_text(verdict['kind'])}, from {commits}, with {versions_text(versions)}.{stale}\n"
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
