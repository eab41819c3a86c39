"""Methods A to D and joint: scales of the idealised filters.

- ``methods``: the table of methods and ``fit``; ``result``: what it returns
- ``parameters``: the scales of all keys by one method; ``joint``: ``fit_joint`` and ``fit_table``; ``maps``: ``objective_map``
- ``variance``: A and B
- ``problem``, ``search``, ``l1``, ``l2``: C and D (residuals, global search, local minimisers)
- ``grid``: the published grid search
- ``terms``: sums of terms with free coefficients; ``components``: more terms than the paper's, compared
- ``separable``: filters of any number of axes
- ``noise``: how much of a filter is noise; ``intervals``: what that does to a scale; ``report``: all of it in words
"""

from .components import COMPONENTS, Component, ComponentFit, fit_components, model_comparison
from .intervals import Profile
from .joint import JOINT_METHODS, TABLE_COLUMNS, fit_joint, fit_table
from .maps import objective_map
from .methods import METHODS, Method, fit
from .noise import Noise, noise_level
from .ranking import rank_keys
from .result import Certificate, Fit, Given
from .separable import SeparableFit, fit_separable

__all__ = [
    "COMPONENTS", "JOINT_METHODS", "METHODS", "TABLE_COLUMNS", "Certificate", "Component", "ComponentFit", "Fit", "Given",
    "Method", "Noise", "Profile", "SeparableFit", "fit", "fit_components", "fit_joint", "fit_separable", "fit_table",
    "model_comparison", "noise_level", "objective_map", "rank_keys",
]  # fmt: skip
