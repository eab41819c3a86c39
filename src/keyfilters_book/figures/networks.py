"""Networks compared: estimates with intervals by variant, and along the layers of a network."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np

from keyfilters.figures.style import COLOURS, MARKERS, styled

from .panels import lines_behind, panel_grid, per_panel


def _triples(values, shape: int, what: str) -> np.ndarray:
    """Estimate, lower and upper end, shape (shape, 3)."""
    array = np.asarray(values, dtype=float)
    if array.shape != (shape, 3):
        raise ValueError(f"{what} has shape {array.shape}: expected ({shape}, 3), estimate, lower and upper end of each")
    if not ((array[:, 1] <= array[:, 0] + 1e-12) & (array[:, 0] <= array[:, 2] + 1e-12)).all():
        raise ValueError(f"{what} holds an estimate outside of its interval")
    return array


@styled
def interval_dots(
    panels, rows, *, limits=None, references=None, columns: int = 2, width: float = 3.1, row_height: float = 0.36,
    label_width: float = 1.1, groups=(),
) -> mpl.figure.Figure:  # fmt: skip
    """Return one row per variant and one panel per measure: dots with their intervals.

    Parameters
    ----------
    panels : dict of str to dict of str to array_like, shape (k, 3)
        Axis label to series to estimate, lower and upper end per row. A series has one colour and marker.
    rows : sequence of str, length k
        From the top.
    limits : dict of str to (float, float), optional
        Of a panel.
    references : dict of str to float, optional
        A dashed line in a panel.
    columns : int
        Panels side by side.
    width, row_height, label_width : float
        Inches.
    groups : sequence of int
        Rows below which a line is drawn.

    Raises
    ------
    ValueError
        If a series has not one triple per row, or an estimate lies outside of its interval.
    """
    rows, titles = list(rows), list(panels)
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    panel = (width, row_height * len(rows) + 0.7)
    fig, axes = panel_grid(len(titles), columns, panel, 0.4, label_width, sharey=True)
    base, handles = np.arange(len(rows), dtype=float), {}
    limits, references = per_panel(limits or {}, titles), references or {}
    for ax, title in zip(axes.flat, titles, strict=False):
        for label, values in panels[title].items():
            i = labels.index(label)
            estimate, low, high = _triples(values, len(rows), f"series {label!r} of panel {title!r}").T
            y = base + 0.3 * (i - (len(labels) - 1) / 2)
            ax.hlines(y, low, high, color=COLOURS[1 + i], linewidth=3, alpha=0.45)
            (handles[label],) = ax.plot(
                estimate, y, linestyle="none", marker=MARKERS[i], markersize=6, color=COLOURS[1 + i], label=label
            )
        if title in references:
            ax.axvline(references[title], color="0.4", linewidth=1.4, linestyle="--")
        for group in groups:
            ax.axhline(group - 0.5, color="0.75", linewidth=0.9)
        ax.set(xlabel=title, yticks=base, yticklabels=rows, ylim=(len(rows) - 0.5, -0.5))
        if limits[title] is not None:
            ax.set_xlim(limits[title])
        lines_behind(ax, "x")
    if len(handles) > 1:
        fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False)
    return fig


@styled
def layer_curves(
    x, panels, *, xlabel: str, ylabel="", ticks=None, yscale="linear", columns: int = 1, width: float = 6.6, height: float = 3.2,
    legend_columns: int = 3, share_y: bool = False, references=None,
) -> mpl.figure.Figure:  # fmt: skip
    """Return curves with intervals along the layers of a network, one panel per measure or order.

    Parameters
    ----------
    x : array_like, shape (m,)
        Number of the layer, or how many layers.
    panels : dict of str to dict of str to array_like, shape (m, 3)
        Title to label to estimate, lower and upper end.
    xlabel : str
    ylabel : str or dict of title to str
    ticks : sequence of str, length m, optional
        Names of the layers, written upright.
    yscale : str or dict of title to str
        "linear" or "log"; on a logarithmic axis a lower end of 0 ends at the axis.
    columns, legend_columns : int
    width, height : float
        Of a panel, in inches.
    share_y : bool
    references : dict of str to (float, str), optional
        Title to a dashed line's height and what is written on it.

    Raises
    ------
    ValueError
        If a curve has not one triple per abscissa, or an estimate lies outside of its interval.
    """
    x, titles = np.asarray(x, dtype=float), list(panels)
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    fig, axes = panel_grid(len(titles), columns, (width, height + (0.5 if ticks is not None else 0)), 0.4, sharey=share_y)
    ylabels, scales, handles = per_panel(ylabel, titles), per_panel(yscale, titles), {}
    step = np.diff(x).min() if len(x) > 1 else 1.0
    for ax, title in zip(axes.flat, titles, strict=False):
        for label, values in panels[title].items():
            i = labels.index(label)
            estimate, low, high = _triples(values, len(x), f"curve {label!r} of panel {title!r}").T
            place = x + 0.12 * step * (i - (len(labels) - 1) / 2)
            if scales[title] == "log":
                low = np.maximum(low, 1e-3 * estimate[estimate > 0].min(initial=1.0))
            ax.vlines(place, low, high, color=COLOURS[1 + i], linewidth=2.5, alpha=0.45)
            (handles[label],) = ax.plot(
                place, estimate, color=COLOURS[1 + i], linewidth=1.2, marker=MARKERS[i], markersize=6, label=label
            )
        if title in (references or {}):
            height_of, text = references[title]
            ax.axhline(height_of, color="0.4", linewidth=1.4, linestyle="--")
            ax.text(x.max(), height_of, text, ha="right", va="bottom", fontsize=11)
        ax.set(
            title=title if len(titles) > 1 else "", xlabel=xlabel, ylabel=ylabels[title] or "", yscale=scales[title] or "linear"
        )
        ax.set_xticks(x, labels=ticks if ticks is not None else [f"{v:g}" for v in x], rotation=90 if ticks is not None else 0)
        if ticks is not None and not ax.get_subplotspec().is_last_row():
            # The names of the layers stand once: they are long.
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
        lines_behind(ax, "y")
    if len(handles) > 1:
        fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=legend_columns, frameon=False)
    return fig
