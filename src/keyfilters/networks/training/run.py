"""One training under way: optimiser, schedule, steps, checks of the loss, judging."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from accelerate import Accelerator
from timm.data import Mixup
from timm.loss import LabelSmoothingCrossEntropy, SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3
from torch import nn
from tqdm import tqdm

from ..layers.parametrised import scale_parameters
from .batches import Feed, Plan, judged, seed_step
from .checkpointing import Checkpoint, RunFolder, plain
from .recipes import TrainConfig

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
