"""Sliders below figures: their data are those of the run, and a row of metadata that names what there is not is refused."""

import json
import re
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat import v4
from refusals import refused
from tiny_book import ROOT

from keyfilters_build.manifest import load_manifest
from keyfilters_build.project import BookError, Project
from keyfilters_build.sweeps import sweep_data, sweep_html

CURVES = {"label": "scale", "along": "sigma", "value": "share", "curves": {"first": "one", "second": "two"}}
BY = {"label": "scale", "along": "sigma", "value": "%", "by": "seed", "of": "share", "units": 100}
FILTERS = {
    "label": "method", "filters": ["A", "B"], "beside": "learned", "table": "fig-table", "along": "method", "numbers": {"s": "σ"},
}  # fmt: skip


def cell(sweep, name="fig-one"):
    metadata = {"mystnb": {"figure": {"name": name}}, "sweep": sweep} if name else {"sweep": sweep}
    return v4.new_code_cell("x", metadata=metadata)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "fig-one.csv").write_text("sigma,first,second\n0.5,0.1,1e-3\n1.0,,0.25\n")
    (tmp_path / "fig-two.csv").write_text("sigma,seed,share\n0.5,0,0.25\n0.5,1,0.5\n1.0,0,0.75\n")
    (tmp_path / "fig-table.csv").write_text("method,key,s\nA,1,0.5\nB,1,0.75\nA,2,1.5\nB,2,2.5\n")
    np.savez(tmp_path / "fig-one.npz", learned=np.ones((2, 3, 3)), A=np.zeros((2, 3, 3)), B=np.full((2, 3, 3), 0.5))
    return SimpleNamespace(entry=SimpleNamespace(slug="page"), results=tmp_path)


def test_curves_are_columns_of_the_data(run):
    found = sweep_data(cell(CURVES), run)
    assert found["settings"] == [0.5, 1.0] and found["curves"] == {"one": [0.1, None], "two": [1e-3, 0.25]}
    found = sweep_data(cell(BY, "fig-two"), run)
    assert found["curves"] == {"seed 0": [25.0, 75.0], "seed 1": [50.0, None]}


def test_filters_have_the_numbers_of_their_setting(run):
    found = sweep_data(cell(FILTERS), run)
    assert found["numbers"] == {"A": {"σ": [0.5, 1.5]}, "B": {"σ": [0.75, 2.5]}}
    assert found["beside"] == [[1.0] * 9] * 2 and found["filters"]["B"] == [[0.5] * 9] * 2 and len(found["colours"]) == 11


def test_the_page_gets_the_data_and_no_tag_within_ends_the_script(run):
    assert sweep_html(v4.new_code_cell("x"), run) == ""
    text = sweep_html(cell(CURVES | {"value": "</script>"}), run)
    assert text.startswith(":::{div} page-sweep only-screen\n") and text.count("</script>") == 1
    data = text.split('json">')[1].split("</script>")[0]
    assert json.loads(data) == sweep_data(cell(CURVES | {"value": "</script>"}), run)


@pytest.mark.parametrize(
    "sweep, name, message",
    [
        (CURVES | {"curves": {"third": "x"}}, "fig-one", "`sweep` names the column third; the data have sigma, first, second"),
        (
            CURVES | {"step": 1},
            "fig-one",
            "`sweep` has along, curves, label, step, value; expected along, curves, label, value",
        ),
        (CURVES, None, "a cell without a figure: `sweep` has"),
        (CURVES, "fig-three", "`sweep` needs the data of the figure as fig-three.csv"),
        (CURVES | {"curves": {"share": "x"}}, "fig-two", "which has a setting twice; expected `by`"),
        (FILTERS | {"filters": ["A", "C"]}, "fig-one", "`sweep` names the array C; the data have learned, A, B"),
        (FILTERS | {"along": "key"}, "fig-one", "expects a row for each of the 2 filters where key is A"),
    ],
)
def test_what_a_slider_cannot_show_is_said_in_one_line(run, sweep, name, message):
    refused(lambda: sweep_data(cell(sweep, name), run), f"^page: .*{re.escape(message)}", BookError)


@pytest.mark.book
def test_the_sliders_of_the_book_show_the_numbers_of_the_run(book_html):
    seen = {}
    for entry in load_manifest(Project(ROOT)):
        notebook = nbformat.read(ROOT / "notebooks" / f"{entry.slug}.ipynb", as_version=4)
        for own in (cell for cell in notebook.cells if "sweep" in cell.metadata):
            results, sweep = Project(ROOT).results("quick", entry.slug), own.metadata.sweep
            found = seen[entry.slug] = sweep_data(own, SimpleNamespace(entry=entry, results=results))
            page = (book_html / "notebooks" / f"{entry.slug}.html").read_text(encoding="utf-8")
            shown = page.split('<div class="sweep" hidden><script type="application/json">')[1].split("</script>")[0]
            assert json.loads(shown) == found, entry.slug
            for column, words in sweep.get("curves", {}).items():
                values = pd.read_csv(results / f"{own.metadata.mystnb.figure.name}.csv")[column] * sweep.get("units", 1)
                assert found["curves"][words] == values.astype(object).where(values.notna(), None).tolist(), (
                    entry.slug,
                    column,
                )
    assert 3 <= len(seen) <= 6 and "filters" in seen["all_methods"]
