"""Which images come when: an order, shares and random numbers that depend on (seed, epoch, step) only.

The images of a step are the same however many processes share them. Each process takes a share that holds with image
``i`` also image ``n - 1 - i`` of the batch, so that mixup, which pairs those two, mixes the same pairs as one process would.
Augmentation of an image draws from (seed, epoch, index of the image), whichever worker does it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..layers.base import Device
from .recipes import TrainConfig

# What a stream of random numbers is for; part of its seed, so that no two streams are the same.
_ORDER, _MOVES, _IMAGE, _STEP, _START = range(5)


def seed_step(seed: int, epoch: int, step: int, part: int) -> None:
    """Seed all generators for one part of one step.

    numpy's is the same for all parts: mixup draws from it, one amount and one box for the whole batch. Python's and torch's
    (all devices) are the part's own: dropout and drop path draw from them.
    """
    np.random.seed(np.random.SeedSequence((seed, epoch, _STEP, step)).generate_state(1))
    own = np.random.SeedSequence((seed, epoch, _STEP, step, part)).generate_state(2).tolist()
    random.seed(own[0])
    _seed_torch()(own[1])


@cache
def _seed_torch() -> Callable[[int], object]:
    """Where there is only a CPU, its own generator: `torch.manual_seed` notes a stack for every device that there is not."""
    return torch.manual_seed if torch.accelerator.is_available() else torch.default_generator.manual_seed


def seed_start(seed: int) -> None:
    """Seed all generators before a network is made."""
    own = np.random.SeedSequence((seed, 0, _START)).generate_state(3).tolist()
    random.seed(own[0])
    np.random.seed(own[1])
    torch.manual_seed(own[2])


def order(n: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of ``n`` images in an epoch.

    Examples
    --------
    >>> order(5, 0, 1).tolist() == order(5, 0, 1).tolist(), sorted(order(5, 0, 1).tolist())
    (True, [0, 1, 2, 3, 4])
    """
    return np.random.default_rng((seed, epoch, _ORDER)).permutation(n)


def share(batch: np.ndarray, part: int, parts: int) -> np.ndarray:
    """Return part ``part`` of ``parts`` equal parts of a batch, symmetric about its middle where the size allows it.

    Examples
    --------
    >>> [share(np.arange(8), k, 2).tolist() for k in (0, 1)]
    [[0, 1, 6, 7], [2, 3, 4, 5]]
    >>> [share(np.arange(6), k, 2).tolist() for k in (0, 1)]
    [[0, 1, 2], [3, 4, 5]]
    """
    n, half = len(batch), len(batch) // (2 * parts)
    if 2 * parts * half != n:
        return batch.reshape(parts, -1)[part]
    return np.concatenate([batch[part * half : (part + 1) * half], batch[n - (part + 1) * half : n - part * half]])


@dataclass(frozen=True)
class Plan:
    """How ``n`` images become steps: ``batch_size`` images a step, by ``world`` processes in ``passes`` passes each.

    What does not fill a last batch is left out; the order of the next epoch leaves out others.
    """

    n: int
    batch_size: int
    world: int
    passes: int
    steps: int

    @classmethod
    def make(cls, n: int, config: TrainConfig, world: int) -> Plan:
        """The plan for ``n`` images and ``world`` processes."""
        size = config.batch_size
        if n < size:
            raise ValueError(f"the training set has {n} images: expected at least one batch of {size}; lower batch_size")
        if size % world:
            raise ValueError(f"batch_size is {size}: expected a multiple of the {world} processes")
        own = size // world
        passes = -(-own // (config.device_batch or own))
        while own % passes:
            passes += 1
        if (config.mixup or config.cutmix) and size % (2 * world * passes):
            raise ValueError(
                f"batch_size is {size}: expected a multiple of {2 * world * passes}, since mixup and cutmix pair the images "
                f"of each of {world} x {passes} shares"
            )
        steps = n // size
        return cls(n, size, world, passes, min(steps, config.limit_steps or steps))

    def shares(self, seed: int, epoch: int, rank: int) -> Any:
        """Yield for each step and pass the indices of the images of process ``rank``."""
        indices = order(self.n, seed, epoch)
        for step in range(self.steps):
            batch = indices[step * self.batch_size : (step + 1) * self.batch_size]
            for k in range(self.passes):
                yield share(batch, rank * self.passes + k, self.world * self.passes)


class ArrayImages:
    """Images in memory: batches are slices of one tensor, without workers and copies of single images.

    Parameters
    ----------
    images : uint8 array or tensor, shape (N, H, W) or (N, H, W, C)
    labels : integer array or tensor, shape (N,)
    mean, std : float or sequence of C, optional
        Of the grey values from 0 to 1; by default those of ``images``.

    Examples
    --------
    >>> images = ArrayImages(np.full((4, 2, 2), 51, np.uint8), [0, 1, 0, 1], mean=0.1, std=0.5)
    >>> x, y = images.batch(np.array([3, 0]))
    >>> tuple(x.shape), round(float(x[0, 0, 0, 0]), 6), y.tolist()
    ((2, 1, 2, 2), 0.2, [1, 0])
    """

    def __init__(
        self, images: Any, labels: Any, mean: float | Sequence[float] | None = None, std: float | Sequence[float] | None = None
    ):
        images, labels = (v if isinstance(v, torch.Tensor) else torch.tensor(np.asarray(v)) for v in (images, labels))
        labels = labels.long()
        if images.dtype != torch.uint8 or images.ndim not in (3, 4):
            raise ValueError(
                f"images are {images.dtype} of shape {tuple(images.shape)}: expected uint8 of shape (N, H, W) or (N, H, W, C)"
            )
        if labels.shape != images.shape[:1]:
            raise ValueError(f"labels have shape {tuple(labels.shape)}: expected ({len(images)},), one for each image")
        self.images = (images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)).contiguous()
        self.labels = labels
        if mean is None or std is None:
            grey = self.images.to(torch.float32) / 255
            mean = grey.mean((0, 2, 3)) if mean is None else mean
            std = grey.std((0, 2, 3)).clamp_min(1e-6) if std is None else std
        self.mean, self.std = (torch.as_tensor(v, dtype=torch.float32).reshape(-1) for v in (mean, std))

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: Device) -> ArrayImages:
        """Return the same images on a device."""
        moved = object.__new__(ArrayImages)
        moved.__dict__ = {k: v.to(device) for k, v in self.__dict__.items()}
        return moved

    def batch(self, indices: np.ndarray, hflip: float = 0.0, shift: int = 0, draws: np.ndarray | None = None) -> Any:
        """Return normalised images (B, C, H, W) float32 and labels (B,).

        With probability ``hflip`` an image is mirrored; it is moved by up to ``shift`` pixels along each axis, black filling
        in. ``draws`` holds three numbers from [0, 1) for every image of the set, by which this is decided.
        """
        index = torch.as_tensor(np.ascontiguousarray(indices), device=self.images.device)
        x, y = self.images[index], self.labels[index]
        if draws is not None:
            draws = draws[indices]
            flip = torch.as_tensor(draws[:, 0] < hflip, device=x.device)
            x = torch.where(flip[:, None, None, None], x.flip(-1), x)
            dy, dx = (torch.as_tensor((draws[:, k] * (2 * shift + 1)).astype(np.int64), device=x.device) for k in (1, 2))
            height, width = x.shape[-2:]
            padded = torch.nn.functional.pad(x, (shift,) * 4)
            rows = (dy[:, None] + torch.arange(height, device=x.device))[:, None, :, None]
            columns = (dx[:, None] + torch.arange(width, device=x.device))[:, None, None, :]
            here = torch.arange(len(x), device=x.device)[:, None, None, None]
            x = padded[here, torch.arange(x.shape[1], device=x.device)[None, :, None, None], rows, columns]
        mean, std = (v[:, None, None] for v in (self.mean, self.std))
        return (x.float() / 255 - mean) / std, y


class _Seeded(Dataset):
    """A data set whose random transforms draw from (seed, epoch, index). Its keys are pairs (epoch, index)."""

    def __init__(self, images, seed: int):
        self.images, self.seed = images, seed

    def __len__(self):
        return len(self.images)

    def __getitem__(self, key):
        epoch, index = key
        a, b, c = np.random.SeedSequence((self.seed, epoch, _IMAGE, index)).generate_state(3).tolist()
        random.seed(a)
        np.random.seed(b)
        # Not torch.manual_seed: in a worker it would queue a call for every image until CUDA is used, which is never.
        torch.default_generator.manual_seed(c)
        image, label = self.images[index]
        return image, label


class Shares:
    """The batch sampler of one process: each item is the list of (epoch, index) of one pass. Set ``epoch`` first."""

    def __init__(self, plan: Plan, seed: int, rank: int):
        self.plan, self.seed, self.rank, self.epoch = plan, seed, rank, 0

    def __len__(self):
        return self.plan.steps * self.plan.passes

    def __iter__(self):
        for indices in self.plan.shares(self.seed, self.epoch, self.rank):
            yield [(self.epoch, int(i)) for i in indices]


class Feed:
    """Batches (images, labels) of one process for every epoch, from a data set or from images in memory.

    ``feed(epoch)`` yields them on ``device``; ``len(feed)`` is their number.
    """

    def __init__(self, images: Any, plan: Plan, config: TrainConfig, rank: int, device: Device):
        self.images, self.plan, self.config, self.rank, self.device = images, plan, config, rank, device
        self.arrays = isinstance(images, ArrayImages)
        if self.arrays:
            if config.aa or config.reprob or config.color_jitter:
                raise ValueError(
                    "aa, reprob or color_jitter is set: expected none for images in memory; they take hflip and shift"
                )
            self.images = images.to(device)
            return
        if config.shift:
            raise ValueError("shift is set: expected 0 for images in files; their random crops move them")
        self.sampler = Shares(plan, config.seed, rank)
        self.loader = DataLoader(
            _Seeded(images, config.seed),
            batch_sampler=self.sampler,
            num_workers=config.workers,
            pin_memory=device.type == "cuda",
            persistent_workers=config.workers > 0,
            generator=torch.Generator().manual_seed(0),
        )

    def __len__(self):
        return self.plan.steps * self.plan.passes

    def __call__(self, epoch: int) -> Iterator:
        """The batches of an epoch, in its order."""
        if self.arrays:
            config, draws = self.config, None
            if config.hflip or config.shift:
                draws = np.random.default_rng((config.seed, epoch, _MOVES)).random((len(self.images), 3), dtype=np.float32)
            for indices in self.plan.shares(config.seed, epoch, self.rank):
                yield self.images.batch(indices, config.hflip, config.shift, draws)
            return
        self.sampler.epoch = epoch
        for x, y in self.loader:
            yield x.to(self.device, non_blocking=True), y.to(self.device, non_blocking=True)


def judged(images: Any, config: TrainConfig, rank: int, world: int, size: int, device: Device) -> Iterable:
    """Yield the batches by which process ``rank`` judges the network: every ``world``-th image, none twice.

    ``limit_steps`` limits their number too.
    """
    n = len(images) if config.limit_steps is None else min(len(images), config.limit_steps * size * world)
    own = np.arange(rank, n, world)
    if isinstance(images, ArrayImages):
        for start in range(0, len(own), size):
            yield images.batch(own[start : start + size])
        return
    loader = DataLoader(
        torch.utils.data.Subset(images, own.tolist()),
        batch_size=size, num_workers=config.workers, pin_memory=device.type == "cuda", generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    for x, y in loader:
        yield x.to(device, non_blocking=True), y.to(device, non_blocking=True)
