"""Read filters from files: .npy, .npz, .csv, .txt; one or many odd-sized square filters."""

from __future__ import annotations

import zipfile
from os import PathLike
from pathlib import Path

import numpy as np

from .checks import square_filter

FILTER_SUFFIXES = (".npy", ".npz", ".csv", ".txt")


def _separator(path: Path, lines: list[tuple[int, str]]) -> str | None:
    """The one separator of a file: a semicolon, a comma, or None for blanks."""
    found = None
    for number, line in lines:
        for separator in ";,":
            if separator in line and found not in (None, separator):
                raise ValueError(
                    f"{path} line {number} makes it a file with both semicolons and commas: expected one separator; "
                    "write decimal commas as points"
                )
            found = separator if separator in line else found
    return found


def _numbers(line: str, separator: str | None) -> list[float]:
    if separator is None:
        return [float(cell) for cell in line.split()]
    cells = line.split(separator)
    # An empty cell is a missing number, except behind a separator at the end of the line.
    return [float(cell) for cell in (cells if cells[-1].strip() else cells[:-1])]


def _text_blocks(path: Path) -> dict[str, np.ndarray]:
    """Blocks of rows separated by blank lines; one block of k * n rows and n columns is k filters."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file: expected rows of numbers") from None
    rows = [(number, line.split("#")[0].strip()) for number, line in enumerate(lines, 1)]
    separator = _separator(path, rows)
    blocks: list[list[list[float]]] = [[]]
    for number, line in rows:
        if not line:
            blocks.append([])
            continue
        try:
            row = _numbers(line, separator)
        except ValueError:
            raise ValueError(f"{path} line {number} is not a row of numbers: {line[:40]!r}") from None
        if blocks[-1] and len(row) != len(blocks[-1][0]):
            raise ValueError(f"{path} line {number} has {len(row)} numbers: expected {len(blocks[-1][0])} as in the row above")
        blocks[-1].append(row)
    arrays = [np.array(block) for block in blocks if block]
    return {str(i): _stack(array) for i, array in enumerate(arrays, 1)}


def _stack(array: np.ndarray) -> np.ndarray:
    """Rows of several filters on top of each other become a stack of filters."""
    rows, columns = array.shape
    if rows > columns and rows % columns == 0:
        return array.reshape(rows // columns, columns, columns)
    return array


def load_filters(path: str | PathLike) -> dict[str, np.ndarray]:
    """Read one or many filters from a file.

    =========== =================================================================================
    suffix      content
    =========== =================================================================================
    .npy        an array of shape (n, n), (k, n, n) or, as depthwise weights, (k, 1, n, n)
    .npz        any number of such arrays
    .csv, .txt  rows of n numbers, separated by commas, semicolons or blanks (one of them throughout);
                filters follow each other directly or after an empty line; ``#`` begins a comment
    =========== =================================================================================

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of str to ndarray, shape (n, n), n odd and at least 3
        By name: the position in the file (1, 2, ...), for .npz the name of the array (with ``:1``,
        ``:2`` ... for a stack).

    Raises
    ------
    ValueError
        One line that names the file: missing, unreadable, of another type, empty, or holding something
        that is not a finite odd-sized square filter.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "edge.txt"
    >>> _ = file.write_text("0 0 0\\n0 1 -1\\n0 0 0\\n")
    >>> load_filters(file)["1"].shape
    (3, 3)
    """
    try:
        path = Path(path)
        there, is_file = path.exists(), path.is_file()
    except TypeError:
        raise ValueError(f"path is {path!r}: expected the name of a file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"{str(path)[:60]!r} cannot be read: {reason}") from None
    if path.suffix.lower() not in FILTER_SUFFIXES:
        raise ValueError(f"{path} has an unknown type: expected a file ending in {', '.join(FILTER_SUFFIXES)}")
    if there and not is_file:
        raise ValueError(f"{path} is not a file: expected a file of filters ({', '.join(FILTER_SUFFIXES)})")
    if not there:
        raise ValueError(f"{path} is not there: expected a file of filters ({', '.join(FILTER_SUFFIXES)})")
    try:
        if path.suffix.lower() == ".npy":
            # Never unpickle: an object array would run code of the file's author.
            with path.open("rb") as stream:
                arrays = {"": np.lib.format.read_array(stream, allow_pickle=False)}
        elif path.suffix.lower() == ".npz":
            if not zipfile.is_zipfile(path):
                raise ValueError(
                    f"{path} cannot be read: not an .npz file, or a damaged one; expected arrays saved with numpy.savez"
                )
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        else:
            arrays = _text_blocks(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or 'not a valid file'}") from None
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path} cannot be read: expected arrays of numbers ({str(error).splitlines()[0]})") from None
    except Exception:
        # A damaged .npz shows as an error of the zip or zlib module.
        raise ValueError(f"{path} cannot be read: the file is damaged") from None
    return _named(path, arrays)


def _named(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    filters: dict[str, np.ndarray] = {}
    by_position = path.suffix.lower() != ".npz"
    for label, array in arrays.items():
        if array.ndim == 4 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim not in (2, 3):
            shapes = "expected (n, n), (k, n, n) or (k, 1, n, n), n odd and at least 3"
            raise ValueError(f"{path}{label and f' array {label}'} has shape {array.shape}: {shapes}")
        stack = array if array.ndim == 3 else array[None]
        for i, h in enumerate(stack, 1):
            if by_position:
                name = str(len(filters) + 1)
            else:
                name = label if array.ndim != 3 else f"{label}:{i}"
            if name in filters:
                raise ValueError(f"{path} has two filters of the name {name}: expected different names")
            filters[name] = square_filter(h, f"{path} filter {name}")
    if not filters:
        raise ValueError(f"{path} is empty: expected at least one filter")
    return filters
