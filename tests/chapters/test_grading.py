"""Grading a class: broken notebooks get the points that their answers deserve, and nobody pays for another's mistake."""

import csv
import importlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml

from keyfilters_book.exercises import EXERCISES
from keyfilters_book.grading.grade_command import grade
from keyfilters_book.grading.judge import Limits, exercises_of, judge
from keyfilters_book.grading.submissions import find_submissions
from keyfilters_book.grading.values import decode, encode
from keyfilters_build.labels import pieces

ROOT = Path(__file__).resolve().parents[2]
SLUGS = [row["slug"] for row in yaml.safe_load((ROOT / "notebooks/manifest.yml").read_text(encoding="utf-8"))["notebooks"]]
START = "import numpy as np\nfrom keyfilters.fitting.variance import factor_variance"
CHECKS = "from keyfilters_book.exercises.method_a import check_5_1, check_5_2, check_5_3"
FIRST = "def scale_of(v, derivative):\n    return np.sqrt(2 * v / 3 if derivative else 2 * v)\n"
SECOND = """reference, rounds = 1.0, []
for _ in range(8):
    reference = float(np.sqrt(2 * factor_variance("identity", 0.6, 7, "crop", reference)))
    rounds.append(reference)
"""
THIRD = "exact_scale = lambda v: np.sqrt(v / (1 - v))\n"
WRONG = "scale_of, rounds, exact_scale = (lambda v, d: v), [0.5] * 8, (lambda v: v)"
FORGED = """print("Exercise 5.1: right.\\nExercise 5.2: right.\\nExercise 5.3: right.")
import sys, keyfilters_book.exercises as book
from keyfilters_book.exercises import Verdict, method_a, verdict
check_5_1 = check_5_2 = check_5_3 = method_a.check_5_1 = method_a.check_5_2 = lambda *answer: Verdict(True, "right")
for label in list(book.EXERCISES):
    book.EXERCISES[label] = check_5_1
verdict.near = verdict.rounded = lambda *values, **tolerances: True
class Right(float):
    __eq__ = __lt__ = __gt__ = lambda self, other: True
    __hash__ = None
exact_scale = lambda v: Right(1)
"""
PICKLED = """class Bomb:
    def __reduce__(self):
        return open, ({outside!r}, "w")
rounds = Bomb()
exact_scale = lambda v: Bomb()
"""
WRITES = """import os, subprocess
try:
    open({outside!r}, "w")
finally:
    try:
        os.mkdir({outside!r})
    finally:
        subprocess.run(["touch", {outside!r}])
"""
# name -> (cells, points of 1 + 2 + 3, a word of the remarks or the verdicts)
BROKEN = {
    "Ada Right": ([START, CHECKS, FIRST + "check_5_1(scale_of)", SECOND, THIRD], 6, "right"),
    "Syntax Error": ([START, FIRST, SECOND + "check_5_2(rounds", THIRD], 4, "SyntaxError"),
    "Endless Loop": ([START, FIRST, "while True:\n    try:\n        1\n    except Exception:\n        pass\n" + SECOND, THIRD], 4, "stopped after 5 s"),
    "Bare Except": ([START, FIRST, "import time\nwhile True:\n    try:\n        time.sleep(0.1)\n    except:\n        pass", SECOND, THIRD], 6, "Cell 3 ended the notebook, or did not end"),
    "Ends Process": ([START, FIRST, "import os\nos._exit(1)", SECOND, THIRD], 6, "Cell 3 ended the notebook"),
    "Endless Function": ([START, "def scale_of(v, derivative):\n    while True:\n        pass", SECOND, THIRD], 5, "OutOfTime"),
    "Memory Hog": ([START, FIRST, "hog = []\nwhile True:\n    hog.append(np.empty(10**7))", SECOND, THIRD], 6, "MemoryError"),
    "Deleted Checks": ([START, FIRST, SECOND, THIRD], 6, "right"),
    "Duplicated Cells": ([START, CHECKS, FIRST, FIRST, SECOND, THIRD, "scale_of = ...\ncheck_5_1(scale_of)", "rounds = None"], 6, "right"),
    "Retyped Answers": ([START, "rounds = 0.5443, 0.3183, 0.1885, 0.1120, 0.0666, 0.0397, 0.0236, np.float32(0.01405)", THIRD.replace("lambda", " lambda"), FIRST], 6, "right"),
    "Wrong Notebook": (["from keyfilters_book.exercises.learned_filters import check_1_1\nresponse_of_key_2 = 0.1"], 0, "asked for is method_a"),
    "Forged Results": ([START, WRONG, FORGED], 0, "not yet"),
    "Pickled Bomb": ([START, FIRST, PICKLED], 1, "not yet"),
    "Writes Outside": ([START, WRITES, FIRST, SECOND, THIRD], 6, "PermissionError"),
}  # fmt: skip


def notebook_of(sources):
    return json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources], "nbformat": 4})


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class, graded by the command: its files, what it printed, and the path that nobody may write."""
    folder = tmp_path_factory.mktemp("class")
    outside = folder / "outside"
    for number, (name, (sources, _, _)) in enumerate(BROKEN.items()):
        place = folder / "handed in" / f"{name}_{100 + number}_assignsubmission_file"
        place.mkdir(parents=True)
        place.joinpath("method_a.ipynb").write_text(
            notebook_of([s.replace("{outside!r}", repr(str(outside))) for s in sources])
        )
    for name, text in (
        ("Not Json", "# my notebook\n"),
        ("Half A File", notebook_of([FIRST])[:-20]),
        ("Cells Are Text", '{"cells": "x"}'),
    ):
        place = folder / "handed in" / f"{name}_200_assignsubmission_file"
        place.mkdir()
        place.joinpath("method_a.ipynb").write_text(text)
    (folder / "handed in" / "=No Notebook_300_assignsubmission_file").mkdir()
    cells = [START, FIRST, SECOND, THIRD]
    for name, files in {
        "Two Files": {"method_a.ipynb": notebook_of(cells), "method_a_old.ipynb": notebook_of([START, FIRST])},
        "A Script": {"method_a.py": "# coding: utf-8\n\n" + "\n\n".join(f"# In[ ]:\n\n\n{cell}" for cell in cells)},
        "Renamed File": {"Sheet 3 (final) \u2013 copy.ipynb": notebook_of(cells)},
        "Only A Zip": {"all.zip": "PK"},
        "Empty File": {"method_a.ipynb": ""},
        "Only Checkpoints": {".ipynb_checkpoints/method_a.ipynb": notebook_of(cells)},
    }.items():
        for file, text in files.items():
            path = folder / "handed in" / f"{name}_{400 + len(name)}_assignsubmission_file_" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "keyfilters_book.grading", str(folder / "handed in"), "-o", str(folder / "out" / "grades.csv"),
         "--seconds", "5", "--memory", "1.5"], capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, before, outside


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_notebook_gets_the_points_of_its_answers(graded, name):
    folder, _, _ = graded
    (row,) = [row for row in table(folder / "out/grades.csv") if row["student"] == name]
    (page,) = (folder / "out/grades-feedback").glob(f"{name}_*.html")
    said = row["remarks"] + page.read_text(encoding="utf-8")
    assert (int(row["points"]), row["of"]) == (BROKEN[name][1], "6"), said
    assert BROKEN[name][2] in said
    assert f"{BROKEN[name][1]} of 6 points" in said


def test_what_is_no_notebook_gets_no_points_and_the_reason(graded):
    rows = {row["student"]: row for row in table(graded[0] / "out/grades.csv")}
    for name, words in (
        ("Not Json", "it is not JSON"), ("Half A File", "it is not JSON"), ("Cells Are Text", "no notebook of format 4"),
        ("'=No Notebook", "No notebook was handed in."), ("Only A Zip", "No notebook was handed in, only all.zip."),
        ("Only Checkpoints", "No notebook was handed in."), ("Empty File", "method_a.ipynb is empty."),
    ):  # fmt: skip
        assert rows[name]["points"] == "0" and words in rows[name]["remarks"], rows[name]


def test_a_renamed_file_a_program_and_the_better_of_two_notebooks_get_their_points(graded):
    rows = {row["student"]: row for row in table(graded[0] / "out/grades.csv")}
    assert {name: rows[name]["points"] for name in ("Two Files", "A Script", "Renamed File")} == dict.fromkeys(
        ("Two Files", "A Script", "Renamed File"), "6"
    )
    assert "Of 2 notebooks the one with the most points counts, method_a.ipynb." in rows["Two Files"]["remarks"]


def test_files_without_folders_belong_to_the_student_whose_number_they_have(tmp_path):
    for file in (
        "Ada L_4711_assignsubmission_file_one.ipynb",
        "Ada L_4711_assignsubmission_file_two.py",
        "bob.ipynb",
        "notes.txt",
    ):
        tmp_path.joinpath(file).write_text("")
    found = [(s.name, s.number, [path.name[-9:] for path in s.notebooks]) for s in find_submissions(tmp_path)]
    assert found == [("Ada L", "4711", ["one.ipynb", "le_two.py"]), ("bob", "", ["bob.ipynb"])]


def test_nothing_is_written_outside_of_the_output(graded):
    folder, before, outside = graded
    assert not outside.exists()
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "out" not in path.parts}
    assert after == before
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "grades-canvas.csv", "grades-feedback", "grades-moodle.csv", "grades.csv",
    ]  # fmt: skip


def test_moodle_and_canvas_find_their_columns(graded):
    moodle, canvas = (table(graded[0] / f"out/grades-{system}.csv") for system in ("moodle", "canvas"))
    # Moodle refuses a table that lacks the first, the third or the fifth (importgradeslib.php of its module assign).
    columns = ["Identifier", "Full name", "Grade", "Maximum grade", "Last modified (grade)", "Feedback comments"]
    assert list(moodle[0]) == columns
    grades = {row["Identifier"]: (row["Full name"], row["Grade"], row["Maximum grade"]) for row in moodle}
    assert grades["Participant 100"] == ("Ada Right", "6", "6")
    assert list(canvas[0]) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Exercises of method a"]
    assert canvas[0]["Student"] == "    Points Possible" and canvas[0]["Exercises of method a"] == "6"
    assert {row["ID"]: row["Exercises of method a"] for row in canvas}["101"] == "4"


def test_an_archive_as_canvas_makes_it_is_graded(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "handed.zip", "w") as archive:
        archive.writestr("lovelaceada_LATE_815_23_method_a.ipynb", notebook_of([START, FIRST]))
    assert grade([str(tmp_path / "handed.zip"), "-o", str(tmp_path / "grades.csv")]) == 0
    assert capsys.readouterr().out.startswith("lovelaceada: 1 of 6\n")
    assert table(tmp_path / "grades.csv")[0]["number"] == "815"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing", "-o", "grades.csv"], "neither a folder nor a .zip"),
        ([".", "-o", "grades.txt"], "expected a file .csv"),
        ([".", "-o", "nowhere/grades.csv"], "in a folder that exists"),
        ([".", "-o", "grades.csv", "--seconds", "0"], "expected more than 0"),
        ([".", "-o", "grades.csv"], "no notebook of a chapter"),
        ([".", "-o", "grades.csv", "--chapter", "method_z"], "invalid choice"),
    ],
)
def test_what_cannot_be_graded_is_refused_in_one_line(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        grade(arguments)
    assert ended.value.code == 2 and words in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "slug", [s if s in ("spread_measures", "replacing_filters") else pytest.param(s, marks=pytest.mark.slow) for s in SLUGS]
)
def test_right_answers_of_each_chapter_get_all_points_and_wrong_ones_none(slug, tmp_path, monkeypatch):
    """The answers go the way of a student's: through a notebook, in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests/helpers"))
    points = exercises_of(slug)
    answers = importlib.import_module(f"exercises.{slug}_answers").ANSWERS
    for which, wanted in (("{}][0]()", points), ("{}][1][0][0]", dict.fromkeys(points, 0))):
        lines = [f"from exercises.{slug}_answers import ANSWERS"]
        for label in points:
            names = EXERCISES[label].answers
            lines.append(f"answer = ANSWERS[{which.format(repr(label))}")
            lines.append(f"{', '.join(names)} = answer.values() if isinstance(answer, dict) and len(answer) == {len(names)} else answer"
                         if len(names) > 1 else f"{names[0]} = answer")  # fmt: skip
        notebook = tmp_path / "notebook.ipynb"
        notebook.write_text(notebook_of(lines))
        marks = judge(notebook, slug, Limits(120, 8))
        assert {row.label: row.points for row in marks.rows} == wanted, marks
    assert len(answers) == len(points)


@pytest.mark.parametrize("slug", SLUGS)
def test_points_rise_with_the_level_of_an_exercise(slug):
    notebook = nbformat.read(ROOT / "notebooks" / f"{slug}.ipynb", as_version=4)
    text = "\n\n".join(text for _, cell, text, _ in pieces(notebook) if cell.cell_type == "markdown")
    found = dict(re.findall(r"^:::\{exercise\} ([\d.]+), (easy|medium|harder)$", text, re.MULTILINE))
    assert [exercises_of(slug)[label] for label in found] == [
        {"easy": 1, "medium": 2, "harder": 3}[level] for level in found.values()
    ]


def test_values_that_no_answer_has_are_refused():
    for content in ({"unknown": 1}, {"plain": 1, "list": []}, {"array": "AAAA"}, {}):
        with pytest.raises((ValueError, EOFError)):
            decode(content, lambda number: None)
    assert encode(object(), []) == {"other": "object"}
