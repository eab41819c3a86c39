"""The curve, molecule and spread figures draw the data they are given, and nothing else."""

import numpy as np
import pytest
from matplotlib.patches import Circle
from refusals import refused

import keyfilters as kf
from keyfilters_book import figures


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def test_curves_draw_each_series_in_its_panel():
    x = np.linspace(0, 1, 5)
    fig = figures.curves(
        x, {"left": {"a": x**2, "b": -x}, "right": {"b": x + 1}}, xlabel="x", ylabel={"left": "p", "right": "q"}
    )
    left, right = fig.axes
    assert np.array_equal(lines(left)["a"].get_xydata(), np.stack([x, x**2], axis=1))
    assert np.array_equal(lines(left)["b"].get_ydata(), -x)
    assert np.array_equal(lines(right)["b"].get_ydata(), x + 1)
    assert (left.get_ylabel(), right.get_ylabel()) == ("p", "q")
    assert lines(left)["b"].get_color() == lines(right)["b"].get_color() != lines(left)["a"].get_color()
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["a", "b"]


def test_curves_put_marks_and_spans_where_they_belong():
    x = {"p": np.arange(3.0), "q": np.arange(4.0)}
    fig = figures.curves(
        x, {"p": {"f": x["p"]}, "q": {"f": x["q"]}}, xlabel="C", marks={"q": {"least": (1.5, 0.25)}}, spans={"p": (0.5, 1.0)},
        ylim={"q": (-1, 2)}, markers=True,
    )  # fmt: skip
    p, q = fig.axes
    assert "least" not in lines(p)
    assert np.array_equal(lines(q)["least"].get_xydata(), [[1.5, 0.25]])
    assert q.get_ylim() == (-1, 2)
    assert lines(p)["f"].get_marker() == lines(q)["f"].get_marker() != "None"
    assert (p.patches[0].get_x(), p.patches[0].get_x() + p.patches[0].get_width()) == (0.5, 1.0)
    assert not q.patches


def test_curves_refuse_a_series_of_another_length():
    refused(
        lambda: figures.curves([0, 1], {"p": {"f": [1, 2, 3]}}, xlabel="x"),
        r"curve 'f' of panel 'p' has shape \(3,\): expected \(2,\)",
    )
    refused(
        lambda: figures.curves([0], {"p": {str(i): [i] for i in range(8)}}, xlabel="x"),
        "8 labels of curves: expected at most 7",
    )


def test_interval_rows_draw_from_the_top():
    intervals = {"null": np.array([[0.0, 0.1, 0.2], [0.3, 0.5, 0.9]])}
    fig = figures.interval_rows([0.7, 0.8], intervals, rows=["first", "second"], xlabel="v", references=[0.5, 0.6])
    ax = fig.axes[0]
    assert ax.get_xscale() == "linear"
    observed = lines(ax)["learned filter"]
    assert np.array_equal(observed.get_xdata(), [0.7, 0.8])
    assert observed.get_ydata()[0] > observed.get_ydata()[1]
    assert np.array_equal(lines(ax)["expected"].get_xdata(), [0.5, 0.6])
    segments = ax.collections[0].get_segments()
    assert [segment[:, 0].tolist() for segment in segments] == [[0.0, 0.2], [0.3, 0.9]]
    labels = dict(zip(ax.get_yticks(), (text.get_text() for text in ax.get_yticklabels()), strict=True))
    assert [labels[y] for y in sorted(labels, reverse=True)] == ["first", "second"]
    log = figures.interval_rows([0.7, 0.8], {"null": intervals["null"] + 0.1}, rows=["a", "b"], xlabel="v", xscale="log")
    assert log.axes[0].get_xscale() == "log"


@pytest.mark.parametrize("x, y", [("central", "identity"), ("identity", "forward"), ("backward", "identity")])
def test_molecules_have_y_up(x, y):
    weights = kf.molecule(x, y)
    ax = figures.molecule_panels({"d": weights}).axes[0]
    drawn = {text.get_position(): text.get_text() for text in ax.texts}
    assert len(drawn) == weights.size == sum(isinstance(patch, Circle) for patch in ax.patches)
    for (u, v), text in drawn.items():
        assert float(text.replace("\u2212", "-").replace("\u00bd", "0.5")) == weights[1 - int(v), 1 + int(u)]
    assert ax.get_xlim() == ax.get_ylim() == (-ax.get_xlim()[1], ax.get_xlim()[1])
    assert not ax.yaxis_inverted()


def test_kernel_stems_draw_every_tap():
    taps = {"a": np.array([0.25, 0.5, 0.25]), "b": np.array([0.0, 1.0, 0.0])}
    ax = figures.kernel_stems({"p": taps}).axes[0]
    for label, values in taps.items():
        drawn = lines(ax)[label]
        assert np.array_equal(drawn.get_ydata(), values)
        assert np.array_equal(np.round(drawn.get_xdata()), [-1, 0, 1])
    assert [segment[1, 1] for segment in ax.collections[1].get_segments()] == [0.0, 1.0, 0.0]


def test_spread_panels_draw_mean_and_ellipse():
    filters = kf.learned_filters()[:2]
    spreads = [kf.spread(h) for h in filters]
    fig = figures.spread_panels(filters, {"raw": spreads})
    for ax, h, measures in zip(fig.axes, filters, spreads, strict=False):
        outline, centre = ax.lines
        assert np.array_equal(centre.get_xydata(), [measures.mean])
        offsets = outline.get_xydata() - measures.mean
        # Every point of the ellipse lies one standard deviation away, in the metric of the covariance.
        distance = np.einsum("ti,ij,tj->t", offsets, np.linalg.inv(measures.covariance), offsets)
        assert np.allclose(distance, 1)
        image = ax.images[0]
        assert np.array_equal(image.get_array(), h)
        assert image.norm.vmin == -image.norm.vmax == -np.abs(h).max()
        assert tuple(image.get_extent()) == (-3.5, 3.5, -3.5, 3.5)
