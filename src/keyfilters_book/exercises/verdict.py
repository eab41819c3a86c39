"""What a check answers, and the parts that checks are made of."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

__all__ = [
    "EXERCISES", "Hint", "Verdict", "alike", "array", "call", "choice", "exercise", "hint_if", "hints", "mapping", "near", "number",
    "numbers", "rounded",
]  # fmt: skip

_NAME = re.compile(r"check_(?P<chapter>\d+)_(?P<number>\d+)")
_EXTRA = re.compile(r"keyfilters\[(?P<name>\w+)\]")
_PART = re.compile(r"(?P<name>[a-z][\w. -]{0,20}): ")
_shown: dict[int, set[str]] = {}  # number of the cell that runs -> what it has shown

EXERCISES: dict[str, Callable[..., Verdict]] = {}
"""Number of an exercise such as ``"5.1"`` -> its check, for the chapters that were imported.

``EXERCISES["5.1"].answers`` has the names of the variables that a notebook keeps the answer in."""


class Hint(Exception):
    """An answer is not right; the text says what to think of, not what is right."""


def hint_if(wrong: bool, text: str) -> None:
    """Raise a :class:`Hint` with this text where the answer is wrong in the way that the text speaks of."""
    if wrong:
        raise Hint(text)


def hints(*rows: tuple[bool, str], right: bool = False, otherwise: str = "") -> None:
    """A table of wrong answers: raise the :class:`Hint` of the first row, (wrong, text), that the answer belongs to.

    Nothing is raised for an answer that is ``right``; ``otherwise`` is for one that belongs to no row.
    """
    for wrong, text in (*rows, (bool(otherwise), otherwise)):
        hint_if(wrong and not right, text)


def alike(found: Any, *rows: tuple[Any, str], rtol: float = 1e-6, atol: float = 1e-9) -> list[tuple[bool, str]]:
    """Rows of :func:`hints` for an answer that is near to one of some wrong values, each with its text."""
    return [(near(found, value, rtol=rtol, atol=atol), text) for value, text in rows]


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and what the reader is told; true in conditions if it is right."""

    right: bool
    text: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.text

    def _ipython_display_(self) -> None:
        """In a notebook: the text, once a cell."""
        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        if shell is None:
            return
        if shell.execution_count not in _shown:
            _shown.clear()
        texts = _shown.setdefault(shell.execution_count, set())
        if self.text not in texts:
            print(self.text)
        texts.add(self.text)


def _sentence(hint: str) -> str:
    """A hint with a capital at its beginning; what is said of one part of an answer names the part.

    >>> _sentence("the answer should be one number."), _sentence("side: how long is it?")
    ('The answer should be one number.', 'For "side": how long is it?')
    """
    if part := _PART.match(hint):
        return f'For "{part["name"]}": {hint[part.end() :]}'
    return hint[:1].upper() + hint[1:]


def exercise(expects: str, praise: str = "", *, answers: str) -> Callable[[Callable[[Any], None]], Callable[..., Verdict]]:
    """Decorator: make the check of an exercise from a function that raises `Hint` for a wrong answer.

    Parameters
    ----------
    expects : what form an answer has, such as ``"the scale in grid units, a number"``; shown when there is none yet
    praise : a remark on why the answer matters, shown only with a right one
    answers : the names of the variables that a notebook keeps the answer in; several are handed on as a tuple

    In a notebook a check shows its verdict wherever it stands in a cell. The function's name, ``check_<chapter>_<number>``, gives the exercise its number. An answer of the wrong type and
    an error inside a function that the reader wrote become hints, never tracebacks.
    """

    def decorate(function: Callable[[Any], None]) -> Callable[[Any], Verdict]:
        match = _NAME.fullmatch(function.__name__)
        if not match:
            raise ValueError(f"a check is called {function.__name__!r}; expected check_<chapter>_<number>")
        label, names = f"{match['chapter']}.{match['number']}", answers.split()

        def judge(given: tuple) -> Verdict:
            answer = given[0] if len(given) == 1 else given
            blanks = answer.values() if isinstance(answer, Mapping) else given
            if any(blank is ... or answer is None for blank in blanks):
                return Verdict(False, f"Exercise {label}: no answer yet. Expected: {expects}.")
            try:
                function(answer)
            except Hint as hint:
                return Verdict(False, f"Exercise {label}: not yet. {_sentence(str(hint))}")
            except Exception as error:  # whatever the reader's own object raises, or a check without its extra
                if extra := _missing_extra(error):
                    mend = f"this check needs the extra {extra}: pip install 'keyfilters[{extra}]'"
                    return Verdict(False, f"Exercise {label}: not judged; {mend}")
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                return Verdict(False, f"Exercise {label}: not yet. Expected: {expects}; this one failed with {reason}")
            return Verdict(True, f"Exercise {label}: right.{f' {praise}' if praise else ''}")

        @wraps(function)
        def check(*given: Any) -> Verdict:
            if len(given) not in (1, len(names)):
                given = (...,)
            verdict = judge(given)
            verdict._ipython_display_()
            return verdict

        check.answers = names  # type: ignore[attr-defined]
        EXERCISES[label] = check
        return check

    return decorate


def _missing_extra(error: Exception) -> str | None:
    """The extra that a check could not import; None for other errors. Errors of a reader's function are hints already.

    The package's own errors name their extra; a check that imports a package itself is one of networks.
    """
    if not isinstance(error, ImportError):
        return None
    if named := _EXTRA.search(str(error)):
        return named["name"]
    ours = (error.name or "").split(".")[0] in ("keyfilters", "keyfilters_book")
    return "networks" if isinstance(error, ModuleNotFoundError) and not ours else None


def _not_none(answer: Any, what: str) -> None:
    """A `Hint` where an answer, or one of a list, is None."""
    if answer is None:
        raise Hint(f"{what} is None: is 'return' missing in the function that makes it?")
    if isinstance(answer, list | tuple) and any(part is None for part in answer):
        raise Hint(f"{what} has None among its values: is 'return' missing in the function that makes them?")


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def number(answer: Any, what: str = "the answer") -> float:
    """`answer` as one finite number; otherwise a `Hint`."""
    _not_none(answer, what)
    try:
        value = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise Hint(f"{what} should be one number, not {type(answer).__name__}.") from None
    if value.size != 1 or not np.isfinite(value).all():
        raise Hint(f"{what} should be one finite number.")
    return float(value.reshape(()))


def array(answer: Any, shape: Sequence[int | None], what: str = "the answer") -> np.ndarray:
    """`answer` as a finite array of this shape (None: any length); otherwise a `Hint`."""
    _not_none(answer, what)
    try:
        value = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise Hint(f"{what} should be an array of numbers.") from None
    if value.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, value.shape, strict=True)):
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        raise Hint(f"{what} has the shape {value.shape}; expected {wanted}.")
    if not np.isfinite(value).all():
        raise Hint(f"{what} has values that are not finite.")
    return value


def mapping(answer: Any, names: Sequence[str], what: str = "the answer") -> Mapping[str, Any]:
    """The parts of an answer under these names: a tuple has them in this order; otherwise a `Hint`.

    A dictionary with exactly these names will do, too.
    """
    if isinstance(answer, tuple) and len(answer) == len(names):
        return dict(zip(names, answer, strict=True))
    if not isinstance(answer, Mapping) or set(answer) != set(names):
        raise Hint(f"{what} should be {len(names)} values, in this order: {_quoted(names)}.")
    return answer


def numbers(answer: Any, names: Sequence[str]) -> dict[str, float]:
    """The parts of an answer under these names as finite numbers, in this order; otherwise a `Hint`."""
    parts = mapping(answer, names)
    return {name: number(parts[name], name) for name in names}


def choice(answer: Any, options: Sequence[str], what: str = "the answer") -> str:
    """`answer` as one of some words, capitals and blanks aside; otherwise a `Hint`."""
    word = answer.strip().lower() if isinstance(answer, str) else answer
    if word not in options:
        raise Hint(f"{what} should be one of {_quoted(options)}.")
    return word


def call(answer: Any, *arguments: Any, what: str = "the answer") -> Any:
    """What the reader's function returns for these arguments; a `Hint` where it is none, fails or gives None."""
    if not callable(answer):
        raise Hint(f"{what} should be a function.")
    try:
        found = answer(*arguments)
    except Hint:
        raise
    except SystemExit:
        raise Hint(f"{what} ends the program, by exit() or quit(); let it return a value instead.") from None
    except Exception as error:  # the reader's own code
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise Hint(f"{what} failed with {reason}") from None
    if found is None:
        raise Hint(f"{'your function' if what == 'the answer' else what} returns None; is 'return' missing?")
    return found


def near(found: Any, right: Any, *, rtol: float = 1e-6, atol: float = 1e-9) -> bool:
    """Whether all values agree within tolerances."""
    return bool(np.allclose(found, right, rtol=rtol, atol=atol))


def rounded(found: Any, right: Any, *, digits: int | None = None, decimals: int | None = None) -> bool:
    """Whether all values are right when they are rounded to significant digits or to decimals.

    Examples
    --------
    >>> rounded([0.544, 0.0236], [0.54428, 0.02360], decimals=3), rounded(0.545, 0.54428, decimals=3)
    (True, False)
    >>> rounded(1.1e13, 1.0686e13, digits=2), rounded(0.0116, 0.01164, digits=3), rounded(0.012, 0.01164, digits=3)
    (True, True, False)
    """
    if (digits is None) == (decimals is None):
        raise ValueError("rounded takes either digits or decimals")
    right = np.asarray(right, dtype=float)
    if decimals is not None:
        unit = 10.0**-decimals
    else:
        size = np.maximum(np.abs(right), 1e-300)  # the logarithm of 0
        unit = 10.0 ** (np.floor(np.log10(size)) - digits + 1)
    # A little more than half a unit, for a right value that lies half way between two.
    return bool(np.all(np.abs(np.asarray(found, dtype=float) - right) <= 0.501 * unit + 1e-12 * np.abs(right)))
