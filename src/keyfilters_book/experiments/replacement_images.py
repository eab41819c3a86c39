"""Images for judging and mending a network with replaced filters, none of them for both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from keyfilters.images import crops, imagenet_samples, photographs
from keyfilters.networks.data.datasets import preprocess
from keyfilters.networks.zoo.loading import LoadedModel

IMAGES_PER_BATCH = 8
"""Images at once where statistics or gradients are taken."""
IMAGES_AT_ONCE = 16
"""Images at once where a network is judged: with fewer torch takes a slower way through 1x1 convolutions on one core."""


def _tensor(images, loaded: LoadedModel, resize=None) -> torch.Tensor:
    return preprocess(images, loaded, resize=resize).contiguous(memory_format=torch.channels_last)


def as_batches(images: torch.Tensor, size: int = IMAGES_PER_BATCH) -> list[torch.Tensor]:
    """A tensor (n, ...) cut into pieces of at most ``size``."""
    return list(images.split(size))


@dataclass(frozen=True)
class JudgingImages:
    """What a network is judged by, and what it may be mended with.

    Attributes
    ----------
    labelled : Tensor, labels : ndarray
        The ImageNet images of foolbox, and their classes.
    crops : Tensor, photograph : ndarray of str
        Pieces of photographs at their own scale, and of which photograph each is.
    calibration : Tensor
        Pieces, at several scales, of other photographs than those of ``crops``.
    calibrated_on : tuple of str
        Their names.
    """

    labelled: torch.Tensor
    labels: np.ndarray
    crops: torch.Tensor
    photograph: np.ndarray
    calibration: torch.Tensor
    calibrated_on: tuple[str, ...]


def split_photographs() -> tuple[dict, dict]:
    """The photographs for mending and those for judging: every other one, in the order of ``PHOTOGRAPHS``.

    Examples
    --------
    >>> mending, judging = split_photographs()
    >>> len(mending), len(judging), set(mending) & set(judging)
    (7, 6, set())
    """
    found = photographs()
    names = list(found)
    return {n: found[n] for n in names[::2]}, {n: found[n] for n in names[1::2]}


def pieces(named: dict, count: int, seed: int = 0, smallest: int = 128) -> list[np.ndarray]:
    """Square pieces of photographs in turn, of random side, place and handedness, not yet resized.

    Examples
    --------
    >>> found = pieces({"a": np.zeros((200, 160, 3), np.uint8)}, 3)
    >>> len(found), all(128 <= len(piece) <= 160 for piece in found)
    (3, True)
    """
    rng, images = np.random.default_rng(seed), list(named.values())
    out = []
    for i in range(count):
        image = images[i % len(images)]
        side = int(rng.integers(smallest, min(300, *image.shape[:2]) + 1))
        piece = crops([image], side, 1, int(rng.integers(2**31)))[0]
        out.append(np.ascontiguousarray(piece[:, :: 1 if rng.random() < 0.5 else -1]))
    return out


def images_for(loaded: LoadedModel, crops_per_photograph: int, calibration: int, seed: int = 0) -> JudgingImages:
    """The images as input of one network; see :class:`JudgingImages`."""
    samples, labels = imagenet_samples()
    mending, judging = split_photographs()
    cut = crops(judging, loaded.input_size[1], crops_per_photograph * len(judging), seed)
    return JudgingImages(
        _tensor(samples, loaded), labels, _tensor(cut, loaded), np.resize(list(judging), len(cut)),
        _tensor(pieces(mending, calibration, seed + 1), loaded, resize=True), tuple(mending),
    )  # fmt: skip
