"""Inversion: an image whose representation is that of a given one.

Source: Mahendran and Vedaldi (2016), section 4. The error is theirs squared over the squared norm of the
representation itself, the normalisation of their loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from keyfilters.checks import choice, finite

from .probing import run_to
from .regularisers import IMAGE_RECIPES, Recipe, stride_shift
from .visualisation import descend, start

__all__ = ["Inverted", "invert", "reconstruction_error", "pixel_correlation"]


def reconstruction_error(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    r"""Return the normalised error of representations, shape (n,).

    .. math:: e = \frac{\lVert \Phi(x) - \Phi_0 \rVert^2}{\lVert \Phi_0 \rVert^2}

    0 for a perfect inversion, 1 for a representation of nothing but zeros.

    Parameters
    ----------
    found, wanted : Tensor, shape (n, ...)

    Raises
    ------
    ValueError
        Different shapes, or a wanted representation that is all zero.

    Examples
    --------
    >>> reconstruction_error(torch.tensor([[0.0, 2.0]]), torch.tensor([[0.0, 4.0]]))
    tensor([0.2500])
    """
    if found.shape != wanted.shape:
        raise ValueError(f"the representations have shapes {tuple(found.shape)} and {tuple(wanted.shape)}: expected the same")
    scale = wanted.flatten(1).square().sum(1)
    if not (scale > 0).all():
        raise ValueError("a wanted representation is all zero: expected an image that the layer responds to")
    return (found - wanted).flatten(1).square().sum(1) / scale


def pixel_correlation(one, other) -> np.ndarray:
    """Return the correlation of the pixels of each pair of images, shape (n,).

    Each colour channel less its mean, so that a wrong tint is not counted as an error of the picture.

    Parameters
    ----------
    one, other : array_like, shape (n, channels, rows, columns)

    Raises
    ------
    ValueError
        Different shapes, or a flat image.

    Examples
    --------
    >>> x = np.arange(8.0).reshape(1, 2, 2, 2)
    >>> pixel_correlation(x, 3 - 2 * x).round(6)
    array([-1.])
    """
    a, b = finite(one, "one"), finite(other, "other")
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(f"the images have shapes {a.shape} and {b.shape}: expected the same, (n, channels, rows, columns)")
    a, b = (x - x.mean((2, 3), keepdims=True) for x in (a, b))
    norms = np.sqrt((a**2).sum((1, 2, 3)) * (b**2).sum((1, 2, 3)))
    if not (norms > 0).all():
        raise ValueError(f"image {int(np.argmin(norms))} of a pair is flat: expected images that vary")
    return (a * b).sum((1, 2, 3)) / norms


@dataclass(frozen=True)
class Inverted:
    """Images found from representations.

    Attributes
    ----------
    layer : str
    images : Tensor, shape (n, 3, rows, columns)
    errors : ndarray, shape (n,)
        Of the representations, see :func:`reconstruction_error`.
    """

    layer: str
    images: torch.Tensor
    errors: np.ndarray


def invert(
    model: nn.Module, targets: torch.Tensor, layer: str, *, recipe="all", stride: int = 1, steps: int = 60,
    weight: float = 30.0, rate: float = 0.1, seed: int = 0,
) -> Inverted:  # fmt: skip
    r"""Return images whose representation at a layer is that of the targets, starting from weak noise.

    .. math:: \min_x\; w\, \frac{\lVert \Phi(\tau x) - \Phi(x_0) \rVert^2}{\lVert \Phi(x_0) \rVert^2} + R(x)

    Parameters
    ----------
    model : nn.Module
        In evaluation mode.
    targets : Tensor, shape (n, 3, size, size)
        The images x0. Only their representations are used.
    layer, recipe, stride, steps, rate, seed
        As in :func:`keyfilters_book.background.visualisation.maximise`. As in the source the last
        seventh of the steps is without jitter.
    weight : float
        w, of the error against the penalties.

    Raises
    ------
    ValueError
        An unknown layer or recipe, targets that are not square images.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3)).eval()
    >>> draw = torch.Generator().manual_seed(0)
    >>> found = invert(network, torch.rand(1, 3, 8, 8, generator=draw), "0", steps=20)
    >>> found.images.shape, bool(found.errors[0] < 0.5)
    (torch.Size([1, 3, 8, 8]), True)
    """
    if targets.ndim != 4 or targets.shape[2] != targets.shape[3]:
        raise ValueError(f"targets have shape {tuple(targets.shape)}: expected (n, 3, size, size)")
    recipe = recipe if isinstance(recipe, Recipe) else IMAGE_RECIPES[choice(recipe, IMAGE_RECIPES, "recipe")]
    weight = float(finite(weight, "weight"))
    with torch.no_grad():
        wanted = run_to(model, targets, layer)
    still = Recipe(recipe.penalties, recipe.bounded, jitter=False)

    def loss(x):
        return weight * reconstruction_error(run_to(model, x, layer), wanted)

    images = start(len(targets), targets.shape[-1], seed, like=targets)
    places = stride_shift(stride)
    last = max(1, steps // 7)
    if places > 1 and recipe.jitter and steps > last:
        images = descend(loss, images, recipe, steps - last, rate, places, seed)
        images = descend(loss, images, still, last, 0.1 * rate)
    else:
        images = descend(loss, images, still, steps, rate)
    with torch.no_grad():
        errors = reconstruction_error(run_to(model, images, layer), wanted)
    return Inverted(layer, images, errors.double().numpy())
