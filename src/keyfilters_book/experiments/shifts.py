"""Idealised filters shifted by fractions of a pixel."""

from __future__ import annotations

import numpy as np

from keyfilters.checks import choice, finite, odd_size, scales
from keyfilters.choices import Edge
from keyfilters.filters import KEYS, SHARPENING, key_row
from keyfilters.fitting.joint import key_parameters
from keyfilters.gaussian import half_discrete_gaussian
from keyfilters.models import MODEL_EDGES, _in_plane, _model

PERIOD = 1024
"""Samples of the lattice on which the Fourier sum runs: for a fractional shift it differs from the integral over all
frequencies by less than 1e-5."""


def _fourier(sigma: float, positions: np.ndarray) -> np.ndarray:
    k = np.arange(PERIOD // 2 + 1)
    w = 2 * np.pi * k / PERIOD
    weight = np.where((k == 0) | (k == PERIOD // 2), 1.0, 2.0) / PERIOD
    return np.cos(positions[..., None] * w) @ (weight * np.exp(sigma**2 * (np.cos(w) - 1)))


def _linear(sigma: float, positions: np.ndarray) -> np.ndarray:
    below = np.floor(positions).astype(int)
    half = half_discrete_gaussian(sigma**2, int(np.abs(below).max(initial=0)) + 1)
    part = positions - below
    return (1 - part) * half[np.abs(below)] + part * half[np.abs(below + 1)]


SHIFT_KINDS = {"fourier": _fourier, "linear": _linear}
"""name: function of (scale, array of positions) that returns the discrete Gaussian between its samples."""


def shifted_gaussian(sigma: float, shift: float = 0.0, radius: int = 3, kind: str = "fourier") -> np.ndarray:
    r"""Return the discrete Gaussian with its centre moved to ``shift``, on the taps -radius .. radius.

    ========= ===================================================================================
    kind      value at n, with u = n - d
    ========= ===================================================================================
    fourier   :math:`\frac1N \sum_k e^{s (\cos w_k - 1)} \cos(w_k u)`, :math:`w_k = 2 \pi k / N`
    linear    :math:`(1 - f) T(\lfloor u \rfloor; s) + f\, T(\lfloor u \rfloor + 1; s)`,
              :math:`f = u - \lfloor u \rfloor`
    ========= ===================================================================================

    Both are T(n - d; s) where d is an integer. ``"fourier"`` takes the kernel for band-limited: nothing is
    smoothed, but a kernel of fine scale gets negative side lobes. ``"linear"`` has no negative values, but
    adds the variance f (1 - f). What both say alike does not depend on this choice.

    Parameters
    ----------
    sigma : float
        Scale in grid units, >= 0.
    shift : float or array_like, shape (...)
        d, in grid units.
    radius : int
    kind : {"fourier", "linear"}

    Returns
    -------
    ndarray, shape (..., 2 * radius + 1)

    Raises
    ------
    ValueError
        For an unknown kind, or a scale or shift that is not a finite number (the scale: >= 0).

    Source: the Fourier form is that of the discrete Gaussian, Lindeberg (1990).

    Examples
    --------
    >>> shifted_gaussian(0.0, 1.0, radius=2).round(12) + 0.0
    array([0., 0., 0., 1., 0.])
    >>> shifted_gaussian(0.0, 0.5, radius=1, kind="linear")
    array([0. , 0.5, 0.5])
    """
    between = SHIFT_KINDS[choice(kind, SHIFT_KINDS, "kind")]
    sigma = float(scales(sigma))
    positions = np.arange(-radius, radius + 1) - finite(shift, "shift")[..., None]
    return between(sigma, positions)


def shifted_filter(
    key: int,
    sigma_x: float,
    sigma_y: float | None = None,
    shift_x: float = 0.0,
    shift_y: float = 0.0,
    *,
    gamma: float | None = None,
    size: int = 7,
    edge: Edge = "exact",
    kind: str = "fourier",
) -> np.ndarray:
    r"""Return the idealised filter of a key moved by (d_x, d_y), x to the right and y up.

    As :func:`keyfilters.ideal_filter` with :math:`T(x - d_x; s_x)\, T(y - d_y; s_y)` in the place of T, and
    the impulse of key 7 moved in the same way. At (0, 0) it is the idealised filter itself. An integer shift
    moves the array; what enters at the border are the true samples with ``edge="exact"``. (With ``"crop"``
    the end sample is repeated, wherever the filter stands, so the border does not move along.)

    Parameters
    ----------
    key : int
    sigma_x, sigma_y : float
        ``sigma_y`` defaults to ``sigma_x``.
    shift_x, shift_y : float or array_like, shapes (...) that broadcast
        Grid units.
    gamma : float, optional
        For key 7.
    size : int
    edge : {"exact", "crop"}
        As in :func:`keyfilters.ideal_filter`.
    kind : {"fourier", "linear"}
        See :func:`shifted_gaussian`.

    Returns
    -------
    ndarray, shape (..., size, size)

    Raises
    ------
    ValueError
        As :func:`keyfilters.ideal_filter` and :func:`shifted_gaussian`.

    Examples
    --------
    >>> shifted_filter(2, 0.0, shift_x=-1, size=3).round(12) + 0.0
    array([[ 0.,  0.,  0.],
           [ 1., -1.,  0.],
           [ 0.,  0.,  0.]])
    >>> shifted_filter(8, 0.5, shift_x=[0, 0.5, 1], shift_y=0.5).shape
    (3, 7, 7)
    """
    row, size = key_row(key), odd_size(size)
    choice(edge, MODEL_EDGES, "edge")
    sigma_y = sigma_x if sigma_y is None else sigma_y
    radius = size // 2 + 1
    x, y = shifted_gaussian(sigma_x, shift_x, radius, kind), shifted_gaussian(sigma_y, shift_y, radius, kind)
    at_x, at_y = (shifted_gaussian(0.0, d, size // 2, kind) for d in (shift_x, shift_y))
    return _model(row, x, y, gamma, edge, _in_plane(at_y, at_x))


def shifted_keys(
    method: str = "B",
    shift_x: float = 0.0,
    shift_y: float = 0.0,
    *,
    size: int = 7,
    edge: Edge = "exact",
    kind: str = "fourier",
    widen: float = 1.0,
) -> np.ndarray:
    """Return the eight idealised filters of a method, all moved by the same shift, shape (8, ..., size, size).

    Parameters
    ----------
    method : str
        ``"A"`` to ``"D-joint"``; in the joint methods keys 1 and 3, 2 and 4 are mirror images of each other.
    shift_x, shift_y, size, edge, kind
        See :func:`shifted_filter`.
    widen : float
        Factor of all scales, >= 0.

    Examples
    --------
    >>> shifted_keys("B-joint", 0.5, [0.0, 0.5], size=5).shape
    (8, 2, 5, 5)
    """
    widen = float(scales(widen, "widen"))
    return np.stack(
        [
            shifted_filter(
                row.number, widen * sx, widen * sy, shift_x, shift_y, gamma=gamma if row.kind == SHARPENING else None,
                size=size, edge=edge, kind=kind,
            )
            for row, (sx, sy, gamma) in zip(KEYS, key_parameters(method).T, strict=True)
        ]
    )  # fmt: skip
