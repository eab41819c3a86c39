"""Which class of a network each folder of an image folder stands for."""

from __future__ import annotations

import numpy as np


def class_numbers(folders, classes: int) -> np.ndarray:
    """Return the network's class of each folder of an image folder, shape (folders,).

    - folders named by ImageNet's identifiers (n01440764, ...) and a network of 1,000 classes: by name, so
      that any subset of the folders works; timm numbers the classes by the sorted identifiers
    - as many folders as classes: in sorted order

    Parameters
    ----------
    folders : sequence of str
        Names in sorted order, as ``torchvision.datasets.ImageFolder.classes``.
    classes : int
        Of the network.

    Raises
    ------
    ValueError
        In any other case.

    Examples
    --------
    >>> class_numbers(["n01443537", "n02102040"], 1000)
    array([  1, 217])
    >>> class_numbers(["cat", "dog"], 2)
    array([0, 1])
    """
    from timm.data import ImageNetInfo

    folders = list(folders)
    if classes == 1000:
        number = {wnid: i for i, wnid in enumerate(ImageNetInfo("imagenet-1k").label_names())}
        if all(name in number for name in folders):
            return np.array([number[name] for name in folders])
    if len(folders) == classes:
        return np.arange(classes)
    hint = "name the folders by ImageNet's identifiers (n01440764, ...), or " if classes == 1000 else ""
    raise ValueError(f"there are {len(folders)} class folders and the network knows {classes} classes: {hint}give as many folders as classes")
