"""What is left of a trained network whose depthwise filters are replaced: variants, judging, sweeps.

Every function works on any classifier; ``replacement_images`` has the images, ``mending`` puts statistics
right, ``reachable`` asks for weights that may be out of reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import nn

from keyfilters.checks import choice
from keyfilters.fitting import METHODS
from keyfilters.networks.evaluation.finetuning import distill, outputs_of
from keyfilters.networks.evaluation.judging import divergence, evaluating
from keyfilters.networks.surgery.depthwise import find_depthwise
from keyfilters.networks.surgery.replacing import fold, replace
from keyfilters.uncertainty import bootstrap_interval, mcnemar, wilson

from .mending import Mender
from .replacement_images import IMAGES_AT_ONCE, IMAGES_PER_BATCH, JudgingImages, as_batches

RANDOM_KEYS = 8


@dataclass(frozen=True)
class Replacing:
    """One way to replace all filters: ``replace(model, method, mode)``; method "random" stands for random keys."""

    name: str
    method: str
    mode: str
    idea: str


REPLACEMENTS: dict[str, Replacing] = {
    v.name: v
    for v in (
        *(
            Replacing(m, m, "affine", f"best of eight idealised keys, scales of method {m}, gain and offset fitted")
            for m in METHODS
        ),
        Replacing("learned keys", "learned", "master", "best of the eight learned keys, gain and offset fitted"),
        Replacing("own scales", "B", "own", "best of eight idealised keys, its scales fitted to each channel too"),
        Replacing("unit", "B", "unit", "idealised key of method B with the sign of the gain; no gain, no offset"),
        Replacing("8 random", "random", "affine", "best of eight random filters, gain and offset fitted (control)"),
        Replacing("impulse", "B", "impulse", "unit impulse, gain and offset fitted (control)"),
        Replacing("random", "B", "random", "a random filter with the channel's mean and norm (control)"),
        Replacing(
            "Gaussian", "B", "gaussian", "drawn with the covariance of the layer's filters, the channel's mean (control)"
        ),
    )
}
"""The rows of the chapter's table."""


def random_keys(seed: int = 0, size: int = 7) -> np.ndarray:
    """Eight filters of normal noise, shape (8, size, size).

    Examples
    --------
    >>> random_keys(3).shape, bool((random_keys(3) == random_keys(3)).all())
    ((8, 7, 7), True)
    """
    return np.random.default_rng(seed).standard_normal((RANDOM_KEYS, size, size))


def replaced(model: nn.Module, variant: str, layers=None, seed: int = 0) -> nn.Module:
    """A copy of the network with filters replaced, as plain convolutions.

    Parameters
    ----------
    model : nn.Module
    variant : str
        A name of ``VARIANTS``.
    layers : str or sequence of str, optional
        Names or patterns; default: all.
    seed : int
        Of the random filters.

    Raises
    ------
    ValueError
        For an unknown variant or layer.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(4, 4, 5, groups=4), nn.ReLU())
    >>> list(replaced(network, "B").state_dict()) == list(network.state_dict())
    True
    """
    row = REPLACEMENTS[choice(variant, REPLACEMENTS, "variant")]
    method = random_keys(seed) if row.method == "random" else row.method
    network = fold(replace(model, method, row.mode, layers=layers, seed=seed).model, inplace=True)
    return network.to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Outcome:
    """A network beside the unmodified one, image by image.

    Attributes
    ----------
    correct, agrees : ndarray of bool, kl : ndarray
        On the labelled images: the label is put first; the class of the unmodified network is put first;
        KL(unmodified || this) in nats.
    crop_agrees, crop_kl : ndarray
        On the crops.
    photograph : ndarray of str
    """

    correct: np.ndarray
    agrees: np.ndarray
    kl: np.ndarray
    crop_agrees: np.ndarray
    crop_kl: np.ndarray
    photograph: np.ndarray

    def row(self, draws: int = 400) -> dict:
        """Counts and means with 95 % intervals.

        Wilson's for the labelled images; bootstrap over images for their divergence; over photographs,
        then crops, for what is measured on crops.
        """
        n, right = len(self.correct), int(self.correct.sum())
        low, high = wilson(right, n)
        found = {"right": right, "right_low": low * n, "right_high": high * n, "agree": int(self.agrees.sum())}
        for name, values, groups in (
            ("kl", self.kl, None), ("crop_agree", self.crop_agrees, self.photograph), ("crop_kl", self.crop_kl, self.photograph),
        ):  # fmt: skip
            values = np.asarray(values, dtype=float)
            interval = bootstrap_interval(values, groups, draws=draws)
            found |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return found


class Judge:
    """Compares networks with an unmodified one, whose answers are computed once.

    Parameters
    ----------
    reference : nn.Module
        The unmodified network.
    images : Images
    """

    def __init__(self, reference: nn.Module, images: JudgingImages) -> None:
        self.reference, self.images = reference.to(memory_format=torch.channels_last), images
        self._labelled, self._crops = self._logits(reference)
        self.own = self._outcome(self._labelled, self._crops)

    def inputs(self) -> list[torch.Tensor]:
        """All images by which is judged, in batches."""
        # Together, so that no batch is smaller than need be.
        return as_batches(torch.cat([self.images.labelled, self.images.crops]), IMAGES_AT_ONCE)

    def _logits(self, model, inputs=None) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.cat(outputs_of(model, self.inputs() if inputs is None else inputs, "cpu"))
        return logits[: len(self.images.labelled)], logits[len(self.images.labelled) :]

    def __call__(self, model: nn.Module, inputs=None) -> Outcome:
        """Judge a network; or the rest of one, by ``inputs`` that have gone through its beginning batch by batch."""
        return self._outcome(*self._logits(model, inputs))

    def _outcome(self, labelled: torch.Tensor, cut: torch.Tensor) -> Outcome:
        first, crop_first = labelled.argmax(1), cut.argmax(1)
        return Outcome(
            first.numpy() == self.images.labels, (first == self._labelled.argmax(1)).numpy(),
            divergence(labelled, self._labelled).clamp(min=0).numpy(),
            (crop_first == self._crops.argmax(1)).numpy(), divergence(cut, self._crops).clamp(min=0).numpy(), self.images.photograph,
        )  # fmt: skip

    def against(self, outcome: Outcome, other: Outcome | None = None):
        """McNemar's test on the labelled images: the other (the unmodified network) first."""
        return mcnemar((other or self.own).correct, outcome.correct)


def sweep(judge: Judge, variants=tuple(REPLACEMENTS), layers=None, mender: Mender | None = None, seed: int = 0):
    """Replace by each variant and judge, as it is and, with a mender, in each of its states.

    Returns
    -------
    frame : pandas.DataFrame
        One row per variant and state: variant, state ("replaced", "recalibrated", "corrected"), the columns
        of :meth:`Outcome.row`, p (McNemar's, against the unmodified network).
    outcomes : dict of (variant, state) to Outcome
    """
    import pandas as pd

    rows, outcomes = [], {}
    for variant in variants:
        model = replaced(judge.reference, variant, layers, seed)
        for state, network in chain([("replaced", model)], mender.states(model) if mender else ()):
            outcome = outcomes[variant, state] = judge(network)
            rows.append(_row(judge, variant, state, outcome))
    return pd.DataFrame(rows), outcomes


def _row(judge: Judge, variant: str, state: str, outcome: Outcome) -> dict:
    return {"variant": variant, "state": state} | outcome.row() | {"p": judge.against(outcome).p}


def layers_in_order(model: nn.Module) -> list[nn.Module]:
    """The parts of a network whose outputs are handed on, each to the next, as far as it can be cut; else the network itself.

    Examples
    --------
    >>> network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), nn.Flatten())
    >>> [type(part).__name__ for part in layers_in_order(network)], len(layers_in_order(nn.ReLU()))
    (['Conv2d', 'ReLU', 'Flatten'], 1)
    """
    if hasattr(model, "as_sequential"):  # of timm
        model = model.as_sequential()
    return [part for child in model for part in layers_in_order(child)] if type(model) is nn.Sequential else [model]


def layer_sweep(judge: Judge, variants, seed: int = 0):
    """Replace one layer at a time: number, layer, size, stride, channels, and the columns of :func:`sweep`.

    What lies before the part of the network with that layer is the unmodified network's, and computed once.
    """
    import pandas as pd

    parts, done, inputs, rows = layers_in_order(judge.reference), 0, judge.inputs(), []
    for number, layer in enumerate(find_depthwise(judge.reference), start=1):
        start = next(i for i, part in enumerate(parts) if any(module is layer.module for module in part.modules()))
        if start < done:  # named in another order than they are passed
            done, inputs = 0, judge.inputs()
        with evaluating(judge.reference):
            for part in parts[done:start]:
                inputs = [part(x) for x in inputs]
        done = start
        place = {
            "number": number,
            "layer": layer.name,
            "size": layer.kernel_size[0],
            "stride": layer.stride[0],
            "channels": layer.channels,
        }
        for variant in variants:
            rest = nn.Sequential(*layers_in_order(replaced(judge.reference, variant, layer.name, seed))[start:])
            rows.append(place | _row(judge, variant, "replaced", judge(rest, inputs)))
    return pd.DataFrame(rows)


def cumulative_sweep(judge: Judge, counts, variant: str = "B", mender: Mender | None = None, seed: int = 0):
    """Replace the first, or the last, ``count`` layers: order ("first", "last"), count, and the columns of :func:`sweep`."""
    import pandas as pd

    names = [layer.name for layer in find_depthwise(judge.reference)]
    frames = []
    for order in ("first", "last"):
        for count in counts:
            chosen = names[:count] if order == "first" else names[len(names) - count :]
            frame, _ = sweep(judge, [variant], chosen, mender, seed)
            frames.append(frame.assign(order=order, count=count)[["order", "count", *frame.columns]])
    return pd.concat(frames, ignore_index=True)


MENDING_RATES = {"norm": 2e-3, "pointwise+norm": 1e-4}
"""What is trained, and the learning rate."""


def tuning_sweep(judge: Judge, runs, steps: int, mender: Mender, batch: int = 16, seed: int = 0):
    """Correct the statistics, then train for a few steps towards the unmodified network.

    Each step sees new images as long as ``judge.images.calibration`` lasts.

    Parameters
    ----------
    runs : sequence of (str, str)
        Variants, and what is trained (a name of ``RECIPES``).

    Returns
    -------
    frame : pandas.DataFrame
        variant, trained, numbers (how many), steps, kl_first, kl_last (means over a quarter of the steps, on
        the images trained with), and the columns of :func:`sweep`.
    outcomes : dict of (variant, trained) to Outcome
    """
    import pandas as pd

    rows, outcomes = [], {}
    data = as_batches(judge.images.calibration[: batch * steps], batch)
    targets = outputs_of(judge.reference, data)
    for variant, trained in runs:
        rate = MENDING_RATES[choice(trained, MENDING_RATES, "trained")]
        model = mender.corrected(replaced(judge.reference, variant, seed=seed))
        run = distill(model, targets, data, steps=steps, lr=rate, seed=seed, trainable=trained, at_once=IMAGES_PER_BATCH)
        quarter = max(1, steps // 4)
        outcome = outcomes[variant, trained] = judge(model)
        shown = {"variant": variant, "trained": trained, "numbers": run.trained, "steps": run.steps}
        shown |= {"kl_first": float(run.kl[:quarter].mean()), "kl_last": float(run.kl[-quarter:].mean())}
        rows.append(shown | outcome.row() | {"p": judge.against(outcome).p})
    return pd.DataFrame(rows), outcomes
