r"""How the layers of a network stretch a curve: measured lengths, an exact law, a limit, and the theorem's expression.

The length of a curve z(t) is :math:`\ell = \int |dz/dt| dt`. Weights are drawn from N(0, sigma_w^2 / k), k the width.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from keyfilters.checks import choice, finite, integer

from .random_networks import ACTIVATIONS, activation


def arc(a, b, points: int = 1000, radius: float = 1.0) -> torch.Tensor:
    r"""The great-circle arc between the directions of two points.

    .. math:: x(t) = r \frac{\sin((1 - t) \theta) \hat a + \sin(t \theta) \hat b}{\sin \theta}, \qquad 0 \le t \le 1,

    with :math:`\theta` the angle between a and b: its length is :math:`r \theta`, and it stays at distance r from
    the origin, so that its direction is everywhere perpendicular to the point.

    Parameters
    ----------
    a, b : array_like, shape (m,)
        Neither zero nor parallel.
    points : int
        At least 2.
    radius : float
        Of the arc.

    Returns
    -------
    tensor of float64, shape (points, m)

    Raises
    ------
    ValueError
        For other shapes, parallel directions, fewer than 2 points.

    Examples
    --------
    >>> x = arc([1.0, 0.0], [0.0, 2.0], points=1001, radius=2.0)
    >>> bool(abs(length(x) - math.pi) < 1e-5), bool(torch.allclose(x.norm(dim=1), torch.tensor(2.0).double()))
    (True, True)
    """
    ends = [finite(v, what) for v, what in ((a, "a"), (b, "b"))]
    if ends[0].ndim != 1 or ends[0].shape != ends[1].shape:
        raise ValueError(f"a and b have shapes {ends[0].shape} and {ends[1].shape}: expected two rows of equal length")
    integer(points, "points", 2)
    sizes = [np.linalg.norm(v) for v in ends]
    if min(sizes) == 0:
        raise ValueError("a or b is all zero: expected two points with a direction")
    u, v = (e / size for e, size in zip(ends, sizes, strict=True))
    angle = 2 * math.atan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    if not 1e-6 < angle < math.pi - 1e-6:
        raise ValueError(f"the angle between a and b is {angle:g}: expected one between 0 and pi, for which there is one arc")
    t = np.linspace(0, 1, points)[:, None]
    return torch.tensor(radius * (np.sin((1 - t) * angle) * u + np.sin(t * angle) * v) / math.sin(angle))


def length(z: torch.Tensor) -> torch.Tensor:
    """Length of the polygon through points z, shape (..., N, m); it never exceeds that of the curve that they lie on.

    Examples
    --------
    >>> float(length(torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])))
    6.0
    """
    return torch.linalg.vector_norm(z.diff(dim=-2), dim=-1).sum(-1)


@torch.no_grad()
def layer_lengths(weights, curve: torch.Tensor, name: str) -> np.ndarray:
    """Lengths of the images of a curve: at the input and in every hidden layer.

    Parameters
    ----------
    weights : list of tensors, as of :func:`.random_networks.random_weights`
    curve : tensor, shape (N, inputs)
    name : str
        The activation.

    Returns
    -------
    ndarray, shape (S, 1 + hidden layers)

    Examples
    --------
    >>> from keyfilters_book.background.random_networks import random_weights
    >>> w = random_weights([0, 1], 2.0, depth=3, width=6, inputs=2, dtype=torch.float64)
    >>> layer_lengths(w, arc([1, 0], [0, 1]), "relu").shape
    (2, 4)
    """
    act, found = activation(name), []
    for network in zip(*weights, strict=True):
        z = curve.to(network[0].dtype)
        row = [length(z)]
        for w in network[:-1]:
            z = act(z @ w)
            row.append(length(z))
        found.append(torch.stack(row))
    return torch.stack(found).double().numpy()


def mean_chi(width: int, share: float) -> float:
    r"""E of the norm of B standard normal numbers, B binomial with ``width`` trials and probability ``share``.

    .. math:: \sum_b \binom{k}{b} p^b (1 - p)^{k - b} \sqrt 2\, \frac{\Gamma((b + 1) / 2)}{\Gamma(b / 2)}

    Examples
    --------
    >>> round(mean_chi(1, 1.0) ** 2 * math.pi / 2, 12), mean_chi(100, 0.5) < math.sqrt(50)
    (1.0, True)
    """
    from scipy.special import gammaln
    from scipy.stats import binom

    integer(width, "width", 1)
    share = float(finite(share, "share"))
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share:g}: expected a number from 0 to 1")
    b = np.arange(1, width + 1)
    norms = math.sqrt(2) * np.exp(gammaln((b + 1) / 2) - gammaln(b / 2))
    return float(binom.pmf(b, width, share) @ norms)


def relu_growth(variance: float, width: int) -> float:
    r"""The factor by which a random ReLU layer stretches every curve in expectation: exact for every width.

    A unit's row w of weights sees the point z and the direction v of the curve. Exchanging w by -w exchanges
    active and inactive and leaves :math:`|w \cdot v|`, so half of the units are active, independently of
    :math:`(w \cdot v)^2`, and the squared stretch is :math:`\sigma_w^2 / k` times a sum of B squares of standard
    normal numbers, B binomial (k, 1/2):

    .. math:: E\,\ell(z^{(d)}) = c_k^d\, \ell(x), \qquad c_k = \frac{\sigma_w}{\sqrt k} E \chi_B < \frac{\sigma_w}{\sqrt 2}.

    Curves may be lines here, and biases with a symmetric law change nothing.

    Examples
    --------
    >>> 0.99 < relu_growth(2.0, 100) < 1 < relu_growth(2.2, 100)
    True
    """
    return math.sqrt(float(finite(variance, "variance")) / width) * mean_chi(width, 0.5)


def theorem_expression(name: str, variance: float, width: int, bias_variance: float = 0.0) -> float:
    r"""The base of the power in theorem 1 of Raghu et al. (2017), without the constant that its O leaves open.

    .. math::

        \frac{\sigma_w \sqrt k}{\sqrt{k + 1}} \text{ (ReLU)}, \qquad
        \frac{\sigma_w \sqrt k}{\sqrt{\sigma_w^2 + \sigma_b^2 + k \sqrt{\sigma_w^2 + \sigma_b^2}}} \text{ (hard tanh)}

    Examples
    --------
    >>> round(theorem_expression("hard-tanh", 16.0, 100) ** 2, 12) == round(1600 / 416, 12)
    True
    """
    if choice(name, ("relu", "hard-tanh"), "activation") == "relu":
        return math.sqrt(variance * width / (width + 1))
    total = variance + bias_variance
    return math.sqrt(variance * width / (total + width * math.sqrt(total)))


def _moments(name: str, scale: float) -> tuple[float, float]:
    """E phi(h)^2 and E phi'(h)^2 for h normal with standard deviation ``scale``."""
    if name == "relu":
        return scale**2 / 2, 0.5
    if name == "hard-tanh":
        inside = math.erf(1 / (scale * math.sqrt(2)))
        density = math.exp(-1 / (2 * scale**2)) / math.sqrt(2 * math.pi)
        return scale**2 * inside - 2 * scale * density + 1 - inside, inside
    h = np.linspace(-9, 9, 4001)
    weight = np.exp(-(h**2) / 2) / math.sqrt(2 * math.pi)
    value = np.tanh(scale * h)
    return float(np.trapezoid(weight * value**2, h)), float(np.trapezoid(weight * (1 - value**2) ** 2, h))


def wide_growth(name: str, variance: float, depth: int, start: float = 1.0) -> np.ndarray:
    r"""Growth per layer of a curve of constant norm in the limit of infinite width.

    With :math:`q_0 = |x|^2 / k` and h normal with variance :math:`\sigma_w^2 q_{d-1}`:
    :math:`q_d = E \phi(h)^2`, and a direction perpendicular to the point grows by

    .. math:: \sqrt{\chi_d} = \sigma_w \sqrt{E \phi'(h)^2}.

    Parameters
    ----------
    name : {"relu", "hard-tanh", "tanh"}
    variance : float
        sigma_w^2.
    depth : int
    start : float
        q_0.

    Returns
    -------
    ndarray, shape (depth,)

    Source: Poole et al. (2016).

    Examples
    --------
    >>> wide_growth("relu", 2.0, 3).round(12).tolist()
    [1.0, 1.0, 1.0]
    """
    choice(name, ACTIVATIONS, "activation")
    q, growth = float(start), []
    for _ in range(depth):
        q, slope = _moments(name, math.sqrt(variance * q))
        growth.append(math.sqrt(variance * slope))
    return np.array(growth)
