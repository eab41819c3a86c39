"""Status page, memory, card and provenance."""

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import nbformat
import pytest
from tiny_book import FACTS, ROOT, entry_of, executed, made, tiny_book, tiny_notebook, write_notebook

from keyfilters_build import provenance, run_pages
from keyfilters_build.command import main
from keyfilters_build.page_texts import memory_text
from keyfilters_build.reproduction import load_stored, machine_path, reproduce, write_reproduction
from keyfilters_build.run_pages import provenance_line, write_status
from keyfilters_build.run_store import cache_key, cached_run
from keyfilters_build.stage import needs_text, page_card

VERSIONS = FACTS["versions"] | {"scipy": "1.17.1"}
CPU, ON_GPU = "CPU, 2 cores", "CPU, 16 cores; GPU, Some Model"


@pytest.fixture
def project(tmp_path):
    return tiny_book(tmp_path, "one", "two", quick="{n: 4}", full="{n: 9}")


def cells(project, name):
    """Rows of a table that the status page includes, by notebook."""
    rows = [line for line in (project.generated / name).read_text().splitlines() if line.startswith("| {doc}")]
    texts = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {re.search("/notebooks/(.*?)`", first)[1]: rest for first, *rest in texts}


def table(project, name):
    with (project.generated / "tables" / name).open(newline="") as file:
        return list(csv.DictReader(file))


# --- the page -------------------------------------------------------------------------


def status(project, runs):
    stored = load_stored(project)
    write_status(project, reproduce(runs, stored.references[runs[0].profile]), stored.references["full"], stored.machines)


def test_what_was_not_run_is_not_invented(project):
    status(project, [made(project, "one", versions=VERSIONS), made(project, "two", memory_mb=None, versions=VERSIONS)])
    here = cells(project, "status.md")
    assert here["one"] == ["passed all gates", "not compared", "4.2", "1.3 GB", "`n = 4`", "–"] and here["two"][3] == "–"
    caption = "Every notebook of this build, CPU, 2 cores (x86-64 with AVX2), with Python 3.12.1, NumPy 2.4.6, SciPy 1.17.1 and commit `0123456789`."
    assert caption in (project.generated / "status.md").read_text()
    for name in ("status_full.md", "status_gpu.md"):
        assert (project.generated / name).read_text() == "No run is stored yet, so there is no table.\n"
    assert sorted(path.name for path in (project.generated / "tables").iterdir()) == ["tbl-status.csv"]
    [first, _] = table(project, "tbl-status.csv")
    assert (json.loads(first["versions"]), first["seconds"], first["memory_mb"]) == (VERSIONS, "4.2", "1204")


@pytest.mark.parametrize("facts, column, found, caption", [
    ({"commit": "9876543210 with local changes"}, "Commit", ["`0123456789`", "`9876543210` with local changes"],
     "CPU, 2 cores (x86-64 with AVX2), with Python 3.12.1, NumPy 2.4.6."),
    ({"device": "CPU, 16 cores", "processor": None}, "Device", [f"{CPU} (x86-64 with AVX2)", "CPU, 16 cores"],
     "build, with Python 3.12.1, NumPy 2.4.6 and commit `0123456789`."),
])  # fmt: skip
def test_runs_of_two_commits_or_devices_say_which_is_of_which(project, facts, column, found, caption):
    status(project, [made(project, "one"), made(project, "two", **facts)])
    text = (project.generated / "status.md").read_text()
    [heads] = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| Notebook")]
    place = heads.index(column) - 1
    assert [cells(project, "status.md")[slug][place] for slug in ("one", "two")] == found and caption in text


def test_the_full_run_stands_beside_this_one(project):
    """Each from its own machine, at its own commit; the one that was never run says so."""
    made(project, "one", "full", seconds=61.0, commit="aaaa000000", versions=VERSIONS | {"torch": "2.15.0"})
    assert main(["reference", "--profile", "full"], root=project.root) == 0
    status(project, [made(project, "one"), made(project, "two")])
    # What was not run is one sentence, not a row of dashes.
    assert cells(project, "status_full.md") == {"one": ["passed all gates", "61.0", "1.3 GB", "`n = 9`", "–"]}
    text = (project.generated / "status_full.md").read_text()
    assert "Not run so: {doc}`/notebooks/two`." in text and "PyTorch 2.15.0 and commit `aaaa000000`" in text
    assert [row["verdict"] for row in table(project, "tbl-status-full.csv")] == ["passed all gates"]


def test_the_run_on_a_gpu_is_stored_and_shown(project):
    """On the machine with a GPU a build is compared and its verdict stored; here the page shows what it took."""
    for device in (CPU, ON_GPU):
        runs = [made(project, slug, numbers={"a": (2.0, "2.0")}, device=device) for slug in ("one", "two")]
        if device == CPU:
            assert main(["reference"], root=project.root) == 0
    write_reproduction(project, reproduce(runs, load_stored(project).references["quick"]))
    assert main(["reference", "--machine"], root=project.root) == 0 and machine_path(project, "gpu").is_file()
    status(project, [made(project, slug) for slug in ("one", "two")])
    assert cells(project, "status_gpu.md")["one"] == ["passed all gates", "1 of 1", "4.2", "1.3 GB", "`n = 4`", "–"]
    words = f"Every notebook with profile quick on a machine with a GPU, {ON_GPU} (x86-64"
    assert words in (project.generated / "status_gpu.md").read_text()


def test_the_device_names_the_gpus(monkeypatch):
    monkeypatch.setattr(provenance.shutil, "which", lambda name: None)
    assert provenance.device().startswith("CPU, ") and "GPU" not in provenance.device()
    monkeypatch.setattr(provenance.shutil, "which", lambda name: f"/bin/{name}")
    answer = SimpleNamespace(returncode=0, stdout="Some Model\nSome Model\n")
    monkeypatch.setattr(provenance.subprocess, "run", lambda *_, **__: answer)
    assert provenance.device().endswith("; GPU, Some Model, Some Model")
    answer.returncode = 9
    assert "GPU" not in provenance.device()


# --- memory and card -------------------------------------------------------------


def test_the_memory_of_a_notebook_is_measured(tmp_path):
    """A notebook that holds 300 MB for a moment takes at least that, and one without takes less."""
    project = tiny_book(tmp_path, "large", "small")
    notebook = tiny_notebook("large")
    notebook.cells.insert(
        3, nbformat.v4.new_code_cell("import time\nballast = bytes(range(256)) * 1_171_875\ntime.sleep(1)", id="ballast")
    )
    write_notebook(project, "large", notebook)
    runs, failures = executed(project)
    assert not failures
    large, small = (runs[slug].record["memory_mb"] for slug in ("large", "small"))
    assert large > 300 and 0 < small < large - 200
    entry = entry_of(project, "large")
    assert cached_run(project, entry, "quick", cache_key(project, entry, "quick")).record["memory_mb"] == large
    assert [memory_text(mb) for mb in (1, 230, 231, 990, 991, 1000, 2001)] == [
        "10 MB", "230 MB", "240 MB", "990 MB", "1.0 GB", "1.0 GB", "2.1 GB",
    ]  # fmt: skip


@pytest.mark.parametrize("needs, device, memory, text", [
    ((), "cpu", 1204, "Needs nothing beyond the library: 4.2 s to run with 1.3 GB of memory, no GPU"),
    ((), "cpu", None, "Needs nothing beyond the library: 4.2 s to run, no GPU"),
    (("networks",), "cpu", 1204, "Needs PyTorch and timm: 4.2 s to run with 1.3 GB of memory, no GPU"),
    (("networks", "fashion-mnist"), "gpu", 1204,
     "Needs PyTorch and timm; Fashion-MNIST (30 MB, fetched): 4.2 s to run with 1.3 GB of memory, on a GPU"),
])  # fmt: skip
def test_the_card_says_what_a_page_needs(project, needs, device, memory, text):
    run = made(project, "one", memory_mb=memory)
    run = replace(run, entry=replace(run.entry, needs=needs, device=device))
    assert needs_text(run) == text and text in page_card(run, "https://example.org/book")
    if memory is None:
        del run.record["memory_mb"]
        assert needs_text(run) == text


# --- provenance ----------------------------------------------------------------------


def test_equal_files_give_an_equal_line(project, monkeypatch):
    line = provenance_line(project, "quick")
    assert line == provenance_line(project, "quick") and line != provenance_line(project, "full")
    assert re.fullmatch(
        r"Built from files that are in no commit, profile quick · data sha256 `[0-9a-f]{12}` · Python .*\n", line
    )
    (project.package / "data" / "numbers.csv").write_text("a\n2\n")
    assert provenance_line(project, "quick") != line
    monkeypatch.setattr(run_pages, "provenance", lambda project: FACTS | {"commit": "0123456789 with local changes"})
    assert provenance_line(project, "quick").startswith("Built from commit `0123456789` with local changes, profile quick")


AUTHOR = "-c user.name=a -c user.email=a@b -c commit.gpgsign=false".split()


def git(folder, *words):
    return subprocess.run(["git", "-C", folder, *AUTHOR, *words], check=True, capture_output=True, text=True).stdout.strip()


def test_a_folder_has_the_commit_of_its_own_repository_alone(project, tmp_path_factory, monkeypatch):
    """An archive that is unpacked within a repository is not of its commit, nor is a build that a hook starts of the hook's."""
    outer = tmp_path_factory.mktemp("outer")
    git(outer, "init", "--quiet")
    git(outer, "commit", "--quiet", "--allow-empty", "--message", "one")
    unpacked = outer / "unpacked"
    unpacked.mkdir()
    assert (
        provenance.commit(outer) == git(outer, "rev-parse", "--short=10", "HEAD") and provenance.commit(unpacked) == "no commit"
    )
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    assert provenance.commit(unpacked) == provenance.commit(project.root) == "no commit"


def test_a_clone_has_the_bytes_that_were_committed(tmp_path):
    """Also where git would turn the ends of lines into those of Windows, which no shell script outlives."""
    for name in (".gitattributes", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "one"]):
        git(tmp_path, *words)
    git(tmp_path, "-c", "core.autocrlf=true", "clone", "--quiet", ".", "clone")
    assert (tmp_path / "clone" / "Makefile").read_bytes() == (ROOT / "Makefile").read_bytes()
