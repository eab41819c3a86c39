"""Figures of thresholding functions and of how often pursuits find supports."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl

from keyfilters.figures.style import COLOURS, MARKERS, styled

from .curves import DASHES
from .panels import lines_behind, panel_grid


@styled
def recovery_panels(
    panels: Mapping, *, bounds: Mapping | None = None, xlabel: str = "active atoms", ylabel: str = "share of draws found",
    columns: int = 1, width: float = 5.8, height: float = 3.0,
) -> mpl.figure.Figure:  # fmt: skip
    """Return a figure of shares against sparsity, with intervals as bands and bounds as vertical lines.

    Parameters
    ----------
    panels : dict of str to DataFrame
        Title to rows with the columns active, method, share, low, high, as of ``representations.recovery.recovery``.
    bounds : dict of str to dict of str to float, optional
        Title to method to the sparsity that is guaranteed; drawn in the method's colour.
    xlabel, ylabel : str
    """
    bounds = bounds or {}
    methods = list(dict.fromkeys(method for frame in panels.values() for method in frame.method))
    for title, marked in bounds.items():
        unknown = [method for method in marked if method not in methods]
        if unknown or title not in panels:
            raise ValueError(f"bounds names {(unknown or [title])[0]!r}: expected panels and methods that are drawn")
    fig, axes = panel_grid(len(panels), columns, (width, height), 0.5, sharex=True, sharey=True)
    handles = {}
    for ax, (title, frame) in zip(axes.flat, panels.items(), strict=False):
        for method, part in frame.groupby("method", sort=False):
            i = methods.index(method)
            ax.fill_between(part.active, part.low, part.high, color=COLOURS[i], alpha=0.18, linewidth=0)
            (handles[method],) = ax.plot(part.active, part.share, color=COLOURS[i], linestyle=DASHES[i], marker=MARKERS[i],
                                         markersize=6, label=method)  # fmt: skip
        for method, value in bounds.get(title, {}).items():
            i = methods.index(method)
            # Wide behind narrow: lines that coincide stay visible.
            stroke = 1.5 + 2 * (len(methods) - 1 - i)
            ax.axvline(value, color=COLOURS[i], alpha=0.75, linewidth=stroke, zorder=1 + 0.1 * i)
        # Few atoms matter as much as many: doublings are as wide as each other.
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%d"))
        ax.set(title=title, ylim=(-0.04, 1.04))
        lines_behind(ax, grey="0.92")
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(2, len(handles)), frameon=False)
    return fig
