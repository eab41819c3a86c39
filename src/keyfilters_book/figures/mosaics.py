"""What is learned from patches: mosaics of filters, filters of colour images, fits against fits, quantities over steps."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.style import COLOURS, DIVERGING, MARKERS, styled

from .panels import panel_grid


def tiles(filters, columns: int = 8, gap: int = 1) -> np.ndarray:
    """Lay filters out in one array, each divided by its largest absolute value, with NaN between them.

    Parameters
    ----------
    filters : array_like, shape (K, n, n) or (K, n, n, 3)
    columns, gap : int

    Examples
    --------
    >>> tiles(np.ones((3, 2, 2)), columns=2).shape
    (5, 5)
    """
    filters = np.asarray(filters, dtype=float)
    n, colours = filters.shape[1], filters.shape[3:]
    rows = -(-len(filters) // columns)
    out = np.full((rows * (n + gap) - gap, columns * (n + gap) - gap, *colours), np.nan)
    for i, h in enumerate(filters):
        row, column = (i // columns) * (n + gap), (i % columns) * (n + gap)
        out[row : row + n, column : column + n] = h / max(np.abs(h).max(), 1e-300)
    return out


def _draw_tiles(ax, filters, columns: int) -> None:
    drawn = tiles(filters, columns)
    if drawn.ndim == 3:
        # Zero is mid-grey; between the filters it is white.
        drawn = np.where(np.isnan(drawn), 1.0, 0.5 + 0.5 * np.clip(drawn, -1, 1))
        ax.imshow(drawn, interpolation="nearest")
    else:
        ax.imshow(drawn, cmap=DIVERGING, vmin=-1, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


@styled
def mosaics(panels, *, tile_columns: int = 8, columns: int = 2, panel: float = 3.3) -> mpl.figure.Figure:
    """Return panels of filters, each filter with its own limits, white at zero (mid-grey for colour filters).

    Parameters
    ----------
    panels : dict of str to array_like, shape (K, n, n) or (K, n, n, 3)
        Title to filters.
    tile_columns : int
        Filters per row of a panel.
    columns : int
        Panels per row.
    panel : float
        Width of a panel in inches.
    """
    heights = [-(-len(np.asarray(f)) // tile_columns) / tile_columns for f in panels.values()]
    fig, axes = panel_grid(len(panels), columns, (panel, panel * max(heights) + 0.35))
    fig.get_layout_engine().set(wspace=0.06, hspace=0.04)
    for ax, (title, filters) in zip(axes.flat, panels.items(), strict=False):
        _draw_tiles(ax, filters, tile_columns)
        ax.set_title(title)
    return fig


@styled
def mosaic_rows(rows, *, width: float = 6.6) -> mpl.figure.Figure:
    """Return one line of filters per entry, labelled at the left, each filter with its own limits.

    Parameters
    ----------
    rows : dict of str to array_like, shape (K, n, n)
    """
    count = max(len(f) for f in rows.values())
    fig, axes = plt.subplots(len(rows), 1, figsize=(width, (width - 1.1) / count * 1.12 * len(rows) + 0.2), squeeze=False)
    for ax, (label, filters) in zip(axes[:, 0], rows.items(), strict=True):
        _draw_tiles(ax, filters, count)
        ax.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=6)
    return fig


@styled
def step_curves(panels, *, xlabel: str = "step", width: float = 6.6, height: float = 3.2) -> mpl.figure.Figure:
    """Return quantities over steps, on an axis that is logarithmic but for its start at 0.

    Parameters
    ----------
    panels : dict of str to dict of str to (steps, values)
        Label of the y axis to label of the curve to its points.
    """
    fig, axes = plt.subplots(1, len(panels), figsize=(width, height), squeeze=False)
    handles = {}
    for ax, (ylabel, lines) in zip(axes[0], panels.items(), strict=True):
        for i, (label, (steps, values)) in enumerate(lines.items()):
            (handles[label],) = ax.plot(
                steps,
                values,
                color=COLOURS[i],
                marker=MARKERS[i],
                markersize=5,
                linestyle=("-", "--", ":", "-.")[i % 4],
                label=label,
            )
        ax.set_xscale("symlog", linthresh=10, linscale=0.5)
        ax.set_xticks([0, 10, 100, 1000, 10000][: 3 + int(np.log10(max(max(s) for s, _ in lines.values())) - 1)])
        ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
        ax.grid(axis="y", color="0.9")
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False)
    return fig
