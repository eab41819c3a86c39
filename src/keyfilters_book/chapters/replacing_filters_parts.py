"""What the chapter *Replacing filters* shows: its tables and figures, and numbers whose names are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keyfilters_book.experiments import replacement
from keyfilters_book.figures.networks import interval_dots, layer_curves

__all__ = [
    "checked_tuning",
    "factor_numbers",
    "has_skip",
    "ideas_table",
    "layers_figure",
    "match_table",
    "tuning_table",
    "variants_figure",
    "variants_table",
    "wins_sentence",
    "with_all_layers",
]

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


def has_skip(model, layer) -> bool:
    """Whether a residual connection hands the signal on past a depthwise layer."""
    return model.get_submodule(layer.name.rpartition(".")[0]).has_skip


def with_all_layers(growing: pd.DataFrame, frame: pd.DataFrame, layers: int) -> pd.DataFrame:
    """The sweep over the number of layers, with all of them replaced as its last point."""
    whole = frame[frame.variant == "B"].assign(count=layers)
    return pd.concat([growing, *(whole.assign(order=order) for order in ("first", "last"))], ignore_index=True)


def tuning_table(tuned: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the short training, each beside the corrected network that it started from."""
    before = frame[frame.state == "corrected"].set_index("variant").loc[tuned.variant]
    return tuned.assign(
        kl_before=before.kl.to_numpy(), crops_before=before.crop_kl.to_numpy(), right_before=before.right.to_numpy()
    )
