"""The first code cell of every notebook in git: it installs the library and the package of the chapters where one
is missing, as in Colab, and adds the packages of an extra that are missing beside them.

One function makes the text of the cell and one command (`python -m keyfilters_build launch`) writes it into all
notebooks; the build refuses a notebook whose cell is another.

What is installed is pinned: the tag ``v<version>`` of the version in pyproject.toml, which is that of the release
being prepared until its tag is set. As long as there is no such tag the notebook can only come from the branch, and the
cell takes the branch. So the version is raised right after a release: see the README.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable

import nbformat
from nbformat import NotebookNode

from .manifest import Entry
from .prerequisites import FASHION_MNIST, MODULES
from .project import BookError, Project, write_atomic

CELL = "install-keyfilters"
"""Identifier of the cell, the same in all notebooks."""
SUBDIRECTORY = "src/keyfilters_book"
"""Where the repository has the package of the chapters, with a pyproject.toml of its own."""

_TAG = "remove-cell"

_TEXT = """\
# Where the library or the package of the chapters is missing, as in Colab, this cell installs both.
# It takes the release {tag}, or the branch {branch} as long as that release is not out.
# Where only packages are missing that the notebook needs beside it, they are added to what is there.
{data}import importlib.util
import subprocess
import sys

needed = "{needed}".split()
missing = [name for name in needed if importlib.util.find_spec(name) is None]
if missing:
    library, chapters = "keyfilters{extras} @ git+{url}@", "keyfilters-book @ git+{url}@"
    ways = [(library + version, chapters + version + "#subdirectory={subdirectory}") for version in ("{tag}", "{branch}")]
    if not {{"keyfilters", "keyfilters_book"}} & set(missing):
        ways = [("keyfilters{extras}",)]
    for packages in ways:
        command = [sys.executable, "-m", "pip", "install", "--quiet", *packages]
        pip = subprocess.run(command, capture_output=True, text=True)
        if pip.returncode == 0:
            print("installed:", *packages)
            break
    else:
        raise RuntimeError(f"{{', '.join(missing)}}: missing; pip could not install {{packages[0]}}: {{pip.stderr.strip()[-500:]}}")
    importlib.invalidate_caches()"""

_DATA = """\
# Fashion-MNIST (30 MB) is downloaded by keyfilters.fetch, which checks its hashes, when a cell first asks for it.
"""


def install_cell(needs: Iterable[str], url: str, version: str, branch: str = "main") -> str:
    """Source of the cell that installs the library with the extras that these `needs` of a notebook ask for.

    Parameters
    ----------
    needs : needs of the notebook, as in the manifest
    url : address of the repository
    version : version of the package, whose release has the tag ``v<version>``
    branch : what is installed as long as there is no such tag

    Examples
    --------
    >>> cell = install_cell(["networks", "fashion-mnist"], "https://example.org/book", "1.2.0")
    >>> print(next(line.strip() for line in cell.splitlines() if "@" in line))
    library, chapters = "keyfilters[networks] @ git+https://example.org/book@", "keyfilters-book @ git+https://example.org/book@"
    >>> 'for version in ("v1.2.0", "main")]' in cell, "Fashion-MNIST" in cell
    (True, True)
    """
    wanted = set(needs)
    chosen = [extra for extra in MODULES if extra in wanted]
    modules = dict.fromkeys(module for extra in chosen for module in MODULES[extra])
    extras = ",".join(chosen)
    return _TEXT.format(
        needed=" ".join(["keyfilters", "keyfilters_book", *modules]),
        tag=f"v{version}",
        branch=branch,
        subdirectory=SUBDIRECTORY,
        data=_DATA if FASHION_MNIST in wanted else "",
        extras=f"[{extras}]" if extras else "",
        url=url,
    )


def is_install_cell(cell: NotebookNode) -> bool:
    """Whether it is the cell that installs the library, whatever its text.

    Examples
    --------
    >>> from nbformat import v4
    >>> is_install_cell(v4.new_code_cell("x = 1"))
    False
    """
    return cell.get("id") == CELL


def package_version(project: Project) -> str | None:
    """The version in pyproject.toml; None for a book without one, whose notebooks need no such cell."""
    path = project.root / "pyproject.toml"
    if not path.is_file():
        return None
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise BookError(f"{project.short(path)}: no version of the project: {error}") from None


def expected_cells(project: Project, entries: Iterable[Entry]) -> dict[str, str]:
    """Notebook -> the text of its cell; empty for a book without pyproject.toml."""
    version = package_version(project)
    if version is None:
        return {}
    branch = project.settings["repository"]["branch"]
    return {entry.slug: install_cell(entry.needs, project.repository, version, branch) for entry in entries}


def write_install_cells(project: Project, entries: Iterable[Entry]) -> list[str]:
    """Write the cell into each notebook, behind its title, and return the names of those that changed.

    Nothing else in a file changes.
    """
    entries = list(entries)
    changed = []
    for slug, text in expected_cells(project, entries).items():
        path = project.notebooks / f"{slug}.ipynb"
        before = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(before, as_version=4)
        notebook.cells = [cell for cell in notebook.cells if not is_install_cell(cell)]
        cell = nbformat.v4.new_code_cell(text, metadata={"tags": [_TAG]})
        cell["id"] = CELL
        notebook.cells.insert(1, cell)
        after = nbformat.writes(notebook) + "\n"
        if after != before:
            write_atomic(path, after)
            changed.append(slug)
    return changed
