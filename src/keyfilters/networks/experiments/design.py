"""How much is trained: images, epochs, seeds, and the search that every variant gets."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from .variants import ALL_VARIANTS, BANK, SCALE_VARIANTS, VARIANTS

VALIDATION = 5000
"""Images at the end of a fixed permutation of the training set that choose rate and scale; never trained on."""


@dataclass(frozen=True)
class Setting:
    """Images and epochs of a training.

    Attributes
    ----------
    name, label : str
    images : int
        Training images, the first of a fixed permutation.
    epochs : int
    """

    name: str
    label: str
    images: int
    epochs: int

    @property
    def passes(self) -> int:
        """Images times epochs: what a run costs."""
        return self.images * self.epochs


SETTINGS: dict[str, Setting] = {
    s.name: s
    for s in (
        Setting("small-short", "3,000 images, 4 epochs", 3000, 4),
        Setting("small-long", "3,000 images, 16 epochs", 3000, 16),
        Setting("full-short", "55,000 images, 1 epoch", 55000, 1),
        Setting("full-long", "55,000 images, 3 epochs", 55000, 3),
    )
}


@dataclass(frozen=True)
class Design:
    """What a set of runs holds.

    Attributes
    ----------
    dims, depths : tuple
        Widths and blocks per stage of the network.
    seeds : tuple of int
    rates, scales : tuple of float
        The grid of every variant's search: learning rate, and l2 norm of a filter at the start. A frozen
        bank gets the largest norm only: behind it stands a normalisation, which takes its norm out again.
    search_setting, search_seeds
        Where the search is done.
    settings : tuple of str
    basis_setting, basis_seeds
        Learned networks from which the extracted banks come; their seeds occur in no run.
    """

    name: str
    dims: tuple
    depths: tuple
    seeds: tuple
    rates: tuple
    scales: tuple
    search_setting: Setting
    search_seeds: tuple
    settings: tuple
    variants: tuple
    basis_setting: Setting
    basis_seeds: tuple

    def grid(self, variant: str):
        """All (rate, scale) of a variant's search."""
        scales = self.scales[-1:] if ALL_VARIANTS[variant].kind == BANK else self.scales
        return list(itertools.product(self.rates, scales))


FULL = Design(
    name="full", dims=(16, 32), depths=(2, 2), seeds=(0, 1, 2, 3, 4), rates=(5e-3, 1e-2, 2e-2), scales=(0.14, 1.0),
    search_setting=SETTINGS["small-short"], search_seeds=(100,), settings=tuple(SETTINGS),
    variants=(*VARIANTS, *(v for v in SCALE_VARIANTS if v not in VARIANTS)),
    basis_setting=SETTINGS["full-short"], basis_seeds=(200, 201, 202),
)  # fmt: skip

DESIGNS: dict[str, Design] = {
    "full": FULL,
    "quick": replace(
        FULL, name="quick", seeds=(0, 1), settings=("small-short",), variants=tuple(VARIANTS),
        basis_setting=replace(SETTINGS["small-short"], name="basis"), basis_seeds=(200, 201),
    ),
}  # fmt: skip
"""``full`` is made by one command and stored in git; ``quick`` runs live, with the rates and scales that the
stored search has found."""
