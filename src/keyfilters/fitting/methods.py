"""One verb, ``fit``, over a table of methods; maps of the objective over two parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..checks import choice, finite, scales, square_filter
from ..choices import DC, Edge, MethodName, Norm, Search
from ..filters import KEYS, SHARPENING, Key, key_row, learned_filters
from ..models import MODEL_EDGES
from ..normalization import DC_CHOICES, constant_and_response, normalize, normalized_filters
from . import grid as published_grid
from .problem import SharpeningProblem, largest_scale, make_problem
from .result import Certificate, Fit, Given, finish
from .search import GlobalMinimum, minimize_globally
from .variance import closed_form, factor_variance, match_variance, weighted_variances

if TYPE_CHECKING:
    import pandas as pd


SEARCHES = ("exact", "grid")


@dataclass(frozen=True)
class Method:
    """One row of the table of methods.

    Attributes
    ----------
    name, idea : str
    power : int
        0: from variances; 1: l1 norm; 2: squared l2 norm.
    scales : int
        Number of free scales of keys 1-6 and 8.
    formula : callable, optional
        ``formula(filter, row, edge)`` gives the scales along x and y of a normalised filter in closed form.
    """

    name: str
    idea: str
    power: int
    scales: int
    formula: Callable[[np.ndarray, Key, Edge], np.ndarray] | None = None


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("A", "closed form from weighted variances, by continuous Gaussian derivatives", 0, 2, closed_form),
        Method("B", "equal weighted variances of learned and idealised filter", 0, 2),
        Method("C1", "least l1 norm of the difference, a scale per axis", 1, 2),
        Method("C2", "least l1 norm of the difference, one scale", 1, 1),
        Method("D1", "least l2 norm of the difference, a scale per axis", 2, 2),
        Method("D2", "least l2 norm of the difference, one scale", 2, 1),
    )
}
"""The methods of :func:`fit` by name; each row says what it minimises or equates, and how many scales it fits."""


def _certificate(found: GlobalMinimum, size: int) -> Certificate:
    best = found.best
    if not best.converged:
        kind = "none"
    elif best.curvature == np.inf and not best.active and not best.bound:
        kind = "exact"
    else:
        kind = "kink" if best.active else "bound" if best.bound else "smooth"
    half = size // 2
    pixels = tuple((i % size - half, half - i // size % size) for i in best.active)
    return Certificate(
        kind, pixels, best.multipliers, best.stationarity, best.slope_at_bound, best.curvature,
        found.runner_up, found.cells, found.open_cells, found.starts,
    )  # fmt: skip


def by_variance(row: Key, method: Method, given: Given, search: Search) -> Fit:
    """Methods that minimise nothing, for the separable keys: by a formula, or by equal variances."""
    target, edge = given.targets[given.keys.index(row.number)], given.edge
    size = len(target)
    if method.formula is not None:
        sigma = method.formula(target, row, edge).tolist()
        certificate, converged = Certificate("closed form"), True
    else:
        variances = weighted_variances(target, row, edge)
        results = [match_variance(op, v, size, edge) for op, v in zip((row.x, row.y), variances, strict=True)]
        sigma = [s for s, _, _ in results]
        converged = all(ok for _, _, ok in results)
        certificate = Certificate("root" if converged else "none", stationarity=max(abs(d) for _, d, _ in results))
        if search == "grid":
            for i, (operator, axis) in enumerate(((row.x, "x"), (row.y, "y"))):
                values = published_grid.window("B", str(row.number), axis, sigma[i]).values
                mismatch = (factor_variance(operator, values, size, edge) - variances[i]) ** 2
                sigma[i] = published_grid.refined_minimum(values, mismatch)
            certificate = Certificate("grid")
    return finish(row, method.name, (float(sigma[0]), float(sigma[1]), None), given, float("nan"), converged, certificate)


def _on_grid(problem, power, method_name, label, optimum) -> tuple[tuple, float]:
    """Published grid search of a norm; returns (sigma_x, sigma_y, gamma) and the objective there."""
    sigma_x, sigma_y, gamma = optimum
    if isinstance(problem, SharpeningProblem):
        name = "C" if power == 1 else "D"
        scale = published_grid.window(name, label, "sigma", sigma_x).values
        gammas = published_grid.window(name, label, "gamma", gamma).values
        laplacians = problem.laplacians(scale**2)[0]
        residual = problem.rest - gammas[None, :, None] * laplacians[:, None, :]
        values = (np.abs(residual) ** power).sum(-1)
        i, j = np.unravel_index(int(values.argmin()), values.shape)
        return (float(scale[i]), float(scale[i]), float(gammas[j])), float(values[i, j])
    if problem.scales == 2:
        axes = [published_grid.window(method_name, label, a, s).values for a, s in (("x", sigma_x), ("y", sigma_y))]
        norm, _ = problem.norm_grid(axes, power)
        i, j = np.unravel_index(int(norm.argmin()), norm.shape)
        return (float(axes[0][i]), float(axes[1][j]), None), float(norm[i, j] ** power)
    values = published_grid.window(method_name, label, "both", sigma_x).values
    norm, _ = problem.norm_grid([values], power)
    # The published scans refine the l2 norm of one filter, but the sum of squares of a group.
    refined = norm**power if len(problem.rows) > 1 else norm
    sigma = published_grid.refined_minimum(values, refined)
    residual = problem.evaluate(np.array([sigma**2]))[0]
    return (sigma, sigma, None), float((np.abs(residual) ** power).sum())


def by_norm(name: str, power: int, scales: int, given: Given, search: Search) -> list[Fit]:
    """Methods C and D: one fit per key from one problem (several keys share one scale)."""
    rows = tuple(key_row(key) for key in given.keys)
    problem = make_problem(rows, given.targets, scales, given.edge, given.weight)
    found = minimize_globally(problem, power)
    sigmas, objective = problem.sigmas(found.best.p), found.best.value
    certificate, converged = _certificate(found, problem.size), found.best.converged
    if search == "grid":
        label = " ".join(str(row.number) for row in rows)
        sigmas, objective = _on_grid(problem, power, name, label, sigmas)
        certificate = Certificate("grid")
    return [finish(row, name, sigmas, given, objective, converged, certificate) for row in rows]


def fit_one(row: Key, method: Method, given: Given, search: Search) -> Fit:
    """Fit one key to a normalised filter by one row of the table."""
    if row.kind == SHARPENING:
        # Key 7 has its own two parameters; A and B take the D fit, as published.
        return by_norm(method.name, method.power or 2, 2, given, search)[0]
    if method.power == 0:
        return by_variance(row, method, given, search)
    return by_norm(method.name, method.power, method.scales, given, search)[0]


def learned(keys: Sequence[int], dc: DC, edge: Edge) -> Given:
    """The learned filters of keys, normalised, as what is given to a fit."""
    h = learned_filters()
    if max(keys) > len(h):
        raise ValueError(f"key {max(keys)} has no learned filter: hand in a filter as filter=...")
    units = tuple(constant_and_response(h[key - 1], key, dc) for key in keys)
    if dc == "none":
        targets = tuple((h[key - 1] - c) / r for key, (c, r) in zip(keys, units, strict=True))
    else:
        targets = tuple(normalized_filters(dc)[key - 1] for key in keys)
    return Given(tuple(keys), targets, edge, dc, units, printed=True)


def _tap_sigma(sigma, size: int) -> np.ndarray:
    """Standard deviations of the taps as an array of the filter's shape."""
    try:
        array = np.asarray(sigma, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.full((), np.nan)
    if array.shape not in ((), (size, size)):
        raise ValueError(
            f"sigma has shape {array.shape}: expected a number or an array of shape {(size, size)}, one for each tap"
        )
    if not (array > 0).all():
        raise ValueError(
            "sigma holds a value that is not positive: expected standard deviations above 0 (infinity leaves a tap out)"
        )
    array = np.broadcast_to(array, (size, size))
    if np.isfinite(array).sum() < 3:
        raise ValueError(f"sigma leaves {np.isfinite(array).sum()} taps: expected at least 3 that are finite")
    return array


def check_options(dc: DC, edge: Edge, search: Search) -> None:
    """Raise ValueError, naming the option, for a choice that is not there."""
    choice(dc, DC_CHOICES, "dc")
    choice(edge, MODEL_EDGES, "edge")
    choice(search, SEARCHES, "search")


def fit(
    key: int | Key,
    method: MethodName,
    *,
    filter: np.ndarray | Sequence[Sequence[float]] | None = None,
    dc: DC = "published",
    edge: Edge = "crop",
    search: Search = "exact",
    normalized: bool = False,
    sigma: float | np.ndarray | Sequence[Sequence[float]] | None = None,
) -> Fit:
    """Fit the idealised filter of a key to a filter.

    ====== ==============================================================================
    method scales
    ====== ==============================================================================
    A      closed form from weighted variances, by continuous Gaussian derivatives
    B      equal weighted variances of learned and idealised filter, axis by axis
    C1, C2 least l1 norm of (model - normalised filter): a scale per axis, one scale
    D1, D2 least squared l2 norm of the same: a scale per axis, one scale
    ====== ==============================================================================

    Key 7 always has (sigma, gamma): by the l1 norm in C1 and C2, by the l2 norm in the others.

    Parameters
    ----------
    key : int
        1 to 8.
    method : {"A", "B", "C1", "C2", "D1", "D2"}
    filter : array_like, shape (n, n), n odd, optional
        A raw filter, normalised for the key before it is fitted; default: the learned one.
    dc : {"published", "exact", "none"}
        DC compensation of keys 7 and 8 (see :func:`keyfilters.dc_compensation`).
    edge : {"crop", "exact"}
        Border of the model (see :func:`keyfilters.ideal_filter`).
    search : {"exact", "grid"}
        ``"exact"``: the global optimum, numerically certified. ``"grid"``: the published grids and parabolas
        (where a published window does not hold the optimum, one of the same width about it).
    normalized : bool
        True if ``filter`` is normalised already and is to be fitted as it is.
    sigma : float or array_like, shape (n, n), optional
        Standard deviation of the noise of each tap, in units of the filter that is handed in (of the raw filter, as
        far as that is normalised here). C and D then divide each difference by it; infinity leaves a tap out. It is
        also the noise of :meth:`Fit.interval`.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        For an unknown key, method, dc, edge or search, or a filter that is not a finite odd-sized
        square array, is all zero or cannot be normalised; for ``sigma`` where no difference is minimised (A and B
        but for key 7), with ``search="grid"``, or of another shape; for ``normalized`` without a filter.

    Source: Lindeberg, Babaiee and Kiasari (2026), sections on methods A to D.

    Examples
    --------
    >>> found = fit(5, "D2")
    >>> found.converged, found.certificate.kind
    (True, 'smooth')
    >>> from keyfilters import ideal_filter
    >>> truth = ideal_filter(8, 0.7, 0.5)
    >>> found = fit(8, "C1", filter=truth, normalized=True)
    >>> round(found.sigma_x, 9), round(found.sigma_y, 9)
    (0.7, 0.5)
    """
    row = key_row(key)
    strategy = METHODS[choice(method, METHODS, "method")]
    check_options(dc, edge, search)
    if filter is None and normalized:
        raise ValueError("normalized is True and there is no filter: hand in the normalised filter as filter=...")
    if filter is None:
        given = learned((row.number,), dc, edge)
    elif normalized:
        given = Given((row.number,), (square_filter(filter),), edge, None, ((0.0, 1.0),))
    else:
        h = square_filter(filter)
        constant, response = constant_and_response(h, row, dc)
        given = Given((row.number,), ((h - constant) / response,), edge, dc, ((constant, response),))
    if sigma is not None:
        if not (strategy.power or row.kind == SHARPENING):
            raise ValueError(f"sigma is given for method {method}, which minimises no difference: use one of C1, C2, D1, D2")
        if search == "grid":
            raise ValueError('sigma is given with search="grid": the published search has no weights')
        given = replace(given, sigma=_tap_sigma(sigma, len(given.targets[0])) / abs(given.units[0][1]))
    return fit_one(row, strategy, given, search)


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


COMPARED = ("method", "key", "sigma_x", "sigma_y", "gamma", "explained", "relative_l1", "relative_l2", "cosine", "converged")
"""Columns of :func:`rank_keys` beside ``note``."""


def rank_keys(
    filter: ArrayLike,
    keys: Iterable[int] | None = None,
    methods: Iterable[MethodName] | None = None,
    *,
    dc: DC = "published",
    edge: Edge = "crop",
) -> pd.DataFrame:
    """Fit every key to a filter by every method, the nearest key first.

    Parameters
    ----------
    filter : array_like, shape (n, n), n odd
        A raw filter.
    keys : sequence of int, optional
        Default: 1 to 8.
    methods : sequence of str, optional
        Names of :data:`METHODS`; default: all.
    dc, edge : str
        As in :func:`fit`.

    Returns
    -------
    pandas.DataFrame
        Methods in their order, within each the keys by ``relative_l2``. A key that does not apply, such as a derivative of a filter
        without a slope along its axis, stands last, with the reason in ``note`` and no numbers.

    Raises
    ------
    ValueError
        For an unknown key or method, and a filter that is not a finite odd-sized square array or is all zero.

    Examples
    --------
    >>> from keyfilters import ideal_filter
    >>> table = rank_keys(ideal_filter(8, 0.5), methods=["D2"])
    >>> int(table.key[0]), bool(table.explained[0] > 0.99), table.note[table.key == 5].item()
    (8, True, 'filter has no response to x: it cannot be normalised for key 5')
    """
    import pandas as pd

    h = square_filter(filter)
    rows = [key_row(key) for key in ([row.number for row in KEYS] if keys is None else keys)]
    records = []
    for method in [choice(name, METHODS, "method") for name in (METHODS if methods is None else methods)]:
        found = []
        for row in rows:
            try:
                constant_and_response(h, row, dc)
            except ValueError as error:
                found.append({"method": method, "key": row.number, "note": str(error)})
                continue
            one = fit(row, method, filter=h, dc=dc, edge=edge)
            found.append({name: getattr(one, name) for name in COMPARED} | {"note": ""})
        records += sorted(found, key=lambda record: record.get("relative_l2", float("inf")))
    return pd.DataFrame(records, columns=[*COMPARED, "note"]).astype({"gamma": "float64"})
