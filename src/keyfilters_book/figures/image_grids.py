"""Grids of small colour images with labelled rows and columns; ranges of several series, row by row."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.style import COLOURS, MARKERS, styled

from .panels import lines_behind


def stretched(image, quantile: float = 0.995) -> np.ndarray:
    """Return an image for display: values of 0 become mid-grey, the quantile of the absolute values black or white.

    Parameters
    ----------
    image : array_like, shape (3, rows, columns)
        Colours about 0.
    quantile : float

    Returns
    -------
    ndarray, shape (rows, columns, 3)
        From 0 to 1.

    Raises
    ------
    ValueError
        If it is no colour image.

    Examples
    --------
    >>> stretched(np.array([-2.0, 0.0, 2.0]).reshape(3, 1, 1), 1.0)
    array([[[0. , 0.5, 1. ]]])
    """
    x = np.asarray(image, dtype=float)
    if x.ndim != 3 or len(x) != 3:
        raise ValueError(f"the image has shape {x.shape}: expected (3, rows, columns)")
    limit = float(np.quantile(np.abs(x), quantile)) or 1.0
    return (np.clip(x.transpose(1, 2, 0) / limit, -1, 1) + 1) / 2


@styled
def image_grid(
    rows, columns, *, groups=None, gap: float = 0.25, panel: float = 1.05, label_width: float = 0.95, as_is=()
) -> mpl.figure.Figure:
    """Return rows of colour images, row 0 of each image on top.

    Parameters
    ----------
    rows : dict of str to sequence of array_like, shape (3, rows, columns)
        Label to images with colours about 0; None leaves a place empty.
    columns : sequence of str
        Heading of each column.
    groups : dict of str to int, optional
        Heading over so many columns, from the left; a gap divides the groups.
    gap : float
        Width of that gap over that of an image.
    panel, label_width : float
        Inches.
    as_is : sequence of int
        Columns whose images are shown as they are, -1 black and 1 white; others are :func:`stretched`.

    Raises
    ------
    ValueError
        If a row has not one image for each column, or the groups do not add up to the columns.
    """
    columns, groups = list(columns), dict(groups or {"": len(columns)})
    if sum(groups.values()) != len(columns):
        raise ValueError(f"groups has {sum(groups.values())} columns: expected {len(columns)}, as many as there are headings")
    for label, images in rows.items():
        if len(images) != len(columns):
            raise ValueError(f"row {label!r} has {len(images)} images: expected {len(columns)}, one for each column")
    widths, owner, place = [], [], {}
    for name, count in groups.items():
        if widths:
            widths.append(gap)
        place[name] = len(widths), len(widths) + count - 1
        owner += range(len(widths), len(widths) + count)
        widths += [1.0] * count
    head = 0.08 + 0.18 * (1 + max(text.count("\n") for text in columns))
    heading = 0.24 if any(groups) else 0.0
    size = (panel * sum(widths) + label_width, panel * len(rows) + head + heading)
    fig = plt.figure(figsize=size, layout="none")
    left, top = label_width / size[0], 1 - (head + heading) / size[1]
    grid = fig.add_gridspec(
        len(rows), len(widths), width_ratios=widths, wspace=0.05, hspace=0.05, left=left, right=0.995, top=top, bottom=0.005
    )
    for i, (label, images) in enumerate(rows.items()):
        for j, image in enumerate(images):
            ax = fig.add_subplot(grid[i, owner[j]])
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if image is not None:
                shown = (np.clip(np.asarray(image).transpose(1, 2, 0), -1, 1) + 1) / 2 if j in as_is else stretched(image)
                ax.imshow(shown, interpolation="nearest")
            if i == 0:
                ax.set_title(columns[j], fontsize=11, pad=3)
            if j == 0:
                ax.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=6)
    for name, (first, last) in place.items():
        boxes = [grid[0, k].get_position(fig) for k in (first, last)]
        fig.text(
            (boxes[0].x0 + boxes[1].x1) / 2, 1 - 0.02 / size[1], name, ha="center", va="top", fontsize=12, fontweight="bold"
        )
    return fig


@styled
def range_rows(series, rows, *, xlabel: str, width: float = 6.4, row_height: float = 0.85) -> mpl.figure.Figure:
    """Return one row per entry and, within it, one line per series: a range with a point in it.

    Parameters
    ----------
    series : dict of str to array_like, shape (k, 3)
        Label to middle, lower and upper end per row.
    rows : sequence of str, length k
        From the top; lines divide them.
    xlabel : str
    width, row_height : float
        Of the figure and of each row, in inches.

    Raises
    ------
    ValueError
        If a series has not one triple per row.
    """
    rows = list(rows)
    fig, ax = plt.subplots(figsize=(width, row_height * len(rows) + 1.2))
    step = 0.8 / len(series)
    for i, (label, values) in enumerate(series.items()):
        array = np.asarray(values, dtype=float)
        if array.shape != (len(rows), 3):
            raise ValueError(
                f"series {label!r} has shape {array.shape}: expected ({len(rows)}, 3), middle, lower and upper end of each row"
            )
        y = np.arange(len(rows)) + step * (i - (len(series) - 1) / 2)
        ax.hlines(y, array[:, 1], array[:, 2], color=COLOURS[i], linewidth=3.5, alpha=0.45)
        ax.plot(array[:, 0], y, linestyle="none", marker=MARKERS[i], markersize=7, color=COLOURS[i], label=label)
    ax.hlines(np.arange(1, len(rows)) - 0.5, 0, 1, color="0.75", linewidth=0.9, transform=ax.get_yaxis_transform())
    ax.set(xlabel=xlabel, yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.5, -0.5))
    lines_behind(ax, "x")
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig
