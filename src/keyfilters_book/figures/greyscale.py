"""Images and filtered images, in grey."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from numpy.typing import ArrayLike

from keyfilters.figures.style import styled

from .panels import panel_grid


@styled
def image_panels(
    images: dict[str, ArrayLike],
    *,
    limits: tuple[float, float] | None = None,
    columns: int = 2,
    panel: float = 3.1,
    rows_marked: Sequence[int] = (),
) -> mpl.figure.Figure:
    """Return a figure with one grey image per entry, all with the same limits of black and white.

    Parameters
    ----------
    images : dict of str to array_like, shape (m, n)
        Title to image, row 0 on top.
    limits : (float, float), optional
        Values drawn black and white; default: least and largest of all images.
    columns : int
        Panels per row.
    panel : float
        Width of a panel in inches.
    rows_marked : sequence of int
        Rows that are marked by a short line on both sides, such as those of a profile.
    """
    arrays = {title: np.asarray(image, dtype=float) for title, image in images.items()}
    low, high = limits or (min(a.min() for a in arrays.values()), max(a.max() for a in arrays.values()))
    fig, axes = panel_grid(len(arrays), columns, (panel, panel + 0.2), 0.0)
    for ax, (title, image) in zip(axes.flat, arrays.items(), strict=False):
        ax.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        ax.set(title=title, xticks=[], yticks=[])
        for row in rows_marked:
            for x in (0.0, 0.94):
                ax.axhline(row, x, x + 0.06, color="#D55E00", linewidth=2.5)
    return fig
