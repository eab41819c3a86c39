"""One depthwise layer learned, the others frozen keys: the reduced ConvNeXt V2 with its layers thawed one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from keyfilters.checks import choice
from keyfilters.networks.surgery.depthwise import find_depthwise
from keyfilters.networks.surgery.replacing import fold
from keyfilters.networks.training.batches import ArrayImages, seed_start
from keyfilters.networks.training.loop import train_network
from keyfilters.networks.training.recipes import TrainConfig
from keyfilters.networks.zoo.small import SmallConvNeXt

from ..experiments.variants import give_filters
from .single_layer import accuracies

REST = ("trained", "frozen", "head")
SCALE = 1.0
"""l2 norm of every depthwise filter at the start."""


def key_network(seed: int, *, learned: Sequence[int] = (), rest: str = "trained", dims=(8, 8), depths=(2, 2)) -> SmallConvNeXt:
    """A reduced ConvNeXt V2 whose depthwise filters are the idealised keys, but for the layers that learn.

    With the same seed everything but the filters of the learned layers is the same, so that runs can be paired.

    Parameters
    ----------
    seed : int
    learned : sequence of int
        Depthwise layers, counted from 1, whose filters are trained; they start at random with the norm of the keys.
    rest : {"trained", "frozen", "head"}
        What happens to all other weights (depthwise biases included): trained as usual; frozen at random,
        variances kept from layer to layer; or frozen but for the readout.
    dims, depths : tuple
        As of :class:`SmallConvNeXt`.

    Raises
    ------
    ValueError
        For a layer that is not there or an unknown ``rest``.

    Examples
    --------
    >>> network = key_network(0, learned=[2], rest="frozen")
    >>> [name for name, p in network.named_parameters() if p.requires_grad]
    ['stages.0.blocks.1.conv_dw.weight']
    """
    choice(rest, REST, "rest")
    seed_start(seed)
    network = SmallConvNeXt(dims=dims, depths=depths)
    network = fold(give_filters(network, "ideal-B", SCALE, seed))
    layers = [d.module for d in find_depthwise(network)]
    wrong = [d for d in learned if d not in range(1, len(layers) + 1)]
    if wrong:
        raise ValueError(f"learned holds {wrong[0]!r}: expected layers from 1 to {len(layers)}")
    if rest != "trained":
        _keep_variance(network, layers, seed)
        for name, p in network.named_parameters():
            p.requires_grad_(rest == "head" and name.startswith("head."))
    for number, conv in enumerate(layers, start=1):
        conv.weight.requires_grad_(number in learned)
        if number in learned:
            draw = np.random.default_rng((seed, 11, number)).standard_normal(tuple(conv.weight.shape))
            with torch.no_grad():
                conv.weight.copy_(torch.tensor(SCALE / conv.kernel_size[0] * draw))
    return network


def _keep_variance(network, depthwise, seed) -> None:
    """Weights from N(0, 1 / fan-in): the usual start is so small that a frozen branch would be next to nothing."""
    rng = np.random.default_rng((seed, 12))
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and not any(module is d for d in depthwise):
            shape = tuple(module.weight.shape)
            with torch.no_grad():
                module.weight.copy_(torch.tensor(rng.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))))


def train_and_judge(network: nn.Module, train, test, *, epochs: int, seed: int, rate: float = 1e-2, batch: int = 32) -> float:
    """Train what is not frozen, by the book's recipe, and return the accuracy on the test images.

    AdamW with weight decay 0.05, cosine schedule after a warm-up of 15 % of the steps, gradients
    clipped to norm 1.

    Parameters
    ----------
    network : nn.Module
    train, test : (images, labels)
        uint8 (N, 28, 28) and int64 (N,).
    epochs : int
        0 judges the network as it is.
    seed : int
        Of the order of the images.
    rate, batch : float, int
        Largest learning rate; images a step.

    Examples
    --------
    >>> images = np.zeros((64, 28, 28), np.uint8)
    >>> train_and_judge(key_network(0), (images, np.zeros(64, int)), (images, np.zeros(64, int)), epochs=0, seed=0) in (0.0, 1.0)
    True
    """
    seen = ArrayImages(*train)
    if epochs:
        config = TrainConfig(
            epochs=epochs, batch_size=batch, lr=rate, weight_decay=0.05, warmup_epochs=0.15 * epochs, clip=1.0, seed=seed, device="cpu",
            num_classes=10, channels_last=True,
        )  # fmt: skip
        train_network(network, seen, None, config)
    judged = ArrayImages(*test, mean=seen.mean, std=seen.std)
    x, y = judged.batch(np.arange(len(judged)))
    network.eval()
    return float(accuracies(lambda images: network(images.contiguous(memory_format=torch.channels_last)), x, y, 500))
