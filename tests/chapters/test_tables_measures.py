"""Tables of spread measures and of computed numbers beside published ones."""

import numpy as np
import pandas as pd
from refusals import refused

import keyfilters as kf
from keyfilters_book.paper.tables import beside_published, spread_table


def test_spread_table_holds_the_measures_in_the_order_of_the_keys():
    spreads = [kf.spread(h) for h in kf.learned_filters()]
    table = spread_table(spreads)
    assert table.key.tolist() == list(range(1, 9))
    for row, s in zip(table.itertuples(), spreads, strict=True):
        assert (row.x, row.y) == tuple(s.mean)
        assert np.array_equal([[row.xx, row.xy], [row.xy, row.yy]], s.covariance)


def test_published_numbers_stand_below_those_computed():
    frame = pd.DataFrame({"key": [7, 8], "10": [1.0, 2.0], "01": [3.0, 4.0]})
    table = beside_published(frame, "monomial_response_normalized")
    assert table.source.tolist() == ["here", "published"] * 2
    assert table[table.source == "here"][["10", "01"]].values.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    card = kf.scorecard()
    card = card[card.quantity == "monomial_response_normalized"].set_index(["key", "component"]).published
    for row in table[table.source == "published"].to_dict("records"):
        assert all(row[c] == card[str(row["key"]), c] for c in ("10", "01"))


def test_what_is_not_published_is_missing():
    table = beside_published(pd.DataFrame({"key": [1], "00": [0.5], "01": [1.0]}), "monomial_response_normalized")
    assert np.isnan(table["00"][1]) and not np.isnan(table["01"][1])


def test_an_unknown_quantity_is_named():
    refused(lambda: beside_published(pd.DataFrame({"key": [1], "x": [0.0]}), "weight"), "unknown quantity 'weight'")
