"""What the chapter *What unsupervised layers learn* shows: fits to filters, nulls of the keys, the machine, colour masks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import sem

from keyfilters.networks.surgery.nulls import null_distribution
from keyfilters.uncertainty import bootstrap_interval
from keyfilters_book.figures.clusters import key_gallery
from keyfilters_book.figures.mosaics import step_curves
from keyfilters_book.representations.colour import OPPONENT
from keyfilters_book.significance import paired_test

__all__ = [
    "apart", "axis_numbers", "comparison_table", "error_figure", "fit_figure", "fit_numbers", "key_row", "machine_table",
    "mask_panels", "outer", "second_row", "turned",
]  # fmt: skip

FITS = {
    "formats": {
        "gabor": "{:.2f}", "derivatives 0-2": "{:.2f}", "difference": "{:+.3f}", "low": "{:+.3f}", "high": "{:+.3f}", "p": "{:.2g}",
    },
    "headers": {
        "gabor": "Gabor", "gabor, quartiles": "quartiles", "derivatives 0-2, quartiles": "quartiles", "low": "from", "high": "to",
    },
}  # fmt: skip
KEYS = {
    "formats": dict.fromkeys(
        ["keys", "random", "random_95", "gaussian", "gaussian_95", "lines", "derivative keys"], "{:.2f}"
    ),
    "headers": {
        "random": "random 8", "random_95": "95 %", "gaussian": "Gaussian", "gaussian_95": "95 %", "lines": "best 8 lines",
    },
}  # fmt: skip
MACHINE = {
    "formats": dict.fromkeys(["mean", "low", "high", "outer"], "{:.2f}"),
    "headers": {"low": "from", "high": "to", "outer": "outermost"},
}
SECOND = {
    "formats": dict.fromkeys(["drawing", "size", "flipped"], "{:.2f}"),
    "headers": {"drawing": "with the drawing", "size": "with its size"},
}


def apart(a, b) -> float:
    """How many standard errors the mean of a lies above that of b, two banks of filters."""
    return (np.mean(a) - np.mean(b)) / np.hypot(sem(a), sem(b))


def comparison_table(share, seed: int) -> pd.DataFrame:
    """Explained shares of each bank by both models, and their paired difference; the intervals hold together at 95 %."""
    level, rows = 1 - 0.05 / len(share), []
    for name, each in share.items():
        difference = each["gabor"] - each["derivatives 0-2"]
        interval = bootstrap_interval(difference, level=level, seed=seed)
        row = {"bank": name, "filters": len(difference)}
        for model, values in each.items():
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            row |= {model: middle, f"{model}, quartiles": f"{low:.2f} to {high:.2f}"}
        row |= {"difference": interval.estimate, "low": interval.low, "high": interval.high}
        row["p"] = paired_test(each["gabor"], each["derivatives 0-2"], seed=seed).p
        row["Gabor better"] = int((difference > 0).sum())
        rows.append(row)
    return pd.DataFrame(rows).set_index("bank")


def fit_numbers(compared) -> dict:
    """Numbers of the text: both models' medians for the learned banks, and their difference."""
    found = {}
    for name, row in compared.drop(index="random rotation").iterrows():
        slug = name.lower().replace(" ", "-")
        found |= {
            f"unsup-{slug}-gabor": (row.gabor, ".2f"),
            f"unsup-{slug}-derivatives": (row["derivatives 0-2"], ".2f"),
            f"unsup-{slug}-difference": (row.difference, "+.3f"),
            f"unsup-{slug}-range": f"{row.low:+.3f} to {row.high:+.3f}",
        }
    return found


def fit_figure(ica, fits, picked):
    """Filters and atoms of some units of ICA above their two fits, with the explained shares."""
    rows, notes = {}, {}
    for bank, filters in (("filter", ica.filters), ("atom", ica.atoms)):
        rows[bank] = filters[picked]
        for model, short in (("gabor", "Gabor"), ("derivatives 0-2", "derivatives")):
            found, label = [fits[f"ICA {bank}s"][model][i] for i in picked], f"{short}, {bank}"
            rows[label] = [f.filter for f in found]
            notes[label] = [f"{f.explained:.2f}" for f in found]
    fig = key_gallery(rows, titles=[f"{i + 1}" for i in picked], notes=notes, panel=0.8)
    return fig, {label: np.stack(list(panels)) for label, panels in rows.items()}


def key_row(name: str, stack, found, draws: int, seed: int) -> dict:
    """What the keys explain of a stack of 7x7 filters (`found`, its match), beside the nulls."""
    row = {"units": name, "keys": found.pooled("filters")}
    for kind in ("random", "gaussian", "lines"):
        count = 1 if kind == "lines" else draws
        null = null_distribution(stack, "B", kind, count, seed=seed, pool="filters")
        row[kind] = null.pooled.mean()
        if kind != "lines":
            row[f"{kind}_95"] = np.quantile(null.pooled, 0.95)
    return row | {"derivative keys": np.mean(found.key <= 6)}


def error_figure(histories):
    """Error of reconstruction and share of units that are on, by the step, machine by machine."""
    errors = {name: (h.steps, h.held_out) for name, h in histories.items()}
    active = {name: (h.steps, h.active) for name, h in histories.items()}
    fig = step_curves({"reconstruction error": errors, "units on (share)": active})
    columns = {"step": "steps", "error": "error", "held_out": "held_out", "active": "active"}
    frames = [
        pd.DataFrame({"machine": name} | {column: getattr(h, of) for column, of in columns.items()})
        for name, h in histories.items()
    ]
    return fig, pd.concat(frames, ignore_index=True)


def outer(filters) -> np.ndarray:
    """Share of the squared weights in the outermost pixels."""
    energy = filters**2 / (filters**2).sum(axis=(1, 2), keepdims=True)
    return 1 - energy[:, 1:-1, 1:-1].sum(axis=(1, 2))


def machine_table(wanted, of_filter, seed: int) -> pd.DataFrame:
    """Explained shares of each bank with their interval, and the share of the outermost pixels."""
    rows = []
    for name, filters in wanted.items():
        values = of_filter[name]
        interval = bootstrap_interval(values, seed=seed)
        row = {"bank": name, "filters": len(values), "mean": values.mean()}
        rows.append(row | {"low": interval.low, "high": interval.high, "outer": outer(filters).mean()})
    return pd.DataFrame(rows).set_index("bank")


def turned(a, b) -> np.ndarray:
    """Cosines between filters of two stacks, without sign."""
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.abs((a * b).sum(axis=1)) / norms


def second_row(kind: str, signed, size, flipped) -> dict:
    """Medians and quartiles of a second layer's correlations with drawings and with their size; cosines when signs flip."""
    row = {"rectification": kind}
    for name, values in (("drawing", signed), ("size", size)):
        low, high = np.quantile(values, [0.25, 0.75])
        row |= {name: np.median(values), f"{name}, quartiles": f"{low:.2f} to {high:.2f}"}
    return row | {"flipped": np.median(flipped)}


def mask_panels(weight, colour) -> dict:
    """Masks by their share of chroma: as colours, their chroma alone, their luminance, and the best single mask."""
    order = np.argsort(colour.share)
    panels = {
        "mask (colours)": weight[order].transpose(0, 2, 3, 1),
        "chroma": np.einsum("jc,njxy->nxyc", OPPONENT[1:], colour.chroma[order]),
        "luminance": colour.luminance[order],
    }
    rgb, chroma, luminance = panels.values()
    gap = np.abs(rgb - chroma - luminance[..., None] / np.sqrt(3)).max()
    assert gap < 1e-12, f"expected the parts to add up to 1e-12, off by {gap:.1e}"
    return panels | {"best single mask": colour.mask[order]}


def axis_numbers(shares, axes) -> dict:
    """Numbers of the text: the principal colour, its share, and its angle to the grey axis."""
    angle = np.degrees(np.arccos(abs(axes[0] @ OPPONENT[0])))
    found = {f"unsup-axis-{c}": (value, ".2f") for c, value in zip("rgb", axes[0], strict=True)}
    return found | {"unsup-axis-share": (shares[0], ".2f"), "unsup-axis-angle": (angle, ".0f")}
