"""The reference that the timings compare with does the same work: same filters, same values, same minima."""

import numpy as np
import pytest

from keyfilters import fit, ideal_filter, objective_map
from keyfilters.filters import KEYS, SHARPENING
from keyfilters_book.benchmarks import (
    BENCHMARK_SCALES,
    GAMMAS,
    measure,
    pyscsp_model,
    run_scan,
    scan_of_one_map,
    scans_of_all_fits,
)


@pytest.mark.parametrize("row", KEYS, ids=lambda row: str(row.number))
@pytest.mark.parametrize("sigmas", [(0.1, 0.1), (0.45, 0.9), (2.0, 1.3)])
def test_filters_from_pyscsp_are_the_idealised_filters(row, sigmas):
    gamma = 0.6 if row.kind == SHARPENING else None
    ours, theirs = ideal_filter(row, *sigmas, gamma=gamma), pyscsp_model(row, *sigmas, gamma)
    assert np.abs(ours - theirs).max() < 1e-7


def test_the_reference_map_is_our_map():
    scan = scan_of_one_map(4)
    ours = objective_map(4, BENCHMARK_SCALES, BENCHMARK_SCALES).ravel()
    for index in range(17, len(scan.points), 1999):
        assert scan.value(*scan.points[index]) == pytest.approx(ours[index], abs=1e-5)


def test_the_reference_scans_every_fit_once():
    """Keys 1-6 and 8: two axes in B; C1, C2, D1 and D2. Key 7: l1 and l2. Joint: two groups, l1 and l2."""
    sizes = sorted(len(scan.points) for scan in scans_of_all_fits())
    assert sizes == [200] * (7 * 2 + 7 * 2 + 2 * 2) + [40_000] * (7 * 2 + 2)


def test_the_reference_ends_within_a_step_of_our_optimum():
    scans = list(scans_of_all_fits())
    found = fit(1, "B")
    assert run_scan(scans[0])[1][0] == pytest.approx(found.sigma_x, abs=0.01)
    assert run_scan(scans[1])[1][1] == pytest.approx(found.sigma_y, abs=0.01)
    c2 = next(scan for scan in scans[14:] if len(scan.points) == 200)
    assert run_scan(c2)[1][0] == pytest.approx(fit(1, "C2").sigma_x, abs=0.01)


def test_the_reference_for_key_7_has_its_optimum_inside_the_grid():
    found = fit(7, "C1")
    assert BENCHMARK_SCALES[0] < found.sigma_x < BENCHMARK_SCALES[-1] and GAMMAS[0] < found.gamma < GAMMAS[-1]


def test_measuring_gives_a_row_for_each_work():
    table = measure(thin=5000, repeats=1)
    assert list(table.columns[:4]) == ["work", "ours_seconds", "pyscsp_seconds", "ratio"]
    assert len(table) == 2 and (table[["ours_seconds", "pyscsp_seconds", "ratio"]] > 0).all(axis=None)
    assert np.allclose(table.ratio, table.pyscsp_seconds / table.ours_seconds)
    assert table.pyscsp_points.tolist() == [646_400, 40_000] and table.pyscsp_evaluated.tolist() == [32 + 16 * 8, 8]
