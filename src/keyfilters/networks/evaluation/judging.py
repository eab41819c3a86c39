"""How batches go through a network, how well it classifies, and how far it agrees with another one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ...uncertainty import Interval, McNemar, mcnemar, wilson
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


@dataclass(frozen=True)
class Evaluation:
    """What a classifier did on n samples.

    Attributes
    ----------
    n, classes : int
    top1, top5 : float
        Share of samples whose label is the first, or among the first ``top_k``, of the classes ordered by logit.
    top1_interval, top5_interval : Interval
        Wilson's, at ``level``.
    top_k : int
        5, or the number of classes where there are fewer; ``top5`` is then 1 and ``note`` says so.
    correct, correct5 : ndarray of bool, shape (n,)
        Sample by sample, in the order of the batches.
    predictions, labels : ndarray of int, shape (n,)
    logits : ndarray, shape (n, classes), or None
        Kept if asked for.
    """

    n: int
    classes: int
    top1: float
    top5: float
    top1_interval: Interval
    top5_interval: Interval
    top_k: int
    level: float
    note: str
    correct: np.ndarray = field(repr=False)
    correct5: np.ndarray = field(repr=False)
    predictions: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    logits: np.ndarray | None = field(repr=False, default=None)

    @property
    def interval(self) -> Interval:
        """That of ``top1``."""
        return self.top1_interval

    def record(self) -> dict:
        """The numbers as a flat dict, as they are printed and written as JSON."""
        return {
            "n": self.n, "classes": self.classes,
            "top1": self.top1, "top1_low": self.top1_interval.low, "top1_high": self.top1_interval.high,
            "top5": self.top5, "top5_low": self.top5_interval.low, "top5_high": self.top5_interval.high,
            "level": self.level, "note": self.note,
        }  # fmt: skip

    def per_class(self) -> pd.DataFrame:
        """One row for each label that occurs: class, n, top1, low, high."""
        rows = []
        for label in np.unique(self.labels).tolist():
            hits = self.correct[self.labels == label]
            rows.append((label, len(hits), hits.mean(), *wilson(int(hits.sum()), len(hits), self.level)))
        return pd.DataFrame(rows, columns=["class", "n", "top1", "low", "high"])


@dataclass(frozen=True)
class Comparison:
    """A network beside a reference on the same n images.

    Attributes
    ----------
    agreement : float
        Share of images for which both put the same class first.
    interval : Interval
        Wilson's, of the agreement.
    kl : float
        Mean Kullback-Leibler divergence KL(reference || model), in nats.
    overlap5 : float
        Mean share of the first ``top_k`` classes that the two have in common.
    agrees : ndarray of bool, kl_each : ndarray
        Image by image, shape (n,).
    evaluation, reference_evaluation : Evaluation or None
        Of each by itself, where there are labels.
    mcnemar : McNemar or None
        First the model, second the reference, where there are labels.
    """

    n: int
    classes: int
    agreement: float
    interval: Interval
    kl: float
    overlap5: float
    top_k: int
    level: float
    note: str
    agrees: np.ndarray = field(repr=False)
    kl_each: np.ndarray = field(repr=False)
    evaluation: Evaluation | None = field(repr=False, default=None)
    reference_evaluation: Evaluation | None = field(repr=False, default=None)
    mcnemar: McNemar | None = None

    @property
    def top1(self) -> float | None:
        """Accuracy of the model, where there are labels."""
        return None if self.evaluation is None else self.evaluation.top1

    @property
    def reference_top1(self) -> float | None:
        """Accuracy of the reference, where there are labels."""
        return None if self.reference_evaluation is None else self.reference_evaluation.top1

    def record(self) -> dict:
        """The numbers as a flat dict, as they are printed and written as JSON."""
        found = {
            "n": self.n, "classes": self.classes,
            "agreement": self.agreement, "agreement_low": self.interval.low, "agreement_high": self.interval.high,
            "kl_nats": self.kl, "top5_overlap": self.overlap5, "level": self.level, "note": self.note,
        }  # fmt: skip
        if self.mcnemar is not None:
            found |= {
                "top1": self.top1, "reference_top1": self.reference_top1,
                "only_model_right": self.mcnemar.only_a, "only_reference_right": self.mcnemar.only_b,
                "mcnemar_p": self.mcnemar.p,
            }  # fmt: skip
        return found


def _first(logits: torch.Tensor, k: int) -> torch.Tensor:
    # A stable sort: of equal logits the lower class comes first, on every machine.
    return logits.sort(dim=1, descending=True, stable=True).indices[:, :k]


def _note(classes: int) -> str:
    return "" if classes > 5 else f"{classes} classes: every label is among the first 5, so top-5 says nothing"


def _checked_labels(labels: torch.Tensor, classes: int) -> torch.Tensor:
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"the labels are {str(labels.dtype).removeprefix('torch.')}: expected whole numbers from 0")
    labels = labels.long().cpu()
    if labels.numel() and not (0 <= int(labels.min()) and int(labels.max()) < classes):
        bad = labels[(labels < 0) | (labels >= classes)][0].item()
        known = f"the network knows {classes} classes, 0 to {classes - 1}"
        raise ValueError(f"a label is {bad}, but {known}: the data are of another task")
    return labels


class _Tally:
    """What is counted batch by batch for an Evaluation."""

    def __init__(self) -> None:
        self.columns, self.logits, self.classes = [], [], 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor, keep: bool = False) -> None:
        self.classes = logits.shape[1]
        labels = _checked_labels(labels, self.classes)
        first = _first(logits, min(5, self.classes))
        hit = first == labels[:, None]
        self.columns.append((hit[:, 0], hit.any(dim=1), first[:, 0], labels))
        if keep:
            self.logits.append(logits)

    def evaluation(self, level: float) -> Evaluation:
        correct, correct5, firsts, labels = (torch.cat(parts).numpy() for parts in zip(*self.columns, strict=True))
        n, right, right5 = len(correct), int(correct.sum()), int(correct5.sum())
        return Evaluation(
            n, self.classes, right / n, right5 / n, wilson(right, n, level), wilson(right5, n, level), min(5, self.classes),
            level, _note(self.classes), correct, correct5, firsts, labels,
            torch.cat(self.logits).numpy() if self.logits else None,
        )  # fmt: skip


def evaluate(
    model: nn.Module,
    data: Any,
    device: Device = None,
    *,
    amp: str | None = None,
    level: float = 0.95,
    batch_size: int = 64,
    keep_logits: bool = False,
) -> Evaluation:
    """Return top-1 and top-5 accuracy of a classifier with Wilson intervals.

    Parameters
    ----------
    model : nn.Module
        Returns logits (n, classes). It is run in evaluation mode, which is put back afterwards.
    data : tensors, Dataset or iterable of batches
        Images with labels; see :func:`keyfilters.networks.evaluation.judging.batches_of`.
    device : str or torch.device, optional
        The model is moved there. Default: where it is.
    amp : {None, "bf16", "fp16"}
        Reduced precision of the forward pass.
    level : float
        Of the intervals.
    batch_size : int
        For data that are not yet cut into batches.
    keep_logits : bool
        Keep all logits, float64.

    Raises
    ------
    ValueError
        If there are no images, no labels, labels that are no class of the network, images that it does not
        take, or logits that are not finite.

    Examples
    --------
    >>> model = torch.nn.Flatten()  # the pixels are the logits
    >>> images = torch.eye(8).reshape(8, 1, 2, 4)
    >>> found = evaluate(model, (images, torch.arange(8)))
    >>> found.top1, found.n, round(found.interval.low, 2)
    (1.0, 8, 0.68)
    """
    device = device_of(check_model(model), device)
    model.to(device)
    tally = _Tally()
    with evaluating(model):
        for images, labels in batches_of(data, batch_size):
            if labels is None:
                raise ValueError("the images have no labels: expected (images, labels); compare() needs none")
            tally.add(logits_of(model, images, device, amp), labels, keep_logits)
    return tally.evaluation(level)


def divergence(logits: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`\mathrm{KL}(p\|q) = \sum_c p_c (\log p_c - \log q_c)` in nats, row by row.

    p is the softmax of ``reference``, q that of ``logits``; both have shape (n, classes).

    Examples
    --------
    >>> divergence(torch.tensor([[0.0, 0.0]]), torch.tensor([[100.0, 0.0]])).round(decimals=4)
    tensor([0.6931])
    """
    log_p, log_q = reference.log_softmax(dim=1), logits.log_softmax(dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def compare(
    model: nn.Module,
    reference: Any,
    data: Any,
    device: Device = None,
    *,
    amp: str | None = None,
    level: float = 0.95,
    batch_size: int = 64,
) -> Comparison:
    """Return how far a network agrees with a reference on the same images, labelled or not.

    Parameters
    ----------
    model, reference : nn.Module
        Classifiers of the same classes, such as a network with replaced filters and the unmodified one.
    data, device, amp, level, batch_size
        As for :func:`evaluate`; labels may be missing.

    Raises
    ------
    ValueError
        As :func:`evaluate`, and if the two have different numbers of classes.

    Examples
    --------
    >>> model = torch.nn.Flatten()
    >>> found = compare(model, model, torch.eye(8).reshape(8, 1, 2, 4))
    >>> found.agreement, found.kl, found.overlap5
    (1.0, 0.0, 1.0)
    """
    device = device_of(check_model(model), device)
    model.to(device)
    check_model(reference, "reference").to(device)
    agrees, kl, overlap, tallies = [], [], [], (_Tally(), _Tally())
    labelled = True
    with evaluating(model, reference):
        for images, labels in batches_of(data, batch_size):
            ours, theirs = logits_of(model, images, device, amp), logits_of(reference, images, device, amp)
            classes = ours.shape[1]
            if theirs.shape != ours.shape:
                raise ValueError(
                    f"the network has {classes} classes and the reference {theirs.shape[1]}: expected the same classes"
                )
            first, other = _first(ours, min(5, classes)), _first(theirs, min(5, classes))
            agrees.append(first[:, 0] == other[:, 0])
            # Rounding may leave a divergence of equal distributions a hair below 0.
            kl.append(divergence(ours, theirs).clamp(min=0.0))
            overlap.append((first[:, :, None] == other[:, None, :]).any(dim=2).double().mean(dim=1))
            labelled &= labels is not None
            if labelled:
                for tally, logits in zip(tallies, (ours, theirs), strict=True):
                    tally.add(logits, labels)
    same, kl_each = torch.cat(agrees).numpy(), torch.cat(kl).numpy()
    accuracy: dict = {}
    if labelled:
        own, other = (tally.evaluation(level) for tally in tallies)
        accuracy = {"evaluation": own, "reference_evaluation": other, "mcnemar": mcnemar(own.correct, other.correct)}
    n = len(same)
    return Comparison(
        n, classes, float(same.mean()), wilson(int(same.sum()), n, level), float(kl_each.mean()),
        float(torch.cat(overlap).mean()), min(5, classes), level, _note(classes), same, kl_each, **accuracy,
    )  # fmt: skip
