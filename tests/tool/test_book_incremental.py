"""A build that reads only what changed gives the same bytes as one from nothing."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from tiny_book import ROOT, copied, edit, files, tiny_book, write_notebook

from keyfilters_build.command import main
from keyfilters_build.project import remove_tree, write_atomic


def rewritten(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def edited(slug, position, old, new):
    """A change of the source of a cell."""
    return lambda project: edit(project, slug, position, lambda text: text.replace(old, new))


def a_page(name):
    """A change: the book has one page more, of this name."""

    def change(project):
        (project.book / f"{name}.md").write_text("# More\n\nSee {doc}`index` and {numref}`fig-two`.\n")
        rewritten(project.book / "_toc.yml", "chapters:\n", f"chapters:\n  - file: {name}\n")

    return change


def a_page_renamed(project):
    (project.book / "more.md").rename(project.book / "renamed.md")
    rewritten(project.book / "_toc.yml", "file: more", "file: renamed")


def a_figure_more(project):
    notebook = nbformat.read(project.notebooks / "one.ipynb", as_version=4)
    source = notebook.cells[4].source.replace("x**2", "x**3").replace("fig-one", "fig-another")
    shown = {"figure": {"name": "fig-another", "caption": "A cubic."}, "image": {"alt": "A cubic."}}
    notebook.cells[3].source += "\n\nAnother is {numref}`fig-another`."
    notebook.cells.insert(4, nbformat.v4.new_code_cell(source, metadata={"mystnb": shown}, id="cell-another"))
    write_notebook(project, "one", notebook)


SPECTRUM = "library/keyfilters_book/paper/spectrum.py"
CHANGES = {
    "a word of a page": lambda p: rewritten(p.book / "index.md", "See {numref}", "Look at {numref}"),
    "a heading": edited("one", 3, "## Parabola", "## Before\n\nText.\n\n## A parabola"),
    "a title": edited("one", 0, "# Page one", "# Page number one"),
    "a number": edited("one", 5, "float(x.sum())", "float(x.sum()) + 1"),
    "an exercise": edited("one", 6, "How large is", "What is"),
    "a figure more": a_figure_more,
    "a page more": a_page("more"),
    "a page renamed": a_page_renamed,
    "a term": lambda p: rewritten(p.book / "glossary.md", "runs around", "goes around"),
    "a docstring": lambda p: rewritten(p.root / SPECTRUM, "Return the largest gain", "Return the greatest gain"),
    "a style sheet": lambda p: (p.book / "_static" / "further.css").write_text("p { color: black; }\n"),
}
"""Changes that may show on any page."""


def built(project):
    """Build the book with its own copy of the library, whose docstrings may be changed."""
    environment = {**os.environ, "PYTHONPATH": str(project.root / "library")}
    command = [sys.executable, "-m", "keyfilters_build"]
    return subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = tiny_book(tmp_path_factory.mktemp("book"), "one", "two")
    for folder in ("src/keyfilters", "src/keyfilters_book", "tools/keyfilters_build"):
        shutil.copytree(ROOT / folder, project.root / "library" / folder.partition("/")[2])
    more = "The sum is {glue:text}`notebooks/one.ipynb::sum-one:s`, as in {numref}`fig-two`; then {doc}`notebooks/one`."
    for name, text in {
        "index": f"{(project.book / 'index.md').read_text()}\n{more}\n",
        "glossary": "# Words\n\n:::{glossary}\nparabola\n  A line that runs around a point.\n:::\n",
        "api/spectrum": "# A name\n\n```{eval-rst}\n.. autofunction:: keyfilters_book.paper.spectrum.sharpest_gain\n```\n",
    }.items():
        write_atomic(project.book / f"{name}.md", text)
    rewritten(project.book / "_toc.yml", "chapters:\n", "chapters:\n  - file: glossary\n  - file: api/spectrum\n")
    run = built(project)
    assert run.returncode == 0, run.stderr
    return project


@pytest.mark.parametrize(
    "changes", [["a number", "a page more", "a docstring"], *(pytest.param([what], marks=pytest.mark.slow) for what in CHANGES)]
)
def test_what_was_read_before_gives_the_book_of_a_build_from_nothing(project, tmp_path, changes):
    changed = copied(project, tmp_path / "book")
    if "a page renamed" in changes:
        CHANGES["a page more"](changed)
    before = files(changed.html)
    for what in changes:
        CHANGES[what](changed)
    run = built(changed)
    assert run.returncode == 0, run.stderr
    found = files(changed.html)
    remove_tree(changed.build / "sphinx")
    (changed.build / "html.sha256").unlink()
    run = built(changed)
    assert run.returncode == 0, run.stderr
    anew = files(changed.html)
    assert found.keys() == anew.keys() and found != before
    assert [name for name in found if found[name] != anew[name]] == []


def test_a_warning_comes_again_until_it_is_mended(project, capsys):
    page = project.book / "index.md"
    text = page.read_text()
    page.write_text(text + "\n# Another title\n\n### Too deep\n")
    for _ in range(2):
        assert main([], root=project.root) == 1
        assert "index.md" in capsys.readouterr().err
        # Another page changes; the faulty one does not.
        edited("two", 0, "about?", "about? ")(project)
    page.write_text(text)
    assert main([], root=project.root) == 0
