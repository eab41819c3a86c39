"""The search finds symbols, methods, names and keys: in a browser, from a server and from a file."""

from urllib.parse import quote

import pytest

pytestmark = [pytest.mark.book, pytest.mark.browser]

# What is typed -> a page that has to be among the first five results.
QUERIES = {
    "sigma_x": "notation.html#symbol-sigma",
    "σ_x": "notation.html#symbol-sigma",
    "σ": "notation.html#symbol-sigma",
    "sigma": "notation.html#symbol-sigma",
    "gamma": "notation.html#symbol-gamma",
    "γ": "notation.html#symbol-gamma",
    "delta_x+": "notation.html#symbol-delta-x-plus",
    "T(n; s)": "notation.html#symbol-T-n-s",
    "R^2": "notation.html#symbol-R-2",
    "R²": "notation.html#symbol-R-2",
    "M(|h|)": "notation.html#symbol-M-abs-h-abs",
    "KL": "glossary.html#term-KL",
    "Laplacian": "glossary.html#term-Laplacian",
    "C1": "glossary.html#term-C1",
    "c1": "glossary.html#term-C1",
    "D2": "glossary.html#term-D2",
    "method B": "notebooks/method_b.html",
    "method A": "notebooks/method_a.html",
    "method C1": "notebooks/methods_c.html",
    "joint": "glossary.html#term-joint",
    "joint scales": "notebooks/joint_scales.html",
    "l1 norm": "glossary.html#term-l1-norm",
    "depthwise": "glossary.html#term-depthwise-filter",
    "key 7": "notebooks/key7.html",
    "key 3": "notebooks/learned_filters.html",
    "scale space": "glossary.html#term-scale-space",
    "curvelets": "notebooks/wavelets_and_the_edge.html",
    "ScaleSpaceConv2d": "notebooks/learning_scales.html",
    "ideal_filter": "notebooks/discrete_scale_space.html",
    "fit_joint": "notebooks/joint_scales.html",
    "learned_filters": "notebooks/learned_filters.html",
}

FOUND = """() => [...document.querySelectorAll("#search-results ul.search > li > a")]
    .map(link => link.getAttribute("href").replace(/[?]highlight=[^#]*/, ""))"""
# They come one by one, the best first; a query of single letters has a thousand of them.
SHOWN = """first => document.querySelector("#search-results .search-summary")?.textContent
    || first && document.querySelectorAll("#search-results ul.search > li > a").length >= first"""


@pytest.fixture(scope="module")
def tab(running):
    page = running.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


def search(tab, address, query, first=5):
    """The addresses that are found: the first so many, or all."""
    tab.goto(f"{address}/search.html?q={quote(query)}", wait_until="domcontentloaded")
    tab.wait_for_function(SHOWN, arg=first, timeout=20_000)
    return tab.evaluate(FOUND)[:first]


# From a file the search is the same but for the excerpts: a word, a symbol and a function there, the rest among the long tests.
FROM_A_FILE = ("sigma_x", "method B", "ideal_filter")


@pytest.mark.parametrize(
    "query, protocol",
    [
        pytest.param(query, protocol, marks=pytest.mark.slow if protocol == "file" and query not in FROM_A_FILE else ())
        for query in QUERIES
        for protocol in ("http", "file")
    ],
)
def test_the_page_is_among_the_first_five(tab, addresses, query, protocol):
    found = search(tab, addresses[protocol], query)
    page, _, anchor = QUERIES[query].partition("#")
    assert any(link.split("#")[0] == page and (not anchor or link.endswith(f"#{anchor}")) for link in found), found


def test_chapters_come_before_the_reference_of_the_library(tab, addresses):
    reference = [link.startswith("api/") for link in search(tab, addresses["http"], "learned_filters", None)]
    assert any(reference) and reference == sorted(reference)


@pytest.mark.parametrize("protocol", ["http", "file"])
def test_what_is_nowhere_is_not_found(tab, addresses, protocol):
    assert search(tab, addresses[protocol], "xyzzyplugh") == []
