"""Models that sharpen: the published one of key 7 beside its neighbours, fitted in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from keyfilters.checks import scales, square_filter
from keyfilters.differences import difference
from keyfilters.gaussian import discrete_gaussian

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SharpeningModel:
    """One row of the table of models: a fixed part, and parts with a factor each.

    Attributes
    ----------
    name : str
    build : callable
        (sigma, size) to the fixed part and the tuple of parts, arrays of shape (size, size).
    has_scale : bool
        Whether the model depends on sigma at all.
    """

    name: str
    build: Callable
    has_scale: bool = True


def _smooth(sigma, size):
    t = discrete_gaussian(sigma, size // 2)
    return np.outer(t, t)


def _impulse(size):
    return _smooth(0.0, size)


def _second_differences(sigma, size):
    """Second differences of T along x and along y, zeros beyond the window as in the published Laplacian."""
    t = discrete_gaussian(sigma, size // 2)
    d = difference(t, "second", edge="zero")
    return np.outer(t, d), np.outer(d, t)


def _laplacian(sigma, size):
    return sum(_second_differences(sigma, size))


MODELS: tuple[SharpeningModel, ...] = (
    SharpeningModel("impulse", lambda s, n: (_impulse(n), ()), has_scale=False),
    SharpeningModel("T", lambda s, n: (_smooth(s, n), ())),
    SharpeningModel("impulse, Laplacian of the impulse", lambda s, n: (_impulse(n), (_laplacian(0.0, n),)), has_scale=False),
    SharpeningModel("impulse, impulse minus T", lambda s, n: (_impulse(n), (_impulse(n) - _smooth(s, n),))),
    SharpeningModel("impulse, Laplacian of T", lambda s, n: (_impulse(n), (_laplacian(s, n),))),
    SharpeningModel("T, Laplacian of T", lambda s, n: (_smooth(s, n), (_laplacian(s, n),))),
    SharpeningModel("impulse, second differences of T", lambda s, n: (_impulse(n), _second_differences(s, n))),
)
"""Fixed part first, then the parts with factors. The fifth is the published model of key 7, its factor
is minus gamma; the fourth is the unsharp mask."""


def compare_models(h: ArrayLike, sigma: float | None) -> pd.DataFrame:
    """Fit each model to a filter by the l2 norm and return how close it comes.

    The factors of the parts are linear and solved for. The scale is the best of those given, refined
    between its neighbours among them.

    Parameters
    ----------
    h : array_like, shape (n, n), n odd
        The normalised filter.
    sigma : array_like, shape (m,)
        Scales to try, in grid units.

    Returns
    -------
    pandas.DataFrame
        Columns model, sigma (NaN for models without), factors (text), relative_l2, cosine.

    Raises
    ------
    ValueError
        If the filter is not a finite odd-sized square array that is not all zero, or a scale is
        negative or not finite.

    Examples
    --------
    >>> from keyfilters import ideal_filter
    >>> found = compare_models(ideal_filter(7, 0.7, gamma=0.5), [0.6, 0.7, 0.8])
    >>> row = found[found.model == "impulse, Laplacian of T"].iloc[0]
    >>> round(float(row.sigma), 12), row.factors
    (0.7, '-0.500')
    """
    import pandas as pd

    h = square_filter(h)
    candidates = np.unique(scales(sigma))
    rows = []
    for row in MODELS:
        found = min((_fitted(row, h, s) for s in (candidates if row.has_scale else candidates[:1])), key=lambda f: f[0])
        if row.has_scale and len(candidates) > 1:
            i = int(np.searchsorted(candidates, found[1]))
            low, high = candidates[max(i - 1, 0)], candidates[min(i + 1, len(candidates) - 1)]
            near = minimize_scalar(
                lambda s, row=row: _fitted(row, h, s)[0], bounds=(low, high), method="bounded", options={"xatol": 1e-9}
            )
            found = min(found, _fitted(row, h, near.x), key=lambda f: f[0])
        error, s, factors, cosine = found
        rows.append((row.name, s if row.has_scale else np.nan, ", ".join(f"{f:.3f}" for f in factors), error, cosine))
    return pd.DataFrame(rows, columns=["model", "sigma", "factors", "relative_l2", "cosine"])


def _fitted(row, h, sigma):
    """Relative error of the best factors at a scale, the scale, the factors, and the cosine."""
    model, parts = row.build(float(sigma), len(h))
    factors = np.zeros(0)
    if parts:
        columns = np.stack([part.ravel() for part in parts], axis=1)
        factors = np.linalg.lstsq(columns, (h - model).ravel(), rcond=None)[0]
        model = model + (columns @ factors).reshape(h.shape)
    norm = np.linalg.norm(h)
    error = float(np.linalg.norm(h - model) / norm)
    return error, float(sigma), factors, float((model * h).sum() / (np.linalg.norm(model) * norm))
