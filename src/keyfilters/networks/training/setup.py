"""Networks and data sets from the names in the settings; the dry run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from timm.data import create_transform
from torch import nn
from torch.utils.data import Dataset

from .batches import ArrayImages
from .recipes import PRETRAINED, TrainConfig

FASHION_DATA = "fashion-mnist"
SIZES = 10_000
"""Of so many images of a folder, evenly spread, the size in bytes tells whether they are the same."""


@dataclass(frozen=True)
class Network:
    """A network to train, the images that it takes, and what was noted when it was made."""

    model: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int
    size: int
    notes: tuple[str, ...] = ()
    weights: str = ""
    """Which weights it started from: the hash of their file, or where they came from."""


def network_of(config: TrainConfig, classes: int) -> Network:
    """Make the network: constructor, weights to start from, then the surgery on its depthwise filters."""
    from ..zoo.loading import load_model

    args = dict(config.model_args)
    if config.drop_path:
        args["drop_path_rate"] = config.drop_path
    published = config.weights == PRETRAINED
    loaded = load_model(
        config.model, weights=None if published else config.weights, pretrained=published, num_classes=classes, model_args=args
    )
    model, notes = loaded.model, [*loaded.notes]
    if config.replace is not None:
        from ..surgery.replacing import replace

        done = replace(model, config.method, config.replace, seed=config.seed, inplace=True)
        model, notes = done.model, [*notes, *done.notes]
    channels, size = loaded.input_size[0], config.img_size or loaded.input_size[-1]
    weights = loaded.source
    if config.weights is not None and not published:
        with open(config.weights, "rb") as file:
            weights = f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
    return Network(model.train(), loaded.mean, loaded.std, channels, size, tuple(notes), weights)


class Transformed(Dataset):
    """A data set of PIL images and labels, its images as normalised tensors."""

    def __init__(self, images: Any, transform: Callable | None, channels: int):
        self.images, self.transform, self.colours = images, transform, "L" if channels == 1 else "RGB"

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image, label = self.images[index]
        return self.transform(image.convert(self.colours)), int(label)


@dataclass(frozen=True)
class Sets:
    """Training and validation images as they were found, and the number of classes."""

    train: object
    val: object
    classes: int
    notes: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Hash of the images and labels; of folders, of the names of their images, in order, their classes, and sizes of files.

        Names and sizes, and not contents of folders: reading a large data set for that would take as long as an epoch.
        """
        digest = hashlib.sha256()
        for images in (self.train, self.val):
            if isinstance(images, tuple):
                for array in images:
                    digest.update(f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
            else:
                root, number, every = Path(images.root), images.target_transform or int, 1 + len(images.samples) // SIZES
                for i, (path, folder) in enumerate(images.samples):
                    # A file that is gone is named when it is its turn to be read.
                    size = f" {os.path.getsize(path)}" if i % every == 0 and os.path.exists(path) else ""
                    digest.update(f"{number(folder)} {Path(path).relative_to(root).as_posix()}{size}\n".encode())
        return f"sha256 {digest.hexdigest()}"

    def prepared(self, config: TrainConfig, network: Network) -> tuple:
        """The two sets as the network takes them: augmented for training, resized and cropped for validation."""
        if isinstance(self.train, tuple):
            # Grey images for a network that takes colours: the same in each channel.
            coloured = [(np.repeat(x[..., None], network.channels, -1), y) for x, y in (self.train, self.val)]
            return tuple(ArrayImages(*pair, network.mean, network.std) for pair in coloured)
        common = {
            "input_size": (network.channels, network.size, network.size), "mean": network.mean, "std": network.std,
            "interpolation": config.interpolation,
        }  # fmt: skip
        try:
            augmented = create_transform(
                **common, is_training=True, hflip=config.hflip, color_jitter=config.color_jitter, auto_augment=config.aa,
                re_prob=config.reprob, re_mode="pixel",
            )  # fmt: skip
        except (AssertionError, KeyError, ValueError) as error:
            raise ValueError(
                f"aa is {config.aa!r}: expected a policy of timm, such as rand-m9-mstd0.5-inc1 ({error})"
            ) from None
        plain = create_transform(**common, is_training=False, crop_pct=config.crop_pct)
        pairs = zip((self.train, self.val), (augmented, plain), strict=True)
        return tuple(Transformed(images, transform, network.channels) for images, transform in pairs)


def sets_of(config: TrainConfig) -> Sets:
    """Open the data that ``config.data`` names: ``fashion-mnist``, or a folder that holds ``train`` and ``val``.

    Each of those two holds one folder of images for each class.
    """
    if config.data == FASHION_DATA:
        from ...fetch import fashion_mnist

        sets = fashion_mnist()
        train, val = ((sets[f"{split}_images"], sets[f"{split}_labels"]) for split in ("train", "test"))
        return Sets(train, val, config.num_classes or 10)
    from ..data.datasets import dataset

    if config.data == "imagenet":
        raise ValueError(
            "data is 'imagenet': expected the folder that holds train and val, one folder of images a class (--data PATH)"
        )
    path = config.data.partition(":")[2] if config.data.startswith(("imagenet:", "imagefolder:")) else config.data
    train, val = (dataset(f"imagenet:{path}", split, _as_it_is) for split in ("train", "val"))
    if train.classes != val.classes:
        odd = sorted(set(train.classes) ^ set(val.classes))[0]
        raise ValueError(f"data {path}: class {odd} is not in both train and val: expected the same folders")
    classes = config.num_classes or len(train.classes)
    if classes < len(train.classes):
        raise ValueError(f"num_classes is {classes}: expected at least the {len(train.classes)} classes of {path}")
    notes = _labelled(train, val, classes)
    return Sets(train, val, classes, notes)


def _labelled(train, val, classes: int) -> tuple[str, ...]:
    """Label the folders as evaluation does, and return the notes; folders that say no class of so many count from 0."""
    for data in (train, val):
        try:
            data.take_classes(classes)
        except ValueError:
            data.notes.append(
                f"classes: {data.place}: the {len(data.classes)} folders are the first of {classes} classes, in order"
            )
    return tuple(dict.fromkeys((*train.notes, *val.notes)))


def _as_it_is(image):
    return image
