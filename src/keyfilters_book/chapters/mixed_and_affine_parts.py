"""What the chapter *Do networks use mixed and oriented derivatives?* shows: terms, what they add, and directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import keyfilters as kf
from keyfilters.networks.surgery.depthwise import key_filters_at
from keyfilters.networks.surgery.matching import Stack, centred, unit
from keyfilters_book import figures
from keyfilters_book.experiments.further_terms import (
    BINS,
    FURTHER_TERMS,
    TERM_MARGIN,
    Directions,
    TermsJudged,
    best_ninth,
    term_filters,
)
from keyfilters_book.experiments.survey import smooth_noise
from keyfilters_book.figures.clusters import key_gallery

__all__ = [
    "axes_table",
    "controls",
    "direction_figure",
    "excess_table",
    "layer_table",
    "molecule_figure",
    "ninth_gallery",
    "ninth_rows",
    "passed_table",
    "terms_figure",
]

PASSED = {
    "formats": dict.fromkeys(["layers", "above", "clear"], "{:.0f}") | {"most": "{:+.1%}"},
    "headers": {"above": "p at most 0.05", "clear": "and by the margin", "most": "largest excess"},
}
AXES = {
    "formats": dict.fromkeys(["share", "null"], "{:.1%}") | {"deviations": "{:+.1f}"},
    "headers": {"share": "nearer to an axis", "null": "surrogates", "deviations": "standard deviations apart"},
}
CONTROL = {"formats": dict.fromkeys(["excess", "low", "high"], "{:+.2%}"), "headers": {"low": "from", "high": "to"}}


def molecule_figure() -> tuple[Figure, dict]:
    """The mixed derivative, the second derivatives along the diagonals, and the generator with three couplings."""
    second = {name: kf.molecule(*operators) for name, operators in (("x", ("second",)), ("y", ("identity", "second")))}
    mixed = kf.molecule("central", "central")
    covariance = kf.affine_covariance(np.sqrt(3), 1.0, np.pi / 4)
    shown = {
        r"$\delta_x \delta_y$": mixed,
        r"$\delta_{\varphi\varphi}$, 45°": (second["x"] + second["y"]) / 2 + mixed,
        r"$\delta_{\varphi\varphi}$, 135°": (second["x"] + second["y"]) / 2 - mixed,
    }
    shown |= {f"$C_q = {q:g}$": kf.affine_molecule(covariance, q) for q in (0.0, 1.0, 2.0)}
    names = ("mixed", "second-45", "second-135", "coupling-0", "coupling-1", "coupling-2")
    return figures.molecule_panels(shown), dict(zip(names, shown.values(), strict=True))


def terms_figure(size: int = 7) -> tuple[Figure, dict]:
    """The filters of each term at the larger of its two scales, in the order of their directions."""
    rows = {name: list(term_filters(name, size)[len(term_filters(name, size)) // 2 :]) for name in FURTHER_TERMS}
    titles = ["30°", "45°", "60°", "120°", "135°", "150°"]
    fig = key_gallery(rows, titles=titles, notes={"along axes": ["x", "y"]})
    return fig, {name.replace(" ", "-"): np.array(filters) for name, filters in rows.items()}


def excess_table(judged: Mapping[str, TermsJudged]) -> pd.DataFrame:
    """What each term adds to the keys in each network, what it adds for surrogates, and the excess with its verdict."""
    rows = []
    for name, found in judged.items():
        for place, (term, excess) in enumerate(found.excess.items()):
            rows.append(
                {"network": name, "term": term, "gain": found.pooled(term), "null": found.null_pooled[place].mean()}
                | {"excess": excess.estimate, "low": excess.low, "high": excess.high, "verdict": found.verdict(term)}
            )
    return pd.DataFrame(rows)


def layer_table(judged: Mapping[str, TermsJudged]) -> pd.DataFrame:
    """The layers of all networks, term by term."""
    parts = [found.by_layer().assign(network=name) for name, found in judged.items()]
    each = pd.concat(parts, ignore_index=True)
    return each.assign(excess=each.gain - each.null, above=each.p_holm <= 0.05)


def passed_table(each: pd.DataFrame) -> pd.DataFrame:
    """Of how many layers surrogates reach less, by the corrected p, and of how many by the margin too."""
    each = each.assign(clear=each.above & (each.excess >= TERM_MARGIN))
    found = each.groupby("term", sort=False).agg(
        layers=("layer", "size"), above=("above", "sum"), clear=("clear", "sum"), most=("excess", "max")
    )
    return found.reset_index()


def controls(pattern: Sequence[Stack], seed: int) -> dict[str, list[Stack]]:
    """Networks whose answer is known: smooth noise, keys in noise, and these with every tenth filter a mixed derivative."""
    rng = np.random.default_rng([seed, 1])

    def noisy(layer, every):
        size = layer.kernel_size
        bank = key_filters_at("B", size)[rng.integers(8, size=layer.channels)]
        bank[::every] = term_filters("mixed", size[0])[-1]
        noise = unit(centred(rng.normal(size=bank.reshape(len(bank), -1).shape))[0])
        return (unit(centred(bank.reshape(len(bank), -1))[0]) + noise).reshape(bank.shape)

    makers = {
        "smooth noise": lambda d: smooth_noise(d, rng),
        "keys in noise": lambda d: noisy(d, d.channels + 1),
        "keys in noise, one in ten mixed": lambda d: noisy(d, 10),
    }
    return {name: [Stack(d.name, make(d)) for d in pattern] for name, make in makers.items()}


def ninth_rows(layers: Mapping[str, Sequence[Stack]]) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The best ninth key of each network at its largest kernel: what it adds, the term most like it, and the filter."""
    rows, ninths = [], {}
    for name, stacks in layers.items():
        size = max(d.kernel_size[0] for d in stacks if d.kernel_size[0] == d.kernel_size[1])
        ninth, gain = best_ninth(stacks, size)
        line = unit(centred(ninth.reshape(1, -1))[0])
        alike = {}
        for term in FURTHER_TERMS:
            bank = term_filters(term, size)
            alike[term] = float(np.abs(unit(centred(bank.reshape(len(bank), -1))[0]) @ line[0]).max())
        nearest = max(alike, key=alike.__getitem__)
        keys = key_filters_at("B", (size, size)).reshape(8, -1)
        key = float(np.abs(unit(centred(keys)[0]) @ line[0]).max())
        rows.append({"network": name, "size": size, "gain": gain, "term": nearest, "likeness": alike[nearest], "key": key})
        ninths[name] = ninth
    return pd.DataFrame(rows), ninths


def ninth_gallery(rows: pd.DataFrame, ninths: Mapping[str, np.ndarray]) -> tuple[Figure, dict]:
    """The best ninth keys, each with what it adds."""
    shown = {"": [], " ": [], "  ": []}
    notes: dict[str, list[str]] = {label: [] for label in shown}
    for place, row in enumerate(rows.itertuples()):
        label = list(shown)[place // 4]
        shown[label].append(ninths[row.network])
        name = row.network.replace("EfficientNet-", "").replace("PP-", "").replace(" images × ", " × ")
        notes[label].append(f"{name}\n{row.gain:+.1%}")
    fig = key_gallery(shown, titles=[""] * 4, notes=notes, panel=1.5)
    return fig, {f"ninth-{i}": ninths[name] for i, name in enumerate(rows.network)}


def axes_table(found: Mapping[str, Directions]) -> pd.DataFrame:
    """How much of what has a direction lies nearer to an axis than to a diagonal, beside surrogates."""
    rows = []
    for group, directions in found.items():
        for order, share, null in zip(("first", "second"), directions.axes, directions.null_axes, strict=True):
            apart = (share - null.mean()) / null.std(ddof=1)
            rows.append({"networks": group, "derivative": order, "share": share, "null": null.mean(), "deviations": apart})
    return pd.DataFrame(rows)


def direction_figure(found: Mapping[str, Directions]) -> tuple[Figure, dict]:
    """Histograms of directions, for first and second derivatives, with the range of the surrogates."""
    import matplotlib.pyplot as plt

    from keyfilters.figures.style import COLOURS, RC

    degrees = np.arange(BINS) * 180 / BINS
    with plt.rc_context(RC):
        fig, axes = plt.subplots(2, len(found), figsize=(2.0 * len(found) + 0.3, 4.6), sharex=True, sharey="row", squeeze=False)
        for (group, directions), column in zip(found.items(), axes.T, strict=True):
            for ax, shown, null in zip(column, directions.histogram, directions.null, strict=True):
                ax.bar(degrees, 100 * shown, width=13, color=COLOURS[1], label="filters")
                low, high = 100 * np.quantile(null, [0.025, 0.975], axis=1)
                ax.vlines(degrees, low, high, color=COLOURS[2], linewidth=4, label="surrogates, 95 %")
            column[0].set_title(group)
            column[1].set(xticks=[0, 45, 90, 135], xlabel="degrees")
        for ax, order in zip(axes[:, 0], ("first", "second"), strict=True):
            ax.set_ylabel(f"{order}, % of weight")
        fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    data = {}
    for group, directions in found.items():
        name = group.lower().replace(" ", "-")
        data |= {f"{name}-histogram": directions.histogram, f"{name}-null": directions.null}
    return fig, data
