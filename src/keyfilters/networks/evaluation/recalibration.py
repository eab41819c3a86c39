"""Mending a network after its filters were replaced, without gradients: a few batches of images are enough.

- :func:`recalibrate`: for batch norm, whose running statistics no longer hold
- :func:`match_statistics`: for layer norm and GRN, which keep none: gains and shifts of the replaced layers
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pandas as pd
import torch
from torch import nn

from ..layers.parametrised import weight_of
from ..layers.weights import Device
from ..surgery.depthwise import find_depthwise
from .forward import batches_of, check_model, device_of, evaluating, outputs_of_batch


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
