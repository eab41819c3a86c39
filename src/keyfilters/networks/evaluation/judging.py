"""How well a network classifies, and how far it agrees with another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...uncertainty import Interval, McNemar, mcnemar, wilson
from ..layers.base import Device
from .forward import batches_of, check_model, device_of, evaluating, logits_of


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
        Images with labels; see :func:`keyfilters.networks.evaluation.forward.batches_of`.
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
