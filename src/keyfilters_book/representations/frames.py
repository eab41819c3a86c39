"""Bases and frames of images behind one interface: analysis into one vector, synthesis, octaves, norms of the atoms.

============ ================================================================ ===========
name         what it is                                                       redundancy
============ ================================================================ ===========
fourier      real Fourier basis, periodic                                     1
dct          cosine basis (DCT-II), even extension at the border              1
haar, db4,   orthonormal wavelets of PyWavelets, periodic                     1
sym8, coif3
bior4.4      biorthogonal wavelets (9-7 taps), periodic: not tight            1
sym8-swt     the same wavelets at all shifts (undecimated)                    3 J + 1
contourlet   :mod:`.contourlets`, periodic                                    about 4/3
curvelet     uniform discrete curvelets of the package ``curvelets``,         about 4
             periodic; real and imaginary parts counted apart
============ ================================================================ ===========

All but bior4.4 are Parseval: :math:`\\|x\\|^2 = \\sum_i \\langle x, \\phi_i \\rangle^2`, so that synthesis with the
canonical dual is the transpose of analysis.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from functools import cached_property, lru_cache

import numpy as np
from scipy import fft

from keyfilters.checks import choice, finite

from . import _extra
from .contourlets import contourlets, contourlets_back
from .sizes import power_of_two, square_image

with _extra():
    import pywt

COARSEST = 16
"""Below octave 1: an image of n x n pixels has log2(n / 16) octaves; at least one."""


class Frame:
    """A basis or frame of images of ``size`` x ``size`` pixels; made by :func:`frame`.

    Attributes
    ----------
    name : str
    size : int
    shapes : list of (int, tuple)
        Octave (0: the coarse rest; then from coarse to fine) and shape of each band, in the order of the vector.
    octaves : ndarray of int, shape (m,)
        Octave of each coefficient; of fourier and dct all 1.
    tight : bool
        Whether it is Parseval.
    """

    def __init__(self, name: str, size: int, forward: Callable, backward: Callable, tight: bool = True):
        self.name, self.size, self.tight = name, size, tight
        self._forward, self._backward = forward, backward
        self.shapes = [(octave, band.shape) for octave, band in forward(np.zeros((size, size)))]
        self.octaves = np.repeat([octave for octave, _ in self.shapes], [int(np.prod(shape)) for _, shape in self.shapes])

    def __len__(self) -> int:
        return len(self.octaves)

    def __repr__(self) -> str:
        return f"Frame({self.name!r}, {self.size}: {len(self)} coefficients)"

    @property
    def redundancy(self) -> float:
        """Coefficients per pixel."""
        return len(self) / self.size**2

    def analyse(self, image) -> np.ndarray:
        """Return the coefficients <image, atom> of an image, shape (m,)."""
        image = square_image(image, self.size)
        return np.concatenate([band.ravel() for _, band in self._forward(image)])

    def synthesise(self, coefficients) -> np.ndarray:
        """Return the image of coefficients with the canonical dual; of those of an image the image itself."""
        vector = finite(coefficients, "coefficients")
        if vector.shape != (len(self),):
            raise ValueError(f"coefficients has shape {vector.shape}: expected ({len(self)},), as {self.name} gives them")
        return self._backward(self.bands(vector))

    def bands(self, vector: np.ndarray) -> list[np.ndarray]:
        """Return a vector of coefficients cut into bands."""
        ends = np.cumsum([int(np.prod(shape)) for _, shape in self.shapes])
        return [part.reshape(shape) for part, (_, shape) in zip(np.split(vector, ends[:-1]), self.shapes, strict=True)]

    def atom(self, band: int, dual: bool = False) -> np.ndarray:
        """Return the atom in the middle of a band, shape (size, size); not for bior4.4, where it would be the dual's."""
        vector = np.zeros(len(self))
        bands = self.bands(vector)
        bands[band][tuple(side // 2 for side in bands[band].shape)] = 1.0
        return self._backward(bands)

    @cached_property
    def norms(self) -> np.ndarray:
        """Norm of each atom, shape (m,): what white noise of unit variance has as standard deviation there."""
        if self.redundancy == 1 and self.tight:
            return np.ones(len(self))
        # The atoms of a band are shifted copies of each other, whatever the frame.
        each = [np.linalg.norm(self.atom(index)) for index in range(len(self.shapes))]
        return np.repeat(each, [int(np.prod(shape)) for _, shape in self.shapes])


def _fourier(size: int):
    index = np.arange(size * size).reshape(size, size)
    mirror = np.roll(index[::-1, ::-1], 1, axis=(0, 1))
    first, alone = index < mirror, index == mirror

    def forward(image):
        spectrum = fft.fft2(image, norm="ortho")
        pair = np.sqrt(2.0) * np.where(first, spectrum.real, spectrum.imag)
        return [(1, np.where(alone, spectrum.real, pair))]

    def backward(bands):
        c = bands[0]
        # The imaginary part stands at the mirrored frequency, where it has the other sign.
        half = np.where(alone, c, np.where(first, np.sqrt(2.0) * (c - 1j * c.ravel()[mirror]), 0.0))
        return fft.ifft2(half, norm="ortho").real

    return forward, backward


def _dct(size: int):
    return lambda image: [(1, fft.dctn(image, norm="ortho"))], lambda bands: fft.idctn(bands[0], norm="ortho")


def _octave_count(size: int) -> int:
    return max(1, (size // COARSEST).bit_length() - 1)


def _wavelet(size: int, name: str):
    levels, mode = _octave_count(size), "periodization"

    def forward(image):
        details = []
        for octave in range(levels, 0, -1):
            image, detail = pywt.dwt2(image, name, mode)
            details = [(octave, band) for band in detail] + details
        return [(0, image), *details]

    def backward(bands):
        image = bands[0]
        for octave in range(levels):
            image = pywt.idwt2((image, tuple(bands[1 + 3 * octave : 4 + 3 * octave])), name, mode)
        return image

    return forward, backward


def _undecimated(size: int, name: str):
    levels = _octave_count(size)

    def forward(image):
        coarse, *details = pywt.swt2(image, name, levels, norm=True, trim_approx=True)
        return [(0, coarse), *((octave, band) for octave, bands in enumerate(details, 1) for band in bands)]

    def backward(bands):
        details = [tuple(bands[1 + 3 * octave : 4 + 3 * octave]) for octave in range(levels)]
        return pywt.iswt2([bands[0], *details], name, norm=True)

    return forward, backward


def wedge_counts(octaves: int, first: int = 3) -> list[int]:
    """Return the parabolic numbers of wedges of each of the two fans, from the coarsest octave to the finest.

    They double in every other octave: at frequency 2^j there are about 2^(j/2) directions.

    Examples
    --------
    >>> wedge_counts(6)
    [3, 3, 6, 6, 12, 12]
    """
    return [first * 2 ** (octave // 2) for octave in range(octaves)]


def _contourlet(size: int):
    levels = [count.bit_length() for count in wedge_counts(_octave_count(size))]

    def forward(image):
        return [(octave, band) for octave, bands in enumerate(contourlets(image, levels)) for band in bands]

    def backward(bands):
        nested, start = [[bands[0]]], 1
        for level in levels:
            nested.append(bands[start : start + 2**level])
            start += 2**level
        return contourlets_back(nested, levels)

    return forward, backward


def curvelet_transform(size: int, wedges=None):
    """Return the transform object of the package ``curvelets``, with parabolic wedges unless told otherwise.

    The package's own default doubles the wedges in *every* octave, which is not parabolic. Its default overlap of
    the windows is kept: with larger ones neighbouring windows alias, and the frame is tight to 1e-5 only.
    """
    with _extra():
        from curvelets.numpy import UDCT

    # One octave more than wavelets have, with the fewest wedges, leaves a coarse rest of the same size.
    wedges = [3, *wedge_counts(_octave_count(size))] if wedges is None else wedges
    return UDCT((size, size), angular_wedges_config=np.array([[count, count] for count in wedges]))


def _curvelet(size: int, wedges=None):
    transform = curvelet_transform(size, wedges)

    # Its windows are real and one-sided, so a complex coefficient is two real ones, of the atom's two parts.
    def forward(image):
        coefficients = transform.forward(image)
        bands = [(0, coefficients[0][0][0].real)]
        for octave, fans in enumerate(coefficients[1:], 1):
            bands += [(octave, part) for fan in fans for wedge in fan for part in (wedge.real, wedge.imag)]
        return bands

    def backward(bands):
        pairs = iter([real + 1j * imaginary for real, imaginary in zip(bands[1::2], bands[2::2], strict=True)])
        details = [[[next(pairs) for _ in fan] for fan in scale] for scale in transform.windows[1:]]
        return transform.backward([[[bands[0] + 0j]], *details])

    return forward, backward


def curvelet_frame(size: int, wedges) -> Frame:
    """Return the curvelet frame with other numbers of wedges: of each of the two fans, coarse to fine, multiples of 3.

    Examples
    --------
    >>> [curvelet_frame(64, wedges).redundancy for wedges in ([3, 3, 6], [3, 3, 3])]
    [4.0, 4.0]
    """
    size = power_of_two(size, least=32)
    wedges = list(wedges)
    if not wedges or any(not isinstance(count, numbers.Integral) or count < 3 or count % 3 for count in wedges):
        raise ValueError(f"wedges is {wedges!r}: expected multiples of 3, one for each octave")
    return Frame("curvelet", size, *_curvelet(size, wedges))


def _named(builder, name):
    return lambda size: builder(size, name)


FRAMES = {
    "fourier": _fourier,
    "dct": _dct,
    **{name: _named(_wavelet, name) for name in ("haar", "db4", "sym8", "coif3", "bior4.4")},
    "sym8-swt": _named(_undecimated, "sym8"),
    "contourlet": _contourlet,
    "curvelet": _curvelet,
}
"""Builders: size to the functions forward (image to bands) and backward (bands to image)."""


@lru_cache(maxsize=32)
def frame(name: str, size: int) -> Frame:
    """Return a basis or frame by name.

    Parameters
    ----------
    name : str
        A row of the table above.
    size : int
        Side of the images in pixels: a power of two, at least 32.

    Raises
    ------
    ValueError
        For an unknown name, or another size.

    Examples
    --------
    >>> f = frame("db4", 64)
    >>> x = np.random.default_rng(0).normal(size=(64, 64))
    >>> c = f.analyse(x)
    >>> bool(abs((c**2).sum() / (x**2).sum() - 1) < 1e-10), bool(abs(f.synthesise(c) - x).max() < 1e-10)
    (True, True)
    """
    choice(name, FRAMES, "frame")
    power_of_two(size, least=32)
    return Frame(name, size, *FRAMES[name](size), tight=name != "bior4.4")
