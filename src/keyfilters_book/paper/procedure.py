"""Details of the published fits that the library does differently, for comparison only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ive

from keyfilters.checks import scales
from keyfilters.filters import SHARPENING, key_row
from keyfilters.fitting import fit, objective_map
from keyfilters.fitting.grid import published_windows
from keyfilters.models import _model

MISSING_STEP = 1e-8
"""Mass that the published kernels may lack."""


def truncated_gaussian(sigma: ArrayLike, radius: int = 3, missing: float = MISSING_STEP) -> np.ndarray:
    r"""Return the discrete Gaussian, cut where its sum first reaches 1 - ``missing``, in a fixed window.

    .. math:: T(n; s)\,[|n| \le N], \qquad N = \min \{ m : \sum_{|n| \le m} T(n; s) \ge 1 - \epsilon \}

    The published fits take their kernels from a function that cuts them so. Taps beyond N are zero;
    nothing is renormalised.

    Parameters
    ----------
    sigma : float or array_like, shape (...)
        Scale in grid units, >= 0.
    radius : int
        Half-width of the window.
    missing : float
        The mass :math:`\epsilon` that may be cut off; 0 cuts nothing.

    Returns
    -------
    ndarray, shape (..., 2 * radius + 1)

    Raises
    ------
    ValueError
        For a scale that is negative or not finite.

    Examples
    --------
    >>> np.count_nonzero(truncated_gaussian([1e-4, 2e-4, 0.5]), axis=-1)
    array([1, 3, 7])
    """
    s = scales(sigma) ** 2
    n = np.arange(radius + 1)
    half = ive(n, s[..., None])
    # Mass within n - 1: once it suffices, tap n and all beyond it are cut.
    inside = np.cumsum(np.where(n == 0, 1, 2) * half, axis=-1)
    enough = np.concatenate([np.zeros_like(half[..., :1]), inside[..., :-1]], axis=-1) >= 1 - missing
    half = np.where(enough & (missing > 0), 0.0, half)
    return np.concatenate([half[..., :0:-1], half], axis=-1)


def truncated_filter(key: int, sigma_x: float, sigma_y: float, *, missing: float = MISSING_STEP, size: int = 7) -> np.ndarray:
    """Return the idealised filter of a separable key from truncated kernels, border as published.

    Parameters and shape as in :func:`keyfilters.ideal_filter`; ``missing`` as in
    :func:`truncated_gaussian`.

    Raises
    ------
    ValueError
        For key 7, an unknown key, or a scale that is negative or not finite.

    Examples
    --------
    >>> from keyfilters import ideal_filter
    >>> bool(abs(truncated_filter(4, 0.5, 0.4) - ideal_filter(4, 0.5, 0.4)).max() < 1e-7)
    True
    """
    row = key_row(key)
    if row.kind == SHARPENING:
        raise ValueError("key 7 is not separable: expected one of the keys 1 to 6 or 8")
    spare = size // 2 + 1
    x, y = (truncated_gaussian(sigma, spare, missing) for sigma in (sigma_x, sigma_y))
    return _model(row, x, y, None, "crop", None)


@dataclass(frozen=True)
class DrawnMinimum:
    """Where the lowest value of a map lies and where a picture of it shows it.

    Attributes
    ----------
    index : (int, int)
        Of the lowest value, along the first and the second parameter.
    true, drawn : (float, float)
        Values of the two parameters there, and those read from the axes of the picture.
    """

    index: tuple[int, int]
    true: tuple[float, float]
    drawn: tuple[float, float]


def drawn_minimum(first: np.ndarray, second: np.ndarray, values: np.ndarray) -> DrawnMinimum:
    """Return where the published pictures of a map show its minimum.

    An image shows its first index down and its second one across, from the top. A map indexed
    ``[first, second]`` that is handed over with the extent (first, second) therefore has both parameters
    on the other's axis, and the vertical one upside down.

    Parameters
    ----------
    first, second : array_like, shapes (m,) and (n,)
        Equidistant grids.
    values : array_like, shape (m, n)

    Raises
    ------
    ValueError
        If the shape of the values is not (m, n).

    Examples
    --------
    >>> drawn_minimum([0.0, 1.0], [5.0, 6.0], [[1.0, 2.0], [0.0, 3.0]])
    DrawnMinimum(index=(1, 0), true=(1.0, 5.0), drawn=(0.25, 5.25))
    """
    first, second, values = (np.asarray(a, dtype=np.float64) for a in (first, second, values))
    if values.shape != (len(first), len(second)):
        raise ValueError(f"values has shape {values.shape}: expected {(len(first), len(second))}, (first, second)")
    i, j = (int(k) for k in np.unravel_index(int(values.argmin()), values.shape))
    across = first[0] + (first[-1] - first[0]) * (j + 0.5) / len(second)
    up = second[-1] - (second[-1] - second[0]) * (i + 0.5) / len(first)
    return DrawnMinimum((i, j), (float(first[i]), float(second[j])), (float(across), float(up)))


def published_map(method: str, key: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the axes of a published fine map and the norm on it, indexed [second, first].

    Parameters
    ----------
    method : {"C1", "D1", "C", "D"}
        The last two are the l1 and the l2 map of key 7.
    key : int

    Raises
    ------
    ValueError
        If there is no such map in the record.

    Examples
    --------
    >>> first, second, values = published_map("C", 7)
    >>> values.shape, float(first[0]), float(second[-1])
    ((200, 200), 0.6, 0.55)
    """
    windows = published_windows()
    axes = [windows.get((method, str(key), name)) for name in (("sigma", "gamma") if key == 7 else ("x", "y"))]
    if None in axes:
        raise ValueError(f"method {method!r}, key {key!r}: expected C1 or D1 for keys 1 to 6 and 8, C or D for key 7")
    first, second = (axis.values for axis in axes)
    return first, second, objective_map(key, first, second, norm="l1" if method[0] == "C" else "l2")


@dataclass(frozen=True)
class GridMinimum:
    """The lowest point of a published grid beside the minimum and the grid point nearest to it.

    Attributes
    ----------
    minimum, lowest, nearest : ndarray, shape (2,)
        sigma_x and sigma_y, for key 7 sigma and gamma.
    step : ndarray, shape (2,)
        Of the grid, along either parameter.
    lowest_excess, nearest_excess : float
        Norm at the grid point over that at the minimum, minus 1.
    """

    minimum: np.ndarray
    lowest: np.ndarray
    nearest: np.ndarray
    step: np.ndarray
    lowest_excess: float
    nearest_excess: float

    @property
    def steps_away(self) -> np.ndarray:
        """Distance of the lowest grid point from the minimum, in steps."""
        return np.abs(self.lowest - self.minimum) / self.step


def grid_minimum(method: str, key: int) -> GridMinimum:
    """Compare the lowest point of a published map with the exact minimum.

    Parameters and errors as :func:`published_map`.

    Examples
    --------
    >>> found = grid_minimum("C1", 3)
    >>> bool(found.lowest_excess < found.nearest_excess), bool(found.steps_away.max() > 1)
    (True, True)
    """
    first, second, values = published_map(method, key)
    best = fit(key, {"C": "C2", "D": "D2"}.get(method, method))
    minimum = np.array([best.sigma_x, best.gamma if key == 7 else best.sigma_y])
    i, j = np.unravel_index(int(values.argmin()), values.shape)
    b, a = (int(np.abs(axis - p).argmin()) for axis, p in zip((second, first), minimum[::-1], strict=True))
    least = best.objective if method[0] == "C" else best.objective**0.5
    return GridMinimum(
        minimum, np.array([first[j], second[i]]), np.array([first[a], second[b]]),
        np.array([first[1] - first[0], second[1] - second[0]]), float(values[i, j] / least - 1), float(values[b, a] / least - 1),
    )  # fmt: skip
