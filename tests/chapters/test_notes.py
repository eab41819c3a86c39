"""The tables of the notes on reproducibility against independent computations."""

import numpy as np
import pytest

import keyfilters as kf
from keyfilters_book.paper import notes
from keyfilters_book.paper.procedure import grid_minimum, published_map


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
