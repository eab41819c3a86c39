"""Reading a layer of a network without running what comes after it, and networks made ready for many passes."""

from __future__ import annotations

import copy
import difflib
import numbers
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from keyfilters.networks.evaluation.judging import check_model

__all__ = ["channels_of", "fused", "over_places", "responses", "run_through", "run_to"]


class _Reached(Exception):
    """Ends a forward pass at the layer of interest."""


def _layer(model: nn.Module, layer) -> nn.Module:
    check_model(model)
    names = [name for name, _ in model.named_modules() if name]
    if not isinstance(layer, str) or layer not in names:
        close = difflib.get_close_matches(str(layer), names, n=3, cutoff=0.5) or [*names[:1], *names[-1:]]
        raise ValueError(f"unknown layer {layer!r}: expected a name of model.named_modules(), such as {', '.join(close)}")
    return model.get_submodule(layer)


def run_to(model: nn.Module, images: torch.Tensor, layer: str) -> torch.Tensor:
    """Return the output of a layer, Phi(x); what comes after the layer is not computed.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode; gradients with respect to the images pass.
    images : Tensor, shape (n, channels, rows, columns)
    layer : str
        A name of ``model.named_modules()``.

    Returns
    -------
    Tensor, shape (n, C, ...)

    Raises
    ------
    ValueError
        An unknown layer (with close names), or one that these images do not reach.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    >>> run_to(network, torch.zeros(2, 3, 5, 5), "0").shape
    torch.Size([2, 4, 5, 5])
    >>> run_to(network, torch.zeros(2, 3, 5, 5), "2")
    Traceback (most recent call last):
    ...
    ValueError: unknown layer '2': expected a name of model.named_modules(), such as 0, 1
    """
    return run_through(model, images, [layer])[layer]


def run_through(model: nn.Module, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
    """Return the outputs of several layers from one pass, which ends at the last of them; as :func:`run_to` for each.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    >>> {name: tuple(x.shape) for name, x in run_through(network, torch.zeros(1, 3, 5, 5), ["2", "0"]).items()}
    {'2': (1, 2, 5, 5), '0': (1, 4, 5, 5)}
    """
    found: dict[str, torch.Tensor] = {}

    def hook(name):
        def keep(module, inputs, output):
            found[name] = output
            if len(found) == len(handles):
                raise _Reached

        return keep

    modules = {name: _layer(model, name) for name in layers}
    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        model(images)
    except _Reached:
        return {name: found[name] for name in modules}
    finally:
        for handle in handles:
            handle.remove()
    lost = next(name for name in modules if name not in found)
    raise ValueError(f"layer {lost!r} is not on the way of these images: expected a layer that the network runs through")


def responses(model: nn.Module, images: torch.Tensor, layer: str) -> torch.Tensor:
    """Return the mean over all places of each channel of a layer, shape (n, C).

    Logits, which have no places, are returned as they are.

    Examples
    --------
    >>> responses(nn.Sequential(nn.Identity()), torch.arange(8.0).reshape(1, 2, 2, 2), "0")
    tensor([[1.5000, 5.5000]])
    """
    return over_places(run_to(model, images, layer))


def over_places(output: torch.Tensor) -> torch.Tensor:
    """Return the mean over all places of each channel, (n, C) of (n, C, ...)."""
    return output.flatten(2).mean(2) if output.ndim > 2 else output


def channels_of(model: nn.Module, layer: str, channels, size: int, colours: int = 3) -> list[int]:
    """Return the channels as a list of int if the layer has them, else raise ``ValueError``.

    Examples
    --------
    >>> channels_of(nn.Sequential(nn.Conv2d(3, 4, 1)), "0", [0, 7], size=8)
    Traceback (most recent call last):
    ...
    ValueError: unknown unit 7 of layer '0': expected integers from 0 to 3
    """
    first = next(model.parameters(), torch.zeros(()))
    with torch.no_grad():
        blank = torch.zeros(1, colours, size, size, dtype=first.dtype, device=first.device)
        count = responses(model, blank, layer).shape[1]
    channels = [channels] if isinstance(channels, numbers.Integral) else list(channels)
    if not channels:
        raise ValueError(f"there are no units: expected integers from 0 to {count - 1}, channels of layer {layer!r}")
    for channel in channels:
        whole = isinstance(channel, numbers.Integral) and not isinstance(channel, bool)
        if not whole or not 0 <= channel < count:
            raise ValueError(f"unknown unit {channel!r} of layer {layer!r}: expected integers from 0 to {count - 1}")
    return [int(channel) for channel in channels]


def _followed(model: nn.Module):
    """Triples (parent, name of a convolution, name of the batch norm registered right after it)."""
    for parent in model.modules():
        children = list(parent.named_children())
        for (name, conv), (after, norm) in zip(children, children[1:], strict=False):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.num_features == conv.out_channels:
                yield parent, name, after


def fused(model: nn.Module, image: torch.Tensor) -> nn.Module:
    """Return a frozen copy whose batch norms are folded into the convolutions in front of them.

    It computes the same up to rounding, and a pass with gradients costs about a quarter less.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode. Convolutions and norms must run in the order in which they are registered.
    image : Tensor, shape (n, channels, rows, columns)
        On which both are compared.

    Raises
    ------
    ValueError
        If the outputs differ by more than rounding: the order was another one.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    >>> fused(network, torch.rand(1, 3, 8, 8))
    Sequential(
      (0): Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1))
      (1): Identity()
      (2): ReLU()
    )
    """
    result = copy.deepcopy(check_model(model)).requires_grad_(False)
    for parent, name, after in list(_followed(result)):
        conv, norm = getattr(parent, name), getattr(parent, after)
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        # timm's norms bring their activation along.
        setattr(parent, after, getattr(norm, "act", None) or nn.Identity())
    with torch.no_grad():
        before, now = model(image), result(image)
    if not torch.allclose(before, now, rtol=1e-3, atol=1e-3 * float(before.abs().max())):
        raise ValueError(
            "the network does not run its layers in the order in which they are registered: expected one that does"
        )
    return result.requires_grad_(False)
