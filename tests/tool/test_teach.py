"""The archives of `make teach`: complete, without solutions where there should be none, and the same in every run."""

import ast
import builtins
import json
import re
import shutil
import zipfile

import nbformat
import patient
import pytest
from nbclient import NotebookClient
from tiny_book import ROOT, copied, tiny_book

from keyfilters_build.command import main
from keyfilters_build.course import load_course
from keyfilters_build.manifest import load_manifest
from keyfilters_build.plain import without_solutions
from keyfilters_build.project import Project
from keyfilters_build.teach import ARCHIVES, write_archives

STUDENTS, LECTURERS = ARCHIVES
PROJECT = Project(ROOT)
ENTRIES = load_manifest(PROJECT)


def content(path):
    """File -> text or bytes, without the archive's own folder."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist() if name.startswith(f"{path.stem}/")}


@pytest.fixture(scope="module")
def small(built_book, tmp_path_factory):
    """A small book, built."""
    project = copied(built_book, tmp_path_factory.mktemp("teach") / "book")
    shutil.copytree(ROOT / "book" / "teach", project.book / "teach")
    return project


def test_two_runs_write_the_same_bytes(small, capsys):
    assert main(["teach"], root=small.root) == 0
    said = capsys.readouterr().out
    paths = [small.build / "teach" / f"{name}.zip" for name in ARCHIVES]
    first = [path.read_bytes() for path in paths]
    for path in paths:
        assert f"_build/teach/{path.name}" in said
        path.unlink()
    assert main(["teach"], root=small.root) == 0
    assert [path.read_bytes() for path in paths] == first


def test_the_small_archives(small):
    students, lecturers = (content(path) for path in write_archives(small))
    assert set(students) == set(lecturers) == {"README.md", "requirements.txt", "notebooks/one.ipynb", "notebooks/two.ipynb"}
    one = nbformat.reads(students["notebooks/one.ipynb"].decode(), as_version=4)
    text = "\n".join(cell.source for cell in one.cells)
    assert "### Exercise 1.2 (medium)\n\nHow large is the sum?" in text
    assert "the sum is 6.00." in text and "\\tag{1}" in text and "Figure 1" in text and "assert check_1_" not in text
    solved = nbformat.reads(lecturers["notebooks/one.ipynb"].decode(), as_version=4)
    assert sum("assert check_1_" in cell.source for cell in solved.cells) == 2
    assert all(cell.execution_count for cell in solved.cells if cell.cell_type == "code")


def test_an_unbuilt_book_is_one_line(tmp_path, capsys):
    project = tiny_book(tmp_path, "one")
    assert main(["teach"], root=project.root) == 2
    said = capsys.readouterr().err
    assert said == "error: the book is not built, book/notebooks/one.ipynb is missing: run make book first\n"
    assert not (project.build / "teach").exists()


# The book's own archives


@pytest.fixture(scope="module")
def archives(book_html, once):
    once("archives", lambda: write_archives(PROJECT))
    return {name: content(PROJECT.build / "teach" / f"{name}.zip") for name in ARCHIVES}


@pytest.mark.book
@pytest.mark.parametrize("name", ARCHIVES)
def test_everything_is_in_the_archive(archives, name):
    files = archives[name]
    for entry in ENTRIES:
        nbformat.validate(nbformat.reads(files[f"notebooks/{entry.slug}.ipynb"].decode(), as_version=4))
    for plan in load_course(PROJECT):
        deck = files[f"slides/{plan.slug}.html"].decode()
        for address in re.findall(r'(?:src|href)="([^"#?]+)', deck):
            if not address.startswith("https://"):
                assert address.replace("../", "") in files or f"slides/{address}" in files, address
        assert ('<aside class="notes">' in deck) == ARCHIVES[name], "the speaker's notes have the answers"
    assert (
        files["LICENSE"]
        and files["LICENSE-CC-BY-4.0.md"]
        and "keyfilters[" in files["requirements.txt"].decode()
        and "\nkeyfilters-book @ " in files["requirements.txt"].decode()
    )
    readme = files["README.md"].decode()
    assert not re.search(r"\{[a-z]+\}", readme)
    for entry in ENTRIES:
        assert f"(notebooks/{entry.slug}.ipynb)" in readme
    assert ("with solutions" in readme.splitlines()[0]) == ARCHIVES[name]


def solutions_of(notebook):
    """The sources of all cells of solutions, and the prose of solutions that is long enough to be told apart."""
    found, inside = [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for piece in re.split(r"^:::\{solution-(start|end)\}", cell.source, flags=re.MULTILINE):
                if piece in ("start", "end"):
                    inside = piece == "start"
                elif inside:
                    found += [line for line in piece.split("\n") if len(line) > 60 and "{" not in line]
        elif inside:
            found.append(cell.source)
    return found


@pytest.mark.book
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)
def test_no_solution_is_in_the_students_set(archives, entry):
    source = nbformat.read(PROJECT.notebooks / f"{entry.slug}.ipynb", as_version=4)
    secrets = solutions_of(source)
    assert len(secrets) >= 2
    students = nbformat.reads(archives[STUDENTS][f"notebooks/{entry.slug}.ipynb"].decode(), as_version=4)
    lecturers = nbformat.reads(archives[LECTURERS][f"notebooks/{entry.slug}.ipynb"].decode(), as_version=4)
    texts = ["\n".join(cell.source for cell in notebook.cells) for notebook in (students, lecturers)]
    for secret in secrets:
        assert secret not in texts[0] and secret in texts[1], secret[:80]
    assert "Solution" not in texts[0]
    assert not any(cell.get("outputs") for cell in students.cells)
    # An exercise is there with its text in both.
    count = sum(
        "{exercise}" in line for cell in source.cells for line in cell.source.split("\n") if cell.cell_type == "markdown"
    )
    assert texts[0].count("### Exercise ") == texts[1].count("### Exercise ") == count >= 2


@pytest.mark.book
@pytest.mark.parametrize("name", [STUDENTS, pytest.param(LECTURERS, marks=pytest.mark.slow)])
def test_a_notebook_runs_in_a_clean_folder(archives, name, tmp_path, monkeypatch):
    monkeypatch.setenv("KEYFILTERS_RESULTS", str(tmp_path / "data"))
    notebook = nbformat.reads(archives[name]["notebooks/method_a.ipynb"].decode(), as_version=4)
    with patient.patience():
        NotebookClient(notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    numbers = json.loads((tmp_path / "data" / "numbers.json").read_text())
    assert numbers["a-largest-difference"]["text"] in "\n".join(cell.source for cell in notebook.cells)


def missing(notebook):
    """Names that a code cell reads and neither it nor a cell before it makes."""
    have, found = {*dir(builtins), "display", "get_ipython"}, set()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        nodes = list(ast.walk(ast.parse(cell.source)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        have |= {node.id for node in names if not isinstance(node.ctx, ast.Load)}
        have |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler)}
        have |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        have |= {(node.asname or node.name).split(".")[0] for node in nodes if isinstance(node, ast.alias)}
        found |= {node.id for node in names} - have
    return found


def test_missing_names_are_seen():
    cells = [nbformat.v4.new_code_cell(source) for source in ("x = y + 1", "y = 2\nz = [t for t in x]", "print(z)")]
    assert missing(nbformat.v4.new_notebook(cells=cells)) == {"y"}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)
def test_no_cell_needs_what_a_solution_made(entry):
    """The students' notebooks run from top to bottom."""
    notebook = nbformat.read(PROJECT.notebooks / f"{entry.slug}.ipynb", as_version=4)
    assert not missing(without_solutions(notebook))
