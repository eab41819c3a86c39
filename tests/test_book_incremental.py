"""A build that reads only what changed gives the same bytes as one from nothing."""

import nbformat
import pytest
from tiny_book import tiny_book

from keyfilters.book.command import main
from keyfilters.book.project import remove_tree


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


CHANGES = {
    "a word of a page": lambda p: rewritten(p.book / "index.md", "See {numref}", "Look at {numref}"),
    "a word of a notebook": lambda p: edited(p, "one", 0, "What it is about.", "What it is all about."),
    "a heading": lambda p: edited(p, "one", 3, "## Parabola", "## Before\n\nText.\n\n## A parabola"),
    "a title": lambda p: edited(p, "one", 0, "# Page one", "# Page number one"),
    "a number": lambda p: edited(p, "one", 5, "float(x.sum())", "float(x.sum()) + 1"),
    "a page more": a_page_more,
    "a style sheet": lambda p: (p.book / "_static" / "further.css").write_text("p { color: black; }\n"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = tiny_book(tmp_path_factory.mktemp("book"), "one", "two")
    (project.book / "index.md").write_text(
        (project.book / "index.md").read_text()
        + "\nThe sum is {glue:text}`notebooks/one.ipynb::sum-one:s`, as in {numref}`fig-two`; then {doc}`notebooks/one`.\n"
    )
    assert main([], root=project.root) == 0
    return project


# A change that its own page shows, and one that all do.
FEW = ("a word of a notebook", "a title")
REST = [what for what in CHANGES if what not in FEW]


@pytest.mark.parametrize("changes", [FEW, pytest.param(REST, marks=pytest.mark.slow)], ids=["few", "rest"])
def test_after_every_change_the_pages_are_those_of_a_build_from_nothing(project, changes):
    for what in changes:
        before = tree(project.html)
        CHANGES[what](project)
        assert main([], root=project.root) == 0, what
        found = tree(project.html)
        assert found != before, what
        remove_tree(project.build / "sphinx")
        (project.build / "html.sha256").unlink()
        assert main([], root=project.root) == 0
        fresh = tree(project.html)
        assert sorted(found) == sorted(fresh), what
        assert [name for name in fresh if found[name] != fresh[name]] == [], what


def test_a_warning_comes_again_until_it_is_mended(project, capsys):
    page = project.book / "index.md"
    text = page.read_text()
    page.write_text(text + "\n# Another title\n\n### Too deep\n")
    for _ in range(2):
        assert main([], root=project.root) == 1
        assert "index.md" in capsys.readouterr().err
        # Another page changes; the faulty one does not.
        edited(project, "two", 0, "about.", "about. ")
    page.write_text(text)
    assert main([], root=project.root) == 0
