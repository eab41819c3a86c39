"""What a set of runs holds: variants, settings, seeds, and the search that every variant gets."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

from .settings import FASHION, SCALE_SETTINGS, SETTINGS, SPLIT_SIZES, Setting
from .variants import ALL_VARIANTS, BANK, SCALE_VARIANTS, VARIANTS


@dataclass(frozen=True)
class Design:
    """What a set of runs holds.

    Attributes
    ----------
    dims, depths : tuple
        Widths and blocks per stage of the network.
    seeds : tuple of int
        Of every variant; ``more_seeds`` are added for those in ``main``.
    rates, scales : tuple of float
        The grid of every variant's search: learning rate, and l2 norm of a filter at the start. Without scales every
        variant has its own norm. A frozen bank gets the largest norm only: behind it stands a normalisation, which takes
        its norm out again.
    searches : mapping of data set to Setting
        Where the search is done.
    own_searches : mapping of setting to a mapping of variant to rates
        Settings in which these variants are searched once more, in the setting itself; what is found there replaces
        the rate of the data set's search.
    search_seeds : tuple of int
    settings : mapping of str to Setting
    variants, main : tuple of str
        All variants, and those whose comparisons were fixed beforehand.
    basis_setting, basis_seeds
        Learned networks from which the extracted banks come; their seeds occur in no run.
    filter_seeds : tuple of int
        Seeds of which the filters of the learned network are stored.
    """

    name: str
    dims: tuple
    depths: tuple
    seeds: tuple
    rates: tuple
    scales: tuple
    searches: dict
    search_seeds: tuple
    settings: dict
    variants: tuple
    main: tuple = ()
    more_seeds: tuple = ()
    basis_setting: Setting | None = None
    basis_seeds: tuple = ()
    filter_seeds: tuple = (0,)
    own_searches: dict = field(default_factory=dict)

    def searched(self, variant: str, setting: Setting) -> tuple[Setting, list[tuple[float, float]]]:
        """Where a variant is searched for a setting, and what is tried there: all (rate, scale)."""
        where, rates = self.searches[setting.data], self.rates
        if len(self.searches) > 1:
            where = replace(where, name=f"search {setting.data}")
        own = self.own_searches.get(setting.name, {})
        if variant in own:
            where, rates = replace(setting, name=f"search {setting.name}"), own[variant]
        row = ALL_VARIANTS[variant]
        scales = self.scales or (row.norm,)
        return where, list(itertools.product(rates, scales[-1:] if row.kind == BANK else scales))

    def seeds_of(self, variant: str) -> tuple:
        """The seeds that a variant is run with."""
        return (*self.seeds, *self.more_seeds) if variant in self.main else self.seeds


EIGHT = Design(
    name="eight_filters", dims=(24, 48), depths=(1, 2), seeds=(0, 1, 2, 3, 4), more_seeds=(5, 6, 7, 8, 9),
    rates=(2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2), scales=(),
    searches={data: Setting("search", "3,000 images, 10 epochs", 3000, 10, data) for data in SPLIT_SIZES}, search_seeds=(100,),
    settings=SETTINGS, variants=tuple(VARIANTS),
    main=("learned", "learned-small", "ideal-B", "ideal-B-offset", "master", "random", "covariance", "impulse"),
    basis_setting=SETTINGS["short"], basis_seeds=(200, 201, 202), filter_seeds=(0, 1, 2),
    own_searches={"long": {
        "learned": (1e-2, 2e-2, 4e-2), "learned-small": (5e-3, 1e-2, 2e-2), "covariance": (1e-2, 2e-2, 4e-2),
    }},
)  # fmt: skip

SCALING = Design(
    name="fashion_mnist", dims=(16, 32), depths=(2, 2), seeds=(0, 1, 2, 3, 4), rates=(5e-3, 1e-2, 2e-2), scales=(0.14, 1.0),
    searches={FASHION: SCALE_SETTINGS["small-short"]}, search_seeds=(100,), settings=SCALE_SETTINGS, variants=tuple(SCALE_VARIANTS),
)  # fmt: skip

DESIGNS: dict[str, Design] = {d.name: d for d in (EIGHT, SCALING)}
"""The campaigns, made by one command and stored in git: that of the chapter on eight frozen filters, and that of
*Learning the scales*."""
