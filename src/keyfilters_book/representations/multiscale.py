"""Wavelets and curvelets as the first layer: coefficients of many images at once, ready to be rectified.

Both keep the energy of an image (tight frames); the low-pass band comes first and apart, since nothing is
to be rectified there. The transforms are PyWavelets' and those of the package curvelets.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from keyfilters.checks import finite

from . import _extra

WAVELET, LEVELS = "db2", 3
"""Daubechies' wavelet with two vanishing moments (four taps), three scales."""


def _square(images) -> np.ndarray:
    x = images if isinstance(images, np.ndarray) and images.dtype == np.float32 else finite(images, "images")
    if x.ndim != 3 or x.shape[1] != x.shape[2] or x.shape[1] % 2**LEVELS:
        raise ValueError(f"images has shape {x.shape}: expected (n, size, size), size a multiple of {2**LEVELS}")
    return x


def orthonormal_wavelets(images, wavelet: str = WAVELET) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients of an orthonormal wavelet basis (periodic): low-pass and details, flattened.

    Parameters
    ----------
    images : array_like, shape (n, size, size), size a multiple of 8
    wavelet : str
        An orthogonal one of PyWavelets.

    Returns
    -------
    low : ndarray, shape (n, 1, (size / 8)^2)
    details : ndarray, shape (n, 1, the rest)

    Examples
    --------
    >>> low, details = orthonormal_wavelets(np.random.default_rng(0).normal(size=(2, 32, 32)))
    >>> low.shape, details.shape
    ((2, 1, 16), (2, 1, 1008))
    """
    with _extra():
        import pywt

    x = _square(images)
    low, *levels = pywt.wavedec2(x, wavelet, mode="periodization", level=LEVELS, axes=(-2, -1))
    details = [band.reshape(len(x), 1, -1) for level in levels for band in level]
    return low.reshape(len(x), 1, -1), np.concatenate(details, axis=-1)


def wavelet_maps(images, wavelet: str = WAVELET) -> tuple[np.ndarray, np.ndarray]:
    """Return the same coefficients at all shifts of the image, the undecimated wavelet transform.

    Each map is the image convolved with a unit-norm wavelet of one scale and orientation, coarse scales first.

    Returns
    -------
    low : ndarray, shape (n, 1, size, size)
    details : ndarray, shape (n, 9, size, size)
        Multiply the maps by :func:`wavelet_weights` to make all of them together keep the energy.

    Examples
    --------
    >>> low, details = wavelet_maps(np.ones((1, 32, 32)))
    >>> low.shape, details.shape, bool(np.allclose(low, 8)), bool(np.allclose(details, 0))
    ((1, 1, 32, 32), (1, 9, 32, 32), True, True)
    """
    with _extra():
        import pywt

    low, *levels = pywt.swt2(_square(images), wavelet, level=LEVELS, trim_approx=True, axes=(-2, -1))
    return low[:, None], np.stack([band for level in levels for band in level], axis=1)


def wavelet_weights() -> tuple[float, np.ndarray]:
    r"""Weights :math:`2^{-j}` of the maps of :func:`wavelet_maps`, for which squares sum to the image's.

    At scale j the transform without decimation has :math:`4^j` times as many coefficients as the orthonormal one.

    Examples
    --------
    >>> wavelet_weights()[0], wavelet_weights()[1].tolist()
    (0.125, [0.125, 0.125, 0.125, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5])
    """
    return 0.5**LEVELS, np.repeat(0.5 ** np.arange(LEVELS, 0, -1.0), 3)


@lru_cache(maxsize=4)
def curvelet_matrix(size: int = 32, wedges: tuple[int, ...] = (3, 6)) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """The curvelet transform as a matrix: the coefficients of every unit impulse.

    The package transforms one image at a time; a matrix transforms many at once, and gives the same numbers.

    Parameters
    ----------
    size : int
        Pixels along each side.
    wedges : tuple of int
        Wedges per quarter circle and scale, coarse scales first, multiples of 3.

    Returns
    -------
    matrix : ndarray of float32, shape (2, size^2, coefficients)
        Real and imaginary part.
    shapes : tuple of (int, int)
        Of the low-pass band, then of each wedge, all flattened in this order.
    """
    with _extra():
        from curvelets.numpy import UDCT

    transform = UDCT((size, size), angular_wedges_config=np.array([[w, w] for w in wedges]))
    rows, shapes = [], ()
    for impulse in np.eye(size * size).reshape(-1, size, size):
        bands = [band for scale in transform.forward(impulse) for direction in scale for band in direction]
        shapes = tuple(band.shape for band in bands)
        rows.append(np.concatenate([band.ravel() for band in bands]).astype(np.complex64))
    whole = np.stack(rows)
    matrix = np.stack([whole.real, whole.imag])
    matrix.flags.writeable = False
    return matrix, shapes


def curvelet_maps(images) -> list[np.ndarray]:
    """Return the curvelet coefficients: the low-pass band (real), then 18 wedges (complex), of different shapes.

    Parameters
    ----------
    images : array_like, shape (n, size, size)

    Returns
    -------
    list of ndarray, shape (n, 1, height, width)

    Source: the uniform discrete curvelet transform, Nguyen and Chauris (2010), as in the package curvelets.
    """
    x = _square(images)
    matrix, shapes = curvelet_matrix(x.shape[-1])
    flat = x.reshape(len(x), -1).astype(np.float32)
    ends = np.cumsum([a * b for a, b in shapes])
    real, imaginary = flat @ matrix[0], flat @ matrix[1]
    bands = []
    for end, shape in zip(ends, shapes, strict=True):
        part = slice(end - shape[0] * shape[1], end)
        whole = real[:, part] if not bands else real[:, part] + 1j * imaginary[:, part]
        bands.append(whole.reshape(len(x), 1, *shape))
    return bands
