"""Fixed first layers: what their maps look like, what invariance costs, and accuracy over moved images."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.style import COLOURS, MARKERS, styled

from .curves import DASHES


@styled
def map_rows(rows, *, panel: float = 1.3) -> mpl.figure.Figure:
    """Return rows of maps, each row from black at 0 (or its least value, if negative) to white at its largest.

    Parameters
    ----------
    rows : dict of str to dict of str to array_like, shape (m, n)
        Row label to title to map. Rows may have different lengths.
    panel : float
        Side of a panel in inches.
    """
    columns = max(len(maps) for maps in rows.values())
    fig, axes = plt.subplots(len(rows), columns, figsize=(panel * columns, (panel + 0.3) * len(rows)), squeeze=False)
    for line, (label, maps) in zip(axes, rows.items(), strict=True):
        arrays = [np.asarray(a, dtype=float) for a in maps.values()]
        low, high = min(0.0, *(a.min() for a in arrays)), max(a.max() for a in arrays)
        for ax in line[len(arrays) :]:
            ax.axis("off")
        for ax, title, array in zip(line, maps, arrays, strict=False):
            ax.imshow(array, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.set_title(title, fontsize=11)
        line[0].set_ylabel(label, fontsize=11)
    return fig


@styled
def moving_panels(
    panels, rows, *, xlabel: str, rest: float = 0.0, width: float = 3.4, height: float = 4.2
) -> mpl.figure.Figure:
    """Return panels of curves over the amount of a movement, one for each quantity, with one legend.

    Parameters
    ----------
    panels : dict of str to str
        Title to column of ``rows``.
    rows : dict of str to DataFrame
        Label to table with a column ``amount`` and the columns named.
    xlabel : str
    rest : float
        The amount at which nothing moves; marked by a line.
    width, height : float
        Of a panel with its share of the legend, in inches.

    Raises
    ------
    ValueError
        If there are more labels than the palette has colours.
    """
    if len(rows) > len(COLOURS):
        raise ValueError(f"{len(rows)} labels: expected at most {len(COLOURS)}, the colours of the palette")
    fig, axes = plt.subplots(1, len(panels), figsize=(width * len(panels), height), squeeze=False)
    for ax, (title, column) in zip(axes[0], panels.items(), strict=True):
        for i, (label, table) in enumerate(rows.items()):
            ax.plot(
                table["amount"],
                table[column],
                color=COLOURS[i],
                linestyle=DASHES[i],
                marker=MARKERS[i],
                markersize=6,
                label=label,
            )
        ax.axvline(rest, color="0.6", linewidth=1, zorder=0)
        ax.grid(axis="y", color="0.9")
        ax.set(title=title, xlabel=xlabel, ylim=(0, None))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return fig
