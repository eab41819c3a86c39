"""Checks of chapter 25, seeing what a unit wants."""

from __future__ import annotations

import numpy as np

from .verdict import array, call, exercise, hint_if, hints, mapping, near

__all__ = ["check_25_1", "check_25_2", "check_25_3"]


@exercise(
    "a function of a mask (colours x rows x columns) and of the bound that returns two images: under the norm, under the bound of a pixel",
    answers="best_images",
)
def check_25_1(answer):
    """The images that drive a linear unit most, under a bound of the whole and of each pixel."""
    mask, bound = np.random.default_rng(0).normal(size=(3, 4, 5)), 1.7
    found = mapping(call(answer, mask, bound), ["norm", "pixel"], "what the function returns")
    whole, pixel = (array(found[name], mask.shape, name) for name in ("norm", "pixel"))
    hints(
        (near(whole, mask), "norm: the direction is right, the length is not the one that is allowed."),
        (
            near(whole, np.sign(mask)) or near(whole, np.sign(mask) / np.sqrt(mask.size)),
            "norm: signs alone are best under a bound of each number, not of the Euclidean norm.",
        ),
        (near(whole, -mask / np.linalg.norm(mask)), "norm: that image drives the unit least."),
        (not near(whole, mask / np.linalg.norm(mask)), "norm: when is the inequality of Cauchy and Schwarz an equality?"),
        (near(pixel, bound * whole), "pixel: one pixel's colours do not take anything from the others. Use the bound in each."),
        (
            near(pixel, bound * np.sign(mask)) or near(pixel, bound * np.sign(mask) / np.sqrt(3)),
            "pixel: the bound is one of the length of a colour, three numbers together.",
        ),
        (near(pixel, mask / np.linalg.norm(mask, axis=0)), "pixel: the directions are right; how long may a colour be?"),
        (
            not near(pixel, bound * mask / np.linalg.norm(mask, axis=0)),
            "pixel: solve the first problem at each place, over the colours.",
        ),
    )


@exercise(
    "a function of two stacks of images (n x colours x rows x columns) that returns n correlations",
    "Now run the search from another start, and compare.",
    answers="pixel_correlation",
)
def check_25_2(answer):
    """The correlation of the pixels of pairs of images, each colour less its mean."""
    from ..background.inversion import pixel_correlation

    rng = np.random.default_rng(0)
    one = rng.normal(size=(4, 3, 6, 7))
    other = 0.5 * one * np.array([1, -1, 0.3, 0])[:, None, None, None] + rng.normal(size=one.shape)
    tint = np.array([1.5, -0.5, 0.8])[:, None, None]
    one, other = one + tint, other + 0.7 * tint[::-1]
    found, right = np.asarray(call(answer, one, other), dtype=float), pixel_correlation(one, other)
    hint_if(found.size == 1, "One number for each pair of images is expected, not one for all together.")
    found = array(found, [len(one)])
    a, b = (x.reshape(4, -1) for x in (one, other))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    hints(
        (
            near(found, (a * b).sum(1) / norms),
            "That is a cosine: two images with the same tint would look alike. Subtract means first.",
        ),
        (
            near(found, [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]),
            "That subtracts one mean for all colours; each colour has its own.",
        ),
        (near(found, np.abs(right)), "The size is right. Should a picture and its negative count as the same?"),
        right=near(found, right),
        otherwise="Subtract each colour's mean over the places, multiply pixel by pixel, and divide by both norms.",
    )


@exercise("a function of g (3 x H x W) and of w that returns x, of the shape of g", answers="smoothed")
def check_25_3(answer):
    """The minimum of a linear response against total variation with beta = 2."""
    from scipy.fft import dctn, idctn

    from ..background.regularisers import PENALTY_SLOPE

    rows, columns, weight = 12, 9, 0.7
    g = np.random.default_rng(0).normal(size=(3, rows, columns))
    g -= g.mean((1, 2), keepdims=True)
    found = array(call(answer, g, weight), g.shape)
    found = found - found.mean((1, 2), keepdims=True)  # a constant of each colour is free
    eigen = np.add.outer(*(4 * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2 for n in (rows, columns)))
    eigen[0, 0] = 1.0
    factor = 0.5 * weight * rows * columns * PENALTY_SLOPE**2
    right = factor * idctn(dctn(g, axes=(1, 2), norm="ortho") / eigen, axes=(1, 2), norm="ortho")
    scale = (found * right).sum() / (right**2).sum()
    waves = np.add.outer(*(4 * np.sin(np.pi * np.arange(n) / n) ** 2 for n in (rows, columns)))
    waves[0, 0] = 1.0
    hints(
        (near(found, -right), "The sign is wrong: the response should be large, so it enters with a minus."),
        (
            near(found, 2 * right) or near(found, right / 2),
            "Right but for a factor of two: what does the derivative of a square bring along?",
        ),
        (
            scale and near(found, scale * right),
            "The form is right, its strength is not: look at w, H W and V in the two terms.",
        ),
        (
            near(found, factor * np.fft.ifft2(np.fft.fft2(g) / waves).real),
            "A Fourier transform joins opposite borders, whose differences do not count here.",
        ),
        (
            near(found / np.linalg.norm(found), g / np.linalg.norm(g)),
            "That is g itself. The regulariser weighs its waves differently: set the gradient to zero and solve.",
        ),
        right=near(found, right),
        otherwise="The gradient is not zero there. Which linear operator is the gradient of the total variation?",
    )
