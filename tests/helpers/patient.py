"""Processes that a test waits for as long as they get on: a busy machine is slow, and fails no test."""

import subprocess
from contextlib import contextmanager

from keyfilters_build.watchdog import Watchdog


@contextmanager
def patience():
    """Ends what the test starts within it where that hangs or never comes to an end, as the build does with its kernels."""
    with Watchdog(ceiling=600, patience=300) as watchdog:
        yield
    assert not watchdog.verdict, watchdog.verdict


def run(command, **options):
    """`subprocess.run` with patience."""
    with patience():
        return subprocess.run(command, **options)
