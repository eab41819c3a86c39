"""Checks of what a user hands in: one line that names the input and says what is expected."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def choice(value: Any, allowed: Iterable[str], what: str) -> Any:
    """Return ``value`` if it is one of ``allowed``, else raise ``ValueError`` listing them.

    Examples
    --------
    >>> choice("crop", ("crop", "exact"), "edge")
    'crop'
    >>> choice("cut", ("crop", "exact"), "edge")
    Traceback (most recent call last):
    ...
    ValueError: unknown edge 'cut': expected one of crop, exact
    """
    if isinstance(value, str) and value in allowed:
        return value
    raise ValueError(f"unknown {what} {value!r}: expected one of {', '.join(allowed)}")


LARGEST_SCALE = 1e4
"""Grid units. Far beyond any filter; a kernel of such a scale already takes a transform of many megabytes."""


def _short(value) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _real(value) -> np.ndarray:
    """``value`` as a float64 array; TypeError, ValueError or OverflowError where it is not real numbers."""
    array = np.asarray(value)
    if array.dtype.kind in "cmMV":
        raise TypeError
    return array.astype(np.float64)


def scales(value: ArrayLike, what: str = "sigma") -> np.ndarray:
    """Return ``value`` as a float64 array of scales (grid units), each finite, >= 0 and at most 10000."""
    try:
        array = _real(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} is {_short(value)}: expected a finite number >= 0") from None
    if not (np.isfinite(array).all() and (array >= 0).all()):
        bad = array[~(np.isfinite(array) & (array >= 0))].flat[0]
        raise ValueError(f"{what} is {bad:g}: expected a finite number >= 0")
    if array.size and array.max() > LARGEST_SCALE:
        raise ValueError(f"{what} is {array.max():g}: expected a scale of at most {LARGEST_SCALE:g} grid units")
    return array


def finite(value: ArrayLike, what: str) -> np.ndarray:
    """Return ``value`` as a float64 array of finite numbers."""
    try:
        array = _real(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} is {_short(value)}: expected a finite number") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{what} is {array[~np.isfinite(array)].flat[0]:g}: expected a finite number")
    return array


def integer(value: Any, what: str, least: int = 1) -> int:
    """Return ``value`` as an int if it is an integer of at least ``least`` (True and False are none).

    Examples
    --------
    >>> integer(0, "draws")
    Traceback (most recent call last):
    ...
    ValueError: draws is 0: expected an integer of at least 1
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least:
        return int(value)
    raise ValueError(f"{what} is {_short(value)}: expected an integer of at least {least}")


def integer_text(text: str, option: str, least: int = 1) -> int:
    """The same for what was typed behind an option of the command line."""
    if text.isascii() and text.isdecimal() and int(text) >= least:
        return int(text)
    raise ValueError(f"{option} is {text!r}: expected an integer of at least {least}")


def odd_size(size: int, what: str = "size") -> int:
    """Return ``size`` as an int if it is an odd integer >= 3."""
    if isinstance(size, numbers.Integral) and not isinstance(size, bool) and size >= 3 and size % 2:
        return int(size)
    raise ValueError(f"{what} is {size!r}: expected an odd integer of at least 3")


def square_filter(h: ArrayLike, what: str = "filter") -> np.ndarray:
    """Return ``h`` as a float64 array if it is a finite odd-sized square filter that is not all zero.

    Examples
    --------
    >>> square_filter([[1, 2], [3, 4]])
    Traceback (most recent call last):
    ...
    ValueError: filter has shape (2, 2): expected a square array of odd size, at least 3 (3x3, 5x5, 7x7, ...)
    """
    return _filter(h, what, "square array", " (3x3, 5x5, 7x7, ...)", 2)


def cubic_filter(h: ArrayLike, what: str = "filter") -> np.ndarray:
    """The same for filters of any number of axes, all of one size."""
    return _filter(h, what, "array of equal axes", "")


def _filter(h: ArrayLike, what: str, form: str, sizes: str, axes: int | None = None) -> np.ndarray:
    try:
        array = _real(h)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} is not an array of real numbers: expected a finite {form} of odd size") from None
    shape = array.shape
    if len(set(shape)) != 1 or shape[0] % 2 == 0 or shape[0] < 3 or (axes is not None and len(shape) != axes):
        raise ValueError(
            f"{what} has shape {shape}: expected {'an' if form[0] == 'a' else 'a'} {form} of odd size, at least 3{sizes}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds NaN or infinity: expected finite numbers")
    if not array.any():
        raise ValueError(f"{what} is all zero: expected at least one non-zero value")
    if not 1e-100 < np.abs(array).max() < 1e100:
        raise ValueError(f"{what} has {np.abs(array).max():g} as its largest value: expected one between 1e-100 and 1e100")
    return array
