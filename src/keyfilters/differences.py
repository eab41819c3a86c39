"""Difference operators of first and second order and their computational molecules."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .checks import choice, finite
from .choices import Border

OPERATORS: dict[str, dict[int, float]] = {
    "identity": {0: 1.0},
    "backward": {0: 1.0, -1: -1.0},
    "forward": {1: 1.0, 0: -1.0},
    "central": {1: 0.5, -1: -0.5},
    "second": {1: 1.0, 0: -2.0, -1: 1.0},
}
"""Each operator as its weights: ``(op f)(n) = sum_k weights[k] * f(n + k)``."""

EDGES = ("mirror", "zero", "shrink")


def difference(values: ArrayLike, operator: str, axis: int = -1, edge: Border = "mirror") -> np.ndarray:
    r"""Apply a difference operator along one axis, in the direction of growing index.

    ========= ==========================================
    operator  formula
    ========= ==========================================
    identity  :math:`f(n)`
    backward  :math:`f(n) - f(n-1)`
    forward   :math:`f(n+1) - f(n)`
    central   :math:`(f(n+1) - f(n-1)) / 2`
    second    :math:`f(n+1) - 2 f(n) + f(n-1)`
    ========= ==========================================

    Parameters
    ----------
    values : array_like
        Samples; along ``axis`` they stand in the order of the growing coordinate. (The y axis of a
        filter grows *up*, against the row index: difference the 1-D factor, then flip.)
    operator : str
        A name of ``OPERATORS``.
    axis : int
    edge : {"mirror", "zero", "shrink"}
        Samples beyond the ends: the end sample repeated (as published for keys 1-6), zeros (as
        published for key 7's Laplacian), or none, so that the result is 2 samples shorter.

    Returns
    -------
    ndarray, of the shape of ``values`` (2 samples shorter along ``axis`` with ``"shrink"``)

    Raises
    ------
    ValueError
        For an unknown operator or edge, for values that are not finite numbers, and for an axis that
        they do not have.

    Examples
    --------
    >>> difference([0.0, 1.0, 4.0], "forward")
    array([1., 3., 0.])
    >>> difference([0.0, 1.0, 4.0], "central", edge="shrink")
    array([2.])
    """
    weights = OPERATORS[choice(operator, OPERATORS, "operator")]
    choice(edge, EDGES, "edge")
    values = finite(values, "values")
    if not -values.ndim <= axis < values.ndim:
        raise ValueError(f"values has shape {values.shape}: expected an array with the axis {axis}")
    f = np.moveaxis(values, axis, -1)
    if edge != "shrink":
        ends = (f[..., :1], f[..., -1:]) if edge == "mirror" else (np.zeros_like(f[..., :1]),) * 2
        f = np.concatenate([ends[0], f, ends[1]], axis=-1)
    n = f.shape[-1]
    result = np.asarray(sum(w * f[..., 1 + k : n - 1 + k] for k, w in weights.items()))
    return np.moveaxis(result, -1, axis)


def laplacian(values: ArrayLike, edge: Border = "zero") -> np.ndarray:
    r"""Five-point Laplacian over the last two axes.

    .. math:: \nabla_5^2 f(x, y) = f(x+1, y) + f(x-1, y) + f(x, y+1) + f(x, y-1) - 4 f(x, y)

    Parameters
    ----------
    values : array_like, shape (..., rows, columns)
    edge : {"mirror", "zero", "shrink"}
        As in :func:`difference`; with ``"shrink"`` both axes lose 2 samples.

    Returns
    -------
    ndarray, shape (..., rows, columns)

    Raises
    ------
    ValueError
        As :func:`difference`.

    Examples
    --------
    >>> laplacian(np.eye(1, 9, 4).reshape(3, 3))
    array([[ 0.,  1.,  0.],
           [ 1., -4.,  1.],
           [ 0.,  1.,  0.]])
    """
    along_x = difference(values, "second", -1, edge)
    along_y = difference(values, "second", -2, edge)
    if edge == "shrink":
        along_x, along_y = along_x[..., 1:-1, :], along_y[..., :, 1:-1]
    return along_x + along_y


def molecule(x: str = "identity", y: str = "identity") -> np.ndarray:
    r"""Computational molecule of ``operator(x) operator(y)``: 3x3 weights on the neighbours.

    Entry ``[1 - j, 1 + i]`` is the weight of ``f(x + i, y + j)``: the picture of the operator with
    y up. (Convolving with it needs the point reflection, as for any correlation mask.)

    Parameters
    ----------
    x, y : str
        Operator along the axis, a name of ``OPERATORS``.

    Returns
    -------
    ndarray, shape (3, 3)

    Raises
    ------
    ValueError
        For an unknown operator.

    Examples
    --------
    >>> molecule(x="central")
    array([[ 0. ,  0. ,  0. ],
           [-0.5,  0. ,  0.5],
           [ 0. ,  0. ,  0. ]])
    >>> molecule(y="forward")
    array([[ 0.,  1.,  0.],
           [ 0., -1.,  0.],
           [ 0.,  0.,  0.]])
    """
    weights = [np.array([OPERATORS[choice(name, OPERATORS, "operator")].get(k, 0.0) for k in (-1, 0, 1)]) for name in (x, y)]
    return np.outer(weights[1][::-1], weights[0]) + 0.0  # no negative zeros
