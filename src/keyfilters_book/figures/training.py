"""Trainings: banks of filters, values of seeds with intervals, quantities over epochs, where scales end."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.heatmaps import draw_filter
from keyfilters.figures.style import COLOURS, MARKERS, styled

from .panels import finish_panels, lines_behind, panel_grid, series_labels


@styled
def seed_dots(
    panels, rows, *, xlabel: str, zero: bool = False, span=None, highlight=(), outliers=(), fmt: str = "{:.1f}", columns: int = 2,
    width: float = 6.8, row_height: float = 0.27,
) -> mpl.figure.Figure:  # fmt: skip
    """Return panels of values by row: a dot for each seed, the mean as a bar, its interval as a line.

    Parameters
    ----------
    panels : dict of str to dict of str to (array_like, (float, float, float) or None)
        Title to row label to the values, and mean, low and high. A row that a panel lacks stays empty
        there, with the words "not run".
    rows : sequence of str
        Row labels from the top; all panels share them.
    xlabel : str
    zero : bool
        Draw a line at 0.
    span : dict of str to (float, float), optional
        Title to a shaded range.
    highlight : sequence of str
        Rows drawn in another colour and with another marker.
    outliers : sequence of str
        Rows whose mean is printed at the panel's side instead of drawn, so that the others keep their room.
    fmt : str
        How that mean is printed.
    columns : int
        Panels per row.
    width, row_height : float
        Of the figure, and of each row, in inches.

    Raises
    ------
    ValueError
        If there is no panel, or a panel has a row that is not among ``rows``.
    """
    titles, rows = list(panels), list(rows)
    if not titles:
        raise ValueError("panels is empty: expected at least one")
    for title in titles:
        unknown = [label for label in panels[title] if label not in rows]
        if unknown:
            raise ValueError(f"panel {title!r} has the row {unknown[0]!r}: expected {', '.join(rows)}")
    panel = (width / min(columns, len(titles)), row_height * len(rows) + 0.55)
    fig, axes = panel_grid(len(titles), columns, panel, 0.45, sharey=True)
    place = {label: len(rows) - 1 - i for i, label in enumerate(rows)}
    # Words stand on white, so that no line runs through them.
    words = {"ha": "center", "va": "center", "fontsize": 10, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.8}}
    for ax, title in zip(axes.flat, titles, strict=False):
        ax.set(title=title, ylim=(-0.6, len(rows) - 0.4), yticks=list(place.values()), yticklabels=list(place))
        ax.tick_params(axis="y", length=0, labelsize=10.5)
        if not panels[title]:
            ax.text(0.5, 0.5, "not run", transform=ax.transAxes, ha="center", va="center", color="0.4")
            ax.set_xticks([])
            continue
        for label, y in place.items():
            if label not in panels[title]:
                ax.text(0.5, y, "not run", transform=ax.get_yaxis_transform(), color="0.4", **words)
                continue
            values, interval = panels[title][label]
            if label in outliers:
                text = f"off the axis: {fmt.format(np.mean(values) if interval is None else interval[0])}"
                ax.text(0.5, y, text, transform=ax.get_yaxis_transform(), **words)
                continue
            chosen = label in highlight
            colour, marker = (COLOURS[2], MARKERS[3]) if chosen else (COLOURS[1], MARKERS[0])
            values = np.asarray(values, dtype=float)
            ax.plot(values, np.full(len(values), y), linestyle="none", marker=marker, markersize=4.5, color=colour, alpha=0.55)
            if interval is not None:
                mean, low, high = interval
                ax.hlines(y, low, high, color=colour, linewidth=2)
                ax.plot(mean, y, linestyle="none", marker="|", markersize=11, markeredgewidth=2.5, color=colour)
        if zero:
            ax.axvline(0, color="0.3", linewidth=1)
        if span and title in span:
            ax.axvspan(*span[title], color="0.9", zorder=0)
        lines_behind(ax, "x")
        ax.locator_params(axis="x", nbins=4)
    fig.supxlabel(xlabel, fontsize=12)
    return fig


@styled
def bank_rows(rows, *, panel: float = 0.6) -> mpl.figure.Figure:
    """Return banks of filters as rows of heat maps, each filter with its own limits (white is zero).

    Parameters
    ----------
    rows : dict of str to array_like, shape (K, n, n)
        Label to filters; K may differ.
    panel : float
        Side of a heat map in inches.
    """
    longest = max(len(filters) for filters in rows.values())
    fig, axes = plt.subplots(len(rows), longest, figsize=(panel * longest + 1.9, panel * len(rows) + 0.1), squeeze=False)
    for line, (label, filters) in zip(axes, rows.items(), strict=True):
        for ax, h in zip(line, filters, strict=False):
            draw_filter(ax, h)
        for ax in line[len(filters) :]:
            ax.axis("off")
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=6, fontsize=10.5)
    return fig


@styled
def trajectories(
    panels, *, xlabel: str = "epoch", ylabel: str = "", columns: int = 4, panel=(1.75, 1.75), ylim=None
) -> mpl.figure.Figure:  # fmt: skip
    """Return panels of quantities over epochs: a line for the mean, a band between the least and the largest.

    Parameters
    ----------
    panels : dict of str to dict of str to (array_like, array_like)
        Title to label to epochs (m,) and values (m,) or (runs, m). A label has the same look in all panels.
    xlabel, ylabel : str
    columns : int
        Panels per row.
    panel : (float, float)
        Size of a panel in inches.
    ylim : (float, float), optional

    Raises
    ------
    ValueError
        If there are no curves, more labels than colours, or values that are not as long as their epochs.
    """
    labels = series_labels(panels, "curve")
    fig, axes = panel_grid(len(panels), columns, panel, 0.7, sharex=True, sharey=True)
    handles = {}
    for ax, (title, series) in zip(axes.flat, panels.items(), strict=False):
        for label, (epochs, values) in series.items():
            i = labels.index(label)
            x, y = np.asarray(epochs, dtype=float), np.atleast_2d(np.asarray(values, dtype=float))
            if y.ndim != 2 or y.shape[1:] != x.shape:
                raise ValueError(
                    f"{label!r} of panel {title!r} has values of shape {np.shape(values)}: expected {x.shape} for each run"
                )
            colour = COLOURS[i + 1]
            dashes = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))[i % 4]
            ax.fill_between(x, y.min(0), y.max(0), color=colour, alpha=0.2, linewidth=0)
            (handles[label],) = ax.plot(x, y.mean(0), color=colour, linestyle=dashes, linewidth=1.8)
        ax.set_title(title, fontsize=11)
        ax.grid(axis="y", color="0.92")
        ax.locator_params(nbins=4)
    finish_panels(fig, axes, handles, xlabel, ylabel, ylim)
    return fig


@styled
def scale_ends(panels, marks, *, columns: int = 4, panel: float = 1.75) -> mpl.figure.Figure:
    r"""Return one panel per key: the scales of its channels in the plane of :math:`(\sigma_x, \sigma_y)`, with marks.

    Parameters
    ----------
    panels : dict of str to array_like, shape (m, 2)
        Title to the scales of the channels, grid units.
    marks : dict of str to dict of str to (float, float)
        Title to label to a point that is marked, such as the start.
    columns : int
        Panels per row.
    panel : float
        Side of a panel in inches.

    Raises
    ------
    ValueError
        For points that are not pairs.
    """
    labels = list(dict.fromkeys(label for points in marks.values() for label in points))
    fig, axes = panel_grid(len(panels), columns, (panel, panel), 0.75, sharex=True, sharey=True)
    handles, reach = {}, 0.0
    for ax, (title, points) in zip(axes.flat, panels.items(), strict=False):
        points = np.asarray(points, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"panel {title!r} has points of shape {points.shape}: expected (m, 2)")
        (handles["channels at the end"],) = ax.plot(
            *points.T, linestyle="none", marker="o", markersize=3.5, color=COLOURS[1], alpha=0.5
        )
        for label, point in marks.get(title, {}).items():
            i = labels.index(label)
            (handles[label],) = ax.plot(
                *point, linestyle="none", marker=("P", "D", "s", "^", "v")[i % 5], markersize=8 + 2 * i, zorder=5,
                markerfacecolor=COLOURS[2] if i == 0 else "none", markeredgecolor=COLOURS[2 + i % 5], markeredgewidth=1.0 if i == 0 else 1.8,
            )  # fmt: skip
        ax.axline((0, 0), slope=1, color="0.8", linewidth=1, zorder=0)
        ax.set_title(title, fontsize=11)
        reach = max([reach, float(points.max(initial=0.0)), *(max(point) for point in marks.get(title, {}).values())])
    for ax in axes.flat[: len(panels)]:
        ax.set(xlim=(0, 1.05 * reach), ylim=(0, 1.05 * reach), aspect="equal")
        ax.locator_params(nbins=4)
    fig.supxlabel(r"$\sigma_x$ (grid units)", fontsize=12)
    fig.supylabel(r"$\sigma_y$ (grid units)", fontsize=12)
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=min(len(handles), 3), frameon=False)
    return fig
