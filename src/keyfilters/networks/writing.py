"""Files written by Python functions: as :mod:`keyfilters.output`, with a message that names their argument ``force``."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

from .. import output

__all__: list[str] = []
# Serves the functions that write files: on no page of the reference, as keyfilters.output.


@contextmanager
def written(path, force: bool = False):
    """As :func:`keyfilters.output.written`.

    Raises
    ------
    ValueError
        As there; for an existing file it names ``force=True``, which the command line says as ``--force``.
    """
    if not force and Path(path).is_file():
        raise ValueError(f"{path}: exists already; choose another name, or pass force=True to overwrite it")
    with output.written(path, force) as temporary:
        yield temporary
