"""An autoencoder with a single number as its code, and the candidate filters along that number."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike

from ...checks import integer
from ..klines import check_count, checked_vectors

WIDTHS = (64, 64)
CODES_AT_ONCE = 256
SPREAD = 5.0
"""Standard deviation of the first weights of the decoder. With small ones it begins as nearly linear in the
code: the curve that it draws never turns often enough to visit all clusters, and training stops there."""


@contextmanager
def _one_thread():
    """Sums of another number of threads differ in the last digits, and training enlarges the difference."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _perceptron(sizes, generator):
    layers: list = []
    for inside, outside in pairwise(sizes):
        linear = torch.nn.utils.skip_init(torch.nn.Linear, inside, outside)
        # Drawn from its own generator: the global state of the random numbers stays as it is.
        torch.nn.init.xavier_uniform_(linear.weight, generator=generator)
        torch.nn.init.zeros_(linear.bias)
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def _directions(v, affine: bool):
    if affine:
        v = v - v.mean(dim=1, keepdim=True)
    return torch.nn.functional.normalize(v, dim=1)


@dataclass(frozen=True)
class CodeLine:
    """A trained autoencoder with codes in (0, 1); made by :func:`fit_autoencoder`.

    Attributes
    ----------
    loss : ndarray, shape (steps,)
        Mean of 1 - cosine over the batch of each step.
    affine : bool
        Whether vectors count without their mean.
    """

    encoder: object = field(repr=False)
    decoder: object = field(repr=False)
    loss: np.ndarray = field(repr=False)
    affine: bool = True

    def encode(self, vectors: ArrayLike) -> np.ndarray:
        """Codes of vectors of shape (N, d): an array of shape (N,) with values in (0, 1); NaN for a zero vector."""
        v = checked_vectors(vectors, self.affine)
        with torch.no_grad(), _one_thread():
            code = torch.sigmoid(self.encoder(_directions(torch.tensor(v, dtype=torch.float32), False)))[:, 0]
        return np.where(v.any(axis=1), code.double().numpy(), np.nan)

    def decode(self, codes: ArrayLike) -> np.ndarray:
        """Unit vectors of shape (M, d) of M codes."""
        codes = torch.as_tensor(np.asarray(codes, dtype=np.float32).reshape(-1, 1))
        with torch.no_grad(), _one_thread():
            v = self.decoder(2 * codes - 1).double()
            return _directions(v, self.affine).numpy()

    def candidates(self, count: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Decode ``count`` codes in equal steps from ``low`` to ``high``: unit vectors of shape (count, d)."""
        return self.decode(np.linspace(low, high, check_count(count, count, name="count")))


def fit_autoencoder(
    vectors: ArrayLike,
    *,
    seed: int = 0,
    steps: int = 1000,
    rate: float = 0.01,
    widths: Sequence[int] = WIDTHS,
    affine: bool = True,
) -> CodeLine:
    r"""Train an autoencoder whose code is one number in (0, 1).

    .. math::

        c = \operatorname{sigmoid}(E(v)), \quad \hat v = D(c), \quad
        \min_{E, D} \frac1N \sum_i \bigl( 1 - \cos(\hat v_i, v_i) \bigr)

    E and D are perceptrons with tanh between their layers, E from d through ``widths`` to 1 and D the other
    way round. Adam on random batches with a cosine schedule. A vector's length plays no part, but v and -v
    have different codes.

    What is published is the idea: depthwise kernels go to a code of one dimension, trained with a cosine
    loss, whose clusters are shown (Babaiee et al. 2024, arXiv 2401.14469); filters decoded from codes in
    equal steps are the candidates of a greedy search (Babaiee et al. 2025, arXiv 2509.11711). Widths,
    activation, first weights, optimiser and number of steps are choices of this library.

    Parameters
    ----------
    vectors : array_like, shape (N, d)
        Zero vectors are left out.
    seed : int
        The result depends on nothing else: training runs on one thread of the CPU.
    steps : int
    rate : float
        Largest learning rate.
    widths : tuple of int
    affine : bool
        Take the mean off each vector first.

    Returns
    -------
    CodeLine

    Raises
    ------
    ValueError
        For anything but a finite array of shape (N, d) with a vector that is not zero, or steps below 1.

    Examples
    --------
    >>> line = fit_autoencoder([[1, 0, -1], [2, 0, -2], [-1, 2, -1]], steps=40, widths=(4,))
    >>> line.decode(line.encode([[1, 0, -1]])).shape, bool(line.loss[-1] < line.loss[0])
    ((1, 3), True)
    """
    v = checked_vectors(vectors, affine)
    v = v[v.any(axis=1)]
    check_count(1, len(v))
    for name, value in (("steps", steps), *(("widths", w) for w in widths)):
        integer(value, name)
    generator = torch.Generator().manual_seed(seed)
    encoder = _perceptron((v.shape[1], *widths, 1), generator)
    decoder = _perceptron((1, *reversed(widths), v.shape[1]), generator)
    with torch.no_grad():
        decoder[0].weight.normal_(0.0, SPREAD, generator=generator)
        decoder[0].bias.uniform_(-SPREAD, SPREAD, generator=generator)
    # Of such small layers a step consists of calls more than of sums: fused, it is one call.
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss = np.empty(steps)
    with _one_thread(), torch.enable_grad():
        x = _directions(torch.tensor(v, dtype=torch.float32), False)
        for step in range(steps):
            batch = x[torch.randint(len(x), (min(CODES_AT_ONCE, len(x)),), generator=generator)]
            # The decoder sees codes from -1 to 1.
            made = decoder(2 * torch.sigmoid(encoder(batch)) - 1)
            error = 1 - (_directions(made, affine) * batch).sum(dim=1).mean()
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            schedule.step()
            loss[step] = error.item()
    return CodeLine(encoder.eval().requires_grad_(False), decoder.eval().requires_grad_(False), loss, affine)
