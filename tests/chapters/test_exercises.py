"""Every exercise has a check that passes on a right answer, fails with a hint on wrong ones, and never tells the solution."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import numpy as np
import pytest
import yaml
from each import each

from keyfilters_book.exercises import EXERCISES, Verdict, exercise
from keyfilters_book.exercises.verdict import Hint, array, call, choice, mapping, number
from keyfilters_build.labels import pieces

ROOT = Path(__file__).resolve().parents[2]
SLUGS = [row["slug"] for row in yaml.safe_load((ROOT / "notebooks/manifest.yml").read_text(encoding="utf-8"))["notebooks"]]
DIRECTIVE = re.compile(r"^:::\{exercise\} (?P<chapter>\d+)\.(?P<number>\d+), (?P<level>easy|medium|harder)\n", re.MULTILINE)


def answers(slug):
    importlib.import_module(f"keyfilters_book.exercises.{slug}")
    return importlib.import_module(f"exercises.{slug}_answers").ANSWERS


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
    module = importlib.import_module(f"keyfilters_book.exercises.{slug}")
    assert module.__all__ == [f"check_{chapter}_{n}" for n in range(1, len(found) + 1)]
    assert list(answers(slug)) == [f"{chapter}.{n}" for n in range(1, len(found) + 1)]


@each_chapter
def test_right_answers_pass(slug):
    for label, (right, _) in answers(slug).items():
        verdict = EXERCISES[label](right())
        assert verdict and verdict.text.startswith(f"Exercise {label}: right."), verdict


@each_chapter
def test_right_answers_pass_at_the_digits_that_the_solution_prints(slug):
    assert answers(slug)
    for label, answer in getattr(importlib.import_module(f"exercises.{slug}_answers"), "ROUNDED", {}).items():
        verdict = EXERCISES[label](answer())
        assert verdict, verdict


@each(("label", "answer"), [
    ("2.2", {"discrete": 2.8e-15, "sampled": 0.16, "normalized-sampled": 0.17, "integrated": 0.040}),
    ("3.2", [0.0118, 0.0104, 0.0059, 0.0093, 0.0167, 0.0165]),
    ("4.3", [2.8e-3, 2.1e-3]),
    ("5.2", [0.5443, 0.3183, 0.1885, 0.112, 0.0666, 0.0397, 0.0236, 0.015]),
    ("6.3", {"squares": -7.5e-08, "linear": -2.9e-09, "inverse": 2.5e-12}),
    ("7.2", {"taps": [0, 10, 20, 30, 41, 48], "moved": 0.13}),
    ("8.2", {"C1": [0.63, 0.90, 1.55, 1.36, 0.86, 0.99, 1.01], "D1": [0.96, 0.98, 1.04, 1.08, 0.92, 0.90, 1.03]}),
    ("10.1", {"geometric": 0.6247, "arithmetic": 0.6247}),
    ("12.2", {"factor": 3.5, "percent": 1.70}),
    ("13.1", {"C": 161.0, "D": 121.0}),
    ("23.3", {"epsilon": 0.0167, "nearer": "thresholding"}),
    ("27.1", {"n": 1.2e13, "side": 3.3e6}),
])  # fmt: skip
def test_a_last_digit_that_is_not_rounding_is_wrong(label, answer):
    importlib.import_module(f"keyfilters_book.exercises.{SLUGS[int(label.split('.')[0]) - 1]}")
    assert not EXERCISES[label](answer)


@each_chapter
def test_wrong_answers_get_a_hint(slug):
    for label, (right, wrong) in answers(slug).items():
        assert len(wrong) >= 2, label
        hints = []
        for answer, words in wrong:
            verdict = EXERCISES[label](answer)
            assert not verdict and verdict.text.startswith(f"Exercise {label}: not yet. "), (label, verdict)
            assert words in verdict.text, (label, words, verdict)
            assert "`" not in verdict.text, f"{label}: a notebook shows backticks as they are: {verdict}"
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
            assert "`" not in verdict.text, verdict


@each_chapter
def test_answers_of_a_wrong_type_are_hints_and_no_tracebacks(slug):
    for label in answers(slug):
        for odd in ("xyz", object(), [], {}, float("nan"), np.zeros((0, 3))):
            assert not EXERCISES[label](odd), (label, odd)


def test_parts_of_checks():
    assert number(np.float64(2)) == 2.0
    assert array([[1, 2]], [1, None]).shape == (1, 2)
    assert mapping({"a": 1}, ["a"]) == {"a": 1}
    assert mapping((1, 2), ["a", "b"]) == {"a": 1, "b": 2}
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

        @exercise("a number", answers="value")
        def wrong_name(answer):
            pass


@each_chapter
def test_answers_are_plain_variables_whose_names_the_checks_know(slug):
    """Each answer has names of its own in its chapter, and no later cell for all readers sets one of them."""
    importlib.import_module(f"keyfilters_book.exercises.{slug}")
    notebook = nbformat.read(ROOT / "notebooks" / f"{slug}.ipynb", as_version=4)
    seen, code = [], [text for _, cell, text, of in pieces(notebook) if cell.cell_type == "code" and of is None]
    for label in answers(slug):
        names, check = EXERCISES[label].answers, f"check_{label.replace('.', '_')}({', '.join(EXERCISES[label].answers)})"
        (place,) = [n for n, source in enumerate(code) if check in source]
        assert re.findall(r"^(\w+) = \.\.\.", code[place], re.MULTILINE) == names, label
        for name in names:
            assert name not in seen, (label, name)
            assert not any(re.search(rf"\b{name} = |def {name}\(", source) for source in code[place + 1 :]), (label, name)
        seen += names


def test_several_checks_in_one_cell_show_all_their_results():
    sources = ["from keyfilters_book.exercises.method_a import check_5_1, check_5_3\ncheck_5_1(1)\ncheck_5_3(...)"]
    sources += ["assert not check_5_1(1)\ncheck_5_1(1)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    shown = [[output.text for output in cell.outputs] for cell in notebook.cells]
    assert [[re.findall(r"Exercise (5\.\d)", text) for text in texts] for texts in shown] == [[["5.1", "5.3"]], [["5.1"]]]


def test_the_checks_of_all_chapters_in_one_cell_show_all_their_results():
    """In one kernel, one cell, as a reader has them who collects the answers of several pages at its end."""
    lines = [f"from keyfilters_book.exercises import {slug}" for slug in SLUGS]
    labels = [label for slug in SLUGS for label in answers(slug)]
    lines += [f"{SLUGS[int(label.split('.')[0]) - 1]}.check_{label.replace('.', '_')}(...)" for label in labels]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\n".join(lines))])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=None).execute()
    text = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
    assert re.findall(r"^Exercise ([\d.]+): no answer yet\. Expected: ", text, re.MULTILINE) == labels


@each_chapter
def test_the_sentences_of_checks_start_with_a_capital(slug):
    for label, (_, wrong) in answers(slug).items():
        for answer, _ in wrong:
            text = EXERCISES[label](answer).text
            assert re.match(r"Exercise \d+\.\d+: not yet\. [A-Z0-9]", text), text


def test_a_verdict_is_true_or_false_and_shows_its_text():
    assert Verdict(True, "yes") and not Verdict(False, "no") and repr(Verdict(False, "no")) == "no"


def test_a_function_without_return_is_told_so():
    from keyfilters_book.exercises.learned_filters import check_1_2, check_1_3
    from keyfilters_book.exercises.method_a import check_5_1, check_5_3
    from keyfilters_book.exercises.methods_d import check_8_2
    from keyfilters_book.exercises.spread_measures import check_3_3

    for check in (check_1_2, check_1_3, check_5_1, check_5_3):
        assert "not yet. Your function returns None; is 'return' missing?" in str(check(lambda *arguments: None))
    assert "Shares returns None" in str(check_3_3({"shares": lambda a: None, "a": 2}))
    assert "D1 is None" in str(check_8_2({"C1": None, "D1": None}))
    assert "D1 has None among its values" in str(check_8_2({"C1": [1.0] * 7, "D1": [None] * 7}))
    for answer in (None, [None]):
        with pytest.raises(Hint, match="None"):
            number(answer)


def test_a_function_that_ends_the_program_gets_a_hint():
    from keyfilters_book.exercises.learned_filters import check_1_3

    assert "not yet. The answer ends the program" in str(check_1_3(lambda a: sys.exit()))


@pytest.fixture
def hidden(monkeypatch):
    """A function that makes a package unimportable, and the modules of keyfilters that have imported it."""

    def hide(package, *modules):
        for module in modules:
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setitem(sys.modules, package, None)

    return hide


def test_a_check_without_its_extra_says_what_to_install(hidden):
    from keyfilters_book.exercises.replacing_filters import check_16_2
    from keyfilters_book.exercises.wavelets_and_the_edge import check_27_2

    hidden("torch")
    assert str(check_16_2(lambda network, method: network)) == (
        "Exercise 16.2: not judged; this check needs the extra networks: pip install 'keyfilters[networks]'"
    )
    hidden("pywt", "keyfilters_book.representations.frames", "keyfilters_book.representations.approximation")
    assert str(check_27_2(lambda frame, image, n: 1.0)).endswith(
        "not judged; this check needs the extra representations: pip install 'keyfilters[representations]'"
    )


def test_what_a_readers_function_cannot_import_is_the_readers():
    from keyfilters_book.exercises.learned_filters import check_1_3

    def ratio(a):
        import a_package_that_is_missing  # noqa: F401

    assert "failed with ModuleNotFoundError: No module named 'a_package" in str(check_1_3(ratio))


def test_without_the_extra_representations_one_line_says_what_to_install():
    """Every module of the representations can be imported, or names the extra."""
    code = """
import sys, pkgutil, importlib
for package in ("pywt", "curvelets", "sklearn", "skimage"):
    sys.modules[package] = None
import keyfilters_book.representations as room
failed = 0
for found in pkgutil.iter_modules(room.__path__):
    try:
        importlib.import_module(f"keyfilters_book.representations.{found.name}")
    except ImportError as error:
        assert str(error) == "keyfilters_book.representations needs pywt: pip install 'keyfilters[representations]'", error
        failed += 1
assert failed
from keyfilters_book.representations import multiscale, resampling
for use, package in (
    (lambda: multiscale.wavelet_maps([[1.0]]), "pywt"),
    (lambda: multiscale.curvelet_matrix(), "curvelets"),
    (lambda: resampling.shrunk([[[1.0]]]), "skimage"),
):
    try:
        use()
    except ImportError as error:
        said = f"keyfilters_book.representations needs {package}: pip install 'keyfilters[representations]'"
        assert str(error) == said, error
    else:
        raise AssertionError(package)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.book
def test_each_page_says_which_chapter_it_is(book_html):
    for chapter, slug in enumerate(SLUGS, start=1):
        text = (book_html / "notebooks" / f"{slug}.html").read_text(encoding="utf-8")
        assert f'<h1><span class="section-number">{chapter}. </span>' in text, slug
