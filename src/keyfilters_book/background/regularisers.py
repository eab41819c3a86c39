"""Regularisers of images that are sought by gradients: bounded norm, total variation, jitter.

Source: Mahendran and Vedaldi (2016), section 3.2, with the constants of the program that they published beside
the article. Their pixels are those of 8-bit images less the mean colour; a network with mean and standard
deviation 1/2 takes pixels from -1 to 1, so that ``UNIT`` = 127.5 of their units are one of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from keyfilters.checks import choice, finite, integer

__all__ = [
    "REGULARISERS",
    "IMAGE_RECIPES",
    "Recipe",
    "alpha_norm",
    "jitter",
    "penalty",
    "shorten_colours",
    "stride_shift",
    "total_variation",
]

UNIT = 127.5
TYPICAL = 80 / UNIT
"""B: typical colour norm of a pixel."""
LIMIT = 2 * TYPICAL
"""B+: largest colour norm of a pixel."""
PENALTY_SLOPE = TYPICAL / 6.5
"""V: typical difference of neighbouring pixels."""


def _images(x) -> torch.Tensor:
    if isinstance(x, torch.Tensor) and x.ndim == 4 and x.is_floating_point():
        return x
    found = f"shape {tuple(x.shape)} and dtype {x.dtype}" if isinstance(x, torch.Tensor) else f"type {type(x).__name__}"
    raise ValueError(f"the images have {found}: expected a floating-point tensor (n, channels, rows, columns)")


def _positive(value, what: str) -> float:
    number = float(finite(value, what))
    if number <= 0:
        raise ValueError(f"{what} is {number:g}: expected a number above 0")
    return number


def _power(squares: torch.Tensor, exponent: float) -> torch.Tensor:
    """``squares ** exponent``, with gradient 0 where the square is 0 (an exponent below 1 has none there)."""
    if exponent >= 1:
        return squares**exponent
    zero = squares == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, squares) ** exponent)


def alpha_norm(x, alpha: float = 6, typical: float = TYPICAL) -> torch.Tensor:
    r"""Return the alpha-norm of the colours, to the power alpha, of each image, shape (n,).

    .. math:: R_\alpha(x) = \frac{1}{H W B^\alpha} \sum_{v,u} \Bigl(\sum_k x(v, u, k)^2\Bigr)^{\alpha/2}

    With a large alpha it is next to 0 where the colour norm stays below B, and 1 where it is B everywhere.

    Parameters
    ----------
    x : Tensor, shape (n, channels, H, W)
    alpha : float
        Above 0; 6 in the source.
    typical : float
        B, in units of the pixels.

    Raises
    ------
    ValueError
        No images, or a constant that is not above 0.

    Examples
    --------
    >>> alpha_norm(torch.full((1, 1, 4, 4), 0.5), alpha=2, typical=0.5)
    tensor([1.])
    """
    alpha, typical = _positive(alpha, "alpha"), _positive(typical, "typical")
    squares = (_images(x) / typical).square().sum(1)
    return _power(squares, alpha / 2).flatten(1).mean(1)


def total_variation(x, beta: float = 2, slope: float = PENALTY_SLOPE) -> torch.Tensor:
    r"""Return the total variation TV^beta of each image, shape (n,).

    .. math::

        R_{TV^\beta}(x) = \frac{1}{H W V^\beta} \sum_{v,u,k}
            \Bigl((x(v, u+1, k) - x(v, u, k))^2 + (x(v+1, u, k) - x(v, u, k))^2\Bigr)^{\beta/2}

    Differences that leave the image are 0. beta = 1 is the usual total variation, which spikes at few
    steep edges; beta = 2, as in the source, spreads a change over many pixels.

    Parameters
    ----------
    x : Tensor, shape (n, channels, H, W)
    beta : float
        Above 0. Below 2 the gradient is taken as 0 where the image is flat.
    slope : float
        V, in units of the pixels per pixel.

    Raises
    ------
    ValueError
        No images, or a constant that is not above 0.

    Examples
    --------
    >>> ramp = torch.arange(5.0).expand(1, 1, 3, 5)
    >>> total_variation(ramp, beta=1, slope=1.0) * 15  # 4 steps in each of 3 rows
    tensor([12.])
    """
    beta, slope = _positive(beta, "beta"), _positive(slope, "slope")
    x = _images(x) / slope
    right, down = torch.zeros_like(x), torch.zeros_like(x)
    right[..., :, :-1] = x[..., :, 1:] - x[..., :, :-1]
    down[..., :-1, :] = x[..., 1:, :] - x[..., :-1, :]
    pixels = x.shape[-2] * x.shape[-1]
    return _power(right.square() + down.square(), beta / 2).flatten(1).sum(1) / pixels


@dataclass(frozen=True)
class Penalty:
    """A row of ``PENALTIES``: what it asks of an image, and the function, images (n, ...) to values (n,)."""

    asks: str
    value: Callable[..., torch.Tensor]


REGULARISERS = {
    "norm": Penalty("colours of ordinary strength", alpha_norm),
    "tv": Penalty("small differences of neighbouring pixels", total_variation),
}
"""The penalties of :func:`penalty` by name."""


def penalty(x, weights: Mapping[str, float]) -> torch.Tensor:
    """Return the weighted sum of penalties of each image, shape (n,).

    Parameters
    ----------
    x : Tensor, shape (n, channels, H, W)
    weights : dict of str to float
        Names of ``PENALTIES``; empty for none.

    Raises
    ------
    ValueError
        An unknown penalty.

    Examples
    --------
    >>> flat = torch.full((1, 1, 4, 4), TYPICAL)
    >>> penalty(flat, {"norm": 2.0, "tv": 5.0})
    tensor([2.])
    """
    total = _images(x).new_zeros(len(x))
    for name, weight in weights.items():
        total = total + float(finite(weight, f"weight of {name}")) * REGULARISERS[choice(name, REGULARISERS, "penalty")].value(
            x
        )
    return total


def shorten_colours(x, limit: float = LIMIT) -> torch.Tensor:
    r"""Return the images with the colour of each pixel shortened to norm ``limit`` where it is longer.

    .. math:: x(v, u, \cdot) \to x(v, u, \cdot)\, \min(1,\; B_+ / \lVert x(v, u, \cdot) \rVert_2)

    The projection onto the hard constraint: the identity inside.

    Examples
    --------
    >>> shorten_colours(torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1), limit=1.0).flatten()
    tensor([0.6000, 0.8000])
    """
    limit = _positive(limit, "limit")
    norm = _images(x).square().sum(1, keepdim=True).sqrt()
    return torch.where(norm > limit, x * (limit / torch.where(norm > limit, norm, 1.0)), x)


def jitter(x, rows: int, columns: int) -> torch.Tensor:
    """Return the images shifted cyclically by whole pixels: a permutation of the pixels.

    (The source cuts a window at a random place out of a slightly larger image.)

    Examples
    --------
    >>> jitter(torch.arange(3.0).reshape(1, 1, 1, 3), 0, 1).flatten()
    tensor([2., 0., 1.])
    """
    return torch.roll(_images(x), (int(rows), int(columns)), dims=(-2, -1))


def stride_shift(stride) -> int:
    """How many places the jitter has along each axis, T = max(1, round(stride / 4)), as in the source.

    Parameters
    ----------
    stride : int
        Pixels of the image per place of the layer.

    Examples
    --------
    >>> stride_shift(4), stride_shift(32)
    (1, 8)
    """
    integer(stride, "stride")
    return max(1, round(stride / 4))


@dataclass(frozen=True)
class Recipe:
    """A row of ``RECIPES``: penalties with their weights, whether colours are bounded, whether the image is shifted."""

    penalties: Mapping[str, float]
    bounded: bool = True
    jitter: bool = True


IMAGE_RECIPES = {
    "nothing": Recipe({}, bounded=False, jitter=False),
    "bound": Recipe({}, jitter=False),
    "bound, norm": Recipe({"norm": 1.0}, jitter=False),
    "bound, norm, TV": Recipe({"norm": 1.0, "tv": 1.0}, jitter=False),
    "all": Recipe({"norm": 1.0, "tv": 1.0}),
    "all but TV": Recipe({"norm": 1.0}),
}
"""What an image is held to, from nothing to all; the last leaves out one."""
