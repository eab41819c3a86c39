"""Build the book: execute, check, stage, build the HTML, check it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

from keyfilters import published

from .accessible import mend_pages
from .check import check_executed, check_source
from .claim_marks import failed_claims, report
from .execute import check_parameters, execute_all, read_source
from .front import write_front_picture
from .interactive import write_interactive
from .launch import expected_cells
from .links import check_html
from .manifest import PROFILES, Entry, load_manifest, select
from .page_map import write_page_map
from .project import BookError, GateError, Project, digest_code, digest_files, remove_tree, write_atomic
from .readme import PICTURE, refresh
from .reproduction import closing_line, load_stored, reproduce, write_reproduction
from .run_pages import write_run_pages
from .run_store import Run, page_source
from .slides import add_slides
from .stage import stage
from .teach import kit_page

SAMPLE = "sample-report.html"
"""A report of `keyfilters inspect` to look at, of a network whose weights come with the book's packages."""
_NETWORK = "efficientnet_lite0"

# MyST-NB counts the lines of the third cell from 30000 on.
_PLACE = re.compile(r"book/notebooks/(?P<name>[^:]+\.ipynb):(?P<line>\d+)")
_LINES_PER_CELL = 10000
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def build(
    project: Project, profile: str = "quick", *, only: str | None = None, jobs: int | None = None, strict: bool = False
) -> Path:
    """Build the book of `project` and return its front page.

    Raises `BookError` for a mistake in the call or the manifest, `GateError` for what does not pass. A claim that does
    not hold in this run is listed at the end; with `strict` it is a `GateError` too, after the book was built.
    """
    started = time.monotonic()
    if profile not in PROFILES:
        raise BookError(f"unknown profile {profile!r}; the profiles are {', '.join(PROFILES)}")
    if jobs is not None and jobs < 1:
        raise BookError(f"jobs is {jobs}; expected a positive number")
    entries = load_manifest(project)
    only = select(entries, only)
    check_parameters(project, entries)
    with alone(project):
        return _build(project, entries, profile, only, jobs, strict, started)


@contextmanager
def alone(project: Project) -> Iterator[None]:
    """Wait for another build of the same book; a killed one leaves no lock behind."""
    project.build.mkdir(parents=True, exist_ok=True)
    with (project.build / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another build of this book is under way; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(
    project: Project, entries: list[Entry], profile: str, only: str | None, jobs: int | None, strict: bool, started: float
) -> Path:
    # A broken file is named before hours of execution.
    stored = load_stored(project)
    _gate("notebooks as they lie in git", check_sources(project, entries))
    runs, failures = execute_all(project, entries, profile, only=only, jobs=jobs)
    _gate("execution", [str(failure) for failure in failures])
    executed = sum(run.fresh for run in runs)
    print(f"notebooks: {executed} executed, {len(runs) - executed} unchanged ({time.monotonic() - started:.1f} s)")
    _gate("executed notebooks", check_runs(project, runs))
    stage(project, runs)
    scorecard = published.scorecard() if _own(project) else None
    found = reproduce(runs, stored.references[profile])
    write_reproduction(project, found)
    write_run_pages(project, runs, scorecard, found, stored)
    write_page_map(project, entries)
    if _own(project):
        write_interactive(project)
        write_front_picture(project)
    # In CI a README that is out of date is an error that a test finds, not something to mend in passing.
    if (
        scorecard is not None
        and profile == "quick"
        and not os.environ.get("CI")
        and PICTURE[0] in {entry.slug for entry in entries}
    ):
        for name in refresh(project, profile, scorecard):
            print(f"brought up to date: {name}")
    built = build_html(project)
    index = project.html / "index.html"
    print(f"book: {project.short(index)} ({'built' if built else 'unchanged'}; {time.monotonic() - started:.1f} s in all)")
    print(closing_line(project, found))
    failed, count = failed_claims(runs)
    if strict:
        _gate("claims", [str(claim) for claim in failed])
    if count:
        print(report(failed, count))
    return index


def check_sources(project: Project, entries: list[Entry]) -> list[str]:
    """The failures of all notebooks in their form in git."""
    failures = []
    install = expected_cells(project, entries)
    for entry in entries:
        failures += check_source(entry.slug, read_source(project, entry), install.get(entry.slug))
    return failures


def check_runs(project: Project, runs: list[Run]) -> list[str]:
    """The failures of all executed notebooks."""
    failures, private = [], _private(project)
    for run in runs:
        failures += check_executed(run.entry.slug, page_source(project, run), run.results, private=private)
    return failures


def _private(project: Project) -> list[str]:
    """The folders of this machine that no page may show."""
    # A container may give its user the root as home, or none.
    home = os.path.expanduser("~")
    folders = [str(project.root), *([home] if os.path.isabs(home) else [])]
    return [*(f"{folder}{os.sep}" for folder in folders if folder != os.sep), sys.prefix]


def _gate(what: str, failures: list[str]) -> None:
    if failures:
        raise GateError("\n".join([f"{what}: {len(failures)} failed", *(f"  {failure}" for failure in failures)]))


def _own(project: Project) -> bool:
    """Whether `project` is the book of the library that builds it."""
    return project.package.resolve() == Path(published.__file__).resolve().parents[1]


def _inputs(project: Project) -> str:
    """Hash over everything that the HTML is made from."""
    files = [path for path in project.book.rglob("*") if path.is_file()]
    files += [path for path in (project.config, project.lock) if path.is_file()]
    # The code that builds, and the docstrings of the rest.
    return digest_files(files, project.root) + digest_code()


def _reader(project: Project) -> str:
    """Hash over what every page is read with; where it is another, what was read before is of no use.

    That is the settings, the contents, the extensions and their versions, and what these read of their own.
    """
    shared = (project.book / name for name in ("_toc.yml", "references.bib", "terms.yml"))
    files = [path for path in (project.config, project.lock, *shared) if path.is_file()]
    return (
        digest_files(files, project.root)
        + digest_files(sorted(Path(__file__).parent.glob("*.py")), Path(__file__).parent)
        + sys.version
    )


def _pages(folder: Path) -> str:
    """Hash over the built files: one that went missing or was edited is noticed."""
    # The teaching kit is added later, by `make teach`.
    return digest_files([p for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).parts[0] != "teach"], folder)


def _located(project: Project, line: str) -> str:
    """A message of Sphinx about a page, with the cell of the notebook in git instead of a line of the staged one."""
    found = _PLACE.match(line)
    if not found:
        return line
    name, number = found["name"], int(found["line"])
    staged = nbformat.read(project.staged / name, as_version=4).cells
    source = [cell["id"] for cell in nbformat.read(project.notebooks / name, as_version=4).cells]
    cell = staged[min(number // _LINES_PER_CELL, len(staged)) - 1]["id"] if number >= _LINES_PER_CELL else None
    place = f"cell {source.index(cell) + 1}" if cell in source else "a cell that the build added"
    return f"{name.removesuffix('.ipynb')}: {place}{line[found.end() :]}"


def build_html(project: Project) -> bool:
    """Build `_build/html` unless it was built from the same inputs; returns whether it was built.

    It is built beside the old one, checked, and put in its place only then.
    """
    # Published numbers that deviate without an explanation: a book that shows them is not put in its place.
    unjudged = published.problems() if _own(project) else []
    stamp = project.build / "html.sha256"
    inputs = _inputs(project)
    if stamp.is_file() and project.html.is_dir() and stamp.read_text() == f"{inputs} {_pages(project.html)}\n":
        _gate("scorecard", unjudged)
        return False
    output = project.build / "sphinx"
    fresh, read = output / "_build" / "html", output / "_build" / ".doctrees"
    remove_tree(fresh)
    output.mkdir(parents=True, exist_ok=True)
    reader = output / "reader.sha256"
    if not reader.is_file() or reader.read_text() != _reader(project):
        remove_tree(read)
        write_atomic(reader, _reader(project))
    log = output / "build.log"
    command = [sys.executable, "-m", "keyfilters_build.sphinx_build", str(project.book), str(output), str(project.config)]
    run = subprocess.run(command, cwd=project.root, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    # Sphinx colours its messages whatever it writes to.
    said, stderr = _COLOUR.sub("", run.stdout), _COLOUR.sub("", run.stderr)
    write_atomic(log, said + stderr)
    warnings = [line for line in stderr.splitlines() if "WARNING" in line or "ERROR" in line]
    if run.returncode or warnings:
        # A page that is not read again would not be warned of again.
        remove_tree(read)
        lines = warnings or stderr.strip().splitlines()[-15:]
        shown = [_located(project, line.replace(f"{project.root}{os.sep}", "")) for line in lines]
        _gate(f"jupyter-book (all of its output: {project.short(log)})", shown or ["no message"])
    add_slides(project, fresh)
    rejected = f" (the pages, not put in their place: {project.short(fresh)})"
    mend_pages(fresh, project.generated / "data")
    write_atomic(fresh / "teach" / "index.html", kit_page([]))
    sample = write_sample(project) if _own(project) else project.build / SAMPLE
    if sample.is_file():
        shutil.copyfile(sample, fresh / SAMPLE)
    _gate(f"HTML{rejected}", check_html(fresh))
    _gate(f"scorecard{rejected}", unjudged)
    stamp.unlink(missing_ok=True)
    remove_tree(project.html)
    os.replace(fresh, project.html)
    write_atomic(stamp, f"{inputs} {_pages(project.html)}\n")
    return True


def write_sample(project: Project) -> Path:
    """Write `_build/sample-report.html`, anew where the library has changed since, and return its path."""
    target, stamp = project.build / SAMPLE, project.build / "sample-report.sha256"
    state = digest_files(sorted(project.package.rglob("*.py")), project.package)
    if not (target.is_file() and stamp.is_file() and stamp.read_text() == state):
        from keyfilters.networks import inspect_model, load_model

        found = inspect_model(load_model(_NETWORK, pretrained=True).model, name=_NETWORK, nulls=("random", "gaussian"))
        target.parent.mkdir(parents=True, exist_ok=True)
        found.write(target, force=True)
        write_atomic(stamp, state)
    return target
