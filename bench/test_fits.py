"""Speed of the fits and of a map, each beside the same work done with pyscsp's kernels (`make bench`).

The reference evaluates every THIN-th point of its grids, and its time is scaled to all of them.
"""

import time

import pytest

from keyfilters import fit_table, objective_map
from keyfilters.fitting.joint import all_fits
from keyfilters_book.benchmarks import BENCHMARK_SCALES, run_scan, scan_of_one_map, scans_of_all_fits

THIN = 7
FITS, MAP = "all fits: fit_table()", "a 200 x 200 map of the l1 norm"

cpu_time = pytest.mark.benchmark(timer=time.process_time, warmup=True)


def with_pyscsp(benchmark, note, work, scans):
    counts = benchmark.pedantic(lambda: [run_scan(scan, THIN)[2] for scan in scans], rounds=1, warmup_rounds=0)
    points = sum(len(scan.points) for scan in scans)
    benchmark.extra_info["points"], benchmark.extra_info["timed"] = points, sum(counts)
    note(work, "pyscsp", benchmark.stats.stats.min * points / sum(counts), f"{points}, of which {sum(counts)} timed")


@cpu_time
@pytest.mark.benchmark(group=FITS)
def test_all_fits_with_keyfilters(benchmark, note):
    assert len(benchmark(fit_table)) == 80
    note(FITS, "keyfilters", benchmark.stats.stats.min)


@cpu_time
@pytest.mark.benchmark(group=FITS)
def test_all_fits_with_pyscsp_thinned(benchmark, note):
    with_pyscsp(benchmark, note, FITS, list(scans_of_all_fits()))


@cpu_time
@pytest.mark.benchmark(group=MAP)
def test_one_map_with_keyfilters(benchmark, note):
    assert benchmark(objective_map, 2, BENCHMARK_SCALES, BENCHMARK_SCALES).shape == (200, 200)
    note(MAP, "keyfilters", benchmark.stats.stats.min)


@cpu_time
@pytest.mark.benchmark(group=MAP)
def test_one_map_with_pyscsp_thinned(benchmark, note):
    with_pyscsp(benchmark, note, MAP, [scan_of_one_map()])


@cpu_time
@pytest.mark.benchmark(group="intervals")
def test_intervals_of_all_54_problems(benchmark):
    """Bootstrap of every fit behind the table; planned: 20 CPU seconds at most."""

    def intervals():
        # New fits each time: a fit keeps the sample that it has drawn.
        problems = {id(found.given): found for found in all_fits()}
        return [found.interval() for found in problems.values()]

    assert len(benchmark.pedantic(intervals, rounds=1, warmup_rounds=0)) == 54
