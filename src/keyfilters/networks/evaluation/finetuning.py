"""Mending a network after its filters were replaced: statistics of norms and layers, or a short training toward the reference."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...checks import integer
from ..layers.base import ComputedWeight, Device, weight_of
from ..surgery.depthwise import find_depthwise
from .judging import batches_of, check_model, device_of, divergence, evaluating, logits_of, outputs_of_batch

__all__ = ["TRAINABLE", "Distillation", "distill", "match_statistics", "outputs_of", "recalibrate", "trainable_parameters"]


class _Sums:
    """Per-channel mean and variance of all that passes, in double precision (channels are axis 1)."""

    def __init__(self) -> None:
        self.count, self.mean, self.square = 0, 0.0, 0.0

    def add(self, x: torch.Tensor) -> None:
        x = x.detach().double().transpose(0, 1).flatten(1)
        self.merge(x.shape[1], x.mean(1), x.var(1, correction=0) * x.shape[1])

    def merge(self, count: int, mean: torch.Tensor, square: torch.Tensor) -> None:
        """Add a part of which only the mean and the sum of the squared distances from it are known."""
        # Chan's update: a sum of squares would lose the digits of a small variance beside a large mean.
        total = self.count + count
        if self.count:
            step = mean - self.mean
            square = self.square + square + step**2 * (self.count * count / total)
            mean = self.mean + step * (count / total)
        self.count, self.mean, self.square = total, mean, square

    def variance(self, correction: int = 0) -> torch.Tensor:
        return self.square / max(self.count - correction, 1)


def _norms_with_statistics(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.running_mean is not None]


def recalibrate(model: nn.Module, data: Any, device: Device = None, *, batch_size: int = 64) -> int:
    """Estimate the running statistics of all batch norms anew; return how many there are.

    The norms alone are in training mode (no dropout, no stochastic depth): each normalises by its batch,
    and its running mean and variance become those of its inputs over all batches. Norms without running
    statistics (layer norm, GRN) are left as they are: 0 is returned and nothing changed where there are
    no others; see :func:`match_statistics`.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    data : tensors, Dataset or iterable of batches
        Labels are not used. Batches of 32 images and more give steadier statistics.
    device, batch_size
        As for ``evaluate``.

    Raises
    ------
    ValueError
        If there are no images, or a batch is too small to have a variance.

    Source: Wu and Johnson (2021), precise batch norm.

    Examples
    --------
    >>> model = nn.Sequential(nn.BatchNorm2d(1))
    >>> recalibrate(model, torch.arange(8.0).reshape(8, 1, 1, 1)), float(model[0].running_mean[0])
    (1, 3.5)
    >>> recalibrate(nn.LayerNorm(4), torch.zeros(2, 1, 1, 4))
    0
    """
    device = device_of(check_model(model), device)
    norms = _norms_with_statistics(model)
    if not norms:
        return 0
    model.to(device)
    before = [(n.running_mean.clone(), n.running_var.clone(), n.num_batches_tracked.clone()) for n in norms]
    momenta = [norm.momentum for norm in norms]
    sums = {norm: _Sums() for norm in norms}

    def keep(norm, inputs, output):
        count = inputs[0].numel() // inputs[0].shape[1]
        sums[norm].merge(count, norm.running_mean.double(), norm.running_var.double() * (count - 1))

    hooks = [norm.register_forward_hook(keep) for norm in norms]
    done = False
    try:
        with evaluating(model):
            for norm in norms:
                # With this momentum a norm's running statistics are those of its batch, which it computes anyway.
                norm.training, norm.momentum = True, 1.0
            for images, _ in batches_of(data, batch_size):
                try:
                    outputs_of_batch(model, images, device)
                except ValueError as error:
                    if "more than 1 value per channel" in str(error):
                        raise ValueError(
                            f"a batch of {len(images)} image has no variance: take batches of at least 2"
                        ) from None
                    raise
        done = True
    finally:
        for hook in hooks:
            hook.remove()
        for norm, momentum, (mean, var, count) in zip(norms, momenta, before, strict=True):
            norm.momentum = momentum
            found = sums[norm]
            if done and found.count:
                mean, var, count = found.mean, found.variance(correction=1), norm.num_batches_tracked
            # As it was where the images end with an error, and of a norm that is not on their way.
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(var)
            norm.num_batches_tracked.copy_(count)
    return len(norms)


class _Reached(Exception):
    """Ends a forward pass once the layer of interest has been."""


def _output_sums(model, names, batches, device, stop: bool) -> dict[str, _Sums]:
    sums = {name: _Sums() for name in names}

    def watch(name):
        def hook(module, inputs, output):
            sums[name].add(output)
            if stop:
                raise _Reached

        return model.get_submodule(name).register_forward_hook(hook)

    hooks = [watch(name) for name in names]
    try:
        with evaluating(model):
            for images, _ in batches:
                with suppress(_Reached):
                    outputs_of_batch(model, images, device)
    finally:
        for hook in hooks:
            hook.remove()
    return sums


def match_statistics(
    model: nn.Module, reference: Any, data: Any, device: Device = None, *, batch_size: int = 64
) -> pd.DataFrame:
    r"""Give each replaced depthwise layer the output mean and spread that it has in the reference.

    Channel by channel, in the order of the layers (each sees the layers before it already mended), with
    mean m and standard deviation s of the layer's output over all images and places:

    .. math:: y \to g\, y + t, \qquad g = s_{ref} / s, \qquad t = m_{ref} - g\, m

    g is folded into the weights, t into the bias; a layer without bias keeps its mean. A channel whose
    output is constant keeps its gain.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    reference : nn.Module
        The unmodified network. Layers of the same name whose weights are equal are left alone.
    data, device, batch_size
        As for ``evaluate``; labels are not used. All batches are kept in memory.

    Returns
    -------
    pandas.DataFrame
        One row per layer changed: layer, channels, gain_median, gain_low, gain_high (least, largest),
        shift_largest, bias (whether the shift could be folded in).

    Raises
    ------
    ValueError
        If the reference lacks a layer or has it with other channels, or there are no images.

    Examples
    --------
    >>> conv = nn.Conv2d(2, 2, 3, groups=2)
    >>> doubled = nn.Sequential(nn.Conv2d(2, 2, 3, groups=2))
    >>> with torch.no_grad():
    ...     _ = doubled[0].weight.copy_(2 * conv.weight), doubled[0].bias.copy_(conv.bias)
    >>> report = match_statistics(doubled, nn.Sequential(conv), torch.rand(4, 2, 6, 6))
    >>> float(report.gain_median[0].round(5))
    0.5
    """
    device = device_of(check_model(model), device)
    model.to(device)
    check_model(reference, "reference").to(device)
    batches = list(batches_of(data, batch_size))
    names = []
    for layer in find_depthwise(model):
        if not isinstance(getattr(layer.module, "weight", None), torch.Tensor):
            continue
        try:
            other = reference.get_submodule(layer.name)
        except AttributeError:
            raise ValueError(f"the reference has no layer {layer.name}: expected the unmodified network") from None
        ours, theirs = (getattr(module, "weight", None) for module in (layer.module, other))
        if theirs is None or theirs.shape[:1] != ours.shape[:1]:
            raise ValueError(f"layer {layer.name} has other channels in the reference: expected the unmodified network")
        if ours.shape != theirs.shape or not torch.equal(ours, theirs):
            names.append(layer.name)
    wanted = _output_sums(reference, names, batches, device, stop=False)
    rows = []
    for name in names:
        found = _output_sums(model, [name], batches, device, stop=True)[name]
        if not found.count or not wanted[name].count:
            continue  # a branch that these networks do not use
        spread, target = found.variance().sqrt(), wanted[name].variance().sqrt()
        flat = spread <= 1e-12 * (1 + found.mean.abs())
        gain = torch.where(flat, torch.ones_like(spread), target / torch.where(flat, torch.ones_like(spread), spread))
        shift = wanted[name].mean - gain * found.mean
        biased = _fold_affine(model.get_submodule(name), gain, shift)
        rows.append(
            (name, len(gain), float(gain.median()), float(gain.min()), float(gain.max()), float(shift.abs().max()), biased)
        )
    columns = ["layer", "channels", "gain_median", "gain_low", "gain_high", "shift_largest", "bias"]
    return pd.DataFrame(rows, columns=columns)


def _fold_affine(module: nn.Module, gain: torch.Tensor, shift: torch.Tensor) -> bool:
    """Make y become gain y + shift; False if there is no bias to take the shift."""
    with torch.no_grad():
        gain = gain.to(module.weight.dtype)
        if (computed := weight_of(module)) is not None:
            computed.gain.mul_(gain)
            computed.offset.mul_(gain)
        else:
            module.weight.mul_(gain.view(-1, *[1] * (module.weight.ndim - 1)))
        if module.bias is None:
            return False
        # A bias that the output's mean already holds is scaled with it.
        module.bias.copy_(gain * module.bias + shift.to(gain.dtype))
    return True


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
