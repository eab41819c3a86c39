"""A Chromium that runs without a window, and what serves pages to it: to print the book, and for the tests of the built pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import playwright
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ON_THE_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)

# --no-sandbox: containers have no user namespaces. The rest keeps the browser from calling anybody by itself,
# because a request to the outside fails the tests.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

MISSING = (
    "no Chromium found. Put chromium or google-chrome on the PATH, or run `.venv/bin/python -m playwright install "
    "chromium`, or (Debian, as root) `apt-get install chromium`. To run the tests without it: make unit"
)
NO_NODE = (
    "Playwright's Node.js does not start; it needs the library libatomic, which a small Linux may lack: install it (Debian, "
    "as root: `apt-get install libatomic1`)"
)


class NoBrowser(RuntimeError):
    """There is no Chromium on this machine and none could be installed."""


def _starts(executable: str | None) -> str | None:
    """`executable` where it is one that starts (Playwright's own may lack system libraries), else None."""
    if not executable or not Path(executable).exists():
        return None
    try:
        done = subprocess.run([executable, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return executable if done.returncode == 0 else None


def _from_debian(package: str) -> bool:
    """Install a package where this is root on Debian or its kin; whether that went well."""
    if not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")):
        return False
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    _attempt("apt-get", "update", "-qq")
    return _attempt("apt-get", "install", "-y", "-qq", "--no-install-recommends", package)


def find_node() -> str:
    """Path of the Node.js that Playwright brings, and is run by.

    Raises
    ------
    NoBrowser
        If it does not start, for want of a library, and that could not be installed.
    """
    node = str(Path(playwright.__file__).with_name("driver") / ("node.exe" if os.name == "nt" else "node"))
    if _starts(node) or (_from_debian("libatomic1") and _starts(node)):
        return node
    raise NoBrowser(NO_NODE)


def _places() -> Iterator[str | None]:
    """Where a Chromium of the machine may be, and then what Playwright has downloaded."""
    yield from (*map(shutil.which, ON_THE_PATH), *ELSEWHERE)
    with sync_playwright() as playwright:
        yield playwright.chromium.executable_path


def _installed() -> str | None:
    return next(filter(None, map(_starts, _places())), None)


def _attempt(*command: str) -> bool:
    """Run an installer; whether it went well. What it says goes to our stderr."""
    print("$", *command, file=sys.stderr)
    try:
        return subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL, timeout=600).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_chromium() -> str:
    """Path of a Chromium: one that is installed, else Debian's package (for root on Debian), else Playwright's download.

    Raises
    ------
    NoBrowser
        If there is none and none could be installed, or Playwright cannot run.
    """
    find_node()
    # Debian's brings the libraries that it needs; what Playwright downloads does not.
    for attempt in (
        lambda: True,
        lambda: _from_debian("chromium"),
        lambda: _attempt(sys.executable, "-m", "playwright", "install", "chromium"),
    ):
        if attempt() and (found := _installed()):
            return found
    raise NoBrowser(MISSING)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running headless Chromium (Playwright's `Browser`)."""
    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine only; gives the address without a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def settle(page: Page) -> None:
    """Wait until fonts are there and MathJax, where the page has it, has typeset everything."""
    page.evaluate(
        """async () => {
            await document.fonts.ready;
            if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
        }"""
    )
