"""Training: timm's optimisers, schedules and augmentation, on any number of processes, resumed exactly.

Everything random is a function of (seed, epoch, step) or (seed, epoch, image), see :mod:`keyfilters.networks.training.batches`. So a training that
was killed goes on from its last checkpoint to the weights that it would have had, bit for bit where the device computes the same
sums twice (a CPU with the same number of threads does; a GPU with ``torch.use_deterministic_algorithms``), and several processes
compute what one does, up to rounding, except that drop path and dropout draw anew for every process and that batch
normalisation sees one process's share.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from tqdm import tqdm

from ..zoo.checkpoints import write_weights
from .batches import ArrayImages, seed_start
from .checkpointing import WEIGHTS, RunFolder
from .recipes import TrainConfig
from .run import Diverged, Run

__all__ = ["Diverged", "TrainConfig", "TrainResult", "train_network", "train"]

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
    from ..layers.parametrised import weight_of
    from ..surgery.replacing import fold

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
    from .setup import network_of, sets_of

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
    origins = {"weights_of_start": network.weights, "images": raw.fingerprint()}
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
