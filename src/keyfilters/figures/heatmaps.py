"""Filters as heat maps: one row of panels, or a grid of rows (the figures 1 and 2 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike

from .style import DIVERGING, styled, symmetric_limit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage


def draw_filter(ax: Axes, h: ArrayLike, limit: float | None = None) -> AxesImage:
    """Draw one filter on an axis: y up, white at zero, limits (-limit, limit).

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    h : array_like, shape (n, n)
    limit : float, optional
        Default: the filter's own largest absolute value.
    """
    h = np.asarray(h)
    limit = symmetric_limit(h) if limit is None else limit
    half = h.shape[0] / 2
    image = ax.imshow(h, cmap=DIVERGING, vmin=-limit, vmax=limit, extent=(-half, half, -half, half))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color="0.6", linewidth=0.8)
    return image


@styled
def filter_panels(
    filters: ArrayLike, titles: Sequence[str] | None = None, columns: int = 4, shared: bool = False, panel: float = 2.1
) -> mpl.figure.Figure:
    """Return a figure with one heat map per filter.

    Parameters
    ----------
    filters : array_like, shape (k, n, n)
    titles : sequence of str, optional
        Default: key 1, key 2, ...
    columns : int
        Panels per row.
    shared : bool
        One colour scale for all panels, with a colour bar; else each panel has its own.
    panel : float
        Width of a panel in inches.
    """
    filters = np.asarray(filters)
    titles = [f"key {k}" for k in range(1, len(filters) + 1)] if titles is None else titles
    rows = -(-len(filters) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(panel * columns, (panel + 0.25) * rows), squeeze=False)
    limit = symmetric_limit(filters) if shared else None
    image = None
    for ax, h, title in zip(axes.flat, filters, titles, strict=False):
        image = draw_filter(ax, h, limit)
        ax.set_title(title)
    for ax in axes.flat[len(filters) :]:
        ax.axis("off")
    if shared:
        fig.colorbar(image, ax=axes, shrink=0.8, label="weight")
    return fig


@styled
def filter_rows(rows: dict[str, ArrayLike], panel: float = 1.25) -> mpl.figure.Figure:
    """Return a grid of heat maps: one labelled row of eight keys per entry (the layout of Figure 2).

    Parameters
    ----------
    rows : dict of str to array_like, shape (8, n, n)
        Row label to filters. Every column shares the colour limits of its first row, so that the
        rows below can be compared with it.
    """
    labels = list(rows)
    first = np.asarray(rows[labels[0]])
    fig, axes = plt.subplots(
        len(labels), len(first), figsize=(panel * len(first) + 1.0, panel * len(labels) + 0.3), squeeze=False
    )
    for i, label in enumerate(labels):
        for k, h in enumerate(np.asarray(rows[label])):
            draw_filter(axes[i, k], h, symmetric_limit(first[k]))
            if i == 0:
                axes[i, k].set_title(f"key {k + 1}")
        axes[i, 0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=8)
    return fig
