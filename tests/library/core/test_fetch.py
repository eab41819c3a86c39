"""Fashion-MNIST: where it is looked for, what is checked, and what is said where it is not there."""

import gzip
import hashlib
import os
import socket
import stat
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import refusals

from keyfilters import fetch
from keyfilters.fetch import DEBIAN_FOLDER, FILES, IdxFile, ensure_fashion_mnist, fashion_mnist
from keyfilters.networks.zoo.hub import within
from keyfilters_build import chromium, prerequisites

WATCHDOG = 60
COUNTS = {"train_images": (6, 28, 28), "train_labels": (6,), "test_images": (2, 28, 28), "test_labels": (2,)}


def compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A table of tiny files with the real names, no source of them, no network; gives their contents."""
    rng = np.random.default_rng(0)
    contents, table = {}, {}
    for name, shape in COUNTS.items():
        header = struct.pack(f">I{len(shape)}I", 0x0800 + len(shape), *shape)
        content = header + rng.integers(256, size=shape, dtype=np.uint8).tobytes()
        digests = [hashlib.sha256(data).hexdigest() for data in (content, compressed(content))]
        contents[FILES[name].file] = content
        table[name] = IdxFile(FILES[name].file, shape, *digests)
    monkeypatch.setattr(fetch, "FILES", table)
    monkeypatch.setattr(fetch, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr(fetch, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(fetch, "URLS", ())
    monkeypatch.delenv("KEYFILTERS_DATA", raising=False)
    return contents


def put(contents, folder, packed=True, leave_out=()):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if name not in leave_out:
            (folder / (f"{name}.gz" if packed else name)).write_bytes(compressed(content) if packed else content)
    return folder


def message(call):
    return refusals.message(lambda: within(WATCHDOG, call))


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_real_files_have_the_published_counts(monkeypatch):
    monkeypatch.delenv("KEYFILTERS_DATA", raising=False)
    arrays = fashion_mnist(download=False)
    assert {name: array.shape for name, array in arrays.items()} == {name: row.shape for name, row in FILES.items()}
    for name, array in arrays.items():
        assert array.dtype == np.uint8 and not array.flags.writeable
        if name.endswith("labels"):
            assert (np.bincount(array) == len(array) // 10).all()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("inner", [".", "fashion-mnist", "FashionMNIST/raw"])
def test_a_folder_that_is_given(tiny, tmp_path, packed, inner):
    put(tiny, tmp_path / "mine" / inner, packed)
    arrays = fashion_mnist(tmp_path / "mine", download=False)
    for name, row in fetch.FILES.items():
        assert arrays[name].shape == row.shape and not arrays[name].flags.writeable
        assert arrays[name].tobytes() == tiny[row.file][-arrays[name].size :]


def test_the_order_of_the_sources(tiny, tmp_path, monkeypatch):
    put(tiny, tmp_path / "cache")
    assert ensure_fashion_mnist() == tmp_path / "cache"
    put(tiny, tmp_path / "debian")
    assert ensure_fashion_mnist() == tmp_path / "debian"
    monkeypatch.setenv("KEYFILTERS_DATA", str(put(tiny, tmp_path / "mine")))
    assert ensure_fashion_mnist() == tmp_path / "mine"


def test_a_named_folder_is_not_passed_over(tiny, tmp_path, monkeypatch):
    put(tiny, tmp_path / "debian")
    lacking = put(tiny, tmp_path / "part", leave_out=["t10k-labels-idx1-ubyte"])
    assert "lacks t10k-labels-idx1-ubyte:" in message(lambda: fashion_mnist(lacking))
    monkeypatch.setenv("KEYFILTERS_DATA", str(lacking))
    assert "(from KEYFILTERS_DATA) lacks" in message(fashion_mnist)
    monkeypatch.setenv("KEYFILTERS_DATA", str(tmp_path / "nowhere"))
    assert "(from KEYFILTERS_DATA) is not a folder" in message(ensure_fashion_mnist)
    assert "expected the name of a folder" in message(lambda: fashion_mnist(3))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda data: data[: len(data) // 2], "damaged or cut short"),
        (lambda data: b"<html>" + data, "damaged or cut short"),
        (lambda data: data[:20] + bytes([data[20] ^ 255]) + data[21:], "damaged"),
        (lambda data: compressed(gzip.decompress(data) + b"x"), "sha256"),
        (lambda data: compressed(gzip.decompress(data)[:-1]), "sha256"),
        (lambda data: b"", "damaged"),
    ],
    ids=["cut", "prefixed", "flipped", "longer", "shorter", "empty"],
)
def test_a_damaged_file_is_named(tiny, tmp_path, damage, expected):
    folder = put(tiny, tmp_path / "mine")
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    text = message(lambda: fashion_mnist(folder))
    assert str(path) in text and expected in text and "remove it" in text


def test_nothing_there_says_what_to_do(tiny):
    for call in (lambda: fashion_mnist(download=False), fashion_mnist):
        text = message(call)
        for mend in ("apt-get install dataset-fashion-mnist", "KEYFILTERS_DATA=FOLDER", "connect to the network"):
            assert mend in text


@pytest.fixture
def served(tiny, tmp_path):
    """A server on this machine with the official files."""
    folder = put(tiny, tmp_path / "served")
    with chromium.served(folder) as address:
        yield folder, f"{address}/"


def test_a_download_is_checked_and_kept(tiny, tmp_path, served, monkeypatch):
    folder, url = served
    monkeypatch.setattr(fetch, "URLS", (f"{url}moved/", url))
    first = within(WATCHDOG, fashion_mnist)
    monkeypatch.setattr(fetch, "URLS", ())
    again = fashion_mnist(download=False)
    assert all((first[name] == again[name]).all() for name in FILES)
    kept = tmp_path / "cache" / "train-labels-idx1-ubyte.gz"
    kept.write_bytes(kept.read_bytes()[:-3])
    assert str(kept) in message(lambda: fashion_mnist(download=False))
    monkeypatch.setattr(fetch, "URLS", (url,))
    assert (within(WATCHDOG, fashion_mnist)["train_labels"] == first["train_labels"]).all()


def test_another_file_on_the_server_is_refused(tiny, tmp_path, served, monkeypatch):
    folder, url = served
    (folder / "train-images-idx3-ubyte.gz").write_bytes(compressed(b"something else"))
    monkeypatch.setattr(fetch, "URLS", (url,))
    assert "another file than expected" in message(fashion_mnist)
    assert not (tmp_path / "cache" / "train-images-idx3-ubyte.gz").exists()


def test_a_silent_server_is_given_up(tiny, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(fetch, "URLS", (f"http://127.0.0.1:{silent.getsockname()[1]}/",) * 2)
        monkeypatch.setattr(fetch, "SECONDS", 0.2)
        assert "out of reach" in message(fashion_mnist)


def tools(folder: Path, monkeypatch, **scripts):
    """Put shell scripts of these names before everything else on the PATH."""
    folder.mkdir()
    for name, script in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def from_debian():
    """As the build of the book gets it."""
    return ensure_fashion_mnist(prerequisites.from_debian)


def test_the_library_asks_no_package_manager(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it called a program"))
    monkeypatch.setattr(fetch, "URLS", ())
    assert "is not there" in message(ensure_fashion_mnist)


@pytest.mark.parametrize("lists", [True, False], ids=["with lists of packages", "after an update"])
def test_debians_package_is_unpacked(tiny, tmp_path, monkeypatch, lists):
    tree = tmp_path / "tree"
    put(tiny, tree / (tmp_path / "debian").relative_to("/"))
    if lists:
        (tmp_path / "lists").touch()
    tools(
        tmp_path / "bin", monkeypatch,
        apt_get=f"""case " $* " in
            *" update "*) touch {tmp_path}/lists;;
            *" download "*) test -e {tmp_path}/lists || {{ echo 'E: Unable to locate package' >&2; exit 100; }}; touch some.deb;;
        esac""",
        dpkg_deb=f'test "$1 $2" = "-x some.deb" && cp -r {tree}/. "$3"',
    )  # fmt: skip
    assert from_debian() == tmp_path / "cache"
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == sorted(f"{name}.gz" for name in tiny)


def test_a_package_with_other_content_is_not_taken(tiny, tmp_path, monkeypatch):
    tree = tmp_path / "tree"
    put(dict.fromkeys(tiny, b"other"), tree / (tmp_path / "debian").relative_to("/"))
    tools(tmp_path / "bin", monkeypatch, apt_get="touch some.deb", dpkg_deb=f'cp -r {tree}/. "$3"')
    assert "is not the file of Fashion-MNIST" in message(from_debian)


def test_all_that_failed_is_told_in_one_line(tiny, tmp_path, monkeypatch):
    tools(tmp_path / "bin", monkeypatch, apt_get="echo 'first line' >&2; echo 'E: Unable to locate package' >&2; exit 100")
    text = message(from_debian)
    assert "E: Unable to locate package" in text and "KEYFILTERS_DATA" in text and "first line" not in text


def test_elsewhere_than_on_debian_it_is_downloaded(tiny, tmp_path, served, monkeypatch):
    monkeypatch.setattr(prerequisites.shutil, "which", lambda name: None)
    monkeypatch.setattr(fetch, "URLS", (served[1],))
    assert from_debian() == tmp_path / "cache"


def test_the_command_says_in_one_line_what_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setenv("KEYFILTERS_DATA", str(tmp_path))
    done = subprocess.run([sys.executable, "-m", "keyfilters.fetch"], capture_output=True, text=True, timeout=WATCHDOG)
    assert done.returncode and not done.stdout
    assert (
        done.stderr.startswith(f"keyfilters.fetch: {tmp_path} (from KEYFILTERS_DATA) lacks ") and done.stderr.count("\n") == 1
    )


def test_without_pooch_the_message_names_the_extra(tiny, monkeypatch):
    monkeypatch.setattr(fetch, "cache_folder", lambda: None)
    assert "keyfilters[networks]" in message(fashion_mnist)


def test_within_hands_on_values_and_errors():
    assert within(WATCHDOG, lambda: 3) == 3
    with pytest.raises(KeyError):
        within(WATCHDOG, lambda: {}[1])
    never = threading.Event()
    with pytest.raises(TimeoutError, match="no answer within 0.05 s"):
        within(0.05, never.wait)
    never.set()
