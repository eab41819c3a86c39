"""Transfer functions against the discrete Fourier transform, waves, and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from refusals import refused
from scipy import ndimage

import keyfilters as kf
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


def test_wrong_input_is_named():
    refused(lambda: sharpest_gain(0.5, 0), r"gamma is 0: expected a positive number")
    refused(lambda: sharpening_gain(0, 0, -1, 0.5), r"sigma is -1: expected a finite number >= 0")
    refused(lambda: transfer_function(np.eye(3), 0, np.nan), r"omega_y is nan: expected a finite number")
