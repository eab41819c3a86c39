"""Filters of networks against keys: galleries, explained variance beside nulls, maps of shifts, offsets."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from keyfilters.figures.heatmaps import draw_filter
from keyfilters.figures.style import COLOURS, MARKERS, SEQUENTIAL, styled

from .panels import lines_behind, panel_grid

# Hollow markers of the nulls: apart in shape as well as in colour.
_NULLS = tuple(zip(MARKERS[1:], COLOURS[1:], strict=True))


@styled
def key_gallery(rows, *, titles=None, notes=None, panel: float = 0.88) -> mpl.figure.Figure:
    """Return a grid of heat maps, one labelled row of filters per entry, each panel with its own colour limits.

    Parameters
    ----------
    rows : dict of str to sequence of (n, n) arrays
        Label to filters; sizes may differ. None leaves a panel empty.
    titles : sequence of str, optional
        Over the columns; default: key 1, key 2, ...
    notes : dict of str to sequence of str, optional
        Label to the texts under the panels of this row.
    panel : float
        Width of a panel in inches.
    """
    labels, notes = list(rows), notes or {}
    columns = max(len(rows[label]) for label in labels)
    titles = [f"key {k}" for k in range(1, columns + 1)] if titles is None else titles
    height = (panel + 0.08) * len(labels) + 0.22 * sum(label in notes for label in labels) + 0.35
    fig, axes = plt.subplots(len(labels), columns, figsize=(panel * columns + 1.0, height), squeeze=False)
    for axs, label in zip(axes, labels, strict=True):
        for k, ax in enumerate(axs):
            h = rows[label][k] if k < len(rows[label]) else None
            if h is None:
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
            else:
                draw_filter(ax, h)
            if label in notes and k < len(notes[label]):
                ax.set_xlabel(notes[label][k], fontsize=11, labelpad=2)
        axs[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=8)
    for ax, title in zip(axes[0], titles, strict=False):
        ax.set_title(title)
    return fig


@styled
def null_dots(
    groups, *, nulls, xlabel: str, observed_label: str, xlim=None, width: float = 6.8, row_height: float = 0.34
) -> mpl.figure.Figure:  # fmt: skip
    """Return panels side by side with one row per item: an observed value, its interval, and values of nulls on the same line.

    Parameters
    ----------
    groups : dict of str to sequence of dict
        Title of a panel to its rows, from the top; a row has ``label``, ``observed``, a value for each of
        ``nulls``, and if it likes ``low`` and ``high``, the ends of the interval.
    nulls : dict of str to str
        Name of the entry to its label in the legend, at most six.
    xlabel, observed_label : str
    xlim : (float, float), optional
    width, row_height : float
        Inches.

    Raises
    ------
    ValueError
        If there are more nulls than markers.
    """
    if len(nulls) > len(_NULLS):
        raise ValueError(f"{len(nulls)} nulls: expected at most {len(_NULLS)}, one marker each")
    counts = [len(rows) for rows in groups.values()]
    fig, axes = plt.subplots(
        1, len(counts), figsize=(width, row_height * max(counts) + 1.6), squeeze=False, sharex=True,
    )  # fmt: skip
    handles = {}
    for ax, (title, rows) in zip(axes[0], groups.items(), strict=True):
        y = np.arange(len(rows))[::-1]
        for at, row in zip(y, rows, strict=True):
            if "low" in row:
                ax.hlines(at, row["low"], row["high"], color=COLOURS[0], linewidth=5, alpha=0.3)
        for (marker, colour), (name, label) in zip(_NULLS, nulls.items(), strict=False):
            (handles[label],) = ax.plot(
                [row[name] for row in rows], y, linestyle="none", marker=marker, markersize=7, markerfacecolor="none",
                markeredgewidth=1.6, color=colour, label=label,
            )  # fmt: skip
        (handles[observed_label],) = ax.plot(
            [row["observed"] for row in rows],
            y,
            linestyle="none",
            marker="o",
            markersize=6.5,
            color=COLOURS[0],
            label=observed_label,
        )
        ax.set(yticks=y, yticklabels=[row["label"] for row in rows], ylim=(-0.6, len(rows) - 0.4), title=title)
        ax.tick_params(axis="y", length=0)
        lines_behind(ax, "y")
        if xlim is not None:
            ax.set_xlim(xlim)
    fig.supxlabel(xlabel, fontsize=12)
    order = [observed_label, *(label for label in handles if label != observed_label)]
    fig.legend([handles[label] for label in order], order, loc="outside upper center", ncols=3, frameon=False)
    return fig


@styled
def shift_panels(maps, *, marks, columns: int = 3, panel: float = 2.25) -> mpl.figure.Figure:
    """Return maps of explained variance over the shift of the keys, x to the right and y up.

    Parameters
    ----------
    maps : dict of str to (x, y, values)
        Title to shifts (g,), (h,) and values (h, g).
    marks : dict of str to dict
        Title to ``best`` (x, y), ``expected`` (x, y) and, if wanted, ``low`` and ``high`` (x, y), the corners
        of the interval.
    columns : int
        Panels per row.
    panel : float
        Width of a panel in inches.
    """
    fig, axes = panel_grid(len(maps), columns, (panel, panel - 0.1), 0.7)
    handles = {}
    for ax, (title, (x, y, values)) in zip(axes.flat, maps.items(), strict=False):
        x, y = np.asarray(x), np.asarray(y)
        step = x[1] - x[0], y[1] - y[0]
        extent = (x[0] - step[0] / 2, x[-1] + step[0] / 2, y[0] - step[1] / 2, y[-1] + step[1] / 2)
        image = ax.imshow(values, cmap=SEQUENTIAL, origin="lower", extent=extent)
        fig.colorbar(image, ax=ax, shrink=0.75).locator = MaxNLocator(2)
        mark = marks[title]
        for line, at in ((ax.axvline, 0), (ax.axhline, 0)):
            line(at, color="white", linewidth=0.8, alpha=0.7)
        if "low" in mark:
            size = np.subtract(mark["high"], mark["low"])
            ax.add_patch(Rectangle(mark["low"], *size, fill=False, edgecolor="white", linewidth=1.6))
        # White below black: seen on both ends of the colours.
        ax.plot(*mark["expected"], linestyle="none", marker="x", markersize=11, markeredgewidth=4.2, color="white")
        (handles["expected"],) = ax.plot(
            *mark["expected"], linestyle="none", marker="x", markersize=10, markeredgewidth=2.2, color=COLOURS[2]
        )
        (handles["best"],) = ax.plot(
            *mark["best"],
            linestyle="none",
            marker="o",
            markersize=7,
            markerfacecolor=COLOURS[0],
            markeredgecolor="white",
            markeredgewidth=1.5,
        )
        ax.set_title(title, loc="left")  # above the colours there is no room
        ax.set(xlim=extent[:2], ylim=extent[2:])
        ax.locator_params(nbins=3)
        ax.label_outer()
    fig.supxlabel("shift x", fontsize=12)
    fig.supylabel("shift y", fontsize=12)
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=2, frameon=False)
    return fig


@styled
def offset_rows(
    rows, panels, *, xlabel: str, labels, limits=None, width: float = 3.4, row_height: float = 0.34
) -> mpl.figure.Figure:
    """Return panels of offsets with intervals, one row per item, and the expected offset as a cross.

    Parameters
    ----------
    rows : sequence of str, length k
        From the top.
    panels : dict of str to dict of str to array_like
        Title to label to values: shape (k, 3) lower end, estimate, upper end; the label ``"expected"`` has
        shape (k,).
    xlabel : str
    labels : sequence of str
        The labels in the order of the legend.
    limits : (float, float), optional
    width, row_height : float
        Inches.
    """
    fig, axes = plt.subplots(
        1, len(panels), figsize=(width * len(panels), row_height * len(rows) + 1.4), squeeze=False, sharey=True
    )
    handles = {}
    base = np.arange(len(rows))[::-1].astype(float)
    shown = [label for label in labels if label != "expected"]
    for ax, (title, series) in zip(axes[0], panels.items(), strict=True):
        ax.axvline(0, color="0.7", linewidth=1)
        for i, label in enumerate(shown):
            low, estimate, high = np.asarray(series[label], dtype=float).T
            y = base + 0.24 * (0.5 * (len(shown) - 1) - i)
            ax.hlines(y, low, high, color=COLOURS[1 + i], linewidth=3, alpha=0.5)
            (handles[label],) = ax.plot(estimate, y, linestyle="none", marker=MARKERS[i], markersize=6, color=COLOURS[1 + i])
        if "expected" in series:
            (handles["expected"],) = ax.plot(
                series["expected"], base, linestyle="none", marker="x", markersize=9, markeredgewidth=2, color=COLOURS[0]
            )
        ax.set(title=title, xlabel=xlabel, yticks=base, yticklabels=list(rows), ylim=(-0.6, len(rows) - 0.4))
        ax.tick_params(axis="y", length=0)
        lines_behind(ax, "y", "0.92")
        if limits is not None:
            ax.set_xlim(limits)
    order = [label for label in labels if label in handles]
    fig.legend([handles[label] for label in order], order, loc="outside lower center", ncols=min(3, len(order)), frameon=False)
    return fig
