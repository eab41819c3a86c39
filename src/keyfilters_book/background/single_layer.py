"""Train exactly one layer of a fully connected network, all others frozen at random: every layer and seed at once.

Networks are given as in :mod:`.random_networks`, one stack of weights per layer, so that all layers and seeds are
trained together with a few batched products a step, and not one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from keyfilters.checks import finite, integer

from .random_networks import activation, logits

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Of Adam, as Kingma and Ba (2015) recommend."""


@torch.no_grad()
def _entering(weights, layers, x: torch.Tensor, name: str) -> dict[int, torch.Tensor]:
    """What enters some layers of the frozen networks: layer to (S, N, inputs), (1, N, inputs) for layer 0."""
    act, chain, found = activation(name), x[None], {}
    for d in range(max(layers) + 1):
        if d in layers:
            found[d] = chain
        if d < max(layers):
            chain = act(chain @ weights[d])
    return found


def single_layer_logits(weights, own: dict[int, torch.Tensor], x: torch.Tensor, name: str) -> torch.Tensor:
    r"""Outputs of all networks in which exactly one layer is exchanged.

    Below the exchanged layer d all these networks agree, so one frozen chain feeds them all:

    .. math:: z \mapsto W^{(n)} \phi(\cdots \phi(V^{(d)} z^{(d)})), \qquad z^{(d)} \text{ from the frozen layers below.}

    Parameters
    ----------
    weights : list of tensors
        The frozen networks.
    own : dict of int to tensor
        Layer (0 for the first weights, up to ``len(weights) - 1`` for the readout) to the weights in its place.
    x : tensor, shape (N, inputs)
    name : str
        The activation.

    Returns
    -------
    tensor, shape (S, len(own), N, classes)
        In ascending order of the layers.
    """
    return _logits_behind(weights, own, _entering(weights, own, x, name), name)


def _logits_behind(weights, own, entering, name) -> torch.Tensor:
    act, last, active = activation(name), len(weights) - 1, None
    for d, w in enumerate(weights):
        parts = []
        if active is not None:
            s, a, n = active.shape[:3]
            parts.append((active.reshape(s, a * n, -1) @ w).reshape(s, a, n, -1))
        if d in own:
            parts.append((entering[d] @ own[d])[:, None])
        if parts:
            active = torch.cat(parts, 1)
            active = act(active) if d < last else active
    return active


class _Adam:
    """Adam whose rate differs from network to network: torch's takes one rate per tensor only."""

    def __init__(self, tensors, rates):
        self.tensors = tensors
        self.rates = [rate.reshape(-1, *[1] * (t.ndim - 1)) for rate, t in zip(rates, tensors, strict=True)]
        self.first = [torch.zeros_like(t) for t in tensors]
        self.second = [torch.zeros_like(t) for t in tensors]
        self.steps = 0

    @torch.no_grad()
    def step(self, factor: float) -> None:
        self.steps += 1
        a, b = BETAS
        for t, rate, m, v in zip(self.tensors, self.rates, self.first, self.second, strict=True):
            m.lerp_(t.grad, 1 - a)
            v.mul_(b).addcmul_(t.grad, t.grad, value=1 - b)
            root = (v / (1 - b**self.steps)).sqrt_().add_(EPSILON)
            t.sub_(m / root * rate * (factor / (1 - a**self.steps)))
            t.grad = None


def _fit(tensors, rates, forward, y, epochs, batch, order_seed, on_epoch) -> None:
    """Minimise the sum of the networks' mean cross-entropies; the rate rises in the first tenth and falls linearly to 0.

    ``forward`` takes the numbers of the images of a batch.
    """
    if not 0 < batch <= len(y):
        raise ValueError(f"batch is {batch}: expected 1 to {len(y)}, the number of images")
    optimiser = _Adam(tensors, rates)
    steps = len(y) // batch
    total = integer(epochs, "epochs") * steps
    warm = max(1, total // 10)
    for epoch in range(epochs):
        order = torch.tensor(np.random.default_rng((order_seed, epoch)).permutation(len(y)))
        for step in range(steps):
            index = order[step * batch : (step + 1) * batch]
            out = forward(index)
            target = y[index].expand(*out.shape[:-2], -1).reshape(-1)
            loss = F.cross_entropy(out.reshape(-1, out.shape[-1]), target, reduction="sum") / batch
            loss.backward()
            done = epoch * steps + step
            optimiser.step(min((done + 1) / warm, (total - done) / (total - warm + 1)))
        if on_epoch is not None:
            on_epoch(epoch + 1)


def _rates(rate, networks: int, count: int) -> torch.Tensor:
    array = finite(rate, "rate")
    if (array <= 0).any():
        raise ValueError(f"rate is {array.min():g}: expected numbers > 0")
    try:
        return torch.tensor(np.broadcast_to(array, (networks, count)).copy(), dtype=torch.float32)
    except ValueError:
        raise ValueError(
            f"rate has shape {array.shape}: expected a number, or ({networks}, {count}) for networks and layers"
        ) from None


def train_single_layers(
    weights, name: str, x: torch.Tensor, y: torch.Tensor, *, layers: Sequence[int], rate=1e-3, epochs: int = 5, batch: int = 100,
    order_seed: int = 0, on_epoch=None,
) -> dict[int, torch.Tensor]:  # fmt: skip
    """Train, in every network, each of some layers alone, all others frozen; all at once.

    Parameters
    ----------
    weights : list of tensors
        The networks at the start, as of :func:`.random_networks.random_weights`; left as they are.
    name : str
        The activation.
    x, y : tensors, shapes (N, inputs) and (N,)
    layers : sequence of int
        0 for the first weights, ``len(weights) - 1`` for the readout.
    rate : float or array_like, shape (S, len(layers))
        Adam's largest rate, for each network and layer (in ascending order).
    epochs, batch : int
    order_seed : int
        Of the order of the images, the same for all.
    on_epoch : callable, optional
        ``on_epoch(epochs_done, own)`` after each epoch.

    Returns
    -------
    dict of int to tensor
        Layer to its trained weights, (S, inputs, outputs) of that layer.

    Raises
    ------
    ValueError
        For layers that are not there, a rate that is not positive, or a batch beyond the images.

    Examples
    --------
    >>> from keyfilters_book.background.random_networks import random_weights
    >>> w = random_weights([0], 1.0, depth=2, width=5, inputs=2, classes=2)
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> own = train_single_layers(w, "tanh", x, torch.tensor([0, 1]), layers=[1, 2], epochs=1, batch=2)
    >>> sorted(own), bool((own[1] != w[1]).any())
    ([1, 2], True)
    """
    layers = sorted({int(d) for d in layers})
    if not layers or layers[0] < 0 or layers[-1] >= len(weights):
        raise ValueError(f"layers is {layers}: expected some of 0 to {len(weights) - 1}")
    own = {d: weights[d].clone().requires_grad_() for d in layers}
    rates = _rates(rate, weights[0].shape[0], len(layers)).T
    done = None if on_epoch is None else lambda epoch: on_epoch(epoch, own)
    entering = _entering(weights, layers, x, name)  # once: the frozen layers answer alike in every epoch

    def forward(index):
        return _logits_behind(weights, own, {d: z[:, index] for d, z in entering.items()}, name)

    _fit(list(own.values()), rates, forward, y, epochs, batch, order_seed, done)
    return {d: t.detach() for d, t in own.items()}


def train_all_layers(
    weights, name: str, x: torch.Tensor, y: torch.Tensor, *, rate=1e-3, epochs: int = 5, batch: int = 100, order_seed: int = 0,
    on_epoch=None,
) -> list[torch.Tensor]:  # fmt: skip
    """Train all layers of every network; parameters as of :func:`train_single_layers`, ``rate`` a number or (S,).

    Returns the trained weights in the form of :func:`.random_networks.random_weights`.
    """
    own = [w.clone().requires_grad_() for w in weights]
    rates = _rates(np.reshape(rate, (-1, 1)), weights[0].shape[0], 1)[:, 0]
    done = None if on_epoch is None else lambda epoch: on_epoch(epoch, own)
    _fit(own, [rates] * len(own), lambda index: logits(own, x[index], name), y, epochs, batch, order_seed, done)
    return [w.detach() for w in own]


@torch.no_grad()
def accuracies(forward, x: torch.Tensor, y: torch.Tensor, chunk: int = 1000) -> np.ndarray:
    """Share of images that each network classifies rightly: ``forward(images)`` gives (..., N, classes).

    Examples
    --------
    >>> accuracies(lambda x: torch.stack([x, -x]), torch.eye(3), torch.arange(3)).tolist()
    [1.0, 0.0]
    """
    right = sum((forward(x[i : i + chunk]).argmax(-1) == y[i : i + chunk]).sum(-1) for i in range(0, len(x), chunk))
    return (right.double() / len(x)).numpy()
