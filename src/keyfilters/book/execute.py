"""Execute the notebooks with papermill, several at once, and keep every finished run.

A run is stored below `_build/cache/<profile>/<notebook>/<key>/` with the executed notebook, its results and, written
last, `run.json` with the hashes of both. A run without a `run.json` that agrees is not used, whatever interrupted
it. The key is a hash over all that a run depends on: the notebook, the whole package with its data, the parameters,
the lock file and the Python version.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from .manifest import Entry
from .project import BookError, Project, digest_files, remove_tree, replace_tree, write_atomic
from .provenance import provenance

__all__ = ["Failure", "Run", "cache_key", "check_parameters", "cached_run", "execute_all", "package_digest"]

# Runs kept for each notebook and profile: switching back and forth between a few states costs nothing.
_KEPT_RUNS = 4

# One thread: sums in a fixed order, and notebooks running at once do not compete for the cores.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
}


@dataclass(frozen=True)
class Run:
    """A finished run of one notebook: where it lies and its record (parameters, seconds, provenance)."""

    entry: Entry
    profile: str
    folder: Path
    record: dict[str, Any]
    fresh: bool

    @property
    def notebook(self) -> Path:
        return self.folder / "notebook.ipynb"

    @property
    def results(self) -> Path:
        return self.folder / "results"


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


def package_digest(project: Project) -> str:
    """Hash over every file of the package, its data included."""
    files = [
        path for path in project.package.rglob("*") if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    ]
    return digest_files(files, project.package)


def cache_key(project: Project, entry: Entry, profile: str, package: str | None = None) -> str:
    """What a run depends on, as one hash; `package` is the `package_digest` where it is already known."""
    lock = project.lock.read_bytes() if project.lock.is_file() else b""
    parts = {
        "notebook": hashlib.sha256((project.notebooks / f"{entry.slug}.ipynb").read_bytes()).hexdigest(),
        "package": package or package_digest(project),
        "lock": hashlib.sha256(lock).hexdigest(),
        "parameters": entry.parameters[profile],
        "profile": profile,
        "timed": entry.timed,
        "python": platform.python_version(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def check_parameters(project: Project, entries: list[Entry]) -> None:
    """Each parameter of the manifest must stand in the cell tagged `parameters`: papermill only warns.

    Raises `BookError` for a notebook that cannot be read, lacks the cell, or lacks a parameter.
    """
    from papermill.inspection import inspect_notebook

    for entry in entries:
        path = project.notebooks / f"{entry.slug}.ipynb"
        try:
            notebook = nbformat.read(path, as_version=4)
        except Exception as error:  # nbformat raises many kinds for a broken file
            raise BookError(f"{project.short(path)}: not a valid notebook: {str(error).splitlines()[0]}") from None
        if not any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells):
            raise BookError(f"{project.short(path)}: no cell is tagged `parameters`")
        known = set(inspect_notebook(str(path)))
        for profile, parameters in entry.parameters.items():
            for name in parameters:
                if name not in known:
                    raise BookError(
                        f"{project.short(project.manifest)}: {entry.slug}: the {profile} set has an unknown parameter {name!r}; "
                        f"the notebook's parameters are {', '.join(sorted(known)) or 'none'}"
                    )


def _content(folder: Path) -> dict[str, str]:
    """File -> hash, for all that a run consists of besides its record."""
    paths = [folder / "notebook.ipynb", *(path for path in sorted((folder / "results").rglob("*")) if path.is_file())]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def cached_run(project: Project, entry: Entry, profile: str, key: str) -> Run | None:
    """The stored run with this key, if it is whole."""
    folder = project.cache / profile / entry.slug / key
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if record["content"] != _content(folder):
            return None
    except (OSError, ValueError, KeyError):
        return None
    return Run(entry, profile, folder, record, fresh=False)


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
    """Worker: execute one notebook into `partial`; returns seconds, or the failure."""
    import logging
    import tempfile

    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.ERROR)
    partial = Path(task["partial"])
    source = Path(task["source"])
    work = partial / "work"
    (partial / "results").mkdir(parents=True)
    work.mkdir()
    os.environ["KEYFILTERS_RESULTS"] = str(partial / "results")
    started = time.monotonic()
    deadline = started + task["budget"]
    output = partial / "notebook.ipynb"
    # What the kernel says about itself belongs to no cell; it is of interest when it dies.
    log = partial / "kernel.log"
    with log.open("wb") as stream:
        os.dup2(stream.fileno(), 2)
    # Sockets of a short path instead of open ports: nobody else can talk to the kernel.
    sockets = tempfile.TemporaryDirectory(prefix="kf-")
    os.environ["JUPYTER_RUNTIME_DIR"] = sockets.name
    try:
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
            # The budget is for the whole notebook: each cell gets what is left of it.
            timeout_func=lambda cell: max(1, int(deadline - time.monotonic())),
        )
    except Exception as error:  # whatever a notebook raises is a failure of the notebook
        cell, text, message = _blame(nbformat.read(source, as_version=4), output, error)
        if isinstance(error, DeadKernelError):
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            message = "the kernel died" + (f": {last[-1]}" if last else ", perhaps for lack of memory")
        if isinstance(error, CellTimeoutError):
            message = f"ran out of its {task['budget']} s (budget_seconds in the manifest)"
        return {"cell": cell, "source": text, "error": message}
    finally:
        sockets.cleanup()
    remove_tree(work)
    log.unlink()
    return {"seconds": time.monotonic() - started}


def _warm_up(environment: dict[str, str]) -> None:
    """Let matplotlib build its font cache once, here: its notice would otherwise stand in the first notebook."""
    folder = Path(environment["MPLCONFIGDIR"])
    if not any(folder.glob("fontlist-*.json")):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )


def _finish(project: Project, entry: Entry, profile: str, key: str, partial: Path, facts: dict[str, Any]) -> Run:
    """Turn a finished `partial` folder into a stored run; the record comes last."""
    record = {
        "slug": entry.slug,
        "profile": profile,
        "parameters": entry.parameters[profile],
        **facts,
        "content": _content(partial),
    }
    folder = project.cache / profile / entry.slug / key
    remove_tree(folder)
    os.replace(partial, folder)
    write_atomic(folder / "run.json", json.dumps(record, indent=1, sort_keys=True) + "\n")
    kept = sorted(
        (path for path in folder.parent.iterdir() if path.is_dir() and not path.name.startswith(".")),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for old in kept[_KEPT_RUNS:]:
        remove_tree(old)
    return Run(entry, profile, folder, record, fresh=True)


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

    package = package_digest(project)
    keys = {entry.slug: cache_key(project, entry, profile, package) for entry in entries}
    runs: dict[str, Run] = {}
    for entry in entries:
        run = None if entry.slug == only else cached_run(project, entry, profile, keys[entry.slug])
        if run is not None:
            runs[entry.slug] = run
    todo = [entry for entry in entries if entry.slug not in runs]
    failures: list[Failure] = []
    if todo:
        facts = provenance(project)
        build = project.build.resolve()
        environment = {**_ENVIRONMENT, "MPLCONFIGDIR": str(build / "matplotlib"), "IPYTHONDIR": str(build / "ipython")}
        _warm_up(environment)
        workers = max(1, min(jobs or _cores(), len(todo)))
        # Its own group of processes for each round, spawned: forked workers would share the state of this one.
        context = multiprocessing.get_context("spawn")
        rounds = [([e for e in todo if not e.timed], workers), ([e for e in todo if e.timed], 1)]
        # A log gets one line for each notebook, a terminal a bar as well.
        quiet = not sys.stderr.isatty()
        with tqdm(total=len(todo), desc="notebooks", unit="notebook", dynamic_ncols=True, disable=quiet) as bar:
            for batch, size in rounds:
                if not batch:
                    continue
                pool = ProcessPoolExecutor(
                    size, mp_context=context, initializer=_start_worker, initargs=(environment, os.getpid())
                )
                try:
                    futures = {}
                    for entry in batch:
                        partial = project.cache / profile / entry.slug / f".partial-{os.getpid()}"
                        _clear_partials(partial.parent)
                        task = {
                            "source": str((project.notebooks / f"{entry.slug}.ipynb").resolve()),
                            "partial": str(partial.resolve()),
                            "parameters": entry.parameters[profile],
                            "budget": entry.budget_seconds,
                        }
                        futures[pool.submit(_run_notebook, task)] = (entry, partial)
                    for future in as_completed(futures):
                        entry, partial = futures[future]
                        outcome = _outcome(future)
                        if "error" in outcome:
                            kept = _keep_failed(project, entry.slug, partial)
                            remove_tree(partial)
                            failures.append(Failure(entry.slug, kept=kept, **outcome))
                            tqdm.write(f"  {entry.slug}: failed", file=sys.stderr)
                        else:
                            runs[entry.slug] = _finish(
                                project, entry, profile, keys[entry.slug], partial, {**outcome, **facts}
                            )
                            tqdm.write(f"  {entry.slug}: {outcome['seconds']:.1f} s", file=sys.stderr)
                        bar.update()
                finally:
                    pool.shutdown(cancel_futures=True)
    for slug, run in runs.items():
        replace_tree(run.results, project.results(profile, slug, timed=run.entry.timed))
    return [runs[entry.slug] for entry in entries if entry.slug in runs], failures


def _outcome(future: Any) -> dict[str, Any]:
    try:
        return future.result()
    except Exception as error:  # a worker that died, by lack of memory for instance
        return {"cell": 0, "source": "", "error": f"{type(error).__name__}: {error}"}


def _clear_partials(folder: Path) -> None:
    """Remove what an interrupted build left; another build running at the same time is left alone."""
    for path in folder.glob(".partial-*"):
        pid = path.name.rsplit("-", 1)[1]
        if not _alive(int(pid)) or int(pid) == os.getpid():
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
