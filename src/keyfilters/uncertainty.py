"""Intervals and tests for accuracies and filters; scipy does the sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .checks import finite, integer


class Interval(NamedTuple):
    """Ends of an interval, ``low <= high``."""

    low: float
    high: float


class McNemar(NamedTuple):
    """Two classifiers on the same samples.

    Attributes
    ----------
    n : int
        Samples.
    only_a, only_b : int
        Samples that only the first, only the second classifies rightly.
    difference : float
        Accuracy of the first minus that of the second, ``(only_a - only_b) / n``.
    statistic : int
        The smaller of the two counts.
    p : float
        Two-sided, exact.
    """

    n: int
    only_a: int
    only_b: int
    difference: float
    statistic: int
    p: float


class Bootstrap(NamedTuple):
    """A statistic with its bootstrap interval: ``estimate``, ``low``, ``high``, ``level``, ``draws``, ``groups``."""

    estimate: float
    low: float
    high: float
    level: float
    draws: int
    groups: int


def confidence_level(level: float) -> float:
    """Return ``level`` as a float between 0 and 1."""
    value = float(finite(level, "level"))
    if not 0 < value < 1:
        raise ValueError(f"level is {value:g}: expected a number between 0 and 1, such as 0.95")
    return value


def _row(values, what: str, least: int = 1) -> np.ndarray:
    array = finite(values, what)
    if array.ndim != 1 or len(array) < least:
        raise ValueError(f"{what} has shape {array.shape}: expected a row of at least {least} number{'s'[: least - 1]}")
    return array


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    r"""Return Wilson's interval of a proportion.

    With :math:`\hat p = k / n` and z the normal quantile of the level:

    .. math::

        \frac{\hat p + z^2 / 2n \pm z \sqrt{\hat p (1 - \hat p) / n + z^2 / 4 n^2}}{1 + z^2 / n}

    It stays inside [0, 1] and has a width even where no or every trial succeeds.

    Parameters
    ----------
    successes, n : int
        ``0 <= successes <= n``, n >= 1.
    level : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        For counts or a level outside of these.

    Source: Wilson (1927).

    Examples
    --------
    >>> low, high = wilson(18, 20)
    >>> round(low, 3), round(high, 3)
    (0.699, 0.972)
    """
    from scipy.stats import binomtest

    n = integer(n, "n", 1)
    if integer(successes, "successes", 0) > n:
        raise ValueError(f"successes is {successes}: expected at most n, {n}")
    found = binomtest(int(successes), n).proportion_ci(confidence_level(level), method="wilson")
    # Rounding may leave the interval's end beside the proportion 0 or 1 itself.
    return Interval(min(float(found.low), successes / n), max(float(found.high), successes / n))


def mcnemar(a_correct: ArrayLike, b_correct: ArrayLike) -> McNemar:
    r"""Return McNemar's exact test of two classifiers on the same samples.

    Only samples on which the two differ count: under the null hypothesis ``only_a`` is binomial with
    ``only_a + only_b`` trials and probability 1/2.

    Parameters
    ----------
    a_correct, b_correct : array_like of bool, shape (n,)
        Which samples each classifies rightly.

    Raises
    ------
    ValueError
        If the two are not rows of truth values of the same length >= 1.

    Source: McNemar (1947).

    Examples
    --------
    >>> found = mcnemar([True] * 8 + [False] * 2, [False] * 6 + [True] * 2 + [False] * 2)
    >>> found.only_a, found.only_b, found.p
    (6, 0, 0.03125)
    """
    from scipy.stats import binomtest

    rows = []
    for name, values in (("a_correct", a_correct), ("b_correct", b_correct)):
        row = _row(values, name)
        if not np.isin(row, (0.0, 1.0)).all():
            raise ValueError(f"{name} holds {row[~np.isin(row, (0.0, 1.0))][0]:g}: expected True or False for each sample")
        rows.append(row.astype(bool))
    a, b = rows
    if len(a) != len(b):
        raise ValueError(f"b_correct has {len(b)} samples: expected {len(a)}, as many as a_correct")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    p = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return McNemar(len(a), only_a, only_b, (only_a - only_b) / len(a), min(only_a, only_b), p)


def _codes(groups, n: int) -> np.ndarray:
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(f"groups has shape {labels.shape}: expected ({n},), one label for each value")
    return np.unique(labels.astype(str), return_inverse=True)[1]


def bootstrap_interval(
    values: ArrayLike,
    groups: ArrayLike | None = None,
    statistic: Callable = np.mean,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Bootstrap:
    """Return a statistic with its percentile bootstrap interval.

    With ``groups`` (layers, say) the bootstrap is hierarchical: groups are drawn with replacement, then
    values with replacement inside each group drawn, and the statistic is taken over all of them together.
    Filters of one layer resemble each other, so an interval that ignores the layers is too narrow.

    Parameters
    ----------
    values : array_like, shape (n,)
        n >= 2 finite numbers.
    groups : array_like, shape (n,), optional
        A label for each value; at least 2 different ones.
    statistic : callable
        Takes a row of numbers and returns one number; called with ``axis=-1`` too if it knows the word.
    level : float
    draws : int
    seed : int
        The same seed gives the same interval.

    Raises
    ------
    ValueError
        For values that are not such a row, groups of another length or only one group, a level outside
        (0, 1), or a statistic that does not return a finite number.

    Source: Efron (1979); the hierarchical form as in Davison and Hinkley (1997), section 3.8.

    Examples
    --------
    >>> found = bootstrap_interval([0.1, 0.2, 0.8, 0.9], groups=["a", "a", "b", "b"], draws=200)
    >>> round(found.estimate, 6), found.low < 0.2, found.high > 0.8, found.groups
    (0.5, True, True, 2)
    """
    from scipy.stats import bootstrap

    x = _row(values, "values", 2)
    level, draws, seed = confidence_level(level), integer(draws, "draws", 1), integer(seed, "seed", 0)
    estimate = np.asarray(statistic(x))
    if estimate.shape != () or not np.isfinite(estimate):
        raise ValueError(f"the statistic gives {estimate!r}: expected one finite number".replace("\n", " "))
    rng = np.random.default_rng(seed)
    if groups is None:
        found = bootstrap(
            (x,), statistic, n_resamples=draws, confidence_level=level, method="percentile",
            batch=max(1, 2**22 // len(x)), random_state=rng,
        )  # fmt: skip
        low, high = found.confidence_interval
        return Bootstrap(float(estimate), float(low), float(high), level, draws, 1)
    code = _codes(groups, len(x))
    order = np.argsort(code, kind="stable")
    x, sizes = x[order], np.bincount(code)
    if len(sizes) < 2:
        raise ValueError("groups holds one label only: expected at least 2 groups, or none at all")
    starts = np.cumsum(sizes) - sizes
    found = np.empty(draws)
    for draw in range(draws):
        drawn = rng.integers(len(sizes), size=len(sizes))
        inside = (rng.random(sizes[drawn].sum()) * np.repeat(sizes[drawn], sizes[drawn])).astype(np.int64)
        found[draw] = statistic(x[np.repeat(starts[drawn], sizes[drawn]) + inside])
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Bootstrap(float(estimate), float(low), float(high), level, draws, len(sizes))
