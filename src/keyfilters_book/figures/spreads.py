"""Spread measures drawn on the filters they describe."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from keyfilters.figures.heatmaps import draw_filter
from keyfilters.figures.style import DIVERGING, styled

from .panels import panel_grid

# Dark colours that are seen on white and on both pale ends of the heat maps, with different dashes.
STYLES = (("#000000", "-", "o"), ("#006D2C", "--", "s"), ("#6A3D9A", ":", "^"))


def ellipse(mean, covariance, points: int = 181) -> np.ndarray:
    r"""Return the one-standard-deviation ellipse :math:`M + V^{1/2} (\cos t, \sin t)^T`, shape (points, 2).

    Parameters
    ----------
    mean : array_like, shape (2,)
    covariance : array_like, shape (2, 2), positive semidefinite
    points : int

    Examples
    --------
    >>> ellipse([1.0, 0.0], [[4.0, 0.0], [0.0, 1.0]], points=5).round(12) + 0.0
    array([[ 3.,  0.],
           [ 1.,  1.],
           [-1.,  0.],
           [ 1., -1.],
           [ 3.,  0.]])
    """
    values, vectors = np.linalg.eigh(np.asarray(covariance, dtype=float))
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    t = np.linspace(0, 2 * np.pi, points)
    return np.asarray(mean, dtype=float) + np.stack([np.cos(t), np.sin(t)], axis=-1) @ root


@styled
def spread_panels(filters, spreads, titles=None, columns: int = 4, panel: float = 1.7) -> mpl.figure.Figure:
    """Return a figure of filters as heat maps with the mean and the one-standard-deviation ellipse of each.

    Parameters
    ----------
    filters : array_like, shape (k, n, n)
    spreads : dict of str to sequence of k Spread
        Label to the spread measures (:func:`keyfilters.spread`) of each filter; at most three labels.
    titles : sequence of str, optional
        Default: key 1, key 2, ...
    columns : int
        Panels per row.
    panel : float
        Width of a panel in inches.
    """
    filters = np.asarray(filters)
    titles = [f"key {k}" for k in range(1, len(filters) + 1)] if titles is None else titles
    fig, axes = panel_grid(len(filters), columns, (panel, panel + 0.25), 0.4)
    # Half the colours' strength, so that the lines stand out.
    faded = mpl.colors.ListedColormap(0.5 + 0.5 * plt.get_cmap(DIVERGING)(np.linspace(0, 1, 256)))
    for k, (ax, h, title) in enumerate(zip(axes.flat, filters, titles, strict=False)):
        draw_filter(ax, h).set_cmap(faded)
        for (colour, dashes, marker), measures in zip(STYLES, spreads.values(), strict=False):
            ax.plot(*ellipse(measures[k].mean, measures[k].covariance).T, color=colour, linestyle=dashes, linewidth=1.8)
            ax.plot(*measures[k].mean, linestyle="none", marker=marker, color=colour, markersize=5)
        ax.set_title(title)
    handles = [
        Line2D([], [], color=colour, linestyle=dashes, marker=marker, markersize=5, label=label)
        for (colour, dashes, marker), label in zip(STYLES, spreads, strict=False)
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return fig
