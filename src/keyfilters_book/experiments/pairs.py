"""Variants seed by seed beside a reference: what is explored, and not tested. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from keyfilters_book.significance import paired_test

from .settings import SETTINGS

FEWEST = 5
"""Seeds with which a setting or a variant may be shown before all of its seeds are there; the page says so."""


def beside(runs: pd.DataFrame, reference: str, names: Sequence[str]) -> pd.DataFrame:
    """Accuracy of variants minus that of a reference, over the seeds that both have.

    Returns
    -------
    DataFrame
        One row per setting and variant with at least ``FEWEST`` seeds in common: setting (its label), variant, n, accuracy
        (its mean over these seeds), mean of the difference, low and high (95 %, Student's).

    Examples
    --------
    >>> rows = [(v, "small", s, a + s / 100) for v, a in (("ideal-B", 0.5), ("wide", 0.6)) for s in range(5)]
    >>> runs = pd.DataFrame(rows, columns=["variant", "setting", "seed", "accuracy"])
    >>> beside(runs, "ideal-B", ["wide", "pca-8"])[["setting", "variant", "n", "mean"]].round(3).values.tolist()
    [['3,000 images, 20 epochs', 'wide', 5, 0.1]]
    """
    rows = []
    for setting in SETTINGS.values():
        wide = runs[runs.setting == setting.name].pivot(index="seed", columns="variant", values="accuracy")
        for name in names:
            if name == reference or not {name, reference} <= set(wide):
                continue
            both = wide[[name, reference]].dropna()
            if len(both) >= FEWEST:
                test = paired_test(both[name], both[reference])
                rows.append((setting.label, name, test.n, both[name].mean(), test.mean, test.low, test.high))
    return pd.DataFrame(rows, columns=["setting", "variant", "n", "accuracy", "mean", "low", "high"])


def points(difference: float) -> str:
    """A difference of accuracies in points for a sentence, with its sign; zero to the printed digit has none.

    Examples
    --------
    >>> points(0.0123), points(-0.0004), points(-0.02)
    ('+1.2', '0.0', '−2.0')
    """
    text = f"{100 * difference:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def told(row) -> str:
    """A row of :func:`beside` for a sentence: the difference in points with its interval.

    Examples
    --------
    >>> told(pd.Series({"mean": 0.012, "low": -0.001, "high": 0.025}))
    '+1.2 points (−0.1 to +2.5)'
    """
    return f"{points(row['mean'])} points ({points(row['low'])} to {points(row['high'])})"
