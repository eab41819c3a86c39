"""One function per kind of figure; each returns a matplotlib figure and draws nothing else.

- ``style``: colours, sizes, ink
- ``heatmaps``: filters as heat maps
"""

from .heatmaps import draw_filter, filter_panels, filter_rows
from .style import COLOURS, DIVERGING, MARKERS, SEQUENTIAL, ink, styled, symmetric_limit

__all__ = ["COLOURS", "DIVERGING", "MARKERS", "SEQUENTIAL", "draw_filter", "filter_panels", "filter_rows", "ink", "styled", "symmetric_limit"]
