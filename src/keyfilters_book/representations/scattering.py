r"""The scattering transform: Morlet wavelets, modulus, the same again, and an average.

With directional Morlet wavelets :math:`\psi_{j,\theta}` at the scales :math:`2^j`, :math:`0 \le j < J`, and a
Gaussian :math:`\phi_J` of the scale :math:`2^J`,

.. math::

    S_0 x = x * \phi_J, \qquad
    S_1 x(j, \theta) = |x * \psi_{j,\theta}| * \phi_J, \qquad
    S_2 x(j_1, \theta_1, j_2, \theta_2) = \bigl| |x * \psi_{j_1,\theta_1}| * \psi_{j_2,\theta_2} \bigr| * \phi_J
    \quad (j_1 < j_2).

Convolutions are periodic and done by FFT. The modulus moves the energy of a band to low frequencies, so
:math:`|x * \psi_{j}|` may be sampled at every :math:`2^j`-th pixel and the result at every :math:`2^J`-th.

Source: Mallat (2012), Comm. Pure Appl. Math. 65; Bruna and Mallat (2013), IEEE PAMI 35.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from keyfilters.checks import choice, finite, integer
from keyfilters_book.representations.sizes import shaped

SIGMA, CENTRE = 0.8, 0.75 * np.pi
"""Width (pixels) of the finest wavelet's envelope and its centre frequency (radians a pixel)."""


def _gaussian(size: int, sigma: float, angle: float, slant: float, centre: float, copies: int = 3) -> np.ndarray:
    r"""Fourier transform of a sampled Gaussian envelope, moved to ``centre`` along ``angle``.

    :math:`\exp(-\sigma^2 (u^2 + v^2 / s^2) / 2)` with u along the angle from the centre, v across and s the slant,
    summed over the copies at :math:`2\pi` that sampling brings; shape (size, size), rows are y.
    """
    omega = 2 * np.pi * fft.fftfreq(size)
    total = np.zeros((size, size))
    shifts = 2 * np.pi * np.arange(-copies, copies + 1)
    for shift_y in shifts:
        for shift_x in shifts:
            y, x = (omega + shift_y)[:, None], (omega + shift_x)[None, :]
            along = x * np.cos(angle) + y * np.sin(angle) - centre
            across = -x * np.sin(angle) + y * np.cos(angle)
            total += np.exp(-0.5 * sigma**2 * (along**2 + (across / slant) ** 2))
    return total


def morlet(size: int, scale: int, angle: float, slant: float = 0.5) -> np.ndarray:
    r"""Return the Fourier transform of a Morlet wavelet, real, shape (size, size), frequencies in FFT order.

    .. math::

        \hat\psi(\omega) = \hat g(\omega - \xi) - \kappa\, \hat g(\omega), \qquad
        \kappa = \hat g(-\xi) / \hat g(0), \qquad \text{so that } \hat\psi(0) = 0:

    a wave of frequency :math:`|\xi| = \tfrac34 \pi\, 2^{-j}` under a Gaussian envelope of the width
    :math:`0.8 \cdot 2^j` along the wave and ``1 / slant`` times that across, less so much of the envelope that
    its mean is zero.

    Parameters
    ----------
    size : int
        Pixels along each side of the periodic grid.
    scale : int
        j >= 0.
    angle : float
        Direction of the wave, radians, from the column axis towards growing row numbers.
    slant : float
        In (0, 1]: the smaller, the longer the wavelet is across its wave and the sharper in direction.

    Examples
    --------
    >>> psi = morlet(32, 0, 0.0)
    >>> abs(float(psi[0, 0])) < 1e-12, int(psi[0].argmax())  # 12 of 32 is 3/8 of a turn a pixel
    (True, 12)
    """
    size, scale = integer(size, "size", 4), integer(scale, "scale", 0)
    if not 0 < float(finite(slant, "slant")) <= 1:
        raise ValueError(f"slant is {slant:g}: expected a number above 0 and at most 1")
    sigma, centre = SIGMA * 2**scale, CENTRE / 2**scale
    wave, envelope = (_gaussian(size, sigma, angle, slant, c) for c in (centre, 0.0))
    return wave - wave[0, 0] / envelope[0, 0] * envelope


@dataclass(frozen=True)
class MorletBank:
    """Filters of a scattering transform in the Fourier domain; :func:`morlet_bank` makes them.

    Attributes
    ----------
    low : ndarray, shape (size, size)
        The averaging filter, 1 at frequency 0.
    waves : ndarray, shape (scales, angles, size, size)
    """

    low: np.ndarray
    waves: np.ndarray

    @property
    def size(self) -> int:
        """Pixels along each side."""
        return self.low.shape[-1]

    def littlewood_paley(self) -> np.ndarray:
        r"""Return :math:`|\hat\phi(\omega)|^2 + \tfrac12 \sum (|\hat\psi(\omega)|^2 + |\hat\psi(-\omega)|^2)`.

        Its least and largest value bound :math:`\|x * \phi\|^2 + \sum \|x * \psi\|^2` by :math:`\|x\|^2` for real x.
        """
        total = (self.waves**2).sum(axis=(0, 1))
        return self.low**2 + 0.5 * (total + np.roll(total[::-1, ::-1], 1, axis=(0, 1)))


@lru_cache(maxsize=16)
def morlet_bank(size: int = 32, scales: int = 2, angles: int = 4) -> MorletBank:
    r"""Return a bank of Morlet wavelets and its Gaussian, scaled such that no image gains energy.

    All wavelets get the same factor, the largest for which the Littlewood-Paley sum stays at most 1 at every
    frequency. The averaging Gaussian has :math:`\sigma = 0.8 \cdot 2^{J-1}`; the angles are :math:`\pi l / L`
    (for real images the other half circle adds nothing).

    Parameters
    ----------
    size : int
        Pixels along each side, a multiple of :math:`2^J`.
    scales, angles : int
        J and L.

    Raises
    ------
    ValueError
        For numbers below 1 or a size that is no multiple of :math:`2^J`.

    Examples
    --------
    >>> bank = morlet_bank(32, 2, 4)
    >>> bank.waves.shape, float(bank.low[0, 0]), round(float(bank.littlewood_paley().max()), 9)
    ((2, 4, 32, 32), 1.0, 1.0)
    """
    size, scales, angles = integer(size, "size", 4), integer(scales, "scales", 1), integer(angles, "angles", 1)
    if size % 2**scales:
        raise ValueError(f"size is {size}: expected a multiple of {2**scales}, two to the number of scales")
    low = _gaussian(size, SIGMA * 2 ** (scales - 1), 0.0, 1.0, 0.0)
    low /= low[0, 0]
    slant = min(1.0, 4 / angles)
    turns = np.pi * np.arange(angles) / angles
    waves = np.stack([[morlet(size, j, turn, slant) for turn in turns] for j in range(scales)])
    band = MorletBank(np.zeros_like(low), waves).littlewood_paley()
    # Where the wavelets see nothing (frequency 0) any factor would do.
    seen = band > 1e-12 * band.max()
    waves *= np.sqrt(((1 - low**2)[seen] / band[seen]).min())
    for array in (low, waves):
        array.flags.writeable = False
    return MorletBank(low, waves)


def paths(scales: int, angles: int, order: int) -> list[tuple[tuple[int, int], ...]]:
    """The paths ((j1, angle), (j2, angle), ...) with growing scales, in the order of :func:`scattering`'s channels.

    Examples
    --------
    >>> [len(paths(3, 4, order)) for order in (0, 1, 2)]
    [1, 13, 61]
    """
    found: list[tuple[tuple[int, int], ...]] = [()]
    last: list[tuple[tuple[int, int], ...]] = [()]
    for _ in range(order):
        steps = [(j, angle) for j in range(scales) for angle in range(angles)]
        last = [path + (step,) for path in last for step in steps if not path or step[0] > path[-1][0]]
        found += last
    return found


def _sampled_product(spectrum: np.ndarray, filter_hat: np.ndarray, step: int) -> np.ndarray:
    """Spectrum of a convolution of which every ``step``-th sample along each axis is kept: the mean over the aliases."""
    product = spectrum * filter_hat
    if step == 1:
        return product
    *rest, h, w = product.shape
    return product.reshape(*rest, step, h // step, step, w // step).mean(axis=(-4, -2))


def _at(filter_hat: np.ndarray, size: int) -> np.ndarray:
    """The filter on a coarser grid: its spectrum folded to ``size`` frequencies (a sum: values are densities)."""
    step = filter_hat.shape[-1] // size
    return filter_hat if step == 1 else filter_hat.reshape(step, size, step, size).sum(axis=(0, 2))


def scattering(images, bank: MorletBank | None = None, order: int = 2, sampling: str = "critical") -> np.ndarray:
    r"""Return the scattering coefficients of square images.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Real; float32 stays float32.
    bank : MorletBank, optional
        Default: ``morlet_bank(size, 2, 4)``.
    order : int
        0, 1 or 2: 1, 1 + JL or :math:`1 + JL + L^2 J (J-1)/2` channels (:func:`paths` lists them).
    sampling : {"critical", "full"}
        ``"critical"``: :math:`|x * \psi_j|` at every :math:`2^j`-th pixel, the result at every :math:`2^J`-th;
        multiplied by :math:`2^J`, so that squares still sum to the energy. ``"full"``: nothing is left out;
        then :math:`\|Sx - Sy\| \le \|x - y\|` and S commutes with periodic shifts, exactly. Sampling is faster,
        at the price of a little aliasing.

    Returns
    -------
    ndarray, shape (n, channels, m, m), m = size / 2^J or size

    Raises
    ------
    ValueError
        For images that are not finite or whose size is not the bank's, an order above 2, an unknown sampling.

    Examples
    --------
    >>> flat = scattering(np.ones((1, 32, 32)))
    >>> flat.shape, bool(np.allclose(flat[0, 0], 4)), float(abs(flat[0, 1:]).max()) < 1e-12
    ((1, 25, 8, 8), True, True)
    """
    choice(sampling, ("critical", "full"), "sampling")
    if order not in (0, 1, 2) or isinstance(order, bool):
        raise ValueError(f"order is {order!r}: expected 0, 1 or 2")
    x = shaped(images, "images", 3, "(n, size, size)", square=True, single=True)
    bank = bank or morlet_bank(x.shape[-1])
    if x.shape[-1] != bank.size:
        raise ValueError(f"images has shape {x.shape}: expected {bank.size} pixels a side, as the bank has")
    scales, angles = bank.waves.shape[:2]
    thin = sampling == "critical"

    def hat(filter_, size):
        return _at(filter_, size).astype(x.dtype)

    def average(spectrum, scale):
        """The low-pass part of maps that are kept at every 2^scale-th pixel."""
        size = spectrum.shape[-1]
        step = 2 ** (scales - scale) if thin else 1
        return fft.ifft2(_sampled_product(spectrum, hat(bank.low, size), step)).real

    def layer(spectrum, at, j):
        """Moduli |map * psi_j| for all angles, their spectra and the scale of their grid."""
        to = j if thin else 0
        step = 2 ** (to - at)
        filters = [hat(wave, spectrum.shape[-1]) for wave in bank.waves[j]]
        moduli = [np.abs(fft.ifft2(_sampled_product(spectrum, f, step))) for f in filters]
        return [fft.fft2(m) for m in moduli], to

    first = fft.fft2(x)
    channels = [average(first, 0)]
    stack: list[tuple[np.ndarray, int, int]] = []
    if order >= 1:
        for j in range(scales):
            spectra, at = layer(first, 0, j)
            channels += [average(s, at) for s in spectra]
            stack += [(s, at, j) for s in spectra]
    if order == 2:
        for spectrum, at, j in stack:
            for after in range(j + 1, scales):
                found, to = layer(spectrum, at, after)
                channels += [average(s, to) for s in found]
    out = np.stack(channels, axis=1).astype(x.dtype)
    return out * (2**scales if thin else 1)


def multiply_adds(bank: MorletBank, order: int) -> int:
    r"""Multiplications and additions of a critically sampled scattering of one image.

    An FFT of N points counts as :math:`2 N \log_2 N`, the product of a spectrum with a filter as 2N.

    Examples
    --------
    >>> multiply_adds(morlet_bank(32, 2, 4), 0) < multiply_adds(morlet_bank(32, 2, 4), 2)
    True
    """
    scales, angles = bank.waves.shape[:2]

    def transform(scale):
        points = (bank.size // 2**scale) ** 2
        return 2 * points * np.log2(points)

    def product(scale):
        return 2 * (bank.size // 2**scale) ** 2

    total = transform(0) + product(0) + transform(scales)
    for path in paths(scales, angles, order)[1:]:
        # Each path adds: a product where the map before it lives, back and forth where it lives, the average.
        before, at = (path[-2][0] if len(path) > 1 else 0), path[-1][0]
        total += product(before) + 2 * transform(at) + product(at) + transform(scales)
    return int(total)
