"""How parameters, commits, times and versions read on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["LIBRARIES", "commit_text", "parameters_text", "seconds_text", "versions_text"]

LIBRARIES = {
    "python": "Python", "numpy": "NumPy", "scipy": "SciPy", "matplotlib": "Matplotlib", "torch": "PyTorch",
    "timm": "timm", "scikit-learn": "scikit-learn", "pywavelets": "PyWavelets", "curvelets": "curvelets",
}  # fmt: skip
"""Name of a library in a record, and as it is written."""


def commit_text(text: str) -> str:
    """The commit of a record in words, with the hash set as code.

    Examples
    --------
    >>> commit_text("0123456789 with local changes"), commit_text("no commit")
    ('commit `0123456789` with local changes', 'files that are in no commit')
    """
    head, _, changes = text.partition(" ")
    return f"commit `{head}` {changes}".strip() if head != "no" else "files that are in no commit"


def seconds_text(seconds: float) -> str:
    """Seconds, or minutes where there are many.

    Examples
    --------
    >>> seconds_text(4.64), seconds_text(354)
    ('4.6 s', '6 min')
    """
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """`a = 1, b = 'x'` in the form of code, or words where there are none.

    Examples
    --------
    >>> parameters_text({"draws": 6}), parameters_text({})
    ('`draws = 6`', 'its own defaults')
    """
    if not parameters:
        return "its own defaults"
    return ", ".join(f"`{name} = {value!r}`" for name, value in parameters.items())


def versions_text(versions: Mapping[str, str], separator: str = ", ") -> str:
    """The libraries that compute and draw, each with its version.

    Examples
    --------
    >>> versions_text({"numpy": "2.4.6", "python": "3.12.1"})
    'Python 3.12.1, NumPy 2.4.6'
    """
    return separator.join(f"{label} {versions[key]}" for key, label in LIBRARIES.items() if key in versions)
