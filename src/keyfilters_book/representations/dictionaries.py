r"""Dictionaries with few correlations between atoms, whole or convolutional, and what is counted on them.

A dictionary is a matrix whose columns, the *atoms*, have Euclidean norm 1. Two atoms are neighbours if their
supports meet; what an atom sees of a code is its *stripe*, the entries of its neighbours and itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keyfilters.checks import finite, integer


@dataclass(frozen=True, eq=False)
class Dictionary:
    """Atoms in the columns of a matrix, and what is derived from them once.

    Attributes
    ----------
    atoms : ndarray, shape (n, m)
        Columns of norm 1 (to 1e-9).

    Examples
    --------
    >>> Dictionary(np.eye(3)).coherence
    0.0
    >>> Dictionary(np.ones((2, 2)))
    Traceback (most recent call last):
    ...
    ValueError: atom 0 has norm 1.41421: expected atoms of norm 1; divide the columns by their norms
    """

    atoms: np.ndarray

    def __post_init__(self):
        atoms = finite(self.atoms, "atoms")
        if atoms.ndim != 2 or atoms.shape[1] < 2:
            raise ValueError(f"atoms has shape {atoms.shape}: expected a matrix with at least two columns")
        norms = np.linalg.norm(atoms, axis=0)
        far = np.flatnonzero(np.abs(norms - 1) > 1e-9)
        if len(far):
            found = f"atom {far[0]} has norm {norms[far[0]]:g}"
            raise ValueError(f"{found}: expected atoms of norm 1; divide the columns by their norms")
        object.__setattr__(self, "atoms", atoms)

    @cached_property
    def gram(self) -> np.ndarray:
        """Inner products of the atoms, shape (m, m)."""
        return self.atoms.T @ self.atoms

    @cached_property
    def coherence(self) -> float:
        r""":math:`\\mu = \\max_{i \\ne j} |\\langle d_i, d_j \\rangle|`."""
        off = np.abs(self.gram)
        np.fill_diagonal(off, 0)
        return float(off.max())

    @cached_property
    def support(self) -> np.ndarray:
        """Where the atoms are not zero, shape (n, m), float for products."""
        return (self.atoms != 0).astype(np.float64)

    @cached_property
    def neighbours(self) -> np.ndarray:
        """Which atoms' supports meet, each its own neighbour, shape (m, m), float for products."""
        return (self.support.T @ self.support > 0).astype(np.float64)

    def stripes(self, code) -> np.ndarray:
        r"""Return :math:`\|\Gamma\|_{0,\infty}^{\mathrm s}`: the most non-zero entries in any stripe, for each column.

        For filters of n taps without zeros a stripe is the 2n - 1 shifts about an atom, with all channels.
        """
        return (self.neighbours @ (np.asarray(code) != 0)).max(axis=0).astype(np.int64)

    def patches(self, signal) -> np.ndarray:
        r"""Return :math:`\|x\|_{0,\infty}^{\mathrm p}`: the most non-zero entries under any atom, for each column."""
        return (self.support.T @ (np.asarray(signal) != 0)).max(axis=0).astype(np.int64)

    def local_norm(self, signal) -> np.ndarray:
        r"""Return :math:`\|x\|_{2,\infty}^{\mathrm p}`: the largest Euclidean norm under any atom, for each column."""
        return np.sqrt((self.support.T @ np.asarray(signal, dtype=np.float64) ** 2).max(axis=0))


def spikes_and_waves(n: int) -> Dictionary:
    r"""Return unit impulses beside normalised Walsh functions, :math:`[I, H / \sqrt n]`; coherence :math:`1/\sqrt n`.

    Parameters
    ----------
    n : int
        Length of the signals, a power of 2.

    Examples
    --------
    >>> spikes_and_waves(64).atoms.shape, spikes_and_waves(64).coherence
    ((64, 128), 0.125)
    """
    from scipy.linalg import hadamard

    n = integer(n, "n", 2)
    if n & (n - 1):
        raise ValueError(f"n is {n}: expected a power of 2")
    return Dictionary(np.hstack([np.eye(n), hadamard(n) / np.sqrt(n)]))


def lines_dictionary(weight: int, lines: int, slopes: int) -> Dictionary:
    r"""Return a dictionary of sparse, non-negative atoms of which any two share at most one entry.

    The signal is an array of ``weight`` columns and ``lines`` rows; atom (a, b) is the line
    :math:`y = a x + b \bmod` ``lines``, with the value :math:`1/\sqrt{\text{weight}}` on it. Two lines of different
    slope meet at most once, so the coherence is 1 / weight (from two slopes on).

    Parameters
    ----------
    weight : int
        Entries of an atom, >= 2.
    lines, slopes : int
        Rows, and slopes 0 to slopes - 1; ``(weight - 1)(slopes - 1) < lines``.

    Returns
    -------
    Dictionary
        Of shape (weight lines, slopes lines).

    Examples
    --------
    >>> d = lines_dictionary(4, 16, 3)
    >>> d.atoms.shape, round(d.coherence, 12)
    ((64, 48), 0.25)
    """
    weight, lines, slopes = integer(weight, "weight", 2), integer(lines, "lines", 2), integer(slopes, "slopes")
    if (weight - 1) * (slopes - 1) >= lines:
        found = f"{slopes} slopes of weight {weight} on {lines} lines meet twice"
        raise ValueError(f"{found}: expected (weight - 1)(slopes - 1) < lines")
    atoms = np.zeros((weight, lines, slopes, lines))
    b = np.arange(lines)
    for a in range(slopes):
        for x in range(weight):
            atoms[x, (a * x + b) % lines, a, b] = 1 / np.sqrt(weight)
    return Dictionary(atoms.reshape(weight * lines, slopes * lines))


def convolutional(filters, positions: int) -> Dictionary:
    """Return the dictionary of all circular shifts of filters along one axis.

    Entry (position p, channel c) of a signal or code has index ``p * channels + c``; shifts are by whole
    positions, so a second layer's atoms span all channels of the first.

    Parameters
    ----------
    filters : array_like, shape (m, n) or (m, n, c)
        m filters of n taps on c channels (1 by default), scaled to norm 1 here.
    positions : int
        Positions of the signal, at least 2n - 1, so that no atom meets another on both sides.

    Returns
    -------
    Dictionary
        Of shape (positions c, positions m).

    Examples
    --------
    >>> convolutional([[1.0, -1.0]], 4).atoms.round(2)[:, 0]
    array([ 0.71, -0.71,  0.  ,  0.  ])
    """
    h = finite(filters, "filters")
    h = h[..., None] if h.ndim == 2 else h
    if h.ndim != 3 or not np.abs(h).reshape(len(h), -1).max(axis=1, initial=0).all():
        expected = "expected non-zero filters, (filters, taps) or (filters, taps, channels)"
        raise ValueError(f"filters has shape {h.shape}: {expected}")
    m, n, c = h.shape
    positions = integer(positions, "positions", 2 * n - 1)
    h = h / np.sqrt((h**2).sum(axis=(1, 2), keepdims=True))
    atoms = np.zeros((positions, c, positions, m))
    p = np.arange(positions)
    for tap in range(n):
        atoms[(p + tap) % positions, :, p, :] = h[:, tap].T
    return Dictionary(atoms.reshape(positions * c, positions * m))


def correlations(filters) -> np.ndarray:
    r"""Return the largest :math:`|\langle f_a, f_b(\cdot - s) \rangle|` over shifts s, s = 0 left out for a = b.

    The filters are scaled to norm 1; the maximum of all entries is the coherence of the dictionary of their shifts.

    Parameters
    ----------
    filters : array_like, shape (m, n) or (m, n, n')
        Of one or two axes, along all of which they are shifted; zero outside.

    Returns
    -------
    ndarray, shape (m, m)

    Examples
    --------
    >>> correlations([[1.0, -1.0]]).round(3)
    array([[0.5]])
    """
    h = finite(filters, "filters")
    if h.ndim < 2 or not np.abs(h).reshape(len(h), -1).max(axis=1, initial=0).all():
        raise ValueError(f"filters has shape {h.shape}: expected one non-zero filter per row")
    axes = tuple(range(1, h.ndim))
    h = h / np.sqrt((h**2).sum(axis=axes, keepdims=True))
    shape = [2 * size for size in h.shape[1:]]
    f = np.fft.fftn(h, shape, axes=axes)
    size = len(h)
    found = np.abs(np.fft.ifftn(f[:, None] * f[None].conj(), axes=tuple(a + 1 for a in axes)).real).reshape(size, size, -1)
    found[np.arange(size), np.arange(size), 0] = 0  # a filter with itself, unshifted
    return found.max(axis=2)


def spread_filters(count: int, taps: int, seed: int = 0, power: int = 16) -> np.ndarray:
    r"""Return filters that correlate little with each other and with themselves shifted, shape (count, taps).

    From normal random filters, L-BFGS lowers :math:`\sum c^p` over all correlations c between shifts, p = ``power``:
    a smooth stand-in for the largest one. For ``count`` filters of ``taps`` taps the largest correlation cannot be below
    Welch's bound :math:`\sqrt{(m - 1) / (2 m n - m - 1)}`.

    Parameters
    ----------
    count, taps : int
    seed : int
    power : int
        Even.

    Examples
    --------
    >>> h = spread_filters(2, 16)
    >>> bool(correlations(h).max() < 0.3)
    True
    """
    from scipy.optimize import minimize

    count, taps = integer(count, "count"), integer(taps, "taps", 2)
    if power < 2 or power % 2:
        raise ValueError(f"power is {power!r}: expected an even integer of at least 2")
    start = np.random.default_rng(seed).normal(size=(count, taps))
    own = np.arange(count)

    def loss(flat):
        h = flat.reshape(count, taps)
        norms = np.linalg.norm(h, axis=1, keepdims=True)
        f = np.fft.rfft(h / norms, 2 * taps)
        c = np.fft.irfft(f[:, None] * f[None].conj(), 2 * taps)
        c[own, own, 0] = 0
        largest = np.abs(c).max()
        total = ((c / largest) ** power).sum()
        # Of log(sum c^p) / p with respect to c, then to the unit filters, then to the filters themselves.
        weight = np.fft.rfft((c / largest) ** (power - 1) / (total * largest))
        unit = 2 * np.fft.irfft((weight * f[None]).sum(axis=1), 2 * taps)[:, :taps]
        unit -= (unit * h).sum(axis=1, keepdims=True) * h / norms**2
        return np.log(largest) + np.log(total) / power, (unit / norms).ravel()

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x.reshape(count, taps)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def pair_filters(count: int, taps: int, channels: int = 2) -> np.ndarray:
    r"""Return sparse, non-negative filters of two equal entries of which shifts share at most one.

    Filter i has :math:`1/\sqrt 2` at the first tap of one channel and at a later tap of one channel. The pairs
    (distance, channels) differ from filter to filter, so no two atoms have both entries in common: coherence 1/2.

    Parameters
    ----------
    count, taps, channels : int
        ``count`` at most (taps - 1) channels^2.

    Returns
    -------
    ndarray, shape (count, taps, channels)

    Examples
    --------
    >>> round(convolutional(pair_filters(4, 8), 16).coherence, 12)
    0.5
    """
    count, taps, channels = integer(count, "count"), integer(taps, "taps", 2), integer(channels, "channels")
    most = (taps - 1) * channels**2
    if count > most:
        raise ValueError(f"count is {count}: expected at most {most} pairs for {taps} taps and {channels} channels")
    filters = np.zeros((count, taps, channels))
    for i in range(count):
        # The longest distances first; the channels take turns.
        distance, pair = taps - 1 - i % (taps - 1), i // (taps - 1) + i % (taps - 1)
        filters[i, 0, pair // channels % channels] = filters[i, distance, pair % channels] = np.sqrt(0.5)
    return filters
