"""Memory that the processes started by this one take, watched while they run."""

from __future__ import annotations

import math
import threading

__all__ = ["PeakMemory", "memory_text"]


class PeakMemory:
    """Context manager that watches the resident memory of all descendants of this process.

    The peak is the largest sum seen, with one look every `seconds`; a shorter peak can be missed. Memory that two
    processes share counts for both.

    Attributes
    ----------
    megabytes : int
        The peak in units of 10^6 bytes, rounded up; 0 before anything was seen.

    Examples
    --------
    >>> import subprocess, sys
    >>> with PeakMemory(seconds=0.01) as peak:
    ...     _ = subprocess.run([sys.executable, "-c", "x = b'x' * 50_000_000; import time; time.sleep(1)"])
    >>> peak.megabytes > 50
    True
    """

    def __init__(self, seconds: float = 0.25):
        self._seconds = seconds
        self._bytes = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    @property
    def megabytes(self) -> int:
        return math.ceil(self._bytes / 1e6)

    def __enter__(self) -> PeakMemory:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()

    def _watch(self) -> None:
        import psutil

        here = psutil.Process()
        while not self._ended.wait(self._seconds):
            self._bytes = max(self._bytes, sum(map(_resident, here.children(recursive=True))))


def _resident(process) -> int:
    import psutil

    try:
        return process.memory_info().rss
    except psutil.Error:  # it ended meanwhile
        return 0


def memory_text(megabytes: float) -> str:
    """`megabytes` rounded up to 10 MB, from 1000 MB on to a tenth of a gigabyte.

    Examples
    --------
    >>> memory_text(231), memory_text(1204)
    ('240 MB', '1.3 GB')
    """
    if megabytes <= 990:
        return f"{10 * math.ceil(megabytes / 10)} MB"
    return f"{math.ceil(megabytes / 100) / 10:.1f} GB"
