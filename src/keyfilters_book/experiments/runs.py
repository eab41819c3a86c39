"""One run: a reduced ConvNeXt V2 with the filters of a variant, trained and judged."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from keyfilters.checks import choice
from keyfilters.networks.surgery.matching import match
from keyfilters.networks.training.batches import seed_start
from keyfilters.networks.training.loop import TrainConfig, train_network
from keyfilters.networks.zoo.small import SmallConvNeXt

from .design import FASHION, SPLIT_SIZES, Design, Setting
from .silhouettes import silhouettes
from .variants import LEARNED, SCALES, give_filters, variant

BATCH, WEIGHT_DECAY, WARMUP, CLIP = 64, 0.05, 0.15, 1.0
JUDGED_AT_ONCE = 100
"""Images a batch when a network is judged: of more, the maps no longer fit into what the allocator keeps."""


@lru_cache(maxsize=2)
def split_images(data: str = FASHION):
    """Images of a data set in a fixed random order, cut into those for training, for validation and for the test.

    Parameters
    ----------
    data : {"fashion-mnist", "animal-shape-mnist"}

    Returns
    -------
    dict of str to (images, labels)
        ``"train"``, ``"validation"`` (so many as ``SPLITS`` says) and ``"test"``, uint8 and int64.
    """
    train, validation = SPLIT_SIZES[choice(data, SPLIT_SIZES, "data")]
    if data == FASHION:
        from keyfilters.fetch import fashion_mnist

        found = fashion_mnist()
        images, labels = found["train_images"], found["train_labels"]
        # A copy: what is read from the file cannot be written to, and torch warns of such arrays.
        test = found["test_images"].copy(), found["test_labels"].astype(np.int64)
    else:
        images, labels = silhouettes()
        test = None
    order = np.random.default_rng(20260122).permutation(len(images))
    images, labels = images[order], labels[order].astype(np.int64)
    ends = (slice(train), slice(train, train + validation), slice(train + validation, None))
    own = [(images[part], labels[part]) for part in ends]
    return {"train": own[0], "validation": own[1], "test": test or own[2]}


def prepared(split: str, count: int, setting: Setting):
    """The first images of a split, normalised as in the runs of a setting, and their labels.

    Returns
    -------
    tensors, shapes (count, 1, 28, 28) and (count,)
    """
    from keyfilters.networks.training.batches import ArrayImages

    pairs = split_images(setting.data)
    train = ArrayImages(*(v[: setting.images] for v in pairs["train"]))
    images = ArrayImages(*(v[:count] for v in pairs[split]), mean=train.mean, std=train.std)
    return images.batch(np.arange(len(images)))


@dataclass
class RunOutcome:
    """What a run leaves: its row of numbers, the network, the history, and what was kept after each epoch.

    ``scales`` are those of learnable scales (else None), ``explained`` the share of the variance of learned filters that the
    keys of method B explain (else None).
    """

    row: dict
    network: torch.nn.Module
    history: list
    scales: list | None
    explained: list | None


def config_of(
    design: Design, setting: Setting, seed: int, rate: float, *, scale_rate=None, compiled=False, device=None, amp="no"
) -> TrainConfig:
    """The recipe of all runs: AdamW, cosine schedule after a linear warm-up, clipped gradients.

    ``device`` is "cpu", or a GPU's name or None for the GPU that accelerate finds.
    """
    return TrainConfig(
        model="small_convnext", model_args={"dims": list(design.dims), "depths": list(design.depths)},
        epochs=setting.epochs, batch_size=BATCH, lr=rate, weight_decay=WEIGHT_DECAY, warmup_epochs=WARMUP * setting.epochs,
        clip=CLIP, seed=seed, scale_lr=scale_rate, channels_last=True, compile=compiled, device="cpu" if device == "cpu" else None, amp=amp,
    )  # fmt: skip


def channel_scales(network) -> list[dict]:
    """Scales of every channel with an idealised filter: layer, channel, key, sigma_x, sigma_y, gamma."""
    rows = []
    for layer, module in network.named_modules():
        if hasattr(module, "sigma_x"):
            columns = [
                v.detach().cpu().double().tolist() for v in (module.keys.double(), module.sigma_x, module.sigma_y, module.gamma)
            ]
            for channel, (key, x, y, gamma) in enumerate(zip(*columns, strict=True)):
                rows.append({"layer": layer, "channel": channel, "key": int(key), "sigma_x": x, "sigma_y": y, "gamma": gamma})
    return rows


def run(
    design: Design, name: str, setting: Setting, seed: int, rate: float, scale: float, *, extracted=None, judge="test",
    judged: int | None = None, compiled=False, device=None, amp="no",
) -> RunOutcome:  # fmt: skip
    """Train one network and judge it.

    Parameters
    ----------
    design : Design
        The network's size.
    name : str
        A variant.
    setting : Setting
    seed : int
        Of the weights at the start, the order of the images and random filters.
    rate, scale : float
        Largest learning rate; l2 norm of a depthwise filter at the start.
    judge : {"test", "validation"}
    judged : int, optional
        Images of that split to judge by, the first of them; by default all.
    compiled, device, amp
        As in :class:`keyfilters.networks.TrainConfig`.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        For an unknown variant, or where the images are not to be had.
    """
    row = variant(name)
    started = time.process_time()
    images, labels = split_images(setting.data)["train"]
    seed_start(seed)
    network = SmallConvNeXt(dims=design.dims, depths=design.depths)
    give_filters(network, name, scale, seed, extracted)
    trajectory = [] if row.kind == SCALES else None
    explained = [] if row.kind == LEARNED else None

    def keep(epoch: int) -> None:
        if explained is not None:
            explained.append({"epoch": epoch, "keys": match(network, "B").pooled("filters")})
        if trajectory is not None:
            trajectory.extend({"epoch": epoch, **r} for r in channel_scales(network))

    keep(0)
    config = config_of(design, setting, seed, rate, scale_rate=row.scale_rate, compiled=compiled, device=device, amp=amp)
    train_set = (images[: setting.images], labels[: setting.images])
    # Judged once, at the end: a fifth of the time of a short training would go into judging every epoch.
    result = train_network(network, train_set, None, config, on_epoch=lambda r, _: keep(r["epoch"]))
    top1, loss, n = _judged(network, [v[:judged] for v in split_images(setting.data)[judge]], train_set, config)
    return RunOutcome(
        row={
            "variant": name, "setting": setting.name, "seed": seed, "rate": rate, "scale": scale, "judged_on": judge,
            "accuracy": top1, "n": n, "loss": loss, "train_loss": result.history[-1]["train_loss"],
            "seconds": round(time.process_time() - started, 1),
        },
        network=network, history=result.history, scales=trajectory, explained=explained,
    )  # fmt: skip


@torch.no_grad()
def _judged(network, pairs, train_set, config) -> tuple[float, float, int]:
    from keyfilters.networks.training.batches import ArrayImages

    device = next(network.parameters()).device
    train = ArrayImages(*train_set)
    images = ArrayImages(*pairs, mean=train.mean, std=train.std).to(device)
    correct, loss, n = 0, 0.0, len(images)
    network.eval()
    for indices in np.split(np.arange(n), range(JUDGED_AT_ONCE, n, JUDGED_AT_ONCE)):
        x, y = images.batch(indices)
        out = network(x.contiguous(memory_format=torch.channels_last)).float()
        correct += int((out.argmax(1) == y).sum())
        loss += float(torch.nn.functional.cross_entropy(out, y, reduction="sum"))
    return correct / n, loss / n, n
