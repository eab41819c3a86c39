"""The second drawing of a figure, for a phone: nothing is lost, nothing lies on anything else, and its text can be read."""

import io
import re
from operator import itemgetter
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D

from keyfilters_build.narrow import PHONE, SMALLEST, narrow, text_pixels
from keyfilters_build.text_size import size, texts

SVG = "{http://www.w3.org/2000/svg}"


def stored(fig):
    file = io.BytesIO()
    fig.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    return file.getvalue()


def grid(rows, columns, width=7.6, titles="first", label=12):
    """A figure like those of the book: panels without ticks, names of rows at the left, titles of columns."""
    fig = Figure(figsize=(width, rows * width / columns), layout="constrained")
    for row, line in enumerate(fig.subplots(rows, columns, squeeze=False)):
        for column, ax in enumerate(line):
            ax.imshow(np.eye(3))
            ax.set(xticks=[], yticks=[])
            if row == 0 or titles == "all":
                ax.set_title(f"key {column + 1 + (row * columns if titles == 'all' else 0)}", fontsize=label)
            if column == 0:
                ax.set_ylabel(f"row {row}", fontsize=label)
    return stored(fig)


def places(svg):
    """The left and the lower edge of each panel, in points, as they are shown."""
    found = {}
    for axes in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if not (axes.get("id") or "").startswith("axes_"):
            continue
        dx, dy = (float(v) for v in re.findall(r"-?[\d.]+(?:e-?\d+)?", axes.get("transform") or "0 0")[:2])
        x, y = re.match(r"M ([\d.]+) ([\d.]+)", next(axes.iter(f"{SVG}path")).get("d")).groups()
        found[int(axes.get("id").removeprefix("axes_"))] = (round(float(x) + dx, 1), round(float(y) + dy, 1))
    return found


def rows_of(svg):
    """The panels as they are read: line by line, from the left."""
    lines = {}
    for number, place in sorted(places(svg).items(), key=itemgetter(1)):
        lines.setdefault(place[1], []).append(number)
    return [line for _, line in sorted(lines.items())]


def labels(svg):
    return sorted(label for _, label in texts(svg))


@pytest.mark.parametrize(("rows", "columns"), [(1, 8), (3, 5), (2, 9)])
def test_text_is_large_enough_and_no_panel_and_no_word_is_lost(rows, columns):
    wide = grid(rows, columns, width=8.5)
    phone = narrow(wide)
    assert text_pixels(wide) < SMALLEST <= text_pixels(phone) + 0.05
    assert len(set(places(phone).values())) == rows * columns
    assert set(labels(phone)) == set(labels(wide))


def test_rows_are_broken_and_read_in_their_order():
    assert rows_of(narrow(grid(1, 8))) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    # Rows below one title stay together and are named again.
    wide = grid(2, 8)
    phone = narrow(wide)
    assert rows_of(phone) == [[1, 2, 3, 4], [9, 10, 11, 12], [5, 6, 7, 8], [13, 14, 15, 16]]
    assert [labels(phone).count(name) for name in ("row 0", "row 1", "key 5")] == [2, 2, 1]
    assert sum(rows_of(narrow(grid(2, 4, width=8.5, titles="all"))), []) == list(range(1, 9))
    assert narrow(wide) == phone, "the same bytes each time"


def test_the_scale_of_colours_stays_beside_its_panel():
    fig = Figure(figsize=(8.5, 3), layout="constrained")
    for ax in fig.subplots(1, 2):
        fig.colorbar(ax.imshow(np.eye(3)), ax=ax)
    wide, phone = (places(each) for each in (stored(fig), narrow(stored(fig))))
    assert phone[1][0] == pytest.approx(phone[2][0], abs=1) and phone[1][1] < phone[2][1]
    for panel, scale in ((1, 3), (2, 4)):
        assert np.subtract(phone[scale], phone[panel]) == pytest.approx(np.subtract(wide[scale], wide[panel]), abs=0.2)


def axes(width, columns=1):
    fig = Figure(figsize=(width, 3), layout="constrained")
    return fig, fig.subplots(1, columns)


def narrowed(fig):
    """The figure, and its drawing for a phone with all its words at the smallest size."""
    wide = stored(fig)
    phone = narrow(wide)
    assert labels(phone) == labels(wide) and text_pixels(phone) == pytest.approx(SMALLEST, abs=0.2)
    return wide, phone


def test_a_figure_of_one_panel_gets_a_shorter_axis_and_keeps_its_text():
    fig, ax = axes(7)
    ax.plot([0, 1, 2], [0, 1, 0], "o-", label="a curve")
    ax.set(xlabel="position", ylabel="value")
    ax.legend()
    wide, phone = narrowed(fig)
    assert sorted(texts(phone)) == sorted(texts(wide))
    assert size(phone)[0] < size(wide)[0] and size(phone)[1] == pytest.approx(size(wide)[1], abs=0.1)


def test_panels_below_each_other_can_be_drawn_narrower_still():
    """Two panels with long names of their rows: one column is not enough, and the drawing is taken apart a second time."""
    fig, panels = axes(14, 2)
    for ax in panels:
        ax.plot([0, 1], [0, 1])
        ax.set_yticks([0, 1], ["before the training of all", "after the training of all"])
        ax.set_xticks([])
    wide, _ = narrowed(fig)
    assert text_pixels(wide) < SMALLEST - 1


def test_a_picture_that_is_turned_stays_within_the_figure():
    fig, ax = axes(7)
    turned = Affine2D().rotate_deg(30).translate(2, 0) + ax.transData
    ax.imshow(np.eye(4), aspect="auto", interpolation="none", transform=turned)
    ax.set(xlim=(-3, 6), ylim=(-1, 5), xlabel="position")
    wide, phone = narrowed(fig)
    assert b"matrix(" in wide and sorted(texts(phone)) == sorted(texts(wide))


def test_text_that_can_be_read_needs_no_second_drawing_and_none_is_shown_larger_than_it_was_drawn():
    fig, ax = axes(9)
    ax.set(xticks=[], yticks=[])
    assert narrow(grid(2, 4, width=4.5)) is narrow(stored(fig)) is None and text_pixels(stored(fig)) == float("inf")
    small = grid(1, 2, width=2.5)
    assert size(small)[0] * 96 / 72 < PHONE and text_pixels(small) == pytest.approx(16, abs=0.1)
