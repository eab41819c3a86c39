"""A build that reads only what changed gives the same bytes as one from nothing."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from tiny_book import ROOT, copied, tiny_book

from keyfilters_build.command import main
from keyfilters_build.project import remove_tree


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rewritten(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def edited(project, slug, position, old, new):
    path = project.notebooks / f"{slug}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert old in notebook.cells[position].source
    notebook.cells[position].source = notebook.cells[position].source.replace(old, new)
    nbformat.write(notebook, path)


def a_page_more(project):
    (project.book / "more.md").write_text("# More\n\nSee {doc}`index` and {numref}`fig-two`.\n")
    rewritten(project.book / "_toc.yml", "chapters:\n", "chapters:\n  - file: more\n")


def a_page_renamed(project):
    (project.book / "more.md").rename(project.book / "renamed.md")
    rewritten(project.book / "_toc.yml", "file: more", "file: renamed")


def a_figure_more(project):
    path = project.notebooks / "one.ipynb"
    notebook = nbformat.read(path, as_version=4)
    figure = notebook.cells[4].copy()
    figure["id"] = "cell-another"
    figure.source = figure.source.replace("x**2", "x**3").replace("fig-one", "fig-another")
    figure.metadata = nbformat.from_dict(
        {"mystnb": {"figure": {"name": "fig-another", "caption": "A cubic."}, "image": {"alt": "A cubic."}}}
    )
    notebook.cells[3].source += "\n\nAnother is {numref}`fig-another`."
    notebook.cells.insert(4, figure)
    nbformat.write(notebook, path)


def a_docstring(project):
    rewritten(
        project.root / "library" / "keyfilters_book" / "paper" / "spectrum.py",
        "Return the largest gain",
        "Return the greatest gain",
    )


CHANGES = {
    "a word of a page": lambda p: rewritten(p.book / "index.md", "See {numref}", "Look at {numref}"),
    "a heading": lambda p: edited(p, "one", 3, "## Parabola", "## Before\n\nText.\n\n## A parabola"),
    "a title": lambda p: edited(p, "one", 0, "# Page one", "# Page number one"),
    "a number": lambda p: edited(p, "one", 5, "float(x.sum())", "float(x.sum()) + 1"),
    "an exercise": lambda p: edited(p, "one", 6, "How large is", "What is"),
    "a figure more": a_figure_more,
    "a page more": a_page_more,
    "a page renamed": a_page_renamed,
    "a term": lambda p: rewritten(p.book / "glossary.md", "runs around", "goes around"),
    "a docstring": a_docstring,
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
    (project.book / "index.md").write_text(
        (project.book / "index.md").read_text()
        + "\nThe sum is {glue:text}`notebooks/one.ipynb::sum-one:s`, as in {numref}`fig-two`; then {doc}`notebooks/one`.\n"
    )
    (project.book / "glossary.md").write_text("# Words\n\n:::{glossary}\nparabola\n  A line that runs around a point.\n:::\n")
    (project.book / "api").mkdir()
    (project.book / "api" / "spectrum.md").write_text(
        "# A name\n\n```{eval-rst}\n.. autofunction:: keyfilters_book.paper.spectrum.sharpest_gain\n```\n"
    )
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
        a_page_more(changed)
    before = tree(changed.html)
    for what in changes:
        CHANGES[what](changed)
    found = []
    for read_before in (True, False):
        if not read_before:
            remove_tree(changed.build / "sphinx")
            (changed.build / "html.sha256").unlink()
        run = built(changed)
        assert run.returncode == 0, run.stderr
        found.append(tree(changed.html))
    assert sorted(found[0]) == sorted(found[1])
    assert [name for name in found[0] if found[0][name] != found[1][name]] == [] and found[0] != before


def test_a_warning_comes_again_until_it_is_mended(project, capsys):
    page = project.book / "index.md"
    text = page.read_text()
    page.write_text(text + "\n# Another title\n\n### Too deep\n")
    for _ in range(2):
        assert main([], root=project.root) == 1
        assert "index.md" in capsys.readouterr().err
        # Another page changes; the faulty one does not.
        edited(project, "two", 0, "about?", "about? ")
    page.write_text(text)
    assert main([], root=project.root) == 0
