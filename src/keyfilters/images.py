"""Images that Python packages bring along: labelled ones of foolbox, photographs of scikit-image and scikit-learn.

The files are read without importing the packages (foolbox takes seconds), and nothing is downloaded.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .checks import integer

if TYPE_CHECKING:
    from PIL import Image

PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "hubble": ("skimage", "data/hubble_deep_field.jpg"),
    "brick": ("skimage", "data/brick.png"),
    "camera": ("skimage", "data/camera.png"),
    "coins": ("skimage", "data/coins.png"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}
"""Name: package and file. Only what lies in the packages themselves; scikit-image downloads its other images."""
PROJECTS = {"skimage": "scikit-image", "sklearn": "scikit-learn", "foolbox": "foolbox"}


class UnreadableImage(ValueError):
    """An image that cannot be read, named in one line.

    A worker of torch's ``DataLoader`` hands an exception on with its whole traceback as the message; the
    last line of it is what the exception said.
    """

    def __init__(self, message: str):
        last = str(message).strip().splitlines()[-1]
        super().__init__(re.sub(r"^[\w.]*UnreadableImage: ", "", last))


DEEP = 1 << 14
"""A picture of 16 bits without a value as large is not shown: its white is more likely 4,095 than 65,535."""


class Unshown(ValueError):
    """A picture whose values do not say what they show."""


def shown(image: Any, mode: str = "RGB") -> Image.Image:
    """Return a PIL image as the bytes that show its picture, of mode ``"RGB"`` or ``"L"``.

    ===================== =======================================================================================
    image                 shown as
    ===================== =======================================================================================
    8 bits or fewer       it is: grey, palettes, CMYK, one bit
    transparent           it lies on white
    16 bits               65,535 is white; refused where no value reaches 16,384 (as with 12 bits in 16)
    integers of 32 bits   refused, but for PGM, which names its white
    floats                1 is white; refused where a value is below 0, above 1 or not finite
    ===================== =======================================================================================

    Raises
    ------
    Unshown
        A ValueError, for what is refused; one line without the name of the file.

    Examples
    --------
    >>> from PIL import Image
    >>> shown(Image.fromarray(np.full((1, 1), 65535, np.uint16))).getpixel((0, 0))
    (255, 255, 255)
    """
    from PIL import Image

    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)
        if _white_is_zero(image):
            values = 65535 - values
        _check_depth(int(values.max()))
        image = Image.fromarray(_bytes(values, 65535))
    elif image.mode == "I":
        if image.format != "PPM":
            raise Unshown("has integers of 32 bits a pixel, and nothing says which is white: save it with 8 bits")
        image = Image.fromarray(_bytes(np.asarray(image), 65535))
    elif image.mode == "F":
        values = np.asarray(image)
        if not (values.min() >= 0 and values.max() <= 1):
            raise Unshown(
                f"has floats from {values.min():g} to {values.max():g}: expected 0 (black) to 1 (white), or save it with 8 bits"
            )
        image = Image.fromarray(_bytes(values.astype(np.float64), 1))
    elif "a" in image.mode.lower().removeprefix("lab") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _bytes(values, white) -> np.ndarray:
    return np.rint(values * (255 / white)).astype(np.uint8)


def _white_is_zero(image) -> bool:
    """Whether a TIFF counts from white to black (tag 262, PhotometricInterpretation)."""
    return image.format == "TIFF" and image.tag_v2.get(262) == 0


def _check_depth(largest: int) -> None:
    if 0 < largest < DEEP:
        raise Unshown(
            f"has 16 bits a pixel and no value above {largest} of 65535: {largest.bit_length()} bits in 16, or a very dark picture; save it with 8 bits"
        )


def _upright(image) -> None:
    """Turn a photograph as its EXIF orientation says; one whose EXIF data are broken stays as it lies."""
    from PIL import ImageOps

    try:
        turned = image.getexif().get(274, 1) != 1
    except Exception:
        turned = False
    if turned:
        ImageOps.exif_transpose(image, in_place=True)


def open_image(path: str | PathLike, mode: str = "RGB") -> Image.Image:
    """Return the picture that a file shows, as a PIL image of mode ``"RGB"`` or ``"L"``: upright, and as :func:`shown` says.

    Raises
    ------
    UnreadableImage
        A ValueError of one line that names the file: not an image, cut short, not readable, or of values whose
        white is not known.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # What a photograph says of its camera may be broken; the picture is not.
            warnings.filterwarnings("ignore", "Corrupt EXIF|Possibly corrupt EXIF", UserWarning)
            with Image.open(path) as image:
                # Colours of 16 bits: Pillow reads their upper bytes, and says so nowhere else.
                upper = ";16" in str(image.tile) and image.mode in ("RGB", "RGBA", "LA", "CMYK")
                _upright(image)
                picture = shown(image, mode)
            if upper:
                _check_depth(int(np.max(picture.getextrema())) * 256 + 255)
            return picture
    except UnidentifiedImageError:
        raise UnreadableImage(f"{path} is not an image: remove it, or copy it again") from None
    except Unshown as error:
        raise UnreadableImage(f"{path} {error}") from None
    except Exception as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
        raise UnreadableImage(f"{path} cannot be read as an image ({reason}): remove it, or copy it again") from None


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"{PROJECTS[name]} is not installed, whose images are asked for: pip install {PROJECTS[name]}")
    return Path(next(iter(spec.submodule_search_locations)))


def photographs(names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Return photographs that scikit-image and scikit-learn bring along, by name.

    Parameters
    ----------
    names : sequence of str, optional
        Names in ``PHOTOGRAPHS``; all of them by default.

    Returns
    -------
    dict of str to ndarray of uint8, shape (rows, columns, 3)
        RGB; grey ones have three equal channels.

    Raises
    ------
    ValueError
        An unknown name; a package that is not installed.

    Source: scikit-image and scikit-learn, who name the authors and licences (free) beside the files.

    Examples
    --------
    >>> photographs(["chelsea"])["chelsea"].shape
    (300, 451, 3)
    """
    names = list(PHOTOGRAPHS) if names is None else list(names)
    for name in names:
        if name not in PHOTOGRAPHS:
            raise ValueError(f"unknown photograph {name!r}: expected one of {', '.join(PHOTOGRAPHS)}")
    return {name: np.array(open_image(_package(PHOTOGRAPHS[name][0]) / PHOTOGRAPHS[name][1])) for name in names}


def crops(photographs: dict[str, np.ndarray] | Sequence[np.ndarray], size: int, count: int, seed: int = 0) -> np.ndarray:
    """Return square pieces of photographs at random places, not rescaled.

    Piece ``i`` is of photograph ``i % k`` (of the ``k`` given, in their order): the group by which pieces
    depend on each other.

    Parameters
    ----------
    photographs : dict of str to ndarray, or sequence of ndarray
        Each of shape (rows, columns, 3), uint8.
    size, count : int
        Side in pixels; number of pieces.
    seed : int

    Returns
    -------
    ndarray of uint8, shape (count, size, size, 3)

    Raises
    ------
    ValueError
        No photographs, one smaller than ``size``, or a count or size below 1.

    Examples
    --------
    >>> crops(photographs(["coffee", "china"]), size=224, count=5).shape
    (5, 224, 224, 3)
    """
    for what, value in (("size", size), ("count", count)):
        integer(value, what)
    named = dict(photographs) if isinstance(photographs, dict) else dict(enumerate(photographs, 1))
    if not named:
        raise ValueError("photographs is empty: expected at least one image")
    for name, image in named.items():
        if np.ndim(image) != 3 or np.shape(image)[2] != 3:
            raise ValueError(f"photograph {name} has shape {np.shape(image)}: expected (rows, columns, 3)")
        if min(np.shape(image)[:2]) < size:
            raise ValueError(
                f"photograph {name} has {image.shape[0]} x {image.shape[1]} pixels: expected at least {size} x {size}"
            )
    rng = np.random.default_rng(seed)
    images = list(named.values())
    out = np.empty((count, size, size, 3), np.uint8)
    for i in range(count):
        image = images[i % len(images)]
        row, column = (int(rng.integers(side - size + 1)) for side in image.shape[:2])
        out[i] = image[row : row + size, column : column + size]
    return out


def sample_files() -> list[Path]:
    """The files of :func:`imagenet_samples`, in its order."""
    files = sorted((_package("foolbox") / "data").glob("imagenet_*_*.jpg"))
    if not files:
        raise ValueError("foolbox has no ImageNet images here: pip install foolbox==3.3.4")
    return files


def imagenet_samples(size: int | None = 256) -> tuple[np.ndarray, np.ndarray]:
    """Return the 20 labelled ImageNet images that foolbox brings along.

    Parameters
    ----------
    size : int or None
        The whole image is resized to ``size x size``; a network for 224 pixels takes the centre of 256.
        None: images as they are, in an array of dtype object (19 have 512 x 512 pixels, one 683 x 1024).

    Returns
    -------
    images : ndarray of uint8, shape (20, size, size, 3)
    labels : ndarray of int64, shape (20,)
        Numbers of the 1,000 classes of ImageNet.

    Raises
    ------
    ValueError
        If foolbox is not installed.

    Source: foolbox (Rauber et al. 2017), ``foolbox/data``.

    Examples
    --------
    >>> images, labels = imagenet_samples()
    >>> images.shape, labels[:3].tolist()
    ((20, 256, 256, 3), [243, 559, 438])
    """
    from PIL import Image

    if size is not None:
        integer(size, "size")
    files = sample_files()
    labels = np.array([int(file.stem.rsplit("_", 1)[1]) for file in files])
    images = [open_image(file) for file in files]
    if size is None:
        out = np.empty(len(images), object)
        out[:] = [np.array(image) for image in images]
        return out, labels
    return np.stack([np.array(image.resize((size, size), Image.Resampling.BICUBIC)) for image in images]), labels
