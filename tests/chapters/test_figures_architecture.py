"""The figures of the network show what the table of layers says."""

import pytest

from keyfilters_book import figures
from keyfilters_book.paper import architecture


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
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["receptive field"].get_xydata().tolist() == [[1, 28], [2, 52], [3, 80]]
    assert lines["stage 2"].get_xydata().tolist() == [[3, 80]]
    assert lines["smoothing, 4 standard deviations"].get_ydata().tolist() == spread
    assert ax.lines[0].get_ydata()[0] == 64
