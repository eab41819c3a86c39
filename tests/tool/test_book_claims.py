"""Claims: a statement that does not hold on this machine is said on its page, marks it, and ends no build."""

import json

import nbformat
import numpy as np
import pytest
from nbformat import v4
from tiny_book import tiny_book, tiny_notebook, write_notebook

from keyfilters_book import page
from keyfilters_book.claims import read_claims
from keyfilters_build.build import GateError, build
from keyfilters_build.claim_marks import check_claims, stated
from keyfilters_build.command import main

STATEMENT = "the sum is more than a million"


def with_claims(statement=STATEMENT, marker=f"<!-- claim: {STATEMENT} -->"):
    """A notebook with a claim whose truth depends on the parameters, in its text."""
    notebook = tiny_notebook("one")
    notebook.cells[
        5
    ].source += (
        f"\nleast = 1e6\npage.claim({statement!r}, holds=x.sum() > least, shown=f'sum {{x.sum()}} *, least {{least:g}}')"
    )
    notebook.cells.insert(6, v4.new_markdown_cell(f"Everybody knows it: {STATEMENT}. {marker} And more.", id="text-of-claim"))
    return notebook


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("KEYFILTERS_RESULTS", str(tmp_path))
    return tmp_path / "claims.json"


def test_a_claim_is_stored_and_returns_nothing_that_a_cell_would_show(results):
    assert page.claim("one is less than two", holds=1 < 2, shown="1 and  2") is None
    assert page.claim("two is less than one", holds=np.bool_(False), shown="2 and 1") is None
    assert read_claims(results.parent) == json.loads(results.read_text()) == {
        "one is less than two": {"holds": True, "shown": "1 and 2"},
        "two is less than one": {"holds": False, "shown": "2 and 1"},
    }  # fmt: skip
    results.write_text('{"a": true}')
    with pytest.raises(ValueError, match="execute the notebook anew"):
        read_claims(results.parent)


def test_outside_of_the_build_only_a_false_claim_speaks(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("KEYFILTERS_RESULTS", raising=False)
    monkeypatch.chdir(tmp_path)
    page.claim("it grows", holds=True, shown="2 after 1")
    assert capsys.readouterr().out == ""
    page.claim("it shrinks", holds=False, shown="2 after 1")
    assert capsys.readouterr().out == "not so in this run: it shrinks (2 after 1)\n"


@pytest.mark.parametrize("statement, holds, shown, message", [
    ("It grows.", True, "1", "without full stop"),
    ("", True, "1", "expected a short sentence"),
    ("a -- b", True, "1", "expected a short sentence"),
    ("a > b", True, "1", "expected a short sentence"),
    ("two\nlines", True, "1", "expected a short sentence"),
    ("it grows", 1, "1", "holds is 1"),
    ("it grows", None, "1", "holds is None"),
    ("it grows", True, " ", "expected the numbers"),
    ("it grows", True, 3, "expected the numbers"),
])  # fmt: skip
def test_what_cannot_be_said_is_refused_in_one_line(results, statement, holds, shown, message):
    with pytest.raises(ValueError, match=message) as refused:
        page.claim(statement, holds=holds, shown=shown)
    assert "\n" not in str(refused.value)
    assert not results.exists()


@pytest.mark.parametrize("change, message", [
    ({"marker": ""}, "has 0 markers in the text; expected one, <!-- claim: the sum is more than a million -->"),
    ({"marker": f"<!-- claim: {STATEMENT} --> <!-- claim: {STATEMENT} -->"}, "has 2 markers"),
    ({"statement": "the sum is something else"}, "a marker of a claim that no cell states"),
])  # fmt: skip
def test_claims_and_markers_belong_together(change, message):
    assert check_claims("one", with_claims()) == []
    failures = check_claims("one", with_claims(**change))
    assert any(message in failure for failure in failures), failures
    assert all(failure.startswith("one: cell ") and "\n" not in failure for failure in failures)


def test_a_claim_is_a_literal_and_stated_once():
    assert stated("x = 1") == stated("%matplotlib claim(") == []
    notebook = with_claims()
    notebook.cells += [v4.new_code_cell(f'page.claim({text}, holds=True, shown="1")') for text in ("name", repr(STATEMENT))]
    assert [stated(cell.source) for cell in notebook.cells[-2:]] == [[None], [STATEMENT]]
    said = "\n".join(check_claims("one", notebook))
    assert "as a string literal" in said and "is stated twice" in said


def text_of_claim(project):
    """The paragraph that states the claim, as it stands on the page."""
    cells = nbformat.read(project.staged / "one.ipynb", as_version=4).cells
    return next(cell.source for cell in cells if cell["id"] == "text-of-claim")


def test_a_false_claim_is_said_where_it_stands_marks_its_page_and_ends_the_build_well(tmp_path, capsys, monkeypatch):
    project = tiny_book(tmp_path, "one", "two")
    notebook = with_claims()
    solution = next(cell for cell in notebook.cells if cell.source.startswith("assert check_1_2"))
    solution.source = 'page.claim("the solution of 1.2 passes its check", holds=bool(check_1_2(0)), shown="0")'
    write_notebook(project, "one", notebook)
    assert main(["build"], project.root) == 0
    said = capsys.readouterr().out
    assert said.endswith(
        "claims: 0 of 2 hold; in this run these do not, as their pages say:\n"
        f"  one: {STATEMENT} (sum 3 *, least 1e+06)\n  one: the solution of 1.2 passes its check (0)\n"
    )
    assert text_of_claim(project) == (
        f"Everybody knows it: {STATEMENT}. **Not so in this run: {STATEMENT} (sum 3 \\*, least 1e+06).** And more."
    )
    html = (project.html / "notebooks" / "one.html").read_text()
    assert f"<strong>Not so in this run: {STATEMENT} (sum 3 *, least 10⁶).</strong>" in html
    assert "2 statements of this page do not hold" in html and html.count("claim-failed") == 2
    assert html.index("page-card") < html.index("claim-failed") < html.index("Goals")
    assert "claim-failed" not in (project.html / "notebooks" / "two.html").read_text()

    assert main(["build", "--strict"], project.root) == 1
    assert f"claims: 2 failed\n  one: {STATEMENT} (sum 3 *, least 1e+06)" in capsys.readouterr().err
    assert (project.html / "index.html").is_file()

    # The same with a run in which both hold: the text reads as it was written.
    notebook.cells[1].source = "n = 3000\nevery = 1"
    solution.source = solution.source.replace("check_1_2(0)", "check_1_2(x.sum())")
    write_notebook(project, "one", notebook)
    build(project, strict=True)
    assert capsys.readouterr().out.endswith("claims: all 2 hold\n")
    assert text_of_claim(project) == f"Everybody knows it: {STATEMENT}. And more."
    html = (project.html / "notebooks" / "one.html").read_text()
    assert "claim-failed" not in html and "<!-- claim" not in html


def test_a_claim_without_its_marker_stops_the_build(tmp_path):
    project = tiny_book(tmp_path, "one")
    write_notebook(project, "one", with_claims(marker=""))
    with pytest.raises(GateError, match="has 0 markers in the text"):
        build(project)
