"""What a threshold without sign does: to denoising, which needs the sign, and to averages, which lose odd functions."""

from __future__ import annotations

import numpy as np

from keyfilters.checks import finite

from . import _extra
from .sizes import shaped
from .thresholding import THRESHOLD_KINDS, threshold

PARITY_WAVELET, PARITY_LEVELS = "db4", 3


def _transform(images, wavelet: str, levels: int):
    with _extra():
        import pywt

    most = pywt.dwtn_max_level(images.shape[-2:], wavelet)
    if levels > most:
        rows, columns = images.shape[-2:]
        raise ValueError(f"levels is {levels!r}: expected at most {most} for {wavelet} and images of {rows} by {columns}")
    return pywt.wavedec2(images, wavelet, mode="periodization", level=levels, axes=(-2, -1))


def wavelet_denoise(
    image, t: float, kind: str = "soft", wavelet: str = PARITY_WAVELET, levels: int = PARITY_LEVELS
) -> np.ndarray:
    """Return an image whose orthonormal wavelet details are thresholded; the coarse part stays.

    Parameters
    ----------
    image : array_like, shape (rows, columns)
        Both divisible by 2^levels.
    t : float
        In units of the image.
    kind : str
        Of :func:`~.thresholding.threshold`.

    Examples
    --------
    >>> bool(np.allclose(wavelet_denoise(np.ones((64, 64)), 0.1), 1.0))
    True
    """
    with _extra():
        import pywt

    image = finite(image, "image")
    if image.ndim != 2 or any(n % 2**levels or not n for n in image.shape):
        raise ValueError(f"image has shape {image.shape}: expected rows and columns divisible by {2**levels}")
    coarse, *details = _transform(image, wavelet, levels)
    thresholded = [tuple(threshold(part, t, kind) for part in scale) for scale in details]
    return pywt.waverec2([coarse, *thresholded], wavelet, mode="periodization")


def pooled_details(
    images, t: float, kind: str = "soft", wavelet: str = PARITY_WAVELET, levels: int = PARITY_LEVELS
) -> np.ndarray:
    """Return the mean of each thresholded detail band, shape (images, 3 levels).

    A linear function of these features is what a linear classifier behind global average pooling sees. "linear"
    leaves the details as they are.

    Parameters
    ----------
    images : array_like, shape (images, rows, columns)
    t : float
    kind : str
        Of :func:`~.thresholding.threshold`, or "linear".

    Examples
    --------
    >>> pooled_details(np.eye(64)[None], 0.0, "modulus").shape
    (1, 9)
    """
    images = shaped(images, "images", 3, "(images, rows, columns)")
    if kind != "linear" and kind not in THRESHOLD_KINDS:
        raise ValueError(f"unknown kind {kind!r}: expected one of linear, {', '.join(THRESHOLD_KINDS)}")
    _, *details = _transform(images, wavelet, levels)
    parts = [part if kind == "linear" else threshold(part, t, kind) for scale in details for part in scale]
    return np.stack([part.mean(axis=(1, 2)) for part in parts], axis=1)


def squares(image, size: int) -> np.ndarray:
    """Return the image cut into squares side by side, shape (tiles, size, size); what is left over is dropped.

    Examples
    --------
    >>> squares(np.arange(20.0).reshape(4, 5), 2)[1]
    array([[2., 3.],
           [7., 8.]])
    """
    image = finite(image, "image")
    if image.ndim != 2 or not 1 <= size <= min(image.shape):
        found = f"image has shape {image.shape} and size is {size!r}"
        raise ValueError(f"{found}: expected an image with at least one such square")
    rows, columns = (n // size for n in image.shape)
    cut = image[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return cut.swapaxes(1, 2).reshape(-1, size, size)
