"""Colours of the figures: zero is white, printed numbers are readable, lines differ for colour-blind readers."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from skimage.color import deltaE_ciede2000, rgb2lab

import keyfilters as kf
from keyfilters.figures.style import COLOURS, DIVERGING, MARKERS, ink
from keyfilters_book import figures
from keyfilters_book.figures.clusters import key_gallery
from keyfilters_book.figures.lenet_pictures import connection_maps
from keyfilters_book.figures.mosaics import mosaic_rows, mosaics
from keyfilters_book.figures.scales import method_heatmaps

# Matrices of severity 1.0 in Machado, Oliveira and Fernandes: A physiologically-based model for simulation of color
# vision deficiency. IEEE Transactions on Visualization and Computer Graphics 15(6):1291-1298, 2009. For linear RGB.
MACHADO = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(rgb):
    rgb = np.asarray(rgb, dtype=float)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def gamma(rgb):
    rgb = np.clip(rgb, 0, 1)
    return np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)


def contrast(one, other):
    """Contrast ratio of two colours (WCAG 2)."""
    light, dark = sorted((linear(to_rgb(c)) @ (0.2126, 0.7152, 0.0722) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("sight", MACHADO)
def test_lines_differ_in_colour_for_every_sight(sight):
    seen = gamma(linear([to_rgb(c) for c in COLOURS]) @ np.transpose(MACHADO[sight]))
    lab = rgb2lab(seen)
    apart = deltaE_ciede2000(lab[:, None], lab[None]) + np.diag(np.full(len(COLOURS), np.inf))
    # A CIEDE2000 distance of 1 is just noticed by a normal eye side by side.
    assert apart.min() > 10, apart.round(1)


def test_the_simulation_confuses_what_it_should():
    """Red and green of equal lightness come together without one of the two kinds of cones, not for the normal eye."""
    pair = np.array([to_rgb("#c06050"), to_rgb("#7f8a50")])
    apart = {sight: deltaE_ciede2000(*rgb2lab(gamma(linear(pair) @ np.transpose(matrix)))) for sight, matrix in MACHADO.items()}
    assert apart["deuteranopia"] < apart["normal"] / 2 and apart["protanopia"] < apart["normal"] / 2


def test_lines_and_markers_stand_out_from_the_paper():
    """WCAG asks 3 of what is not text; the two light colours of the palette come last and carry a marker."""
    below = [colour for colour in COLOURS if contrast(colour, "white") < 3]
    assert below == list(COLOURS[len(COLOURS) - len(below) :])
    assert len(set(MARKERS)) == len(MARKERS) >= len(COLOURS)


@pytest.mark.parametrize("name", [DIVERGING, "viridis", "Greys"])
def test_ink_is_readable_on_every_colour(name):
    for value in np.linspace(-1, 1, 41):
        cell = mpl.colormaps[name]((value + 1) / 2)
        assert contrast(ink(cell), cell) >= 4.5, value


def test_the_diverging_map_is_white_at_zero():
    assert contrast(mpl.colormaps[DIVERGING](0.5)[:3], "white") < 1.1
    ends = [mpl.colormaps[DIVERGING](x)[:3] for x in (0.0, 1.0)]
    for sight in MACHADO:
        lab = rgb2lab(gamma(linear(ends) @ np.transpose(MACHADO[sight])))
        assert deltaE_ciede2000(*lab) > 20, sight


H = kf.learned_filters()
MAPS = {
    "filter_panels": lambda: figures.filter_panels(H),
    "filter_panels, shared": lambda: figures.filter_panels(H, shared=True),
    "filter_rows": lambda: figures.filter_rows({"learned": H, "model": H}),
    "learned_and_models": lambda: figures.learned_and_models(H, 0.9 * H + 0.01),
    "key_gallery": lambda: key_gallery({"found": list(H)}),
    "mosaics": lambda: mosaics({"learned": H}),
    "mosaic_rows": lambda: mosaic_rows({"learned": H}),
    "connection_maps": lambda: connection_maps({"learned": H.reshape(4, 2, 7, 7)}),
}
SHARES = pd.DataFrame(np.linspace(0, 1, 48).reshape(6, 8), index=list("ABCDEF"), columns=range(1, 9))


@pytest.mark.parametrize("name", MAPS)
def test_maps_of_filters_are_symmetric_about_zero(name):
    fig = MAPS[name]()
    # A colour bar is drawn as a mesh: only pictures of filters are images.
    found = [image for ax in fig.axes for image in ax.images]
    assert found
    for image in found:
        low, high = image.get_clim()
        assert image.get_cmap().name == DIVERGING and low == -high < 0
        assert contrast(image.cmap(image.norm(0.0))[:3], "white") < 1.1


def test_numbers_in_cells_are_readable():
    """Each number is compared with the colour of the cell that it stands on."""
    fig = method_heatmaps({"share": SHARES})
    checked = 0
    for ax in fig.axes:
        for text in ax.texts:
            image = ax.images[0]
            x, y = text.get_position()
            left, right, bottom, top = image.get_extent()
            rows, columns = image.get_array().shape[:2]
            row = int((top - y) / (top - bottom) * rows)
            column = int((x - left) / (right - left) * columns)
            cell = image.cmap(image.norm(image.get_array()[row, column]))
            assert contrast(text.get_color(), cell) >= 4.5
            checked += 1
    assert checked == SHARES.size
