"""`make teach`: two archives for a course, made from the built book.

`keyfilters-notebooks.zip` is the students': plain notebooks without outputs and without solutions, the slides without
the speaker's notes, and what is needed to run them. `keyfilters-notebooks-with-solutions.zip` is the lecturer's: the
same with notes, executed solutions and all outputs.
"""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from .labels import Names, read_names
from .launch import SUBDIRECTORY
from .manifest import Entry, load_manifest
from .plain import plain_notebook
from .prerequisites import MODULES
from .project import BookError, Project, write_atomic
from .slides import write_slides

# name of the archive -> whether it has the solutions
ARCHIVES = {"keyfilters-notebooks": False, "keyfilters-notebooks-with-solutions": True}
_LICENCES = ("LICENSE", "LICENSE-CC-BY-4.0.md")
# Of MathJax the slides load one script, and that its fonts.
_NOTES = re.compile(rb'<aside class="notes">.*?</aside>\n?', re.DOTALL)
_MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2")


def write_archives(project: Project) -> list[Path]:
    """Write both archives into `_build/teach`; two runs on the same book write the same bytes.

    Raises `BookError` for a book that was not built.
    """
    entries = load_manifest(project)
    built = [project.staged / f"{entry.slug}.ipynb" for entry in entries]
    built += [project.html / "notebooks" / f"{entry.slug}.html" for entry in entries] + [project.html / "index.html"]
    missing = [path for path in built if not path.is_file()]
    if missing:
        raise BookError(f"the book is not built, {project.short(missing[0])} is missing: run make book first")
    names = read_names(project, entries, project.html)
    shared = _shared(project, names, entries)
    written = []
    for archive, solutions in ARCHIVES.items():
        content = dict(shared) if solutions else {name: _without_notes(name, text) for name, text in shared.items()}
        content["README.md"] = _readme(project, names, entries, solutions).encode()
        for chapter, entry in enumerate(entries, start=1):
            content[f"notebooks/{entry.slug}.ipynb"] = _notebook(project, names, entry, chapter, solutions).encode()
        written.append(project.build / "teach" / f"{archive}.zip")
        write_atomic(written[-1], _zipped(archive, content))
    return written


def _source(names: Names, path: str, kind: str = "blob") -> str:
    return f"{names.repository['url'].rstrip('/')}/{kind}/{names.repository['branch']}/{path}"


def _slide_link(names: Names, address: str) -> str | None:
    """Away from the book, slides link to the pages' sources; a setting of the interactive page stays words."""
    page, _, setting = address.partition("#")
    if setting or page.endswith(".html"):
        return None
    return _source(names, f"{page}.ipynb" if page.startswith("notebooks/") else f"book/{page}.md")


def _shared(project: Project, names: Names, entries: list[Entry]) -> dict[str, bytes]:
    """What both archives hold: requirements, licences, slides."""
    content = {"requirements.txt": _requirements(names, entries).encode()}
    for name in _LICENCES:
        if (project.root / name).is_file():
            content[name] = (project.root / name).read_bytes()
    if not (project.book / "course.yml").is_file():
        return content
    with TemporaryDirectory() as folder:
        write_slides(project, names, Path(folder), lambda address: _slide_link(names, address))
        content |= _files(Path(folder), "slides")
    mathjax = project.html / "_static" / "mathjax"
    for name in _MATHJAX:
        path = mathjax / name
        inside = f"_static/mathjax/{name}"
        content |= _files(path, inside) if path.is_dir() else {inside: path.read_bytes()}
    content["_static/favicon.svg"] = (project.html / "_static" / "favicon.svg").read_bytes()
    return content


def _without_notes(name: str, content: bytes) -> bytes:
    """A deck for students: the speaker's notes have the answers."""
    return _NOTES.sub(b"", content) if name.startswith("slides/") and name.endswith(".html") else content


def _files(folder: Path, name: str) -> dict[str, bytes]:
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _extras(entries: list[Entry]) -> str:
    """The extras of the package that these notebooks ask for, as pip reads them."""
    extras = sorted({need for entry in entries for need in entry.needs if need in MODULES})
    return f"[{','.join(extras)}]" if extras else ""


def _requirements(names: Names, entries: list[Entry]) -> str:
    url, branch = names.repository["url"].rstrip("/"), names.repository["branch"]
    address = f"git+{url}@{branch}"
    return f"keyfilters{_extras(entries)} @ {address}\nkeyfilters-book @ {address}#subdirectory={SUBDIRECTORY}\njupyterlab\n"


def _readme(project: Project, names: Names, entries: list[Entry], solutions: bool) -> str:
    folder = project.book / "teach"
    head = (folder / ("README-with-solutions.md" if solutions else "README.md")).read_text(encoding="utf-8")
    common = (folder / "running.md").read_text(encoding="utf-8")
    rows = [
        f"| {chapter} | [{entry.title}](notebooks/{entry.slug}.ipynb) | {entry.minutes} | {', '.join(entry.needs) or '–'} |"
        for chapter, entry in enumerate(entries, start=1)
    ]
    text = head.replace("{running}", common)
    for name, value in {
        "{url}": names.repository["url"].rstrip("/"),
        "{requirement}": _requirements(names, entries).splitlines()[0],
        "{subdirectory}": SUBDIRECTORY,
        "{extras}": _extras(entries),
        "{notes}": " `S` opens\nthe notes of the speaker." if solutions else "",
        "{contents}": "\n".join(rows),
    }.items():
        text = text.replace(name, value)
    return text


def _notebook(project: Project, names: Names, entry: Entry, chapter: int, solutions: bool) -> str:
    def link(page: str) -> str:
        if page.startswith("notebooks/"):
            return f"{page.removeprefix('notebooks/')}.ipynb"
        return _source(names, f"book/{page}.md")

    heading = (
        f"*Chapter {chapter} of the book “The eight master key filters”, {names.repository['url'].rstrip('/')} · "
        f"about {entry.minutes} minutes to read · numbers of figures and equations are those of the book · "
        "text and figures CC BY 4.0, code MIT*"
    )
    staged = nbformat.read(project.staged / f"{entry.slug}.ipynb", as_version=4)
    notebook = plain_notebook(staged, entry.slug, names, link, heading, solutions=solutions)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _zipped(folder: str, content: dict[str, bytes]) -> bytes:
    """A zip whose bytes depend on names and contents only."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(content):
            info = zipfile.ZipInfo(f"{folder}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            # The system that made it is part of the bytes.
            info.create_system = 3
            archive.writestr(info, content[name], zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()
