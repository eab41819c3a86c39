"""Thresholding: proximal maps minimise their objectives, ReLU is half of soft, even kinds have no sign."""

import numpy as np
import pytest
import pywt
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from keyfilters_book.representations.parity import pooled_details, squares, wavelet_denoise
from keyfilters_book.representations.thresholding import ODD, PENALTIES, THRESHOLD_KINDS, objective, threshold

# PyWavelets divides by the magnitude, which overflows for numbers next to zero.
numbers = st.floats(-50, 50, allow_nan=False).map(lambda x: x if abs(x) > 1e-300 else 0.0)
levels = st.floats(0, 20, allow_nan=False)


@given(numbers, levels, numbers, st.sampled_from(sorted(PENALTIES)))
def test_a_proximal_map_minimises_its_objective(x, t, z, kind):
    y = threshold([x], t, kind)
    at_y = objective(y, x, t, kind)[0]
    scale = 1 + x**2 + t**2
    candidates = np.array([z, 0.0, x, x - t, x + t, float(y[0]) + 1e-3, float(y[0]) - 1e-3])
    assert (objective(candidates, x, t, kind) >= at_y - 1e-12 * scale).all()


@given(numbers, levels)
def test_soft_is_two_relus_and_what_clipping_takes_away(x, t):
    soft = threshold([x], t, "soft")
    assert soft == threshold([x], t, "relu") - threshold([-x], t, "relu")
    assert soft == pytest.approx(np.sign(x) * max(abs(x) - t, 0), abs=1e-12)
    assert soft + np.clip(x, -t, t) == pytest.approx(x, abs=1e-12)


@given(numbers, numbers, levels, st.sampled_from(sorted(PENALTIES)))
def test_proximal_maps_never_decrease_and_convex_ones_never_expand(x, y, t, kind):
    x, y = min(x, y), max(x, y)
    a, b = threshold([x, y], t, kind)
    assert a <= b
    if kind != "hard":
        assert b - a <= y - x + 1e-12


@given(numbers, levels)
def test_even_kinds_are_the_standard_ones_without_sign(x, t):
    for odd, even in ODD.items():
        assert threshold([-x], t, odd) == -threshold([x], t, odd)
        assert threshold([-x], t, even) == threshold([x], t, even) == np.abs(threshold([x], t, odd))
    assert threshold([x], t, "modulus") == abs(x)
    assert threshold([x], 0, "even-soft") == abs(x)


@given(st.lists(numbers, min_size=1, max_size=8), st.floats(0.01, 20))
@settings(max_examples=50)
def test_hard_and_soft_agree_with_pywavelets(x, t):
    x = np.array(x)
    assert np.allclose(threshold(x, t, "soft"), pywt.threshold(x, t, "soft"), atol=1e-12)
    # They differ by convention where the magnitude equals the threshold.
    off = np.abs(x) != t
    assert np.array_equal(threshold(x, t, "hard")[off], pywt.threshold(x, t, "hard")[off])


def test_thresholds_are_broadcast_and_float32_stays():
    x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(4, 3)
    for kind in THRESHOLD_KINDS:
        whole = threshold(x, [0.25, 0.5, 1.0], kind)
        assert whole.dtype == np.float32 and whole.shape == x.shape
        for column, t in enumerate((0.25, 0.5, 1.0)):
            assert np.array_equal(whole[:, column], threshold(x[:, column], t, kind))
    assert threshold([1.0], -0.5, "relu").tolist() == [1.5]


@each("call, message", [
    (lambda: threshold([1.0], -1.0, "soft"), "t is -1: expected a threshold >= 0"),
    (lambda: threshold([1.0], 1.0, "firm"), "unknown kind 'firm': expected one of hard, soft"),
    (lambda: threshold([np.nan], 1.0, "soft"), "x holds NaN|x is nan"),
    (lambda: threshold(np.array([np.inf]), 1.0, "soft"), "x holds NaN or infinity"),
    (lambda: threshold([1.0], [1.0, 2.0], "soft"), r"t has shape \(2,\)"),
    (lambda: threshold([1.0, 2.0, 3.0], [1.0, 2.0], "soft"), r"t has shape \(2,\)"),
    (lambda: objective([1.0], [1.0], 1.0, "modulus"), "unknown kind 'modulus'"),
    (lambda: wavelet_denoise(np.ones((60, 60)), 0.1), "divisible by 8"),
    (lambda: pooled_details(np.ones((1, 16, 16)), 0.1), "levels is 3: expected at most"),
    (lambda: pooled_details(np.ones((1, 64, 64)), 0.1, "x"), "unknown kind 'x'"),
    (lambda: squares(np.ones((4, 4)), 5), "at least one such square"),
])  # fmt: skip
def test_bad_input_is_named(call, message):
    refused(call, message)


def test_odd_thresholds_denoise_and_even_ones_tell_contrast_reversed_textures_alike():
    rng = np.random.default_rng(0)
    clean = np.add.outer(np.arange(64) > 30, np.arange(64) > 20).astype(float)
    noisy = clean + 0.2 * rng.normal(size=clean.shape)

    def error(image):
        return np.mean((image - clean) ** 2)

    assert error(wavelet_denoise(noisy, 0.4, "soft")) < 0.5 * min(error(noisy), error(wavelet_denoise(noisy, 0.4, "even-soft")))
    assert np.allclose(wavelet_denoise(noisy, 0.0, "soft"), noisy, atol=1e-10)
    bank = rng.normal(size=(3, 64, 64))
    for odd, even in ODD.items():
        assert np.allclose(pooled_details(-bank, 0.5, odd), -pooled_details(bank, 0.5, odd), atol=1e-12)
        assert np.allclose(pooled_details(-bank, 0.5, even), pooled_details(bank, 0.5, even), atol=1e-12)
        assert pooled_details(bank, 0.5, even).min() > 0
    assert squares(clean, 32).shape == (4, 32, 32) and np.array_equal(squares(clean, 32)[1], clean[:32, 32:])
