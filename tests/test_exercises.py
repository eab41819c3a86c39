"""Every exercise has a check that passes on a right answer, fails with a hint on wrong ones, and never tells the solution."""

import importlib
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml

from keyfilters.exercises import EXERCISES, Verdict, exercise
from keyfilters.exercises.verdict import Hint, array, call, choice, mapping, number

ROOT = Path(__file__).resolve().parent.parent
SLUGS = [row["slug"] for row in yaml.safe_load((ROOT / "notebooks/manifest.yml").read_text(encoding="utf-8"))["notebooks"]]
DIRECTIVE = re.compile(r"^:::\{exercise\} (?P<chapter>\d+)\.(?P<number>\d+), (?P<level>easy|medium|harder)\n", re.MULTILINE)


def answers(slug):
    importlib.import_module(f"keyfilters.exercises.{slug}")
    return importlib.import_module(f"exercises.{slug}").ANSWERS


def prose(slug):
    notebook = nbformat.read(ROOT / "notebooks" / f"{slug}.ipynb", as_version=4)
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


each_chapter = pytest.mark.parametrize("slug", SLUGS)


@each_chapter
def test_exercises_are_numbered_by_chapter_and_have_three_levels(slug):
    chapter = SLUGS.index(slug) + 1
    found = [(int(m["chapter"]), int(m["number"]), m["level"]) for m in DIRECTIVE.finditer(prose(slug))]
    assert [row[:2] for row in found] == [(chapter, n) for n in range(1, len(found) + 1)]
    assert [row[2] for row in found] == sorted((row[2] for row in found), key=["easy", "medium", "harder"].index)
    assert {row[2] for row in found} == {"easy", "medium", "harder"}
    assert len(re.findall(r"^:::\{exercise\}", prose(slug), re.MULTILINE)) == len(found)
    module = importlib.import_module(f"keyfilters.exercises.{slug}")
    assert module.__all__ == [f"check_{chapter}_{n}" for n in range(1, len(found) + 1)]
    assert list(answers(slug)) == [f"{chapter}.{n}" for n in range(1, len(found) + 1)]


@each_chapter
def test_right_answers_pass(slug):
    for label, (right, _) in answers(slug).items():
        verdict = EXERCISES[label](right())
        assert verdict and verdict.text.startswith(f"Exercise {label}: right."), verdict


@each_chapter
def test_wrong_answers_get_a_hint(slug):
    for label, (right, wrong) in answers(slug).items():
        assert len(wrong) >= 2, label
        hints = []
        for answer, words in wrong:
            verdict = EXERCISES[label](answer)
            assert not verdict and verdict.text.startswith(f"Exercise {label}: not yet. "), (label, verdict)
            assert words in verdict.text, (label, words, verdict)
            hints.append(verdict.text)
        assert len(set(hints)) > 1, f"{label}: every mistake gets the same hint"
        told = " ".join(hints)
        for value in _told(right()):
            assert value not in told, f"{label}: a hint tells {value}"


def _told(right):
    """How a numerical answer would look in a hint, to three and more digits."""
    try:
        values = np.unique(np.asarray(right, dtype=float))
    except (TypeError, ValueError):
        return []
    return [f"{value:.{digits}f}" for value in values if value != round(value) for digits in (3, 4, 6)]


@each_chapter
def test_no_answer_yet_says_what_is_expected(slug):
    for label in answers(slug):
        for nothing in (..., None, {"one": 1.0, "other": ...}):
            verdict = EXERCISES[label](nothing)
            assert not verdict and verdict.text.startswith(f"Exercise {label}: no answer yet. Expected: ")


@each_chapter
def test_answers_of_a_wrong_type_are_hints_and_no_tracebacks(slug):
    for label in answers(slug):
        for odd in ("xyz", object(), [], {}, float("nan"), np.zeros((0, 3))):
            assert not EXERCISES[label](odd), (label, odd)


def test_parts_of_checks():
    assert number(np.float64(2)) == 2.0
    assert array([[1, 2]], [1, None]).shape == (1, 2)
    assert mapping({"a": 1}, ["a"]) == {"a": 1}
    assert choice(" Yes ", ["yes", "no"]) == "yes"
    assert call(lambda x: x + 1, 1) == 2
    for bad in (
        lambda: number([1, 2]), lambda: number("x"), lambda: number(float("inf")), lambda: array([1], [2]), lambda: array("x", [1]),
        lambda: array([float("nan")], [1]), lambda: mapping([], ["a"]), lambda: choice("maybe", ["yes"]), lambda: call(3), lambda: call(lambda: 1 / 0),
    ):  # fmt: skip
        with pytest.raises(Hint):
            bad()


def test_a_check_has_the_name_of_its_exercise():
    with pytest.raises(ValueError, match="check_<chapter>_<number>"):

        @exercise("a number")
        def wrong_name(answer):
            pass


def test_a_verdict_is_true_or_false_and_shows_its_text():
    assert Verdict(True, "yes") and not Verdict(False, "no") and repr(Verdict(False, "no")) == "no"


@pytest.mark.book
def test_each_page_says_which_chapter_it_is(book_html):
    for number, slug in enumerate(SLUGS, start=1):
        text = (book_html / "notebooks" / f"{slug}.html").read_text(encoding="utf-8")
        assert f"<strong>Chapter {number}</strong>" in text, slug
