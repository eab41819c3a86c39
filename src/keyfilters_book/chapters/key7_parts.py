"""What the chapter *Key 7: sharpening* shows: its tables, its maps, and the image that is filtered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import ndimage

import keyfilters as kf
from keyfilters.published.reproduce import earlier_key7_scale
from keyfilters_book import figures
from keyfilters_book.paper.spectrum import transfer_function
from keyfilters_book.paper.tables import scales_table

MODELS = {
    "formats": {"sigma": "{:.3f}", "relative_l2": "{:.4f}", "cosine": "{:.4f}"},
    "headers": {"sigma": r"$\sigma$", "relative_l2": "relative l2"},
}
FITS_SHOWN = ["fit", "parameter", "published", "reproduced", "difference", "rerun", "rerun_difference", "step"]
FITS = {
    "formats": dict.fromkeys(("published", "reproduced", "rerun", "step"), "{:.6f}")
    | dict.fromkeys(("difference", "rerun_difference"), "{:+.6f}"),
    "headers": {
        "published": "published / optimum",
        "rerun": "grid run again",
        "rerun_difference": "grid - published",
        "step": "grid step",
    },
    "pairs": {"reproduced": "published"},
}
EARLIER = {
    "formats": {"published": "{:.8f}", "difference": "{:+.1e}"},
    "headers": {"component": "axis"},
    "pairs": {"reproduced": "published"},
}
BORDERS = {
    "formats": {"sigma": "{:.6f}", "gamma": "{:.6f}", "relative_l1": "{:.5f}", "relative_l2": "{:.5f}", "sum": "{:.5f}"},
    "headers": {
        "sigma": r"$\sigma$",
        "gamma": r"$\gamma$",
        "relative_l1": "relative l1",
        "relative_l2": "relative l2",
        "sum": "sum of the model",
    },
}


def curve_data(panels: Mapping[str, Mapping], replaced: str, dropped: str = "") -> dict:
    """What is behind panels of curves, by title and label without the characters that are replaced or dropped."""
    plain = str.maketrans(dict.fromkeys(replaced, "_") | dict.fromkeys(dropped, ""))
    return {f"{title} {label}".translate(plain): y for title, curves in panels.items() for label, y in curves.items()}


def published_fit(method: str) -> pd.DataFrame:
    """The published scale ("both") and amount of sharpening of a method, beside what was reproduced."""
    return scales_table(method).query("key == '7' and fit != 'earlier model'").set_index("axis")


def _maps(panels, value_label: str) -> Figure:
    return figures.objective_map_figure(
        panels, first_label=r"$\sigma$ (grid units)", second_label=r"$\gamma$", value_label=value_label, width=3.9
    )


def maps_figure(sigma, gamma, maps, points) -> Figure:
    """The objective over scale and amount of sharpening, one panel a norm; points by norm and label."""
    panels = [
        figures.MapPanel(sigma, gamma, values, title=f"{norm} norm", points=points[norm]) for norm, values in maps.items()
    ]
    return _maps(panels, "norm of the difference")


def axes_figure(grids, maps, minimum) -> Figure:
    """The same l2 map with the right axes and as published, from title to map, with a marker on the labelled axes."""
    return _maps(
        [figures.MapPanel(*grids, values, title=title, points={"minimum": minimum}) for title, values in maps.items()],
        "l2 norm",
    )


def border_table() -> pd.DataFrame:
    """Fits by norm and border, with the sum of their models."""
    methods = (("l1", "C1"), ("l2", "D1"))
    fits = {(norm, edge): kf.fit(7, method, edge=edge) for norm, method in methods for edge in ("crop", "exact")}
    return pd.DataFrame(
        {
            "norm": norm,
            "border": {"crop": "zeros", "exact": "exact"}[edge],
            "sigma": fit.sigma_x,
            "gamma": fit.gamma,
            "relative_l1": fit.relative_l1,
            "relative_l2": fit.relative_l2,
            "sum": fit.model(edge=edge).sum(),
        }
        for (norm, edge), fit in fits.items()
    )


def test_image(size: int) -> np.ndarray:
    """A vertical edge, a bar, a disc and a grating, smoothed as a camera would; shape (size, size)."""
    x, y = np.meshgrid(np.arange(size) / size, np.arange(size) / size)
    image = np.where(x > 0.25, 0.7, 0.3)
    image[(x - 0.65) ** 2 + (y - 0.3) ** 2 < 0.16**2] = 0.3
    image[(np.abs(x - 0.4) < 1.5 / size) & (y < 0.6)] = 0.3
    stripes = 0.5 + 0.2 * np.sign(np.sin(2 * np.pi * np.arange(size) / 8 + 1e-9))
    return ndimage.gaussian_filter(np.where((y > 0.68) & (x > 0.35), stripes, image), 1.0, mode="nearest")


def norm_numbers(target, l1_fit, l2_fit, gain, u) -> dict:
    """Numbers of the text: the fits in both norms."""
    return {
        "raw_sum": (abs(kf.learned_filters()[6].sum()), ".0e"),
        "sum": (target.sum(), ".3f"),
        "l1_norm": (np.abs(target).sum(), ".4f"),
        "l1_sigma": (l1_fit.sigma_x, ".4f"),
        "l1_gamma": (l1_fit.gamma, ".4f"),
        "l2_sigma": (l2_fit.sigma_x, ".4f"),
        "l2_gamma": (l2_fit.gamma, ".4f"),
        "l2_cosine": (l2_fit.cosine, ".4f"),
        "l2_error": (100 * l2_fit.relative_l2, ".1f"),
        "largest_gain": (gain, ".2f"),
        "largest_u": (u, ".2f"),
    }


def model_numbers(models) -> dict:
    """Numbers of the text: how special the model is."""
    errors = 100 * models.relative_l2
    return {
        "impulse_cosine": (models.cosine["impulse"], ".3f"),
        "impulse_error": (errors["impulse"], ".0f"),
        "smoothing_sigma": (models.sigma["T"], ".1f"),
        "model_error": (errors["impulse, Laplacian of T"], ".1f"),
        "mixed_error": (errors["T, Laplacian of T"], ".1f"),
        "directed_error": (errors["impulse, second differences of T"], ".1f"),
    }


def index_numbers(l1_grid, lowest, l2_grid, published_gamma) -> dict:
    """Numbers of the text: the published value beside the grid."""
    index = int(np.abs(l1_grid - lowest.gamma).argmin())
    return {
        "index": index,
        "own_grid": (l1_grid[index], ".10f"),
        "other_grid": (l2_grid[index], ".10f"),
        "published_gamma": (published_gamma, ".10f"),
        "gamma_shift": (published_gamma - l1_grid[index], ".4f"),
    }


def published_numbers(at, target, card, l1_fit, at_published) -> dict:
    """Numbers of the text: what the published value costs."""
    cosine = (at * target).sum() / np.linalg.norm(at) / np.linalg.norm(target)
    off = card["C1"].loc["both"]
    return {
        "gamma_cosine": (cosine, ".4f"),
        "gamma_cosine_change": (abs(cosine - l1_fit.cosine), ".0e", "up"),
        "l1_cosine": (l1_fit.cosine, ".4f"),
        "gamma_cost": (100 * (at_published / l1_fit.objective - 1), ".1f"),
        "sigma_steps": (abs(off.difference) / off.step, ".1f"),
    }


def image_numbers(filtered, steeper, image) -> dict:
    """Numbers of the text: how much steeper edges become."""
    gap = np.abs(filtered["learned key 7"] - filtered["model, l2 fit"]).max()
    return {
        "steeper_learned_x": (steeper("learned key 7", 1), ".2f"),
        "steeper_model_x": (steeper("model, l2 fit", 1), ".2f"),
        "steeper_learned_y": (steeper("learned key 7", 0), ".2f"),
        "steeper_model_y": (steeper("model, l2 fit", 0), ".2f"),
        "steeper_smoothing_y": (steeper("plain smoothing", 0), ".2f"),
        "image_gap": (100 * gap / np.ptp(image), ".0f"),
    }


def transfer_numbers(target, imaginary) -> dict:
    """Numbers of the text: the gains along both axes."""
    return {
        "gain_x": (transfer_function(target, np.pi, 0).real, ".2f"),
        "gain_y": (transfer_function(target, 0, np.pi).real, ".2f"),
        "imaginary": (max(imaginary), ".2f", "up"),
    }


def earlier_numbers(earlier, target) -> dict:
    """Numbers of the text: the earlier model, and how far it is from the filter by methods A and B, in per cent."""
    distances = []
    for method in "AB":
        rest = kf.ideal_filter(8, *(earlier_key7_scale(method, axis) for axis in "xy")) - target
        distances.append(100 * (np.linalg.norm(rest) / np.linalg.norm(target)))
    return {
        "earlier_difference": (earlier.difference.abs().max(), ".0e"),
        "earlier_errors": f"{distances[0]:.0f} and {distances[1]:.0f}",
    }


def border_numbers(borders) -> dict:
    """Numbers of the text: the border."""
    moved = np.abs(np.diff(borders[["sigma", "gamma"]], axis=0)[::2])
    return {"border_effect": (moved.max(), ".4f", "up"), "sum_excess": (borders["sum"].max() - 1, ".4f")}


def profiles_of(filtered: Mapping[str, np.ndarray], row: int, column: int) -> tuple[dict, np.ndarray]:
    """Grey values along a row and along a column of the image and of what the filters make of it, and their distances."""
    reach = int(0.21 * len(filtered["image"]))
    offset = np.arange(-reach, reach + 1)
    shown = {title: filtered[title] for title in ("image", "learned key 7", "model, l2 fit")}
    return {
        "along a row (x)": {title: image[row, column + offset] for title, image in shown.items()},
        "along a column (y, up)": {title: image[row - offset, column] for title, image in shown.items()},
    }, offset
