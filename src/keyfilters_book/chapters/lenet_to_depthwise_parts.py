"""What the chapter *LeNet-5 to depthwise networks* shows: its tables, and figures of kernels, shares and gradients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keyfilters_book.background import factorisation
from keyfilters_book.background.costs import layer_cost, network_layers
from keyfilters_book.background.lenet_training import RUBBISH
from keyfilters_book.background.linearisation import unit_gradients
from keyfilters_book.figures import lenet_pictures as pictures
from keyfilters_book.figures.clusters import null_dots
from keyfilters_book.representations.classifier import accuracy_row


def _millions(count: float) -> str:
    return f"{count / 1e6:,.2f} M"


LAYERS = {
    "formats": dict.fromkeys(("published", "connections_published"), "{:,}"),
    "headers": {"published": "parameters, published / here", "connections_published": "connections, published / here"},
    "pairs": {"parameters": "published", "connections": "connections_published"},
}
ACCURACY = {
    "formats": dict.fromkeys(("first_epoch", "last_epoch", "accuracy", "low", "high"), "{:.3f}"),
    "headers": {"low": "from", "high": "to"},
}
MOVED = {"formats": dict.fromkeys(("change", "least", "most", "cosine", "chance"), "{:.2f}")}
NULLS = {"random": "random 8", "permuted": "permuted", "gaussian": "Gaussian"}
SHARES = ["keys", "low", "high", "random", "p_random", "permuted", "p_permuted", "gaussian", "p_gaussian"]
EXPLAINED = {
    "formats": dict.fromkeys(SHARES, "{:.3f}"),
    "headers": {"low": "from", "high": "to"} | NULLS | {f"p_{k}": "p" for k in NULLS},
}
CONVS = {"formats": dict.fromkeys(("weights", "multiply_adds", "kernels"), "{:,}") | {"share": "{:.3f}"}, "wrap": True}
NETWORKS = {
    "formats": dict.fromkeys(("weights", "multiply_adds"), _millions)
    | {"filters": "{:,}"}
    | dict.fromkeys(("pointwise", "depthwise", "depthwise_work"), "{:.2f}"),
    "headers": {"depthwise_work": "depthwise, work", "filters": "depthwise filters"},
}


def then_and_now(images: int, epochs: int) -> pd.DataFrame:
    """What is as in 1998 and what is not."""
    rows = [
        ("layers, table, squashing", "as published", "the same"),
        ("output codes", "bitmaps of characters", "bitmaps of clothes, drawn here"),
        ("loss", "MAP criterion with j", f"the same, j = {RUBBISH:.0f}"),
        ("initial weights", "uniform, 2.4 / F", "the same, biases likewise"),
        ("optimiser", "one image a step, diagonal Hessian", "Adam, batches of 32"),
        ("step size", "falling in five stages", "half a cosine from 0.002 to 0"),
        ("data", "MNIST, 60,000 images", f"Fashion-MNIST, {images:,} images"),
        ("passes", "20", str(epochs)),
        ("inputs", "background −0.1, ink 1.175", "mean 0, deviation 1"),
    ]
    return pd.DataFrame(rows, columns=["what", "1998", "here"])


def accuracy_table(runs) -> pd.DataFrame:
    """Losses of each seed's run, and its accuracy with Wilson's interval over the test images."""
    return pd.DataFrame(
        [
            {"seed": seed, "first_epoch": run.losses[0], "last_epoch": run.losses[-1]} | accuracy_row(run.correct)
            for seed, run in runs.items()
        ]
    )


def c1_figure(stacks, seeds):
    """The kernels of C1 before and after training, for three seeds."""
    shown = {f"seed {seed}": (stacks["C1", "before"][seed], stacks["C1", "after"][seed]) for seed in seeds[:3]}
    data = {f"{when}_{seed}": stacks["C1", when][seed] for when in ("before", "after") for seed in seeds[:3]}
    return pictures.kernels_before_after(shown), data


def c3_figure(run, seed):
    """The kernels of C3 before and after training, in the table of 1998."""
    weights = {when: layer_weights(net, "C3", full=True) for when, net in (("before", run.before), ("after", run.network))}
    return pictures.connection_maps({f"{when} training, seed {seed}": w for when, w in weights.items()}), weights


def layer_weights(network, layer: str, *, full: bool = False) -> np.ndarray:
    """Weights of a layer, float64, a row for each unit or, in C3, for each kernel (`full`: with the zeros of its table)."""
    found = getattr(network, layer.lower())
    found = found.kernels if layer == "C3" and not full else found.weight
    return found.detach().double().numpy()


def moved_table(moves, network) -> pd.DataFrame:
    """Change of the weights over the seeds, and mean cosine with the start, layer by layer."""
    rows = []
    for layer, values in moves.items():
        weights, (change, cosine) = layer_weights(network, layer), values.T
        size = weights[0].size
        spread = change.mean(), change.min(), change.max()
        rows.append((layer, len(weights), size, *spread, cosine.mean(), 1 / np.sqrt(size)))
    return pd.DataFrame(rows, columns=["layer", "rows", "weights", "change", "least", "most", "cosine", "chance"])


def explained_row(layer: str, when: str, kernels: int, at, drawn) -> dict:
    """The share that the keys explain with its interval, beside the draws of each null and p-values against them."""
    row = {"layer": layer, "when": when, "kernels": kernels}
    row |= {"keys": at.estimate, "low": at.low, "high": at.high}
    for kind, shares in drawn.items():
        row |= {kind: shares.mean(), f"{kind}_95": np.quantile(shares, 0.95)}
        row[f"p_{kind}"] = (1 + (shares >= at.estimate).sum()) / (1 + len(shares))
    return row


def explained_figure(explained):
    """Shares explained by the keys beside the quantiles of the nulls."""
    groups = {}
    for layer in ("C1", "C3"):
        part = explained[explained.layer == layer]
        part = part.assign(label=part.when + " training", observed=part["keys"])
        groups[f"{layer}, {part.kernels.iloc[0]} kernels"] = part.to_dict("records")
    return null_dots(
        groups,
        nulls={f"{k}_95": f"{v}, 95 %" for k, v in NULLS.items()},
        xlabel="explained variance",
        observed_label="eight keys",
        xlim=(0, 0.5),
        row_height=0.5,
    )


def explained_numbers(before, after, tests) -> dict:
    """Numbers of the text: shares of C1 and C3, and the gain by training with its interval."""
    found = {}
    for layer, test in tests.items():
        key = layer.lower()
        found |= {
            f"lenet-keys-{key}": (after["keys"][layer], ".2f"),
            f"lenet-high-{key}": (after.high[layer], ".2f", "up"),
            f"lenet-start-{key}": (before["keys"][layer], ".2f"),
            f"lenet-random-{key}": (after.random[layer], ".2f"),
            f"lenet-p-{key}": (after.p_gaussian[layer], ".2f"),
            f"lenet-gain-{key}": (test.mean, "+.3f"),
            f"lenet-gain-low-{key}": (test.low, "+.3f"),
            f"lenet-gain-high-{key}": (test.high, "+.3f"),
        }
    return found


def gradient_figure(images, fields, units):
    """Images above the gradients of one unit of each layer."""
    shown = {name: found[:, units[name]] for name, found in fields.items()}
    fig = pictures.gradient_panels(images, {f"{name}, map {units[name] + 1}": found for name, found in shown.items()})
    return fig, {"images": images} | shown


def steady_numbers(steady, fields) -> dict:
    """Numbers of the text: cosines between gradients at two images, and how much their strengths differ."""
    found = {}
    for name in ("C3", "C5"):
        key, cosines = name.lower(), steady[name]
        low, high = np.quantile(np.linalg.norm(fields[name], axis=(2, 3)), (0.05, 0.95), axis=0)
        found |= {
            f"lenet-steady-{key}": (cosines.mean(), ".2f"),
            f"lenet-steady-low-{key}": (np.quantile(cosines, 0.05), ".2f"),
            f"lenet-steady-least-{key}": (cosines.mean(axis=1).min(), ".2f"),
            f"lenet-strength-{key}": (np.median(high / low), ".1f"),
        }
    return found


def rank_figure(ranks, errors, accuracy, seeds):
    """Error of the weights and accuracy by the number of filters per map, and the values of all seeds."""
    panels = {"relative error": errors, "accuracy": {"after training": accuracy}}
    fig = pictures.rank_panels(ranks, panels, xlabel="filters per map, m")
    rows = [
        (seed, m, *(found[s, k] for found in errors.values()), accuracy[s, k])
        for s, seed in enumerate(seeds)
        for k, m in enumerate(ranks)
    ]
    return fig, pd.DataFrame(rows, columns=["seed", "m", "error_before", "error_after", "accuracy"])


def _block_cost(channels: int, side: int, size: int, inner: int = 4) -> dict:
    """A ConvNeXt block: depthwise, then two pointwise layers."""
    spatial = layer_cost(channels, channels, side, size, "depthwise")
    weights = spatial["weights"] + 2 * layer_cost(channels, inner * channels, 1, size)["weights"]
    return {"weights": weights, "multiply_adds": weights * size**2, "kernels": spatial["kernels"]}


def conv_table(shapes) -> pd.DataFrame:
    """One layer of each network, (maps in, maps out, side of the kernel, side of the maps), in full and separated."""
    c3 = network_layers("LeNet-5").set_index("name").loc["C3"]
    rows = []
    for name, shape in shapes.items():
        full = layer_cost(*shape)
        entries = {"full": full}
        if name.startswith("LeNet"):
            entries["table of 1998"] = {k: int(c3[k]) for k in ("weights", "multiply_adds", "kernels")}
        if name.startswith("ConvNeXt"):
            entries["depthwise + 2 pointwise"] = _block_cost(*shape[1:])
        else:
            entries["depthwise + pointwise"] = layer_cost(*shape, "separable")
        for kind, cost in entries.items():
            share = cost["weights"] / full["weights"]
            rows.append({"layer": name, "form": kind, "k": shape[2]} | cost | {"share": share})
    return pd.DataFrame(rows)


def network_table(networks) -> pd.DataFrame:
    """Weights and multiply-adds of whole networks, and what of them is pointwise and depthwise, in per cent."""
    rows = []
    for name in networks:
        layers = network_layers(name)
        total, kinds = layers.sum(numeric_only=True), layers.groupby("kind")
        shares = 100 * kinds.weights.sum() / total.weights
        work = 100 * kinds.multiply_adds.sum() / total.multiply_adds
        row = {"network": name, "weights": int(total.weights), "multiply_adds": int(total.multiply_adds)}
        row |= {kind: shares.get(kind, 0.0) for kind in ("pointwise", "depthwise")}
        row |= {"depthwise_work": work.get("depthwise", 0.0), "filters": int(kinds.kernels.sum().get("depthwise", 0))}
        rows.append(row)
    return pd.DataFrame(rows)


def network_numbers(trained, table, network, share) -> dict:
    """Numbers of the text: the network of 1998."""
    return {
        "lenet_parameters": (trained, ","),
        "lenet_connections": (int(table.connections.sum()), ","),
        "lenet_c3_kernels": len(network.c3.kernels),
        "lenet_c5_share": (100 * share, ".0f"),
    }


def training_numbers(results, high, low, seeds, images, epochs, runs) -> dict:
    """Numbers of the text: its training."""
    return {
        "lenet_accuracy": (100 * results.accuracy.mean(), ".1f"),
        "lenet_accuracy_half": (100 * ((high - low) / 2), ".1f", "up"),
        "lenet_seeds": len(seeds),
        "lenet_images": (images, ","),
        "lenet_epochs": epochs,
        "lenet_tested": (len(runs[seeds[0]].correct), ","),
    }


def change_numbers(by) -> dict:
    """Numbers of the text: how far kernels moved."""
    return {
        "lenet_change_c1": (by.change["C1"], ".2f"),
        "lenet_cosine_c1": (by.cosine["C1"], ".2f"),
        "lenet_change_c3": (by.change["C3"], ".2f"),
        "lenet_cosine_c3": (by.cosine["C3"], ".2f"),
        "lenet_change_most_layer": by.change.idxmax(),
        "lenet_cosine_chance": (by.chance["C1"], ".1f"),
    }


def test_numbers(tests, p_values, after, before) -> dict:
    """Numbers of the text: the tests of what the keys explain."""
    return {
        "lenet_smallest_p": (tests["C1"].smallest_p, ".2f"),
        "lenet_comparisons": p_values.size,
        "lenet_p_least": (p_values.min().min(), ".3f"),
        "lenet_p_needed": (0.05 / p_values.size, ".3f"),
        "lenet_c1_kernels": int(after.kernels["C1"]),
        **explained_numbers(before, after, tests),
    }


def rank_numbers(accuracy, whole, first, start, one, ranks, judged, drop) -> dict:
    """Numbers of the text: how near depthwise layers come to C3."""
    close = (accuracy.mean(axis=0) > whole.mean() - 0.01).argmax()
    return {
        "lenet_error_one": (first.mean(), ".2f"),
        "lenet_error_start": (start.mean(), ".2f"),
        "lenet_accuracy_one": (100 * one.mean(), ".0f"),
        "lenet_accuracy_whole": (100 * whole.mean(), ".0f"),
        "lenet_rank_close": int(ranks[close]),
        "lenet_judged": (judged, ","),
        "lenet_error_drop": (drop.mean, ".3f"),
        "lenet_error_drop_low": (drop.low, ".3f"),
        "lenet_error_drop_high": (drop.high, ".3f"),
    }


def code_numbers(distances, upper, pair) -> dict:
    """Numbers of the text: codes of classes."""
    return {
        "lenet_code_near": int(distances[upper].min()),
        "lenet_code_mean": (distances[upper].mean(), ".0f"),
        "lenet_code_pair": f"{pair[0]} and {pair[1]}",
    }


def mobile_numbers(nets, most) -> dict:
    """Numbers of the text: weights and work of depthwise layers."""
    mobile = nets.set_index("network").loc["MobileNet"]
    return {
        "lenet_mobile_weights": (mobile.weights / 1000000.0, ".1f"),
        "lenet_mobile_work": (mobile.multiply_adds / 1000000.0, ".0f"),
        "lenet_depthwise_most": (most, ".1f", "up"),
    }


def growth_numbers(grown, full, width) -> dict:
    """Numbers of the text: how networks grew."""
    return {
        "lenet_growth": (grown[-1] / grown[0], ".2f"),
        "lenet_growth_full": (full[-1] / full[0], ".1f"),
        "lenet_width": width,
    }


def dimension_numbers() -> dict:
    """Numbers of the text: what separable layers reach."""
    return {
        "lenet_dimension": (factorisation.dimension(6, 16, 5), ","),
        "lenet_separable_weights": layer_cost(6, 16, 5, 10, "separable")["weights"],
    }


def kernels(net, layer):
    "Spatial kernels of C1 (6) or C3 (60), float64."
    found = net.c1.weight[:, 0] if layer == "C1" else net.c3.kernels
    return found.detach().double().numpy()


def moved(before, after):
    "Relative change of all weights, and cosine of each kernel with its start."
    change = np.linalg.norm(after - before) / np.linalg.norm(before)
    a, b = (w.reshape(len(w), -1) for w in (before, after))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return change, ((a * b).sum(axis=1) / norms).mean()


def check_published(table: pd.DataFrame) -> None:
    """That layer by layer parameters and connections are those that were printed in 1998."""
    for own, printed in (("parameters", "published"), ("connections", "connections_published")):
        off = table[table[own] != table[printed]].layer.tolist()
        assert not off, f"expected the {own} printed in 1998, others in {off}"


def moves_of(runs) -> dict[str, np.ndarray]:
    """For each layer how far training moved it, a row per run: relative change, and cosine of the kernels."""
    nets = [(run.before, run.network) for run in runs.values()]
    return {
        layer: np.array([moved(*(layer_weights(net, layer) for net in pair)) for pair in nets])
        for layer in ("C1", "C3", "C5", "F6")
    }


def stacks_of(runs) -> dict:
    """The kernels of C1 and C3 before and after training, for each seed."""
    return {
        (layer, when): {seed: kernels(getattr(run, of), layer) for seed, run in runs.items()}
        for layer in ("C1", "C3")
        for when, of in (("before", "before"), ("after", "network"))
    }


def gradients_of(runs, images) -> dict:
    """The gradients of the units of C3 and C5 at some images, by seed and layer; of C1, where nothing bends, for one seed."""
    first = next(iter(runs))
    return {
        (seed, name): unit_gradients(run.network, images, key)
        for seed, run in runs.items()
        for name, key in {"C1": "a1", "C3": "a3", "C5": "a5"}.items()
        if name != "C1" or seed == first
    }
