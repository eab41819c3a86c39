"""One verb, ``fit``, over a table of methods."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..checks import choice, finite, scales, square_filter
from ..filters import GROUPS, KEYS, SHARPENING, Key, key_row
from ..models import MODEL_EDGES, ideal_filter
from ..normalization import DC_CHOICES, normalize, normalized_filters
from . import grid as published_grid
from .problem import SharpeningProblem, largest_scale, make_problem
from .search import GlobalMinimum, minimize_globally
from .variance import closed_form, factor_variance, match, weighted_variances

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
    """

    name: str
    idea: str
    power: int
    scales: int


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("A", "closed form from weighted variances, by continuous Gaussian derivatives", 0, 2),
        Method("B", "equal weighted variances of learned and idealised filter", 0, 2),
        Method("C1", "least l1 norm of the difference, a scale per axis", 1, 2),
        Method("C2", "least l1 norm of the difference, one scale", 1, 1),
        Method("D1", "least l2 norm of the difference, a scale per axis", 2, 2),
        Method("D2", "least l2 norm of the difference, one scale", 2, 1),
    )
}
JOINT_METHODS = ("A-joint", "B-joint", "C-joint", "D-joint")


@dataclass(frozen=True)
class Certificate:
    """What certifies an optimum.

    Attributes
    ----------
    kind : str
        ``"closed form"``, ``"root"``, ``"smooth"`` (zero gradient), ``"kink"`` (zero residuals with
        multipliers in [-1, 1]), ``"bound"`` (a scale at 0), ``"exact"`` (nothing left of the
        residual), ``"grid"`` (published search, uncertified) or ``"none"``.
    active : tuple of (int, int)
        Grid points (x, y) at which the residual is zero at a kink.
    multipliers : tuple of float
        Their multipliers.
    stationarity, slope_at_bound, curvature : float
        See :class:`keyfilters.fitting.l1.LocalMinimum`. For ``"root"``, ``stationarity`` is the
        largest remaining difference of the variances.
    runner_up : float
        Objective of the next local minimum met.
    cells, open_cells, starts : int
        Cells of the start grid, those that the slope bound does not exclude, and descents made.
    """

    kind: str
    active: tuple = ()
    multipliers: tuple = ()
    stationarity: float = 0.0
    slope_at_bound: float = np.inf
    curvature: float = np.inf
    runner_up: float = np.inf
    cells: int = 0
    open_cells: int = 0
    starts: int = 0


@dataclass(frozen=True)
class Fit:
    """Scales of an idealised filter fitted to a filter, and how good it is.

    Attributes
    ----------
    key : int
    method : str
    sigma_x, sigma_y : float
        Grid units.
    gamma : float or None
        Amount of sharpening, key 7 only.
    objective : float
        l1 norm (C) or squared l2 norm (D) of model minus normalised filter, pooled over the group for
        joint fits; NaN where the method minimises nothing (A and B, but for key 7).
    relative_l1, relative_l2 : float
        Norm of the difference over the norm of the normalised filter.
    cosine : float
        Cosine between model and normalised filter.
    converged : bool
        True where the certificate holds.
    certificate : Certificate
    """

    key: int
    method: str
    sigma_x: float
    sigma_y: float
    gamma: float | None
    objective: float
    relative_l1: float
    relative_l2: float
    cosine: float
    converged: bool
    certificate: Certificate

    def model(self, size: int = 7, edge: str = "crop") -> np.ndarray:
        """The fitted idealised filter."""
        return ideal_filter(self.key, self.sigma_x, self.sigma_y, gamma=self.gamma, size=size, edge=edge)


def _finish(row, method, sigmas, target, edge, objective, converged, certificate) -> Fit:
    sigma_x, sigma_y, gamma = sigmas
    model = ideal_filter(row, sigma_x, sigma_y, gamma=gamma, size=len(target), edge=edge)
    residual = model - target
    norm = np.sqrt((target**2).sum())
    length = np.sqrt((model**2).sum())
    return Fit(
        row.number, method, sigma_x, sigma_y, gamma, objective,
        relative_l1=float(np.abs(residual).sum() / np.abs(target).sum()),
        relative_l2=float(np.sqrt((residual**2).sum()) / norm),
        cosine=float((model * target).sum() / (norm * length)) if length else 0.0,
        converged=converged, certificate=certificate,
    )  # fmt: skip


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


def _by_variance(row, method, target, edge, search) -> Fit:
    """Methods A and B for the separable keys."""
    size = len(target)
    if method.name == "A":
        sigma = closed_form(target, row, edge)
        certificate, converged = Certificate("closed form"), True
    else:
        variances = weighted_variances(target, row, edge)
        results = [match(op, v, size, edge) for op, v in zip((row.x, row.y), variances, strict=True)]
        sigma = [s for s, _, _ in results]
        converged = all(ok for _, _, ok in results)
        certificate = Certificate("root" if converged else "none", stationarity=max(abs(d) for _, d, _ in results))
        if search == "grid":
            for i, (operator, axis) in enumerate(((row.x, "x"), (row.y, "y"))):
                values = published_grid.window("B", str(row.number), axis, sigma[i]).values
                mismatch = (factor_variance(operator, values, size, edge) - variances[i]) ** 2
                sigma[i] = published_grid.refined_minimum(values, mismatch)
            certificate = Certificate("grid")
    return _finish(row, method.name, (float(sigma[0]), float(sigma[1]), None), target, edge, float("nan"), converged, certificate)


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


def _by_norm(rows, name, power, scales, targets, edge, search) -> list[Fit]:
    """Methods C and D: one fit per key from one problem (several keys share one scale)."""
    problem = make_problem(rows, targets, scales, edge)
    found = minimize_globally(problem, power)
    sigmas, objective = problem.sigmas(found.best.p), found.best.value
    certificate, converged = _certificate(found, len(targets[0])), found.best.converged
    if search == "grid":
        label = " ".join(str(row.number) for row in rows)
        sigmas, objective = _on_grid(problem, power, name, label, sigmas)
        certificate = Certificate("grid")
    return [
        _finish(row, name, sigmas, target, edge, objective, converged, certificate)
        for row, target in zip(rows, targets, strict=True)
    ]


def _fit_one(row: Key, method: Method, target, edge, search) -> Fit:
    if row.kind == SHARPENING:
        # Key 7 has its own two parameters; A and B take the D fit, as published.
        return _by_norm((row,), method.name, method.power or 2, 2, (target,), edge, search)[0]
    if method.power == 0:
        return _by_variance(row, method, target, edge, search)
    return _by_norm((row,), method.name, method.power, method.scales, (target,), edge, search)[0]


def _check(dc, edge, search):
    choice(dc, DC_CHOICES, "dc")
    choice(edge, MODEL_EDGES, "edge")
    choice(search, SEARCHES, "search")


def fit(key, method, *, filter=None, dc="published", edge="crop", search="exact", normalized=False) -> Fit:
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
        ``"exact"``: the global optimum, certified. ``"grid"``: the published grids and parabolas
        (where a published window does not hold the optimum, one of the same width about it).
    normalized : bool
        True if ``filter`` is normalised already and is to be fitted as it is.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        For an unknown key, method, dc, edge or search, or a filter that is not a finite odd-sized
        square array, is all zero or cannot be normalised.

    Source: Lindeberg, Babaiee and Kiasari (2026), sections on methods A to D.

    Examples
    --------
    >>> found = fit(5, "D2")
    >>> found.converged, found.certificate.kind
    (True, 'smooth')
    >>> truth = ideal_filter(8, 0.7, 0.5)
    >>> found = fit(8, "C1", filter=truth, normalized=True)
    >>> round(found.sigma_x, 9), round(found.sigma_y, 9)
    (0.7, 0.5)
    """
    row = key_row(key)
    strategy = METHODS[choice(method, METHODS, "method")]
    _check(dc, edge, search)
    if filter is None:
        target = normalized_filters(dc)[row.number - 1]
    elif normalized:
        target = square_filter(filter)
    else:
        target = normalize(filter, row, dc)
    return _fit_one(row, strategy, target, edge, search)


def fit_joint(method, *, dc="published", edge="crop", search="exact") -> dict[int, Fit]:
    """Fit one scale for the keys {1, 2, 3, 4, 8} and one for {5, 6}; key 7 keeps its own fit.

    A and B take the geometric mean of the separate scales of the group; C minimises the pooled l1
    norm, D the pooled squared l2 norm.

    Parameters
    ----------
    method : {"A", "B", "C", "D"} or the same with "-joint"
    dc, edge, search : str
        As in :func:`fit`.

    Returns
    -------
    dict of int to Fit
        By key; ``objective`` is the pooled one of the key's group.

    Raises
    ------
    ValueError
        For an unknown method, dc, edge or search.

    Examples
    --------
    >>> fits = fit_joint("D")
    >>> fits[1].sigma_x == fits[8].sigma_y, fits[5].sigma_x == fits[6].sigma_x
    (True, True)
    """
    name = method if isinstance(method, str) and method.endswith("-joint") else f"{method}-joint"
    if name not in JOINT_METHODS:
        raise ValueError(f"unknown method {method!r}: expected one of A, B, C, D")
    _check(dc, edge, search)
    letter = name[0]
    power = {"C": 1, "D": 2}.get(letter, 0)
    targets = normalized_filters(dc)
    fits: dict[int, Fit] = {}
    for keys in GROUPS.values():
        rows = tuple(KEYS[k - 1] for k in keys)
        own = tuple(targets[k - 1] for k in keys)
        if power or rows[0].kind == SHARPENING:
            group = _by_norm(rows, name, power or 2, 1, own, edge, search)
        else:
            separate = [_by_variance(r, METHODS[letter], t, edge, search) for r, t in zip(rows, own, strict=True)]
            sigma = float(np.exp(np.mean([np.log([f.sigma_x, f.sigma_y]) for f in separate])))
            kind = Certificate(separate[0].certificate.kind, stationarity=max(f.certificate.stationarity for f in separate))
            converged = all(f.converged for f in separate)
            group = [
                _finish(r, name, (sigma, sigma, None), t, edge, float("nan"), converged, kind)
                for r, t in zip(rows, own, strict=True)
            ]
        fits |= {f.key: f for f in group}
    return dict(sorted(fits.items()))


TABLE_COLUMNS = ("method", "key", "sigma_x", "sigma_y", "gamma", "objective", "relative_l1", "relative_l2", "cosine")


def fit_table(*, dc="published", edge="crop", search="exact"):
    """Return all fits of the learned filters: six methods and four joint ones, eight keys each.

    Parameters
    ----------
    dc, edge, search : str
        As in :func:`fit`.

    Returns
    -------
    pandas.DataFrame
        80 rows; columns method, key, sigma_x, sigma_y, gamma, objective, relative_l1, relative_l2,
        cosine. ``gamma`` is NaN but for key 7.

    Examples
    --------
    >>> table = fit_table()
    >>> len(table), list(table.method.unique())[-1]
    (80, 'D-joint')
    """
    import pandas as pd

    _check(dc, edge, search)
    targets = normalized_filters(dc)
    cached: dict = {}
    rows: list[Fit] = []
    for method in METHODS.values():
        for row, target in zip(KEYS, targets, strict=True):
            if row.kind == SHARPENING:
                # The same two fits serve six methods: compute each once.
                power = method.power or 2
                if power not in cached:
                    cached[power] = _fit_one(row, method, target, edge, search)
                rows.append(replace(cached[power], method=method.name))
            else:
                rows.append(_fit_one(row, method, target, edge, search))
    for name in JOINT_METHODS:
        rows += fit_joint(name, dc=dc, edge=edge, search=search).values()
    table = pd.DataFrame([{c: getattr(f, c) for c in TABLE_COLUMNS} for f in rows], columns=list(TABLE_COLUMNS))
    return table.astype({"gamma": "float64"})


def objective_map(key, first, second, *, norm="l1", filter=None, dc="published", edge="crop") -> np.ndarray:
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

    Examples
    --------
    >>> objective_map(8, [0.5, 0.6], [0.6]).round(3)
    array([[0.283, 0.223]])
    """
    row = key_row(key)
    power = {"l1": 1, "l2": 2}[choice(norm, ("l1", "l2"), "norm")]
    _check(dc, edge, "exact")
    target = normalized_filters(dc)[row.number - 1] if filter is None else normalize(filter, row, dc)
    first = np.atleast_1d(scales(first, "first"))
    if first.max() > largest_scale(len(target)):
        raise ValueError(f"first goes up to {first.max():g}: expected scales up to {largest_scale(len(target)):g}")
    if row.kind == SHARPENING:
        problem = SharpeningProblem(target, edge)
        second = np.atleast_1d(finite(second, "second"))
        laplacians = problem.laplacians(first**2)[0]
        return np.stack([(np.abs(problem.rest - g * laplacians) ** power).sum(-1) ** (1 / power) for g in second])
    second = np.atleast_1d(scales(second, "second"))
    problem = make_problem((row,), (target,), 2, edge)
    return problem.norm_grid([first, second], power)[0].T
