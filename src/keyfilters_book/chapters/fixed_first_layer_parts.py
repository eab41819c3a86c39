"""What the chapter *A fixed first layer and a learned classifier* shows: its tables, verdicts on pairs, and curves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keyfilters_book import page
from keyfilters_book.figures.representations import map_rows, moving_panels
from keyfilters_book.figures.training import seed_dots
from keyfilters_book.representations import banks
from keyfilters_book.representations.classifier import accuracy_row, compare_pairs
from keyfilters_book.representations.scattering import morlet_bank, paths, scattering

STAGES = {"basis": "wavelet basis", "wavelets": "wavelets", "keys": "ideal keys"}
PERCENT = ["accuracy", "low", "high", "least", "most"]
AMOUNTS = {"shift": 2.0, "rotation": 20.0, "scale": 0.8}
SEVEN = ["pixels", "wavelets", "curvelets", "scattering 2", "random 8", "ideal keys", "ideal keys twice"]
QUESTIONS = [
    ("a nonlinear first layer", "pixels", "wavelets"),
    ("directions", "wavelets", "curvelets"),
    ("keys and noise", "random 8", "learned keys"),
    ("keys and noise", "random 8", "ideal keys"),
    ("models of keys", "learned keys", "ideal keys"),
    ("three times as many filters", "ideal keys", "random 24"),
    ("a second layer", "learned keys", "learned keys twice"),
    ("a second layer", "ideal keys", "ideal keys twice"),
    ("a second layer", "random 8", "random twice"),
    ("keys and noise, two layers", "random twice", "ideal keys twice"),
    ("a second layer", "scattering 1", "scattering 2"),
    ("two kinds of two layers", "ideal keys twice", "scattering 2"),
]
TOLD = {
    "wavelets": ("pixels", "wavelets"),
    "learned": ("random 8", "learned keys"),
    "ideal": ("random 8", "ideal keys"),
    "models": ("learned keys", "ideal keys"),
    "second": ("ideal keys", "ideal keys twice"),
    "twice": ("random twice", "ideal keys twice"),
    "more": ("ideal keys", "random 24"),
    "orders": ("scattering 1", "scattering 2"),
    "scattering": ("ideal keys twice", "scattering 2"),
}


def written(kind: str) -> str:
    """A pointwise function's name as the text has it."""
    return {"relu": "ReLU"}.get(kind, kind)


KINDS = {
    "formats": {"function": written} | dict.fromkeys(STAGES, "{:.1f}"),
    "headers": {"basis": "wavelet basis", "wavelets": "wavelets, averaged", "keys": "ideal keys, averaged"},
}
ACCURACY = {
    "formats": dict.fromkeys(PERCENT, "{:.1f}") | dict.fromkeys(("features", "multiply_adds"), "{:,}"),
    "headers": {"low": "from", "high": "to", "least": "least draw", "most": "largest draw"},
}
PAIRS = {
    "formats": {"difference": "{:+.1f}", "p_holm": "{:.1g}"},
    "headers": {"a": "first", "b": "second", "clear": "clear", "p_holm": "largest p"},
    "wrap": True,
}
_MOVES = {"in_place": "in place"} | {
    f"{kind}_{column}": f"{words}: {sign}"
    for kind, words in (("shift", "shift 2"), ("rotation", "rotation 20°"), ("scale", "size 0.8"))
    for column, sign in (("normalised", "d"), ("accuracy", "%"))
}
MOVES = {"formats": {c: "{:.2f}" if c.endswith("normalised") else "{:.1f}" for c in _MOVES}, "headers": _MOVES}


def kinds_table(right) -> pd.DataFrame:
    """Accuracy in per cent for each pointwise function (rows) behind each linear stage."""
    index = pd.Index(banks.RECTIFIERS, name="function")
    return pd.DataFrame({c: [100 * right[c, k].mean() for k in banks.RECTIFIERS] for c in STAGES}, index=index)


def _norms(a) -> np.ndarray:
    return np.sqrt((a.reshape(len(a), -1) ** 2).sum(axis=1))


def scattering_checks(images, sizes) -> pd.DataFrame:
    """What must be at most 1, what must be zero, and what subsampling changes, for each (J, L)."""
    n, rows = images.shape[-1], []
    omega = 2 * np.pi * np.fft.fftfreq(n)
    for scales, angles in sizes:
        bank = morlet_bank(n, scales, angles)
        full = scattering(images, bank, sampling="full")
        thin = scattering(images, bank) / 2**scales
        one = full[:, : len(paths(scales, angles, 1))]
        shifted = scattering(np.roll(images, 1, axis=2), bank, sampling="full")
        moves = np.abs(np.exp(-1j * omega) - 1) * bank.low
        between = _norms(full[1:] - full[:-1]) / _norms(images[1:] - images[:-1])
        every = slice(None, None, 2**scales)
        flat = scattering(np.ones((1, n, n)), bank)[:, 1:]
        energy = (_norms(images) ** 2).sum()
        rows.append(
            {
                "J": scales,
                "L": angles,
                "littlewood": bank.littlewood_paley().max(),
                "mean": np.abs(bank.waves[:, :, 0, 0]).max(),
                "flat": np.abs(flat).max(),
                "energy_1": (_norms(one) ** 2).sum() / energy,
                "energy_2": (_norms(full) ** 2).sum() / energy,
                "expansion": between.max(),
                "covariance": np.abs(shifted - np.roll(full, 1, axis=3)).max(),
                "moved": (_norms(shifted - full) / _norms(images)).max(),
                "bound": np.sqrt(3) * moves.max(),
                "sampling": (_norms(thin - full[..., every, every]) / _norms(thin)).max(),
            }
        )
    return pd.DataFrame(rows)


def scattering_table(checks, zero: float):
    """The checks, quantities in rows, with the bound `zero` for what is rounding; and the options of the table."""
    what = {
        "littlewood": "largest Littlewood-Paley sum",
        "mean": "mean of a wavelet, less than",
        "flat": "constant image, a coefficient of order 1 or 2, less than",
        "energy_1": "energy kept by orders 0 and 1",
        "energy_2": "energy kept by orders 0 to 2",
        "expansion": "largest |Sx − Sy| / |x − y| of image pairs",
        "covariance": "error of commuting with a shift, less than",
        "moved": "shift by one pixel, largest |change| / |x|",
        "bound": "its bound",
        "sampling": "largest relative error from subsampling",
    }
    # What must be zero is rounding; its bound is shown, its digits belong to a processor.
    shown = checks.assign(mean=zero, flat=zero, covariance=zero)
    shown = shown.set_index(["J", "L"]).T.rename_axis("quantity")
    shown.columns = [f"J = {j}, L = {angles}" for j, angles in shown.columns]
    # A heading stays in one line.
    headers = {c: c.replace(" ", "\u00a0") for c in shown.columns}
    options = {"formats": dict.fromkeys(shown.columns, "{:.3g}"), "headers": headers, "wrap": True}
    return shown.rename(index=what).reset_index(), options


def map_figure(picture, bank):
    """From an image to the coefficients of order 1, angle by angle."""
    hat = np.fft.fft2(picture)
    coefficients = scattering(picture[None], bank)[0]
    waves = {f"{45 * a}°": bank.waves[1, a] for a in range(4)}
    space = {t: np.fft.fftshift(np.fft.ifft2(w).real) for t, w in waves.items()}
    rows = {
        "image": {"": picture, "order 0": coefficients[0] / 4},
        "wavelet": {t: w[8:25, 8:25] for t, w in space.items()},
        "modulus": {t: np.abs(np.fft.ifft2(hat * w)) for t, w in waves.items()},
        "order 1": {t: coefficients[5 + a] for a, t in enumerate(waves)},
    }
    data = {f"{row} {title}".strip(): a for row, maps in rows.items() for title, a in maps.items()}
    return map_rows(rows, panel=1.05), data


def draws_of(name: str, seeds: int) -> int:
    """How many draws a representation has."""
    return seeds if name.startswith("random") else 1


def accuracy_table(models, right, seeds: int) -> pd.DataFrame:
    """Accuracy of each representation with Wilson's interval, and the range over the draws of random filters."""
    rows = []
    for name, (phi, _) in models.items():
        hits = [right[name, s] for s in range(draws_of(name, seeds))]
        values, test = [hit.mean() for hit in hits], len(hits[0])
        # The interval of a classifier with the mean accuracy of the draws.
        row = accuracy_row(np.arange(test) < int(round(np.mean(values) * test))) | {"accuracy": np.mean(values)}
        if len(hits) > 1:
            row |= {"least": min(values), "most": max(values)}
        known = {"representation": phi.label, "features": phi.features, "multiply_adds": phi.multiply_adds}
        rows.append(known | row)
    return pd.DataFrame(rows, index=pd.Index(list(models), name="name"))


def in_percent(table) -> pd.DataFrame:
    """The table of accuracies in per cent, without its index."""
    return table.assign(**{c: 100 * table[c] for c in PERCENT}).reset_index(drop=True)


def accuracy_figure(table, right):
    """Accuracies in falling order with their intervals, the rows of the keys highlighted."""
    # Two lines a name: that leaves the dots more room on a small screen.
    short = {n: text.replace(", ", ",\n").replace(" filters", "\nfilters") for n, text in table.representation.items()}
    panel = {}
    for name in table.accuracy.sort_values(ascending=False).index:
        drawn = [100 * hit.mean() for (n, _), hit in right.items() if n == name]
        panel[short[name]] = (drawn, tuple(100 * table.loc[name, PERCENT[:3]]))
    keys = [short[n] for n in table.index if "keys" in n]
    return seed_dots({"": panel}, list(panel), xlabel="test accuracy (%)", highlight=keys, columns=1, row_height=0.44)


def pair_tests(questions, right, seeds: int) -> pd.DataFrame:
    """McNemar's test of each question's pair, one for each draw, with Holm's correction over all."""
    tests = []
    for question, a, b in questions:
        several = {n: draws_of(n, seeds) for n in (a, b)}
        for s in range(max(several.values())):
            tests.append((question, a, b, *((n, s if several[n] > 1 else 0) for n in (a, b))))
    found = pd.DataFrame(compare_pairs(right, [t[3:] for t in tests]))
    found[["question", "a", "b"]] = [t[:3] for t in tests]
    return found.assign(ahead=found.difference > 0, clear=found.p_holm < 0.05)


def pairs_table(found) -> pd.DataFrame:
    """The tests pair by pair: mean difference, in how many the second is ahead, in how many clearly apart."""
    return (
        found.groupby(["question", "a", "b"], sort=False)
        .agg(
            tests=("p", "size"),
            difference=("difference", "mean"),
            ahead=("ahead", "sum"),
            clear=("clear", "sum"),
            p_holm=("p_holm", "max"),
        )
        .reset_index()
    )


def pairs_shown(pairs, label) -> pd.DataFrame:
    """The pairs with the names of the representations, and differences in points."""
    return pairs.assign(a=pairs.a.map(label), b=pairs.b.map(label), difference=100 * pairs.difference)


def verdict(row) -> str:
    """Words for a pair: which is ahead, and whether every test says so."""
    if row.clear == row.tests and row.ahead in (0, row.tests):
        return "clearly ahead" if row.ahead else "clearly behind"
    side = "ahead" if row.difference > 0 else "behind"
    if row.tests == 1:
        return f"{side}, but not clearly"
    return f"{side} on average, but clearly in {row.clear} of {row.tests} draws"


def says(at, pairs) -> dict:
    """Numbers of the text: the verdict on each pair and its difference in points."""
    found = {f"fixed-says-{word}": verdict(at.loc[pair]) for word, pair in pairs.items()}
    return found | {f"fixed-by-{word}": (100 * at.difference[pair], "+.1f") for word, pair in pairs.items()}


def move_figure(curves, label, kind: str, xlabel: str, rest: float = 0.0):
    """Distance of the features and accuracy by how much the images were moved, for seven representations."""
    rows = {
        label[n]: curves[n][curves[n].kind == kind].assign(accuracy=lambda t: 100 * t.accuracy) for n in SEVEN
    }  # fmt: skip
    return moving_panels({"d(T)": "normalised", "accuracy (%)": "accuracy"}, rows, xlabel=xlabel, rest=rest)


def moves_table(curves, label) -> pd.DataFrame:
    """Distance and accuracy for one amount of each move, and accuracy in place."""
    moves = pd.DataFrame({"representation": label[list(curves)]})
    moves["in_place"] = [100 * c.accuracy[c.amount == 0].iloc[0] for c in curves.values()]
    for kind, amount in AMOUNTS.items():
        for column, factor in (("normalised", 1), ("accuracy", 100)):
            moves[f"{kind}_{column}"] = [
                factor * c[(c.kind == kind) & (c.amount == amount)][column].iloc[0] for c in curves.values()
            ]
    return moves


def by_winner(winners) -> str:
    """The winners as “X” on a and b images, “Y” on c images: each name once."""
    said = []
    for name in dict.fromkeys(winners.values()):
        where = " and ".join(k for k, winner in winners.items() if winner == name)
        said.append(f"“{name}” on {where} images")
    return ", ".join(said)


def parity_numbers(gain, ahead, parity) -> dict:
    """Numbers of the text: the lead of even functions."""
    return {
        "fixed_even_least": (gain.min(), ".1f"),
        "fixed_even_most": (gain.max(), ".1f"),
        "fixed_even_ahead": page.of_all(int((gain > 0).sum()), len(parity)),
        "fixed_even_clear": ahead,
        "fixed_even_tests": len(parity),
    }


def twins_numbers(twins, six_right, row) -> dict:
    """Numbers of the text: pairs that differ in one thing."""
    return {
        "fixed_twins": (min(twins), ".3f", "down"),
        "fixed_six": (100 * six_right.mean(), ".1f"),
        "fixed_six_lost": (100 * row["difference"], "+.1f"),
        "fixed_six_p": (row["p"], ".2g"),
    }


def lost_numbers(moved_images, lost, label, d) -> dict:
    """Numbers of the text: what shifts cost."""
    return {
        "fixed_moved": moved_images,
        "fixed_moved_error": (100 / np.sqrt(4 * moved_images), ".1f", "up"),
        "fixed_lost_pixels": (-lost["pixels"], ".0f"),
        "fixed_lost_least": (-lost.max(), ".0f"),
        "fixed_lost_least_name": label[lost.idxmax()],
        "fixed_d_pixels": (d["pixels"], ".2f"),
        "fixed_d_least": (d.min(), ".2f"),
        "fixed_d_least_name": label[d.idxmin()],
    }


def place_numbers(by, best, moved) -> dict:
    """Numbers of the text: accuracy against invariance."""
    return {
        "fixed_one_cell": (by["in place"][1], ".0f"),
        "fixed_fine": (by["in place"][8], ".0f"),
        "fixed_relative_1": (by.relative[1], ".2f"),
        "fixed_relative_8": (by.relative[8], ".2f"),
        "fixed_d_1": (by.normalised[1], ".2f"),
        "fixed_d_8": (by.normalised[8], ".2f"),
        "fixed_best_place": best,
        "fixed_best_shifted": "the same" if moved == best else f"that with {moved}",
    }


def linear_numbers(raw_right, own) -> dict:
    """Numbers of the text: linear first layers."""
    return {
        "fixed_raw": (100 * raw_right.mean(), ".1f"),
        "fixed_raw_standard": (100 * own[0].mean(), ".1f"),
        "fixed_basis_standard": (100 * own[1].mean(), ".1f"),
    }


def energy_numbers(checks) -> dict:
    """Numbers of the text: the energy of scattering."""
    return {
        "fixed_energy_2": (100 * checks.energy_2.min(), ".0f"),
        "fixed_energy_2_most": (100 * checks.energy_2.max(), ".0f"),
        "fixed_sampling": (100 * checks["sampling"].max(), ".1f", "up"),
    }


def order_numbers(label, table, others, spreads) -> dict:
    """Numbers of the text: orders and spreads of all representations."""
    return {
        "fixed_order": " < ".join(label[n] for n in table.accuracy.sort_values().index),
        "fixed_nonlinear_least": (100 * others.accuracy.min(), ".1f"),
        "fixed_spread_8": (100 * spreads["random 8"], ".1f"),
    }


def check_scattering(checks: pd.DataFrame, bound: float) -> None:
    """That nothing of the scattering transforms exceeds what it may, and that what must vanish does."""
    for name in ("littlewood", "expansion", "energy_2"):
        most = checks[name].max()
        assert most < 1 + 1e-12, f"expected {name} of at most 1, it is {most}"
    for name, limit in (("energy_1", "energy_2"), ("moved", "bound")):
        assert (checks[name] <= checks[limit]).all(), f"{name} above {limit}: {checks}"
    most = checks[["mean", "flat", "covariance"]].to_numpy().max()
    assert most < bound, f"expected zeros to {bound:.0e}, the largest is {most:.1e}"
    most = checks["sampling"].max()
    assert most < 0.05, f"expected less than 0.05 from subsampling, it is {most:.3f}"


def open_numbers(parity: pd.DataFrame, kinds: pd.DataFrame, test: int) -> dict:
    """Numbers of the text: pairs of functions that the images do not tell apart, and the best function of each stage."""
    unclear = [f"{odd} ({c})" for c, odd in parity["first"][parity.p_holm >= 0.05]]
    best = [f"{written(kind)} ({c})" for c, kind in kinds.idxmax().items()]
    return {
        "fixed_even_open": ", ".join(unclear) or "none",
        "fixed_even_error": (100 / np.sqrt(4 * test), ".1f", "up"),
        "fixed_best_kinds": ", ".join(best),
    }


def winner_numbers(moves: pd.DataFrame, label: pd.Series) -> dict:
    """Numbers of the text: what is best on images that are moved, and what moves least."""
    done = {"shift": "shifted", "rotation": "rotated", "scale": "shrunk"}
    tops = {done[k]: label[moves[f"{k}_accuracy"].idxmax()] for k in done}
    least = {done[k]: label[moves[f"{k}_normalised"].idxmin()] for k in ("rotation", "scale")}
    return {"fixed_d_others": by_winner(least), "fixed_tops": by_winner(tops)}


def size_numbers(**sizes: int) -> dict:
    """Numbers of the text: how many images each part has."""
    return {f"fixed_{name}": (count, ",") for name, count in sizes.items()}
