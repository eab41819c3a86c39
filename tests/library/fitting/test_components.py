"""What the models leave out: terms, their best coefficients and scales, and the table of components."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from scipy.optimize import minimize

from keyfilters import (
    COMPONENTS,
    KEYS,
    fit,
    fit_components,
    ideal_filter,
    learned_filters,
    model_comparison,
    noise_level,
    normalized_filters,
)
from keyfilters.fitting.components import folds
from keyfilters.fitting.terms import TERMS, Model, least_squares, project

JET = ("T", "x", "y", "xx", "xy", "yy")
SCALE = st.floats(0.3, 1.2)
AMPLITUDE = st.floats(0.2, 3.0)


# --- terms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", ["crop", "exact"])
@pytest.mark.parametrize(
    ("names", "scales"),
    [(JET, 1), (JET, 2), (("x@0", "x@1", "T@0"), 2), (("impulse", "laplacian"), 1), (("y-", "y+", "constant"), 2)],
)
def test_derivatives_of_terms_are_exact(names, edge, scales):
    model = Model(((names[0],),), names, scales, 7, edge)
    p = np.array([[0.4, 0.7], [0.2, 1.1]])[:, :scales]
    for part in (0, 1):
        _, first, second = model.evaluate(p)[part]
        for i in range(scales):
            step = np.zeros_like(p)
            step[:, i] = 1e-5
            plus, minus = model.evaluate(p + step)[part], model.evaluate(p - step)[part]
            np.testing.assert_allclose((plus[0] - minus[0]) / 2e-5, first[..., i, :], atol=1e-8)
            np.testing.assert_allclose((plus[1] - minus[1]) / 2e-5, second[..., i, :], atol=1e-8)


def test_terms_are_the_models_of_the_keys():
    names = {1: "y+", 2: "x-", 3: "y-", 4: "x+", 5: "x", 6: "y", 8: "T"}
    for key, name in names.items():
        value = Model(((name,),), (), 2, 7, "crop").evaluate(np.array([[0.36, 0.81]]))[0][0]
        np.testing.assert_allclose(value.reshape(7, 7), ideal_filter(key, 0.6, 0.9), atol=1e-15)
    impulse, laplacian = Model(((),), ("impulse", "laplacian"), 1, 7, "crop").evaluate(np.array([[0.36]]))[1][0][0]
    np.testing.assert_allclose((impulse - 0.5 * laplacian).reshape(7, 7), ideal_filter(7, 0.6, gamma=0.5), atol=1e-15)


@settings(max_examples=15, deadline=None)
@given(sx=SCALE, sy=SCALE, c=st.lists(st.floats(-2, 2), min_size=6, max_size=6).filter(lambda c: max(map(abs, c[1:])) > 0.3))
def test_a_sum_of_terms_is_recovered(sx, sy, c):
    model = Model(((),), JET, 2, 7, "crop")
    target = np.array([c]) @ model.evaluate(np.array([[sx**2, sy**2]]))[1][0][0]
    found = least_squares(model, target)
    assert found.energy[0] <= 1e-18 * (target**2).sum()


@pytest.mark.parametrize("key", [1, 4, 5, 8])
@pytest.mark.parametrize("component", ["paper", "blob", "sub-pixel", "2-jet"])
def test_no_start_finds_less(key, component):
    found = fit_components(key, component)
    h = normalized_filters()[key - 1].ravel()
    terms = tuple(found.coefficients)
    scales = found.parameters - len(terms)
    model = Model(((),), terms, scales, 7, "crop")

    def left(sigma):
        basis = model.evaluate(np.array([sigma]) ** 2)[1][0][0]
        rest = h - basis.T @ np.linalg.lstsq(basis.T, h, rcond=None)[0]
        return (rest @ rest) / (h @ h)

    assert left(found.sigmas) == pytest.approx(found.left, rel=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(6):
        # A derivative-free method as an independent witness.
        other = minimize(
            left,
            rng.uniform(0.1, 1.6, scales),
            method="Nelder-Mead",
            bounds=[(0, 3)] * scales,
            options={"xatol": 1e-7, "fatol": 1e-12},
        )
        assert other.fun >= found.left * (1 - 1e-6)


def test_many_filters_at_once_are_fitted_as_one_by_one():
    model = Model(((),), ("x", "T"), 2, 7, "crop")
    targets = np.random.default_rng(1).normal(size=(5, 49))
    together = least_squares(model, targets)
    for i, target in enumerate(targets):
        assert together.energy[i] == pytest.approx(least_squares(model, target[None]).energy[0], rel=1e-9)


def test_weights_leave_taps_out():
    h, model = normalized_filters()[0].ravel(), Model(((),), ("y+", "T"), 2, 7, "crop")
    weights = np.ones(49)
    weights[[3, 17]] = 0.0
    spoilt = h.copy()
    spoilt[[3, 17]] += 100.0
    one, other = (project(model, t[None], np.array([[0.2, 0.3]]), weights) for t in (h, spoilt))
    np.testing.assert_allclose(one.p, other.p, atol=1e-9)
    np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-9)


# --- components -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", range(1, 9))
@settings(max_examples=5, deadline=None)
@given(sx=SCALE, sy=SCALE, a=AMPLITUDE)
def test_the_papers_component_recovers_the_model_with_any_amplitude(key, sx, sy, a):
    sy, gamma = (sx, 0.6) if key == 7 else (sy, None)
    found = fit_components(key, "paper", filter=a * ideal_filter(key, sx, sy, gamma=gamma), normalized=True)
    assert found.left < 1e-12
    np.testing.assert_allclose(found.sigmas, (sx,) if key == 7 else (sx, sy), atol=1e-5)
    assert next(iter(found.coefficients.values())) == pytest.approx(a, rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(key=st.integers(1, 4), sx=SCALE, sy=SCALE, c=st.floats(0.2, 1.0), b=st.floats(-0.1, 0.1))
def test_a_blob_and_a_constant_are_recovered(key, sx, sy, c, b):
    h = ideal_filter(key, sx, sy) + c * ideal_filter(8, sx, sy) + b
    found = fit_components(key, "blob and constant", filter=h, normalized=True)
    assert found.left < 1e-12
    assert [round(v, 4) for v in found.coefficients.values()] == pytest.approx([1, c, b], abs=1e-4)


def test_paper_is_method_d1_with_the_best_amplitude():
    for key in range(1, 7):
        assert fit_components(key, "paper").left <= 1 - fit(key, "D1").cosine ** 2 + 1e-12


@pytest.fixture(scope="module")
def table():
    return model_comparison()


def test_more_terms_leave_less(table):
    left = table.pivot(index="component", columns="key", values="left")
    for less, more in (
        ("paper", "blob"),
        ("blob", "blob and constant"),
        ("paper", "Laplacian"),
        ("2-jet, one scale", "2-jet"),
        ("rank one", "rank two"),
    ):
        assert (left.loc[more] <= left.loc[less] + 1e-12).all(), (less, more)
    # Separable sums cannot be better than the best of their rank.
    assert (left.loc["rank one", :6] <= left.loc["paper", :6]).all() and (left.loc["rank two"] <= left.loc["rank one"]).all()


def test_the_table_is_one_row_a_component_and_key(table):
    assert list(table.columns) == ["key", "component", "parameters", "left", "cross_validated", "chi2", "bic"]
    assert len(table) == 8 * len(COMPONENTS) and table.notna().all().all()
    assert table.left.between(0, 1).all() and table.cross_validated.between(0, 1).all()
    np.testing.assert_allclose(table.bic - table.chi2, table.parameters * np.log(49))
    own = table[(table.component == "rank two")]
    assert (own.parameters == 24).all()


def test_ceilings_are_those_of_the_singular_values():
    for key, h in enumerate(normalized_filters(), start=1):
        s = np.linalg.svd(h, compute_uv=False) ** 2
        for rank, name in ((1, "rank one"), (2, "rank two")):
            assert fit_components(key, name).left == pytest.approx(s[rank:].sum() / s.sum())


def test_cross_validation_of_low_rank_recovers_missing_taps():
    h = ideal_filter(5, 0.9, 0.7)
    assert fit_components(5, "rank one", filter=h, normalized=True).cross_validated < 1e-6
    assert fit_components(5, "paper", filter=h, normalized=True).cross_validated < 1e-12


@pytest.mark.parametrize("key", range(1, 9))
def test_taps_are_left_out_with_their_mirror_images(key):
    parts = folds(key, 7)
    assert sorted(np.concatenate(parts)) == list(range(49))
    h = (
        ideal_filter(key, 0.5, 0.8, gamma=0.5 if key == 7 else None).ravel()
        if key != 7
        else ideal_filter(7, 0.6, gamma=0.5).ravel()
    )
    assert all(np.ptp(h[taps]) < 1e-12 for taps in parts)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 8), st.floats(0.1, 5), st.integers(0, 2**32 - 1))
def test_the_comparison_does_not_depend_on_the_amplitude(key, a, seed):
    h = a * np.random.default_rng(seed).normal(size=(5, 5))
    one, other = (model_comparison([key], ["blob"], filter=f, normalized=True).iloc[0] for f in (h, h / a))
    # Key 7 fits noise with scales and sharpening that wander along a flat minimum.
    assert one.left == pytest.approx(other.left, rel=1e-4) and one.chi2 == pytest.approx(other.chi2, rel=1e-4)


def test_keys_and_components_may_come_one_by_one():
    """An iterator has its components for every key, not for the first alone."""
    asked = [3, 5], ["paper", "blob"]
    assert model_comparison(*map(iter, asked)).equals(model_comparison(*asked))


# --- noise ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", range(1, 9))
def test_the_noise_that_was_added_is_estimated(key):
    rng = np.random.default_rng(key)
    h = ideal_filter(key, 0.7, gamma=0.5 if key == 7 else None)
    found = [noise_level(h + 0.01 * rng.standard_normal((7, 7)), key) for _ in range(400)]
    assert {f.degrees for f in found} == {33 if key > 6 else 21}
    mean_square = np.mean([f.level**2 for f in found])
    # The mean of 400 chi-squared variables over their degrees: five standard errors.
    assert mean_square / 1e-4 == pytest.approx(1, abs=5 * np.sqrt(2 / found[0].degrees / 400))


def test_noise_is_symmetric_in_what_the_key_is():
    for row, h in zip(KEYS, learned_filters(), strict=True):
        for axis in (0, 1):
            if axis != row.derivative_axis:
                assert noise_level(np.flip(h, -1 - axis), row).level == pytest.approx(noise_level(h, row).level)
        assert noise_level(h + 1.0, row).level == pytest.approx(noise_level(h, row).level, rel=1e-9)
    assert noise_level(ideal_filter(1, 0.5), 1, floor=0.01).level == 0.01


@each(
    ("call", "message"),
    [
        (lambda: fit_components(1, "bolb"), "unknown component 'bolb'"),
        (lambda: fit_components(9), "unknown key 9"),
        (lambda: fit_components(1, edge="wrap"), "unknown edge 'wrap'"),
        (lambda: fit_components(1, filter=np.ones((4, 4))), r"filter has shape \(4, 4\)"),
        (lambda: model_comparison([1], ["paper", "x"]), "unknown component 'x'"),
        (lambda: noise_level(np.eye(3), 1, floor=-1), "floor is -1"),
        (lambda: noise_level(np.zeros((3, 3)), 1), "filter is all zero"),
    ],
)
def test_wrong_input_is_named(call, message):
    refused(call, message)


def test_every_term_of_the_table_is_known():
    assert {term for row in COMPONENTS.values() for term in row.further} <= set(TERMS)
