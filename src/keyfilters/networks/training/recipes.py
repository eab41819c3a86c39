"""Settings of a training: one data class, checked, and a table of recipes. Nothing here imports torch."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from ...checks import choice

SCHEDULES = ("cosine", "constant", "step", "tanh", "wsd")
PRECISIONS = ("no", "bf16", "fp16")
PRETRAINED = "pretrained"
"""Value of ``TrainConfig.weights`` for the weights that timm's hub has under the name of the model."""


@dataclass(frozen=True)
class TrainConfig:
    """All that the weights of a training depend on; where they are written is no part of it.

    Model and data: ``model`` and ``model_args`` (further arguments of its constructor), ``weights`` to start from (a
    file, ``"pretrained"`` or None), ``replace`` and ``method`` (what becomes of its depthwise filters, as in
    :func:`keyfilters.networks.surgery.replacing.replace`), ``data``, ``num_classes`` and ``img_size`` (pixels; None: from the data
    and from the model).

    Optimisation: ``batch_size`` counts the images of one optimiser step on all devices together; a device takes at
    most ``device_batch`` of them at once and accumulates the gradients of the rest. ``opt`` is a name of timm's
    optimisers, ``opt_args`` are its further arguments, ``weight_decay`` is its decay. ``lr`` is the rate itself, never
    rescaled by the size of the batch. It grows linearly from ``warmup_lr`` for ``warmup_epochs`` (may be a fraction),
    then follows ``sched`` (cosine, constant, step, tanh or wsd, as timm's) down to ``min_lr``. ``layer_decay``
    multiplies the rate by this factor for every layer below the head. ``scale_lr`` gives the parameters of filters that are
    learned as scales (scales, gains, offsets) this many times ``lr``, in all layers and without decay; None: they are treated
    as biases are. ``drop_path`` is the largest probability that a
    residual branch is left out. ``clip`` is the largest norm of the gradient. ``ema_decay`` keeps the moving average
    of the weights by which the network is judged and saved; with ``ema_warmup`` its decay grows from 0.

    Images: ``mixup``, ``cutmix`` (their alpha), ``smoothing`` of labels, ``aa`` (a policy of timm), ``color_jitter``,
    ``reprob`` (random erasing), ``hflip`` (probability), ``shift`` (pixels; for images in memory only). For folders of
    images ``interpolation`` (a name of timm's, such as bicubic) resizes all of them, and ``crop_pct`` is the side of
    the centre crop of validation over the shorter side of the resized image.

    Run: ``epochs``; ``seed`` of the weights, the order of the images and all that is drawn; ``workers`` (processes
    that read images; 0: none beside the training); ``amp`` (reduced precision: bf16, fp16 or no); ``limit_steps`` ends
    every epoch and every validation after so many steps; ``channels_last`` stores tensors in that order, ``compile``
    uses ``torch.compile``, both for speed; ``device`` is ``"cpu"``, or None for what accelerate finds (a GPU where
    there is one).

    Examples
    --------
    >>> TrainConfig(lr=0.01).updated({"epochs": "3", "clip": "none"}).clip is None
    True
    >>> TrainConfig(lr=-1.0)
    Traceback (most recent call last):
    ...
    ValueError: lr is -1.0: expected a number > 0
    """

    model: str = "small_convnext"
    model_args: dict = field(default_factory=dict)
    weights: str | None = None
    replace: str | None = None
    method: str = "B"
    data: str = "fashion-mnist"
    num_classes: int | None = None
    img_size: int | None = None
    epochs: int = 6
    batch_size: int = 64
    device_batch: int | None = None
    opt: str = "adamw"
    opt_args: dict = field(default_factory=dict)
    lr: float = 1e-3
    weight_decay: float = 0.05
    layer_decay: float | None = None
    scale_lr: float | None = None
    sched: str = "cosine"
    warmup_epochs: float = 0.0
    warmup_lr: float = 0.0
    min_lr: float = 0.0
    drop_path: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    smoothing: float = 0.0
    aa: str | None = None
    color_jitter: float | None = None
    reprob: float = 0.0
    hflip: float = 0.0
    shift: int = 0
    interpolation: str = "bicubic"
    crop_pct: float = 0.875
    clip: float | None = None
    ema_decay: float | None = None
    ema_warmup: bool = False
    amp: str = "no"
    seed: int = 0
    workers: int = 0
    limit_steps: int | None = None
    channels_last: bool = False
    compile: bool = False
    device: str | None = None

    def __post_init__(self):
        for f in dataclasses.fields(self):
            # The one conversion: a whole number where a fraction is allowed.
            value = _typed(f.name, getattr(self, f.name), f.type)
            object.__setattr__(self, f.name, value)
            rule = LIMITS.get(f.name)
            if rule and value is not None and not rule[0](value):
                raise ValueError(f"{f.name} is {value!r}: expected {rule[1]}")
        choice(self.sched, SCHEDULES, "sched")
        choice(self.amp, PRECISIONS, "amp")
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs is {self.warmup_epochs:g}: expected at most the {self.epochs} epochs")
        if (self.mixup or self.cutmix) and self.batch_size % 2:
            raise ValueError(f"batch_size is {self.batch_size}: expected an even number, since mixup and cutmix pair images")

    def updated(self, settings: dict) -> TrainConfig:
        """Return a copy with ``settings``; values may be text as typed on a command line, ``none`` for None.

        Raises
        ------
        ValueError
            For an unknown name or a value of another type.
        """
        types = {f.name: f.type for f in dataclasses.fields(self)}
        for name in settings:
            choice(name, tuple(types), "setting")
        values = {k: _parsed(k, v, types[k]) if isinstance(v, str) else v for k, v in settings.items()}
        return dataclasses.replace(self, **values)

    def record(self) -> dict:
        """The settings as plain values, paths shortened to their last part: what is stored beside the weights."""
        values = dataclasses.asdict(self)
        for name in ("data", "weights"):
            if values[name]:
                values[name] = values[name].replace("\\", "/").rstrip("/").split("/")[-1]
        return values


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


_TYPES = {
    "int": (lambda v: isinstance(v, int) and not isinstance(v, bool), "a whole number"),
    "float": (_is_number, "a finite number"),
    "bool": (lambda v: isinstance(v, bool), "true or false"),
    "str": (lambda v: isinstance(v, str) and v != "", "text"),
    "dict": (lambda v: isinstance(v, dict), 'JSON such as {"name": 1}'),
}
# What a value has to satisfy beyond its type, and how that is said.
_POSITIVE = (lambda v: v > 0, "a number > 0")
_NOT_NEGATIVE = (lambda v: v >= 0, "a number >= 0")
_FRACTION = (lambda v: 0 <= v <= 1, "a number from 0 to 1")
_BELOW_ONE = (lambda v: 0 <= v < 1, "a number from 0 to below 1")
LIMITS = {
    **dict.fromkeys(
        ("epochs", "batch_size", "device_batch", "lr", "scale_lr", "clip", "num_classes", "img_size", "limit_steps"), _POSITIVE
    ),
    **dict.fromkeys(("weight_decay", "warmup_epochs", "warmup_lr", "min_lr", "mixup", "cutmix"), _NOT_NEGATIVE),
    **dict.fromkeys(("color_jitter", "shift", "seed", "workers"), _NOT_NEGATIVE),
    **dict.fromkeys(("reprob", "hflip", "ema_decay"), _FRACTION),
    **dict.fromkeys(("drop_path", "smoothing"), _BELOW_ONE),
    **dict.fromkeys(("layer_decay", "crop_pct"), (lambda v: 0 < v <= 1, "a number above 0 and up to 1")),
    "device": (lambda v: v == "cpu", "cpu, or none for what accelerate finds"),
}


def _typed(name: str, value, annotation: str):
    kind, _, optional = annotation.partition(" | ")
    if optional and value is None:
        return None
    accepts, expected = _TYPES[kind]
    if not accepts(value):
        raise ValueError(f"{name} is {value!r}: expected {expected}" + (", or none" if optional else ""))
    return float(value) if kind == "float" else value


def _parsed(name: str, text: str, annotation: str):
    kind, _, optional = annotation.partition(" | ")
    if optional and text.lower() in ("none", "null"):
        return None
    if kind == "str":
        return text
    try:
        if kind == "float":
            return float(text)
        return json.loads(text.lower() if kind == "bool" else text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}: expected {_TYPES[kind][1]}" + (", or none" if optional else "")) from None


# What both ImageNet recipes share. Sources: TRAINING.md and the defaults of main_finetune.py in
# github.com/facebookresearch/ConvNeXt-V2 (commits d7cc26f and 8865aaa), TRAINING.md of
# github.com/facebookresearch/ConvNeXt (commit 231af90) with section 3.1 of arXiv:2201.03545.
_IMAGENET = {
    "model": "convnextv2_tiny", "data": "imagenet", "img_size": 224,
    "epochs": 300, "opt": "adamw", "weight_decay": 0.05, "sched": "cosine", "min_lr": 1e-6,
    "mixup": 0.8, "cutmix": 1.0, "smoothing": 0.1, "aa": "rand-m9-mstd0.5-inc1", "reprob": 0.25, "hflip": 0.5,
    "ema_decay": 0.9999, "amp": "bf16", "channels_last": True, "workers": 8, "device_batch": 128,
}  # fmt: skip
# The base rate of the published command is 8e-4 per 256 images; for its 1024 images that is 3.2e-3.
_FINETUNE = _IMAGENET | {
    "model": "convnextv2_tiny.fcmae", "weights": PRETRAINED, "batch_size": 1024, "lr": 8e-4 * 1024 / 256,
    "layer_decay": 0.9, "warmup_epochs": 40.0, "drop_path": 0.2,
    # The new head starts a thousand times smaller than usual.
    "model_args": {"head_init_scale": 0.001},
}  # fmt: skip
RECIPES: dict[str, dict] = {
    "published-finetune": _FINETUNE,
    "published-scratch": _IMAGENET | {"batch_size": 4096, "lr": 4e-3, "warmup_epochs": 20.0, "drop_path": 0.1},
    # The reduced network on 28x28 grey images, minutes on one core; 15 % of the steps warm up.
    "fashion-mnist-small": {
        "model": "small_convnext", "data": "fashion-mnist", "epochs": 6, "batch_size": 64, "opt": "adamw",
        "lr": 1e-2, "weight_decay": 0.05, "sched": "cosine", "warmup_epochs": 0.9, "clip": 1.0, "amp": "bf16",
        "channels_last": True,
    },
}  # fmt: skip
"""Settings by the name of the recipe; what a recipe leaves out is as in :class:`TrainConfig`."""
DESCRIPTIONS = {
    "published-finetune": "ConvNeXt V2 Tiny on ImageNet, 300 epochs from the FCMAE checkpoint",
    "published-scratch": "ConvNeXt V2 Tiny on ImageNet, 300 epochs from random weights, as ConvNeXt was trained",
    "fashion-mnist-small": "the reduced ConvNeXt V2 on Fashion-MNIST, 6 epochs",
}


def recipe(name: str, **settings: Any) -> TrainConfig:
    """Return the settings of a recipe, changed by ``settings``.

    Examples
    --------
    >>> recipe("published-finetune").lr, recipe("published-finetune", replace="affine").replace
    (0.0032, 'affine')
    >>> recipe("published")
    Traceback (most recent call last):
    ...
    ValueError: unknown recipe 'published': expected one of published-finetune, published-scratch, fashion-mnist-small
    """
    return TrainConfig().updated(RECIPES[choice(name, RECIPES, "recipe")] | settings)
