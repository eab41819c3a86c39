"""The folder of a training: a checkpoint for every epoch, whole or not there, and the history.

::

    FOLDER/config.json               the settings, and hashes of the weights to start from and of the images
    FOLDER/history.jsonl             one line an epoch
    FOLDER/epoch-0007/model.safetensors, ema.safetensors, state.pt
    FOLDER/weights.safetensors       at the end: the network that was judged, its filters written out as plain kernels

``state.pt`` holds the optimiser, the gradient scaler, the history and the settings, tensors and plain values only: it is read by
``torch.load(weights_only=True)``. No random state is stored, since every step begins with seeds of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ...output import file_mask, written

STATE, MODEL, EMA = "state.pt", "model.safetensors", "ema.safetensors"
CONFIG, HISTORY, WEIGHTS = "config.json", "history.jsonl", "weights.safetensors"
KEPT_CHECKPOINTS = 2
"""The last checkpoints that stay, beside the best."""
FREE = ("workers", "data", "device_batch", "device", "compile")
"""Settings that may change when a training is resumed: they move rounding errors at most."""
ORIGINS = {"weights_of_start": "weights to start from", "images": "images"}
"""What is stored beside the settings, to be the same when a training is resumed, and how it is called."""
_EPOCH = re.compile(r"epoch-(\d{4,})")


@dataclass
class Checkpoint:
    """What a training needs to go on after ``epoch`` (counted from 1). Tensors are on the CPU."""

    epoch: int
    model: dict
    ema: dict | None
    state: dict


def plain(state_dict: dict) -> dict:
    """A state dict as safetensors takes it: on the CPU, contiguous, no two tensors in the same memory."""
    return {k: v.detach().cpu().contiguous().clone() for k, v in state_dict.items()}


class CannotWrite(ValueError):
    """A checkpoint could not be written; those before it are whole."""

    def __init__(self, path: str | PathLike, error: Exception):
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0][:120]
        super().__init__(
            f"{path}: the checkpoint cannot be written ({reason}): make room on the disk, then go on from the one before with resume=True"
        )


class RunFolder:
    """The folder of one training.

    Parameters
    ----------
    path : str or Path
        Made if it is not there; the folder in which it lies has to be.

    Raises
    ------
    ValueError
        If ``path`` is a file or its parent is missing.
    """

    def __init__(self, path: str | PathLike):
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path}: is a file; name a folder")
        if not self.path.resolve().parent.is_dir():
            raise ValueError(f"{self.path}: the folder {self.path.parent} does not exist; make it first")

    def epochs(self) -> list[int]:
        """Epochs of the whole checkpoints, ascending."""
        if not self.path.is_dir():
            return []
        found = [_EPOCH.fullmatch(p.name) for p in self.path.iterdir() if p.is_dir()]
        return sorted(int(m[1]) for m in found if m)

    def checkpoint_path(self, epoch: int) -> Path:
        """The folder of the checkpoint after an epoch."""
        return self.path / f"epoch-{epoch:04d}"

    def check(self, resume: bool, force: bool) -> None:
        """Refuse a folder that holds another training, unless that is to go on (``resume``) or to be deleted (``force``)."""
        if resume and force:
            raise ValueError("resume and force: expected one of them; force deletes what resume would go on with")
        if self.epochs() and not (resume or force):
            raise ValueError(
                f"{self.path}: holds the checkpoints of a training; pass resume=True to go on with it, or force=True to delete it"
            )

    def begin(self, record: dict, force: bool = False) -> None:
        """Make the folder, with ``force`` without an earlier training; remove what an interrupted one left half written."""
        self.path.mkdir(exist_ok=True)
        for path in self.path.glob(".epoch-*"):
            shutil.rmtree(path, ignore_errors=True)
        if force:
            for epoch in self.epochs():
                shutil.rmtree(self.checkpoint_path(epoch))
            for name in (HISTORY, WEIGHTS):
                (self.path / name).unlink(missing_ok=True)
        with written(self.path / CONFIG, force=True) as temporary:
            temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def write(self, checkpoint: Checkpoint, best: int) -> Path:
        """Write a checkpoint beside the others, then drop those that are neither among the last nor the ``best``."""
        final = self.checkpoint_path(checkpoint.epoch)
        temporary = self.path / f".{final.name}-{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir()
            save_file(checkpoint.model, temporary / MODEL)
            if checkpoint.ema is not None:
                save_file(checkpoint.ema, temporary / EMA)
            torch.save(checkpoint.state, temporary / STATE)
            for path in temporary.iterdir():
                path.chmod(0o666 & ~file_mask())  # as any other file: the library of safetensors lets its owner alone read one
                _flush(path)
        except (OSError, SafetensorError, RuntimeError) as error:  # on a full disk torch.save raises RuntimeError
            shutil.rmtree(temporary, ignore_errors=True)
            raise CannotWrite(final, error) from None
        shutil.rmtree(final, ignore_errors=True)
        os.replace(temporary, final)
        _flush(self.path)
        self.write_history(checkpoint.state["history"])
        keep = {*self.epochs()[-KEPT_CHECKPOINTS:], best}
        for epoch in self.epochs():
            if epoch not in keep:
                shutil.rmtree(self.checkpoint_path(epoch))
        return final

    def write_history(self, rows: list[dict]) -> None:
        """Write one line of JSON for each epoch."""
        with written(self.path / HISTORY, force=True) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def read(self, epoch: int | None = None) -> Checkpoint | None:
        """Read a checkpoint, by default the last; None where there is none. Nothing in it is executed.

        Raises
        ------
        ValueError
            If a file is missing, damaged, or holds more than tensors and plain values.
        """
        if epoch is None:
            if not self.epochs():
                return None
            epoch = self.epochs()[-1]
        path = self.checkpoint_path(epoch)
        try:
            model = load_file(path / MODEL)
            ema = load_file(path / EMA) if (path / EMA).exists() else None
            state = torch.load(path / STATE, map_location="cpu", weights_only=True)
            if state["epoch"] != epoch or not isinstance(state["history"], list) or not isinstance(state["record"], dict):
                raise ValueError
        except (OSError, SafetensorError):
            raise ValueError(f"{path}: is not a whole checkpoint; delete it to resume from the one before") from None
        except Exception:  # torch.load raises what zip, pickle and its own checks raise; all mean the same here
            raise ValueError(
                f"{path / STATE}: is not the state of a training; delete {path.name} to resume before it"
            ) from None
        return Checkpoint(epoch, model, ema, state)

    def check_record(self, saved: dict, record: dict) -> None:
        """Refuse to resume with other settings, weights to start from or images than those of the checkpoint."""
        for name, what in ORIGINS.items():
            if name in record and name in saved and saved[name] != record[name]:
                raise ValueError(
                    f"{self.path}: was begun with other {what} than these ({name} in {CONFIG}); resume with the same, or train into another folder"
                )
        for name in record:
            if name not in FREE and name not in ORIGINS and saved.get(name) != record[name]:
                raise ValueError(
                    f"{self.path}: was trained with {name} = {saved.get(name)}, not {record[name]}; "
                    "resume with the same settings, or train into another folder"
                )

    def record(self) -> dict:
        """The settings of the training in the folder.

        Raises
        ------
        ValueError
            If the folder holds none.
        """
        try:
            found = json.loads((self.path / CONFIG).read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError
            return found
        except (OSError, ValueError):
            raise ValueError(
                f"{self.path}: holds no training to resume ({CONFIG} is not there or damaged); name a recipe"
            ) from None


def _flush(path: Path) -> None:
    """Have the disk hold what was written, so that a rename never precedes the content after a loss of power."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
