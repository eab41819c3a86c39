"""The student's process: runs the cells of one notebook, hands over the answers, and calls functions among them when asked.

It stops a cell that takes too long, has a limit of memory, and refuses to write outside of its folder and to start or end
processes. That keeps accidents in; a notebook that attacks the machine needs a container around the command.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .handed_in import code_cells
from .values import encode

MESSAGE = 1 << 26
"""The most bytes that one message may have."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate"}
_PROCESSES = {"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.forkpty", "os.kill", "os.killpg"}


class OutOfTime(BaseException):
    """A cell or a function took too long. No `Exception`, so that a student's `except Exception` does not keep it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the block after so many seconds of the processor: a busy machine costs no points.

    What waits, or keeps the error with a bare `except`, is ended from outside.
    """

    def stop(*_: Any) -> None:
        raise OutOfTime(f"stopped after {seconds:g} s")

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def keep_inside(folder: Path) -> None:
    """From now on this process writes below `folder` alone, and starts and ends no other."""
    allowed = (str(folder.resolve()), "/dev/")

    def outside(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return False
        return not os.path.realpath(os.fsdecode(path)).startswith(allowed)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if flags & _WRITING and outside(path):
                raise PermissionError(f"a notebook that is graded writes no files outside of its folder: {path!r}")
        elif event in _CHANGES:
            places = arguments[:2] if event in ("os.rename", "os.link", "os.symlink") else arguments[:1]
            if any(isinstance(place, str | bytes | os.PathLike) and outside(place) for place in places):
                raise PermissionError(f"a notebook that is graded changes no files outside of its folder: {event}")
        elif event in _PROCESSES:
            raise PermissionError(f"a notebook that is graded starts and ends no processes: {event}")

    sys.addaudithook(hook)


def _shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    return InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))


def run_notebook(notebook: str, descriptor: str, options: str) -> None:
    """Run the notebook, then serve calls until the other end closes."""
    limits = json.loads(options)
    resource.setrlimit(resource.RLIMIT_DATA, (limits["memory"], limits["memory"]))
    connection, functions, kept = Connection(int(descriptor)), [], {}

    def send(**content: Any) -> None:
        connection.send_bytes(json.dumps(content).encode())

    def told(value: Any) -> dict[str, Any]:
        content = encode(value, functions)
        return content if len(json.dumps(content)) < MESSAGE // 4 else {"other": "something large"}

    shell = _shell()
    keep_inside(Path.cwd())
    for number, source in code_cells(Path(notebook)):
        if number in limits["without"]:
            continue
        send(begins=number)
        try:
            with time_limit(limits["seconds"]):
                result = shell.run_cell(source)
            error = result.error_before_exec or result.error_in_exec
        except OutOfTime as late:
            error = late
        # A blank that stands in a later copy of a cell does not take an answer away.
        found = {name: shell.user_ns.get(name) for name in limits["names"]}
        new = {name: value for name, value in found.items() if value is not None and value is not ...}
        changed = {name: value for name, value in new.items() if kept.get(name) is not value}
        kept |= new
        words = f"{type(error).__name__}: {error}".splitlines()[0] if error else ""
        send(cell=number, error=words, answers={name: told(value) for name, value in changed.items()})
    # Lists and arrays may have changed in place.
    send(cell=0, error="", answers={name: told(value) for name, value in kept.items()})
    while True:
        number, arguments = pickle.loads(connection.recv_bytes())
        try:
            with time_limit(limits["seconds"]):
                send(value=told(functions[number](*arguments)))
        except BaseException as error:
            send(error=type(error).__name__, text=str(error))


if __name__ == "__main__":
    run_notebook(*sys.argv[1:])
