"""Measures of filters: spectra against Fourier's transform, symmetry and separability, and the models of key 7."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from each import each
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from refusals import refused
from scipy import ndimage

import keyfilters as kf
from keyfilters_book.paper import structure
from keyfilters_book.paper.sharpening import MODELS, compare_models
from keyfilters_book.paper.spectrum import sharpening_gain, sharpest_gain, transfer_function

filters = arrays(np.float64, (5, 5), elements=st.floats(-1, 1).map(lambda v: round(v, 3))).filter(lambda h: h.any())


@given(filters)
def test_agrees_with_the_discrete_fourier_transform(h):
    # The transform counts rows downwards from the corner; here y grows upwards from the centre.
    spectrum = np.fft.fft2(np.fft.ifftshift(h))
    w = 2 * np.pi * np.arange(5) / 5
    assert np.allclose(transfer_function(h, w[None, :], -w[:, None]), spectrum, atol=1e-12)


@given(filters, st.integers(-3, 3), st.integers(-3, 3))
def test_convolution_multiplies_a_wave_by_it(h, a, b):
    n = 16
    wx, wy = 2 * np.pi * a / n, 2 * np.pi * b / n
    x, y = np.arange(n)[None, :], -np.arange(n)[:, None]
    wave = np.exp(1j * (wx * x + wy * y))
    filtered = ndimage.convolve(wave.real, h, mode="wrap") + 1j * ndimage.convolve(wave.imag, h, mode="wrap")
    assert np.allclose(filtered, transfer_function(h, wx, wy) * wave, atol=1e-10)


@given(st.floats(0, 1), st.floats(-1, 1), st.floats(-np.pi, np.pi), st.floats(-np.pi, np.pi))
def test_closed_form_of_key_7_is_that_of_a_large_model(sigma, gamma, wx, wy):
    model = kf.ideal_filter(7, sigma, gamma=gamma, size=25, edge="exact")
    assert transfer_function(model, wx, wy) == pytest.approx(complex(sharpening_gain(wx, wy, sigma, gamma)), abs=1e-9)


@given(st.floats(0, 2), st.floats(0.01, 2))
def test_largest_gain_bounds_all_frequencies_and_is_reached(sigma, gamma):
    w = np.linspace(0, np.pi, 181)
    gains = sharpening_gain(w[:, None], w[None, :], sigma, gamma)
    top, u = sharpest_gain(sigma, gamma)
    assert gains.max() <= top * (1 + 1e-12)
    assert gains.max() >= 1 + (top - 1) * 0.999
    half = np.arccos(1 - u / 2)
    assert float(sharpening_gain(half, half, sigma, gamma)) == pytest.approx(top)


VALUES = st.floats(-10, 10, allow_nan=False).map(lambda v: round(v, 3))
FILTERS = st.sampled_from([3, 5, 7]).flatmap(lambda n: hnp.arrays(np.float64, (n, n), elements=VALUES))


@given(FILTERS, st.floats(0.1, 5), st.sampled_from([0, 1]))
def test_shares_do_not_depend_on_amplitude_or_transposition(h, amplitude, axis):
    assume(np.abs(h).max() > 0.01)
    assert np.isclose(structure.rank_one_energy(h), structure.rank_one_energy(-amplitude * h.T), atol=1e-12)
    assert np.isclose(structure.odd_share(h, axis), structure.odd_share(amplitude * h, axis), atol=1e-12)
    # Transposing and turning by half a turn exchanges x and y, with y up.
    assert np.isclose(structure.odd_share(h, 0, 0.5), structure.odd_share(h.T, 1, -0.5), atol=1e-12)


@given(FILTERS, st.sampled_from([0, 1]))
def test_odd_and_even_parts_have_the_shares_they_should(h, axis):
    assume(np.abs(h).max() > 0.01)
    mirrored = np.flip(h, 1 - axis)
    share = structure.odd_share(h, axis)
    for part, expected in ((h - mirrored, share), (h + mirrored, 1 - share)):
        assert np.isclose(expected, ((part / 2) ** 2).sum() / (h**2).sum(), atol=1e-12)


@pytest.mark.parametrize("row", kf.KEYS[:6], ids=lambda row: f"key{row.number}")
def test_models_are_odd_about_their_own_centre_and_separable(row):
    h = kf.ideal_filter(row, 0.8)
    axis = row.derivative_axis
    assert structure.odd_share(h, axis, row.expected_offset[axis]) == pytest.approx(1, abs=1e-14)
    assert structure.odd_share(h, 1 - axis) == pytest.approx(0, abs=1e-14)
    assert structure.rank_one_energy(h) == pytest.approx(1, abs=1e-14)
    assert structure.mirror_correlation(h, 1 - axis) == pytest.approx(1, abs=1e-14)


@given(FILTERS)
def test_correlation_is_that_of_the_covariance_matrix(h):
    assume(np.abs(h).max() > 0.01)
    v = kf.spread(h).covariance
    assume(v[0, 0] > 1e-3 and v[1, 1] > 1e-3)
    assert np.isclose(structure.spread_correlation(h), v[0, 1] / np.sqrt(v[0, 0] * v[1, 1]), atol=1e-9)


def test_mirror_correlation_against_numpy():
    h = kf.learned_filters()[1]
    assert np.isclose(structure.mirror_correlation(h, 0), np.corrcoef(h.ravel(), h[:, ::-1].ravel())[0, 1], atol=1e-12)
    peak = np.unravel_index(np.abs(h).argmax(), h.shape)
    kept = np.ones(h.shape, dtype=bool)
    kept[peak] = kept[peak[0], 6 - peak[1]] = False
    expected = np.corrcoef(h[kept], h[:, ::-1][kept])[0, 1]
    assert np.isclose(structure.mirror_correlation(h, 0, without_peak=True), expected, atol=1e-12)


@each("function, arguments", [
    (structure.rank_one_energy, ()), (structure.spread_correlation, ()), (structure.odd_share, (1, -0.5)),
    (structure.mirror_correlation, (1, False)), (structure.mirror_correlation, (1, True)),
])  # fmt: skip
def test_functions_take_stacks(function, arguments):
    h = kf.learned_filters()
    assert np.allclose(function(h, *arguments), [function(one, *arguments) for one in h], atol=1e-14)


@pytest.mark.parametrize("keep", structure.KEPT)
def test_permutations_keep_the_values_and_what_they_should(keep):
    h = kf.learned_filters()[0]
    p = structure.permuted_filters(h, 50, seed=3, keep=keep)
    assert np.array_equal(np.sort(p.reshape(50, -1)), np.tile(np.sort(h.ravel()), (50, 1)))
    assert len(np.unique(p.reshape(50, -1), axis=0)) == 50
    assert np.array_equal(p, structure.permuted_filters(h, 50, seed=3, keep=keep))
    if keep == "two largest":
        assert (p[:, 4, 3] == h[4, 3]).all() and (p[:, 3, 3] == h[3, 3]).all()
    if keep == "rings":
        corners = np.array([0, 0, 6, 6]), np.array([0, 6, 0, 6])
        assert np.array_equal(np.sort(p[:, *corners]), np.tile(np.sort(h[corners]), (50, 1)))


@each(
    "call, message",
    [
        (lambda h: sharpest_gain(0.5, 0), r"gamma is 0: expected a positive number"),
        (lambda h: sharpening_gain(0, 0, -1, 0.5), r"sigma is -1: expected a finite number >= 0"),
        (lambda h: transfer_function(np.eye(3), 0, np.nan), r"omega_y is nan: expected a finite number"),
        (lambda h: compare_models(np.eye(3), [-1]), r"sigma is -1: expected a finite number >= 0"),
        (lambda h: structure.odd_share(h, 2), "axis is 2: expected 0"),
        (lambda h: structure.odd_share(h, 0, 0.3), "centre is 0.3: expected a multiple of 1/2"),
        (lambda h: structure.mirror_correlation(h, "x"), "axis is 'x': expected 0"),
        (lambda h: structure.permuted_filters(h, 0), "count is 0: expected an integer of at least 1"),
        (
            lambda h: structure.permuted_filters(h, 2, keep="all"),
            "unknown keep 'all': expected one of none, two largest, rings",
        ),
        (lambda h: structure.rank_one_energy(h[:2]), r"filter has shape \(2, 7\)"),
    ],
)
def test_bad_input_is_named(call, message):
    refused(lambda: call(kf.learned_filters()[0]), message)


@pytest.mark.parametrize("row", [m for m in MODELS if m.has_scale], ids=lambda m: m.name)
def test_each_model_recovers_its_own_scale_and_factors(row):
    fixed, parts = row.build(0.8, 9)
    factors = [-0.4, -0.7][: len(parts)]
    h = fixed + sum((f * part for f, part in zip(factors, parts, strict=True)), np.zeros_like(fixed))
    found = compare_models(h, np.linspace(0.4, 1.2, 9)).set_index("model").loc[row.name]
    assert found.sigma == pytest.approx(0.8)
    assert found.relative_l2 < 1e-12
    assert found.factors == ", ".join(f"{f:.3f}" for f in factors)


@given(st.floats(0, 1.5), st.floats(0.1, 1))
def test_published_model_is_the_idealised_filter_of_key_7(sigma, gamma):
    published = next(m for m in MODELS if m.name == "impulse, Laplacian of T")
    fixed, (part,) = published.build(sigma, 7)
    assert np.allclose(fixed - gamma * part, kf.ideal_filter(7, sigma, gamma=gamma), atol=1e-14)


def test_more_freedom_is_never_worse():
    sigma = np.linspace(0, 2, 101)
    error = compare_models(kf.normalized_filters()[6], sigma).set_index("model").relative_l2
    assert error["T"] <= error["impulse"] * (1 + 1e-12)
    assert error["impulse, Laplacian of T"] <= error["impulse, Laplacian of the impulse"] * (1 + 1e-12)
    assert error["impulse, second differences of T"] <= error["impulse, Laplacian of T"] * (1 + 1e-12)


def test_agrees_with_the_fit_of_key_7():
    fit = kf.fit(7, "D1")
    found = compare_models(kf.normalized_filters()[6], [fit.sigma_x]).set_index("model").loc["impulse, Laplacian of T"]
    assert found.relative_l2 == pytest.approx(fit.relative_l2, rel=1e-9)
    assert float(found.factors) == pytest.approx(-fit.gamma, abs=5e-4)
