"""Intervals and paired tests for accuracies, seeds and filters; scipy does the sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .checks import finite, integer

EXACT_SIGN_FLIPS = 14
"""Up to so many pairs all 2^n sign patterns are counted; beyond, 20,000 are drawn."""


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


class PairedTest(NamedTuple):
    """Paired values, seed by seed say.

    Attributes
    ----------
    n : int
        Pairs.
    mean : float
        Mean of a - b.
    low, high : float
        Interval of Student's t about the mean.
    p : float
        Two-sided, sign flips.
    p_t : float
        Two-sided, Student's t.
    exact : bool
        Whether all sign patterns were counted.
    smallest_p : float
        The least p that so many pairs can give, ``2 / 2^n`` where exact.
    """

    n: int
    mean: float
    low: float
    high: float
    p: float
    p_t: float
    exact: bool
    smallest_p: float


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


def paired_test(a: ArrayLike, b: ArrayLike, level: float = 0.95, seed: int = 0) -> PairedTest:
    r"""Return the mean difference of paired values with its interval and p-values.

    With differences :math:`d_i = a_i - b_i`: the interval is :math:`\bar d \pm t_{n-1} s_d / \sqrt n`; ``p``
    is the share of sign patterns :math:`\epsilon` whose :math:`|\sum_i \epsilon_i d_i|` is not below
    :math:`|\sum_i d_i|`. Few pairs cannot give a small p: ``smallest_p`` says how small (1/2 for two pairs,
    1/16 for five).

    Parameters
    ----------
    a, b : array_like, shape (n,)
        n >= 2 pairs, such as the accuracies of two variants under the same seeds.
    level : float
        Of the interval.
    seed : int
        For the drawn sign patterns, where there are too many to count.

    Raises
    ------
    ValueError
        If the two are not rows of finite numbers of the same length >= 2.

    Examples
    --------
    >>> found = paired_test([0.91, 0.90, 0.92, 0.91, 0.93], [0.89, 0.89, 0.90, 0.90, 0.90])
    >>> found.p, found.exact, round(found.mean, 3)
    (0.0625, True, 0.018)
    """
    from scipy.stats import permutation_test, ttest_1samp

    a, b = _row(a, "a", 2), _row(b, "b", 2)
    if len(a) != len(b):
        raise ValueError(f"b has {len(b)} values: expected {len(a)}, as many as a")
    level = confidence_level(level)
    d = a - b
    n, mean = len(d), float(d.mean())
    # Differences that are equal up to rounding have no spread; a t-test of them would divide by nothing.
    scale = max(np.abs(a).max(), np.abs(b).max())
    if np.ptp(d) <= 1e-13 * scale:
        low, high, p_t = mean, mean, 1.0 if abs(mean) <= 1e-13 * scale else 0.0
    else:
        found = ttest_1samp(d, 0.0)
        (low, high), p_t = map(float, found.confidence_interval(level)), float(found.pvalue)
    exact = n <= EXACT_SIGN_FLIPS
    draws = 2**n if exact else 20_000
    flips = permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=draws, vectorized=True, batch=max(1, 2**20 // n),
        random_state=np.random.default_rng(integer(seed, "seed", 0)),
    )  # fmt: skip
    return PairedTest(n, mean, low, high, float(flips.pvalue), p_t, exact, 2 / 2**n if exact else 2 / (draws + 1))


def standard_errors(values: ArrayLike) -> float:
    r"""Return how many standard errors the mean of the values lies above 0, :math:`\bar x \sqrt n / s`.

    What a claim about an effect has in hand; negative for a mean below 0, infinite where the values have no spread.

    Parameters
    ----------
    values : array_like, shape (n,)
        n >= 2, such as paired differences, one for each seed.

    Raises
    ------
    ValueError
        If the values are not a row of at least two finite numbers.

    Examples
    --------
    >>> round(standard_errors([1.0, 2.0, 3.0]), 3), standard_errors([0.5, 0.5]), standard_errors([0.0, 0.0])
    (3.464, inf, 0.0)
    """
    x = _row(values, "values", 2)
    mean, error = float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x)))
    if error <= 1e-13 * np.abs(x).max():
        return float(np.sign(mean)) * np.inf if mean else 0.0
    return mean / error


def t_interval(values: ArrayLike, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Ends of Student's interval about the mean over the first axis; the mean itself for a single run.

    Examples
    --------
    >>> low, high = t_interval([[1.0], [2.0], [3.0]])
    >>> round(float(high[0] - low[0]), 3)
    4.968
    """
    from scipy.stats import t

    y = np.asarray(values, dtype=float)
    half = t.ppf(0.5 + level / 2, len(y) - 1) * y.std(0, ddof=1) / np.sqrt(len(y)) if len(y) > 1 else np.zeros(y.shape[1:])
    return y.mean(0) - half, y.mean(0) + half


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


def holm(p: ArrayLike) -> np.ndarray:
    r"""p-values corrected for their number by Holm's step-down procedure.

    With the p-values in rising order, :math:`\tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})`:
    the probability of one false rejection or more among the m stays below the level, however the tests
    depend on each other.

    Parameters
    ----------
    p : array_like, shape (m,)

    Raises
    ------
    ValueError
        For what is not a row of numbers between 0 and 1.

    Source: Holm (1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    p = finite(p, "p")
    if p.ndim != 1 or (p < 0).any() or (p > 1).any():
        raise ValueError("p: expected a row of numbers between 0 and 1")
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1.0, np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order]))
    corrected = np.empty_like(p)
    corrected[order] = stepped
    return corrected
