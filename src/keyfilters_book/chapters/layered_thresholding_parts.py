"""What the chapter *A CNN is layered thresholding* shows: properties of thresholds, recovered supports, and their limits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keyfilters_book import page
from keyfilters_book.figures.pursuits import recovery_panels
from keyfilters_book.representations import guarantees, recovery
from keyfilters_book.representations.classifier import accuracy_row
from keyfilters_book.representations.key_dictionary import allowed
from keyfilters_book.representations.thresholding import ODD, objective, threshold

FLAGS = ["odd", "even", "never decreases"]


def written(name: str) -> str:
    """A function's or method's name as the text has it."""
    return {"relu": "ReLU"}.get(name, name)


PROPERTIES = {"formats": {"kind": written, "largest step": "{:.0f}", "objective above the least": "{:.2f}"}}
DENOISING = {"formats": {"psnr": "{:.1f}"}, "headers": {"psnr": "PSNR"}}
TEXTURES = {
    "formats": {"kind": written} | dict.fromkeys(["accuracy", "low", "high"], "{:.2f}"),
    "headers": {"low": "from", "high": "to"},
}
BOUNDS = {"formats": {"method": written}}


def curve_data(x, panels) -> dict:
    """The data behind curves in panels."""
    return {"x": x, **{f"{title}: {label}": y for title, p in panels.items() for label, y in p.items()}}


def property_table(x, functions) -> pd.DataFrame:
    """Symmetry, largest step, and distance from the least objective of functions with values on the grid x."""
    z = np.arange(-4000, 4001) / 1000
    rows = []
    for kind, y in functions.items():
        base = kind.removeprefix("even-").removeprefix("slide's ")
        least = np.nan
        if base in ("hard", "soft", "relu"):  # the penalty of the standard function
            best = objective(z, x[:, None], 1, base).min(axis=1)
            least = (objective(y, x, 1, base) - best).max()
        rows.append(
            {
                "kind": kind,
                "odd": np.array_equal(y, -y[::-1]),
                "even": np.array_equal(y, y[::-1]),
                "never decreases": bool((np.diff(y) >= 0).all()),
                "largest step": np.abs(np.diff(y)).max() / (x[1] - x[0]),
                "objective above the least": least,
            }
        )
    return pd.DataFrame(rows)


def words(properties) -> pd.DataFrame:
    """The properties with yes and no."""
    return properties.assign(**{c: properties[c].map({True: "yes", False: "no"}) for c in FLAGS})


def texture_table(right) -> pd.DataFrame:
    """Accuracy of each function with Wilson's interval."""
    return pd.DataFrame([{"kind": kind} | accuracy_row(hits) for kind, hits in right.items()])


def recovery_figure(frames, bounds=None, height: float = 3.6):
    """Share of supports found by the number of active atoms, setting by setting, with the bounds of the guarantees."""
    frames = {t: f.assign(method=f.method.map(written)) for t, f in frames.items()}
    marks = {t: {written(method): at for method, at in found.items()} for t, found in (bounds or {}).items()}
    return recovery_panels(frames, bounds=marks, height=height)


def check_covered(frame) -> None:
    """The guarantee is a theorem: what it covers must be found."""
    missed = (frame.covered * frame.draws).round() - frame.covered_found
    assert (missed == 0).all(), f"expected all covered draws found, {missed.sum()} missed"


def limits_table(frames) -> pd.DataFrame:
    """Active atoms up to which all draws are covered, all are found, and half are found, for each setting and method."""
    found = {t: recovery.limits(f) for t, f in frames.items()}
    return pd.concat(found, names=["setting"]).reset_index()


def keys_numbers(equal, unequal) -> dict:
    """Numbers of the text: active keys up to which half of the supports are found."""
    return {
        "layered-keys-pursuit": int(equal["basis pursuit"]),
        "layered-keys-pursuit-unequal": int(unequal["basis pursuit"]),
        "layered-keys-thresholding": int(equal["relu"]),
        "layered-keys-unequal": int(unequal["relu"]),
    }


def noise_numbers(db, beyond) -> dict:
    """Numbers of the text: noise removed with and without the sign."""
    return {
        "threshold_psnr_noisy": (db["noisy"], ".1f"),
        "threshold_psnr_soft": (db["soft"], ".1f"),
        "threshold_psnr_loss": (db["soft"] - db["even-soft"], ".1f"),
        "threshold_worse": " and ".join(beyond) or "neither",
    }


def texture_numbers(upper, right, pairs) -> dict:
    """Numbers of the text: textures told apart."""
    return {
        "threshold_tiles": int((~upper).sum()),
        "threshold_odd_accuracy": (right["soft"].mean(), ".2f"),
        "threshold_even_accuracy": (right["even-soft"].mean(), ".2f"),
        "threshold_textures_p": (pairs["soft"].p, ".0e", "up"),
    }


def layer_numbers(half, first, last, bounds) -> dict:
    """Numbers of the text: measured and guaranteed in one layer."""
    return {
        "layered_half_equal": int(half[first, "relu"]),
        "layered_half_unequal": int(half[last, "relu"]),
        "layered_half_pursuit": int(half[last, "basis pursuit"]),
        "layered_bound_equal": (bounds[first]["relu"], ".1f"),
        "layered_bound_unequal": (bounds[last]["relu"], ".1f"),
        "layered_bound_pursuit": (bounds[last]["basis pursuit"], ".1f"),
    }


def cover_numbers(cover, most, wide, whole) -> dict:
    """Numbers of the text: which atoms two layers find."""
    return {
        "layered_cover_hard": (100 * cover.hard, ".0f"),
        "layered_cover_relu": (100 * cover.relu, ".0f"),
        "layered_cover_two": int(most),
        "layered_mu_wide": (wide.coherence, ".2f"),
        "layered_global": (whole, ".1f"),
    }


def apart_numbers(apart, entries, sure, draws_convolutional, seen) -> dict:
    """Numbers of the text: atoms that lie apart."""
    return {
        "layered_apart": apart,
        "layered_apart_entries": int(entries.max()),
        "layered_apart_stripe": int(sure[0].sparsity.max()),
        "layered_apart_covered": page.of_all(int(sure[1].holds.sum()), draws_convolutional),
        "layered_apart_draws": draws_convolutional,
        "layered_apart_found": page.of_all(int(seen.sum()), draws_convolutional),
    }


def dictionary_numbers(largest, ideal_largest, short, draws_keys, found, equal, unequal) -> dict:
    """Numbers of the text: the keys as a dictionary."""
    return {
        "layered_keys_learned": (largest, ".2f"),
        "layered_keys_bound": (guarantees.basis_pursuit_bound(largest), ".2f"),
        "layered_keys_allowed": allowed(largest),
        "layered_keys_ideal_allowed": allowed(ideal_largest),
        "layered_keys_ideal": "1, to rounding" if short < 1e-12 else f"1 but for {short:.0e}",
        "layered_keys_draws": draws_keys,
        "layered_keys_tried": int(recovery.limits(found[0]).tried.max()),
        **keys_numbers(equal, unequal),
    }


def forward_numbers(apart, active) -> dict:
    """Numbers of the text: the forward pass."""
    return {"layered_difference": (page.power_of_ten(apart), ".0e"), "layered_active": int(active.sum())}


def function_panels(x) -> dict:
    """The standard and the even function of each kind, with threshold 1."""
    return {
        f"{kind}, t = 1": {"standard": threshold(x, 1, kind), "even": threshold(x, 1, f"even-{kind}")}
        for kind in ("hard", "soft")
    }


def check_properties(properties: pd.DataFrame) -> None:
    """That symmetries and objectives of the functions are what the text says of them."""
    at = properties.set_index("kind")
    above, evens = at["objective above the least"], list(ODD.values())
    assert at.odd[["hard", "soft"]].all() and at.even[evens].all(), at
    assert list(at.index[at["never decreases"]]) == ["hard", "soft", "relu"], at
    assert not at.loc["slide's soft", FLAGS].any(), at
    assert (above[["hard", "soft", "relu"]] < 1e-9).all() and (above[evens] > 1).all(), at


def spread_codes(deep, apart: int, draws: int, seed: int) -> np.ndarray:
    """Codes of a convolutional dictionary of four filters, one a column: `apart` ones at equal distances."""
    rng = np.random.default_rng(seed)
    codes = np.zeros((deep.atoms.shape[1], draws))
    for column in range(draws):
        where = np.arange(apart) * (512 // apart) + rng.integers(512)
        codes[where % 512 * 4 + rng.integers(4, size=apart), column] = 1
    return codes
