"""The course: two plans from `book/course.yml`, checked, and written as tables for the page and the slides.

A plan is a list of parts with minutes. Each part names its slides, pages, settings of the interactive page and
exercises.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import nbformat

from .labels import exercises_of
from .manifest import Entry, contents, load_manifest
from .project import BookError, Project, checked, fields, read_yaml, write_atomic

MINUTES = 90
"""Length of a plan."""

_GOALS = re.compile(r"^\*\*Goals\*\*\s*$(?P<list>.*?)(?=^\*\*|\Z)", re.MULTILINE | re.DOTALL)
_DOC = re.compile(r"\{doc\}`(?:([^`<]*)<)?([^`<>/]+)>?`")
FIGURE = re.compile(r"^!\[(?P<alt>[^\]]*)\]\((?P<slug>\w+)/(?P<name>[a-z0-9-]+)\)$", re.MULTILINE)
_HEADING = re.compile(r"^(?P<marks>#{1,2}) (?P<text>.+)$", re.MULTILINE)
_NAME = re.compile(r"\A\s*\((?P<name>[a-z0-9-]+)\)=\s*\n")
_TEXT, _MINUTES = {"type": "string", "minLength": 1}, {"type": "integer", "exclusiveMinimum": 0}
_TEXTS = {"type": "array", "items": _TEXT}


_PART = fields(
    "takes", "pages", "settings", "exercises",
    minutes=_MINUTES, title=_TEXT, do=_TEXT, slides=_TEXTS | {"minItems": 1},
    takes={"type": "object", "additionalProperties": _MINUTES}, pages=_TEXTS,
    settings={"type": "array", "items": fields(address=_TEXT, words=_TEXT)}, exercises=_TEXTS,
)  # fmt: skip
_PLAN = fields(slug=_TEXT, title=_TEXT, parts={"type": "array", "items": _PART}, home=_TEXTS)
_SCHEMA = fields(plans={"type": "array", "items": _PLAN, "minItems": 1})


@dataclass(frozen=True)
class Slide:
    """One slide as it is written: name, level and text of its heading, body and notes in Markdown."""

    name: str
    level: int
    heading: str
    body: str
    notes: str


def parse_deck(text: str) -> list[Slide]:
    """The slides of a deck.

    >>> [slide] = parse_deck("(start)=\\n# Filters\\n\\nHello.\\n\\nNote:\\nSmile.")
    >>> slide
    Slide(name='start', level=1, heading='Filters', body='Hello.', notes='Smile.')

    Raises `BookError` for a slide without name or heading.
    """
    slides = []
    for piece in re.split(r"^---$", text, flags=re.MULTILINE):
        name = _NAME.match(piece)
        rest = piece[name.end() :] if name else ""
        heading = _HEADING.match(rest.lstrip())
        if not name or not heading:
            where, begins = f"slide {len(slides) + 1}", repr(piece.strip()[:40])
            raise BookError(f"{where}: expected its name and a heading, `(name)=` and `## Heading`: {begins}")
        body, _, notes = rest.lstrip()[heading.end() :].partition("\nNote:\n")
        slides.append(Slide(name["name"], len(heading["marks"]), heading["text"].strip(), body.strip(), notes.strip()))
    return slides


@dataclass(frozen=True)
class Part:
    """A part of a plan.

    `settings` are pairs of an address, such as ``key=5&sx=0.8``, and the words for it; `takes` has the minutes of single
    slides.
    """

    minutes: int
    title: str
    do: str
    slides: tuple[str, ...]
    pages: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    exercises: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    takes: Mapping[str, int] = field(default_factory=dict)

    def seconds(self, slide: str) -> int:
        """The time for a slide: its own, or an equal share of what the others leave.

        >>> part = Part(10, "Signs", "Ask.", ("rule", "example", "exercise"), takes={"exercise": 6})
        >>> [part.seconds(slide) for slide in part.slides]
        [120, 120, 360]
        """
        if slide in self.takes:
            return 60 * self.takes[slide]
        return 60 * (self.minutes - sum(self.takes.values())) // (len(self.slides) - len(self.takes))


@dataclass(frozen=True)
class Plan:
    """A lecture of `MINUTES` minutes."""

    slug: str
    title: str
    parts: tuple[Part, ...]
    home: tuple[str, ...]

    def starts(self) -> list[int]:
        """The minute at which each part begins."""
        return [sum(part.minutes for part in self.parts[:n]) for n in range(len(self.parts))]


def load_course(project: Project) -> list[Plan]:
    """Read and check the plans; none for a book without `course.yml`.

    Raises `BookError`, naming plan and part, for what does not add up. Pages, figures, exercises and settings that are not there
    are found on the page that the plans become, by Sphinx and by `check_html`.
    """
    path = project.book / "course.yml"
    if not path.is_file():
        return []
    name = project.short(path)
    rows = checked(read_yaml(path, name), _SCHEMA, name)["plans"]
    return [_plan(project, row, f"{name}: {row['slug']}") for row in rows]


def _plan(project: Project, row: Any, where: str) -> Plan:
    deck = project.book / "slides" / f"{row['slug']}.md"
    if not deck.is_file():
        raise BookError(f"{where}: there is no {project.short(deck)}")
    try:
        slides = parse_deck(deck.read_text(encoding="utf-8"))
    except BookError as error:
        raise BookError(f"{where}: {error}") from None
    figures = {slide.name: [match["name"] for match in FIGURE.finditer(slide.body)] for slide in slides}
    parts = tuple(_part(part, f"{where}: part {n}", figures) for n, part in enumerate(row["parts"], start=1))
    total = sum(part.minutes for part in parts)
    if total != MINUTES:
        raise BookError(f"{where}: its parts take {total} minutes; expected {MINUTES}")
    named, there = [slide for part in parts for slide in part.slides], [slide.name for slide in slides]
    if named != there:
        pairs = zip(named, there, strict=False)
        wrong = " and ".join(next((pair for pair in pairs if pair[0] != pair[1]), (named[-1], there[-1])))
        raise BookError(f"{where}: the parts must name each slide of the deck once, in its order; compare {wrong}")
    return Plan(row["slug"], row["title"], parts, tuple(row["home"]))


def _part(row: Any, where: str, figures: dict[str, list[str]]) -> Part:
    takes = row.get("takes", {})
    for known, names, kind in ((figures, row["slides"], "slide"), (row["slides"], takes, "slide of this part")):
        for name in names:
            if name not in known:
                raise BookError(f"{where}: there is no {kind} {name!r}")
    left, others = row["minutes"] - sum(takes.values()), len(row["slides"]) - len(takes)
    if left < others if others else left:
        raise BookError(f"{where}: takes leaves {left} minutes of {row['minutes']} for {others} slides")
    return Part(
        row["minutes"], row["title"], row["do"].strip(), tuple(row["slides"]), tuple(row.get("pages", [])),
        tuple((setting["address"], setting["words"]) for setting in row.get("settings", [])), tuple(row.get("exercises", [])),
        tuple(name for slide in row["slides"] for name in figures[slide]), takes,
    )  # fmt: skip


def goals_of(source: str) -> list[str]:
    """The goals in the first cell of a notebook, with references that hold from any page.

    >>> goals_of("**Goals**\\n\\n- see {doc}`method_a`;\\n- know\\n  more.\\n\\n**Prerequisites**\\n\\n- none")
    ['see {doc}`/notebooks/method_a`;', 'know more.']
    """
    found = _GOALS.search(source)
    if not found:
        return []
    items = re.split(r"^- ", found["list"], flags=re.MULTILINE)[1:]

    def absolute(match: re.Match) -> str:
        target = f"/notebooks/{match[2]}"
        return f"{{doc}}`{match[1]}<{target}>`" if match[1] else f"{{doc}}`{target}`"

    return [_DOC.sub(absolute, " ".join(item.split())) for item in items]


def _goals(project: Project, entries: list[Entry]) -> str:
    """All pages with their goals, under the parts of the contents."""
    minutes = {f"notebooks/{entry.slug}": entry.minutes for entry in entries}
    lines, under = [], None
    for part, page in contents(project):
        if page in minutes:
            lines += [f"### {part}", ""] if part != under else []
            under = part
            notebook = nbformat.read(project.root / f"{page}.ipynb", as_version=4)
            lines += [f"{{doc}}`/{page}`, {minutes[page]} minutes to read", ""]
            lines += [f"- {goal}" for goal in goals_of(notebook.cells[0].source)] + [""]
    return "\n".join(lines)


def _link(address: str, words: str, *, new: bool = False) -> str:
    """A link that MyST must not try to resolve: to the slides, or to a setting in an address."""
    extra = ' target="_blank" rel="noopener"' if new else ""
    return f'<a href="{html.escape(address)}"{extra}>{html.escape(words, quote=False)}</a>'


def _screen(plan: Plan, part: Part) -> str:
    slides = f"slides/{plan.slug}.html#/{part.slides[0]}"
    count = f"{len(part.slides)} slides" if len(part.slides) > 1 else "1 slide"
    shown = [f"{_link(slides, count, new=True)}"]
    shown += [f"{{numref}}`{name}`" for name in part.figures]
    shown += [f"{{doc}}`/{page}`" for page in part.pages]
    shown += [_link(f"interactive.html#{address}", f"interactive: {words}") for address, words in part.settings]
    return ", ".join(shown)


def _exercise_links(labels: tuple[str, ...], titles: dict[str, str]) -> str:
    return ", ".join(f"{{ref}}`{titles[label]} <{label}>`" for label in labels) or "–"


def plan_table(plan: Plan, titles: dict[str, str]) -> str:
    """The plan as a numbered table of the page; `titles` are those of the exercises."""
    lines = [
        f":::{{table}} {plan.title}: {MINUTES} minutes.", f":name: tbl-plan-{plan.slug}", ":class: wrap", "",
        "| Minutes | Part | What to do | On the screen | In class |", "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for start, part in zip(plan.starts(), plan.parts, strict=True):
        cells = (
            f"{start} to {start + part.minutes}", part.title, " ".join(part.do.split()), _screen(plan, part),
            _exercise_links(part.exercises, titles),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ":::", "", f"At home: {_exercise_links(plan.home, titles)}.", ""])


def write_course(project: Project) -> None:
    """Write the fragments of the course page; a book without a course has none."""
    plans = load_course(project)
    if not plans:
        return
    entries = load_manifest(project)
    folder = project.generated / "course"
    write_atomic(folder / "goals.md", _goals(project, entries))
    titles = {}
    for chapter, entry in enumerate(entries, start=1):
        notebook = nbformat.read(project.notebooks / f"{entry.slug}.ipynb", as_version=4)
        for position, exercise in enumerate(exercises_of(entry.slug, notebook), start=1):
            numbered = exercise.title if "." in exercise.title else f"{chapter}.{position}"
            titles[exercise.label] = numbered
    for plan in plans:
        write_atomic(folder / f"{plan.slug}.md", plan_table(plan, titles))
