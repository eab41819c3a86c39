"""The gates: each lets a good notebook pass and names notebook and cell of a bad one."""

import io

import nbformat
import pandas as pd
import pytest
from each import each
from matplotlib.figure import Figure
from nbformat import v4
from refusals import refused
from tiny_book import tiny_notebook

from keyfilters.published import DEVIATES, EQUAL
from keyfilters_build.check import check_executed, check_source
from keyfilters_build.links import check_html
from keyfilters_build.readme import scorecard_counts
from keyfilters_build.run_store import caption_tables

FIGURE, TABLE = 4, 5


def executed():
    """The small notebook as it looks after execution, made by hand: these tests start no kernel."""
    notebook = tiny_notebook("one")
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
    notebook.cells[FIGURE].outputs = [v4.new_output("display_data", {"image/png": "AAAA", "text/plain": "figure"})]
    markdown = ":::{table} Scales.\n:name: tbl-one\n\n| key |\n| --- |\n| 1 |\n:::"
    notebook.cells[TABLE].outputs = [v4.new_output("display_data", {"text/markdown": markdown, "text/html": "<table></table>"})]
    return notebook


@pytest.fixture
def results(tmp_path):
    for name in ("fig-one.svg", "fig-one.npz", "tbl-one.csv"):
        (tmp_path / name).write_text("")
    (tmp_path / "fig-one.svg").write_bytes(drawn(8))
    return tmp_path


def drawn(points):
    fig = Figure(figsize=(6, 3))
    fig.text(0.5, 0.5, "scale", fontsize=points)
    stored = io.BytesIO()
    fig.savefig(stored, format="svg")
    return stored.getvalue()


def test_a_figure_whose_text_is_too_small_for_the_page_is_named(results):
    (results / "fig-one.svg").write_bytes(drawn(6))
    [failure] = check_executed("one", executed(), results)
    assert failure.startswith("one: cell 5: fig-one: the text 'scale' of 6 pt would be shown with 7.0 pt")


def test_a_caption_may_stand_in_the_metadata_of_the_cell(results):
    """As the build goes: the stored run has none, the page that is checked and staged has it."""
    notebook = executed()
    data = notebook.cells[TABLE].outputs[0].data
    data["text/markdown"] = data["text/markdown"].replace(" Scales.", "")
    data["text/html"] = "<table><caption></caption></table>"
    assert "tbl-one has no caption" in check_executed("one", notebook, results)[0]
    notebook.cells[TABLE].metadata["tables"] = {"tbl-one": "Scales of $a < b$."}
    caption_tables(notebook.cells[TABLE])
    assert check_executed("one", notebook, results) == []
    assert data["text/markdown"].startswith(":::{table} Scales of $a < b$.\n:name: tbl-one\n")
    assert data["text/html"] == "<table><caption>Scales of $a &lt; b$.</caption></table>"


def test_a_good_notebook_passes(results):
    assert check_source("one", tiny_notebook("one")) == []
    assert check_executed("one", executed(), results) == []


def set_metadata(*path, value):
    def change(notebook):
        place = notebook.cells[FIGURE].metadata
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


def stream(notebook):
    notebook.cells[2].outputs = [v4.new_output("stream", name="stderr", text="DeprecationWarning: old\n")]


def error(notebook):
    notebook.cells[2].outputs = [v4.new_output("error", ename="ValueError", evalue="no", traceback=[])]


def private(notebook):
    notebook.cells[2].outputs = [v4.new_output("stream", name="stdout", text="stored in /home/somebody/book/x\n")]


def no_reference(name):
    def change(notebook):
        cell = notebook.cells[3]
        cell.source = cell.source.replace(f"{{numref}}`{name}`", name)

    return change


def plain_table(notebook):
    del notebook.cells[TABLE].outputs[0].data["text/markdown"]


def table_without_caption(notebook):
    data = notebook.cells[TABLE].outputs[0].data
    data["text/markdown"] = data["text/markdown"].replace("Scales.", "")


def caption_of_another(notebook):
    notebook.cells[TABLE].metadata["tables"] = {"tbl-other": "Scales."}


def two_images(notebook):
    notebook.cells[FIGURE].outputs *= 2


def no_image(notebook):
    notebook.cells[FIGURE].outputs = []


def same_name(notebook):
    notebook.cells.append(nbformat.from_dict(dict(notebook.cells[FIGURE], id="again")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n.cells[2].update(execution_count=None), "one: cell 3: was not executed"),
        (error, "one: cell 3: raised ValueError: no"),
        (stream, "one: cell 3: wrote to stderr: DeprecationWarning: old"),
        (private, "one: cell 3: shows a path"),
        (set_metadata("mystnb", "figure", "caption", value=" "), "one: cell 5: shows a figure without caption"),
        (set_metadata("mystnb", "image", "alt", value=""), "one: cell 5: shows a figure without alternative text"),
        (set_metadata("mystnb", value={}), "one: cell 5: shows a figure without name"),
        (set_metadata("mystnb", "figure", "name", value="fig-other"), "one: cell 5: the metadata name the figure fig-other"),
        (two_images, "one: cell 5: shows 2 figures"),
        (no_image, "one: cell 5: its metadata name the figure fig-one, but it shows none"),
        (same_name, "the name fig-one is used twice"),
        (plain_table, "one: cell 6: shows a table without number and caption"),
        (caption_of_another, "one: cell 6: its metadata have a caption of the table tbl-other, but it shows none"),
        (table_without_caption, "one: cell 6: the table tbl-one has no caption"),
        (no_reference("fig-one"), "one: cell 5: fig-one is not referred to"),
        (no_reference("tbl-one"), "one: cell 6: tbl-one is not referred to"),
    ],
)
def test_outputs(results, change, message):
    notebook = executed()
    change(notebook)
    failures = check_executed("one", notebook, results, private=["/home/somebody/"])
    assert any(message in failure for failure in failures), failures
    assert all("\n" not in failure for failure in failures)


def test_a_figure_without_data_is_named(results):
    (results / "fig-one.npz").unlink()
    assert check_executed("one", executed(), results) == [
        'one: cell 5: no data behind fig-one; expected page.figure(fig, "fig-one", data=...)'
    ]


def replace(old, new, position=0):
    def change(notebook):
        cell = notebook.cells[position]
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return change


@each(
    ("change", "message"),
    [
        (lambda n: n.cells[1].metadata.update(tags=[]), "0 cells are tagged `parameters`"),
        (lambda n: n.cells[2].metadata.update(tags=["parameters"]), "2 cells are tagged `parameters`"),
        (replace("# Page one", "Page one"), "does not begin with its title"),
        (replace("**Goals**", "Goals"), "lacks **Goals**"),
        (replace("**Prerequisites**", ""), "lacks **Prerequisites**"),
        (lambda n: n.cells[5].metadata.update(lead=True), 'cells 5, 6 have `"lead": true` in the metadata; expected one'),
        (lambda n: n.cells[4].metadata.pop("lead"), 'no cell has `"lead": true` in the metadata; expected one'),
        (replace("**Answer.**", "Answer."), "lacks **Answer.**"),
        (lambda n: n.cells[4].metadata.pop("mystnb"), 'cell 5: has `"lead": true`, but no figure with a name'),
        (replace("## Parabola", "# Parabola", 3), "has 2 titles"),
        (replace("## Summary", "## End", -1), "lacks the section `## Summary`"),
        (replace("## What next", "## End", -1), "lacks the section `## What next`"),
        (replace("## Exercises", "## Tasks", 6), "lacks the section `## Exercises`"),
        (replace(":label: ex-one-2\n", "", 6), "1 exercises with a label; expected at least two"),
        (replace("1.2, medium", "", 6), "exercise ex-one-2: expected a title such as `5.1, easy`"),
        (replace("1.2, medium", "1.2, hard", 6), "exercise ex-one-2: expected a title such as `5.1, easy`"),
        (
            replace("check_1_2(", "print(", 7),
            "exercise ex-one-2: no cell for the answer; expected one that ends with `check_1_2",
        ),
        (replace("ex-one-2", "ex-one-3", 11), "exercise ex-one-2: no executed solution"),
        (replace("assert", "print", 12), "exercise ex-one-2: the solution's last code cell lacks `assert check_1_2"),
        (replace("check_1_2", "check_1_1", 12), "exercise ex-one-2: the solution's last code cell lacks `assert check_1_2"),
    ],
)
def test_form_in_git(change, message):
    notebook = tiny_notebook("one")
    change(notebook)
    failures = check_source("one", notebook)
    assert any(message in failure and failure.startswith("one: ") for failure in failures), failures


def test_headings_in_code_blocks_are_no_titles():
    notebook = tiny_notebook("one")
    notebook.cells[3].source += "\n\n```python\n# a comment, not a title\n```"
    assert check_source("one", notebook) == []


PAGE = '<!DOCTYPE html><html><head>{head}</head><body><h1 id="top">T</h1>{body}</body></html>'


@pytest.fixture
def book(tmp_path):
    def write(body="", head="", css=""):
        (tmp_path / "sub").mkdir(exist_ok=True)
        (tmp_path / "index.html").write_text(PAGE.format(head=head, body=body))
        (tmp_path / "sub" / "other.html").write_text(
            PAGE.format(head="", body='<a href="../index.html#top">up</a><a name="old"></a>')
        )
        (tmp_path / "style.css").write_text(css)
        (tmp_path / "a picture.png").write_bytes(b"x")
        return check_html(tmp_path)

    return write


GOOD = (
    '<a href="#top">t</a><a href="sub/other.html#old">o</a><a href="https://example.org/x#y">outside</a>'
    '<img src="a%20picture.png"><img src="data:image/png;base64,AA"><a href="mailto:a@example.org">m</a><a href="sub/other.html?x=1">q</a>'
)


def test_a_whole_book_passes(book):
    css = "/* url(https://example.org/old) */ a { background: url('a picture.png') } b { background: url(data:image/png;base64,AA) }"
    assert book(GOOD, '<link rel="stylesheet" href="style.css"><link rel="canonical" href="https://example.org/">', css) == []


@pytest.mark.parametrize(
    ("body", "head", "css", "message"),
    [
        ('<a href="missing.html">x</a>', "", "", "index.html: links to missing.html, which is not there"),
        ('<a href="sub/other.html#none">x</a>', "", "", "but sub/other.html has no such anchor"),
        ('<a href="#none">x</a>', "", "", "but index.html has no such anchor"),
        ('<a href="../outside.html">x</a>', "", "", "which lies outside the book"),
        ('<img src="missing.png">', "", "", "links to missing.png, which is not there"),
        ('<img src="https://example.org/a.png">', "", "", "index.html: loads https://example.org/a.png from another host"),
        ('<img srcset="a.png 1x, //example.org/b.png 2x">', "", "", "loads //example.org/b.png from another host"),
        ('<iframe src="https://example.org/"></iframe>', "", "", "loads https://example.org/ from another host"),
        ('<p style="background: url(https://example.org/c.png)">', "", "", "loads https://example.org/c.png"),
        ("", '<script src="https://example.org/x.js"></script>', "", "loads https://example.org/x.js"),
        ("", '<link rel="preconnect" href="https://example.org">', "", "loads https://example.org from"),
        ("", "<style>@import 'https://example.org/x.css';</style>", "", "loads https://example.org/x.css"),
        ("", "", "@font-face { src: url('//example.org/f.woff2') }", "style.css: loads //example.org/f.woff2"),
    ],
)
def test_broken_and_outside_references_are_named(book, body, head, css, message):
    failures = book(body, head, css)
    assert any(message in failure for failure in failures), failures


def test_an_empty_folder_is_no_book(tmp_path):
    assert len(check_html(tmp_path)) == 1


def test_counts_say_what_the_scorecard_says_and_nothing_unjudged():
    card = pd.DataFrame({"verdict": [EQUAL, EQUAL, DEVIATES]})
    text = scorecard_counts(card)
    assert "Of **3**" in text and "**2** equal" in text and "**1** deviate" in text and "**0** equal within" in text
    refused(lambda: scorecard_counts(pd.DataFrame({"verdict": ["odd"]})), "the scorecard has the verdict 'odd'")


def test_a_table_in_plain_markdown_is_named(results):
    notebook = executed()
    notebook.cells[2].outputs = [v4.new_output("display_data", {"text/markdown": "| a |\n|---|\n| 1 |"})]
    (said,) = check_executed("one", notebook, results)
    assert "table without number and caption" in said


def test_an_equation_that_nobody_refers_to_is_named():
    notebook = tiny_notebook("one")
    notebook.cells[3].source += "\n\n$$\na = b\n$$ (eq-lonely)"
    assert check_source("one", notebook) == [
        "one: the equation eq-lonely is not referred to; expected {eq}`eq-lonely` in the text"
    ]
