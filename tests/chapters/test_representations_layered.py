"""Layered pursuits: equal to a forward pass; supports and errors as guaranteed wherever a guarantee holds."""

import numpy as np
import pandas as pd
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from keyfilters.filters import learned_filters
from keyfilters_book.figures.pursuits import recovery_panels
from keyfilters_book.representations.dictionaries import (
    Dictionary,
    convolutional,
    correlations,
    lines_dictionary,
    pair_filters,
    spikes_and_waves,
    spread_filters,
)
from keyfilters_book.representations.guarantees import basis_pursuit_guarantee, thresholding_bound, thresholding_guarantee
from keyfilters_book.representations.key_dictionary import allowed, image_dictionary
from keyfilters_book.representations.layered import basis_pursuit, forward, layered_basis_pursuit, layered_thresholding
from keyfilters_book.representations.recovery import limits, random_codes, recovery, supports

WAVES = spikes_and_waves(64)
TWO = [Dictionary(spikes_and_waves(256).atoms[:, :510]), lines_dictionary(3, 170, 2)]
SHIFTS = [convolutional(spread_filters(2, 64), 320), convolutional(pair_filters(4, 8), 320)]


def noise_of(dictionary, draws, size, seed=0):
    e = np.random.default_rng(seed).normal(size=(len(dictionary.atoms), draws))
    return e * (size / dictionary.local_norm(e))


@pytest.mark.parametrize("kind", ["relu", "soft", "hard"])
@pytest.mark.parametrize("dictionaries, active", [([WAVES], 2), (TWO, 1), (SHIFTS, 1), (SHIFTS, 2)])
def test_every_covered_draw_is_found_with_the_threshold_and_error_of_the_guarantee(kind, dictionaries, active):
    noise = 0.0005
    codes = random_codes(
        dictionaries, active, 40, ratio=1.0 if dictionaries is SHIFTS else 0.95, signs="positive" if kind == "relu" else "mixed"
    )
    y = dictionaries[0].atoms @ codes[0] + noise_of(dictionaries[0], 40, noise)
    sure = thresholding_guarantee(codes, dictionaries, kind, noise)
    estimates = layered_thresholding(y, dictionaries, kind, thresholds=[layer.setting for layer in sure])
    covered = np.ones(40, bool)
    for i, (layer, estimate, code) in enumerate(zip(sure, estimates, codes, strict=True)):
        covered &= layer.holds
        assert np.array_equal((estimate != 0)[:, covered], (code != 0)[:, covered])
        error = dictionaries[i + 1].local_norm(estimate - code) if i + 1 < len(codes) else np.abs(estimate - code).max(axis=0)
        assert (error[covered] <= layer.error[covered] + 1e-12).all()
    # The soft thresholds hand on so large an error that two crowded layers are not covered.
    assert covered.any()


@pytest.mark.parametrize("dictionaries, active", [([WAVES], 2), (TWO, 1)])
def test_basis_pursuit_in_noise_has_no_wrong_entry_and_the_error_guaranteed(dictionaries, active):
    noise = 0.001
    codes = random_codes(dictionaries, active, 20, ratio=0.9)
    y = dictionaries[0].atoms @ codes[0] + noise_of(dictionaries[0], 20, noise)
    safe = basis_pursuit_guarantee(codes, dictionaries, noise)
    assert safe[-1].holds.all()
    found = layered_basis_pursuit(y, dictionaries, [layer.setting for layer in safe])
    below = np.full(20, noise)
    for layer, estimate, code in zip(safe, found, codes, strict=True):
        assert np.array_equal(estimate != 0, code != 0)
        assert (np.abs(estimate - code).max(axis=0) < 7.5 * below).all()
        below = layer.error


def test_basis_pursuit_without_noise_finds_all_draws_below_its_bound_whatever_the_ratio():
    codes = random_codes([WAVES], 4, 20, ratio=0.05, signs="mixed")
    assert basis_pursuit_guarantee(codes, [WAVES])[0].holds.all()
    assert not thresholding_guarantee(codes, [WAVES], "soft")[0].holds.any()
    estimate = basis_pursuit(WAVES.atoms @ codes[0], WAVES, 1e-4)
    assert supports([estimate], codes).all() and np.abs(estimate - codes[0]).max() < 1e-3


def test_beyond_the_bound_of_thresholding_a_small_entry_is_lost_in_the_shadow_of_a_large_one():
    # Of two active atoms with entries 1 and r the first takes mu from the second and gives mu to a third: r - mu
    # against mu, which is what the condition for k = 2 compares but for the part of the second atom, mu r.
    mu = 0.3
    gram = np.array([[1, -mu, mu], [-mu, 1, 0], [mu, 0, 1.0]])
    atoms = Dictionary(np.linalg.cholesky(gram).T)
    for ratio in (2 * mu - 0.01, 2 * mu + 0.01):
        codes = [np.array([[1.0], [ratio], [0.0]])]
        found = layered_thresholding(atoms.atoms @ codes[0], [atoms], "hard", counts=[2])
        assert supports(found, codes)[0] == (ratio > 2 * mu)
    assert thresholding_bound(mu, 1.0) > 2 > thresholding_bound(mu, 2 * mu)


def test_a_network_with_atoms_as_weights_is_the_pursuit():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(256, 5))
    pursuit = layered_thresholding(y, TWO, "relu", thresholds=[0.5, 0.2])
    network = forward(y, [d.atoms for d in TWO], [-0.5, -0.2 * np.ones(340)])
    for a, b in zip(pursuit, network, strict=True):
        assert np.allclose(a, b, atol=1e-12)
    assert (network[1] > 0).any()


def test_counts_leave_so_many_entries():
    y = np.random.default_rng(1).normal(size=(64, 6))
    for kind in ("hard", "soft", "relu"):
        (found,) = layered_thresholding(y, [WAVES], kind, counts=[[1, 2, 3, 4, 5, 6]])
        assert (found != 0).sum(axis=0).tolist() == [1, 2, 3, 4, 5, 6]


def test_the_lasso_satisfies_its_optimality_conditions():
    y, penalty = np.random.default_rng(2).normal(size=(64, 4)), 0.3
    code = basis_pursuit(y, WAVES, penalty)
    slope = WAVES.atoms.T @ (y - WAVES.atoms @ code)
    assert np.abs(slope).max() < penalty + 1e-3
    assert np.allclose(slope[code != 0], penalty * np.sign(code[code != 0]), atol=1e-3)
    assert (basis_pursuit(y, WAVES, penalty, nonnegative=True) >= 0).all()
    assert not basis_pursuit(y, WAVES, 100.0).any()


@given(st.integers(2, 6), st.integers(1, 3), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_stripes_are_windows_and_coherence_is_the_largest_correlation(taps, count, seed):
    rng = np.random.default_rng(seed)
    filters = rng.uniform(0.1, 1, (count, taps)) * rng.choice([-1, 1], (count, taps))
    positions = 2 * taps + 5
    d = convolutional(filters, positions)
    assert d.coherence == pytest.approx(correlations(filters).max(), abs=1e-12)
    code = (rng.random(positions * count) < 0.3).astype(float)[:, None]
    by_position = code.reshape(positions, count).sum(axis=1)
    windows = [by_position[np.arange(p - taps + 1, p + taps) % positions].sum() for p in range(positions)]
    assert d.stripes(code)[0] == max(windows)
    under = [code.reshape(positions, count)[(p + np.arange(taps)) % positions].sum() for p in range(positions)]
    above = convolutional(np.ones((2, taps, count)), positions)
    assert above.patches(code)[0] == max(under)
    assert above.local_norm(code)[0] == pytest.approx(np.sqrt(max(under)))


def test_made_dictionaries_have_the_coherence_they_promise():
    assert WAVES.coherence == pytest.approx(1 / 8)
    for weight in (2, 3, 4):
        assert lines_dictionary(weight, 16, 3).coherence == pytest.approx(1 / weight)
    assert convolutional(pair_filters(20, 8), 16).coherence == pytest.approx(1 / 2)
    largest = correlations(spread_filters(2, 32)).max()
    welch = np.sqrt(1 / (4 * 32 - 3))
    random = correlations(np.random.default_rng(0).normal(size=(2, 32))).max()
    assert welch <= largest < 0.5 * random


def test_the_key_dictionary_agrees_with_correlations_and_allows_one_atom():
    h = learned_filters()
    d = image_dictionary(h, 13)
    assert d.atoms.shape == (169, 169 * 8)
    assert d.coherence == pytest.approx(correlations(h).max(), abs=1e-9)
    assert allowed(d.coherence) == 1 and allowed(1.0) == 0


def test_random_codes_have_the_size_and_ratio_asked_for_and_do_not_depend_on_each_other():
    codes = random_codes(TWO, 3, 10, ratio=0.4, seed=3)
    assert (codes[1] != 0).sum(axis=0).tolist() == [3] * 10
    values = codes[1][codes[1] != 0]
    assert values.min() == 0.4 and values.max() == 1
    assert np.allclose(codes[0], TWO[1].atoms @ codes[1])
    both, one = recovery([WAVES], [2, 5], 10, methods=["soft"]), recovery([WAVES], [5], 10, methods=["soft"])
    pd.testing.assert_frame_equal(both[both.active == 5].reset_index(drop=True), one)


def test_basis_pursuit_reaches_further_than_thresholding_and_covered_draws_are_found():
    frame = recovery([WAVES], [1, 2, 4, 8, 16], 30, ratio=0.3, noise=0.0)
    assert (frame.covered_found == (frame.covered * frame.draws).round()).all()
    reach = limits(frame)
    assert reach["half"]["basis pursuit"] > reach["half"][["hard", "soft", "relu"]].max()
    assert (reach.covered <= reach.always).all()


def test_supports_counts_ties_as_missed():
    code = [np.array([[1.0], [0.0]])]
    assert supports([np.array([[1.0], [0.9]])], code)[0] and not supports([np.array([[1.0], [-1.0]])], code)[0]


@each(
    "call, message",
    [
        (lambda: Dictionary(np.ones((3, 2))), "atom 0 has norm 1.73205"),
        (lambda: spikes_and_waves(12), "n is 12: expected a power of 2"),
        (lambda: lines_dictionary(4, 6, 3), "meet twice"),
        (lambda: convolutional(np.ones((1, 5)), 8), "positions is 8: expected an integer of at least 9"),
        (lambda: convolutional(np.zeros((1, 5)), 9), "expected non-zero filters"),
        (lambda: pair_filters(9, 2), "expected at most 4 pairs"),
        (lambda: spread_filters(2, 8, power=3), "power is 3"),
        (lambda: image_dictionary(learned_filters(), 12), "size is 12: expected at least 13"),
        (lambda: allowed(0.0), "coherence is 0.0"),
        (lambda: layered_thresholding(np.ones(3), [WAVES], thresholds=[1.0]), r"y has shape \(3,\): expected 64 rows"),
        (lambda: layered_thresholding(np.ones(64), [WAVES]), "expected one of the two"),
        (lambda: layered_thresholding(np.ones(64), [WAVES], thresholds=[1, 2]), "2 thresholds or counts for 1 layers"),
        (lambda: layered_thresholding(np.ones(64), [WAVES, WAVES], thresholds=[1, 2]), "64 entries: expected 128"),
        (lambda: layered_thresholding(np.ones(64), [WAVES], counts=[128]), "expected numbers from 0 to 127"),
        (lambda: layered_thresholding(np.ones(64), [], thresholds=[]), "no dictionary"),
        (lambda: basis_pursuit(np.ones(64), WAVES, 0.0), "penalty is 0: expected a number above 0"),
        (lambda: random_codes([WAVES], 0, 1), "active is 0"),
        (lambda: random_codes([WAVES], 1, 1, ratio=0.0), "ratio is 0.0"),
        (lambda: thresholding_guarantee([-np.ones((128, 1))], [WAVES], "relu"), "negative entries"),
        (lambda: thresholding_guarantee([np.zeros((128, 1))], [WAVES], "soft"), "all zero"),
        (lambda: basis_pursuit_guarantee([np.ones((128, 2))], [WAVES], [0.0, 1.0]), "noise goes from 0 to 1"),
        (lambda: recovery([WAVES], [1], 2, methods=["omp"]), "unknown method 'omp'"),
    ],
)
def test_bad_input_is_named_in_one_line(call, message):
    refused(call, message)


def test_figures_refuse_unknown_bounds():
    frame = recovery([WAVES], [1, 2], 4, methods=["soft"])
    assert len(recovery_panels({"a": frame}, bounds={"a": {"soft": 4.5}}).axes[0].lines) == 2
    refused(lambda: recovery_panels({"a": frame}, bounds={"a": {"relu": 4.5}}), "bounds names 'relu'")
