"""The objective between its minima: no cell is excluded that holds the optimum, and what is said of a line, a valley and the curvature is so."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

import keyfilters as kf
from keyfilters_book.paper.exclusion import exclusion
from keyfilters_book.paper.landscape import along_line, least_curvature, local_minima, two_scale_problem, valley_extent

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
    assert sorted(bool(w.open.any()) for w in windows if w.level == 3) == [False, True]


@pytest.mark.parametrize("key", SEPARABLE)
@pytest.mark.parametrize("norm, method", [("l1", "C1"), ("l2", "D1")])
def test_descents_reach_the_global_minimum_and_nothing_lower(key, norm, method):
    found, minima = kf.fit(key, method), local_minima(key, norm, [0.3, 0.6, 1.2])
    value, sigma_x, sigma_y = minima[0]
    assert value == pytest.approx(found.objective, abs=1e-12)
    assert (sigma_x, sigma_y) == pytest.approx((found.sigma_x, found.sigma_y), abs=1e-7)
    if norm == "l2":
        assert len(minima) == 1


@settings(deadline=None)
@given(
    key=st.sampled_from(SEPARABLE), start=st.tuples(st.floats(0, 2), st.floats(0, 2)), end=st.tuples(st.floats(0, 2), st.floats(0, 2)),
)  # fmt: skip
def test_the_line_agrees_with_the_map(key, start, end):
    t = np.array([0.0, 0.25, 1.0])
    for norm, power in (("l1", 1), ("l2", 2)):
        values, _ = along_line(key, start, end, t, norm)
        for u, value in zip(t, values, strict=True):
            x, y = np.asarray(start) + u * (np.asarray(end) - start)
            assert value == pytest.approx(kf.objective_map(key, [x], [y], norm=norm)[0, 0] ** power, rel=1e-9)


def test_kinks_are_where_residuals_vanish():
    found = kf.fit(1, "C1")
    start, end, t = (0.5 * found.sigma_x, found.sigma_y), (1.5 * found.sigma_x, found.sigma_y), np.linspace(0, 1, 401)
    _, kinks = along_line(1, start, end, t)
    problem = two_scale_problem(1)
    for kink in kinks:
        sigma = np.asarray(start) + kink * (np.asarray(end) - start)
        assert np.abs(problem.evaluate(sigma**2)[0]).min() < 1e-6
    # The optimum is such a place, half-way along this line.
    assert np.abs(kinks - 0.5).min() < 1e-6


def test_the_valley_is_as_wide_as_it_says():
    found, extent = kf.fit(5, "D1"), valley_extent(5, "D1", tolerance=0.02)
    least = np.sqrt(found.objective)
    for i, sigma in enumerate((found.sigma_x, found.sigma_y)):
        assert extent[i, 0] < sigma < extent[i, 1]
    # Beyond its ends no value of the other scale gives as little.
    other = np.linspace(0, 3, 1201)
    for end, outwards in zip(extent[0], (-1, 1), strict=True):
        beyond = kf.objective_map(5, [end + 0.005 * outwards], other, norm="l2").min()
        at = kf.objective_map(5, [end], other, norm="l2").min()
        assert at <= 1.02 * least < beyond


def test_curvature_is_that_of_the_objective():
    x, y, h = 0.6, 0.7, 1e-4
    problem = two_scale_problem(8)
    s = np.array([x, y]) ** 2

    def objective(dx, dy):
        return (problem.evaluate(s + h * np.array([dx, dy]))[0] ** 2).sum()

    xx = (objective(1, 0) - 2 * objective(0, 0) + objective(-1, 0)) / h**2
    yy = (objective(0, 1) - 2 * objective(0, 0) + objective(0, -1)) / h**2
    xy = (objective(1, 1) - objective(1, -1) - objective(-1, 1) + objective(-1, -1)) / (4 * h**2)
    expected = np.linalg.eigvalsh([[xx, xy], [xy, yy]])[0]
    assert least_curvature(8, (x, y), (x, y), 1) == pytest.approx(expected, rel=1e-5)
    # Far from the filter the objective is not convex.
    assert least_curvature(8, (1.5, 1.5), (2.5, 2.5), 5) < 0


@each(
    "call, message",
    [
        (lambda: exclusion(7, "C1"), "key 7 has one scale and gamma"),
        (lambda: exclusion(1, "C2"), "unknown method 'C2': expected one of C1, D1"),
        (lambda: exclusion(1, "C1", samples=2), "samples is 2: expected an integer of at least 3"),
        (lambda: exclusion(1, "C1", levels=0), "levels is 0: expected an integer of at least 1"),
        (lambda: two_scale_problem(7), "key 7 has one scale and gamma"),
        (lambda: local_minima(1, "l3", [0.5]), "unknown norm 'l3': expected one of l1, l2"),
        (lambda: local_minima(1, "l1", [-0.5]), "starts is -0.5: expected a finite number >= 0"),
        (lambda: along_line(1, (0.1, 0.1), (0.5, 0.5), [-1.0]), "scale on the line is -0.3"),
        (lambda: valley_extent(1, "C2"), "unknown method 'C2': expected one of C1, D1"),
    ],
)
def test_bad_input_is_refused(call, message):
    refused(call, message)
