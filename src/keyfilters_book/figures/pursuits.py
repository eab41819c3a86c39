"""Figures of thresholding functions and of how often pursuits find supports."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np

from keyfilters.figures.style import COLOURS, MARKERS, styled

from .curves import DASHES
from .panels import panel_grid


@styled
def function_panels(
    x, panels, *, xlabel: str = "x", columns: int = 2, width: float = 3.3, height: float = 2.7
) -> mpl.figure.Figure:
    """Return a figure of functions with jumps: a curve is broken where it jumps.

    Parameters
    ----------
    x : array_like, shape (m,)
        Ascending and fine: a step between neighbours of more than 12 times x's own is taken as a jump.
    panels : dict of str to dict of str to array_like, shape (m,)
        Title to label to values.
    """
    x = np.asarray(x, dtype=float)
    fig, axes = panel_grid(len(panels), columns, (width, height), 0.0, sharex=True, sharey=True)
    for ax, (title, series) in zip(axes.flat, panels.items(), strict=False):
        ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        for i, (label, values) in enumerate(series.items()):
            y = np.array(values, dtype=float)
            jumps = np.flatnonzero(np.abs(np.diff(y)) > 12 * np.diff(x))
            ax.plot(np.insert(x, jumps + 1, np.nan), np.insert(y, jumps + 1, np.nan), color=COLOURS[i], linestyle=DASHES[i],
                    linewidth=2.8 - 0.6 * i, label=label)  # fmt: skip
        ax.set_title(title)
        ax.legend(loc="lower right", frameon=False, fontsize=11, handlelength=2.2)
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    return fig


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
        ax.grid(color="0.92")
        ax.set_axisbelow(True)
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(2, len(handles)), frameon=False)
    return fig
