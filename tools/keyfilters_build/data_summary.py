"""What a data file holds, in few numbers: enough to tell whether two files agree when their bytes do not.

A file behind a figure or a table is too large to keep a second time. Of each column of a CSV file and each array of an
NPZ file its shape is kept, the sizes ``sum |x|``, ``sqrt(sum x^2)`` and ``max |x|``, the projection
``sum x_i cos(i)``, ``i = 1, 2, ...``, which notices an exchange and a sign, and a hash of what is not a decimal number.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

RELATIVE = 1e-6
"""Two files agree where each size differs by no more than this part of itself, the projection by this part of ``sum |x|``."""

ABSOLUTE = 1e-12
"""A number counts as 0 up to this: rounding errors of numbers near 1 are stored as they came out."""

# A decimal number; a whole one counts something, and is compared as words are.
_DECIMAL = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)(?![\w.])")
_SIZES = {
    "l1": "sum of absolute values", "l2": "root of the sum of squares", "max": "largest absolute value",
    "cos": "projection on cos(i)",
}  # fmt: skip


def _hash(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:16]


def _sizes(numbers: np.ndarray) -> dict[str, float]:
    if not numbers.size:
        return {}
    found = {
        "l1": np.abs(numbers).sum(),
        "l2": np.sqrt((numbers**2).sum()),
        "max": np.abs(numbers).max(),
        "cos": numbers @ np.cos(np.arange(1, numbers.size + 1)),
    }
    return {name: float(f"{value:.9e}") for name, value in found.items()}


def _of_texts(texts: list[str]) -> dict[str, Any]:
    numbers = [float(found) for text in texts for found in _DECIMAL.findall(text)]
    rest = [_DECIMAL.sub("#", text) for text in texts]
    exact = {} if all(text == "#" for text in rest) else {"rest": _hash("\x1f".join(rest))}
    return {"shape": [len(texts)], **_sizes(np.array(numbers)), **exact}


def _of_array(array: np.ndarray) -> dict[str, Any]:
    shape = {"shape": list(array.shape)}
    if array.dtype.kind in "biu":
        return shape | {"rest": _hash(np.ascontiguousarray(array, dtype="<i8").tobytes())}
    if array.dtype.kind not in "fc":
        return _of_texts([str(value) for value in array.ravel()]) | shape
    numbers = np.ascontiguousarray(array).ravel()
    numbers = numbers.view(numbers.real.dtype).astype(float)
    finite = np.isfinite(numbers)
    # Where something is missing or infinite belongs to what has to be equal.
    exact = {} if finite.all() else {"rest": _hash(np.nan_to_num(np.where(finite, 0, numbers), nan=1).tobytes())}
    return shape | _sizes(np.where(finite, numbers, 0)) | exact


def summary(path: Path) -> dict[str, dict[str, Any]]:
    """The summary of a CSV or NPZ file: column or array -> what is kept of it.

    Raises `ValueError` for a file that is neither, or holds objects that only unpickling would show.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.csv"
    >>> _ = path.write_text("key,sigma\\n1,0.5\\n2,0.25\\n")
    >>> summary(path)["sigma"]
    {'shape': [2], 'l1': 0.75, 'l2': 0.5590169944, 'max': 0.5, 'cos': 0.1661144438}
    >>> sorted(summary(path)["key"])
    ['rest', 'shape']
    """
    if path.suffix == ".csv":
        head, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        return {name: _of_texts([row[i] for row in rows]) for i, name in enumerate(head)}
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _of_array(arrays[name]) for name in arrays.files}
    raise ValueError(f"{path.name} is neither CSV nor NPZ")


def _worst(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[float, str]:
    """By how many times the tolerance the sizes of two columns differ at most, and which."""
    count = int(np.prod(one["shape"])) or 1
    floor = {"l1": count, "l2": count**0.5, "max": 1, "cos": count}
    scale = {size: max(one[size], other[size]) for size in ("l1", "l2", "max")}
    scale["cos"] = scale["l1"]
    return max((abs(one[size] - other[size]) / (RELATIVE * scale[size] + ABSOLUTE * floor[size]), size) for size in _SIZES)


def disagreement(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> tuple[bool, str, str] | None:
    """Where two summaries differ most: whether they agree all the same, and each one's words; None where they are equal.

    Examples
    --------
    >>> one, other = ({"sigma": {"shape": [1], "l1": x, "l2": x, "max": x, "cos": x}} for x in (1.0, 1.1))
    >>> disagreement(one, other)
    (False, 'sigma: largest absolute value 1', 'sigma: largest absolute value 1.1')
    >>> disagreement(one, {"sigma": one["sigma"] | {"l1": 1.0000001}})[0]
    True
    """
    found: list[tuple[float, str, str]] = []
    for name in [*one, *(name for name in other if name not in one)]:
        here, there = one.get(name), other.get(name)
        if here is None or there is None:
            words = f"has {name}", f"no {name}"
            found.append((np.inf, *(words if there is None else words[::-1])))
        elif here["shape"] != there["shape"]:
            found.append((np.inf, *(f"{name}: shape {tuple(each['shape'])}" for each in (here, there))))
        elif here.get("rest") != there.get("rest") or ("l1" in here) != ("l1" in there):
            found.append(
                (np.inf, *(f"{name}: words and whole numbers, hash {each.get('rest', 'none')}" for each in (here, there)))
            )
        elif "l1" in here:
            times, size = _worst(here, there)
            if times:
                found.append((times, *(f"{name}: {_SIZES[size]} {each[size]:.10g}" for each in (here, there))))
    if not found:
        return None
    times, *words = max(found, key=lambda each: each[0])
    return (bool(times <= 1), words[0], words[1])
