"""A convolutional restricted Boltzmann machine with probabilistic max-pooling, trained by contrastive divergence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from keyfilters.checks import choice, integer

VISIBLE = ("gaussian", "binary")


class ConvolutionalRBM(nn.Module):
    r"""Hidden maps :math:`h^k` over an image v, in blocks of which at most one unit is on.

    With the correlation :math:`(W^k \star v)_{ij} = \sum_{rs} W^k_{rs} v_{i+r, j+s}` and, where the visible units
    are Gaussian of variance :math:`\sigma^2`,

    .. math::

        E(v, h) = \frac{1}{2 \sigma^2} \| v - c \|^2 - \frac{1}{\sigma^2} \sum_k \langle h^k, W^k \star v \rangle
        - \sum_k b_k \sum_{ij} h^k_{ij}, \qquad \sum_{(i,j) \in B} h^k_{ij} \le 1 \text{ for each block } B ;

    for binary visible units the first term is :math:`-c \sum_{ij} v_{ij}` and :math:`\sigma = 1`. The states of a
    block of :math:`C \times C` units are that none or that exactly one is on, so given v they have a softmax of
    :math:`C^2 + 1` states: with :math:`I^k = W^k \star v / \sigma^2 + b_k`

    .. math::

        P(h^k_{ij} = 1 \mid v) = \frac{e^{I^k_{ij}}}{1 + \sum_{B} e^{I^k}}, \qquad
        P(\text{pooling unit off} \mid v) = \frac{1}{1 + \sum_{B} e^{I^k}} .

    Given h the visible units are independent, normal of mean :math:`c + \sum_k W^k * h^k` (* the convolution), or
    binary with its logistic function.

    Parameters
    ----------
    maps, size : int
        Number and side of the filters.
    block : int
        Side C of the pooling blocks; the maps of an image must consist of whole blocks.
    visible : str
        "gaussian" or "binary".
    channels : int
        Of the image.
    sigma : float
        Of Gaussian visible units.
    spread : float
        Standard deviation of the first weights.
    bias : float
        First hidden bias; negative for sparse maps.
    seed : int

    Source: Lee, Grosse, Ranganath and Ng (2009), sections 3.2 to 3.6.

    Examples
    --------
    >>> model = ConvolutionalRBM(maps=3, size=5, block=2)
    >>> on, off = model.hidden(torch.zeros(1, 1, 8, 8))
    >>> on.shape, off.shape
    (torch.Size([1, 3, 4, 4]), torch.Size([1, 3, 2, 2]))
    """

    def __init__(self, maps, size, block=2, visible="gaussian", channels=1, sigma=1.0, spread=0.01, bias=0.0, seed=0):
        super().__init__()
        for what, value in (("maps", maps), ("size", size), ("block", block), ("channels", channels)):
            integer(value, what)
        self.visible, self.block = choice(visible, VISIBLE, "visible"), block
        if not sigma > 0 or (visible == "binary" and sigma != 1):
            raise ValueError(f"sigma is {sigma!r}: expected a number > 0, and 1 for binary visible units")
        self.sigma = float(sigma)
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(spread * torch.randn(maps, channels, size, size, generator=generator))
        self.hidden_bias = nn.Parameter(torch.full((maps,), float(bias)))
        self.visible_bias = nn.Parameter(torch.zeros(channels))

    def _filtered(self, v: torch.Tensor) -> torch.Tensor:
        r""":math:`W^k \star v` for all k, shape (N, maps, H - n + 1, W - n + 1)."""
        n = self.weight.shape[-1]
        windows = v.unfold(2, n, 1).unfold(3, n, 1).permute(0, 2, 3, 1, 4, 5).flatten(3)
        # F.conv2d gives the same and takes four times as long for the gradient of a few large filters of one channel.
        return (windows @ self.weight.flatten(1).T).permute(0, 3, 1, 2)

    def inputs(self, v: torch.Tensor) -> torch.Tensor:
        """I of the class's formula: images (N, channels, H, W) to (N, maps, H - n + 1, W - n + 1)."""
        i = self._filtered(v) / self.sigma**2 + self.hidden_bias[:, None, None]
        if i.shape[-1] % self.block or i.shape[-2] % self.block:
            units = f"{i.shape[-2]} x {i.shape[-1]} units: expected whole blocks of {self.block}"
            raise ValueError(f"the maps of an image of {v.shape[-2]} x {v.shape[-1]} have {units}")
        return i

    def _blocks(self, maps):
        """(N, K, H, W) to (N, K, C * C, H / C, W / C)."""
        return F.pixel_unshuffle(maps, self.block).unflatten(1, (maps.shape[1], -1))

    def _maps(self, blocks):
        """Inverse of ``_blocks``."""
        return F.pixel_shuffle(blocks.flatten(1, 2), self.block)

    def _states(self, v):
        """Logits of the states of each block (axis 2), the state with all units off last."""
        blocks = self._blocks(self.inputs(v))
        return torch.cat([blocks, torch.zeros_like(blocks[:, :, :1])], dim=2)

    def hidden(self, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities that a hidden unit is on (N, K, H', W') and that a block is off (N, K, H'/C, W'/C)."""
        p = F.softmax(self._states(v), dim=2)
        return self._maps(p[:, :, :-1]), p[:, :, -1]

    def sample_hidden(self, v: torch.Tensor, generator=None) -> torch.Tensor:
        """One draw of the hidden units, (N, K, H', W') of 0 and 1."""
        return self._sample(self._states(v), generator)

    def _sample(self, states, generator):
        p = F.softmax(states, dim=2)
        # The state whose interval of the cumulated probabilities holds a uniform number.
        drawn = torch.rand(p[:, :, :1].shape, generator=generator, dtype=p.dtype)
        below = (drawn < p.cumsum(dim=2)[:, :, :-1]).to(p.dtype)
        return self._maps(torch.cat([below[:, :, :1], below[:, :, 1:] - below[:, :, :-1]], dim=2))

    def visible_mean(self, h: torch.Tensor) -> torch.Tensor:
        """Mean of the visible units given hidden ones."""
        mean = F.conv_transpose2d(h, self.weight) + self.visible_bias[:, None, None]
        return mean if self.visible == "gaussian" else torch.sigmoid(mean)

    def energy(self, v: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """E(v, h) of each pair, shape (N,)."""
        interaction = (self._filtered(v) / self.sigma**2 * h).sum(dim=(1, 2, 3))
        bias = (h.sum(dim=(2, 3)) * self.hidden_bias).sum(dim=1)
        return self._visible_energy(v) - interaction - bias

    def _visible_energy(self, v):
        if self.visible == "gaussian":
            return ((v - self.visible_bias[:, None, None]) ** 2).sum(dim=(1, 2, 3)) / (2 * self.sigma**2)
        return -(v.sum(dim=(2, 3)) * self.visible_bias).sum(dim=1)

    def free_energy(self, v: torch.Tensor) -> torch.Tensor:
        r"""Minus the logarithm of the sum of exp(-E(v, h)) over all hidden states, shape (N,).

        The first term of E less :math:`\sum_k \sum_B \log(1 + \sum_B e^{I^k})`.
        """
        return self._free_energy(v, self._states(v))

    def _free_energy(self, v, states):
        return self._visible_energy(v) - torch.logsumexp(states, dim=2).sum(dim=(1, 2, 3))


@dataclass
class History:
    """What :func:`train_crbm` saw, one entry per record.

    Attributes
    ----------
    steps : list of int
    error, held_out : list of float
        Mean squared error of a reconstruction of images trained with and of others, as a share of their mean
        square, where all filters overlap (so not near the border).
    active : list of float
        Mean probability that a hidden unit is on, on the held-out images.
    filters : list of ndarray, shape (K, n, n)
    """

    steps: list = field(default_factory=list)
    error: list = field(default_factory=list)
    held_out: list = field(default_factory=list)
    active: list = field(default_factory=list)
    filters: list = field(default_factory=list)


def inside(model: ConvolutionalRBM) -> tuple:
    """Index of the pixels that every weight of a filter reaches: not nearer to the border than the filter's side less one."""
    margin = model.weight.shape[-1] - 1
    return (slice(None), slice(None), slice(margin, -margin or None), slice(margin, -margin or None))


def mean_image_error(model: ConvolutionalRBM, v: torch.Tensor, generator=None) -> float:
    """Mean squared error of the mean image given one draw of the hidden units, over the mean square of the image.

    Over the pixels of :func:`inside`: fewer hidden units reach the others.
    """
    with torch.no_grad():
        left = v - model.visible_mean(model.sample_hidden(v, generator))
        place = inside(model)
        return float((left[place] ** 2).mean() / (v[place] ** 2).mean())


def contrastive_loss(model: ConvolutionalRBM, v: torch.Tensor, generator=None, clamp: bool = True) -> torch.Tensor:
    r"""A number whose gradient is the CD-1 estimate: :math:`\overline{F(v)} - \overline{F(v')}`, over the batch.

    v' is drawn by one step of Gibbs sampling, v to h to v', and held fixed. The gradient of F holds the
    conditional probabilities of h, so no draw enters but those that lead to v'.

    With ``clamp`` the pixels near the border keep the image's values in v', and what is learned is the
    distribution of the others given them. Otherwise the few weights that reach a corner of the image have to
    explain it alone, and the filters end as impulses in their own corners.

    Source: Norouzi, Ranjbar and Mori (2009) for the border.
    """
    states = model._states(v)
    with torch.no_grad():
        mean = model.visible_mean(model._sample(states, generator))
        if model.visible == "gaussian":
            back = mean + model.sigma * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        else:
            back = torch.bernoulli(mean, generator=generator)
        if clamp:
            free, place = back, inside(model)
            back = v.clone()
            back[place] = free[place]
    return (model._free_energy(v, states) - model.free_energy(back)).mean()


def train_crbm(
    model: ConvolutionalRBM, images, held_out, *, steps: int, batch: int = 8, rate: float = 0.02,
    momentum: float = 0.9, decay: float = 0.0, target: float = 0.003, sparsity: float = 50.0, clamp: bool = True,
    records=(), seed: int = 0,
) -> History:  # fmt: skip
    r"""Train by CD-1 with a sparsity term on the hidden biases.

    The gradient is that of :func:`contrastive_loss`, divided by the number of units of a map, plus weight
    decay. After each step every hidden bias moves by

    .. math:: \Delta b_k = \eta \, \lambda \, \bigl( p - \overline{P(h^k_{ij} = 1 \mid v)} \bigr)

    towards a mean activation p.

    Parameters
    ----------
    model : ConvolutionalRBM
        Changed in place.
    images, held_out : array_like, shape (N, channels, H, W)
    steps, batch : int
    rate, momentum, decay : float
        Of the descent; ``rate`` is :math:`\eta`.
    target, sparsity : float
        p and :math:`\lambda`.
    clamp : bool
        See :func:`contrastive_loss`.
    records : sequence of int
        Steps after which to record, among them 0 for the start; the last step is always recorded.
    seed : int
        Of the order of images and of all draws.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        For a step count below 1, and where the weights become infinite or NaN: the rate is too large.

    Source: Hinton (2002) for contrastive divergence; Lee, Ekanadham and Ng (2008) and Lee et al. (2009) for the
    sparsity term.
    """
    steps = integer(steps, "steps")
    dtype = model.weight.dtype
    images, held_out = (torch.as_tensor(np.asarray(a), dtype=dtype) for a in (images, held_out))
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum, weight_decay=0.0)
    history, wanted = History(), {*records, steps}
    if 0 in wanted:
        _record(history, model, images, held_out, 0, seed)
    for step in range(1, steps + 1):
        v = images[torch.randint(len(images), (batch,), generator=generator)]
        places = (v.shape[-1] - model.weight.shape[-1] + 1) * (v.shape[-2] - model.weight.shape[-2] + 1)
        optimiser.zero_grad()
        (contrastive_loss(model, v, generator, clamp) / places + 0.5 * decay * (model.weight**2).sum()).backward()
        optimiser.step()
        with torch.no_grad():
            model.hidden_bias += rate * sparsity * (target - model.hidden(v)[0].mean(dim=(0, 2, 3)))
        if not torch.isfinite(model.weight).all():
            raise ValueError(f"the weights are not finite after step {step} with a rate of {rate:g}: expected a smaller rate")
        if step in wanted:
            _record(history, model, images, held_out, step, seed)
    return history


def _record(history: History, model, images, held_out, step: int, seed: int) -> None:
    # The same images and the same draws at every record, so that records differ by the weights alone.
    generator = torch.Generator().manual_seed(seed + 1)
    some = images[: len(held_out)]
    with torch.no_grad():
        history.steps.append(step)
        history.error.append(mean_image_error(model, some, generator))
        history.held_out.append(mean_image_error(model, held_out, generator))
        history.active.append(float(model.hidden(held_out)[0].mean()))
        history.filters.append(model.weight[:, 0].numpy().astype(np.float64).copy())
