"""A quantity layer by layer, network by network: values with intervals, and laws beside them."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np

from keyfilters.figures.style import COLOURS, MARKERS, styled
from keyfilters_book.significance import t_interval

from .panels import finish_panels, lines_behind, panel_grid, series_labels

_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))


def _log_axis(ax) -> None:
    """Logarithmic ordinate with plain numbers at its ticks, also where it covers less than a decade."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    narrow = high < 3 * low
    ax.yaxis.set_major_locator(
        mpl.ticker.MaxNLocator(4)
        if narrow
        else mpl.ticker.LogLocator(subs=(1, 2, 3, 5) if high < 8 * low else (1, 2, 5) if high < 30 * low else (1,))
    )
    ax.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())


@styled
def layer_lines(
    panels, *, xlabel: str, ylabel: str, log: bool = False, columns: int = 2, panel=(3.3, 2.35), ylim=None, share_y: bool = True,
) -> mpl.figure.Figure:  # fmt: skip
    """Return panels of lines over layers: means with 95 % intervals where there are runs, plain lines for laws.

    Parameters
    ----------
    panels : dict of str to dict of str to (array_like, array_like)
        Title to label to layers (m,) and values: (runs, m) for what was measured, (m,) for a law. A label has
        the same look in all panels.
    xlabel, ylabel : str
    log : bool
        Logarithmic ordinate.
    columns : int
        Panels per row.
    panel : (float, float)
        Size of a panel in inches.
    ylim : (float, float), optional
    share_y : bool
        One ordinate for all panels.

    Raises
    ------
    ValueError
        If there are no lines, more labels than colours, or values that are not as long as their layers.
    """
    labels = series_labels(panels, "line")
    fig, axes = panel_grid(len(panels), columns, panel, 0.75, sharex=True, sharey=share_y)
    handles = {}
    for ax, (title, series) in zip(axes.flat, panels.items(), strict=False):
        for label, (layers, values) in series.items():
            i, x, y = labels.index(label), np.asarray(layers, dtype=float), np.asarray(values, dtype=float)
            if y.ndim not in (1, 2) or y.shape[-1:] != x.shape:
                raise ValueError(f"{label!r} of panel {title!r} has values of shape {y.shape}: expected {x.shape} for each run")
            look = {"color": COLOURS[i + 1], "linestyle": _DASHES[i % len(_DASHES)]}
            if y.ndim == 2:
                ax.fill_between(x, *t_interval(y), color=COLOURS[i + 1], alpha=0.2, linewidth=0)
                look |= {"marker": MARKERS[i], "markersize": 5.5}
            (handles[label],) = ax.plot(x, y.mean(0) if y.ndim == 2 else y, **look)
        ax.set_title(title)
        if log:
            _log_axis(ax)
        lines_behind(ax, "y", "0.92")
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    finish_panels(fig, axes, handles, xlabel, ylabel, ylim)
    return fig
