"""One function per kind of figure; each returns a matplotlib figure and draws nothing else.

- ``style``: colours, sizes, ink
- ``heatmaps``: filters as heat maps
- ``images``: images and filtered images
- ``molecules``: difference operators as computational molecules, 1-D kernels as stems
- ``curves``: curves over one parameter; observed values above null distributions
- ``fits``: one fit with its rest and profiles
- ``panels``: labels, grid and legend of figures with several panels of lines

The figures of the book's chapters are in ``keyfilters_book.figures``.
"""

from .curves import curves, interval_rows
from .fits import fit_figure
from .heatmaps import draw_filter, filter_panels, filter_rows
from .images import image_panels
from .molecules import draw_molecule, kernel_stems, molecule_panels
from .style import COLOURS, DIVERGING, MARKERS, SEQUENTIAL, ink, styled, symmetric_limit

__all__ = [
    "COLOURS", "DIVERGING", "MARKERS", "SEQUENTIAL", "curves", "draw_filter", "draw_molecule", "filter_panels",
    "filter_rows", "fit_figure", "image_panels", "ink", "interval_rows", "kernel_stems", "molecule_panels", "styled", "symmetric_limit",
]  # fmt: skip


def __getattr__(name):
    from .._moved import chapter_figure

    return chapter_figure(name)
