r"""Training LeNet-5 on Fashion-MNIST, with the losses of 1998.

The network's outputs are penalties y. With c the right class, mean over images of

- ``"mse"``: :math:`y_c`, the squared distance to the right code;
- ``"map"``: :math:`y_c + \log\bigl(e^{-j} + \sum_i e^{-y_i}\bigr)`, which also pushes the other classes away, up to a
  penalty of about j, that of an imagined rubbish class.

Source: LeCun, Bottou, Bengio and Haffner (1998), the section on the loss function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from keyfilters.checks import choice, integer
from keyfilters.networks.data.datasets import FASHION_MEAN, FASHION_STD, fashion_mnist_tensors

from .lenet import LeNet5

RUBBISH = 84.0
"""The constant j: the penalty that F6 gets from each code when it is silent (84 units, codes of +-1)."""


def _mse(penalties, labels, rubbish):
    return penalties.gather(1, labels[:, None])[:, 0].mean()


def _map(penalties, labels, rubbish):
    right = penalties.gather(1, labels[:, None])[:, 0]
    offered = torch.cat([-penalties, penalties.new_full((len(penalties), 1), -rubbish)], dim=1)
    return (right + torch.logsumexp(offered, dim=1)).mean()


LOSSES = {"mse": _mse, "map": _map}
"""Name of a loss -> function of penalties (N, K), labels (N,) and j."""


def penalty_loss(penalties, labels, kind: str = "map", rubbish: float = RUBBISH) -> torch.Tensor:
    """Return the loss of penalties (N, K) for labels (N,): see the head of this module.

    Raises
    ------
    ValueError
        For an unknown kind.

    Examples
    --------
    >>> penalties, labels = torch.tensor([[0.0, 200.0]]), torch.tensor([0])
    >>> [penalty_loss(penalties, labels, kind).item() for kind in LOSSES]
    [0.0, 0.0]
    """
    return LOSSES[choice(kind, LOSSES, "kind")](penalties, labels, rubbish)


@dataclass(frozen=True)
class Images:
    """Images (n, 1, 32, 32) and labels (n,), of training and test."""

    train: torch.Tensor
    train_labels: torch.Tensor
    test: torch.Tensor
    test_labels: torch.Tensor


def lenet_images(images: int = 60_000, test: int = 10_000, seed: int = 0, folder=None) -> Images:
    """Return Fashion-MNIST at 32 x 32 pixels: a margin of two pixels of background all round, mean 0, deviation 1.

    Parameters
    ----------
    images, test : int
        How many of the 60,000 and 10,000 are drawn, without replacement.
    seed : int
        Of the draw.
    folder : path, optional
        See :func:`keyfilters.fetch.fashion_mnist`.

    Raises
    ------
    ValueError
        For numbers out of range, and as ``fashion_mnist``.
    """
    rng, parts = np.random.default_rng(integer(seed, "seed", 0)), []
    for split, wanted in (("train", images), ("test", test)):
        pictures, labels = fashion_mnist_tensors(split, folder)
        if integer(wanted, "images" if split == "train" else "test") > len(labels):
            raise ValueError(f"{wanted} {split} images were asked for: expected at most {len(labels)}")
        drawn = torch.tensor(np.sort(rng.choice(len(labels), wanted, replace=False)))
        parts += [functional.pad(pictures[drawn], (2, 2, 2, 2), value=-FASHION_MEAN / FASHION_STD), labels[drawn]]
    return Images(*parts)


@dataclass(frozen=True)
class TrainedLeNet:
    """A trained network and what it was.

    Attributes
    ----------
    network : LeNet5
    before : LeNet5
        The same network with its initial weights.
    losses : ndarray, shape (epochs,)
        Mean training loss of each epoch, as training met it.
    correct : ndarray of bool
        Which test images are classified rightly.
    """

    network: LeNet5
    before: LeNet5
    losses: np.ndarray
    correct: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())


@torch.no_grad()
def classified(network, images, labels, batch: int = 500) -> np.ndarray:
    """Mask of the images whose least penalty is that of their label."""
    found = [network(part).argmin(1) for part in images.split(batch)]
    return (torch.cat(found) == labels).numpy()


def train_lenet(
    data: Images, seed: int = 0, epochs: int = 6, batch: int = 32, rate: float = 2e-3, loss: str = "map",
    rubbish: float = RUBBISH, codes=None,
) -> TrainedLeNet:  # fmt: skip
    """Train LeNet-5 from the initial weights of a seed.

    Not as in 1998: Adam on batches, its rate falling to 0 along half a cosine, where the original made single steps with a
    rate per weight from the diagonal of an estimated Hessian.

    Parameters
    ----------
    data : Images
    seed : int
        Of the initial weights and of the order of the images.
    epochs, batch : int
    rate : float
        Adam's, at the start.
    loss : {"map", "mse"}
    rubbish : float
        The constant j of ``"map"``.
    codes : array_like, shape (10, 84), optional
        See :class:`keyfilters_book.background.lenet.LeNet5`.

    Raises
    ------
    ValueError
        For an unknown loss and for numbers out of range.
    """
    choice(loss, LOSSES, "loss")
    integer(epochs, "epochs"), integer(batch, "batch")
    network, before = LeNet5(seed, codes), LeNet5(seed, codes)
    generator = torch.Generator().manual_seed(integer(seed, "seed", 0))
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    steps = -(-len(data.train_labels) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * steps)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(data.train_labels), generator=generator).split(batch):
            value = penalty_loss(network(data.train[chosen]), data.train_labels[chosen], loss, rubbish)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            schedule.step()
            total += value.item() * len(chosen)
        losses.append(total / len(data.train_labels))
    return TrainedLeNet(network, before, np.array(losses), classified(network, data.test, data.test_labels))
