"""`make teach`: what a course is taught from, made from the built book, with a page that lists it.

A question of the bank is an essay with a file: the student hands in text or a notebook. The solution stands where Moodle shows it
to whoever grades.

`keyfilters-notebooks.zip` is the students': plain notebooks without outputs and without solutions, the slides without
the speaker's notes, and what is needed to run them. `keyfilters-notebooks-with-solutions.zip` is the lecturer's: the
same with notes, executed solutions and all outputs, the exercises as a question bank for Moodle, and an exam with its
solutions. Decks, handouts and sheets are printed as PDF, too. All of it lies in `_build/html/teach`, so that it is
published with the book.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from lxml import etree
from lxml import html as lxml_html

from .course import Plan, load_course
from .labels import Names, exercises_of, read_names
from .launch import SUBDIRECTORY
from .manifest import Entry, load_manifest
from .plain import Converter, only_solutions, plain_notebook
from .prerequisites import MODULES
from .project import BookError, GateError, Project, remove_tree, write_atomic
from .slides import markdown, write_slides

POINTS = {"easy": 1, "medium": 2, "harder": 3}
"""Level of an exercise -> points, as in grading."""

# A place of a page: in Moodle it leads nowhere, and its words stay.
_PLACE = re.compile(r'<a href="(?!https?:)[^"]*">(?P<words>.*?)</a>', re.DOTALL)

_SHEET = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse }} th, td {{ border: 1px solid #888; padding: 0.2rem 0.6rem; text-align: left }}
.room {{ border-bottom: 1px dotted #888; height: 9rem }} @page {{ margin: 18mm }}</style>
{script}</head><body>
{body}
</body></html>
"""

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
    built += [project.written / f"{entry.slug}.ipynb" for entry in entries]
    built += [project.html / "notebooks" / f"{entry.slug}.html" for entry in entries] + [project.html / "index.html"]
    missing = [path for path in built if not path.is_file()]
    if missing:
        raise BookError(f"the book is not built, {project.short(missing[0])} is missing: run make book first")
    names = read_names(project, entries, project.html)
    shared = _shared(project, names, entries)
    written = []
    for archive, solutions in ARCHIVES.items():
        content = dict(shared) if solutions else {name: without_notes(name, text) for name, text in shared.items()}
        content["README.md"] = _readme(project, names, entries, solutions).encode()
        content |= _sheets(project, names, solutions)
        if solutions:
            content["exercises-moodle.xml"] = question_bank(project, names, entries, partial(_source, names))
        for chapter, entry in enumerate(entries, start=1):
            content[f"notebooks/{entry.slug}.ipynb"] = _notebook(project, names, entry, chapter, solutions).encode()
        written.append(project.build / "teach" / f"{archive}.zip")
        write_atomic(written[-1], _zipped(archive, content))
    return written


def _sheets(project: Project, names: Names, solutions: bool) -> dict[str, bytes]:
    """The worksheets of the exercises in class; for lecturers the exam and its solutions, too."""
    found = {}
    for plan in load_course(project):
        text = worksheet(plan, names, partial(_source, names))
        found[f"worksheet-{plan.slug}.html"] = sheet(text).encode()
    for name in ("exam", "exam-solutions") if solutions else ():
        path = project.book / "teach" / f"{name}.md"
        if path.is_file():
            found[f"{name}.html"] = sheet(path.read_text(encoding="utf-8")).encode()
    return found


def worksheet(plan: Plan, names: Names, link: Callable[[str], str]) -> str:
    """The exercises in class of a plan, with room to write; the answers stand in the speaker's notes."""
    parts = [f"# Worksheet: {plan.title}", "Paper is enough; what asks for a computer is for home. Name: ____________________"]
    for label in (label for part in plan.parts for label in part.exercises):
        exercise = names.exercises[label]
        convert = Converter(names, f"notebooks/{exercise.slug}", link, always=True)
        parts += [f"## Exercise {exercise.title}", convert.markdown(exercise.text), '<div class="room"></div>']
    return "\n\n".join(parts) + "\n"


def write_kit(project: Project) -> list[Path]:
    """Write archives, sheets and prints into `_build/html/teach` and a page that lists them; what was written.

    Without a Chromium the prints are left out. Raises `GateError` where a file is not what the page says.
    """
    archives = write_archives(project)
    folder = project.html / "teach"
    remove_tree(folder)
    folder.mkdir(parents=True)
    written = [Path(shutil.copyfile(archive, folder / archive.name)) for archive in archives]
    with zipfile.ZipFile(archives[-1]) as archive:
        members = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith((".html", ".xml"))]
        for name in members:
            written.append(folder / name.split("/")[1])
            # Beside the book's own MathJax.
            write_atomic(written[-1], archive.read(name).replace(b'src="_static/', b'src="../_static/'))
    written += _prints(project, [path for path in written if path.suffix == ".html"])
    write_atomic(folder / "index.html", kit_page(written))
    if problems := kit_problems(project):
        raise GateError("\n".join([f"teaching kit: {len(problems)} files are not what they should be", *problems]))
    return written


def _prints(project: Project, sheets: list[Path]) -> list[Path]:
    """Each deck as slides and as a handout, and each sheet, as PDF."""
    from .chromium import NoBrowser, chromium, settle

    sources = {path.with_suffix(".pdf").name: (path, "") for path in sheets}
    for deck in sorted((project.html / "slides").glob("*.html")):
        sources |= {f"slides-{deck.stem}.pdf": (deck, "?print-pdf"), f"handout-{deck.stem}.pdf": (deck, "?read")}
    written: list[Path] = []
    if not sources:
        return written
    try:
        with chromium() as browser:
            for name, (path, how) in sources.items():
                page = browser.new_page(color_scheme="light")
                page.set_default_timeout(600_000)
                page.goto(path.as_uri() + how, wait_until="load")
                settle(page)
                if how == "?print-pdf":
                    # The slides become pages after the formulas are set; before that the print would be blank.
                    page.wait_for_function("window.Reveal && Reveal.isReady() && document.querySelector('.pdf-page')")
                page.evaluate("() => Promise.all([...document.images].map(image => image.decode()))")
                written.append(project.html / "teach" / name)
                page.pdf(path=written[-1], prefer_css_page_size=True, print_background=True, format="A4")
                page.close()
    except NoBrowser as error:
        print(f"no PDF: {error}", file=sys.stderr)
    return written


# Heading -> beginnings of the names of files, with what they are.
_WORDS = {
    "For the class": {
        "keyfilters-notebooks.zip": "notebooks without solutions, slides and worksheets, to send out",
        "worksheet-": "worksheet for the exercises in class, to print",
    },
    "For you": {
        "slides-": "slides, one a page",
        "handout-": "slides with the speaker's notes, and in them the answers to the worksheet",
        "keyfilters-notebooks-with-solutions.zip": "the same notebooks, executed, with solutions; slides with notes",
    },
    "For an exam": {
        "exam.": "an exam of an hour",
        "exam-solutions.": "its solutions, with points and a rubric",
        "exercises-moodle.xml": "all exercises as a question bank: Question bank, Import, Moodle XML format",
    },
}


def kit_page(files: Sequence[Path]) -> str:
    """A page that lists the kit; without files it says how to make them."""
    parts = []
    for heading, kinds in _WORDS.items():
        rows = [
            f"- [{path.name}]({path.name}), {words} ({_size(path.stat().st_size)})"
            for start, words in kinds.items()
            for path in sorted(files, key=lambda path: ("networks" in path.stem, path.name))  # the first plan first
            if path.name.startswith(start)
        ]
        parts += [f"## {heading}", "\n".join(rows)] if rows else []
    listed = "\n\n".join(parts) or "This copy of the book came without it: `make teach` in a clone of the repository makes it."
    back = "[Back to the book](../index.html)"
    return sheet(f"# Teaching kit\n\n{listed}\n\n{back}\n")


def _size(octets: int) -> str:
    """
    >>> _size(184099), _size(18490446)
    ('184 kB', '18.5 MB')
    """
    return f"{octets / 1e6:.1f} MB" if octets >= 1e6 else f"{max(octets / 1e3, 1):.0f} kB"


def kit_problems(project: Project) -> list[str]:
    """What is wrong with the files that the page of the kit links; empty for a kit that can be handed out."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    folder = project.html / "teach"
    decks = {plan.slug: sum(len(part.slides) for part in plan.parts) for plan in load_course(project)}
    problems = []
    for name in lxml_html.parse(str(folder / "index.html")).xpath("//li/a/@href"):
        path = folder / name
        if not path.is_file() or not path.stat().st_size:
            problems.append(f"{name}: not there, or empty")
        elif path.suffix == ".zip" and not zipfile.is_zipfile(path):
            problems.append(f"{name}: no archive")
        elif path.suffix == ".pdf":
            try:
                sheets = [page.extract_text().strip() for page in PdfReader(path).pages]
            except PyPdfError as error:
                problems.append(f"{name}: no PDF: {error}")
                continue
            wanted = decks.get(path.stem.removeprefix("slides-"), len(sheets))
            if not sheets or not all(sheets) or len(sheets) != wanted:
                problems.append(f"{name}: {len(sheets)} pages, {sheets.count('')} of them blank; expected {wanted or 'some'}")
    return problems


def _source(names: Names, page: str) -> str:
    """The address of the source of a page in the repository."""
    path = f"{page}.ipynb" if page.startswith("notebooks/") else f"book/{page}.md"
    return f"{names.repository['url'].rstrip('/')}/blob/{names.repository['branch']}/{path}"


def _slide_link(names: Names, address: str) -> str | None:
    """Away from the book, slides link to the pages' sources; a setting of the interactive page stays words."""
    page, _, setting = address.partition("#")
    return None if setting or page.endswith(".html") else _source(names, page)


def _shared(project: Project, names: Names, entries: list[Entry]) -> dict[str, bytes]:
    """What both archives hold: requirements, licences, slides."""
    content = {"requirements.txt": _requirements(names, entries).encode()}
    for name in _LICENCES:
        if (project.root / name).is_file():
            content[name] = (project.root / name).read_bytes()
    if not load_course(project):
        return content
    with TemporaryDirectory() as folder:
        write_slides(project, names, Path(folder), partial(_slide_link, names))
        content |= _files(Path(folder), "slides")
    mathjax = project.html / "_static" / "mathjax"
    for name in _MATHJAX:
        path = mathjax / name
        inside = f"_static/mathjax/{name}"
        content |= _files(path, inside) if path.is_dir() else {inside: path.read_bytes()}
    content["_static/favicon.svg"] = (project.html / "_static" / "favicon.svg").read_bytes()
    return content


def without_notes(name: str, content: bytes) -> bytes:
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
        return _source(names, page)

    heading = (
        f"*Chapter {chapter} of the book “The eight master key filters”, {names.repository['url'].rstrip('/')} · "
        f"about {entry.minutes} minutes to read · numbers of figures and equations are those of the book · "
        "text and figures CC BY 4.0, code MIT*"
    )
    written = nbformat.read(project.written / f"{entry.slug}.ipynb", as_version=4)
    notebook = plain_notebook(written, entry.slug, names, link, heading, solutions=solutions)
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


def sheet(text: str) -> str:
    """A page of its own from Markdown, whose first line is its title. Formulas need MathJax in the folder `_static` beside it."""
    body = markdown().render(text)
    script = '<script src="_static/mathjax/tex-chtml.js" defer></script>' if "\\(" in body or "\\[" in body else ""
    return _SHEET.format(title=html.escape(text.splitlines()[0].lstrip("# ")), body=body, script=script)


def question_bank(project: Project, names: Names, entries: list[Entry], link: Callable[[str], str]) -> bytes:
    """All exercises, a category for each chapter, with points, and the solutions for whoever grades."""
    quiz = etree.Element("quiz")
    for chapter, entry in enumerate(entries, start=1):
        notebook = nbformat.read(project.staged / f"{entry.slug}.ipynb", as_version=4)
        solutions = only_solutions(notebook)
        category = etree.SubElement(etree.SubElement(quiz, "question", type="category"), "category")
        title = f"Chapter {chapter}: {entry.title}".replace("/", "-")
        etree.SubElement(category, "text").text = f"$course$/The eight master key filters/{title}"
        convert = Converter(names, f"notebooks/{entry.slug}", link, always=True)
        for exercise in exercises_of(entry.slug, notebook):
            _question(quiz, exercise.title, convert.markdown(exercise.text), convert, solutions.get(exercise.label, []))
    etree.indent(quiz)
    return etree.tostring(quiz, xml_declaration=True, encoding="UTF-8")


def _question(quiz: etree._Element, title: str, text: str, convert: Converter, solution: list[tuple[str, str]]) -> None:
    question = etree.SubElement(quiz, "question", type="essay")
    etree.SubElement(etree.SubElement(question, "name"), "text").text = f"Exercise {title}"
    parts = [markdown().render(convert.markdown(source)) if kind == "markdown" else _code(source) for kind, source in solution]
    for name, content in (("questiontext", markdown().render(text)), ("graderinfo", "\n".join(parts))):
        shown = etree.SubElement(etree.SubElement(question, name, format="html"), "text")
        shown.text = etree.CDATA(_PLACE.sub(r"\g<words>", content))
    level = next((level for level in POINTS if f"({level})" in title), "easy")
    fields = {"defaultgrade": POINTS[level], "penalty": 0, "hidden": 0, "responseformat": "editorfilepicker"}
    for name, value in (fields | {"responserequired": 0, "responsefieldlines": 15, "attachments": 1}).items():
        etree.SubElement(question, name).text = str(value)


def _code(source: str) -> str:
    return f"<pre>{html.escape(source)}</pre>"
