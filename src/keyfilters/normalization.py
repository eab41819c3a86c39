"""Normalisation of learned filters: amplitude by monomial response, DC compensation for keys 7 and 8."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from .checks import choice, finite, square_filter
from .choices import DC
from .filters import DERIVATIVE, KEYS, Key, key_row, learned_filters
from .moments import coordinates, monomial_response, spread

DC_CHOICES = ("published", "exact", "none")

PUBLISHED_WINDOWS = {7: (-0.013, -0.011), 8: (-0.039, -0.037)}
"""Search windows of the published DC compensation; 100 equidistant values of C each."""

PUBLISHED_SAMPLES = 100


@dataclass(frozen=True)
class DCCompensation:
    """Result of :func:`dc_compensation`.

    Attributes
    ----------
    constant : float
        The constant C that is subtracted from the filter.
    error : float
        The criterion ``sqrt(det V(|h - C|))`` at C, in squared grid units.
    kink : bool
        True where C equals a pixel value, at which the criterion has a corner.
    window : tuple of 2 floats or None
        The search window, None where all values were searched.
    """

    constant: float
    error: float
    kink: bool
    window: tuple[float, float] | None


def dc_error(h: ArrayLike, constants: ArrayLike) -> np.ndarray:
    r"""Return the DC-compensation error :math:`\sqrt{\det V(|h - C|)}` for each constant C.

    Parameters
    ----------
    h : array_like, shape (n, n), n odd
    constants : array_like, shape (m,)

    Returns
    -------
    ndarray, shape (m,), squared grid units

    Raises
    ------
    ValueError
        For a filter that is not a finite odd-sized square array that is not all zero, and for constants
        that are not finite numbers.

    Source: Lindeberg, Babaiee and Kiasari (2026), Figure 5.

    Examples
    --------
    >>> dc_error(learned_filters()[7], [-0.0386]).round(3)
    array([0.687])
    """
    h = square_filter(h)
    x, y = np.broadcast_arrays(*coordinates(len(h)))
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    constants = np.atleast_1d(finite(constants, "constants"))
    if constants.ndim != 1:
        raise ValueError(f"constants has shape {constants.shape}: expected a number or a one-dimensional array")
    moments = np.abs(h.ravel() - constants[:, None]) @ basis
    total, mx, my, xx, xy, yy = moments.T
    # A constant filter leaves nothing at C = h: no spread to speak of, so never a minimum.
    total = np.where(total > 0, total, np.nan)
    mx, my = mx / total, my / total
    det = (xx / total - mx * mx) * (yy / total - my * my) - (xy / total - mx * my) ** 2
    return np.nan_to_num(np.sqrt(np.maximum(det, 0.0)), nan=np.inf)


def parabola_vertex(u: Iterable[float], f: Iterable[float]) -> float:
    """Abscissa of the vertex of the parabola through three points.

    Examples
    --------
    >>> parabola_vertex([0.0, 1.0, 2.0], [4.0, 1.0, 0.0])
    2.0
    """
    (u0, u1, u2), (f0, f1, f2) = u, f
    left, right = (f1 - f0) / (u1 - u0), (f2 - f1) / (u2 - u1)
    curvature = (right - left) / (u2 - u0)
    return float((u0 + u1 - left / curvature) / 2)


def _published(h, window, samples=PUBLISHED_SAMPLES) -> DCCompensation:
    constants = np.linspace(window[0], window[1], samples)
    error = dc_error(h, constants)
    i = min(max(int(error.argmin()), 1), samples - 2)
    constant = parabola_vertex(constants[i - 1 : i + 2], error[i - 1 : i + 2])
    return DCCompensation(constant, float(dc_error(h, [constant])[0]), False, window)


def _exact(h, per_interval: int = 8) -> DCCompensation:
    # Between two neighbouring pixel values no |h - C| changes branch, so the criterion is smooth
    # there: look at every pixel value, and polish every interval that dips inside.
    values = np.unique(h)
    if len(values) == 1:
        raise ValueError("filter is constant: its DC compensation leaves nothing")
    fractions = np.arange(per_interval) / per_interval
    grid = np.append((values[:-1, None] + np.diff(values)[:, None] * fractions).ravel(), values[-1])
    error = dc_error(h, grid)
    best = int(error[::per_interval].argmin()) * per_interval
    constant, lowest, kink = float(grid[best]), float(error[best]), True
    inside = np.flatnonzero((error[1:-1] < error[:-2]) & (error[1:-1] <= error[2:])) + 1
    for i in inside[inside % per_interval != 0]:
        found = minimize_scalar(
            lambda c: float(dc_error(h, [c])[0]), bounds=(grid[i - 1], grid[i + 1]), method="bounded",
            options={"xatol": 1e-14},
        )  # fmt: skip
        if found.fun < lowest:
            constant, lowest, kink = float(found.x), float(found.fun), False
    return DCCompensation(constant, lowest, kink, None)


def _is_learned(h, number: int) -> bool:
    # To the last digit that is printed, so that a copy in single precision is the learned filter too.
    learned = learned_filters()[number - 1]
    return h.shape == learned.shape and bool(np.abs(h - learned).max() < 1e-6)


def dc_compensation(h: ArrayLike, key: int | Key, dc: DC = "published") -> DCCompensation:
    r"""Return the constant C that makes a filter most compact: the minimum of :func:`dc_error`.

    The extraction of the filters leaves an additive constant undetermined; keys 7 and 8 get it back by
    :math:`C = \arg\min_C \sqrt{\det V(|h - C|)}`.

    Parameters
    ----------
    h : array_like, shape (n, n), n odd
    key : int
        7 or 8.
    dc : {"published", "exact"}
        ``"published"``: the lowest of 100 values in the published window, refined by the parabola
        through it and its two neighbours. ``"exact"``: the global minimum, which sits at a kink.
        The published search belongs to the learned filters 7 and 8 alone: for every other filter
        ``"published"`` returns the exact minimum too.

    Returns
    -------
    DCCompensation

    Raises
    ------
    ValueError
        For a key other than 7 and 8, an unknown ``dc``, a filter that is not a finite odd-sized
        square array, or one that is constant.

    Source: Lindeberg, Babaiee and Kiasari (2026), section on normalisation.

    Examples
    --------
    >>> h = learned_filters()[7]
    >>> found = dc_compensation(h, 8, dc="exact")
    >>> found.kink, found.constant in h
    (True, True)
    """
    row = key_row(key)
    if row.kind == DERIVATIVE:
        raise ValueError(f"key {row.number} has no DC compensation: only keys 7 and 8 have")
    choice(dc, ("published", "exact"), "dc")
    h = square_filter(h)
    if dc == "published" and _is_learned(h, row.number):
        return _published(h, PUBLISHED_WINDOWS[row.number])
    return _exact(h)


def normalize(h: ArrayLike, key: int | Key, dc: DC = "published") -> np.ndarray:
    r"""Normalise a filter for comparison with the idealised filter of a key.

    - keys 1-6: :math:`h / R_{10}` or :math:`h / R_{01}`, the response to x or y shifted by ``M(|h|)``,
      so that a unit slope gives a unit response;
    - keys 7, 8: :math:`(h - C) / \sum (h - C)`, so that a constant passes unchanged.

    Parameters
    ----------
    h : array_like, shape (n, n), n odd
    key : int
        1 to 8.
    dc : {"published", "exact", "none"}
        How C is found for keys 7 and 8 (see :func:`dc_compensation`); ``"none"`` takes C = 0.

    Returns
    -------
    ndarray, shape (n, n)

    Raises
    ------
    ValueError
        As :func:`dc_compensation`, and where the filter has no response to normalise by.

    Source: Lindeberg, Babaiee and Kiasari (2026), section on normalisation.

    Examples
    --------
    >>> g = normalize(learned_filters()[7], 8)
    >>> bool(abs(g.sum() - 1) < 1e-12)
    True
    """
    constant, response = constant_and_response(h, key, dc)
    return (square_filter(h) - constant) / response


def constant_and_response(h: ArrayLike, key: int | Key, dc: DC = "published") -> tuple[float, float]:
    """The two numbers of :func:`normalize`: the normalised filter is ``(h - constant) / response``.

    Parameters and errors as :func:`normalize`.

    Examples
    --------
    >>> constant_and_response([[0, 0, 0], [0.5, 0, -0.5], [0, 0, 0]], 5)
    (0.0, 1.0)
    """
    row = key_row(key)
    choice(dc, DC_CHOICES, "dc")
    h = square_filter(h)
    constant = 0.0
    if row.kind == DERIVATIVE:
        response = monomial_response(h, *row.monomial, centre=spread(h).mean)
        what = f"response to {'x' if row.derivative_axis == 0 else 'y'}"
    else:
        if dc != "none":
            constant = dc_compensation(h, row, dc).constant
        response, what = float((h - constant).sum()), "sum"
    if abs(response) <= 1e-12 * np.abs(h - constant).sum():
        raise ValueError(f"filter has no {what}: it cannot be normalised for key {row.number}")
    return constant, response


def normalize_many(filters: np.ndarray, key: int | Key, dc: DC = "exact") -> np.ndarray:
    """Normalise many filters for one key at once, such as the copies of a bootstrap.

    The constant of keys 7 and 8 is looked for among the values of each filter, where the exact one sits as a rule.

    Parameters
    ----------
    filters : ndarray, shape (b, n, n)
        Finite filters with a response; they are not checked.
    key : int
    dc : {"published", "exact", "none"}

    Returns
    -------
    ndarray, shape (b, n, n)

    Examples
    --------
    >>> h = learned_filters()[:1]
    >>> bool(np.abs(normalize_many(h, 1) - normalize(h[0], 1)).max() < 1e-12)
    True
    """
    row, h = key_row(key), np.asarray(filters, dtype=np.float64)
    x, y = np.broadcast_arrays(*coordinates(h.shape[-1]))
    if row.kind == DERIVATIVE:
        u = x if row.derivative_axis == 0 else y
        mean = (np.abs(h) * u).sum((1, 2)) / np.abs(h).sum((1, 2))
        return h / (-(h * u).sum((1, 2)) - mean * h.sum((1, 2)))[:, None, None]
    if dc != "none":
        flat = h.reshape(len(h), -1)
        basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
        total, mx, my, xx, xy, yy = np.moveaxis(np.abs(flat[:, None, :] - flat[:, :, None]) @ basis, -1, 0)
        total = np.where(total > 0, total, np.nan)
        mx, my = mx / total, my / total
        error = (xx / total - mx * mx) * (yy / total - my * my) - (xy / total - mx * my) ** 2
        best = np.nan_to_num(error, nan=np.inf).argmin(1)
        h = h - flat[np.arange(len(h)), best][:, None, None]
    return h / h.sum((1, 2))[:, None, None]


def normalized_filters(dc: DC = "published") -> np.ndarray:
    """Return the eight learned filters, normalised, shape (8, 7, 7), read-only.

    Parameters
    ----------
    dc : {"published", "exact"}
        How the constant of keys 7 and 8 is found (see :func:`dc_compensation`).

    Returns
    -------
    ndarray, shape (8, 7, 7)

    Raises
    ------
    ValueError
        For an unknown ``dc``; ``"none"`` too, since the learned key 8 sums to 0.

    Examples
    --------
    >>> normalized_filters().sum(axis=(1, 2)).round(3)[6:]
    array([1., 1.])
    """
    return _normalized(choice(dc, DC_CHOICES[:2], "dc"))


@lru_cache(maxsize=2)
def _normalized(dc: DC) -> np.ndarray:
    filters = np.stack([normalize(h, row, dc) for row, h in zip(KEYS, learned_filters(), strict=True)])
    filters.flags.writeable = False
    return filters
