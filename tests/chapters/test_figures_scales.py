"""The figures of scales and of methods draw the numbers they are given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from refusals import refused

from keyfilters_book import figures


@pytest.fixture
def table():
    rows = [("A", 1, 0.5, 0.7), ("A", 5, 1.0, 1.1), ("B", 1, 0.6, 0.0), ("B", 5, 1.2, 1.3)]
    return pd.DataFrame(rows, columns=["method", "key", "sigma_x", "sigma_y"])


def test_heat_maps_print_every_number_in_its_cell():
    frame = pd.DataFrame([[0.1, np.nan], [0.25, 0.5]], index=["A", "B"], columns=pd.Index([1, 2], name="key"))
    fig = figures.method_heatmaps({"left": frame, "right": 2 * frame}, formats={"left": "{:.2f}", "right": "{:.1f}"}, columns=2)
    left, right = fig.axes
    assert {(t.get_position(), t.get_text()) for t in left.texts} == {((0, 0), "0.10"), ((0, 1), "0.25"), ((1, 1), "0.50")}
    assert {t.get_text() for t in right.texts} == {"0.2", "0.5", "1.0"}
    assert [t.get_text() for t in left.get_yticklabels()] == ["A", "B"]
    assert left.get_xlabel() == "key"
    # Black on the bright end of the colour map, white on the dark one.
    colours = {t.get_text(): t.get_color() for t in left.texts}
    assert colours["0.50"] == "black" and colours["0.10"] == "white"


def test_scales_stand_beside_each_other_above_their_key(table):
    fig = figures.scales_by_method(table)
    for ax, column in zip(fig.axes, ("sigma_x", "sigma_y"), strict=True):
        drawn = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
        for method in ("A", "B"):
            rows = table[table.method == method]
            assert np.array_equal(drawn[method].get_ydata(), rows[column])
            assert np.array_equal(np.round(drawn[method].get_xdata()), [0, 1])
        assert not np.intersect1d(drawn["A"].get_xdata(), drawn["B"].get_xdata()).size
    assert [t.get_text() for t in fig.axes[1].get_xticklabels()] == ["1", "5"]
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["A", "B"]


def test_scales_of_too_many_methods_are_refused(table):
    many = pd.concat([table.assign(method=str(i)) for i in range(8)])
    refused(lambda: figures.scales_by_method(many), "8 methods: expected at most 7")


def test_pooled_objective_is_the_sum_with_its_minimum():
    sigma = np.linspace(0, 1, 11)
    curves = {1: (sigma - 0.2) ** 2, 8: 3 * (sigma - 0.6) ** 2}
    fig = figures.pooled_objectives({"group": sigma}, {"group": curves})
    ax = fig.axes[0]
    total = next(line for line in ax.lines if line.get_linewidth() == 2.6)
    assert np.allclose(total.get_ydata(), curves[1] + curves[8])
    star = next(line for line in ax.lines if line.get_marker() == "*")
    assert star.get_xdata()[0] == pytest.approx(0.5)
    minima = sorted(line.get_xdata()[0] for line in ax.lines if line.get_marker() not in ("None", "*"))
    assert np.allclose(minima, [0.2, 0.6])
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["key 1", "key 8", "sum"]


def test_pooled_objectives_give_seven_keys_seven_colours():
    sigma = np.linspace(0, 1, 5)
    fig = figures.pooled_objectives({"all": sigma}, {"all": {k: sigma * k for k in range(1, 8)}})
    handles = fig.legends[0].legend_handles
    assert len({to_rgb(handle.get_color()) for handle in handles}) == 8


def test_pooled_objectives_refuse_a_curve_of_another_length():
    refused(
        lambda: figures.pooled_objectives({"g": [0, 1, 2]}, {"g": {3: [1, 2]}}),
        r"curve of key 3 in panel 'g' has shape \(2,\): expected \(3,\), that of sigma",
    )
