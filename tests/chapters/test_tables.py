"""The tables of scales: the published numbers, all of them, beside what is computed here."""

import numpy as np
import pandas as pd
import pytest
from refusals import refused

import keyfilters as kf
from keyfilters.published import published as published_numbers
from keyfilters_book.paper.tables import DECIMALS, SCALE_COLUMNS, scales_table

ALL = (*kf.METHODS, *kf.JOINT_METHODS)


@pytest.fixture(scope="module")
def by_method():
    return {method: scales_table(method) for method in ALL}


def test_every_published_scale_stands_in_a_table(by_method):
    published = published_numbers()
    scales = published[published.quantity.isin(("sigma", "gamma"))]
    shown = pd.concat(by_method.values())
    # The two fits of key 7 stand in several tables.
    shown = shown.drop_duplicates(["key", "axis", "fit", "published"])
    assert sorted(shown.published) == sorted(scales.value)
    assert all(tuple(table.columns) == SCALE_COLUMNS for table in by_method.values())


@pytest.mark.parametrize("method", list(kf.METHODS))
def test_reproduced_scales_are_those_of_the_fits(by_method, method):
    table = by_method[method]
    for row in table[table.fit != "earlier model"].itertuples():
        found = kf.fit(int(row.key), method)
        expected = {"x": found.sigma_x, "y": found.sigma_y, "both": found.sigma_x, "gamma": found.gamma}[row.axis]
        assert row.reproduced == pytest.approx(expected, abs=1e-12)
        assert row.difference == round(row.reproduced - row.published, DECIMALS)


@pytest.mark.parametrize("method", ["B", "C2", "D2", "B-joint", "C-joint", "D-joint"])
def test_the_published_search_gives_the_published_scales_again(by_method, method):
    table = by_method[method]
    # Key 7 has a table of its own troubles: an overwritten array (C), a window that is not known (B-joint).
    table = table[table.key != "7"]
    assert len(table) >= 2
    assert np.abs(table.rerun_difference).max() < 1e-12


def test_closed_form_is_published_to_rounding(by_method):
    table = by_method["A"]
    own = table[table.fit != "l2"]
    assert len(own) == 16
    assert np.abs(own.difference).max() < 1e-15
    assert own.rerun.isna().all() and own.step.isna().all()


def test_what_went_wrong_in_the_published_two_scale_grids_shows(by_method):
    table = by_method["C1"].set_index(["key", "axis"])
    # Key 6: the entry before the lowest one was read.
    off = table.loc[("6", "x")]
    assert off.rerun_difference == pytest.approx(off.step, rel=1e-9)
    assert table.loc[("6", "y")].rerun_difference == 0
    # Key 7: gamma was read from the grid of another run, with the right index.
    gamma = table.loc[("7", "gamma")]
    assert gamma.rerun == pytest.approx(0.40 + 0.15 * 121 / 199, abs=1e-15)
    assert gamma.deviation == "key7-gamma-array"


def test_unknown_method_is_refused():
    refused(lambda: scales_table("E"), "unknown method 'E': expected one of A, B, C1")
