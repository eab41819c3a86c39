"""What the chapter *Layers learned elsewhere* shows: places of the cut, accuracies behind them, and differences in words."""

from __future__ import annotations

import pandas as pd

from keyfilters.uncertainty import bootstrap_interval

DIFFERENCES = {"formats": dict.fromkeys(("points", "low", "high"), "{:+.1f}"), "wrap": True}


def places(features, grid: int) -> pd.DataFrame:
    """The stages behind which the network is cut, with their channels and what the classifier sees."""
    rows = [(stage, int(f.shape[1] / grid**2), *f.shape[1:]) for stage, f in features.items()]
    return pd.DataFrame(rows, columns=["stage", "channels", "features"])


def accuracy_table(accuracy) -> pd.DataFrame:
    """The accuracy of each draw, by the number of labels, body and stage."""
    rows = [(*key, draw, value) for key, values in accuracy.items() for draw, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["per_class", "body", "stage", "draw", "accuracy"])


def row_of(table, comparison: str, n: int):
    """The row of a comparison, named by its beginning, for n labels per class."""
    found = table[(table["per class"] == n) & table.comparison.str.startswith(comparison)]
    (found,) = found.itertuples()
    return found


def size(found) -> str:
    """A difference that is positive, with its interval, in words."""
    return f"{found.points:.1f} points ({found.low:.1f} to {found.high:.1f})"


def told(found) -> str:
    """A difference of either sign, with its interval, in words."""
    return f"{found.points:+.1f} points (95 % interval {found.low:+.1f} to {found.high:+.1f})"


def in_hand(found) -> float:
    """Standard errors above 0: half of a 95 % interval has 1.96 of them."""
    return found.points / max((found.high - found.low) / (2 * 1.96), 1e-12)


def curve_numbers(gain, drop, shape, rest, adapted, lost, lost_few) -> dict:
    """Numbers of the text: what the curves of transfer gain and lose."""
    return {
        "transfer_gain": size(gain),
        "transfer_drop": size(drop),
        "transfer_shape": size(shape),
        "transfer_rest": size(rest),
        "transfer_adapted_says": told(adapted),
        "transfer_lost_says": told(lost),
        "transfer_few_says": told(lost_few),
    }


def layer_numbers(ends, top, means, many, at, names, last, raw, kept) -> dict:
    """Numbers of the text: single layers of transfer."""
    first, fan = (max(values) - min(values) for values in ends.values())
    return {
        "transfer_top": top,
        "transfer_trained": (means[many, *at["trained"]], ".1f"),
        "transfer_fresh_last": (means[many, names["fresh"], last], ".1f"),
        "transfer_raw": (means[many, *raw], ".1f"),
        "transfer_first": (first, ".1f", "up"),
        "transfer_fan": (fan, ".0f"),
        "transfer_kept": (min(kept), ".0f", "down"),
    }


def draw_numbers(draws, few, many, judged) -> dict:
    """Numbers of the text: draws and images."""
    return {"transfer_draws": draws, "transfer_few": few, "transfer_many": many, "transfer_judged": (judged, ",")}


def compared_layers(top, at, raw, last, names) -> dict:
    """What is compared at the top: the two kinds of layers of each comparison."""
    return {
        f"trained, {top}, minus raw pixels": (at["trained"], raw),
        f"trained, {top} minus {last}": (at["trained"], (names["trained"], last)),
        f"trained minus adapted, {top}": (at["trained"], at["adapted"]),
        f"adapted minus keys, {top}": (at["adapted"], at["keys"]),
        f"keys minus random filters, {top}": (at["keys"], at["noise"]),
        f"random filters minus all random, {top}": (at["noise"], at["fresh"]),
    }


def difference_table(right, pairs, per_class, seed: int) -> pd.DataFrame:
    """Differences of accuracies in points, with their 95 % intervals over the test images."""
    rows = []
    for n in per_class:
        for what, (a, b) in pairs.items():
            gain = right[n, *a].mean(0) - right[n, *b].mean(0)
            ends = bootstrap_interval(100 * gain, seed=seed)
            rows.append((what, n, float(100 * gain.mean()), ends.low, ends.high))
    return pd.DataFrame(rows, columns=["comparison", "per class", "points", "low", "high"])


def kept_share(means, n: int, at, raw) -> float:
    """How much of the gain of adapted filters over raw pixels the keys keep, in per cent."""
    keys, own = (means[n, *at[k]] - means[n, *raw] for k in ("keys", "adapted"))
    return 100 * keys / own if own > 0 else 0.0
