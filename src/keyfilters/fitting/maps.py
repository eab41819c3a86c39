"""Maps of the objective over two parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..checks import choice, finite, scales
from ..choices import DC, Edge, Norm
from ..filters import SHARPENING, Key, key_row
from ..normalization import normalize, normalized_filters
from .methods import check_options
from .problem import SharpeningProblem, largest_scale, make_problem


def _axis(values, what: str, largest: float) -> np.ndarray:
    values = np.atleast_1d(values)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{what} has shape {values.shape}: expected a one-dimensional array with at least one value")
    if values.max() > largest:
        raise ValueError(f"{what} goes up to {values.max():g}: expected scales up to {largest:g}")
    return values


def objective_map(
    key: int | Key,
    first: ArrayLike,
    second: ArrayLike,
    *,
    norm: Norm = "l1",
    filter: ArrayLike | None = None,
    dc: DC = "published",
    edge: Edge = "crop",
) -> np.ndarray:
    """Return the norm of (model - normalised filter) on a grid of parameters.

    Parameters
    ----------
    key : int
        1 to 8.
    first : array_like, shape (m,)
        sigma_x (key 7: sigma), along the columns of the map.
    second : array_like, shape (n,)
        sigma_y (key 7: gamma), along the rows of the map.
    norm : {"l1", "l2"}
    filter, dc, edge
        As in :func:`fit`.

    Returns
    -------
    ndarray, shape (n, m)
        ``map[i, j]`` belongs to ``second[i]`` and ``first[j]``: ready for ``pcolormesh(first, second, map)``.

    Raises
    ------
    ValueError
        As :func:`fit`; for an unknown norm, and for axes that are empty, not one-dimensional, or hold a scale
        that is negative, not finite or larger than the largest searched.

    Examples
    --------
    >>> objective_map(8, [0.5, 0.6], [0.6]).round(3)
    array([[0.283, 0.223]])
    """
    row = key_row(key)
    power = {"l1": 1, "l2": 2}[choice(norm, ("l1", "l2"), "norm")]
    check_options(dc, edge, "exact")
    target = normalized_filters(dc)[row.number - 1] if filter is None else normalize(filter, row, dc)
    first = _axis(scales(first, "first"), "first", largest_scale(len(target)))
    if row.kind == SHARPENING:
        problem = SharpeningProblem(target, edge)
        second = _axis(finite(second, "second"), "second", np.inf)
        laplacians = problem.laplacians(first**2)[0]
        return np.stack([(np.abs(problem.rest - g * laplacians) ** power).sum(-1) ** (1 / power) for g in second])
    second = _axis(scales(second, "second"), "second", largest_scale(len(target)))
    return make_problem((row,), (target,), 2, edge).norm_grid([first, second], power)[0].T
