"""Scales fitted to each filter of a layer by itself: least squares with gain and offset projected out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...differences import difference
from ...filters import KEYS, SHARPENING
from ...gaussian import half_discrete_gaussian, scale_derivative
from ...models import _in_plane, factor
from .matching import centred

GRID = 25
"""Scales per axis of the coarse search."""
GAMMA_MAX = 10.0
"""Largest amount of sharpening; beyond it the kernel is hardly more than the Laplacian."""
SETTLED = 1e-13
"""Gain in explained variance below which the refinement of a filter ends."""
FLAT = 1e-16
"""Share of a kernel's slope in a variance, squared, below which the fit does not depend on that variance."""
STEPS = 40
"""Most steps of the refinement. Each is a Gauss-Newton step, damped until it does not make matters worse."""


def sigma_max(size: int) -> float:
    """Largest scale that is searched, grid units: 3, or half the size if that is more.

    Examples
    --------
    >>> sigma_max(3), sigma_max(9)
    (3.0, 4.5)
    """
    return max(3.0, size / 2)


@dataclass(frozen=True)
class OwnScales:
    """Idealised filter of its key fitted to each filter: gain * ideal(sigma_x, sigma_y, gamma) + offset.

    Attributes
    ----------
    sigma_x, sigma_y : ndarray, shape (C,)
        Grid units. Of 1-D filters the one across is NaN, but for key 7, which has the same along both axes.
    gamma : ndarray, shape (C,)
        Amount of sharpening; 0 but for key 7.
    gain, offset, explained : ndarray, shape (C,)
        As in a LayerMatch; dead filters: 0, their mean, NaN.
    determined : ndarray of bool, shape (2, C)
        Whether the filter determines sigma_x and sigma_y. With three taps a difference has the same shape at each scale, and
        key 7 has more parameters than the filter has to say: then many scales fit alike, and which is named is chance.
    """

    sigma_x: np.ndarray
    sigma_y: np.ndarray
    gamma: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    explained: np.ndarray
    determined: np.ndarray


@lru_cache(maxsize=32)
def _of_taps(operator: str, size: int) -> np.ndarray:
    """Matrix (taps, 4 * size) from the taps n = 0 .. size // 2 + 2 of a Gaussian to what :func:`_axis` returns."""
    taps = np.eye(size // 2 + 3)
    kernel = np.concatenate([taps[:, :0:-1], taps], axis=1)
    slope = scale_derivative(kernel)
    kernel = kernel[:, 1:-1]
    parts = [f(k) for k in (kernel, slope) for f in (lambda k: factor(operator, k), _second)]
    return np.concatenate(parts, axis=1)


def _second(kernel):
    return difference(kernel[..., 1:-1], "second", edge="zero")


def _axis(operator: str, variance, size: int) -> list[np.ndarray]:
    """Factor of an operator, that of the second difference, and their derivatives in the variance, each (N, size)."""
    return np.split(half_discrete_gaussian(variance, size // 2 + 2) @ _of_taps(operator, size), 4, axis=1)


def _outer(y, x):
    return _in_plane(y, x).reshape(len(x), -1)


def _parts(row, variances, size) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the kernel of a key is made of at variances (N, 2).

    Returns (fixed, moving, d moving / d s_x, d moving / d s_y), each (N, size * size): the kernel is
    ``fixed - gamma * moving`` for key 7, and ``moving`` for the others, where fixed is 0.
    """
    (x, x2, dx, dx2), (y, y2, dy, dy2) = (_axis(op, v, size) for op, v in zip((row.x, row.y), variances.T, strict=True))
    if row.kind == SHARPENING:
        impulse = np.zeros((1, size * size))
        impulse[0, size * size // 2] = 1.0
        moving, slope_x, slope_y = (
            _outer(q, p2) + _outer(q2, p) for p, p2, q, q2 in ((x, x2, y, y2), (dx, dx2, y, y2), (x, x2, dy, dy2))
        )
        return np.repeat(impulse, len(x), axis=0), moving, slope_x, slope_y
    moving = _outer(y, x)
    return np.zeros_like(moving), moving, _outer(y, dx), _outer(dy, x)


def _strip_parts(operator, sharpens, variances, size) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As :func:`_parts`, each (N, size), for 1-D filters along the axis of ``operator``; the second variance plays no part.

    The kernel is the row through the centre of the filter of the key: the factor along the axis, or for key 7 with the
    same scale across.
    """
    f, f2, df, df2 = _axis(operator, variances[:, 0], size)
    if not sharpens:
        return np.zeros_like(f), f, df, np.zeros_like(f)
    impulse = np.zeros((1, size))
    impulse[0, size // 2] = 1.0
    centre = slice(size // 2, size // 2 + 1)
    moving = f2 * f[:, centre] + f * f2[:, centre]
    slope = df2 * f[:, centre] + f2 * df[:, centre] + df * f2[:, centre] + f * df2[:, centre]
    return np.repeat(impulse, len(f), axis=0), moving, slope, np.zeros_like(f)


def best_gamma(
    fixed_fixed: np.ndarray, fixed_moving: np.ndarray, moving_moving: np.ndarray, w_fixed: np.ndarray, w_moving: np.ndarray
) -> np.ndarray:
    r"""The gamma in [0, GAMMA_MAX] for which ``fixed - gamma * moving`` explains w best, from inner products.

    The share :math:`(w \cdot k)^2 / (k \cdot k)`, :math:`k = f - \gamma m`, has one maximum over all
    gamma, that of the two-term least squares, and one zero: between bounds it is that or a bound.

    Examples
    --------
    >>> f, m = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    >>> w = 3.0 * (f - 0.5 * m)
    >>> float(best_gamma(f @ f, f @ m, m @ m, w @ f, w @ m))
    0.5
    """
    above = fixed_moving * w_fixed - fixed_fixed * w_moving
    below = moving_moving * w_fixed - fixed_moving * w_moving
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.nan_to_num(above / below, nan=0.0, posinf=GAMMA_MAX, neginf=0.0)
    candidates = np.stack([np.clip(free, 0.0, GAMMA_MAX), np.zeros_like(free), np.full_like(free, GAMMA_MAX)])
    share = (w_fixed - candidates * w_moving) ** 2 / np.maximum(
        fixed_fixed - 2 * candidates * fixed_moving + candidates**2 * moving_moving, 1e-300
    )
    return np.take_along_axis(candidates, share.argmax(axis=0)[None], axis=0)[0]


def _dot(a, b):
    return np.einsum("ij,ij->i", a, b)


def _project(vectors, direction):
    """Vectors (N, p) less their parts along directions (N, p)."""
    length = np.maximum(_dot(direction, direction), 1e-300)
    return vectors - (_dot(vectors, direction) / length)[:, None] * direction


class _Key:
    """The filters of one key: w (N, p), mean-free and of norm 1; ``axis`` x or y of 1-D ones, else "" ."""

    def __init__(self, row, w, size, axis=""):
        self.row, self.w, self.size, self.axis = row, w, size, axis
        self.sharpens = row.kind == SHARPENING

    def parts(self, variances):
        """Those of :func:`_parts`."""
        if self.axis:
            return _strip_parts(getattr(self.row, self.axis), self.sharpens, variances, self.size)
        return _parts(self.row, variances, self.size)

    def state(self, variances, of=slice(None)) -> dict:
        """Kernel, its projection and residual at variances (M, 2) of the filters ``of``."""
        w = self.w[of]
        fixed, moving, slope_x, slope_y = (centred(v)[0] for v in self.parts(variances))
        if self.sharpens:
            gamma = best_gamma(_dot(fixed, fixed), _dot(fixed, moving), _dot(moving, moving), _dot(w, fixed), _dot(w, moving))
            kernel = fixed - gamma[:, None] * moving
        else:
            gamma, kernel = np.zeros(len(w)), moving
        gain = _dot(w, kernel) / np.maximum(_dot(kernel, kernel), 1e-300)
        return {
            "gamma": gamma, "kernel": kernel, "moving": moving, "slopes": (slope_x, slope_y), "gain": gain,
            "residual": w - gain[:, None] * kernel, "explained": gain * _dot(w, kernel),
        }  # fmt: skip

    def jacobian(self, state) -> np.ndarray:
        """Derivative of the fit in the variances with gain (and gamma) projected out, shape (N, 2, p)."""
        scale = state["gain"] * (-state["gamma"] if self.sharpens else 1.0)
        columns = []
        for slope in state["slopes"]:
            column = _project(scale[:, None] * slope, state["kernel"])
            if self.sharpens:
                inside = (state["gamma"] > 0) & (state["gamma"] < GAMMA_MAX)
                direction = _project(state["moving"], state["kernel"])
                column = np.where(inside[:, None], _project(column, direction), column)
            columns.append(column)
        return np.stack(columns, axis=1)

    def determined(self, variances) -> np.ndarray:
        """Whether the fit changes with each variance once gain, gamma and the other one may follow, shape (2, N)."""
        state = self.state(variances)
        columns, gain = self.jacobian(state), state["gain"] ** 2
        return np.stack(
            [
                _dot(rest, rest) > FLAT * gain * _dot(slope, slope)
                for rest, slope in zip(
                    (_project(columns[:, i], columns[:, 1 - i]) for i in (0, 1)), state["slopes"], strict=True
                )
            ]
        )

    def on_grid(self, values) -> np.ndarray:
        """Best variances (N, 2) among all pairs of values."""
        pairs = np.stack(np.meshgrid(values, [0.0] if self.axis else values, indexing="ij"), axis=-1).reshape(-1, 2)
        fixed, moving, _, _ = (centred(v)[0] for v in self.parts(pairs))
        along = self.w @ moving.T
        if self.sharpens:
            ff, fm, mm = _dot(fixed, fixed), _dot(fixed, moving), _dot(moving, moving)
            impulse = self.w @ fixed.T
            shape = along.shape
            gamma = best_gamma(*(np.broadcast_to(v, shape) for v in (ff, fm, mm, impulse, along)))
            share = (impulse - gamma * along) ** 2 / np.maximum(ff - 2 * gamma * fm + gamma**2 * mm, 1e-300)
        else:
            share = along**2 / np.maximum(_dot(moving, moving), 1e-300)
        return pairs[share.argmax(axis=1)]

    def refine(self, variances) -> np.ndarray:
        """Damped Gauss-Newton from variances (N, 2), within the bounds."""
        top = sigma_max(self.size) ** 2
        variances, open_ = variances.copy(), np.arange(len(variances))
        damping = np.full(len(variances), 1e-3)
        state = self.state(variances)
        best = state["explained"]
        for _ in range(STEPS):
            s = variances[open_]
            jacobian = self.jacobian(state)
            slope = np.einsum("nip,np->ni", jacobian, state["residual"])
            # A scale at its bound that would leave it stays.
            held = ((s <= 0) & (slope <= 0)) | ((s >= top) & (slope >= 0))
            jacobian, slope = np.where(held[:, :, None], 0.0, jacobian), np.where(held, 0.0, slope)
            normal = np.einsum("nip,njp->nij", jacobian, jacobian)
            diagonal = np.einsum("nii->ni", normal)
            normal = normal + np.eye(2) * (damping[open_, None] * diagonal + np.where(diagonal == 0, 1.0, 1e-14))[:, :, None]
            step = np.linalg.solve(normal, slope[:, :, None])[:, :, 0]
            trial = np.clip(s + step, 0.0, top)
            there = self.state(trial, open_)
            better = there["explained"] > best[open_]
            done = better & (there["explained"] - best[open_] < SETTLED)
            variances[open_[better]], best[open_[better]] = trial[better], there["explained"][better]
            damping[open_] = np.where(better, damping[open_] / 5, damping[open_] * 8)
            state = {k: _chosen(better, there[k], state[k]) for k in state}
            left = ~done & (damping[open_] < 1e6)
            open_, state = open_[left], {k: _rows(v, left) for k, v in state.items()}
            if not len(open_):
                break
        return variances


def _chosen(mask, new, old):
    if isinstance(new, tuple):
        return tuple(_chosen(mask, a, b) for a, b in zip(new, old, strict=True))
    return np.where(mask.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _rows(value, mask):
    return tuple(v[mask] for v in value) if isinstance(value, tuple) else value[mask]


def fit_scales(filters: np.ndarray, keys: np.ndarray, sigma_x: np.ndarray, sigma_y: np.ndarray, gamma: np.ndarray) -> OwnScales:
    r"""Fit the scales of its key to each filter of a layer.

    .. math:: \min_{\sigma_x, \sigma_y, \gamma, a, b} \| w - a f_k(\sigma_x, \sigma_y, \gamma) - b \|^2

    Gain a, offset b and gamma are linear or solved in closed form (variable projection), so the search
    runs over the two variances: all pairs of a coarse grid, then damped Gauss-Newton with the
    derivative of the discrete Gaussian, :math:`\partial_s T = \tfrac12 \delta^2 T`, from the best pair.
    All filters of a key go at once. The scales given are kept where they are no worse.

    Parameters
    ----------
    filters : ndarray, shape (C, n, n), or (C, 1, n) or (C, n, 1) of 1-D filters
        1-D filters are fitted by the factor of the key along their axis.
    keys : ndarray of int, shape (C,)
        1 to 8; 0 for a dead filter. Of 1-D filters those that :func:`keyfilters.networks.match` finds: not a
        difference across.
    sigma_x, sigma_y, gamma : array_like, shape (8,)
        Scales of each key to compare with, for example those of ``key_parameters("B")``.

    Returns
    -------
    OwnScales
        Scales in [0, 3] or [0, n / 2], whichever is more; gamma in [0, 10].

    Raises
    ------
    ValueError
        For 1-D filters of a key that is a difference across.

    Source: Golub and Pereyra (1973), variable projection; Kaufman (1975), the Jacobian used here.

    Examples
    --------
    >>> from keyfilters import ideal_filter
    >>> w = 2.0 * ideal_filter(5, 0.9, 0.4)[None] - 1.0
    >>> found = fit_scales(w, np.array([5]), np.full(8, 0.7), np.full(8, 0.7), np.full(8, 0.5))
    >>> [float(v[0].round(6)) for v in (found.sigma_x, found.sigma_y, found.gain, found.offset)]
    [0.9, 0.4, 2.0, -1.0]
    """
    rows, columns = filters.shape[1:]
    size, keys = max(rows, columns), np.asarray(keys)
    axis = "" if rows == columns else "x" if rows == 1 else "y"
    if axis == "y":
        # y grows against the row index.
        filters = filters[:, ::-1]
    vectors, mean = centred(filters.reshape(len(filters), -1))
    norm = np.linalg.norm(vectors, axis=1)
    first = np.array([sigma_x, sigma_y, gamma], dtype=np.float64)
    found, determined = np.zeros((6, len(filters))), np.zeros((2, len(filters)), dtype=bool)
    found[4], found[5] = mean, np.where(keys > 0, 0.0, np.nan)
    values = np.linspace(0.0, sigma_max(size), GRID) ** 2
    for row in KEYS:
        at = np.flatnonzero(keys == row.number)
        if not len(at):
            continue
        if axis and row.derivative_axis == (1 if axis == "x" else 0):
            raise ValueError(f"key {row.number} is a difference across filters along {axis}: expected keys of match")
        key = _Key(row, vectors[at] / norm[at, None], size, axis)
        start = np.repeat(first[:2, row.number - 1, None] ** 2, len(at), axis=1).T
        if axis:
            start = np.stack([start[:, 0 if axis == "x" else 1], np.zeros(len(at))], axis=1)
        fits = np.stack([_measured(key, key.refine(key.on_grid(values))), _measured(key, start, first[2, row.number - 1])])
        best = np.take_along_axis(fits, fits[:, 5].argmax(axis=0)[None, None], axis=0)[0]
        best[3] *= norm[at]
        best[4] = mean[at] + best[4] * norm[at]
        found[:, at], determined[:, at] = best, key.determined(best[:2].T)
    found[5] = np.clip(found[5], 0.0, 1.0)
    along, across = np.sqrt(found[:2])
    if axis:
        both = np.isin(keys, [row.number for row in KEYS if row.kind == SHARPENING])
        across, determined[1] = np.where(both, along, np.nan), both & determined[0]
        determined = determined[::-1] if axis == "y" else determined
    sigma_x, sigma_y = (across, along) if axis == "y" else (along, across)
    return OwnScales(sigma_x, sigma_y, *found[2:], determined)


def _measured(key, variances, gamma=None) -> np.ndarray:
    """Variances, gamma, gain, offset and explained variance at variances (N, 2), shape (6, N)."""
    fixed, moving, _, _ = key.parts(variances)
    if key.sharpens:
        gamma = key.state(variances)["gamma"] if gamma is None else np.full(len(variances), gamma)
        kernel = fixed - gamma[:, None] * moving
    else:
        gamma, kernel = np.zeros(len(variances)), moving
    bare, mean = centred(kernel)
    along, length = _dot(key.w, bare), np.maximum(_dot(bare, bare), 1e-300)
    return np.stack([*variances.T, gamma, along / length, -along / length * mean, along**2 / length])
