"""`make students`: the book without the solutions of its exercises, in `_build/html-students`.

It is built anew from pages that never had them, so that search index, downloads and prints have none either. The slides
lose the speaker's notes, which have the answers to the exercises in class. With ``--pdf`` these pages are printed, too.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat

from .build import SAMPLE, build_html
from .pdf import print_book
from .plain import only_solutions, without_solutions
from .project import BookError, Project, remove_tree, write_atomic
from .teach import without_notes

_CLAIM = re.compile(r'\bclaim\(\s*f?"([^"{]+)')


def _without_claims(edition: Project) -> None:
    """What solutions claim is what they found: it goes from the tables of what was reproduced."""
    claims = set()
    for path in sorted(edition.notebooks.glob("*.ipynb")):
        for pieces in only_solutions(nbformat.read(path, as_version=4)).values():
            claims |= {claim for kind, text in pieces if kind == "code" for claim in _CLAIM.findall(text)}
    for path in sorted(edition.generated.rglob("reproduction*")):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        write_atomic(path, "".join(line for line in lines if not any(claim in line for claim in claims)))


def write_student_edition(project: Project, *, pdf: bool = False) -> list[Path]:
    """Build the edition from the staged notebooks; the paths of its first page and, if wanted, of its print.

    Raises `BookError` for a book that was not built, and as `print_book`.
    """
    if not (project.html / "index.html").is_file():
        raise BookError("the book is not built: run make book first")
    edition = Project(project.build / "students")
    remove_tree(edition.book)
    shutil.copytree(project.book, edition.book)
    shutil.copytree(project.notebooks, edition.notebooks, dirs_exist_ok=True)
    parts = Path("src") / "keyfilters_book" / "chapters"
    if (project.root / parts).is_dir():
        shutil.copytree(project.root / parts, edition.root / parts, dirs_exist_ok=True)
    for path, target in (
        (project.config, edition.config),
        (project.lock, edition.lock),
        (project.build / SAMPLE, edition.build / SAMPLE),
    ):
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    _without_claims(edition)
    # The pages, and the notebooks that they offer.
    for path in [*sorted(edition.staged.glob("*.ipynb")), *sorted(edition.notebooks.glob("*.ipynb"))]:
        write_atomic(path, nbformat.writes(without_solutions(nbformat.read(path, as_version=4))) + "\n")
    build_html(edition)
    target = project.build / "html-students"
    remove_tree(target)
    shutil.copytree(edition.html, target)
    for deck in sorted((target / "slides").glob("*.html")):
        write_atomic(deck, without_notes(f"slides/{deck.name}", deck.read_bytes()))
    if not pdf:
        return [target / "index.html"]
    printed = project.build / "pdf" / "keyfilters-book-students.pdf"
    printed.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(print_book(edition), printed)
    return [target / "index.html", printed]
