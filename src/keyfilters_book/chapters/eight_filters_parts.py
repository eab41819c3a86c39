"""What the chapter on eight frozen filters shows: its tables, its figures, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keyfilters.networks import extract
from keyfilters_book import page
from keyfilters_book.experiments import summary
from keyfilters_book.experiments.design import EIGHT, SETTINGS, Setting
from keyfilters_book.experiments.filter_banks import filter_widths
from keyfilters_book.experiments.pairs import beside, points
from keyfilters_book.experiments.variants import VARIANTS, variant_bank
from keyfilters_book.figures.training import seed_dots
from keyfilters_book.significance import standard_errors

__all__ = [
    "accuracies", "accuracy_figure", "at_hand", "baseline_sentence", "become_sentence", "best_rates", "counted",
    "coverage_numbers", "coverage_sentence", "differences_figure", "due_sentence", "explained_numbers", "exploratory_table", "few_sentence",
    "explored_sentence", "floor_row", "gain_sentence", "gained_sentence", "in_order", "least_lead", "long_paths", "long_sentence",
    "longest_sentence", "loss_numbers", "paired_table", "parameter_numbers", "path_sentence",
    "paths_of", "pooled_numbers", "pooled_or_none", "pooled_row", "pooled_sentence", "rate_sentence", "mended_numbers", "own_search_sentence",
    "rows_or_none", "said", "says_numbers", "stored_filters", "variants_row", "width_numbers", "widths_table",
]  # fmt: skip

FLOOR = {
    "formats": dict.fromkeys(("ridge", "logistic", "impulse", "learned", "keys"), "{:.3f}"),
    "headers": {"impulse": "unit impulse", "learned": "learned filters", "keys": "keys B"},
}
VARIANTS_SHOWN = {"formats": {"trained": "{:,}"}, "headers": {"filters": "different filters", "trained": "trained numbers"}}
BEST = {"headers": {"rate": "learning rate", "edge": "at an end"}}
COVERAGE = {"formats": {"hours": "{:.2f}"}, "headers": {"of_main": "of", "other": "others", "of_other": "of"}}
ORIGIN = {"formats": {"hours": "{:.2f}", "compiled": lambda yes: "yes" if yes else "no"}, "wrap": True}
PAIRED = {"headers": {"p": "p, differ", "p_equal": "p, equal"}, "wrap": True}
REPLACED = {
    "formats": {"change": "{:.2f}", "accuracy": "{:.3f}", "mended": "{:.3f}"},
    "headers": {"mended": "accuracy, mended"},
}

POOLED = {
    "formats": dict.fromkeys(("lines", "surrogate", "keys", "r", "gaussian"), "{:.3f}")
    | dict.fromkeys(("beyond", "alike"), "{:+.1f}"),
    "headers": {
        "lines": "eight lines explain",
        "surrogate": "of surrogates",
        "beyond": "beyond, sd",
        "keys": "keys explain",
        "r": r"mean $\lvert r \rvert$",
        "gaussian": "surrogates",
        "alike": "beyond, sd",
    },
    "wrap": True,
}
DEVIATIONS = 3.0
"""Standard deviations of a null that a number has to be beyond its mean."""
LITTLE = 0.3
"""Less of the variance than this is called little."""
WANTED = 0.905
"""The accuracy with learned filters that the plan asks of the longest setting."""

ORDER = {name: i for i, name in enumerate(VARIANTS)}
MODES = {
    "affine": "matched key, gain and offset",
    "own": "the same, scales fitted to each filter",
    "unit": "matched key, sign only",
    "random": "random filter of the same norm",
    "gaussian": "normal filter, same covariance",
    "impulse": "unit impulse, matched",
}


def in_order(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs in the order of the table of variants, not of the names."""
    runs = runs.assign(place=runs.variant.map(ORDER))
    return runs.sort_values(["setting", "place", "seed"], ignore_index=True)


def accuracies(runs: pd.DataFrame, search: pd.DataFrame, setting: Setting) -> dict[str, pd.Series]:
    """Accuracies of each variant by seed, in the setting's seeds."""
    seeds = summary.seeds_there(runs, search, EIGHT, setting)
    here = runs[(runs.setting == setting.name) & runs.seed.isin(seeds)]
    return {name: here[here.variant == name].set_index("seed").accuracy for name in VARIANTS}


def rows_or_none(frame: pd.DataFrame, formats: Mapping[str, Any]) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """What a table shows: the rows, or one that says that there are none yet."""
    if len(frame):
        return frame.reset_index(drop=True), formats
    return pd.DataFrame([["none yet", *["–"] * (frame.shape[1] - 1)]], columns=frame.columns), {}


def _title(setting: Setting, values: Mapping[str, pd.Series] | None = None) -> str:
    """A setting above a panel, in lines short enough to stand beside others; with its seeds so far, where some are lacking."""
    title, planned = setting.label.replace(", ", ",\n"), len(EIGHT.seeds_of(summary.KEY_VARIANT))
    seeds = planned if values is None else len(values[summary.KEY_VARIANT])
    return title if seeds >= planned else f"{title} ({seeds} of {planned} seeds)"


def accuracy_figure(
    by_setting: Mapping[str, Mapping[str, pd.Series]], shown: Sequence[Setting], live: pd.DataFrame, live_setting: Setting
) -> Figure:
    """Accuracies of the main variants, run by run, with means; of the page's own networks where no run is stored."""
    panels = {}
    for setting in shown:
        rows = {}
        for name in EIGHT.main:
            values = 100 * by_setting[setting.name][name].to_numpy()
            if len(values) >= summary.FEWEST:
                rows[VARIANTS[name].label] = values, summary.mean_interval(values)
        panels[_title(setting, by_setting[setting.name])] = rows
    if not shown:
        by_name = live.groupby("variant").accuracy
        panels[_title(live_setting)] = {summary.label(n): (100 * a.to_numpy(), None) for n, a in by_name}
    return seed_dots(
        panels,
        [row.label for row in VARIANTS.values() if any(row.label in p for p in panels.values())],
        xlabel="accuracy on the test images, %",
        highlight=[VARIANTS[n].label for n in ("learned", "learned-small")],
        outliers=["unit impulse"],
        columns=3 if len(panels) <= 3 else 2,
    )


def _in_words(row) -> str:
    """A comparison in words, with its interval."""
    return f"{row.reading} ({points(row.mean)} points, {points(row.low)} to {points(row.high)})"


def said(found: pd.DataFrame, rival: str) -> str:
    """What the keys are beside a rival, in each setting shown."""
    rows = found[found.rival == rival]
    words = [f"{SETTINGS[r.setting].label}: {_in_words(r)}" for r in rows.itertuples()]
    return "; ".join(words) or "no setting has enough runs yet"


def _short_label(name: str) -> str:
    """The images of a setting, with its epochs only where another setting has as many of the same."""
    images = [s.label.rpartition(", ")[0] for s in SETTINGS.values()]
    short, _, epochs = SETTINGS[name].label.rpartition(", ")
    return short if images.count(short) == 1 else f"{short} ({epochs})"


def counted(found: pd.DataFrame, rival: str) -> str:
    """How the comparisons of the keys with a rival came out, reading by reading, in the settings that have all seeds."""
    rows = found[(found.rival == rival) & found.reading.isin(list(summary.SIDES))]
    if rows.empty:
        return "not decided in any setting yet"
    words = []
    for reading in dict.fromkeys(rows.reading):
        names = [_short_label(s) for s in rows.setting[rows.reading == reading]]
        words.append(f"{reading.replace(',', '')} with {' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))}")
    return "; ".join(words)


def _gains(found: pd.DataFrame) -> tuple[list[str], list[tuple[float, float]]]:
    """The share of what the keys gain over no spatial filter that other frozen filters gain: in words, and as intervals.

    The share of a rival is one less its distance from the keys over the gain of the keys; the gain is taken as it is.
    Intervals are those of the settings that have all seeds: nothing is concluded from others.
    """
    words, shares = [], []
    for name, rows in found.groupby("setting", sort=False):
        by, label = rows.set_index("rival"), SETTINGS[name].label
        gain = by["mean"]["impulse"]
        if by.low["impulse"] <= 0:
            words.append(f"with {label} the keys gain nothing for sure")
            continue
        parts = []
        for rival, what in (("random", "random filters"), ("covariance", "those of the covariance")):
            share, low, high = (1 - by[c][rival] / gain for c in ("mean", "high", "low"))
            parts.append(f"{what} gain {100 * share:.0f} % ({100 * low:.0f} to {100 * high:.0f})")
            if rows.reading.isin(list(summary.SIDES)).all():
                shares.append((low, high))
        words.append(f"with {label} {' and '.join(parts)}")
    return words, shares


def gain_sentence(found: pd.DataFrame) -> str:
    """How much of what the keys gain over no spatial filter other frozen filters gain as well, with the ends of the interval."""
    words, _ = _gains(found)
    if not words:
        return "No setting has enough runs to say how much of this any filters would do."
    return f"Of what the keys gain over the unit impulse, {'; '.join(words)}."


def due_sentence(found: pd.DataFrame) -> str:
    """What most of this gain is due to."""
    _, shares = _gains(found)
    gain = "what they gain over no spatial filtering"
    if shares and min(low for low, _ in shares) > 0.5:
        return f"Most of {gain} is due to any reasonable filters."
    if shares and max(high for _, high in shares) < 0.5:
        return f"Most of {gain} is due to these eight."
    return f"How much of {gain} is due to these eight is open."


LONGEST = max(SETTINGS.values(), key=lambda setting: setting.passes)
"""The setting with the longest training."""


def overfitting_clause(runs: pd.DataFrame, learned: str) -> str:
    """That learned filters overfit in the longest training, with losses; empty where they do not.

    They do where, in pairs over seeds, their loss is surely below that of the keys on the training images and surely above
    it on the test images.
    """
    ends = runs[(runs.setting == LONGEST.name) & runs.variant.isin([learned, summary.KEY_VARIANT])]
    wide = ends.pivot(index="seed", columns="variant", values=["train_loss", "loss"]).dropna()
    train, test = (
        summary.mean_interval(wide[what][learned] - wide[what][summary.KEY_VARIANT]) for what in ("train_loss", "loss")
    )
    if train[2] >= 0 or test[1] <= 0:
        return ""
    theirs, keys = (
        f"{wide['train_loss'][name].mean():.2f} on the training images and {wide['loss'][name].mean():.2f} on the test images"
        for name in (learned, summary.KEY_VARIANT)
    )
    return f", which overfit there (their loss is {theirs}, that of the keys {keys})"


def longest_sentence(found: pd.DataFrame, runs: pd.DataFrame) -> str:
    """What the keys are beside learned and beside random filters after the longest training; with its seeds so far, if they lack."""
    rows = {row.rival: row for row in found[found.setting == LONGEST.name].itertuples()}
    after = f"the longest training ({LONGEST.label})"
    if not rows:
        return f"Of {after} not enough runs are there yet."
    learned, noise = rows["learned"], rows["random"]
    if learned.reading in summary.SIDES:
        return (
            f"After {after} the keys are, beside learned filters{overfitting_clause(runs, learned.variant)}, {_in_words(learned)};"
            f" beside random ones, {_in_words(noise)}."
        )
    away = [f"{points(r.mean)} points ({points(r.low)} to {points(r.high)})" for r in (learned, noise)]
    return (
        f"After {after} nothing is decided before all {len(EIGHT.seeds_of(summary.KEY_VARIANT))} seeds are there: over the first"
        f" {learned.n} the keys are {away[0]} beside learned filters and {away[1]} beside random ones."
    )


FEW = ("small", "animals")
"""The settings with few images, on which published work finds frozen keys ahead of learned filters."""


def few_sentence(found: pd.DataFrame) -> str:
    """Whether the keys are ahead of learned filters with few images, on each of the two data sets."""
    rows = found[(found.rival == "learned") & found.setting.isin(FEW)]
    decided = [r for r in rows.itertuples() if r.reading in summary.SIDES]
    if not decided:
        return "Neither of the two small sets has all its seeds yet."
    told = "; ".join(f"with {SETTINGS[r.setting].label} they are {_in_words(r)}" for r in decided)
    ahead = sum(summary.SIDES[r.reading] == 1 for r in decided)
    if len(decided) < len(FEW):
        return f"Here, {told}. The other small set has not all its seeds yet."
    verdict = {0: "neither set shows it", len(FEW): "both sets show it"}.get(ahead, "one set shows it, the other does not")
    return f"Here, {told}: {verdict}."


EXPLORATORY = [name for name in VARIANTS if name not in EIGHT.main]


def explored_sentence(runs: pd.DataFrame) -> str:
    """In which settings the exploratory variants have enough seeds to be shown, and which of them where not all have."""
    found = beside(runs, summary.KEY_VARIANT, EXPLORATORY)
    words = []
    for setting in SETTINGS.values():
        there = [summary.label(name) for name in found.variant[found.setting == setting.label]]
        which = f" ({' and '.join(there)})" if 0 < len(there) < len(EXPLORATORY) else ""
        words.append(f"{len(there) or 'none'}{which} with {setting.label}")
    return f"Of the {len(EXPLORATORY)} exploratory variants those with {summary.FEWEST} seeds are shown: {'; '.join(words)}."


def exploratory_table(runs: pd.DataFrame) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Accuracy of the variants that were not compared beforehand, and that of the keys taken from it."""
    found = beside(runs, summary.KEY_VARIANT, EXPLORATORY)
    signed = dict.fromkeys(["mean", "low", "high"], lambda share: f"{100 * share:+.2f}")
    return rows_or_none(found.assign(variant=found.variant.map(summary.label)), signed | {"accuracy": "{:.4f}"})


def least_lead(
    shown: Sequence[Setting], by_setting: Mapping[str, Mapping[str, pd.Series]], found: pd.DataFrame, baselines: pd.DataFrame
) -> dict[str, tuple[float, float]]:
    """By how much keys and learned filters are above the linear classifiers of a setting: the lesser mean and standard errors."""
    least = {}
    for setting in shown:
        lines = baselines[(baselines["data"] == setting.data) & (baselines.images == setting.images)]
        if len(lines):
            learned = found[(found.setting == setting.name) & (found.rival == "learned")].iloc[0].variant
            leads = [by_setting[setting.name][name].to_numpy() - lines.accuracy.max() for name in ("ideal-B", learned)]
            least[setting.label] = min(lead.mean() for lead in leads), min(standard_errors(lead) for lead in leads)
    return least


def baseline_sentence(least: Mapping[str, tuple[float, float]]) -> str:
    """In which settings keys and learned filters are above the linear classifiers by three standard errors over seeds."""
    above, not_above = [], []
    for label, (lead, errors) in least.items():
        (above if errors > DEVIATIONS else not_above).append(f"{label} (by {points(lead)} points at the least)")
    words = []
    if above:
        words.append(f"Keys and learned filters are both above the linear classifiers with {'; '.join(above)}.")
    if not_above:
        words.append(f"They are not both surely above them with {'; '.join(not_above)}.")
    return " ".join(words) or "No stored run stands beside a linear classifier yet."


def long_sentence(by_setting: Mapping[str, Mapping[str, pd.Series]], found: pd.DataFrame) -> str:
    """Whether the longest setting shows the accuracy that the plan asks of learned filters, and what it is with the keys."""
    rows = found[(found.setting == LONGEST.name) & (found.rival == "learned")]
    asked = f"{100 * WANTED:.1f} %"
    if not len(rows):
        return f"Whether learned filters reach {asked} after long training, as the plan asks, no stored runs say yet."
    values = by_setting[LONGEST.name]
    (mean, low, high), keys = (summary.mean_interval(values[name]) for name in (rows.iloc[0].variant, summary.KEY_VARIANT))
    told, beside_it = (f"{100 * m:.1f} % ({100 * a:.1f} to {100 * b:.1f})" for m, a, b in ((mean, low, high), keys))
    verdict = (
        f"at least the {asked} that the plan asks for"
        if low >= WANTED
        else f"where the plan asks for at least {asked}, which {'they miss' if high < WANTED else 'this leaves open'}"
    )
    return (
        f"After long training, over {rows.iloc[0].n} seeds, learned filters have {told}, {verdict}; the keys have {beside_it}."
    )


def gained_sentence(runs: pd.DataFrame, found: pd.DataFrame) -> str:
    """What keys and learned filters gain from the short to the longest training, and the losses at the end of it."""
    rows = found[(found.setting == LONGEST.name) & (found.rival == "learned")]
    wide = runs.pivot(index="seed", columns=["setting", "variant"], values="accuracy")
    if rows.empty or "short" not in wide:
        return "How much more epochs would gain is not known: too few runs of the longest training are stored."
    words, learned = [], rows.iloc[0].variant
    for what, name in (("learned filters gain", learned), ("the keys", summary.KEY_VARIANT)):
        more = (wide[LONGEST.name, name] - wide["short", name]).dropna()
        mean, low, high = summary.mean_interval(more)
        words.append(f"{what} {points(mean)} points ({points(low)} to {points(high)})")
    ends = runs[(runs.setting == LONGEST.name) & (runs.variant == learned)]
    return (
        f"From {SETTINGS['short'].epochs} to {LONGEST.epochs} epochs {', '.join(words)}. With learned filters the loss at the end is"
        f" {ends.train_loss.mean():.2f} on the training images and {ends.loss.mean():.2f} on the test images."
    )


def coverage_sentence(coverage: pd.DataFrame) -> str:
    """Which settings are not complete, and how far those are of which nothing is decided."""
    lacking = coverage[coverage.seeds < summary.FEWEST].setting.tolist()
    words = []
    if lacking:
        words.append(f"Not complete, and not shown as a result: {'; '.join(lacking)}.")
    for row in coverage[coverage.state == "interim"].itertuples():
        words.append(
            f"{row.setting}: {row.seeds} of {len(EIGHT.seeds) + len(EIGHT.more_seeds)} seeds so far,"
            " so nothing is decided there."
        )
    return " ".join(words) or "All settings are complete."


def floor_row(
    setting: Setting, found: pd.DataFrame, baselines: pd.DataFrame, values: Mapping[str, pd.Series]
) -> tuple[str, *tuple[float, ...]]:
    """Accuracies of a setting: both linear classifiers, the unit impulse, learned filters and keys."""
    own = baselines[(baselines["data"] == setting.data) & (baselines.images == setting.images)]
    lines = own.set_index("method").accuracy.reindex(["ridge", "logistic"])
    learned = found[(found.setting == setting.name) & (found.rival == "learned")].iloc[0].variant
    means = [values[name].mean() for name in ("impulse", learned, "ideal-B")]
    return setting.label, lines["ridge"], lines["logistic"], *means


def at_hand(name: str, extracted: Mapping) -> bool:
    """False for banks that nobody has extracted yet."""
    source = {"pca-8": "pca", "k-lines-8": "lines"}.get(name)
    return source is None or source in extracted


def variants_row(name: str, network) -> dict[str, Any]:
    """A variant: how many different filters it has, how many of their numbers are trained, and its seeds."""
    depthwise = [module for part, module in network.named_modules() if part.endswith("conv_dw")]
    trained = sum(p.numel() for m in depthwise for part, p in m.named_parameters() if part != "bias")
    weights = [m.weight.detach().numpy().reshape(m.out_channels, -1) for m in depthwise]
    kinds = len(np.unique(np.concatenate(weights).round(5), axis=0))
    row = VARIANTS[name]
    return {"variant": row.label, "kind": row.kind, "filters": kinds, "trained": trained, "seeds": len(EIGHT.seeds_of(name))}


SEARCHES = {(place.name, v): grid for s in SETTINGS.values() for v in EIGHT.variants for place, grid in [EIGHT.searched(v, s)]}
"""What is tried in each search of the plan, by where it is done and the variant."""


def own_search_sentence() -> str:
    """Which variants are searched once more, in what setting, and with what rates."""
    words = []
    for name, own in EIGHT.own_searches.items():
        tried = [f"{summary.label(v)} ({', '.join(f'{rate:g}' for rate in rates)})" for v, rates in own.items()]
        words.append(
            f"{'; '.join(tried)} were searched once more in the setting with {SETTINGS[name].label}, where the rates from few"
            " images looked too low. So there they have more trials than the keys."
        )
    return " ".join(words)


def best_rates(search: pd.DataFrame) -> pd.DataFrame:
    """The best rate of each search that is complete, and whether it lies at an end of the grid."""
    rows = []
    for (setting, name), trials in search.groupby(["setting", "variant"]):
        grid = SEARCHES[setting, name]
        if len(trials) == len(grid) * len(EIGHT.search_seeds):
            top = trials.loc[trials.accuracy.idxmax()]
            edge = "yes" if top.rate in (min(grid)[0], max(grid)[0]) else "no"
            place = setting.removeprefix("search ")
            images = SETTINGS[place].label if place in SETTINGS else place
            rows.append((images, ORDER[name], summary.label(name), len(trials), top.rate, top.accuracy, edge))
    columns = ["images", "place", "variant", "trials", "rate", "accuracy", "edge"]
    return pd.DataFrame(rows, columns=columns).sort_values(["images", "place"]).drop(columns="place")


def rate_sentence(chosen: pd.DataFrame) -> str:
    """For how many searches the best rate lies inside the grid, and for which it does not."""
    edge = chosen[chosen.edge == "yes"]
    names = ", ".join(f"{row.variant} ({row.images})" for row in edge.itertuples())
    inside = f"{len(chosen) - len(edge)} of the {len(chosen)} searches that are complete"
    return f"The best rate lies inside the grid for {inside}" + (f"; at an end of it for: {names}." if len(edge) else ".")


def paired_table(found: pd.DataFrame) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """The comparisons of the keys with their rivals, and how their numbers are written."""
    labelled = found.assign(setting=[SETTINGS[s].label for s in found.setting], variant=found.variant.map(summary.label))
    signed = dict.fromkeys(["mean", "low", "high"], lambda share: f"{100 * share:+.2f}")
    likely = dict.fromkeys(["p", "p_equal"], lambda p: "–" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}")
    columns = ["setting", "variant", "n", "mean", "low", "high", "p", "p_equal", "reading"]
    return rows_or_none(labelled[columns], signed | likely)


def differences_figure(
    found: pd.DataFrame, by_setting: Mapping, shown: Sequence[Setting], live: pd.DataFrame, live_setting: Setting
) -> Figure:
    """Accuracy of the keys minus that of each rival, seed by seed, with its interval and the margin."""
    # "Learned" is one of two variants, by the search of the setting's data set.
    labels = {rival: rival if rival == "learned" else summary.label(rival) for rival in summary.RIVALS}
    panels = {}
    for setting in shown:
        rows, values = {}, by_setting[setting.name]
        for row in found[found.setting == setting.name].itertuples():
            if row.rival != "impulse":
                both = values["ideal-B"] - values[row.variant]
                rows[labels[row.rival]] = 100 * both.to_numpy(), (100 * row.mean, 100 * row.low, 100 * row.high)
        panels[_title(setting, values)] = rows
    if not shown:  # the networks that were trained with this page, then
        by_seed = live.pivot(index="seed", columns="variant", values="accuracy")
        both = by_seed["ideal-B"] - by_seed["learned"]
        panels[_title(live_setting)] = {"learned": (100 * both.to_numpy(), None)}
    return seed_dots(
        panels,
        [label for label in labels.values() if any(label in rows for rows in panels.values())],
        xlabel="keys B minus rival, points of accuracy",
        zero=True,
        span={_title(s, by_setting.get(s.name)): (-100 * s.margin, 100 * s.margin) for s in shown or [live_setting]},
    )


def widths_table(by_setting: Mapping, shown: Sequence[Setting], extracted: Mapping) -> pd.DataFrame:
    """The mean width of the filters of a bank beside the accuracy with it, in the first setting."""
    rows = []
    for name in ("ideal-B", "random", "covariance", "pca-8", "k-lines-8", "impulse"):
        if shown and at_hand(name, extracted):
            values = by_setting[shown[0].name][name]
            if len(values) >= summary.FEWEST:
                width = filter_widths(variant_bank(VARIANTS[name].source, extracted=extracted)).mean()
                rows.append((summary.label(name), width, values.mean()))
    return pd.DataFrame(rows, columns=["bank", "width", "accuracy"]).sort_values("width", ignore_index=True)


def stored_filters(filters: pd.DataFrame) -> dict[str, Any]:
    """The depthwise filters of one stored network of each setting, by what was trained and the seed."""
    found = {}
    for setting in SETTINGS.values():
        rows = filters[filters.setting == setting.name]
        if len(rows):
            seed = rows.seed.min()
            found[f"{setting.label}, seed {seed}"] = summary.filters_of(rows[rows.seed == seed])
    return found


def paths_of(
    paths: pd.DataFrame, search: pd.DataFrame, live: Mapping[str, Sequence[Mapping]], shown: Sequence[Setting]
) -> dict[str, pd.DataFrame]:
    """What the keys explain after each epoch (rows) by seed (columns): of this page's networks, and in each setting shown."""
    found = {label: pd.DataFrame({0: [row["keys"] for row in path]}) for label, path in live.items()}
    for setting in shown:
        rows = paths[(paths.setting == setting.name) & (paths.variant == summary.learned_variant(search, EIGHT, setting))]
        if len(rows):
            found[setting.label] = rows.pivot(index="epoch", columns="seed", values="keys")
    return found


def long_paths(paths: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The same as one row per setting, seed and epoch."""
    frames = [
        wide.rename_axis(index="epoch").reset_index().melt("epoch", var_name="seed", value_name="keys").assign(setting=label)
        for label, wide in paths.items()
    ]
    return pd.concat(frames, ignore_index=True)[["setting", "seed", "epoch", "keys"]]


def path_sentence(paths: Mapping[str, pd.DataFrame], live: str) -> str:
    """How the share that the keys explain goes from epoch to epoch in the stored networks."""
    words = [
        f"with {label} it goes from {wide.iloc[0].mean():.3f} to {wide.iloc[-1].mean():.3f}"
        f" ({wide.iloc[-1].min():.3f} to {wide.iloc[-1].max():.3f} over {wide.shape[1]} seeds)"
        for label, wide in paths.items()
        if label != live
    ]
    return f"In the stored networks, {'; '.join(words)}." if words else "No stored network has its share epoch by epoch yet."


def become_sentence(explained: pd.DataFrame, highs: Sequence[str]) -> str:
    """In how many trained networks the keys explain more than nulls do, and what follows.

    ``highs`` are the columns of ``explained`` with the upper ends of the nulls; the first row is that of the start.
    """
    trained = explained.iloc[1:]
    beyond = int((trained["keys"] > trained[list(highs)].max(axis=1)).sum())
    little = int((trained["keys"] < LITTLE).sum())
    told = (
        f"In {page.of_all(little, len(trained))} trained networks the keys explain less than {LITTLE:g} of the variance;"
        f" they explain more than every null in {page.of_all(beyond, len(trained))}."
    )
    if not beyond:
        return f"{told} So in these networks training does not arrive at the keys."
    if beyond < len(trained):
        return f"{told} So what training does to the filters is not the same in all of them."
    if little:
        return f"{told} So there is a trace of the keys, and no more."
    return f"{told} So training moves these filters towards the keys."


def pooled_row(setting: Setting, filters: pd.DataFrame, draws: int) -> dict[str, Any]:
    """Eight lines extracted from the networks of a setting, all stored seeds pooled, beside surrogates and the keys."""
    rows = filters[filters.setting == setting.name]
    by_seed = [summary.filters_of(part) for _, part in rows.groupby("seed")]
    # One layer of all seeds has one covariance: that of one network knows its few filters too well.
    pool = {layer: np.concatenate([one[layer] for one in by_seed]) for layer in by_seed[0]}
    lines = extract(pool, 8)
    null = lines.compare("B", "gaussian", draws=draws)
    chance, likeness = null.explained_chance, null.chance.mean(axis=1)
    return {
        "setting": setting.label, "seeds": rows.seed.nunique(), "filters": len(rows), "lines": lines.explained,
        "surrogate": chance.mean(), "beyond": (lines.explained - chance.mean()) / chance.std(ddof=1),
        "keys": null.explained_reference, "r": null.mean, "gaussian": likeness.mean(),
        "alike": (null.mean - likeness.mean()) / likeness.std(ddof=1),
    }  # fmt: skip


def pooled_or_none(pooled: pd.DataFrame) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """What the table of pooled extractions shows, and how."""
    if len(pooled):
        return pooled, POOLED
    return pd.DataFrame({"setting": ["none yet"]}), {}


def pooled_sentence(pooled: pd.DataFrame) -> str:
    """Whether eight lines explain more than lines of noise do, and whether they are the keys."""
    if pooled.empty:
        return "No network with learned filters is stored."
    count = len(pooled)
    more, alike = (int((pooled[column] > DEVIATIONS).sum()) for column in ("beyond", "alike"))
    shares = " to ".join(dict.fromkeys(f"{share:.2f}" for share in (pooled.lines.min(), pooled.lines.max())))
    return (
        f"Setting by setting, eight lines explain {shares} of the filters, by three standard deviations"
        f" more than lines of surrogates in {page.of_all(more, count)}."
        f" They are by as much more like the keys in {page.of_all(alike, count)}."
    )


def explained_numbers(observed, live_share, random_high, best_lines, explained_says) -> dict:
    """Numbers of the text: how much of the learned filters the keys explain."""
    return {
        "explained_start": (observed[0], ".3f"),
        "explained_live": (live_share, ".3f"),
        "explained_random": (float(random_high[1]), ".3f"),
        "explained_lines": (float(best_lines[1][0]), ".2f"),
        "explained_says": explained_says,
    }


def mended_numbers(replaced, modes, judged, tune_steps, before) -> dict:
    """Numbers of the text: filters replaced after training."""
    by_mode = replaced.set_index("filters")
    affine, noise = by_mode.loc[modes["affine"]], by_mode.loc[modes["random"]]
    variance = sum(p * (1 - p) / judged for p in (affine.mended, noise.mended))
    return {
        "tune_steps": tune_steps,
        "judged": (judged, ","),
        "replaced_before": (100 * before.top1, ".1f"),
        "replaced_low": (100 * before.interval.low, ".1f"),
        "replaced_high": (100 * before.interval.high, ".1f"),
        "replaced_affine": (100 * affine.accuracy, ".1f"),
        "replaced_random": (100 * noise.accuracy, ".1f"),
        "mended_affine": (100 * affine.mended, ".1f"),
        "mended_random": (100 * noise.mended, ".1f"),
        "mended_error": (100 * np.sqrt(variance), ".1f"),
    }


def coverage_numbers(live, live_seeds, live_epochs, coverage) -> dict:
    """Numbers of the text: the stored networks."""
    first = live[live.seed == live_seeds[0]].set_index("variant").accuracy
    live_says = f"{100 * first['ideal-B']:.1f} % with the keys, {100 * first['learned']:.1f} % with learned filters, {100 * first['impulse']:.1f} % with the unit impulse"
    return {
        "live_setting": f"1,500 images and {live_epochs} epochs",
        "lacking": coverage_sentence(coverage),
        "live_says": live_says,
    }


def parameter_numbers(network_with, variants) -> dict:
    """Numbers of the text: parameters of the variants."""
    return {
        "parameters": (sum(p.numel() for p in network_with("learned").parameters()), ","),
        "depthwise_parameters": (int(variants.trained[0]), ","),
        "channels": int(variants.filters[0]),
    }


def width_numbers(ranks, widths, shown) -> dict:
    """Numbers of the text: ranks by width."""
    return {"width_ranks": ranks, "width_count": len(widths), "width_setting": shown[0].label if shown else "no setting"}


def loss_numbers(loss, lines) -> dict:
    """Numbers of the text: what the network loses without spatial filters, and the better linear classifier of this page."""
    return {"loss_least": (100 * loss.min(), ".1f"), "live_lines": f"{100 * max(lines):.1f} %"}


def says_numbers(found, accuracies, least, runs) -> dict:
    """Numbers of the text: what the runs say."""
    return {
        "longest_says": longest_sentence(found, runs),
        "gained_says": gained_sentence(runs, found),
        "explored_says": explored_sentence(runs),
        "gain_says": gain_sentence(found),
        "gain_due": due_sentence(found),
        "few_says": few_sentence(found),
        "long_says": long_sentence(accuracies, found),
        "above_says": baseline_sentence(least),
    }


def pooled_numbers(pooled, paths, live_setting) -> dict:
    """Numbers of the text: lines of pooled seeds."""
    return {"pooled_says": pooled_sentence(pooled), "explained_path": path_sentence(paths, live_setting.label)}
