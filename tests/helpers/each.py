"""Long lists of short checks as one test."""

import functools
import inspect

import pytest


def each(names, cases):
    """Like `pytest.mark.parametrize`, but one test for all cases.

    A case that fails does not stop the others. The traceback is that of the first; a note lists all that failed.
    """
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    cases = [case if len(names) > 1 else (case,) for case in cases]

    def decorate(check):
        @functools.wraps(check)
        def together(**fixtures):
            failed = []
            for case in cases:
                try:
                    check(**fixtures, **dict(zip(names, case, strict=True)))
                except (Exception, pytest.fail.Exception) as error:
                    failed.append((case, error))
            if failed:
                case, error = failed[0]
                error.add_note(f"{len(failed)} of {len(cases)} cases failed:")
                for case, other in failed:
                    error.add_note(f"  {', '.join(map(str, case))}: {str(other).partition(chr(10))[0]}")
                raise error

        wanted = inspect.signature(check).parameters
        assert cases and set(names) <= set(wanted), f"{check.__name__} does not take {names}, or has no cases"
        together.__signature__ = inspect.Signature([row for name, row in wanted.items() if name not in names])
        return together

    return decorate
