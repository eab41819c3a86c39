"""Weights in files: read without running anything that a file may hold, written the same to the byte.

Formats are told apart by their first bytes, not by the name of the file.
"""

from __future__ import annotations

import argparse
import json
import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from ...output import written

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Entries of a training checkpoint that hold the weights, first choice first (averaged weights, as timm takes them)."""
PREFIXES = ("module.", "_orig_mod.")
"""What wrappers for several devices and for compilation put before every name."""
COUNTER = "n_averaged"
"""Of torch's averaged model, beside the weights."""


def check_file(path) -> Path:
    """Return ``path`` if it is a file that is not empty, else raise ``ValueError`` saying what it is."""
    try:
        path = Path(path)
        if path.is_dir():
            raise ValueError(f"{path} is a folder: expected a file of weights ({', '.join(SUFFIXES)})")
        if not path.is_file():
            raise ValueError(f"{path} is not there: expected a file of weights ({', '.join(SUFFIXES)})")
        if path.stat().st_size == 0:
            raise ValueError(f"{path} is empty: expected weights; copy or download it again")
    except TypeError:
        raise ValueError(f"weights is {path!r}: expected the name of a file") from None
    except OSError as error:
        raise ValueError(f"{str(path)[:60]!r} cannot be read: {error.strerror}") from None
    return path


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(9)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def _is_safetensors(start: bytes) -> bool:
    # Eight bytes with the length of the header, then JSON.
    return len(start) == 9 and start[8:] == b"{"


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    import safetensors.torch

    try:
        return safetensors.torch.load_file(path, device="cpu")
    except Exception as error:
        reason = str(error).splitlines()[0].removeprefix("Error while deserializing header: ") if str(error) else "damaged"
        raise ValueError(f"{path} cannot be read: not a whole safetensors file ({reason}); copy or download it again") from None


def _read_torch(path: Path):
    try:
        # The arguments of a training script are a plain record of names and values.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings(), path.open("rb") as stream:
            # Notes on the age of the format; what does not load is an error below.
            warnings.simplefilter("ignore")
            # A stream, because torch may choose a reader by the name of a file.
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)|of type ([\w.]+)|class ([\w.]+)", str(error))
        what = next(filter(None, found.groups()), None) if found else None
        raise ValueError(
            f"{path} is refused: it is a pickle with more than weights{f' ({what})' if what else ''}, which may run "
            "code when it is loaded; have its author save the weights alone, as .safetensors"
        ) from None
    except Exception as error:
        text = " ".join(str(error).split())
        if "TorchScript" in text:
            raise ValueError(f"{path} is a TorchScript archive: expected weights alone (a state_dict)") from None
        raise ValueError(f"{path} cannot be read: the file is damaged or cut short; copy or download it again") from None


def _unwrapped(content, path: Path) -> dict[str, torch.Tensor]:
    while isinstance(content, Mapping):
        inner = next((content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)), None)
        if inner is None:
            break
        content = inner
    state = {}
    if isinstance(content, Mapping):
        state = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}
    while len(state) > 1 and all(name.startswith(PREFIXES) or name == COUNTER for name in state):
        state.pop(COUNTER, None)
        state = {name.split(".", 1)[1]: value for name, value in state.items()}
    if not state:
        raise ValueError(f"{path} holds no weights: expected tensors by name (a state_dict, alone or under {', '.join(WRAPPERS)})")
    return state


def _check_finite(state: dict[str, torch.Tensor], path: Path) -> None:
    bad = []
    for name, value in state.items():
        if value.layout is not torch.strided or value.is_quantized:
            raise ValueError(f"{path}: {name} is sparse or quantised: expected plain tensors")
        if value.is_floating_point() and not torch.isfinite(value.float() if value.itemsize == 1 else value).all():
            bad.append(name)
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise ValueError(f"{path} holds NaN or infinity in {bad[0]}{more}: expected finite weights")


def read_weights(path) -> dict[str, torch.Tensor]:
    """Read the tensors of a file, by name, on the CPU.

    ============================= ====================================================================
    format                        how it is read
    ============================= ====================================================================
    safetensors                   header and numbers: nothing in it can run
    torch (.pth, .pt, .bin, ...)  ``torch.load(weights_only=True)``: a pickle of anything but tensors
                                  and plain values is refused before its code could run
    ============================= ====================================================================

    Weights within a training checkpoint are found (``state_dict_ema``, ``model_ema``, ``state_dict``,
    ``model``, in this order, also nested), and prefixes of wrappers (``module.``, ``_orig_mod.``) removed
    where every name has them.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    ValueError
        One line that names the file: missing, a folder, empty, damaged, of another type, refused, without
        weights, or holding NaN or infinity.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "two.safetensors"
    >>> write_weights({"a": torch.zeros(2)}, file)
    >>> read_weights(file)
    {'a': tensor([0., 0.])}
    """
    path = check_file(path)
    start = _start(path)
    if _is_safetensors(start):
        content = _read_safetensors(path)
    elif start.startswith((b"PK\x03\x04", b"\x80")):
        content = _read_torch(path)
    else:
        raise ValueError(f"{path} is no file of weights, or a damaged one: expected safetensors or what torch.save writes")
    state = _unwrapped(content, path)
    _check_finite(state, path)
    return state


def read_metadata(path) -> dict[str, str]:
    """Return the metadata of a safetensors file (empty for other formats).

    Raises
    ------
    ValueError
        As :func:`read_weights`.
    """
    path = check_file(path)
    if not _is_safetensors(_start(path)):
        return {}
    import safetensors

    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except Exception:
        raise ValueError(f"{path} cannot be read: not a whole safetensors file; copy or download it again") from None


def _plain(state) -> dict[str, torch.Tensor]:
    """Tensors of their own, contiguous, on the CPU: tied weights are written once per name."""
    state = state.state_dict() if isinstance(state, torch.nn.Module) else state
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"state is a {type(state).__name__}: expected a network, or tensors by name")
    plain, seen = {}, set()
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise ValueError(f"state has {name!r}: expected tensors by name")
        value = value.detach().cpu().contiguous()
        if value.layout is torch.strided and value.numel():
            storage = value.untyped_storage()
            # Part of a larger storage, or one that another name has already: a copy.
            if storage.data_ptr() in seen or storage.nbytes() != value.numel() * value.itemsize:
                value = value.clone()
            seen.add(value.untyped_storage().data_ptr())
        plain[name] = value
    return plain


def _sorted_header(data: bytes) -> bytes:
    """The library writes metadata in an order that changes from run to run; here they are sorted."""
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    ordered = {"__metadata__": dict(sorted(metadata.items())), **header}
    text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def write_weights(state, path, metadata: dict | None = None, force: bool = False) -> None:
    """Write tensors as safetensors; the same tensors and metadata give the same bytes.

    Parameters
    ----------
    state : dict of str to Tensor, or torch.nn.Module
        Tied, sliced and transposed tensors are written as tensors of their own.
    path : str or Path
        Ends in ``.safetensors``; appears whole or not at all.
    metadata : dict, optional
        By name; what is not text is written as JSON.
    force : bool
        Overwrite an existing file.

    Raises
    ------
    ValueError
        Another suffix, a missing folder, an existing file without ``force``, or something that is not a
        tensor.

    Examples
    --------
    >>> write_weights({"a": torch.zeros(2)}, "a.pth")
    Traceback (most recent call last):
    ...
    ValueError: a.pth: expected a name that ends in .safetensors
    """
    import safetensors.torch

    if Path(path).suffix != ".safetensors":
        raise ValueError(f"{path}: expected a name that ends in .safetensors")
    texts = {"format": "pt"}
    for name, value in (metadata or {}).items():
        texts[str(name)] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    with written(path, force) as temporary:
        data = safetensors.torch.save(_plain(state), texts)
        temporary.write_bytes(_sorted_header(data))
