"""What a reader stumbles over is measured on every page, at both widths, and is zero."""

import pytest
from pages import ROOT
from tiny_book import tiny_book

from keyfilters_build.manifest import contents
from keyfilters_build.measures import ALLOWED, MEASURES, WIDTHS, WITHOUT_FIGURE, judged, measured
from keyfilters_build.project import BookError, Project

NOTHING = {"first": 500, "not_run": 0} | dict.fromkeys(
    ("code", "tables", "figures", "texts", "bold", "powers", "cut", "low"), []
)


@pytest.mark.parametrize(
    ("seen", "measure"),
    [
        ({"first": 1001}, "late"),
        ({"first": None}, "late"),
        ({"code": ["x = 1\npage.number(1)"]}, "plumbing"),
        ({"figures": ["fig-a"]}, "wide"),
        ({"texts": [["fig-a", 9.2], ["fig-b", 8.8]]}, "small"),
        ({"bold": ["12"]}, "bold"),
        ({"powers": ["1e-5"]}, "powers"),
        ({"cut": ["equation-a"]}, "cut"),
        ({"not_run": 2}, "not_run"),
    ],
)
def test_each_measure_counts(seen, measure):
    for width in WIDTHS:
        assert [name for name, found in judged("notebooks/a", width, NOTHING | seen).items() if found] == [measure]


def test_a_table_may_scroll_on_a_phone_and_a_link_be_low_where_there_is_a_pointer():
    desktop, phone = (judged("notebooks/a", width, NOTHING | {"tables": ["tbl-a"], "low": ["CSV"]}) for width in WIDTHS)
    assert (desktop["wide"], phone["wide"]) == (["tbl-a"], []) and (desktop["low"], phone["low"]) == ([], ["CSV"])


def test_exceptions_name_pages_and_measures_that_there_are():
    pages = {name for _, name in contents(Project(ROOT))}
    assert set(WITHOUT_FIGURE) <= pages
    assert {page for page, _ in ALLOWED} <= pages and {measure for _, measure in ALLOWED} <= set(MEASURES)


@pytest.mark.browser
def test_a_page_that_is_not_there_is_no_page_without_faults(running, tmp_path):
    project = tiny_book(tmp_path, "one")
    project.html.mkdir(parents=True)
    (project.html / "index.html").write_text('<article class="bd-article"></article>')
    with pytest.raises(BookError, match=r"lacks notebooks/one\.html: build it again"):
        list(measured(project, running))


@pytest.mark.book
@pytest.mark.browser
def test_every_measure_of_the_built_book_is_zero(running, book_html):
    seen = list(measured(Project(ROOT), running))
    assert len(seen) == len(WIDTHS) * len(contents(Project(ROOT)))
    problems = [f"{name} at {width} px: {key}: {each}" for name, width, _, found in seen for key, each in found.items() if each]
    assert not problems, "\n" + "\n".join(problems)
