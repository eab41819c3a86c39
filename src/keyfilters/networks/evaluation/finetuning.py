"""Mending a network after its filters were replaced, with gradients: a short training toward the reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ...checks import integer
from ..layers.weights import ComputedWeight, Device
from .forward import batches_of, check_model, device_of, evaluating, logits_of
from .judging import divergence
from .recalibration import match_statistics, recalibrate

__all__ = ["TRAINABLE", "Distillation", "distill", "match_statistics", "outputs_of", "recalibrate", "trainable_parameters"]


def _is_norm(module: nn.Module) -> bool:
    from timm.layers.grn import GlobalResponseNorm

    return isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, GlobalResponseNorm))


def _is_pointwise(module: nn.Module) -> bool:
    one_by_one = isinstance(module, nn.Conv2d) and tuple(module.kernel_size) == (1, 1) and module.groups == 1
    return one_by_one or isinstance(module, nn.Linear)


TRAINABLE = {
    "norm": _is_norm,
    "pointwise": _is_pointwise,
    "depthwise": lambda m: isinstance(m, ComputedWeight) or (isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1),
}
"""What :func:`distill` can train, joined by ``+``; the classifier itself is never trained."""


def trainable_parameters(model: nn.Module, trainable: str = "pointwise+norm") -> list[nn.Parameter]:
    """Return the parameters of the kinds named, each once, without the classifier's.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(2, 2, 3, groups=2), nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4))
    >>> [len(trainable_parameters(model, kinds)) for kinds in ("norm", "pointwise+norm", "depthwise")]
    [2, 4, 2]
    """
    kinds = trainable.split("+") if isinstance(trainable, str) else []
    if not kinds or not set(kinds) <= set(TRAINABLE):
        raise ValueError(f"unknown trainable {trainable!r}: expected one or more of {', '.join(TRAINABLE)}, joined by +")
    classifier = model.get_classifier() if hasattr(model, "get_classifier") else None
    spared = {id(p) for p in classifier.parameters()} if isinstance(classifier, nn.Module) else set()
    chosen: dict[int, nn.Parameter] = {}
    for module in model.modules():
        if any(TRAINABLE[kind](module) for kind in kinds):
            chosen |= {id(p): p for p in module.parameters(recurse=False) if id(p) not in spared}
    return list(chosen.values())


def outputs_of(model: nn.Module, batches: Iterable, device: Device = None) -> list[torch.Tensor]:
    """The logits of a network in evaluation mode, one tensor for each batch of images."""
    device = device_of(check_model(model, "reference"), device)
    model.to(device)
    with evaluating(model):
        return [logits_of(model, images, device) for images in batches]


@dataclass(frozen=True)
class Distillation:
    """A short training: ``steps``, ``trained`` (how many numbers), ``kl`` before each step (nats, shape (steps,))."""

    steps: int
    trained: int
    kl: np.ndarray = field(repr=False)


def distill(
    model: nn.Module,
    reference: Any,
    data: Any,
    steps: int = 100,
    lr: float = 1e-4,
    seed: int = 0,
    trainable: str = "pointwise+norm",
    *,
    device: Device = None,
    batch_size: int = 32,
    at_once: int | None = None,
) -> Distillation:
    """Train a network for a few steps toward the outputs of a reference; no labels are needed.

    The loss is KL(reference || model); Adam, the rate falling to 0 along a cosine. Batch norms keep their
    running statistics (recalibrate first), and dropout is off: with the same seed, data and threads the
    weights are the same, bit by bit on the CPU.

    A few images are learned by heart: judge the result on others, and rather take many crops once than a
    few of them often. ``trainable="norm"`` has the least to learn by heart with.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    reference : nn.Module or sequence of tensors
        Gives the outputs to come near to: a network, or its logits for each batch where they are known already.
    data : tensors, Dataset or iterable of batches
        Kept in memory; the order of the batches is drawn anew in each round.
    steps : int
        0 or more; one batch each.
    lr : float
        First learning rate.
    seed : int
        For the order.
    trainable : str
        ``"pointwise"``, ``"norm"``, ``"depthwise"``, joined by ``+``; the replaced filters stay frozen in
        the default, and the classifier always.
    at_once : int, optional
        Images that go through the network at once; the gradients of a batch are summed over its pieces, which takes less
        memory. By default a whole batch.

    Raises
    ------
    ValueError
        For an unknown ``trainable`` or one that names nothing in this network, no images, steps or a rate
        out of range, or a loss that is no longer finite.

    Source: Hinton, Vinyals and Dean (2015), with temperature 1.
    """
    integer(steps, "steps", 0)
    if at_once is not None:
        integer(at_once, "at_once", 1)
    if not (isinstance(lr, (int, float, np.floating)) and np.isfinite(lr) and lr > 0):
        raise ValueError(f"lr is {lr!r}: expected a learning rate > 0")
    device = device_of(check_model(model), device)
    model.to(device)
    parameters = trainable_parameters(model, trainable)
    if not parameters:
        raise ValueError(
            f"trainable is {trainable!r}, and the network has no such parameters: choose another of {', '.join(TRAINABLE)}"
        )
    batches = [images for images, _ in batches_of(data, batch_size) if len(images)]
    targets = reference if isinstance(reference, (list, tuple)) else outputs_of(reference, batches, device)
    if [len(part) for part in targets] != [len(images) for images in batches]:
        raise ValueError("reference holds other numbers of logits than there are images: expected one tensor for each batch")
    flags = [(p, p.requires_grad) for p in model.parameters()]
    order, draw = [], torch.Generator().manual_seed(seed)
    losses = []
    try:
        for p, _ in flags:
            p.requires_grad_(False)
        for p in parameters:
            p.requires_grad_(True)
        optimiser = torch.optim.Adam(parameters, lr=lr)
        with evaluating(model), torch.enable_grad():
            for step in range(int(steps)):
                order = order or torch.randperm(len(batches), generator=draw).tolist()
                i = order.pop()
                optimiser.param_groups[0]["lr"] = lr * (1 + np.cos(np.pi * step / steps)) / 2
                optimiser.zero_grad(set_to_none=True)
                size, total = at_once or len(batches[i]), 0.0
                for images, target in zip(batches[i].split(size), targets[i].split(size), strict=True):
                    loss = divergence(logits_of(model, images, device), target).sum() / len(batches[i])
                    if not torch.isfinite(loss):
                        raise ValueError(f"the loss is not finite at step {step}: take a smaller lr than {lr:g}")
                    loss.backward()
                    total += loss.item()
                optimiser.step()
                losses.append(total)
    finally:
        for p, flag in flags:
            p.requires_grad_(flag)
            p.grad = None
    return Distillation(int(steps), sum(p.numel() for p in parameters), np.array(losses))
