"""Activation maximisation: an image that drives a channel of a network, and what to compare it with.

Source: Mahendran and Vedaldi (2016). The objective here is the mean of a channel over all places, in standard
deviations of the same mean on photographs; theirs is a single place, over its largest value on ImageNet. Like
theirs the steps have momentum and are scaled by a leaky sum of squared gradients; here a pixel's colours share
that sum (see :func:`descend`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from keyfilters.checks import choice, finite, integer

from .probing import channels_of, over_places, responses, run_through
from .regularisers import IMAGE_RECIPES, LIMIT, TYPICAL, Recipe, jitter, penalty, shorten_colours, stride_shift

__all__ = ["Baseline", "Maximised", "baseline", "baselines", "descend", "fine_share", "maximise", "unit_score", "start"]

MOMENTUM, MEMORY, TINY = 0.9, 0.99, 1e-12


@dataclass(frozen=True)
class Baseline:
    """What the channels of a layer do on photographs.

    Attributes
    ----------
    values : Tensor, shape (photographs, C)
        Mean over the places.
    mean, spread : Tensor, shape (C,)
        Over the photographs; the spread of a channel that is constant is infinite (its scores are 0).
    """

    values: torch.Tensor
    mean: torch.Tensor
    spread: torch.Tensor

    def scores(self, values: torch.Tensor) -> torch.Tensor:
        """Values (..., C) in standard deviations from the mean on photographs."""
        return (values - self.mean) / self.spread


def baseline(model: nn.Module, images: torch.Tensor, layer: str, batch_size: int = 8) -> Baseline:
    """Return mean and spread of the channels of a layer on photographs; see :class:`Baseline`.

    Raises
    ------
    ValueError
        An unknown layer, or less than two images.

    Examples
    --------
    >>> found = baseline(nn.Sequential(nn.Identity()), torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1), "0")
    >>> found.scores(torch.tensor([[1.0], [3.0]])).flatten().round(decimals=3)
    tensor([0.0000, 1.4140])
    """
    return baselines(model, images, [layer], batch_size)[layer]


def baselines(model: nn.Module, images: torch.Tensor, layers: Sequence[str], batch_size: int = 8) -> dict[str, Baseline]:
    """Return the baselines of several layers, from one pass over the images; as :func:`baseline` for each.

    Examples
    --------
    >>> network = nn.Sequential(nn.Identity(), nn.ReLU())
    >>> found = baselines(network, torch.tensor([-2.0, 2.0]).reshape(2, 1, 1, 1), ["0", "1"])
    >>> {name: known.mean.item() for name, known in found.items()}
    {'0': 0.0, '1': 1.0}
    """
    if len(images) < 2:
        raise ValueError(f"there are {len(images)} images: expected at least 2, for a spread")
    parts: dict[str, list[torch.Tensor]] = {name: [] for name in layers}
    with torch.no_grad():
        for part in images.split(batch_size):
            for name, output in run_through(model, part, layers).items():
                parts[name].append(over_places(output))
    return {name: _baseline(torch.cat(values)) for name, values in parts.items()}


def _baseline(values: torch.Tensor) -> Baseline:
    spread = values.std(0)
    return Baseline(values, values.mean(0), torch.where(spread > 0, spread, torch.inf))


def unit_score(model: nn.Module, images: torch.Tensor, layer: str, channels, known: Baseline) -> torch.Tensor:
    r"""Return the score of channel ``channels[i]`` on image ``i``, shape (n,).

    .. math:: z_c(x) = \frac{a_c(x) - \mu_c}{\sigma_c}, \qquad a_c(x) = \frac{1}{|\Omega|} \sum_{p \in \Omega} \Phi_c(x; p)

    with mean and standard deviation of the channel's response on photographs. Differentiable.
    """
    scores = known.scores(responses(model, images, layer))
    return scores[torch.arange(len(images)), torch.as_tensor(channels)]


def start(count: int, size: int, seed: int = 0, like: torch.Tensor | None = None) -> torch.Tensor:
    """Return images of weak noise, (count, 3, size, size): normal, with a tenth of the typical colour norm.

    All images are alike, so that what comes out differs by the unit alone.

    Examples
    --------
    >>> one, other = start(2, 8)
    >>> one.shape, torch.equal(one, other)
    (torch.Size([3, 8, 8]), True)
    """
    size = integer(size, "size", 2)
    draw = torch.Generator().manual_seed(integer(seed, "seed", 0))
    noise = 0.1 * TYPICAL / 3**0.5 * torch.randn(1, 3, size, size, generator=draw, dtype=torch.float64)
    noise = noise.to(torch.float32 if like is None else like.dtype)
    return noise.expand(integer(count, "count", 1), -1, -1, -1).contiguous(memory_format=torch.channels_last)


def descend(
    loss: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor, recipe: Recipe, steps: int,
    rate: float = 0.1, places: int = 1, seed: int = 0,
) -> torch.Tensor:  # fmt: skip
    r"""Return the images after ``steps`` steps down ``loss`` plus the penalties of a recipe.

    With g the gradient, and t the number of the step,

    .. math::

        m \gets 0.9\, m + 0.1\, g, \quad v \gets 0.99\, v + 0.01\, \tfrac13 \textstyle\sum_k g_k^2, \quad
        x \gets P\Bigl(x - \rho\, \frac{m / (1 - 0.9^t)}{\sqrt{v / (1 - 0.99^t)}}\Bigr),

    which is Adam but for v: one number for the colours k of a pixel. A step then never turns a colour away
    from its gradient, so with the projection P onto bounded colours the rest points are those of the
    problem; with a v for each colour, colours would be driven to the corners of a cube. The images do not
    influence each other.

    Parameters
    ----------
    loss : callable
        Images (n, ...) to values (n,); it sees the shifted images.
    images : Tensor, shape (n, 3, rows, columns)
        The start; not changed.
    recipe : Recipe
    steps : int
    rate : float
        rho, the size of the first steps in units of the pixels; it falls to a tenth along a half cosine.
    places : int
        Of the jitter along each axis: shifts 0 to ``places - 1``, the same for all images of a step.
    seed : int
        Of the jitter.
    """
    steps, places = integer(steps, "steps", 1), integer(places, "places", 1)
    draw = torch.Generator().manual_seed(integer(seed, "seed", 0))
    x = images.clone().requires_grad_()
    rate = float(finite(rate, "rate"))
    first, second = torch.zeros_like(images), torch.zeros_like(images[:, :1])
    for step in range(steps):
        shift = torch.randint(places, (2,), generator=draw).tolist() if recipe.jitter else (0, 0)
        seen = jitter(x, *shift) if any(shift) else x
        total = (loss(seen) + penalty(x, recipe.penalties)).sum()
        (gradient,) = torch.autograd.grad(total, x)
        with torch.no_grad():
            first.lerp_(gradient, 1 - MOMENTUM)
            second.lerp_(gradient.square().mean(1, keepdim=True), 1 - MEMORY)
            spread = (second / (1 - MEMORY ** (step + 1))).sqrt_().add_(TINY)
            now = rate * (0.55 + 0.45 * math.cos(math.pi * step / steps))
            x.addcdiv_(first, spread, value=-now / (1 - MOMENTUM ** (step + 1)))
            if recipe.bounded:
                x.copy_(shorten_colours(x, LIMIT))
    return x.detach()


@dataclass(frozen=True)
class Maximised:
    """Images that drive units.

    Attributes
    ----------
    layer : str
    channels : list of int
    images : Tensor, shape (n, 3, size, size)
    scores : ndarray, shape (n,)
        Of each image on its unit, without shift, in standard deviations from the mean on photographs.
    """

    layer: str
    channels: list[int]
    images: torch.Tensor
    scores: np.ndarray


def _recipe(recipe) -> Recipe:
    return recipe if isinstance(recipe, Recipe) else IMAGE_RECIPES[choice(recipe, IMAGE_RECIPES, "recipe")]


def maximise(
    model: nn.Module, layer: str, channels, known: Baseline, *, recipe="all", size: int = 96, stride: int = 1,
    steps: int = 40, weight: float = 0.5, rate: float = 0.1, seed: int = 0,
) -> Maximised:  # fmt: skip
    r"""Return images that drive channels of a layer, one image for each.

    .. math:: \min_x\; -w\, z_c(\tau x) + R(x)

    with the score z of :func:`unit_score`, the jitter tau and the penalties R of a recipe.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode; its parameters are not changed.
    layer : str
    channels : sequence of int
    known : Baseline
        Of this layer of this network.
    recipe : str or Recipe
        A name of ``RECIPES``.
    size : int
        Side of the images in pixels.
    stride : int
        Pixels of the image per place of the layer, from which the jitter follows.
    steps : int
    weight : float
        w, what a standard deviation is worth against the penalties.
    rate : float
    seed : int
        Of the start and of the jitter: the same seed gives the same images.

    Raises
    ------
    ValueError
        An unknown layer, unit or recipe, in one line.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 2, 3)).eval()
    >>> known = baseline(network, torch.rand(4, 3, 8, 8), "0")
    >>> found = maximise(network, "0", [1], known, size=8, steps=3)
    >>> found.channels, found.images.shape
    ([1], torch.Size([1, 3, 8, 8]))
    """
    channels, recipe = channels_of(model, layer, channels, integer(size, "size", 2)), _recipe(recipe)
    first = next(model.parameters(), None)
    begin = start(len(channels), size, seed, like=first)
    weight = float(finite(weight, "weight"))
    images = descend(
        lambda x: -weight * unit_score(model, x, layer, channels, known), begin, recipe, steps, rate, stride_shift(stride), seed
    )
    with torch.no_grad():
        scores = unit_score(model, images, layer, channels, known)
    return Maximised(layer, channels, images, scores.double().numpy())


def fine_share(images, cut: float = 0.25) -> np.ndarray:
    r"""Return the share of the energy of each image above a spatial frequency, shape (n,).

    .. math:: \frac{\sum_{|f| > f_c} |\hat x(f)|^2}{\sum_{f \ne 0} |\hat x(f)|^2}

    of the colour channels less their means, under a Hann window (the border of a photograph is no edge).

    Parameters
    ----------
    images : array_like, shape (n, channels, rows, columns)
    cut : float
        In cycles per pixel; Nyquist's frequency is 0.5.

    Raises
    ------
    ValueError
        Not images, or flat ones.

    Examples
    --------
    >>> board = np.indices((16, 16)).sum(0) % 2.0
    >>> slow = np.cos(2 * np.pi * np.arange(16) / 16) * np.ones((16, 1))
    >>> fine_share(np.stack([board, slow])[:, None]).round(3) + 0.0
    array([1., 0.])
    """
    x = finite(images, "images")
    if x.ndim != 4:
        raise ValueError(f"the images have shape {x.shape}: expected (n, channels, rows, columns)")
    window = np.hanning(x.shape[2] + 2)[1:-1, None] * np.hanning(x.shape[3] + 2)[1:-1]
    x = x - (x * window).sum((2, 3), keepdims=True) / window.sum()
    energy = np.abs(np.fft.fft2(x * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(x.shape[2])[:, None], np.fft.fftfreq(x.shape[3]))
    total = energy.sum((1, 2, 3))
    if not (total > 0).all():
        raise ValueError(f"image {int(np.argmin(total))} is flat: expected images that vary")
    return energy[..., frequency > cut].sum((1, 2)) / total
