"""The command ``keyfilters train``."""

from __future__ import annotations

import dataclasses
import json
import os
from argparse import ArgumentParser, Namespace

from ..training.recipes import DESCRIPTIONS, RECIPES, TrainConfig, recipe
from . import REPLACING_HELP, check_weights

DESCRIPTION = "Train a network, with its own filters or replaced ones; every epoch is kept and can be gone on from."
EXAMPLES = """examples:
  keyfilters train --recipe fashion-mnist-small -o run
  keyfilters train --recipe fashion-mnist-small --replace learnable --method B -o run --set epochs=3
  keyfilters train --resume -o run
  keyfilters train --recipe published-finetune --data IMAGENET --replace affine -o frozen --dry-run
  torchrun --nproc_per_node=8 -m keyfilters.cli train --recipe published-scratch --data IMAGENET -o run"""


def add_arguments(parser: ArgumentParser) -> None:
    """Give a parser the options of ``keyfilters train``."""
    recipes = "; ".join(f"{name}: {text}" for name, text in DESCRIPTIONS.items())
    parser.add_argument("--recipe", metavar="NAME", help=f"one of {', '.join(RECIPES)}. {recipes}")
    parser.add_argument("--model", metavar="MODEL", help="network, as in keyfilters inspect (default: the recipe's)")
    parser.add_argument(
        "--data", metavar="DATA", help="fashion-mnist, or a folder that holds train and val, one folder of images a class"
    )
    parser.add_argument("--weights", metavar="FILE", help="weights to start from: a file, pretrained (timm's hub), "
                        "or none, that is random ones (default: the recipe's)")  # fmt: skip
    parser.add_argument(
        "--replace",
        metavar="MODE",
        help="replace the depthwise filters first, as keyfilters replace --mode does; none: keep them",
    )
    parser.add_argument("--method", metavar="M", help=f"whose scales the filters have: {REPLACING_HELP} (default: B)")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], dest="settings",
                        help="any other setting, repeatable: " + ", ".join(f.name for f in dataclasses.fields(TrainConfig)))  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", required=True, help="checkpoints, history and weights are written here"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint; without --recipe with the settings stored there"
    )
    parser.add_argument("--force", action="store_true", help="delete the training that the folder holds")
    parser.add_argument("--dry-run", action="store_true", help="a few steps of every phase, nothing stays")


def config_of(options: Namespace) -> TrainConfig:
    """The settings that the options name.

    Raises
    ------
    ValueError
        For an unknown recipe or setting, or one of another type.
    """
    settings: dict = {}
    for text in options.settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text!r}: expected KEY=VALUE, such as --set epochs=3")
        settings[name.strip()] = value
    for name in ("model", "data", "weights", "replace", "method"):
        if getattr(options, name) is not None:
            settings[name] = getattr(options, name)
    if options.recipe is not None:
        return recipe(options.recipe, **settings)
    if not options.resume:
        raise ValueError(f"no recipe is named: expected --recipe with one of {', '.join(RECIPES)}, or --resume")
    from ..training.checkpointing import ORIGINS, RunFolder

    record = RunFolder(options.output).record()
    # Paths are stored by their last part only: where they are has to be said again.
    for name, known in (("data", ("fashion-mnist",)), ("weights", (None, "pretrained"))):
        if name not in settings and record.get(name) not in known:
            raise ValueError(f"{options.output}: was trained with {name} {record.get(name)}; say where it is: --{name} PATH")
    stored = {name: value for name, value in record.items() if name not in ORIGINS}
    return TrainConfig().updated(stored | settings)


def run(options: Namespace) -> int:
    """Train; the first process prints one line an epoch, or with ``--json`` the history."""
    first = int(os.environ.get("RANK", "0")) == 0
    try:
        return _run(options, first)
    except ValueError as error:
        from ...images import UnreadableImage
        from ..training.checkpointing import CannotWrite

        # All processes find the same mistake and one of them says so; but each image is read by one process only.
        if first or isinstance(error, UnreadableImage):
            if isinstance(error, CannotWrite):
                raise ValueError(f"{str(error).removesuffix('resume=True')}--resume") from None
            raise
        return 2


def _run(options, first: bool) -> int:
    config = config_of(options)
    check_weights(config.weights)
    from ..training.checkpointing import RunFolder
    from ..training.loop import train

    if not (options.resume or options.force or options.dry_run) and RunFolder(options.output).epochs():
        raise ValueError(
            f"{options.output}: holds the checkpoints of a training; add --resume to go on with it, or --force to delete it"
        )
    quiet = options.json or not first

    def line(row, network):
        judged = f"  val loss {row['val_loss']:.4f}  top-1 {row['top1']:.2%}  top-5 {row['top5']:.2%}" if "top1" in row else ""
        print(
            f"epoch {row['epoch']}/{epochs}  loss {row['train_loss']:.4f}{judged}  lr {row['lr']:.2e}  "
            f"{row['images_per_second']:.0f} images/s", flush=True,
        )  # fmt: skip

    epochs = 2 if options.dry_run else config.epochs
    try:
        result = train(
            config, options.output, resume=options.resume, force=options.force, dry_run=options.dry_run,
            progress=False if quiet else None, on_epoch=None if quiet else line,
        )  # fmt: skip
    finally:
        _leave()
    if not first:
        return 0
    if not options.json:
        for note in result.notes:
            print(f"note: {note}")
    if options.json:
        summary = {
            "notes": list(result.notes),
            "best_epoch": result.best_epoch,
            "dry_run": options.dry_run,
            "history": result.history,
        }
        print(json.dumps(summary, indent=1, allow_nan=False))
    elif options.dry_run:
        print("dry run: every phase works; nothing was kept")
    else:
        print(f"{result.weights}: weights after epoch {len(result.history)}; the best epoch was {result.best_epoch}")
    return 0


def _leave() -> None:
    """Close the group of processes, which otherwise complain at their end."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
