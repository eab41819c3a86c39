"""Rank correlations within groups: known cases, what changes nothing, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused
from scipy.stats import spearmanr

from keyfilters_book.rank_correlations import rank_correlations


def layers(n=40, seed=0, groups=2):
    rng = np.random.default_rng(seed)
    place, trait, noise = rng.normal(size=(3, n))
    return pd.DataFrame(
        {"trait": trait + place, "place": place, "harm": place + 0.3 * noise, "network": np.resize(list("abcd")[:groups], n)}
    )


def one(frame, *args, **options):
    return rank_correlations(frame, ["trait"], ["harm"], *args, draws=options.pop("draws", 20), **options).iloc[0]


@given(st.integers(0, 10_000), st.integers(5, 30))
def test_in_one_group_it_is_spearmans_correlation(seed, n):
    frame = layers(n, seed, groups=1)
    assert one(frame).alone == pytest.approx(spearmanr(frame.trait, frame.harm).statistic, abs=1e-12)


@given(st.integers(0, 10_000))
def test_monotone_changes_and_shifts_of_a_whole_group_change_nothing(seed):
    frame = layers(seed=seed)
    other = frame.assign(
        trait=np.exp(frame.trait) + 100 * (frame.network == "a"), harm=frame.harm**3 - 7 * (frame.network == "b")
    )
    pd.testing.assert_series_equal(one(frame, ["place"]), one(other, ["place"]))


def test_what_goes_with_the_place_alone_is_nothing_once_the_place_is_held():
    found = one(layers(300), ["place"], draws=400)
    assert found.alone > 0.5 and found.alone_low > 0.3
    assert abs(found.partial) < 0.15 and found.partial_low < 0 < found.partial_high and found.p > 0.05


def test_what_the_place_hides_is_found_once_it_is_held():
    frame = layers(300)
    frame["harm"] = frame.trait - 1.01 * frame.place
    found = one(frame, ["place"], draws=400)
    assert found.partial > 0.8 > 0.75 > found.alone and found.p_holm == pytest.approx(1 / 401)


def test_columns_that_are_held_are_held_against_the_others_and_not_corrected():
    found = rank_correlations(layers(), ["trait", "place"], ["harm"], ["place"], draws=50).set_index("column")
    assert found.alone["place"] == pytest.approx(found.partial["place"]) and np.isnan(found.p_holm["place"])
    assert found.p_holm["trait"] == found.p["trait"]


def test_p_values_of_noise_are_even():
    rng = np.random.default_rng(0)
    names = [f"t{i}" for i in range(200)]
    frame = pd.DataFrame(rng.normal(size=(60, 200)), columns=names).assign(
        harm=rng.normal(size=60), place=rng.normal(size=60), network=np.resize(list("abc"), 60)
    )
    p = rank_correlations(frame, names, ["harm"], ["place"], draws=200).p
    assert 0.4 < p.mean() < 0.6 and 0.01 < (p < 0.05).mean() < 0.11


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    def holds(seed):
        independent = layers(60, seed).assign(trait=np.random.default_rng([seed, 1]).normal(size=60))
        found = one(independent, draws=200)
        return found.alone_low < 0 < found.alone_high

    assert 51 <= sum(holds(seed) for seed in range(60)) <= 60


def test_what_has_the_ranks_of_what_is_held_or_no_spread_says_nothing():
    frame = layers()
    assert one(frame.assign(trait=2 * frame.place + 1), ["place"]).partial == 0
    assert tuple(one(frame.assign(trait=1.0), ["place"])[["alone", "partial", "p"]]) == (0, 0, 1)


def test_the_same_seed_gives_the_same_table():
    pd.testing.assert_frame_equal(
        *(rank_correlations(layers(), ["trait"], ["harm"], ["place"], draws=30, seed=3) for _ in "ab")
    )


def test_what_is_no_column_is_named():
    refused(lambda: rank_correlations(layers(), ["depth"], ["harm"]), "no column 'depth': it has trait, place, harm, network")
    refused(lambda: one(layers().assign(trait=np.nan)), "trait")
    refused(lambda: one(layers(), level=1.5), "level is 1.5")
    refused(lambda: one(layers(), draws=0), "draws is 0")
