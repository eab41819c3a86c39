"""The first picture of the book: each key as it was learned, as a formula, and what it does to one photograph."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

import keyfilters as kf

from .project import Project, write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PIXELS = 128


def photograph() -> np.ndarray:
    """A photograph that scikit-image brings (*camera*, by Lav Varshney, CC0), ``(128, 128)``, from 0 to 1."""
    from skimage import data

    image = data.camera().astype(float) / 255
    step = image.shape[0] // _PIXELS
    return image.reshape(_PIXELS, step, _PIXELS, step).mean(axis=(1, 3))


def front_picture() -> bytes:
    """SVG with a column for each key: normalised learned filter, formula, filtered photograph."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from scipy.signal import convolve2d

    image, filters = photograph(), kf.normalized_filters()
    # The column of 672 pixels.
    width = 7.0
    side = width / len(kf.KEYS)
    fig = Figure(figsize=(width, 2 * side + 0.58))
    rows = fig.subplots(4, len(kf.KEYS), height_ratios=[0.2, side, 0.28, side])
    for key in kf.KEYS:
        name, learned, words, filtered = rows[:, key.number - 1]
        kernel = np.asarray(filters[key.number - 1])
        _picture(learned, kernel, "RdBu_r", abs(kernel).max())
        name.text(0.5, 0.4, f"key {key.number}", fontsize=9.5, ha="center", va="center")
        words.text(0.5, 0.5, _formula(key), fontsize=11 if key.number != 7 else 9.5, ha="center", va="center")
        for label in (name, words):
            label.set_axis_off()
        response = convolve2d(np.pad(image, 3, mode="edge"), kernel, mode="valid")
        if key.derivative_axis is not None:
            _picture(filtered, response, "gray", np.percentile(abs(response), 99))
        else:
            filtered.imshow(response, cmap="gray", vmin=0, vmax=1)
            _bare(filtered)
    fig.subplots_adjust(left=0.005, right=0.995, bottom=0.005, top=0.995, wspace=0.06, hspace=0.05)
    svg = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "front-8"}):
        fig.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return svg.getvalue()


def _formula(key: kf.Key) -> str:
    return "$T$" if key.symbol == "1" else rf"${key.symbol}\, T$"


def _picture(ax: Axes, values: np.ndarray, cmap: str, limit: float) -> None:
    ax.imshow(values, cmap=cmap, vmin=-limit, vmax=limit)
    _bare(ax)


def _bare(ax: Axes) -> None:
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set(linewidth=0.4, color="0.5")


def _weights() -> str:
    """The filters as CSV: one row for each tap, with x to the right and y up."""
    rows = [
        f"{key},{column - 3},{3 - row},{weight!r}"
        for key, kernel in enumerate(kf.normalized_filters().tolist(), start=1)
        for row, line in enumerate(kernel)
        for column, weight in enumerate(line)
    ]
    return "\n".join(["key,x,y,weight", *rows, ""])


def write_front_picture(project: Project) -> None:
    """Write the picture to `book/_generated/data/front`, with the filters behind it."""
    folder = project.generated / "data" / "front"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "front.svg", front_picture())
    write_atomic(folder / "front.csv", _weights())
