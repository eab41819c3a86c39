"""Pickles read without running them: tensors and plain values come out, everything else is skipped.

``torch.save`` writes a pickle. A pickle is a program: it names classes and functions and calls them. The
reader here looks none of them up. For every name it hands out an empty record that keeps what it is given;
what is called, is the record. So an instruction of the pickle can make records, lists, dicts, texts and
numbers, and nothing else: no module is imported, no attribute of one is read, and no state of one is set,
since each file gets records of its own. Afterwards the records that ``torch`` and ``numpy`` write for their
arrays are read as what they say (storage, offset, shape, strides), against the size of the bytes there are.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

__all__: list[str] = []
# Serves read_weights: on no page of the reference.

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
