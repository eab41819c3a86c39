"""Separable filters of one axis, two, three and four: models, spread, fits, motion, and smoothing that never looks ahead."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from scipy import ndimage

from keyfilters import (
    KEYS,
    axis_keys,
    discrete_gaussian,
    fit_separable,
    ideal_filter,
    separable_filter,
    spread,
    time_causal_kernel,
    time_causal_smooth,
)  # fmt: skip
from keyfilters.moments import coordinates
from keyfilters.temporal import time_constants

SCALE = st.floats(0.2, 1.6)
ROWS = st.sampled_from([(axes, name) for axes in ("x", "xy", "xyz") for name in axis_keys(axes)])
RATIO = st.floats(1.1, 3.0)


@given(SCALE, SCALE, st.sampled_from([5, 7, 9]), st.sampled_from(["crop", "exact"]))
def test_in_the_plane_they_are_the_keys_to_the_last_bit(sigma_x, sigma_y, size, edge):
    rows = {operators: name for name, operators in axis_keys("xy").items()}
    assert len(rows) == 7 and all((key.x, key.y) in rows for key in KEYS)
    for key in KEYS:
        if key.number != 7:
            ours = separable_filter((key.x, key.y), (sigma_x, sigma_y), size=size, edge=edge)
            np.testing.assert_array_equal(ours, ideal_filter(key, sigma_x, sigma_y, size=size, edge=edge))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.tuples(SCALE, SCALE, SCALE), st.floats(0.01, 100), st.sampled_from(["crop", "exact"]))
def test_a_fit_finds_the_scales_of_a_filter_without_noise(row, sigma, amplitude, edge):
    axes, name = row
    operators, sigma = axis_keys(axes)[name], sigma[: len(axes)]
    found = fit_separable(operators, -amplitude * separable_filter(operators, sigma, edge=edge), edge=edge)
    assert found.converged and found.left < 1e-20
    np.testing.assert_allclose(found.sigma, sigma, rtol=0, atol=1e-6)
    assert found.amplitude == pytest.approx(-amplitude, rel=1e-6)


def test_a_fit_with_noise_is_the_least_sum_of_squares():
    rng = np.random.default_rng(20260401)
    operators = axis_keys("xyz")["y-"]
    h = separable_filter(operators, [0.5, 0.7, 0.6], size=5) + 0.02 * rng.standard_normal((5, 5, 5))
    found = fit_separable(operators, h)
    assert found.converged and 0 < found.left < 0.5

    def left(sigma):
        model = separable_filter(operators, sigma, size=5)
        return ((h - (h * model).sum() / (model**2).sum() * model) ** 2).sum() / (h**2).sum()

    assert left(found.sigma) == pytest.approx(found.left, rel=1e-9)
    for axis, step in np.ndindex(3, 2):
        beside = np.array(found.sigma)
        beside[axis] += (0.01, -0.01)[step]
        assert left(beside) > found.left


@given(st.integers(1, 4), SCALE, SCALE)
def test_smoothing_twice_adds_the_variances(axes, first, second):
    plain, size = ("identity",) * axes, 9
    one = np.pad(separable_filter(plain, first, size=size), size // 2)
    both = ndimage.convolve(one, separable_filter(plain, second, size=size), mode="constant") if axes < 3 else None
    if both is None:  # axis by axis: what a separable kernel is for
        both = one
        for axis in range(axes):
            both = ndimage.convolve1d(both, discrete_gaussian(second, size // 2), axis=axis, mode="constant")
    middle = (slice(size // 2, -(size // 2)),) * axes
    expected = separable_filter(plain, np.hypot(first, second), size=size)
    beyond = 2 * axes * (1 - discrete_gaussian([first, second], size // 2).sum(-1).min()) + 1e-14
    np.testing.assert_allclose(both[middle], expected, rtol=0, atol=beyond)


@given(st.tuples(st.floats(0.2, 0.9), st.floats(0.2, 0.9), st.floats(0.2, 0.9)), st.integers(1, 3))
def test_smoothing_has_positive_taps_sum_one_and_its_variances(sigma, axes):
    h = separable_filter(("identity",) * axes, sigma[:axes], size=31)
    found = spread(h)
    assert h.min() >= -1e-15 and found.l1_norm == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found.covariance, np.diag(np.square(sigma[:axes])), rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.mean, 0, atol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_the_spread_of_a_filter_in_the_plane_is_what_it_was_to_the_last_bit(seed):
    a = np.abs(np.random.default_rng(seed).standard_normal((7, 7)))
    x, y = coordinates(7)
    mean = np.array([(x * a).sum(), (y * a).sum()]) / a.sum()
    second = np.array([[(x * x * a).sum(), (x * y * a).sum()], [(x * y * a).sum(), (y * y * a).sum()]]) / a.sum()
    found = spread(a)
    np.testing.assert_array_equal(found.mean, mean)
    np.testing.assert_array_equal(found.covariance, second - np.outer(mean, mean))


@given(st.integers(0, 2**32 - 1), st.permutations(range(3)))
def test_the_spread_of_a_volume_turns_with_it(seed, order):
    a = np.random.default_rng(seed).standard_normal((5, 5, 5))
    here, there = spread(a[:, ::-1]), spread(np.transpose(a, order)[:, ::-1])  # all axes grow with their index
    axes = [2 - order[2 - i] for i in range(3)]
    np.testing.assert_allclose(there.mean, here.mean[axes], atol=1e-12)
    np.testing.assert_allclose(there.covariance, here.covariance[np.ix_(axes, axes)], atol=1e-12)
    assert np.linalg.eigvalsh(here.covariance).min() > 0


@given(st.floats(0.5, 1.0), st.floats(0.3, 0.8), st.floats(-1.2, 1.2))
def test_motion_shears_mean_and_covariance(sigma, sigma_t, velocity):
    h = separable_filter(("identity",) * 2, (sigma, sigma_t), size=31, velocity=velocity)
    found, s, tau = spread(h), sigma**2, sigma_t**2
    assert h.min() >= -1e-15
    expected = [[s + velocity**2 * tau, velocity * tau], [velocity * tau, tau]]
    np.testing.assert_allclose(found.covariance, expected, rtol=0, atol=1e-9)


@given(st.integers(-2, 2), st.sampled_from(["t+", "t-", "t"]), st.integers(0, 2**32 - 1))
def test_a_moving_temporal_difference_is_blind_to_what_moves_with_it(velocity, key, seed):
    pattern = np.random.default_rng(seed).standard_normal(40)
    moving = np.stack([np.roll(pattern, velocity * t) for t in range(40)])[::-1]  # time grows up, as y does
    h = separable_filter(axis_keys("xt")[key], (0.5, 0.6), size=21, velocity=velocity)
    assert np.abs(ndimage.convolve(moving, h, mode="wrap")[12:-12]).max() < 1e-3 * np.abs(pattern).max()
    plain = separable_filter(axis_keys("xt")[key], (0.5, 0.6), size=21)
    assert velocity == 0 or np.abs(ndimage.convolve(moving, plain, mode="wrap")).max() > 0.05


@given(st.floats(0.1, 6.0), RATIO, st.integers(1, 10))
def test_the_time_causal_kernel_is_positive_with_sum_one_and_its_variance(sigma, c, levels):
    mu = time_constants(sigma, c, levels)
    t = np.arange(80 * (1 + int(mu.sum())) + 200)
    h = time_causal_kernel(sigma, len(t), c=c, levels=levels)
    mean = h @ t
    assert h.min() >= 0 and h.sum() == pytest.approx(1, abs=1e-12)
    assert mean == pytest.approx(mu.sum(), rel=1e-9) and h @ (t - mean) ** 2 == pytest.approx(sigma**2, rel=1e-8)


@given(st.floats(0.3, 4.0), RATIO, st.integers(2, 8))
def test_a_stage_leads_from_one_scale_to_the_next(sigma, c, levels):
    fine = time_causal_kernel(sigma / c, 60, c=c, levels=levels - 1)
    mu = time_constants(sigma, c, levels)[-1]
    stage = (mu / (1 + mu)) ** np.arange(60) / (1 + mu)
    coarse = time_causal_kernel(sigma, 60, c=c, levels=levels)
    np.testing.assert_allclose(np.convolve(fine, stage)[:60], coarse, rtol=0, atol=1e-14)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 5.0), st.integers(1, 49))
def test_it_knows_no_future(seed, sigma, now):
    signal = np.random.default_rng(seed).standard_normal(50)
    other = np.where(np.arange(50) < now, signal, -signal)
    np.testing.assert_array_equal(time_causal_smooth(signal, sigma)[:now], time_causal_smooth(other, sigma)[:now])


def extrema(signal):
    """Changes of direction of a signal; steps that are rounding are none."""
    steps = np.diff(signal)
    return int((np.diff(np.sign(steps[np.abs(steps) > 1e-12])) != 0).sum())


@given(st.lists(st.integers(-5, 5), min_size=3, max_size=40), st.floats(0.1, 5.0), RATIO)
def test_no_stage_makes_a_new_extremum(values, sigma, c):
    before, signal = len(values), np.concatenate([[0.0], values, np.zeros(20)])
    for levels in range(1, 6):
        # The first stages of a cascade are those of the finer scale.
        after = extrema(time_causal_smooth(signal, sigma * c ** (levels - 5), c=c, levels=levels))
        assert after <= (extrema(signal) if levels == 1 else before)
        before = after


@given(st.floats(0.2, 2.0))
def test_a_causal_filter_vanishes_before_now(sigma):
    for name in ("t-", "T"):
        h = separable_filter(axis_keys("xyt")[name], (0.6, 0.6, sigma), size=9, causal=True)
        assert not h[:4].any() and h[4].any()
    np.testing.assert_allclose(
        h.sum((1, 2))[4:], time_causal_kernel(sigma, 5) * discrete_gaussian(0.6, 4).sum() ** 2, rtol=1e-12
    )


def test_scale_zero_leaves_everything_as_it_is():
    signal = np.random.default_rng(1).standard_normal((3, 8))
    np.testing.assert_array_equal(time_causal_smooth(signal, 0.0, axis=1), signal)
    np.testing.assert_array_equal(separable_filter(("identity",) * 3, 0.0, size=3), np.eye(1, 27, 13).reshape(3, 3, 3))


@each(
    ("call", "message"),
    [
        (lambda: axis_keys("xx"), "axes is 'xx'"),
        (lambda: axis_keys("T"), "axes is 'T'"),
        (lambda: axis_keys(3), "axes is 3"),
        (lambda: separable_filter("xyz", 1.0), "operators is 'xyz'"),
        (lambda: separable_filter(("sideways",), 1.0), "unknown operator 'sideways'"),
        (lambda: separable_filter(("identity",) * 3, [1.0, 2.0]), r"sigma has shape \(2,\): expected one number, or 3"),
        (lambda: separable_filter(("identity",), -1.0), "sigma is -1"),
        (lambda: separable_filter(("identity",), 1.0, velocity=1), "velocity is 1 for one axis"),
        (
            lambda: separable_filter(("identity",) * 3, 1.0, velocity=[1]),
            r"velocity has shape \(1,\): expected one number, or 2",
        ),
        (
            lambda: separable_filter(("identity",) * 2, 0.3, velocity=0.5),
            "sigma is 0.3 along an axis with a velocity: expected at least 0.5",
        ),
        (lambda: fit_separable(("identity",) * 2, np.ones((5, 5, 5))), "expected 2 axes, one for each"),
        (
            lambda: fit_separable(("identity",) * 3, np.ones((5, 5, 4))),
            r"filter has shape \(5, 5, 4\): expected an array of equal axes",
        ),
        (lambda: spread(np.zeros((5, 5, 5))), "filter is all zero"),
        (lambda: time_constants(1.0, c=1.0), "one number above 1"),
        (lambda: time_causal_kernel(1.0, 0), "length is 0"),
        (lambda: time_causal_kernel(1.0, 5, levels=0), "levels is 0"),
        (lambda: time_causal_smooth([1.0, np.nan], 1.0), "values is nan"),
        (lambda: time_causal_smooth([1.0, 2.0], 1.0, axis=1), "expected an array with the axis 1"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    refused(call, message)
