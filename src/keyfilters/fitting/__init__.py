"""Methods A to D and joint: scales of the idealised filters.

- ``methods``: the table of methods, ``fit`` and ``objective_map``; ``result``: what a fit returns, how much of a filter is noise
- ``joint``: ``fit_joint``, ``fit_table`` and the scales of all keys by one method
- ``variance``: A and B
- ``problem``, ``search``: C and D (residuals, global search and local minimisers)
- ``grid``: the published grid search
- ``terms``: sums of terms with free coefficients; ``components``: more terms than the paper's, compared
- ``separable``: filters of any number of axes
- ``intervals``: what noise does to a scale; a fit in words
"""

from .components import COMPONENTS, Component, ComponentFit, fit_components, model_comparison
from .intervals import Profile
from .joint import JOINT_METHODS, TABLE_COLUMNS, fit_joint, fit_table
from .methods import METHODS, Method, fit, objective_map, rank_keys
from .result import Certificate, Fit, Given, Noise, noise_level
from .separable import SeparableFit, fit_separable

__all__ = [
    "COMPONENTS", "JOINT_METHODS", "METHODS", "TABLE_COLUMNS", "Certificate", "Component", "ComponentFit", "Fit", "Given",
    "Method", "Noise", "Profile", "SeparableFit", "fit", "fit_components", "fit_joint", "fit_separable", "fit_table",
    "model_comparison", "noise_level", "objective_map", "rank_keys",
]  # fmt: skip
