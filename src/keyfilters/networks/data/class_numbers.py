"""Which class of a network each folder of an image folder stands for."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

IMAGENETS = {
    1000: "imagenet-1k",
    11221: "imagenet-21k-miil",
    11821: "imagenet-12k",
    21841: "imagenet-22k",
    21843: "imagenet-21k-goog",
}
"""Number of classes: which of timm's lists of ImageNet's identifiers has as many."""
HINT = "or name the classes in a file (--classes FILE)"


@dataclass(frozen=True)
class ClassMap:
    """The class of each folder: ``numbers``, shape (folders,), and ``note``, one line that says how they were found."""

    numbers: np.ndarray
    note: str = field(repr=False)


def numbers_in(folders: Iterable[str]) -> list[int] | None:
    """The numbers that the names of folders are, or that tell them apart (class_7, class_12); None where there are none.

    Examples
    --------
    >>> numbers_in(["0", "1", "10", "2"]), numbers_in(["class_07", "class_12"]), numbers_in(["cat", "dog"])
    ([0, 1, 10, 2], [7, 12], None)
    """
    parts = [re.fullmatch(r"(\D*)([0-9]+)(\D*)", name, re.ASCII) for name in folders]
    if not parts or not all(parts) or len({(part[1], part[3]) for part in parts}) > 1:
        return None
    return [int(part[2]) for part in parts]


def in_order(folders: Iterable[str]) -> list[str]:
    """Names of folders in the order of the classes: that of their numbers, else that of their letters.

    Examples
    --------
    >>> in_order(["10", "2", "1"]), in_order(["dog", "cat"])
    (['1', '2', '10'], ['cat', 'dog'])
    """
    folders = sorted(folders)
    numbers = numbers_in(folders)
    return folders if numbers is None else [name for _, name in sorted(zip(numbers, folders, strict=True))]


def _twice(values):
    """The first value that occurs more than once, or None."""
    return next((value for value, times in Counter(values).items() if times > 1), None)


def classes_of_file(path: str | PathLike) -> dict[str, int]:
    """Names and numbers of a file of classes: a name a line, the first is class 0; or JSON, a list or names with numbers.

    Raises
    ------
    ValueError
        One line that names the file: not readable, neither of the two, a name twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(
            f"{path}: is no text: expected the name of a folder a line, the first that of class 0, or JSON"
        ) from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    if Path(path).suffix.lower() != ".json":
        names = [line.strip() for line in text.rstrip().splitlines()]
    else:
        try:
            names = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path}: is no JSON ({error})") from None
        if isinstance(names, dict) and all(type(number) is int and number >= 0 for number in names.values()):
            return names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(
                f'{path}: expected a list of names of folders, or names with numbers of classes ({{"cat": 0, "dog": 1}})'
            )
    twice = _twice(names)
    if twice is not None:
        raise ValueError(f"{path}: names {twice!r} twice: expected the name of each folder once")
    return {name: number for number, name in enumerate(names)}


def class_map(folders: Iterable[str], classes: int, file: str | PathLike | None = None) -> ClassMap:
    """Return the network's class of each folder of an image folder, and a note that says by what rule.

    - a file of classes: as it says
    - folders named by ImageNet's identifiers (n01440764, ...) and a network of ImageNet's 1,000, 11,221, 11,821,
      21,841 or 21,843 classes: by name, so that any subset of the folders works
    - numbers (0, 1, 10, or class_0, class_1, class_10), all below the number of classes: the folder's number is
      its class, so that any subset works; the numbers 1 to N for N classes are taken one lower
    - as many folders as classes: in order, of their numbers or else of their letters

    Parameters
    ----------
    folders : sequence of str
    classes : int
        Of the network.
    file : str or Path, optional
        A text with the name of a folder a line, the first that of class 0; or JSON, such a list or an object of names
        with numbers. It may name more folders than there are.

    Raises
    ------
    ValueError
        In any other case, and for a file that does not name a folder or names a class that the network does not know.

    Examples
    --------
    >>> class_map(["1", "10", "2"], 12).note
    'classes: the numbers of the 3 folders are those of their classes (1 is class 1, 10 is class 10)'
    """
    folders = list(folders)
    if file is not None:
        return _by_file(folders, classes, file)
    if classes in IMAGENETS and all(re.fullmatch(r"n\d{8}", name) for name in folders):
        from timm.data import ImageNetInfo

        number = {wnid: i for i, wnid in enumerate(ImageNetInfo(IMAGENETS[classes]).label_names())}
        strange = next((name for name in folders if name not in number), None)
        if strange is None:
            return _made([number[name] for name in folders], folders, "folders are named by ImageNet's identifiers")
    numbers = numbers_in(folders)
    if numbers is not None:
        twice = _twice(numbers)
        if twice is not None:
            names = [name for name, i in zip(folders, numbers, strict=True) if i == twice]
            raise ValueError(f"the class folders {names[0]} and {names[1]} are both number {twice}: rename one, {HINT}")
        if max(numbers) < classes:
            return _made(numbers, folders, f"the numbers of the {len(folders)} folders are those of their classes")
        if sorted(numbers) == list(range(1, classes + 1)):
            return _made([i - 1 for i in numbers], folders, f"the {len(folders)} folders are numbered from 1, classes from 0")
    if len(folders) == classes:
        place = {name: i for i, name in enumerate(in_order(folders))}
        rule = "letters" if numbers is None else "numbers"
        return _made(
            [place[name] for name in folders], folders, f"the {len(folders)} folders are taken in the order of their {rule}"
        )
    named = (
        "name the folders by ImageNet's identifiers (n01440764, ...) or by the numbers of classes, " if classes == 1000 else ""
    )
    raise ValueError(
        f"there are {len(folders)} class folders and the network knows {classes} classes: {named}give as many folders as classes, {HINT}"
    )


def _by_file(folders, classes: int, file) -> ClassMap:
    number = classes_of_file(file)
    strange = next((name for name in folders if name not in number), None)
    if strange is not None:
        raise ValueError(f"{file}: does not name the folder {strange}: expected a class for each folder of images")
    numbers = [number[name] for name in folders]
    if max(numbers, default=0) >= classes:
        name = folders[int(np.argmax(numbers))]
        raise ValueError(f"{file}: {name} is class {max(numbers)}, but the network knows {classes} classes, 0 to {classes - 1}")
    return _made(numbers, folders, f"{len(folders)} folders have the classes that {file} says")


def _made(numbers, folders, rule: str) -> ClassMap:
    """The note names as examples the first folder, and the first whose class is not its place, else the last."""
    shown = [0, next((i for i in range(1, len(folders)) if numbers[i] != i), len(folders) - 1)]
    examples = ", ".join(f"{folders[i]} is class {numbers[i]}" for i in dict.fromkeys(shown))
    return ClassMap(np.array(numbers, dtype=np.int64), f"classes: {rule} ({examples})")


def class_numbers(folders: Iterable[str], classes: int, file: str | PathLike | None = None) -> np.ndarray:
    """Return the network's class of each folder of an image folder, shape (folders,): the numbers of :func:`class_map`.

    Raises
    ------
    ValueError
        As :func:`class_map`.

    Examples
    --------
    >>> class_numbers(["n01443537", "n02102040"], 1000)
    array([  1, 217])
    >>> class_numbers(["cat", "dog"], 2)
    array([0, 1])
    """
    return class_map(folders, classes, file).numbers
