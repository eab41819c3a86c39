"""Judges one notebook: starts the student's process, collects the answers, and runs the checks of the chapter on them."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..exercises import EXERCISES
from .handed_in import code_cells
from .student_process import MESSAGE
from .values import decode

CELLS = 10
"""A notebook may take as long as so many cells that take too long."""

_ANEW = 3
"""So many cells that end the process are left out, and the notebook is run anew: its functions live in the process."""


@dataclass(frozen=True)
class Limits:
    """What a notebook may use: seconds of the processor for a cell or a call, GB of memory."""

    seconds: float = 60.0
    memory: float = 4.0


@dataclass(frozen=True)
class Mark:
    """One exercise: its points, those that a right answer has, and what the check says."""

    label: str
    points: int
    of: int
    text: str


@dataclass
class Marks:
    """What one notebook gets; `remarks` are what else its author should know."""

    rows: list[Mark]
    remarks: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        """All points."""
        return sum(row.points for row in self.rows)

    @property
    def of(self) -> int:
        """The most that there are."""
        return sum(row.of for row in self.rows)


def exercises_of(chapter: str) -> dict[str, int]:
    """Exercises of a chapter, by number, with their points: 1 for the first, an easy one, 2 for the second, then 3.

    >>> exercises_of("method_a")
    {'5.1': 1, '5.2': 2, '5.3': 3}
    """
    checks = importlib.import_module(f"keyfilters_book.exercises.{chapter}").__all__
    labels = [".".join(check.split("_")[1:]) for check in checks]
    return {label: min(int(label.split(".")[1]), 3) for label in labels}


class _Student:
    """The student's process, from this side."""

    def __init__(self, process: subprocess.Popen, connection: Connection, limits: Limits) -> None:
        self.process, self.connection, self.limits = process, connection, limits
        # By the clock; the process itself counts seconds of the processor, of which a busy machine gives few.
        self.patience = 5 * limits.seconds + 60
        self.end = time.monotonic() + CELLS * self.patience
        self.stopped = False

    def receive(self, *, running: bool = False) -> dict[str, Any]:
        """The next message; `EOFError` where none will come, or not in the time that a cell or function has, with patience."""
        left = self.end - time.monotonic()
        self.stopped = not running or left < self.patience
        if not self.connection.poll(max(0.0, min(left, self.patience) if running else left)):
            os.killpg(self.process.pid, signal.SIGKILL)
            raise EOFError("the notebook was stopped: it takes too long")
        try:
            return json.loads(self.connection.recv_bytes(MESSAGE))
        except (OSError, EOFError):
            raise EOFError("the notebook's process ended by itself, perhaps for want of memory") from None

    def function(self, number: int) -> Any:
        """A function that the student's process calls."""

        def call(*arguments: Any) -> Any:
            try:
                self.connection.send_bytes(pickle.dumps((number, arguments)))
            except OSError:
                raise EOFError("the notebook's process has ended") from None
            reply = self.receive(running=True)
            if "value" in reply:
                return decode(reply["value"], self.function, arguments[0] if arguments else None)
            if reply["error"] == "SystemExit":
                raise SystemExit
            raise type(reply["error"], (Exception,), {})(reply["text"])

        return call


@contextmanager
def _student(notebook: Path, names: list[str], limits: Limits, without: list[int]) -> Iterator[_Student]:
    here, there = Pipe()
    options = {"names": names, "seconds": limits.seconds, "memory": int(limits.memory * 1e9), "without": without}
    with TemporaryDirectory(prefix="keyfilters-grade-") as folder, here:
        scratch = dict.fromkeys(("IPYTHONDIR", "TMPDIR", "JUPYTER_CONFIG_DIR"), folder)
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = os.environ | scratch | one_thread | {"MPLBACKEND": "agg", "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("KEYFILTERS_RESULTS", None)
        command = [
            sys.executable,
            "-m",
            "keyfilters_book.grading.student_process",
            str(notebook.resolve()),
            str(there.fileno()),
        ]
        process = subprocess.Popen(
            [*command, json.dumps(options)], cwd=folder, env=environment, pass_fds=[there.fileno()], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        there.close()
        try:
            yield _Student(process, here, limits)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def judge(notebook: Path, chapter: str, limits: Limits) -> Marks:
    """The marks of a notebook for the exercises of `chapter`; a notebook that cannot be read gets none, with the reason."""
    points = exercises_of(chapter)
    try:
        code_cells(notebook)
    except ValueError as error:
        return Marks([Mark(label, 0, of, "Not judged.") for label, of in points.items()], [str(error)])
    names = [name for label in points for name in EXERCISES[label].answers]
    without: list[int] = []
    while True:
        answers: dict[str, Mapping[str, Any]] = {}
        remarks = [f"Cell {number} ended the notebook, or did not end, and was left out." for number in without]
        with _student(notebook, names, limits, without) as student:
            running = 0
            try:
                while message := student.receive(running=bool(running)):
                    if "begins" in message:
                        running = message["begins"]
                        continue
                    running = 0
                    answers |= message["answers"]
                    if not message["cell"]:
                        break
                    if message["error"]:
                        remarks.append(f"Cell {message['cell']} stopped with {message['error']}")
            except EOFError as error:
                if running and not student.stopped and len(without) < _ANEW:
                    without.append(running)
                    continue
                remarks.append(f"{str(error)[0].upper()}{str(error)[1:]}. What was answered before counts.")
            return Marks([_row(label, of, answers, student) for label, of in points.items()], remarks)


def _row(label: str, of: int, answers: Mapping[str, Mapping[str, Any]], student: _Student) -> Mark:
    check = EXERCISES[label]
    if missing := [name for name in check.answers if name not in answers]:
        return Mark(label, 0, of, f"Exercise {label}: no answer. No cell sets {' and '.join(missing)}.")
    try:
        verdict = check(*(decode(answers[name], student.function) for name in check.answers))
    except Exception as error:  # what came is not what `encode` writes
        return Mark(label, 0, of, f"Exercise {label}: not judged. The answer cannot be read: {error}")
    return Mark(label, of if verdict else 0, of, verdict.text)
