"""A time limit for a call that has none of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def within(seconds: float, function: Callable[..., T], *arguments: Any) -> T:
    """Return ``function(*arguments)``, or raise ``TimeoutError`` if it takes longer than ``seconds``.

    The time limits of network libraries leave out the look-up of names and count each attempt anew;
    this one is for all of it. A call that is given up goes on in a daemon thread.

    Examples
    --------
    >>> within(10, max, 2, 3)
    3
    """
    outcome = {}

    def call():
        try:
            outcome["value"] = function(*arguments)
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]
