"""Accuracy by the stage at which a network is cut."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from keyfilters.figures.style import COLOURS, MARKERS, styled

__all__ = ["stage_curves"]


@styled
def stage_curves(panels, stages, *, baseline=None, xlabel="network cut after stage", ylabel="accuracy, %"):
    """Lines over the stages of a network, one line per body, with the range over draws as a bar.

    Parameters
    ----------
    panels : dict of str to dict of str to array, shape (draws, stages)
        Title of the panel: label of the line: values.
    stages : sequence of str
    baseline : dict of str to (str, float), optional
        Title of the panel: label and value of a dashed line.
    xlabel, ylabel : str

    Returns
    -------
    Figure

    Examples
    --------
    >>> fig = stage_curves({"few": {"a": np.ones((2, 3))}}, ["1", "2", "3"])
    >>> [text.get_text() for text in fig.axes[0].get_xticklabels()]
    ['1', '2', '3']
    """
    fig, axes = plt.subplots(len(panels), 1, figsize=(5.6, 3.1 * len(panels) + 1.0), sharex=True, sharey=True, squeeze=False)
    x = np.arange(len(stages))
    for ax, (title, lines) in zip(axes[:, 0], panels.items(), strict=True):
        for i, (label, values) in enumerate(lines.items()):
            values = np.asarray(values, dtype=float)
            place, mean = x + 0.06 * (i - (len(lines) - 1) / 2), values.mean(0)
            ax.errorbar(
                place, mean, [mean - values.min(0), values.max(0) - mean],
                color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], capsize=3, elinewidth=1, label=label,
            )  # fmt: skip
        if baseline and title in baseline:
            label, value = baseline[title]
            ax.axhline(value, color="0.4", linestyle="--", linewidth=1.5, label=label)
        ax.set_title(title)
        ax.set_ylabel(ylabel)
        ax.set_xticks(x, stages)
    axes[-1, 0].set_xlabel(xlabel)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return fig
