"""Filters brought to the grid of the keys: shifted to the middle, or shrunk."""

from __future__ import annotations

import numpy as np

from keyfilters.checks import finite, odd_size

from . import _extra
from .sizes import shaped


def recentred(filters, centres, size: int = 7) -> np.ndarray:
    """Return windows of ``size`` pixels about given centres, with as many pixels to the grid unit as before.

    Between pixels by cubic splines; outside of the filter 0.

    Parameters
    ----------
    filters : array_like, shape (N, n, n)
    centres : array_like, shape (N, 2)
        x and y of what shall come to the middle, in pixels from the middle of the filter, y up.
    size : int
        Odd.

    Examples
    --------
    >>> h = np.zeros((1, 8, 8)); h[0, 1, 6] = 1.0
    >>> np.abs(recentred(h, [(2.5, 2.5)], 3)).round(6).tolist()
    [[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]
    """
    from scipy.ndimage import map_coordinates

    filters, centres = finite(filters, "filters"), finite(centres, "centres")
    if filters.ndim != 3 or centres.shape != (len(filters), 2):
        raise ValueError(f"filters has shape {filters.shape} and centres {centres.shape}: expected (N, n, n) and (N, 2)")
    steps = np.arange(odd_size(size)) - size // 2
    middle = (filters.shape[1] - 1) / 2
    out = np.empty((len(filters), size, size))
    for h, (x, y), window in zip(filters, centres, out, strict=True):
        rows, columns = np.meshgrid(middle - y + steps, middle + x + steps, indexing="ij")
        window[:] = map_coordinates(h, [rows, columns], order=3, mode="constant")
    return out


def shrunk(filters, size: int = 7) -> np.ndarray:
    """Return whole filters resampled to ``size`` x ``size`` pixels, smoothed first against aliasing (scikit-image).

    Examples
    --------
    >>> shrunk(np.ones((1, 12, 12)), 3).round(12).tolist()
    [[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]
    """
    with _extra():
        from skimage.transform import resize

    filters = shaped(filters, "filters", 3, "(N, n, n)", least=1)
    size = odd_size(size)
    return np.stack([resize(h, (size, size), order=3, mode="edge", anti_aliasing=True) for h in filters])
