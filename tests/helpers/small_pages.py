"""A page with scripts in a small book of its own."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import browser as chromium
import pytest
from tabs import Tabs

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

    def usable(tab):
        chromium.settle(tab)
        tab.wait_for_function(ready)

    @pytest.fixture
    def opened(running, addresses):
        tabs = Tabs(running, addresses, usable, ("error", "warning"))

        def opened(hash="", *arguments, **options):
            return tabs.open(f"{page}.html{hash}", *arguments, **options)

        yield opened
        tabs.close()

    return html, addresses, opened
