"""What the published experiments and procedure do differently, and the figures of agreement."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused
from scipy.special import ive

from keyfilters import (
    difference,
    discrete_gaussian,
    ideal_filter,
    laplacian,
    learned_filters,
    normalized_filters,
    objective_map,
)
from keyfilters.fitting.grid import published_windows
from keyfilters.published import published, rerun
from keyfilters.published.reproduce import Row
from keyfilters_book.figures import digit_counts, log_dots
from keyfilters_book.paper.excess import objective_excess
from keyfilters_book.paper.procedure import drawn_minimum, truncated_filter, truncated_gaussian
from keyfilters_book.published_experiments import EXPERIMENTS, experiment_filter, similarity, upward_bessel_kernel

SIGMA = st.floats(0.2, 1.5)


def centred(f):
    return f - f.mean()


@given(SIGMA, SIGMA)
def test_replacement_has_the_models_of_keys_2_4_and_8_and_exchanges_keys_1_and_3(x, y):
    for key, other, sign in ((2, 2, 1), (4, 4, 1), (8, 8, 1), (1, 3, -1), (3, 1, -1)):
        ours = sign * ideal_filter(other, x, y)
        np.testing.assert_allclose(experiment_filter("replacement", key, x, y), ours / np.linalg.norm(ours), atol=1e-12)


@given(SIGMA, SIGMA)
def test_scale_learning_has_the_point_reflection_of_keys_1_to_4(x, y):
    # With the sampled Gaussian in place of the discrete one, and renormalised.
    taps = [np.exp(-(np.arange(-3, 4) ** 2) / (2 * s * s)) for s in (x, y)]
    tx, ty = (t / t.sum() for t in taps)
    for key, sign, u, v in (
        (1, 1, tx, difference(ty, "forward")), (2, -1, difference(tx, "backward"), ty),
        (3, 1, tx, difference(ty, "backward")), (4, -1, difference(tx, "forward"), ty),
    ):  # fmt: skip
        model = np.outer(v[::-1], u)
        found = experiment_filter("scale-learning", key, x, y)[::-1, ::-1]
        np.testing.assert_allclose(found, sign * model / np.linalg.norm(model), atol=1e-12)


def test_border_of_the_centred_difference():
    interior = (slice(None), slice(1, -1))
    ours = ideal_filter(5, 1.3, 1.0)
    found = experiment_filter("replacement", 5, 1.3, 1.0)
    ratio = found[3, 2] / ours[3, 2]
    assert ratio > 0
    np.testing.assert_allclose(found[interior], ratio * ours[interior], atol=1e-15)
    np.testing.assert_allclose(found[:, [0, -1]], 2 * ratio * ours[:, [0, -1]], atol=1e-15)
    assert experiment_filter("scale-learning", 5, 1.3, 1.0)[3, 0] == 0


def test_key_7_of_the_experiments_keeps_the_smoothing():
    smooth = np.outer(discrete_gaussian(0.6), discrete_gaussian(0.7))
    smooth /= smooth.sum()
    expected = smooth - 0.3 * np.pad(laplacian(smooth, edge="shrink"), 1)
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(experiment_filter("replacement", 7, 0.7, 0.6, gamma=0.3), expected, atol=1e-15)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_arrays_of_scales_broadcast(name):
    x, y = np.array([0.4, 0.6, 0.8]), np.array([[0.5], [0.7]])
    for key in range(1, 9):
        many = experiment_filter(name, key, x, y)
        assert many.shape == (2, 3, 7, 7)
        np.testing.assert_allclose(many[1, 2], experiment_filter(name, key, 0.8, 0.7), atol=1e-14)
        np.testing.assert_allclose((many**2).sum((-2, -1)), 1)


@each(("call", "message"), [
    (lambda: experiment_filter("removal", 1, 0.5), "unknown experiment 'removal': expected one of replacement, scale-learning"),
    (lambda: experiment_filter("replacement", 9, 0.5), "unknown key 9"),
    (lambda: experiment_filter("replacement", 1, -0.5), "sigma_x is -0.5"),
    (lambda: experiment_filter("scale-learning", 1, 0.0), "sigma is 0"),
    (lambda: similarity(np.eye(7), np.eye(7)), "filters have shapes"),
    (lambda: upward_bessel_kernel(0.0), "sigma is 0"),
    (lambda: upward_bessel_kernel(1.0, radius=0), "radius is 0"),
    (lambda: truncated_filter(7, 0.5, 0.5), "key 7 is not separable"),
    (lambda: drawn_minimum(np.arange(2), np.arange(3), np.ones((4, 2))), "values has shape"),
    (lambda: digit_counts({"b": {"equal": []}}), "group 'b' is empty"),
    (lambda: log_dots({"C1": {"1": -1.0}}, xlabel="excess"), "group 'C1' holds -1"),
])  # fmt: skip
def test_bad_input_is_named(call, message):
    refused(call, message)


@given(st.floats(-3, 3).filter(lambda a: abs(a) > 0.01), st.floats(-2, 2))
def test_similarity_ignores_amplitude_and_offset(a, b):
    h = learned_filters()
    np.testing.assert_allclose(similarity(h, a * h + b), similarity(h, h), atol=1e-9)
    np.testing.assert_allclose(np.diag(similarity(h, h)), 1)


def test_squared_similarity_is_the_explained_share():
    f, g = learned_filters()[[0, 2]]
    design = np.stack([g.ravel(), np.ones(49)], axis=1)
    rest = f.ravel() - design @ np.linalg.lstsq(design, f.ravel())[0]
    explained = 1 - (rest**2).sum() / (centred(f) ** 2).sum()
    assert similarity(f[None], g[None])[0, 0] ** 2 == pytest.approx(explained)


def test_upward_recurrence_is_right_in_exact_terms_and_loses_digits_at_fine_scales():
    sigma = np.array([0.1, 0.3, 1.0])
    truth = ive(np.arange(4), sigma[:, None] ** 2)
    double = np.abs(upward_bessel_kernel(sigma, dtype=np.float64) / truth - 1).max(axis=1)
    single = np.abs(upward_bessel_kernel(sigma) / truth - 1).max(axis=1)
    assert upward_bessel_kernel(sigma).dtype == np.float32
    assert double[2] < 1e-12 and single[2] < 1e-3
    assert single[0] > single[1] > 1 and double[0] > double[1] > double[2]


@given(st.floats(1e-3, 2.0), st.integers(1, 12))
def test_truncation_cuts_less_than_it_may(sigma, radius):
    full, cut = discrete_gaussian(sigma, radius), truncated_gaussian(sigma, radius)
    kept = cut > 0
    np.testing.assert_allclose(cut[kept], full[kept], rtol=1e-11, atol=1e-15)
    assert full[~kept].sum() <= 1e-8 * (1 + 1e-6)
    np.testing.assert_allclose(truncated_gaussian(sigma, radius, missing=0.0), full, rtol=1e-11, atol=1e-15)


def test_truncation_moves_the_lowest_grid_point_of_key_4_and_nothing_else_of_d1():
    windows, moved = published_windows(), []
    for key in (1, 2, 3, 4, 5, 6, 8):
        x, y = (windows["D1", str(key), axis].values for axis in "xy")
        best = []
        for missing in (1e-8, 0.0):
            distance = truncated_filter(key, x, y[:, None], missing=missing) - normalized_filters()[key - 1]
            i, j = np.unravel_index((distance**2).sum((-2, -1)).argmin(), (200, 200))
            best.append((x[j], y[i]))
        value = published().set_index(["quantity", "key", "component", "method"]).value
        assert best[0] == pytest.approx([value["sigma", str(key), axis, "D1"] for axis in "xy"], abs=1e-12)
        assert best[1] == pytest.approx([rerun(Row("sigma", str(key), axis, "D1")) for axis in "xy"], abs=1e-12)
        moved += [key] if best[0] != best[1] else []
    assert moved == [4]


def test_a_drawn_minimum_is_where_an_image_puts_it():
    window = published_windows()
    x, y = (window["C1", "6", axis].values for axis in "xy")
    values = objective_map(6, x, y).T
    found = drawn_minimum(x, y, values)
    fig, ax = plt.subplots()
    image = ax.imshow(values, extent=(x[0], x[-1], y[0], y[-1]))
    # The pixel of the picture at the place that the function reports holds the lowest value.
    left, right, bottom, top = image.get_extent()
    column = int((found.drawn[0] - left) / (right - left) * values.shape[1])
    row = int((top - found.drawn[1]) / (top - bottom) * values.shape[0])
    assert values[row, column] == values.min()
    assert values[found.index] == values.min()
    assert found.true == (x[found.index[0]], y[found.index[1]])


def test_excess_of_the_published_parameters():
    table = objective_excess().set_index(["method", "key"])
    assert (table.excess > -1e-12).all()
    overwritten = table.excess["C", "7"]
    assert overwritten == table.excess.max() > 10 * table.excess.drop(("C", "7")).max()


def test_figures_of_agreement():
    fig = digit_counts({"a": {"equal": [16.2, 16.9, 3], "deviates": [3.1]}, "b": {"equal": [], "deviates": [0.0]}})
    assert sorted(t.get_text() for t in fig.axes[0].texts) == ["1", "1", "1", "2"]
    fig = log_dots({"C1": {"1": 1e-5, "2": 1.1e-5, "3": 0.0}}, xlabel="excess", references={"one": 1.0})
    assert [t.get_text() for t in fig.axes[0].texts] == ["3", "1, 2"]
