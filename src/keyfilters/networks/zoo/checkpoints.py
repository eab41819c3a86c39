"""Weights in files: read without running anything that a file may hold, written the same to the byte."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from ...output import written
from .files import check_file, first_bytes, is_safetensors, read_content
from .weight_formats import contents, largest

__all__ = ["read_metadata", "read_weights", "write_weights"]


EPSILONS = "epsilons"
"""Entry of the metadata: the epsilon of each normalisation, by the name of the layer."""


def epsilons(model: torch.nn.Module) -> dict[str, float]:
    """The epsilon of each layer that has one, which no tensor holds."""
    return {name: float(m.eps) for name, m in model.named_modules() if isinstance(getattr(m, "eps", None), float)}


LARGEST = 1e150
"""Beyond it the square of a number overflows."""


def check_sound(state: dict[str, torch.Tensor], path: str | PathLike) -> None:
    """``ValueError`` for tensors that are sparse, quantised, without numbers, or hold NaN, infinity or what overflows when it is squared."""
    bad = []
    for name, value in state.items():
        if value.layout is not torch.strided or value.is_quantized:
            raise ValueError(f"{path}: {name} is sparse or quantised: expected plain tensors")
        if value.is_meta:
            raise ValueError(
                f"{path} has no numbers for {name}, only its shape (a tensor of the device meta): save the network once its weights are loaded"
            )
        if value.is_floating_point() and not torch.isfinite(value.float() if value.itemsize == 1 else value).all():
            bad.append(name)
        elif value.dtype == torch.float64 and value.numel() and value.abs().max() > LARGEST:
            raise ValueError(f"{path} holds numbers beyond {LARGEST:g} in {name}: expected weights")
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise ValueError(f"{path} holds NaN or infinity in {bad[0]}{more}: expected finite weights")


def no_weights(content: Any, path: str | PathLike) -> ValueError:
    """The error for a file in which there are no tensors by name."""
    return ValueError(
        f"{path} holds no weights: expected tensors by name (a state_dict, alone or under an entry), found {contents(content)}"
    )


def read_weights(path: str | PathLike) -> dict[str, torch.Tensor]:
    """Read the tensors of a file, by name, on the CPU.

    ============================= ====================================================================
    format                        how it is read
    ============================= ====================================================================
    safetensors                   header and numbers: nothing in it can run
    ... .safetensors.index.json   the files that the index names, in its folder
    torch (.pth, .pt, .ckpt, ...) ``torch.load(weights_only=True)``; where there are objects of other
                                  classes, a reader that makes none of them: they are skipped. Files
                                  that name what runs things are refused
    .npz                          arrays; pickled objects are not read
    torch.export (.pt2)           the tensors beside the graph
    ============================= ====================================================================

    Formats are told apart by their bytes, not by the name of the file. Of a training checkpoint the
    largest tree of tensors is taken, averaged weights (``ema``, ...) before others of the same size, and
    what wrappers put before every name (``module.``, ``_orig_mod.``, ...) is removed.
    :func:`keyfilters.networks.load_model` knows the network as well, and takes the tree that fits it.

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
    content = read_content(path)
    tree = largest(content)
    if tree is None:
        raise no_weights(content, path)
    check_sound(tree.tensors, path)
    return tree.tensors


def read_metadata(path: str | PathLike) -> dict[str, str]:
    """Return the metadata of a safetensors file (empty for other formats).

    Raises
    ------
    ValueError
        As :func:`read_weights`.
    """
    path = check_file(path)
    if not is_safetensors(first_bytes(path)):
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


def write_weights(
    state: dict[str, torch.Tensor], path: str | PathLike, metadata: dict | None = None, force: bool = False
) -> None:
    """Write tensors as safetensors; the same tensors and metadata give the same bytes.

    Parameters
    ----------
    state : dict of str to Tensor, or torch.nn.Module
        Tied, sliced and transposed tensors are written as tensors of their own. Of a network, the epsilons of its
        normalisations are written into the metadata as well, which :func:`keyfilters.networks.load_model` reads.
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
    if isinstance(state, torch.nn.Module):
        texts[EPSILONS] = json.dumps(epsilons(state), sort_keys=True)
    for name, value in (metadata or {}).items():
        texts[str(name)] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    with written(path, force) as temporary:
        data = safetensors.torch.save(_plain(state), texts)
        temporary.write_bytes(_sorted_header(data))
