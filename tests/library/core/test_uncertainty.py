"""Intervals and paired tests against their definitions."""

from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from keyfilters.uncertainty import bootstrap_interval, mcnemar, wilson
from keyfilters_book.significance import paired_test, standard_errors

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
rows = st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=8)
truths = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


@settings(deadline=None)
@given(counts, st.floats(0.5, 0.99))
def test_the_ends_of_wilsons_interval_solve_its_equation(trial, level):
    """At an end p the observed proportion is z standard errors away, the error taken at p itself."""
    from scipy.stats import norm

    k, n = trial
    z = norm.ppf((1 + level) / 2)
    for p in wilson(k, n, level):
        assert 0 <= p <= 1
        assert (k / n - p) ** 2 == pytest.approx(z**2 * p * (1 - p) / n, abs=1e-12)


@settings(deadline=None)
@given(counts)
def test_wilson_holds_the_proportion_and_mirrors(trial):
    k, n = trial
    low, high = wilson(k, n)
    assert low <= k / n <= high and high - low > 0
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)
    inner = wilson(k, n, 0.8)
    assert low <= inner.low <= inner.high <= high


def test_wilson_covers():
    """A 95 % interval misses about one time in twenty, whatever the proportion."""
    rng = np.random.default_rng(5)
    for p in (0.5, 0.9):
        hits = [low <= p <= high for low, high in (wilson(k, 60) for k in rng.binomial(60, p, 800).tolist())]
        assert 0.92 < np.mean(hits) < 0.98


@settings(deadline=None)
@given(truths)
def test_mcnemar_is_the_binomial_sum(pairs):
    a, b = zip(*pairs, strict=True)
    found = mcnemar(a, b)
    m, low = found.only_a + found.only_b, found.statistic
    tail = sum(Fraction(comb(m, i), 2**m) for i in range(low + 1))
    assert found.p == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-12)
    assert found.difference == pytest.approx(np.mean(a) - np.mean(b), abs=1e-12)
    swapped = mcnemar(b, a)
    assert (swapped.only_a, swapped.p) == (found.only_b, found.p)


def test_mcnemar_ignores_what_both_get_right():
    a, b = [True, True, True, False], [False, True, True, True]
    assert mcnemar(a, b).p == mcnemar(a + [True] * 50, b + [True] * 50).p == 1.0


@settings(max_examples=40, deadline=None)
@given(rows, st.data())
def test_the_sign_flips_are_all_counted(a, data):
    b = data.draw(st.lists(st.floats(-1, 1, width=32), min_size=len(a), max_size=len(a)))
    # In steps of 1/64, whose sums are exact: two patterns of signs are a tie, or they are not.
    a, b = (np.round(64 * np.array(row)) / 64 for row in (a, b))
    found = paired_test(a, b)
    d = np.subtract(a, b)
    sums = np.array([np.dot(signs, d) for signs in product((-1, 1), repeat=len(d))])
    assert found.exact
    assert found.p == pytest.approx(np.mean(np.abs(sums) >= abs(d.sum()) - 1e-12 * (1 + np.abs(d).sum())), abs=1e-9)
    assert found.smallest_p <= found.p <= 1
    assert found.low <= found.mean <= found.high


@settings(max_examples=40, deadline=None)
@given(rows)
def test_a_paired_test_turns_with_its_arguments(a):
    b = a[1:] + a[:1]
    there, back = paired_test(a, b), paired_test(b, a)
    assert (there.mean, there.low, there.p) == pytest.approx((-back.mean, -back.high, back.p), abs=1e-12)
    moved = paired_test(np.add(a, 3.0), np.add(b, 3.0))
    assert moved.mean == pytest.approx(there.mean, abs=1e-12)


def test_the_interval_is_students():
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 9))
    found, students = paired_test(a, b, 0.9), ttest_rel(a, b)
    assert found.p_t == pytest.approx(students.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(students.confidence_interval(0.9)))


def test_many_pairs_are_sampled_with_the_seed():
    a = np.random.default_rng(0).normal(0.2, 1, size=40)
    first, again, other = (paired_test(a, 0 * a, seed=s) for s in (1, 1, 2))
    assert not first.exact and first == again
    assert first.p == pytest.approx(other.p, abs=0.03) and first.p == pytest.approx(first.p_t, abs=0.03)


@pytest.mark.parametrize(("shift", "p_t"), [(0.0, 1.0), (0.1, 0.0)])
def test_equal_differences_have_no_spread(shift, p_t):
    a = np.array([0.1, 0.7, 0.3])
    found = paired_test(a + shift, a)
    assert (found.low, found.high) == pytest.approx((shift, shift)) and found.p_t == p_t
    assert found.p == (1.0 if shift == 0 else found.smallest_p)
    # Two seeds cannot show anything.
    assert paired_test([5.0, 6.0], [1.0, 2.5]).p == paired_test([5.0, 6.0], [1.0, 2.5]).smallest_p == 0.5


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=12), st.integers(0, 5))
def test_bootstrap_follows_affine_maps_and_its_seed(values, seed):
    groups = [i % 3 for i in range(len(values))]
    for labels in (None, groups):
        found = bootstrap_interval(values, labels, draws=60, seed=seed)
        assert found == bootstrap_interval(values, labels, draws=60, seed=seed)
        assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
        moved = bootstrap_interval(2 * np.array(values) + 1, labels, draws=60, seed=seed)
        assert (moved.low, moved.high) == pytest.approx((2 * found.low + 1, 2 * found.high + 1), abs=1e-9)


def test_the_mean_of_many_is_as_the_normal_says():
    x = np.random.default_rng(3).normal(size=400)
    found = bootstrap_interval(x)
    assert found.high - found.low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.1)


def test_groups_that_differ_widen_the_interval():
    rng = np.random.default_rng(4)
    centre = np.repeat(rng.normal(0, 3, size=6), 50)
    x, labels = centre + rng.normal(size=300), np.repeat(list("abcdef"), 50)
    flat, grouped = bootstrap_interval(x, draws=500), bootstrap_interval(x, labels, draws=500)
    assert flat.estimate == grouped.estimate
    assert grouped.high - grouped.low > 3 * (flat.high - flat.low)
    shuffled = rng.permutation(300)
    moved = bootstrap_interval(x[shuffled], labels[shuffled], draws=500)
    assert (moved.low, moved.high) == pytest.approx((grouped.low, grouped.high), abs=0.6)


def test_any_statistic():
    x = [0.0, 0.0, 0.0, 9.0]
    assert bootstrap_interval(x, statistic=np.median, draws=200).estimate == 0.0
    found = bootstrap_interval(x, list("aabb"), statistic=lambda v: float(np.max(v)), draws=50)
    assert (found.estimate, found.high, found.low) == (9.0, 9.0, 0.0)


@each(
    ("call", "message"),
    [
        (lambda: wilson(3, 2), "successes is 3: expected at most n, 2"),
        (lambda: wilson(0, 0), "n is 0: expected an integer of at least 1"),
        (lambda: wilson(0.5, 2), "successes is 0.5"),
        (lambda: wilson(1, 2, 95), "level is 95: expected a number between 0 and 1"),
        (lambda: wilson(1, 2, np.nan), "level is nan"),
        (lambda: mcnemar([], []), "a_correct has shape"),
        (lambda: mcnemar([1, 2], [0, 1]), "a_correct holds 2"),
        (lambda: mcnemar([1], [0, 1]), "b_correct has 2 samples: expected 1"),
        (lambda: paired_test([1.0], [2.0]), "a has shape .* at least 2 numbers"),
        (lambda: paired_test([1.0, np.nan], [2.0, 1.0]), "a is nan"),
        (lambda: paired_test([1.0, 2.0, 3.0], [2.0, 1.0]), "b has 2 values"),
        (lambda: bootstrap_interval([1.0]), "values has shape"),
        (lambda: bootstrap_interval([1.0, np.inf]), "values is inf"),
        (lambda: bootstrap_interval([1.0, 2.0], ["a"]), "groups has shape"),
        (lambda: bootstrap_interval([1.0, 2.0], ["a", "a"]), "one label only"),
        (lambda: bootstrap_interval([1.0, 2.0], draws=0), "draws is 0"),
        (lambda: bootstrap_interval([1.0, 2.0], seed=-1), "seed is -1"),
        (lambda: bootstrap_interval([1.0, 2.0], statistic=lambda v: v), "expected one finite number"),
    ],
)
def test_a_mistake_is_one_line(call, message):
    refused(call, message)


@settings(deadline=None)
@given(rows)
def test_standard_errors_are_students_statistic(values):
    from scipy.stats import ttest_1samp

    found = standard_errors(values)
    if np.ptp(values) <= 1e-6 * np.abs(values).max():
        assert found == 0 or np.sign(found) == np.sign(np.mean(values))
    else:
        assert found == pytest.approx(ttest_1samp(values, 0.0).statistic, rel=1e-6)
    assert standard_errors(np.negative(values)) == -found
