"""The build of the book on small books of its own: cache, interruption, failures, messages, identical bytes."""

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
from tiny_book import ROOT, copied, tiny_book, tiny_notebook, write_manifest, write_notebook

from keyfilters_build.build import check_runs
from keyfilters_build.command import ACTIONS, main
from keyfilters_build.execute import execute_all
from keyfilters_build.manifest import PROFILES, load_manifest, select
from keyfilters_build.project import BookError, replace_tree, write_atomic
from keyfilters_build.provenance import provenance
from keyfilters_build.run_store import cache_key, cached_run

IMPORTS = tiny_notebook("any").cells[2].source


def execute(project, **options):
    entries = load_manifest(project)
    runs, failures = execute_all(project, entries, "quick", **options)
    return {run.entry.slug: run for run in runs}, failures


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def edit(project, slug, position, source):
    notebook = nbformat.read(project.notebooks / f"{slug}.ipynb", as_version=4)
    notebook.cells[position].source = source
    write_notebook(project, slug, notebook)


@pytest.fixture(scope="module")
def built(built_book, tmp_path_factory):
    """A book of two notebooks that is built."""
    return copied(built_book, tmp_path_factory.mktemp("built") / "book")


def test_a_book_is_built_and_a_second_build_changes_nothing(built, capsys):
    index = built.html / "index.html"
    before = index.stat().st_mtime_ns
    capsys.readouterr()
    assert main([], root=built.root) == 0
    said = capsys.readouterr().out
    assert "0 executed, 2 unchanged" in said and "_build/html/index.html (unchanged" in said
    assert index.stat().st_mtime_ns == before


def test_a_missing_page_is_built_again(built, capsys):
    page = built.html / "notebooks" / "two.html"
    page.unlink()
    assert main([], root=built.root) == 0
    assert page.is_file()


def test_a_page_that_was_edited_by_hand_is_built_again(built, capsys):
    """Its size stayed the same."""
    page = built.html / "index.html"
    before = page.read_bytes()
    page.write_bytes(before.replace(b"Tiny", b"Tony"))
    assert page.read_bytes() != before
    assert main(["build"], root=built.root) == 0
    assert "(built; " in capsys.readouterr().out
    assert page.read_bytes() == before


def test_the_page_has_its_card_and_its_data(built):
    tree = lxml.html.parse(str(built.html / "notebooks" / "one.html")).getroot()
    [card] = tree.find_class("page-card")
    for part in (
        "1 min",
        "files that are in no commit",
        "section 1 of the paper",
        "quick with n = 4",
        "data sha256",
        "CPU, ",
        "NumPy",
    ):
        assert part in card.text_content()
    links = [link for link in tree.xpath("//a/@href") if re.search(r"/(fig|tbl)-one\.(csv|npz|svg)$", link)]
    assert sorted(link.rsplit(".", 1)[1] for link in links) == ["csv", "npz", "svg"]
    for link in links:
        assert (built.html / "notebooks" / link).resolve().is_file()
    assert "the sum is 6.00." in tree.text_content(), "the glued number is not on the page"
    assert (built.html / "index.html").read_text(encoding="utf-8").count("passed all gates") == 2


def test_staged_notebooks_hold_no_paths_and_no_times(built):
    for path in built.staged.glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert str(built.root) not in text and os.path.expanduser("~") + "/" not in text
        notebook = json.loads(text)
        assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
        assert all(set(cell["metadata"]) <= {"mystnb", "tags", "written"} for cell in notebook["cells"])


def test_a_staged_page_whose_notebook_is_gone_goes_too(built):
    stale = built.staged / "gone.ipynb"
    stale.write_text("{}")
    (built.generated / "data" / "gone").mkdir()
    assert main([], root=built.root) == 0
    assert not stale.exists() and not (built.generated / "data" / "gone").exists()


@pytest.fixture(scope="module")
def cached(built_book, tmp_path_factory):
    return copied(built_book, tmp_path_factory.mktemp("cached") / "book")


def key(project, profile="quick"):
    return cache_key(project, load_manifest(project)[0], profile)


def test_an_unchanged_notebook_is_not_executed(cached):
    runs, _ = execute(cached)
    assert not runs["one"].fresh


def test_only_executes_anew(built_book, tmp_path, no_kernels):
    runs, _ = execute(copied(built_book, tmp_path / "book"), only="one")
    assert runs["one"].fresh and not runs["two"].fresh


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("library", lambda p: (p.package / "code.py").write_text("ANSWER = 43\n")),
        ("data", lambda p: (p.package / "data" / "numbers.csv").write_text("a\n2\n")),
        ("lock", lambda p: p.lock.write_text("numpy==2\n")),
        ("parameters", lambda p: write_manifest(p, ["one"], quick="{n: 5}")),
        ("notebook", lambda p: edit(p, "one", 2, "x = 1")),
    ],
)
def test_every_input_is_part_of_the_key(tmp_path, what, change):
    project = tiny_book(tmp_path / "book", "one")
    before = key(project)
    change(project)
    assert key(project) != before, what


def test_profiles_have_keys_of_their_own_and_caches_of_bytecode_do_not_count(tmp_path):
    project = tiny_book(tmp_path / "book", "one")
    assert key(project) != key(project, "full")
    before = key(project)
    (project.package / "__pycache__").mkdir()
    (project.package / "__pycache__" / "code.pyc").write_bytes(b"x")
    assert key(project) == before


def test_a_font_cache_of_another_matplotlib_is_made_anew_before_a_notebook_runs(tmp_path, no_kernels):
    """Its notice would stand in the notebook, where the build takes it for a warning."""
    project = tiny_book(tmp_path / "book", "one")
    stale = project.build / "matplotlib" / "fontlist-v1.json"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")
    execute(project)
    assert set(stale.parent.glob("fontlist-*.json")) > {stale}


def test_what_an_editor_or_the_system_leaves_is_no_data(tmp_path):
    project = tiny_book(tmp_path / "book", "one")
    before = provenance(project)["data_sha256"]
    (project.package / "data" / ".numbers.csv.swp").write_text("x")
    assert provenance(project)["data_sha256"] == before
    (project.package / "data" / "more.csv").write_text("x")
    assert provenance(project)["data_sha256"] != before


def test_changed_library_executes_again(tmp_path, no_kernels):
    project = tiny_book(tmp_path / "book", "one")
    execute(project)
    (project.package / "code.py").write_text("ANSWER = 43\n")
    runs, _ = execute(project)
    assert runs["one"].fresh


def test_a_run_whose_inputs_changed_meanwhile_is_not_used_again(tmp_path):
    project = tiny_book(tmp_path / "book", "one")
    before = (project.package / "code.py").read_text()
    edit(
        project,
        "one",
        2,
        f"import pathlib\npathlib.Path({str(project.package / 'code.py')!r}).write_text('ANSWER = 44')\n" + IMPORTS,
    )
    runs, failures = execute(project)
    assert not failures and runs["one"].fresh
    (project.package / "code.py").write_text(before)
    assert cached_run(project, runs["one"].entry, "quick", key(project)) is None


@pytest.mark.parametrize("damage", ["record", "half a record", "notebook", "result"])
def test_a_damaged_run_is_not_used(cached, damage):
    entry = load_manifest(cached)[0]
    run = cached_run(cached, entry, "quick", key(cached))
    kept = files(run.folder)
    target = {"record": "run.json", "half a record": "run.json", "notebook": "notebook.ipynb", "result": "results/tbl-one.csv"}[
        damage
    ]
    path = run.folder / target
    try:
        path.unlink() if damage == "record" else path.write_bytes(kept[target][:20])
        assert cached_run(cached, entry, "quick", key(cached)) is None
    finally:
        path.write_bytes(kept[target])
    assert cached_run(cached, entry, "quick", key(cached)) is not None


def test_two_runs_write_the_same_bytes(built_book, tmp_path):
    """The run of the shared book, and another at another time: a stored time would show."""
    project = copied(built_book, tmp_path / "book")
    found = []
    for only in (None, "one"):
        runs, failures = execute(project, only=only)
        assert not failures and runs["one"].fresh == (only is not None)
        results = files(project.results("quick", "one"))
        assert set(results) == {"fig-one.svg", "fig-one.slide.svg", "fig-one.npz", "tbl-one.csv", "numbers.json"}
        cells = nbformat.read(runs["one"].notebook, as_version=4).cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        images = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
        assert len(images) == 1
        # Printed in two pieces, shown as one.
        assert [output.text for output in outputs if output.output_type == "stream"] == ["no\nanswer\n"]
        found.append((results, images))
    assert found[0] == found[1]


def test_timed_results_lie_apart(tmp_path, no_kernels):
    project = tiny_book(tmp_path / "book", "one", timed="true")
    execute(project)
    assert (project.build / "timings" / "quick" / "one" / "tbl-one.csv").is_file()
    assert not (project.build / "results").exists()


def test_a_failing_notebook_names_its_cell_and_the_others_go_on(tmp_path, capfd):
    project = tiny_book(tmp_path / "book", "bad", "good", quick="{n: 4}")
    edit(project, "bad", 2, "from keyfilters_book import page\nvalue = {}['no such key']")
    assert main([], root=project.root) == 1
    said = capfd.readouterr().err
    assert "bad: cell 3 failed: KeyError: 'no such key'" in said
    assert "| value = {}['no such key']" in said
    assert "Traceback" not in said
    runs, _ = execute(project)
    assert not runs["good"].fresh, "the notebook that went well is not kept"
    assert not project.html.exists()
    assert (project.build / "failed" / "bad.ipynb").is_file()
    assert not list(project.cache.rglob(".partial-*"))


def test_a_dead_kernel_is_a_failure(tmp_path):
    project = tiny_book(tmp_path / "book", "dies")
    edit(project, "dies", 2, "import os\nos._exit(3)")
    _, [failure] = execute(project)
    assert failure.cell == 3 and "kernel died" in failure.error


@pytest.mark.slow
@pytest.mark.parametrize("ended", [signal.SIGKILL, signal.SIGINT], ids=lambda sent: sent.name)
def test_a_killed_build_goes_on_where_it_was(tmp_path, ended):
    """A signal to the build alone while the second notebook runs: it ends; the first is kept, nothing half-written is used."""
    project = tiny_book(tmp_path / "book", "one", "two")
    flag = tmp_path / "started"
    edit(project, "two", 2, f"import pathlib, time\npathlib.Path({str(flag)!r}).touch()\ntime.sleep(3600)")
    code = (
        "from keyfilters_build.execute import execute_all; from keyfilters_build.manifest import load_manifest; "
        "from keyfilters_build.project import Project; from pathlib import Path\n"
        # A shell leaves interrupts ignored in what it runs in the background, and children inherit that.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"if __name__ == '__main__':\n p = Project(Path({str(project.root)!r})); execute_all(p, load_manifest(p), 'quick', jobs=1)"
    )
    script = tmp_path / "build.py"
    script.write_text(code)
    with patient.patience():
        build = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not flag.exists() and build.poll() is None:
            time.sleep(0.05)
        build.send_signal(ended)
        build.wait()
    assert flag.exists()
    partial = list(project.cache.rglob(".partial-*"))
    assert partial, "the kill came too late to leave anything"
    assert not (project.build / "results" / "quick" / "two").exists()
    write_notebook(project, "two", tiny_notebook("two"))
    runs, failures = execute(project)
    assert not failures
    assert not runs["one"].fresh and runs["two"].fresh
    assert not list(project.cache.rglob(".partial-*"))


def mistakes():
    yield "unknown profile", ["--profile", "huge"], None, "unknown profile 'huge'; the profiles are quick, full"
    yield "unknown notebook", ["--only", "three"], None, "unknown notebook 'three'; the notebooks are one, two"
    yield "no jobs", ["--jobs", "0"], None, "jobs is 0"
    yield "broken manifest", [], lambda p: p.manifest.write_text("notebooks: [\n"), "manifest.yml: not valid YAML"
    yield "empty manifest", [], lambda p: p.manifest.write_text(""), "manifest.yml: $: None is not of type 'object'"
    yield (
        "no manifest",
        [],
        lambda p: p.manifest.unlink(),
        "there is no notebooks/manifest.yml here: run this in the root of a clone",
    )
    yield "unreadable manifest", [], lambda p: p.manifest.write_bytes(b"\xff"), "manifest.yml: not valid YAML"
    yield "missing notebook", [], lambda p: (p.notebooks / "two.ipynb").unlink(), "there is no two.ipynb"
    yield ("broken notebook", [], lambda p: (p.notebooks / "two.ipynb").write_text("{"), "two.ipynb: not a valid notebook")
    yield (
        "unknown field",
        [],
        lambda p: write_manifest(p, ["one"], tempo="1"),
        "$.notebooks[0]: Additional properties are not allowed ('tempo' was unexpected)",
    )
    yield "wrong type", [], lambda p: write_manifest(p, ["one"], quick="3"), "$.notebooks[0].quick: 3 is not of type 'object'"
    yield "twice", [], lambda p: write_manifest(p, ["one", "one"]), "one is listed twice"
    yield (
        "unknown parameter",
        [],
        lambda p: write_manifest(p, ["one"], full="{m: 4}"),
        "the full set has an unknown parameter 'm'",
    )


@pytest.mark.parametrize(("arguments", "change", "message"), [pytest.param(*row[1:], id=row[0]) for row in mistakes()])
def test_a_mistake_is_one_line_and_touches_nothing(tmp_path, capsys, arguments, change, message):
    project = tiny_book(tmp_path / "book", "one", "two")
    if change:
        change(project)
    before = files(project.root)
    assert main(arguments, root=project.root) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.startswith("error: ") and said.err.count("\n") == 1
    assert not said.out
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


def test_without_its_extra_help_is_given_and_an_action_says_what_to_install(tmp_path):
    project = tiny_book(tmp_path / "book", "one")
    code = """
import sys
for package in ("nbformat", "yaml", "nbclient", "papermill", "lxml", "psutil", "pypdf", "playwright"):
    sys.modules[package] = None
from keyfilters_build.command import main
sys.exit(main())
"""

    def run(*words):
        return subprocess.run([sys.executable, "-c", code, *words], cwd=project.root, capture_output=True, text=True)

    helped = run("--help")
    assert helped.returncode == 0 and all(name in helped.stdout for name in ACTIONS), helped.stderr
    for name in ACTIONS:
        asked = run(name)
        assert asked.returncode == 2 and asked.stderr.count("\n") == 1, (name, asked.stderr)
        assert asked.stderr.endswith(" is missing: the book needs its extra, pip install 'keyfilters[book]'\n"), asked.stderr


def test_a_notebook_may_be_named_by_its_path(tmp_path):
    entries = load_manifest(tiny_book(tmp_path / "book", "one"))
    assert select(entries, "notebooks/one.ipynb") == select(entries, "one") == "one"
    assert select(entries, None) is select(entries, "") is None


def test_a_warning_of_the_book_fails_the_build(tmp_path, capsys):
    project = tiny_book(tmp_path / "book", "one")
    (project.book / "index.md").write_text("# Tiny\n\nSee {numref}`fig-nowhere` and [this](missing.md).\n")
    notebook = nbformat.read(project.notebooks / "one.ipynb", as_version=4)
    edit(project, "one", 3, notebook.cells[3].source + "\n\nSee {doc}`elsewhere`.")
    assert main([], root=project.root) == 1
    said = capsys.readouterr().err
    assert "book/index.md:3: WARNING" in said and "one: cell 4: WARNING" in said
    assert "fig-nowhere" in said and "missing" in said and "elsewhere" in said
    assert str(project.root) not in said and "\x1b" not in said
    assert not project.html.exists()


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_atomic(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_replace_tree_removes_what_is_no_longer_there(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "x").write_text("x")
    (target / "old").mkdir(parents=True)
    (target / "old" / "y").write_text("y")
    replace_tree(source, target)
    assert files(target) == {"sub/x": b"x"} and not (target / "old").exists()


def test_the_contents_follow_the_manifest():
    from pages import PAGES

    from keyfilters_build.project import Project

    slugs = [entry.slug for entry in load_manifest(Project(ROOT))]
    shown = [page.removeprefix("notebooks/").removesuffix(".html") for page in PAGES if page.startswith("notebooks/")]
    assert shown == slugs


def test_unknown_names_raise_for_callers_too(tmp_path):
    with pytest.raises(BookError, match="unknown notebook"):
        select(load_manifest(tiny_book(tmp_path / "book", "one")), "none")


def test_new_cells_without_source_need_no_execution(tmp_path):
    project = tiny_book(tmp_path / "book", "one")
    notebook = nbformat.read(project.notebooks / "one.ipynb", as_version=4)
    notebook.cells.append(v4.new_code_cell("", id="empty"))
    write_notebook(project, "one", notebook)
    runs, failures = execute(project)
    assert runs and not failures


def test_two_builds_of_one_book_take_turns(built_book, tmp_path):
    project = copied(built_book, tmp_path / "book")
    results = project.results("quick", "one")
    shutil.rmtree(results)
    with patient.patience():
        with (project.build / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            command = [sys.executable, "-m", "keyfilters_build"]
            other = subprocess.Popen(command, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            assert "waiting for it" in other.stderr.readline()
            assert not results.exists()
        _, said = other.communicate()
    assert other.returncode == 0, said
    assert any(results.iterdir())


def test_no_setting_of_whoever_builds_reaches_a_notebook(tmp_path, monkeypatch):
    """Neither larger letters nor a window for every figure; and asserts are executed."""
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
    write_notebook(project, "one", notebook)
    runs, failures = execute(project)
    assert not failures
    [output] = nbformat.read(runs["one"].notebook, as_version=4).cells[2].outputs
    size, backend, debug = output.text.split()
    assert (size, backend.rpartition(".")[2], debug) == ("10.0", "backend_inline", "True")

    # A path into a home is found, but a container may call the root the home: then every address would be one.
    for home, expected in (("/home/somebody", ["one: cell 6: shows a path of the machine that ran it"]), ("/", [])):
        monkeypatch.setenv("HOME", home)
        assert check_runs(project, list(runs.values())) == expected
