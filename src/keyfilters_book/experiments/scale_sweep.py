"""Accuracy against one scale that all eight frozen filters share."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keyfilters.fitting.parameters import key_parameters
from keyfilters.models import ideal_filter

from .design import Design, Setting

SWEEP = Setting("sweep", "1,500 images, 4 epochs", 1500, 4)


def common_filters(sigma: float, size: int = 7) -> np.ndarray:
    """The eight idealised filters at one scale along both axes, shape (8, size, size); gamma as method B fits it.

    At 0 they are the bare differences, and key 8 is the unit impulse.

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
    gamma = float(key_parameters("B")[2][6])
    return np.stack([ideal_filter(k, sigma, gamma=gamma if k == 7 else None, size=size) for k in range(1, 9)])


def sweep_scales(
    design: Design, sigmas, seeds, rate: float, scale: float = 1.0, setting: Setting = SWEEP, **options
) -> pd.DataFrame:
    """Train a network for each scale and seed, with frozen filters of that scale, and judge it on the validation images.

    Parameters
    ----------
    design : Design
        The network's size.
    sigmas : sequence of float
        Grid units, >= 0.
    seeds : sequence of int
    rate, scale : float
        As for :func:`keyfilters_book.experiments.runs.run`: the same for all scales.
    setting : Setting
    **options
        Of ``run``, such as ``judged`` and ``device``.

    Returns
    -------
    DataFrame
        Columns sigma, seed, accuracy, loss.
    """
    from .runs import run

    rows = []
    for sigma in sigmas:
        given = {"given": common_filters(sigma)}
        for seed in seeds:
            row = run(design, "given", setting, seed, rate, scale, extracted=given, judge="validation", **options).row
            rows.append({"sigma": float(sigma), "seed": int(seed), "accuracy": row["accuracy"], "loss": row["loss"]})
    return pd.DataFrame(rows, columns=["sigma", "seed", "accuracy", "loss"])
