"""What the chapter *What unsupervised layers learn* shows: fits to filters, nulls of the keys, the machine, colour masks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import sem

from keyfilters.networks.surgery.nulls import null_distribution
from keyfilters.uncertainty import bootstrap_interval
from keyfilters_book import page
from keyfilters_book.figures.clusters import key_gallery
from keyfilters_book.figures.mosaics import step_curves
from keyfilters_book.representations import resampling
from keyfilters_book.representations import second_layer as second
from keyfilters_book.representations.colour import OPPONENT
from keyfilters_book.representations.gabor import fit_gabor
from keyfilters_book.representations.sparse_coding import kurtosis
from keyfilters_book.significance import paired_test

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


def whitening_numbers(bound, kept, foreign, closest) -> dict:
    """Numbers of the text: whitening."""
    return {
        "unsup_white": (bound, ".0e"),
        "unsup_kept": (100 * kept, ".0f"),
        "unsup_foreign_low": (foreign[0], ".2f"),
        "unsup_foreign_high": (foreign[-1], ".2f"),
        "unsup_zca_key": int(closest.key[0]),
        "unsup_zca_explained": (closest.explained[0], ".2f"),
    }


def ica_numbers(ahead, hold, seen) -> dict:
    """Numbers of the text: sparseness on photographs held out."""
    return {
        "unsup_ica_ahead": page.of_all(ahead, len(hold)),
        "unsup_rotation_most": (seen.loc["random rotation"].max(), ".1f"),
        "unsup_rotation_most_name": seen.loc["random rotation"].idxmax(),
        "unsup_ica_gravel": (seen.loc["ICA", "gravel"], ".1f"),
    }


def bar_numbers(fits, control, low, high) -> dict:
    """Numbers of the text: bars across filters, and the control."""

    def bars(name: str) -> float:
        return np.median([f.shape[3] * f.shape[5] for f in fits[name]["gabor"]])

    return {
        "unsup_bars_filters": (bars("ICA filters"), ".2f"),
        "unsup_bars_atoms": (bars("ICA atoms"), ".2f"),
        "unsup_control_difference": (control.mean(), "+.3f"),
        "unsup_excess_low": (low, "+.3f"),
        "unsup_excess_high": (high, "+.3f"),
    }


def key_numbers(rows) -> dict:
    """Numbers of the text: the keys on units of ICA."""
    return {
        "unsup_keys_low": (rows["keys"].min(), ".2f", "down"),
        "unsup_keys_high": (rows["keys"].max(), ".2f", "up"),
        "unsup_keys_random": page.of_all(int((rows["keys"] > rows.random_95).sum()), len(rows)),
        "unsup_keys_gaussian": page.of_all(int((rows["keys"] > rows.gaussian_95).sum()), len(rows)),
        "unsup_lines_low": (rows.lines.min(), ".2f", "down"),
    }


def error_numbers(still, both, target, error, best_at, before) -> dict:
    """Numbers of the text: the machine while it learns."""
    settled = still > 0.99 and both.active[-1] < 1.1 * target
    return {
        "unsup_error_start": (error[0], ".2f"),
        "unsup_error_best": (error[best_at], ".2f"),
        "unsup_error_best_step": both.steps[best_at],
        "unsup_error_last": (error[-1], ".2f"),
        "unsup_before": both.steps[before],
        "unsup_still": (still, ".2f"),
        "unsup_settled": "By and large it has settled" if settled else "Nor has it converged",
        "unsup_target": target,
        "unsup_active": (both.active[-1], ".3f"),
    }


def machine_numbers(rise, steps, recipes, both, best_at, before, fast) -> dict:
    """Numbers of the text: Gabor shares of the machine's filters."""
    at_end = {name: rise[f"step {steps}, {name}"] for name in recipes}
    return {
        "unsup_machine_start": (rise["step 0"], ".2f"),
        "unsup_machine_best": (rise[f"step {both.steps[best_at]}"], ".2f"),
        "unsup_machine_before": (rise[f"step {both.steps[before]}"], ".2f"),
        "unsup_machine_last": (at_end["with both"], ".2f"),
        "unsup_machine_second": (at_end["second seed"], ".2f"),
        "unsup_machine_free": (at_end["no sparsity term"], ".2f"),
        "unsup_machine_border": (at_end["border free"], ".2f"),
        "unsup_machine_ica": (rise["FastICA"], ".2f"),
        "unsup_fast_iterations": fast.iterations,
        "unsup_fast_converged": "met" if fast.converged else "did not meet",
    }


def outer_numbers(in_both, outermost, steps, size) -> dict:
    """Numbers of the text: weights at the border of the machine's filters."""
    return {
        "unsup_outer_both": (in_both, ".2f"),
        "unsup_outer_border": (outermost[f"step {steps}, border free"], ".2f"),
        "unsup_outer_noise": (1 - (size - 2) ** 2 / size**2, ".2f"),
        "unsup_outer_ica": (outermost["FastICA"], ".2f"),
    }


def second_numbers(on_off, modulus) -> dict:
    """Numbers of the text: second-layer bases."""
    return {
        "unsup_on_off": (on_off.drawing, ".2f"),
        "unsup_on_off_squared": (100 * on_off.drawing**2, ".0f"),
        "unsup_modulus": (modulus.drawing, ".2f"),
        "unsup_modulus_size": (modulus["size"], ".2f"),
        "unsup_modulus_flipped": (modulus.flipped, ".2f"),
        "unsup_on_off_flipped": (on_off.flipped, ".2f"),
    }


def mask_numbers(live, pure, grey, pooled, masks, noise, shares_of, axes) -> dict:
    """Numbers of the text: the masks of a real first layer."""
    return {
        "unsup_stem": len(live),
        "unsup_stem_dead": int((~live).sum()),
        "unsup_chroma_pure": pure,
        "unsup_luminance_pure": grey,
        "unsup_chroma_pooled": (pooled, ".2f"),
        "unsup_separable": (np.median(masks.separability), ".2f"),
        "unsup_separable_least": (masks.separability.min(), ".2f", "down"),
        "unsup_noise_separable": (np.median(noise), ".2f"),
        **axis_numbers(shares_of, axes),
    }


def bank_numbers(ica, passes) -> dict:
    """Numbers of the text: how the banks were found."""
    return {
        "unsup_ica_iterations": ica.iterations,
        "unsup_ica_converged": "met" if ica.converged else "did not meet",
        "unsup_passes": passes,
    }


def patch_numbers(side, count, components) -> dict:
    """Numbers of the text: the patches."""
    return {"unsup_side": side, "unsup_pixels": side**2, "unsup_count": (count, ","), "unsup_components": components}


def flip(kind, components, layers, seed, ica):
    "The drawings when random first-layer units are given the other sign."
    flip = np.random.default_rng(seed).choice([-1.0, 1.0], size=components)
    weights = layers[kind].atoms
    if kind == "on-off":
        # A filter of the other sign exchanges its two channels.
        swap = np.arange(2 * components).reshape(2, -1)
        weights = weights[:, np.where(flip < 0, swap[::-1], swap).ravel()]
    return second.combined(weights, ica.atoms * flip[:, None, None], 4)


def check_white(flat: np.ndarray, full: np.ndarray, bound: float) -> None:
    """That covariances of whitened patches are those of white noise: of a few components, and of all pixels."""
    # Without its mean a patch lacks one direction, the constant.
    for found, wanted in ((flat, np.eye(len(flat))), (full, np.eye(len(full)) - 1 / len(full))):
        gap = np.abs(found - wanted).max()
        assert gap < bound, f"expected white patches to {bound:.0e}, off by {gap:.1e}"


def sparse_table(banks, patches, test, photographs) -> pd.DataFrame:
    """Mean excess kurtosis of each bank's responses: on the patches that it learned from, and on other photographs."""
    rows = []
    for name, bank in banks.items():
        row = {"bank": name, "learned from": kurtosis(bank.responses(patches)).mean()}
        for place in photographs:
            row[place] = kurtosis(bank.responses(test.of([place]))).mean()
        rows.append(row)
    return pd.DataFrame(rows).set_index("bank")


def interval_apart(extra, control, seed: int) -> tuple[float, float]:
    """The 95 % interval of the difference of two means, from 2,000 draws of both samples."""
    rng = np.random.default_rng(seed)
    means = [rng.choice(extra, len(extra)).mean() - rng.choice(control, len(control)).mean() for _ in range(2000)]
    return tuple(np.quantile(means, [0.025, 0.975]))


def seven(filters: np.ndarray, fits) -> np.ndarray:
    """The filters as 7x7 ones about the centres of their fits by derivatives."""
    reach = filters.shape[-1] / 2 - 0.5
    return resampling.recentred(filters, np.clip([f.shape[:2] for f in fits["derivatives 0-2"]], -reach, reach))


def key_table(grids, found, draws: int, seed: int) -> pd.DataFrame:
    """What the keys explain of each stack of 7x7 filters, beside the nulls."""
    return pd.DataFrame([key_row(name, stack, found[name], draws, seed) for name, stack in grids.items()]).set_index("units")


def machine_rows(histories, fast: np.ndarray) -> dict:
    """Twelve filters each: of the whole machine as it learns, of machines without a term at the end, and of FastICA."""
    both = histories["with both"]
    last = both.steps[-1]
    shown = {0, 50, 200, last, max((step for step in both.steps if step < last), default=0)}
    rows = {f"step {step}": f[:12] for step, f in zip(both.steps, both.filters, strict=True) if step in shown}
    rows |= {name: histories[name].filters[-1][:12] for name in list(histories)[1:3]}
    return rows | {"FastICA": fast[:12]}


def second_table(layers, drawn, test, components: int, ica, seed: int) -> tuple[dict, pd.DataFrame]:
    """Correlations of units of the second layers with their drawings, and a table of these, of sizes and of cosines."""
    rows, with_drawing = [], {}
    for kind, layer in layers.items():
        unit = layer.responses(test.values)
        linear = test.vectors @ drawn[kind].reshape(len(drawn[kind]), -1).T
        with_drawing[kind] = second.column_correlations(unit, linear)
        size = second.column_correlations(unit, np.abs(linear))
        cosines = turned(drawn[kind], flip(kind, components, layers, seed, ica))
        rows.append(second_row(kind, with_drawing[kind], size, cosines))
    return with_drawing, pd.DataFrame(rows).set_index("rectification")


def live_masks(stem) -> tuple[np.ndarray, np.ndarray]:
    """The weights of a first layer without masks that are next to nothing, and which masks those are that stay."""
    weight = stem.weight.detach().numpy().astype(np.float64)
    norms = np.sqrt((weight**2).sum(axis=(1, 2, 3)))
    live = norms > 1e-2 * np.median(norms)
    return weight[live], live


def compared_machines(histories, records, fast) -> dict:
    """Filters of the whole machine at some records, of every machine at the end, and of FastICA."""
    both = histories["with both"]
    wanted = {f"step {both.steps[i]}": both.filters[i] for i in records}
    wanted |= {f"step {h.steps[-1]}, {name}": h.filters[-1] for name, h in histories.items()}
    return wanted | {"FastICA": fast.filters[:32]}


def gabor_share(filters: np.ndarray) -> np.ndarray:
    """How much of each filter its best Gabor function explains."""
    return np.array([fit.explained for fit in fit_gabor(filters, "gabor", starts=3)])
