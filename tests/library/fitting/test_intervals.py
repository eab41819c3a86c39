"""Intervals of the parameters: coverage, the ways to them, weights per tap, and what a fit says of itself."""

import json

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from scipy.stats import binom

from keyfilters import METHODS, fit, fit_joint, ideal_filter, learned_filters, normalize, normalized_filters, rank_keys
from keyfilters.fitting.intervals import deviations, refit
from keyfilters.fitting.joint import all_fits
from keyfilters.normalization import normalize_many

NAMES = ("sigma_x", "sigma_y", "gamma")


# --- coverage ---------------------------------------------------------------------------------------


def held(key, method, count, seed, how="bootstrap", sigma=False):
    """How many of the 95 % intervals of simulated filters hold each true parameter."""
    start = fit(key, "D2")
    scale = max(start.sigma_x, 0.5)
    truth = {"sigma_x": scale, "sigma_y": scale if METHODS[method].scales == 1 or key == 7 else 1.1 * scale}
    model = ideal_filter(key, truth["sigma_x"], truth["sigma_y"], gamma=start.gamma)
    if key == 7:
        truth["gamma"] = start.gamma
    if method == "A":
        # A is a formula for continuous derivatives: its truth is what it gives without noise.
        found = fit(key, method, filter=model, normalized=True)
        truth = {name: getattr(found, name) for name in truth}
    noise = min(start.noise.level, 0.01 * np.abs(model).max())
    rng = np.random.default_rng(seed)
    hits = dict.fromkeys(truth, 0)
    for i in range(count):
        found = fit(
            key, method, filter=model + noise * rng.standard_normal((7, 7)), normalized=True, sigma=noise if sigma else None
        )
        ends = found.interval(how=how, draws=199, seed=i)
        for name, value in truth.items():
            hits[name] += ends[name].low <= value <= ends[name].high
    return hits


@pytest.mark.slow
@pytest.mark.parametrize("key", range(1, 9))
@pytest.mark.parametrize("method", ["B", "D1"])
def test_95_percent_intervals_hold_the_truth_in_93_to_97_percent_of_1000_filters(key, method):
    for name, hits in held(key, method, 1000, seed=key).items():
        assert 930 <= hits <= 970, (key, method, name, hits)


@pytest.mark.parametrize("key", range(1, 9))
@pytest.mark.parametrize("method", ["A", "B", "C2", "D1"])
def test_intervals_hold_the_truth(key, method):
    count = 12 if method == "C2" else 60
    low, high = binom.ppf([1e-5, 1 - 1e-5], count, 0.95)
    for name, hits in held(key, method, count, seed=100 + key).items():
        assert low <= hits <= high, (key, method, name, hits)


@pytest.mark.parametrize(
    ("key", "options"), [*((key, {"how": "profile"}) for key in (1, 5, 7, 8)), *((key, {"sigma": True}) for key in (2, 7))]
)
def test_profiles_and_a_noise_that_is_given_hold_the_truth(key, options):
    for name, hits in held(key, "D1", 60, seed=key, **options).items():
        assert binom.ppf(1e-5, 60, 0.95) <= hits, (key, name, hits)


# --- what an interval is ------------------------------------------------------------------------------


def test_all_54_problems_have_intervals():
    problems = {id(found.given): found for found in all_fits()}
    assert len(problems) == 54
    for found in problems.values():
        ends = found.interval(draws=40)
        assert list(ends) == ["sigma_x", "sigma_y", *(["gamma"] if found.key == 7 else [])]
        for name, (low, high) in ends.items():
            assert np.isfinite([low, high]).all() and low <= high, (found.key, found.method, name)
            assert low >= 0 or name == "gamma"


@pytest.mark.parametrize("method", ["C1", "D1", "D2", "B"])
def test_refitting_the_filter_itself_gives_the_fit(method):
    for key in (1, 5, 7, 8):
        found = fit(key, method)
        p = refit(found, found.filter[None, None])[0]
        expected = [found.sigma_x**2, found.gamma if key == 7 else found.sigma_y**2][: len(p)]
        np.testing.assert_allclose(p, expected, atol=2e-6)
    for key, found in fit_joint(method[0]).items():
        p = refit(found, np.stack(found.given.targets)[None])[0]
        np.testing.assert_allclose(p[0], found.sigma_x**2, atol=2e-6, err_msg=str(key))


def test_the_same_seed_gives_the_same_interval():
    one, other = fit(2, "D1"), fit(2, "D1")
    assert one.interval(seed=3) == other.interval(seed=3) != other.interval(seed=4)
    assert one.interval() is not one.interval() and one.interval() == one.interval()


def test_a_higher_level_is_wider_and_more_noise_too():
    found = fit(8, "D1")
    widths = [high - low for low, high in (found.interval(level)["sigma_x"] for level in (0.5, 0.8, 0.95))]
    assert widths == sorted(widths)
    narrow, wide = (fit(8, "D1", sigma=s).interval()["sigma_x"] for s in (0.001, 0.01))
    assert wide.high - wide.low == pytest.approx(10 * (narrow.high - narrow.low), rel=0.3)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.floats(0.1, 10))
def test_intervals_do_not_depend_on_the_amplitude(key, a):
    h = learned_filters()[key - 1]
    one, other = (fit(key, "D1", filter=f).interval(draws=40) for f in (h, a * h))
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([(1, 3), (2, 4)]), st.integers(0, 2**32 - 1))
def test_mirrored_filters_have_mirrored_fits(pair, seed):
    # Keys 1 and 3, and 2 and 4, are mirror images with the sign changed.
    rng = np.random.default_rng(seed)
    one, other = pair
    h = ideal_filter(one, 0.6, 0.7) + 0.01 * rng.standard_normal((7, 7))
    mirrored = -(h[::-1] if one == 1 else h[:, ::-1])
    a, b = fit(one, "D1", filter=h, normalized=True), fit(other, "D1", filter=mirrored, normalized=True)
    assert (a.sigma_x, a.sigma_y, a.noise.level) == pytest.approx((b.sigma_x, b.sigma_y, b.noise.level), abs=1e-8)
    for name in ("sigma_x", "sigma_y"):
        np.testing.assert_allclose(a.profile(name).low, b.profile(name).low, atol=1e-6)


def test_without_noise_there_is_no_width():
    found = fit(1, "D1", filter=ideal_filter(1, 0.6, 0.8), normalized=True)
    low, high = found.interval()["sigma_x"]
    assert high - low < 1e-6
    assert any("no noise is seen" in text for text in found.to_dict()["warnings"])


@pytest.mark.parametrize("key", range(1, 9))
@pytest.mark.parametrize("dc", ["published", "exact"])
def test_many_filters_are_normalised_as_one(key, dc):
    rng = np.random.default_rng(key)
    h = learned_filters()[key - 1] + 1e-4 * rng.standard_normal((6, 7, 7))
    several = normalize_many(h, key, dc)
    for one, filter in zip(several, h, strict=True):
        # Of keys 7 and 8 the constant is looked for among the taps, the published one between a hundred values.
        np.testing.assert_allclose(one, normalize(filter, key, dc), atol=1e-12 if key < 7 or dc == "exact" else 5e-3)


@pytest.mark.parametrize(
    ("key", "name", "models", "other", "near"),
    [
        (5, "sigma_x", lambda value, other: ideal_filter(5, value, other), np.linspace(0, 2.5, 2001), 1e-4),
        (7, "sigma", lambda value, other: ideal_filter(7, value, gamma=other), np.linspace(0, 3, 1500), 1e-3),
        (7, "gamma", lambda value, other: ideal_filter(7, other, gamma=value), np.linspace(0.05, 2, 1500), 1e-3),
    ],
)
def test_a_profile_is_the_least_over_the_other_parameter(key, name, models, other, near):
    found = fit(key, "D1")
    profile = found.profile(name, 21)
    for value, objective in zip(profile.values[::5], profile.objective[::5], strict=True):
        brute = ((models(value, other) - normalized_filters()[key - 1]) ** 2).sum((1, 2)).min()
        assert objective <= brute + 1e-12 and objective == pytest.approx(brute, rel=near)
    assert profile.objective.min() == pytest.approx(found.objective)


# --- weights per tap ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["C1", "C2", "D1", "D2"])
@pytest.mark.parametrize("key", [1, 5, 7, 8])
def test_equal_weights_change_nothing_but_the_unit(key, method):
    plain, weighted = fit(key, method), fit(key, method, sigma=0.1)
    tap = 0.1 / abs(plain.given.units[0][1])
    assert (weighted.sigma_x, weighted.sigma_y) == pytest.approx((plain.sigma_x, plain.sigma_y), abs=1e-7)
    power = METHODS[method].power
    assert weighted.objective == pytest.approx(plain.objective / tap**power)
    assert weighted.certificate.open_cells < weighted.certificate.cells / 4


@pytest.mark.parametrize("method", ["C1", "C2", "D1", "D2"])
@settings(max_examples=6, deadline=None)
@given(key=st.sampled_from([1, 2, 5, 7, 8]), sx=st.floats(0.4, 1.0), sy=st.floats(0.4, 1.0), seed=st.integers(0, 2**32 - 1))
def test_a_tap_without_weight_may_be_anything(method, key, sx, sy, seed):
    if METHODS[method].scales == 1 or key == 7:
        sy = sx
    rng = np.random.default_rng(seed)
    h = ideal_filter(key, sx, sy, gamma=0.5 if key == 7 else None)
    sigma = rng.uniform(0.5, 2.0, (7, 7))
    spoilt = tuple(rng.integers(0, 7, 2))
    sigma[spoilt] = np.inf
    h[spoilt] += 3.0
    found = fit(key, method, filter=h, normalized=True, sigma=sigma)
    assert (found.sigma_x, found.sigma_y) == pytest.approx((sx, sy), abs=1e-6)
    assert np.isfinite(found.interval(draws=20)["sigma_x"]).all()


@pytest.mark.parametrize("power", [1, 2])
def test_the_weighted_objective_is_what_it_says(power):
    sigma = np.random.default_rng(0).uniform(0.5, 2.0, (7, 7))
    found = fit(3, "C1" if power == 1 else "D1", filter=normalized_filters()[2], normalized=True, sigma=sigma)
    rest = np.abs(found.model() - found.filter) / sigma
    assert found.objective == pytest.approx((rest**power).sum())


# --- what a fit says of itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5, 9])
@pytest.mark.parametrize("edge", ["crop", "exact"])
def test_the_model_has_the_size_and_the_border_of_the_fit(size, edge):
    h = ideal_filter(5, 0.9, 0.7, size=size, edge=edge)
    found = fit(5, "D1", filter=3 * h, edge=edge)
    assert found.model().shape == (size, size) and found.size == size and found.edge == edge
    np.testing.assert_array_equal(found.model(), ideal_filter(5, found.sigma_x, found.sigma_y, size=size, edge=edge))
    assert found.model(7, "crop").shape == (7, 7)


@pytest.mark.parametrize("key", range(1, 9))
def test_the_raw_model_is_in_units_of_the_filter(key):
    h = learned_filters()[key - 1]
    found = fit(key, "D1")
    rest = np.linalg.norm(found.model(raw=True) - h) / np.linalg.norm(h - found.given.units[0][0])
    assert rest == pytest.approx(found.relative_l2)


def test_white_noise_converges_and_is_no_fit():
    found = fit(1, "D1", filter=np.random.default_rng(0).normal(size=(7, 7)))
    assert found.explained < 0.3
    assert "explains" in found.report() and "warning" in found.report()


def test_a_report_has_values_intervals_and_warnings():
    text = fit(4, "D1").report(0.9)
    assert "90 % interval" in text and "sigma_y lies at its bound" in text and "correlation of sigma_x and sigma_y" in text
    assert "gamma" in fit(7, "C1").report() and "one fit for the keys 1, 2, 3, 4, 8" in fit_joint("D")[1].report()


def test_a_fit_as_a_dictionary_is_json():
    for found in (fit(4, "D1"), fit(7, "C2"), fit(2, "A"), fit_joint("C")[5]):
        record = json.loads(json.dumps(found.to_dict(draws=40), allow_nan=False))
        assert record["sigma_x"] == found.sigma_x and record["keys"] == list(found.given.keys)
        np.testing.assert_array_equal(record["model"], found.model())


def test_a_fit_can_be_drawn():
    import matplotlib.pyplot as plt

    for found, axes in ((fit(8, "D1"), 5), (fit(7, "D1"), 5), (fit(1, "D2"), 4), (fit(1, "C1"), 3)):
        figure = found.plot()
        assert len(figure.axes) == axes
        plt.close(figure)


def test_compare_is_over_keys_and_methods():
    table = rank_keys(ideal_filter(3, 0.6, 0.8), methods=["C1", "D1"])
    for _, own in table.groupby("method"):
        assert own.key.iloc[0] == 3 and own.relative_l2.iloc[0] < 0.05
        numbers = own.relative_l2[own.note == ""]
        assert list(numbers) == sorted(numbers)
        assert set(own.key) == set(range(1, 9))
        assert (own.note[own.key.isin((2, 4, 5))].str.contains("no response to x")).all()


@each(
    ("call", "message"),
    [
        (lambda: fit(1, "D1").interval(1.5), "level is 1.5"),
        (lambda: fit(1, "D1").interval(how="guess"), "unknown how 'guess'"),
        (lambda: fit(1, "D1").interval(draws=3), "draws is 3"),
        (lambda: fit(1, "C1").interval(how="profile"), "method C1 minimises no squares"),
        (lambda: fit(1, "D1").profile("gamma"), "unknown parameter 'gamma'"),
        (lambda: fit(1, "A", sigma=0.1), "sigma is given for method A"),
        (lambda: fit(1, "D1", sigma=0.0), "not positive"),
        (lambda: fit(1, "D1", sigma=np.ones((5, 5))), r"sigma has shape \(5, 5\)"),
        (lambda: fit(1, "D1", sigma="x"), "sigma"),
        (lambda: fit(1, "D1", sigma=np.full((7, 7), np.inf)), "expected at least 3"),
        (lambda: fit(1, "D1", sigma=1.0, search="grid"), "no weights"),
        (lambda: fit(1, "D1", normalized=True), "there is no filter"),
        (lambda: deviations(fit(1, "D1"), draws=1), "draws is 1"),
        (lambda: rank_keys(np.eye(3), methods=["E"]), "unknown method 'E'"),
    ],
)
def test_wrong_input_is_named(call, message):
    refused(call, message)
