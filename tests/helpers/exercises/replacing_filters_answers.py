"""Answers to the exercises of chapter 16: a right one each, and wrong ones with a word of their hint."""

import numpy as np
from scipy.stats import spearmanr

from keyfilters.networks import fold, replace


def _unit(network, method):
    return fold(replace(network, method, "unit").model)


def _spoil(network, method):
    return fold(replace(network, method, "affine", inplace=True).model, inplace=True)


ANSWERS = {
    "16.1": (
        lambda: lambda explained, harm: spearmanr(1 - explained, harm).statistic,
        [
            (lambda explained, harm: spearmanr(explained, harm).statistic, "sign"),
            (lambda explained, harm: np.corrcoef(1 - explained, harm)[0, 1], "values"),
            (lambda explained, harm: spearmanr(1 - explained, harm).pvalue, "p-value"),
            (lambda e, h: np.corrcoef(np.argsort(np.argsort(1 - e)), np.argsort(np.argsort(h)))[0, 1], "share a rank"),
            (lambda explained, harm: 2.0, "ranks"),
        ],
    ),
    "16.2": (
        lambda: lambda network, method: fold(replace(network, method, "affine").model),
        [
            (lambda network, method: replace(network, method, "affine"), "report"),
            (lambda network, method: replace(network, method, "affine").model, "names or shapes"),
            (lambda network, method: fold(network), "were the filters replaced"),
            (_unit, "Gains"),
            (_spoil, "copy"),
            (lambda network, method: fold(replace(network, "A", "affine").model), "differ"),
        ],
    ),
    "16.3": (
        lambda: lambda g, t, m0, v0: (g * m0 + t, g**2 * v0),
        [
            (lambda g, t, m0, v0: (g * m0 + t, g * v0), "variance"),
            (lambda g, t, m0, v0: (g * (m0 + t), g**2 * v0), "offset second"),
            (lambda g, t, m0, v0: (m0, v0), "as it was"),
            (lambda g, t, m0, v0: (g * m0, g**2 * v0), "mean is not"),
            (lambda g, t, m0, v0: g * m0 + t, "shape"),
        ],
    ),
}
