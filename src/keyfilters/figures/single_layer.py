"""A quantity layer by layer, network by network: values with intervals, and laws beside them."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from .style import COLOURS, MARKERS, styled

DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))


def t_interval(values, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Ends of Student's interval about the mean over the first axis; the mean itself for a single run.

    Examples
    --------
    >>> low, high = t_interval([[1.0], [2.0], [3.0]])
    >>> round(float(high[0] - low[0]), 3)
    4.968
    """
    from scipy.stats import t

    y = np.asarray(values, dtype=float)
    half = t.ppf(0.5 + level / 2, len(y) - 1) * y.std(0, ddof=1) / np.sqrt(len(y)) if len(y) > 1 else np.zeros(y.shape[1:])
    return y.mean(0) - half, y.mean(0) + half


def _log_axis(ax) -> None:
    """Logarithmic ordinate with plain numbers at its ticks, also where it covers less than a decade."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    narrow = high < 3 * low
    ax.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4) if narrow else mpl.ticker.LogLocator(subs=(1, 2, 3, 5) if high < 8 * low else (1, 2, 5) if high < 30 * low else (1,)))
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
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    if not labels:
        raise ValueError("panels holds no line: expected at least one")
    if len(labels) > len(COLOURS) - 1:
        raise ValueError(f"{len(labels)} labels: expected at most {len(COLOURS) - 1}, the colours of the palette")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    size = (panel[0] * columns, panel[1] * rows + 0.75)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharex=True, sharey=share_y)
    handles = {}
    for ax, (title, series) in zip(axes.flat, panels.items(), strict=False):
        for label, (layers, values) in series.items():
            i, x, y = labels.index(label), np.asarray(layers, dtype=float), np.asarray(values, dtype=float)
            if y.ndim not in (1, 2) or y.shape[-1:] != x.shape:
                raise ValueError(f"{label!r} of panel {title!r} has values of shape {y.shape}: expected {x.shape} for each run")
            look = {"color": COLOURS[i + 1], "linestyle": DASHES[i % len(DASHES)]}
            if y.ndim == 2:
                ax.fill_between(x, *t_interval(y), color=COLOURS[i + 1], alpha=0.2, linewidth=0)
                look |= {"marker": MARKERS[i], "markersize": 5.5}
            (handles[label],) = ax.plot(x, y.mean(0) if y.ndim == 2 else y, **look)
        ax.set_title(title)
        if log:
            _log_axis(ax)
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    if ylim is not None:
        axes[0, 0].set_ylim(ylim)
    fig.supxlabel(xlabel, fontsize=12)
    fig.supylabel(ylabel, fontsize=12)
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=min(len(handles), 2), frameon=False)
    return fig
