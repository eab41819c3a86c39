"""Execute the notebooks with papermill, several at once; each finished run is stored at once."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from .manifest import Entry
from .prerequisites import provide
from .processor import kernel_environment, processor_flags, shortfall
from .project import BookError, Project, remove_tree, replace_tree
from .provenance import cores, provenance, versions
from .run_store import Run, cache_keys, cached_run, clear_partials, partial_folder, store_run
from .watchdog import GENEROUS, PATIENCE, PeakMemory, Watchdog


@dataclass(frozen=True)
class Failure:
    """A notebook that failed: the cell (counted from 1 in the source notebook, 0 where no cell is to blame), its source and the error."""

    slug: str
    cell: int
    source: str
    error: str
    kept: str

    def __str__(self) -> str:
        where = f"cell {self.cell}" if self.cell else "outside its cells"
        lines = self.source.strip().splitlines()
        excerpt = "".join(f"\n    | {line}" for line in lines[:12]) + ("\n    | ..." if len(lines) > 12 else "")
        kept = f"\n    as far as it came: {self.kept}" if self.kept else ""
        return f"{self.slug}: {where} failed: {self.error}{excerpt}{kept}"


def read_source(project: Project, entry: Entry) -> nbformat.NotebookNode:
    """The notebook as it lies in git. Raises `BookError` for one that cannot be read."""
    path = project.notebooks / f"{entry.slug}.ipynb"
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds for a broken file
        raise BookError(f"{project.short(path)}: not a valid notebook: {str(error).splitlines()[0]}") from None


def check_parameters(project: Project, entries: list[Entry]) -> None:
    """Each parameter of the manifest must stand in the cell tagged `parameters`: papermill only warns.

    Raises `BookError` for a notebook that cannot be read, or lacks a parameter.
    """
    from papermill.inspection import inspect_notebook

    for entry in entries:
        read_source(project, entry)
        known = set(inspect_notebook(str(project.notebooks / f"{entry.slug}.ipynb")))
        for profile, parameters in entry.parameters.items():
            for name in parameters:
                if name not in known:
                    raise BookError(
                        f"{project.short(project.manifest)}: {entry.slug}: the {profile} set has an unknown parameter {name!r}; "
                        f"the notebook's parameters are {', '.join(sorted(known)) or 'none'}"
                    )


def _watch_parent(parent: int) -> None:
    """End this worker when the build was killed: nobody waits for its result any more."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _start_worker(environment: dict[str, str], parent: int) -> None:
    os.environ.update(environment)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _blame(source: nbformat.NotebookNode, partial: Path, error: BaseException) -> tuple[int, str, str]:
    """Number (in the source notebook), source and error of the cell that failed, read from the half-executed notebook."""
    message = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    try:
        notebook = nbformat.read(partial, as_version=4)
    except Exception:  # nothing was written: the kernel did not start
        return 0, "", message
    numbers = {cell.get("id"): position for position, cell in enumerate(source.cells, start=1)}
    # Papermill's own note about a failure is a cell without times. A cell that ran out of time or lost its
    # kernel is not marked as failed: it is the last one that was started.
    started = [cell for cell in notebook.cells if cell.metadata.get("papermill", {}).get("start_time")]
    if not started:
        return 0, "", message
    cell = next((cell for cell in started if cell.metadata["papermill"].get("exception")), started[-1])
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            message = f"{output.ename}: {output.evalue}".strip().splitlines()[0]
    return numbers.get(cell.get("id"), 0), cell.source, message


def _run_notebook(task: dict[str, Any]) -> dict[str, Any]:
    """Worker: execute one notebook into `partial`; returns seconds and peak memory, or the failure."""
    import logging
    import tempfile

    import papermill
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.ERROR)
    partial = Path(task["partial"])
    source = Path(task["source"])
    work = partial / "work"
    (partial / "results").mkdir(parents=True)
    work.mkdir()
    os.environ["KEYFILTERS_RESULTS"] = str(partial / "results")
    started = time.monotonic()
    watchdog = Watchdog(**task["limits"])
    output = partial / "notebook.ipynb"
    # What the kernel says about itself belongs to no cell; it is of interest when it dies.
    log = partial / "kernel.log"
    with log.open("wb") as stream:
        os.dup2(stream.fileno(), 2)
    # Sockets of a short path instead of open ports: nobody else can talk to the kernel.
    sockets = tempfile.TemporaryDirectory(prefix="kf-")
    os.environ["JUPYTER_RUNTIME_DIR"] = sockets.name
    try:
        with PeakMemory() as peak, watchdog:
            papermill.execute_notebook(
                str(source),
                str(output),
                parameters=task["parameters"],
                kernel_name="python3",
                language="python",
                cwd=str(work),
                progress_bar=False,
                log_output=False,
                config=Config({"KernelManager": {"transport": "ipc"}}),
                # How many pieces a cell's prints arrive in depends on how busy the machine is.
                coalesce_streams=True,
            )
    except Exception as error:  # whatever a notebook raises is a failure of the notebook
        cell, text, message = _blame(nbformat.read(source, as_version=4), output, error)
        if isinstance(error, DeadKernelError):
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            message = "the kernel died" + (f": {last[-1]}" if last else ", perhaps for lack of memory")
        message = watchdog.verdict or message
        return {"cell": cell, "source": text, "error": message}
    finally:
        sockets.cleanup()
    remove_tree(work)
    log.unlink()
    seconds = time.monotonic() - started
    note = ""
    if seconds > task["budget"]:
        note = f", planned {task['budget']} s at most; it had {watchdog.processor_seconds / seconds:.0%} of a processor"
    return {"seconds": seconds, "memory_mb": peak.megabytes, "note": note}


def _warm_up(environment: dict[str, str]) -> None:
    """Let matplotlib build its font cache once, here: its notice would otherwise stand in the first notebook.

    Only matplotlib knows whether the cache of an earlier build is of use to its present version.
    """
    Path(environment["MPLCONFIGDIR"]).mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )


def _keep_failed(project: Project, slug: str, partial: Path) -> str:
    """Move a half-executed notebook where a person can look at it."""
    output = partial / "notebook.ipynb"
    if not output.is_file():
        return ""
    kept = project.build / "failed" / f"{slug}.ipynb"
    kept.parent.mkdir(parents=True, exist_ok=True)
    os.replace(output, kept)
    return project.short(kept)


def execute_all(
    project: Project, entries: list[Entry], profile: str, *, only: str | None = None, jobs: int | None = None
) -> tuple[list[Run], list[Failure]]:
    """Runs of all `entries`, from the cache where nothing changed, executed otherwise.

    `only` names a notebook that is executed anew whatever the cache holds. `timed` notebooks run last and alone.
    A failure does not stop the others; each finished run is stored at once. Results are copied to
    `Project.results`.
    """
    from tqdm import tqdm

    keys = cache_keys(project, entries, profile)
    found = {entry.slug: cached_run(project, entry, profile, keys[entry.slug]) for entry in entries if entry.slug != only}
    runs: dict[str, Run] = {slug: run for slug, run in found.items() if run is not None}
    todo = [entry for entry in entries if entry.slug not in runs]
    failures: list[Failure] = []
    if todo:
        provide(need for entry in todo for need in entry.needs)
        if lacking := shortfall(processor_flags()):
            print(f"note: {lacking}", file=sys.stderr)
        environment = kernel_environment(project)
        facts = provenance(project, {**os.environ, **environment})
        _warm_up(environment)
        # A log gets one line for each notebook, a terminal a bar as well.
        quiet = not sys.stderr.isatty()
        with tqdm(total=len(todo), desc="notebooks", unit="notebook", dynamic_ncols=True, disable=quiet) as bar:
            for timed, workers in ((False, jobs or cores()), (True, 1)):
                batch = [entry for entry in todo if entry.timed == timed]
                for entry, outcome in _executed(project, batch, profile, workers, environment):
                    partial = partial_folder(project, entry, profile)
                    if "error" in outcome:
                        failures.append(Failure(entry.slug, kept=_keep_failed(project, entry.slug, partial), **outcome))
                        remove_tree(partial)
                        tqdm.write(f"  {entry.slug}: failed", file=sys.stderr)
                    else:
                        note = outcome.pop("note")
                        own = facts | {"versions": versions(entry.needs)}
                        runs[entry.slug] = store_run(project, entry, profile, keys[entry.slug], {**outcome, **own})
                        tqdm.write(f"  {entry.slug}: {outcome['seconds']:.1f} s{note}", file=sys.stderr)
                    bar.update()
    for slug, run in runs.items():
        replace_tree(run.results, project.results(profile, slug, timed=run.entry.timed))
    return [runs[entry.slug] for entry in entries if entry.slug in runs], failures


def _executed(
    project: Project, entries: list[Entry], profile: str, workers: int, environment: dict[str, str]
) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Each entry with what became of it, in the order in which they finish."""
    if not entries:
        return
    # Spawned: forked workers would share the state of this process.
    pool = ProcessPoolExecutor(
        min(workers, len(entries)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(environment, os.getpid()),
    )
    try:
        futures = {}
        # The longest first: the last to end decides how long all take.
        for entry in sorted(entries, key=lambda e: -e.budget_seconds):
            partial = partial_folder(project, entry, profile)
            clear_partials(partial.parent)
            task = {
                "source": str((project.notebooks / f"{entry.slug}.ipynb").resolve()),
                "partial": str(partial.resolve()),
                "parameters": entry.parameters[profile],
                "budget": entry.budget_seconds,
                "limits": {"ceiling": GENEROUS * entry.budget_seconds, "patience": PATIENCE},
            }
            futures[pool.submit(_run_notebook, task)] = entry
        for future in as_completed(futures):
            yield futures[future], _outcome(future)
    except BaseException:
        # Ctrl-C in a terminal ends the workers as well, a signal to this process does not: they would go on for minutes.
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(future: Future[dict[str, Any]]) -> dict[str, Any]:
    try:
        return future.result()
    except Exception as error:  # a worker that died, by lack of memory for instance
        return {"cell": 0, "source": "", "error": f"{type(error).__name__}: {error}"}
