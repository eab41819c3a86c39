"""Difference models are odd about the centre of their stencil, so they cannot explain what is even about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keyfilters as kf
from keyfilters_book.paper.structure import odd_share


@given(st.integers(1, 6), st.floats(0, 2), st.floats(0, 2))
def test_models_are_odd_about_the_centre_of_their_stencil(key, sigma_x, sigma_y):
    row = kf.KEYS[key - 1]
    axis = row.derivative_axis
    model = kf.ideal_filter(key, sigma_x, sigma_y)
    assert odd_share(model, axis, row.expected_offset[axis]) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("method", ["A", "C2", "D1"])
@pytest.mark.parametrize("key", range(1, 7))
def test_no_model_explains_the_even_part(key, method):
    row = kf.KEYS[key - 1]
    axis = row.derivative_axis
    attainable = odd_share(kf.learned_filters()[key - 1], axis, row.expected_offset[axis])
    assert kf.fit(key, method).cosine ** 2 <= attainable + 1e-12
