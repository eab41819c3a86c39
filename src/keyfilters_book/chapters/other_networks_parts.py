"""What the chapter *Other networks* shows: its networks, and the rows of its tables and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keyfilters.networks import key_filters, match
from keyfilters.networks.extraction.comparison import assign
from keyfilters.networks.extraction.extracting import Extraction
from keyfilters.networks.surgery.matching import Stack, as_layers, centred, unit
from keyfilters.networks.surgery.nulls import NullDistribution
from keyfilters_book.experiments.survey import (
    JUDGED,
    MARGIN,
    PACKAGED_NETWORKS,
    Surveyed,
    all_networks,
    over_layers,
    smooth_null,
)
from keyfilters_book.figures.clusters import key_gallery
from keyfilters_book.figures.networks import interval_dots

__all__ = [
    "all_networks", "apart_numbers", "best_numbers", "brief", "centre_numbers", "control_table", "easier",
    "kernels_table", "key_lines", "layer_numbers", "layers_table", "lines_gallery", "lines_row", "mean_free",
    "networks_table", "own_keys", "picture_numbers", "rule_numbers", "samples", "shares_row", "spike_numbers",
    "spikes_apart", "spikes_row", "survey_figure", "survey_numbers", "survey_table", "taps_figure", "taps_row", "traces",
]  # fmt: skip

SURVEY_NETWORKS = {"formats": {"filters": "{:,}"}, "wrap": True}
SURVEY_SHARES = {
    "formats": {**dict.fromkeys(("keys", *JUDGED, "lines", "median", "energy"), "{:.2f}"), "energy_excess": "{:+.2f}"},
    "wrap": True,
    "headers": {"gaussian": "Gauss", "lines": "best 8", "energy_excess": "its excess"},
}
SURVEY_MADE = {
    "formats": {"keys": "{:.2f}", **dict.fromkeys(("excess", "from", "to", "easy", "easy_from", "easy_to"), "{:+.3f}")},
    "wrap": True,
    "headers": {"easy": "norm 1", "easy_from": "from", "easy_to": "to"},
}
SURVEY_SPIKES = {
    "wrap": True,
    "formats": {"spikes": "{:.0f}"} | dict.fromkeys(("excess", "left", "from", "to"), "{:+.3f}"),
    "headers": {"spikes": "spikes, %", "left": "without spikes", "verdict_left": "verdict without"},
}
SURVEY_KERNELS = {
    "formats": {"filters": "{:,}", "excess": "{:+.2f}", **dict.fromkeys(("keys", "random", "gaussian", "lines"), "{:.2f}")},
    "wrap": True,
    "headers": {"gaussian": "Gauss", "lines": "best 8"},
}
SURVEY_LINES = {
    "wrap": True,
    "formats": dict.fromkeys(("own", "keys", "likeness", "chance"), "{:.2f}") | {"p": "{:.2f}"},
    "headers": {"own": "own 8 lines", "chance": "Gaussian's likeness"},
}
SURVEY_TRACES = {
    "wrap": True,
    "formats": dict.fromkeys(("centre", "even", "lattice", "lattice_from", "ring"), "{:.2f}")
    | dict.fromkeys(("direction", "from", "to"), "{:+.2f}"),
    "headers": {"lattice_from": "at least", "ring": "even, ring"},
}


def survey_table(found: Mapping[str, Surveyed], keys: Mapping) -> pd.DataFrame:
    """What the keys explain of each network, its largest null, the excess, and the verdict."""
    rows = []
    for name, s in found.items():
        null, excess = s.nulls[s.largest].pooled, s.excess[s.largest]
        rows.append(
            {"network": name, "keys": keys[name].estimate, "low": keys[name].low, "high": keys[name].high}
            | {"null": s.largest, "null_mean": null.mean(), "null_least": null.min(), "null_most": null.max()}
            | {"excess": excess.estimate, "from": excess.low, "to": excess.high, "verdict": s.verdict}
        )
    return pd.DataFrame(rows)


def survey_figure(picture: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> Figure:
    """Keys beside the largest null, and the excess beside the margin of the rule, network by network."""
    panels = {
        "explained variance": {
            "eight keys": picture[["keys", "low", "high"]],
            "largest null": picture[["null_mean", "null_least", "null_most"]],
        },
        "excess over the null": {"excess": picture[["excess", "from", "to"]]},
    }
    fig = interval_dots(
        panels,
        [f"{row.network}: {row.verdict}" for row in picture.itertuples()],
        limits={"explained variance": (0, 0.85), "excess over the null": (-0.03, 0.1)},
        references={"excess over the null": MARGIN},
        groups=np.cumsum([len(names) for names in groups.values()])[:-1],
        width=2.5,
        label_width=2.9,
    )
    # Labels of every 0.025 would run into each other.
    fig.axes[-1].set_xticks([0, 0.05, 0.1])
    return fig


def networks_table(counted: Mapping) -> pd.DataFrame:
    """The networks: task, where the weights come from, depthwise layers, filters and their sizes."""
    rows = []
    for name, matched in counted.items():
        sizes: dict[str, int] = {}
        for m in matched.layers:
            size = "x".join(map(str, m.kernel_size))
            sizes[size] = sizes.get(size, 0) + m.channels
        known = PACKAGED_NETWORKS.get(name)
        rows.append(
            {"network": name, "task": known.task if known else "clothes: 10 classes"}
            | {"package": known.package if known else "this book"}
            | {"layers": len(matched.layers), "filters": sum(m.channels for m in matched.layers)}
            | {"dead": sum(m.dead for m in matched.layers)}
            | {"sizes": ", ".join(f"{k} ({n:,})" for k, n in sorted(sizes.items()))}
        )
    return pd.DataFrame(rows)


def brief(frame: pd.DataFrame) -> pd.DataFrame:
    """With shorter names of networks, for tables that are wide."""
    names = frame.network.str.replace("EfficientNet-|PP-OCR|PP-", "", regex=True)
    return frame.assign(network=names)


def mean_free(layers: Mapping, matched) -> list[Stack]:
    """The live filters of a network without their means, at the norms that they have."""
    stacks = []
    for d, m in zip(as_layers(layers), matched.layers, strict=True):
        live = d.filters[m.live]
        stacks.append(Stack(m.name, centred(live.reshape(len(live), -1))[0].reshape(live.shape)))
    return stacks


def shares_row(name: str, s: Surveyed, energy: float, noise: NullDistribution) -> dict:
    """What keys, nulls and the best eight lines explain of a network; the keys also by median and by energy."""
    return (
        {"network": name, "keys": s.matches.pooled("filters")}
        | {kind: s.nulls[kind].pooled.mean() for kind in (*JUDGED, "lines")}
        | {"median": s.matches.pooled("median"), "energy": energy, "energy_excess": energy - noise.pooled.mean()}
    )


def control_table(controls: Mapping[str, Surveyed], easy: Mapping) -> pd.DataFrame:
    """The excess of the keys on filters that were made, over the fair null and over the one of norm 1."""
    rows = []
    for name, s in controls.items():
        excess = s.excess[s.largest]
        rows.append(
            {"filters": name, "keys": s.matches.pooled("filters"), "excess": excess.estimate}
            | {"from": excess.low, "to": excess.high, "verdict": s.verdict}
            | {"easy": easy[name].estimate, "easy_from": easy[name].low, "easy_to": easy[name].high}
        )
    return pd.DataFrame(rows)


def spikes_apart(s: Surveyed) -> tuple[list[np.ndarray], list[Stack]]:
    """Which filters are mostly one impulse, layer by layer, and the layers without them."""
    spikes = [m.explained > 0.5 for m in match(s.layers, "impulse").layers]
    pairs = zip(s.layers, spikes, strict=True)
    kept = [Stack(d.name, d.filters[~is_spike]) for d, is_spike in pairs if (~is_spike).sum() > 1]
    return [is_spike.astype(float) for is_spike in spikes], kept


def spikes_row(name: str, s: Surveyed, share, rest: Surveyed) -> dict:
    """The excess of the keys with all filters and without spikes."""
    left = rest.excess[rest.largest]
    return {"network": name, "spikes": 100 * share.estimate, "excess": s.excess[s.largest].estimate, "verdict": s.verdict} | {
        "left": left.estimate,
        "from": left.low,
        "to": left.high,
        "verdict_left": rest.verdict,
    }


def layers_table(found: Mapping[str, Surveyed], groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Each depthwise layer: kernel, stride, and what keys, nulls and its own best lines explain."""
    group_of = {name: group for group, names in groups.items() for name in names}
    return pd.DataFrame(
        [
            {"group": group_of[name], "network": name, "number": number + 1, "layer": d.name}
            | {"kernel": "x".join(map(str, d.kernel_size)), "stride": "x".join(map(str, d.stride))}
            | {"filters": d.channels, "keys": m.pooled("filters")}
            | {k: s.nulls[k].explained[number].mean() for k in s.nulls}
            for name, s in found.items()
            for number, (d, m) in enumerate(zip(s.layers, s.matches.layers, strict=True))
        ]
    )


def kernels_table(each: pd.DataFrame) -> pd.DataFrame:
    """The layers by size of the kernel and stride, weighted by their filters."""
    rows = []
    for (group, kernel, stride), part in each.groupby(["group", "kernel", "stride"]):
        weights = part.filters / part.filters.sum()
        rows.append(
            {"networks": group, "kernel": kernel, "stride": stride}
            | {"layers": len(part), "filters": part.filters.sum()}
            | {kind: weights @ part[kind] for kind in ("keys", "random", "gaussian", "lines")}
            | {"excess": weights @ (part["keys"] - part.gaussian)}
        )
    return pd.DataFrame(rows)


def samples(s: Surveyed, most: int, rng: np.random.Generator) -> Iterator[tuple[tuple[int, int], list[Stack]]]:
    """Each size of kernel of a network with its layers, of which at most so many filters are drawn."""
    sizes = {d.kernel_size for d in s.layers}
    for kernel in sorted(size for size in sizes if min(size) > 1):
        chosen = [d for d in s.layers if d.kernel_size == kernel]
        owner = np.repeat(np.arange(len(chosen)), [d.channels for d in chosen])
        stack = np.concatenate([d.filters for d in chosen])
        if len(stack) > most:
            picked = np.sort(rng.choice(len(stack), size=most, replace=False))
            owner, stack = owner[picked], stack[picked]
        yield kernel, [Stack(chosen[i].name, stack[owner == i]) for i in np.unique(owner)]


def key_lines(size: int) -> np.ndarray:
    """The eight keys as lines: without mean, of norm 1, shape (8, size * size)."""
    return unit(centred(key_filters("B", size).reshape(8, -1))[0])


def lines_row(name: str, kernel: tuple[int, int], own: Extraction, alike: float, chance: Sequence[float]) -> dict:
    """What the lines of a network explain, and whether they are more like the keys than those of Gaussian filters."""
    return (
        {"network": name, "kernel": "x".join(map(str, kernel)), "filters": len(own.labels)}
        | {"own": own.explained, "keys": own.explained_by("B"), "likeness": alike, "chance": np.mean(chance)}
        | {"p": (1 + np.sum(np.asarray(chance) >= alike)) / (1 + len(chance))}
    )


def lines_gallery(gallery: Mapping[str, Extraction]) -> tuple[Figure, dict]:
    """The lines of networks, each under the key that it is assigned to, with its correlation, and the data."""
    rows, notes = {"keys": list(key_filters("B", 5))}, {}
    for label, own in gallery.items():
        vectors = own.keys.reshape(8, -1)
        assigned, correlation = assign(vectors, key_lines(own.size))
        turned = np.where(correlation < 0, -1.0, 1.0)
        rows[label] = list((vectors[assigned] * turned[:, None]).reshape(own.keys.shape))
        notes[label] = [f"{abs(c):.2f}" for c in correlation]
    return key_gallery(rows, notes=notes), {label.lower().replace(" ", "-"): np.array(own) for label, own in rows.items()}


def taps_row(name: str, n: int, count: int, centre, way, lattice) -> dict:
    """Where the largest kernels of a network have their weight; a ring of 3 x 3 is all lattice."""
    known = n > 3
    return (
        {"network": name, "kernel": f"{n}x{n}", "filters": count, "centre": centre.estimate, "even": 1 / n**2}
        | {"direction": way.estimate, "from": way.low, "to": way.high}
        | {"lattice": lattice.estimate if known else np.nan, "lattice_from": lattice.low if known else np.nan}
        | {"ring": 8 / (4 * n - 4) if known else np.nan}
    )


def taps_figure(maps: Mapping[str, np.ndarray], groups: Mapping[str, Sequence[str]]) -> tuple[Figure, dict]:
    """The root mean square of each tap, network by network, a row for what they are for, and the data."""
    short = {"line direction": "direction", "Fashion-MNIST": "Fashion-\nMNIST", "photographs": "photo-\ngraphs"}
    words = {
        "OCRv6 detection": "v6 detection",
        "OCRv6 recognition": "v6 recogn.",
        "OCRv5 detection": "v5 detection",
        "OCRv5 recognition": "v5 recogn.",
        "LCNet line direction": "LCNet",
        "OCRv2 line direction": "v2",
    }
    rows, notes, stored = {}, {}, {}
    for group, names in groups.items():
        row = short.get(group, group)
        rows[row] = [maps[name] for name in names]
        labels = [name.replace("EfficientNet-", "").replace("PP-", "") for name in names]
        notes[row] = [words.get(label, label.replace(" images × ", " × ")) for label in labels]
        stored |= {f"{group}-{i}".lower().replace(" ", "-"): maps[name] for i, name in enumerate(names)}
    return key_gallery(rows, titles=[""] * 4, notes=notes, panel=1.5), stored


def survey_numbers(order, counted, draws) -> dict:
    """Numbers of the text: what was surveyed."""
    return {
        "networks": len(order),
        "packaged": len(PACKAGED_NETWORKS),
        "filters": (sum(m.channels for each in counted.values() for m in each.layers), ","),
        "null_draws": draws,
        "margin": (MARGIN, ".2f"),
    }


def picture_numbers(picture, groups, seeing, small) -> dict:
    """Numbers of the text: the picture."""
    turning = picture.loc[groups["line direction"], "excess"]
    return {
        "seeing": len(seeing),
        "excess_least": (picture.loc[seeing, "excess"].min(), ".2f"),
        "excess_most": (picture.loc[seeing, "excess"].max(), ".2f"),
        "ahead_count": int((picture["from"] > 0).sum()),
        "little_count": int((picture["to"] < MARGIN).sum()),
        "turning_least": (turning.min(), ".3f"),
        "turning_most": (turning.max(), ".3f"),
        "small_most": (small["keys"].max(), ".2f", "up"),
        "small_excess": (small.excess.abs().max(), ".3f", "up"),
    }


def apart_numbers(shares, room) -> dict:
    """Numbers of the text: what networks have in common."""
    apart = (shares.energy - shares["keys"]).abs()
    return {
        "apart_most": (apart.max(), ".2f"),
        "apart_name": apart.idxmax(),
        "apart_mean": (shares["keys"][apart.idxmax()], ".2f"),
        "apart_energy": (shares.energy[apart.idxmax()], ".2f"),
        "room_least": (room, ".2f", "down"),
    }


def rule_numbers(smooth, easy, seeing) -> dict:
    """Numbers of the text: the rule on known cases."""
    return {
        "fair_off": (abs(smooth.excess), ".3f", "up"),
        "easy_off": (smooth.easy, ".2f"),
        "easy_for": sum(interval.low >= MARGIN for interval in easy.values()),
        "easy_least": (min(easy[name].estimate for name in seeing), ".2f"),
        "easy_most": (max(easy[name].estimate for name in seeing), ".2f"),
    }


def spike_numbers(spiky, seeing, still) -> dict:
    """Numbers of the text: filters of one strong tap."""
    return {
        "spikes_least": (spiky.spikes[seeing].min(), ".0f"),
        "spikes_most": (spiky.spikes[seeing].max(), ".0f"),
        "still_least": (spiky.left[seeing].min(), ".2f"),
        "still_most": (spiky.left[seeing].max(), ".2f"),
        "still_ahead": still,
    }


def layer_numbers(each, seeing, ahead) -> dict:
    """Numbers of the text: layers of networks that see."""
    here = each.network.isin(seeing)
    return {
        "layers": len(each),
        "layers_seeing": int(here.sum()),
        "layers_seeing_ahead": int((here & ahead).sum()),
        "layers_other": int((~here).sum()),
        "layers_other_ahead": int((~here & ahead).sum()),
    }


def best_numbers(most, surrogates, count, likeness, which, gap) -> dict:
    """Numbers of the text: networks' own best eight."""
    return {
        "most": most,
        "surrogates": surrogates,
        "least_p": (1 / (surrogates + 1), ".2f"),
        "alike": count,
        "compared": len(likeness),
        "alike_names": ", ".join(which.network + " " + which.kernel) or "none",
        "gap_least": (gap.min(), ".2f", "down"),
        "gap_most": (gap.max(), ".2f", "up"),
    }


def centre_numbers(left, seeing, groups, six) -> dict:
    """Numbers of the text: what training leaves behind."""
    return {
        "centre_least": (left.centre[seeing].min(), ".2f"),
        "centre_most": (left.centre[seeing].max(), ".2f"),
        "centre_turning": (left.centre[groups["line direction"]].max(), ".2f"),
        "centre_small": (left.centre[groups["Fashion-MNIST"]].max(), ".2f"),
        "way_lcnet": (left.direction["PP-LCNet line direction"], "+.2f"),
        "way_v2": (left.direction["PP-OCRv2 line direction"], "+.2f"),
        "way_photographs": (left.direction[groups["photographs"]].abs().max(), ".2f", "up"),
        "lattice_six": (six.lattice, ".2f"),
        "lattice_six_even": (six.ring, ".2f"),
        "lattice_lite": (left.lattice["EfficientNet-Lite2"], ".2f"),
        "lattice_lite_even": (left.ring["EfficientNet-Lite2"], ".2f"),
    }


def traces(filters):
    """Centre, direction and lattice of filters (C, n, n) of norm 1."""
    n = filters.shape[1]
    half = n // 2
    power = filters**2
    across = (np.diff(filters, axis=2) ** 2).sum(axis=(1, 2))
    down = (np.diff(filters, axis=1) ** 2).sum(axis=(1, 2))
    ring = power.sum(axis=(1, 2)) - power[:, 1:-1, 1:-1].sum(axis=(1, 2))
    outer = power[:, ::half, ::half].sum(axis=(1, 2)) - power[:, half, half]
    return power[:, half, half], (across - down) / (across + down), outer / ring


def easier(s, bootstrap, seed, draws):
    """The excess over Gaussian filters of norm 1."""
    level = smooth_null(s.layers, "B", draws, seed, "filters").explained.mean(axis=1)
    matched = zip(s.matches.layers, level, strict=True)
    above = [m.explained - at for m, at in matched]
    return over_layers(s.matches, above, bootstrap, seed)


def own_keys(lines, groups) -> dict:
    """The lines of a network of each kind, for their gallery."""
    return {
        "Lite2": lines["EfficientNet-Lite2", 5],
        "v5 recognition": lines["PP-OCRv5 recognition", 5],
        "v5 detection": lines["PP-OCRv5 detection", 5],
        "v6 detection": lines["PP-OCRv6 detection", 7],
        "LCNet direction": lines["PP-LCNet line direction", 5],
        "v2 direction": lines["PP-OCRv2 line direction", 5],
        "Fashion-MNIST": lines[groups["Fashion-MNIST"][-1], 7],
    }
