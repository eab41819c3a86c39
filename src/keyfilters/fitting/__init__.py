"""Methods A to D and joint: scales of the idealised filters.

- ``methods``: the table of methods and ``fit``; ``result``: what it returns
- ``parameters``: the scales of all keys by one method; ``joint``: ``fit_joint`` and ``fit_table``; ``maps``: ``objective_map``
- ``variance``: A and B
- ``problem``, ``search``, ``l1``, ``l2``: C and D (residuals, global search, local minimisers)
- ``exclusion``: where the optimum can still be, as the search excludes it
- ``landscape``: the objective between and around its minima
- ``grid``: the published grid search
"""

from .joint import JOINT_METHODS, TABLE_COLUMNS, fit_joint, fit_table
from .maps import objective_map
from .methods import METHODS, Method, fit
from .result import Certificate, Fit

__all__ = [
    "JOINT_METHODS", "METHODS", "TABLE_COLUMNS", "Certificate", "Fit", "Method",
    "fit", "fit_joint", "fit_table", "objective_map",
]  # fmt: skip
