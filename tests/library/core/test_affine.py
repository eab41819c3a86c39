"""The discrete affine Gaussian: its axioms, against the matrix exponential of its molecule; mixed and oriented derivatives."""

import numpy as np
from each import each
from hypothesis import assume, given
from hypothesis import strategies as st
from refusals import refused
from scipy.linalg import expm
from scipy.signal import fftconvolve

from keyfilters import (
    affine_covariance,
    affine_gaussian,
    affine_molecule,
    coupling_range,
    difference,
    discrete_gaussian,
    ideal_filter,
    jet_filters,
    molecule,
    oriented_filter,
)

SIGMA = st.floats(0.2, 1.5)
ANGLE = st.floats(-7.0, 7.0)
LONGEST = 1 + np.sqrt(2)
WIDE = 24


@st.composite
def covariances(draw):
    """Covariances for which there are couplings with taps >= 0."""
    across, longer = draw(st.floats(0.2, 0.8)), draw(st.floats(1.0, LONGEST))
    return affine_covariance(longer * across, across, draw(ANGLE))


@st.composite
def within(draw):
    """A covariance with a coupling for which no tap is negative."""
    c = draw(covariances())
    low, high = coupling_range(c)
    return c, low + draw(st.floats(0.0, 1.0)) * max(high - low, 0.0)


def moments(kernel):
    """Sum, mean and covariance of a kernel, y up."""
    n = np.arange(len(kernel)) - len(kernel) // 2
    x, y = np.meshgrid(n, n[::-1])
    mean = np.array([(kernel * x).sum(), (kernel * y).sum()])
    spread = np.array([[(kernel * a * b).sum() for a in (x, y)] for b in (x, y)])
    return kernel.sum(), mean, spread


@given(within())
def test_sum_mean_covariance_sign_and_point_symmetry(case):
    c, q = case
    kernel = affine_gaussian(c, q, WIDE)
    total, mean, spread = moments(kernel)
    assert abs(total - 1) < 1e-13 and np.abs(mean).max() < 1e-12
    np.testing.assert_allclose(spread, c, rtol=0, atol=1e-10)
    assert (kernel == kernel[::-1, ::-1]).all() and kernel.min() > -1e-15


@given(within(), within())
def test_semigroup_adds_covariances_and_couplings(one, other):
    both = fftconvolve(affine_gaussian(*one, WIDE), affine_gaussian(*other, WIDE), mode="same")
    np.testing.assert_allclose(both, affine_gaussian(one[0] + other[0], one[1] + other[1], WIDE), rtol=0, atol=1e-13)


@given(within(), st.floats(0.1, 4.0))
def test_covariance_grows_with_time(case, t):
    c, q = case
    np.testing.assert_allclose(moments(affine_gaussian(t * c, t * q, 40))[2], t * c, rtol=0, atol=1e-9)


@each("angle", [0.0, 0.3, 1.0, 2.5])
def test_is_the_matrix_exponential_of_the_molecule(angle):
    c, n = affine_covariance(0.8, 0.5, angle), 24
    q = sum(coupling_range(c)) / 2
    weights = affine_molecule(c, q)
    generator = np.zeros((n * n, n * n))
    for i in range(n):
        for j in range(n):
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    # The neighbour one row down is that of y - 1.
                    generator[i * n + j, (i + down) % n * n + (j + right) % n] = weights[1 + down, 1 + right]
    impulse = np.zeros((n, n))
    impulse[n // 2, n // 2] = 1.0
    solution = (expm(generator) @ impulse.ravel()).reshape(n, n)[n // 2 - 5 : n // 2 + 6, n // 2 - 5 : n // 2 + 6]
    np.testing.assert_allclose(affine_gaussian(c, q, 5), solution, rtol=0, atol=1e-14)


@given(covariances(), st.floats(0.05, 0.5), st.booleans())
def test_some_tap_is_negative_outside_of_the_region(c, beyond, above):
    low, high = coupling_range(c)
    # Above half the trace waves grow, and a kernel is refused.
    margin = beyond * (c.trace() / 2 - high if above else high)
    assume(margin > 1e-3 * c.trace())
    q = high + margin if above else low - margin
    # At a small time the kernel is the impulse and t times the molecule, up to t^2.
    t = 0.02 * margin / c.trace() ** 2
    assert affine_molecule(c, q).min(initial=0.0, where=~np.eye(9, dtype=bool)[4].reshape(3, 3)) < 0
    assert affine_gaussian(t * c, t * q, 2).min() < 0


@given(SIGMA, SIGMA, st.integers(1, 8))
def test_is_separable_without_mixed_terms(sigma_x, sigma_y, radius):
    product = np.outer(discrete_gaussian(sigma_y, radius), discrete_gaussian(sigma_x, radius))
    np.testing.assert_allclose(affine_gaussian(np.diag([sigma_x**2, sigma_y**2]), 0.0, radius), product, rtol=0, atol=1e-15)
    # A round covariance is coupled by nothing.
    round_product = np.outer(discrete_gaussian(sigma_x), discrete_gaussian(sigma_x))
    np.testing.assert_allclose(affine_gaussian(affine_covariance(sigma_x)), round_product, rtol=0, atol=1e-15)


@given(covariances())
def test_mirror_images_of_the_covariance_are_mirror_images_of_the_kernel(c):
    kernel = affine_gaussian(c)
    np.testing.assert_allclose(affine_gaussian(c * [[1, -1], [-1, 1]]), kernel[::-1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(affine_gaussian(c[::-1, ::-1]), kernel[::-1, ::-1].T[::-1, ::-1], rtol=0, atol=1e-15)


def test_the_long_axis_rises_with_a_positive_covariance():
    kernel = affine_gaussian(affine_covariance(1.5, 0.7, np.pi / 4))
    assert kernel[0, -1] > 10 * kernel[0, 0], "the upper right corner is x = y = 3"


@given(SIGMA, st.floats(1.0, LONGEST), ANGLE)
def test_up_to_one_and_root_two_each_angle_has_taps_that_are_not_negative(across, ratio, angle):
    low, high = coupling_range(affine_covariance(ratio * across, across, angle))
    assert low <= high * (1 + 1e-12)


@given(st.floats(LONGEST + 0.01, 5.0))
def test_beyond_it_an_angle_has_none(ratio):
    c = affine_covariance(ratio, 1.0, np.pi / 8)
    low, high = coupling_range(c)
    assert low > high
    refused(lambda: affine_gaussian(c), "no coupling has taps >= 0; give one")


def test_the_ends_of_the_region_are_within_and_wide_kernels_do_not_alias():
    assert affine_gaussian(affine_covariance(LONGEST, 1.0, np.pi / 8), radius=8).min() > -1e-15
    assert affine_gaussian(affine_covariance(0.0), radius=1).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    wide = affine_gaussian(affine_covariance(30.0), 0.0, 3)
    np.testing.assert_allclose(wide, np.outer(discrete_gaussian(30.0), discrete_gaussian(30.0)), rtol=0, atol=1e-16)


@given(SIGMA)
def test_the_jet_of_a_round_covariance_has_the_models_of_three_keys(sigma):
    jet = jet_filters(affine_covariance(sigma))
    for name, key in (("T", 8), ("x", 5), ("y", 6)):
        np.testing.assert_allclose(jet[name], ideal_filter(key, sigma, edge="exact"), rtol=0, atol=1e-15)


@given(covariances())
def test_the_jet_differentiates_with_y_up(c):
    jet, wide = jet_filters(c, size=5), affine_gaussian(c, radius=3)[::-1]
    mixed = difference(difference(wide, "central", 0, "shrink"), "central", 1, "shrink")[::-1]
    np.testing.assert_allclose(jet["xy"], mixed, rtol=0, atol=1e-16)
    assert jet_filters([[0, 0], [0, 0]], size=3)["xy"].tolist() == molecule("central", "central")[::-1, ::-1].tolist()


@given(SIGMA, ANGLE)
def test_oriented_derivatives_respond_to_ramps_and_parabolas(sigma, angle):
    n = np.arange(-WIDE, WIDE + 1)
    # A convolution at the origin meets the image mirrored through it.
    x, y = np.meshgrid(-n, -n[::-1])
    c, size = affine_covariance(sigma, 0.8 * sigma, 0.4), 2 * WIDE + 1
    along = np.cos(angle) * x + np.sin(angle) * y
    across = -np.sin(angle) * x + np.cos(angle) * y
    first, second = (oriented_filter(order, angle, c, size=size) for order in (1, 2))
    np.testing.assert_allclose([(first * along).sum(), (first * across).sum()], [1, 0], rtol=0, atol=1e-9)
    found = [(second * f).sum() for f in (along**2 / 2, along * across, across**2)]
    np.testing.assert_allclose(found, [1, 0, 0], rtol=0, atol=1e-7)


@given(SIGMA, ANGLE)
def test_a_half_turn_changes_the_sign_of_the_first_derivative_alone(sigma, angle):
    c = affine_covariance(sigma)
    for order, sign in ((1, -1), (2, 1)):
        one, other = oriented_filter(order, [angle, angle + np.pi], c)
        np.testing.assert_allclose(other, sign * one, rtol=0, atol=1e-14)


@given(covariances())
def test_the_molecule_has_sum_0_and_the_covariance_of_the_kernel(c):
    weights = affine_molecule(c)
    total, mean, spread = moments(weights)
    assert abs(total) < 1e-14 and np.abs(mean).max() < 1e-14
    np.testing.assert_allclose(spread, c, rtol=0, atol=1e-14)


@each(("call", "words"), [
    (lambda: affine_gaussian([[1, 0.5], [0.4, 1]]), "covariance is not symmetric: C_xy is 0.5 above the diagonal and 0.4 below"),
    (lambda: affine_gaussian([[1, 2], [2, 1]]), "covariance has the variance -1 in some direction: expected none below 0"),
    (lambda: affine_gaussian(1.0), r"covariance has shape \(\): expected \(2, 2\)"),
    (lambda: affine_gaussian([[np.nan, 0], [0, 1]]), "covariance is nan: expected a finite number"),
    (lambda: affine_gaussian(affine_covariance(200.0)), "covariance has the standard deviation 200: expected at most 100"),
    (lambda: affine_gaussian(affine_covariance(1.0), np.inf), "coupling is inf: expected a finite number"),
    (lambda: affine_gaussian(affine_covariance(1.0), 5.0), "coupling is 5: it lets waves grow; taps >= 0 have 0 to 1"),
    (lambda: affine_gaussian(affine_covariance(1.0), radius=-1), "radius is -1: expected an integer of at least 0"),
    (lambda: affine_molecule(affine_covariance(5.0, 1.0, 0.4)), "no coupling has taps >= 0; give one"),
    (lambda: affine_covariance(-1.0), "sigma_along is -1: expected a finite number >= 0"),
    (lambda: affine_covariance([1.0, 2.0]), "sigma_along has shape"),
    (lambda: affine_covariance(1.0, angle=np.nan), "angle is nan: expected a finite number"),
    (lambda: jet_filters(affine_covariance(1.0), size=4), "size is 4: expected an odd integer of at least 3"),
    (lambda: oriented_filter(3, 0.0, affine_covariance(1.0)), "order is 3: expected 1 or 2"),
    (lambda: oriented_filter(True, 0.0, affine_covariance(1.0)), "order is True: expected 1 or 2"),
    (lambda: oriented_filter(1, "up", affine_covariance(1.0)), "angle is 'up': expected a finite number"),
])  # fmt: skip
def test_bad_input_is_refused_in_one_line(call, words):
    refused(call, words)
