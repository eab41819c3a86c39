"""One function per kind of figure; each returns a matplotlib figure and draws nothing else.

- ``style``: colours, sizes, ink
- ``heatmaps``: filters as heat maps
- ``objective``: objectives as maps over two parameters
"""

from .heatmaps import draw_filter, filter_panels, filter_rows
from .objective import MapPanel, draw_objective_map, objective_map_figure
from .style import COLOURS, DIVERGING, MARKERS, SEQUENTIAL, ink, styled, symmetric_limit

__all__ = [
    "COLOURS", "DIVERGING", "MARKERS", "SEQUENTIAL", "MapPanel",
    "draw_filter", "draw_objective_map", "filter_panels", "filter_rows", "ink", "objective_map_figure", "styled", "symmetric_limit",
]  # fmt: skip
