"""What the chapter *Learning the scales* shows: scales during and after training, from stored and live runs, and sentences about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from keyfilters.networks import ScaleSpaceConv2d
from keyfilters_book import page
from keyfilters_book.experiments import summary
from keyfilters_book.experiments.design import SCALE_SETTINGS, Setting
from keyfilters_book.experiments.pairs import points
from keyfilters_book.experiments.scale_sweep import common_filters
from keyfilters_book.experiments.variants import SCALE_VARIANTS
from keyfilters_book.figures import curves
from keyfilters_book.figures.networks import interval_dots
from keyfilters_book.figures.training import scale_ends, trajectories
from keyfilters_book.significance import paired_test

START = {
    "formats": {"sigma_x": "{:.3f}", "sigma_y": "{:.3f}", "gamma": "{:.4f}"},
    "headers": {"sigma_x": r"$\sigma_x$", "sigma_y": r"$\sigma_y$", "gamma": r"$\gamma$"},
}
ENDS = {
    "formats": dict.fromkeys(("start", "end", "sd", "least", "largest"), "{:.3f}") | dict.fromkeys(("low", "high"), "{:+.3f}"),
    "headers": {"low": "change, low", "high": "change, high", "least": "least fit", "largest": "largest fit"},
}


def stored_table(runs: pd.DataFrame, live: Mapping, setting: Setting) -> pd.DataFrame:
    """Accuracies of the stored runs, setting by setting, and of the live ones."""
    rows = []
    for s in SCALE_SETTINGS.values():
        for name in SCALE_VARIANTS:
            group = runs[(runs.setting == s.name) & (runs.variant == name)]
            accuracy = f"{100 * group.accuracy.mean():.1f}" if len(group) else "not run"
            if len(group) > 1:
                accuracy += f" ± {100 * group.accuracy.std():.1f}"
            rows.append((s.label, summary.label(name), len(group), accuracy))
    for (name, _), done in live.items():
        rows.append((f"{setting.label}, live", summary.label(name), 1, f"{100 * done.row['accuracy']:.1f}"))
    return pd.DataFrame(rows, columns=["setting", "variant", "seeds", "accuracy"])


def mean_paths(outcome) -> pd.DataFrame:
    """Mean scales per epoch and key of a live run, as they are stored."""
    frame = pd.DataFrame(outcome.scales)
    return frame.groupby(["epoch", "key"], as_index=False)[["sigma_x", "sigma_y", "gamma"]].mean()


def scales_of(
    stored: Mapping[str, pd.DataFrame], live: Mapping, seeds: Sequence[int], short: Setting
) -> tuple[pd.DataFrame, pd.DataFrame, Setting, dict[str, Any]]:
    """Scales per epoch, those of the channels at the end, their setting, and how the text names their source.

    They are those of the setting with the most epochs among the stored runs of two seeds or more; of the live runs where
    none is stored.
    """
    paths, channels = (stored[name][stored[name].variant == "scales"] for name in ("trajectories", "scales"))
    counts = {s: paths[paths.setting == s.name].seed.nunique() for s in SCALE_SETTINGS.values()}
    if max(counts.values()):
        known = [s for s in counts if counts[s] >= min(2, max(counts.values()))]
        chosen = max(known, key=lambda s: (s.epochs, s.passes))
        paths, channels = (f[f.setting == chosen.name] for f in (paths, channels))
        several = "the most epochs of those with two seeds or more"
        source, most = "stored runs", several if counts[chosen] > 1 else "the most epochs"
    else:
        chosen, source, most = short, "live runs", "no stored runs to replace it"
        one = {s: live["scales", s] for s in seeds}
        paths = pd.concat([mean_paths(o).assign(seed=s) for s, o in one.items()])
        last = {s: pd.DataFrame(o.scales).query("epoch == @short.epochs") for s, o in one.items()}
        channels = pd.concat([frame.assign(seed=s) for s, frame in last.items()])
    count = int(paths.seed.nunique())
    named = {"paths_source": source, "paths_most": most, "paths_setting": chosen.label}
    return paths, channels, chosen, named | {"paths_seeds": f"{count} seeds" if count > 1 else "one seed"}


def trajectories_figure(paths: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """The mean scales of each key over the epochs, and the data."""
    panels = {}
    for key, rows in paths.groupby("key"):
        panels[f"key {key}"] = {}
        for axis in "xy":
            wide = rows.pivot(index="seed", columns="epoch", values=f"sigma_{axis}")
            panels[f"key {key}"][rf"$\sigma_{axis}$"] = wide.columns, wide.to_numpy(dtype=float)
    fig = trajectories(panels, ylabel="mean scale of the channels, grid units")
    data = paths[["seed", "epoch", "key", "sigma_x", "sigma_y", "gamma"]]
    return fig, data.reset_index(drop=True)


def again_sentence(live: Mapping, seeds: Sequence[int], stored: pd.DataFrame, short: Setting) -> str:
    """Whether the live run ends where the stored one of the same seed does."""
    stored = stored[(stored.variant == "scales") & (stored.setting == short.name) & (stored.epoch == short.epochs)]
    again = []
    for seed in seeds:
        mine = mean_paths(live["scales", seed]).query("epoch == @short.epochs")
        both = mine.merge(stored[stored.seed == seed], on="key", suffixes=("", "_stored"))
        if len(both):
            again += [(both[f"sigma_{axis}"] - both[f"sigma_{axis}_stored"]).abs().max() for axis in "xy"]
    if not again:
        return "No stored run has the seed of the live one yet."
    return (
        f"The live run ends where the stored one of the same seed ends, up to {max(again):.3f} grid units:"
        " the stored one was compiled, and rounding is amplified by training."
    )


def ends_figure(channels: pd.DataFrame, fits: Mapping[str, np.ndarray]) -> tuple[Figure, pd.DataFrame]:
    """The scales of the channels after training, key by key, with start and fit, and the data."""
    points = {f"key {key}": rows[["sigma_x", "sigma_y"]].to_numpy(dtype=float) for key, rows in channels.groupby("key")}
    marks = {
        f"key {key}": {"start (method B)": fits["B"][:2, key - 1], "fit D1": fits["D1"][:2, key - 1]} for key in range(1, 9)
    }
    data = channels[["seed", "layer", "channel", "key", "sigma_x", "sigma_y", "gamma"]]
    return scale_ends(points, marks), data.reset_index(drop=True)


def ends_table(channels: pd.DataFrame, fits: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Start and end of each scale, the interval of its change over seeds, and the range of the fits."""
    rows = []
    for key, group in channels.groupby("key"):
        for i, axis in enumerate("xy"):
            end = group[f"sigma_{axis}"].astype(float)
            begin = fits["B"][i, key - 1]
            interval = summary.mean_interval(end.groupby(group.seed).mean() - begin) or (np.nan,) * 3
            fitted = [fit[i, key - 1] for fit in fits.values()]
            rows.append((key, axis, begin, end.mean(), end.std(), *interval[1:], min(fitted), max(fitted)))
    return pd.DataFrame(rows, columns=["key", "axis", "start", "end", "sd", "low", "high", "least", "largest"])


def stage_ratios(channels: pd.DataFrame, start: np.ndarray) -> list[float]:
    """The median of end over start of the scales, stage by stage."""
    ratios = []
    for _, group in channels.groupby(channels.layer.str.extract(r"stages\.(\d)")[0]):
        begin = np.array([start[:2, key - 1] for key in group.key])
        ratios.append(float(np.median(group[["sigma_x", "sigma_y"]].to_numpy(dtype=float) / begin)))
    return ratios


def kernels_figure(sigma: np.ndarray, panels: Mapping[str, Mapping]) -> tuple[Figure, pd.DataFrame]:
    """Sum, variance and distance of both kernels over the scale, and the data."""
    fig = curves(sigma, panels, xlabel=r"$\sigma$ (grid units)", legend_columns=2)
    named = {f"{title}, {label}": y for title, lines in panels.items() for label, y in lines.items()}
    return fig, pd.DataFrame({"sigma": sigma} | named)


def differences_sentence(pairs: pd.DataFrame, live: Mapping, seeds: Sequence[int], short: Setting) -> str:
    """What the sampled kernel costs in accuracy, in stored runs and live."""
    said = [
        f"{points(row.mean)} points ({points(row.low)} to {points(row.high)})"
        f" in {row.n} pairs of stored runs with {SCALE_SETTINGS[row.setting].label}"
        for row in pairs.itertuples()
    ]
    if ("scales-sampled", seeds[0]) in live:
        accuracy = {pair: done.row["accuracy"] for pair, done in live.items()}
        differ = [points(accuracy["scales", s] - accuracy["scales-sampled", s]) for s in seeds]
        said.append(f"{' and '.join(differ)} points live with {short.label}, seed {' and '.join(map(str, seeds))}")
    return "; ".join(said) or "no pair was run"


def sweep_sentence(wide: pd.DataFrame) -> str:
    """How large the range over the scales is beside what the seed changes."""
    mean, seeds = wide.mean(axis=1), len(wide.columns)
    noise = float(wide.std(axis=1).mean()) if seeds > 1 else np.nan
    if not np.isfinite(noise):
        return "one seed does not say how much of this is chance"
    factor = float(mean.max() - mean.min()) / noise
    return (
        f"this range is {factor:.1f} times the standard deviation between seeds"
        f" ({noise:.1f} points, from {seeds} seeds, so roughly)"
    )


def end_numbers(ends, change, sure, inside, ratios, fits, gamma) -> dict:
    """Numbers of the text: where learned scales end."""
    return {
        "ends_count": len(ends),
        "ends_grown": int((change > 0).sum()),
        "ends_sure": int(sure),
        "ends_inside": int(inside),
        "ends_change": (float(change.abs().median()), ".3f"),
        "ends_sd": (float(ends.sd.median()), ".3f"),
        "ends_first": (ratios[0], ".2f"),
        "ends_last": (ratios[-1], ".2f"),
        "ends_compare": "less" if change.abs().median() < ends.sd.median() else "more",
        "gamma_start": (float(fits["B"][2, 6]), ".4f"),
        "gamma_end": (float(gamma.mean()), ".4f"),
        "gamma_sd": (float(gamma.std()), ".4f"),
    }


def kernel_numbers(exact, short_by, sigma, apart, place, nearest, fourth) -> dict:
    """Numbers of the text: exact and sampled kernels."""
    return {
        "kernel_exact": (page.power_of_ten(exact), ".0e"),
        "kernel_variance": (short_by.max(), ".3f"),
        "kernel_variance_at": (sigma[short_by.argmax()], ".2f"),
        "filters_apart": (100 * apart.max(), ".0f"),
        "filters_key": int(place[1] + 1),
        "filters_at": (sigma[place[0]], ".2f"),
        "filters_end": (sigma[-1], "g"),
        "filters_end_apart": (100 * apart[-1].max(), ".0f"),
        "kernel_nearest": (nearest, ".2f"),
        "kernel_kurtosis": (fourth - 3, ".2f"),
    }


def sweep_numbers(wide, sweep_scales, few, sweep_judged, sweep_seeds, rate) -> dict:
    """Numbers of the text: how much the scale matters."""
    mean = wide.mean(axis=1)
    at_best, at_worst = float(mean.idxmax()), float(mean.idxmin())
    places = {min(sweep_scales): "at the lower end", max(sweep_scales): "at the upper end"}
    return {
        "sweep_setting": few.label,
        "sweep_judged": (sweep_judged, ","),
        "sweep_seeds": " and ".join(map(str, sweep_seeds)),
        "sweep_rate": (rate, "g"),
        "sweep_best": (at_best, "g"),
        "sweep_best_accuracy": (float(mean.max()), ".1f"),
        "sweep_worst": (at_worst, "g"),
        "sweep_worst_accuracy": (float(mean.min()), ".1f"),
        "sweep_says": sweep_sentence(wide),
        "sweep_place": places.get(at_best, "in the interior"),
    }


def start_numbers(ends, start_scales) -> dict:
    """Numbers of the text: scales before and after training."""
    return {
        "ends_least": (float(ends.end.min()), ".2f"),
        "ends_largest": (float(ends.end.max()), ".2f"),
        "start_least": (float(start_scales.min()), ".2f"),
        "start_largest": (float(start_scales.max()), ".2f"),
    }


def run_numbers(best, live_seeds, live_variants, short) -> dict:
    """Numbers of the text: the runs that are live and the stored ones."""
    own = "scales-sampled" in best
    return {
        "live_seeds": " and ".join(map(str, live_seeds)),
        "live_labels": " and ".join(map(summary.label, live_variants)),
        "live_setting": short.label,
        "sampled_search": "from its own search" if own else "of the other",
    }


def sampled_numbers(pairs, live, live_seeds, short) -> dict:
    """Numbers of the text: sampled kernels in training."""
    return {
        "sampled_says": differences_sentence(pairs, live, live_seeds, short),
        "sampled_pairs": int(pairs.n.sum()) if len(pairs) else 0,
    }


def bank(scale, kind):
    """All eight filters of a layer at one scale, unit norm."""
    layer = ScaleSpaceConv2d(
        8, sigma_x=scale, sigma_y=scale, kind=kind, normalize="l2",
        dtype=torch.float64,
    )  # fmt: skip
    return layer.kernels()[:, 0].numpy()


def factor_banks(narrow: float, wide: float, gammas: Sequence[float]) -> dict[Any, np.ndarray]:
    """Filters that are wide along both, one or no axis, by (sigma_x, sigma_y), and narrow ones by their sharpening."""
    banks: dict[Any, np.ndarray] = {(x, y): common_filters(x, sigma_y=y) for x in (narrow, wide) for y in (narrow, wide)}
    return banks | {gamma: common_filters(narrow, gamma=gamma) for gamma in gammas}


def factor_table(swept: pd.DataFrame, narrow: float, wide: float, gammas: Sequence[float]) -> pd.DataFrame:
    """What each change does to the accuracy, in points: paired by seeds, with Student's interval."""
    by = {label: 100 * part.set_index("seed").accuracy for label, part in swept.groupby("bank", sort=False)}
    none, along_x, along_y, both = (by[pair] for pair in ((narrow, narrow), (wide, narrow), (narrow, wide), (wide, wide)))
    pairs = {
        "wider along x": (along_x + both, none + along_y),
        "wider along y": (along_y + both, none + along_x),
        "wider along x, not y": (2 * along_x, 2 * along_y),
    } | {rf"$\gamma = {gamma:g}$, not fitted": (2 * by[gamma], 2 * none) for gamma in gammas}
    tests = {change: paired_test(after / 2, before / 2) for change, (after, before) in pairs.items()}
    return pd.DataFrame(
        [
            {"change": change, "points": test.mean, "low": test.low, "high": test.high, "seeds": test.n}
            for change, test in tests.items()
        ]
    )


def factors_figure(factors: pd.DataFrame) -> Figure:
    """The changes of the accuracy with their intervals."""
    title = "change of the accuracy (percentage points)"
    values = factors[["points", "low", "high"]].to_numpy()
    return interval_dots({title: {"": values}}, factors.change, references={title: 0.0}, width=4.2, label_width=1.9)


def factor_numbers(factors: pd.DataFrame, narrow: float, wide: float, gammas: Sequence[float]) -> dict:
    """Numbers of the text: which scale, and the sharpening."""
    x, y, apart, *sharpened = factors.itertuples()
    most = max(sharpened, key=lambda row: abs(row.points))
    named = {"factor_x": x, "factor_y": y, "factor_apart": apart, "factor_gamma": most}
    found = {name: (row.points, "+.1f") for name, row in named.items()}
    found |= {f"{name}_low": (row.low, "+.1f", "down") for name, row in named.items()}
    found |= {f"{name}_high": (row.high, "+.1f", "up") for name, row in named.items()}
    return found | {
        "factor_seeds": x.seeds,
        "factor_narrow": (narrow, "g"),
        "factor_wide": (wide, "g"),
        "factor_gammas": " and ".join(f"{gamma:g}" for gamma in gammas),
    }
