"""Get the files of a Debian package: installed for root, otherwise unpacked into a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from keyfilters import fetch

GET = ("apt-get", "-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "DPkg::Lock::Timeout=60")
SECONDS = 300
"""Time limit of one command of the package manager."""


def _run(*command: str, folder=None) -> None:
    """Run a command without questions; ValueError with its last line if it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=SECONDS,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"{command[0]}: {getattr(error, 'strerror', None) or f'not done after {SECONDS} s'}") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()
        raise ValueError(f"{command[0]}: {lines[-1].strip()}")


def _unpack(package: str, folder: Path, cache: Path | None) -> Path:
    if cache is None:
        raise ValueError("a folder for downloads needs pooch: install keyfilters[networks]")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            _run(*GET, "download", package, folder=temporary)
            for file in Path(temporary).glob("*.deb"):
                _run("dpkg-deb", "-x", str(file), temporary)
            inside = Path(temporary) / folder.relative_to("/")
            files = [path for path in inside.glob("*") if path.is_file()]
            if not files:
                raise ValueError(f"the package {package} has no files in {folder}")
            for path in files:
                os.replace(path, cache / path.name)
    except OSError as error:
        raise ValueError(f"{cache}: {error.strerror or error}") from None
    return cache


def get_package(package: str, folder: Path, cache: Path | None) -> Path:
    """Return where the files of a package now lie.

    Parameters
    ----------
    package : str
    folder : Path
        Absolute folder into which the package puts the files that are wanted.
    cache : Path or None
        Where to unpack them if the package cannot be installed.

    Returns
    -------
    Path
        ``folder`` where this is root and ``apt-get install`` works, else ``cache``.

    Raises
    ------
    ValueError
        One line with the reasons: no ``apt-get``, no such package, no network, a full disk.
    """
    if not shutil.which("apt-get"):
        raise ValueError("no apt-get here")
    reasons = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        install = (*GET, "install", "-y", "--no-install-recommends", package)
        # A fresh container has no lists of packages: the second attempt gets them first.
        for commands in ((install,), ((*GET, "update"), install)):
            try:
                for command in commands:
                    _run(*command)
                if folder.is_dir():
                    return folder
                reasons.append(f"the package {package} did not make {folder}")
            except ValueError as error:
                reasons.append(str(error))
    try:
        return _unpack(package, folder, cache)
    except ValueError as error:
        raise ValueError("; ".join(dict.fromkeys([*reasons, str(error)]))) from None


def fashion_mnist() -> Path:
    """The folder of Fashion-MNIST, from Debian's package; `ValueError` in one line where there is none."""
    return get_package(fetch.DEBIAN_PACKAGE, fetch.DEBIAN_FOLDER, fetch.cache_folder())
