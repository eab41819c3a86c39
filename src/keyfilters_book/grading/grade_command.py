"""The command `keyfilters-grade`."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .feedback import Graded, write_report
from .judge import Limits, Mark, Marks, exercises_of, judge
from .submissions import Submission, chapter_of, chapter_of_class, chapters, find_submissions


def grade(arguments: Sequence[str] | None = None) -> int:
    """Grade the notebooks of a class; the exit status is 0 where all were graded, 2 where nothing could be."""
    parser = argparse.ArgumentParser(
        prog="keyfilters-grade",
        description="Run the notebooks of a class, each in a process of its own, and grade the answers to the exercises.",
        epilog="Points: 1 for the first exercise of a chapter, 2 for the second, 3 for each further one.",
    )
    parser.add_argument("submissions", type=Path, help="folder or .zip: a notebook or a folder for each student")
    parser.add_argument("-o", "--output", type=Path, required=True, help="table of the grades, such as grades.csv")
    parser.add_argument("--chapter", choices=chapters(), metavar="NAME", help="such as method_a; without it the most frequent")
    parser.add_argument(
        "--seconds", type=float, default=Limits.seconds, help="of the processor, for one cell (default %(default)g)"
    )
    parser.add_argument("--memory", type=float, default=Limits.memory, help="GB for a notebook (default %(default)g)")
    options = parser.parse_args(arguments)
    for name in ("seconds", "memory"):
        if not getattr(options, name) > 0:
            parser.error(f"--{name} is {getattr(options, name):g}; expected more than 0")
    if options.output.suffix != ".csv" or not options.output.parent.is_dir():
        parser.error(f"-o {options.output}: expected a file .csv in a folder that exists")
    if not options.submissions.is_dir() and not zipfile.is_zipfile(options.submissions):
        parser.error(f"{options.submissions} is neither a folder nor a .zip")
    with _folder(options.submissions) as folder:
        submissions = find_submissions(folder)
        notebooks = [notebook for submission in submissions for notebook in submission.notebooks]
        chapter = options.chapter or chapter_of_class(notebooks)
        if not chapter:
            parser.error(f"{options.submissions} has no notebook of a chapter with exercises; name it with --chapter")
        graded: Graded = []
        for submission in submissions:
            graded.append((submission, _marks(submission, chapter, Limits(options.seconds, options.memory))))
            marks = graded[-1][1]
            print(
                f"{submission.name}: {marks.points} of {marks.of}{''.join(f'; {each}' for each in marks.remarks)}", flush=True
            )
        for path in write_report(graded, chapter, options.output):
            print(f"wrote {path}")
    return 0


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path
        return
    with TemporaryDirectory(prefix="keyfilters-grade-") as folder, zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
        yield Path(folder)


def _marks(submission: Submission, chapter: str, limits: Limits) -> Marks:
    """The marks of one student: of several notebooks of the chapter, the one with the most points counts."""
    if not submission.notebooks:
        rows = [Mark(label, 0, of, "Not judged.") for label, of in exercises_of(chapter).items()]
        only = f", only {', '.join(submission.others)}" if submission.others else ""
        return Marks(rows, [f"No notebook was handed in{only}."])
    of_chapter = {notebook: chapter_of(notebook) for notebook in submission.notebooks}
    asked = [notebook for notebook, found in of_chapter.items() if found == chapter] or list(of_chapter)
    judged = [(notebook, judge(notebook, chapter, limits)) for notebook in asked]
    notebook, marks = max(judged, key=lambda pair: pair[1].points)
    if len(asked) > 1:
        marks.remarks.insert(0, f"Of {len(asked)} notebooks the one with the most points counts, {notebook.name}.")
    other = of_chapter[notebook]
    if other and other != chapter:
        marks.remarks.insert(0, f"This is the notebook {other}; asked for is {chapter}.")
    return marks
