"""A build compared with the reference run in git: verdicts, summaries of data, the files, the page and the last line."""

import json
from decimal import Decimal

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_book import tiny_book, tiny_notebook, write_manifest, write_notebook

from keyfilters_book import page
from keyfilters_build.command import main
from keyfilters_build.data_summary import RELATIVE, disagreement, summary
from keyfilters_build.manifest import load_manifest
from keyfilters_build.reproduction import (
    closing_line,
    load_reference,
    load_stored,
    number_verdict,
    reference_path,
    reproduce,
    write_reproduction,
)  # fmt: skip
from keyfilters_build.run_pages import answer, write_reproduction_page
from keyfilters_build.run_store import cache_key, partial_folder, store_run

FACTS = {
    "seconds": 4.25, "memory_mb": 1204, "commit": "0123456789", "data_sha256": "ab" * 32, "device": "CPU, 2 cores",
    "processor": {"machine": "avx2", "kind": "avx2"}, "versions": {"python": "3.12.1", "numpy": "2.4.6"},
}  # fmt: skip


@pytest.fixture
def project(tmp_path):
    return tiny_book(tmp_path, "one", "two", quick="{n: 4}", full="{n: 9}")


def made(project, slug, profile="quick", *, numbers=None, claims=None, arrays=None, csv=None, **facts):
    """A stored run of a notebook that nobody executed, with these results."""
    entry = {entry.slug: entry for entry in load_manifest(project)}[slug]
    partial = partial_folder(project, entry, profile)
    results = partial / "results"
    results.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(), partial / "notebook.ipynb")
    stored = {name: {"value": value, "text": text} for name, (value, text) in (numbers or {}).items()}
    (results / "numbers.json").write_text(json.dumps(stored))
    if claims:
        (results / "claims.json").write_text(json.dumps({s: {"holds": h, "shown": "1 of 2"} for s, h in claims.items()}))
    if arrays is not None:
        np.savez(results / "fig-a.npz", **arrays)
    if csv:
        (results / "tbl-a.csv").write_text(csv)
    return store_run(project, entry, profile, cache_key(project, entry, profile), FACTS | facts)


def compared(project, runs):
    return reproduce(runs, load_stored(project).references[runs[0].profile])


def verdicts(found):
    return {(row["page"], row["name"]): row["verdict"] for row in found["rows"]}


def fragment(project, name):
    return (project.generated / f"reproduction_{name}.md").read_text()


def counts(found):
    return found["equal"], found["within"], found["differ"]


# --- numbers ---------------------------------------------------------------------------


def printed(value, digits):
    """As `page.number` stores it."""
    return {"value": float(value), "text": f"{value:.{digits}f}".replace("-", "−")}


@given(st.integers(-(10**6), 10**6), st.integers(0, 6), st.integers(-3, 3))
def test_one_unit_of_the_last_place_is_within_and_two_are_not(units, digits, away):
    one, other = (Decimal(count).scaleb(-digits) for count in (units, units + away))
    expected = "equal" if away == 0 else "within" if abs(away) == 1 else "differ"
    assert number_verdict(printed(one, digits), printed(other, digits)) == expected
    assert number_verdict(printed(other, digits), printed(one, digits)) == expected


@given(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12), st.sampled_from(["{:.3f}", "{:.2e}", "{:,.1f}", "{:.3g} mm"]))
def test_a_verdict_does_not_depend_on_the_order(one, other, format_):
    first, second = ({"value": value, "text": format_.format(value)} for value in (one, other))
    assert number_verdict(first, second) == number_verdict(second, first)
    assert number_verdict(first, first) == "equal"


@pytest.mark.parametrize("one, other, verdict", [
    ((9.9e-8, "9.9e-08"), (1.0e-7, "1.0e-07"), "within"),
    ((0.99, "0.99"), (1.0, "1"), "within"),
    ((0.5, "0.5"), (1.0, "1"), "differ"),
    ((1234.4, "1,234"), (1234.6, "1,235"), "within"),
    ((0.0, "0.00"), (-0.01, "−0.01"), "within"),
    ((0.01, "0.01"), (-0.01, "−0.01"), "differ"),
    ((0.5, "50 %"), (0.51, "51 %"), "within"),
    ((0.5, "50 %"), (0.51, "51 px"), "differ"),
    ((3, "3"), (4, "4"), "differ"),
    ((3, "3"), (3, "3"), "equal"),
    (("three", "three"), ("four", "four"), "differ"),
    (("1 of 9", "1 of 9"), ("2 of 9", "2 of 9"), "differ"),
    ((1e-17, "below 10⁻¹⁵"), (1e-14, "below 10⁻¹³"), "differ"),
])  # fmt: skip
def test_verdicts_of_printed_numbers(one, other, verdict):
    first, second = ({"value": value, "text": text} for value, text in (one, other))
    assert number_verdict(first, second) == number_verdict(second, first) == verdict


# --- data ------------------------------------------------------------------------------


def agree(tmp_path, one, other):
    """What `disagreement` says of two files with these arrays or this text, written as `page` writes them."""
    found = []
    for position, content in enumerate((one, other)):
        path = tmp_path / f"{position}.{'csv' if isinstance(content, str) else 'npz'}"
        path.write_bytes(content.encode() if isinstance(content, str) else page._npz(content))
        found.append(summary(path))
    assert json.loads(json.dumps(found)) == found, "it is kept as JSON"
    return disagreement(*found)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50), st.floats(0.001, 0.9))
def test_arrays_agree_to_the_stated_part(tmp_path_factory, values, part):
    folder, array = tmp_path_factory.mktemp("arrays"), np.array(values)
    found = agree(folder, {"a": array}, {"a": array * (1 + part * RELATIVE)})
    assert found is None or found[0]


@given(st.lists(st.floats(0.1, 1e3), min_size=1, max_size=50), st.floats(2, 1e6))
def test_arrays_that_are_farther_apart_do_not_agree(tmp_path_factory, values, part):
    folder, array = tmp_path_factory.mktemp("arrays"), np.array(values)
    assert not agree(folder, {"a": array}, {"a": array * (1 + part * RELATIVE)})[0]


@pytest.mark.parametrize("one, other, words", [
    ({"a": np.array([1.0, 2.0])}, {"a": np.array([2.0, 1.0])}, "a: projection"),
    ({"a": np.array([1.0, -2.0])}, {"a": np.array([1.0, 2.0])}, "a: projection"),
    ({"a": np.ones(3)}, {"a": np.ones((3, 1))}, "a: shape (3,)"),
    ({"a": np.ones(3)}, {"b": np.ones(3)}, "has a"),
    ({"a": np.array([1.0, np.nan])}, {"a": np.array([np.nan, 1.0])}, "a: words"),
    ({"a": np.array([1.0, np.inf])}, {"a": np.array([1.0, -np.inf])}, "a: words"),
    ({"a": np.arange(9)}, {"a": np.arange(9) + 1}, "a: words"),
    ({"a": np.array(["x", "y"])}, {"a": np.array(["x", "z"])}, "a: words"),
    ({"a": np.array([1 + 1j])}, {"a": np.array([1 - 1j])}, "a: projection"),
    ("a,b\n1,x\n", "a,b\n2,x\n", "a: words"),
    ("a,b\n1,x\n", "a,b\n1,y\n", "b: words"),
    ("a\n0.5\n0.25\n", "a\n0.5\n", "a: shape (2,)"),
    ("a\n0.5\n\"\"\n", "a\n\"\"\n0.5\n", "a: words"),
    ("a\n\"[0.5, 1.5]\"\n", "a\n\"[0.5, 1.6]\"\n", "a: largest"),
])  # fmt: skip
def test_files_that_do_not_agree(tmp_path, one, other, words):
    same, first, _ = agree(tmp_path, one, other)
    assert not same and first.startswith(words)


@pytest.mark.parametrize("one, other", [
    ({"a": np.array([1.0, np.nan, 3.0])}, {"a": np.array([1.0 + 1e-9, np.nan, 3.0])}),
    ({"a": np.array([2e-16])}, {"a": np.array([-3e-17])}),
    ("a,b\n0.5,x\n", "a,b\n0.5000000001,x\n"),
    ("a\n\"[0.5, 1.5]\"\n", "a\n\"[0.5000000001, 1.5]\"\n"),
])  # fmt: skip
def test_files_that_agree(tmp_path, one, other):
    assert agree(tmp_path, one, other)[0]
    assert agree(tmp_path, one, one) is None


def test_other_files_and_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([None], dtype=object))
    (tmp_path / "a.svg").write_text("<svg/>")
    for name in ("a.npz", "a.svg"):
        with pytest.raises(ValueError):
            summary(tmp_path / name)


# --- a build beside the reference ------------------------------------------------------


def test_equal_within_and_differ_are_told_apart(project):
    numbers = {"a": (0.914, "0.91"), "b": (0.5, "0.50"), "c": ("neither", "neither"), "gone": (1.0, "1.0")}
    claims = {"it grows": True, "it shrinks": False}
    arrays = {"x": np.linspace(0, 1, 5)}
    for slug in ("one", "two"):
        made(project, slug, numbers=numbers, claims=claims, arrays=arrays, csv="key,sigma\n1,0.5\n")
    assert main(["reference"], root=project.root) == 0

    numbers = {"a": (0.916, "0.92"), "b": (0.5, "0.50"), "c": ("one", "one"), "new": (1.0, "1.0")}
    runs = [
        made(project, "one", numbers=numbers, claims={"it grows": False, "it shrinks": False},
             arrays={"x": np.linspace(0, 1 + 1e-9, 5)}, csv="key,sigma\n1,0.6\n",
             processor={"machine": "avx2", "kind": "sse"}, versions={"python": "3.12.1", "numpy": "2.5.0"}),
        made(project, "two"),
    ]  # fmt: skip
    found = compared(project, runs)
    own = {name: verdict for (page_, name), verdict in verdicts(found).items() if page_ == "one"}
    assert own == {
        "a": "within", "b": "equal", "c": "differ", "gone": "differ", "new": "differ",
        "it grows": "differ", "it shrinks": "equal", "fig-a.npz": "within", "tbl-a.csv": "differ",
    }  # fmt: skip
    assert counts(found) == (2, 2, 5 + 8) and counts(found["chapters"]["two"]) == (0, 0, 8)
    texts = {row["name"]: (row["reference"], row["here"]) for row in found["rows"] if row["page"] == "one"}
    assert texts["c"] == ("neither", "one") and texts["it grows"] == ("holds", "does not hold")
    assert texts["gone"] == ("1.0", "not there") and texts["new"] == ("not there", "1.0")
    assert texts["tbl-a.csv"] == ("sigma: largest absolute value 0.5", "sigma: largest absolute value 0.6")
    assert {claim["statement"] for claim in found["claims_failed"]} == {"it grows", "it shrinks"}
    assert found["chapters"]["one"]["why"] == [
        "computed as x86-64 without AVX2, the reference as x86-64 with AVX2", "NumPy 2.5.0, the reference 2.4.6",
    ]  # fmt: skip

    write_reproduction_page(project, found, load_stored(project))
    assert fragment(project, "answer").startswith("**Not all of it: 13 of 17 results differ.**")
    differences = fragment(project, "differences")
    assert "| {doc}`/notebooks/one` | `c` | neither | one |" in differences
    assert "| {doc}`/notebooks/one` | it grows | holds | does not hold |" in differences
    assert "- {doc}`/notebooks/one`: computed as x86-64 without AVX2" in differences
    assert "it grows (1 of 2)" in fragment(project, "claims")
    assert "| all | 2 | 2 | 13 | 2 |" in fragment(project, "chapters")
    csv = (project.generated / "tables" / "reproduction.csv").read_text().splitlines()
    assert csv[0] == "page,name,reference,here,verdict" and len(csv) == 1 + 17


def test_equal_runs_are_equal_and_the_last_line_says_so(project):
    runs = [made(project, slug, numbers={"a": (2.0, "2.0")}, claims={"it grows": True}) for slug in ("one", "two")]
    assert main(["reference"], root=project.root) == 0
    text = reference_path(project, "quick").read_bytes()
    assert main(["reference"], root=project.root) == 0 and reference_path(project, "quick").read_bytes() == text
    found = compared(project, runs)
    assert counts(found) == (4, 0, 0) and found["chapters"]["one"]["why"] == []
    line = "reproduction: 4 of 4 equal, 0 within, 0 differ from the reference (x86-64 with AVX2): see _build/reproduction.json"
    assert closing_line(project, found) == line
    assert answer(found).startswith(
        "**Yes, all of it.** Of 4 results compared 4 are equal, none is within rounding and none differs."
    )


def test_what_cannot_be_compared_says_so(project):
    write_manifest(project, ["one", "two"], quick="{n: 4}", timed="true")
    runs = [made(project, slug, numbers={"a": (2.0, "2.0")}) for slug in ("one", "two")]
    assert compared(project, runs)["chapters"]["one"]["not_compared"] == "there is no reference"
    assert "there is no reference/quick.json" in closing_line(project, compared(project, runs))
    assert answer(compared(project, runs)).startswith("**Nobody knows yet.**")
    assert main(["reference"], root=project.root) == 0
    assert load_reference(project, "quick")["one"]["numbers"] == {}, "what measures time is not kept"
    found = compared(project, runs)
    assert found["chapters"]["one"]["not_compared"] == "it measures time, which differs from run to run" and found["rows"] == []

    write_manifest(project, ["one", "two"], quick="{n: 5}")
    runs = [made(project, slug) for slug in ("one", "two")]
    found = compared(project, runs)
    assert found["chapters"]["one"]["not_compared"] == "its parameters are not those of the reference"
    assert closing_line(project, found).startswith("reproduction: nothing in this build could be compared with the reference (")
    assert answer(found) == "**Nobody knows yet.** Nothing in this build could be compared with the reference."
    write_reproduction_page(project, found, load_stored(project))
    why = "Not compared, because its parameters are not those of the reference: {doc}`/notebooks/one`, {doc}`/notebooks/two`."
    assert why in fragment(project, "chapters")


def test_a_notebook_that_the_book_no_longer_has_differs_and_one_that_is_new_is_not_compared(project):
    for slug in ("one", "two"):
        made(project, slug)
    assert main(["reference"], root=project.root) == 0
    write_notebook(project, "three", tiny_notebook("three"))
    write_manifest(project, ["one", "three"], quick="{n: 4}")
    found = compared(project, [made(project, slug) for slug in ("one", "three")])
    assert verdicts(found) == {("two", "the notebook"): "differ"}
    assert found["chapters"]["three"]["not_compared"] == "the reference has no run of it"
    write_reproduction_page(project, found, load_stored(project))
    assert "- `two`: the book no longer has this notebook." in fragment(project, "differences")


# --- the files in git ------------------------------------------------------------------


def test_the_quick_reference_is_written_whole_or_not_at_all(project, capsys):
    made(project, "one")
    assert main(["reference"], root=project.root) == 2
    assert (
        "no stored run of this state of the book with profile quick for two; run make book PROFILE=quick first"
        in capsys.readouterr().err
    )
    assert not reference_path(project, "quick").exists()
    made(project, "two")
    assert main(["reference"], root=project.root) == 0
    assert capsys.readouterr().out == "reference/quick.json: 2 renewed\n"
    assert main(["reference", "--profile", "fast"], root=project.root) == 2
    assert "unknown profile 'fast'; the profiles are quick, full" in capsys.readouterr().err


def test_the_full_reference_is_renewed_notebook_by_notebook(project, capsys, tmp_path_factory):
    made(project, "one", "full", numbers={"a": (1.0, "1.0")}, commit="aaaa000000")
    assert main(["reference", "--profile", "full"], root=project.root) == 0
    assert capsys.readouterr().out == "reference/full.json: 1 renewed, 1 not run\n"
    # The other one was executed elsewhere, where the code was another.
    other = tiny_book(tmp_path_factory.mktemp("other"), "one", "two", full="{n: 9}")
    (other.package / "code.py").write_text("ANSWER = 43\n")
    made(other, "two", "full", numbers={"a": (2.0, "2.0")}, commit="bbbb000000")
    assert main(["reference", "--profile", "full", "--runs", str(other.build)], root=project.root) == 0
    assert capsys.readouterr().out == "reference/full.json: 1 renewed, 1 kept\n"
    found = load_reference(project, "full")
    assert {slug: row["commit"] for slug, row in found.items()} == {"one": "aaaa000000", "two": "bbbb000000"}
    assert found["two"]["numbers"] == {"a": {"value": 2.0, "text": "2.0"}}

    before = reference_path(project, "full").read_bytes()
    write_manifest(project, ["one", "two"], full="{n: 8}")
    assert main(["reference", "--profile", "full", "--runs", str(other.build)], root=project.root) == 2
    assert "with profile full for any notebook; run make book PROFILE=full first" in capsys.readouterr().err
    assert main(["reference", "--profile", "full", "--runs", "nowhere"], root=project.root) == 2
    assert capsys.readouterr().err.startswith("error: nowhere is no build folder: there is no cache/ in it")
    assert reference_path(project, "full").read_bytes() == before


def test_the_verdict_of_a_machine_is_stored_beside_the_others(project, capsys):
    computed_as = {"avx512": "avx2", "sse": "sse"}  # the build's floor, and a machine that was told less
    for machine, kind in computed_as.items():
        text = {"avx512": "2.0", "sse": "2.5"}[machine]
        for slug in ("one", "two"):
            made(
                project,
                slug,
                numbers={"a": (float(text), text)},
                claims={"it grows": kind == "avx2"},
                processor={"machine": "avx512", "kind": kind},
            )
        if kind == "avx2":
            assert main(["reference"], root=project.root) == 0
        runs = [stored_run(project, slug) for slug in ("one", "two")]
        write_reproduction(project, compared(project, runs))
        capsys.readouterr()
        assert main(["reference", "--machine"], root=project.root) == 0
        equal, differ = (4, 0) if kind == "avx2" else (0, 4)
        out = f"reference/machines/{machine}.json: profile quick, {equal} equal, 0 within, {differ} differ\n"
        assert capsys.readouterr().out == out
    stored = load_stored(project)
    assert sorted(stored.machines) == ["avx512", "sse"] and stored.machines["avx512"]["quick"]["rows"] == []
    write_reproduction_page(project, compared(project, runs), stored)
    text = fragment(project, "machines")
    assert "| Notebook | x86-64 without AVX2 | x86-64 with AVX-512 |\n" in text
    assert "| {doc}`/notebooks/one` | 0 of 2 (2 differ) | all 2 |\n" in text
    assert "\nNot run with profile quick: x86-64 with AVX2, a machine with a GPU.\n" in text
    assert (
        "Run on a machine that is x86-64 with AVX-512 (CPU, 2 cores), computed as x86-64 with AVX2, from commit `0123456789`, with Python 3.12.1"
        in text
    )
    assert "| {doc}`/notebooks/one` | `a` | 2.0 | 2.5 |" in text
    assert "The claim fails there: {doc}`/notebooks/one`, it grows (1 of 2)" in text
    assert "an earlier reference" not in text

    for slug in ("one", "two"):
        made(project, slug, numbers={"a": (3.0, "3.0")})
    assert main(["reference"], root=project.root) == 0
    write_reproduction_page(project, compared(project, runs), load_stored(project))
    assert fragment(project, "machines").count("It was compared with an earlier reference.") == 2


def stored_run(project, slug):
    from keyfilters_build.run_store import cached_run

    entry = {entry.slug: entry for entry in load_manifest(project)}[slug]
    return cached_run(project, entry, "quick", cache_key(project, entry, "quick"))


def test_no_verdict_of_a_machine_without_a_comparison(project, capsys):
    assert main(["reference", "--machine"], root=project.root) == 2
    assert capsys.readouterr().err == "error: _build/reproduction.json is missing or broken; run make book first\n"
    runs = [made(project, "one"), made(project, "two", processor={"machine": "avx2", "kind": "sse"})]
    write_reproduction(project, compared(project, runs))
    assert main(["reference", "--machine"], root=project.root) == 2
    assert "the last build had no reference/quick.json to be compared with" in capsys.readouterr().err
    assert main(["reference"], root=project.root) == 0
    write_reproduction(project, compared(project, runs))
    assert main(["reference", "--machine"], root=project.root) == 2
    assert "machines of the kinds avx2 and sse; execute all of them on one" in capsys.readouterr().err
    assert not (project.reference / "machines").exists()


WHOLE = {
    "parameters": {}, "device": "CPU", "processor": None, "seconds": 1, "memory_mb": 1, "commit": "no commit", "versions": {}, "data_sha256": "",
    "verdict": "", "numbers": {}, "claims": {}, "data": {},
}  # fmt: skip


@pytest.mark.parametrize("name, text, message", [
    ("quick.json", "{", "reference/quick.json: not valid JSON: "),
    ("quick.json", "[]", "reference/quick.json: $: [] is not of type 'object'; make reference PROFILE=quick writes it anew"),
    ("quick.json", '{"notebooks": []}', "reference/quick.json: $.notebooks: [] is not of type 'object'; "),
    ("quick.json", '{"notebooks": {}}', "reference/quick.json: $.notebooks: {} should be non-empty; "),
    ("full.json", '{"notebooks": {"one": {}}}', "reference/full.json: $.notebooks.one: 'parameters' is a required property; "
                                                "make reference PROFILE=full writes it anew"),
    *(("quick.json", json.dumps({"notebooks": {"one": WHOLE | {field: {"x": entry}}}}), f"reference/quick.json: $.notebooks.one.{field}.x: ")
      for field, entry in {"numbers": {"value": 1}, "claims": "yes", "data": {"sha256": "0"}}.items()),
    ("machines/sse.json", "{", "reference/machines/sse.json: not valid JSON: "),
    ("machines/sse.json", '{"fast": {}}', "reference/machines/sse.json: $: Additional properties are not allowed ('fast' was unexpected); "),
    ("machines/sse.json", '{"quick": {"equal": 1}}', "reference/machines/sse.json: $.quick: 'within' is a required property; "),
])  # fmt: skip
def test_a_broken_file_is_named_in_one_line_before_anything_is_executed(project, capsys, name, text, message):
    path = project.reference / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert main(["build"], root=project.root) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {message}") and said.count("\n") == 1
    assert not project.cache.exists() and path.read_text() == text


# --- from the command to the page ------------------------------------------------------

INDEX = "# Tiny\n\n" + "".join(
    f"```{{include}} _generated/{name}.md\n```\n\n"
    for name in (
        "status",
        "status_full",
        "status_gpu",
        "reproduction_answer",
        "reproduction_meaning",
        "reproduction_chapters",
        "reproduction_differences",
        "reproduction_claims",
        "reproduction_machines",
    )  # fmt: skip
)


def test_a_build_compares_itself_with_the_reference(tmp_path, capsys):
    """The commands of a user: build, make the reference, build again; then a number changes."""
    project = tiny_book(tmp_path, "one", quick="{n: 4}")
    (project.book / "index.md").write_text(INDEX)

    def built():
        capsys.readouterr()
        assert main(["build"], root=project.root) == 0
        found = json.loads((project.build / "reproduction.json").read_text())
        assert {"equal", "within", "differ", "claims_failed", "rows"} <= set(found)
        assert all(set(row) == {"page", "name", "reference", "here", "verdict"} for row in found["rows"])
        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("reproduction: "))
        return found, line, (project.html / "index.html").read_text()

    found, line, html = built()
    assert counts(found) == (0, 0, 0) and "there is no reference/quick.json" in line and "Nobody knows yet." in html
    assert main(["reference"], root=project.root) == 0
    assert found["kind"] == load_reference(project, "quick")["one"]["processor"]["kind"]

    found, line, html = built()
    assert counts(found) == (3, 0, 0), "a number, a figure and a table"
    assert line.startswith("reproduction: 3 of 3 equal, 0 within, 0 differ from the reference") and "Yes, all of it." in html

    notebook = tiny_notebook("one")
    for cell in notebook.cells:
        cell.source = cell.source.replace("float(x.sum())", "float(x.sum()) + 7")
    write_notebook(project, "one", notebook)
    found, line, html = built()
    assert counts(found) == (2, 0, 1) and "2 of 3 equal, 0 within, 1 differ" in line
    [row] = [row for row in found["rows"] if row["verdict"] == "differ"]
    assert row == {"page": "one", "name": "sum-one", "reference": "6.00", "here": "13.00", "verdict": "differ"}
    assert "Not all of it: 1 of 3 results differ." in html and "13.00" in html
