"""Watches the processes that this one started: the memory that they take, and whether they still get on."""

from __future__ import annotations

import math
import threading
import time
from types import SimpleNamespace

import psutil

GENEROUS = 10
"""How many times its planned processor time a notebook may take before it counts as an endless loop."""

PATIENCE = 300.0
"""Seconds by the clock without progress after which a notebook counts as hung."""

IDLE = 0.01
"""Share of one processor below which there is no progress. A kernel that waits takes less than a thousandth."""


class Watchdog:
    """Context manager that ends what this process starts within it when that hangs or never comes to an end.

    Children that were there before, and theirs, are neither counted nor ended.

    A clock cannot tell a notebook that hangs from one on a busy machine. Processor time can: who waits for ever takes
    none, and who has to share the processor takes as much as alone.

    Parameters
    ----------
    ceiling : float
        Seconds of processor time, of all that was started together, that are too many.
    patience : float
        Seconds by the clock within which they must take more than the share `IDLE` of one processor.
    seconds : float
        Between two looks.

    Attributes
    ----------
    processor_seconds : float
        Processor time that they took, as far as seen.
    megabytes : int
        The largest sum of their resident memory that a look saw, in units of 10^6 bytes, rounded up; a shorter peak can be
        missed, and memory that two share counts for both.
    verdict : str
        Why they were ended; empty where they were not.

    Examples
    --------
    >>> import subprocess, sys
    >>> with Watchdog(ceiling=60, patience=2, seconds=0.1) as watchdog:
    ...     code = subprocess.run([sys.executable, "-c", "x = b'x' * 50_000_000; import time; time.sleep(60)"]).returncode
    >>> code != 0, watchdog.verdict, watchdog.megabytes > 50
    (True, 'hung: its processes took no processor time for 2 s', True)
    """

    def __init__(self, ceiling: float, patience: float, seconds: float = 0.25):
        self.processor_seconds = 0.0
        self.megabytes = 0
        self.verdict = ""
        self._ceiling, self._patience, self._seconds = ceiling, patience, seconds
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._earlier = set(psutil.Process().children())
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()

    def _watch(self) -> None:
        here = psutil.Process()
        marked, waited, looked = 0.0, 0.0, time.monotonic()
        while not self._ended.wait(self._seconds):
            begun = set(here.children()) - self._earlier
            processes = [process for child in begun for process in (child, *_descendants(child))]
            memory = sum(_asked(process, "memory_info", rss=0).rss for process in processes)
            self.megabytes = max(self.megabytes, math.ceil(memory / 1e6))
            # Less than before where one has ended that nobody waited for.
            self.processor_seconds = max(self.processor_seconds, sum(map(_processor_seconds, processes)))
            # Whoever was halted himself, by Ctrl-Z or with the whole machine, did not watch meanwhile.
            waited += min(time.monotonic() - looked, 10 * self._seconds)
            looked = time.monotonic()
            if self.processor_seconds > marked + IDLE * self._patience:
                marked, waited = self.processor_seconds, 0.0
            if self.processor_seconds > self._ceiling:
                self.verdict = f"no end in sight: its processes took more than {self._ceiling:g} s of processor time"
            elif waited > self._patience:
                self.verdict = f"hung: its processes took no processor time for {self._patience:g} s"
            if self.verdict:
                for process in processes:
                    _asked(process, "kill")
                return


def _asked(process, what: str, **otherwise: float):
    """What psutil answers to `what`; `otherwise`, as attributes, for a process that is gone."""
    try:
        return getattr(process, what)()
    except psutil.Error:
        return SimpleNamespace(**otherwise)


def _descendants(process) -> list:
    """Empty for one that is gone."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _processor_seconds(process) -> float:
    """Of a process and of those of its children that have ended; 0 for one that is gone."""
    times = _asked(process, "cpu_times")
    # The last two are missing outside of Unix.
    return sum(getattr(times, name, 0.0) for name in ("user", "system", "children_user", "children_system"))
