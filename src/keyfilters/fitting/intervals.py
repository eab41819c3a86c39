"""How sure the parameters of a fit are: parametric bootstrap at the estimated noise, and profiles of the objective; a fit in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.distance import cdist
from scipy.special import stdtrit

from ..checks import choice, integer
from ..choices import Way
from ..filters import SHARPENING, key_row
from ..normalization import normalize_many
from ..output import as_json
from ..uncertainty import Interval, confidence_level
from .problem import SharpeningProblem, largest_scale, make_problem
from .search import minimize_l1
from .terms import LOWEST_VARIANCE, Model, grid_minima, grid_values, least_squares, project
from .variance import closed_form_of, many_variances, match_many

if TYPE_CHECKING:
    from .result import Fit


STARTS = 2
"""Descents for each filter of a bootstrap: from the lowest minima of a start grid, and by the l1 norm from the fit's own
parameters too. Two minima may be almost equal, and lie nearer to each other than the points of the grid."""

WAYS = ("bootstrap", "profile")
"""Ways to an interval: of :func:`interval`."""


class NoInterval(ValueError):
    """A fit for which there is no interval, by its method or by the operator of its key."""


def _axis_term(row) -> str:
    """The term of a separable key's own model."""
    sign = {"forward": "+", "backward": "-", "central": ""}
    if row.derivative_axis is None:
        return "T"
    operator = (row.x, row.y)[row.derivative_axis]
    if operator not in sign:
        raise NoInterval(f"key {row.number} has the operator {operator!r}, for which fits have no interval")
    return "xy"[row.derivative_axis] + sign[operator]


def _model(fit) -> Model:
    """The fit's own model as terms: fixed ones; for key 7 the impulse, and a free Laplacian."""
    rows = [key_row(key) for key in fit.given.keys]
    if rows[0].kind == SHARPENING:
        return Model((("impulse",),), ("laplacian",), 1, fit.size, fit.edge)
    scales = 1 if fit.parameters == ("sigma",) else 2
    return Model(tuple((_axis_term(row),) for row in rows), (), scales, fit.size, fit.edge)


def _power(fit) -> int:
    """0: from variances; 1: l1 norm; 2: squared l2 norm."""
    letter = {"C": 1, "D": 2}.get(fit.method[0], 0)
    return letter or (2 if fit.gamma is not None else 0)


def refit(fit: Fit, targets: np.ndarray) -> np.ndarray:
    """Parameters of other filters by the method of a fit, many at once.

    Parameters
    ----------
    fit : Fit
        Gives the method, the keys, the border and the weights.
    targets : ndarray, shape (b, k, n, n)
        b times the normalised filters of the k keys of the fit.

    Returns
    -------
    ndarray, shape (b, d)
        Variances (and gamma for key 7) in the order of ``fit.parameters``. C and D may go below 0, where the kernel
        is still defined, so that noise about a scale of 0 has both signs.

    Examples
    --------
    >>> from keyfilters import fit
    >>> found = fit(8, "D1")
    >>> bool(np.abs(np.sqrt(refit(found, found.filter[None, None])[0]) - [found.sigma_x, found.sigma_y]).max() < 1e-9)
    True
    """
    targets = np.asarray(targets, dtype=np.float64)
    power = _power(fit)
    if power == 0:
        return _by_variance(fit, targets)
    weight = fit.given.weight
    flat = targets.reshape(len(targets), -1)
    weights = None if weight is None else np.tile(weight.ravel(), len(fit.given.keys))
    if power == 2:
        found = least_squares(_model(fit), flat, weights, lowest=LOWEST_VARIANCE, starts=STARTS)
        return np.concatenate([found.p, -found.coefficients], 1)
    return np.stack(
        [_by_l1(fit, target, starts) for target, starts in zip(targets, _l1_starts(fit, flat, weights), strict=True)]
    )


def _by_variance(fit, targets) -> np.ndarray:
    if fit.method[0] not in "AB":
        raise NoInterval(f"method {fit.method} cannot fit many filters at once, and so has no interval: use one of A to D2")
    sigmas = []
    for i, key in enumerate(fit.given.keys):
        row, variances = key_row(key), many_variances(targets[:, i], key_row(key), fit.edge)
        if fit.method[0] == "A":
            sigmas.append(closed_form_of(variances, row))
        else:
            sigmas.append(
                np.stack([match_many(op, v, fit.size, fit.edge) for op, v in zip((row.x, row.y), variances.T, strict=True)], -1)
            )
    if len(fit.parameters) == 2:
        return sigmas[0] ** 2
    logs = np.log(np.maximum(np.concatenate(sigmas, 1), 1e-12))
    return np.exp(2 * logs.mean(1, keepdims=True))


def _l1_starts(fit, flat, weights) -> list[list[np.ndarray]]:
    """The deepest points of a start grid for each filter."""
    if fit.gamma is not None:
        starts = []
        for target in flat:
            problem = SharpeningProblem(target.reshape(fit.size, fit.size), fit.edge, fit.given.weight)
            axes = problem.axes()
            starts.append([problem.start(axes, (int(problem.norm_grid(axes, 1)[0].argmin()),))])
        return starts
    model = _model(fit)
    grid, models, _ = grid_values(model)
    if weights is not None:
        models, flat = models * weights, flat * weights
    side = round(len(grid) ** (1 / model.scales))
    lowest = grid_minima(cdist(models, flat, "cityblock").reshape(*[side] * model.scales, -1), STARTS)
    own = np.tile(_estimate(fit), (len(flat), 1))
    return [list(points) for points in np.stack([*(grid[choice] for choice in lowest), own], 1)]


def _by_l1(fit, target, starts) -> np.ndarray:
    rows = tuple(key_row(key) for key in fit.given.keys)
    scales = len(starts[0]) if fit.gamma is None else 2
    problem = make_problem(rows, tuple(target), scales, fit.edge, fit.given.weight)
    problem.lower = np.where(np.isfinite(problem.lower), LOWEST_VARIANCE, problem.lower)
    distinct = [start for i, start in enumerate(starts) if not any(np.array_equal(start, other) for other in starts[:i])]
    return min((minimize_l1(problem, start) for start in distinct), key=lambda found: found.value).p


def _estimate(fit) -> np.ndarray:
    """The fit's own parameters as ``refit`` has them."""
    if fit.gamma is not None:
        return np.array([fit.sigma_x**2, fit.gamma])
    return np.array([fit.sigma_x**2, fit.sigma_y**2])[: len(fit.parameters)]


def deviations(fit: Fit, draws: int = 199, seed: int = 0) -> np.ndarray:
    r"""Bootstrap sample of the errors of a fit's parameters.

    Copies of the fitted models with white noise of the level of ``fit.noise`` go the way the filters went: they are
    normalised, where the filters were, and fitted. The error is the difference to what the model without noise gives
    on the same way. A level that was estimated with :math:`\nu` degrees of freedom is itself uncertain: each copy has
    it times :math:`\sqrt{\nu / \chi^2_\nu}`, so that intervals are as wide as Student's.

    Parameters
    ----------
    fit : Fit
    draws : int
    seed : int
        The same seed gives the same sample.

    Returns
    -------
    ndarray, shape (draws, d)
        In the variances (and gamma), in the order of ``fit.parameters``.

    Examples
    --------
    >>> from keyfilters import fit
    >>> deviations(fit(5, "B"), draws=20).shape
    (20, 2)
    """
    draws, seed = integer(draws, "draws", 20), integer(seed, "seed", 0)
    store = fit.given.samples
    name = (fit.method[0] if _power(fit) == 0 else _power(fit), fit.parameters, draws, seed)
    if name not in store:
        rng = np.random.default_rng(seed)
        copies = []
        for index, key in enumerate(fit.given.keys):
            noise = fit.given.noise(index)
            tap = noise.level if fit.given.sigma is None else np.where(np.isfinite(fit.given.sigma), fit.given.sigma, 0.0)
            scatter = np.ones(draws)
            if np.isfinite(noise.degrees):
                scatter = np.sqrt(noise.degrees / rng.chisquare(noise.degrees, draws))
            model = _model_of(fit, key)
            noisy = model + tap * scatter[:, None, None] * rng.standard_normal((draws, *model.shape))
            copies.append(_normalized(fit, key, np.concatenate([model[None], noisy])))
        found = refit(fit, np.stack(copies, 1))
        store[name] = found[1:] - found[0]
    return store[name]


def _model_of(fit, key) -> np.ndarray:
    from ..models import ideal_filter

    return ideal_filter(key, fit.sigma_x, fit.sigma_y, gamma=fit.gamma, size=fit.size, edge=fit.edge)


def _normalized(fit, key, copies) -> np.ndarray:
    return copies if fit.given.dc is None else normalize_many(copies, key, fit.given.dc)


def _named(fit, low, high) -> dict[str, Interval]:
    """Intervals of sigma_x, sigma_y and gamma from those of the fit's parameters (variances, gamma)."""
    ends = {}
    for i, name in enumerate(fit.parameters):
        pair = (low[i], high[i]) if name == "gamma" else tuple(np.sqrt(np.maximum((low[i], high[i]), 0.0)))
        for shown in ("sigma_x", "sigma_y") if name == "sigma" else (name,):
            ends[shown] = Interval(float(pair[0]), float(pair[1]))
    return ends


def interval(fit: Fit, level: float = 0.95, *, how: Way = "bootstrap", draws: int = 199, seed: int = 0) -> dict[str, Interval]:
    r"""Return intervals of the parameters of a fit.

    They say what the *noise* does to the parameters, were the model right. What is wrong with the model they do not
    know: ``fit.misfit`` says how much that is.

    ========= =====================================================================================================
    how       interval
    ========= =====================================================================================================
    bootstrap the estimate minus the quantiles of :func:`deviations`, in the variance (gamma as it is); every method
    profile   where :func:`profile` rises by no more than noise explains; fits by the l2 norm (D, and key 7 by it)
    ========= =====================================================================================================

    A scale cannot be negative, so an interval may end at 0; where the fit itself lies at that bound, the interval
    holds the truth more often than the level says.

    Parameters
    ----------
    fit : Fit
    level : float
        Between 0 and 1.
    how : {"bootstrap", "profile"}
    draws, seed : int
        Of the bootstrap; at least 20 draws.

    Returns
    -------
    dict of str to Interval
        ``sigma_x``, ``sigma_y`` (the same where the two are one parameter) and, for key 7, ``gamma``.

    Raises
    ------
    ValueError
        For a level outside of (0, 1), another ``how``, fewer than 20 draws, and a profile of a method that does not
        minimise the l2 norm.

    Source: Efron and Tibshirani (1993), chapters 6 and 13; Bates and Watts (1988) on profiles.

    Examples
    --------
    >>> from keyfilters import fit
    >>> found = fit(5, "D1")
    >>> wide, narrow = (found.interval(level)["sigma_y"] for level in (0.95, 0.5))
    >>> wide.low < narrow.low < found.sigma_y < narrow.high < wide.high
    True
    """
    level = confidence_level(level)
    if choice(how, WAYS, "how") == "profile":
        found = [profile(fit, name, level=level) for name in fit.parameters]
        low, high = (np.array([getattr(f, end) for f in found]) for end in ("low", "high"))
        is_scale = np.array([name != "gamma" for name in fit.parameters])
        return _named(fit, np.where(is_scale, low**2, low), np.where(is_scale, high**2, high))
    errors = deviations(fit, draws, seed)
    tail = (1 - level) / 2
    # The k-th of n sorted errors estimates the quantile k / (n + 1).
    least, most = np.quantile(errors, [tail, 1 - tail], axis=0, method="weibull")
    estimate = _estimate(fit)
    return _named(fit, estimate - most, estimate - least)


@dataclass(frozen=True)
class Profile:
    """Least objective over the other parameters as a function of one.

    Attributes
    ----------
    parameter : str
    values : ndarray, shape (m,)
        Of the parameter: grid units for scales.
    objective : ndarray, shape (m,)
        Least sum of squares at each value.
    best, least : float
        The fit's own value and objective.
    threshold : float
        Objective up to which a value belongs to the interval.
    low, high : float
        Ends of the interval.
    level : float
    """

    parameter: str
    values: np.ndarray
    objective: np.ndarray
    best: float
    least: float
    threshold: float
    low: float
    high: float
    level: float


def _profiled(fit, name: str, values) -> np.ndarray:
    """Least sum of squares at each value of one parameter."""
    model = _model(fit)
    flat = np.concatenate([t.ravel() for t in fit.given.targets])
    weight = fit.given.weight
    weights = np.ones(flat.shape) if weight is None else np.tile(weight.ravel(), len(fit.given.keys))
    targets = np.broadcast_to(flat, (len(values), len(flat)))
    start = np.tile([fit.sigma_x**2, fit.sigma_y**2][: model.scales], (len(values), 1))
    if name == "gamma":
        # For a given gamma the model is linear in the Laplacian alone: divide by gamma.
        impulse = Model((("impulse",),), (), 0, fit.size, fit.edge).evaluate(np.zeros((1, 0)))[0][0]
        only = Model((("laplacian",),), (), 1, fit.size, fit.edge)
        gamma = np.where(values == 0, 1e-12, values)[:, None]
        return project(only, (impulse - targets) / gamma, start, weights).energy * gamma[:, 0] ** 2
    held = fit.parameters.index(name)
    start[:, held] = values**2
    return project(model, targets, start, weights, held=(held,)).energy


def profile(fit: Fit, parameter: str, samples: int = 81, level: float = 0.95) -> Profile:
    r"""Return the profile of a fit by least squares, and the interval that it gives.

    With S the least sum of squares at a value of the parameter, S* that of the fit and :math:`\tau` the noise with
    :math:`\nu` degrees of freedom (pooled over the keys of a joint fit), the interval holds the values with

    .. math:: S \le S^* + \tau^2 \, t_{\nu}^2 .

    Parameters
    ----------
    fit : Fit
        By D1, D2 or D-joint, or of key 7 by the l2 norm.
    parameter : str
        One of ``fit.parameters``.
    samples : int
        Values at which it is computed, at least 5.
    level : float

    Returns
    -------
    Profile

    Raises
    ------
    ValueError
        For a fit by another norm or by variances, and for another parameter.

    Examples
    --------
    >>> from keyfilters import fit
    >>> found = fit(7, "D1")
    >>> sharp = profile(found, "gamma")
    >>> sharp.low < found.gamma < sharp.high
    True
    """
    level, samples = confidence_level(level), integer(samples, "samples", 5)
    if _power(fit) != 2:
        raise ValueError(
            f"method {fit.method} minimises no squares: a profile needs D1, D2, D-joint, or key 7 by one of these, A or B"
        )
    choice(parameter, fit.parameters, "parameter")
    noises = [fit.given.noise(i) for i in range(len(fit.given.keys))]
    degrees = float(sum(noise.degrees for noise in noises))
    variance = sum(noise.level**2 * (noise.degrees if np.isfinite(degrees) else 1) for noise in noises)
    variance /= degrees if np.isfinite(degrees) else len(noises)
    threshold = fit.objective + variance * stdtrit(degrees, (1 + level) / 2) ** 2
    best = getattr(fit, "sigma_x" if parameter == "sigma" else parameter)
    least, most = (-np.inf, np.inf) if parameter == "gamma" else (0.0, largest_scale(fit.size))
    ends = []
    for side, bound in ((-1, least), (1, most)):
        reach = 0.01
        while True:
            end = np.clip(best + side * reach, least, most)
            if (
                end == bound
                or reach > 100
                or _profiled(fit, parameter, np.array([end]))[0] > fit.objective + 2 * (threshold - fit.objective)
            ):
                ends.append(float(end))
                break
            reach *= 1.5
    values = np.unique(np.append(np.linspace(ends[0], ends[1], samples), best))
    objective = _profiled(fit, parameter, values)

    def above(value):
        return float(_profiled(fit, parameter, np.array([value]))[0]) - threshold

    crossings = []
    for end in ends:
        if above(end) <= 0:
            crossings.append(end)
        else:
            # Without noise nothing but the optimum itself is left.
            crossings.append(float(brentq(above, best, end, xtol=1e-9)) if above(best) < 0 else float(best))
    return Profile(
        parameter, values, objective, float(best), float(fit.objective), float(threshold), crossings[0], crossings[1], level
    )


CORRELATED = 0.9
"""Correlation of two parameters beyond which a report warns."""

MISFIT = 2.0
"""How many times more than noise the rest may be before a report warns."""


def correlation(fit: Fit, draws: int = 199, seed: int = 0) -> float | None:
    """Correlation of the two parameters of a fit over the bootstrap; None where there is one parameter or no spread.

    Examples
    --------
    >>> from keyfilters import fit
    >>> correlation(fit(8, "D2")) is None, -1 < correlation(fit(8, "D1")) < 1
    (True, True)
    """
    errors = deviations(fit, draws, seed)
    if errors.shape[1] < 2 or (np.ptp(errors, 0) == 0).any():
        return None
    return float(np.corrcoef(errors.T)[0, 1])


def warnings(fit: Fit, level: float = 0.95, *, draws: int = 199, seed: int = 0) -> list[str]:
    """What to beware of in a fit, a sentence each.

    Examples
    --------
    >>> from keyfilters import fit
    >>> warnings(fit(4, "D1"))[1]
    'sigma_y lies at its bound, 0: the objective would fall further below it'
    """
    said = []
    ends = interval(fit, level, draws=draws, seed=seed)
    if not fit.converged:
        said.append("no certified optimum: take the scales for a direction, not for numbers")
    for name in ("sigma_x", "sigma_y"):
        value, (low, high) = getattr(fit, name), ends[name]
        if value == 0:
            said.append(f"{name} lies at its bound, 0: the objective would fall further below it")
        elif value >= largest_scale(fit.size):
            said.append(f"{name} lies at the largest scale searched, {largest_scale(fit.size):g}")
        elif low == 0 or high - low > value:
            said.append(f"{name} is weakly identified: its interval is from {low:.3g} to {high:.3g}")
        if fit.parameters[0] == "sigma":
            break
    related = correlation(fit, draws, seed)
    if related is not None and abs(related) > CORRELATED:
        said.append(f"{' and '.join(fit.parameters)} are hard to tell apart: their correlation is {related:.2f}")
    if fit.noise.level == 0:
        said.append("the filter is exactly symmetric: no noise is seen, so the intervals have no width (give sigma=)")
    if fit.misfit > MISFIT:
        times = "any noise" if np.isinf(fit.misfit) else f"the noise, {fit.misfit:.1f} times,"
        said.append(
            f"the rest is larger than {times} so the model is not all of the filter, and the intervals speak of noise alone"
        )
    return said


def report(fit: Fit, level: float = 0.95, *, draws: int = 199, seed: int = 0) -> str:
    """Values with intervals, how good the fit is, correlations and warnings, as text.

    Parameters
    ----------
    fit : Fit
    level : float
    draws, seed : int
        Of the bootstrap, see :func:`keyfilters.fitting.intervals.interval`.

    Examples
    --------
    >>> from keyfilters import fit
    >>> "explains" in report(fit(8, "D1"))
    True
    """
    ends = interval(fit, level, draws=draws, seed=seed)
    row, noise = key_row(fit.key), fit.noise
    shared = f", one fit for the keys {', '.join(map(str, fit.given.keys))}" if len(fit.given.keys) > 1 else ""
    lines = [f"Key {fit.key} by {fit.method}: {row.name}, {fit.size} x {fit.size} taps{shared}"]
    width = max(map(len, fit.parameters))
    for name in fit.parameters:
        value, (low, high) = getattr(fit, "sigma_x" if name == "sigma" else name), ends["sigma_x" if name == "sigma" else name]
        lines.append(f"  {name:{width}}  {value:.5f}   {100 * level:g} % interval {low:.5f} to {high:.5f}")
    related = correlation(fit, draws, seed)
    if related is not None:
        lines.append(f"  correlation of {' and '.join(fit.parameters)}: {related:.2f}")
    lines.append(
        f"  explains {100 * fit.explained:.2f} % of the filter's energy (best amplitude); relative l2 norm of the rest {fit.relative_l2:.3f}"
    )
    if fit.given.sigma is None:
        lines.append(
            f"  noise {noise.level:.2g} per tap, estimated from the filter's mirror symmetry ({noise.degrees:g} degrees of freedom)"
        )
    else:
        lines.append("  noise as given, per tap")
    lines += [f"  warning: {text}" for text in warnings(fit, level, draws=draws, seed=seed)]
    return "\n".join(lines)


def to_dict(fit: Fit, level: float = 0.95, *, draws: int = 199, seed: int = 0) -> dict:
    """All of a fit as numbers, words and lists that JSON can hold; what is infinite or missing is None.

    Examples
    --------
    >>> import json
    >>> from keyfilters import fit
    >>> found = to_dict(fit(7, "C1"))
    >>> json.loads(json.dumps(found, allow_nan=False)) == found, len(found["model"])
    (True, 7)
    """

    names = (
        "key", "method", "sigma_x", "sigma_y", "gamma", "objective", "relative_l1", "relative_l2", "cosine", "explained",
        "misfit", "converged", "size", "edge",
    )  # fmt: skip
    found = {name: getattr(fit, name) for name in names}
    found |= {
        "dc": fit.given.dc, "keys": fit.given.keys, "level": level,
        "interval": interval(fit, level, draws=draws, seed=seed), "correlation": correlation(fit, draws, seed),
        "noise": {"level": fit.noise.level, "degrees": fit.noise.degrees},
        "certificate": {name: getattr(fit.certificate, name) for name in fit.certificate.__dataclass_fields__},
        "warnings": warnings(fit, level, draws=draws, seed=seed), "filter": fit.filter, "model": fit.model(),
    }  # fmt: skip
    return as_json(found)
