"""Difference operators and idealised filters."""

import numpy as np
import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from keyfilters import KEYS, ideal_filter, learned_filters, monomial_response, spread
from keyfilters.differences import OPERATORS, difference, laplacian, molecule
from keyfilters.gaussian import discrete_gaussian

KEY = st.integers(1, 8)
SIGMA = st.floats(0.0, 2.0)
SIZE = st.sampled_from([3, 5, 7, 9, 11])


def build(key, sx, sy, size=7, edge="crop", gamma=0.5):
    return ideal_filter(key, sx, sy, gamma=gamma if key == 7 else None, size=size, edge=edge)


def by_loops(key, sx, sy, gamma, size, edge):
    """The model written out sample by sample from its definition."""
    r = size // 2

    def kernel(sigma, n):
        inside = abs(n) <= r or edge == "exact"
        return discrete_gaussian(sigma, abs(n) + 1)[abs(n) + 1 + n] if inside else None

    def tap(sigma, n, outside):
        value = kernel(sigma, n)
        if value is None:
            value = kernel(sigma, int(np.sign(n)) * r) if outside == "repeat" else 0.0
        return value

    def along(operator, sigma, n):
        return sum(w * tap(sigma, n + k, "repeat") for k, w in OPERATORS[operator].items())

    h = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            x, y = j - r, r - i
            if key == 7:
                neighbours = [(1, 0), (-1, 0), (0, 1), (0, -1)]
                lap = sum(tap(sx, x + a, "zero") * tap(sy, y + b, "zero") for a, b in neighbours)
                lap -= 4 * tap(sx, x, "zero") * tap(sy, y, "zero")
                h[i, j] = (x == 0 and y == 0) - gamma * lap
            else:
                row = KEYS[key - 1]
                h[i, j] = along(row.x, sx, x) * along(row.y, sy, y)
    return h


@pytest.mark.parametrize("edge", ["crop", "exact"])
@pytest.mark.parametrize("size", [3, 7])
@pytest.mark.parametrize("key", range(1, 9))
def test_model_is_its_definition(key, size, edge):
    expected = by_loops(key, 0.6, 0.9, 0.4, size, edge)
    np.testing.assert_allclose(build(key, 0.6, 0.9, size, edge, 0.4), expected, atol=1e-15)


@pytest.mark.parametrize("row", KEYS, ids=lambda row: str(row.number))
def test_model_looks_like_the_learned_filter(row):
    # Sign and place of the catalogue: up to a positive or negative factor the right key fits best.
    h = learned_filters()[row.number - 1]
    models = [build(k, 0.6, 0.6) - build(k, 0.6, 0.6).mean() for k in range(1, 9)]
    similarity = [abs((m * (h - h.mean())).sum()) / np.linalg.norm(m) for m in models]
    assert int(np.argmax(similarity)) + 1 == row.number


@given(KEY, SIGMA, SIGMA, SIZE)
def test_crop_and_exact_agree_inside(key, sx, sy, size):
    crop, exact = build(key, sx, sy, size), build(key, sx, sy, size, "exact")
    np.testing.assert_allclose(crop[1:-1, 1:-1], exact[1:-1, 1:-1], atol=1e-15)


@given(st.integers(1, 6), SIGMA, SIGMA)
def test_differences_sum_to_zero_in_a_wide_window(key, sx, sy):
    h = build(key, sx, sy, 41, "exact")
    assert abs(h.sum()) < 1e-12
    assert abs(monomial_response(h, *KEYS[key - 1].monomial) - 1) < 1e-11


@given(SIGMA, st.floats(-2, 2))
def test_sharpening_and_smoothing_keep_a_constant(sigma, gamma):
    assert abs(ideal_filter(7, sigma, gamma=gamma, size=41, edge="exact").sum() - 1) < 1e-12
    assert abs(ideal_filter(8, sigma, size=41, edge="exact").sum() - 1) < 1e-12


@given(SIGMA, SIGMA)
def test_transposition_and_reflection_exchange_keys(sx, sy):
    # x and y change roles under transposition, forward and backward under reflection.
    flip = slice(None, None, -1)
    np.testing.assert_allclose(build(2, sx, sy)[:, flip], -build(4, sx, sy), atol=1e-16)
    np.testing.assert_allclose(build(1, sx, sy)[flip], -build(3, sx, sy), atol=1e-16)
    np.testing.assert_allclose(build(4, sx, sy), build(1, sy, sx).T[:, flip], atol=1e-16)
    np.testing.assert_allclose(build(5, sx, sy), build(6, sy, sx).T[:, flip], atol=1e-16)


@given(st.integers(1, 4), st.floats(0.0, 0.6), st.floats(0.0, 0.6))
def test_one_sided_differences_are_half_a_unit_off(key, sx, sy):
    mean = spread(build(key, sx, sy, 21, "exact")).mean
    np.testing.assert_allclose(mean, KEYS[key - 1].expected_offset, atol=1e-12)


def test_scales_broadcast():
    stack = ideal_filter(2, np.array([0.5, 1.0])[:, None], np.array([0.3, 0.6, 0.9]))
    assert stack.shape == (2, 3, 7, 7)
    np.testing.assert_allclose(stack[1, 2], ideal_filter(2, 1.0, 0.9), rtol=0, atol=1e-15)


def test_molecule_is_the_operator_on_a_plane():
    x, y = np.meshgrid([-1.0, 0.0, 1.0], [1.0, 0.0, -1.0])
    for name, slope in (("forward", 1), ("backward", 1), ("central", 1), ("identity", 0), ("second", 0)):
        assert (molecule(x=name) * x).sum() == slope
        assert (molecule(y=name) * y).sum() == slope


def test_laplacian_edges():
    f = np.arange(25.0).reshape(5, 5) ** 2
    inner = f[1:-1, 2:] + f[1:-1, :-2] + f[2:, 1:-1] + f[:-2, 1:-1] - 4 * f[1:-1, 1:-1]
    np.testing.assert_array_equal(laplacian(f, "shrink"), inner)
    np.testing.assert_array_equal(laplacian(f, "zero")[1:-1, 1:-1], inner)
    assert laplacian(np.ones((3, 3)), "zero")[0, 0] == -2
    assert (laplacian(np.ones((3, 3)), "mirror") == 0).all()


def test_difference_along_any_axis():
    f = np.random.default_rng(0).normal(size=(4, 5))
    np.testing.assert_array_equal(difference(f, "forward", axis=0), difference(f.T, "forward").T)


@each(
    ("call", "message"),
    [
        (lambda: ideal_filter(0, 1.0), "unknown key 0"),
        (lambda: ideal_filter("two", 1.0), "unknown key 'two'"),
        (lambda: ideal_filter(True, 1.0), "unknown key True"),
        (lambda: ideal_filter(1, -1.0), "sigma_x is -1"),
        (lambda: ideal_filter(1, 1.0, float("nan")), "sigma_y is nan"),
        (lambda: ideal_filter(7, 1.0), "gamma is missing"),
        (lambda: ideal_filter(7, 1.0, gamma=float("inf")), "gamma is inf"),
        (lambda: ideal_filter(8, 1.0, gamma=1.0), "gamma is given for key 8"),
        (lambda: ideal_filter(8, 1.0, size=6), "size is 6"),
        (lambda: ideal_filter(8, 1.0, edge="wrap"), "unknown edge 'wrap'"),
        (lambda: difference([1, 2], "sobel"), "unknown operator 'sobel'"),
        (lambda: difference([1, 2], "forward", edge="wrap"), "unknown edge 'wrap'"),
    ],
)
def test_wrong_input_is_named(call, message):
    refused(call, message)
