"""The table of sharpening models: each recovers itself, and richer models are never worse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

import keyfilters as kf
from keyfilters_book.paper.sharpening import MODELS, compare_models


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


def test_wrong_input_is_named():
    refused(lambda: compare_models(np.eye(3), [-1]), r"sigma is -1: expected a finite number >= 0")
