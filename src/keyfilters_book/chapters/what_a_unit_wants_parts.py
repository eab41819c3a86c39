"""What the chapter *Seeing what a unit wants* shows: its tables, its grids of images and its panels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from scipy.stats import sem

from keyfilters.uncertainty import bootstrap_interval
from keyfilters_book import page
from keyfilters_book.background import inversion, probing, regularisers
from keyfilters_book.background import visualisation as seeing
from keyfilters_book.figures.image_grids import image_grid, range_rows
from keyfilters_book.figures.networks import interval_dots

STATE = {"formats": {"correlation": "{:.2f}"}}
CROSS = {"headers": {"made_for": "made for"}, "wrap": True}
READERS = ["keys", "random", "keys, stride 1", "random, stride 1"]
AGREEMENT = {"formats": dict.fromkeys(READERS, "{:.2f}")}
RECIPES = {
    "formats": {"fine": "{:.0%}", "beyond": "{:.0%}"} | dict.fromkeys(["score", "keys"], "{:.1f}"),
    "headers": {"fine": "fine energy", "beyond": "beyond the range", "keys": "score, keys, stride 1"},
}


def word(name: str) -> str:
    """A network's or recipe's name as part of the name of a number."""
    return name.replace(", ", "-").replace(" ", "-")


def of_networks(prefix: str, values, format_: str | None = None) -> dict:
    """Numbers of the text, one per network: the prefix and the network's name."""
    return {f"{prefix}-{word(name)}": (value, format_) for name, value in values.items()}


def state_table(logits, labels) -> pd.DataFrame:
    """Images put right, agreement with the original network and correlation of all logits with its own."""
    known = logits["original"]
    rows = [
        (
            name,
            int((z.argmax(1) == labels).sum()),
            int((z.argmax(1) == known.argmax(1)).sum()),
            np.corrcoef(z.ravel(), known.ravel())[0, 1],
        )
        for name, z in logits.items()
    ]
    return pd.DataFrame(rows, columns=["network", "right", "agree", "correlation"])


def channel_figure(found, networks, label, pair):
    """The pictures of the first `pair` channels of each block, network by network, and all pictures."""
    blocks, shown = [b for b in label if b != "classifier"], range(pair)
    rows = {label[b]: [found[n, b].images[i] for n in networks for i in shown] for b in blocks}
    headings = [f"unit {'ab'[i]}" for _ in networks for i in shown]
    fig = image_grid(rows, headings, groups={n: len(shown) for n in networks})
    return fig, {f"{word(n)}_{b}": found[n, b].images.numpy() for b in blocks for n in networks}


def class_figure(found, networks, names, samples, labels):
    """The pictures of the classes beside a photograph of each."""
    rows = {}
    for i, (number, name) in enumerate(names.items()):
        photo = samples[int(np.flatnonzero(labels == number)[0])]
        rows[name] = [photo, *(found[n, "classifier"].images[i] for n in networks)]
    fig = image_grid(rows, ["photograph", *networks], panel=1.5, label_width=1.05, as_is=[0])
    return fig, {word(n): found[n, "classifier"].images.numpy() for n in networks}


def spread(values, low=0.0, high=1.0, middle=np.median):
    """Middle, lower and upper end of values: the quantiles `low` and `high`, by default the range."""
    values = np.ravel(values)
    return middle(values), np.quantile(values, low), np.quantile(values, high)


def photograph_scores(base, chosen):
    """Scores of the photographs on the chosen channels, by network and layer."""
    return {key: b.scores(b.values)[:, chosen[key[1]]].double().numpy() for key, b in base.items()}


def score_table(found, photo_scores, networks, chosen, label) -> pd.DataFrame:
    """The score of each picture on its own unit, and the largest and the quantiles of the photographs'."""
    rows = [
        (
            name, label[layer], unit, score, photo_scores[name, layer][:, i].max(),
            *np.quantile(photo_scores[name, layer][:, i], [0.025, 0.5, 0.975]),
        )
        for name in networks
        for layer in chosen
        for i, (unit, score) in enumerate(zip(chosen[layer], found[name, layer].scores, strict=True))
    ]  # fmt: skip
    columns = ["network", "layer", "unit", "score", "largest_on_photographs", "low", "median", "high"]
    return pd.DataFrame(rows, columns=columns)


def score_figure(found, photo_scores, networks, label):
    """Ranges of the scores, layer by layer: photographs in the original network, pictures in each network."""
    series = {"photographs": [spread(photo_scores["original", layer], 0.025, 0.975) for layer in label]}
    for name in networks:
        series[name] = [spread(found[name, layer].scores) for layer in label]
    return range_rows(series, label.values(), xlabel="score (standard deviations on photographs)")


def cross_scores(found, networks, base, makers, chosen, label) -> pd.DataFrame:
    """Each picture read in each network: the score of its own unit, and the mean of the layer's other chosen units."""
    records = []
    for maker in makers:
        for reader, model in networks.items():
            for layer, wanted in chosen.items():
                with torch.no_grad():
                    responses = probing.responses(model, found[maker, layer].images, layer)
                read = base[reader, layer].scores(responses)[:, wanted].double().numpy()
                for i, unit in enumerate(wanted):
                    others = np.delete(read[:, i], i).mean()
                    records.append((maker, reader, label[layer], unit, read[i, i], others))
    return pd.DataFrame(records, columns=["made_for", "read_in", "layer", "unit", "score", "others"])


def cross_table(cross, makers, **bootstrap) -> pd.DataFrame:
    """Mean scores with their intervals as text: makers in rows, readers in columns, and the original's other units."""

    def text(values, layers):
        b = bootstrap_interval(values, groups=layers, **bootstrap)
        return f"{b.estimate:.1f} ({b.low:.1f} to {b.high:.1f})"

    table = []
    for maker in [*makers, "other units (original)"]:
        column = "others" if maker.startswith("other") else "score"
        of = cross[cross.made_for == ("original" if column == "others" else maker)]
        by = of.groupby("read_in", sort=False)
        table.append({"made_for": maker, **{r: text(g[column], g.layer) for r, g in by}})
    return pd.DataFrame(table)


def cross_figure(from_original, layers):
    """Scores of the original's pictures in the networks with replaced filters, layer by layer."""

    def of_reader(reader):
        by = from_original[from_original.read_in == reader].groupby("layer")
        return [spread(by.get_group(n).score) for n in layers]

    panels = {
        f"score, {where}": {r.split(",")[0]: of_reader(r) for r in READERS if ("stride" in r) == strided}
        for where, strided in (("all replaced", False), ("stride 1 replaced", True))
    }
    return interval_dots(panels, layers, references=dict.fromkeys(panels, 0.0), width=3.1, row_height=0.5)


def gap_numbers(gaps) -> dict:
    """Numbers of the text for intervals of differences of scores, ends included."""
    ends = {"": "estimate", "-low": "low", "-high": "high"}
    return {f"unit-{slug}{end}": (getattr(g, of), "+.1f") for slug, g in gaps.items() for end, of in ends.items()}


def _channel_correlations(one, other):
    a, b = (known.values.double().numpy() for known in (one, other))
    a, b = a - a.mean(0), b - b.mean(0)
    norms = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    live = norms > 1e-12
    return (a * b).sum(0)[live] / norms[live]


def agreement_table(base, label) -> pd.DataFrame:
    """Median correlation, over the photographs, of a layer's channels in the original and in each other network."""
    return pd.DataFrame(
        {"layer": label[layer], "channels": base["original", layer].values.shape[1]}
        | {r: np.median(_channel_correlations(base["original", layer], base[r, layer])) for r in READERS}
        for layer in label
    )


def inversion_figure(inverted, networks, label, wanted):
    """A photograph beside what each network's representation gives back, block by block."""
    rows = {label[b]: [wanted[0], *(inverted[n, b].images[0] for n in networks)] for b in label if b != "classifier"}
    fig = image_grid(rows, ["photograph", *networks], panel=1.5, as_is=range(4))
    data = {f"{word(n)}_{b}": i.images.numpy() for (n, b), i in inverted.items()}
    return fig, data | {"photographs": wanted.numpy()}


def inversion_table(inverted, wanted, others_error, label) -> pd.DataFrame:
    """Error and similarity of each inverted photograph, beside the error of another photograph."""
    similar = {k: inversion.pixel_correlation(result.images.numpy(), wanted.numpy()) for k, result in inverted.items()}
    rows = [
        (name, label[block], target, error, similarity, others_error[name, block])
        for (name, block), result in inverted.items()
        for target, (error, similarity) in enumerate(zip(result.errors, similar[name, block], strict=True))
    ]
    return pd.DataFrame(rows, columns=["network", "layer", "target", "error", "similarity", "another"])


def ratio_numbers(intervals) -> dict:
    """Numbers of the text for intervals of logarithms, as ratios."""
    ends = {"": "estimate", "-low": "low", "-high": "high"}
    return {
        f"unit-ratio-{slug}{end}": (np.exp(getattr(b, of)), ".2f") for slug, b in intervals.items() for end, of in ends.items()
    }


def recipe_figure(made, recipes, probed, label):
    """The first channel's picture of each block, regulariser by regulariser."""
    rows = {label[b]: [made[r, b][0] for r in recipes] for b in probed}
    headings = ["nothing", "bound,\nnorm", "bound,\nnorm, TV", "all", "all\nbut TV"]
    fig = image_grid(rows, headings, panel=1.25)
    return fig, {f"{word(r)}_{b}": made[r, b].numpy() for b in probed for r in recipes}


def recipe_table(made, networks, base, chosen, label) -> pd.DataFrame:
    """What regularisers do: fine energy, share beyond the range, and the scores of the units in both networks."""

    def read(reader, images, block):
        known, channels = base[reader, block], chosen[block][: len(images)]
        with torch.no_grad():
            return seeing.unit_score(networks[reader], images, block, channels, known).double().numpy()

    rows = []
    for (recipe, block), x in made.items():
        fine = seeing.fine_share(x.numpy())
        beyond = (x.abs() > 1).float().mean((1, 2, 3)).double().numpy()
        here, there = (read(n, x, block) for n in ("original", "keys, stride 1"))
        rows += [(recipe, label[block], *v) for v in zip(fine, beyond, here, there, strict=True)]
    return pd.DataFrame(rows, columns=["regularisers", "layer", "fine", "beyond", "score", "keys"])


def fine_numbers(summary, photo_fine) -> dict:
    """Numbers of the text on the fine energy of pictures and photographs, in per cent."""
    quantiles = {"low": 0.05, "mid": 0.5, "high": 0.95}
    recipes = {"nothing": "nothing", "all": "all", "but-tv": "all but TV", "still": "bound, norm, TV"}
    found = {f"unit-fine-photo-{slug}": (100 * np.quantile(photo_fine, q), ".0f") for slug, q in quantiles.items()}
    found |= {f"unit-fine-{slug}": (100 * summary.fine[name], ".0f") for slug, name in recipes.items()}
    kept = 100 * summary["keys"] / summary.score
    return found | {f"unit-kept-{name}": (kept[name], ".0f") for name in ("nothing", "all")}


def reached_numbers(scores, over, searched) -> dict:
    """Numbers of the text: what is reached."""
    by_network = scores.assign(over=over).groupby("network", sort=False)
    classes = scores[(scores.network == "original") & (scores.layer == "classes")]
    return {
        "unit_count": len(scores) // len(searched),
        "unit_class_above": int(over[classes.index].sum()),
        **of_networks("unit-above", by_network.over.sum()),
        **of_networks("unit-score", by_network.score.median(), ".1f"),
    }


def kept_numbers(from_original, names, first, last, gaps) -> dict:
    """Numbers of the text: what the replaced network keeps."""
    by_layer = from_original.pivot_table(index="layer", columns="read_in", values="score")
    share = 100 * by_layer.div(by_layer.original, axis=0)
    return {
        "unit_classes": len(names),
        "unit_first": first,
        "unit_kept_first_keys": (share["keys"][first], ".0f"),
        "unit_kept_last_keys": (share["keys"][last], ".0f"),
        "unit_kept_first_stride": (share["keys, stride 1"][first], ".0f"),
        "unit_kept_last_stride": (share["keys, stride 1"][last], ".0f"),
        **gap_numbers(gaps),
    }


def agreement_numbers(agreement) -> dict:
    """Numbers of the text: agreement with the replaced network."""
    ahead = agreement["keys"] > agreement["random"]
    ahead_stride = agreement["keys, stride 1"] > agreement["random, stride 1"]
    return {
        "unit_agree_keys": page.of_all(int(ahead.sum()), len(agreement)),
        "unit_agree_stride": page.of_all(int(ahead_stride.sum()), len(agreement)),
        "unit_agree_last_keys": (agreement["keys"].iloc[-1], ".2f"),
        "unit_agree_last_stride": (agreement["keys, stride 1"].iloc[-1], ".2f"),
    }


def inversion_numbers(flat, columns, first, last, targets, inversion_steps) -> dict:
    """Numbers of the text: inversion."""
    means = flat.groupby(["network", "layer"])[columns].mean().loc["original"]
    return {
        "unit_error_first_original": (means.error[first], ".2f"),
        "unit_error_last_original": (means.error[last], ".2f"),
        "unit_similar_first_original": (means.similarity[first], ".2f"),
        "unit_similar_last_original": (means.similarity[last], ".2f"),
        "unit_another_first": (means.another[first], ".1f"),
        "unit_another_last": (means.another[last], ".1f"),
        "unit_targets": targets,
        "unit_inversion_steps": inversion_steps,
    }


def interval_numbers(flat, interval) -> dict:
    """Numbers of the text: intervals of the inversion."""
    errors = flat.pivot(index=["layer", "target"], columns="network", values="error")
    logs = np.log(errors).reset_index()
    return ratio_numbers(
        {
            "keys": interval(logs["keys"] - logs["original"], logs["layer"]),
            "stride": interval(logs["keys, stride 1"] - logs["original"], logs["layer"]),
        }
    )


def recipe_numbers(summary, tv, no_tv, fine_of, photos) -> dict:
    """Numbers of the text: what the regularisers do."""
    return {
        "unit_recipe_nothing": (summary.score["nothing"], ".1f"),
        "unit_recipe_all": (summary.score["all"], ".1f"),
        "unit_beyond_nothing": (100 * summary.beyond["nothing"], ".0f"),
        "unit_beyond_norm": (100 * summary.beyond["bound, norm"], ".0f"),
        "unit_tv_wins": page.of_all(int((tv < no_tv).sum()), len(tv)),
        "unit_jitter_wins": int((tv < fine_of["bound, norm, TV"]).sum()),
        **fine_numbers(summary, seeing.fine_share(photos.numpy())),
    }


def typical_numbers() -> dict:
    """Numbers of the text: typical photographs."""
    return {
        "unit_typical": (regularisers.TYPICAL, ".3f"),
        "unit_limit": (regularisers.LIMIT, ".3f"),
        "unit_slope": (regularisers.PENALTY_SLOPE, ".4f"),
    }


def others_error(networks, searched, samples, inverted_of, blocks) -> dict:
    """The mean error of reconstruction when another photograph is the answer, by network and block."""
    pairs = [(i, j) for i in inverted_of for j in range(len(samples)) if i != j]
    i, j = (torch.tensor(k) for k in zip(*pairs, strict=True))
    found = {}
    for name in searched:
        with torch.no_grad():
            at = probing.run_through(networks[name], samples, blocks)
        for block, phi in at.items():
            found[name, block] = inversion.reconstruction_error(phi[j], phi[i]).mean().item()
    return found


def in_hand(found) -> float:
    """Standard errors between 0 and the mean; half of a 95 % interval has 1.96 of them."""
    return found.estimate / max((found.high - found.low) / (2 * 1.96), 1e-12)


def fades(of_unit, layers, first: str, last: str) -> float:
    """How many standard errors the mean of the units of one layer lies above that of another."""
    ends = [of_unit[layers == where] for where in (first, last)]
    return (ends[0].mean() - ends[1].mean()) / np.hypot(*map(sem, ends))


def baselines_of(networks, photos, layers) -> dict:
    """What the units of each layer of each network do on photographs, by network and layer."""
    return {
        (name, layer): known
        for name, model in networks.items()
        for layer, known in seeing.baselines(model, photos, layers).items()
    }
