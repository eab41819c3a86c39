"""The eight master key filters and their scale-space models.

Quick start::

    >>> import keyfilters as kf
    >>> found = kf.fit(key=2, method="C2")
    >>> found.converged
    True

The names below are loaded on first use, so that ``import keyfilters`` stays quick.
"""

from importlib import import_module
from importlib.metadata import version

from ._moved import install as _install_old_names

_install_old_names()

_ROOMS = {
    "filters": ("KEYS", "Key", "axis_keys", "key_row", "learned_filters"),
    "gaussian": ("discrete_gaussian", "gaussian_kernel"),
    "temporal": ("time_causal_kernel", "time_causal_smooth"),
    "differences": ("OPERATORS", "difference", "laplacian", "molecule"),
    "models": ("ideal_filter", "separable_filter"),
    "affine": ("affine_covariance", "affine_gaussian", "affine_molecule", "coupling_range", "jet_filters", "oriented_filter"),
    "moments": ("Spread", "monomial_response", "spread"),
    "normalization": ("DCCompensation", "dc_compensation", "dc_error", "normalize", "normalized_filters"),
    "fitting": (
        "COMPONENTS",
        "Fit",
        "METHODS",
        "JOINT_METHODS",
        "fit",
        "fit_components",
        "fit_joint",
        "fit_separable",
        "fit_table",
        "model_comparison",
        "noise_level",
        "objective_map",
        "rank_keys",
    ),
    "published": ("known_deviations", "scorecard"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted(_ROOM_OF)


def __getattr__(name):
    if name == "__version__":
        return version(__name__)
    room = _ROOM_OF.get(name)
    if room is None:
        # A room itself (keyfilters.figures) is reachable without a further import line.
        if name in ("figures", "cli", "checks", *_ROOMS):
            return import_module(f"{__name__}.{name}")
        from ._moved import renamed

        return renamed(__name__, name)
    value = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
