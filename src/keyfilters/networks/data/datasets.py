"""Images as tensors: preprocessing as a network expects it, data sets by name or folder, batches.

Labels of a folder count its sub-folders, in the order of their numbers where the names are such, else of their
letters; or they are the classes of a network, see :func:`class_map`.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torchvision.datasets.folder import IMG_EXTENSIONS, ImageFolder

from ...checks import choice
from ...fetch import fashion_mnist
from ...images import UnreadableImage, crops, imagenet_samples, open_image, photographs, sample_files, shown

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from ..zoo.loading import LoadedModel

__all__ = [
    "IMAGENETS", "ClassMap", "UnreadableImage", "batches", "class_map", "class_numbers", "classes_of_file", "crops", "dataset", "evaluation_transform", "fashion_mnist", "fashion_mnist_tensors",
    "imagenet_samples", "in_order", "numbers_in", "open_image", "photographs", "preprocess",
]  # fmt: skip

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


FASHION_MEAN, FASHION_STD = 0.2860, 0.3530
"""Of all pixels of the training images, values from 0 to 1."""
SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "test"),
    "test": ("test", "val", "valid", "validation"),
}
"""Names that the folder of a split may have, first choice first."""
IMAGENET = {"input_size": (3, 224, 224), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def _settings(loaded) -> dict:
    names = ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
    return {name: getattr(loaded, name) for name in names if hasattr(loaded, name)}


class _Transform:
    """timm's steps behind the conversion to the colours that the network takes; a class, so that workers can be sent it."""

    def __init__(self, input_size, mean, std, interpolation="bicubic", crop_pct=0.875, crop_mode="center", resize=True):
        from timm.data import create_transform
        from torchvision.transforms import Compose

        if input_size[0] not in (1, 3):
            raise ValueError(f"the network takes images of {input_size[0]} channels: expected 3 (colours) or 1 (grey)")
        self.mode = "L" if input_size[0] == 1 else "RGB"
        self.steps = create_transform(
            input_size,
            is_training=False,
            mean=mean,
            std=std,
            interpolation=interpolation,
            crop_pct=crop_pct,
            crop_mode=crop_mode,
        )
        if not resize:
            self.steps = Compose(self.steps.transforms[-2:])  # to a tensor, normalised

    def __call__(self, image) -> torch.Tensor:
        return self.steps(shown(image, self.mode))


def evaluation_transform(loaded: LoadedModel | None = None) -> Callable:
    """Return what turns a PIL image into the input of a network: timm's resize, crop and normalisation.

    timm's ``create_transform`` makes it from the network's settings: input size, interpolation, and what part of the
    image is shown (``crop_pct``, ``crop_mode``).

    Parameters
    ----------
    loaded : LoadedModel, optional
        Default: 224 x 224 pixels with the mean and standard deviation usual for ImageNet.

    Raises
    ------
    ValueError
        For a network of neither 3 nor 1 channels.

    Examples
    --------
    >>> from PIL import Image
    >>> evaluation_transform()(Image.new("RGB", (300, 400))).shape
    torch.Size([3, 224, 224])
    """
    return _Transform(**(IMAGENET if loaded is None else _settings(loaded)))


def preprocess(images: Any, loaded: LoadedModel, resize: bool | None = None) -> torch.Tensor:
    """Return images as the input of a network.

    Parameters
    ----------
    images : ndarray of uint8, or sequence of such
        (n, rows, columns, 3) or (n, rows, columns) for grey; a sequence may hold images of different sizes.
    loaded : LoadedModel
    resize : bool, optional
        True: resize and centre crop as in :func:`evaluation_transform`; False: never. By default images of
        exactly the network's input size stay as they are and others are resized.

    Returns
    -------
    Tensor of float32, shape (n, channels, rows, columns)

    Raises
    ------
    ValueError
        Not images of bytes, or none at all.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> grey = SimpleNamespace(input_size=(1, 28, 28), mean=(0.5,), std=(0.5,))
    >>> preprocess(np.zeros((2, 28, 28), np.uint8), grey)[:, 0, 0, 0]
    tensor([-1., -1.])
    """
    from PIL import Image

    arrays = [np.asarray(image) for image in images]
    if not arrays:
        raise ValueError("images is empty: expected at least one image")
    for i, array in enumerate(arrays):
        if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.ndim == 3 and array.shape[2] != 3:
            raise ValueError(
                f"image {i} has dtype {array.dtype} and shape {array.shape}: expected uint8 and (rows, columns, 3) or (rows, columns)"
            )
    size = tuple(loaded.input_size[-2:])
    if resize is None:
        resize = any(array.shape[:2] != size for array in arrays)
    transform = _Transform(**_settings(loaded), resize=resize)
    return torch.stack([transform(Image.fromarray(array)) for array in arrays])


def fashion_mnist_tensors(
    split: str = "train", folder: str | PathLike | None = None, download: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Fashion-MNIST normalised: images (n, 1, 28, 28) of float32, labels (n,) of int64.

    ``split`` is ``"train"`` (60,000) or ``"test"``, also called ``"val"`` (10,000).

    Raises
    ------
    ValueError
        As :func:`keyfilters.fetch.fashion_mnist`.
    """
    which = "train" if choice(split, tuple(SPLITS), "split") == "train" else "test"
    arrays = fashion_mnist(folder, download)
    images = torch.tensor(arrays[f"{which}_images"]).float().div_(255).sub_(FASHION_MEAN).div_(FASHION_STD)
    return images[:, None], torch.tensor(arrays[f"{which}_labels"]).long()


class ArrayDataset(torch.utils.data.Dataset):
    """Images of an array with their labels, each handed through ``transform`` as a PIL image; ``files`` names them."""

    def __init__(self, images: Any, labels: Any, transform: Callable | None, files: Sequence[str] | None = None):
        self.images, self.labels, self.transform, self.files = images, labels, transform, files

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def _split_folder(folder: Path, split: str, needed: bool) -> Path:
    there = [folder / name for name in SPLITS[split] if (folder / name).is_dir()]
    others = [name for names in SPLITS.values() for name in names if (folder / name).is_dir()]
    if not there and (needed or others):
        raise ValueError(
            f"{folder} has no folder {SPLITS[split][0]}: expected {folder / SPLITS[split][0]} with one folder of images per class"
        )
    return there[0] if there else folder


def _folder_of(spec: str) -> Path:
    kind, _, rest = spec.partition(":")
    return Path(rest if kind in ("imagenet", "imagefolder") and rest else spec)


def has_splits(spec: str) -> bool:
    """Whether the data of :func:`dataset` have a training and a validation part (True for a folder that is not there).

    Examples
    --------
    >>> has_splits("fashion-mnist"), has_splits("imagenet-samples")
    (True, False)
    """
    text = str(spec)
    if text in ("fashion-mnist", "imagenet-samples"):
        return text == "fashion-mnist"
    folder = _folder_of(text)
    return not folder.is_dir() or any((folder / name).is_dir() for names in SPLITS.values() for name in names)


class ClassFolders(ImageFolder):
    """One folder of images per class.

    Attributes
    ----------
    classes : list of str
        The folders, in the order of their numbers or letters; hidden ones are left out.
    files : list of str
        Of the images, below the folder that was opened.
    notes : list of str
        How many files were skipped, and which classes of a network the folders stand for.
    """

    def __init__(self, place: Path, transform: Callable | None):
        self.place, self.skipped = place, Counter()
        super().__init__(str(place), transform, loader=open_image, is_valid_file=self._is_image, allow_empty=True)
        beside = sum(1 for entry in place.iterdir() if entry.is_file() and not entry.name.startswith("."))
        self.notes = []
        if self.skipped:
            kinds = ", ".join(
                f"{count} {kind}" for kind, count in sorted(self.skipped.items(), key=lambda pair: (-pair[1], pair[0]))
            )
            self.notes.append(
                f"{place}: {self.skipped.total()} files in the folders of classes, of kinds that are not read, were skipped ({kinds})"
            )
        if beside:
            self.notes.append(f"{place}: {beside} files beside the folders of classes were skipped")

    def _is_image(self, path: str) -> bool:
        below = Path(path).relative_to(self.place)
        hidden = any(part.startswith(".") for part in below.parts)
        if not hidden and below.suffix.lower() in IMG_EXTENSIONS:
            return True
        self.skipped["hidden" if hidden else below.suffix.lower() or "without an ending"] += 1
        return False

    def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
        """The folders and their labels, as torchvision asks for them."""
        folders = in_order(
            entry.name for entry in Path(directory).iterdir() if entry.is_dir() and not entry.name.startswith(".")
        )
        return folders, {name: label for label, name in enumerate(folders)}

    def take_classes(self, classes: int, file: str | PathLike | None = None) -> None:
        """Make the labels those of a network of so many classes, as :func:`.class_numbers.class_map` says."""
        found = class_map(self.classes, classes, file)
        self.target_transform = found.numbers.tolist().__getitem__
        self.notes.append(found.note)

    @property
    def files(self) -> list[str]:
        return [Path(path).relative_to(self.place).as_posix() for path, _ in self.samples]


def _image_folder(folder: Path, split: str, transform, needed: bool) -> ClassFolders:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise ValueError(f"{folder} {what}: expected a folder with one folder of images per class")
    place = _split_folder(folder, split, needed)
    try:
        if not any(entry.is_dir() and not entry.name.startswith(".") for entry in place.iterdir()):
            raise ValueError(f"{place} has no folders: expected one folder of images per class")
        data = ClassFolders(place, transform)
    except OSError as error:
        raise ValueError(f"{place} cannot be read: {error.strerror or error}") from None
    if not len(data):
        raise ValueError(
            f"{place} has no images: expected images ({', '.join(IMG_EXTENSIONS[:4])}, ...) in one folder per class"
        )
    empty = sorted(set(range(len(data.classes))) - set(data.targets))
    if empty:
        raise ValueError(
            f"{place / data.classes[empty[0]]} has no images: expected images in each class ({len(empty)} without)"
        )
    return data


def dataset(spec: str, split: str = "train", transform: Callable | None = None, download: bool = True) -> Any:
    """Return a data set of (image tensor, label) by its name or folder.

    ==================== ==============================================================================
    spec                 images
    ==================== ==============================================================================
    fashion-mnist        60,000 (``train``) or 10,000 (``test`` = ``val``), as normalised tensors; with
                         ``transform`` as PIL images handed through it
    imagenet-samples     the 20 images of foolbox, whatever the split
    imagenet:FOLDER      a folder with ``train`` and ``val``, in each one folder per class
    imagefolder:FOLDER   the same, or a folder of classes without splits; a plain FOLDER means this
    ==================== ==============================================================================

    Parameters
    ----------
    spec : str or Path
    split : str
        ``"train"``, ``"val"`` or ``"test"``; a folder may call the last two by the other's name.
    transform : callable, optional
        From PIL image to tensor; by default :func:`evaluation_transform` for ImageNet.
    download : bool
        Whether Fashion-MNIST may be downloaded.

    Returns
    -------
    torch.utils.data.Dataset
        Of a folder: a ``ClassFolders``, whose ``notes`` say what was skipped, and whose labels count the
        folders until ``take_classes`` makes them those of a network.

    Raises
    ------
    ValueError
        One line: an unknown name, a folder that is missing, empty, or without a class or split. A file
        that is not an image is named when it is its turn (:class:`UnreadableImage`).

    Examples
    --------
    >>> dataset("no-such-folder")
    Traceback (most recent call last):
    ...
    ValueError: no-such-folder is not there: expected fashion-mnist, imagenet-samples, imagenet:FOLDER or a folder with one folder of images per class
    """
    choice(split, tuple(SPLITS), "split")
    if not isinstance(spec, (str, os.PathLike)) or not str(spec):
        raise ValueError(f"data is {spec!r}: expected fashion-mnist, imagenet-samples, imagenet:FOLDER or a folder")
    text = str(spec)
    if text == "fashion-mnist" and transform is None:
        return torch.utils.data.TensorDataset(*fashion_mnist_tensors(split, download=download))
    if text == "fashion-mnist":
        arrays, which = fashion_mnist(download=download), "train" if split == "train" else "test"
        return ArrayDataset(arrays[f"{which}_images"], arrays[f"{which}_labels"], transform)
    if text == "imagenet-samples":
        return ArrayDataset(
            *imagenet_samples(None), transform or evaluation_transform(), [file.name for file in sample_files()]
        )
    folder = _folder_of(text)
    if folder == Path(text) and not folder.exists():
        raise ValueError(
            f"{text} is not there: expected fashion-mnist, imagenet-samples, imagenet:FOLDER or a folder with one folder of images per class"
        )
    return _image_folder(folder, split, transform or evaluation_transform(), text.startswith("imagenet:"))


def _collate(tensors, index):
    return [tensor[index] for tensor in tensors]


class _Whole(torch.utils.data.Dataset):
    """A data set of tensors taken a batch at a time: one look-up instead of one per image."""

    def __init__(self, tensors):
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitems__(self, index):
        return torch.tensor(index)


def batches(data: Any, batch_size: int = 64, shuffle: bool = False, seed: int = 0, workers: int = 0) -> DataLoader:
    """Return what yields (images, labels), again and again; the order depends on ``seed`` alone.

    Parameters
    ----------
    data : data set, or pair of tensors or arrays
    batch_size : int
    shuffle : bool
        A new order each time round.
    seed : int
    workers : int
        Processes that read images.

    Examples
    --------
    >>> images, labels = next(iter(batches((torch.zeros(5, 1, 2, 2), torch.arange(5)), 3)))
    >>> labels
    tensor([0, 1, 2])
    """
    generator = torch.Generator().manual_seed(seed)
    tensors = data.tensors if isinstance(data, torch.utils.data.TensorDataset) else None
    if isinstance(data, tuple):
        tensors = [torch.as_tensor(part) for part in data]
    options = {"batch_size": batch_size, "shuffle": shuffle, "generator": generator}
    if tensors is None:
        return torch.utils.data.DataLoader(data, num_workers=workers, **options)
    return torch.utils.data.DataLoader(_Whole(tensors), collate_fn=partial(_collate, tensors), **options)
