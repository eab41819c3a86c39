"""What the chapter *Wavelets, curvelets, contourlets and the edge* shows: its tables, its curves and their guides."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keyfilters_book import figures, page
from keyfilters_book.figures import atoms as draw
from keyfilters_book.representations.approximation import THEORY, keep_largest, octave_slopes
from keyfilters_book.representations.contourlets import wedge_shares
from keyfilters_book.representations.denoising import psnr
from keyfilters_book.representations.edges import coverage
from keyfilters_book.representations.frames import frame
from keyfilters_book.significance import paired_test

TITLE = "frames, and two of the bases"
KINDS = {
    "haar": ("wavelets", 0),
    "db4": ("wavelets", 0),
    "sym8": ("wavelets", 0),
    "contourlet": ("curvelets", 0),
    "curvelet": ("curvelets", 1),
}


def written(name: str) -> str:
    """A frame's name as the text has it."""
    return {"fourier": "Fourier", "dct": "DCT", "haar": "Haar"}.get(name, name)


TIGHT = {
    "formats": {"name": written, "redundancy": "{:.2f}", "energy": "{:.0e}", "image": "{:.0e}"},
    "headers": {"energy": "energy error", "image": "reconstruction error"},
}
WEDGES = {
    "formats": dict.fromkeys(("area", "mean", "least", "near"), "{:.2f}"),
    "headers": {"area": "share of the plane", "near": "least, widened"},
}
OCTAVES = {
    "formats": {"name": written} | dict.fromkeys(("theory_count", "theory_size", "count", "size"), "{:.2f}"),
    "headers": {
        "theory_count": "theory", "count": "$P_j$", "count_range": "range",
        "theory_size": "theory", "size": "largest", "size_range": "range",
    },
}  # fmt: skip
KEPT = [256, 1024, 4096]
ERRORS = {
    "formats": {"name": written} | dict.fromkeys(map(str, KEPT), "{:.1e}"),
    "headers": {str(n): f"$n = {n}$" for n in KEPT},
}
DENOISING = {
    "formats": {"name": written, "psnr": "{:.2f}", "ssim": "{:.3f}", "gain": "{:+.2f}"},
    "headers": {"psnr": "PSNR", "ssim": "SSIM", "gain": "over sym8"},
}


def bounded(error: float) -> float:
    """The bound of a rounding error; a larger error as it is."""
    return page.power_of_ten(error) if error < 1e-10 else error


def bounded_table(tight) -> pd.DataFrame:
    """The errors of energy and image with rounding errors as their bounds."""
    return tight.assign(energy=tight.energy.map(bounded), image=tight.image.map(bounded))


def edge_figure(image, shape):
    """The image, and pixels at its edge: averages over the pixels, and decided by their middles."""
    n = len(image)
    c = (np.arange(n) + 0.5) / n
    u, v = np.meshgrid(c - shape.centre[0], c[::-1] - shape.centre[1])
    staircase = np.hypot(u, v) <= shape.rho(np.arctan2(v, u))
    averaged, column = coverage(shape, n), int(shape.centre[0] * n)
    top = int(np.argmax(averaged[:, column] > 0))
    window = (slice(top - 6, top + 18), slice(column - 12, column + 12))
    panels = {"image": image, "edge, pixels averaged": averaged[window], "edge, a staircase": staircase[window]}
    fig = figures.image_panels(panels, columns=3, panel=2.4, limits=(0, 1))
    return fig, {"image": image, "staircase": staircase}


def slope_table(found, kinds) -> pd.DataFrame:
    """Slopes of count and size per octave: theory, mean over the sets, least and greatest."""
    rows = []
    for name, (kind, coarsest) in kinds.items():
        count, size = np.array([octave_slopes(s, coarsest) for s in found[name]]).T
        row = {"name": name, "theory_count": THEORY[kind][0]}
        row |= {"count": count.mean(), "count_min": count.min(), "count_max": count.max(), "theory_size": THEORY[kind][1]}
        rows.append(row | {"size": size.mean(), "size_min": size.min(), "size_max": size.max()})
    return pd.DataFrame(rows).set_index("name")


def slope_numbers(octaves) -> dict:
    """Numbers of the text: the slopes of three of the frames."""
    return {
        f"edge-{part}-{name}": (octaves[part][name], ".2f")
        for name in ("curvelet", "sym8", "contourlet")
        for part in ("count", "size")
    }


def octave_table(octaves) -> pd.DataFrame:
    """The slopes with their ranges as text."""
    shown = octaves.reset_index()
    for part in ("count", "size"):
        low, high = shown.pop(f"{part}_min"), shown.pop(f"{part}_max")
        spread = [f"{a:.2f} to {b:.2f}" for a, b in zip(low, high, strict=True)]
        shown.insert(shown.columns.get_loc(part) + 1, f"{part}_range", spread)
    return shown


def octave_figure(found):
    """Participation number and largest coefficient by octave, of a wavelet basis and of curvelets, and of all frames."""
    count, statistics, guides = len(found["sym8"][0].participation), {}, {}
    for name, label, kind in (("sym8", "wavelets (sym8)", "wavelets"), ("curvelet", "curvelets", "curvelets")):
        data = np.array(found[name])[:, :, -count:]
        statistics[label] = (np.arange(1, count + 1), data[:, 0], data[:, 1])
        guides[label] = THEORY[kind]
    data = {
        f"{name}-{part}": np.array([s[i] for s in each])
        for name, each in found.items()
        for i, part in enumerate(("participation", "largest"))
    }
    return draw.octave_panels(statistics, guides), data


def _guide(text, power, at, log=0, to=12):
    x = np.array([2.0**7, 2.0**to])
    return text, x, at * (x / x[0]) ** power * (np.log(x) / np.log(x[0])) ** log


def error_figure(steps, errors, bases):
    """Error of the image by the number of coefficients: bases, and frames beside two of them, with slopes of the theory."""
    framed = ("fourier", "sym8", "contourlet", "curvelet")
    panels = {
        "bases": {written(name): (steps, errors[name]) for name in bases},
        TITLE: {written(name): (steps, errors[name]) for name in framed},
    }
    wavelets = _guide("$n^{-1}$", -1, 0.06 * errors["sym8"][2], to=10)
    guides = {
        "bases": [_guide("$n^{-1/2}$", -0.5, 2 * errors["fourier"][2]), wavelets],
        TITLE: [wavelets, _guide("$n^{-2} \\log^3 n$", -2, 8 * errors["curvelet"][2], 3, 13)],
    }
    labels = {"xlabel": "coefficients kept, n", "ylabel": "squared error, relative"}
    return draw.log_curves(panels, **labels, guides=guides, ylim=(1e-6, 0.3), legend_columns=5)


def error_table(steps, errors) -> pd.DataFrame:
    """The errors with 256, 1024 and 4096 coefficients."""
    rows = [(name, *each[np.isin(steps, KEPT)]) for name, each in errors.items()]
    return pd.DataFrame(rows, columns=["name", *map(str, KEPT)])


def window_figure(windows, bound):
    """Slopes of the error curves by the middle of the window, with those of power laws and of the theorem's bound."""
    middles = windows["db4"][0]
    span = np.array([middles[0], middles[-1]])
    return draw.log_curves(
        {"": {written(name): found for name, found in windows.items()}},
        xlabel="n in the middle of the window",
        ylabel="slope in the window",
        guides=[
            ("$n^{-1}$", span, np.array([-1.0, -1.0])),
            ("$n^{-2}$", span, np.array([-2.0, -2.0])),
            ("$n^{-2} \\log^3 n$", middles, bound),
        ],
        yscale="linear",
        ylim=(-2.6, -0.5),
        width=5.6,
        legend_columns=4,
    )


def denoising_figure(scores, names):
    """PSNR by the threshold, hard and soft."""
    mean = scores.groupby(["kind", "frame", "k"]).psnr.mean()
    kinds = ("hard", "soft")
    return figures.curves(
        {kind: mean[kind, "sym8"].index for kind in kinds},
        {kind: {written(name): mean[kind, name].to_numpy() for name in names} for kind in kinds},
        xlabel="threshold k",
        ylabel={"hard": "PSNR (dB)"},
        markers=True,
        ylim=(mean.min() - 0.2, mean.max() + 0.2),
        legend_columns=3,
    )


def denoising_table(wide, names) -> pd.DataFrame:
    """PSNR and SSIM of each frame, hard and soft, and the gain in PSNR over sym8 with its interval."""
    rows = []
    for kind in ("hard", "soft"):
        for name in names:
            own, base = wide.loc[kind, name], wide.loc[kind, "sym8"]
            row = {"kind": kind, "name": name, "psnr": own.psnr.mean(), "ssim": own.ssim.mean()}
            if name != "sym8":
                test = paired_test(own.psnr, base.psnr)
                row |= {"gain": test.mean, "interval": f"{test.low:+.2f} to {test.high:+.2f}"}
            rows.append(row)
    return pd.DataFrame(rows)


def octave_numbers(shapes, octave_size, most, gap, octaves) -> dict:
    """Numbers of the text: octave by octave."""
    return {
        "edge_shapes": shapes,
        "edge_octave_size": octave_size,
        "edge_slope_gap": (most, ".2f", "up"),
        "edge_contourlet_gap": (gap["contourlet"], ".2f"),
        **slope_numbers(octaves),
    }


def curve_numbers(wavelet, best, curve_size) -> dict:
    """Numbers of the text: errors on the curve."""
    return {
        "edge_best_wavelet": written(wavelet.idxmin()),
        "edge_curvelet_ratio": (best["curvelet"] / wavelet.min(), ".1f"),
        "edge_curve_size": curve_size,
        "edge_fourier_ratio": (best["fourier"] / best["curvelet"], ".1f"),
    }


def lucky_numbers(middles, lucky, db4, slopes, bound, flat) -> dict:
    """Numbers of the text: slopes that mislead."""
    return {
        "edge_lucky_n": (int(round(middles[lucky])), ","),
        "edge_lucky_db4": (db4[lucky], ".2f"),
        "edge_lucky_curvelet": (slopes["curvelet"][lucky], ".2f"),
        "edge_lucky_bound": (bound[lucky], ".2f"),
        "edge_flat_n": (int(round(middles[flat])), ","),
        "edge_flat_db4": (db4[flat], ".2f"),
        "edge_bound_2000": (-2 + 3 / np.log(2000), ".1f"),
    }


def photograph_numbers(names, middle, wedge, ridge) -> dict:
    """Numbers of the text: photographs."""
    return {
        "edge_photographs": len(names),
        "edge_coded_n": (middle, ","),
        "edge_coded_contourlet": (wedge.mean, ".1f"),
        "edge_coded_contourlet_low": (wedge.low, ".1f", "down"),
        "edge_coded_contourlet_high": (wedge.high, ".1f", "up"),
        "edge_coded_curvelet": (ridge.mean, ".1f"),
        "edge_coded_curvelet_low": (ridge.low, ".1f", "down"),
        "edge_coded_curvelet_high": (ridge.high, ".1f", "up"),
    }


def gain_numbers(sigma, gain, shift) -> dict:
    """Numbers of the text: denoising."""
    return {
        "edge_sigma": sigma,
        "edge_gain_curvelet": (gain["curvelet"], ".1f"),
        "edge_gain_contourlet": (gain["contourlet"], ".1f"),
        "edge_gain_swt": (gain["sym8-swt"], ".1f"),
        "edge_swt_lead": (shift.mean, ".2f"),
        "edge_swt_low": (shift.low, ".2f", "down"),
        "edge_swt_high": (shift.high, ".2f", "up"),
    }


def tight_numbers(off) -> dict:
    """Numbers of the text: tightness of curvelets."""
    return {
        "edge_udct_default": (bounded(max(off["default"])), ".0e"),
        "edge_udct_wavelet": (max(off["wavelet"]), ".1f"),
        "edge_udct_overlap": (max(off["overlap"]), ".0e"),
    }


def strongest(f, pick):
    best, owner = np.full((128, 128), -1.0), np.zeros((128, 128), int)
    for band in pick:
        size = np.prod(f.shapes[band][1])
        power = size * np.abs(np.fft.fft2(f.atom(band))) ** 2
        # On the border of two bands they are equal up to rounding: the first has it.
        owner = np.where(power > best * (1 + 1e-9), band, owner)
        best = np.maximum(power, best)
    return owner


def worst(f, inputs):
    energy = reconstruction = 0.0
    for x in inputs:
        c = f.analyse(x)
        energy = max(energy, abs((c**2).sum() / (x**2).sum() - 1))
        gap = np.abs(f.synthesise(c) - x).max() / np.abs(x).max()
        reconstruction = max(reconstruction, gap)
    return f.name, f.redundancy, energy, reconstruction


def packaged_curvelets(x: np.ndarray) -> dict[str, tuple[float, float]]:
    """How far the energy of curvelets is from that of x, and the image that they give back: the package's settings."""
    from curvelets.numpy import UDCT

    wedges = np.array([[3, 3], [3, 3], [6, 6]])
    settings = {"default": {}, "wavelet": {"high_frequency_mode": "wavelet"}, "overlap": {"window_overlap": 0.15}}
    off = {}
    for label, options in settings.items():
        transform = UDCT(x.shape, angular_wedges_config=wedges, **options)
        c = transform.forward(x)
        error = np.abs(transform.backward(c) - x).max() / np.abs(x).max()
        energy = np.sum(np.abs(transform.vect(c)) ** 2) / np.sum(x**2) - 1
        off[label] = abs(energy), error
    return off


def wedge_table() -> pd.DataFrame:
    """How much of the energy of contourlets lies in their own wedge, and in one that is widened by half."""
    rows = []
    for levels in (2, 3, 4):
        own, near = (wedge_shares(128, levels, slack=s) for s in (0.0, 0.5))
        rows.append((2**levels, 1 / 2**levels, own.mean(), own.min(), near.min()))
    return pd.DataFrame(rows, columns=["directions", "area", "mean", "least", "near"])


def coded(grey, coders, budgets) -> pd.DataFrame:
    """The PSNR of each photograph when each frame keeps its largest coefficients, for each number of them."""
    rows = []
    for name in coders:
        f = frame(name, 256)
        for photograph, x in ((p, x) for p, stack in grey.items() for x in stack):
            c = f.analyse(x)
            rows += [(name, photograph, int(m), psnr(x, f.synthesise(keep_largest(c, m)))) for m in budgets]
    return pd.DataFrame(rows, columns=["name", "photograph", "n", "psnr"])


def check_falling(errors) -> None:
    """That the error falls with each further term."""
    for name, values in errors.items():
        rises = int((np.diff(values) >= 0).sum())
        assert rises == 0, f"expected errors of {name} that fall, {rises} steps do not"
