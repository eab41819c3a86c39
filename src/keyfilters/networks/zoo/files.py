"""What a file of weights holds, told by its bytes: safetensors, torch, numpy, torch.export; nothing in it is run."""

from __future__ import annotations

import io
import json
import pickle
import re
import warnings
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from . import SUFFIXES
from .pickles import read_pickle

__all__: list[str] = []
# Serves the readers and reports: on no page of the reference.

FOREIGN_FILES = {
    b"\x89HDF": "an HDF5 file (of Keras?): expected weights of PyTorch",
    b"GGUF": "a GGUF file (quantised weights of a language model): expected weights of PyTorch",
    b"\x1f\x8b": "a gzip archive: unpack it and name the file of weights in it",
    b"BZh": "a bzip2 archive: unpack it and name the file of weights in it",
    b"Rar!": "a RAR archive: unpack it and name the file of weights in it",
    b"7z\xbc\xaf": "a 7z archive: unpack it and name the file of weights in it",
    b"version https://git-lfs": "only the pointer of Git LFS to the file: run git lfs pull",
    b"\x93NUMPY": "a single array of numpy: expected tensors by name (numpy.savez writes them)",
}
"""First bytes of files that are something else, and what to do."""
# The numbers of types in the archives of torch.export.
EXPORTED_DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32, 8: torch.float64,
    10: torch.complex64, 11: torch.complex128, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
AGAIN = "copy or download it again"


def check_file(path: str | PathLike) -> Path:
    """Return ``path`` if it is a file that is not empty, else raise ``ValueError`` saying what it is."""
    try:
        path = Path(path)
        if path.is_dir():
            raise ValueError(f"{path} is a folder: {_within(path)}")
        if not path.is_file():
            raise ValueError(f"{path} is not there: expected a file of weights ({', '.join(SUFFIXES)})")
        if path.stat().st_size == 0:
            raise ValueError(f"{path} is empty: expected weights; {AGAIN}")
    except TypeError:
        raise ValueError(f"weights is {path!r}: expected the name of a file") from None
    except OSError as error:
        raise ValueError(f"{str(path)[:60]!r} cannot be read: {error.strerror}") from None
    return path


def _within(folder: Path) -> str:
    if (folder / ".metadata").is_file():
        return "a distributed checkpoint of torch; make one file of it with torch.distributed.checkpoint.format_utils.dcp_to_torch_save"
    if list(folder.glob("*_optim_states.pt")) or (folder / "zero_to_fp32.py").is_file():
        return "a checkpoint of DeepSpeed; make one file of it with its zero_to_fp32.py"
    for pattern in ("*.safetensors.index.json", "*.bin.index.json", "*.safetensors", "*.pth", "*.pt", "*.bin", "*.ckpt"):
        if found := sorted(folder.glob(pattern)):
            return f"expected a file of weights; name {found[0].name} in it"
    return f"expected a file of weights ({', '.join(SUFFIXES)})"


def first_bytes(path: Path) -> bytes:
    """The first 40 bytes of a file."""
    try:
        with path.open("rb") as stream:
            return stream.read(40)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def is_safetensors(start: bytes) -> bool:
    """Eight bytes with the length of the header, then JSON."""
    return len(start) >= 9 and start[8:9] == b"{" and start[:1] != b"{"


def _damaged(path) -> ValueError:
    return ValueError(f"{path} cannot be read: the file is damaged or cut short; {AGAIN}")


def _read_safetensors(path: Path):
    import safetensors.torch

    try:
        return safetensors.torch.load_file(path, device="cpu")
    except Exception as error:
        reason = str(error).splitlines()[0].removeprefix("Error while deserializing header: ") if str(error) else "damaged"
        raise ValueError(f"{path} cannot be read: not a whole safetensors file ({reason}); {AGAIN}") from None


def _read_shards(path: Path):
    """All tensors of a model that is stored in several files beside its index."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        shards = dict(index["weight_map"])
    except Exception:
        raise ValueError(
            f"{path} is no index of weights: expected JSON with a weight_map, as model.safetensors.index.json"
        ) from None
    state = {}
    for shard in dict.fromkeys(shards.values()):
        # An index is foreign: it names files of its own folder, and no others.
        if not isinstance(shard, str) or Path(shard).name != shard:
            raise ValueError(f"{path} names {shard!r}: expected files in its own folder")
        if not (path.parent / shard).is_file():
            raise ValueError(
                f"{path} names {shard}, which is not there: copy all {len(set(shards.values()))} files of the model beside it"
            )
        part = read_content(path.parent / shard)
        state |= {name: part[name] for name, home in shards.items() if home == shard and name in part}
    if missing := [name for name in shards if name not in state]:
        raise ValueError(
            f"{path} names {missing[0]}, which is not in {shards[missing[0]]}: copy the files of one and the same model"
        )
    return state


def _read_npz(path: Path):
    import numpy as np

    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            state = {}
            for name in archive.files:
                try:
                    array = np.asarray(archive[name])
                    state[name] = torch.from_numpy(np.array(array.astype(array.dtype.newbyteorder("=")), order="C"))
                except (ValueError, TypeError):
                    continue  # objects (pickled, not read), texts and the like: no weights
            return state
    except Exception:
        raise _damaged(path) from None


def _exported_tensor(archive, head: str, folder: str, entry: dict) -> torch.Tensor:
    data = archive.read(f"{head}data/{folder}/{entry['path_name']}")
    if entry.get("use_pickle"):
        return read_torch(io.BytesIO(data), entry["path_name"])
    meta = entry["tensor_meta"]

    def whole(value):
        return int(value["as_int"])

    dtype = EXPORTED_DTYPES[meta["dtype"]]
    numbers = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
    return torch.as_strided(
        numbers, [whole(n) for n in meta["sizes"]], [whole(n) for n in meta["strides"]], whole(meta["storage_offset"])
    )


def _read_exported(path: Path, names: list[str]):
    """The weights beside an exported graph, which is not read."""
    try:
        with zipfile.ZipFile(path) as archive:
            if old := [n for n in names if n.rpartition("/")[2].startswith("serialized_state_dict")]:
                return read_torch(io.BytesIO(archive.read(old[0])), path)
            state = {}
            for name in names:
                if found := re.fullmatch(r"(.*?)data/(weights|constants)/[^/]*_config\.json", name):
                    for tensor, entry in json.loads(archive.read(name))["config"].items():
                        if entry.get("tensor_meta"):
                            state[tensor] = _exported_tensor(archive, found[1], found[2], entry)
            return state
    except ValueError as error:
        raise error if str(path) in str(error) else _damaged(path) from None
    except Exception:
        raise _damaged(path) from None


def read_torch(stream: Any, path: str | PathLike) -> Any:
    """What ``torch.save`` wrote. By torch itself where it holds tensors and plain values only, else by :mod:`.pickles`."""
    zipped = stream.read(2) == b"PK"
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            # Notes on the age of the format; what does not load is an error below.
            warnings.simplefilter("ignore")
            # A stream, because torch may choose a reader by the name of a file.
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        pass
    except Exception as error:
        if "TorchScript" in str(error):
            raise ValueError(f"{path} is a TorchScript archive: expected weights alone (a state_dict)") from None
        if zipped:
            raise _damaged(path) from None
    # Classes that torch does not know: they are skipped, and nothing of them runs.
    stream.seek(0)
    try:
        content, runs = read_pickle(stream, zipped)
    except (Exception, RecursionError):
        raise _damaged(path) from None
    if runs:
        raise ValueError(
            f"{path} is refused: it is a pickle with more than weights ({runs}), which may run "
            "code when it is loaded; have its author save the weights alone, as .safetensors"
        )
    return content


def _read_zip(path: Path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:
        raise _damaged(path) from None
    leaves = {name.rpartition("/")[2] for name in names}
    if any(name.endswith(".npy") for name in names):
        return _read_npz(path)
    if "archive_format" in leaves or "serialized_exported_program.json" in leaves:
        return _read_exported(path, names)
    if "data.pkl" not in leaves:
        what = f"a zip archive with {names[0]}" if names else "an empty zip archive"
        raise ValueError(f"{path} is {what}, damaged or something else: expected weights of PyTorch or numpy")
    with path.open("rb") as stream:
        return read_torch(stream, path)


def read_content(path: str | PathLike) -> Any:
    """Return what a file holds: tensors by name, alone or within dicts and lists beside other values.

    Raises
    ------
    ValueError
        One line that names the file and says what it is and what to do.
    """
    path = check_file(path)
    start = first_bytes(path)
    if is_safetensors(start):
        return _read_safetensors(path)
    if start.startswith(b"PK\x03\x04"):
        return _read_zip(path)
    if start.startswith(b"\x80"):
        with path.open("rb") as stream:
            return read_torch(stream, path)
    if start.lstrip().startswith(b"{"):
        return _read_shards(path)
    if kind := next((kind for first, kind in FOREIGN_FILES.items() if start.startswith(first)), None):
        raise ValueError(f"{path} is {kind}")
    if start[4:8] == b"TFL3":
        raise ValueError(f"{path} is a file of TensorFlow Lite: expected weights of PyTorch")
    page = ", but a web page (an error of the download?)" if start.lstrip()[:1] == b"<" else ", or a damaged one"
    raise ValueError(f"{path} is no file of weights{page}: expected safetensors, .npz, torch.export or what torch.save writes")
