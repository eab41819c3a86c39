"""The commands of ``keyfilters`` that need the extra ``networks``, one module each."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ...output import check_output

WORDS = ("pretrained", "none")
"""What ``--weights`` knows beside files."""
METHODS_HELP = "A to D2, A-joint to D-joint, or learned"
REPLACING_HELP = f"{METHODS_HELP} (not in the modes own and learnable)"
WEIGHTS_HELP = (
    "a file (.safetensors, .pth, ...), pretrained (timm's hub or a package), or none, that is random ones (default: pretrained)"
)


def check_target(path: str | PathLike, force: bool) -> None:
    """As :func:`keyfilters.output.check_output`, whose remedy is an argument of Python, with the option instead."""
    if not force and Path(path).exists() and not Path(path).is_dir():
        raise ValueError(f"{path}: exists already; choose another name, or add --force to overwrite it")
    check_output(path, force)


def check_weights(weights: str | None) -> None:
    """Refuse a file of weights that is not there, before the imports that take seconds."""
    if weights is not None and weights not in WORDS and not Path(weights).exists():
        raise ValueError(f"{weights} is not there: expected a file of weights, pretrained or none")


def weights_given(weights: str | None) -> dict:
    """What ``--weights`` says, as arguments of :func:`keyfilters.networks.load_model`."""
    words = {None: {"pretrained": True}, "pretrained": {"pretrained": True}, "none": {}}
    return words[weights] if weights is None or weights in WORDS else {"weights": weights}
