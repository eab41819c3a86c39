"""What the chapter *Another architecture* shows: its tables and figures of layers, nulls and shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keyfilters.networks.inspection.inspecting import grid_shift
from keyfilters_book import page
from keyfilters_book.experiments.shift_maps import pooled
from keyfilters_book.experiments.shifts import shifted_keys
from keyfilters_book.figures.clusters import null_dots, offset_rows, shift_panels

NULLS = {
    "null_random": "random 8 (mean)",
    "null_permuted": "permuted (mean)",
    "null_gaussian": "Gaussian (mean)",
    "null_impulse": "impulse",
    "null_lines": "best 8 lines",
}

LITE0_SIZES = {
    "formats": dict.fromkeys(("keys", "low", "high", *(name.removeprefix("null_") for name in NULLS)), "{:.3f}"),
    "headers": {"low": "from", "high": "to", "gaussian": "Gaussian", "lines": "best 8 lines"},
}
SHIFTS = {
    "formats": dict.fromkeys(("x", "y"), "{:+.3f}") | dict.fromkeys(("centred", "explained"), "{:.2f}"),
    "headers": {"kind": "interpolation", "scaling": "scales"},
}
CALIBRATION = {
    "formats": dict.fromkeys(("fourier", "linear"), "{:.3f}"),
    "headers": {"true": "$d$", "made": "made with", "fourier": "Fourier"},
}
MOVED = {
    "formats": dict.fromkeys(("centred", "moved", "gaussian", "gaussian_most", "lines"), "{:.2f}"),
    "headers": {"gaussian": "Gaussian", "gaussian_most": "largest", "lines": "best 8 lines"},
}
PLACES = {
    "formats": dict.fromkeys(("mean_x", "mean_y"), "{:+.3f}") | dict.fromkeys(("grid_x", "grid_y"), "{:+.1f}"),
    "headers": {"grid_x": "expected x", "grid_y": "expected y", "channels": "live filters"},
}


def nulls_figure(table: pd.DataFrame) -> Figure:
    """What the keys explain of each layer, among the nulls."""
    groups = {}
    for size in ("3x3", "5x5"):
        rows = table[table["size"] == size]
        label = rows.name + np.where(rows.stride == "2x2", ", stride 2", "")
        rows = rows.assign(label=label, observed=rows.explained)
        groups[size] = rows[["label", "observed", *NULLS]].to_dict("records")
    return null_dots(groups, nulls=NULLS, xlabel="explained variance", observed_label="eight keys (B)", xlim=(0, 1))


def sizes_row(record: Mapping, stride: int | None, layers: int, at) -> dict:
    """What the keys explain of the layers of a size, with its interval, and the nulls of all of them."""
    row = {"size": record["size"], "layers": layers, "which": "all" if stride is None else "stride 1"}
    row |= {"keys": at.estimate, "low": at.low, "high": at.high}
    return row | {null.removeprefix("null_"): record[null] if stride is None else None for null in NULLS}


def shift_row(name: str, layer, kind: str, scaling: str, factor: float, found, at) -> dict:
    """The best shift of a layer with its intervals, and what the keys explain where they are."""
    explained = pooled([found])
    middle = explained[len(explained) // 2, len(explained) // 2]
    row = {"name": name, "size": layer.kernel_size[0], "stride": layer.stride[0], "kind": kind}
    row |= {"scaling": scaling, "factor": factor, "centred": middle, **at.best._asdict()}
    for i, axis in enumerate("xy"):
        row |= {f"{axis}_low": at.low[i], f"{axis}_high": at.high[i]}
    return row


def maps_figure(
    shown: Sequence, names: Mapping[str, str], rows: pd.DataFrame, maps: Mapping, grid: np.ndarray
) -> tuple[Figure, dict]:
    """What the moved keys explain of each layer over the shift, with the best and the expected one, and the data."""
    panels, marks, stored = {}, {}, {"shift": grid}
    for d in shown:
        name = names[d.name]
        title = f"{name}: {d.kernel_size[0]}x{d.kernel_size[0]}, stride {d.stride[0]}"
        row = rows[rows.name == name].iloc[0]
        stored[name] = pooled([maps[d.name]])
        panels[title] = grid, grid, stored[name]
        marks[title] = {
            "best": (row.x, row.y),
            "expected": grid_shift(d.kernel_size, d.stride, d.padding),
            "low": (row.x_low, row.y_low),
            "high": (row.x_high, row.y_high),
        }
    return shift_panels(panels, marks=marks), stored


def shifts_table(shifts: pd.DataFrame) -> pd.DataFrame:
    """The best shifts of the strided layers, with their intervals in words."""
    view = shifts[shifts.stride == 2].drop(columns="stride").reset_index(drop=True)
    for axis in "xy":
        ends = view[[f"{axis}_low", f"{axis}_high"]].to_numpy()
        view[f"{axis}_interval"] = [f"{a:+.2f} to {b:+.2f}" for a, b in ends]
    view["kind"] = view.kind.replace("fourier", "Fourier")
    view = view.sort_values(["name", "kind", "scaling"], ignore_index=True)
    columns = ["name", "size", "kind", "scaling", "factor", "x", "x_interval", "y", "y_interval", "centred", "explained"]
    return view[columns]


def rows_figure(labels: Sequence[str], table: pd.DataFrame, shifts: pd.DataFrame) -> Figure:
    """The best shift of each layer by both ways of moving a kernel, beside what the geometry asks for."""
    pieces = {}
    for axis, title in (("x", "along x"), ("y", "along y, up")):
        pieces[title] = {}
        for kind, label in (("fourier", "Fourier"), ("linear", "linear")):
            part = shifts[shifts.kind == kind]
            pieces[title][label] = part[[f"{axis}_low", axis, f"{axis}_high"]].to_numpy()
        pieces[title]["expected"] = table[f"grid_{axis}"].to_numpy()
    return offset_rows(list(labels), pieces, xlabel="pixels", labels=["Fourier", "linear", "expected"], limits=(-1, 1))


def places_table(places: Sequence[Mapping]) -> pd.DataFrame:
    """Where the filters of each geometry have their mean, with intervals in words."""
    places = pd.DataFrame(places)
    for axis in "xy":
        ends = zip(places[f"mean_{axis}_low"], places[f"mean_{axis}_high"], strict=True)
        places[f"{axis}_interval"] = [f"{a:+.3f} to {b:+.3f}" for a, b in ends]
    columns = ["size", "stride", "padding", "layers", "channels", "grid_x", "mean_x", "x_interval"]
    return places[[*columns, "grid_y", "mean_y", "y_interval"]]


def keys_numbers(above, tests, draws, margin, table, impulse, unclear) -> dict:
    """Numbers of the text: what the keys explain, beside the nulls."""
    return {
        "above_random": above["random"],
        "random_layers": page.of_all(above["random"], len(table)),
        "permuted_layers": page.of_all(above["permuted"], len(table)),
        "gaussian_layers": page.of_all(above["gaussian"], len(table)),
        "tests": tests,
        "least_p": (1 / (draws + 1), ".3f"),
        "false_alarms": (0.05 * tests, ".1f"),
        "margin_least": (margin.min(), "+.2f"),
        "margin_least_layer": table.name[margin.idxmin()],
        "margin_most": (margin.max(), ".2f"),
        "margin_median": (margin.median(), ".2f"),
        "impulse_5x5": (impulse.median(), ".2f"),
        "not_above_gaussian": ", ".join(unclear.name) or "none",
    }


def interval_numbers(both) -> dict:
    """Numbers of the text: intervals over layers."""
    inside = (both.low < both.gaussian) & (both.gaussian < both.high)
    return {
        "chance_ratio": (both.random["3x3"] / both.random["5x5"], ".1f"),
        "width_3": (both.high["3x3"] - both.low["3x3"], ".2f"),
        "width_5": (both.high["5x5"] - both.low["5x5"], ".2f"),
        "gaussian_inside": int(inside.sum()),
        "gaussian_inside_which": " and ".join(both.index[inside]) or "neither",
    }


def share_numbers(table, columns, share) -> dict:
    """Numbers of the text: which keys are chosen."""
    live = table.channels - table.dead
    total = table[columns].sum() / live.sum()
    late = share.loc[[i for i in share.index if i.endswith("s2)") and "5x5" in i]]
    rare = late[[1, 2, 3, 4, 7]].sum(axis=1)
    return {
        "share_8": (100 * total.key_8, ".0f"),
        "share_7": (100 * total.key_7, ".0f"),
        "share_16": (100 * total.iloc[:6].sum(), ".0f"),
        "strided_keys_14": (100 * rare.max(), ".0f", "up"),
    }


def half_numbers(best2, two, deviation) -> dict:
    """Numbers of the text: the shift of half a pixel."""
    x_holds = (best2.x_low <= -0.5) & (-0.5 <= best2.x_high)
    y_holds = (best2.y_low <= 0.5) & (0.5 <= best2.y_high)
    contains = (x_holds & y_holds).groupby(level="name").all()
    return {
        "signs": 2 * two.name.nunique(),
        "signs_p": (2.0 ** (-(2 * two.name.nunique())), ".3f"),
        "factor_5_0": (best2.loc["5.0", "fourier"].factor, ".2g"),
        "contain_half": int(contains.sum()),
        "deviation_5_0": (deviation, ".2f", "up"),
    }


def control_numbers(one, off, gained, own) -> dict:
    """Numbers of the text: what else than the shift may gain as much."""
    away = sum(((one[f"{a}_low"] > 0) | (one[f"{a}_high"] < 0)).sum() for a in "xy")
    return {
        "control_fourier": (off["fourier"], ".2f", "up"),
        "control_linear": (off["linear"], ".2f", "up"),
        "control_away": int(away),
        "control_intervals": 2 * len(one),
        "control_gain": (gained, ".3f", "up"),
        "control_explained": (own.explained.median(), ".2f"),
        "control_best": (own.explained.max(), ".2f"),
    }


def moved_numbers(moved, ahead, room, strided) -> dict:
    """Numbers of the text: keys moved by half a pixel."""
    excess = moved.moved - moved.gaussian_most
    gain = moved.moved - moved.centred
    return {
        "moved_above": page.of_all(int((excess > 0).sum()), len(excess)),
        "moved_most": (excess.max(), ".2f"),
        "moved_least": (excess.min(), ".2f"),
        "moved_ahead": (ahead.min(), ".2f"),
        "moved_ahead_most": (ahead.max(), ".2f"),
        "moved_gain_most": (gain.max(), ".2f"),
        "moved_room": (room.max(), ".2f", "up"),
        "moved_fewest": min(d.channels for d in strided),
    }


def layer_numbers(table) -> dict:
    """Numbers of the text: the layers and their filters."""
    return {"layers": len(table), "filters": (int(table.channels.sum()), ","), "dead": int(table.dead.sum())}


def spread_numbers(places, table) -> dict:
    """Numbers of the text: how far the means of the filters spread."""
    s2, s1 = (places[places.stride == stride] for stride in ("2x2", "1x1"))
    largest = [part[["mean_x", "mean_y"]].abs().to_numpy().max() for part in (s2, s1)]
    return {
        "spread_most": (largest[0], ".2f", "up"),
        "spread_control": (largest[1], ".2f", "up"),
        "spread_5_0": (table.set_index("name").mean_x["5.0"], "+.2f"),
    }


def expected_numbers(measured, strided, seen) -> dict:
    """Numbers of the text: the shift that geometry asks for."""
    return {
        "shift_expected": (measured[strided[0].name].mean().item(), "+.1f"),
        "sizes_seen": ", ".join(str(seen[d.name]) for d in strided),
    }


def calibration_numbers(error) -> dict:
    """Numbers of the text: filters whose shift is known."""
    return {"calibration_half": (error[0.5], ".2f", "up"), "calibration_else": (error.max(), ".2f", "up")}


def made_filters(size, true, made, rng, weights):
    """Filters that are moved and widened keys and noise, as often as in layer 3.0."""
    keys = shifted_keys("B-joint", -true, true, size=size, widen=1.5, kind=made)
    keys = keys - keys.mean(axis=(1, 2), keepdims=True)
    keys /= np.sqrt((keys**2).sum(axis=(1, 2), keepdims=True))
    clean = keys[rng.choice(8, 240, p=weights / weights.sum())]
    sd = np.sqrt((1 / 0.85 - 1) / (size**2 - 1))
    return clean + rng.normal(scale=sd, size=clean.shape)
