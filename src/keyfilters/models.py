"""Idealised filters: difference operators applied to the discrete Gaussian."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .checks import choice, finite, odd_size, scales
from .choices import Edge
from .differences import difference, laplacian
from .filters import SHARPENING, Key, key_row
from .gaussian import discrete_gaussian

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
