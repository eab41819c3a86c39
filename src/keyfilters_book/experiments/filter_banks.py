"""Filters for the variants that are neither the keys nor learned: controls and rivals, each from its formula."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from keyfilters.differences import difference
from keyfilters.filters import learned_filters
from keyfilters.fitting.joint import key_parameters
from keyfilters.gaussian import gaussian_kernel
from keyfilters.models import ideal_filter

ORDER = 3
"""Highest order of the Gaussian derivatives of :func:`derivative_basis`."""
COVARIANCE = (0.5, 0.5, 3.0)
r"""Variance of :func:`covariance_filters` at the first layer, and its first and second derivative by depth, in grid units squared.

That the variance is a quadratic function of the depth with three numbers is published; the article finds its numbers for a
network and a patch size by a search. These three are a choice of this book, fixed before the runs and not taken from the
article or its code, which were not at hand: variances from 0.5 to 2.5. So the runs are of this rival, not of the best one.
"""


def unit_norm(filters) -> np.ndarray:
    """Filters of l2 norm 1, shape (..., n, n)."""
    filters = np.asarray(filters, dtype=np.float64)
    return filters / np.sqrt((filters**2).sum((-2, -1), keepdims=True))


def scaled_keys(factor: float, size: int = 7) -> np.ndarray:
    """The idealised keys of method B with all scales times a factor, shape (8, size, size).

    Examples
    --------
    >>> bool(np.allclose(scaled_keys(1.0)[7], ideal_filter(8, *key_parameters("B")[:2, 7])))
    True
    """
    x, y, gamma = key_parameters("B")
    return np.stack([
        ideal_filter(k, factor * x[k - 1], factor * y[k - 1], gamma=gamma[k - 1] if k == 7 else None, size=size) for k in range(1, 9)
    ])  # fmt: skip


def two_components(size: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each key of method B, its smoothing kernel, and how much of it the learned filter holds.

    The learned master key is fitted by a f + c T + b in least squares; f and T have norm 1, and the constant filter too.

    Returns
    -------
    f, shape (8, n, n); basis, shape (8, 2, n, n): T and the constant; coefficients, shape (8, 2): c / a and b / a
    """
    x, y, _ = key_parameters("B")
    f = unit_norm(scaled_keys(1.0, size))
    smooth = unit_norm([ideal_filter(8, x[k], y[k], size=size) for k in range(8)])
    constant = np.full((size, size), 1 / size)
    found = []
    for key, learned in enumerate(learned_filters()):
        # What key 8's model is already made of cannot be told from its smoothing kernel: the least solution is taken.
        design = np.stack([f[key].ravel(), smooth[key].ravel(), constant.ravel()], axis=1)
        a, c, b = np.linalg.lstsq(design, learned.ravel(), rcond=1e-9)[0]
        found.append((c / a, b / a))
    return f, np.stack([smooth, np.broadcast_to(constant, smooth.shape)], axis=1), np.array(found)


def filter_widths(filters) -> np.ndarray:
    r"""Root mean square distance of the energy of each filter from its own centre, grid units, shape (K,).

    For one filter :math:`(\sum_u h(u)^2 |u - m|^2 / \sum_u h(u)^2)^{1/2}`, m the mean position with the same weights.

    Examples
    --------
    >>> filter_widths([[[0.0, 0.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]]).tolist()
    [1.0]
    """
    h = np.asarray(filters, dtype=float) ** 2
    share = h / h.sum((1, 2), keepdims=True)
    positions = np.stack(np.indices(h.shape[1:])).reshape(2, -1).astype(float)
    share = share.reshape(len(h), -1)
    centre = share @ positions.T
    square = share @ (positions**2).sum(0) - (centre**2).sum(1)
    return np.sqrt(np.maximum(square, 0.0))


def matched_random(filters, seed: int) -> np.ndarray:
    """Random filters, each with the width of one of the filters and its mean, or nearly, and norm 1.

    Normal pixels under a Gaussian window, plus a multiple of the window that sets the mean; the window's width is
    solved for. A narrow blob, such as key 8, leaves no room for noise: there is no random filter of its width and mean.
    Where four draws find none, the mean may differ by 5 % to either side, then by 10 %, and so on.

    Parameters
    ----------
    filters : array_like, shape (K, n, n)
    seed : int

    Returns
    -------
    ndarray, shape (K, n, n)

    Examples
    --------
    >>> keys = unit_norm(scaled_keys(1.0))
    >>> drawn = matched_random(keys, seed=0)
    >>> bool(np.allclose(filter_widths(drawn), filter_widths(keys)))
    True
    >>> bool(np.allclose(drawn[:6].mean((1, 2)), keys[:6].mean((1, 2))))
    True
    """
    filters, rng = unit_norm(filters), np.random.default_rng((seed, 11))
    size = filters.shape[-1]
    square = ((np.indices((size, size)) - size // 2) ** 2).sum(0)
    spreads = np.geomspace(0.3, 6.0, 40)
    found = []
    for target, width in zip(filters.sum((1, 2)), filter_widths(filters), strict=True):
        for attempt in range(150):
            wanted = target * (1 + 0.05 * ((attempt // 4 + 1) // 2) * (-1) ** (attempt // 4))
            noise = rng.standard_normal((size, size))
            widths = filter_widths(_windowed(noise, square, spreads, wanted)) - width
            ends = np.flatnonzero(widths[:-1] * widths[1:] < 0)  # comparisons with nan are false
            if len(ends):

                def off(spread, noise=noise, wanted=wanted, width=width):
                    return filter_widths(_windowed(noise, square, np.array([spread]), wanted))[0] - width

                spread = brentq(off, spreads[ends[0]], spreads[ends[0] + 1], xtol=1e-12)
                found.append(_windowed(noise, square, np.array([spread]), wanted)[0])
                break
        else:
            raise ValueError(
                f"filters: no random filter of width {width:.3g} was found; expected widths from about 0.5 to {size / 3:.1f}"
            )
    return np.stack(found)


def _windowed(noise, square, spreads, total) -> np.ndarray:
    """Noise under windows of several spreads, of norm 1 and sum ``total``; nan where there is no such multiple of the window."""
    window = np.exp(-square / (2 * spreads[:, None, None] ** 2))
    free = noise * window
    free -= window * (free.sum((1, 2)) / window.sum((1, 2)))[:, None, None]
    # free + t * window has that sum once its norm is 1: a quadratic in t.
    a = window.sum((1, 2)) ** 2 - total**2 * (window**2).sum((1, 2))
    b, c = -2 * total**2 * (free * window).sum((1, 2)), -(total**2) * (free**2).sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(a > 0, (-b + np.copysign(np.sqrt(b**2 - 4 * a * c), total)) / (2 * a), np.nan)
    return unit_norm(free + t[:, None, None] * window)


def covariance_of(variance: float, size: int = 7) -> np.ndarray:
    r"""A covariance of the pixels of filters in closed form, shape (size^2, size^2).

    With :math:`Z(u) = e^{-|u|^2 / (2 v)}`, :math:`\Sigma(p, q)` for pixels p and q counted from the centre:

    .. math::

        \hat\Sigma(p, q) = Z(p)\,\bigl(Z(q - p) - \tfrac12 Z(q)\bigr), \qquad
        \Sigma = \tfrac12 (\hat\Sigma + \hat\Sigma^T),

    the difference q - p taken around the border. Pixels near each other go together, the centre varies most, and
    half of what all share is taken away. Negative eigenvalues are set to zero.

    Source: the construction of Trockman, Willmott and Kolter (2022), arXiv 2210.03651, in our own code. It is written from
    what is known of the article; neither it nor the authors' code was at hand to be compared with. The numbers of the
    schedule, ``COVARIANCE``, are ours.
    """
    half = size // 2
    places = np.stack(np.indices((size, size)), axis=-1).reshape(-1, 2) - half

    def z(u):
        return np.exp(-(u**2).sum(-1) / (2 * variance))

    apart = (places[None] - places[:, None] + half) % size - half
    block = z(places)[:, None] * (z(apart) - 0.5 * z(places)[None])
    values, axes = np.linalg.eigh((block + block.T) / 2)
    return (axes * np.maximum(values, 0.0)) @ axes.T


def covariance_filters(count: int, depth: float, seed: int, size: int = 7) -> np.ndarray:
    r"""Filters drawn from the closed-form covariance, of norm 1, shape (count, size, size).

    The variance of the window grows with the depth d, 0 at the first and 1 at the last layer:
    :math:`v(d) = v_0 + v_1 d + \tfrac12 v_2 d^2`, the three numbers ``COVARIANCE``.

    Examples
    --------
    >>> first, last = (filter_widths(covariance_filters(200, d, seed=1)).mean() for d in (0.0, 1.0))
    >>> bool(first < last)
    True
    """
    v0, v1, v2 = COVARIANCE
    values, axes = np.linalg.eigh(covariance_of(v0 + v1 * depth + 0.5 * v2 * depth**2, size))
    # Sign: the entry of largest size is positive, so that two machines draw the same filters.
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    normal = np.random.default_rng((seed, 13, round(1000 * depth))).standard_normal((count, size * size))
    return unit_norm((normal * np.sqrt(np.maximum(values, 0.0)) @ axes.T).reshape(count, size, size))


@lru_cache(maxsize=4)
def derivative_basis(sigma: float = 1.0, size: int = 7) -> np.ndarray:
    """Discrete derivatives of the Gaussian kernel up to order ``ORDER`` along both axes, of norm 1, shape (10, size, size).

    Central differences of the discrete Gaussian, computed on a larger window and cropped.

    Source: Jacobsen et al. (2016) for the basis, there of the continuous Gaussian.

    Examples
    --------
    >>> derivative_basis().shape
    (10, 7, 7)
    """
    reach = size
    lines = [gaussian_kernel(sigma, reach)]
    for _ in range(ORDER):
        lines.append(difference(lines[-1], "central"))
    cut = slice(reach - size // 2, reach + size // 2 + 1)
    pairs = [(i, n - i) for n in range(ORDER + 1) for i in range(n + 1)]
    return unit_norm([np.multiply.outer(lines[j][cut], lines[i][cut]) for i, j in pairs])
