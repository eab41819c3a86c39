"""What several test files share."""

import fcntl
import json
import os
import shutil
from pathlib import Path

import patient
import pytest
from hypothesis import settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")

# No test is timed: a busy machine would fail it. In CI the examples are the same in every run, so that a change of the
# verdict comes from a change of the code; elsewhere each run looks at new ones.
settings.register_profile("book", deadline=None, derandomize=IN_CI)
settings.load_profile("book")


def pytest_ignore_collect(collection_path):
    """Doctests stand in the library: what the tests share is imported by the tests that use it, not collected."""
    helper = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return (helper and collection_path.is_relative_to(HERE)) or None


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder of this run of the tests that all its processes share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def once(shared_folder):
    """`once(name, make)` calls `make` in one of the processes that share the tests; the others wait until it is done."""

    def run(name, make):
        done = shared_folder / f"{name}.done"
        with (shared_folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a process that was killed leaves no lock behind
            if not done.exists():
                make()
                done.touch()

    return run


@pytest.fixture(scope="session")
def nodejs(once):
    """The Node.js that Playwright brings: the same on each machine, and never missing."""
    from keyfilters_build.chromium import find_node

    once("node", find_node)  # which may install a library that it needs
    return find_node()


@pytest.fixture(scope="session")
def node(nodejs):
    """Ask the scripts of the book's pages, run by Node.js."""

    def ask(what, **request):
        done = patient.run(
            [nodejs, str(ROOT / "tests" / "helpers" / "interactive_numbers.js")],
            input=json.dumps({"what": what, **request}), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core."""
    import axe_playwright_python

    return Path(axe_playwright_python.__file__).with_name("axe.min.js")


@pytest.fixture(scope="session")
def book_html():
    """The folder of the built book. `make test` builds it before; here it is only asked for."""
    html = ROOT / "_build" / "html"
    if not (html / "index.html").is_file():
        pytest.fail("the book is not built: run `make book` first (make test does)", pytrace=False)
    return html


@pytest.fixture(scope="session")
def built_book(shared_folder, once):
    """A small book of two notebooks, built once for all processes; `tiny_book.copied` gives a copy to change."""
    from tiny_book import tiny_book

    from keyfilters_build.command import main
    from keyfilters_build.project import Project

    project = Project(shared_folder / "built-book")

    def build():
        shutil.rmtree(project.root, ignore_errors=True)
        tiny_book(project.root, "one", "two", quick="{n: 4, every: 1}")
        assert main(["build"], root=project.root) == 0

    once("built-book", build)
    return project


@pytest.fixture
def no_kernels(monkeypatch):
    """Notebooks are not executed but copied: for tests of what is executed, and when."""
    from tiny_book import executed_by_nobody

    monkeypatch.setattr("keyfilters_build.execute._executed", executed_by_nobody)


@pytest.fixture(scope="session")
def running(once, nodejs):
    """One Chromium for all tests of a process: Playwright cannot run twice at once in it."""
    import browser

    once("chromium", browser.find_chromium)  # which may install one
    with browser.chromium() as found:
        yield found


@pytest.fixture(scope="session")
def addresses(book_html):
    """Protocol -> address of the built book."""
    from browser import served

    with served(book_html) as http:
        yield {"http": http, "file": book_html.as_uri()}


@pytest.fixture
def visit(running, addresses):
    """Opens pages of the built book; whatever goes wrong in one of them fails the test at its end."""
    from pages import ready
    from tabs import Tabs

    tabs = Tabs(running, addresses, ready)
    yield tabs.open
    tabs.close()


@pytest.fixture
def one_thread():
    """PyTorch on one thread, whose sums come in a fixed order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
