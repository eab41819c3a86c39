"""How much of a filter is noise: what its deviation from its own mirror symmetry tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..checks import finite, square_filter
from ..filters import Key, key_row

PRINTED = 10.0**-6 / np.sqrt(12)
"""Standard deviation of what rounding to the six printed decimals of the learned filters leaves out."""


@dataclass(frozen=True)
class Noise:
    """Standard deviation of the noise in each tap of a filter.

    Attributes
    ----------
    level : float
        In units of the filter.
    degrees : float
        Degrees of freedom of the estimate; infinite where the level is given, not estimated.
    """

    level: float
    degrees: float


def noise_level(filter: ArrayLike, key: int | Key, *, floor: float = 0.0) -> Noise:
    r"""Estimate the noise of a filter from its deviation from the mirror symmetry of a key.

    Along an axis in which a key does not differentiate its filter is even. With the mean
    :math:`\bar h` of a filter and its mirror images in these axes, and :math:`\nu` the number of dimensions of what
    is not symmetric (21 of 49 for keys 1 to 6, which have one such axis, 33 for keys 7 and 8, which have two),

    .. math:: \tau^2 = \frac{1}{\nu} \sum_u \bigl( h(u) - \bar h(u) \bigr)^2 .

    White noise of the standard deviation :math:`\tau` would leave as much. What is symmetric in the noise is not
    seen, and what the network really wants off its axes counts as noise: the level is an estimate, not a truth.

    Parameters
    ----------
    filter : array_like, shape (n, n), n odd
    key : int
        1 to 8.
    floor : float
        Smallest level: what is known of the precision of the numbers, such as ``fitting.noise.PRINTED`` for
        filters that were printed with six decimals.

    Returns
    -------
    Noise

    Raises
    ------
    ValueError
        For an unknown key, a filter that is not a finite odd-sized square array or is all zero, and a floor that is
        negative or not finite.

    Examples
    --------
    >>> from keyfilters import ideal_filter, learned_filters
    >>> noise_level(ideal_filter(1, 0.5), 1), noise_level(learned_filters()[0], 1).degrees
    (Noise(level=0.0, degrees=21), 21)
    """
    row, h = key_row(key), square_filter(filter)
    least = finite(floor, "floor")
    if least.shape != () or least < 0:
        raise ValueError(f"floor is {least.tolist()}: expected a number of at least 0")
    symmetric, n = h, len(h)
    plain = [axis for axis in (0, 1) if axis != row.derivative_axis]
    for axis in plain:
        # x runs along the columns, the last axis of the array.
        symmetric = (symmetric + np.flip(symmetric, -1 - axis)) / 2
    degrees = n * n - n ** (2 - len(plain)) * (n // 2 + 1) ** len(plain)
    level = float(np.sqrt(((h - symmetric) ** 2).sum() / degrees))
    return Noise(max(level, float(least)), degrees)
