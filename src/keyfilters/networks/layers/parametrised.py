"""A network's own convolutions with computed weights: put in, found, written out."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from .weights import ComputedWeight


def weight_of(module: nn.Module) -> ComputedWeight | None:
    """What computes the weight of a convolution, None where it is stored.

    For a stand-alone layer of ours that is the layer itself; for a convolution that :func:`keyfilters.networks.replace`
    gave its weight, the parametrisation ``module.parametrizations.weight[0]``.

    Examples
    --------
    >>> from keyfilters.networks import replace
    >>> network = replace(nn.Conv2d(8, 8, 3, groups=8)).model
    >>> type(weight_of(network)).__name__, weight_of(nn.Conv2d(8, 8, 3, groups=8)) is None
    ('ScaleSpaceWeight', True)
    """
    if isinstance(module, ComputedWeight):
        return module
    if parametrize.is_parametrized(module, "weight"):
        chain: Any = module.parametrizations.weight  # type: ignore[union-attr]  # registered by torch
        if len(chain) == 1 and isinstance(chain[0], ComputedWeight):
            return chain[0]
    return None


def parametrise(conv: nn.Conv2d, weight: ComputedWeight) -> None:
    """Let ``weight`` compute the weight of a convolution, in place of a stored or another computed one."""
    if weight_of(conv) is not None:
        write_out(conv)
    weight.was_trained = conv.weight.requires_grad
    weight.train(conv.training)
    _own_class(conv)
    # Nothing is left of the stored weight: a parameter without a gradient would get weight decay and stop DDP.
    weight.taking_over = True
    try:
        parametrize.register_parametrization(conv, "weight", weight)
    finally:
        weight.taking_over = False


def write_out(conv: nn.Conv2d) -> None:
    """Store the computed weight of a convolution as its own; its class and the order of its parameters are as before."""
    weight = weight_of(conv)
    if weight is None:
        raise ValueError(f"{conv}: its weight is not computed")
    with torch.no_grad():
        stored = nn.Parameter(weight.kernels().clone(), requires_grad=weight.trained)
    _own_class(conv)
    parametrize.remove_parametrizations(conv, "weight")
    del conv.weight
    others = dict(conv._parameters)
    conv._parameters.clear()
    conv.weight = stored
    conv._parameters.update(others)


def _own_class(conv: nn.Module) -> None:
    # Copies of a parametrised module share the class that torch made for it, and torch changes that class when a
    # parametrisation comes or goes.
    if parametrize.is_parametrized(conv):
        cls = type(conv)
        conv.__class__ = type(cls.__name__, cls.__bases__, dict(cls.__dict__))


def scale_parameters(model: nn.Module, lr: float | None = None) -> list[dict]:
    """The parameters of a network in two groups for an optimiser: all others, and those of computed weights.

    Weight decay would pull scales to zero, that is filters to bare differences, and gains with them; and a scale, of
    the order of one grid unit, moves at another rate than a weight.

    Parameters
    ----------
    model : torch.nn.Module
    lr : float, optional
        Rate of the second group (scales, gamma, gain, offset); default: that of the optimiser.

    Returns
    -------
    list of dict
        ``[{"params": ...}, {"params": ..., "weight_decay": 0.0, "lr": lr}]``; parameters that are frozen are left out,
        and so is a group without any.

    Raises
    ------
    ValueError
        For a rate that is not positive.

    Examples
    --------
    >>> from keyfilters.networks import replace
    >>> network = replace(nn.Conv2d(8, 8, 3, groups=8), mode="learnable").model
    >>> groups = scale_parameters(network, lr=1e-2)
    >>> [(len(g["params"]), g.get("weight_decay"), g.get("lr")) for g in groups]
    [(1, None, None), (2, 0.0, 0.01)]
    >>> optimiser = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.05)
    """
    if lr is not None and not (isinstance(lr, (int, float)) and 0 < lr < float("inf")):
        raise ValueError(f"lr is {lr!r}: expected a learning rate > 0")
    own = {
        id(p): p
        for module in model.modules() if isinstance(module, ComputedWeight)
        for name, p in module.named_parameters(recurse=False) if name != "bias" and p.requires_grad
    }  # fmt: skip
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    second = {"params": list(own.values()), "weight_decay": 0.0} | ({} if lr is None else {"lr": lr})
    return [group for group in ({"params": others}, second) if group["params"]]
