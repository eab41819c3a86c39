"""Notebooks without MyST: every reference is what the book calls it, and no directive is left."""

import re

import nbformat
import pytest
from each import each
from nbformat import v4
from tiny_book import ROOT

from keyfilters_build.labels import Citation, Names, exercises_of, read_names
from keyfilters_build.manifest import load_manifest
from keyfilters_build.plain import Converter, plain_notebook, without_solutions
from keyfilters_build.project import BookError, Project

TEXT = ":::{exercise} 5.1, easy\n:label: ex-a-1\n:nonumber:\n\nHow wide is {eq}`eq-a`?\n:::"
EXERCISE = exercises_of("a", v4.new_notebook(cells=[v4.new_markdown_cell(TEXT)]))[0]
NAMES = Names(
    labels={
        "fig-a": ("Figure 3", "notebooks/a"), "fig-b": ("Figure 9", "notebooks/b"), "tbl-a": ("Table 4", "notebooks/a"),
        "eq-a": ("(7)", "notebooks/a"), "eq-b": ("(8)", "notebooks/b"),
    },
    titles={"notebooks/a": "Page A", "notebooks/b": "Page B", "notation": "Notation"},
    numbers={"a": {"sum": "1.50"}, "b": {"least": "-2"}},
    citations={"one": Citation("One et al.", "2001", "One, Two and Three. *Title*. 2001."), "two": Citation("Two", "2002", "Two.")},
    exercises={"ex-a-1": EXERCISE},
    figures={},
    repository={"url": "https://example.org/book", "branch": "main"},
)  # fmt: skip


def link(page):
    return page.removeprefix("notebooks/") + ".ipynb"


def converter():
    return Converter(NAMES, "notebooks/a", link)


@each(
    ("source", "expected"),
    [
        ("see {doc}`b`.", "see [Page B](b.ipynb)."),
        ("see {doc}`that page <b>` and {doc}`/notation`, {doc}`../notation`", "see [that page](b.ipynb) and [Notation](notation.ipynb), [Notation](notation.ipynb)"),
        ("{numref}`fig-a` and {numref}`fig-b`", "Figure 3 and [Figure 9](b.ipynb)"),
        ("{numref}`figure %s <fig-b>`", "[figure 9](b.ipynb)"),
        ("by {eq}`eq-a` and {eq}`eq-b`", "by (7) and [(8)](b.ipynb)"),
        ("{glue:text}`sum` %, {glue:text}`sum:s`", "1.50 %, 1.50"),
        ("{glue:text}`notebooks/b.ipynb::least:s`", "-2"),
        ("{cite:t}`one` and {cite:p}`one,two`", "One et al. (2001) and (One et al., 2001; Two, 2002)"),
        ("{ref}`an exercise <ex-a-1>`, {ref}`ex-a-1`", "an exercise, exercise 5.1 (easy)"),
        ("{ref}`a box <slides-x>`, {term}`scale`, {term}`scales <scale>`", "a box, scale, scales"),
        ("{download}`CSV <../x.csv>`, {kbd}`S`", "CSV, S"),
        ("`{doc}` is code, as is ``{doc}`b` ``", "`{doc}` is code, as is ``{doc}`b` ``"),
        ("$$ y = x $$ (eq-a)", "$$ y = x \\tag{7}$$"),
        ("$$\ny = x\n$$ (eq-a)\n\n$$\nz\n$$", "$$\ny = x \\tag{7}\n$$\n\n$$\nz\n$$"),
        ("(a-place)=\n## Heading", '<a id="a-place"></a>\n## Heading'),
        ("```\n:::{exercise}\n{doc}`b`\n```", "```\n:::{exercise}\n{doc}`b`\n```"),
        (TEXT, "### Exercise 5.1 (easy)\n\nHow wide is (7)?"),
        (":::{solution-start} ex-a-1\n:class: dropdown\n:::\n\nTwo.", "#### Solution of exercise 5.1 (easy)\n\n\nTwo."),
        (":::{solution-end}\n:::", ""),
        (":::{admonition} Errata: {doc}`b`\n:class: warning\n\nOne.\n\nTwo.\n:::", "> **Errata: [Page B](b.ipynb)**\n>\n> One.\n>\n> Two."),
        (":::{note}\nOne.\n:::", "> **Note**\n>\n> One."),
        (":::{table} Scales {eq}`eq-a`\n:name: tbl-a\n\n| a |\n| --- |\n:::", "**Table 4.** Scales (7)\n\n| a |\n| --- |"),
        ("::::{div} wide\n:::{note}\nOne.\n:::\n::::", "> **Note**\n>\n> One."),
    ],
)  # fmt: skip
def test_markdown(source, expected):
    assert converter().markdown(source) == expected


@each(
    "source", ["{doc}`none`", "{numref}`fig-none`", "{eq}`eq-none`", "{glue:text}`none`", "{cite:t}`none`", "$$ x $$ (eq-none)"]
)
def test_what_the_book_does_not_have_is_named(source):
    with pytest.raises(BookError, match="none"):
        converter().markdown(source)


def cells():
    figure = v4.new_code_cell("page.figure(fig, 'fig-a', data=x)", execution_count=2)
    figure.metadata = {
        "tags": ["hide-input"],
        "mystnb": {"figure": {"name": "fig-a", "caption": "By {eq}`eq-a`."}},
        "papermill": {"x": 1},
    }
    figure.outputs = [v4.new_output("display_data", {"image/png": "AAAA", "text/plain": "figure"})]
    shown = {
        "text/markdown": ":::{table} Scales.\n:name: tbl-a\n\n| [5](#x) |\n| --- |\n:::",
        "text/html": "<table><caption>Scales by {eq}`eq-a`.</caption><tr><td>5</td></tr></table>",
    }
    outputs = [v4.new_output("display_data", data) for data in (shown, {"application/papermill.record/text/plain": "'1.50'"})]
    table = v4.new_code_cell("page.table(...)", execution_count=3, outputs=outputs)
    return [
        v4.new_markdown_cell("# Page A\n\nAfter {cite:t}`one`."),
        figure,
        table,
        v4.new_markdown_cell(TEXT),
        v4.new_code_cell(
            "from keyfilters_book.exercises.a import check_5_1\n\nanswer = ...\ncheck_5_1(answer)", execution_count=4
        ),
        v4.new_markdown_cell(":::{solution-start} ex-a-1\n:class: dropdown\n:::\n\nThe secret is two."),
        v4.new_code_cell(
            "assert check_5_1(2)", execution_count=5, outputs=[v4.new_output("stream", text="Exercise 5.1: right.\n")]
        ),
        v4.new_markdown_cell(":::{solution-end}\n:::\n\n## Summary\n\nDone."),
    ]


def converted(solutions):
    notebook = v4.new_notebook(cells=cells())
    notebook = plain_notebook(notebook, "a", NAMES, link, "*About.*", solutions=solutions)
    nbformat.validate(notebook)
    return notebook


def test_the_students_notebook():
    notebook = converted(solutions=False)
    sources = [cell.source for cell in notebook.cells]
    assert sources[:2] == ["# Page A\n\nAfter One et al. (2001).", "*About.*"]
    assert "**Figure 3.** By (7)." in sources and "### Exercise 5.1 (easy)\n\nHow wide is (7)?" in sources
    assert sources[-2:] == ["## Summary\n\nDone.", "## References\n\n- One, Two and Three. *Title*. 2001."]
    text = "".join(sources)
    assert "check_5_1(answer)" in text and "secret" not in text and "check_5_1(2)" not in text
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (not cell.outputs and cell.execution_count is None)
        assert not {"mystnb", "papermill"} & set(cell.metadata)


def test_the_lecturers_notebook():
    notebook = converted(solutions=True)
    assert "#### Solution of exercise 5.1 (easy)\n\n\nThe secret is two." in [cell.source for cell in notebook.cells]
    [figure, table, _, solution] = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert solution.outputs[0].text == "Exercise 5.1: right.\n" and "image/png" in figure.outputs[0].data
    caption = "<table><caption>Table 4. Scales by (7).</caption><tr><td>5</td></tr></table>"
    assert [output.data for output in table.outputs] == [{"text/html": caption}]


def test_text_after_a_solution_in_the_same_cell_is_kept():
    both = ":::{solution-start} x\n:::\nSecret.\n:::{solution-end}\n:::\n\nMore.\n\n:::{solution-start} y\n:::\n\nSecret."
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(both), v4.new_markdown_cell(":::{solution-end}\n:::")])
    assert [cell.source for cell in without_solutions(notebook).cells] == ["More."]
    with pytest.raises(BookError, match="a solution has no end"):
        without_solutions(v4.new_notebook(cells=[v4.new_markdown_cell(both)]))


# The book's own notebooks

PROJECT = Project(ROOT)
ENTRIES = load_manifest(PROJECT)
# A role outside of code, or a directive.
RAW = re.compile(r"(?<!`)\{[a-z][a-z:-]*\}`|^:::|^\([\w-]+\)=$", re.MULTILINE)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)|^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def names(book_html):
    return read_names(PROJECT, ENTRIES, book_html)


@pytest.mark.book
@pytest.mark.parametrize("solutions", [False, True], ids=["students", "lecturers"])
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)
def test_no_myst_is_left(names, entry, solutions):
    written = nbformat.read(PROJECT.written / f"{entry.slug}.ipynb", as_version=4)
    notebook = plain_notebook(written, entry.slug, names, link, "*About.*", solutions=solutions)
    nbformat.validate(notebook)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    data = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    texts += [str(each[mime]) for each in data for mime in ("text/html", "text/markdown") if mime in each]
    assert [text[:300] for text in texts if RAW.search(CODE.sub("", text))] == []
