"""The figures of the chapters, one function per kind; each returns a matplotlib figure and draws nothing else.

Those of :mod:`keyfilters.figures` stand here too, so that a chapter imports from one place.

- ``curves``: curves over one parameter; observed values above null distributions; ``panels``: what panels of lines share
- ``molecules``: difference operators as computational molecules, 1-D kernels as stems; ``greyscale``: images
- ``diagrams``: the network, its budget of parameters, its receptive fields
- ``spreads``: mean and covariance drawn on filters
- ``scales``: methods side by side, objectives of a shared scale
- ``filters_and_models``: learned filters, their models and the differences
- ``objective``: objectives as maps over two parameters
- ``profiles``: a quantity over one parameter, with labelled points and kinks
- ``training``: banks of filters, values of seeds with intervals, quantities over epochs
- ``networks``: a network judged after surgery, variant by variant and layer by layer
- ``clusters``: galleries of keys, explained variance beside nulls, maps of shifts
- ``digits``: sizes over many powers of ten
- ``atoms``, ``image_grids``, ``lenet_pictures``, ``lines``, ``mosaics``, ``pursuits``, ``representations``: figures of
  the lecture's part, chapter by chapter
"""

from keyfilters.figures.heatmaps import draw_filter, filter_panels, filter_rows
from keyfilters.figures.style import COLOURS, DIVERGING, MARKERS, SEQUENTIAL, ink, styled, symmetric_limit

from .curves import curves, interval_rows
from .diagrams import network_diagram, receptive_field_growth
from .digits import log_dots
from .filters_and_models import learned_and_models
from .greyscale import image_panels
from .molecules import draw_molecule, kernel_stems, molecule_panels
from .objective import MapPanel, draw_objective_map, objective_map_figure
from .profiles import ProfilePanel, profile_panels
from .scales import method_heatmaps, pooled_objectives, scales_by_method
from .spreads import ellipse, spread_panels

__all__ = [
    "COLOURS", "DIVERGING", "MARKERS", "MapPanel", "ProfilePanel", "SEQUENTIAL", "curves", "draw_filter", "draw_molecule",
    "draw_objective_map", "ellipse", "filter_panels", "filter_rows", "image_panels", "ink", "interval_rows", "kernel_stems",
    "learned_and_models", "log_dots", "method_heatmaps", "molecule_panels", "network_diagram", "objective_map_figure",
    "pooled_objectives", "profile_panels", "receptive_field_growth", "scales_by_method", "spread_panels", "styled",
    "symmetric_limit",
]  # fmt: skip
