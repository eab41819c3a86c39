"""Profiles of a quantity over one parameter: curves, labelled points on them, marks, kinks."""

from __future__ import annotations

from dataclasses import dataclass, field

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from keyfilters.figures.style import COLOURS, MARKERS, styled

from .curves import DASHES
from .panels import panel_grid


@dataclass(frozen=True)
class ProfilePanel:
    """One panel of :func:`profile_panels`.

    Attributes
    ----------
    x : array_like, shape (m,)
    curves : dict of str to array_like, shape (m,)
        Label to ordinates; a label has the same colour and dashes in all panels.
    title : str
    points : sequence of (float, float, str)
        Dots with a text tied to them, such as the keys on a curve.
    marks : dict of str to (float, float) or to (array_like, array_like)
        Legend label to one or several points; a label has the same marker in all panels.
    kinks : sequence of float
        Abscissae that are ticked along the bottom, such as those where a curve has a corner.
    xlabel, ylabel : str, optional
        Instead of the figure's own.
    """

    x: np.ndarray
    curves: dict
    title: str = ""
    points: tuple = ()
    marks: dict = field(default_factory=dict)
    kinks: tuple = ()
    xlabel: str | None = None
    ylabel: str | None = None


def _label_points(ax, points) -> None:
    """Dots with texts above and below in turn, spread out so that they do not collide, and tied by thin lines."""
    to_axes = ax.transData + ax.transAxes.inverted()
    ordered = sorted(points)
    where = to_axes.transform([(x, y) for x, y, _ in ordered])
    spacing, reach = 0.16, 0.2
    for side in (0, 1):
        members = np.arange(side, len(ordered), 2)
        if not len(members):
            continue
        u = where[members, 0]
        # Equal spacing about the common centre, moved as a whole into the axes.
        spread = (
            u if len(u) == 1 or np.diff(u).min() >= spacing else u.mean() + spacing * (np.arange(len(u)) - (len(u) - 1) / 2)
        )
        spread = spread + max(0.0, 0.06 - spread.min()) - max(0.0, spread.max() - 0.94)
        level = where[members, 1].max() + reach if side == 0 else where[members, 1].min() - reach
        level = min(max(level, 0.1), 0.9)
        for k, text_u in zip(members, spread, strict=True):
            x, y, text = ordered[k]
            ax.plot(x, y, linestyle="none", marker="o", markersize=5, color=COLOURS[0], zorder=4)
            ax.annotate(
                text, (x, y), xytext=(text_u, level), textcoords="axes fraction", fontsize=11, ha="center",
                va="bottom" if side == 0 else "top", zorder=4,
                arrowprops={"arrowstyle": "-", "color": "0.5", "linewidth": 0.8, "shrinkA": 1, "shrinkB": 1},
            )  # fmt: skip


def _logarithmic(axis) -> None:
    """Ticks at 1, 2 and 5 times powers of ten over short ranges, at powers of ten over long ones."""
    low, high = axis.get_view_interval()
    if high / low < 1e3:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


@styled
def profile_panels(
    panels, *, xlabel: str = "", ylabel: str = "", columns: int = 2, width: float = 3.6, height: float = 3.0,
    legend_columns: int = 2, logarithmic: str = "", share_y: bool = False,
) -> mpl.figure.Figure:  # fmt: skip
    """Return a figure with one profile per panel.

    Parameters
    ----------
    panels : ProfilePanel or sequence of ProfilePanel
    xlabel, ylabel : str
        Axis labels of panels that have none of their own.
    columns : int
        Panels per row.
    width, height : float
        Size of a panel in inches.
    legend_columns : int
    logarithmic : {"", "x", "y", "xy"}
        Axes with a logarithmic scale.
    share_y : bool
        One range of ordinates for all panels.

    Raises
    ------
    ValueError
        If a curve is not as long as its abscissae, or there are more labels than the palette has colours.
    """
    panels = [panels] if isinstance(panels, ProfilePanel) else list(panels)
    lines = list(dict.fromkeys(label for panel in panels for label in panel.curves))
    marked = list(dict.fromkeys(label for panel in panels for label in panel.marks))
    if max(len(lines), len(marked)) > len(COLOURS):
        raise ValueError(f"{max(len(lines), len(marked))} labels: expected at most {len(COLOURS)}, the colours of the palette")
    fig, axes = panel_grid(len(panels), columns, (width, height), 0.4, sharey="all" if share_y else "none")
    handles = {}
    for ax, panel in zip(axes.flat, panels, strict=False):
        x = np.asarray(panel.x, dtype=float)
        for label, y in panel.curves.items():
            y, i = np.asarray(y, dtype=float), lines.index(label)
            if y.shape != x.shape:
                raise ValueError(f"curve {label!r} of panel {panel.title!r} has shape {y.shape}: expected {x.shape}, that of x")
            (handles[label],) = ax.plot(x, y, color=COLOURS[(1 + i) % len(COLOURS)], linestyle=DASHES[i], label=label)
        for label, (u, v) in panel.marks.items():
            i = marked.index(label)
            # Single points grow in size, so that those that coincide stay visible; series have colours.
            single = np.ndim(u) == 0
            (handles[label],) = ax.plot(
                u, v, linestyle="none", marker=MARKERS[i], markersize=8 + 3 * i if single else 6, markerfacecolor="none",
                markeredgewidth=1.8, markeredgecolor=COLOURS[0 if single else (1 + i) % len(COLOURS)], label=label, zorder=6 if single else 5,
            )  # fmt: skip
        for kink in panel.kinks:
            ax.axvline(kink, ymax=0.06, color=COLOURS[0], linewidth=1.2)
        ax.set(
            title=panel.title, xlabel=xlabel if panel.xlabel is None else panel.xlabel,
            ylabel=ylabel if panel.ylabel is None else panel.ylabel,
        )  # fmt: skip
        for name, axis, scale in (("x", ax.xaxis, ax.set_xscale), ("y", ax.yaxis, ax.set_yscale)):
            if name in logarithmic:
                scale("log")
                _logarithmic(axis)
            else:
                # Few enough ticks that their labels stay apart in a narrow panel.
                ax.locator_params(axis=name, nbins=6)
    # The texts need the final limits, which shared axes have only now.
    for ax, panel in zip(axes.flat, panels, strict=False):
        ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
        _label_points(ax, panel.points)
    if len(handles) > 1:
        fig.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=min(legend_columns, len(handles)), frameon=False
        )
    return fig
