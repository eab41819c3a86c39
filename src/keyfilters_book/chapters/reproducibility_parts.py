"""What the chapter *Notes on reproducibility* shows: its tables, its figures, and how it says what was confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import keyfilters as kf
from keyfilters_book import figures, page
from keyfilters_book.paper import notes
from keyfilters_book.paper.procedure import truncated_filter, truncated_gaussian
from keyfilters_book.published_experiments import closest_scales, experiment_filter, similarity

DEVIATIONS = {"headers": {"deviation": "name"}, "link": {"deviation": "#dev-{}"}, "wrap": True}
RERUN = {"formats": {"other": "{:.1e}"}, "headers": {"other": "other differences up to"}}
RERUN_OTHERS = {
    "formats": {"published": "{:.9f}", "rerun": "{:.9f}", "gap": "{:.1e}", "section": "({})"},
    "headers": {"component": "part", "published": "published / search again", "gap": "difference", "section": "see"},
    "link": {"section": "#point-{}"},
    "pairs": {"rerun": "published"},
}
VALLEY = {
    "formats": {"steps_first": "{:.2f}", "steps_second": "{:.2f}", "lowest": "{:.1e}", "nearest": "{:.1e}"},
    "headers": {
        "steps_first": "steps, first",
        "steps_second": "steps, second",
        "lowest": "excess, lowest",
        "nearest": "excess, nearest",
    },
}
DC = {
    "formats": {
        "parabola": "{:.9f}",
        "kink": "{:.6f}",
        "steps": "{:.2f}",
        "excess": "{:.0e}",
        "sigma": "{:.1e}",
        "gamma": "{:.1e}",
    },
    "headers": {
        "parabola": "$C$, parabola",
        "kink": "$C$, kink",
        "steps": "distance, steps",
        "sigma": r"change of $\sigma$",
        "gamma": r"change of $\gamma$",
    },
}
PARABOLA = {
    "formats": {"largest": "{:.0e}", "steps": "{:.4f}"},
    "headers": {"largest": "largest distance", "steps": "in steps"},
}
KEY4 = {
    "formats": {"sigma_y": "{:.4f}", "cut": "{:.2e}", "whole": "{:.2e}"},
    "headers": {
        "sigma_y": r"$\sigma_y$",
        "taps_kept": "taps kept",
        "cut": "excess norm, cut kernel",
        "whole": "excess norm, whole kernel",
    },
}
TRUNCATED = {
    "formats": {"full": "{:.6f}", "published": "{:.3f}"},
    "headers": {"component": "axis", "published": "in the table"},
}
REPLACEMENT = {
    "formats": {"models": "{:.3f}", "templates": "{:.3f}", "difference": "{:+.3f}"},
    "headers": {"models": "models of the fits", "templates": "replacement code", "taken": "best template"},
}
PIXEL = {
    "formats": {
        **dict.fromkeys(("models", "built", "reflected"), "{:.3f}"),
        **dict.fromkeys(("built_x", "built_y", "reflected_x", "reflected_y"), "{:.2f}"),
    },
    "headers": {
        "models": "models of the fits",
        "built": "as built",
        "built_x": r"$\sigma_x$",
        "built_y": r"$\sigma_y$",
        "reflected_x": r"$\sigma_x$",
        "reflected_y": r"$\sigma_y$",
    },
}
AXES = {
    "formats": {**dict.fromkeys(("true_first", "true_second", "drawn_first", "drawn_second"), "{:.4f}"), "displaced": "{:.0%}"},
    "headers": {
        "true_first": "first",
        "true_second": "second",
        "drawn_first": "first, as shown",
        "drawn_second": "second, as shown",
        "displaced": "displaced by",
    },
}
UNIT = {
    "formats": {"sum": "{:.6f}", "l1": "{:.4f}", "residual": "{:.3f}", "residual_l1": "{:.3f}"},
    "headers": {"l1": "l1 norm", "residual": "rest, unit sum", "residual_l1": "rest, unit l1 norm"},
}
EDGE = {
    "formats": {"variances": "{:.5f}", "l1": "{:.5f}", "l2": "{:.5f}", "rest": "{:+.5f}"},
    "headers": {"variances": "A, B", "l1": "C1, C2", "l2": "D1, D2", "rest": "rest, D1"},
}
EARLIER = {
    "formats": {"stored": "{:.8f}", "earlier": "{:.8f}", "difference": "{:.0e}", "later": "{:.6f}"},
    "headers": {"earlier": "earlier model", "later": "later (l2 fit)"},
}
MONOMIALS = {
    "formats": {"sum": "{:.3f}", "shifted": "{:.4f}", "centred": "{:.4f}", "difference": "{:+.4f}"},
    "headers": {"shifted": "as published", "centred": "centred on the filter"},
}
SUMMARY = {
    "formats": {"section": "({})"},
    "headers": {"section": "", "suspicion": "point"},
    "link": {"section": "#point-{}"},
    "wrap": True,
}

POINTS = [
    ("a", "γ of key 7, l1: array overwritten", "γ of method C and its picture"),
    ("b", "key 6, C1: index beside the argmin", "fourth decimal"),
    ("c", "C of keys 7 and 8: parabola at a kink", "digits beyond the grid"),
    ("d", "key 4, D1: grid point where the optimum is 0", "comparison of digits"),
    ("e", "table with three decimals: truncated entries", "nothing seen"),
    ("f", "replacement: keys 1 and 3 exchanged", "which scales go with which shape"),
    ("f", "scale learning: one-sided kernels a pixel off", "reading of learned scales"),
    ("f", "scale learning: sampled Gaussian", "reading of learned scales"),
    ("f", "upward Bessel recurrence", "σ below 0.1, if used"),
    ("f", "key 7 as T − γ∇²T", "key 7 in the networks"),
    ("g", "axes of the maps", "the pictures"),
    ("h", "unit l1 norm or unit sum", "wording"),
    ("i", "cropping before differencing", "keys 5 and 6 at the border"),
    ("j", "stored key 7 of A, B: earlier model", "readers of the stored values"),
    ("k", "monomials read at −u − m", "four published responses"),
]
KEYS = range(1, 9)


def size(number: float) -> str:
    """One digit and the power of ten, or a plain 0."""
    return f"{number:.0e}" if number else "0"


def listed(keys: Sequence[int]) -> str:
    """The keys in words, or "none"."""
    return ", ".join(map(str, keys)) or "none"


def reasons_table(card: pd.DataFrame) -> pd.DataFrame:
    """Why published numbers deviate, and how many each reason concerns."""
    known = kf.known_deviations().drop_duplicates("id").set_index("id")
    reasons = card[card.deviation != ""].groupby("deviation", sort=False).size().rename("numbers").to_frame()
    reasons.insert(0, "reason", known.title[reasons.index])
    return reasons


def rerun_overview(search: pd.DataFrame) -> pd.DataFrame:
    """By method: how many numbers the search run again returns, and how far off the others are."""
    overview = search.groupby("method", sort=False).agg(numbers=("gap", "size"), returned=("returned", "sum"))
    overview["other"] = search[~search.returned].groupby("method").gap.max()
    return overview.loc[["B", "B-joint", "C1", "C2", "C", "C-joint", "D1", "D2", "D", "D-joint"]]


def others_table(search: pd.DataFrame) -> pd.DataFrame:
    """The numbers that do not return, each with the section that explains it."""
    others = search[~search.returned].copy()
    letters = {("gamma", "C"): "a", ("sigma", "C1"): "b", ("sigma", "D1"): "d", ("sigma", "B-joint"): "j"}
    others["section"] = [letters[q, m] for q, m in zip(others.quantity, others.method, strict=True)]
    columns = ["quantity", "key", "component", "method", "published", "rerun", "gap", "section"]
    return others[columns].sort_values("section").reset_index(drop=True)


def valley_table(grids: Mapping) -> pd.DataFrame:
    """How far the lowest point of each grid lies from the minimum, and the excess of it and of the nearest point."""
    return pd.DataFrame(
        [(*name, *found.steps_away, found.lowest_excess, found.nearest_excess) for name, found in grids.items()],
        columns=["method", "key", "steps_first", "steps_second", "lowest", "nearest"],
    )


def valley_figure(grids: Mapping, fits: Sequence[tuple[str, int]]) -> tuple[Figure, dict]:
    """The objective around the minimum of each fit, with its grid points, and the data."""
    panels, stored = [], {}
    for method, key in fits:
        found = grids[method, key]
        around = np.linspace(-3, 3, 121)
        first, second = (m + s * around for m, s in zip(found.minimum, found.step, strict=True))
        values = kf.objective_map(key, first, second)
        marks = {
            "minimum": tuple(found.minimum),
            "lowest grid point": tuple(found.lowest),
            "nearest grid point": tuple(found.nearest),
        }
        panels.append(figures.MapPanel(first, second, values, f"{method}, key {key}", marks))
        stored |= {f"key{key}_first": first, f"key{key}_second": second, f"key{key}_values": values}
    fig = figures.objective_map_figure(panels, first_label=r"$\sigma_x$", second_label=r"$\sigma_y$", value_label="l1 norm")
    return fig, stored


def excess_figure(cost: pd.DataFrame, gain: np.ndarray) -> Figure:
    """How much each published fit raises its objective, beside what a second scale gains."""
    order = ["C1", "C2", "C-joint", "C", "D1", "D2", "D-joint", "D"]
    names = {"C": "key 7, C", "D": "key 7, D"}
    rows = {}
    for method in order:
        mine = cost[cost.method == method]
        rows[names.get(method, method)] = dict(zip(mine.key.str.replace(" ", ""), mine.excess, strict=True))
    marks = {"least gain of a second scale": gain.min(), "median gain": np.median(gain)}
    return figures.log_dots(rows, xlabel="excess", references=marks)


def parabola_table(search: pd.DataFrame, windows: Mapping) -> pd.DataFrame:
    """How far the vertex of the published parabola lies from the minimum."""
    rows = []
    for method in ("C2", "C-joint", "D2", "D-joint"):
        mine = search[(search.method == method) & (search.key != "7")]
        steps = np.array([windows[method, key, "both"].step for key in mine.key])
        rows.append((method, len(mine), mine.difference.abs().max(), (mine.difference.abs() / steps).max()))
    return pd.DataFrame(rows, columns=["method", "fits", "largest", "steps"])


def first_points(norms: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The sigma_y of the lowest point of a grid, and the norms at the first three points of its column."""
    i, j = np.unravel_index(norms.argmin(), norms.shape)
    return y[i], norms[:3, j]


def key4_table(y: np.ndarray, profiles: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The first three points of the grid of sigma_y, with the taps that are kept there."""
    taps = [np.count_nonzero(truncated_gaussian(s)) for s in y[:3]]
    return pd.DataFrame({"sigma_y": y[:3], "taps_kept": taps, **profiles})


def templates_at(sigma_x: Mapping, sigma_y: Mapping, code: str) -> np.ndarray:
    """The templates of one of the network experiments at the scales of the fits, shape (8, 7, 7)."""
    return np.stack([experiment_filter(code, k, sigma_x[k], sigma_y[k]) for k in KEYS])


def exchange_figure(likeness: Mapping[str, np.ndarray]) -> tuple[Figure, dict]:
    """How much each filter is like each template, one panel a set of templates, and the data."""
    columns = pd.Index(KEYS, name="template of key")
    frames = {name: pd.DataFrame(r, index=KEYS, columns=columns) for name, r in likeness.items()}
    fig = figures.method_heatmaps(frames, columns=1, cell=(0.62, 0.36), limits=dict.fromkeys(frames, (0, 1)))
    return fig, {name.replace(" ", "_"): r for name, r in likeness.items()}


def negative_keys(h: np.ndarray, templates: np.ndarray, r: np.ndarray) -> str:
    """The keys, in words, whose filter has a negative gain on the template that it is most like."""
    best = templates[r.argmax(axis=1)]
    gains = ((h - h.mean(axis=(1, 2), keepdims=True)) * best).sum(axis=(1, 2))
    negative = [str(k) for k, a in zip(KEYS, gains, strict=True) if a < 0]
    return ", ".join(negative[:-1]) + f" and {negative[-1]}"


def replacement_table(models: np.ndarray, replaced: np.ndarray) -> pd.DataFrame:
    """The share of each filter that the best template explains, with the models and with the replacement code."""
    best_of = pd.DataFrame(
        {
            "key": KEYS,
            "models": models.max(axis=1) ** 2,
            "templates": replaced.max(axis=1) ** 2,
            "taken": replaced.argmax(axis=1) + 1,
        }
    )
    # Beyond 12 decimals the differences are rounding.
    best_of["difference"] = (best_of.templates - best_of.models).round(12) + 0.0
    return best_of


def pixel_table(h: np.ndarray, grid: np.ndarray) -> pd.DataFrame:
    """The largest correlation with each learned filter: fitted models, scale-learning filters as built and reflected."""
    rows = []
    for key, learned in zip(KEYS, h, strict=True):
        models = np.stack([kf.fit(key, method).model() for method in kf.fitting.METHODS])
        built = closest_scales("scale-learning", key, learned, grid)
        mirrored = closest_scales("scale-learning", key, learned, grid, reflected=True)
        rows.append((key, similarity(learned[None], models).max(), *built, *mirrored))
    columns = ["key", "models", "built", "built_x", "built_y", "reflected", "reflected_x", "reflected_y"]
    return pd.DataFrame(rows, columns=columns)


def axes_figure(first: np.ndarray, second: np.ndarray, values: np.ndarray, shown) -> tuple[Figure, dict]:
    """An objective with each parameter on its own axis, and as the published image shows it, and the data."""
    right_axes = figures.MapPanel(first, second, values, "each on its own axis", {"lowest grid point": shown.true})
    as_drawn = figures.MapPanel(first, second, values.T[::-1], "as the image shows it", {"lowest grid point": shown.drawn})
    fig = figures.objective_map_figure(
        [right_axes, as_drawn], first_label=r"$\sigma_x$", second_label=r"$\sigma_y$", value_label="l1 norm"
    )
    return fig, {"sigma_x": first, "sigma_y": second, "l1_norm": values}


def unit_table(normalised: np.ndarray, own: Sequence, other: Sequence) -> pd.DataFrame:
    """Sum and l1 norm of keys 7 and 8, and what the model leaves at unit sum and at unit l1 norm."""
    return pd.DataFrame(
        {
            "key": [7, 8],
            "sum": normalised[6:].sum((1, 2)),
            "l1": np.abs(normalised[6:]).sum((1, 2)),
            "residual": [f.relative_l2 for f in own],
            "residual_l1": [f.relative_l2 for f in other],
        }
    )


def edge_table(crop: pd.DataFrame, exact: pd.DataFrame) -> pd.DataFrame:
    """Largest change of a scale by kind of method, and of the rest that D1 leaves, between the two orders."""
    scales = ["sigma_x", "sigma_y"]
    shift = (exact[scales] - crop[scales]).abs().max(axis=1).unstack("key")
    gain = (exact.relative_l2 - crop.relative_l2).unstack("key")
    return pd.DataFrame(
        {
            "key": KEYS,
            "variances": shift.loc[["A", "B"]].max().to_numpy(),
            "l1": shift.loc[["C1", "C2"]].max().to_numpy(),
            "l2": shift.loc[["D1", "D2"]].max().to_numpy(),
            "rest": gain.loc["D1"].to_numpy(),
        }
    )


def outcome(condition: bool, small: bool = False) -> str:
    """What the table of points says about one of them."""
    confirmed = "confirmed, smaller than suspected" if small else "confirmed"
    return confirmed if condition else "not confirmed"


def summary_table(outcomes: Sequence[str], sizes: Sequence[str]) -> pd.DataFrame:
    """The points, each with its outcome and size as found."""
    found = zip(POINTS, outcomes, sizes, strict=True)
    rows = [(section, what, outcome, size, why) for (section, what, why), outcome, size in found]
    return pd.DataFrame(rows, columns=["section", "suspicion", "outcome", "size", "matters for"])


def valley_numbers(listed, valley) -> dict:
    """Numbers of the text: lowest grid points and minima."""
    return {
        "valley_rows": len(listed),
        "valley_steps": (valley[["steps_first", "steps_second"]].to_numpy().max(), ".1f"),
        "valley_excess": (valley.lowest.max(), ".1e", "up"),
        "valley_ratio": ((valley.nearest / valley.lowest).min(), ".0f", "down"),
    }


def excess_numbers(cost, gain) -> dict:
    """Numbers of the text: what a difference costs."""
    usual = cost[~((cost.method == "C") & (cost.key == "7"))]
    return {
        "excess_usual": (usual.excess.max(), ".1e", "up"),
        "excess_usual_fit": "{0.method}, key {0.key}".format(usual.loc[usual.excess.idxmax()]),
        "moved_usual": (100 * usual.moved.max(), ".2f", "up"),
        "residual_least": (100 * usual.residual.min(), ".0f"),
        "residual_most": (100 * usual.residual.max(), ".0f"),
        "below_gain": int((usual.excess < gain.min()).sum()),
        "usual_fits": len(usual),
    }


def gamma_numbers(i, published_gamma, second, read_from, gamma_cost, values) -> dict:
    """Numbers of the text: the overwritten array."""
    best = kf.fit(7, "C2")
    return {
        "gamma_index": int(i),
        "gamma_published": (published_gamma, ".6f"),
        "gamma_meant": (second[i], ".6f"),
        "gamma_read": (read_from, ".6f"),
        "gamma_mismatch": size(abs(read_from - published_gamma)),
        "gamma_error": (published_gamma - second[i], ".4f"),
        "gamma_optimum": (best.gamma, ".6f"),
        "gamma_excess": (100 * gamma_cost.excess, ".1f"),
        "gamma_meant_excess": (100 * (values.min() / best.objective - 1), ".3f"),
        "gamma_moved": (100 * gamma_cost.moved, ".1f"),
        "gamma_residual": (100 * gamma_cost.residual, ".1f"),
        "gamma_residual_published": (100 * gamma_cost.residual * (1 + gamma_cost.excess), ".1f"),
    }


def beside_numbers(argmin_x, found_x, first, published_x, cost) -> dict:
    """Numbers of the text: the index beside the argmin."""
    optimum_x = kf.fit(6, "C1").sigma_x
    return {
        "beside_argmin": argmin_x,
        "beside_read": found_x,
        "beside_mismatch": size(abs(first[found_x] - published_x)),
        "beside_step": (first[1] - first[0], ".1e"),
        "beside_excess": (cost.set_index(["method", "key"]).excess["C1", "6"], ".0e"),
        "beside_to_optimum": (abs(published_x - optimum_x), ".1e"),
        "beside_meant_to_optimum": (abs(first[argmin_x] - optimum_x), ".1e"),
    }


def key4_numbers(value, lowest, best4, least, profiles) -> dict:
    """Numbers of the text: the optimum that is zero."""
    return {
        "key4_published": (value["sigma", "4", "y", "D1"], ".4f"),
        "key4_cut": (lowest["cut"], ".4f"),
        "key4_whole": (lowest["whole"], ".4f"),
        "key4_optimum": (best4.sigma_y, "g"),
        "key4_certificate": best4.certificate.kind,
        "key4_norm": (least, ".4f"),
        "key4_size": (max(p.max() for p in profiles.values()), ".0e", "up"),
    }


def rounded_numbers(entries, cut, counted, card, left) -> dict:
    """Numbers of the text: the table with three decimals."""
    return {
        "table_all": len(entries),
        "table_rounded": int(entries.rounded.sum()),
        "table_either": int((entries.rounded & entries.truncated).sum()),
        "table_cut": len(cut),
        "table_counted": len(counted),
        "table_other": f"key {card.key[left]} of {card.method[left]}",
        "table_size": ((cut.full - cut.published).max(), ".5f"),
    }


def template_numbers(h, sets, models, replaced) -> dict:
    """Numbers of the text: which template is which."""
    return {
        "negative_models": negative_keys(h, sets["models of the fits"], models),
        "negative_replacement": negative_keys(h, sets["replacement code"], replaced),
        "own_1": (replaced[0, 0], ".2f"),
        "own_3": (replaced[2, 2], ".2f"),
        "other_1": (replaced[0, 2], ".2f"),
        "other_3": (replaced[2, 0], ".2f"),
        "model_1": (models[0, 0], ".2f"),
        "model_3": (models[2, 2], ".2f"),
    }


def replaced_numbers(best_of, rest) -> dict:
    """Numbers of the text: replaced templates."""
    return {
        "replace_1": (best_of.difference[0], "+.3f"),
        "replace_3": (best_of.difference[2], "+.3f"),
        "replace_5": (best_of.difference[4], "+.3f"),
        "replace_6": (best_of.difference[5], "+.3f"),
        "replace_7": (best_of.difference[6], "+.3f"),
        "replace_rest": (page.power_of_ten(rest), ".0e"),
    }


def kernel_numbers(width, low, absolute, relative) -> dict:
    """Numbers of the text: the kernels."""
    return {
        "sampled_half": (width(0.5, "sampled"), ".3f"),
        "sampled_for_04": (low, ".3f"),
        "sampled_one": (width(1.0, "sampled"), ".4f"),
        "bessel_absolute_005": (absolute[0], ".2f"),
        "bessel_absolute_03": (absolute[1], ".0e"),
        "bessel_relative": (100 * relative[1], ".0f"),
        "bessel_half": (100 * relative[2], ".0f"),
    }


def axis_numbers(axes, places) -> dict:
    """Numbers of the text: the axes of the maps."""
    return {
        "axes_maps": len(axes),
        "axes_most": (100 * axes.displaced.max(), ".0f"),
        "axes_least": (100 * axes.displaced.min(), ".0f"),
        "axes_coarse": " instead of ".join(places),
    }


def unit_numbers(card, unit, other, own) -> dict:
    """Numbers of the text: unit sum or unit norm."""
    l1_rows = card[card.quantity == "l1_norm_normalized"]
    return {
        "l1_key7": (unit.l1[0], ".3f"),
        "l1_key8": (unit.l1[1], ".3f"),
        "l1_published": int((l1_rows.verdict == "equal").sum()),
        "gamma_l1": (other[0].gamma, ".2f"),
        "rest_l1": (other[0].relative_l2, ".3f"),
        "rest_sum": (own[0].relative_l2, ".3f"),
    }


def edge_numbers(edge, jump) -> dict:
    """Numbers of the text: cropping before differencing."""
    return {
        "edge_l2": (edge.l2.max(), ".4f"),
        "edge_variances": (edge.variances.max(), ".3f"),
        "edge_jump_key": int(edge.key[jump]),
        "edge_jump": (edge.l1[jump], ".3f"),
        "edge_rest": (-edge.rest.min(), ".3f"),
        "edge_l1_rest": (edge.l1.drop(jump).max(), ".4f"),
    }


def summary_numbers(summary) -> dict:
    """Numbers of the text: which points were confirmed."""
    confirmed = summary.outcome.str.startswith("confirmed")
    return {
        "summary_rows": len(summary),
        "summary_confirmed": int(confirmed.sum()),
        "summary_small": int(summary.outcome.str.contains("smaller").sum()),
        "summary_rest": int((~confirmed).sum()),
    }


def row_numbers(card) -> dict:
    """Numbers of the text: rows of the scorecard."""
    verdicts = card.verdict.value_counts()
    return {
        "all_rows": len(card),
        "equal_rows": int(verdicts["equal"]),
        "within_rows": int(verdicts["within grid step"]),
        "deviating_rows": int(verdicts["deviates"]),
    }


def rerun_numbers(search) -> dict:
    """Numbers of the text: the search run again."""
    return {"rerun_all": len(search), "rerun_same": int(search.returned.sum()), "rerun_gap": (notes.RETURNED, ".0e")}


def pixel_numbers(pixel) -> dict:
    """Numbers of the text: one pixel off."""
    return {
        "built_most": (pixel.built[:4].max(), ".2f", "up"),
        "reflected_least": (pixel.reflected[:4].min(), ".2f", "down"),
        "reflected_gap": ((pixel.reflected - pixel.models)[:4].abs().max(), ".3f", "up"),
    }


def early_numbers(early) -> dict:
    """Numbers of the text: the earlier model of key 7."""
    early_known = early.difference[early.method != "B-joint"].max()
    return {
        "early_rows": len(early),
        "early_gap": (early.difference.max(), ".0e"),
        "early_known": (page.power_of_ten(early_known), ".0e"),
    }


def monomial_numbers(rest, seen, h) -> dict:
    """Numbers of the text: monomials and raw sums."""
    return {
        "monomial_rest": (rest.difference.abs().max(), ".0e", "up"),
        "monomial_seen": (seen.difference.abs().max(), ".2f"),
        "raw_sums": (np.abs(h.sum((1, 2))).max(), ".0e"),
    }


def parabola_numbers(parabola) -> dict:
    """Numbers of the text: parabolas through the kinks."""
    return {"parabola_c": (parabola.steps[:2].max(), ".2f"), "parabola_d": (parabola.steps[2:].max(), ".0e")}


def free_scale_gains(table) -> np.ndarray:
    """What a second scale gains, as a share of the norm, by method and key."""
    return np.array(
        [(table[m + "2", k] / table[m + "1", k]) ** (1 if m == "C" else 0.5) - 1 for m in "CD" for k in (1, 2, 3, 4, 5, 6, 8)]
    )


def cut_and_whole(x: np.ndarray, y: np.ndarray, least: float) -> tuple[dict, dict]:
    """For key 4 with kernels that are cut off and with whole ones: the sigma_y of the lowest point of the grid, and how far
    the first three norms of its column lie above the least."""
    target, lowest, profiles = kf.normalized_filters()[3], {}, {}
    for label, missing in (("cut", 1e-8), ("whole", 0.0)):
        model = truncated_filter(4, x, y[:, None], missing=missing)
        lowest[label], start = first_points(np.sqrt(((model - target) ** 2).sum((-2, -1))), y)
        profiles[label] = start - least
    return lowest, profiles
