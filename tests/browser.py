"""A Chromium for the tests of the built pages, and screenshots for people.

    python tests/browser.py shots OUTDIR [--only method]     a picture of every page, 1280 and 375 px, light and dark
    python tests/browser.py find                             prints which Chromium the tests take
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"

ON_THE_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ELSEWHERE = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium")

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
    "chromium`, or (Debian, as root) `apt-get install chromium`. To run the other tests: make unit"
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


def _installed() -> str | None:
    for name in ON_THE_PATH:
        if found := _starts(shutil.which(name)):
            return found
    return next(filter(None, map(_starts, ELSEWHERE)), None)


def _playwrights_own() -> str | None:
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _attempt(*command: str) -> bool:
    """Run an installer; whether it went well. What it says goes to our stderr."""
    print("$", *command, file=sys.stderr)
    try:
        return subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL, timeout=600).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_chromium() -> str:
    """Path of a Chromium: one that is installed, else Playwright's download, else Debian's package.

    Raises
    ------
    NoBrowser
        If there is none and none could be installed.
    """
    if found := _installed() or _starts(_playwrights_own()):
        return found
    if _attempt(sys.executable, "-m", "playwright", "install", "chromium") and (found := _starts(_playwrights_own())):
        return found
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
        _attempt("apt-get", "update", "-qq")
        if _attempt("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium") and (found := _installed()):
            return found
    raise NoBrowser(MISSING)


@contextmanager
def chromium():
    """A running headless Chromium (Playwright's `Browser`)."""
    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextmanager
def served(folder: Path):
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


def pages_of(html: Path) -> list[str]:
    """The pages of a built book, relative to its folder."""
    found = (path.relative_to(html) for path in html.rglob("*.html"))
    return sorted(path.as_posix() for path in found if not path.parts[0].startswith("_"))


def settle(page) -> None:
    """Wait until fonts are there and MathJax, where the page has it, has typeset everything."""
    page.evaluate(
        """async () => {
            await document.fonts.ready;
            if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
        }"""
    )


def shots(folder: Path, only: str = "") -> int:
    """Write `<page>-<width>-<mode>.png` of every page whose name contains `only`; how many pages."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = [page for page in pages_of(HTML) if only in page]
    with chromium() as browser, served(HTML) as address:
        for mode in ("light", "dark"):
            for width in (1280, 375):
                tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=mode)
                for name in pages:
                    tab.goto(f"{address}/{name}", wait_until="load")
                    settle(tab)
                    stem = name.removesuffix(".html").replace("/", "-")
                    tab.screenshot(path=folder / f"{stem}-{width}-{mode}.png", full_page=True)
                tab.close()
    return len(pages)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("find", help="print which Chromium the tests take")
    pictures = commands.add_parser("shots", help="pictures of the built pages")
    pictures.add_argument("folder", type=Path, metavar="OUTDIR")
    pictures.add_argument("--only", default="", metavar="TEXT", help="pages whose name contains TEXT")
    options = parser.parse_args(arguments)
    try:
        if options.command == "find":
            print(find_chromium())
            return 0
        if not (HTML / "index.html").exists():
            print("error: _build/html holds no book; run `make book` first", file=sys.stderr)
            return 2
        count = shots(options.folder, options.only)
    except NoBrowser as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not count:
        print(f"error: no page has {options.only!r} in its name", file=sys.stderr)
        return 2
    print(f"{4 * count} pictures of {count} pages in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
