"""The exercises as a question bank in Moodle's XML, and sheets of Markdown as pages: both for lecturers.

A question is an essay with a file: the student hands in text or a notebook. The solution stands where Moodle shows it to
whoever grades.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import nbformat
from lxml import etree
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from .labels import Names, exercises_of
from .manifest import Entry
from .plain import Converter, only_solutions
from .project import Project

POINTS = {"easy": 1, "medium": 2, "harder": 3}
"""Level of an exercise -> points, as in grading."""

_FENCED = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
_MATHS = re.compile(r'<(?P<tag>span|div) class="math (?:inline|block)">\s*(?P<body>.*?)\s*</(?P=tag)>', re.DOTALL)

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


def as_html(text: str) -> str:
    """Markdown with formulas between dollars as HTML with formulas as MathJax reads them, in Moodle too.

    >>> as_html("It is $x_1$.")
    '<p>It is \\\\(x_1\\\\).</p>\\n'
    """

    def formula(match: re.Match) -> str:
        return f"\\({match['body']}\\)" if match["tag"] == "span" else f"\\[{match['body']}\\]"

    return _MATHS.sub(formula, _FENCED.render(text))


def sheet(text: str) -> str:
    """A page of its own from Markdown, whose first line is its title. Formulas need MathJax in the folder `_static` beside it."""
    body = as_html(text)
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
        convert = Converter(names, f"notebooks/{entry.slug}", link)
        convert.always = True
        for exercise in exercises_of(entry.slug, notebook):
            _question(quiz, exercise.title, convert.markdown(exercise.text), convert, solutions.get(exercise.label, []))
    etree.indent(quiz)
    return etree.tostring(quiz, xml_declaration=True, encoding="UTF-8")


def _question(quiz: etree._Element, title: str, text: str, convert: Converter, solution: list[tuple[str, str]]) -> None:
    question = etree.SubElement(quiz, "question", type="essay")
    etree.SubElement(etree.SubElement(question, "name"), "text").text = f"Exercise {title}"
    parts = [as_html(convert.markdown(source)) if kind == "markdown" else _code(source) for kind, source in solution]
    for name, content in (("questiontext", as_html(text)), ("graderinfo", "\n".join(parts))):
        shown = etree.SubElement(etree.SubElement(question, name, format="html"), "text")
        shown.text = etree.CDATA(_PLACE.sub(r"\g<words>", content))
    level = next((level for level in POINTS if f"({level})" in title), "easy")
    fields = {"defaultgrade": POINTS[level], "penalty": 0, "hidden": 0, "responseformat": "editorfilepicker"}
    for name, value in (fields | {"responserequired": 0, "responsefieldlines": 15, "attachments": 1}).items():
        etree.SubElement(question, name).text = str(value)


def _code(source: str) -> str:
    return f"<pre>{html.escape(source)}</pre>"
