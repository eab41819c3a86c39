"""What the chapter *Replacing filters* shows: its tables and figures, and numbers whose names are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keyfilters.networks import find_depthwise
from keyfilters_book.experiments import replacement
from keyfilters_book.experiments.layer_traits import HARMS, LAYER_PLACE, TRAITS
from keyfilters_book.figures.networks import interval_dots, layer_curves

REPLACING_STAGES = {"formats": {"filters": "{:,}"}}
REPLACING_MATCH = {
    "formats": dict.fromkeys(("B", "learned keys", "8 random", "impulse"), "{:.2f}"),
    "headers": {"number": "no."},
}
REPLACING_TUNING = {
    "formats": {"numbers": "{:,}"}
    | dict.fromkeys(["kl_first", "kl_last", "kl_before", "kl", "crops_before", "crop_kl"], "{:.2f}"),
    "headers": {
        "kl_first": "loss, first",
        "kl_last": "loss, last",
        "right_before": "right, before",
        "right": "right, after",
        "kl_before": "KL, before",
        "kl": "KL, after",
        "crops_before": "crops, before",
        "crop_kl": "crops, after",
    },
}

STATES = ["replaced", "recalibrated", "corrected"]
SHORT = {"replaced": "repl.", "recalibrated": "recal.", "corrected": "corr."}
REPLACING_VARIANTS = {
    "formats": {f"kl_{state}": "{:.2f}" for state in STATES} | {"crops": "{:.0%}", "p": "{:.2g}"},
    "headers": {f"right_{state}": f"right, {short}" for state, short in SHORT.items()}
    | {f"kl_{state}": f"KL, {short}" for state, short in SHORT.items()}
    | {"crops": "agree, crops"},
}


def checked_tuning(tuning: Any) -> str:
    """What is wrong with the list of variants and recipes, in one line; empty where nothing is."""
    allowed = [[v, r] for v in replacement.REPLACEMENTS for r in replacement.MENDING_RATES]
    if (
        isinstance(tuning, list)
        and all(row in allowed for row in tuning)
        and {"B", "own scales", "8 random"} <= {row[0] for row in tuning}
    ):
        return ""
    return (
        f"tuning is {tuning!r}; set it to pairs of a variant and one of"
        f" {list(replacement.MENDING_RATES)}, with the variants B, own scales and 8 random"
    )


def match_table(found: Mapping) -> pd.DataFrame:
    """Each depthwise layer, and what the filters of each bank explain of it."""
    table = found["B"].frame()[["layer", "size", "stride", "channels", "dead"]]
    table["layer"] = table.layer.str.removesuffix(".conv_dw")
    table.insert(0, "number", range(1, len(table) + 1))
    return table.assign(**{name: matched.frame().explained for name, matched in found.items()})


def ideas_table() -> pd.DataFrame:
    """What each variant makes of a filter."""
    return pd.DataFrame(
        [(v.name, v.idea) for v in replacement.REPLACEMENTS.values()], columns=["variant", "each filter becomes"]
    )


def _curves(frame: pd.DataFrame, by: str, names: Sequence[str], measure: str) -> dict[str, np.ndarray]:
    """A measure with the ends of its interval, curve by curve."""
    columns = [measure, f"{measure}_low", f"{measure}_high"]
    return {name: frame[frame[by] == name][columns].to_numpy() for name in names}


def variants_figure(frame: pd.DataFrame) -> Figure:
    """How far each variant is from the network, in each state, on labelled images and on crops."""
    panels = {
        "KL, labelled images (nats)": _curves(frame, "state", STATES, "kl"),
        "KL, crops (nats)": _curves(frame, "state", STATES, "crop_kl"),
    }
    fig = interval_dots(panels, list(dict.fromkeys(frame.variant)), groups=(6, 9), width=3.1)
    for ax in fig.axes:
        ax.set_xlim(left=0)
    return fig


def variants_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Images right and divergence of each variant in each state, and how the corrected ones agree on crops."""
    wide, names = frame.pivot(index="variant", columns="state"), list(dict.fromkeys(frame.variant))
    shown = pd.DataFrame({"variant": names})
    for measure in ("right", "kl"):
        for state in STATES:
            shown[f"{measure}_{state}"] = wide[measure][state].loc[names].to_numpy()
    shown["crops"] = wide["crop_agree"]["corrected"].loc[names].to_numpy()
    shown["p"] = wide["p"]["corrected"].loc[names].to_numpy()
    return shown


def layers_figure(by_layer: pd.DataFrame, variants: Sequence[str]) -> Figure:
    """The divergence when one layer is replaced, layer by layer, on labelled images and on crops."""
    rows = by_layer[by_layer.variant == variants[0]].itertuples()
    ticks = [f"{row.number}: {row.size}x{row.size}" + (", /2" if row.stride == 2 else "") for row in rows]
    panels = {
        "labelled images": _curves(by_layer, "variant", variants, "kl"),
        "crops": _curves(by_layer, "variant", variants, "crop_kl"),
    }
    return layer_curves(
        range(1, len(ticks) + 1), panels, xlabel="layer that is replaced", ylabel="KL (nats)", yscale="log", ticks=ticks
    )


def factor_numbers(tests: Mapping) -> dict[str, tuple]:
    """By how much each control does worse than method B over the layers, with interval and p-value."""
    found: dict[str, tuple] = {}
    for name, test in tests.items():
        slug = name.replace("8 ", "")
        found[f"layer-factor-{slug}"] = np.exp(test.mean), ".1f"
        found[f"layer-low-{slug}"] = np.exp(test.low), ".1f", "down"
        found[f"layer-high-{slug}"] = np.exp(test.high), ".1f", "up"
        found[f"layer-p-{slug}"] = test.p, ".0e", "up"
    return found


def wins_sentence(wins: Mapping[str, int], layers: int) -> str:
    """In how many layers method B comes nearer than the controls."""
    if min(wins.values()) == layers:
        return "in every layer"
    return f"in {wins['8 random']} (matched random filters) and {wins['impulse']} (impulse) of {layers} layers"


def with_all_layers(growing: pd.DataFrame, frame: pd.DataFrame, layers: int) -> pd.DataFrame:
    """The sweep over the number of layers, with all of them replaced as its last point."""
    whole = frame[frame.variant == "B"].assign(count=layers)
    return pd.concat([growing, *(whole.assign(order=order) for order in ("first", "last"))], ignore_index=True)


def harm_figure(found: pd.DataFrame) -> Figure:
    """Rank correlations of what a layer is like with what replacing it costs, alone and with the rest held fixed."""
    panels, rows = {}, TRAITS | LAYER_PLACE
    for title, kind in {"rank correlation, alone": "alone", "place held fixed": "partial"}.items():
        columns = [kind, f"{kind}_low", f"{kind}_high"]
        by = {harm: found[found.outcome == harm].set_index("column").loc[list(rows), columns].to_numpy() for harm in HARMS}
        # A percentile interval of few ranks need not hold the estimate; it is drawn so that it does.
        panels[title] = {HARMS[harm]: np.stack([v[:, 0], v.min(axis=1), v.max(axis=1)], axis=1) for harm, v in by.items()}
    fig = interval_dots(
        panels, list(rows.values()), references=dict.fromkeys(panels, 0.0), limits=dict.fromkeys(panels, (-1, 1)),
        groups=(len(TRAITS),), width=2.9, row_height=0.42, label_width=2.1,
    )  # fmt: skip
    for ax in fig.axes:
        ax.set_xticks([-0.5, 0.0, 0.5])
    return fig


def harm_numbers(each: pd.DataFrame, found: pd.DataFrame) -> dict:
    """Numbers of the text: does the match foretell the harm?"""
    at = found.set_index(["column", "outcome"])
    picked = {
        "residual": ("residual", "divergence", "alone"), "offset": ("offset", "divergence", "alone"),
        "offset-held": ("offset", "divergence", "partial"), "rest": ("unexplained", "divergence", "alone"),
        "rest-held": ("unexplained", "divergence", "partial"),
    }  # fmt: skip
    numbers: dict[str, Any] = {}
    for name, (column, harm, kind) in picked.items():
        row = at.loc[column, harm]
        numbers |= {f"harm-{name}": (row[kind], "+.2f"), f"harm-{name}-low": (row[f"{kind}_low"], "+.2f", "down")}
        numbers[f"harm-{name}-high"] = (row[f"{kind}_high"], "+.2f", "up")
    tested = found[found.p_holm.notna()]
    sure = [f"{TRAITS[row.column]}: {HARMS[row.outcome]}" for row in tested[tested.p_holm < 0.05].itertuples()]
    counted = (
        f"{len(sure)} remain ({'; '.join(sure)})" if len(sure) > 1 else f"one remains ({sure[0]})" if sure else "none remains"
    )
    return numbers | {
        "harm-layers": len(each),
        "harm-tests": len(tested),
        "harm-sure": counted,
        "harm-none": int((each.errors <= 0).sum()),
    }


def tuning_table(tuned: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the short training, each beside the corrected network that it started from."""
    before = frame[frame.state == "corrected"].set_index("variant").loc[tuned.variant]
    return tuned.assign(
        kl_before=before.kl.to_numpy(), crops_before=before.crop_kl.to_numpy(), right_before=before.right.to_numpy()
    )


def lite_numbers(images, own_row, symmetric, knows_nothing, loaded, calibration) -> dict:
    """Numbers of the text: the network whose weights are here."""
    judged_by = list(dict.fromkeys(images.photograph))
    return {
        "lite_right": own_row["right"],
        "lite_low": (100 * own_row["right_low"] / 20, ".0f"),
        "lite_high": (100 * own_row["right_high"] / 20, ".0f"),
        "lite_symmetric": int(symmetric.correct.sum()),
        "blank_kl": (knows_nothing.kl.mean(), ".1f"),
        "lite_shifted": sum(type(m).__name__ == "Conv2dSame" for m in loaded.model.modules()),
        "photographs_judging": len(judged_by),
        "crops_judging": len(images.crops),
        "photographs_mending": len(images.calibrated_on),
        "calibration_images": calibration,
    }


def matching_numbers(table, worst) -> dict:
    """Numbers of the text: the matching."""
    return {
        "lite_layers": len(table),
        "lite_channels": (int(table.channels.sum()), ","),
        "lite_dead": int(table.dead.sum()),
        "worst_match": int(worst.number),
        "worst_explained": (100 * worst.B, ".0f"),
    }


def raw_numbers(raw, floor, kl, keys, best_control, right, most, says) -> dict:
    """Numbers of the text: all filters replaced at once, before mending."""
    return {
        "raw_best": int(raw.right.max()),
        "raw_p": (raw.p.max(), ".0e", "up"),
        "raw_kl_least": (raw.kl.min(), ".1f"),
        "raw_kl_most": (raw.kl.max(), ".1f"),
        "floor_right": int(floor.correct.sum()),
        "floor_kl": (floor.kl.mean(), ".1f"),
        "keys_kl_most": (kl["corrected"][keys].max(), ".1f"),
        "controls_kl_least": (best_control.min(), ".1f"),
        "unit_kl": (kl["corrected"]["unit"], ".1f"),
        "b_right": int(right["B"]),
        "own_right": int(right["own scales"]),
        "controls_right": most,
        "controls_say": f"no control puts {says}",
    }


def method_numbers(six, wide, keys, p, apart) -> dict:
    """Numbers of the text: the methods of fitting compared."""
    counted = {0: "none differs", 1: "one differs"}
    return {
        "methods_least": six.idxmin(),
        "methods_least_kl": (six.min(), ".2f"),
        "methods_most": six.idxmax(),
        "methods_most_kl": (six.max(), ".2f"),
        "methods_crops": wide["crop_kl"]["corrected"][keys[:6]].idxmin(),
        "method_pairs": len(p),
        "pairs_apart": counted.get(apart, f"{apart} differ"),
    }


def plain_numbers(share, large, table, plain, done, spared) -> dict:
    """Numbers of the text: the network without its strided layers replaced."""
    return {
        "plain_share": (100 * share, ".0f"),
        "large_strided": (100 * large["2x2"].max(), ".0f", "up"),
        "large_plain": (100 * large["1x1"].min(), ".0f", "down"),
        "plain_spared": len(table) - len(plain),
        "plain_b_low": (5 * done.right_low["B"], ".0f"),
        "plain_b_high": (5 * done.right_high["B"], ".0f"),
        "plain_b_raw": int(spared.right.iloc[0]),
    }


def layer_numbers(intact, b_kl, per, clear, skip, log_impulse, ninth) -> dict:
    """Numbers of the text: one layer replaced at a time."""
    return {
        "layer_intact": intact,
        "layer_median": (b_kl.median(), ".2f"),
        "layer_worst": int(b_kl.idxmax()),
        "layer_worst_kl": (b_kl.max(), ".1f"),
        "layer_worst_right": int(per["right"]["B"][b_kl.idxmax()]),
        "ninth": clear,
        "skips": int(skip.sum()),
        "skip_kl": (np.exp(log_impulse[skip].mean()), ".2f"),
        "no_skip_kl": (np.exp(log_impulse[~skip].mean()), ".2f"),
        "ninth_b": int(ninth["B"]),
        "ninth_controls": int(ninth[["8 random", "impulse"]].max()),
    }


def tuned_numbers(steps, best, beyond, own) -> dict:
    """Numbers of the text: the short training."""
    words = {"norm": "the normalisations", "pointwise+norm": "the pointwise layers and normalisations"}
    return {
        "tuning_steps": steps,
        "tuning_images": 16 * steps,
        "tuned_b_trained": words[best.trained],
        "tuned_beyond_b": (beyond[0], ".1f"),
        "tuned_beyond_own": (beyond[1], ".1f"),
        "tuned_p": (own.p, ".2g"),
    }


def end_numbers(best, own, control) -> dict:
    """Numbers of the text: how the short training ends."""
    return {
        "tuned_b_right": int(best.right),
        "tuned_b_before": (best.kl_before, ".2f"),
        "tuned_b_kl": (best.kl, ".2f"),
        "tuned_own_right": int(own.right),
        "tuned_own_before": (own.kl_before, ".2f"),
        "tuned_own_kl": (own.kl, ".2f"),
        "tuned_own_low": (5 * own.right_low, ".0f"),
        "tuned_own_high": (5 * own.right_high, ".0f"),
        "tuned_control_right": int(control.right),
        "tuned_control_kl": (control.kl, ".1f"),
    }


def convnext_numbers(stages, convnext, layers) -> dict:
    """Numbers of the text: the network that chose the keys."""
    return {
        "convnext_filters": (int(stages.filters.sum()), ","),
        "convnext_layers": len(find_depthwise(convnext)),
        "convnext_rows": len(layers),
    }
