"""What a file of weights holds, told by its bytes: safetensors, torch, numpy, torch.export; nothing in it is run.

``torch.save`` writes a pickle, a program that names classes and functions and calls them. What
``torch.load(weights_only=True)`` refuses is read here without looking any of them up. For every name the reader hands out
an empty record that keeps what it is given; what is called, is the record. So an instruction of the pickle can make
records, lists, dicts, texts and numbers, and nothing else: no module is imported, no attribute of one is read, and no
state of one is set, since each file gets records of its own. Afterwards the records that ``torch`` and ``numpy`` write
for their arrays are read as what they say (storage, offset, shape, strides), against the size of the bytes there are.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from . import SUFFIXES

__all__: list[str] = []
# Serves the readers and reports: on no page of the reference.

MAGIC = 0x1950A86A20F9469CFC6C
"""First number in what torch.save wrote before it wrote zip archives."""

RUNS = frozenset(
    "os posix nt subprocess sys shutil socket runpy importlib imp ctypes pty code codeop webbrowser marshal pickle _pickle "
    "cloudpickle dill functools operator builtins __builtin__ types multiprocessing threading asyncio signal tempfile".split()
)
"""Modules that no weights need: a file that names one is refused, though nothing of it would run."""
HARMLESS = frozenset(
    [f"{m}.{n}" for m in ("builtins", "__builtin__") for n in "set frozenset slice complex range xrange object bytearray bytes list dict tuple int long float bool str unicode".split()]
    + ["types.SimpleNamespace", "functools.partial"]
)  # fmt: skip

STORAGES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64, "IntStorage": torch.int32, "ShortStorage": torch.int16, "CharStorage": torch.int8,
    "ByteStorage": torch.uint8, "BoolStorage": torch.bool, "UntypedStorage": torch.uint8, "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}  # fmt: skip
DTYPES = {
    f"torch.{name}": getattr(torch, name)
    for name in (
        "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex32 complex64 complex128 "
        "float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz"
    ).split()
}
NUMPY_DTYPES = ("?", "i1", "u1", "i2", "i4", "i8", "f2", "f4", "f8", "b1")


class Record:
    """What a pickle says of an object: the class it names, and what it gives to it."""

    what = ""

    def __new__(cls, *args, **kwargs):
        made = object.__new__(cls)
        made.args, made.state, made.entries = args, kwargs or None, {}
        return made

    def __setstate__(self, state):
        self.state = state

    def __setitem__(self, name, value):
        self.entries[name] = value

    def append(self, value: Any) -> None:
        """An element: not kept."""

    def extend(self, values: ArrayLike) -> None:
        """Elements: not kept."""

    def add(self, value: Any) -> None:
        """An element: not kept."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return type(self)(*args, **kwargs)


class Skipped:
    """In the place of an object that is neither a tensor nor a plain value; ``state`` is what is plain in it."""

    def __init__(self, what: str, state: Any = None):
        self.what, self.state = what, state


class Reader(pickle.Unpickler):
    """An unpickler that makes records. Every class and function reaches a pickle through ``find_class``."""

    def __init__(self, stream: Any):
        super().__init__(stream, encoding="latin1")
        self.names: set[str] = set()
        self._classes: dict[str, type] = {}

    def find_class(self, module: str, name: str) -> Any:
        what = f"{module}.{name}"
        self.names.add(what)
        if what not in self._classes:
            self._classes[what] = type("Record", (Record,), {"what": what})
        return self._classes[what]

    def persistent_load(self, pid: Any) -> Any:
        # The old format also writes classes this way, with the text of their source.
        return self.find_class("keyfilters", "storage")(*pid) if pid[0] == "storage" else pid[1]


def _dangerous(names: set[str]) -> str | None:
    return next((n for n in sorted(names) if n.partition(".")[0] in RUNS and n not in HARMLESS), None)


class Values:
    """Records made into values: tensors, numbers, texts, dicts with names, lists, and ``Skipped``."""

    def __init__(self, storage: Callable[[str, torch.dtype], torch.Tensor]):
        self._storage = storage
        self._done: dict[int, object] = {}

    def of(self, item: Any) -> Any:
        """Each object once: what is shared stays shared, and what holds itself comes to an end."""
        if item is None or isinstance(item, (bool, int, float, str, bytes)):
            return item
        if id(item) not in self._done:
            self._done[id(item)] = Skipped("a structure that holds itself")
            self._done[id(item)] = self._made(item)
        return self._done[id(item)]

    def _made(self, item):
        if isinstance(item, dict):
            return {name: self.of(value) for name, value in item.items() if isinstance(name, str)}
        if isinstance(item, (list, tuple)):
            return [self.of(value) for value in item]
        if isinstance(item, Record):
            return self._record(item)
        return Skipped(getattr(item, "what", type(item).__name__))

    def _record(self, item: Record):
        name = item.what.rpartition(".")[2]
        if item.what.startswith(("torch._utils.", "torch._tensor.")):
            return self._tensor(name, item)
        if item.what.startswith("numpy."):
            return self._array(name, item)
        if item.what == "collections.OrderedDict" and item.args and isinstance(item.args[0], (list, tuple)):
            # As Python 2 wrote it.
            item.entries.update({pair[0]: pair[1] for pair in item.args[0]})
        if item.entries or name in ("OrderedDict", "defaultdict"):
            return {n: self.of(v) for n, v in item.entries.items() if isinstance(n, str)}
        state = item.state if isinstance(item.state, dict) else {}
        return Skipped(item.what, {n: v for n, v in state.items() if isinstance(n, str) and isinstance(v, (str, int, float))})

    def _tensor(self, name: str, item: Record):
        args = item.args
        if name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
            return self.of(args[0])
        if name == "_rebuild_from_type_v2":
            inner, _, values = args[:3]
            return self._tensor(inner.what.rpartition(".")[2], inner(*values))
        if name not in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"):
            return Skipped(item.what)
        (_, kind, key, *_), offset, size, stride = args[0].args, *args[1:4]
        dtype = STORAGES[kind.what.rpartition(".")[2]]
        if name == "_rebuild_tensor_v3":
            # The storage is bytes, the type of the numbers stands beside.
            dtype = DTYPES[args[6].what]
        # as_strided itself refuses what reaches beyond the storage.
        return torch.as_strided(self._storage(str(key), dtype), tuple(size), tuple(stride), offset)

    def _array(self, name: str, item: Record):
        if name == "_reconstruct" and isinstance(item.state, tuple):
            _, shape, dtype, fortran, data = item.state
            order = "F" if fortran else "C"
        elif name == "_frombuffer":
            data, dtype, shape, order = item.args
        else:
            return Skipped(item.what)
        if isinstance(data, Record) and data.what == "_codecs.encode":
            data = data.args[0].encode("latin1")
        if not isinstance(dtype, Record) or dtype.args[0] not in NUMPY_DTYPES or not isinstance(data, (bytes, bytearray)):
            return Skipped(item.what)
        kind = np.dtype(dtype.args[0])
        if isinstance(dtype.state, tuple) and dtype.state[1] == ">":
            kind = kind.newbyteorder(">")
        array = np.frombuffer(data, kind).reshape(tuple(shape), order=order)
        return torch.from_numpy(np.array(array, dtype=kind.newbyteorder("="), order="C"))


def _loaded(stream, names: set[str]):
    reader = Reader(stream)
    try:
        return reader.load()
    finally:
        names |= reader.names


def _zipped(stream, names):
    archive = zipfile.ZipFile(stream)
    (head,) = {n.removesuffix("data.pkl") for n in archive.namelist() if n.endswith("/data.pkl") or n == "data.pkl"}
    if f"{head}byteorder" in archive.namelist() and archive.read(f"{head}byteorder") != b"little":
        raise ValueError("written on a processor with the other order of bytes")
    cache: dict[str, bytearray] = {}

    def storage(key, dtype):
        if key not in cache:
            cache[key] = bytearray(archive.read(f"{head}data/{key}"))
        return torch.frombuffer(cache[key], dtype=dtype) if cache[key] else torch.empty(0, dtype=dtype)

    with archive.open(f"{head}data.pkl") as pickled:
        return _loaded(pickled, names), storage


def _older(stream, names):
    """Several pickles in a row, then the bytes of the storages; or one pickle of someone else."""
    first = _loaded(stream, names)
    if first != MAGIC:
        return first, lambda key, dtype: torch.empty(0, dtype=dtype)
    for _ in range(2):
        _loaded(stream, names)
    content, keys = _loaded(stream, names), _loaded(stream, names)
    found: dict[str, torch.Tensor] = {}
    types = _storage_types(content)
    for key in map(str, keys):
        count = int.from_bytes(stream.read(8), "little")
        dtype = types[key]
        data = bytearray(stream.read(count * dtype.itemsize))
        if len(data) != count * dtype.itemsize:
            raise EOFError
        found[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
    return content, lambda key, dtype: found[key].view(dtype)


def _storage_types(content) -> dict[str, torch.dtype]:
    found, seen, left = {}, set(), [content]
    while left:
        item = left.pop()
        if id(item) in seen or isinstance(item, (str, bytes, int, float, type(None))):
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            left += item.values()
        elif isinstance(item, (list, tuple, set, frozenset)):
            left += item
        elif isinstance(item, Record):
            if item.what == "keyfilters.storage":
                found[str(item.args[2])] = STORAGES[item.args[1].what.rpartition(".")[2]]
            left += [item.args, item.state, item.entries]
    return found


def read_pickle(stream: Any, zipped: bool) -> Any:
    """Return what a file of torch.save or a pickle holds, and the first name in it that runs things (or None).

    Tensors are tensors, arrays of numpy too; dicts keep their entries with names; what is of a class is
    ``Skipped``. Nothing in the file is run. A damaged file raises whatever its first fault raises.
    """
    names: set[str] = set()
    content, storage = (_zipped if zipped else _older)(stream, names)
    if bad := _dangerous(names):
        return None, bad
    return Values(storage).of(content), None


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
    """What ``torch.save`` wrote. By torch itself where it holds tensors and plain values only, else by :func:`read_pickle`."""
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
