"""Methods A to D and joint: scales of the idealised filters.

- ``methods``: the table of methods, ``fit``, ``fit_joint``, ``fit_table``, ``objective_map``
- ``variance``: A and B
- ``problem``, ``search``, ``l1``, ``l2``: C and D (residuals, global search, local minimisers)
- ``grid``: the published grid search
"""

from .methods import (
    JOINT_METHODS,
    METHODS,
    TABLE_COLUMNS,
    Certificate,
    Fit,
    Method,
    fit,
    fit_joint,
    fit_table,
    objective_map,
)

__all__ = [
    "JOINT_METHODS", "METHODS", "TABLE_COLUMNS", "Certificate", "Fit", "Method",
    "fit", "fit_joint", "fit_table", "objective_map",
]  # fmt: skip
