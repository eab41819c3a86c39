"""Symmetry and separability: exact cases, invariances, and what a permutation may not change."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from each import each
from hypothesis import assume, given
from hypothesis import strategies as st
from refusals import refused

import keyfilters as kf
from keyfilters_book.paper import structure

VALUES = st.floats(-10, 10, allow_nan=False).map(lambda v: round(v, 3))
FILTERS = st.sampled_from([3, 5, 7]).flatmap(lambda n: hnp.arrays(np.float64, (n, n), elements=VALUES))


@given(FILTERS, st.floats(0.1, 5), st.sampled_from([0, 1]))
def test_shares_do_not_depend_on_amplitude_or_transposition(h, amplitude, axis):
    assume(np.abs(h).max() > 0.01)
    assert np.isclose(structure.rank_one_energy(h), structure.rank_one_energy(-amplitude * h.T), atol=1e-12)
    assert np.isclose(structure.odd_share(h, axis), structure.odd_share(amplitude * h, axis), atol=1e-12)
    # Transposing and turning by half a turn exchanges x and y, with y up.
    assert np.isclose(structure.odd_share(h, 0, 0.5), structure.odd_share(h.T, 1, -0.5), atol=1e-12)


@given(FILTERS, st.sampled_from([0, 1]))
def test_odd_and_even_parts_have_the_shares_they_should(h, axis):
    assume(np.abs(h).max() > 0.01)
    mirrored = np.flip(h, 1 - axis)
    odd, even = (h - mirrored) / 2, (h + mirrored) / 2
    share = structure.odd_share(h, axis)
    assert np.isclose(share, (odd**2).sum() / (h**2).sum(), atol=1e-12)
    assert np.isclose(1 - share, (even**2).sum() / (h**2).sum(), atol=1e-12)


@pytest.mark.parametrize("row", kf.KEYS[:6], ids=lambda row: f"key{row.number}")
def test_models_are_odd_about_their_own_centre_and_separable(row):
    h = kf.ideal_filter(row, 0.8)
    axis = row.derivative_axis
    assert structure.odd_share(h, axis, row.expected_offset[axis]) == pytest.approx(1, abs=1e-14)
    assert structure.odd_share(h, 1 - axis) == pytest.approx(0, abs=1e-14)
    assert structure.rank_one_energy(h) == pytest.approx(1, abs=1e-14)
    assert structure.mirror_correlation(h, 1 - axis) == pytest.approx(1, abs=1e-14)


@given(FILTERS)
def test_correlation_is_that_of_the_covariance_matrix(h):
    assume(np.abs(h).max() > 0.01)
    v = kf.spread(h).covariance
    assume(v[0, 0] > 1e-3 and v[1, 1] > 1e-3)
    assert np.isclose(structure.spread_correlation(h), v[0, 1] / np.sqrt(v[0, 0] * v[1, 1]), atol=1e-9)


def test_mirror_correlation_against_numpy():
    h = kf.learned_filters()[1]
    assert np.isclose(structure.mirror_correlation(h, 0), np.corrcoef(h.ravel(), h[:, ::-1].ravel())[0, 1], atol=1e-12)
    peak = np.unravel_index(np.abs(h).argmax(), h.shape)
    kept = np.ones(h.shape, dtype=bool)
    kept[peak] = kept[peak[0], 6 - peak[1]] = False
    expected = np.corrcoef(h[kept], h[:, ::-1][kept])[0, 1]
    assert np.isclose(structure.mirror_correlation(h, 0, without_peak=True), expected, atol=1e-12)


def test_functions_take_stacks():
    h = kf.learned_filters()
    for function in (structure.rank_one_energy, structure.spread_correlation):
        assert np.allclose(function(h), [function(one) for one in h], atol=1e-14)
    for without_peak in (False, True):
        stacked = structure.mirror_correlation(h, 1, without_peak)
        assert np.allclose(stacked, [structure.mirror_correlation(one, 1, without_peak) for one in h], atol=1e-14)
    assert np.allclose(structure.odd_share(h, 1, -0.5), [structure.odd_share(one, 1, -0.5) for one in h], atol=1e-14)


@pytest.mark.parametrize("keep", structure.KEPT)
def test_permutations_keep_the_values_and_what_they_should(keep):
    h = kf.learned_filters()[0]
    p = structure.permuted_filters(h, 50, seed=3, keep=keep)
    assert np.array_equal(np.sort(p.reshape(50, -1)), np.tile(np.sort(h.ravel()), (50, 1)))
    assert len(np.unique(p.reshape(50, -1), axis=0)) == 50
    assert np.array_equal(p, structure.permuted_filters(h, 50, seed=3, keep=keep))
    if keep == "two largest":
        assert (p[:, 4, 3] == h[4, 3]).all() and (p[:, 3, 3] == h[3, 3]).all()
    if keep == "rings":
        corners = np.array([0, 0, 6, 6]), np.array([0, 6, 0, 6])
        assert np.array_equal(np.sort(p[:, *corners]), np.tile(np.sort(h[corners]), (50, 1)))


@each(
    "call, message",
    [
        (lambda h: structure.odd_share(h, 2), "axis is 2: expected 0"),
        (lambda h: structure.odd_share(h, 0, 0.3), "centre is 0.3: expected a multiple of 1/2"),
        (lambda h: structure.mirror_correlation(h, "x"), "axis is 'x': expected 0"),
        (lambda h: structure.permuted_filters(h, 0), "count is 0: expected an integer of at least 1"),
        (
            lambda h: structure.permuted_filters(h, 2, keep="all"),
            "unknown keep 'all': expected one of none, two largest, rings",
        ),
        (lambda h: structure.rank_one_energy(h[:2]), r"filter has shape \(2, 7\)"),
    ],
)
def test_bad_input_is_named(call, message):
    refused(lambda: call(kf.learned_filters()[0]), message)
