"""What a notebook may need beside the library's own dependencies, and how the build sees to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec

from .project import BookError

__all__ = ["NEEDS", "NETWORK_ROOMS", "provide"]

NETWORK_ROOMS = ("networks", "data/fashion_mnist")
"""Parts of the package that only notebooks with ``needs: [networks]`` use: to change them leaves the others as they are."""


def _networks() -> None:
    for package in ("torch", "torchvision", "timm", "safetensors", "accelerate"):
        if find_spec(package) is None:
            raise BookError(f"{package} is missing: chapters on networks need the extra, pip install 'keyfilters[networks]'")


def _fashion_mnist() -> None:
    from ..fetch import ensure_fashion_mnist

    try:
        ensure_fashion_mnist()
    except ValueError as error:
        raise BookError(" ".join(str(error).split())) from None


NEEDS: dict[str, Callable[[], None]] = {"networks": _networks, "fashion-mnist": _fashion_mnist}
"""Each need with the function that checks it, or fetches what is missing; `BookError` where that fails."""


def provide(needs: Iterable[str]) -> None:
    """See to what is needed, each once, before a notebook is executed."""
    for need in NEEDS:
        if need in set(needs):
            NEEDS[need]()
