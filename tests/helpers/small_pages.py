"""A page with scripts in a small book of its own, and a browser's tab that notes whatever goes wrong in it."""

import shutil
import subprocess
import sysconfig
from pathlib import Path
from urllib.parse import urlsplit

import browser as chromium
import pytest

from keyfilters_build.interactive import write_interactive
from keyfilters_build.project import Project

ROOT = Path(__file__).resolve().parents[2]
PROTOCOLS = ("http", "file")
WIDTHS = (1280, 375)

TOC = """format: jb-book
root: index
parts:
  - caption: Reference
    chapters:
      - file: {page}
      - file: notation
"""


def small_book(folder: Path, page: str, text: str | None = None) -> Path:
    """Build the page, that of the book or `text`, between two others; links to pages that this book lacks only warn.

    Returns the built folder.
    """
    project = Project(folder)
    for name in ("interactive", "_static"):
        shutil.copytree(ROOT / "book" / name, project.book / name)
    for name in ("notation.md", "references.bib"):
        shutil.copyfile(ROOT / "book" / name, project.book / name)
    source = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8") if text is None else text
    (project.book / f"{page}.md").write_text(source, encoding="utf-8")
    shutil.copyfile(ROOT / "_config.yml", project.config)
    (project.book / "index.md").write_text("# Home\n\nA page.\n", encoding="utf-8")
    (project.book / "_toc.yml").write_text(TOC.format(page=page), encoding="utf-8")
    write_interactive(project)
    program = str(Path(sysconfig.get_path("scripts")) / "jupyter-book")
    command = [program, "build", str(project.book), "--path-output", str(project.root), "--config", str(project.config)]
    done = subprocess.run([*command, "--all", "-q"], capture_output=True, text=True)
    built = project.root / "_build" / "html"
    assert (built / f"{page}.html").is_file(), (done.stdout + done.stderr)[-2000:]
    return built


class Page:
    """A page at its addresses (protocol -> address of its book); `ready` is the condition in which it can be used."""

    def __init__(self, running, addresses, name: str, ready: str):
        self.running, self.addresses, self.name, self.ready = running, addresses, name, ready
        self.tabs, self.trouble = [], []

    def _note(self, request):
        url = urlsplit(request.url)
        if url.scheme not in ("file", "data", "blob", "about") and url.netloc != urlsplit(self.addresses["http"]).netloc:
            self.trouble.append(f"request to the outside: {request.url}")

    def open(self, hash="", protocol="http", width=1280, mode="light", height=900):
        tab = self.running.new_page(viewport={"width": width, "height": height}, color_scheme=mode, reduced_motion="reduce")
        tab.on("console", lambda message: self.trouble.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: self.trouble.append(str(error)))
        tab.on("request", self._note)
        tab.goto(f"{self.addresses[protocol]}/{self.name}{hash}", wait_until="load")
        chromium.settle(tab)
        tab.wait_for_function(self.ready)
        self.tabs.append(tab)
        return tab

    def close(self):
        """Close the tabs; `AssertionError` with whatever went wrong in them."""
        for tab in self.tabs:
            tab.close()
        assert not self.trouble, "\n".join(self.trouble)


def fixtures(page: str, ready: str, text: str | None = None):
    """What the tests of a page (of `text`, if it is none of the book) take: its small book, the addresses of this book, and the function that opens the page.

    Whatever goes wrong in an opened page fails the test at its end; `ready` is the condition in which it can be used.
    """

    @pytest.fixture(scope="module")
    def html(tmp_path_factory):
        return small_book(tmp_path_factory.mktemp(page), page, text)

    @pytest.fixture(scope="module")
    def addresses(html):
        with chromium.served(html) as http:
            yield {"http": http, "file": html.as_uri()}

    @pytest.fixture
    def opened(running, addresses):
        tab = Page(running, addresses, f"{page}.html", ready)
        yield tab.open
        tab.close()

    return html, addresses, opened
