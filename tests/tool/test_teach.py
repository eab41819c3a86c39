"""The archives of `make teach`: complete, without solutions where there should be none, and the same in every run."""

import ast
import builtins
import json
import re
import shutil
import sys
import zipfile

import nbformat
import numpy as np
import patient
import pytest
from lxml import etree
from nbclient import NotebookClient
from pypdf import PdfReader
from tiny_book import ROOT, copied, tiny_book

import keyfilters as kf
from keyfilters_build.command import main
from keyfilters_build.course import load_course
from keyfilters_build.labels import exercises_of
from keyfilters_build.manifest import load_manifest
from keyfilters_build.plain import without_solutions
from keyfilters_build.project import Project
from keyfilters_build.teach import ARCHIVES, kit_page, write_archives

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


def teach(project):
    """What `make teach` says, run in a process of its own: that of the tests may have a browser."""
    command = [sys.executable, "-m", "keyfilters_build", "teach"]
    return patient.run(command, cwd=project.root, check=True, capture_output=True, text=True).stdout


def test_two_runs_write_the_same_bytes(small):
    said = teach(small)
    paths = [small.build / "teach" / f"{name}.zip" for name in ARCHIVES]
    first = [path.read_bytes() for path in paths]
    for path in paths:
        assert f"_build/html/teach/{path.name}" in said
        path.unlink()
    teach(small)
    assert [path.read_bytes() for path in paths] == first


def test_the_small_archives(small):
    students, lecturers = (content(path) for path in write_archives(small))
    assert set(students) == {"README.md", "requirements.txt", "notebooks/one.ipynb", "notebooks/two.ipynb"}
    assert set(lecturers) - set(students) == {"exercises-moodle.xml", "exam.html", "exam-solutions.html"}
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


# The kit


def test_the_kit_lists_what_is_there_and_every_link_leads_to_a_file(small):
    teach(small)
    folder = small.html / "teach"
    links = re.findall(r'href="([^"]+)"', (folder / "index.html").read_text(encoding="utf-8"))
    assert {f"{name}.zip" for name in ARCHIVES} <= set(links) and {
        "exercises-moodle.xml",
        "exam.html",
        "exam-solutions.html",
    } <= set(links)
    assert {path.name for path in folder.iterdir()} - {"index.html"} == set(links) - {"../index.html"}
    assert all((folder / link).stat().st_size > 0 for link in links if not link.startswith("../"))


@pytest.mark.browser
def test_sheets_are_printed(small):
    teach(small)
    for name in ("exam.pdf", "exam-solutions.pdf"):
        text = "".join(page.extract_text() for page in PdfReader(small.html / "teach" / name).pages)
        assert "A sampled Gaussian" in text and "How many seeds" in text


def test_a_book_without_its_kit_says_how_to_make_it():
    assert "make teach" in kit_page([])


def test_the_question_bank_has_every_exercise_with_points_and_solution_for_lecturers_alone(small):
    students, lecturers = (content(path) for path in write_archives(small))
    assert "exercises-moodle.xml" not in students and not [name for name in students if name.startswith("exam")]
    bank = etree.fromstring(lecturers["exercises-moodle.xml"])
    assert [text.text.rsplit("/", 1)[1] for text in bank.findall("question[@type='category']/category/text")] == [
        "Chapter 1: Page one", "Chapter 2: Page two",
    ]  # fmt: skip
    questions = bank.findall("question[@type='essay']")
    assert [q.findtext("name/text") for q in questions[:2]] == ["Exercise 1.1 (easy)", "Exercise 1.2 (medium)"]
    assert [q.findtext("defaultgrade") for q in questions[:2]] == ["1", "2"]
    assert "How large is the sum?" in questions[1].findtext("questiontext/text")
    for question in questions:
        assert "<pre>assert check_1_" in question.findtext("graderinfo/text")
        assert "check_" not in question.findtext("questiontext/text")


@pytest.mark.book
def test_the_questions_of_the_book_are_free_of_marks_that_moodle_does_not_know(archives):
    bank = etree.fromstring(archives[LECTURERS]["exercises-moodle.xml"])
    questions = bank.findall("question[@type='essay']")
    names = [question.findtext("name/text") for question in questions]
    assert len(names) == len(set(names)) == sum(len(find_exercises(entry)) for entry in ENTRIES)
    for question in questions:
        for part in ("questiontext", "graderinfo"):
            text = question.findtext(f"{part}/text")
            assert text.strip() and not re.search(
                r"\{(numref|eq|doc|glue:text|cite)|:::|\$\$", re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
            ), text
    sheets = {name: text.decode() for name, text in archives[STUDENTS].items() if name.startswith("worksheet-")}
    assert set(sheets) == {f"worksheet-{plan.slug}.html" for plan in load_course(PROJECT)}
    for plan in load_course(PROJECT):
        assert sheets[f"worksheet-{plan.slug}.html"].count('class="room"') == sum(len(part.exercises) for part in plan.parts)


def find_exercises(entry):
    return exercises_of(entry.slug, nbformat.read(PROJECT.notebooks / f"{entry.slug}.ipynb", as_version=4))


def test_the_student_edition_has_no_solution_anywhere(small, capsys):
    assert main(["students"], root=small.root) == 0
    assert capsys.readouterr().out.strip().endswith("_build/html-students/index.html")
    edition = small.build / "html-students"
    for name in ("one", "two"):
        pages = [(html / "notebooks" / f"{name}.html").read_text(encoding="utf-8") for html in (small.html, edition)]
        whole, page = (re.sub(r"<[^>]+>", "", text) for text in pages)
        assert "How large is the sum?" in page and "Solution" in whole and "Solution" not in page
        assert "assert check_1_1(x.sum())" in whole and "assert check_1_1" not in page
    for path in edition.rglob("*"):
        if path.is_file() and path.suffix in (".html", ".js", ".ipynb", ".txt", ".csv", ".json", ".py"):
            assert "check_1_1(x" not in path.read_text(encoding="utf-8", errors="replace"), path


EXAM, SOLUTIONS = ((ROOT / "book" / "teach" / f"{name}.md").read_text(encoding="utf-8") for name in ("exam", "exam-solutions"))


def test_the_points_of_the_exam_add_up_in_both_sheets():
    heads = [re.findall(r"^## (\d\. .+ \((\d) points\))$", text, re.MULTILINE) for text in (EXAM, SOLUTIONS)]
    assert heads[0] == heads[1] and sum(int(points) for _, points in heads[0]) == 30
    for text, pattern in ((EXAM, r"\((\d)\)$"), (SOLUTIONS, r"^\| (\d) \|")):
        for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            points = [int(point) for point in re.findall(pattern, part, re.MULTILINE)]
            assert not points or sum(points) == int(re.search(r"\((\d) points\)", part)[1]), part


def test_the_numbers_of_the_solutions_are_right():
    ramp = np.tile(np.arange(-3.0, 4), (7, 1))
    key = kf.ideal_filter(2, 0.0)
    assert {(x - 3): value for (_, x), value in np.ndenumerate(key) if value} == {0: 1.0, 1: -1.0}
    assert (key * ramp[:, ::-1]).sum() == 1 and (key * ramp).sum() == -1
    taps, n = kf.gaussian_kernel(0.5, 2, kind="sampled"), np.arange(-2, 3)
    variance = taps @ n**2 / taps.sum()
    pair = np.zeros((7, 7))
    pair[3, 3:5] = -1, 2
    spread = kf.spread(pair)
    v = 1 / (1 / 0.64 + 1)
    assert spread.mean[0] == pytest.approx(2 / 3) and spread.covariance[0, 0] == pytest.approx(2 / 9)
    for said in (
        f"the sum is {taps.sum():.3f}",
        f"= {variance:.3f}$",
        f"v = {v:.3f}",
        f"= {np.sqrt(2 * v):.3f}$, too large",
        "2 / 32 = 0.0625",
    ):
        assert said in SOLUTIONS, said
    assert [next(n for n in range(1, 20) if 2 / 2**n < limit) for limit in (0.05, 0.05 / 3)] == [6, 7]
