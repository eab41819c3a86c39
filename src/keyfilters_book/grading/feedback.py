"""What grading leaves: tables for the lecturer, for Moodle and for Canvas, and a page for each student."""

from __future__ import annotations

import csv
import html
from pathlib import Path

from .judge import Marks
from .submissions import Submission

Graded = list[tuple[Submission, Marks]]

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }}
th, td {{ text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0 }}</style>
<h1>{title}</h1>
<p>{points} of {of} points</p>
<table><thead><tr><th>Exercise<th>Points<th>What the check says</thead><tbody>
{rows}
</tbody></table>
{remarks}
</html>
"""


def _cell(text: object) -> str:
    """Text for a table; one that a spreadsheet would compute gets an apostrophe in front."""
    text = str(text)
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") else text


def _table(path: Path, rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)


def page(submission: Submission, marks: Marks) -> str:
    """The feedback for one student, as HTML."""
    rows = [f"<tr><td>{row.label}<td>{row.points} of {row.of}<td>{html.escape(row.text)}" for row in marks.rows]
    remarks = "".join(f"<li>{html.escape(remark)}\n" for remark in marks.remarks)
    return _PAGE.format(
        title=html.escape(f"{submission.name}: exercises"), points=marks.points, of=marks.of, rows="\n".join(rows),
        remarks=f"<h2>While it ran</h2>\n<ul>\n{remarks}</ul>" if remarks else "",
    )  # fmt: skip


def write_report(graded: Graded, chapter: str, output: Path) -> list[Path]:
    """Write `output` and, beside it, ``-moodle.csv``, ``-canvas.csv`` and a folder of pages; return their paths."""
    stem, labels = output.with_suffix(""), [row.label for row in graded[0][1].rows]
    moodle, canvas, folder = (output.with_name(stem.name + end) for end in ("-moodle.csv", "-canvas.csv", "-feedback"))
    folder.mkdir(exist_ok=True)
    of, title = graded[0][1].of, f"Exercises of {chapter.replace('_', ' ')}"
    _table(output, [
        ["student", "number", "handed in", *labels, "points", "of", "remarks"],
        *([s.name, s.number, ", ".join([*(path.name for path in s.notebooks), *s.others]), *(row.points for row in marks.rows), marks.points, of,
           " ".join(marks.remarks)] for s, marks in graded),
    ])  # fmt: skip
    _table(moodle, [
        # Moodle takes no table without the time of an earlier grade; where there is none, it writes a dash itself.
        ["Identifier", "Full name", "Grade", "Maximum grade", "Last modified (grade)", "Feedback comments"],
        *([f"Participant {s.number}" if s.number else "", s.name, marks.points, of, "\u2013",
           " ".join([*(row.text for row in marks.rows), *marks.remarks])] for s, marks in graded),
    ])  # fmt: skip
    _table(canvas, [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title], ["    Points Possible", "", "", "", "", of],
        *([s.name, s.number, "", "", "", marks.points] for s, marks in graded),
    ])  # fmt: skip
    for submission, marks in graded:
        (folder / f"{submission.key}.html").write_text(page(submission, marks), encoding="utf-8")
    return [output, moodle, canvas, folder]
