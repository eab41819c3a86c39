"""What the chapter *Methods C1 and C2: the least sum of absolute differences* shows: its tables and most of its figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import keyfilters as kf
from keyfilters_book import figures
from keyfilters_book.paper.landscape import two_scale_problem

CERTIFICATES = {
    "formats": {"objective": "{:.7f}", "second": "{:.7f}"},
    "headers": {"open": "open cells", "second": "second minimum"},
}
_EXTENT = {
    "x_low": r"least $\sigma_x$",
    "x_high": r"largest $\sigma_x$",
    "y_low": r"least $\sigma_y$",
    "y_high": r"largest $\sigma_y$",
}
VALLEYS = {"formats": dict.fromkeys(_EXTENT, "{:.3f}") | {"shift": "{:.0e}"}, "headers": _EXTENT}


def published_pair(table, key: int) -> tuple[float, float]:
    """The published scales (x, y) of a key, from a table of scales."""
    own = table[table.key == str(key)].set_index("axis").published
    return own["x"], own["y"]


def line_figure(lines, optimum, second: float) -> Figure:
    """The objective along a line for keys 1 and 8; `second` is its value at the second minimum of key 8."""
    panels = [
        figures.ProfilePanel(
            lines["sigma_x"],
            {"F": lines["key1"]},
            "key 1",
            xlabel=r"$\sigma_x$",
            kinks=lines["kinks1"],
            marks={"optimum": (optimum[1].sigma_x, optimum[1].objective)},
        ),
        figures.ProfilePanel(
            lines["t"],
            {"F": lines["key8"]},
            "key 8",
            xlabel="position between the minima",
            kinks=lines["kinks8"],
            marks={"optimum": (1.0, optimum[8].objective), "second minimum": (0.0, second)},
        ),
    ]
    return figures.profile_panels(panels, ylabel="l1 norm of the residual", width=3.9, height=3.3, legend_columns=3)


def exclusion_figure(windows, marks) -> tuple[Figure, dict]:
    """The norm in windows that are divided more and more finely, with their open cells; figure and data."""

    def inside(window, point) -> bool:
        # In the first map the markers would hide the open cells.
        within = all(axis[0] <= at <= axis[-1] for axis, at in zip((window.first, window.second), point, strict=True))
        return bool(window.level) and within

    panels = [
        figures.MapPanel(
            window.first,
            window.second,
            window.norm,
            f"level {window.level}",
            {label: tuple(point) for label, point in marks.items() if inside(window, point)},
            window.open,
        )
        for window in windows
    ]
    fig = figures.objective_map_figure(panels, first_label=r"$\sigma_x$", second_label=r"$\sigma_y$", value_label="l1 norm")
    parts = ("first", "second", "norm", "lower", "open")
    return fig, {f"{part}{i}": getattr(window, part) for i, window in enumerate(windows) for part in parts}


def certificate_table(optimum, minima) -> pd.DataFrame:
    """What certifies the optimum of each key; `minima` has the values and scales that descents end at."""
    return pd.DataFrame(
        {
            "key": key,
            "objective": found.objective,
            "corner": " ".join(f"({x}, {y})" for x, y in found.certificate.active),
            "multipliers": ", ".join(f"{m:+.3f}" for m in found.certificate.multipliers),
            "open": found.certificate.open_cells,
            "second": min((value for value, *_ in minima[key] if value > found.objective + 1e-8), default=np.nan),
        }
        for key, found in optimum.items()
    )


def maps_figure(maps, points, norm: str) -> tuple[Figure, dict]:
    """Maps of the objective, from key to scales along x and y and norm, with points by key and label; figure and data."""
    panels, data = [], {}
    for key, (x, y, values) in maps.items():
        marked = {label: tuple(point) for label, point in points[key].items()}
        panels.append(figures.MapPanel(x, y, values, f"key {key}", marked))
        data |= {f"key{key}_sigma_x": x, f"key{key}_sigma_y": y, f"key{key}_norm": values}
    fig = figures.objective_map_figure(
        panels, first_label=r"$\sigma_x$", second_label=r"$\sigma_y$", value_label=f"{norm} norm", width=3.9
    )
    return fig, data


def grid_figure(grids, points) -> tuple[Figure, dict]:
    """The objective on the published grid around the optimum, by key, one cell per grid point; figure and data."""
    panels, data = [], {}
    for key, axes in grids.items():
        centre = np.asarray(points[key]["optimum"])
        nearest = [int(np.abs(values - c).argmin()) for values, c in zip(axes, centre, strict=True)]
        near = [values[max(0, i - 6) : i + 7] for values, i in zip(axes, nearest, strict=True)]
        norm = kf.objective_map(key, *near, norm="l1")
        offset = [1e4 * (values - c) for values, c in zip(near, centre, strict=True)]
        marked = {label: tuple(1e4 * (np.asarray(point) - centre)) for label, point in points[key].items()}
        panels.append(figures.MapPanel(*offset, norm, f"key {key}", marked))
        data |= {f"key{key}_sigma_x": near[0], f"key{key}_sigma_y": near[1], f"key{key}_norm": norm}
    fig = figures.objective_map_figure(
        panels,
        first_label=r"$(\sigma_x - \mathrm{optimum}) \times 10^4$",
        second_label=r"$(\sigma_y - \mathrm{optimum}) \times 10^4$",
        value_label="l1 norm",
        contours=0,
    )
    return fig, data


def parabola_figure(near, height, optimum, published) -> tuple[Figure, dict]:
    """The objective of C2, and the parabola through the middle three of seven samples; figure and data.

    `near` has the samples by key, `height` is the objective above its least as a function of key and scales.
    """
    panels, data = [], {}
    for key, power in ((1, 4), (3, 7)):
        samples, best, zoom = near[key], optimum[key].sigma_x, 10.0**power
        three, fine = samples[2:5], np.linspace(samples[0], samples[-1], 301)
        parabola = np.polynomial.Polynomial.fit(three, height(key, three), 2)
        shown = np.where((fine >= three[0]) & (fine <= three[-1]), parabola(fine), np.nan)
        panels.append(
            figures.ProfilePanel(
                1e4 * (fine - best),
                {"objective": zoom * height(key, fine), "parabola": zoom * shown},
                f"key {key}",
                ylabel=rf"height $\times\, 10^{power}$",
                marks={
                    "samples": (1e4 * (samples - best), zoom * height(key, samples)),
                    "vertex": (1e4 * (published[str(key)] - best), zoom * parabola(published[str(key)])),
                },
            )
        )
        # Beyond 13 decimals the heights are rounding.
        heights = height(key, fine).round(13) + 0.0
        data |= {f"key{key}_sigma": fine, f"key{key}_height": heights, f"key{key}_samples": samples}
    fig = figures.profile_panels(
        panels,
        xlabel=r"$(\sigma - \mathrm{optimum}) \times 10^4$",
        ylabel="height, scaled",
        width=3.9,
        height=3.2,
        legend_columns=4,
    )
    return fig, data


def valley_numbers(valleys, separable, tilt) -> dict:
    """Numbers of the text: the valleys of the criterion."""
    widths = (valleys.x_high - valleys.x_low, valleys.y_high - valleys.y_low)
    return {
        "c_widest": (max(width.max() for width in widths), ".2f"),
        "c_opposite": ", ".join(str(key) for key in separable if tilt[key] < 0),
        "c_same": ", ".join(str(key) for key in separable if tilt[key] > 0),
        "c_shift": (valleys["shift"].max(), ".0e", "up"),
    }


def published_numbers(c1, ratio, distant, six, meant) -> dict:
    """Numbers of the text: published scales of C1 and ours."""
    return {
        "c1_largest": (np.abs(c1.difference).max(), ".0e"),
        "c1_steps": (ratio.max(), ".1f"),
        "c1_distant": distant,
        "c1_six_steps": (six.rerun_difference / six.step, ".0f"),
        "c1_six_published": (abs(six.difference), ".0e"),
        "c1_six_meant": (abs(meant), ".0e"),
    }


def key7_numbers(table, smooth, c2) -> dict:
    """Numbers of the text: published values of C2 and of key 7."""
    seven = table["C1"][table["C1"].key == "7"].set_index("axis")
    gamma_meant = seven.difference["gamma"] - seven.rerun_difference["gamma"]
    return {
        "c2_smooth": smooth[0],
        "c2_smooth_difference": (abs(c2.difference[smooth[0]]), ".0e"),
        "c2_largest": (np.abs(c2.difference).max(), ".0e"),
        "c7_sigma": (abs(seven.difference["both"]), ".0e"),
        "c7_gamma": (abs(seven.difference["gamma"]), ".0e"),
        "c7_gamma_meant": (abs(gamma_meant), ".0e"),
    }


def exact_numbers(corrupted, trials, draws) -> dict:
    """Numbers of the text: exact recovery."""
    exact = dict(zip(corrupted, np.mean(np.array(trials["C1"]) < 1e-9, axis=1), strict=True))
    return {"c_draws": draws, "c_exact_twelve": (100 * exact[12], ".0f"), "c_exact_most": (100 * exact[28], ".0f")}


def cell_numbers(certificates, windows) -> dict:
    """Numbers of the text: how the search excludes the rest."""
    gap = 100 * (certificates.second / certificates.objective - 1)
    return {"c_open_cells": int(windows[0].open.sum()), "c_cells": windows[0].open.size, "c_near_tie": (gap.min(), ".1f")}


def check_certificate(fit: kf.Fit, scales: np.ndarray) -> None:
    """That slopes between -1 and 1 of the residuals, the multipliers where these vanish, balance at key 8's optimum."""
    residual, jacobian, _ = two_scale_problem(8).evaluate(scales**2)
    active = [(3 - y) * 7 + (x + 3) for x, y in fit.certificate.active]
    slopes = np.sign(residual)
    slopes[active] = fit.certificate.multipliers
    left, gradient = np.abs(residual[active]).max(), np.abs(slopes @ jacobian).max()
    assert left < 1e-12, f"expected the active residuals to vanish, {left:.1e} is left"
    assert gradient < 1e-12, f"expected slopes that balance, {gradient:.1e} is left"
    assert np.abs(slopes).max() <= 1, f"expected slopes between -1 and 1: {slopes}"
