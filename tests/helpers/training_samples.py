"""A network and images so small that a training takes a fraction of a second; shared with the processes that tests start."""

import json

import numpy as np
import torch
from timm.layers import DropPath
from torch import nn

CLASSES = 4
# Everything that draws random numbers or keeps a state, at once.
EVERYTHING = {
    "mixup": 0.8, "cutmix": 1.0, "smoothing": 0.1, "hflip": 0.5, "shift": 1, "ema_decay": 0.9, "clip": 1.0, "warmup_epochs": 0.5,
}  # fmt: skip


class Tiny(nn.Module):
    """Two depthwise layers, the second behind drop path and dropout. Input (N, 1, 8, 8)."""

    def __init__(self, drop=0.0):
        super().__init__()
        self.num_classes = CLASSES
        self.stem = nn.Conv2d(1, 8, 2, stride=2)
        self.first = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.second = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.mix = nn.Conv2d(8, 8, 1)
        self.norm = nn.LayerNorm(8)
        self.drop_path, self.dropout = DropPath(drop), nn.Dropout(drop)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = torch.relu(self.first(self.stem(x)))
        x = x + self.drop_path(self.mix(torch.relu(self.second(x))))
        return self.head(self.dropout(self.norm(x.mean((-2, -1)))))


def tiny(drop=0.0, dtype=torch.float32):
    torch.manual_seed(1)
    return Tiny(drop).to(dtype)


def images(n=48, seed=0):
    """Noise and labels by which quarter is brighter, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    pictures, labels = rng.integers(0, 120, (n, 8, 8), np.uint8), np.arange(n) % CLASSES
    for picture, label in zip(pictures, labels, strict=True):
        picture[4 * (label // 2) :][:4, 4 * (label % 2) :][:, :4] += 120
    return pictures, labels


def folder(path, per_class=4, classes=2, size=32, splits=("train", "val")):
    """A folder of images as ImageNet's is arranged."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for split in splits:
        for label in range(classes):
            place = path / split / f"n{label:08d}"
            place.mkdir(parents=True)
            for k in range(per_class):
                Image.fromarray(rng.integers(0, 255, (size, size + 8, 3), np.uint8)).save(place / f"{k}.png")
    return path


def history(path):
    """The rows of a history without what depends on the clock."""
    rows = [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second", "processes")} for row in rows]
