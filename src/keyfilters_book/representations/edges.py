r"""Images that are smooth but for an edge along a smooth curve, with pixels that hold averages.

Donoho's (2001) class :math:`\mathrm{STAR}^2(A)` holds the star-shaped sets
:math:`B = b_0 + \{x : |x| \le \rho(\theta)\}` inside the unit square with :math:`\rho \le \rho_0 < 1` and
:math:`|\rho''| \le A`; the class :math:`\mathcal E^2(A)` the images :math:`f = f_0 + f_1 1_B` with B in
:math:`\mathrm{STAR}^2(A)` and :math:`f_0, f_1 \in C^2` of compact support in the square, of C^2 norms at most a constant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keyfilters.checks import integer

from .sizes import power_of_two


class Star(NamedTuple):
    r"""A star-shaped set: :math:`\rho(\theta) = R \, (1 + \sum_k a_k \cos(k \theta + p_k))` about a centre.

    Attributes
    ----------
    centre : (float, float)
        x and y (up), in the unit square.
    radius : float
        R.
    waves : tuple of (int, float, float)
        Frequency k, amplitude a and phase p of each term.
    """

    centre: tuple[float, float]
    radius: float
    waves: tuple[tuple[int, float, float], ...]

    def rho(self, theta, order: int = 0) -> np.ndarray:
        """Return the derivative of this order of rho."""
        terms = (a * k**order * np.cos(k * theta + p + order * np.pi / 2) for k, a, p in self.waves)
        return self.radius * ((order == 0) + sum(terms))

    @property
    def area(self) -> float:
        """Half the integral of rho squared, in closed form."""
        return float(np.pi * self.radius**2 * (1 + sum(a**2 for _, a, _ in self.waves) / 2))

    @property
    def bend(self) -> float:
        """A: the largest value of abs(rho'') on a fine grid."""
        return float(np.abs(self.rho(np.linspace(0, 2 * np.pi, 4097), 2)).max())


def star(seed: int = 0) -> Star:
    """Return a star-shaped set of three and five arms; the seed turns the arms and moves the centre.

    Examples
    --------
    >>> round(star(0).area, 3), round(star(0).bend, 2) == round(star(1).bend, 2)
    (0.233, False)
    """
    integer(seed, "seed", 0)
    rng = np.random.default_rng(seed)
    centre = tuple(float(c) for c in 0.5 + rng.uniform(-0.04, 0.04, 2))
    phases = rng.uniform(0, 2 * np.pi, 2)
    return Star(centre, 0.27, ((3, 0.18, float(phases[0])), (5, 0.07, float(phases[1]))))


def _half_plane(distance, gx, gy, side):
    """Share of a square of a side that lies in a half-plane: its edge at a signed distance, with a unit normal.

    The integral of the trapezium that a square throws along the normal; a and b are the square's two widths.
    """
    a, b = np.abs(gx) * side, np.abs(gy) * side
    a, b = np.maximum(a, b), np.maximum(np.minimum(a, b), 1e-6 * side)

    def ramp(t):
        return np.maximum(t, 0.0) ** 2 / 2

    high, low = (a + b) / 2, (a - b) / 2
    return (ramp(distance + high) - ramp(distance + low) - ramp(distance - low) + ramp(distance - high)) / (a * b)


def _share(shape: Star, x, y, side):
    """Share of each small square about (x, y) inside the set, its edge taken as straight there; and the distance."""
    u, v = x - shape.centre[0], y - shape.centre[1]
    r, theta = np.hypot(u, v) + 1e-300, np.arctan2(v, u)
    slope = shape.rho(theta, 1) / r
    steep = np.hypot(1.0, slope)
    distance = (shape.rho(theta) - r) / steep
    gx, gy = (-u - slope * v) / (r * steep), (-v + slope * u) / (r * steep)
    return np.clip(_half_plane(distance, gx, gy, side), 0.0, 1.0), distance


def _centres(size: int):
    c = (np.arange(size) + 0.5) / size
    return np.meshgrid(c, c[::-1])


def coverage(shape: Star, size: int, parts: int = 4) -> np.ndarray:
    """Return the share of each pixel's area that lies in the set, shape (size, size), row 0 at the top.

    Pixels near the edge are cut into ``parts`` x ``parts`` squares, in each of which the edge is taken as straight:
    what is left as error is the bend of the edge inside such a square.

    Examples
    --------
    >>> abs(float(coverage(star(0), 256).mean()) - star(0).area) < 1e-6
    True
    """
    size = power_of_two(size)
    integer(parts, "parts")
    x, y = _centres(size)
    share, distance = _share(shape, x, y, 1 / size)
    near = np.abs(distance) < 2 / size
    offsets = ((np.arange(parts) + 0.5) / parts - 0.5) / size
    shape_ = (-1, parts, parts)
    fine_x = np.broadcast_to(x[near][:, None, None] + offsets, (near.sum(), parts, parts)).reshape(shape_)
    fine_y = np.broadcast_to(y[near][:, None, None] + offsets[:, None], (near.sum(), parts, parts)).reshape(shape_)
    share[near] = _share(shape, fine_x, fine_y, 1 / (parts * size))[0].mean(axis=(1, 2))
    return share


def _bump(x, y, centre, width):
    """(1 - r^2)^3 inside radius ``width`` and 0 outside: twice continuously differentiable."""
    return np.maximum(1 - ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / width**2, 0.0) ** 3


def cartoon(size: int, seed: int = 0, parts: int = 4) -> np.ndarray:
    r"""Return an image of :math:`\mathcal E^2`: a smooth bump, and a smooth part that a star-shaped set cuts out.

    Only its values on the set matter of the second part, so it need not fall to 0 inside the square by itself.

    Pixels at the edge hold averages (:func:`coverage`); the smooth parts are taken at the pixels' centres. A pixel
    that were inside or outside as a whole would make a staircase, which no theory of smooth edges is about.

    Parameters
    ----------
    size : int
        A power of two.
    seed : int
        Of :func:`star`.
    parts : int
        Of :func:`coverage`.

    Returns
    -------
    ndarray, shape (size, size)
        Values in [0, 1]; 0 near the border, so that periodic transforms see no other edge.

    Examples
    --------
    >>> f = cartoon(64)
    >>> float(f[0].max()), 0.8 < float(f.max()) <= 1
    (0.0, True)
    """
    size = power_of_two(size)
    x, y = _centres(size)
    inside = 0.35 + 0.35 * _bump(x, y, (0.6, 0.6), 0.5)
    return 0.3 * _bump(x, y, (0.45, 0.55), 0.42) + coverage(star(seed), size, parts) * inside
