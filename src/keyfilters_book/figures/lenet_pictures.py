"""LeNet-5's pictures: output codes, kernels before and after training, what a unit sees, ranks and costs."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.heatmaps import draw_filter
from keyfilters.figures.style import COLOURS, MARKERS, styled, symmetric_limit

from .curves import DASHES
from .panels import panel_grid


@styled
def code_panels(codes, titles, *, shape=(12, 7), columns: int = 5, panel: float = 1.15) -> mpl.figure.Figure:
    """Return codes of +1 (black) and -1 (white) as small pictures.

    Parameters
    ----------
    codes : array_like, shape (K, rows * columns of a picture)
    titles : sequence of str, length K
    shape : (int, int)
        Rows and columns of a picture.
    columns : int
        Panels per row.
    panel : float
        Width of a panel in inches.
    """
    pictures = np.asarray(codes).reshape(-1, *shape)
    fig, axes = panel_grid(len(pictures), columns, (panel, panel * shape[0] / shape[1] * 0.8 + 0.35))
    for ax, picture, title in zip(axes.flat, pictures, titles, strict=False):
        ax.imshow(picture, cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
        ax.set(title=title, xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color="0.6", linewidth=0.8)
    return fig


@styled
def kernels_before_after(runs, *, columns=None, panel: float = 0.78) -> mpl.figure.Figure:
    """Return two rows of kernels per run, before and after training; a kernel keeps its colour limits.

    Parameters
    ----------
    runs : dict of str to (before, after), each shape (K, n, n)
    columns : sequence of str, optional
        Titles of the K columns; default map 1, map 2, ...
    panel : float
        Width of a panel in inches.
    """
    count = len(next(iter(runs.values()))[0])
    columns = [f"map {k}" for k in range(1, count + 1)] if columns is None else columns
    fig, axes = plt.subplots(2 * len(runs), count, figsize=(panel * count + 1.5, panel * 2 * len(runs) + 0.4), squeeze=False)
    for place, (label, (before, after)) in enumerate(runs.items()):
        for k in range(count):
            limit = symmetric_limit([before[k], after[k]])
            for row, kernel in ((2 * place, before[k]), (2 * place + 1, after[k])):
                draw_filter(axes[row, k], kernel, limit)
        for row, word in ((2 * place, "before"), (2 * place + 1, "after")):
            axes[row, 0].set_ylabel(f"{label}\n{word}", rotation=0, ha="right", va="center", labelpad=8)
    for ax, title in zip(axes[0], columns, strict=True):
        ax.set_title(title)
    return fig


@styled
def connection_maps(weights, *, width: float = 7.0) -> mpl.figure.Figure:
    """Return the kernels of a layer with a connection table, one panel per set of weights, all with the same limits.

    Rows are input maps, columns output maps; a pair that is not connected stays grey.

    Parameters
    ----------
    weights : dict of str to array_like, shape (d_out, d_in, n, n)
        Title to weights; kernels that are exactly zero are taken for absent ones.
    width : float
        Inches.
    """
    arrays = {title: np.asarray(w, dtype=float) for title, w in weights.items()}
    limit = symmetric_limit(np.concatenate([w.ravel() for w in arrays.values()]))
    outputs, inputs, side, _ = next(iter(arrays.values())).shape
    step = side + 1
    fig, axes = plt.subplots(
        len(arrays), 1, figsize=(width, len(arrays) * (width * inputs / outputs * 0.92 + 0.3)), squeeze=False
    )
    colours = mpl.colormaps["RdBu_r"].with_extremes(bad="0.85")
    image = None
    for ax, (title, w) in zip(axes[:, 0], arrays.items(), strict=True):
        sheet = np.full((inputs * step, outputs * step), np.nan)
        for o in range(outputs):
            for i in range(inputs):
                if w[o, i].any():
                    sheet[i * step : i * step + side, o * step : o * step + side] = w[o, i]
        image = ax.imshow(sheet, cmap=colours, vmin=-limit, vmax=limit, interpolation="nearest")
        centre = (side - 1) / 2
        ax.set(title=title, yticks=np.arange(inputs) * step + centre, yticklabels=range(1, inputs + 1), ylabel="map of S2")
        ax.set(xticks=np.arange(outputs) * step + centre, xticklabels=range(1, outputs + 1))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[-1, 0].set_xlabel("map of C3")
    fig.colorbar(image, ax=axes[:, 0], shrink=0.7, label="weight")
    return fig


@styled
def gradient_panels(images, layers, *, panel: float = 1.15) -> mpl.figure.Figure:
    """Return, for several images, the pictures by which units of several layers multiply them to first order.

    Parameters
    ----------
    images : array_like, shape (N, rows, columns)
    layers : dict of str to array_like, shape (N, n, n)
        Label to gradients; a row of panels shares its limits.
    panel : float
        Width of a panel in inches.
    """
    images = np.asarray(images)
    size = panel * len(images) + 1.6, panel * (1 + len(layers)) + 0.1
    fig, axes = plt.subplots(1 + len(layers), len(images), figsize=size, squeeze=False)
    for ax, image in zip(axes[0], images, strict=True):
        ax.imshow(image, cmap="gray", interpolation="nearest")
        ax.set(xticks=[], yticks=[])
    for axs, pictures in zip(axes[1:], layers.values(), strict=True):
        limit = symmetric_limit(pictures)
        for ax, picture in zip(axs, pictures, strict=True):
            draw_filter(ax, picture, limit)
    for axs, label in zip(axes, ("image", *layers), strict=True):
        axs[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=8)
    return fig


@styled
def rank_panels(multipliers, panels, *, xlabel: str, width: float = 3.4, height: float = 3.1) -> mpl.figure.Figure:
    """Return panels of curves over a small integer, each with a band from the least to the largest of several runs.

    Parameters
    ----------
    multipliers : sequence of int, length M
    panels : dict of str to dict of str to array_like, shape (runs, M)
        Label of the y axis to label of the curve to values; a curve has one colour in all panels.
    xlabel : str
    width, height : float
        Size of a panel in inches.
    """
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    fig, axes = plt.subplots(1, len(panels), figsize=(width * len(panels), height + 0.4), squeeze=False)
    handles = {}
    for ax, (ylabel, series) in zip(axes[0], panels.items(), strict=True):
        for label, values in series.items():
            values, i = np.asarray(values, dtype=float), labels.index(label)
            ax.fill_between(multipliers, values.min(0), values.max(0), color=COLOURS[1 + i], alpha=0.2, linewidth=0)
            (handles[label],) = ax.plot(
                multipliers, values.mean(0), color=COLOURS[1 + i], linestyle=DASHES[i], marker=MARKERS[i], label=label
            )
        ax.set(xlabel=xlabel, ylabel=ylabel, xticks=list(multipliers))
        ax.set_ylim(bottom=0)
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False)
    return fig
