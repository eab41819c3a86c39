"""Denoising by thresholding, one estimator for all bases and frames, and the scores PSNR and SSIM."""

from __future__ import annotations

import numpy as np

from keyfilters.checks import choice, finite

from . import _extra
from .frames import Frame
from .sizes import square_image
from .thresholding import threshold


def grey_pieces(names, size: int, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return grey square pieces of the photographs that packages bring along, values in [0, 1].

    Parameters
    ----------
    names : sequence of str
        Names in ``keyfilters.images.PHOTOGRAPHS``.
    size : int
        Side in pixels.
    count : int
        Pieces of each photograph.
    seed : int
        Of their places.

    Returns
    -------
    dict of str to ndarray, shape (count, size, size)
    """
    from keyfilters.images import crops, photographs

    found = photographs(names)
    pieces = crops(found, size, count * len(found), seed) @ np.array([0.299, 0.587, 0.114]) / 255
    return {name: pieces[i :: len(found)] for i, name in enumerate(found)}


def denoise(frame: Frame, noisy, sigma: float, k: float, kind: str = "hard") -> np.ndarray:
    r"""Return an image with its coefficients thresholded at k times the noise that each of them holds.

    White noise of standard deviation sigma has standard deviation :math:`\sigma \|\phi_i\|` in coefficient i, so the
    threshold is :math:`k\,\sigma \|\phi_i\|`; the coarse rest (octave 0) is left alone. Nothing else is chosen.

    Parameters
    ----------
    frame : Frame
        A tight one.
    noisy : array_like, shape (size, size)
    sigma, k : float
        At least 0.
    kind : {"hard", "soft"}

    Raises
    ------
    ValueError
        For a frame that is not tight, a negative number, or another kind.

    Examples
    --------
    >>> from keyfilters_book.representations.edges import cartoon
    >>> from keyfilters_book.representations.frames import frame
    >>> f = cartoon(64)
    >>> noisy = f + 0.1 * np.random.default_rng(0).normal(size=f.shape)
    >>> bool(psnr(f, denoise(frame("sym8", 64), noisy, 0.1, k=3)) > psnr(f, noisy) + 5)
    True
    """
    choice(kind, ("hard", "soft"), "kind")
    if not frame.tight:
        raise ValueError(f"{frame.name} is not tight, so noise is not white in it: expected a tight frame, such as sym8")
    for what, value in (("sigma", sigma), ("k", k)):
        if float(finite(value, what)) < 0:
            raise ValueError(f"{what} is {value:g}: expected a number >= 0")
    return _shrunk(frame, frame.analyse(noisy), sigma * k, kind)


def _shrunk(frame: Frame, c: np.ndarray, level: float, kind: str) -> np.ndarray:
    shrunk = frame.norms * threshold(c / frame.norms, level, kind)
    return frame.synthesise(np.where(frame.octaves == 0, c, shrunk))


def psnr(clean, other) -> float:
    r"""Return :math:`10 \log_{10}(1 / \text{mean squared error})`, in decibels, for images with values in [0, 1].

    Examples
    --------
    >>> round(psnr(np.zeros((8, 8)), np.full((8, 8), 0.1)), 6)
    20.0
    """
    clean = square_image(clean)
    error = float(np.mean((clean - square_image(other, len(clean), "other")) ** 2))
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ssim(clean, other) -> float:
    """Return the mean structural similarity of scikit-image, with Wang et al.'s (2004) Gaussian window; 1 if equal."""
    with _extra():
        from skimage.metrics import structural_similarity

    clean = square_image(clean)
    other = square_image(other, len(clean), "other")
    return float(
        structural_similarity(clean, other, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    )


def denoising_scores(frames, images, sigma: float, ks, kinds=("hard", "soft"), seeds=(0,)):
    """Return PSNR (dB) and SSIM of every frame, image, threshold, kind and noise.

    All frames see the same noise.

    Parameters
    ----------
    frames : sequence of Frame
    images : dict of str to ndarray, shape (size, size)
    sigma : float
        Standard deviation of the noise, for values in [0, 1].
    ks : sequence of float
    kinds : sequence of {"hard", "soft"}
    seeds : sequence of int

    Returns
    -------
    DataFrame
        Columns ``image``, ``seed``, ``frame``, ``kind``, ``k``, ``psnr``, ``ssim``.
    """
    import pandas as pd

    rows = []
    for number, (name, clean) in enumerate(images.items()):
        for seed in seeds:
            noise = np.random.default_rng([seed, number]).normal(scale=sigma, size=clean.shape)
            for frame in frames:
                c = frame.analyse(clean + noise)
                for kind in kinds:
                    for k in ks:
                        found = _shrunk(frame, c, sigma * k, kind)
                        rows.append((name, seed, frame.name, kind, k, psnr(clean, found), ssim(clean, found)))
    return pd.DataFrame(rows, columns=["image", "seed", "frame", "kind", "k", "psnr", "ssim"])


def best_threshold_elsewhere(scores, groups=None, score: str = "psnr"):
    """Return each image's scores at the threshold that is best on the average of the *other* images.

    Parameters
    ----------
    scores : DataFrame
        Of :func:`denoising_scores`.
    groups : dict of str to str, optional
        Image to what it is a piece of: the threshold is then chosen on the images of the other groups.
    score : {"psnr", "ssim"}
        By which thresholds are chosen.

    Returns
    -------
    DataFrame
        Columns ``image``, ``group``, ``frame``, ``kind``, ``k``, ``psnr``, ``ssim``: means over the seeds.

    Raises
    ------
    ValueError
        If there is only one image, or group: none is left to choose on.
    """
    import pandas as pd

    choice(score, ("psnr", "ssim"), "score")
    mean = scores.groupby(["frame", "kind", "k", "image"])[["psnr", "ssim"]].mean().reset_index()
    mean["group"] = mean.image if groups is None else mean.image.map(groups)
    names = list(dict.fromkeys(mean.group))
    if len(names) < 2:
        raise ValueError(
            f"scores holds {len(names)} group of images: expected at least 2, one to judge and others to choose on"
        )
    rows = []
    for name in names:
        others = mean[mean.group != name].groupby(["frame", "kind", "k"])[score].mean().reset_index()
        chosen = others.loc[others.groupby(["frame", "kind"])[score].idxmax(), ["frame", "kind", "k"]]
        rows.append(mean[mean.group == name].merge(chosen, on=["frame", "kind", "k"]))
    return pd.concat(rows, ignore_index=True)[["image", "group", "frame", "kind", "k", "psnr", "ssim"]]
