"""Fashion-MNIST from a folder, the Debian package or the network, with its hashes checked.

``python -m keyfilters.fetch`` makes sure that the files are there and says where.

Source: Xiao, Rasul and Vollgraf (2017), Fashion-MNIST, MIT licence.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
URLS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
VARIABLE = "KEYFILTERS_DATA"
SECONDS = 4.0
"""How long a server may stay silent before it counts as out of reach."""


@dataclass(frozen=True)
class IdxFile:
    """One row of the table: an array of bytes in idx format.

    Attributes
    ----------
    file : str
        Name of the plain file; compressed it has ``.gz`` at the end.
    shape : tuple of int
    sha256 : str
        Of the plain content: the same whoever compressed it (Debian compresses anew).
    sha256_gz : str
        Of the official compressed file.
    """

    file: str
    shape: tuple[int, ...]
    sha256: str
    sha256_gz: str


FILES = {
    "train_images": IdxFile(
        "train-images-idx3-ubyte", (60000, 28, 28),
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    "train_labels": IdxFile(
        "train-labels-idx1-ubyte", (60000,),
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    "test_images": IdxFile(
        "t10k-images-idx3-ubyte", (10000, 28, 28),
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    "test_labels": IdxFile(
        "t10k-labels-idx1-ubyte", (10000,),
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
}  # fmt: skip
SUBFOLDERS = (".", "fashion-mnist", "FashionMNIST/raw")
"""Where the files may lie within a folder that is given; the last is torchvision's layout."""


def cache_folder() -> Path | None:
    """The folder that keeps downloads (None without pooch)."""
    try:
        import pooch
    except ImportError:
        return None
    return Path(pooch.os_cache("keyfilters")) / "fashion-mnist"


def _path(folder: Path, row: IdxFile) -> Path | None:
    for name in (f"{row.file}.gz", row.file):
        if (folder / name).is_file():
            return folder / name
    return None


def _complete(folder: Path | None) -> bool:
    return folder is not None and all(_path(folder, row) for row in FILES.values())


def _given(folder) -> Path:
    """The place of the files in a folder that the reader named, by argument or environment variable."""
    what = "" if folder is not None else f" (from {VARIABLE})"
    folder = os.environ[VARIABLE] if folder is None else folder
    try:
        folder = Path(folder)
    except TypeError:
        raise ValueError(f"folder is {folder!r}: expected the name of a folder with the files of Fashion-MNIST") from None
    if not folder.is_dir():
        raise ValueError(f"{folder}{what} is not a folder: expected one with the files of Fashion-MNIST")
    places = [folder / name for name in SUBFOLDERS]
    found = [place for place in places if _complete(place)]
    if not found:
        best = max(places, key=lambda place: sum(_path(place, row) is not None for row in FILES.values()))
        lacking = ", ".join(row.file for row in FILES.values() if not _path(best, row))
        raise ValueError(f"{best}{what} lacks {lacking}: expected the four files of Fashion-MNIST, plain or .gz")
    return found[0]


def _read(folder: Path, row: IdxFile) -> np.ndarray:
    path = _path(folder, row)
    header = 4 + 4 * len(row.shape)
    size = header + math.prod(row.shape)
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            # One byte more than expected shows a longer file, without reading all of whatever it is.
            content = stream.read(size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ValueError(f"{path} is damaged or cut short: remove it and fetch Fashion-MNIST again") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != row.sha256:
        raise ValueError(
            f"{path} is not the file of Fashion-MNIST, or damaged (sha256 of its content {digest[:12]}..., "
            f"expected {row.sha256[:12]}...): remove it and fetch Fashion-MNIST again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(row.shape)


def _read_all(folder: Path) -> dict[str, np.ndarray]:
    return {name: _read(folder, row) for name, row in FILES.items()}


def _download() -> Path:
    """Fetch the four official files into the cache; ValueError with the reason where that is not possible."""
    if (folder := cache_folder()) is None:
        raise ValueError("a download needs pooch: install keyfilters[networks]")
    import pooch

    registry = {f"{row.file}.gz": f"sha256:{row.sha256_gz}" for row in FILES.values()}
    reasons = []
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        for url in URLS:
            try:
                store = pooch.create(folder, url, registry=registry)
                for name in registry:
                    store.fetch(name, downloader=pooch.HTTPDownloader(timeout=SECONDS, progressbar=sys.stderr.isatty()))
                return folder
            except (OSError, ValueError) as error:
                wrong = "another file than expected" if "hash" in str(error) else "out of reach"
                reasons.append(f"{url.split('/')[2]}: {wrong}")
    finally:
        logger.setLevel(level)
    raise ValueError("; ".join(reasons))


def _missing(reasons: list[str]) -> ValueError:
    tried = f" ({'; '.join(reasons)})" if reasons else ""
    return ValueError(
        f"Fashion-MNIST is not there{tried}: install Debian's package (apt-get install {DEBIAN_PACKAGE}), "
        f"name a folder with its four files ({VARIABLE}=FOLDER), or connect to the network"
    )


def fashion_mnist(folder: str | PathLike | None = None, download: bool = True) -> dict[str, np.ndarray]:
    """Return Fashion-MNIST: 60,000 and 10,000 grey images of ten kinds of clothes with their labels.

    The first of these that there is:

    1. ``folder``, else the folder named by the environment variable ``KEYFILTERS_DATA``;
    2. the folder of Debian's package ``dataset-fashion-mnist``;
    3. what was downloaded before;
    4. a download (pooch; it gives up within seconds where there is no network).

    Parameters
    ----------
    folder : str or Path, optional
        Holds the four idx files, plain or compressed (.gz), itself or in ``fashion-mnist`` or
        ``FashionMNIST/raw``. A folder that is named is not passed over: its faults are errors.
    download : bool
        False: never use the network.

    Returns
    -------
    dict of str to ndarray of uint8, read-only
        ``train_images`` (60000, 28, 28), ``train_labels`` (60000,), ``test_images`` (10000, 28, 28),
        ``test_labels`` (10000,). Images are white on black, 0 to 255; labels are 0 to 9.

    Raises
    ------
    ValueError
        One line: no source (and what to do), a folder without the files, or a file whose content does
        not have the expected sha256.

    Source: Xiao, Rasul and Vollgraf (2017), MIT licence.

    Examples
    --------
    >>> fashion_mnist("no-such-folder")
    Traceback (most recent call last):
    ...
    ValueError: no-such-folder is not a folder: expected one with the files of Fashion-MNIST
    """
    return _located(folder, (_download,) if download else ())[1]


def ensure_fashion_mnist(*before: Callable[[], Path]) -> Path:
    """Return the folder of Fashion-MNIST; where there is none, download it.

    Parameters
    ----------
    before : functions without arguments, optional
        Other ways to get the files, tried before the download: each returns a folder, or raises a ``ValueError`` that
        says why it has none. The build of the book asks Debian's package manager so; the library itself asks none.

    Raises
    ------
    ValueError
        One line with what was tried and what to do.
    """
    return _located(None, (*before, _download))[0]


def _located(folder, ways) -> tuple[Path, dict[str, np.ndarray]]:
    """The first folder whose files are as they should be, and what they hold."""
    if folder is not None or os.environ.get(VARIABLE):
        place = _given(folder)
        return place, _read_all(place)
    reasons = []
    for way in (lambda: DEBIAN_FOLDER, cache_folder, *ways):
        try:
            place = way()
            if _complete(place):
                return place, _read_all(place)
            if way in ways:
                raise ValueError(f"{place} has no complete set of files")
        except ValueError as error:
            reasons.append(str(error))
    raise _missing(reasons)


if __name__ == "__main__":
    try:
        print(f"Fashion-MNIST: {ensure_fashion_mnist()}")
    except ValueError as error:
        sys.exit(f"keyfilters.fetch: {' '.join(str(error).split())}")
