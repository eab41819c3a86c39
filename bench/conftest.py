"""Collects the times of both works and prints their ratios after pytest-benchmark's own table."""

import pytest

TIMES = pytest.StashKey[dict]()


@pytest.fixture
def note(request):
    """Keep the CPU seconds of one side of a work: ``note(work, side, seconds, remark)``."""
    times = request.config.stash.setdefault(TIMES, {})

    def keep(work, side, seconds, remark=""):
        times.setdefault(work, {})[side] = (seconds, remark)

    return keep


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter, config):
    yield  # pytest-benchmark's table, whose reference rows are not scaled to the full grids
    times = config.stash.get(TIMES, {})
    whole = {work: sides for work, sides in times.items() if {"keyfilters", "pyscsp"} <= set(sides)}
    if not whole:
        return
    terminalreporter.section("keyfilters beside pyscsp, CPU seconds")
    terminalreporter.write_line(f"{'work':36}{'keyfilters':>12}{'pyscsp':>12}{'ratio':>9}  pyscsp's grid points")
    for work, sides in whole.items():
        ours, (theirs, remark) = sides["keyfilters"][0], sides["pyscsp"]
        terminalreporter.write_line(f"{work:36}{ours:12.4f}{theirs:12.3f}{theirs / ours:9.0f}  {remark}")
