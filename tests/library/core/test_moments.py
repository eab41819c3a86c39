"""Spread measures, monomial responses, normalisation and DC compensation."""

import numpy as np
import pytest
from each import each
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from refusals import refused

from keyfilters import (
    dc_compensation,
    dc_error,
    ideal_filter,
    learned_filters,
    monomial_response,
    normalize,
    normalized_filters,
    spread,
)  # fmt: skip
from keyfilters.normalization import PUBLISHED_WINDOWS, parabola_vertex

VALUE = st.floats(-1, 1).map(lambda v: round(v, 3))
SMALL = arrays(np.float64, (5, 5), elements=VALUE)


def padded(h, dx, dy, size=11):
    """The filter in a wider window, shifted by dx to the right and dy up."""
    out = np.zeros((size, size))
    start = (size - len(h)) // 2
    out[start - dy : start - dy + len(h), start + dx : start + dx + len(h)] = h
    return out


@given(SMALL, st.integers(-3, 3), st.integers(-3, 3))
def test_a_shift_moves_the_mean_and_nothing_else(h, dx, dy):
    assume(np.abs(h).sum() > 0.1)
    here, there = spread(padded(h, 0, 0)), spread(padded(h, dx, dy))
    np.testing.assert_allclose(there.mean - here.mean, (dx, dy), atol=1e-12)
    np.testing.assert_allclose(there.covariance, here.covariance, atol=1e-11)
    assert there.l1_norm == pytest.approx(here.l1_norm)


@given(SMALL, st.floats(-5, 5).filter(lambda a: abs(a) > 1e-3))
def test_spread_ignores_amplitude_and_sign(h, amplitude):
    assume(np.abs(h).sum() > 0.1)
    a, b = spread(h), spread(amplitude * h)
    np.testing.assert_allclose(a.covariance, b.covariance, atol=1e-12)
    assert b.l1_norm == pytest.approx(abs(amplitude) * a.l1_norm)


@given(SMALL)
def test_covariance_is_positive_semidefinite_and_turns_with_the_filter(h):
    assume(np.abs(h).sum() > 0.1)
    v = spread(h).covariance
    assert np.linalg.eigvalsh(v).min() > -1e-12
    turned = spread(np.rot90(h)).covariance
    np.testing.assert_allclose(turned, [[v[1, 1], -v[0, 1]], [-v[0, 1], v[0, 0]]], atol=1e-12)


@given(st.floats(0.1, 1.2), st.floats(0.1, 1.2))
def test_variance_of_the_smoothing_key(sx, sy):
    s = spread(ideal_filter(8, sx, sy, size=31))
    np.testing.assert_allclose(s.covariance, np.diag([sx**2, sy**2]), atol=1e-12)


def test_weight_is_a_product_of_absolute_values():
    h, w = learned_filters()[0], ideal_filter(1, 1.0)
    weighted, product = spread(h, -w), spread(np.abs(h) * np.abs(w))
    np.testing.assert_allclose(weighted.covariance, product.covariance)


@given(SMALL, st.integers(0, 3), st.integers(0, 3))
def test_monomial_response_is_a_convolution_at_the_origin(h, p, q):
    assume(np.abs(h).sum() > 0.1)
    x = np.arange(-6, 7.0)
    plane = np.outer((-x) ** q, x**p)  # row 0 is y = +6
    centre = sum(h[i, j] * plane[6 - (i - 2), 6 - (j - 2)] for i in range(5) for j in range(5))
    assert monomial_response(h, p, q) == pytest.approx(centre, abs=1e-9)


@pytest.mark.parametrize("key", range(1, 9))
def test_normalised_response_is_one(key):
    h = normalized_filters("exact")[key - 1]
    p, q = {5: (1, 0), 2: (1, 0), 4: (1, 0), 7: (0, 0), 8: (0, 0)}.get(key, (0, 1))
    assert monomial_response(h, p, q, spread(h).mean) == pytest.approx(1, abs=1e-12)


@given(st.integers(1, 8), st.floats(0.01, 100), st.booleans())
def test_normalisation_undoes_amplitude(key, amplitude, negative):
    h = learned_filters()[key - 1]
    factor = -amplitude if negative and key < 7 else amplitude
    np.testing.assert_allclose(normalize(factor * h, key, "exact"), normalize(h, key, "exact"), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("key", [7, 8])
def test_the_exact_constant_is_the_global_minimum(key):
    h = learned_filters()[key - 1]
    found = dc_compensation(h, key, "exact")
    assert found.kink
    assert (h == found.constant).sum() == 1
    fine = np.linspace(h.min(), h.max(), 200_001)
    assert dc_error(h, fine).min() >= found.error - 1e-12
    # Dyadic offsets do not round: the kink moves with the filter, and normalisation undoes any constant.
    assert dc_compensation(h + 0.5, key, "exact").constant == pytest.approx(found.constant + 0.5, abs=1e-15)
    np.testing.assert_allclose(normalize(h + 0.3, key, "exact"), normalize(h, key, "exact"), atol=1e-12)


@pytest.mark.parametrize("key", [7, 8])
def test_the_published_procedure_stays_beside_the_kink(key):
    h = learned_filters()[key - 1]
    published, exact = dc_compensation(h, key), dc_compensation(h, key, "exact")
    low, high = PUBLISHED_WINDOWS[key]
    assert low < published.constant < high
    assert published.window == (low, high)
    assert 0 < abs(published.constant - exact.constant) < (high - low) / 99
    assert published.error > exact.error
    # Another filter has no published window.
    other = dc_compensation(ideal_filter(8, 0.8) + 0.5, 8, "published")
    assert other.window is None and abs(other.constant - 0.5) < 0.02


@given(st.integers(0, 2**32 - 1))
def test_exact_compensation_beats_a_fine_scan_on_any_filter(seed):
    h = np.random.default_rng(seed).normal(size=(5, 5)).round(3)
    found = dc_compensation(h, 8, "exact")
    assert dc_error(h, np.linspace(h.min(), h.max(), 2001)).min() >= found.error - 1e-9


def test_parabola_vertex():
    u = np.array([0.5, 0.7, 1.2])
    assert parabola_vertex(u, 3 * (u - 0.8) ** 2 + 1) == pytest.approx(0.8)


def test_results_are_read_only():
    for filters in (learned_filters(), normalized_filters()):
        with pytest.raises(ValueError, match="read-only"):
            filters[0, 0, 0] = 1.0


@each(
    ("call", "message"),
    [
        (lambda: spread(np.zeros((3, 3))), "filter is all zero"),
        (lambda: spread(np.ones((4, 4))), r"filter has shape \(4, 4\)"),
        (lambda: spread(np.ones((3, 5))), r"filter has shape \(3, 5\)"),
        (lambda: spread(np.ones(8)), r"filter has shape \(8,\)"),
        (lambda: spread([[np.nan] * 3] * 3), "filter holds NaN or infinity"),
        (lambda: spread([["a"] * 3] * 3), "filter is not an array of real numbers"),
        (lambda: spread(np.ones((3, 3)) * 1j), "filter is not an array of real numbers"),
        (lambda: spread(np.ones((3, 3)), np.ones((5, 5))), r"weight has shape \(5, 5\)"),
        (lambda: spread(np.eye(3), 1 - np.ones((3, 3))), "weight is all zero"),
        (lambda: spread(np.eye(3), np.eye(3)[::-1] * (1 - np.eye(3))), "weight is zero wherever"),
        (lambda: monomial_response(np.eye(3), -1, 0), "p is -1"),
        (lambda: dc_compensation(np.eye(3), 1), "key 1 has no DC compensation"),
        (lambda: dc_compensation(np.eye(3), 8, "none"), "unknown dc 'none'"),
        (lambda: dc_compensation(np.ones((3, 3)), 8), "filter is constant"),
        (lambda: normalize(ideal_filter(8, 0.5), 5), "filter has no response to x"),
        (lambda: normalize(ideal_filter(5, 0.5), 8, "none"), "filter has no sum"),
        (lambda: normalize(np.eye(3), 8, "mean"), "unknown dc 'mean'"),
    ],
)
def test_wrong_input_is_named(call, message):
    refused(call, message)
