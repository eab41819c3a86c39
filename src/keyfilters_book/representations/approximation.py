r"""How well few coefficients do: n-term errors, their slopes, and what each octave holds.

Theory, for images of :math:`\mathcal E^2` (:mod:`.edges`): at frequency :math:`2^j` about :math:`2^{j/2}` curvelets
lie along the edge, with coefficients of at most the order of :math:`2^{-3j/4}`, against :math:`2^j` wavelets with
coefficients of the order of :math:`2^{-j}`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keyfilters.checks import finite

from .frames import Frame
from .sizes import square_image

THEORY = {"curvelets": (0.5, -0.75), "wavelets": (1.0, -1.0)}
"""Slopes per octave, in powers of two: number of coefficients that count, and size of the largest."""


def _counts(counts, most: int) -> np.ndarray:
    n = np.asarray(counts)
    if n.ndim != 1 or not len(n) or n.dtype.kind not in "iu" or n.min() < 1 or n.max() > most:
        raise ValueError(f"counts is not a row of integers from 1 to {most}: expected numbers of coefficients")
    return n


def keep_largest(coefficients: np.ndarray, n: int) -> np.ndarray:
    """Return the coefficients with all but the n largest (by absolute value) set to zero; ties by position.

    Examples
    --------
    >>> keep_largest(np.array([1.0, -3.0, 2.0, 0.5]), 2).tolist()
    [0.0, -3.0, 2.0, 0.0]
    """
    n = int(_counts([n], len(coefficients))[0])
    kept = np.zeros_like(coefficients)
    order = np.argsort(-np.abs(coefficients), kind="stable")[:n]
    kept[order] = coefficients[order]
    return kept


def n_term(frame: Frame, image, n: int) -> np.ndarray:
    """Return the image of the n largest coefficients, synthesised with the canonical dual.

    In an orthonormal basis this is the best approximation by n atoms; in a redundant frame it is not, only the one
    that Candès and Donoho's theorem is about.
    """
    return frame.synthesise(keep_largest(frame.analyse(image), n))


def n_term_errors(frame: Frame, image, counts) -> np.ndarray:
    r"""Return :math:`\|f - f_n\|^2 / \|f\|^2` for each number n of coefficients kept.

    Parameters
    ----------
    frame : Frame
    image : array_like, shape (size, size)
    counts : sequence of int
        Real coefficients kept, between 1 and the length of the frame.

    Examples
    --------
    >>> from keyfilters_book.representations.edges import cartoon
    >>> from keyfilters_book.representations.frames import frame
    >>> errors = n_term_errors(frame("haar", 64), cartoon(64), [64, 256, 4096])
    >>> bool(errors[0] > errors[1] > 1e-6), float(errors[2]) < 1e-25
    (True, True)
    """
    image = square_image(image, frame.size)
    n = _counts(counts, len(frame))
    total = float((image**2).sum())
    if total == 0:
        raise ValueError("image is all zero: expected one that has something to approximate")
    c = frame.analyse(image)
    order = np.argsort(-np.abs(c), kind="stable")
    if frame.tight and frame.redundancy == 1:
        squares = c[order] ** 2
        # Summed from the smallest, or the tail would drown in the rounding of the head.
        tail = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
        return tail[n] / total
    errors = []
    for count in n:
        kept = np.zeros_like(c)
        kept[order[:count]] = c[order[:count]]
        errors.append(((image - frame.synthesise(kept)) ** 2).sum() / total)
    return np.array(errors)


def slopes_in_windows(counts, errors, factor: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-log slope of an error curve in windows that reach over a factor in n.

    Returns
    -------
    middles, slopes : ndarray
        Geometric middle of each window, and the slope of the least-squares line in it. Windows start at each
        count from which the factor still fits.

    Raises
    ------
    ValueError
        If no window fits, counts do not increase, or an error is not above 0.

    Examples
    --------
    >>> n = np.array([10, 20, 40, 80, 160])
    >>> slopes_in_windows(n, 5.0 * n**-1.5, factor=4)[1].round(6).tolist()
    [-1.5, -1.5, -1.5]
    """
    n, e = finite(counts, "counts"), finite(errors, "errors")
    if n.shape != e.shape or n.ndim != 1 or (np.diff(n) <= 0).any() or n.min(initial=1) <= 0 or (e <= 0).any():
        raise ValueError("counts and errors are not two rows of one length: expected rising counts, errors above 0")
    x, y = np.log(n), np.log(e)
    starts = np.flatnonzero(x + np.log(factor) <= x[-1] + 1e-9) if factor > 1 else []
    if not len(starts):
        raise ValueError(f"factor is {factor:g}: expected one above 1 that fits between the first and the last count")
    middles, slopes = [], []
    for start in starts:
        inside = slice(start, np.searchsorted(x, x[start] + np.log(factor) + 1e-9, side="right"))
        middles.append(np.exp(x[start] + np.log(factor) / 2))
        slopes.append(np.polyfit(x[inside], y[inside], 1)[0])
    return np.array(middles), np.array(slopes)


class Octaves(NamedTuple):
    """What the octaves of an image hold, coarse to fine.

    Attributes
    ----------
    participation : ndarray
        Squared sum of the squares over the sum of the fourth powers: the number of coefficients among which the
        octave's energy is shared.
    largest : ndarray
        Largest absolute value.
    """

    participation: np.ndarray
    largest: np.ndarray


def octave_statistics(frame: Frame, image) -> Octaves:
    r"""Return the participation number :math:`(\sum c^2)^2 / \sum c^4` and :math:`\max |c|` of each octave.

    Examples
    --------
    >>> from keyfilters_book.representations.edges import cartoon
    >>> from keyfilters_book.representations.frames import frame
    >>> found = octave_statistics(frame("sym8", 128), cartoon(128))
    >>> found.participation.shape, bool((np.diff(found.participation) > 0).all())
    ((3,), True)
    """
    c = frame.analyse(image)
    squares = [c[frame.octaves == octave] ** 2 for octave in range(1, frame.octaves.max() + 1)]
    if not squares or min(part.sum() for part in squares) == 0:
        raise ValueError(f"{frame.name} has an octave without energy here: expected an image with an edge, and octaves")
    return Octaves(
        np.array([part.sum() ** 2 / (part**2).sum() for part in squares]), np.array([np.sqrt(part.max()) for part in squares])
    )


def octave_slopes(statistics: Octaves, coarsest: int = 0, finest: int = 1) -> tuple[float, float]:
    """Return the slopes of log2(participation) and log2(largest) per octave.

    Parameters
    ----------
    statistics : Octaves
    coarsest, finest : int
        How many octaves to leave out at either end. The finest one is that of the pixel: averaging over pixels damps
        it, and sampling folds into it what lies beyond it.

    Raises
    ------
    ValueError
        If fewer than three octaves are left.

    Examples
    --------
    >>> octave_slopes(Octaves(2.0 ** np.arange(5), 2.0 ** -np.arange(5.0)))
    (1.0, -1.0)
    """
    keep = len(statistics.participation) - finest - coarsest
    if min(coarsest, finest) < 0 or keep < 3:
        raise ValueError(f"{max(keep, 0)} octaves are left: expected at least 3, of a larger image or with fewer left out")
    j = np.arange(keep)
    found = (np.polyfit(j, np.log2(values[coarsest : coarsest + keep]), 1)[0] for values in statistics)
    return tuple(round(float(slope), 12) for slope in found)
