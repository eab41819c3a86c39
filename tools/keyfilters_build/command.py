"""`python -m keyfilters_build`: what the command line can do, as one table.

The packages of the extra ``book`` are imported by the actions, so that `--help` needs none of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from keyfilters.cli import _Parser

from .project import BookError, GateError, Project

PROGRAM = "python -m keyfilters_build"
DEFAULT = "build"


def _build(project: Project, options: argparse.Namespace) -> None:
    from .build import build

    build(project, options.profile, only=options.only, jobs=options.jobs, strict=options.strict)


def _teach(project: Project, options: argparse.Namespace) -> None:
    from .build import alone
    from .teach import write_kit

    with alone(project):
        kit = write_kit(project)
    for path in kit:
        print(f"{project.short(path)}: {path.stat().st_size / 1e6:.1f} MB")


def _students(project: Project, options: argparse.Namespace) -> None:
    from .build import alone
    from .edition import write_student_edition

    with alone(project):
        for path in write_student_edition(project, pdf=options.pdf):
            print(project.short(path))


def _pdf(project: Project, options: argparse.Namespace) -> None:
    from .build import alone
    from .pdf import print_book

    with alone(project):
        print(f"printed: {project.short(print_book(project))}")


def _measure(project: Project, options: argparse.Namespace) -> None:
    from .measures import measure

    failures = measure(project)
    if failures:
        raise GateError("\n".join([f"pages: {len(failures)} measures above zero", *(f"  {line}" for line in failures)]))


def _launch(project: Project, options: argparse.Namespace) -> None:
    from .launch import write_install_cells
    from .manifest import load_manifest

    written = write_install_cells(project, load_manifest(project))
    print(f"written into: {', '.join(written) or 'nothing, all is in order'}")


def _reference(project: Project, options: argparse.Namespace) -> None:
    from .build import alone, check_runs
    from .manifest import PROFILES, load_manifest
    from .reproduction import reference_path, write_machine, write_reference

    if options.profile not in PROFILES:
        raise BookError(f"unknown profile {options.profile!r}; the profiles are {', '.join(PROFILES)}")
    with alone(project):
        if options.machine:
            print(write_machine(project))
            return
        done = write_reference(
            project, load_manifest(project), options.profile, lambda runs: check_runs(project, runs), runs=options.runs
        )
    print(f"{project.short(reference_path(project, options.profile))}: {done}")


_PROFILE = {"default": "quick", "metavar": "quick|full", "help": "parameter set (default: quick)"}


class Action(NamedTuple):
    """What the command line can do: a line on what it means, its function, its options as argparse takes them."""

    text: str
    run: Callable[[Project, argparse.Namespace], None]
    options: Mapping[str, Mapping[str, Any]] = {}
    epilog: str | None = None


ACTIONS: dict[str, Action] = {
    "build": Action(
        "execute the notebooks, check them and build the book at _build/html/index.html (the default)",
        _build,
        {
            "--profile": _PROFILE,
            "--only": {
                "metavar": "NOTEBOOK",
                "help": "execute this notebook anew; the others come from the cache, or are executed if they never were",
            },
            "--jobs": {"type": int, "metavar": "N", "help": "notebooks executed at once (default: one per core)"},
            "--strict": {"action": "store_true", "help": "exit 1 where a claim does not hold in this run"},
        },
        f"example: {PROGRAM} build --profile quick --only learned_filters",
    ),
    "teach": Action("write what a course is taught from: archives, sheets and prints of the book as it was built", _teach),
    "students": Action(
        "build the pages once more, without the solutions of the exercises",
        _students,
        {"--pdf": {"action": "store_true", "help": "print these pages, too: _build/pdf/keyfilters-book-students.pdf"}},
    ),
    "pdf": Action("print the built book to one PDF", _pdf),
    "measure": Action("measure in a browser what a reader of the built pages stumbles over", _measure),
    "launch": Action("write the cell that installs the library into every notebook", _launch),
    "reference": Action(
        "write what the stored runs found as the reference that builds compare themselves with",
        _reference,
        {
            "--profile": _PROFILE | {"help": "whose reference (default: quick)"},
            "--runs": {
                "type": Path,
                "metavar": "FOLDER",
                "help": "take the newest runs of this build folder (default: those of this state of the book)",
            },
            "--machine": {
                "action": "store_true",
                "help": "store how the last build compared, for this kind of machine, instead",
            },
        },
    ),
}
"""Each action by its name."""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="Build the book, and what is made of it. Run it in the root of a clone of the repository.",
        epilog=f"{PROGRAM} ACTION --help tells the options of an action; without one it builds the book.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, action in ACTIONS.items():
        said = f"{action.text[0].upper()}{action.text[1:]}."
        sub = actions.add_parser(name, help=action.text, description=said, epilog=action.epilog, allow_abbrev=False)
        sub.set_defaults(parser=sub)
        for option, how in action.options.items():
            sub.add_argument(option, **how)
    return parser


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the action that is named first, or of the default one."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words.insert(0, DEFAULT)
    options, unknown = _parser().parse_known_args(words)
    if unknown:
        options.parser.error(f"{options.action} takes no {' '.join(unknown)}")
    return options


def main(arguments: Sequence[str] | None = None, root: Path | None = None) -> int:
    """Command line of the book. Returns 0: done, 1: a notebook or a gate failed, 2: a mistake in the call."""
    options = _options(arguments)
    project = Project((root or Path.cwd()).resolve())
    try:
        if not project.manifest.is_file():
            name = project.short(project.manifest)
            raise BookError(f"there is no {name} here: run this in the root of a clone of the repository")
        ACTIONS[options.action].run(project, options)
    except BookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package in ("", __name__.split(".")[0]):
            raise
        mend = "the book needs its extra, pip install 'keyfilters[book]'"
        print(f"error: {package} is missing: {mend}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the notebooks that were finished are kept", file=sys.stderr)
        return 130
    except GateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
