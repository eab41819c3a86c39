"""One fit: filter, model, rest, and the profile of each parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt

from .heatmaps import draw_filter
from .style import COLOURS, styled, symmetric_limit

if TYPE_CHECKING:
    from ..fitting.result import Fit

LABELS = {"sigma": r"$\sigma$", "sigma_x": r"$\sigma_x$", "sigma_y": r"$\sigma_y$", "gamma": r"$\gamma$"}
"""How the parameters of a fit are written on an axis."""


@styled
def fit_figure(fit: Fit, width: float = 7.2) -> mpl.figure.Figure:
    """Return a fit as a figure: the normalised filter, the model, the rest; below them, for least squares, the profiles.

    Parameters
    ----------
    fit : keyfilters.Fit
    width : float
        Inches.

    Examples
    --------
    >>> from keyfilters import fit
    >>> figure = fit_figure(fit(7, "D1"))
    >>> len(figure.axes)
    5
    >>> plt.close(figure)
    """
    from ..fitting.intervals import _power

    profiles = [fit.profile(name, 41) for name in fit.parameters] if _power(fit) == 2 else []
    fig = plt.figure(figsize=(width, width * (0.76 if profiles else 0.38)))
    above, *below = fig.subfigures(2, 1, height_ratios=(1, 1)) if profiles else [fig]
    limit = symmetric_limit(fit.filter)
    model = fit.model()
    panels = (("normalised filter", fit.filter), (f"key {fit.key}, {fit.method}", model), ("rest", fit.filter - model))
    for ax, (title, values) in zip(above.subplots(1, 3), panels, strict=True):
        draw_filter(ax, values, limit)
        ax.set_title(title)
    if profiles:
        for ax, found in zip(below[0].subplots(1, len(profiles), squeeze=False)[0], profiles, strict=True):
            ax.plot(found.values, found.objective, color=COLOURS[1])
            ax.axhline(found.threshold, color="0.5", linewidth=1, linestyle="--")
            ax.axvspan(found.low, found.high, color="0.9", zorder=0)
            ax.plot(found.best, found.least, "o", color=COLOURS[0])
            ax.set(xlabel=LABELS[found.parameter], ylabel="sum of squares")
            ax.locator_params(nbins=5)
    return fig
