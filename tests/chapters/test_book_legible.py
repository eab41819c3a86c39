"""The size of text in figures, and what is mended in the built pages."""

import io
import math
import re

import matplotlib as mpl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from keyfilters_build.accessible import MENDS, mend_page
from keyfilters_build.narrow import narrow
from keyfilters_build.text_size import COLUMN, FLOOR, legible_width, size, texts, too_small


def svg_of(fig, fonttype="path"):
    stored = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": fonttype}):
        fig.savefig(stored, format="svg", metadata={"Date": None})
    return stored.getvalue()


def drawn(width=6.0, label=12.0, fonttype="path", text="scale"):
    fig = Figure(figsize=(width, 3))
    fig.text(0.5, 0.5, text, fontsize=label)
    fig.text(0.5, 0.2, "large", fontsize=30)
    return svg_of(fig, fonttype)


def panels(columns):
    fig = Figure(figsize=(9, 2))
    for ax in fig.subplots(1, columns):
        ax.set(title="panel", xticks=[], yticks=[])
    return svg_of(fig)


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(["path", "none"]), st.floats(5, 20).map(lambda v: round(v, 1)), st.sampled_from(["scale", r"$\sigma_x^2$"])
)
def test_sizes_of_texts_are_those_drawn(fonttype, label, text):
    svg = drawn(6, label, fonttype, text)
    assert sorted(points for points, _ in texts(svg)) == pytest.approx([label, 30], abs=0.01)
    assert size(svg) == pytest.approx((432, 216))
    # At the width returned, the smallest text has the floor.
    assert label * legible_width(svg) / (432 * 96 / 72) == pytest.approx(FLOOR, rel=0.01)


def test_text_too_small_for_the_page_is_named_and_a_figure_without_text_may_have_any_width():
    empty = svg_of(Figure(figsize=(3, 3)))
    assert legible_width(empty) == 0 and too_small(empty) == ""
    narrowest = FLOOR * 6 * 96 / COLUMN
    assert too_small(drawn(6, math.ceil(narrowest * 10) / 10)) == ""
    assert re.fullmatch("the text 'scale' of 6 pt would be shown with 7.0 pt.*larger text", too_small(drawn(6, 6)))


FIGURE = '<figure class="align-default" id="fig-a">\n<img alt="A line." src="../_images/a.png"/>\n<figcaption>C.</figcaption>\n</figure>'


def test_a_figure_gets_a_box_with_its_width(tmp_path):
    (tmp_path / "data" / "one").mkdir(parents=True)
    (tmp_path / "data" / "one" / "fig-a.svg").write_bytes(drawn())
    mended = mend_page(FIGURE, tmp_path / "notebooks" / "one.html", tmp_path / "data")
    box = f'<div class="figure-box"><img alt="A line." src="../_images/a.png" style="--legible: {legible_width(drawn())}px"></div>'
    assert box in mended and mended.replace(box, "") == FIGURE.replace('<img alt="A line." src="../_images/a.png"/>', "")


def test_a_figure_too_wide_for_a_phone_gets_a_second_drawing(tmp_path):
    (tmp_path / "data" / "one").mkdir(parents=True)
    (tmp_path / "html" / "_images").mkdir(parents=True)
    (tmp_path / "data" / "one" / "fig-a.svg").write_bytes(panels(8))
    mended = mend_page(FIGURE, tmp_path / "html" / "notebooks" / "one.html", tmp_path / "data")
    [address] = re.findall(r'<picture><source media="[(]max-width: 575px[)]" srcset="([^"]+)"><img ', mended)
    drawing = (tmp_path / "html" / "notebooks" / address).read_bytes()
    assert drawing == narrow(panels(8)) and f"--phone: {legible_width(drawing)}px" in mended


def test_a_figure_that_no_notebook_stored_stays_as_it_is(tmp_path):
    assert mend_page(FIGURE, tmp_path / "one.html", tmp_path / "data") == FIGURE


def test_mends_are_idempotent_and_say_why(tmp_path):
    table = '<th class="head"><p></p></th><th class="head text-right"><p>key</p></th><th class="stub"><p>A</p></th>'
    once = mend_page(table, tmp_path / "one.html", tmp_path)
    assert once == (
        '<td class="head"></td><th class="head text-right" scope="col"><p>key</p></th><th class="stub" scope="row"><p>A</p></th>'
    )
    assert mend_page(once, tmp_path / "one.html", tmp_path) == once
    assert all(mend.why for mend in MENDS)
