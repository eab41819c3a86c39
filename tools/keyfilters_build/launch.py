"""The first code cell of every notebook in git: one statement that installs what the notebook needs where that is
missing, as in Colab, and does nothing elsewhere. (`%pip install` would ask the index in each run of each notebook, and put the
branch over a clone that is worked on.)

One function makes the text of the cell and one command (`python -m keyfilters_build launch`) writes it into all
notebooks; the build refuses a notebook whose cell is another.

The library and the package of the chapters come by address from the branch that `_config.yml` names, which the launch links
open too; in a release it names the tag. Packages of an extra are added to the library that is there, which may be a clone
that is worked on.
"""

from __future__ import annotations

from collections.abc import Iterable

import nbformat
from nbformat import NotebookNode

from .manifest import Entry
from .prerequisites import FASHION_MNIST, MODULES
from .project import Project, write_atomic

CELL = "install-keyfilters"
"""Identifier of the cell, the same in all notebooks."""
SUBDIRECTORY = "src/keyfilters_book"
"""Where the repository has the package of the chapters, with a pyproject.toml of its own."""

_TAG = "remove-cell"

_TEXT = """\
# Installs what is missing here, as in Colab.{data}
for modules, packages in {{{rows}}}.items(): \
all(map(__import__("importlib.util").util.find_spec, modules.split())) or \
__import__("subprocess").check_call([__import__("sys").executable, *"-m pip install -q".split(), *packages.split()])"""

_DATA = " Fashion-MNIST (30 MB) is downloaded when a cell first asks for it."


def install_cell(needs: Iterable[str], url: str, branch: str) -> str:
    """Source of the cell that installs the library, the chapters' package and the extras that these `needs` ask for.

    Parameters
    ----------
    needs : needs of the notebook, as in the manifest
    url : address of the repository
    branch : its branch or tag

    Examples
    --------
    >>> cell = install_cell(["survey", "fashion-mnist"], "https://example.org/book", "v1.2.0")
    >>> len(cell.splitlines()), "git+https://example.org/book@v1.2.0" in cell, "keyfilters[survey]" in cell
    (2, True, True)
    """
    wanted = set(needs)
    chosen = [extra for extra in MODULES if extra in wanted]
    modules = dict.fromkeys(module for extra in chosen for module in MODULES[extra])
    address = f"git+{url}@{branch}"
    rows = [("keyfilters keyfilters_book", f"{address} {address}#subdirectory={SUBDIRECTORY}")]
    if chosen:
        rows.append((" ".join(modules), f"keyfilters[{','.join(chosen)}]"))
    return _TEXT.format(
        rows=", ".join(f'"{names}": "{packages}"' for names, packages in rows), data=_DATA if FASHION_MNIST in wanted else ""
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


def expected_cells(project: Project, entries: Iterable[Entry]) -> dict[str, str]:
    """Notebook -> the text of its cell; empty for a book that is no package, whose notebooks need no such cell."""
    if not (project.root / "pyproject.toml").is_file():
        return {}
    branch = project.settings["repository"]["branch"]
    return {entry.slug: install_cell(entry.needs, project.repository, branch) for entry in entries}


def write_install_cells(project: Project, entries: Iterable[Entry]) -> list[str]:
    """Write the cell into each notebook, behind its title, and return the names of those that changed.

    Nothing else in a file changes.
    """
    entries = list(entries)
    changed = []
    for slug, text in expected_cells(project, entries).items():
        path = project.notebooks / f"{slug}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        cell = nbformat.v4.new_code_cell(text, id=CELL, metadata={"tags": [_TAG]})
        if notebook.cells[1:2] != [cell]:
            notebook.cells = [cell for cell in notebook.cells if not is_install_cell(cell)]
            notebook.cells.insert(1, cell)
            write_atomic(path, nbformat.writes(notebook) + "\n")
            changed.append(slug)
    return changed
