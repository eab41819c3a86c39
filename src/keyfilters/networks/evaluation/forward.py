"""Running a network over images: batches of whatever is handed in, the evaluation mode, one-line errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ..layers.base import Device

AMP = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Names of the reduced precisions that a pass can run in."""
NO_IMAGES = "there are no images: expected at least one"
DEVICES = ("cpu", "cuda", "mps")
"""Kinds of devices that a network can be run on."""


def check_model(model: Any, what: str = "model") -> nn.Module:
    """Return ``model`` if it is a torch module, else raise ``ValueError``."""
    if isinstance(model, nn.Module):
        return model
    raise ValueError(f"{what} is a {type(model).__name__}: expected a torch.nn.Module (load_model(...).model is one)")


def check_device(device: Device) -> torch.device:
    """Return the device of this name if the machine has it, else raise ``ValueError``.

    Examples
    --------
    >>> check_device("cpu")
    device(type='cpu')
    >>> check_device("gpu")
    Traceback (most recent call last):
    ...
    ValueError: device is 'gpu': expected cpu, cuda (cuda:1, ...) or mps
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError, ValueError):
        found = None
    shown = str(device) if isinstance(device, torch.device) else device
    if found is None or found.type not in DEVICES:
        raise ValueError(f"device is {shown!r}: expected cpu, cuda (cuda:1, ...) or mps")
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[found.type]
    if found.type != "cpu" and (found.index or 0) >= there:
        names = ", ".join(f"{found.type}:{i}" for i in range(there)) or "none; use cpu"
        raise ValueError(f"device is {shown!r}: this machine has {names}")
    return found


def device_of(model: nn.Module, device: Device = None) -> torch.device:
    """The device asked for, or that of the network's first parameter or buffer; ``ValueError`` where it is not there."""
    if device is not None:
        return check_device(device)
    first = next(model.parameters(), next(model.buffers(), None))
    if first is not None and first.device.type == "meta":
        raise ValueError("the network's weights are on the meta device; load the weights first")
    return torch.device("cpu") if first is None else first.device


def batches_of(data: Any, batch_size: int = 64) -> Iterable[tuple[torch.Tensor, torch.Tensor | None]]:
    """Return an iterable of pairs (images, labels), labels None where there are none.

    Parameters
    ----------
    data : tensor, pair of tensors, Dataset or iterable
        Images (n, channels, height, width), or (images, labels (n,)), cut into batches here; labels may be an
        array of numpy or a list; a torch
        ``Dataset``, loaded in its order; or an iterable of batches (a ``DataLoader``, a list), each one
        images or a pair. An iterable that can be gone through again can be gone through again here.
    batch_size : int
        For what is cut here.

    Raises
    ------
    ValueError
        For anything else, no images, and, while iterating, for a batch that is neither.

    Examples
    --------
    >>> [(len(images), labels) for images, labels in batches_of(torch.zeros(5, 1, 8, 8), batch_size=3)]
    [(3, None), (2, None)]
    """
    if isinstance(data, torch.Tensor):
        data = (data, None)
    if isinstance(data, (tuple, list)) and len(data) == 2 and _is_images(data[0]) and _is_labels(data[1], data[0]):
        images, labels = data[0], None if data[1] is None else labels_of(data[1])
        if not len(images):
            raise ValueError(NO_IMAGES)
        starts = range(0, len(images), batch_size)
        return [(images[i : i + batch_size], None if labels is None else labels[i : i + batch_size]) for i in starts]
    if isinstance(data, Dataset):
        data = DataLoader(data, batch_size=batch_size, shuffle=False)
    if not isinstance(data, Iterable):
        raise ValueError(f"data is a {type(data).__name__}: expected images, (images, labels), a Dataset or batches")
    return _Pairs(data)


def _is_images(value) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim == 4


def _is_labels(value, images) -> bool:
    return value is None or np.shape(value) == tuple(images.shape[:1])


def labels_of(value: Any) -> torch.Tensor:
    """Labels as a tensor: of a tensor, an array of numpy (of either byte order) or a sequence of numbers."""
    if isinstance(value, torch.Tensor):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "iufb":
        raise ValueError(f"the labels are {array.dtype}: expected whole numbers from 0")
    # torch has no unsigned integers beyond bytes in most of its operations, and no other byte order than the machine's.
    return torch.tensor(array.astype(np.int64) if array.dtype.kind in "iu" else array.astype(array.dtype.newbyteorder("=")))


class _Pairs:
    """Each batch of an iterable as a pair."""

    def __init__(self, data: Iterable) -> None:
        self.data = data

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
        seen = 0
        for number, batch in enumerate(self.data):
            if isinstance(batch, torch.Tensor):
                batch = (batch, None)
            if not (isinstance(batch, (tuple, list)) and len(batch) == 2 and _is_images(batch[0])):
                found = f"batch {number} is a {type(batch).__name__}"
                raise ValueError(f"{found}: expected images (n, c, h, w), or images with labels")
            images, labels = batch
            if labels is not None:
                labels = labels_of(labels)
                if labels.shape != images.shape[:1]:
                    raise ValueError(f"batch {number} has labels of shape {tuple(labels.shape)}: expected ({len(images)},)")
            seen += len(images)
            yield images, labels
        if not seen:
            raise ValueError(NO_IMAGES)


@contextlib.contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """The models in evaluation mode, without gradients; each module's own mode is put back."""
    modes = [(module, module.training) for model in models for module in model.modules()]
    try:
        for model in models:
            model.eval()
        # Not inference_mode: a kernel that a layer keeps would be of no use for training afterwards.
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def outputs_of_batch(model: nn.Module, images: torch.Tensor, device: torch.device, amp: str | None = None) -> torch.Tensor:
    """Apply a network to a batch; images that it does not take are a ``ValueError`` of one line."""
    if amp is not None and amp not in AMP:
        raise ValueError(f"unknown amp {amp!r}: expected None or one of {', '.join(AMP)}")
    if not images.is_floating_point():
        dtype = str(images.dtype).removeprefix("torch.")
        raise ValueError(f"the images are {dtype}: expected floating-point numbers, preprocessed")
    parameter = next(model.parameters(), images)
    images = images.to(device, dtype=parameter.dtype if parameter.is_floating_point() else None, non_blocking=True)
    reduced = contextlib.nullcontext() if amp is None else torch.autocast(device.type, AMP[amp])
    try:
        with reduced:
            return model(images)
    except torch.OutOfMemoryError:
        shape = "x".join(map(str, images.shape))
        raise ValueError(f"a batch of {shape} does not fit into the memory of {device}: take smaller batches") from None
    except (RuntimeError, AssertionError) as error:
        shape = "x".join(map(str, images.shape[1:]))
        raise ValueError(f"the network does not take images of {shape}: {str(error).strip().splitlines()[0]}") from error


def logits_of(model: nn.Module, images: torch.Tensor, device: torch.device, amp: str | None = None) -> torch.Tensor:
    """The network's outputs as finite float64 numbers (n, classes) on the CPU, differentiable where gradients are on."""
    output = outputs_of_batch(model, images, device, amp)
    if not isinstance(output, torch.Tensor) or output.ndim != 2:
        found = f"shape {tuple(output.shape)}" if isinstance(output, torch.Tensor) else f"a {type(output).__name__}"
        raise ValueError(f"the network returns {found}: expected logits (samples, classes), as a classifier's")
    logits = output.double().cpu() if output.device.type != "mps" else output.cpu().double()
    if not torch.isfinite(logits).all():
        bad = f"{int((~torch.isfinite(logits)).any(dim=1).sum())} of {len(logits)}"
        raise ValueError(f"the network returns NaN or infinity for {bad} images: its weights or the images are bad")
    return logits
