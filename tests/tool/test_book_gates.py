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
from keyfilters_build.project import write_atomic
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


def drawn(points):
    fig, stored = Figure(figsize=(6, 3)), io.BytesIO()
    fig.text(0.5, 0.5, "scale", fontsize=points)
    fig.savefig(stored, format="svg")
    return stored.getvalue()


@pytest.fixture
def results(tmp_path):
    for name in ("fig-one.npz", "tbl-one.csv"):
        (tmp_path / name).write_text("")
    (tmp_path / "fig-one.svg").write_bytes(drawn(8))
    return tmp_path


def test_a_figure_whose_text_is_too_small_or_that_has_no_data_is_named(results):
    assert check_source("one", tiny_notebook("one")) == check_executed("one", executed(), results) == []
    (results / "fig-one.svg").write_bytes(drawn(6))
    [failure] = check_executed("one", executed(), results)
    assert failure.startswith("one: cell 5: fig-one: the text 'scale' of 6 pt would be shown with 7.0 pt")
    (results / "fig-one.svg").write_bytes(drawn(8))
    (results / "fig-one.npz").unlink()
    expected = 'one: cell 5: no data behind fig-one; expected page.figure(fig, "fig-one", data=...)'
    assert check_executed("one", executed(), results) == [expected]


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


def shows(kind, cell=2, **fields):
    """A change: the cell has this output alone."""
    return lambda n: n.cells[cell].update(outputs=[v4.new_output(kind, **fields)])


def cell_of_figure(**fields):
    """A change of what the metadata of the figure say."""
    return lambda n: n.cells[FIGURE].metadata.update(mystnb=fields)


def replace(old, new, position=0):
    """A change of the source of a cell."""

    def change(notebook):
        cell = notebook.cells[position]
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return change


def table_without_caption(notebook):
    data = notebook.cells[TABLE].outputs[0].data
    data["text/markdown"] = data["text/markdown"].replace("Scales.", "")


NAMED, ALT = {"name": "fig-one", "caption": "A parabola."}, {"alt": "A parabola."}


@pytest.mark.parametrize(("change", "message"), [
    (lambda n: n.cells[2].update(execution_count=None), "one: cell 3: was not executed"),
    (shows("error", ename="ValueError", evalue="no", traceback=[]), "one: cell 3: raised ValueError: no"),
    (shows("stream", name="stderr", text="DeprecationWarning: old\n"), "one: cell 3: wrote to stderr: DeprecationWarning: old"),
    (shows("stream", name="stdout", text="stored in /home/somebody/book/x\n"), "one: cell 3: shows a path"),
    (shows("display_data", data={"text/markdown": "| a |\n|---|\n| 1 |"}), "one: cell 3: shows a table without number and caption"),
    (cell_of_figure(figure=NAMED | {"caption": " "}, image=ALT), "one: cell 5: shows a figure without caption"),
    (cell_of_figure(figure=NAMED, image={"alt": ""}), "one: cell 5: shows a figure without alternative text"),
    (cell_of_figure(), "one: cell 5: shows a figure without name"),
    (cell_of_figure(figure=NAMED | {"name": "fig-other"}, image=ALT), "one: cell 5: the metadata name the figure fig-other"),
    (lambda n: n.cells[FIGURE].outputs.extend(n.cells[FIGURE].outputs[:]), "one: cell 5: shows 2 figures"),
    (lambda n: n.cells[FIGURE].update(outputs=[]), "one: cell 5: its metadata name the figure fig-one, but it shows none"),
    (lambda n: n.cells.append(nbformat.from_dict(dict(n.cells[FIGURE], id="again"))), "the name fig-one is used twice"),
    (lambda n: n.cells[TABLE].outputs[0].data.pop("text/markdown"), "one: cell 6: shows a table without number and caption"),
    (lambda n: n.cells[TABLE].metadata.update(tables={"tbl-other": "Scales."}),
     "one: cell 6: its metadata have a caption of the table tbl-other, but it shows none"),
    (table_without_caption, "one: cell 6: the table tbl-one has no caption"),
    (replace("{numref}`fig-one`", "fig-one", 3), "one: cell 5: fig-one is not referred to"),
    (replace("{numref}`tbl-one`", "tbl-one", 3), "one: cell 6: tbl-one is not referred to"),
])  # fmt: skip
def test_outputs(results, change, message):
    notebook = executed()
    change(notebook)
    failures = check_executed("one", notebook, results, private=["/home/somebody/"])
    assert any(message in failure for failure in failures) and all("\n" not in failure for failure in failures), failures


@each(("change", "message"), [
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
    (replace("## Parabola", "$$\na = b\n$$ (eq-lonely)\n\n## Parabola", 3),
     "the equation eq-lonely is not referred to; expected {eq}`eq-lonely` in the text"),
    (replace("## Summary", "## End", -1), "lacks the section `## Summary`"),
    (replace("## What next", "## End", -1), "lacks the section `## What next`"),
    (replace("## Exercises", "## Tasks", 6), "lacks the section `## Exercises`"),
    (replace(":label: ex-one-2\n", "", 6), "1 exercises with a label; expected at least two"),
    (replace("1.2, medium", "", 6), "exercise ex-one-2: expected a title such as `5.1, easy`"),
    (replace("1.2, medium", "1.2, hard", 6), "exercise ex-one-2: expected a title such as `5.1, easy`"),
    (replace("check_1_2(", "print(", 7), "exercise ex-one-2: no cell for the answer; expected one that ends with `check_1_2"),
    (replace("ex-one-2", "ex-one-3", 11), "exercise ex-one-2: no executed solution"),
    (replace("assert", "print", 12), "exercise ex-one-2: the solution's last code cell lacks `assert check_1_2"),
    (replace("check_1_2", "check_1_1", 12), "exercise ex-one-2: the solution's last code cell lacks `assert check_1_2"),
])  # fmt: skip
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
        other = PAGE.format(head="", body='<a href="../index.html#top">up</a><a name="old"></a>')
        texts = {
            "index.html": PAGE.format(head=head, body=body),
            "sub/other.html": other,
            "style.css": css,
            "a picture.png": "x",
        }
        for name, text in texts.items():
            write_atomic(tmp_path / name, text)
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
    text = scorecard_counts(pd.DataFrame({"verdict": [EQUAL, EQUAL, DEVIATES]}))
    assert [part for part in ("Of **3**", "**2** equal", "**1** deviate", "**0** equal within") if part not in text] == []
    refused(lambda: scorecard_counts(pd.DataFrame({"verdict": ["odd"]})), "the scorecard has the verdict 'odd'")
