"""Learned filters, their models and the differences between the two, as the pages of the methods open with them."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike

from keyfilters.figures.heatmaps import draw_filter
from keyfilters.figures.style import styled, symmetric_limit

__all__ = ["learned_and_models"]


@styled
def learned_and_models(
    learned: ArrayLike, models: ArrayLike, keys: Iterable[int] = range(1, 9), columns: int = 8, panel: float = 0.9
) -> mpl.figure.Figure:
    """Return three rows of heat maps for each block of keys: the learned filters, their models, learned minus model.

    Parameters
    ----------
    learned, models : array_like, shape (k, n, n)
    keys : the numbers of the k keys
    columns : keys beside each other; the others stand in further blocks below
    panel : width of a panel in inches

    A filter and its model share symmetric limits, those of the filter. A difference has its own, so that its shape is
    seen; below it stands how far they reach, in per cent of those of the filter. Raises `ValueError` for lengths that differ.
    """
    learned, models = np.asarray(learned), np.asarray(models)
    blocks = -(-len(learned) // columns)
    size = (panel * columns + 0.35, (3 * panel + 0.65) * blocks)
    fig, axes = plt.subplots(3 * blocks, columns, figsize=size, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for place, (key, filter_, model) in enumerate(zip(keys, learned, models, strict=True)):
        block, column = divmod(place, columns)
        own = axes[3 * block : 3 * block + 3, column]
        limit, rest = symmetric_limit(filter_), filter_ - model
        for ax, h, reach in zip(own, (filter_, model, rest), (limit, limit, symmetric_limit(rest)), strict=True):
            ax.set_axis_on()
            draw_filter(ax, h, reach)
        own[0].set_title(f"key {key}")
        own[2].set_xlabel(f"±{100 * np.abs(rest).max() / limit:.0f} %")
    for ax, label in zip(axes[:, 0], ("learned", "model", "difference") * blocks, strict=True):
        ax.set_ylabel(label)
    return fig
