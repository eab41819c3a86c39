r"""Thresholding functions, entry by entry: the shrinkages of sparse approximation and the rectifiers of networks.

========== ============================== ================================================================
kind       formula, t >= 0                what it is
========== ============================== ================================================================
hard       :math:`x\,1\{|x| > t\}`         proximal map of :math:`(t^2/2)\,\|x\|_0`; odd, jumps at ±t
soft       :math:`\operatorname{sign}(x)   proximal map of :math:`t\,\|x\|_1`; odd, continuous
           \max(|x| - t, 0)`
relu       :math:`\max(x - t, 0)`          proximal map of :math:`t\,\|x\|_1` over x >= 0: ReLU with bias -t
even-hard  :math:`|x|\,1\{|x| > t\}`       hard without its sign; even, jumps at ±t
even-soft  :math:`\max(|x| - t, 0)`        soft without its sign; even, continuous
modulus    :math:`|x|`                    even; t has no part in it
========== ============================== ================================================================

The even kinds are what is left if the sign is dropped. Tanner's lecture (Theories of Deep Learning, C6.5, video 12) prints
even-hard, and as its soft threshold a function that is :math:`-x + t = |x| + t` below -t: neither even nor continuous,
probably by a slip, and not among the kinds.

A proximal map of a penalty p is :math:`\operatorname{prox}_p(x) = \arg\min_z \tfrac12 (z - x)^2 + p(z)`.
"""

from __future__ import annotations

import numpy as np

from keyfilters.checks import choice, finite


def _hard(x, t):
    return np.where(np.abs(x) > t, x, 0)


def _relu(x, t):
    return np.maximum(x - t, 0)


THRESHOLD_KINDS = {
    "hard": _hard,
    "soft": lambda x, t: _relu(x, t) - _relu(-x, t),
    "relu": _relu,
    "even-hard": lambda x, t: np.abs(_hard(x, t)),
    "even-soft": lambda x, t: _relu(np.abs(x), t),
    "modulus": lambda x, t: np.abs(x),
}
"""The functions behind :func:`threshold`."""

ODD = {"hard": "even-hard", "soft": "even-soft"}
"""The standard, odd thresholdings, each with the even one that has its right half."""

PENALTIES = {
    "hard": lambda z, t: t**2 / 2 * (z != 0),
    "soft": lambda z, t: t * np.abs(z),
    "relu": lambda z, t: np.where(z >= 0, t * z, np.inf),
}
"""Penalties p of which the kind is the proximal map; the even kinds have none."""


def _values(x) -> np.ndarray:
    """``x`` as an array of finite floats; float32 stays float32, since feature maps can be large."""
    if isinstance(x, np.ndarray) and x.dtype in (np.float32, np.float64):
        if not np.isfinite(x).all():
            raise ValueError("x holds NaN or infinity: expected finite numbers")
        return x
    return finite(x, "x")


def threshold(x, t, kind: str = "soft"):
    r"""Return ``x`` thresholded at ``t``, entry by entry.

    .. math::

        \text{hard: } x\,1\{|x| > t\}, \quad
        \text{soft: } \operatorname{sign}(x) \max(|x| - t, 0) = \max(x - t, 0) - \max(-x - t, 0), \quad
        \text{relu: } \max(x - t, 0),

        \text{even-hard: } |x|\,1\{|x| > t\}, \quad
        \text{even-soft: } \max(|x| - t, 0), \quad
        \text{modulus: } |x|.

    Parameters
    ----------
    x : array_like of float
        Float32 stays float32, everything else becomes float64.
    t : float or array_like
        Threshold in units of x, >= 0; an array is broadcast against x (one for each channel, say). For "relu"
        any finite number: -t is the bias.
    kind : str
        "hard", "soft", "relu", "even-hard", "even-soft" or "modulus".

    Returns
    -------
    ndarray
        Of the shape of x.

    Raises
    ------
    ValueError
        For an unknown kind, a negative threshold (but for "relu"), one whose shape does not fit x, or numbers
        that are not finite.

    Source: Donoho and Johnstone (1994) for hard and soft; the proximal maps as in Parikh and Boyd (2014).

    Examples
    --------
    >>> threshold([-3.0, -1.0, 0.5, 2.0], 1.0, "soft")
    array([-2.,  0.,  0.,  1.])
    >>> threshold([-3.0, -1.0, 0.5, 2.0], 1.0, "even-hard")
    array([3., 0., 0., 2.])
    """
    function = THRESHOLD_KINDS[choice(kind, THRESHOLD_KINDS, "kind")]
    values, level = _values(x), finite(t, "t")
    if kind != "relu" and (level < 0).any():
        raise ValueError(f"t is {level[level < 0].flat[0]:g}: expected a threshold >= 0")
    try:
        fits = np.broadcast_shapes(values.shape, level.shape) == values.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"t has shape {level.shape}: expected one number or a shape that fits x, {values.shape}")
    return function(values, level.astype(values.dtype))


def objective(z, x, t, kind: str = "soft") -> np.ndarray:
    r"""Return :math:`\tfrac12 (z - x)^2 + p(z)`, which ``threshold(x, t, kind)`` minimises over z.

    p is the kind's penalty: :math:`(t^2/2) 1\{z \ne 0\}` for hard, :math:`t |z|` for soft, and for relu
    :math:`t z` where z >= 0, infinity elsewhere. Even kinds are nobody's proximal map (:data:`PENALTIES`).

    Parameters
    ----------
    z, x, t : array_like
        Broadcast against each other.
    kind : str
        "hard", "soft" or "relu".

    Raises
    ------
    ValueError
        For a kind without a penalty or numbers that are not finite.

    Examples
    --------
    >>> objective([0.0, 1.0, 2.0], 2.0, 1.0, "soft")
    array([2. , 1.5, 2. ])
    """
    penalty = PENALTIES[choice(kind, PENALTIES, "kind")]
    z, x, t = finite(z, "z"), finite(x, "x"), finite(t, "t")
    return 0.5 * (z - x) ** 2 + penalty(z, t)
