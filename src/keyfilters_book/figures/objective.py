"""Objectives as functions of the scales: maps over two parameters, with the parameters on their own axes."""

from __future__ import annotations

from dataclasses import dataclass, field

import matplotlib as mpl
import numpy as np
from matplotlib.patheffects import withStroke

from keyfilters.figures.style import MARKERS, SEQUENTIAL, styled

from .panels import panel_grid


@dataclass(frozen=True)
class MapPanel:
    """One map of an objective and what is marked in it.

    Attributes
    ----------
    first : array_like, shape (m,)
        Parameter along the horizontal axis (sigma_x; sigma for key 7), increasing.
    second : array_like, shape (n,)
        Parameter along the vertical axis (sigma_y; gamma for key 7), increasing upwards.
    values : array_like, shape (n, m)
        ``values[i, j]`` belongs to ``second[i]`` and ``first[j]``, as ``keyfilters.objective_map`` returns it.
    title : str
    points : dict of str to (float, float)
        Legend label to (first, second). The same label has the same marker in all panels of a figure.
    open_cells : array_like of bool, shape (n, m), optional
        Cells to outline, for instance those that a bound does not exclude.
    """

    first: np.ndarray
    second: np.ndarray
    values: np.ndarray
    title: str = ""
    points: dict = field(default_factory=dict)
    open_cells: np.ndarray | None = None


def draw_objective_map(ax, panel: MapPanel, markers: dict, contours: int = 12):
    """Draw one map on an axis; returns the colour mesh.

    Each value fills a cell centred on its grid point, so a marked grid point lies in the middle of its
    cell. The second parameter grows upwards.

    Raises
    ------
    ValueError
        If the shape of the values is not (len(second), len(first)).
    """
    first, second, values = (np.asarray(a, dtype=float) for a in (panel.first, panel.second, panel.values))
    if values.shape != (len(second), len(first)):
        raise ValueError(f"values has shape {values.shape}: expected {(len(second), len(first))}, (second, first)")
    # Rasterised: tens of thousands of cells would otherwise be as many paths of the SVG.
    mesh = ax.pcolormesh(first, second, values, shading="nearest", cmap=SEQUENTIAL, rasterized=True)
    if contours:
        # Spaced as squares above the minimum: equally wide rings around the bottom of a parabolic bowl.
        low, high = values.min(), values.max()
        levels = low + (high - low) * (np.arange(1, contours + 1) / (contours + 1)) ** 2
        if high > low:
            ax.contour(first, second, values, levels=levels, colors="white", linewidths=0.7, alpha=0.7)
    if panel.open_cells is not None and np.any(panel.open_cells):
        cells = np.kron(np.asarray(panel.open_cells, dtype=float), np.ones((8, 8)))
        # Finer than the grid, so that the outline follows the cells' sides instead of cutting corners.
        fine_first, fine_second = (_fine(axis, 8) for axis in (first, second))
        ax.contour(fine_first, fine_second, cells, levels=[0.5], colors="#E69F00", linewidths=2.0)
    sizes = {label: 8 + 3.5 * i for i, label in enumerate(markers)}
    for label, (x, y) in panel.points.items():
        # Hollow, white with a black border: seen on every colour, and markers that coincide stay visible.
        ax.plot(
            x, y, linestyle="none", marker=markers[label], markersize=sizes[label], label=label, markerfacecolor="none",
            markeredgecolor="white", markeredgewidth=2.0, clip_on=False, zorder=5,
            path_effects=[withStroke(linewidth=4.0, foreground="black")],
        )  # fmt: skip
    ax.set_title(panel.title)
    return mesh


def _fine(axis, factor: int) -> np.ndarray:
    """Centres of the subcells when every cell around an equidistant grid point is divided."""
    step = (axis[-1] - axis[0]) / (len(axis) - 1)
    offsets = ((np.arange(factor) + 0.5) / factor - 0.5) * step
    return (axis[:, None] + offsets).ravel()


@styled
def objective_map_figure(
    panels, *, first_label: str, second_label: str, value_label: str, columns: int = 2, contours: int = 12, width: float = 4.1
) -> mpl.figure.Figure:
    """Return a figure with one map of an objective per panel.

    Parameters
    ----------
    panels : MapPanel or sequence of MapPanel
    first_label, second_label, value_label : str
        Of the horizontal axis, the vertical axis and the colour bar.
    columns : int
        Panels per row.
    contours : int
        Contour lines per panel, 0 for none.
    width : float
        Width of a panel in inches.
    """
    panels = [panels] if isinstance(panels, MapPanel) else list(panels)
    labels = list(dict.fromkeys(label for panel in panels for label in panel.points))
    markers = dict(zip(labels, MARKERS[: len(labels)], strict=True))
    fig, axes = panel_grid(len(panels), columns, (width, 0.85 * width), 0.35)
    for ax, panel in zip(axes.flat, panels, strict=False):
        mesh = draw_objective_map(ax, panel, markers, contours)
        ax.set(xlabel=first_label, ylabel=second_label)
        bar = fig.colorbar(mesh, ax=ax, label=value_label)
        # No common offset above the bar: each tick says its own value.
        bar.formatter.set_useOffset(False)
        bar.update_ticks()
    if labels:
        # One legend for the figure: a label that several panels mark stands in it once.
        handles = {}
        for ax in axes.flat:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(3, len(handles)), frameon=False)
    return fig
