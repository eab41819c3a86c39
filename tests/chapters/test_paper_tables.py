"""The tables of scales, of spread, of the notes on reproducibility and of the layers of ConvNeXt V2: published numbers beside computed ones."""

import numpy as np
import pandas as pd
import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

import keyfilters as kf
from keyfilters.published import published as published_numbers
from keyfilters_book.paper import architecture, notes
from keyfilters_book.paper.architecture import NetworkSize, layers, network_size, network_table
from keyfilters_book.paper.procedure import grid_minimum, published_map
from keyfilters_book.paper.tables import DECIMALS, SCALE_COLUMNS, beside_published, scales_table, spread_table

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


def test_spread_table_holds_the_measures_in_the_order_of_the_keys():
    spreads = [kf.spread(h) for h in kf.learned_filters()]
    table = spread_table(spreads)
    assert table.key.tolist() == list(range(1, 9))
    for row, s in zip(table.itertuples(), spreads, strict=True):
        assert (row.x, row.y) == tuple(s.mean)
        assert np.array_equal([[row.xx, row.xy], [row.xy, row.yy]], s.covariance)


def test_published_numbers_stand_below_those_computed_and_what_is_not_published_is_missing():
    frame = pd.DataFrame({"key": [7, 8], "10": [1.0, 2.0], "01": [3.0, 4.0]})
    table = beside_published(frame, "monomial_response_normalized")
    assert table.source.tolist() == ["here", "published"] * 2
    assert table[table.source == "here"][["10", "01"]].values.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    card = kf.scorecard()
    card = card[card.quantity == "monomial_response_normalized"].set_index(["key", "component"]).published
    for row in table[table.source == "published"].to_dict("records"):
        assert all(row[c] == card[str(row["key"]), c] for c in ("10", "01"))
    lacking = beside_published(pd.DataFrame({"key": [1], "00": [0.5], "01": [1.0]}), "monomial_response_normalized")
    assert np.isnan(lacking["00"][1]) and not np.isnan(lacking["01"][1])


def test_the_published_search_returns_its_numbers():
    table = notes.rerun_table()
    assert len(table) > 50
    assert (table.gap[table.returned] < 1e-12).all() and (table.gap[~table.returned] > 1e-10).all()


def test_the_kink_is_a_pixel_and_the_better_constant():
    table = notes.dc_table().set_index("key")
    for key in (7, 8):
        h = kf.learned_filters()[key - 1]
        assert table.kink[key] in h
        assert kf.dc_error(h, table.kink[key]) < kf.dc_error(h, table.parabola[key])
    assert (table.excess > 0).all() and (table.steps > 0).all()


def test_the_other_monomial_differs_by_twice_the_mean_times_the_sum():
    table = notes.monomials_table()
    for row in table.itertuples():
        filters = kf.learned_filters() if row.filter == "raw" else kf.normalized_filters()
        h = filters[row.key - 1]
        mean = kf.spread(h).mean[0 if row.monomial == "10" else 1]
        assert row.difference == pytest.approx(2 * mean * h.sum(), abs=1e-12)


def test_a_map_drawn_with_exchanged_axes_shows_its_minimum_elsewhere():
    table = notes.axes_table()
    assert table.displaced.between(0, 1).all() and (table.displaced > 0).all()
    for row in table.itertuples():
        first, second, values = published_map(row.method, row.key)
        i, j = np.unravel_index(values.argmin(), values.shape)
        assert (row.true_first, row.true_second) == (first[j], second[i])


@pytest.mark.parametrize(("method", "key"), [("C1", 3), ("D1", 1), ("C", 7), ("D", 7)])
def test_no_grid_point_is_below_the_minimum(method, key):
    found = grid_minimum(method, key)
    assert 0 <= found.lowest_excess <= found.nearest_excess
    assert (np.abs(found.nearest - found.minimum) <= found.step * 0.5 + 1e-12).all()


def test_parameters_of_every_network_round_to_the_published_ones():
    found = architecture.compare_published((224, 384, 512))
    assert len(found) == 14 and found.parameters_agree.all()
    assert (np.abs(found.multiply_adds / found.multiply_adds_published - 1) < 0.01).all()


def test_tiny_has_one_depthwise_filter_per_channel_and_block():
    table = network_table("tiny")
    depthwise = table[table.kind == "depthwise"]
    filters = depthwise.parameters // (7 * 7 + 1)
    assert filters.sum() == network_size("tiny").depthwise_filters == 6624
    assert (filters * 50 == depthwise.parameters).all()


@given(
    depths=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    width=st.integers(1, 40),
    kernel=st.sampled_from([1, 3, 5, 7, 9]),
)
def test_blocks_follow_their_closed_form(depths, width, kernel):
    net = NetworkSize("own", tuple(depths), tuple(width * 2**i for i in range(len(depths))))
    table = network_table(net, 64, kernel=kernel)
    blocks = table[table.block > 0].groupby(["stage", "block"])
    for (stage, _), block in blocks:
        d, n = net.dims[stage - 1], 64 // 2 ** (stage + 1)
        assert block.parameters.sum() == 8 * d**2 + (kernel**2 + 16) * d
        assert block.multiply_adds.sum() == n * n * (kernel**2 * d + 8 * d * d)
    # From the last layer back to the image: a position reaches k - 1 neighbours more per convolution.
    reach = 1
    for stage in range(len(depths), 0, -1):
        reach = (reach + depths[stage - 1] * (kernel - 1)) * (2 if stage > 1 else 4)
    assert table.receptive_field.iloc[-1] == reach


def test_maps_shrink_as_neighbours_move_apart():
    for layer in layers("nano", 384):
        if layer.stage < 5:
            assert layer.size * layer.jump == 384


@each(
    ("call", "message"),
    [
        (lambda: scales_table("E"), "unknown method 'E': expected one of A, B, C1"),
        (lambda: beside_published(pd.DataFrame({"key": [1], "x": [0.0]}), "weight"), "unknown quantity 'weight'"),
        (lambda: layers("small"), r"unknown variant 'small': expected one of atto, femto"),
        (lambda: layers("tiny", 100), r"image_size is 100: expected a positive multiple of 32"),
        (lambda: layers("tiny", classes=0), r"classes is 0: expected a positive number"),
        (lambda: layers("tiny", kernel=4), r"kernel is 4: expected an odd number"),
        (lambda: architecture.published_counts(100), r"resolution is 100: expected 224, 384 or 512"),
    ],
)
def test_wrong_input_is_named(call, message):
    refused(call, message)
