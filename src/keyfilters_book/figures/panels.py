"""What figures of several panels with the same kinds of lines share: labels, a grid of axes, a common legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def per_panel(value: Any, titles: Sequence[str]) -> dict[str, Any]:
    """A value for each panel: itself where it is one value for all; None for a panel that a mapping lacks."""
    return {title: value.get(title) for title in titles} if isinstance(value, Mapping) else dict.fromkeys(titles, value)


def series_labels(panels: dict[str, dict[str, Any]], what: str = "line") -> list[str]:
    """The labels of all panels, each once, in the order in which they come first.

    Parameters
    ----------
    panels : dict of str to dict of str
        Title to label to whatever is drawn.
    what : str
        What there is at least one of, for the message.

    Raises
    ------
    ValueError
        If there is nothing to draw, or more labels than colours of the palette (black stays free).

    Examples
    --------
    >>> series_labels({"a": {"x": 1, "y": 2}, "b": {"y": 3, "z": 4}})
    ['x', 'y', 'z']
    """
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    if not labels:
        raise ValueError(f"panels holds no {what}: expected at least one")
    if len(labels) >= len(COLOURS):
        raise ValueError(f"{len(labels)} labels: expected fewer than {len(COLOURS)}, the colours of the palette")
    return labels


def panel_grid(
    count: int, columns: int, panel: tuple[float, float], extra: float = 0.0, beside: float = 0.0, **shared: Any
) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes, shape (rows, columns), for ``count`` panels; those that are left over are blank.

    Parameters
    ----------
    count, columns : int
        Panels, and at most so many of them in a row.
    panel : (float, float)
        Size of a panel in inches.
    extra, beside : float
        Height for a legend and width for labels, in inches.
    **shared
        ``sharex``, ``sharey``, as of ``plt.subplots``.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    size = (panel[0] * columns + beside, panel[1] * rows + extra)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **shared)
    for ax in axes.flat[count:]:
        ax.axis("off")
    return fig, axes


def lines_behind(ax: Any, axis: str = "both", grey: str = "0.9") -> None:
    """Grid lines behind all that is drawn: upright ones (axis x), level ones (axis y), or both."""
    ax.grid(axis=axis, color=grey)
    ax.set_axisbelow(True)


def finish_panels(
    fig: Figure, axes: np.ndarray, handles: dict[str, Any], xlabel: str, ylabel: str, ylim: tuple[float, float] | None = None
) -> None:
    """Label the whole, and put one legend above all panels."""
    if ylim is not None:
        axes[0, 0].set_ylim(ylim)
    fig.supxlabel(xlabel, fontsize=12)
    fig.supylabel(ylabel, fontsize=12)
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=min(len(handles), 2), frameon=False)
