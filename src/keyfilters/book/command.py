"""`python -m keyfilters.book`: what the command line can do, as one table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .build import GateError, alone, build, check_runs
from .launch import write_install_cells
from .manifest import PROFILES, load_manifest
from .printing import print_book
from .project import BookError, Project
from .record import record_path, write_record
from .teach import write_archives

__all__ = ["ACTIONS", "main"]


def _build(project: Project, options: argparse.Namespace) -> None:
    build(project, options.profile, only=options.only, jobs=options.jobs)


def _teach(project: Project, options: argparse.Namespace) -> None:
    with alone(project):
        archives = write_archives(project)
    for path in archives:
        print(f"{project.short(path)}: {path.stat().st_size / 1e6:.1f} MB")


def _pdf(project: Project, options: argparse.Namespace) -> None:
    with alone(project):
        print(f"printed: {project.short(print_book(project))}")


def _launch(project: Project, options: argparse.Namespace) -> None:
    written = write_install_cells(project, load_manifest(project))
    print(f"written into: {', '.join(written) or 'nothing, all is in order'}")


def _record(project: Project, options: argparse.Namespace) -> None:
    out = options.out or record_path(project)
    count = write_record(project, load_manifest(project), lambda runs: check_runs(project, runs), out)
    print(f"{count} runs: {project.short(out.resolve())}")


ACTIONS: dict[str, tuple[str, Callable[[Project, argparse.Namespace], None]]] = {
    "build": ("build the book (the default)", _build),
    "teach": ("write the archives of a course from the book as it was built", _teach),
    "pdf": ("print the built book to one PDF", _pdf),
    "launch": ("write the cell that installs the library into every notebook", _launch),
    "record": ("write the record of the runs on a machine with a GPU", _record),
}
"""Each action with what it means and its function."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m keyfilters.book",
        description="Execute the notebooks, check them and build the book at _build/html/index.html.",
        epilog="example: python -m keyfilters.book build --profile quick --only learned_filters",
    )
    said = "; ".join(f"{name}: {what}" for name, (what, _) in ACTIONS.items())
    parser.add_argument("action", nargs="?", choices=list(ACTIONS), default="build", help=said)
    parser.add_argument("--profile", default="quick", metavar="|".join(PROFILES), help="parameter set (default: quick)")
    parser.add_argument(
        "--only",
        metavar="NOTEBOOK",
        help="execute this notebook anew; the others come from the cache, or are executed if they never were",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="notebooks executed at once (default: one per core)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where record writes to (default: where the book reads it)")
    return parser


def main(arguments: Sequence[str] | None = None, root: Path | None = None) -> int:
    """Command line of the book. Returns the exit code: 0 done, 1 a notebook or a gate failed, 2 a mistake in the call."""
    options = _parser().parse_args(arguments)
    project = Project((root or Path.cwd()).resolve())
    try:
        ACTIONS[options.action][1](project, options)
    except BookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except GateError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the notebooks that were finished are kept", file=sys.stderr)
        return 130
    return 0
