"""Sizes over many powers of ten."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.style import COLOURS, styled

from .panels import lines_behind


@styled
def log_dots(
    groups, *, xlabel: str, floor: float = 1e-16, references=None, width: float = 7.4, row_height: float = 0.62
) -> mpl.figure.Figure:  # fmt: skip
    """Return labelled values per group on a logarithmic axis.

    Parameters
    ----------
    groups : dict of str to dict of str to float
        Group (a row) to point label to value. Values below ``floor`` are drawn on it.
    xlabel : str
    floor : float
        Left end of the axis.
    references : dict of str to float, optional
        Vertical lines with a legend entry.
    width, row_height : float
        Inches.

    Raises
    ------
    ValueError
        If a value is negative by more than ``floor``, or not finite.
    """
    fig, ax = plt.subplots(figsize=(width, row_height * len(groups) + 1.2))
    highest = max([floor, *(v for group in groups.values() for v in group.values())])
    # A character of the labels is about 0.09 inches wide; the axis is about 1.4 inches narrower than the figure.
    per_character = 0.09 * np.log10(highest / floor * 32) / (width - 1.4)
    for y, (label, group) in enumerate(groups.items()):
        values = np.array(list(group.values()), dtype=float)
        if not np.isfinite(values).all() or (values < -floor).any():
            raise ValueError(f"group {label!r} holds {values.min():g}: expected finite values >= 0")
        x = np.maximum(values, floor)
        ax.scatter(x, np.full(len(x), y), s=36, color=COLOURS[1 + y % 6], zorder=3)
        _write_labels(ax, np.log10(x), y, list(group), per_character)
    for i, (label, value) in enumerate((references or {}).items()):
        ax.axvline(value, color="0.4", linewidth=1.4, linestyle=("--", ":", "-.")[i % 3], label=label)
    ax.set(
        xscale="log", xlim=(floor / 4, highest * 8), xlabel=xlabel, yticks=range(len(groups)), yticklabels=list(groups),
        ylim=(len(groups) - 0.3, -0.7),
    )  # fmt: skip
    lines_behind(ax, "x")
    if references:
        fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


def _write_labels(ax, positions, y, labels, per_character: float) -> None:
    """Labels above their points, in their order; labels that would overlap are written as one."""
    order = np.argsort(positions, kind="stable")
    together = [([positions[i]], [labels[i]]) for i in order]

    def half_width(entry):
        return per_character * (len(", ".join(entry[1])) + 1) / 2

    k = 0
    while k + 1 < len(together):
        here, there = together[k], together[k + 1]
        if np.mean(there[0]) - np.mean(here[0]) < half_width(here) + half_width(there):
            together[k : k + 2] = [(here[0] + there[0], here[1] + there[1])]
            k = max(k - 1, 0)  # the longer label may reach its left neighbour
        else:
            k += 1
    for where, texts in together:
        ax.text(
            10 ** np.mean(where), y - 0.18, ", ".join(texts), ha="center", va="bottom", fontsize=11, zorder=2.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip
