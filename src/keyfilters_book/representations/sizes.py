"""Checks of the images and filters that the functions take: one line that names the input and the mend."""

from __future__ import annotations

import numbers

import numpy as np

from keyfilters.checks import finite


def shaped(values, what: str, dimensions: int, expected: str, *, least: int = 0, square: bool = False, single: bool = False):
    """Return ``values`` as an array of finite numbers if it has so many dimensions.

    Parameters
    ----------
    values : array_like
    what, expected : str
        The name of the values, and the shape that they should have: for the message.
    dimensions, least : int
        Dimensions, and the least length of the first one.
    square : bool
        Whether the last two must be equal.
    single : bool
        Keep an array of single precision as it is, without a look at its numbers.

    Examples
    --------
    >>> shaped([1, 2], "filters", 3, "(N, n, n)")
    Traceback (most recent call last):
    ...
    ValueError: filters has shape (2,): expected (N, n, n)
    """
    array = values if single and isinstance(values, np.ndarray) and values.dtype == np.float32 else finite(values, what)
    if array.ndim != dimensions or len(array) < least or (square and array.shape[-1] != array.shape[-2]):
        raise ValueError(f"{what} has shape {array.shape}: expected {expected}")
    return array


def power_of_two(n, what: str = "size", least: int = 8) -> int:
    """Return ``n`` as an int if it is a power of two and not below ``least``.

    Examples
    --------
    >>> power_of_two(48)
    Traceback (most recent call last):
    ...
    ValueError: size is 48: expected a power of two of at least 8
    """
    if isinstance(n, numbers.Integral) and not isinstance(n, bool) and n >= least and n & (n - 1) == 0:
        return int(n)
    raise ValueError(f"{what} is {n!r}: expected a power of two of at least {least}")


def square_image(image, size: int | None = None, what: str = "image") -> np.ndarray:
    """Return ``image`` as a float64 array if it is square, finite and of a side that is a power of two.

    Parameters
    ----------
    image : array_like, shape (n, n)
    size : int, optional
        The side that it must have.

    Examples
    --------
    >>> square_image([[1, 2, 3], [4, 5, 6]])
    Traceback (most recent call last):
    ...
    ValueError: image has shape (2, 3): expected a square image whose side is a power of two, 8 or more
    """
    array = finite(image, what)
    expected = f"a square image of {size} x {size} pixels" if size else "a square image whose side is a power of two, 8 or more"
    if array.ndim != 2 or array.shape[0] != array.shape[1] or (size and len(array) != size):
        raise ValueError(f"{what} has shape {array.shape}: expected {expected}")
    if len(array) < 8 or len(array) & (len(array) - 1):
        raise ValueError(f"{what} has shape {array.shape}: expected {expected}")
    return array
