"""The archives of `make teach`: complete, without solutions where there should be none, and the same in every run."""

import ast
import builtins
import html
import io
import json
import re
import shutil
import sys
import zipfile
from types import SimpleNamespace

import nbformat
import numpy as np
import patient
import pytest
from lxml import etree
from lxml import html as lxml_html
from nbclient import NotebookClient
from pypdf import PdfReader, PdfWriter
from tiny_book import ROOT, copied, tiny_book

import keyfilters as kf
from keyfilters_build.command import main
from keyfilters_build.course import load_course
from keyfilters_build.labels import exercises_of, read_names
from keyfilters_build.manifest import load_manifest
from keyfilters_build.plain import only_solutions, without_solutions
from keyfilters_build.project import Project
from keyfilters_build.slides import write_slides
from keyfilters_build.teach import ARCHIVES, kit_page, kit_problems, write_archives

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


@pytest.fixture(scope="module")
def kit_of_small(small):
    """The folder of its kit, and what `make teach` said."""
    said = teach(small)
    return small.html / "teach", said


@pytest.fixture(scope="module")
def small_archives(small):
    return [content(path) for path in write_archives(small)]


def test_two_runs_write_the_same_bytes(small, kit_of_small):
    _, said = kit_of_small
    paths = [small.build / "teach" / f"{name}.zip" for name in ARCHIVES]
    first = [path.read_bytes() for path in paths]
    assert all(f"_build/html/teach/{path.name}" in said for path in paths)
    shutil.rmtree(small.build / "teach")
    write_archives(small)
    assert [path.read_bytes() for path in paths] == first


def test_the_small_archives(small_archives):
    students, lecturers = small_archives
    assert set(students) == {"README.md", "requirements.txt", "notebooks/one.ipynb", "notebooks/two.ipynb"}
    assert set(lecturers) - set(students) == {"exercises-moodle.xml", "exam.html", "exam-solutions.html"}
    one, solved = (nbformat.reads(found["notebooks/one.ipynb"].decode(), as_version=4) for found in small_archives)
    text = "\n".join(cell.source for cell in one.cells)
    assert "### Exercise 1.2 (medium)\n\nHow large is the sum?" in text and "assert check_1_" not in text
    assert "the sum is 6.00." in text and "\\tag{1}" in text and "Figure 1" in text
    assert sum("assert check_1_" in cell.source for cell in solved.cells) == 2
    assert all(cell.execution_count for cell in solved.cells if cell.cell_type == "code")


def test_an_unbuilt_book_is_one_line_and_a_book_without_its_kit_says_how_to_make_it(tmp_path, capsys):
    project = tiny_book(tmp_path, "one")
    assert main(["teach"], root=project.root) == 2
    said = capsys.readouterr().err
    assert said == "error: the book is not built, book/notebooks/one.ipynb is missing: run make book first\n"
    assert not (project.build / "teach").exists() and "make teach" in kit_page([])


# The book's own archives


@pytest.fixture(scope="module")
def archives(book_html, once):
    once("archives", lambda: write_archives(PROJECT))
    return {name: content(PROJECT.build / "teach" / f"{name}.zip") for name in ARCHIVES}


@pytest.mark.book
@pytest.mark.parametrize("name", ARCHIVES)
def test_everything_is_in_the_archive(archives, name):
    found, solutions = archives[name], ARCHIVES[name]
    readme, needed = (found[file].decode() for file in ("README.md", "requirements.txt"))
    for entry in ENTRIES:
        assert f"(notebooks/{entry.slug}.ipynb)" in readme
        nbformat.validate(nbformat.reads(found[f"notebooks/{entry.slug}.ipynb"].decode(), as_version=4))
    assert not re.search(r"\{[a-z]+\}", readme) and ("with solutions" in readme.splitlines()[0]) == solutions
    for plan in load_course(PROJECT):
        deck = found[f"slides/{plan.slug}.html"].decode()
        named = {link for link in re.findall(r'(?:src|href)="([^"#?]+)', deck) if not link.startswith("https://")}
        assert not [link for link in named if link.replace("../", "") not in found and f"slides/{link}" not in found]
        # The speaker's notes have the answers to the exercises in class.
        answers = sum(len(part.exercises) for part in plan.parts)
        assert ('<aside class="notes">' in deck) == solutions and answers
        assert deck.count("<strong>Answer.</strong>") == (answers if solutions else 0)
    assert found["LICENSE"] and found["LICENSE-CC-BY-4.0.md"]
    assert "keyfilters[" in needed and "\nkeyfilters-book @ " in needed


@pytest.mark.book
def test_no_solution_is_in_the_students_set_and_every_exercise_in_both(archives):
    told_of = told(PROJECT.build / "teach", secrets_of(PROJECT))
    assert len(told_of) > 300 and all(line.startswith(f"{LECTURERS}.zip: ") for line in told_of)
    for entry in ENTRIES:
        notebooks = [
            nbformat.reads(archives[name][f"notebooks/{entry.slug}.ipynb"].decode(), as_version=4) for name in ARCHIVES
        ]
        texts = ["\n".join(cell.source for cell in notebook.cells) for notebook in notebooks]
        assert "Solution" not in texts[0] and "Solution" in texts[1]
        assert not any(cell.get("outputs") for cell in notebooks[0].cells)
        count = len(exercises_of(entry.slug, nbformat.read(PROJECT.notebooks / f"{entry.slug}.ipynb", as_version=4)))
        assert [text.count("### Exercise ") for text in texts] == [count, count] and count >= 2


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


def test_no_cell_needs_what_a_solution_made():
    """The students' notebooks run from top to bottom."""
    cells = [nbformat.v4.new_code_cell(source) for source in ("x = y + 1", "y = 2\nz = [t for t in x]", "print(z)")]
    assert missing(nbformat.v4.new_notebook(cells=cells)) == {"y"}
    for entry in ENTRIES:
        notebook = nbformat.read(PROJECT.notebooks / f"{entry.slug}.ipynb", as_version=4)
        assert not missing(without_solutions(notebook)), entry.slug


# The kit


def linked(folder):
    return re.findall(r'href="([^"]+)"', (folder / "index.html").read_text(encoding="utf-8"))


def test_the_kit_lists_what_is_there(kit_of_small):
    folder, _ = kit_of_small
    links = set(linked(folder))
    assert {*(f"{name}.zip" for name in ARCHIVES), "exercises-moodle.xml", "exam.html", "exam-solutions.html"} <= links
    assert {path.name for path in folder.iterdir() if path.stat().st_size > 0} - {"index.html"} == links - {"../index.html"}


@pytest.mark.parametrize(
    ("name", "message"), [("exam.pdf", "1 of them blank; expected 1"), ("slides-keys.pdf", "1 of them blank; expected 2")]
)
def test_a_print_that_is_blank_or_lacks_a_page_is_named(tmp_path, monkeypatch, name, message):
    project = Project(tmp_path)
    plan = SimpleNamespace(slug="keys", parts=[SimpleNamespace(slides=["one", "two"])])
    monkeypatch.setattr("keyfilters_build.teach.load_course", lambda project: [plan])
    (project.html / "teach").mkdir(parents=True)
    blank = PdfWriter()
    blank.add_blank_page(100, 100)
    blank.write(project.html / "teach" / name)
    assert kit_problems(project) == [f"{name}: 1 pages, {message}"]


@pytest.mark.browser
def test_sheets_are_printed(kit_of_small):
    for name in ("exam.pdf", "exam-solutions.pdf"):
        text = "".join(page.extract_text() for page in PdfReader(kit_of_small[0] / name).pages)
        assert "A sampled Gaussian" in text and "How many seeds" in text


@pytest.fixture(scope="module")
def kit(book_html, once):
    """The folder of the kit of the book, made as `make teach` makes it."""
    once("kit", lambda: teach(PROJECT))
    return book_html / "teach"


@pytest.mark.slow
@pytest.mark.book
@pytest.mark.browser
def test_every_archive_and_print_that_the_course_leads_to_is_there(kit):
    course = (kit.parent / "course.html").read_text(encoding="utf-8")
    assert 'href="teach/index.html"' in course
    wanted = {f"{name}.zip" for name in ARCHIVES} | {"exercises-moodle.xml"}
    wanted |= {f"{name}.{kind}" for name in ("exam", "exam-solutions") for kind in ("html", "pdf")}
    for plan in load_course(PROJECT):
        wanted |= {f"worksheet-{plan.slug}.{kind}" for kind in ("html", "pdf")}
        wanted |= {f"{kind}-{plan.slug}.pdf" for kind in ("slides", "handout")}
    assert set(linked(kit)) - {"../index.html"} == wanted and kit_problems(PROJECT) == []


def test_the_question_bank_has_every_exercise_with_points_and_solution(small_archives):
    bank = etree.fromstring(small_archives[1]["exercises-moodle.xml"])
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


# What Moodle's importer reads of categories and essays (question/format/xml/format.php, import_category and import_essay).
MOODLE = """<!ELEMENT quiz (question+)>
<!ELEMENT question (category | (name, questiontext, graderinfo, defaultgrade, penalty, hidden, responseformat, responserequired,
    responsefieldlines, attachments))>
<!ATTLIST question type (category | essay) #REQUIRED>
<!ELEMENT category (text)> <!ELEMENT name (text)> <!ELEMENT text (#PCDATA)>
<!ELEMENT questiontext (text)> <!ATTLIST questiontext format (html | moodle_auto_format | plain_text | markdown) #REQUIRED>
<!ELEMENT graderinfo (text)> <!ATTLIST graderinfo format (html | moodle_auto_format | plain_text | markdown) #REQUIRED>
<!ELEMENT defaultgrade (#PCDATA)> <!ELEMENT penalty (#PCDATA)> <!ELEMENT hidden (#PCDATA)> <!ELEMENT responseformat (#PCDATA)>
<!ELEMENT responserequired (#PCDATA)> <!ELEMENT responsefieldlines (#PCDATA)> <!ELEMENT attachments (#PCDATA)>"""
NOWHERE = ".//*[starts-with(@href, '#') or contains(@href, '.html')]"
FORMATS = {"editor", "editorfilepicker", "plain", "monospaced", "noinline"}


def moodle_problems(text):
    """What Moodle would not import as it is meant."""
    bank, rules = etree.fromstring(text), etree.DTD(io.StringIO(MOODLE))
    problems = [] if rules.validate(bank) else [str(rules.error_log.last_error)]
    if not text.startswith(b"<?xml ") or not bank[0].findtext("category/text", "").startswith("$course$/"):
        problems.append("it does not begin with the declaration and a category of the course")
    for question in bank.findall("question[@type='essay']"):
        numbers = [question.findtext(field) or "" for field in ("defaultgrade", "penalty", "hidden", "attachments")]
        texts = [question.findtext(f"{part}/text") for part in ("questiontext", "graderinfo")]
        # The parser of a browser mends what does not fit; then the text is another.
        pages = [lxml_html.fragment_fromstring(text, create_parent="div") for text in texts]
        faults = {
            "name": not 0 < len(question.findtext("name/text")) <= 255,
            "numbers": not all(map(str.isdigit, numbers)),
            "format of the response": question.findtext("responseformat") not in FORMATS,
            "a link that leads nowhere in Moodle": any(page.xpath(NOWHERE) for page in pages),
        }
        problems += [f"{question.findtext('name/text')}: {fault}" for fault, found in faults.items() if found]
    return problems


@pytest.mark.parametrize(("right", "wrong"), [
    (b"", b""), (b"<defaultgrade>1<", b"<defaultgrade>one<"), (b"editorfilepicker", b"file"), (b"$course$/", b"/"),
    (b'type="essay"', b'type="essays"'), (b'questiontext format="html"', b'questiontext format="myst"'),
])  # fmt: skip
def test_the_question_bank_is_as_moodle_reads_it(small_archives, right, wrong):
    bank = small_archives[1]["exercises-moodle.xml"]
    assert bank.startswith(b"<?xml ") and right in bank
    assert bool(moodle_problems(bank.replace(right, wrong, 1))) == (right != wrong)


@pytest.mark.book
def test_the_questions_of_the_book_are_free_of_marks_that_moodle_does_not_know(archives):
    assert moodle_problems(archives[LECTURERS]["exercises-moodle.xml"]) == []
    bank = etree.fromstring(archives[LECTURERS]["exercises-moodle.xml"])
    questions = bank.findall("question[@type='essay']")
    names = {question.findtext("name/text") for question in questions}
    sources = [nbformat.read(PROJECT.notebooks / f"{entry.slug}.ipynb", as_version=4) for entry in ENTRIES]
    exercises = [exercises_of(entry.slug, source) for entry, source in zip(ENTRIES, sources, strict=True)]
    assert len(names) == len(questions) == sum(map(len, exercises))
    for text in (question.findtext(f"{part}/text") for question in questions for part in ("questiontext", "graderinfo")):
        bare = re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
        assert text.strip() and not re.search(r"\{(numref|eq|doc|glue:text|cite)|:::|\$\$", bare), text
    sheets = {name: text.decode() for name, text in archives[STUDENTS].items() if name.startswith("worksheet-")}
    assert {name: text.count('class="room"') for name, text in sheets.items()} == {
        f"worksheet-{plan.slug}.html": sum(len(part.exercises) for part in plan.parts) for plan in load_course(PROJECT)
    }


def texts_of(folder):
    """File of a site -> its text, without tags, and with what a program of the page would unescape."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".html", ".js", ".ipynb", ".txt", ".md", ".csv", ".json", ".py", ".xml"):
            text = path.read_text(encoding="utf-8", errors="replace")
            yield path, text if path.suffix != ".html" else html.unescape(re.sub(r"<[^>]+>", "", text))
        elif path.suffix == ".pdf":
            yield path, "".join(page.extract_text() for page in PdfReader(path).pages)
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield path, "".join(archive.read(name).decode(errors="replace") for name in archive.namelist())


def told(folder, secrets):
    """Which of the secrets stand in which file, however it breaks its lines."""
    bare = {secret: re.sub(r"\W+", "", secret) for secret in secrets}
    found = []
    for path, text in texts_of(folder):
        text = re.sub(r"\W+", "", text.replace("\\n", ""))
        found += [f"{path.name}: {secret[:60]}" for secret, words in bare.items() if words in text]
    return found


def secrets_of(project):
    """Lines of all solutions that stand nowhere else: in no other cell, page or program of the repository."""
    lines = set()
    elsewhere = [
        path.read_text(encoding="utf-8") for path in (*project.book.glob("*.md"), *(project.root / "src").rglob("*.py"))
    ]
    for path in sorted(project.notebooks.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        lines |= {
            line.strip() for pieces in only_solutions(notebook).values() for _, text in pieces for line in text.split("\n")
        }
        elsewhere += [cell.source for cell in without_solutions(notebook).cells]
    others = re.sub(r"\W+", "", "\n".join(elsewhere))
    long = (line for line in lines if len(line) > 20 and not re.search(r"[{}`$\\]", line))
    return sorted(line for line in long if re.sub(r"\W+", "", line) not in others)


@pytest.mark.browser
def test_the_student_edition_has_no_solution_in_pages_downloads_search_and_print(small):
    shutil.copytree(ROOT / "book" / "print", small.book / "print", dirs_exist_ok=True)
    command = [sys.executable, "-m", "keyfilters_build", "students", "--pdf"]
    done = patient.run(command, cwd=small.root, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["_build/html-students/index.html", "_build/pdf/keyfilters-book-students.pdf"]
    edition = small.build / "html-students"
    for name in ("one", "two"):
        pages = [(folder / "notebooks" / f"{name}.html").read_text(encoding="utf-8") for folder in (small.html, edition)]
        whole, page = (re.sub(r"<[^>]+>", "", text) for text in pages)
        assert "How large is the sum?" in page and "Solution" in whole and "Solution" not in page
    secrets = secrets_of(small)
    assert secrets and told(small.html, secrets) and not told(edition, secrets)
    assert "How large is the sum?" in "".join(text for _, text in texts_of(small.build / "pdf"))
    assert not told(small.build / "pdf", secrets)


@pytest.mark.book
def test_a_deck_without_solutions_has_no_answers(book_html, tmp_path):
    """The slides of the student edition, from pages that have no solutions."""
    edition = Project(tmp_path)
    shutil.copytree(PROJECT.book, edition.book)
    pages = sorted(edition.staged.glob("*.ipynb"))
    for path in pages:
        nbformat.write(without_solutions(nbformat.read(path, as_version=4)), path)
    assert len(pages) == len(ENTRIES)
    decks = write_slides(edition, read_names(PROJECT, ENTRIES, book_html), tmp_path / "slides")
    assert len(decks) == len(load_course(PROJECT)) > 0
    for deck in decks:
        text = deck.read_text(encoding="utf-8")
        assert 'class="exercise"' in text and "<strong>Answer.</strong>" not in text


@pytest.mark.slow
@pytest.mark.book
def test_the_student_edition_of_the_book_has_no_solution(book_html, once):
    once("students", lambda: patient.run([sys.executable, "-m", "keyfilters_build", "students"], cwd=ROOT, check=True))
    secrets = secrets_of(PROJECT)
    assert len(secrets) > 300 and len(told(book_html, secrets)) > 300
    assert told(PROJECT.build / "html-students", secrets) == []


EXAM, SOLUTIONS = ((ROOT / "book" / "teach" / f"{name}.md").read_text(encoding="utf-8") for name in ("exam", "exam-solutions"))


def test_the_points_of_the_exam_add_up_in_both_sheets():
    heads = [re.findall(r"^## (\d\. .+ \((\d) points\))$", text, re.MULTILINE) for text in (EXAM, SOLUTIONS)]
    assert heads[0] == heads[1] and sum(int(points) for _, points in heads[0]) == 30
    for text, pattern in ((EXAM, r"\((\d)\)$"), (SOLUTIONS, r"^\| (\d) \|")):
        for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            points = [int(point) for point in re.findall(pattern, part, re.MULTILINE)]
            assert not points or sum(points) == int(re.search(r"\((\d) points\)", part)[1]), part


def test_the_numbers_of_the_solutions_are_right():
    ramp, key = np.tile(np.arange(-3.0, 4), (7, 1)), kf.ideal_filter(2, 0.0)
    assert {(x - 3): value for (_, x), value in np.ndenumerate(key) if value} == {0: 1.0, 1: -1.0}
    assert (key * ramp[:, ::-1]).sum() == 1 and (key * ramp).sum() == -1
    taps, n, v = kf.gaussian_kernel(0.5, 2, kind="sampled"), np.arange(-2, 3), 1 / (1 / 0.64 + 1)
    pair = np.zeros((7, 7))
    pair[3, 3:5] = -1, 2
    spread = kf.spread(pair)
    assert spread.mean[0] == pytest.approx(2 / 3) and spread.covariance[0, 0] == pytest.approx(2 / 9)
    # The scale that is found as the next template: 0.8 in the continuum; on the grid it gets smaller and smaller.
    line, grid, wide, x = 1.0, [1.0], kf.gaussian_kernel(0.8, 20), np.arange(-20, 21)
    for _ in range(60):
        line = np.sqrt(2 / (1 / 0.64 + 1 / line**2))
        weighted = wide * np.exp(-(x**2) / (2 * grid[-1] ** 2))
        grid += [np.sqrt(2 * (weighted @ x**2) / weighted.sum())] if grid[-1] > 0.1 else []
    assert line == pytest.approx(0.8) and grid[-1] < 0.1 and np.all(np.diff(grid) < 0)
    assert [next(n for n in range(1, 20) if 2 / 2**n < limit) for limit in (0.05, 0.05 / 3)] == [6, 7]
    words = (
        f"the sum is {taps.sum():.3f}", f"= {taps @ n**2 / taps.sum():.3f}$", f"v = {v:.3f}", f"= {np.sqrt(2 * v):.3f}$, too large",
        "2 / 32 = 0.0625", "leads to 0.8 in the continuum", "on a grid it runs to 0",
    )  # fmt: skip
    assert [said for said in words if said not in SOLUTIONS] == []
