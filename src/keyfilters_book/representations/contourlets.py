r"""A contourlet transform that is exactly a tight frame: Laplacian pyramid with orthogonal filters, then a
directional filter bank that is critically sampled and orthonormal.

The structure is that of Do and Vetterli (2005). The filters are not: theirs are short (9-7 for the pyramid, which
makes it not tight; ladder filters for the directions), ours are band-limited, smooth in frequency like Meyer's
wavelet, and applied by FFT with a periodic border.

Pyramid, with H the orthonormal low-pass followed by keeping every second row and column:
:math:`c = H x`, :math:`d = x - H^T c`. As :math:`H H^T = 1`, :math:`\|x\|^2 = \|c\|^2 + \|d\|^2`: a Parseval
frame, of which the canonical dual is :math:`x = H^T c + (1 - H^T H) d`.

Directions: a tree of two-channel filter banks on lattices. A stage splits a signal on a lattice in two on
the halves of it, by masks :math:`|F_\pm|^2 = 1 \pm \beta(s)`, where s changes its sign under the frequency shift
that the halving aliases. With r the frequency along the wedge's axis and t the one across it:

.. math::

    s = \sin\tfrac{r + t}{2} \sin\tfrac{r - t}{2} \text{ (fans)}, \qquad
    s = \sin(2^m t - q r) \sin r, \quad q = 0 \text{ at } m = 0, \text{ else odd, } |q| < 2^m ,

the latter cutting the wedge about the line t = (q / 2^m) r in halves. :math:`2^l` wedges end on the lattice of
every 2nd sample along the axis and every :math:`2^{l-1}`-th across, so they hold as many numbers as came in.
"""

from __future__ import annotations

import numbers
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import fft

from .sizes import power_of_two, square_image


class Band(NamedTuple):
    """One direction: its axis (0: wedges about the vertical frequency axis, 1: the horizontal one), the slopes
    t / r between which it lies, its equivalent filter in frequency, and the steps of its lattice."""

    axis: int
    slopes: tuple[float, float]
    filter: np.ndarray
    steps: tuple[int, int]


def smooth_step(t: np.ndarray) -> np.ndarray:
    r"""Return Meyer's polynomial step :math:`\nu(t) = t^4 (35 - 84 t + 70 t^2 - 20 t^3)`, clipped to [0, 1].

    It satisfies :math:`\nu(t) + \nu(1 - t) = 1`.

    Examples
    --------
    >>> float(smooth_step(0.25) + smooth_step(0.75)), float(smooth_step(-3.0)), float(smooth_step(7.0))
    (1.0, 0.0, 1.0)
    """
    t = np.clip(t, 0.0, 1.0)
    return t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)


def _frequencies(n: int) -> np.ndarray:
    return 2 * np.pi * fft.fftfreq(n)


@lru_cache(maxsize=32)
def low_pass(n: int) -> np.ndarray:
    """Return the orthonormal low-pass in frequency, shape (n, n): ``|H|^2`` and its three aliases add up to 4.

    Along each axis sqrt(2) up to pi/3, 0 from 2 pi/3, power complementary about pi/2.
    """
    h = np.sqrt(2.0) * np.cos(np.pi / 2 * smooth_step(3 * np.abs(_frequencies(n)) / np.pi - 1))
    return np.outer(h, h)


def _split(s: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """The masks F+ and F- of a stage, real, even, F+^2 + F-^2 = 2; they pass s > 0 and s < 0."""
    angle = np.pi / 2 * smooth_step((1 + s / width) / 2)
    return np.sqrt(2.0) * np.sin(angle), np.sqrt(2.0) * np.cos(angle)


@lru_cache(maxsize=32)
def directional_bands(n: int, levels: int, width: float = 0.4) -> tuple[Band, ...]:
    r"""Return the :math:`2^l` bands of the directional filter bank, in the order of their angle.

    Parameters
    ----------
    n : int
        Size of the image, a power of two, at least 2 to the power of ``levels``.
    levels : int
        l, at least 2.
    width : float
        Of the transitions: the masks are constant where \|s\| is above it. The smaller, the sharper the wedges.

    Raises
    ------
    ValueError
        For sizes that are not so.
    """
    n = power_of_two(n, "size", least=4)
    if not isinstance(levels, numbers.Integral) or levels < 2 or 2**levels > n:
        raise ValueError(f"levels is {levels!r}: expected an integer from 2 to {n.bit_length() - 1} for size {n}")
    w = np.meshgrid(_frequencies(n), _frequencies(n), indexing="ij")
    fans = _split(np.sin((w[0] + w[1]) / 2) * np.sin((w[0] - w[1]) / 2), width)
    bands = []
    for axis in (0, 1):
        r, t = w[axis], w[1 - axis]
        # The second channel of a stage is delayed by a step that its lattice loses: else the two overlap.
        root = fans[axis] * (np.exp(-1j * w[0]) if axis else 1.0)
        wedges = _halve(root, -1.0, 1.0, r, t, 0, levels - 1, width)
        steps = (2, 2 ** (levels - 1)) if axis == 0 else (2 ** (levels - 1), 2)
        bands += [Band(axis, slopes, filter_, steps) for filter_, slopes in (wedges if axis == 0 else wedges[::-1])]
    for band in bands:
        band.filter.setflags(write=False)
    return tuple(bands)


def _halve(filter_, low: float, high: float, r, t, m: int, stages: int, width: float) -> list:
    """The wedges that a wedge between two slopes falls into after some stages, by rising slope."""
    if stages == 0:
        return [(filter_, (low, high))]
    middle = (low + high) / 2
    above, below = _split(np.sin(2**m * t - round(2**m * middle) * r) * np.sin(r), width)
    delay = np.exp(-1j * (r + t)) if m == 0 else np.exp(-1j * 2**m * t)
    return _halve(filter_ * below * delay, low, middle, r, t, m + 1, stages - 1, width) + _halve(
        filter_ * above, middle, high, r, t, m + 1, stages - 1, width
    )


def pyramid_step(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coarse image c = H x, shape (n/2, n/2), and the detail d = x - H' c, shape (n, n)."""
    spectrum, h = fft.fft2(image), low_pass(len(image))
    coarse = fft.ifft2(spectrum * h).real[::2, ::2]
    return coarse, image - _up(coarse)


def _up(coarse: np.ndarray) -> np.ndarray:
    """H' c: zeros between the samples, then the low-pass."""
    return fft.ifft2(np.tile(fft.fft2(coarse), (2, 2)) * low_pass(2 * len(coarse))).real


def pyramid_step_back(coarse: np.ndarray, detail: np.ndarray) -> np.ndarray:
    """Return x = H' c + (1 - H' H) d, the canonical dual of :func:`pyramid_step`."""
    return detail + _up(coarse - pyramid_step(detail)[0])


def directions(detail: np.ndarray, levels: int, width: float = 0.4) -> list[np.ndarray]:
    """Return the directional subbands of an image; together they have as many samples as it."""
    spectrum = fft.fft2(detail)
    return [
        fft.ifft2(spectrum * band.filter.conj()).real[:: band.steps[0], :: band.steps[1]].copy()
        for band in directional_bands(len(detail), levels, width)
    ]


def directions_back(subbands: list[np.ndarray], n: int, levels: int, width: float = 0.4) -> np.ndarray:
    """Return the image of size n with these subbands: the transpose of :func:`directions`, and its inverse."""
    spectrum = sum(
        np.tile(fft.fft2(values), band.steps) * band.filter
        for values, band in zip(subbands, directional_bands(n, levels, width), strict=True)
    )
    return fft.ifft2(spectrum).real


def contourlets(image, levels=(2, 3, 3, 4), width: float = 0.4) -> list[list[np.ndarray]]:
    """Return the contourlet coefficients of a square image.

    Parameters
    ----------
    image : array_like, shape (n, n)
        n a power of two.
    levels : sequence of int
        Levels of the directional filter bank, from the coarsest octave to the finest: 2^l directions. One more
        in every other octave is the parabolic law.
    width : float
        See :func:`directional_bands`.

    Returns
    -------
    list of lists of ndarray
        First the coarse image alone, then the subbands of each octave. The sum of all squares is that of the image.

    Raises
    ------
    ValueError
        For another shape, or too many octaves or directions for the size.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(32, 32))
    >>> c = contourlets(x, levels=(2, 3))
    >>> [[band.shape for band in octave][:2] for octave in c]
    [[(8, 8)], [(8, 8), (8, 8)], [(16, 8), (16, 8)]]
    >>> energy = sum((band**2).sum() for octave in c for band in octave)
    >>> bool(abs(energy / (x**2).sum() - 1) < 1e-12)
    True
    >>> bool(abs(contourlets_back(c, levels=(2, 3)) - x).max() < 1e-12)
    True
    """
    image = square_image(image)
    found = []
    for level in reversed(tuple(levels)):
        image, detail = pyramid_step(image)
        found.append(directions(detail, level, width))
    return [[image], *reversed(found)]


def contourlets_back(coefficients: list[list[np.ndarray]], levels=(2, 3, 3, 4), width: float = 0.4) -> np.ndarray:
    """Return the image of contourlet coefficients: the canonical dual of :func:`contourlets`, its transpose."""
    image = coefficients[0][0]
    for level, subbands in zip(levels, coefficients[1:], strict=True):
        detail = directions_back(subbands, 2 * len(image), level, width)
        image = pyramid_step_back(image, detail)
    return image


def wedge_shares(n: int, levels: int, width: float = 0.4, slack: float = 0.0) -> np.ndarray:
    """Return the share of each contourlet's energy that lies in its own wedge, shape (2^l,).

    Of one octave, the finest of an image of ``n`` x ``n`` pixels. A wedge holds 1 / 2^l of the plane.

    Parameters
    ----------
    n, levels, width
        See :func:`directional_bands`.
    slack : float
        How far the wedge is widened to either side, in its own widths.

    Examples
    --------
    >>> bool(wedge_shares(32, 2).min() > 0.8)
    True
    """
    zeros = contourlets(np.zeros((n, n)), (levels,), width)
    w = np.meshgrid(_frequencies(n), _frequencies(n), indexing="ij")
    shares = []
    for number, band in enumerate(directional_bands(n, levels, width)):
        unit = [[part.copy() for part in octave] for octave in zeros]
        unit[1][number][0, 0] = 1.0
        energy = np.abs(fft.fft2(contourlets_back(unit, (levels,), width))) ** 2
        r, t = w[band.axis], w[1 - band.axis]
        slope = np.divide(t, r, out=np.full((n, n), np.inf), where=r != 0)
        low, high = band.slopes
        more = slack * (high - low)
        shares.append(energy[(slope > low - more) & (slope < high + more)].sum() / energy.sum())
    return np.array(shares)
