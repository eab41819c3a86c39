"""What a notebook shows: the files behind figures, tables and numbers, in plain Python without a kernel."""

import json

import numpy as np
import pandas as pd
import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib import pyplot
from refusals import refused

from keyfilters_book import page
from keyfilters_build.text_size import size, texts


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("KEYFILTERS_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


@pytest.fixture
def shown(monkeypatch):
    bundles = []
    monkeypatch.setattr(page, "_show", bundles.append)
    return bundles


def drawing():
    fig, ax = pyplot.subplots()
    ax.plot([0, 1], [1, 0], marker="o")
    return fig


def test_a_figure_is_stored_shown_and_closed(results, shown):
    fig = drawing()
    page.figure(fig, "fig-a", data={"x": np.arange(3.0)})
    assert sorted(path.name for path in results.iterdir()) == ["fig-a.npz", "fig-a.slide.svg", "fig-a.svg"]
    with np.load(results / "fig-a.npz") as stored:
        assert stored["x"].tolist() == [0, 1, 2]
    assert not pyplot.fignum_exists(fig.number)
    assert set(shown[0]) == {"image/png", "text/plain"}


@pytest.mark.parametrize(("inches", "slide"), [((6.8, 6.0), (5.7, 3.95)), ((8.0, 3.0), (9.2, 2.6))])
def test_a_slide_has_the_figure_on_a_smaller_sheet_with_no_text_below_eleven_points(results, shown, inches, slide):
    fig = drawing()
    fig.set_size_inches(inches)
    fig.axes[0].set_title("small", fontsize=7)
    page.figure(fig, "fig-a", data={"x": np.arange(3.0)})
    here, there = ((results / f"fig-a{kind}.svg").read_bytes() for kind in ("", ".slide"))
    assert min(points for points, _ in texts(here)) == 7 and min(points for points, _ in texts(there)) == 11
    # The page is cut to what is drawn.
    assert (
        np.all(np.divide(size(there), 72) < np.add(slide, 0.3)) and size(there)[0] / size(here)[0] < slide[0] / inches[0] + 0.1
    )
    assert {label for _, label in texts(there)} == {label for _, label in texts(here)} | {"small"}


def test_a_figure_that_does_not_fit_a_slide_has_no_drawing_for_one(results, shown):
    fig, axes = pyplot.subplots(14, 2, figsize=(6, 30), layout="constrained")
    for ax in axes.flat:
        ax.set(title="title", xlabel="label")
    page.figure(fig, "fig-a", data={"x": np.arange(3.0)})
    assert sorted(path.name for path in results.iterdir()) == ["fig-a.npz", "fig-a.svg"]


def test_the_same_figure_gives_the_same_bytes(results, shown):
    for _ in range(2):
        page.figure(drawing(), "fig-a", data=pd.DataFrame({"x": [1.5]}))
        shown.append((results / "fig-a.svg").read_bytes())
    assert shown[0] == shown[2] and shown[1] == shown[3]
    assert (results / "fig-a.csv").read_text() == "x\n1.5\n"


@given(arrays.arrays(np.float64, arrays.array_shapes(max_dims=3, max_side=4)))
def test_arrays_come_back_from_the_archive_and_its_bytes_depend_on_nothing_else(array):
    import io

    content = page._npz({"a": array, "b": array[0]})
    assert content == page._npz({"a": array.copy(), "b": array[0].copy()})
    with np.load(io.BytesIO(content)) as stored:
        np.testing.assert_array_equal(stored["a"], array)
        np.testing.assert_array_equal(stored["b"], array[0])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_tables_are_stored_in_full_precision(values):
    header, *lines = page._csv(pd.DataFrame({"value": values})).splitlines()
    assert header == "value" and [float(line) for line in lines] == values


def test_a_table_is_myst_and_html(results, shown):
    frame = pd.DataFrame({"key": [1, 2], "sigma_x": [np.float64(0.25), np.nan], "why": ["a|b", None], "id": ["d1", None]})
    page.table(
        frame,
        "tbl-a",
        caption="Two\nscales.",
        formats={"sigma_x": "{:.3f}"},
        headers={"sigma_x": r"$\sigma_x$"},
        link={"id": "#{}"},
    )
    lines = shown[0]["text/markdown"].splitlines()
    assert lines[:3] == [":::{table} Two scales.", ":name: tbl-a", ""]
    assert lines[3:] == [
        r"| key | $\sigma_x$ | why | id |",
        "| ---: | ---: | :--- | :--- |",
        r"| 1 | 0.250 | a\|b | [d1](#d1) |",
        "| 2 | – | – | – |",
        ":::",
    ]
    assert shown[0]["text/html"].count("<tr>") == 3 and "a|b" in shown[0]["text/html"]
    assert (results / "tbl-a.csv").read_text().splitlines()[1] == "1,0.25,a|b,d1"


def test_a_pair_is_one_number_with_a_tick_or_two(results, shown):
    frame = pd.DataFrame({"key": [1, 2, 3, 4], "printed": [0.25, 0.5, 0.75, np.nan], "here": [0.2500001, 0.51, np.nan, 1.0]})
    page.table(frame, "tbl-a", caption="C.", formats={"printed": "{:.2f}"}, pairs={"here": "printed"})
    lines = shown[0]["text/markdown"].splitlines()[3:]
    assert lines[:2] == ["| key | published / here |", "| ---: | ---: |"]
    assert lines[2:6] == ["| 1 | 0.25 ✓ |", "| 2 | 0.50 / 0.51 |", "| 3 | 0.75 |", "| 4 | 1.00 |"]
    # What is stored does not depend on what is shown.
    assert (results / "tbl-a.csv").read_text() == page._csv(frame)


@each(("frame", "options", "shows", "stores"), [
    (pd.DataFrame({"verdict": ["equal", "odd"]}), {"link": {"verdict": lambda v: None if v == "equal" else f"#{v}"}},
     "| equal |\n| [odd](#odd) |\n", "verdict\nequal\nodd\n"),
    (pd.DataFrame({"why": ["a long story"]}), {"wrap": True}, ":::{table} C.\n:name: tbl-a\n:class: wrap\n\n", "why\na long story\n"),
    (pd.DataFrame({"x": [1]}, index=pd.Index(["A"], name="method")), {}, "| A | 1 |", "method,x\nA,1\n"),
])  # fmt: skip
def test_links_may_depend_on_values_words_may_break_their_lines_and_a_named_index_is_a_column(
    results, shown, frame, options, shows, stores
):
    page.table(frame, "tbl-a", caption="C.", **options)
    assert shows in shown[-1]["text/markdown"] and (results / "tbl-a.csv").read_text() == stores


def test_outside_of_the_build_all_is_shown_and_nothing_written(monkeypatch, tmp_path, capsys, shown):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEYFILTERS_RESULTS", raising=False)
    page.numbers(a_ratio=1.5)
    assert capsys.readouterr().out == "", "in plain Python nothing is shown"
    monkeypatch.setattr(page, "_shell", object)
    page.numbers(a_ratio=(1.23456, ".2f"), b=3)
    page.claim("it holds", holds=False, shown="3")
    page.table(pd.DataFrame({"x": [1]}), "tbl-a")
    fig = drawing()
    fig.axes[0].set_title("too small for the page, no matter here", fontsize=3)
    page.figure(fig, "fig-a", data=[1.0])
    assert capsys.readouterr().out == "a-ratio: 1.23\nb: 3\nnot so in this run: it holds (3)\n"
    assert [set(bundle) & {"text/html", "image/png"} for bundle in shown] == [{"text/html"}, {"image/png"}]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "format_", "text"),
    [
        (-0.5, "{:+.1f}", "−0.5"),
        (-2, None, "−2"),
        (-1e-5, "{:.0e}", "−1e-05"),
        ("behind by -1.5 points (-2.0 to -1.0)", None, "behind by −1.5 points (−2.0 to −1.0)"),
        ("one-sided, 3-4, ideal-2", None, "one-sided, 3-4, ideal-2"),
    ],
)
def test_a_number_in_a_sentence_has_a_minus(results, value, format_, text):
    page.number("a", value, format_)
    assert json.loads((results / "numbers.json").read_text())["a"]["text"] == text


def test_numbers_are_collected_and_may_be_bounds(results):
    page.numbers(b_ratio=(np.float64(1.23456), ".2f"), most=(0.0413, ".2f", "up"), least=(0.9647, "{:.3f}", "down"))
    page.number("a-word", "none")
    stored = json.loads((results / "numbers.json").read_text())
    assert stored["a-word"] == {"text": "none", "value": "none"} and stored["b-ratio"] == {"text": "1.23", "value": 1.23456}
    assert (stored["most"]["text"], stored["least"]["text"]) == ("0.05", "0.964")
    assert list(stored) == ["a-word", "b-ratio", "least", "most"]


FRAME = pd.DataFrame({"x": [1]})


@each(("call", "words"), [
    *((lambda name=name: page.number(name, 1.0), "expected lower-case letters") for name in ("Fig-a", "fig a", "", "fig_a", "../fig", 3)),
    (lambda: page.table(FRAME, "Tbl", caption="C."), "expected lower-case letters"),
    (lambda: page.figure(None, "Fig", data={"x": [1]}), "expected lower-case letters"),
    (lambda: page.table(FRAME, "tbl-a", caption="C.", formats={"y": "{}"}), "no column 'y'; the columns are x"),
    (lambda: page.table(FRAME, "tbl-a", caption="C.", pairs={"mine": "x"}), "no column 'mine'"),
    (lambda: page.table(FRAME[:0], "tbl-a", caption="C."), "table is empty"),
    (lambda: page.figure(None, "fig-a", data=None), "data is None"),
    (lambda: page.number("a", float("nan")), "expected a finite number"),
    (lambda: page.numbers(most=(0.5, ".2f", "sideways")), "expected 'up' or 'down'"),
    *((lambda value=value: page.power_of_ten(value), "expected the size of an error") for value in (-1e-16, float("inf"), float("nan"))),
])  # fmt: skip
def test_mistakes_are_refused_and_nothing_is_written(results, call, words):
    refused(call, words)
    assert not results.exists()


@pytest.mark.parametrize(
    ("value", "format_", "text"),
    [
        (0.0, "{:+.1e}", "0.0"),
        (-1e-9, "{:+.3f}", "0.000"),
        (0.0, "{:.0e}", "0"),
        (-2e-3, "{:+.3f}", "-0.002"),
        (1e-9, "{:+.1e}", "+1.0e-09"),
    ],
)
def test_a_zero_has_no_sign_and_no_exponent(results, shown, value, format_, text):
    page.table(pd.DataFrame({"x": [value]}), "tbl-a", caption="C.", formats={"x": format_})
    assert f"\n| {text} |\n" in shown[0]["text/markdown"]


@given(
    st.floats(-1e4, 1e4, allow_subnormal=False), st.sampled_from(["{:.0f}", "{:.2f}", "{:+.3f}", "{:.0e}", "{:.1e}", "{:,}"])
)
def test_a_bound_bounds_and_is_near(value, format_):
    low, high = (float(page._bound(value, format_, bound).replace(",", "")) for bound in ("down", "up"))
    nearest = float(format_.format(value).replace(",", ""))
    assert low <= value <= high
    assert nearest in (low, high)


@each(
    ("least", "limits", "value"),
    [
        (2, {}, 1),
        (2, {}, 2.5),
        (0, {}, True),
        (1, {}, "5"),
        (1, {"most": 17}, 18),
        (0.0, {}, float("nan")),
        (0.0, {"most": 1.0}, -0.1),
        (0, {"entries": 2}, [1]),
        (0, {"entries": 1}, 3),
        (32, {"entries": 1}, [224, 8]),
        (0, {"entries": 2}, [7, 7, 8]),
    ],
)
def test_a_bad_parameter_is_one_line_that_names_it(least, limits, value):
    with pytest.raises(page.ParameterError) as found:
        page.at_least(least, **limits, fine=[least, least + 1] if "entries" in limits else least, draws=value)
    (line,) = found.value._render_traceback_()
    assert line.startswith(f"ParameterError: draws is {value!r}; set it to ") and "\n" not in line


@each(
    "value",
    ["learned", 3, None, [], ["random"], ["learned", "other"], ["learned", "learned"], ["learned", ["random"]], {"learned": 1}],
)
def test_a_bad_list_of_names_is_one_line_that_names_it(value):
    with pytest.raises(page.ParameterError) as found:
        page.names({"learned": 0, "random": 0}, needed=["learned"], fine=["learned"], variants=value)
    (line,) = found.value._render_traceback_()
    assert line.startswith(f"ParameterError: variants is {value!r}; set it to a list of names") and "\n" not in line


def test_good_parameters_pass():
    page.at_least(2, draws=2, samples=np.int64(3))
    page.at_least(0.0, most=1.0, share=1, level=np.float64(0.5))
    page.at_least(0, entries=0, seeds=[])
    page.names(("learned", "random"), variants=["random"], others=("random", "learned"))


@given(st.floats(0, 1e300))
def test_a_power_of_ten_bounds_and_is_the_least(value):
    bound = page.power_of_ten(value)
    assert f"{bound:.0e}".startswith("1e") and value <= bound
    assert bound / 10 < max(value, 1e-14) * (1 + 1e-15)
