"""Published weights of timm's networks: from the caches on this machine, else from the hub, with a time limit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["published_weights"]

FILE_NAMES = ("model.safetensors", "pytorch_model.bin")
MENDS = "connect to the network, name a file of weights (--weights FILE), or set HF_HOME to a cache that holds them"
T = TypeVar("T")


def within(seconds: float, function: Callable[..., T], *arguments: Any) -> T:
    """Return ``function(*arguments)``, or raise ``TimeoutError`` if it takes longer than ``seconds``.

    The time limits of network libraries leave out the look-up of names and count each attempt anew;
    this one is for all of it. A call that is given up goes on in a daemon thread.

    Examples
    --------
    >>> within(10, max, 2, 3)
    3
    """
    outcome = {}

    def call():
        try:
            outcome["value"] = function(*arguments)
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def _torch_cache(url: str | None) -> Path | None:
    if not url:
        return None
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(url.split("?")[0])
    return path if path.is_file() else None


def _on_hub(repository: str, revision, names, timeout: float) -> str:
    """The first of the files that the hub has (asked without downloading any)."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    for name in names:
        try:
            get_hf_file_metadata(hf_hub_url(repository, name, revision=revision), timeout=timeout)
            return name
        except EntryNotFoundError:
            pass
    raise FileNotFoundError


def _one_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120]


def _from_hub(name: str, identifier: str, file_names, timeout: float) -> Path:
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import RepositoryNotFoundError

    repository, _, revision = identifier.partition("@")
    revision = revision or None
    for file_name in file_names:
        found = try_to_load_from_cache(repository, file_name, revision=revision)
        if isinstance(found, str):
            return Path(found)
    missing = f"{name}: its weights ({identifier}) are not on this machine"
    if constants.HF_HUB_OFFLINE:
        raise ValueError(f"{missing} and HF_HUB_OFFLINE is set: unset it and {MENDS}")
    host = constants.ENDPOINT.split("://")[-1]
    try:
        file_name = within(timeout, _on_hub, repository, revision, file_names, timeout)
    except (FileNotFoundError, RepositoryNotFoundError):
        raise ValueError(f"{missing} and {host} does not offer them: name a file of weights (--weights FILE)") from None
    except Exception:
        raise ValueError(f"{missing} and {host} is out of reach: {MENDS}") from None
    try:
        return Path(hf_hub_download(repository, file_name, revision=revision, etag_timeout=timeout))
    except Exception as error:
        raise ValueError(f"{missing} and the download failed ({_one_line(error)}): {MENDS}") from None


def _from_url(name: str, url: str, timeout: float) -> Path:
    from urllib.request import Request, urlopen

    import torch

    missing = f"{name}: its weights are not on this machine"
    host = url.split("/")[2]
    try:
        within(timeout, lambda: urlopen(Request(url, method="HEAD"), timeout=timeout).close())
    except Exception:
        raise ValueError(
            f"{missing} and {host} is out of reach: connect to the network, or name a file (--weights FILE)"
        ) from None
    path = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(url.split("?")[0])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), progress=False)
    except Exception as error:
        raise ValueError(f"{missing} and the download from {host} failed ({_one_line(error)})") from None
    return path


def published_weights(name: str, config: Any, timeout: float) -> tuple[Path, str]:
    """Return the file with the published weights of a timm network, and where they come from.

    Looked for in the hub's cache, then in torch's, then on the hub, or at the address of the file where
    the hub does not have it. Whether anything answers is asked first, within ``timeout`` seconds in all,
    because the libraries try for most of a minute.

    Parameters
    ----------
    name : str
        For the message.
    config : timm.models.PretrainedCfg
    timeout : float
        Seconds.

    Raises
    ------
    ValueError
        One line: no such weights, or out of reach, and what to do.
    """
    if config is None or not config.has_weights:
        raise ValueError(f"{name} has no published weights: train it, or name a file of weights (--weights FILE)")
    if config.custom_load:
        raise ValueError(f"{name} has published weights in a format of its own only: name a file of weights (--weights FILE)")
    if cached := _torch_cache(config.url):
        return cached, f"cache: {cached.name}"
    if config.hf_hub_id:
        names = (config.hf_hub_filename,) if config.hf_hub_filename else FILE_NAMES
        return _from_hub(name, config.hf_hub_id, names, timeout), f"hub: {config.hf_hub_id}"
    return _from_url(name, config.url, timeout), f"url: {config.url}"
