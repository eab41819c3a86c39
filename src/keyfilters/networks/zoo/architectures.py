"""The architecture that a file says it is of, beside the one that its weights go into."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .pickles import Skipped

__all__: list[str] = []
# Serves the readers and reports: on no page of the reference.

LITE0 = "efficientnet_lite0"
LITE0_IN_TIMM = "tf_efficientnet_lite0"
NAMES = ("arch", "architecture", "model_name", "model")
"""Entries in which training programs, timm's among them, write the name of the network."""
RECORDS = ("args", "config", "hyper_parameters", "hparams", "opt", "cfg")


def _name_in(record) -> str | None:
    record = record.state if isinstance(record, Skipped) else record
    if not isinstance(record, Mapping):
        return None
    return next((record[n] for n in NAMES if isinstance(record.get(n), str)), None)


def named_architecture(content: Any, path: str | PathLike) -> str | None:
    """What a file says it is of: in an entry, in its metadata, in a ``config.json`` beside it, or by its name; None if nothing."""
    from .checkpoints import read_metadata

    if isinstance(content, Mapping):
        for record in (content, *(content.get(name) for name in RECORDS)):
            if name := _name_in(record):
                return name
    if name := _name_in(read_metadata(path)):
        return name
    beside = Path(path).parent / "config.json"
    try:
        if name := _name_in(json.loads(beside.read_text(encoding="utf-8"))):
            return name
    except (OSError, ValueError):
        pass
    # timm's files are called by the network, with a tag or a hash behind it.
    return re.split(r"[-.]", Path(path).name)[0]


def contradiction(said: str | None, name: str, model: nn.Module, build: Callable) -> list[str]:
    """A note where a file says that it is of another network than the one it went into, and the two compute differently."""
    import timm

    def plain(text):
        return LITE0_IN_TIMM if text == LITE0 else text.partition(".")[0]

    if not said or plain(said) == plain(name) or not timm.is_model(plain(said)):
        return []
    try:
        with torch.device("meta"):
            theirs = build(plain(said))
    except (ValueError, RuntimeError, NotImplementedError):
        return []
    lines = zip(str(theirs).splitlines(), str(model).splitlines(), strict=False)
    other = next(((a.strip(), b.strip()) for a, b in lines if a != b and not a.endswith("(")), None)
    if other is None:
        return []
    return [
        f"the file is of {said}, which computes something else than {name} with the same weights: {other[0]} there, {other[1]} here"
    ]
