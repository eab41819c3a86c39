"""Transfer: the layers of a network that was trained elsewhere, with a new linear classifier behind each stage."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from keyfilters.checks import choice, finite, integer
from keyfilters.networks.evaluation.finetuning import recalibrate
from keyfilters.networks.surgery.replacing import replace

__all__ = ["BODIES", "Body", "body", "inputs", "labelled_subset", "linear_probe", "stage_features"]

PROBE_PENALTIES = tuple(10.0**k for k in range(-1, 7))
"""Among which the ridge penalty is chosen, for features of variance 1."""


@dataclass(frozen=True)
class Body:
    """One way of getting the layers that are kept: ``make(network, seed)`` returns a changed copy."""

    label: str
    make: Callable[[nn.Module, int], nn.Module]
    recalibrated: bool = True


def _fresh(network: nn.Module, seed: int) -> nn.Module:
    new = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in new.modules():
            if isinstance(module, nn.Conv2d):
                # He's rule, with the fan-out that a channel of a grouped convolution has.
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
                nn.init.normal_(module.weight, 0.0, (2.0 / fan_out) ** 0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
    return new


BODIES: dict[str, Body] = {
    "trained": Body("trained on ImageNet", lambda network, seed: copy.deepcopy(network), recalibrated=False),
    "adapted": Body("the same, statistics adapted", lambda network, seed: copy.deepcopy(network)),
    "keys": Body("depthwise filters: keys", lambda network, seed: replace(network, "B", "affine").model),
    "noise": Body("depthwise filters: random", lambda network, seed: replace(network, "B", "random", seed=seed).model),
    "fresh": Body("all weights random", _fresh),
}
"""Name: row. Where ``recalibrated``, the statistics of the batch norms are estimated on images of the new task."""


def body(network: nn.Module, kind: str, images: torch.Tensor, seed: int = 0) -> nn.Module:
    """Return the layers to keep, as a changed copy of a network.

    =========  =====================================================================================
    kind       weights
    =========  =====================================================================================
    trained    as they are
    adapted    as they are, batch norms with the statistics of the new images
    keys       each depthwise filter replaced by its best key, gain and offset (method B)
    noise      each depthwise filter replaced by a random one of equal norm
    fresh      all convolutions drawn anew (He's rule), batch norms as at the start
    =========  =====================================================================================

    Parameters
    ----------
    network : nn.Module
        Left as it is.
    kind : str
    images : Tensor, shape (n, channels, rows, columns)
        Images of the new task, as the network takes them; no labels are used. Not used by ``trained``.
    seed : int
        Of ``noise`` and ``fresh``.

    Raises
    ------
    ValueError
        For an unknown kind.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(8, 8, 7, groups=8), nn.BatchNorm2d(8))
    >>> new = body(network, "keys", torch.randn(4, 8, 9, 9, generator=torch.Generator().manual_seed(0)))
    >>> type(new[0]).__name__, type(network[0]).__name__
    ('ParametrizedConv2d', 'Conv2d')
    """
    row = BODIES[choice(kind, BODIES, "kind")]
    new = row.make(network, integer(seed, "seed", 0)).eval()
    if row.recalibrated:
        # Images often come class by class, and a norm that sees one class at a time learns too small a spread.
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        recalibrate(new, images[order])
    return new.eval()


def inputs(images, size: int, mean=0.5, std=0.5) -> torch.Tensor:
    """Return grey images as input of a network for coloured ones: resized (bilinear), three equal channels.

    Parameters
    ----------
    images : array of uint8, shape (n, rows, columns)
    size : int
        Side in pixels.
    mean, std : float
        Of values from 0 to 1; 0.5 is what EfficientNet-Lite takes.

    Returns
    -------
    Tensor of float32, shape (n, 3, size, size)

    Raises
    ------
    ValueError
        Not grey images of bytes; a size below 1.

    Examples
    --------
    >>> x = inputs(np.zeros((2, 28, 28), np.uint8), 64)
    >>> tuple(x.shape), float(x.min())
    ((2, 3, 64, 64), -1.0)
    """
    array = np.asarray(images)
    if array.dtype != np.uint8 or array.ndim != 3 or not len(array):
        raise ValueError(f"images has dtype {array.dtype} and shape {array.shape}: expected uint8 and (n, rows, columns)")
    integer(size, "size")
    x = torch.tensor(array)[:, None].float() / 255
    x = F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
    return ((x - mean) / std).expand(-1, 3, -1, -1)


def stage_features(model: nn.Module, x: torch.Tensor, grid: int = 2, batch_size: int = 100) -> dict[str, np.ndarray]:
    """Return what a network of timm computes at the end of each stage, averaged over a grid of cells.

    Parameters
    ----------
    model : nn.Module
        With ``forward_intermediates`` and ``feature_info``, as the convolutional networks of timm have.
    x : Tensor, shape (n, channels, rows, columns)
    grid : int
        Cells per axis; the features of a stage with c channels have ``c * grid**2`` numbers. Stages with
        fewer positions than cells repeat some of them.
    batch_size : int

    Returns
    -------
    dict of str to ndarray of float32, shape (n, features)
        By stage: ``"stage 1"``, ...; the position of a stage in ``feature_info``.

    Raises
    ------
    ValueError
        For a network without stages.
    """
    if not hasattr(model, "forward_intermediates"):
        raise ValueError(f"{type(model).__name__} has no stages: expected a convolutional network of timm")
    integer(grid, "grid"), integer(batch_size, "batch_size")
    parts: list[list[np.ndarray]] = []
    with torch.inference_mode():
        for start in range(0, len(x), batch_size):
            part = x[start : start + batch_size].contiguous(memory_format=torch.channels_last)
            stages = model.forward_intermediates(part, intermediates_only=True)
            parts.append([F.adaptive_avg_pool2d(stage, grid).flatten(1).numpy() for stage in stages])
    return {f"stage {i}": np.concatenate(rows) for i, rows in enumerate(zip(*parts, strict=True), start=1)}


def labelled_subset(labels, per_class: int, seed=0) -> np.ndarray:
    """Return the places of ``per_class`` images of each class, at random; subsets of one seed are nested.

    ``seed`` is an integer, or a sequence of them.

    Raises
    ------
    ValueError
        If a class has fewer.

    Examples
    --------
    >>> labels = np.array([0, 1, 0, 1, 1])
    >>> sorted(labels[labelled_subset(labels, 2)].tolist())
    [0, 0, 1, 1]
    """
    labels = np.asarray(labels)
    integer(per_class, "per_class")
    rng, chosen = np.random.default_rng(seed), []
    for label in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == label))
        if len(places) < per_class:
            raise ValueError(f"per_class is {per_class}, but class {label} has {len(places)} images: expected at most as many")
        chosen.append(places[:per_class])
    return np.concatenate(chosen)


def linear_probe(features, labels, new_features) -> np.ndarray:
    """Return the classes that a linear classifier, fitted to features and labels, gives to new features.

    Ridge regression on the indicators of the classes, ``min |Y - F W - 1 b^T|^2 + a |W|^2``, features of
    variance 1, the penalty ``a`` chosen by leaving out one image after the other (in closed form) among
    ``PENALTIES``; nothing but the labelled images is used.

    Parameters
    ----------
    features : array, shape (n, d)
    labels : array of int, shape (n,)
    new_features : array, shape (m, d)

    Returns
    -------
    ndarray of int, shape (m,)

    Raises
    ------
    ValueError
        For numbers that are not finite, or a single class.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(60) % 3
    >>> features = np.eye(3)[labels] + 0.1 * rng.standard_normal((60, 3))
    >>> float((linear_probe(features[:30], labels[:30], features[30:]) == labels[30:]).mean())
    1.0
    """
    from sklearn.linear_model import RidgeClassifierCV

    features, new_features = finite(features, "features"), finite(new_features, "new_features")
    labels = np.asarray(labels)
    if len(np.unique(labels)) < 2:
        raise ValueError("labels has one class: expected at least two")
    mean, std = features.mean(0), features.std(0)
    # A feature that never changes on the labelled images says nothing; divided by zero it would say NaN.
    std = np.where(std > 1e-9 * np.abs(features).max(0), std, np.inf)
    classifier = RidgeClassifierCV(PROBE_PENALTIES).fit((features - mean) / std, labels)
    return classifier.predict((new_features - mean) / std)
