"""Pieces of prose that the run itself writes: counts and the table of all notebooks, for `{include}` in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..published import DEVIATES, EQUAL, WITHIN
from .course import write_course
from .project import Project, write_atomic
from .runs import Run
from .stage import parameters_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VERDICTS", "scorecard_counts", "status_table", "write_fragments"]

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
    lines = [f"Of **{len(scorecard)}** published numbers"]
    lines += [f"- **{int(counts.get(verdict, 0))}** {meaning}" for verdict, meaning in VERDICTS.items()]
    return lines[0] + "\n\n" + "\n".join(lines[1:]) + "\n"


def status_table(runs: list[Run]) -> str:
    """All notebooks of this build in one numbered table."""
    head = "| Notebook | Device | Seconds | Parameters | Commit | Versions | Verdict |"
    lines = [":::{table} Every notebook of this build", ":name: tbl-status", ":class: wrap", "", head, "| --- " * 7 + "|"]
    for run in runs:
        record = run.record
        version = record["versions"]
        versions = f"Python {version['python']}, NumPy {version['numpy']}, SciPy {version['scipy']}"
        versions += f", PyTorch {version['torch']}" if "torch" in version else ""
        lines.append(
            f"| {{doc}}`/notebooks/{run.entry.slug}` | {record['device']} | {record['seconds']:.1f} | "
            f"{parameters_text(record['parameters'])} | {record['commit']} | {versions} | passed all gates |"
        )
    return "\n".join([*lines, ":::", ""])


def write_fragments(project: Project, runs: list[Run], scorecard: pd.DataFrame | None) -> None:
    """Write the fragments to `book/_generated`; `scorecard` is left out where a book has none."""
    write_atomic(project.generated / "status.md", status_table(runs))
    counts = scorecard_counts(scorecard) if scorecard is not None else "This book has no scorecard.\n"
    write_atomic(project.generated / "scorecard_counts.md", counts)
    write_course(project)
