"""Computational molecules of difference operators, and 1-D kernels on the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Circle
from numpy.typing import ArrayLike

from keyfilters.figures.style import COLOURS, MARKERS, styled

from .panels import panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _weight_text(weight: float) -> str:
    """Text of a weight: a true minus sign, a half as such, since a circle has little room, other fractions as decimals, zero as 0."""
    return f"{weight:+g}".replace("-", "\u2212").replace("0.5", "\u00bd") if weight else "0"


def draw_molecule(ax: Axes, weights: ArrayLike, spacing: float = 1.0) -> None:
    """Draw one computational molecule on an axis: a circle per grid point, its weight inside, y up.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    weights : array_like, shape (n, n), n odd
        Row 0 is the largest y, as :func:`keyfilters.molecule` returns it.
    spacing : float
        Distance of the grid points in the units of the axis.
    """
    weights = np.asarray(weights, dtype=float)
    half = weights.shape[0] // 2
    reach = half * spacing
    for u in np.arange(-half, half + 1) * spacing:
        ax.plot([-reach, reach], [u, u], color="0.75", linewidth=1.2, zorder=0)
        ax.plot([u, u], [-reach, reach], color="0.75", linewidth=1.2, zorder=0)
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            w, centre = weights[i, j], ((j - half) * spacing, (half - i) * spacing)
            face = "white" if w == 0 else ("#F6C9AE" if w > 0 else "#B5D4E9")
            ax.add_patch(Circle(centre, 0.42 * spacing, facecolor=face, edgecolor="black" if w else "0.75", linewidth=1.2))
            ax.text(*centre, _weight_text(w), ha="center", va="center", fontsize=11, color="black" if w else "0.4")
    margin = reach + 0.5 * spacing
    ax.set(xlim=(-margin, margin), ylim=(-margin, margin), aspect="equal")
    ax.axis("off")


@styled
def molecule_panels(molecules: dict[str, ArrayLike], columns: int = 3, panel: float = 2.2) -> mpl.figure.Figure:
    """Return a figure with one computational molecule per panel (the figure 4 of the paper).

    Parameters
    ----------
    molecules : dict of str to array_like, shape (n, n)
        Title to weights; row 0 is the largest y.
    columns : int
        Panels per row.
    panel : float
        Width of a panel in inches.
    """
    fig, axes = panel_grid(len(molecules), columns, (panel, panel + 0.3), 0.0)
    for ax, (title, weights) in zip(axes.flat, molecules.items(), strict=False):
        draw_molecule(ax, weights)
        ax.set_title(title)
    return fig


@styled
def kernel_stems(
    panels: dict[str, dict[str, ArrayLike]], ylabel: str = "weight", columns: int = 2, width: float = 3.3, height: float = 2.7
) -> mpl.figure.Figure:
    """Return a figure of 1-D kernels as stems over the integers, several kernels side by side per panel.

    Parameters
    ----------
    panels : dict of str to dict of str to array_like, shape (m,), m odd
        Title to label to taps for n = -(m // 2) .. m // 2. A label keeps its colour and marker in
        all panels; the stems of one panel stand slightly beside each other.
    ylabel : str
    columns : int
        Panels per row.
    width, height : float
        Size of a panel in inches.
    """
    labels = list(dict.fromkeys(label for kernels in panels.values() for label in kernels))
    fig, axes = panel_grid(len(panels), columns, (width, height), 0.6)
    handles = {}
    for index, (ax, (title, kernels)) in enumerate(zip(axes.flat, panels.items(), strict=False)):
        for label, taps in kernels.items():
            taps, i = np.asarray(taps, dtype=float), labels.index(label)
            n = np.arange(len(taps)) - len(taps) // 2
            shifted = n + 0.16 * (i - (len(labels) - 1) / 2)
            ax.vlines(shifted, 0, taps, color=COLOURS[i], linewidth=1.5)
            (handles[label],) = ax.plot(
                shifted, taps, linestyle="none", marker=MARKERS[i], color=COLOURS[i], markersize=5, label=label
            )
        ax.axhline(0, color="0.5", linewidth=0.8)
        ax.set(title=title, xlabel="n", xticks=n)
        if index % columns == 0:
            ax.set_ylabel(ylabel)
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False)
    return fig
