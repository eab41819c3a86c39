"""Filters as the code of the published network experiments builds them.

Beside the fits the authors published two experiments that put idealised filters into a network. Their
code is a second implementation of the models, and it differs from the first in its details. This module
follows those details, so that their size can be computed:

- ``"replacement"`` (``modify_dwconvs_initial.py``): every depthwise filter becomes :math:`a f + b`, with
  :math:`f` the best of eight templates;
- ``"scale-learning"`` (``ConvnextBuilder.py``): every depthwise filter is a template whose two scales are
  trained.

Both difference arrays along their indices (the row index grows *down*), renormalise the cropped kernel,
take :math:`T - \\gamma \\nabla_5^2 T` for key 7, with zeros in the outermost ring of the Laplacian, and
divide each filter by its l2 norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import i0, i1

from keyfilters.checks import choice, finite, odd_size, scales
from keyfilters.differences import difference, laplacian
from keyfilters.filters import DERIVATIVE, SHARPENING, key_row
from keyfilters.gaussian import gaussian_kernel

ROW_AXIS, COLUMN_AXIS = -2, -1


@dataclass(frozen=True)
class Experiment:
    """One row of the table of experiments.

    Attributes
    ----------
    kernel : str
        Kind of smoothing kernel, see :func:`keyfilters.gaussian_kernel`.
    end : float
        Factor on half the one-sided difference that a mirrored border gives the centred operator at
        either end: 2 is the full one-sided difference, 0 leaves the ends zero.
    operators : mapping of int to (str, int)
        Key to the difference operator and the array axis along which it is taken.
    """

    kernel: str
    end: float
    operators: MappingProxyType


EXPERIMENTS = {
    "replacement": Experiment("discrete", 2.0, MappingProxyType({
        1: ("forward", ROW_AXIS), 2: ("backward", COLUMN_AXIS), 3: ("backward", ROW_AXIS), 4: ("forward", COLUMN_AXIS),
        5: ("central", COLUMN_AXIS), 6: ("central", ROW_AXIS),
    })),
    "scale-learning": Experiment("sampled", 0.0, MappingProxyType({
        1: ("forward", ROW_AXIS), 2: ("forward", COLUMN_AXIS), 3: ("backward", ROW_AXIS), 4: ("backward", COLUMN_AXIS),
        5: ("central", COLUMN_AXIS), 6: ("central", ROW_AXIS),
    })),
}  # fmt: skip
"""What differs between the two experiments."""

GAMMA = 0.5
"""Amount of sharpening of key 7 in both experiments."""


def experiment_filter(experiment, key, sigma_x, sigma_y=None, *, gamma=GAMMA, size: int = 7) -> np.ndarray:
    r"""Return a filter as one of the published experiments builds it, with l2 norm 1.

    With K the product of two renormalised kernels and d a difference along the array's own index:
    :math:`f = d K / \|d K\|_2` for keys 1-6, :math:`K - \gamma \nabla_5^2 K` for key 7, K for key 8.

    Parameters
    ----------
    experiment : {"replacement", "scale-learning"}
    key : int
        1 to 8.
    sigma_x, sigma_y : float or array_like
        Scales in grid units, >= 0 (> 0 for the sampled Gaussian of scale learning); ``sigma_y`` defaults
        to ``sigma_x``. Arrays broadcast.
    gamma : float
        Used by key 7 only.
    size : int
        Odd number of taps per axis.

    Returns
    -------
    ndarray, shape (..., size, size)

    Raises
    ------
    ValueError
        For an unknown experiment or key, a scale that is negative or not finite, or an even size.

    Source: the code that accompanies Lindeberg, Babaiee and Kiasari (2026).

    Examples
    --------
    >>> f = experiment_filter("replacement", 1, 0.5)
    >>> f.shape, round(float((f**2).sum()), 12)
    ((7, 7), 1.0)
    >>> np.flatnonzero(abs(experiment_filter("scale-learning", 2, 0.01)).sum(axis=0))
    array([2, 3])
    """
    rules = EXPERIMENTS[choice(experiment, EXPERIMENTS, "experiment")]
    row = key_row(key)
    size = odd_size(size)
    sigma_x = scales(sigma_x, "sigma_x")
    sigma_y = sigma_x if sigma_y is None else scales(sigma_y, "sigma_y")
    x, y = (gaussian_kernel(sigma, size // 2, rules.kernel) for sigma in (sigma_x, sigma_y))
    x, y = x / x.sum(-1, keepdims=True), y / y.sum(-1, keepdims=True)
    smooth = y[..., :, None] * x[..., None, :]
    if row.kind == DERIVATIVE:
        operator, axis = rules.operators[row.number]
        f = difference(smooth, operator, axis)
        if operator == "central":
            ends = np.ones((size, 1) if axis == ROW_AXIS else size)
            ends[[0, -1]] = rules.end
            f = f * ends
    elif row.kind == SHARPENING:
        f = smooth.copy()
        f[..., 1:-1, 1:-1] -= finite(gamma, "gamma") * laplacian(smooth, edge="shrink")
    else:
        f = smooth
    return f / np.sqrt((f**2).sum((-2, -1), keepdims=True))


def similarity(first, second) -> np.ndarray:
    r"""Return the absolute correlation coefficient of each filter with each other one.

    .. math:: r_{ij} = \frac{|\langle f_i - \bar f_i,\, g_j - \bar g_j \rangle|}{\|f_i - \bar f_i\|\,\|g_j - \bar g_j\|}

    Its square is the share of :math:`f_i`, its mean set aside, that :math:`a g_j + b` explains with the best
    a and b.

    Parameters
    ----------
    first : array_like, shape (k, n, n)
    second : array_like, shape (m, n, n)

    Returns
    -------
    ndarray, shape (k, m)

    Raises
    ------
    ValueError
        If the filters differ in size.

    Examples
    --------
    >>> h = np.eye(3)[None]
    >>> similarity(h, np.concatenate([h, 2 - 3 * h])).round(12)
    array([[1., 1.]])
    """
    f, g = (np.asarray(a, dtype=np.float64) for a in (first, second))
    if f.ndim != 3 or g.ndim != 3 or f.shape[1:] != g.shape[1:]:
        raise ValueError(f"filters have shapes {f.shape} and {g.shape}: expected (k, n, n) and (m, n, n)")
    f, g = (a.reshape(len(a), -1) for a in (f, g))
    f, g = f - f.mean(1, keepdims=True), g - g.mean(1, keepdims=True)
    return np.abs(f @ g.T) / np.outer(np.sqrt((f**2).sum(1)), np.sqrt((g**2).sum(1)))


def closest_scales(experiment, key, h, grid, *, reflected: bool = False) -> tuple[float, float, float]:
    """Return the largest similarity of a filter with an experiment's filters, and the scales that reach it.

    Parameters
    ----------
    experiment, key
        As in :func:`experiment_filter`.
    h : array_like, shape (n, n)
    grid : array_like, shape (m,)
        Scales that sigma_x and sigma_y are taken from, each with each.
    reflected : bool
        Compare with the point reflections of the experiment's filters.

    Returns
    -------
    similarity, sigma_x, sigma_y : float

    Examples
    --------
    >>> h = experiment_filter("replacement", 5, 0.8, 0.6)
    >>> closest_scales("replacement", 5, h, [0.6, 0.7, 0.8])[1:]
    (0.8, 0.6)
    """
    h, grid = np.asarray(h, dtype=np.float64), np.asarray(grid, dtype=np.float64)
    filters = experiment_filter(experiment, key, grid, grid[:, None], size=len(h)).reshape(-1, *h.shape)
    r = similarity(h[None], filters[:, ::-1, ::-1] if reflected else filters)[0]
    best = int(r.argmax())
    return float(r[best]), float(grid[best % len(grid)]), float(grid[best // len(grid)])


def upward_bessel_kernel(sigma, radius: int = 3, dtype=np.float32) -> np.ndarray:
    r"""Return T(n; s), n = 0..radius, by the upward recurrence of the modified Bessel functions.

    .. math:: I_{n+1}(s) = I_{n-1}(s) - \frac{2 n}{s} I_n(s), \qquad T(n; s) = e^{-s} I_n(s), \qquad s = \sigma^2

    The scale-learning code holds this variant but does not use it. For small s the recurrence subtracts
    almost equal numbers and multiplies their rounding errors by 2n/s at every step; Miller's downward
    recurrence, or the sum in :func:`keyfilters.discrete_gaussian`, does not.

    Parameters
    ----------
    sigma : float or array_like, shape (...)
        Scale in grid units, > 0.
    radius : int
        At least 1.
    dtype : floating point type in which everything is computed

    Returns
    -------
    ndarray of dtype, shape (..., radius + 1)

    Raises
    ------
    ValueError
        For a scale that is not finite and positive, or a radius below 1.

    Examples
    --------
    >>> upward_bessel_kernel(1.0, dtype=np.float64).round(6)
    array([0.46576 , 0.20791 , 0.049939, 0.008155])
    """
    sigma = scales(sigma)
    if not (sigma > 0).all():
        raise ValueError("sigma is 0: expected a scale > 0, the recurrence divides by it")
    if not isinstance(radius, (int, np.integer)) or radius < 1:
        raise ValueError(f"radius is {radius!r}: expected an integer >= 1")
    s = (sigma.astype(dtype) ** 2).astype(dtype)
    orders = [i0(s), i1(s)]
    for n in range(1, radius):
        orders.append(orders[-2] - dtype(2 * n) * orders[-1] / (s + np.finfo(dtype).eps))
    # Rounded from double precision: the exponential in single precision is another on each kind of processor.
    return np.exp(-s.astype(np.float64)).astype(dtype)[..., None] * np.stack(orders, axis=-1)
