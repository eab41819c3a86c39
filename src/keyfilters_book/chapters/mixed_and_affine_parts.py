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
    FURTHER_TERMS,
    TERM_MARGIN,
    Directions,
    TermsJudged,
    best_ninth,
    beyond_keys,
    square_layers,
    term_filters,
)
from keyfilters_book.experiments.survey import smooth_noise
from keyfilters_book.figures.clusters import key_gallery

PASSED = {"formats": {"most": "{:+.1%}"}, "headers": {"most": "largest excess"}}
COUPLING = {"formats": {"coupling": "{:.2f}", "least": "{:.4f}"}, "headers": {"coupling": "$C_q$", "least": "least tap"}}
TERMS = {"headers": {"idea": "filters"}, "wrap": True}
SUMMARY = {
    "formats": dict.fromkeys(["least", "most"], "{:.1%}") | dict.fromkeys(["low", "high"], "{:+.1%}"),
    "headers": {"least": "adds, from", "most": "to", "low": "excess, from", "high": "to"},
}
NINTH = {
    "formats": {"gain": "{:.1%}", "best": "{:.1%}", "likeness": "{:.2f}", "mixed": "{:.2f}", "key": "{:.2f}"},
    "headers": {
        "gain": "adds", "best": "best term adds", "term": "most like", "likeness": "correlation", "mixed": "with the mixed one",
        "key": "with a key",
    },
    "wrap": True,
}  # fmt: skip
AXES = {
    "formats": dict.fromkeys(["share", "null"], "{:.1%}") | {"deviations": "{:+.1f}"},
    "headers": {"share": "nearer to an axis", "null": "surrogates", "deviations": "standard deviations apart"},
}
CONTROL = {"formats": dict.fromkeys(["excess", "low", "high"], "{:+.2%}"), "headers": {"low": "from", "high": "to"}}


def molecule_figure() -> tuple[Figure, dict]:
    """The mixed derivative, the second derivatives along the diagonals, and the generator with three couplings."""
    second = {name: kf.molecule(*operators) for name, operators in (("x", ("second",)), ("y", ("identity", "second")))}
    mixed = kf.molecule("central", "central")
    covariance = [[2.0, 1.0], [1.0, 2.0]]
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
    return pd.DataFrame(
        [
            {"network": name, "term": term, "gain": found.pooled(term), "null": found.null_pooled[place].mean()}
            | {"excess": excess.estimate, "low": excess.low, "high": excess.high, "verdict": found.verdict(term)}
            for name, found in judged.items()
            for place, (term, excess) in enumerate(found.excess.items())
        ]
    )


def summary_table(table: pd.DataFrame) -> pd.DataFrame:
    """Each term over all networks: the least and the most that it adds, its excess, and how often each verdict falls."""
    return pd.DataFrame(
        [
            {"term": term, "least": part.gain.min(), "most": part.gain.max()}
            | {"low": part.excess.min(), "high": part.excess.max()}
            | {word: int((part.verdict == word).sum()) for word in ("yes", "undecided", "no")}
            for term, part in table.groupby("term", sort=False)
        ]
    )


def excess_figure(table: pd.DataFrame) -> Figure:
    """The excess of each term in each network, in per cent of the variance."""
    wide = table.pivot(index="network", columns="term", values="excess")
    # Nothing is shown as a negative zero.
    wide = (100 * wide.loc[table.network.unique(), list(FURTHER_TERMS)]).round(1) + 0.0
    wide.columns = [name.replace(" ", "\n") for name in FURTHER_TERMS]
    return figures.method_heatmaps({"": wide}, formats="{:+.1f}", cell=(1.05, 0.36))


def coupling_table(covariance: np.ndarray, couplings: Sequence[float]) -> pd.DataFrame:
    """The least tap of the affine Gaussian with each coupling."""
    rows = [(q, kf.affine_gaussian(covariance, q, 12).min()) for q in couplings]
    return pd.DataFrame(rows, columns=["coupling", "least"])


def terms_table() -> pd.DataFrame:
    """The terms, and how many filters each has at the two scales."""
    rows = [(name, term.idea, len(term_filters(name))) for name, term in FURTHER_TERMS.items()]
    return pd.DataFrame(rows, columns=["term", "idea", "number"])


def layer_table(judged: Mapping[str, TermsJudged]) -> pd.DataFrame:
    """The layers of all networks, term by term."""
    parts = [found.by_layer().assign(network=name) for name, found in judged.items()]
    each = pd.concat(parts, ignore_index=True)
    each = each.assign(excess=each.gain - each.null, above=each.p_holm <= 0.05)
    return each.assign(clear=each.above & (each.excess >= TERM_MARGIN))


def passed_table(each: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Of how many layers surrogates reach less, by the corrected p, and of how many by the margin too (in brackets)."""
    rows = []
    for term, part in each.groupby("term", sort=False):
        row = {"term": term}
        for group, names in groups.items():
            here = part[part.network.isin(names)]
            row[group] = f"{here.above.sum()} ({here.clear.sum()}) of {len(here)}"
        rows.append(row | {"most": part.excess.max()})
    return pd.DataFrame(rows)


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
    """The best ninth key of each network at its largest kernel: what it adds, what it is most like, and the filter."""
    rows, ninths = [], {}
    for name, stacks in layers.items():
        square = square_layers(stacks)
        size = max(d.kernel_size[0] for d in square)
        vectors = np.concatenate([d.filters.reshape(d.channels, -1) for d in square if d.kernel_size[0] == size])
        banks = [term_filters(term, size) for term in FURTHER_TERMS]
        ninths[name], gain = best_ninth(square, size)
        alike = [_likeness(ninths[name], bank) for bank in banks]
        nearest = int(np.argmax(alike))
        rows.append(
            {"network": name, "kernel": f"{size}x{size}", "gain": gain}
            | {"best": beyond_keys(vectors, size, banks).mean(axis=1).max()}
            | {"term": list(FURTHER_TERMS)[nearest], "likeness": alike[nearest]}
            | {"mixed": _likeness(ninths[name], term_filters("mixed", size))}
            | {"key": _likeness(ninths[name], key_filters_at("B", (size, size)))}
        )
    return pd.DataFrame(rows), ninths


def _likeness(ninth: np.ndarray, bank: np.ndarray) -> float:
    """The largest correlation of a filter with those of a bank, sign aside."""
    lines = unit(centred(np.concatenate([ninth[None], bank]).reshape(len(bank) + 1, -1))[0])
    return float(np.abs(lines[1:] @ lines[0]).max())


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
    return pd.DataFrame(
        [
            {"networks": group, "derivative": order, "share": share, "null": null.mean()}
            | {"deviations": (share - null.mean()) / null.std(ddof=1)}
            for group, directions in found.items()
            for order, share, null in zip(("first", "second"), directions.axes, directions.null_axes, strict=True)
        ]
    )


def direction_data(found: Mapping[str, Directions]) -> dict[str, np.ndarray]:
    """What the histograms of directions are drawn from."""
    data = {}
    for group, directions in found.items():
        name = group.lower().replace(" ", "-")
        data |= {f"{name}-histogram": directions.histogram, f"{name}-null": directions.null}
    return data


def axes_numbers(first: pd.DataFrame, second: pd.DataFrame) -> dict:
    """Numbers of the text, in per cent: what lies along the axes, at first and at second order."""
    return {
        "axes-photographs": (100 * first.share["photographs"], ".0f"),
        "axes-noise": (100 * first.null["photographs"], ".0f"),
        "axes-text": (100 * first.share["text"], ".0f"),
        "axes-text-noise": (100 * first.null["text"], ".0f"),
        "axes-second-least": (100 * second.share.min(), ".0f"),
        "axes-second-apart": (100 * (second.share - second.null).abs().max(), ".0f", "up"),
    }


def diagonal_numbers(rising: np.ndarray, falling: np.ndarray, noise: np.ndarray) -> dict:
    """Numbers of the text, in per cent: what lies along the diagonals."""
    return {
        "rising-second": (100 * rising[1], ".0f"),
        "falling-second": (100 * falling[1], ".0f"),
        "noise-second": (100 * noise.max(), ".0f"),
        "rising-first": (100 * rising[0], ".0f"),
        "falling-first": (100 * falling[0], ".0f"),
    }


def trial_numbers(table: pd.DataFrame) -> dict:
    """Numbers of the text: how often each verdict falls, and the largest excesses, in per cent."""
    yes = table[table.verdict == "yes"]
    return {
        "networks": (table.network.nunique(),),
        "trials": (len(table),),
        "yes-count": (len(yes),),
        "undecided-count": (int((table.verdict == "undecided").sum()),),
        "no-count": (int((table.verdict == "no").sum()),),
        "yes-names": ("; ".join(yes.term + " in " + yes.network) or "none",),
        "margin": (100 * TERM_MARGIN, ".2f"),
        "mixed-most": (100 * table.excess[table.term == "mixed"].max(), ".1f", "up"),
        "excess-most": (100 * table.excess.max(), ".1f", "up"),
    }


def layer_numbers(mixed: pd.DataFrame, oriented: pd.DataFrame) -> dict:
    """Numbers of the text: in how many layers two terms are more than chance, and by the margin."""
    return {
        "mixed-layers": (int(mixed.above.sum()),),
        "mixed-clear": (int(mixed.clear.sum()),),
        "photo-layers": (len(mixed),),
        "oriented-clear": (int(oriented.clear.sum()),),
        "oriented-most": (100 * oriented.excess.max(), ".0f"),
    }


def ninth_numbers(rows: pd.DataFrame, seven: pd.DataFrame) -> dict:
    """Numbers of the text: what the best ninth key adds, and what it resembles."""
    return {
        "blobs": (int((seven.term == "affine blob").sum()),),
        "seven": (len(seven),),
        "ninth-least": (100 * seven.gain.min(), ".0f"),
        "ninth-most": (100 * seven.gain.max(), ".0f"),
        "mixed-alike": (rows.mixed.max(), ".2f", "up"),
    }
