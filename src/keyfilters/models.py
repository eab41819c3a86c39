"""Idealised filters: difference operators applied to the discrete Gaussian, in the plane and along any number of axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .checks import choice, finite, odd_size, scales
from .choices import Edge
from .differences import OPERATORS, difference, laplacian
from .filters import SHARPENING, Key, key_row
from .gaussian import discrete_gaussian
from .temporal import time_causal_kernel

MODEL_EDGES = ("crop", "exact")


def factor(operator: str, kernel: np.ndarray, edge: Edge = "crop") -> np.ndarray:
    """One-dimensional factor of a separable model from a kernel with one spare tap at each end.

    Parameters
    ----------
    operator : str
        A name of ``keyfilters.differences.OPERATORS``.
    kernel : array_like, shape (..., size + 2)
    edge : {"crop", "exact"}
        ``"crop"`` drops the spare taps first and differences with the end sample repeated;
        ``"exact"`` differences first.

    Returns
    -------
    ndarray, shape (..., size)

    Examples
    --------
    >>> factor("forward", [0, 1, 3, 1, 0]), factor("forward", [0, 1, 3, 1, 0], edge="exact")
    (array([ 2., -2.,  0.]), array([ 2., -2., -1.]))
    """
    kernel = np.asarray(kernel, dtype=np.float64)
    if edge == "crop":
        return difference(kernel[..., 1:-1], operator, edge="mirror")
    return difference(kernel, operator, edge="shrink")


def ideal_filter(
    key: int | Key,
    sigma_x: ArrayLike,
    sigma_y: ArrayLike | None = None,
    *,
    gamma: ArrayLike | None = None,
    size: int = 7,
    edge: Edge = "crop",
) -> np.ndarray:
    r"""Return the idealised filter of a key.

    With :math:`T(x, y) = T(x; \sigma_x^2)\, T(y; \sigma_y^2)` the product of discrete Gaussians:

    ==== ============================= ==== =================================
    key  model                         key  model
    ==== ============================= ==== =================================
    1    :math:`\delta_{y+} T`         5    :math:`\delta_{x} T`
    2    :math:`\delta_{x-} T`         6    :math:`\delta_{y} T`
    3    :math:`\delta_{y-} T`         7    :math:`\delta - \gamma \nabla_5^2 T`
    4    :math:`\delta_{x+} T`         8    :math:`T`
    ==== ============================= ==== =================================

    Parameters
    ----------
    key : int
        1 to 8.
    sigma_x, sigma_y : float or array_like
        Scales in grid units, >= 0; ``sigma_y`` defaults to ``sigma_x``. Arrays broadcast.
    gamma : float or array_like, optional
        Amount of sharpening (dimensionless); key 7 needs it, the other keys do not take it.
    size : int
        Odd number of taps per axis.
    edge : {"crop", "exact"}
        ``"crop"`` (as published): crop T to ``size`` taps, then difference, the end sample repeated
        beyond the border (zeros for key 7's Laplacian). ``"exact"``: difference, then crop.
        Neither renormalises.

    Returns
    -------
    ndarray, shape (..., size, size)
        Kernel of a convolution, y up (row 0 is the largest y). Networks correlate: where ``nn.Conv2d`` has this
        kernel as its weight, as the learned filters are stored, an odd filter responds with the opposite sign.

    Raises
    ------
    ValueError
        For an unknown key or edge, a scale that is negative or not finite, an even size, ``gamma``
        missing for key 7 or given for another key.

    Source: Lindeberg, Babaiee and Kiasari (2026), section on idealised models.

    Examples
    --------
    >>> ideal_filter(2, 0.0, size=3)
    array([[ 0.,  0.,  0.],
           [ 0.,  1., -1.],
           [ 0.,  0.,  0.]])
    >>> ideal_filter(8, 0.6).shape
    (7, 7)

    On the ramp f(x) = x the difference is +1; correlated, as a network does, -1:

    >>> from scipy import ndimage
    >>> ramp = np.tile(np.arange(7.0), (7, 1))
    >>> kernel = ideal_filter(2, 0.0)
    >>> float(ndimage.convolve(ramp, kernel)[3, 3]), float(ndimage.correlate(ramp, kernel)[3, 3])
    (1.0, -1.0)
    """
    row = key_row(key)
    size = odd_size(size)
    choice(edge, MODEL_EDGES, "edge")
    sigma_x = scales(sigma_x, "sigma_x")
    sigma_y = sigma_x if sigma_y is None else scales(sigma_y, "sigma_y")
    try:
        np.broadcast_shapes(sigma_x.shape, sigma_y.shape, np.shape(gamma) if gamma is not None else ())
    except ValueError:
        shapes = f"{sigma_x.shape}, {sigma_y.shape}" + ("" if gamma is None else f", {np.shape(gamma)}")
        raise ValueError(f"sigma_x, sigma_y and gamma have the shapes {shapes}: expected shapes that broadcast") from None
    radius = size // 2 + 1
    impulse = np.zeros((size, size))
    impulse[size // 2, size // 2] = 1.0
    return _model(row, discrete_gaussian(sigma_x, radius), discrete_gaussian(sigma_y, radius), gamma, edge, impulse)


def _in_plane(along_y, along_x) -> np.ndarray:
    """Product of 1-D filters, shape (..., n, n); y grows against the row index, so the one along y is flipped."""
    return along_y[..., ::-1, None] * along_x[..., None, :]


def _model(row, along_x, along_y, gamma, edge: Edge, impulse) -> np.ndarray:
    """The model of a key from smoothing kernels with a spare tap at each end; the impulse is for sharpening."""
    if row.kind != SHARPENING:
        if gamma is not None:
            raise ValueError(f"gamma is given for key {row.number}: only key 7 takes it")
        return _in_plane(factor(row.y, along_y, edge), factor(row.x, along_x, edge)) + 0.0  # no negative zeros
    if gamma is None:
        raise ValueError("gamma is missing: key 7 needs it, for example gamma=0.5")
    smooth = _in_plane(along_y, along_x)
    # Shrinking drops the spare taps, so the exact variant sees the samples beyond the window.
    curvature = laplacian(smooth[..., 1:-1, 1:-1], edge="zero") if edge == "crop" else laplacian(smooth, edge="shrink")
    return impulse - finite(gamma, "gamma")[..., None, None] * curvature


def separable_filter(
    operators: Sequence[str],
    sigma: ArrayLike,
    *,
    size: int = 7,
    edge: Edge = "crop",
    causal: bool = False,
    velocity: ArrayLike | None = None,
) -> np.ndarray:
    r"""Return a separable filter of any number of axes, or one that moves along the last.

    With an operator :math:`D_i` and a scale for each axis, and :math:`T` the discrete Gaussian,

    .. math:: h(x_1, \dots, x_n) = \prod_i D_i T(x_i; \sigma_i^2) .

    Two variants take the last axis for time: ``causal`` smooths it with the time-causal limit kernel in place of the
    Gaussian, so that the filter vanishes before time 0; ``velocity`` shears the filter, :math:`x \to x - v t`.

    Parameters
    ----------
    operators : sequence of str
        Operator along each axis, x first: a row of :func:`keyfilters.axis_keys`.
    sigma : float or array_like, shape (n,)
        Scales in grid units, >= 0.
    size : int
        Odd number of taps per axis.
    edge : {"crop", "exact"}
        As in :func:`ideal_filter`.
    causal : bool
        Smooth the last axis by :func:`keyfilters.time_causal_kernel`; taps before its middle are 0 (with a backward difference
        too).
    velocity : float or array_like, shape (n - 1,), optional
        Grid units per step of the last axis. At a time t the kernel along x has the mean v t and the variance
        :math:`\sigma_x^2` exactly: between two grid points it is shared out among them, and the variance that this adds,
        1/4 at most, is taken off the Gaussian. So an axis along which something moves by a broken number of grid units
        needs sigma >= 0.5.

    Returns
    -------
    ndarray, shape (size,) * n
        Kernel of a convolution, the last axis first: [..., y, x]. As in pictures the second axis grows up (row 0 is the
        largest y); x, and the third and further axes, grow with their index.

    Raises
    ------
    ValueError
        For an unknown operator or edge, scales or velocities that are not one number or one for each axis, negative or not finite
        scales, an even size, a velocity without a second axis, and a scale that is too small for its velocity.

    Source: Lindeberg (2016); of the plane, Lindeberg, Babaiee and Kiasari (2026).

    Examples
    --------
    >>> from keyfilters import axis_keys
    >>> separable_filter(axis_keys("x")["x"], 0.0, size=3)
    array([ 0.5,  0. , -0.5])
    >>> h = separable_filter(axis_keys("xyz")["z+"], [0.5, 0.6, 0.7], size=5)
    >>> h.shape, bool(np.array_equal(separable_filter(("backward", "identity"), (0.7, 0.5)), ideal_filter(2, 0.7, 0.5)))
    ((5, 5, 5), True)

    What moves to the right by one grid unit per step: its mean is at x = t.

    >>> moving = separable_filter(("identity",) * 3, [0.5, 0.5, 1.0], size=9, velocity=(1, 0))
    >>> (moving.sum(1) @ np.arange(-4, 5) / moving.sum((1, 2))).round(1)[2:7]
    array([-2., -1.,  0.,  1.,  2.])
    """
    if isinstance(operators, str) or not len(operators):
        raise ValueError(f"operators is {operators!r}: expected a sequence of operators, one for each axis")
    names = tuple(choice(name, OPERATORS, "operator") for name in operators)
    axes, size = len(names), odd_size(size)
    choice(edge, MODEL_EDGES, "edge")
    sigma = _per_axis(scales(sigma), axes, "sigma")
    radius = size // 2 + 1
    kernels = [discrete_gaussian(s, radius) for s in sigma]
    if causal:
        kernels[-1] = np.concatenate([np.zeros(radius), time_causal_kernel(sigma[-1], radius + 1)])
    if velocity is not None:
        if axes == 1:
            raise ValueError(f"velocity is {velocity!r} for one axis: expected none, as nothing is left to move along")
        steps = np.arange(size) - size // 2
        for i, v in enumerate(_per_axis(finite(velocity, "velocity"), axes - 1, "velocity")):
            kernels[i] = _moved(float(sigma[i]), v * steps, radius)
    result = np.ones((1,) * axes)
    for i in reversed(range(axes)):
        along = factor(names[i], kernels[i], edge)
        # A kernel that moves has one row for each time, the first axis of the result.
        result = result * along.reshape(*along.shape[:-1], *[1] * (axes - along.ndim - i), size, *[1] * i)
    return (np.flip(result, -2) if axes > 1 else result) + 0.0  # no negative zeros


def _per_axis(value: np.ndarray, axes: int, what: str) -> np.ndarray:
    if value.shape not in ((), (axes,)):
        raise ValueError(f"{what} has shape {value.shape}: expected one number, or {axes}, one for each axis")
    return np.broadcast_to(value, (axes,))


def _moved(sigma: float, shift: np.ndarray, radius: int) -> np.ndarray:
    """Smoothing kernels of mean ``shift`` and variance sigma^2, shape (len(shift), 2 * radius + 1)."""
    whole = np.floor(shift).astype(int)
    part = (shift - whole)[:, None]
    variance = sigma**2 - part * (1 - part)
    if variance.min() < 0:
        raise ValueError(
            f"sigma is {sigma:g} along an axis with a velocity: expected at least {np.sqrt((part * (1 - part)).max()):g}"
        )
    reach = radius + 1 + int(np.abs(whole).max())
    taps = discrete_gaussian(np.sqrt(variance[:, 0]), reach)
    index = reach + np.arange(-radius, radius + 1) - whole[:, None]
    rows = np.arange(len(shift))[:, None]
    return (1 - part) * taps[rows, index] + part * taps[rows, index - 1]
