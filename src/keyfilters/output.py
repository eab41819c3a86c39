"""Files that appear whole or not at all."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np


def check_output(path: str | PathLike, force: bool = False) -> Path:
    """Return ``path`` if a file can be written there, before any long work is done for it.

    Raises
    ------
    ValueError
        If the folder is missing, if ``path`` is a folder, or if it exists and ``force`` is not set.

    Examples
    --------
    >>> check_output("no-such-folder/out.safetensors")
    Traceback (most recent call last):
    ...
    ValueError: no-such-folder/out.safetensors: the folder no-such-folder does not exist; make it first
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.exists() and not force:
        raise ValueError(f"{path}: exists already; choose another name, or pass force=True to overwrite it")
    return path


def as_json(value: Any) -> Any:
    """What JSON can hold of it: arrays and tuples are lists, NaN and infinity None."""
    if isinstance(value, dict):
        return {name: as_json(v) for name, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [as_json(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def file_mask() -> int:
    """What of the permissions of a new file is taken away, as the process is set."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def written(path: str | PathLike, force: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path``; it is renamed to ``path`` when the block ends without an exception.

    The temporary file keeps the suffix, by which some writers choose the format. After an exception it
    is removed and ``path`` is as it was.

    Raises
    ------
    ValueError
        As :func:`check_output`, before the block runs.
    """
    path = check_output(path, force)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner reads; a result has the usual permissions.
        temporary.chmod(0o666 & ~file_mask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
