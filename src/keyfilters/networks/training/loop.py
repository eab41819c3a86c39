"""Training: timm's optimisers, schedules and augmentation, on any number of processes, resumed exactly.

Everything random is a function of (seed, epoch, step) or (seed, epoch, image), see :mod:`keyfilters.networks.training.batches`. So a training that
was killed goes on from its last checkpoint to the weights that it would have had, bit for bit where the device computes the same
sums twice (a CPU with the same number of threads does; a GPU with ``torch.use_deterministic_algorithms``), and several processes
compute what one does, up to rounding, except that drop path and dropout draw anew for every process and that batch
normalisation sees one process's share.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from timm.data import Mixup, create_transform
from timm.loss import LabelSmoothingCrossEntropy, SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3
from torch import nn
from torch.utils.data import Dataset
from tqdm import tqdm

from ..layers.base import scale_parameters, weight_of
from ..surgery.replacing import fold
from ..surgery.replacing import replace as surgery
from ..zoo.checkpoints import write_weights
from ..zoo.loading import LoadedModel, load_model
from .batches import ArrayImages, Feed, Plan, judged, seed_start, seed_step
from .checkpointing import WEIGHTS, Checkpoint, RunFolder, plain
from .recipes import PRETRAINED, TrainConfig

__all__ = [
    "CHECK_EVERY", "Diverged", "Run", "TrainConfig", "TrainResult", "optimizer_of", "schedule_of", "train_network", "train",
]  # fmt: skip

FASHION_DATA = "fashion-mnist"
SIZES = 10_000
"""Of so many images of a folder, evenly spread, the size in bytes tells whether they are the same."""


def network_of(config: TrainConfig, classes: int) -> LoadedModel:
    """Make the network: constructor, weights to start from, then the surgery on its depthwise filters.

    ``source`` of weights from a file is the hash of the file.
    """
    args = dict(config.model_args)
    if config.drop_path:
        args["drop_path_rate"] = config.drop_path
    published = config.weights == PRETRAINED
    loaded = load_model(
        config.model, weights=None if published else config.weights, pretrained=published, num_classes=classes, model_args=args
    )
    if config.replace is not None:
        done = surgery(loaded.model, config.method, config.replace, seed=config.seed, inplace=True)
        loaded.model, loaded.notes = done.model, [*loaded.notes, *done.notes]
    size = config.img_size or loaded.input_size[-1]
    loaded.input_size = (loaded.input_size[0], size, size)
    if config.weights is not None and not published:
        with open(config.weights, "rb") as file:
            loaded.source = f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
    loaded.model.train()
    return loaded


class Transformed(Dataset):
    """A data set of PIL images and labels, its images as normalised tensors."""

    def __init__(self, images: Any, transform: Callable | None, channels: int):
        self.images, self.transform, self.colours = images, transform, "L" if channels == 1 else "RGB"

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image, label = self.images[index]
        return self.transform(image.convert(self.colours)), int(label)


@dataclass(frozen=True)
class Sets:
    """Training and validation images as they were found, and the number of classes."""

    train: object
    val: object
    classes: int
    notes: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Hash of the images and labels; of folders, of the names of their images, in order, their classes, and sizes of files.

        Names and sizes, and not contents of folders: reading a large data set for that would take as long as an epoch.
        """
        digest = hashlib.sha256()
        for images in (self.train, self.val):
            if isinstance(images, tuple):
                for array in images:
                    digest.update(f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
            else:
                root, number, every = Path(images.root), images.target_transform or int, 1 + len(images.samples) // SIZES
                for i, (path, folder) in enumerate(images.samples):
                    # A file that is gone is named when it is its turn to be read.
                    size = f" {os.path.getsize(path)}" if i % every == 0 and os.path.exists(path) else ""
                    digest.update(f"{number(folder)} {Path(path).relative_to(root).as_posix()}{size}\n".encode())
        return f"sha256 {digest.hexdigest()}"

    def prepared(self, config: TrainConfig, network: LoadedModel) -> tuple:
        """The two sets as the network takes them: augmented for training, resized and cropped for validation."""
        channels = network.input_size[0]
        if isinstance(self.train, tuple):
            # Grey images for a network that takes colours: the same in each channel.
            coloured = [(np.repeat(x[..., None], channels, -1), y) for x, y in (self.train, self.val)]
            return tuple(ArrayImages(*pair, network.mean, network.std) for pair in coloured)
        common = {
            "input_size": network.input_size, "mean": network.mean, "std": network.std,
            "interpolation": config.interpolation,
        }  # fmt: skip
        try:
            augmented = create_transform(
                **common, is_training=True, hflip=config.hflip, color_jitter=config.color_jitter, auto_augment=config.aa,
                re_prob=config.reprob, re_mode="pixel",
            )  # fmt: skip
        except (AssertionError, KeyError, ValueError) as error:
            raise ValueError(
                f"aa is {config.aa!r}: expected a policy of timm, such as rand-m9-mstd0.5-inc1 ({error})"
            ) from None
        plain = create_transform(**common, is_training=False, crop_pct=config.crop_pct)
        pairs = zip((self.train, self.val), (augmented, plain), strict=True)
        return tuple(Transformed(images, transform, channels) for images, transform in pairs)


def sets_of(config: TrainConfig) -> Sets:
    """Open the data that ``config.data`` names: ``fashion-mnist``, or a folder that holds ``train`` and ``val``.

    Each of those two holds one folder of images for each class.
    """
    if config.data == FASHION_DATA:
        from ...fetch import fashion_mnist

        sets = fashion_mnist()
        train, val = ((sets[f"{split}_images"], sets[f"{split}_labels"]) for split in ("train", "test"))
        return Sets(train, val, config.num_classes or 10)
    from ..data.datasets import dataset

    if config.data == "imagenet":
        raise ValueError(
            "data is 'imagenet': expected the folder that holds train and val, one folder of images a class (--data PATH)"
        )
    path = config.data.removeprefix("imagenet:").removeprefix("imagefolder:")
    train, val = (dataset(f"imagenet:{path}", split, _as_it_is) for split in ("train", "val"))
    if train.classes != val.classes:
        odd = sorted(set(train.classes) ^ set(val.classes))[0]
        raise ValueError(f"data {path}: class {odd} is not in both train and val: expected the same folders")
    classes = config.num_classes or len(train.classes)
    if classes < len(train.classes):
        raise ValueError(f"num_classes is {classes}: expected at least the {len(train.classes)} classes of {path}")
    notes = _labelled(train, val, classes)
    return Sets(train, val, classes, notes)


def _labelled(train, val, classes: int) -> tuple[str, ...]:
    """Label the folders as evaluation does, and return the notes; folders that say no class of so many count from 0."""
    for data in (train, val):
        try:
            data.take_classes(classes)
        except ValueError:
            data.notes.append(
                f"classes: {data.place}: the {len(data.classes)} folders are the first of {classes} classes, in order"
            )
    return tuple(dict.fromkeys((*train.notes, *val.notes)))


def _as_it_is(image):
    return image


PRECISION = {"bf16": torch.bfloat16, "fp16": torch.float16}
CHECK_EVERY = 10
"""Steps between two looks at the loss where a look makes a device or other processes wait."""


class Diverged(ValueError):
    """The loss or a weight is no longer a finite number."""


def optimizer_of(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return timm's optimiser; no decay for vectors (biases, norms, scales), rates by layer with ``layer_decay``.

    With ``scale_lr`` scales, gains and offsets of computed weights have that many times the rate, in all layers.
    """
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("the network has no parameter to train: expected at least one that requires a gradient")
    decay = {} if config.layer_decay in (None, 1.0) else {"layer_decay": config.layer_decay}
    # All tensors in one kernel: tensor by tensor, AdamW takes a quarter of the step of a small network.
    options = ({"fused": True} if config.opt == "adamw" else {}) | config.opt_args
    try:
        optimizer = create_optimizer_v2(
            model, opt=config.opt, lr=config.lr, weight_decay=config.weight_decay, **decay, **options
        )
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"opt {config.opt!r} with {config.opt_args}: {text}; see timm.optim.list_optimizers()") from None
    if config.scale_lr is not None:
        _part(optimizer, model, config.scale_lr)
    return optimizer


def _part(optimizer, model, scale_lr: float) -> None:
    """Give the parameters of computed weights a group of their own: ``scale_lr`` times the rate, no decay."""
    own = {id(p): p for group in scale_parameters(model) if "weight_decay" in group for p in group["params"]}
    if not own:
        raise ValueError("scale_lr is set, and the network has no scales to train: expected replace=learnable")
    first = optimizer.param_groups[0]
    for group in optimizer.param_groups:
        group["params"] = [p for p in group["params"] if id(p) not in own]
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
    shared = {name: value for name, value in first.items() if name not in ("params", "param_names")}
    optimizer.add_param_group(shared | {"params": list(own.values()), "weight_decay": 0.0, "lr_scale": scale_lr})


def schedule_of(optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int) -> Any:
    """Return timm's schedule over single steps: linear warm-up, then ``sched`` over the remaining epochs."""
    after = max(config.epochs - config.warmup_epochs, 2 / steps)
    # The last fifth of "wsd" decays; timm refuses less than a step of it.
    decay = max(0.2, 1 / (after * steps)) if config.sched == "wsd" else None
    return create_scheduler_v2(
        optimizer, sched=config.sched, num_epochs=after, warmup_epochs=config.warmup_epochs, warmup_lr=config.warmup_lr,
        warmup_prefix=True, min_lr=config.min_lr, decay_epochs=decay, step_on_epochs=False, updates_per_epoch=steps,
    )[0]  # fmt: skip


class Run:
    """One training under way: the network with all that changes beside it."""

    def __init__(self, model: nn.Module, train_set: Any, config: TrainConfig, accelerator: Accelerator, num_classes: int):
        self.config, self.accelerator, self.device = config, accelerator, accelerator.device
        self.rank, self.world = accelerator.process_index, accelerator.num_processes
        self.plan = Plan.make(len(train_set), config, self.world)
        self.feed = Feed(train_set, self.plan, config, self.rank, self.device)
        layout = {"memory_format": torch.channels_last} if config.channels_last else {}
        self.model = model.to(self.device, **layout)
        self.dtype = next(p.dtype for p in model.parameters())
        self.optimizer = optimizer_of(model, config)
        self.scheduler = schedule_of(self.optimizer, config, self.plan.steps)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.amp == "fp16")
        self.mixup, self.loss = (
            None,
            LabelSmoothingCrossEntropy(config.smoothing) if config.smoothing else nn.CrossEntropyLoss(),
        )
        if config.mixup or config.cutmix:
            self.mixup = Mixup(
                mixup_alpha=config.mixup, cutmix_alpha=config.cutmix, label_smoothing=config.smoothing, num_classes=num_classes
            )
            self.loss = SoftTargetCrossEntropy()
        self.ema = None
        if config.ema_decay is not None:
            self.ema = ModelEmaV3(model, decay=config.ema_decay, use_warmup=config.ema_warmup)
        self.done, self.history = 0, []
        # Looking at every loss is free on one CPU process; elsewhere it would make the device wait.
        self.every = 1 if self.world == 1 and self.device.type == "cpu" else CHECK_EVERY
        self.net = None

    @property
    def network(self) -> nn.Module:
        """The network to judge: the moving average of the weights where there is one."""
        return self.model if self.ema is None else self.ema.module

    def wrap(self) -> None:
        """Make the network that computes gradients: compiled, averaging over processes. After a checkpoint was read."""
        net = torch.compile(self.model) if self.config.compile else self.model
        self.net = self.accelerator.prepare_model(net)
        if self.ema is not None and self.done == 0:
            self.ema.set(self.model)  # the first process's weights, which all have now

    def autocast(self) -> AbstractContextManager:
        """The context in which the network computes with the precision of the configuration."""
        if self.config.amp == "no":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=PRECISION[self.config.amp])

    def arranged(self, x: torch.Tensor) -> torch.Tensor:
        """Images in the type and the layout of memory that the network takes."""
        x = x.to(self.dtype)
        return x.contiguous(memory_format=torch.channels_last) if self.config.channels_last else x

    def step(self, epoch: int, step: int, batches: Iterator) -> torch.Tensor:
        """One step of the optimiser; returns its loss, on the device."""
        self.scheduler.step_update(self.done)
        passes, total = self.plan.passes, 0.0
        for k in range(passes):
            x, y = next(batches)
            seed_step(self.config.seed, epoch, step, self.rank * passes + k)
            if self.mixup is not None:
                x, y = self.mixup(x, y)
            last = k == passes - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.net):
                with self.autocast():
                    loss = self.loss(self.net(self.arranged(x)), y) / passes
                self.scaler.scale(loss).backward()
            total = total + loss.detach()
        if self.config.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        if self.ema is not None:
            self.ema.update(self.model, step=self.done if self.config.ema_warmup else None)
        return total

    def epoch(self, epoch: int, bar: tqdm, on_step: Callable | None) -> float:
        """One epoch; returns the mean loss of all processes."""
        self.net.train()
        batches, pending, mean = self.feed(epoch), [], 0.0
        for step in range(self.plan.steps):
            loss = self.step(epoch, step, batches)
            pending.append(loss.float())
            if len(pending) == self.every or step == self.plan.steps - 1:
                losses = torch.stack(pending)
                losses = (self.accelerator.reduce(losses, "mean") if self.world > 1 else losses).tolist()
                for k, value in enumerate(losses):
                    if not math.isfinite(value):
                        bad = step + 2 + k - len(losses)
                        raise Diverged(f"the loss is {value} in epoch {epoch}, step {bad}; lower lr, or set clip or amp=no")
                mean += sum(losses) / self.plan.steps
                bar.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
                pending = []
            bar.update()
            if on_step is not None and self.rank == 0:
                on_step(self.done, loss, self.model)
        for _ in batches:
            pass  # let the workers come to their end
        if not all(bool(torch.isfinite(p).all()) for p in self.model.parameters()):
            raise Diverged(
                f"a weight is not finite after epoch {epoch}, step {self.plan.steps}; lower lr, or set clip or amp=no"
            )
        return mean

    @torch.no_grad()
    def judge(self, images: Any) -> dict:
        """Loss, top-1 and top-5 accuracy of the judged network on all images of all processes."""
        network, counts = self.network.eval(), []
        size = max(1, self.config.batch_size // (self.world * self.plan.passes))
        for x, y in judged(images, self.config, self.rank, self.world, size, self.device):
            with self.autocast():
                out = network(self.arranged(x))
            out = out.float()
            best = out.topk(min(5, out.shape[1]), dim=1).indices == y[:, None]
            loss = nn.functional.cross_entropy(out, y, reduction="sum")
            counts.append(torch.stack([loss, best[:, 0].sum(), best.sum(), torch.tensor(len(y), device=loss.device)]))
        total = torch.stack(counts).sum(0) if counts else torch.zeros(4, device=self.device)
        loss, top1, top5, n = (self.accelerator.reduce(total, "sum") if self.world > 1 else total).tolist()
        return {"val_loss": loss / n, "top1": top1 / n, "top5": top5 / n}

    def checkpoint(self, epoch: int, record: dict) -> Checkpoint:
        """All that a training needs to go on after an epoch."""
        state = {
            "epoch": epoch, "done": self.done, "optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict(),
            "history": self.history, "record": record,
        }  # fmt: skip
        return Checkpoint(
            epoch, plain(self.model.state_dict()), None if self.ema is None else plain(self.ema.module.state_dict()), state
        )

    def restore(self, found: Checkpoint, folder: RunFolder) -> None:
        """Go on from a checkpoint."""
        try:
            self.model.load_state_dict(found.model)
            if self.ema is not None:
                self.ema.module.load_state_dict(found.ema or {})
            self.optimizer.load_state_dict(found.state["optimizer"])
            self.scaler.load_state_dict(found.state["scaler"])
            self.done, self.history = found.state["done"], found.state["history"]
        except (RuntimeError, ValueError, KeyError):
            raise ValueError(
                f"{folder.checkpoint_path(found.epoch)}: is the checkpoint of another network or optimiser; resume with the same"
            ) from None


# accelerate's save_state keeps a random state for each process, as a pickle: so a run could not go on with another number of
# processes, nor be read without running what the file says. `checkpointing` keeps none.
DRY_STEPS = 2
"""Steps of an epoch of a dry run."""


@dataclass
class TrainResult:
    """What a training leaves: one ``history`` row an epoch, the folder, the file of weights, and the judged network.

    ``network`` is the moving average where there is one. ``best_epoch`` is the first with the highest top-1 accuracy on the
    validation set; the weights are those of the last epoch, since the best by chance is no fair choice. ``notes`` say what a
    user should know of the start, such as a head with random weights.
    """

    history: list[dict]
    best_epoch: int
    network: nn.Module
    folder: Path | None = None
    weights: Path | None = None
    notes: tuple[str, ...] = ()


def _images(images, like=None):
    if isinstance(images, tuple):
        return ArrayImages(*images, mean=None if like is None else like.mean, std=None if like is None else like.std)
    return images


def train_network(
    model: nn.Module,
    train_set: Any,
    val_set: Any = None,
    config: TrainConfig | None = None,
    folder: str | PathLike | None = None,
    *,
    resume: bool = False,
    force: bool = False,
    progress: bool | None = False,
    on_epoch: Callable | None = None,
    on_step: Callable | None = None,
    accelerator: Accelerator | None = None,
    origins: dict | None = None,
) -> TrainResult:
    """Train a network, in place.

    Parameters
    ----------
    model : nn.Module
        Gives logits (N, classes). Its ``num_classes`` is used where ``config.num_classes`` is None.
    train_set, val_set : ArrayImages, (images, labels) or Dataset
        uint8 arrays in memory, or a data set of pairs (float image (C, H, W), label).
    config : TrainConfig
        Its fields for the network and the data are only recorded here; see :func:`train`.
    folder : str or Path, optional
        Where checkpoints, history and weights are written; nothing is written without.
    resume, force : bool
        Go on from the last checkpoint in ``folder``; or delete what an earlier training left there.
    progress : bool or None
        Show a bar for each epoch; None where the error stream is a terminal.
    on_epoch, on_step : callable, optional
        ``on_epoch(row, network)`` after each epoch, ``on_step(steps_done, loss, model)`` after each step, in the first process.
    origins : dict, optional
        What else is stored and has to be the same when the training is resumed; see :func:`train`.

    Returns
    -------
    TrainResult

    Raises
    ------
    Diverged
        When a loss is no finite number, or a weight; it names the epoch and the step. No checkpoint is written then.
    ValueError
        For a batch that the images or the processes do not allow, or a folder that does not suit.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> images, labels = rng.integers(0, 255, (16, 4, 4), np.uint8), np.arange(16) % 2
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    >>> result = train_network(model, (images, labels), (images, labels), TrainConfig(epochs=2, batch_size=8, num_classes=2, device="cpu"))
    >>> [row["epoch"] for row in result.history], 0 <= result.history[-1]["top1"] <= 1
    ([1, 2], True)
    """
    config = config or TrainConfig()
    accelerator = accelerator or Accelerator(cpu=config.device == "cpu", mixed_precision="no")
    train_set = _images(train_set)
    val_set = _images(val_set, train_set if isinstance(train_set, ArrayImages) else None)
    classes = _classes(model, config, train_set, val_set)
    run = Run(model, train_set, config, accelerator, classes)
    if isinstance(val_set, ArrayImages):
        val_set = val_set.to(accelerator.device)
    record, first, target, main = config.record() | (origins or {}), 1, None, accelerator.is_main_process
    if folder is not None:
        target = RunFolder(folder)
        target.check(resume, force)
        found = target.read() if resume else None
        if found is not None:
            target.check_record(found.state["record"], record)
            run.restore(found, target)
            first = found.epoch + 1
        _agree(accelerator, first, target)  # and all have read before the first process tidies up
        if main:
            target.begin(record, force)
    run.wrap()
    best = _best(run.history)
    for epoch in range(first, config.epochs + 1):
        start = time.perf_counter()
        hidden = None if progress is None and main else not (progress and main)
        with tqdm(total=run.plan.steps, desc=f"epoch {epoch}/{config.epochs}", disable=hidden, leave=False) as bar:
            loss = _compiled(config, partial(run.epoch, epoch, bar, on_step))
        seconds = time.perf_counter() - start
        row = {
            "epoch": epoch, "steps": run.done, "lr": max(g["lr"] for g in run.optimizer.param_groups), "train_loss": loss,
            **({} if val_set is None else run.judge(val_set)),
            "seconds": round(seconds, 3), "images_per_second": round(run.plan.steps * config.batch_size / seconds, 1),
            "processes": run.world,
        }  # fmt: skip
        if not math.isfinite(row.get("val_loss", 0.0)):
            raise Diverged(
                f"the loss on the images to judge by is {row['val_loss']} after epoch {epoch}; lower lr, or set clip or amp=no"
            )
        run.history = [*run.history, row]
        best = _best(run.history)
        if main and target is not None:
            target.write(run.checkpoint(epoch, record), best)
        if main and on_epoch is not None:
            on_epoch(row, run.network)
        accelerator.wait_for_everyone()
    run.network.eval()
    weights = None
    if target is not None:
        weights = target.path / WEIGHTS
        if main:
            _write_weights(run.network, weights, record)
            target.write_history(run.history)
        accelerator.wait_for_everyone()
    return TrainResult(run.history, best, run.network, None if target is None else target.path, weights)


def _classes(model, config, *sets) -> int:
    """Number of classes; no label in memory may lie beyond."""
    classes = config.num_classes or getattr(model, "num_classes", None)
    arrays = [s.labels for s in sets if isinstance(s, ArrayImages) and len(s)]
    if classes is None and arrays:
        classes = int(max(labels.max() for labels in arrays)) + 1
    if classes is None:
        raise ValueError("num_classes is None: expected the number of classes, since neither network nor data name it")
    for labels in arrays:
        if int(labels.min()) < 0 or int(labels.max()) >= classes:
            raise ValueError(f"the labels go from {labels.min()} to {labels.max()}: expected 0 to {classes - 1}")
    return classes


def _agree(accelerator, first: int, folder: RunFolder) -> None:
    """Refuse processes that do not see the same checkpoints."""
    seen = accelerator.gather(torch.tensor([first], device=accelerator.device))
    if int(seen.min()) != int(seen.max()):
        raise ValueError(
            f"{folder.path}: the processes see different checkpoints; name a folder on a disk that all machines share"
        )


def _best(history: list[dict]) -> int:
    """The first epoch of the highest top-1 accuracy; the last where none was measured."""
    if not history:
        return 0
    if "top1" not in history[-1]:
        return history[-1]["epoch"]
    return max(history, key=lambda row: (row["top1"], -row["epoch"]))["epoch"]


def _compiled(config, call):
    try:
        return call()
    except RuntimeError as error:
        # The compiler's own errors; whatever else fails in a step is none of theirs.
        if config.compile and type(error).__module__.startswith("torch._"):
            reason = str(error).split("\n")[0]
            raise ValueError(f"the network cannot be compiled here ({reason}); set compile=false") from None
        raise


def _write_weights(network: nn.Module, path: Path, record: dict) -> None:
    """Write the weights under the names of the original architecture: filters made from scales become plain kernels."""
    if any(weight_of(module) is not None for module in network.modules()):
        network = fold(network)
    write_weights(network, path, {k: record[k] for k in ("model", "model_args", "replace", "method", "seed")}, force=True)


def train(
    config: TrainConfig,
    folder: str | PathLike | None,
    *,
    resume: bool = False,
    force: bool = False,
    dry_run: bool = False,
    progress: bool | None = None,
    on_epoch: Callable | None = None,
    on_step: Callable | None = None,
) -> TrainResult:
    """Make the network and the data that ``config`` names, train, and write everything to ``folder``.

    Under ``torchrun`` or ``accelerate launch`` the processes share every batch, and the first of them writes.

    Parameters
    ----------
    config : TrainConfig
        For example :func:`keyfilters.networks.training.recipes.recipe` of a name.
    folder : str or Path
        Made if it is not there; one with the checkpoints of another training needs ``resume`` or ``force``.
    dry_run : bool
        Two epochs of two steps, two batches to judge, checkpoints, their reading, the weights: in a folder beside ``folder``
        that is removed at the end. Where the data have too few images the batch is smaller.
    resume, force, progress, on_epoch, on_step
        As in :func:`train_network`. ``resume`` starts at the beginning where there is no checkpoint yet. It is refused with other
        settings, with another file of weights to start from, and with other images (of folders: other names of images).

    Returns
    -------
    TrainResult
        Of a dry run without folder and weights.

    Raises
    ------
    ValueError
        One line that names what does not suit.
    """

    accelerator = Accelerator(cpu=config.device == "cpu", mixed_precision="no")
    target = RunFolder(folder)
    if not dry_run:
        target.check(resume, force)
    if resume and target.epochs() and not dry_run:
        target.check_record(target.record(), config.record())
    # The first process may download what the others then find in the cache.
    with accelerator.main_process_first():
        raw = sets_of(config)
        seed_start(config.seed)
        network = network_of(config, raw.classes)
    train_set, val_set = raw.prepared(config, network)
    origins = {"weights_of_start": network.source, "images": raw.fingerprint()}
    options = {"progress": progress, "on_epoch": on_epoch, "on_step": on_step, "accelerator": accelerator}
    if dry_run:
        result = dry(network.model, train_set, val_set, config, target.path, accelerator, options)
    else:
        result = train_network(
            network.model, train_set, val_set, config, folder, resume=resume, force=force, origins=origins, **options
        )
    return replace(result, notes=(*network.notes, *raw.notes))


def dry(
    model: nn.Module, train_set: Any, val_set: Any, config: TrainConfig, target: Path, accelerator: Accelerator, options: dict
) -> Any:
    """A few steps of every phase, in a folder beside ``target`` that is removed; the checkpoint is read back and compared."""
    share = 2 * accelerator.num_processes
    size = config.batch_size if len(train_set) >= config.batch_size else len(train_set) // share * share
    if size == 0:
        raise ValueError(f"the training set has {len(train_set)} images: expected at least {share} for a dry run")
    short = replace(
        config, epochs=2, warmup_epochs=min(config.warmup_epochs, 1.0), limit_steps=DRY_STEPS, batch_size=size,
        device_batch=_fitting(config, size, accelerator.num_processes),
    )  # fmt: skip
    folder = target.parent / f".{target.name}.dry-run"
    try:
        result = train_network(model, train_set, val_set, short, folder, force=True, **options)
        if accelerator.is_main_process:
            _compare(RunFolder(folder), model)
    finally:
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            shutil.rmtree(folder, ignore_errors=True)
    return replace(result, folder=None, weights=None)


def _fitting(config: TrainConfig, size: int, world: int) -> int | None:
    """The images at once, of a batch that a small data set made smaller."""
    return config.device_batch if size == config.batch_size else None


def _compare(folder: RunFolder, model: nn.Module) -> None:
    found = folder.read()
    for name, value in model.state_dict().items():
        if not np.array_equal(found.model[name].float().numpy(), value.detach().cpu().float().numpy()):
            raise ValueError(f"{folder.path}: the checkpoint does not read back as it was written ({name})")
