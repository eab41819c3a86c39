"""What several test files share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")

# No test is timed: a busy machine would fail it. In CI the examples are the same in every run, so that a change of the
# verdict comes from a change of the code; elsewhere each run looks at new ones.
settings.register_profile("book", deadline=None, derandomize=IN_CI)
settings.load_profile("book")


@pytest.fixture(scope="session")
def nodejs():
    """The Node.js that Playwright brings: the same on each machine, and never missing."""
    import playwright

    return str(Path(playwright.__file__).with_name("driver") / ("node.exe" if os.name == "nt" else "node"))


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core."""
    import axe_playwright_python

    return Path(axe_playwright_python.__file__).with_name("axe.min.js")


def _newest_source():
    """When what the book is made from last changed (files that the build itself writes left out)."""
    made = {"__pycache__", "_generated", ".ipynb_checkpoints"}
    files = [ROOT / "_config.yml", ROOT / "requirements.lock"]
    for folder in ("book", "notebooks", "src"):
        for path in (ROOT / folder).rglob("*"):
            parts = path.relative_to(ROOT).parts
            if path.is_file() and not made & set(parts) and parts[:2] != ("book", "notebooks"):
                files.append(path)
    return max(path.stat().st_mtime for path in files)


@pytest.fixture(scope="session")
def book_html():
    """The folder of the built book, which is built here when it is missing or older than its sources."""
    html = ROOT / "_build" / "html"
    index = html / "index.html"
    if not index.exists() or index.stat().st_mtime < _newest_source():
        command = [sys.executable, "-m", "keyfilters.book", "build", "--profile", "quick"]
        built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert built.returncode == 0, f"the book could not be built:\n{(built.stdout + built.stderr)[-3000:]}"
    return html


@pytest.fixture(scope="session")
def running():
    """One Chromium for all tests: Playwright cannot run twice at once in a process."""
    import browser

    with browser.chromium() as found:
        yield found


@pytest.fixture
def one_thread():
    """PyTorch on one thread, whose sums come in a fixed order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
