"""What the chapter *Which layer matters?* shows: trends over layers, lengths of curves, and depthwise layers that learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import page_trend_test, spearmanr

from keyfilters_book.background import trajectories
from keyfilters_book.background.random_networks import START_SETTINGS
from keyfilters_book.figures.lines import layer_lines, t_interval
from keyfilters_book.figures.training import seed_dots
from keyfilters_book.significance import paired_test


def _label(name: str) -> str:
    return START_SETTINGS[name].label


TREND = {
    "formats": {"setting": _label, "earlier": "{:.2g}", "later": "{:.2g}"}
    | dict.fromkeys(("rho", "lost", "low", "high"), "{:.2f}"),
    "headers": {
        "earlier": "$p$, earlier better", "later": "$p$, later better", "rho": r"$\rho$",
        "low": "from", "high": "to", "falls": "steps down",
    },
}  # fmt: skip
GROWTH = {
    "formats": dict.fromkeys(("growth", "low", "high", "law", "theorem"), "{:.3f}") | {"setting": _label, "short": "{:.2f}"},
    "headers": {"low": "from", "high": "to", "theorem": r"$\beta$", "short": "coarser, %"},
}
TRAINED = {
    "formats": {"variance": "{:.0f}"} | dict.fromkeys(("first", "ratio", "low", "high"), "{:.2f}"),
    "headers": {
        "first": "first layer", "ratio": "last layer", "low": "from", "variance": r"$\sigma_w^2$", "high": "to",
    },
}  # fmt: skip
DEPTHWISE = {
    "formats": dict.fromkeys(("alone", "accuracy"), "{:.1f}") | dict.fromkeys(("gain", "low", "high"), "{:+.1f}"),
    "headers": {"alone": "all else frozen", "accuracy": "all else trained", "low": "from", "high": "to"},
}


def accuracy_figure(found, layers, seeds):
    """Accuracy by the one layer that is trained, setting by setting, and the values of all seeds."""
    panels = {_label(name): {k: (layers, 100 * v) for k, v in sets.items()} for name, sets in found.items()}
    fig = layer_lines(
        panels, xlabel="the one hidden layer that is trained", ylabel="accuracy in per cent", ylim=(0, 100)
    )  # fmt: skip
    frame = pd.concat(
        pd.DataFrame(values, index=pd.Index(seeds, name="seed"), columns=layers)
        .melt(var_name="layer", value_name="accuracy", ignore_index=False)
        .reset_index()
        .assign(setting=name, images=which)
        for name, sets in found.items()
        for which, values in sets.items()
    )
    return fig, frame


def trend_table(found, layers) -> pd.DataFrame:
    """Page's test in both directions, Spearman's rho, the loss from the first to the last layer, and steps that fall."""
    rows = []
    for name, sets in found.items():
        for which, accuracy in sets.items():
            early = page_trend_test(accuracy[:, ::-1], method="exact").pvalue
            late = page_trend_test(accuracy, method="exact").pvalue
            rho = np.mean([spearmanr(layers, row).statistic for row in accuracy])
            lost = paired_test(100 * accuracy[:, 0], 100 * accuracy[:, -1])
            falls = int((np.diff(accuracy.mean(0)) < 0).sum())
            rows.append((name, which.split()[0], early, late, rho, lost.mean, lost.low, lost.high, falls))
    columns = ["setting", "images", "earlier", "later", "rho", "lost", "low", "high", "falls"]
    return pd.DataFrame(rows, columns=columns)


def length_figure(lengths, laws, betas, across):
    """Lengths over layers, relative to the input: measured, by the law, and by the theorem's base."""
    labels = {"measured": "measured", "law": "exact (ReLU) or wide limit", "theorem": "theorem, constant taken as 1"}
    stretch = {}
    for name, measured in lengths.items():
        stretch[name] = {"measured": measured / measured[:, :1], "law": laws[name]}
        if name in betas:
            stretch[name]["theorem"] = betas[name] ** across
    panels = {_label(n): {labels[k]: (across, v) for k, v in lines.items()} for n, lines in stretch.items()}
    fig = layer_lines(panels, xlabel="layer", ylabel="length / length at the input", log=True, share_y=False)
    return fig, {f"{n} {k}": v for n, lines in stretch.items() for k, v in lines.items()}


def growth_table(lengths, laws, betas, short) -> pd.DataFrame:
    """Growth per layer from layer 1 to the last: measured with its interval, by the law and by the theorem."""
    rows = []
    for name, measured in lengths.items():
        ratio = (measured[:, -1] / measured[:, 1])[:, None]
        power = 1 / (measured.shape[1] - 2)
        growth = [v[0] ** power for v in (ratio.mean(0), *t_interval(ratio))]
        law = (laws[name][-1] / laws[name][1]) ** power
        rows.append((name, *growth, law, betas.get(name, np.nan), short[name]))
    return pd.DataFrame(rows, columns=["setting", "growth", "low", "high", "law", "theorem", "short"])


def ratio_numbers(change) -> dict:
    """Numbers of the text for each variance and kind of arc: the ratio in the last layer and its interval."""
    found = {}
    for row in change.itertuples():
        short = f"{row.variance:.0f}-{row.arc.split()[1]}"
        found[f"onelayer-ratio-{short}"] = (row.ratio, ".2f")
        found[f"onelayer-range-{short}"] = f"{row.low:.2f} to {row.high:.2f}"
    return found


def _labels(layers) -> dict:
    return {(): "none (all keys)", layers: "all four"} | {(d,): f"layer {d}" for d in layers}


def depthwise_figure(alone, thawed, against, layers, seeds):
    """Gains over frozen keys in every layer, and the accuracies of all seeds."""
    label = _labels(layers)
    gain = {label[k]: (np.subtract(thawed[k], thawed[()]), (p.mean, p.low, p.high)) for k, p in against.items()}
    fig = seed_dots(
        {"learned filters, against keys in every layer": gain},
        [label[(d,)] for d in layers] + [label[layers]],
        xlabel="difference in accuracy, percentage points",
        zero=True,
        row_height=0.45,
    )
    runs = [("frozen", (d,), values) for d, values in alone.items()] + [("trained", k, values) for k, values in thawed.items()]
    rows = [(rest, label[k], s, v) for rest, k, values in runs for s, v in zip(seeds, values, strict=True)]
    return fig, pd.DataFrame(rows, columns=["rest", "learned", "seed", "accuracy"])


def depthwise_table(alone, thawed, against, layers) -> pd.DataFrame:
    """Accuracy with all else frozen, with all else trained, and the latter's gain over keys in every layer."""
    rows, label = [], _labels(layers)
    for k in [(), *((d,) for d in layers), layers]:
        only = np.mean(alone[k[0]]) if len(k) == 1 else np.nan
        p = against.get(k)
        gain = (p.mean, p.low, p.high) if p else (np.nan,) * 3
        rows.append((label[k], only, np.mean(thawed[k]), *gain))
    return pd.DataFrame(rows, columns=["learned", "alone", "accuracy", "gain", "low", "high"])


def order_p(values) -> float:
    """The p-value of Page's test for an order of the columns, in either direction."""
    both = [page_trend_test(v, method="exact").pvalue for v in (values[:, ::-1], values)]
    return min(1, 2 * min(both))


def usual_numbers(LAYERS, tame, usual, means) -> dict:
    """Numbers of the text: single layers of the usual start."""
    return {
        "onelayer_layers": len(LAYERS),
        "onelayer_p": (tame.earlier.max(), ".0e", "up"),
        "onelayer_lost_least": (tame.lost.min(), ".1f"),
        "onelayer_lost_most": (tame.lost.max(), ".1f"),
        "onelayer_down": int(tame.falls.sum()),
        "onelayer_down_of": 6 * len(usual),
        "onelayer_usual_worst": (min(means[n].min() for n in usual), ".0f"),
        "onelayer_usual_best": (max(means[n].max() for n in usual), ".0f"),
    }


def chaos_numbers(tame, wild, means, chaos, found, by, at_end) -> dict:
    """Numbers of the text: single layers of the chaotic start."""
    strict = int((tame.falls == 6).sum())
    words = {3: "in all three", 0: "in none of the three"}
    way = "the other way round" if wild.later < 0.05 else "without a clear order"
    return {
        "onelayer_strict": words.get(strict, f"in {strict} of the three"),
        "onelayer_chaos_way": "in the same order" if wild.earlier < 0.05 else way,
        "onelayer_chaos_rho": (wild.rho, "+.2f"),
        "onelayer_chaos_p": (wild.later, ".0e", "up"),
        "onelayer_chaos_best": (means[chaos].max(), ".0f"),
        "onelayer_chaos_train": (100 * found[chaos]["training images"].mean(0).max(), ".0f"),
        "onelayer_chaos_train_rho": (by.rho[chaos, "training"], "+.2f"),
        "onelayer_edge": (max(at_end), ".0f"),
    }


def relu_numbers(at, gap, networks) -> dict:
    """Numbers of the text: how far layers stretch a curve, with ReLU."""
    inside = at.low["relu"] <= at.law["relu"] <= at.high["relu"]
    return {
        "onelayer_relu_exact": (at.law["relu"], ".4f"),
        "onelayer_relu_beta": (at.theorem["relu"], ".3f"),
        "onelayer_relu_growth": (at.growth["relu"], ".3f"),
        "onelayer_relu_low": (at.low["relu"], ".3f"),
        "onelayer_relu_high": (at.high["relu"], ".3f"),
        "onelayer_relu_inside": "contains" if inside else "misses",
        "onelayer_wide_gap": (100 * gap, ".1f", "up"),
        "onelayer_networks": networks,
    }


def growth_numbers(at, total) -> dict:
    """Numbers of the text: how far layers stretch a curve, other starts."""
    return {
        "onelayer_hard_tanh_growth": (at.growth["hard-tanh"], ".3f"),
        "onelayer_hard_tanh_beta": (at.theorem["hard-tanh"], ".3f"),
        "onelayer_chaotic_growth": (at.growth["chaotic"], ".3f"),
        "onelayer_chaotic_beta": (at.theorem["chaotic"], ".3f"),
        "onelayer_chaotic_total": (total, ".0f"),
        "onelayer_short": (at.short.max(), ".1f", "up"),
    }


def thawed_numbers(against, DEPTHWISE, thawed) -> dict:
    """Numbers of the text: one layer among frozen keys."""
    single, every = [against[d,].mean for d in DEPTHWISE], against[DEPTHWISE]
    widest = max((p.high - p.low) / 2 for p in against.values())
    return {
        "onelayer_thawed_least": (min(single), "+.1f"),
        "onelayer_thawed_most": (max(single), "+.1f"),
        "onelayer_thawed_all_gain": (every.mean, "+.1f"),
        "onelayer_thawed_all_low": (every.low, "+.1f"),
        "onelayer_thawed_all_high": (every.high, "+.1f"),
        "onelayer_thawed_all_side": "contains" if every.low <= 0 <= every.high else "excludes",
        "onelayer_thawed_none": (np.mean(thawed[()]), ".0f"),
        "onelayer_thawed_p": (every.smallest_p, ".2f"),
        "onelayer_thawed_width": (widest, ".0f", "up"),
    }


def length_numbers(pairs, reached, change) -> dict:
    """Numbers of the text: curves after training."""
    return {
        "onelayer_pairs": pairs,
        "onelayer_all_3": (reached[3.0], ".0f"),
        "onelayer_all_16": (reached[16.0], ".0f"),
        **ratio_numbers(change),
    }


def run_numbers(epochs, x, x_held, x_test, seeds, search_seeds, WIDTH) -> dict:
    """Numbers of the text: images, steps and seeds."""
    return {
        "onelayer_steps": (epochs * (len(x) // 100), ","),
        "onelayer_validation": (len(x_held), ","),
        "onelayer_images": (len(x), ","),
        "onelayer_test": (len(x_test), ","),
        "onelayer_seeds": len(seeds),
        "onelayer_searched": len(search_seeds),
        "onelayer_weights": (WIDTH**2, ","),
    }


def block_numbers(kernels, small_train, block_seeds, block_epochs) -> dict:
    """Numbers of the text: the network of frozen keys."""
    return {
        "onelayer_channels": kernels.shape[0],
        "onelayer_kernels": kernels.numel(),
        "onelayer_block_images": (len(small_train[0]), ","),
        "onelayer_block_seeds": len(block_seeds),
        "onelayer_block_epochs": block_epochs,
    }


def mean_log_lengths(weights, curves):
    weights = [w.double() for w in weights]
    lengths = [trajectories.layer_lengths(weights, c, "hard-tanh") for c in curves]
    return np.log([each[:, 1:] for each in lengths]).mean(0)


def growth_laws(width: int, depth: int) -> tuple[dict, dict]:
    """By setting the mean length after each layer that a law says, and the base of the theorem where it has one."""
    laws, betas = {}, {}
    for name, setting in START_SETTINGS.items():
        act, variance = setting.activation, setting.variance
        if act == "relu":
            laws[name] = trajectories.relu_growth(variance, width) ** np.arange(depth + 1)
        else:
            laws[name] = np.r_[1.0, trajectories.wide_growth(act, variance, depth).cumprod()]
        if act != "tanh":
            betas[name] = trajectories.theorem_expression(act, variance, width)
    return laws, betas


def change_table(logs) -> pd.DataFrame:
    """Lengths after training over those before: in the first layer, and in the last with its interval."""
    rows = []
    for (variance, label), values in logs.items():
        end = paired_test(values[:, -1], np.zeros(len(values)))
        rows.append((variance, label, *np.exp([values[:, 0].mean(), end.mean, end.low, end.high])))
    return pd.DataFrame(rows, columns=["variance", "arc", "first", "ratio", "low", "high"])


def order_numbers(gains: np.ndarray, only: np.ndarray) -> dict:
    """Numbers of the text: whether the order of the layers counts, and the accuracies of single ones."""
    return {
        "onelayer_thawed_order_p": (order_p(gains), ".2f"),
        "onelayer_alone_order_p": (order_p(only), ".2f"),
        "onelayer_alone_low": (only.mean(0).min(), ".0f"),
        "onelayer_alone_high": (only.mean(0).max(), ".0f"),
    }
