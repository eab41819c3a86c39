"""Curves over one parameter, in panels that share one legend."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike

from keyfilters.figures.style import COLOURS, MARKERS, styled

from .panels import lines_behind, panel_grid, per_panel

# Dash patterns differ as well as colours, so that the curves stay apart in greyscale.
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (9, 3)), (0, (4, 1, 1, 1, 1, 1)))


@styled
def curves(
    x: ArrayLike | dict[str, ArrayLike], panels: dict[str, dict[str, ArrayLike]], *, xlabel: str, ylabel: str | dict[str, str]="", marks: dict[str, dict[str, tuple[float, float]]] | None=None, spans: dict[str, tuple[float, float]] | None=None, ylim: tuple[float, float] | dict[str, tuple[float, float]] | None=None, markers: bool = False, columns: int = 2,
    width: float = 3.3, height: float = 2.9, legend_columns: int = 2,
) -> mpl.figure.Figure:  # fmt: skip
    """Return a figure with one panel of curves per entry.

    Parameters
    ----------
    x : array_like, shape (m,), or dict of title to array_like
        Abscissae, shared by all panels or one per panel.
    panels : dict of str to dict of str to array_like, shape (m,)
        Title to label to ordinates. A label has the same colour and dashes in all panels.
    xlabel : str
    ylabel : str or dict of title to str
    marks : dict of str to dict of str to (float, float), optional
        Title to label to the point (x, y) that is marked.
    spans : dict of str to (float, float), optional
        Title to an interval of x that is shaded.
    ylim : (float, float) or dict of title to (float, float), optional
    markers : bool
        Mark the data points, for curves that are known at a few abscissae only.
    columns : int
        Panels per row.
    width, height : float
        Size of a panel in inches.
    legend_columns : int

    Raises
    ------
    ValueError
        If a curve is not as long as its abscissae, or there are more labels than the palette has colours.
    """
    titles = list(panels)
    marks, spans = marks or {}, spans or {}
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    marked = list(dict.fromkeys(label for points in marks.values() for label in points))
    for what, count in (("curves", len(labels)), ("marks", len(marked))):
        if count > len(COLOURS):
            raise ValueError(f"{count} labels of {what}: expected at most {len(COLOURS)}, the colours of the palette")
    xs, ylabels, limits = per_panel(x, titles), per_panel(ylabel, titles), per_panel(ylim, titles)
    fig, axes = panel_grid(len(titles), columns, (width, height), 0.5)
    handles = {}
    for ax, title in zip(axes.flat, titles, strict=False):
        u = np.asarray(xs[title], dtype=float)
        for label, y in panels[title].items():
            y, i = np.asarray(y, dtype=float), labels.index(label)
            if y.shape != u.shape:
                raise ValueError(f"curve {label!r} of panel {title!r} has shape {y.shape}: expected {u.shape}, that of x")
            (handles[label],) = ax.plot(
                u, y, color=COLOURS[i], linestyle=DASHES[i], marker=MARKERS[i] if markers else None, label=label
            )
        for label, point in marks.get(title, {}).items():
            i = marked.index(label)
            # Hollow, growing and coloured from the palette's far end: marks that coincide stay visible.
            (handles[label],) = ax.plot(
                *point, linestyle="none", marker=MARKERS[i], markersize=7 + 4 * i, markerfacecolor="none",
                markeredgewidth=1.8, markeredgecolor=COLOURS[-1 - i] if len(labels) > 1 else COLOURS[1 + i], label=label, zorder=5,
            )  # fmt: skip
        if title in spans:
            ax.axvspan(*spans[title], color="0.9", zorder=0)
        if limits[title] is not None:
            ax.set_ylim(limits[title])
        ax.set(title=title, xlabel=xlabel, ylabel=ylabels[title] or "")
    if len(handles) > 1:
        fig.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=min(legend_columns, len(handles)), frameon=False
        )
    return fig


@styled
def interval_rows(
    observed: ArrayLike,
    intervals: dict[str, ArrayLike],
    *,
    rows: Sequence[str],
    xlabel: str,
    references: ArrayLike | None = None,
    xscale: str = "linear",
    observed_label: str = "learned filter",
    width: float = 5.6,
    row_height: float = 0.62,
) -> mpl.figure.Figure:
    """Return a figure with one row per item: an observed value above the intervals of its null distributions.

    Parameters
    ----------
    observed : array_like, shape (k,)
    intervals : dict of str to array_like, shape (k, 3)
        Label of a null distribution to its lower quantile, median and upper quantile per row.
    rows : sequence of str, length k
        Row labels, from the top.
    xlabel : str
    references : array_like, shape (k,), optional
        A value per row that is marked by a cross, such as the expected one.
    xscale : {"linear", "log"}
    observed_label : str
    width, row_height : float
        Inches.
    """
    observed = np.asarray(observed, dtype=float)
    count = len(intervals)
    fig, ax = plt.subplots(figsize=(width, row_height * len(observed) + 1.5))
    base = np.arange(len(observed))[::-1].astype(float)
    for boundary in base[:-1] - 0.5:
        ax.axhline(boundary, color="0.85", linewidth=0.8)
    for i, (label, quantiles) in enumerate(intervals.items()):
        low, median, high = np.asarray(quantiles, dtype=float).T
        y = base + 0.2 * (0.5 * count - i - 1)
        ax.hlines(y, low, high, color=COLOURS[1 + i], linewidth=4, alpha=0.65, label=label)
        ax.plot(median, y, linestyle="none", marker="|", markersize=9, markeredgewidth=2, color=COLOURS[1 + i])
    y = base + 0.1 * count
    ax.plot(observed, y, linestyle="none", marker="o", markersize=7, color=COLOURS[0], label=observed_label)
    if references is not None:
        ax.plot(
            references, y, linestyle="none", marker="x", markersize=9, markeredgewidth=2, color=COLOURS[2], label="expected"
        )
    ax.set_xscale(xscale)
    ax.set(yticks=base, yticklabels=list(rows), xlabel=xlabel, ylim=(-0.5, len(observed) - 0.5))
    lines_behind(ax, "x")
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig
