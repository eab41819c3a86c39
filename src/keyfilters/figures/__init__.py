"""One function per kind of figure; each returns a matplotlib figure and draws nothing else.

- ``style``: colours, sizes, ink
- ``heatmaps``: filters as heat maps
- ``fits``: one fit with its rest and profiles

The figures of the book's chapters are in ``keyfilters_book.figures``.
"""

from .fits import fit_figure
from .heatmaps import draw_filter, filter_panels, filter_rows
from .style import COLOURS, DIVERGING, MARKERS, SEQUENTIAL, ink, styled, symmetric_limit

__all__ = [
    "COLOURS", "DIVERGING", "MARKERS", "SEQUENTIAL", "draw_filter", "filter_panels", "filter_rows", "fit_figure", "ink", "styled",
    "symmetric_limit",
]  # fmt: skip


def __getattr__(name):
    from .._moved import chapter_figure

    return chapter_figure(name)
