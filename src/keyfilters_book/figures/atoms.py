"""Atoms in space and frequency, partitions of the frequency plane, error curves and octaves on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.style import COLOURS, DIVERGING, MARKERS, SEQUENTIAL, styled, symmetric_limit

from .curves import DASHES

PI_TICKS = {"ticks": [-np.pi, 0, np.pi], "labels": ["$-\\pi$", "0", "$\\pi$"]}


def _frequency_axes(ax, labels: bool = True) -> None:
    ax.set_xticks(**PI_TICKS)
    ax.set_yticks(**(PI_TICKS if labels else {"ticks": PI_TICKS["ticks"], "labels": []}))


@styled
def atom_panels(atoms: Mapping, *, window: int = 32, panel: float = 1.75) -> mpl.figure.Figure:
    """Return a figure with atoms in space (above) and the size of their Fourier transforms (below).

    Parameters
    ----------
    atoms : dict of str to array_like, shape (n, n)
        Title to atom, row 0 on top.
    window : int
        Side in pixels of what is shown of the space, about the atom's centre of energy (periodic).
    panel : float
        Side of a panel in inches.

    Raises
    ------
    ValueError
        If there are no atoms.
    """
    if not atoms:
        raise ValueError("atoms is empty: expected at least one atom")
    fig, axes = plt.subplots(2, len(atoms), figsize=(panel * len(atoms) + 0.5, 2 * panel + 0.6), squeeze=False)
    for column, (title, atom) in enumerate(atoms.items()):
        atom = np.asarray(atom, dtype=float)
        shift = [_periodic_centre((atom**2).sum(axis=1 - axis)) for axis in (0, 1)]
        side = min(window, *atom.shape)
        piece = np.roll(atom, [side // 2 - s for s in shift], axis=(0, 1))[:side, :side]
        limit = symmetric_limit(piece)
        axes[0, column].imshow(piece, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
        axes[0, column].set(title=title, xticks=[], yticks=[])
        # Row 0 is y = top and, shifted, frequency -pi along the rows, which is +pi along y: no flip.
        spectrum = np.fft.fftshift(np.abs(np.fft.fft2(atom)))
        axes[1, column].imshow(spectrum, cmap=SEQUENTIAL, vmin=0, extent=(-np.pi, np.pi, -np.pi, np.pi))
        _frequency_axes(axes[1, column], labels=column == 0)
    axes[0, 0].set_ylabel("space")
    axes[1, 0].set_ylabel("frequency")
    return fig


def _periodic_centre(weights: np.ndarray) -> int:
    """Where the weights on a ring have their mean direction."""
    angle = np.angle(weights @ np.exp(2j * np.pi * np.arange(len(weights)) / len(weights)))
    return int(round(angle / (2 * np.pi) * len(weights))) % len(weights)


@styled
def partition_panels(partitions: Mapping, *, panel: float = 3.2) -> mpl.figure.Figure:
    """Return a figure with partitions of the frequency plane, bands in alternating colours between black lines.

    Parameters
    ----------
    partitions : dict of str to array_like of int, shape (n, n)
        Title to the number of the band that is strongest at each frequency, zero frequency at index 0.
    panel : float
        Side of a panel in inches.
    """
    fig, axes = plt.subplots(1, len(partitions), figsize=(panel * len(partitions), panel + 0.3), squeeze=False)
    colours = mpl.colors.ListedColormap([*COLOURS[1:], "#F0E442"])
    for column, (ax, (title, bands)) in enumerate(zip(axes.flat, partitions.items(), strict=True)):
        # Without the frequencies -pi, which are +pi as well and belong to two bands.
        bands = np.fft.fftshift(np.asarray(bands))[1:, 1:]
        edge = np.zeros(bands.shape, bool)
        edge[1:] |= bands[1:] != bands[:-1]
        edge[:, 1:] |= bands[:, 1:] != bands[:, :-1]
        extent = (-np.pi, np.pi, -np.pi, np.pi)
        ax.imshow(bands % colours.N, cmap=colours, vmin=-0.5, vmax=colours.N - 0.5, extent=extent, interpolation="nearest")
        ax.imshow(np.ma.masked_equal(edge, False), cmap="gray", vmin=1, vmax=2, extent=extent, interpolation="nearest")
        ax.set(title=title, xlabel="horizontal frequency", ylabel="" if column else "vertical frequency")
        _frequency_axes(ax, labels=column == 0)
    return fig


@styled
def log_curves(
    panels: Mapping, *, xlabel: str, ylabel: str, guides=(), xlim=None, ylim=None, yscale: str = "log", marked=None,
    width: float = 3.4, height: float = 3.3, legend_columns: int = 3,
) -> mpl.figure.Figure:  # fmt: skip
    """Return a figure of curves over a logarithmic abscissa, with grey guides.

    Parameters
    ----------
    panels : dict of str to dict of str to (x, y)
        Title to label to abscissae and ordinates. A label keeps its colour and dashes in all panels.
    xlabel, ylabel : str
    guides : sequence of (str, x, y) or dict of title to such
        Grey dotted lines with a label at their right end.
    xlim, ylim : (float, float), optional
    yscale : {"log", "linear"}
    marked : dict of str to (float, float), optional
        Title to an interval of x that is shaded.
    width, height : float
        Of a panel, in inches.
    legend_columns : int

    Raises
    ------
    ValueError
        If there are more labels than the palette has colours.
    """
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    if len(labels) > len(COLOURS):
        raise ValueError(f"{len(labels)} curves: expected at most {len(COLOURS)}, the colours of the palette")
    fig, axes = plt.subplots(1, len(panels), figsize=(width * len(panels), height + 0.5), squeeze=False, sharey=True)
    handles = {}
    for ax, (title, series) in zip(axes.flat, panels.items(), strict=True):
        for label, (x, y) in series.items():
            i = labels.index(label)
            (handles[label],) = ax.plot(x, y, color=COLOURS[i], linestyle=DASHES[i], label=label)
        for text, x, y in guides.get(title, ()) if isinstance(guides, Mapping) else guides:
            ax.plot(x, y, color="0.5", linestyle=":", linewidth=1.6, zorder=0)
            ax.annotate(text, (x[-1], y[-1]), xytext=(3, 0), textcoords="offset points", color="0.35", va="center", fontsize=11)
        if marked and title in marked:
            ax.axvspan(*marked[title], color="0.9", zorder=0)
        ax.set_xscale("log", base=2)
        ax.set_yscale(yscale)
        ax.set(title=title, xlabel=xlabel, xlim=xlim, ylim=ylim)
    axes[0, 0].set_ylabel(ylabel)
    fig.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=min(legend_columns, len(handles)), frameon=False
    )
    return fig


@styled
def octave_panels(statistics: Mapping, guides: Mapping, *, left_out: int = 1, panel: float = 3.3) -> mpl.figure.Figure:
    """Return a figure with what each octave holds: number of coefficients that count, and the largest one.

    Parameters
    ----------
    statistics : dict of str to (octaves, participation, largest)
        Label to octaves and, per octave, an array of shape (images, octaves).
    guides : dict of str to (float, float)
        Label to theoretical slopes in powers of two, drawn in grey through the mean of the fitted octaves.
    left_out : int
        Finest octaves that are not fitted: hollow markers.
    panel : float
        Width in inches.
    """
    fig, axes = plt.subplots(1, 2, figsize=(2 * panel, panel + 0.6))
    titles = ("coefficients that count", "largest coefficient")
    for i, (label, (octaves, *values)) in enumerate(statistics.items()):
        octaves = np.asarray(octaves)
        for part, (ax, title) in enumerate(zip(axes, titles, strict=True)):
            logs = np.log2(values[part])
            mean, fitted = logs.mean(axis=0), slice(0, len(octaves) - left_out)
            ax.plot(
                octaves,
                mean,
                color=COLOURS[i],
                marker=MARKERS[i],
                linestyle="none",
                markersize=8,
                markerfacecolor="none",
                zorder=4,
            )
            ax.plot(
                octaves[fitted],
                mean[fitted],
                color=COLOURS[i],
                marker=MARKERS[i],
                linestyle="none",
                markersize=8,
                label=label,
                zorder=5,
            )
            ax.vlines(octaves, logs.min(axis=0), logs.max(axis=0), color=COLOURS[i], linewidth=1.5)
            if label in guides:
                slope = guides[label][part]
                line = mean[fitted].mean() + slope * (octaves - octaves[fitted].mean())
                ax.plot(octaves, line, color=COLOURS[i], linestyle=DASHES[i], linewidth=1.4, alpha=0.8)
            ax.set(title=title, xlabel="octave (coarse to fine)", xticks=octaves)
    axes[0].set_ylabel("log2 of the participation number")
    axes[1].set_ylabel("log2 of its absolute value")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return fig
