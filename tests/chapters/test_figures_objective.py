"""Maps of objectives and profiles: what is drawn stands where the data say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from refusals import refused

from keyfilters_book import figures


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


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
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["least", "grid"]
    first, second = lines(fig.axes[0])["least"], lines(fig.axes[1])["least"]
    assert first.get_marker() == second.get_marker() != lines(fig.axes[1])["grid"].get_marker()


def test_a_transposed_map_is_refused(bowl):
    refused(
        lambda: map_figure(figures.MapPanel(bowl.first, bowl.second, bowl.values.T)),
        r"values has shape \(11, 21\): expected \(21, 11\)",
    )


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
    boxes = [text.get_window_extent() for text in fig.axes[0].texts]
    # The extent of an annotation includes its arrow: compare the texts alone.
    texts = [plt.Text.get_window_extent(text) for text in fig.axes[0].texts]
    assert len(boxes) == 8
    for i, a in enumerate(texts):
        assert not any(a.overlaps(b) for b in texts[i + 1 :])


def test_logarithmic_axes_have_plain_ticks():
    x = np.geomspace(0.5, 8, 5)
    fig = figures.profile_panels(figures.ProfilePanel(x, {"f": x**-2.0}), logarithmic="x")
    fig.draw_without_rendering()
    ax = fig.axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert [t.get_text() for t in ax.get_xticklabels() if 0.5 <= t.get_position()[0] <= 8] == ["0.5", "1", "2", "5"]


def test_profiles_refuse_a_curve_of_another_length():
    refused(
        lambda: figures.profile_panels(figures.ProfilePanel([0, 1], {"f": [1, 2, 3]}, "p")),
        r"curve 'f' of panel 'p' has shape \(3,\): expected \(2,\)",
    )
    refused(
        lambda: figures.profile_panels(figures.ProfilePanel([0], {str(i): [i] for i in range(8)})),
        "8 labels: expected at most 7",
    )
