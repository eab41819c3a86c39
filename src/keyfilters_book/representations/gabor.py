"""Gabor functions and directional Gaussian derivatives, and least-squares fits of them to filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from keyfilters.checks import choice, finite

NARROWEST = 0.4
"""Least standard deviation of an envelope in pixels: a narrower one is an impulse on the grid."""
SLOWEST, FASTEST = 0.02, 0.5
"""Frequencies of a Gabor function, cycles a pixel. Beyond 0.5 along an axis a wave looks like a slower one on the grid."""

_SETTLED = 1e-7
"""A search ends with a step that takes less than this share off the squared norm that is left over."""


@dataclass(frozen=True)
class GaborModel:
    """One row of the table of models: an envelope times a few functions across it, with free amplitudes.

    Attributes
    ----------
    name, idea : str
    across : callable
        Takes u (pixels, along the normal of the bars), the standard deviation along it and the frequency, and
        returns the functions that are multiplied by the envelope, shape (..., amplitudes).
    amplitudes : int
        Parameters that enter linearly.
    tuned : bool
        Whether there is a frequency.
    """

    name: str
    idea: str
    across: Callable
    amplitudes: int
    tuned: bool = False

    @property
    def shape_parameters(self) -> tuple[str, ...]:
        """What enters non-linearly."""
        return ("x", "y", "angle", "sigma_u", "sigma_v", *(("frequency",) if self.tuned else ()))

    @property
    def parameters(self) -> int:
        """Free numbers of a fit."""
        return len(self.shape_parameters) + self.amplitudes


def _wave(u, sigma, frequency):
    return np.stack([np.cos(2 * np.pi * frequency * u), np.sin(2 * np.pi * frequency * u)], axis=-1)


def _hermite(*orders):
    powers = {0: np.ones_like, 1: lambda t: t, 2: lambda t: t**2 - 1, 3: lambda t: t**3 - 3 * t}
    return lambda u, sigma, frequency: np.stack([powers[order](u / sigma) for order in orders], axis=-1)


GABOR_MODELS: dict[str, GaborModel] = {
    m.name: m
    for m in (
        GaborModel("gabor", "a cosine and a sine across a Gaussian envelope", _wave, 2, tuned=True),
        GaborModel("derivatives 0-2", "a Gaussian and its first two directional derivatives, summed", _hermite(0, 1, 2), 3),
        GaborModel("derivative 0", "a Gaussian", _hermite(0), 1),
        GaborModel("derivative 1", "a first directional derivative", _hermite(1), 1),
        GaborModel("derivative 2", "a second directional derivative", _hermite(2), 1),
        GaborModel(
            "derivatives 0-3", "a Gaussian and its first three directional derivatives, summed", _hermite(0, 1, 2, 3), 4
        ),
    )
}
"""The models of :func:`fit_gabor`. "gabor" and "derivatives 0-2" have eight free numbers each."""


def _grid(size: int):
    half = (size - 1) / 2
    x = np.arange(size) - half
    return np.meshgrid(x, -x)


def columns(model, shape, size: int) -> np.ndarray:
    r"""The functions whose combinations a model consists of, on a grid of pixels.

    With :math:`u = (x - x_0) \cos\theta + (y - y_0) \sin\theta`, :math:`v = -(x - x_0) \sin\theta + (y - y_0) \cos\theta`
    and :math:`t = u / \sigma_u`:

    .. math::

        e^{-u^2 / 2 \sigma_u^2 - v^2 / 2 \sigma_v^2} \times
        \begin{cases} \cos 2\pi f u, \; \sin 2\pi f u & \text{gabor} \\ 1, \; t, \; t^2 - 1 & \text{derivatives 0-2} \end{cases}

    The latter are, up to sign and a power of the scale, the derivatives of order 0, 1 and 2 along u.

    Parameters
    ----------
    model : str
        A name of ``MODELS``.
    shape : array_like, shape (..., 5), or (..., 6) with a frequency
        x, y (pixels from the middle, y up), angle (radians), sigma_u, sigma_v (pixels), frequency (cycles a pixel).
    size : int

    Returns
    -------
    ndarray, shape (..., size * size, amplitudes)

    Examples
    --------
    >>> columns("derivative 1", [0, 0, 0, 1, 1], 3).reshape(3, 3).round(2).tolist()
    [[-0.37, 0.0, 0.37], [-0.61, 0.0, 0.61], [-0.37, 0.0, 0.37]]
    """
    m = GABOR_MODELS[choice(model, GABOR_MODELS, "model")]
    shape = np.asarray(shape, dtype=np.float64)
    if shape.shape[-1] != len(m.shape_parameters):
        raise ValueError(
            f"shape has {shape.shape[-1]} numbers: expected {len(m.shape_parameters)}, {', '.join(m.shape_parameters)}"
        )
    x, y = (axis.ravel() for axis in _grid(size))
    x0, y0, angle, su, sv = (shape[..., i, None] for i in range(5))
    cosine, sine = np.cos(angle), np.sin(angle)
    u = (x - x0) * cosine + (y - y0) * sine
    v = (y - y0) * cosine - (x - x0) * sine
    envelope = np.exp(-0.5 * ((u / su) ** 2 + (v / sv) ** 2))
    return envelope[..., None] * m.across(u, su, shape[..., 5, None] if m.tuned else None)


@dataclass(frozen=True)
class GaborFit:
    """The best combination of a model for one filter.

    Attributes
    ----------
    model : str
    shape : ndarray, shape (5,) or (6,)
        See :func:`columns`; the angle lies in [0, pi).
    amplitudes : ndarray
    explained : float
        One minus the squared norm left over, as a share of the filter's.
    filter : ndarray, shape (n, n)
        The fitted function.
    """

    model: str
    shape: np.ndarray
    amplitudes: np.ndarray
    explained: float
    filter: np.ndarray


@lru_cache(maxsize=8)
def _starts(name: str, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A coarse grid of shapes, from which the search starts, orthonormal columns for each, and its family.

    A family has one angle and width (and frequency): neighbouring places lead to the same minimum.
    """
    m = GABOR_MODELS[name]
    places = np.linspace(-0.42, 0.42, 7) * size
    angles = np.arange(8) * np.pi / 8
    widths = np.array([0.06, 0.1, 0.16, 0.26]) * size
    stretch = np.array([0.6, 1.0, 1.8]) if not m.tuned else np.array([1.0, 1.8])
    # Bars per standard deviation: less than half of one is a ramp, more than one a grating.
    axes = [places, places, angles, widths, stretch] + ([np.array([0.12, 0.25, 0.45])] if m.tuned else [])
    grid = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    grid[:, 4] *= grid[:, 3]
    grid[:, 3:5] = np.maximum(grid[:, 3:5], 1.5 * NARROWEST)
    if m.tuned:
        grid[:, 5] = np.clip(grid[:, 5] / grid[:, 3], 1.5 * SLOWEST, 0.9 * FASTEST)
    family = np.unique(grid[:, 2:], axis=0, return_inverse=True)[1].ravel()
    return grid, np.linalg.qr(columns(name, grid, size))[0], family


def _scores(design: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Explained squared norm of filters w (N, d) by each design (S, d, a) of orthonormal columns: (N, S)."""
    count, d, amplitudes = design.shape
    return ((w @ design.transpose(1, 0, 2).reshape(d, -1)) ** 2).reshape(len(w), count, amplitudes).sum(axis=2)


def _state(z, m: GaborModel, w: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Columns at search variables z (P, 5) or (P, 6), their QR factors, and what the best amplitudes leave over of w (P, d)."""
    design = columns(m.name, _shape(z), size)
    q, r = np.linalg.qr(design)
    along = q.transpose(0, 2, 1) @ w[:, :, None]
    return {"design": design, "q": q, "r": r, "along": along, "left": w - (q @ along)[..., 0]}


def _slopes(z, m: GaborModel, state: dict[str, np.ndarray], size: int) -> np.ndarray:
    r"""Kaufman's derivatives of what is explained, :math:`(\partial C / \partial z_i) \, a` less its part along C's columns: (P, n, d).

    The term that is left out is orthogonal to this and small beside a small residual. The derivatives of C are
    forward differences, all in one call.
    """
    step = 1e-6
    moved = columns(m.name, _shape(z[:, None] + step * np.eye(z.shape[1])), size)
    # Columns that are all but dependent (f near 0): the least amplitudes will do.
    amplitudes = np.linalg.pinv(state["r"], rcond=m.amplitudes * np.finfo(float).eps) @ state["along"]
    change = ((moved - state["design"][:, None]) / step @ amplitudes[:, None])[..., 0]
    return change - change @ state["q"] @ state["q"].transpose(0, 2, 1)


def _shape(z) -> np.ndarray:
    """The shape of search variables, shape (..., 5) or (..., 6): the logarithms undone."""
    return np.concatenate([z[..., :3], np.exp(z[..., 3:])], axis=-1)


def _refined(m: GaborModel, w: np.ndarray, first: np.ndarray, size: int, evaluations: int) -> tuple[np.ndarray, np.ndarray]:
    """Damped Gauss-Newton for all filters w (P, d) at once, from shapes (P, 5) or (P, 6), within bounds.

    Returns the search variables and the squared norms that are left over.
    """
    reach = size / 2 + 1
    low = np.array([-reach, -reach, -np.inf, np.log(NARROWEST), np.log(NARROWEST)] + [np.log(SLOWEST)] * m.tuned)
    high = np.array([reach, reach, np.inf, np.log(size), np.log(size)] + [np.log(FASTEST)] * m.tuned)
    z = np.clip(np.concatenate([first[:, :3], np.log(first[:, 3:])], axis=1), low, high)
    open_, damping = np.arange(len(z)), np.full(len(z), 1e-3)
    state = _state(z, m, w, size)
    cost = np.einsum("pd,pd->p", state["left"], state["left"])
    for _ in range(evaluations):
        here = z[open_]
        slopes = _slopes(here, m, state, size)
        downhill = np.einsum("pnd,pd->pn", slopes, state["left"])
        # What lies at its bound and would leave it stays.
        held = ((here <= low) & (downhill <= 0)) | ((here >= high) & (downhill >= 0))
        slopes, downhill = np.where(held[..., None], 0.0, slopes), np.where(held, 0.0, downhill)
        normal = slopes @ slopes.transpose(0, 2, 1)
        diagonal = np.einsum("pnn->pn", normal)
        normal = (
            normal + np.eye(z.shape[1]) * (damping[open_, None] * diagonal + np.where(diagonal == 0, 1.0, 1e-14))[..., None]
        )
        trial = np.clip(here + np.linalg.solve(normal, downhill[..., None])[..., 0], low, high)
        there = _state(trial, m, w[open_], size)
        now = np.einsum("pd,pd->p", there["left"], there["left"])
        gained = cost[open_] - now
        better = gained > 0
        # A small gain of a step that was held short says nothing.
        settled = better & (gained < _SETTLED * cost[open_]) & (damping[open_] < 1e-2)
        z[open_[better]], cost[open_[better]] = trial[better], now[better]
        damping[open_] = np.where(better, damping[open_] / 5, damping[open_] * 8)
        left = ~settled & (damping[open_] < 1e6)
        state = {k: np.where(better.reshape(-1, *[1] * (v.ndim - 1)), there[k], v)[left] for k, v in state.items()}
        open_ = open_[left]
        if not len(open_):
            break
    return z, cost


def fit_gabor(filters, model: str = "gabor", starts: int = 3, evaluations: int = 60) -> list[GaborFit]:
    r"""Fit a model to each filter by least squares.

    .. math:: \min_{\text{shape}} \min_a \| w - C(\text{shape})\, a \|_2^2

    The amplitudes a follow from the shape (a linear problem), so that the search runs over the shape alone.
    It starts from the best points of a fixed coarse grid and is deterministic; the best end is kept. There may
    be a better minimum elsewhere: the explained share is a lower bound.

    Parameters
    ----------
    filters : array_like, shape (N, n, n)
    model : str
        A name of ``MODELS``.
    starts : int
        Grid points from which each search starts, of different angle, width or frequency.
    evaluations : int
        Largest number of steps of one search.

    Raises
    ------
    ValueError
        For filters that are no finite square arrays or are all zero, and an unknown model.

    Source: Jones and Palmer (1987) for Gabor functions; Young (1987), Koenderink and van Doorn (1992) for
    Gaussian derivatives; Golub and Pereyra (1973) and Kaufman (1975) for the elimination of the amplitudes.

    Examples
    --------
    >>> h = columns("gabor", [0.5, -1, 0.6, 1.5, 2, 0.2], 11) @ [1.0, -2.0]
    >>> (found,) = fit_gabor(h.reshape(1, 11, 11))
    >>> round(found.explained, 9), found.shape[:2].round(5).tolist()
    (1.0, [0.5, -1.0])
    """
    m = GABOR_MODELS[choice(model, GABOR_MODELS, "model")]
    filters = finite(filters, "filters")
    if filters.ndim != 3 or filters.shape[1] != filters.shape[2] or filters.shape[1] < 5 or not len(filters):
        raise ValueError(f"filters has shape {filters.shape}: expected (N, n, n) with n of at least 5")
    size = filters.shape[1]
    w = filters.reshape(len(filters), -1)
    norm = np.linalg.norm(w, axis=1, keepdims=True)
    if not norm.all():
        raise ValueError(f"filter {int(np.argmin(norm))} is all zero: expected at least one non-zero value")
    unit = w / norm
    grid, design, family = _starts(m.name, size)
    scores = _scores(design, unit)
    order = np.argsort(-scores, axis=1, kind="stable")
    # The best points of different families, the best first.
    first = np.stack([o[np.sort(np.unique(family[o], return_index=True)[1])][:starts] for o in order])
    per_filter = first.shape[1]
    z, cost = _refined(m, np.repeat(unit, per_filter, axis=0), grid[first.ravel()], size, evaluations)
    best = cost.reshape(first.shape).argmin(axis=1) + per_filter * np.arange(len(unit))
    return [_fit(m, v, float(n), _shape(end), size) for v, n, end in zip(unit, norm[:, 0], z[best], strict=True)]


def _fit(m: GaborModel, v, norm: float, shape, size: int) -> GaborFit:
    design = columns(m.name, shape, size)
    amplitudes = np.linalg.lstsq(design, v, rcond=None)[0]
    values = design @ amplitudes
    # Half a turn mirrors u: what is odd across the bars changes its sign.
    if int(np.floor(shape[2] / np.pi)) % 2:
        amplitudes = amplitudes * _parity(m)
    shape[2] %= np.pi
    return GaborFit(m.name, shape, amplitudes * norm, float(1 - ((v - values) ** 2).sum()), (values * norm).reshape(size, size))


def _parity(m: GaborModel) -> np.ndarray:
    """+1 or -1 for each function of a model: even or odd in u."""
    u = np.array([0.3])
    return np.sign(m.across(u, 1.0, 0.1)[0] * m.across(-u, 1.0, 0.1)[0])
