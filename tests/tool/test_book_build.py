"""The build of the book on small books of its own: cache, interruption, failures, messages."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import lxml.html
import nbformat
import patient
import pytest
from nbformat import v4
from pages import PAGES
from tiny_book import ROOT, copied, edit, entry_of, executed, files, tiny_book, tiny_notebook, write_manifest, write_notebook

from keyfilters_build.build import check_runs
from keyfilters_build.command import ACTIONS, main
from keyfilters_build.manifest import PROFILES, load_manifest, select
from keyfilters_build.project import Project, replace_tree, write_atomic
from keyfilters_build.provenance import provenance
from keyfilters_build.run_store import cache_key, cached_run

IMPORTS = tiny_notebook("any").cells[2].source


def key(project, profile="quick"):
    return cache_key(project, entry_of(project, "one"), profile)


@pytest.fixture(scope="module")
def built(built_book, tmp_path_factory):
    """A book of two notebooks that is built."""
    return copied(built_book, tmp_path_factory.mktemp("built") / "book")


def test_a_second_build_changes_nothing_but_what_is_missing_left_over_or_edited_by_hand(built, capsys):
    index, page = built.html / "index.html", built.html / "notebooks" / "two.html"
    stale, data = built.staged / "gone.ipynb", built.generated / "data" / "gone"
    when, text = index.stat().st_mtime_ns, index.read_bytes()
    capsys.readouterr()
    assert main([], root=built.root) == 0
    said = capsys.readouterr().out
    assert "0 executed, 2 unchanged" in said and "_build/html/index.html (unchanged" in said
    assert index.stat().st_mtime_ns == when
    page.unlink()
    stale.write_text("{}")
    data.mkdir()
    assert main([], root=built.root) == 0
    assert page.is_file() and not stale.exists() and not data.exists()
    index.write_bytes(text.replace(b"Tiny", b"Tony"))  # its size stays the same
    assert main(["build"], root=built.root) == 0
    assert "(built; " in capsys.readouterr().out and index.read_bytes() == text and b"Tiny" in text


def test_the_page_has_its_card_and_its_data_and_no_paths_and_no_times(built):
    tree = lxml.html.parse(str(built.html / "notebooks" / "one.html")).getroot()
    [card] = tree.find_class("page-card")
    words = (
        "1 min",
        "files that are in no commit",
        "section 1 of the paper",
        "quick with n = 4",
        "data sha256",
        "CPU, ",
        "NumPy",
    )
    assert [part for part in words if part not in card.text_content()] == []
    links = [link for link in tree.xpath("//a/@href") if re.search(r"/(fig|tbl)-one\.(csv|npz|svg)$", link)]
    assert sorted(link.rsplit(".", 1)[1] for link in links) == ["csv", "npz", "svg"]
    assert all((built.html / "notebooks" / link).resolve().is_file() for link in links)
    assert "the sum is 6.00." in tree.text_content(), "the glued number is not on the page"
    assert (built.html / "index.html").read_text(encoding="utf-8").count("passed all gates") == 2
    for path in built.staged.glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert str(built.root) not in text and os.path.expanduser("~") + "/" not in text
        notebook = json.loads(text)
        assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
        assert all(set(cell["metadata"]) <= {"mystnb", "tags"} for cell in notebook["cells"])


def test_a_run_leaves_its_results_one_picture_and_what_was_printed_in_two_pieces_as_one(built):
    assert set(files(built.results("quick", "one"))) == {
        "fig-one.svg", "fig-one.slide.svg", "fig-one.npz", "tbl-one.csv", "numbers.json",
    }  # fmt: skip
    run = cached_run(built, entry_of(built, "one"), "quick", key(built))
    outputs = [output for cell in nbformat.read(run.notebook, as_version=4).cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 1
    assert [output.text for output in outputs if output.output_type == "stream"] == ["no\nanswer\n"]


def test_one_notebook_alone_is_executed_anew(built_book, tmp_path, no_kernels):
    runs, _ = executed(copied(built_book, tmp_path / "book"), only="one")
    assert runs["one"].fresh and not runs["two"].fresh


@pytest.mark.parametrize(("change", "differs"), [
    pytest.param(lambda p: (p.package / "code.py").write_text("ANSWER = 43\n"), (True, False), id="library"),
    pytest.param(lambda p: (p.package / "data" / "numbers.csv").write_text("a\n2\n"), (True, True), id="data"),
    pytest.param(lambda p: (p.package / "data" / "more.csv").write_text("x"), (False, True), id="data that nobody reads"),
    pytest.param(lambda p: p.lock.write_text("numpy==2\n"), (True, False), id="lock"),
    pytest.param(lambda p: write_manifest(p, ["one"], quick="{n: 5}"), (True, False), id="parameters"),
    pytest.param(lambda p: edit(p, "one", 2, "x = 1"), (True, False), id="notebook"),
    pytest.param(lambda p: write_atomic(p.package / "__pycache__" / "code.pyc", "x"), (False, False), id="bytecode"),
    pytest.param(lambda p: (p.package / "data" / ".numbers.csv.swp").write_text("x"), (False, False), id="of an editor"),
])  # fmt: skip
def test_every_input_is_part_of_the_key_and_all_data_of_their_sum(tmp_path, change, differs):
    project = tiny_book(tmp_path / "book", "one")
    before, data = key(project), provenance(project)["data_sha256"]
    assert before != key(project, "full")
    change(project)
    assert (key(project) != before, provenance(project)["data_sha256"] != data) == differs


def test_a_font_cache_of_another_matplotlib_is_made_anew_before_a_notebook_runs(tmp_path, no_kernels):
    """Its notice would stand in the notebook, where the build takes it for a warning."""
    project = tiny_book(tmp_path / "book", "one")
    stale = project.build / "matplotlib" / "fontlist-v1.json"
    write_atomic(stale, "{}")
    executed(project)
    assert set(stale.parent.glob("fontlist-*.json")) > {stale}


def test_a_run_whose_inputs_changed_meanwhile_is_not_used_again(tmp_path):
    project = tiny_book(tmp_path / "book", "one")
    code = project.package / "code.py"
    before = code.read_text()
    edit(project, "one", 2, f"import pathlib\npathlib.Path({str(code)!r}).write_text('ANSWER = 44')\n{IMPORTS}")
    runs, failures = executed(project)
    assert not failures and runs["one"].fresh
    code.write_text(before)
    assert cached_run(project, runs["one"].entry, "quick", key(project)) is None


@pytest.mark.parametrize("damaged", ["run.json", "notebook.ipynb", "results/tbl-one.csv"])
def test_a_damaged_run_is_not_used(built_book, tmp_path, damaged):
    project = copied(built_book, tmp_path / "book")
    entry = entry_of(project, "one")
    path = cached_run(project, entry, "quick", key(project)).folder / damaged
    path.write_bytes(path.read_bytes()[:20])
    assert cached_run(project, entry, "quick", key(project)) is None
    path.unlink()
    assert cached_run(project, entry, "quick", key(project)) is None


def test_timed_results_lie_apart(tmp_path, no_kernels):
    project = tiny_book(tmp_path / "book", "one", timed="true")
    executed(project)
    assert (project.build / "timings" / "quick" / "one" / "tbl-one.csv").is_file()
    assert not (project.build / "results").exists()


def test_a_notebook_that_fails_or_dies_names_its_cell_and_the_others_go_on(tmp_path, capfd):
    project = tiny_book(tmp_path / "book", "bad", "dies", "good", quick="{n: 4}")
    edit(project, "bad", 2, "from keyfilters_book import page\nvalue = {}['no such key']")
    edit(project, "dies", 2, "import os\nos._exit(3)")
    assert main([], root=project.root) == 1
    said = capfd.readouterr().err
    assert "bad: cell 3 failed: KeyError: 'no such key'" in said and "| value = {}['no such key']" in said
    assert re.search("^.*dies: cell 3 failed: .*kernel died", said, re.MULTILINE) and "Traceback" not in said
    assert cached_run(project, entry_of(project, "good"), "quick", cache_key(project, entry_of(project, "good"), "quick"))
    assert not project.html.exists() and (project.build / "failed" / "bad.ipynb").is_file()
    assert not list(project.cache.rglob(".partial-*"))


@pytest.mark.slow
@pytest.mark.parametrize("ended", [signal.SIGKILL, signal.SIGINT], ids=lambda sent: sent.name)
def test_a_killed_build_goes_on_where_it_was(tmp_path, ended):
    """A signal to the build alone while the second notebook runs: it ends; the first is kept, nothing half-written is used."""
    project = tiny_book(tmp_path / "book", "one", "two")
    flag, script = tmp_path / "started", tmp_path / "build.py"
    edit(project, "two", 2, f"import pathlib, time\npathlib.Path({str(flag)!r}).touch()\ntime.sleep(3600)")
    script.write_text(
        "from keyfilters_build.execute import execute_all; from keyfilters_build.manifest import load_manifest; "
        "from keyfilters_build.project import Project; from pathlib import Path\n"
        # A shell leaves interrupts ignored in what it runs in the background, and children inherit that.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"if __name__ == '__main__':\n p = Project(Path({str(project.root)!r})); execute_all(p, load_manifest(p), 'quick', jobs=1)"
    )
    with patient.patience():
        build = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not flag.exists() and build.poll() is None:
            time.sleep(0.05)
        build.send_signal(ended)
        build.wait()
    assert flag.exists() and list(project.cache.rglob(".partial-*")), "the kill came too late to leave anything"
    assert not (project.build / "results" / "quick" / "two").exists()
    write_notebook(project, "two", tiny_notebook("two"))
    runs, failures = executed(project)
    assert not failures and not runs["one"].fresh and runs["two"].fresh
    assert not list(project.cache.rglob(".partial-*"))


@pytest.mark.parametrize(("arguments", "change", "message"), [
    (["--profile", "huge"], None, "unknown profile 'huge'; the profiles are quick, full"),
    (["--only", "three"], None, "unknown notebook 'three'; the notebooks are one, two"),
    (["--jobs", "0"], None, "jobs is 0"),
    ([], lambda p: p.manifest.write_text("notebooks: [\n"), "manifest.yml: not valid YAML"),
    ([], lambda p: p.manifest.write_text(""), "manifest.yml: $: None is not of type 'object'"),
    ([], lambda p: p.manifest.unlink(), "there is no notebooks/manifest.yml here: run this in the root of a clone"),
    ([], lambda p: p.manifest.write_bytes(b"\xff"), "manifest.yml: not valid YAML"),
    ([], lambda p: (p.notebooks / "two.ipynb").unlink(), "there is no two.ipynb"),
    ([], lambda p: (p.notebooks / "two.ipynb").write_text("{"), "two.ipynb: not a valid notebook"),
    ([], lambda p: write_manifest(p, ["one"], tempo="1"), "$.notebooks[0]: Additional properties are not allowed ('tempo' was unexpected)"),
    ([], lambda p: write_manifest(p, ["one"], quick="3"), "$.notebooks[0].quick: 3 is not of type 'object'"),
    ([], lambda p: write_manifest(p, ["one", "one"]), "one is listed twice"),
    ([], lambda p: write_manifest(p, ["one"], full="{m: 4}"), "the full set has an unknown parameter 'm'"),
])  # fmt: skip
def test_a_mistake_is_one_line_and_touches_nothing(tmp_path, capsys, arguments, change, message):
    project = tiny_book(tmp_path / "book", "one", "two")
    if change:
        change(project)
    before = files(project.root)
    assert main(arguments, root=project.root) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.startswith("error: ") and said.err.count("\n") == 1 and not said.out
    assert files(project.root) == before


@pytest.mark.parametrize(("arguments", "message"), [
    (["bild"], "argument ACTION: invalid choice: 'bild' (choose from"),
    (["--jobs", "x"], "build: argument --jobs: invalid int value: 'x'; see"),
    (["--prof", "full"], "build: build takes no --prof full; see"),
    (["launch", "--out", "foo"], "launch: launch takes no --out foo; see python -m keyfilters_build launch --help"),
    (["teach", "--jobs", "2"], "teach: teach takes no --jobs 2; see"),
    (["reference", "now"], "reference: reference takes no now; see"),
])  # fmt: skip
def test_a_mistake_in_the_call_is_one_line(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        main(arguments, root=tiny_book(tmp_path / "book", "one").root)
    said = capsys.readouterr()
    assert stopped.value.code == 2 and not said.out
    assert message in said.err and said.err.startswith("python -m keyfilters_build") and said.err.count("\n") == 1


def test_each_action_explains_itself_alone(capsys):
    for name, action in ACTIONS.items():
        with pytest.raises(SystemExit) as stopped:
            main([name, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert stopped.value.code == 0 and action.text[1:] in said
        assert ("--machine" in said) == (name == "reference") and ("--only" in said) == (name == "build")
        assert ("|".join(PROFILES) in said) == (name in ("build", "reference"))


WITHOUT_EXTRA = """
import sys
for package in ("nbformat", "yaml", "nbclient", "papermill", "lxml", "psutil", "pypdf", "playwright"):
    sys.modules[package] = None
from keyfilters_build.command import main
sys.exit(main())
"""


def test_without_its_extra_help_is_given_and_an_action_says_what_to_install(tmp_path):
    project = tiny_book(tmp_path / "book", "one")
    helped, *asked = (
        subprocess.run([sys.executable, "-c", WITHOUT_EXTRA, word], cwd=project.root, capture_output=True, text=True)
        for word in ("--help", *ACTIONS)
    )
    assert helped.returncode == 0 and all(name in helped.stdout for name in ACTIONS), helped.stderr
    for done in asked:
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.endswith(" is missing: the book needs its extra, pip install 'keyfilters[book]'\n"), done.stderr


def test_a_notebook_may_be_named_by_its_path_and_the_contents_follow_the_manifest():
    entries = load_manifest(Project(ROOT))
    slugs = [entry.slug for entry in entries]
    assert select(entries, f"notebooks/{slugs[0]}.ipynb") == select(entries, slugs[0]) == slugs[0]
    assert select(entries, None) is select(entries, "") is None
    assert [page for page in PAGES if page.startswith("notebooks/")] == [f"notebooks/{slug}.html" for slug in slugs]


def test_a_warning_of_the_book_fails_the_build(tmp_path, capsys):
    project = tiny_book(tmp_path / "book", "one")
    (project.book / "index.md").write_text("# Tiny\n\nSee {numref}`fig-nowhere` and [this](missing.md).\n")
    edit(project, "one", 3, lambda text: text + "\n\nSee {doc}`elsewhere`.")
    assert main([], root=project.root) == 1
    said = capsys.readouterr().err
    words = "book/index.md:3: WARNING", "one: cell 4: WARNING", "fig-nowhere", "missing", "elsewhere"
    assert [part for part in words if part not in said] == []
    assert str(project.root) not in said and "\x1b" not in said and not project.html.exists()


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_atomic(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_replace_tree_removes_what_is_no_longer_there(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    write_atomic(source / "sub" / "x", "x")
    write_atomic(target / "old" / "y", "y")
    replace_tree(source, target)
    assert files(target) == {"sub/x": b"x"} and not (target / "old").exists()


def test_two_builds_of_one_book_take_turns(built_book, tmp_path):
    project = copied(built_book, tmp_path / "book")
    results = project.results("quick", "one")
    shutil.rmtree(results)
    with patient.patience():
        with (project.build / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            command = [sys.executable, "-m", "keyfilters_build"]
            other = subprocess.Popen(command, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            assert "waiting for it" in other.stderr.readline() and not results.exists()
        _, said = other.communicate()
    assert other.returncode == 0 and any(results.iterdir()), said


def test_no_setting_of_whoever_builds_reaches_a_notebook(tmp_path, monkeypatch):
    """Neither larger letters nor a window for every figure; asserts are executed; and a new cell may have no source."""
    settings = tmp_path / "matplotlibrc"
    settings.write_text("font.size: 30\n")
    for name, value in {"MATPLOTLIBRC": str(settings), "MPLBACKEND": "svg", "PYTHONOPTIMIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    project = tiny_book(tmp_path / "book", "one")
    notebook = tiny_notebook("one")
    notebook.cells[
        2
    ].source += "\nimport matplotlib\nprint(matplotlib.rcParams['font.size'], matplotlib.get_backend(), __debug__)"
    notebook.cells[5].source += "\nprint('https://example.org and /home/somebody/notes')"
    notebook.cells.append(v4.new_code_cell("", id="empty"))
    write_notebook(project, "one", notebook)
    runs, failures = executed(project)
    assert not failures
    [output] = nbformat.read(runs["one"].notebook, as_version=4).cells[2].outputs
    size, backend, debug = output.text.split()
    assert (size, backend.rpartition(".")[2], debug) == ("10.0", "backend_inline", "True")

    # A path into a home is found, but a container may call the root the home: then every address would be one.
    for home, expected in (("/home/somebody", ["one: cell 6: shows a path of the machine that ran it"]), ("/", [])):
        monkeypatch.setenv("HOME", home)
        assert check_runs(project, list(runs.values())) == expected
