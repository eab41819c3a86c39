"""The network: a diagram of stages and of one block, budgets of layers, growth of the receptive field."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.style import COLOURS, MARKERS, styled

STAGE_TINTS = ("#E8E8E8", "#D6E6F2", "#FBE0D0", "#D5EEE6", "#F5E0EC", "#E8E8E8")
"""Pale fills of stem, stages and head, on which black text stands out."""

DEPTHWISE_TINT, POINTWISE_TINT = "#FFE9A8", "#E8E8E8"


def _box(ax, x, y, width, height, text, fill, **options):
    ax.add_patch(
        mpl.patches.FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=fill,
            edgecolor="0.25",
            linewidth=1.2,
        )
    )
    ax.text(x, y, text, ha="center", va="center", fontsize=11, **options)


def _arrow(ax, start, end, **options):
    ax.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": "0.25", "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0, **options},
    )


@styled
def network_diagram(layers, dims, depths) -> mpl.figure.Figure:
    """Return the diagram of a ConvNeXt V2: the stages on the left, one block on the right (Figure 3).

    Parameters
    ----------
    layers : sequence of keyfilters_book.paper.architecture.Layer
        Map sizes and kernel sizes are read from it.
    dims, depths : sequence of int
        Channels and blocks of the stages.
    """
    table = list(layers)
    # A line of text in each box, and sizes beside the boxes: the diagram stays readable where a slide or a phone has little height.
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.8, 5.4), width_ratios=(1.35, 1))
    stem = next(layer for layer in table if layer.kind == "stem")
    head = next(layer for layer in table if layer.kind == "head")
    rows = [("image", f"{stem.size * stem.jump} x {stem.size * stem.jump} x 3", "white")]
    rows.append((stem.name, f"{stem.size} x {stem.size} x {dims[0]}", STAGE_TINTS[0]))
    for stage, (dim, depth) in enumerate(zip(dims, depths, strict=True), start=1):
        own = [layer for layer in table if layer.stage == stage]
        between = next((layer.name for layer in own if layer.kind == "between stages"), None)
        if between:
            rows.append((between, "", "white"))
        rows.append((f"stage {stage}: {depth} blocks", f"{own[-1].size} x {own[-1].size} x {dim}", STAGE_TINTS[stage]))
    rows.append(("mean, layer norm., linear", f"{head.parameters // (dims[-1] + 1)} classes", STAGE_TINTS[5]))
    y = np.linspace(len(rows) - 1, 0, len(rows))
    for k, (name, shape, fill) in enumerate(rows):
        _box(left, 0, y[k], 2.2, 0.66, name, fill)
        if shape:
            left.text(1.16, y[k], shape, va="center", fontsize=11)
        if k:
            _arrow(left, (0, y[k - 1] - 0.33), (0, y[k] + 0.33))
    left.set_title("network")
    left.set(xlim=(-1.15, 2.4), ylim=(-0.6, len(rows) - 0.4))

    kernel = next(layer.name for layer in table if layer.kind == "depthwise")
    steps = [
        ("d channels in", "white"), (kernel.replace(" convolution", ""), DEPTHWISE_TINT), ("layer norm.", "white"),
        ("1x1, d to 4d", POINTWISE_TINT), ("GELU", "white"), ("response norm.", "white"),
        ("1x1, 4d to d", POINTWISE_TINT), ("+", "white"),
    ]  # fmt: skip
    y = np.linspace(len(rows) - 1, 0, len(steps))
    for k, (text, fill) in enumerate(steps):
        if text == "+":
            right.plot(0, y[k], "o", markersize=20, markerfacecolor="white", markeredgecolor="0.25", markeredgewidth=1.2)
            right.text(0, y[k], "+", ha="center", va="center", fontsize=14)
            half = 0.22
        else:
            _box(right, 0, y[k], 2.3, 0.66, text, fill)
            half = 0.33
        if k:
            _arrow(right, (0, y[k - 1] - 0.33), (0, y[k] + half))
    # The residual connection runs beside the block, from its input to the sum.
    side = 1.5
    right.plot([1.15, side, side], [y[0], y[0], y[-1]], color="0.25", linewidth=1.4)
    right.text(side + 0.06, (y[0] + y[-1]) / 2, "residual connection", rotation=90, va="center", fontsize=12)
    _arrow(right, (side, y[-1]), (0.19, y[-1]))
    _arrow(right, (0, y[-1] - 0.22), (0, y[-1] - 0.58))
    right.set_title("one block of a stage")
    right.set(xlim=(-1.3, 1.85), ylim=(-0.6, len(rows) - 0.4))
    for ax in (left, right):
        ax.axis("off")
    return fig


@styled
def receptive_field_growth(stage, field, spread, image_size: int) -> mpl.figure.Figure:
    """Return the receptive field after each block: the square that can be reached, and a smoothing width.

    Parameters
    ----------
    stage : array_like, shape (n,)
        Stage (1, 2, ...) of each block, in order.
    field : array_like, shape (n,)
        Side of the receptive field in pixels.
    spread : array_like, shape (n,)
        Width in pixels if every depthwise filter smoothed with the same idealised filter.
    image_size : int
        Side of the image, drawn as a line.
    """
    stage, field, spread = (np.asarray(v) for v in (stage, field, spread))
    block = np.arange(1, len(stage) + 1)
    fig, ax = plt.subplots(figsize=(6.4, 4.4))
    ax.axhline(image_size, color="0.45", linestyle="--", linewidth=1.5)
    ax.text(1, image_size * 1.06, "side of the image", fontsize=11, va="bottom")
    for values, label, linestyle in ((field, "receptive field", "-"), (spread, "smoothing, 4 standard deviations", ":")):
        ax.plot(block, values, color="0.45", linewidth=1.2, linestyle=linestyle, zorder=1, label=label)
    for number in np.unique(stage):
        own = stage == number
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        ax.plot(block[own], field[own], marker, color=colour, markersize=7, label=f"stage {number}")
        ax.plot(block[own], spread[own], marker, color=colour, markersize=5, fillstyle="none")
    ax.set(xlabel="block", ylabel="pixels", yscale="log", xticks=block[::2])
    ax.yaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    ax.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    ax.legend(frameon=False, ncols=2, loc="lower right", columnspacing=1.0)
    return fig
