"""What seeds say: paired tests, standard errors, intervals about means, corrections for many tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keyfilters.checks import finite, integer
from keyfilters.uncertainty import _row, confidence_level

EXACT_SIGN_FLIPS = 14
"""Up to so many pairs all 2^n sign patterns are counted; beyond, 20,000 are drawn."""


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
