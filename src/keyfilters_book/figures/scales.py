"""Methods side by side: tables as heat maps, scales by key, objectives of a shared scale."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from keyfilters.figures.style import COLOURS, MARKERS, SEQUENTIAL, ink, styled

from .panels import panel_grid


@styled
def method_heatmaps(panels, *, formats="{:.2f}", columns: int = 1, cell=(0.62, 0.34), limits=None) -> mpl.figure.Figure:
    """Return heat maps of numbers by method and key, each cell with its number.

    Parameters
    ----------
    panels : dict of str to pandas.DataFrame
        Title to numbers, index methods, columns keys. NaN leaves a cell empty.
    formats : str or dict of title to str
        How the numbers are printed.
    columns : int
        Panels per row.
    cell : (float, float)
        Width and height of a cell in inches.
    limits : dict of title to (float, float), optional
        Values at the ends of the colour map; default: least and largest of the panel.
    """
    count, keys = max(len(f) for f in panels.values()), max(f.shape[1] for f in panels.values())
    fig, axes = panel_grid(len(panels), columns, (cell[0] * keys + 1.0, cell[1] * count + 0.75))
    for ax, (title, frame) in zip(axes.flat, panels.items(), strict=False):
        values = np.asarray(frame, dtype=float)
        low, high = (limits or {}).get(title, (np.nanmin(values), np.nanmax(values)))
        image = ax.imshow(np.ma.masked_invalid(values), cmap=SEQUENTIAL, vmin=low, vmax=high, aspect="auto")
        fmt = formats[title] if isinstance(formats, Mapping) else formats
        for i, j in np.argwhere(np.isfinite(values)):
            colour = ink(image.cmap(image.norm(values[i, j])))
            ax.text(j, i, fmt.format(values[i, j]), ha="center", va="center", fontsize=11, color=colour)
        ax.set(
            title=title,
            xticks=range(frame.shape[1]),
            xticklabels=frame.columns,
            yticks=range(len(frame)),
            yticklabels=frame.index,
        )
        ax.set_xlabel(str(frame.columns.name or ""))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return fig


@styled
def scales_by_method(table) -> mpl.figure.Figure:
    """Return the scales along x and along y for every key, one marker per method.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns method, key, sigma_x, sigma_y (grid units), at most seven methods.

    Raises
    ------
    ValueError
        If there are more methods than markers.
    """
    methods = list(dict.fromkeys(table.method))
    if len(methods) > len(MARKERS):
        raise ValueError(f"{len(methods)} methods: expected at most {len(MARKERS)}, one marker each")
    keys = sorted(set(table.key))
    fig, axes = plt.subplots(2, 1, figsize=(6.6, 6.4), sharex=True, sharey=True)
    for ax, axis in zip(axes, "xy", strict=True):
        for i, method in enumerate(methods):
            rows = table[table.method == method]
            # Side by side, in the order of the methods, so that equal scales do not hide each other.
            position = np.array([keys.index(k) for k in rows.key]) + 0.12 * (i - (len(methods) - 1) / 2)
            ax.plot(
                position,
                rows[f"sigma_{axis}"],
                linestyle="none",
                marker=MARKERS[i],
                markersize=7,
                color=COLOURS[i % len(COLOURS)],
                label=method,
                clip_on=False,
            )
        for edge in np.arange(len(keys) - 1) + 0.5:
            ax.axvline(edge, color="0.85", linewidth=1)
        ax.set(ylabel=f"$\\sigma_{axis}$ (grid units)", ylim=(0, None))
    axes[1].set(xticks=range(len(keys)), xticklabels=keys, xlabel="key")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(
        handles, labels, loc="outside lower center", ncols=len(methods), frameon=False, handletextpad=0.1, columnspacing=1.2
    )
    return fig


@styled
def pooled_objectives(sigma, panels, *, columns: int = 2, width: float = 3.5, height: float = 3.1) -> mpl.figure.Figure:
    """Return objectives of several keys against one shared scale, with their sum and all minima.

    Parameters
    ----------
    sigma : dict of title to array_like, shape (m,)
        Scales (grid units) of each panel, increasing.
    panels : dict of str to dict of int to array_like, shape (m,)
        Title to key to objective. The thick black curve is their sum; the lowest sample of every
        curve is marked.
    columns : int
        Panels per row.
    width, height : float
        Size of a panel in inches.

    Raises
    ------
    ValueError
        If a curve is not as long as its scales.
    """
    keys = sorted({key for curves in panels.values() for key in curves})
    # Black is the sum's; grey joins the palette in its place.
    palette = (*COLOURS[1:], "0.45")
    look = {key: (palette[i % len(palette)], MARKERS[i % len(MARKERS)]) for i, key in enumerate(keys)}
    fig, axes = panel_grid(len(panels), columns, (width, height), 0.6)
    for ax, (title, curves) in zip(axes.flat, panels.items(), strict=False):
        u = np.asarray(sigma[title], dtype=float)
        total = np.zeros_like(u)
        for key, values in curves.items():
            y = np.asarray(values, dtype=float)
            if y.shape != u.shape:
                raise ValueError(
                    f"curve of key {key} in panel {title!r} has shape {y.shape}: expected {u.shape}, that of sigma"
                )
            total += y
            colour, marker = look[key]
            ax.plot(u, y, color=colour, linewidth=1.5)
            ax.plot(u[y.argmin()], y.min(), marker, color=colour, markersize=8, clip_on=False)
        best = int(total.argmin())
        ax.axvline(u[best], color="0.6", linewidth=1, linestyle="--", zorder=0)
        ax.plot(u, total, color="black", linewidth=2.6)
        ax.plot(u[best], total[best], "*", color="black", markersize=14)
        ax.set(title=title, xlabel=r"$\sigma$ (grid units)", ylim=(0, None))
    handles = [Line2D([], [], color=c, marker=m, linewidth=1.5, markersize=8, label=f"key {k}") for k, (c, m) in look.items()]
    handles.append(Line2D([], [], color="black", marker="*", linewidth=2.6, markersize=13, label="sum"))
    fig.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return fig
