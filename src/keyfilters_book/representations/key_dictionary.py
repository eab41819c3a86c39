"""Image filters as a dictionary: every filter at every position of a small image."""

from __future__ import annotations

import numpy as np

from .dictionaries import Dictionary
from .sizes import shaped


def image_dictionary(filters, size: int) -> Dictionary:
    """Return the dictionary of all circular shifts of image filters, scaled to norm 1.

    Atom (row, column, filter) has index ``(row * size + column) * m + filter``.

    Parameters
    ----------
    filters : array_like, shape (m, n, n)
    size : int
        Rows and columns of the image, at least 2n - 1.

    Returns
    -------
    Dictionary
        Of shape (size^2, size^2 m).

    Examples
    --------
    >>> image_dictionary([[[1.0, -1.0], [0.0, 0.0]]], 3).atoms.shape
    (9, 9)
    """
    h = shaped(filters, "filters", 3, "square filters, (filters, taps, taps)", square=True)
    if size < 2 * h.shape[1] - 1:
        least = 2 * h.shape[1] - 1
        raise ValueError(f"size is {size!r}: expected at least {least}, so that no shift meets another on both sides")
    norms = np.sqrt((h**2).sum(axis=(1, 2)))
    if not norms.all():
        raise ValueError(f"filter {int(np.argmin(norms))} is all zero: expected non-zero filters")
    padded = np.zeros((len(h), size, size))
    padded[:, : h.shape[1], : h.shape[2]] = h / norms[:, None, None]
    atoms = [np.roll(padded, (row, column), (1, 2)) for row in range(size) for column in range(size)]
    return Dictionary(np.reshape(atoms, (size * size * len(h), size * size)).T)


def allowed(coherence: float) -> int:
    r"""Return the largest whole k below :math:`\tfrac12 (1 + 1/\mu)`; 0 where atoms coincide.

    Examples
    --------
    >>> allowed(1.0), allowed(0.98), allowed(1 / 3), allowed(0.2)
    (0, 1, 1, 2)
    """
    if not 0 < coherence <= 1 + 1e-9:
        raise ValueError(f"coherence is {coherence!r}: expected a number above 0 and at most 1")
    # A hair less than the bound, since k has to stay strictly below it whatever the rounding.
    return int(np.ceil(0.5 * (1 + 1 / coherence) - 1e-9)) - 1
