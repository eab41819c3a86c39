"""Galleries, nulls, maps of shifts and offsets draw the data they are given."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from refusals import refused

from keyfilters import learned_filters
from keyfilters_book.figures.clusters import key_gallery, null_dots, offset_rows, shift_panels


def test_the_gallery_draws_each_filter_with_its_own_limits():
    filters = learned_filters()
    rows = {"eight": filters, "found": [*(3 * filters[:2, 2:5, 2:5]), None]}
    fig = key_gallery(rows, notes={"found": ["0.9", "0.8", ""]})
    axes = np.array(fig.axes).reshape(2, 8)
    assert [ax.get_title() for ax in axes[0]] == [f"key {k}" for k in range(1, 9)]
    for k in range(2):
        for ax, h in ((axes[0, k], filters[k]), (axes[1, k], 3 * filters[k, 2:5, 2:5])):
            (image,) = ax.images
            assert np.array_equal(image.get_array(), h)
            assert image.get_clim() == (-np.abs(h).max(), np.abs(h).max())
    assert not axes[1, 2].images and not axes[1, 7].images
    assert [axes[1, k].get_xlabel() for k in range(2)] == ["0.9", "0.8"]
    assert [axes[i, 0].get_ylabel() for i in range(2)] == ["eight", "found"]


GROUPS = {
    "3x3": [{"label": "a", "observed": 0.7, "random": 0.5, "lines": 0.8, "low": 0.6, "high": 0.75}],
    "5x5": [
        {"label": "b", "observed": 0.6, "random": 0.2, "lines": 0.7},
        {"label": "c", "observed": 0.5, "random": 0.1, "lines": 0.65},
    ],
}


def test_nulls_stand_on_the_line_of_their_row():
    fig = null_dots(
        GROUPS, nulls={"random": "random 8", "lines": "best 8 lines"}, xlabel="share", observed_label="keys", xlim=(0, 1)
    )
    for ax, (title, rows) in zip(fig.axes, GROUPS.items(), strict=True):
        assert ax.get_title() == title
        assert [t.get_text() for t in ax.get_yticklabels()] == [row["label"] for row in rows]
        drawn = {line.get_label(): line for line in ax.lines}
        for name, label in (("observed", "keys"), ("random", "random 8"), ("lines", "best 8 lines")):
            np.testing.assert_array_equal(
                drawn[label].get_xydata(), [(row[name], y) for row, y in zip(rows, ax.get_yticks(), strict=True)]
            )
        assert ax.get_xlim() == (0, 1)
    (interval,) = fig.axes[0].collections
    np.testing.assert_array_equal(interval.get_segments()[0], [[0.6, 0], [0.75, 0]])
    assert not fig.axes[1].collections
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["keys", "random 8", "best 8 lines"]


def test_more_nulls_than_markers_are_refused():
    refused(
        lambda: null_dots(GROUPS, nulls=dict.fromkeys("abcdefg", ""), xlabel="", observed_label=""),
        "7 nulls: expected at most 6",
    )


def test_a_map_has_y_up_and_its_marks_in_place():
    x, y = np.linspace(-1, 1, 5), np.linspace(-0.5, 0.5, 3)
    values = np.arange(15.0).reshape(3, 5)
    mark = {"best": (-0.5, 0.5), "expected": (-0.4, 0.3), "low": (-0.6, 0.4), "high": (-0.3, 0.5)}
    fig = shift_panels({"layer": (x, y, values)}, marks={"layer": mark})
    ax = next(a for a in fig.axes if a.get_title(loc="left") == "layer")
    (image,) = ax.images
    assert image.origin == "lower" and np.array_equal(image.get_array(), values)
    # Pixels are centred on their shifts.
    assert image.get_extent() == pytest.approx([-1.25, 1.25, -0.75, 0.75])
    points = [tuple(line.get_xydata()[0]) for line in ax.lines if len(line.get_xydata()) == 1]
    assert points == [(-0.4, 0.3), (-0.4, 0.3), (-0.5, 0.5)]
    (box,) = [p for p in ax.patches if isinstance(p, Rectangle)]
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == pytest.approx((-0.6, 0.4, 0.3, 0.1))


def test_offsets_have_their_intervals_and_the_expected_crosses():
    values = np.array([[-0.6, -0.5, -0.4], [0.0, 0.1, 0.2]])
    panels = {"x": {"measured": values, "expected": [-0.5, 0.0]}, "y": {"measured": -values[:, ::-1], "expected": [0.5, 0.0]}}
    fig = offset_rows(["first", "second"], panels, xlabel="pixels", labels=["measured", "expected"], limits=(-1, 1))
    left, right = fig.axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["first", "second"]
    measured, expected = left.lines[1:]
    np.testing.assert_array_equal(measured.get_xydata(), [[-0.5, 1], [0.1, 0]])
    np.testing.assert_array_equal(expected.get_xydata(), [[-0.5, 1], [0.0, 0]])
    assert [s.tolist() for s in left.collections[0].get_segments()] == [[[-0.6, 1], [-0.4, 1]], [[0, 0], [0.2, 0]]]
    np.testing.assert_array_equal(right.lines[1].get_xdata(), [0.5, -0.1])
    assert left.get_xlim() == (-1, 1)
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["measured", "expected"]
