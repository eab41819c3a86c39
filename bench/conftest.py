"""Collects the times of both sides of each work and prints their ratios after pytest-benchmark's own table."""

import statistics
import time

import pytest

TIMES = pytest.StashKey[dict]()
RATIOS = pytest.StashKey[list]()


@pytest.fixture
def note(request):
    """Keep the CPU seconds of one side of a work: ``note(work, side, seconds, remark)``."""
    times = request.config.stash.setdefault(TIMES, {})

    def keep(work, side, seconds, remark=""):
        times.setdefault(work, {})[side] = (seconds, remark)

    return keep


@pytest.fixture
def compare(request):
    """Time two functions in turns and keep the ratio of their median times: ``compare(work, ours, reference, aim)``."""
    rows = request.config.stash.setdefault(RATIOS, [])

    def keep(work, ours, reference, aim, rounds=15):
        times = [], []
        for _ in range(rounds):
            # In turns, so that both meet the same disturbances.
            for side, function in enumerate((ours, reference)):
                start = time.process_time()
                function()
                times[side].append(time.process_time() - start)
        rows.append((work, *map(statistics.median, times), aim))

    return keep


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter, config):
    yield  # pytest-benchmark's table, whose reference rows are not scaled to the full grids
    ratios = config.stash.get(RATIOS, [])
    if ratios:
        terminalreporter.section("keyfilters.networks, CPU milliseconds, medians")
        terminalreporter.write_line(f"{'work':58}{'keyfilters':>12}{'reference':>12}{'ratio':>9}  aim")
        for work, ours, reference, aim in ratios:
            terminalreporter.write_line(f"{work:58}{1e3 * ours:12.2f}{1e3 * reference:12.2f}{ours / reference:9.3f}  {aim}")
    times = config.stash.get(TIMES, {})
    whole = {work: sides for work, sides in times.items() if {"keyfilters", "pyscsp"} <= set(sides)}
    if not whole:
        return
    terminalreporter.section("keyfilters beside pyscsp, CPU seconds")
    terminalreporter.write_line(f"{'work':36}{'keyfilters':>12}{'pyscsp':>12}{'ratio':>9}  pyscsp's grid points")
    for work, sides in whole.items():
        ours, (theirs, remark) = sides["keyfilters"][0], sides["pyscsp"]
        terminalreporter.write_line(f"{work:36}{ours:12.4f}{theirs:12.3f}{theirs / ours:9.0f}  {remark}")
