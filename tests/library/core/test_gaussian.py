"""The discrete analogue of the Gaussian: its defining properties, against Bessel functions as the oracle."""

import numpy as np
from each import each
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused
from scipy.special import ive

from keyfilters.gaussian import GAUSSIAN_KINDS, discrete_gaussian, gaussian_kernel, half_discrete_gaussian, scale_derivative

SIGMA = st.floats(0.0, 3.0, allow_subnormal=False)
WIDE = 60


@given(SIGMA, st.integers(0, 12))
def test_equals_the_bessel_function(sigma, radius):
    n = np.abs(np.arange(-radius, radius + 1))
    np.testing.assert_allclose(discrete_gaussian(sigma, radius), ive(n, sigma**2), rtol=0, atol=2e-16 * 4)


@given(st.floats(3.0, 12.0))
def test_equals_the_bessel_function_at_large_scales(sigma):
    # The lattice must grow with the scale, or aliasing shows.
    n = np.abs(np.arange(-20, 21))
    np.testing.assert_allclose(discrete_gaussian(sigma, 20), ive(n, sigma**2), rtol=0, atol=1e-15)


@given(SIGMA, SIGMA)
def test_semigroup(a, b):
    left = np.convolve(discrete_gaussian(a, WIDE), discrete_gaussian(b, WIDE))[WIDE:-WIDE]
    np.testing.assert_allclose(left, discrete_gaussian(np.hypot(a, b), WIDE), rtol=0, atol=1e-14)


@given(SIGMA)
def test_sum_symmetry_sign_variance_and_one_mode(sigma):
    t = discrete_gaussian(sigma, WIDE)
    n = np.arange(-WIDE, WIDE + 1)
    assert abs(t.sum() - 1) < 1e-14
    assert (t == t[::-1]).all()
    assert t.min() > -1e-15
    assert abs((t * n**2).sum() - sigma**2) < 1e-11
    assert (np.diff(half_discrete_gaussian(sigma**2, 20)) <= 1e-15).all()


def test_zero_scale_is_the_exact_impulse():
    assert discrete_gaussian(0.0, 2).tolist() == [0, 0, 1, 0, 0]
    assert discrete_gaussian([0.0, 1.0], 1)[0].tolist() == gaussian_kernel(0.0, 1, "integrated").tolist() == [0, 1, 0]


@given(st.floats(0.01, 9.0))
def test_diffusion_equation(s):
    h = 1e-4 * s
    numeric = (discrete_gaussian(np.sqrt(s + h), 5) - discrete_gaussian(np.sqrt(s - h), 5)) / (2 * h)
    np.testing.assert_allclose(scale_derivative(discrete_gaussian(np.sqrt(s), 6)), numeric, atol=1e-6)


def test_broadcasts_over_scales():
    sigma = np.array([[0.0, 0.5, 1.0], [0.3, 2.0, 3.0]])
    t = discrete_gaussian(sigma, 4)
    assert t.shape == (2, 3, 9)
    for i in np.ndindex(2, 3):
        np.testing.assert_allclose(t[i], discrete_gaussian(sigma[i], 4), rtol=0, atol=1e-15)


@given(st.floats(0.8, 3.0), st.sampled_from(GAUSSIAN_KINDS))
def test_kinds_agree_where_the_scale_is_large(sigma, kind):
    n = np.arange(-WIDE, WIDE + 1)
    kernel = gaussian_kernel(sigma, WIDE, kind)
    assert abs(kernel.sum() - 1) < 1e-4
    # The integrated kernel carries the variance 1/12 of the box it is averaged over.
    expected = sigma**2 + (1 / 12 if kind == "integrated" else 0)
    assert abs((kernel * n**2).sum() - expected) < 0.01


def test_kinds_differ_where_the_scale_is_small():
    wide = {kind: gaussian_kernel(0.3, 20, kind) for kind in GAUSSIAN_KINDS}
    assert wide["sampled"].sum() > 1.3
    for kind in GAUSSIAN_KINDS:
        if kind != "sampled":
            assert abs(wide[kind].sum() - 1) < 1e-14


@each(
    ("arguments", "message"),
    [
        ((-0.1,), "sigma is -0.1"),
        ((float("nan"),), "sigma is nan"),
        ((float("inf"),), "sigma is inf"),
        (("wide",), "sigma is 'wide'"),
        ((1.0, -1), "radius is -1"),
        ((1.0, 2.5), "radius is 2.5"),
        ((1.0, 3, "box"), "unknown kind 'box'"),
        ((0.0, 3, "sampled"), "sigma is 0"),
        ((0.0, 3, "normalized-sampled"), "sigma is 0"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    refused(lambda: gaussian_kernel(*arguments), message)
