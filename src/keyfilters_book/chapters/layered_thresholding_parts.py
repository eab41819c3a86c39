"""What the chapter *A CNN is layered thresholding* shows: properties of thresholds, recovered supports, and their limits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keyfilters.uncertainty import wilson
from keyfilters_book.figures.pursuits import recovery_panels
from keyfilters_book.representations import recovery
from keyfilters_book.representations.thresholding import objective

__all__ = [
    "check_covered", "curve_data", "keys_numbers", "limits_table", "property_table", "recovery_figure", "texture_table",
    "words", "written",
]  # fmt: skip

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
    rows = []
    for kind, hits in right.items():
        low, high = wilson(int(hits.sum()), len(hits))
        rows.append({"kind": kind, "accuracy": hits.mean(), "low": low, "high": high})
    return pd.DataFrame(rows)


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
