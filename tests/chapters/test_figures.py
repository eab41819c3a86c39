"""The figures draw the data that they are given, and refuse what does not fit."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from each import each
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Rectangle
from refusals import refused

import keyfilters as kf
from keyfilters import learned_filters
from keyfilters_book import figures
from keyfilters_book.figures.clusters import key_gallery, null_dots, offset_rows, shift_panels
from keyfilters_book.paper import architecture


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()]


def texts(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


@pytest.mark.parametrize(("name", "size"), [("tiny", 224), ("nano", 384)])
def test_diagram_names_every_stage_with_its_map(name, size):
    net = architecture.network_size(name)
    fig = figures.network_diagram(architecture.layers(net, size), net.dims, net.depths)
    shown = texts(fig.axes[0])
    sizes = dict(zip(shown, shown[1:], strict=False))  # beside its box
    for stage, (depth, dim) in enumerate(zip(net.depths, net.dims, strict=True), start=1):
        side = size // 2 ** (stage + 1)
        assert sizes[f"stage {stage}: {depth} blocks"] == f"{side} x {side} x {dim}"
    assert shown[:2] == ["image", f"{size} x {size} x 3"]
    assert shown.count("2x2 convolution, stride 2") == 3
    assert shown[-1].endswith("1000 classes")


def test_diagram_of_a_block_is_in_the_order_of_the_layers():
    net = architecture.network_size("tiny")
    fig = figures.network_diagram(architecture.layers(net, kernel=5), net.dims, net.depths)
    shown = texts(fig.axes[1])
    order = ["5x5 depthwise", "layer norm.", "1x1, d to 4d", "GELU", "response norm.", "1x1, 4d to d", "+"]
    assert [text for text in shown if text in order] == order


def test_receptive_fields_are_drawn_per_stage():
    stage, field, spread = [1, 1, 2], [28, 52, 80], [9.0, 13.0, 21.0]
    ax = figures.receptive_field_growth(stage, field, spread, 64).axes[0]
    assert lines(ax)["receptive field"].get_xydata().tolist() == [[1, 28], [2, 52], [3, 80]]
    assert lines(ax)["stage 2"].get_xydata().tolist() == [[3, 80]]
    assert lines(ax)["smoothing, 4 standard deviations"].get_ydata().tolist() == spread
    assert ax.lines[0].get_ydata()[0] == 64


def test_the_gallery_draws_each_filter_with_its_own_limits():
    filters = learned_filters()
    rows = {"eight": filters, "found": [*(3 * filters[:2, 2:5, 2:5]), None]}
    fig = key_gallery(rows, notes={"found": ["0.9", "0.8", ""]})
    axes = np.array(fig.axes).reshape(2, 8)
    assert [ax.get_title() for ax in axes[0]] == [f"key {k}" for k in range(1, 9)]
    for ax, h in zip(axes[:, :2].flat, [*filters[:2], *(3 * filters[:2, 2:5, 2:5])], strict=True):
        (image,) = ax.images
        assert np.array_equal(image.get_array(), h) and image.get_clim() == (-np.abs(h).max(), np.abs(h).max())
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
        for name, label in (("observed", "keys"), ("random", "random 8"), ("lines", "best 8 lines")):
            expected = [(row[name], y) for row, y in zip(rows, ax.get_yticks(), strict=True)]
            assert np.array_equal(lines(ax)[label].get_xydata(), expected)
        assert ax.get_xlim() == (0, 1)
    (interval,) = fig.axes[0].collections
    np.testing.assert_array_equal(interval.get_segments()[0], [[0.6, 0], [0.75, 0]])
    assert not fig.axes[1].collections
    assert legend(fig) == ["keys", "random 8", "best 8 lines"]


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
    assert legend(fig) == ["measured", "expected"]


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
    assert legend(fig) == ["a", "b"]


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


def test_images_share_their_limits():
    fig = figures.image_panels({"dark": np.zeros((3, 4)), "light": np.full((3, 4), 2.0)}, rows_marked=[1])
    shown = [ax.images[0] for ax in fig.axes]
    assert [image.get_clim() for image in shown] == [(0.0, 2.0), (0.0, 2.0)]
    assert np.array_equal(shown[1].get_array(), np.full((3, 4), 2.0))
    assert all(set(line.get_ydata()) == {1} for line in fig.axes[0].lines) and len(fig.axes[0].lines) == 2
    # Row 0 is on top.
    assert fig.axes[0].get_ylim()[0] > fig.axes[0].get_ylim()[1]


def test_limits_can_be_given():
    fig = figures.image_panels({str(i): np.eye(3) for i in range(3)}, limits=(-1, 1))
    assert all(ax.images[0].get_clim() == (-1, 1) for ax in fig.axes if ax.images)
    assert [bool(ax.images) for ax in fig.axes] == [True, True, True, False]


@pytest.fixture
def bowl():
    first, second = np.linspace(0, 1, 11), np.linspace(2, 4, 21)
    values = (first - 0.3) ** 2 + (second[:, None] - 2.5) ** 2
    return figures.MapPanel(first, second, values, "bowl", {"least": (0.3, 2.5)}, values < 0.02)


def map_figure(panels):
    return figures.objective_map_figure(panels, first_label="a", second_label="b", value_label="f")


def test_the_second_parameter_grows_upwards(bowl):
    ax = map_figure(bowl).axes[0]
    mesh = ax.collections[0]
    assert np.array_equal(np.ma.getdata(mesh.get_array()).reshape(21, 11), bowl.values)
    corners = mesh.get_coordinates()
    # Each grid point is the centre of its cell.
    assert np.allclose((corners[:-1, :-1] + corners[1:, 1:]) / 2, np.stack(np.meshgrid(bowl.first, bowl.second), -1))
    assert not ax.yaxis_inverted()
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("a", "b", "bowl")
    assert lines(ax)["least"].get_xydata().tolist() == [[0.3, 2.5]]


def test_contours_lie_on_their_levels_and_open_cells_are_outlined(bowl):
    ax = map_figure(bowl).axes[0]
    contours, outline = ax.collections[1], ax.collections[2]
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        for x, y in path.vertices:
            # Linear interpolation along the edges of the grid: within the bend of a parabola over one cell.
            assert abs((x - 0.3) ** 2 + (y - 2.5) ** 2 - level) <= 0.1**2 / 4 + 1e-12
    vertices = np.concatenate([path.vertices for path in outline.get_paths()])
    rows, columns = np.nonzero(bowl.open_cells)
    for axis, indices, grid in ((0, columns, bowl.first), (1, rows, bowl.second)):
        half = (grid[1] - grid[0]) / 2
        assert vertices[:, axis].min() == pytest.approx(grid[indices.min()] - half, abs=half / 8)
        assert vertices[:, axis].max() == pytest.approx(grid[indices.max()] + half, abs=half / 8)


def test_panels_share_one_legend(bowl):
    other = figures.MapPanel(bowl.first, bowl.second, bowl.values, points={"grid": (0.5, 3.0), "least": (0.3, 2.5)})
    fig = map_figure([bowl, other])
    assert legend(fig) == ["least", "grid"]
    first, second = lines(fig.axes[0])["least"], lines(fig.axes[1])["least"]
    assert first.get_marker() == second.get_marker() != lines(fig.axes[1])["grid"].get_marker()


def test_profiles_draw_curves_points_marks_and_kinks():
    x = np.linspace(1, 2, 5)
    panel = figures.ProfilePanel(
        x,
        {"f": x**2},
        "p",
        points=((1.5, 2.25, "here"), (1.6, 2.56, "there")),
        marks={"m": (1.25, 1.5), "s": (x, -x)},
        kinks=(1.7,),
    )
    fig = figures.profile_panels([panel, figures.ProfilePanel(x, {"f": -x}, ylabel="own")], xlabel="u", ylabel="v")
    left, right = fig.axes
    drawn = lines(left)
    assert np.array_equal(drawn["f"].get_xydata(), np.stack([x, x**2], 1))
    assert drawn["m"].get_xydata().tolist() == [[1.25, 1.5]]
    assert np.array_equal(drawn["s"].get_ydata(), -x)
    assert {text.get_text(): tuple(text.xy) for text in left.texts} == {"here": (1.5, 2.25), "there": (1.6, 2.56)}
    assert any(np.array_equal(line.get_xdata(), [1.7, 1.7]) for line in left.lines)
    assert (left.get_ylabel(), right.get_ylabel(), right.get_xlabel()) == ("v", "own", "u")
    assert lines(right)["f"].get_color() == drawn["f"].get_color()


def test_labels_of_crowded_points_do_not_collide():
    x = np.linspace(0, 1, 5)
    points = tuple((0.5 + 0.001 * i, 0.5, f"k{i}") for i in range(8))
    fig = figures.profile_panels(figures.ProfilePanel(x, {"f": x}, points=points))
    fig.draw_without_rendering()
    # The extent of an annotation includes its arrow: compare the texts alone.
    boxes = [plt.Text.get_window_extent(text) for text in fig.axes[0].texts]
    assert len(boxes) == 8 and not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_logarithmic_axes_have_plain_ticks():
    x = np.geomspace(0.5, 8, 5)
    fig = figures.profile_panels(figures.ProfilePanel(x, {"f": x**-2.0}), logarithmic="x")
    fig.draw_without_rendering()
    ax = fig.axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert [t.get_text() for t in ax.get_xticklabels() if 0.5 <= t.get_position()[0] <= 8] == ["0.5", "1", "2", "5"]


TABLE = pd.DataFrame(
    [("A", 1, 0.5, 0.7), ("A", 5, 1.0, 1.1), ("B", 1, 0.6, 0.0), ("B", 5, 1.2, 1.3)],
    columns=["method", "key", "sigma_x", "sigma_y"],
)


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


def test_scales_stand_beside_each_other_above_their_key():
    fig = figures.scales_by_method(TABLE)
    for ax, column in zip(fig.axes, ("sigma_x", "sigma_y"), strict=True):
        drawn = lines(ax)
        for method in ("A", "B"):
            rows = TABLE[TABLE.method == method]
            assert np.array_equal(drawn[method].get_ydata(), rows[column])
            assert np.array_equal(np.round(drawn[method].get_xdata()), [0, 1])
        assert not np.intersect1d(drawn["A"].get_xdata(), drawn["B"].get_xdata()).size
    assert [t.get_text() for t in fig.axes[1].get_xticklabels()] == ["1", "5"]
    assert legend(fig) == ["A", "B"]


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
    assert legend(fig) == ["key 1", "key 8", "sum"]


def test_pooled_objectives_give_seven_keys_seven_colours():
    sigma = np.linspace(0, 1, 5)
    fig = figures.pooled_objectives({"all": sigma}, {"all": {k: sigma * k for k in range(1, 8)}})
    assert len({to_rgb(handle.get_color()) for handle in fig.legends[0].legend_handles}) == 8


X3, MANY = [0, 1, 2], {str(i): [i] for i in range(8)}


@each(("call", "words"), [
    (lambda: null_dots(GROUPS, nulls=dict.fromkeys("abcdefg", ""), xlabel="", observed_label=""), "7 nulls: expected at most 6"),
    (lambda: figures.curves([0, 1], {"p": {"f": X3}}, xlabel="x"), r"curve 'f' of panel 'p' has shape \(3,\): expected \(2,\)"),
    (lambda: figures.curves([0], {"p": MANY}, xlabel="x"), "8 labels of curves: expected at most 7"),
    (lambda: map_figure(figures.MapPanel(np.arange(2), np.arange(3), np.ones((2, 3)))), r"values has shape \(2, 3\): expected \(3, 2\)"),
    (lambda: figures.profile_panels(figures.ProfilePanel([0, 1], {"f": X3}, "p")), r"curve 'f' of panel 'p' has shape \(3,\): expected \(2,\)"),
    (lambda: figures.profile_panels(figures.ProfilePanel([0], MANY)), "8 labels: expected at most 7"),
    (lambda: figures.scales_by_method(pd.DataFrame({"method": list("abcdefgh"), "key": 1, "sigma_x": 1.0, "sigma_y": 1.0})), "8 methods: expected at most 7"),
    (lambda: figures.pooled_objectives({"g": X3}, {"g": {3: [1, 2]}}), r"curve of key 3 in panel 'g' has shape \(2,\): expected \(3,\), that of sigma"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(call, words):
    refused(call, words)
