"""How much is trained, and on what: images and epochs. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

FASHION, ANIMALS = "fashion-mnist", "animal-shape-mnist"
SPLIT_SIZES = {FASHION: (55000, 5000), ANIMALS: (3000, 2000)}
"""Images for training and for the choice of the rate, by data set: the first and the next of a fixed permutation of its
training images. Fashion-MNIST has test images of its own; of the silhouettes the others are for the test."""


@dataclass(frozen=True)
class Setting:
    """Images and epochs of a training.

    Attributes
    ----------
    name, label : str
    images : int
        Training images, the first of a fixed permutation.
    epochs : int
    data : str
        ``"fashion-mnist"`` or ``"animal-shape-mnist"``.
    margin : float
        Differences of accuracy below this are of no interest.
    """

    name: str
    label: str
    images: int
    epochs: int
    data: str = FASHION
    margin: float = 0.01

    @property
    def passes(self) -> int:
        """Images times epochs: what a run costs."""
        return self.images * self.epochs


SETTINGS: dict[str, Setting] = {
    s.name: s
    for s in (
        Setting("small", "3,000 images, 20 epochs", 3000, 20),
        Setting("animals", "3,000 silhouettes, 20 epochs", 3000, 20, ANIMALS),
        Setting("short", "55,000 images, 2 epochs", 55000, 2, margin=0.005),
        Setting("long", "55,000 images, 10 epochs", 55000, 10, margin=0.005),
    )
}
"""The settings of the chapter on eight frozen filters, in the order in which they are run."""

SCALE_SETTINGS: dict[str, Setting] = {
    s.name: s
    for s in (
        Setting("small-short", "3,000 images, 4 epochs", 3000, 4),
        Setting("small-long", "3,000 images, 16 epochs", 3000, 16),
        Setting("full-short", "55,000 images, 1 epoch", 55000, 1),
    )
}
"""The settings of the chapter *Learning the scales*."""
