"""Exclusion of cells: no cell is excluded that holds the optimum, and the bound holds everywhere."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

import keyfilters as kf
from keyfilters_book.paper.exclusion import exclusion

SEPARABLE = (1, 2, 3, 4, 5, 6, 8)


def nearest(window, sigma_x, sigma_y):
    return int(np.abs(window.second - sigma_y).argmin()), int(np.abs(window.first - sigma_x).argmin())


@pytest.mark.parametrize("method", ["C1", "D1"])
@pytest.mark.parametrize("key", SEPARABLE)
def test_the_optimum_stays_open_at_every_level(key, method):
    found = kf.fit(key, method)
    windows = exclusion(key, method, samples=101, levels=3)
    for level in range(3):
        holding = [
            w for w in windows
            if w.level == level and w.first[0] - w.step / 2 <= found.sigma_x <= w.first[-1] + w.step / 2
            and w.second[0] - w.step / 2 <= found.sigma_y <= w.second[-1] + w.step / 2
        ]  # fmt: skip
        assert any(w.open[nearest(w, found.sigma_x, found.sigma_y)] for w in holding)
    assert windows[0].open.mean() < 0.05
    low, high = windows[0].frame
    assert (low <= (found.sigma_x, found.sigma_y)).all() and (high > (found.sigma_x, found.sigma_y)).all()
    # Every open cell lies in the frame, and the frame is no larger than needed.
    rows, columns = np.nonzero(windows[0].open)
    assert windows[0].first[columns].max() + windows[0].step / 2 == high[0]
    assert max(windows[0].second[rows].min() - windows[0].step / 2, 0.0) == low[1]


@settings(deadline=None)
@given(
    key=st.sampled_from(SEPARABLE), norm=st.sampled_from(["l1", "l2"]),
    sigma=st.tuples(st.floats(0, 3), st.floats(0, 3)), samples=st.integers(21, 201),
)  # fmt: skip
def test_no_norm_lies_below_the_bound_of_its_cell(key, norm, sigma, samples):
    window = exclusion(key, {"l1": "C1", "l2": "D1"}[norm], samples=samples, levels=1)[0]
    value = kf.objective_map(key, [sigma[0]], [sigma[1]], norm=norm)[0, 0]
    assert value >= window.lower[nearest(window, *sigma)] - 1e-12


def test_the_second_minimum_of_key_8_is_excluded():
    windows = exclusion(8, "C1", levels=4)
    last = [w for w in windows if w.level == 3]
    assert len(last) == 2
    assert sorted(bool(w.open.any()) for w in last) == [False, True]


@each(
    "arguments, message",
    [
        ((7, "C1"), "key 7 has one scale and gamma"),
        ((1, "C2"), "unknown method 'C2': expected one of C1, D1"),
        ((1, "C1", {"samples": 2}), "samples is 2: expected an integer of at least 3"),
        ((1, "C1", {"levels": 0}), "levels is 0: expected an integer of at least 1"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    key, method, *options = arguments
    refused(lambda: exclusion(key, method, **(options[0] if options else {})), message)
