"""Accuracy against the scales and the sharpening that all eight frozen filters share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from keyfilters.fitting.joint import key_parameters
from keyfilters.models import ideal_filter

from .design import Design, Setting

SWEEP = Setting("sweep", "1,500 images, 4 epochs", 1500, 4)


def common_filters(sigma: float, size: int = 7, *, sigma_y: float | None = None, gamma: float | None = None) -> np.ndarray:
    """The eight idealised filters at one scale, or one along x and one along y, shape (8, size, size).

    At 0 they are the bare differences, and key 8 is the unit impulse.

    Parameters
    ----------
    sigma : float
        Along x, and along y where ``sigma_y`` is not given.
    size : int
    sigma_y : float, optional
    gamma : float, optional
        Sharpening of key 7; default: as method B fits it.

    Raises
    ------
    ValueError
        For a scale below 0.

    Examples
    --------
    >>> common_filters(0.0, 3)[7]
    array([[0., 0., 0.],
           [0., 1., 0.],
           [0., 0., 0.]])
    """
    sharpening = float(key_parameters("B")[2][6]) if gamma is None else gamma
    return np.stack([ideal_filter(k, sigma, sigma_y, gamma=sharpening if k == 7 else None, size=size) for k in range(1, 9)])


def sweep_filters(
    design: Design, banks: Mapping, seeds, rate: float, scale: float = 1.0, setting: Setting = SWEEP, **options
) -> pd.DataFrame:
    """Train a network for each bank of filters and seed, with the filters frozen, and judge it on the validation images.

    Parameters
    ----------
    design : Design
        The network's size.
    banks : mapping of a label to ndarray, shape (8, n, n)
    seeds : sequence of int
    rate, scale : float
        As for :func:`keyfilters_book.experiments.runs.run`: the same for all banks.
    setting : Setting
    **options
        Of ``run``, such as ``judged`` and ``device``.

    Returns
    -------
    DataFrame
        Columns bank (its label), seed, accuracy, loss.
    """
    from .runs import run

    rows = []
    for label, filters in banks.items():
        for seed in seeds:
            given = {"given": filters}
            row = run(design, "given", setting, seed, rate, scale, extracted=given, judge="validation", **options).row
            rows.append({"bank": label, "seed": int(seed), "accuracy": row["accuracy"], "loss": row["loss"]})
    return pd.DataFrame(rows, columns=["bank", "seed", "accuracy", "loss"])


def sweep_scales(design: Design, sigmas, seeds, rate: float, *args, **options) -> pd.DataFrame:
    """:func:`sweep_filters` with the filters of :func:`common_filters` at each scale.

    Returns
    -------
    DataFrame
        Columns sigma, seed, accuracy, loss.
    """
    banks = {float(sigma): common_filters(sigma) for sigma in sigmas}
    return sweep_filters(design, banks, seeds, rate, *args, **options).rename(columns={"bank": "sigma"})
