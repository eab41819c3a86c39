"""Pieces of prose that the run itself writes: counts, the status of all notebooks, and where the pages come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keyfilters.published import DEVIATES, EQUAL, WITHIN
from .badge import badge
from .course import write_course
from .project import Project, write_atomic
from .provenance import provenance
from .reproduction import Stored
from .reproduction_page import write_reproduction_page
from .runs import Run
from .status import write_status
from .words import commit_text, versions_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VERDICTS", "provenance_line", "scorecard_badge", "scorecard_counts", "write_fragments"]

# verdict of the scorecard -> what it means in a list of counts, in this order
VERDICTS: dict[str, str] = {
    EQUAL: "equal to their printed digits",
    WITHIN: "equal within the step of the published search grid",
    DEVIATES: "deviate, each with an explanation",
}


def scorecard_counts(scorecard: pd.DataFrame) -> str:
    """One line for each verdict with its number of rows.

    Raises `ValueError` for a verdict that is not one of `VERDICTS`: a number without a judgement may not be published.
    """
    counts = scorecard["verdict"].value_counts()
    unknown = [verdict for verdict in counts.index if verdict not in VERDICTS]
    if unknown:
        raise ValueError(f"the scorecard has the verdict {unknown[0]!r}; expected one of {', '.join(VERDICTS)}")
    lines = [f"Of **{len(scorecard)}** published numbers:"]
    lines += [f"- **{int(counts.get(verdict, 0))}** {meaning}" for verdict, meaning in VERDICTS.items()]
    return lines[0] + "\n\n" + "\n".join(lines[1:]) + "\n"


def scorecard_badge(scorecard: pd.DataFrame) -> str:
    """SVG with the counts of the verdicts, in words short enough for a badge."""
    counts = scorecard["verdict"].value_counts()
    short = {EQUAL: "equal", WITHIN: "within the grid", DEVIATES: "explained"}
    return badge("scorecard", " · ".join(f"{int(counts.get(verdict, 0))} {word}" for verdict, word in short.items()))


def provenance_line(project: Project, profile: str) -> str:
    """Where a page of prose comes from: one line of text, with hashes between backticks.

    Equal files, profile and versions give equal text.
    """
    facts = provenance(project)
    return (
        f"Built from {commit_text(facts['commit'])}, profile {profile} · data sha256 `{facts['data_sha256'][:12]}` · "
        f"{versions_text(facts['versions'], ' · ')}\n"
    )


def write_fragments(
    project: Project, runs: list[Run], scorecard: pd.DataFrame | None, found: Mapping[str, Any], stored: Stored
) -> None:
    """Write the fragments to `book/_generated`.

    `scorecard` is left out where a book has none; `found` is what `reproduce` returned, `stored` what it was compared with.
    """
    write_status(project, found, stored.references["full"], stored.machines)
    write_reproduction_page(project, found, stored)
    write_atomic(project.generated / "provenance.txt", provenance_line(project, runs[0].profile))
    counts = scorecard_counts(scorecard) if scorecard is not None else "This book has no scorecard.\n"
    write_atomic(project.generated / "scorecard_counts.md", counts)
    if scorecard is not None:
        write_atomic(project.generated / "scorecard-badge.svg", scorecard_badge(scorecard))
    write_course(project)
