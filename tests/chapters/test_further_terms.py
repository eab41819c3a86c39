"""What lies beyond the eight keys: the terms, what they add, the rule where the answer is known, and directions."""

import numpy as np
from each import each
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from keyfilters import affine_covariance, fit_joint, jet_filters, oriented_filter
from keyfilters.networks.surgery.depthwise import key_filters_at
from keyfilters.networks.surgery.matching import Stack, centred, unit
from keyfilters.networks.surgery.nulls import ExplainedInterval
from keyfilters_book.experiments.further_terms import (
    BINS,
    FURTHER_TERMS,
    TERM_MARGIN,
    best_ninth,
    beyond_keys,
    judge_directions,
    judge_terms,
    orientations,
    square_layers,
    surrogates,
    term_filters,
    term_verdict,
)
from keyfilters_book.experiments.survey import unit_filters


def lines(filters):
    return unit(centred(np.asarray(filters).reshape(len(filters), -1))[0])


def noise(count, size, seed=0):
    return unit_filters(np.random.default_rng(seed).normal(size=(count, size, size)))


def planted(term=None):
    """Keys in a little noise, every fifth filter one of a term."""
    rng = np.random.default_rng(3)
    filters = key_filters_at("B", (5, 5))[rng.integers(8, size=400)]
    if term:
        filters[::5] = term_filters(term, 5)[-1]
    filters = lines(filters) + 0.5 * lines(rng.normal(size=filters.shape))
    return unit_filters({"one": filters[:250].reshape(-1, 5, 5), "two": filters[250:].reshape(-1, 5, 5)})


@each("term", list(FURTHER_TERMS))
@each("size", [3, 5, 7])
def test_the_filters_of_a_term_are_no_keys(term, size):
    bank, keys = lines(term_filters(term, size)), lines(key_filters_at("B", (size, size)))
    assert np.abs(np.linalg.norm(bank, axis=1) - 1).max() < 1e-12
    assert np.abs(bank @ keys.T).max() < 0.97


@each("size", [3, 5, 7])
def test_a_ninth_key_adds_what_the_definition_says(size):
    (layer,) = noise(30, size)
    vectors = layer.filters.reshape(30, -1)
    banks = [term_filters(term, size) for term in FURTHER_TERMS]
    found = beyond_keys(vectors, size, banks)
    keys = lines(key_filters_at("B", (size, size)))
    for row, bank in zip(found, banks, strict=True):
        for w, value in zip(vectors, row, strict=True):
            own = max((w @ t) ** 2 for t in lines(bank)) - max((w @ f) ** 2 for f in keys)
            assert abs(value - max(own, 0.0)) < 1e-14


def test_to_keys_it_adds_nothing_and_to_itself_all_that_is_left():
    banks = [term_filters("mixed", 7)]
    assert beyond_keys(lines(key_filters_at("B", (7, 7))), 7, banks).max() == 0
    mixed = lines(banks[0])
    left = 1 - ((mixed @ lines(key_filters_at("B", (7, 7))).T) ** 2).max(axis=1)
    np.testing.assert_allclose(beyond_keys(mixed, 7, banks)[0], left, rtol=0, atol=1e-12)


def test_surrogates_have_the_second_moment_of_the_layer():
    (layer,) = noise(50, 3)
    drawn = np.concatenate([vectors for _, vectors in surrogates(layer, 2000, np.random.default_rng(0))])
    vectors = layer.filters.reshape(50, -1)
    assert np.abs(drawn.T @ drawn / len(drawn) - vectors.T @ vectors / 50).max() < 0.01


@each(("low", "high", "word"), [
    (TERM_MARGIN, 0.1, "yes"), (0.006, 0.1, "undecided"), (-0.1, TERM_MARGIN, "undecided"), (-0.1, 0.006, "no"), (-0.2, -0.1, "no"),
])  # fmt: skip
def test_the_rule(low, high, word):
    assert term_verdict(ExplainedInterval((low + high) / 2, low, high, 0.95)) == word


@each("term", ["mixed", "affine blob", "affine bar"])
def test_the_rule_finds_what_was_put_in(term):
    found = judge_terms(planted(term), draws=39, bootstrap=200)
    assert found.verdict(term) == "yes"
    rows = found.by_layer()
    assert len(rows) == 2 * len(FURTHER_TERMS) and (rows.p <= rows.p_holm).all()
    # With 39 draws no p is below 1/40, and seven times that is 0.175.
    assert rows[rows.term == term].p_holm.max() < 0.18


def test_keys_in_noise_want_no_ninth():
    found = judge_terms(planted(), draws=39, bootstrap=200)
    assert "yes" not in {found.verdict(term) for term in FURTHER_TERMS}
    assert max(excess.estimate for excess in found.excess.values()) < TERM_MARGIN


def test_noise_with_the_covariance_of_a_layer_is_not_told_from_it():
    (layer,) = planted("mixed")[:1]
    (_, drawn), *_ = surrogates(layer, 1, np.random.default_rng(8))
    found = judge_terms([Stack("noise", lines(drawn.reshape(-1, 5, 5)).reshape(-1, 5, 5))], draws=99, bootstrap=200)
    assert found.by_layer().p_holm.min() > 0.05


def test_two_runs_are_equal():
    layers = planted("mixed")
    one, other = (judge_terms(layers, draws=9, bootstrap=50).by_layer() for _ in range(2))
    assert one.equals(other)


def test_kernels_of_one_row_have_no_direction():
    flat = [Stack("flat", np.ones((3, 1, 7)))]
    assert square_layers([*flat, *noise(5, 3)])[0].kernel_size == (3, 3)
    refused(lambda: judge_terms(flat), "no layer has square kernels")


def test_the_best_ninth_adds_no_less_than_any_filter_of_any_term():
    layers = planted("affine edge")
    ninth, gain = best_ninth(layers, 5)
    vectors = np.concatenate([d.filters.reshape(d.channels, -1) for d in layers])
    singles = [f[None] for term in FURTHER_TERMS for f in term_filters(term, 5)]
    assert gain >= beyond_keys(vectors, 5, singles).mean(axis=1).max() - 1e-12
    assert abs(gain - beyond_keys(vectors, 5, [ninth[None]]).mean()) < 1e-12


@given(st.floats(0.0, np.pi - 1e-6), st.sampled_from([3, 5, 7]))
def test_the_direction_of_a_derivative_is_found(angle, size):
    smoothing = affine_covariance(fit_joint("B")[5].sigma_x)
    jet = jet_filters(smoothing, size=size)
    first = oriented_filter(1, angle, smoothing, size=size)
    second = (np.cos(2 * angle) * lines([jet["xx"] - jet["yy"]]) + np.sin(2 * angle) * lines([jet["xy"]])).reshape(size, size)
    angles, weights = orientations(lines([first, second]), size)
    assert abs(np.sin(angles[0, 0] - angle)) < 1e-7 and abs(np.sin(angles[1, 1] - angle)) < 1e-7
    assert abs(weights[0, 0] - 1) < 1e-9 and abs(weights[1, 1] - 1) < 1e-9 and abs(weights[0, 1]) < 1e-12


def test_a_quarter_turn_moves_the_histogram_by_a_quarter():
    layers = noise(300, 5)
    turned = [Stack(d.name, np.rot90(d.filters, axes=(1, 2))) for d in layers]
    one, other = judge_directions(layers, 19), judge_directions(turned, 19)
    np.testing.assert_allclose(other.histogram, np.roll(one.histogram, BINS // 2, axis=1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.histogram.sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.null.sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(other.axes, one.axes, rtol=0, atol=1e-12)


def test_directions_of_keys_are_those_of_the_axes():
    keys = key_filters_at("B", (7, 7))[np.random.default_rng(0).integers(6, size=300)]
    found = judge_directions(unit_filters(keys), 19)
    assert found.axes[0] > 0.99 and found.null_axes[0].max() < 0.7
