"""Random fully connected networks, several of one shape at once, and what they make of points.

Several networks lie in one list of tensors: ``weights[d]`` has shape (S, inputs, outputs), S networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from keyfilters.checks import choice, finite, integer

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "hard-tanh": F.hardtanh,
    "tanh": torch.tanh,
}


@dataclass(frozen=True)
class StartSetting:
    """Activation and variance of the weights at the start.

    Attributes
    ----------
    label : str
    activation : {"relu", "hard-tanh", "tanh"}
    variance : float
        sigma_w^2; a weight is drawn from N(0, sigma_w^2 / width).
    """

    label: str
    activation: str
    variance: float


START_SETTINGS: dict[str, StartSetting] = {
    "relu": StartSetting(r"ReLU, $\sigma_w^2 = 2$", "relu", 2.0),
    "hard-tanh": StartSetting(r"hard tanh, $\sigma_w^2 = 2$", "hard-tanh", 2.0),
    "tanh": StartSetting(r"tanh, $\sigma_w^2 = 2$", "tanh", 2.0),
    "chaotic": StartSetting(r"hard tanh, $\sigma_w^2 = 16$", "hard-tanh", 16.0),
}
"""Three usual starts, and one whose weights are large."""


def activation(name) -> Callable[[torch.Tensor], torch.Tensor]:
    """The activation of a name; ValueError, listing the names, for an unknown one."""
    return ACTIVATIONS[choice(name, ACTIVATIONS, "activation")]


def random_weights(
    seeds: Sequence[int], variance: float, *, depth: int = 8, width: int = 100, inputs: int = 784, classes: int = 10,
    dtype: torch.dtype = torch.float32,
) -> list[torch.Tensor]:  # fmt: skip
    r"""Random fully connected networks without bias: weights :math:`W^{(d)}_{ij} \sim N(0, \sigma_w^2 / k)`.

    Parameters
    ----------
    seeds : sequence of int
        One per network; the same seed gives the same network, whatever the others are.
    variance : float
        sigma_w^2 > 0.
    depth, width, inputs, classes : int
        Hidden layers, units of each (k), pixels, outputs.

    Returns
    -------
    list of tensors
        Shapes (S, inputs, k), depth - 1 times (S, k, k), and (S, k, classes).

    Raises
    ------
    ValueError
        For a variance that is not positive, counts below 1, or no seed.

    Source: Raghu et al. (2017), section 2; the variance is divided by the width in the first layer too.

    Examples
    --------
    >>> [tuple(w.shape) for w in random_weights([0, 1], 2.0, depth=2, width=5, inputs=3, classes=4)]
    [(2, 3, 5), (2, 5, 5), (2, 5, 4)]
    """
    variance = float(finite(variance, "variance"))
    if variance <= 0:
        raise ValueError(f"variance is {variance:g}: expected a number > 0")
    depth, width = integer(depth, "depth"), integer(width, "width")
    inputs, classes = integer(inputs, "inputs"), integer(classes, "classes")
    seeds = [integer(seed, "seed", 0) for seed in seeds]
    if not seeds:
        raise ValueError("seeds is empty: expected at least one")
    sizes = [inputs, *[width] * depth, classes]
    scale = math.sqrt(variance / width)
    draws = [np.random.default_rng((seed, 5)) for seed in seeds]
    return [
        torch.tensor(scale * np.stack([rng.standard_normal((a, b)) for rng in draws]), dtype=dtype)
        for a, b in zip(sizes[:-1], sizes[1:], strict=True)
    ]


def hidden_layers(weights, x: torch.Tensor, name: str) -> list[torch.Tensor]:
    """The images z^(1), ..., z^(n) of points in the hidden layers.

    Parameters
    ----------
    weights : list of tensors, as of :func:`random_weights`
    x : tensor, shape (N, inputs) or (S, N, inputs)
    name : str
        The activation.

    Returns
    -------
    list of tensors, each (S, N, width)

    Examples
    --------
    >>> z = hidden_layers(random_weights([0], 1.0, depth=3, width=5, inputs=2), torch.ones(4, 2), "relu")
    >>> len(z), tuple(z[0].shape)
    (3, (1, 4, 5))
    """
    act, found = activation(name), []
    z = x.expand(weights[0].shape[0], -1, -1) if x.ndim == 2 else x
    for w in weights[:-1]:
        z = act(z @ w)
        found.append(z)
    return found


def logits(weights, x: torch.Tensor, name: str) -> torch.Tensor:
    """Outputs of every network, shape (S, N, classes)."""
    return hidden_layers(weights, x, name)[-1] @ weights[-1]


def standardised_rows(images, width: int, like=None) -> torch.Tensor:
    """Images as rows of float32, standardised and scaled so that the mean squared norm is the width.

    Then the units of the first layer have the variance sigma_w^2 before their activation. ``like``: the images
    that mean and spread are taken from, if not these.

    Examples
    --------
    >>> x = standardised_rows(np.random.default_rng(0).integers(0, 256, (50, 4, 4)), 100)
    >>> tuple(x.shape), round(float((x**2).sum(1).mean()), 3)
    ((50, 16), 100.0)
    """
    array = finite(images, "images").reshape(len(images), -1)
    source = array if like is None else finite(like, "like")
    if source.std() == 0:
        raise ValueError("the images are constant: expected some contrast")
    scale = math.sqrt(integer(width, "width") / array.shape[1]) / source.std()
    return torch.tensor((array - source.mean()) * scale, dtype=torch.float32)
