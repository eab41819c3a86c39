"""The slide decks: `book/slides/<plan>.md` as reveal.js, offline, with the figures and numbers of the run.

A deck is Markdown. A line `---` separates slides; each begins with its name, `(name)=`, and a heading. Beside Markdown
and `$mathematics$` it knows

- a figure of a notebook, on a line of its own: `![](method_a/fig-method-a-bias)`, as the run drew it for slides;
- a computed number, as on the pages: `` {glue:text}`notebooks/method_a.ipynb::a-largest-difference:s` ``;
- the counts of the scorecard, as on the first page: `{scorecard}`;
- a page: `` {doc}`notebooks/method_a` ``, and a setting: `[words](interactive.html#key=5&sx=0.8)`;
- an exercise with its text: `` {exercise}`ex-method-a-1` `` on a line of its own, whose solution the notes get, and the plan:
  `{plan}`;
- notes for the speaker: all that follows a line `Note:`.

The builder of sphinx-revealjs makes slides of a project of its own: it knows neither the numbers of figures nor the results of
the book, so that only its copy of reveal.js is taken.
"""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from .course import FIGURE, Plan, Slide, load_course, parse_deck
from .labels import Names, read_names
from .manifest import load_manifest
from .plain import Converter, only_solutions
from .project import BookError, Project, write_atomic
from .text_size import legible_width, size

_EXERCISE = re.compile(r"^\{exercise\}`(?P<label>[\w-]+)`$", re.MULTILINE)
# A figure at least this wide for its height stands above its text, a narrower one beside it.
_WIDE = 1.6
# The files of reveal.js that a deck needs, of those that come with the package sphinx-revealjs.
_REVEAL = ("dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js", "plugin/zoom/zoom.js", "LICENSE")
# Label of an exercise -> kind and text of the pieces of its solution.
Solutions = Mapping[str, Sequence[tuple[str, str]]]
_CREDIT = "CC BY 4.0 · filters: Babaiee, Kiasari, Rus and Grosu, CC BY 4.0"


def markdown() -> MarkdownIt:
    """Markdown with mathematics left to MathJax, on slides, on sheets and in Moodle.

    >>> markdown().render("It is $x_1$.")
    '<p>It is <span class="math inline">\\\\(x_1\\\\)</span>.</p>\\n'
    """

    def maths(content: str, options: dict) -> str:
        marks = ("\\[", "\\]") if options["display_mode"] else ("\\(", "\\)")
        return f"{marks[0]}{html.escape(content)}{marks[1]}"

    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, allow_space=False, renderer=maths)


class _Deck:
    """Renders the slides of one plan; `link` makes the address of a page, or of a setting, as the deck has it."""

    def __init__(self, plan: Plan, names: Names, data: Path, link: Callable[[str], str | None], solutions: Solutions) -> None:
        self.plan, self.names, self.data, self.link, self.solutions = plan, names, data, link, solutions
        self.parser = markdown()
        self.parts = {slide: part for part in plan.parts for slide in part.slides}
        # address -> content, of all figures that the deck shows
        self.figures: dict[str, str] = {}

    def html(self, text: str, base: str = "deck") -> str:
        """Markdown of a slide, or of a notebook whose page is `base`, as HTML."""
        convert = Converter(self.names, base, lambda page: f"page:{page}", always=True)
        rendered = self.parser.render(convert.markdown(text))
        return re.sub(r'<a href="(?P<address>[^"]*)">(?P<words>.*?)</a>', self._anchor, rendered, flags=re.DOTALL)

    def _anchor(self, match: re.Match) -> str:
        address = html.unescape(match["address"])
        if address.startswith(("https:", "#/")):
            target: str | None = address
        else:
            target = self.link(address.removeprefix("page:"))
        if target is None:
            return match["words"]
        new = "" if target.startswith("#") else ' target="_blank" rel="noopener"'
        return f'<a href="{html.escape(target)}"{new}>{match["words"]}</a>'

    def _figure(self, match: re.Match) -> tuple[str, float]:
        """A figure, and how wide it is for its height."""
        slug, name = match["slug"], match["name"]
        # On the slide the drawing for slides; by a click the figure of the page, alone.
        shown, alone = (f"figures/{slug}/{name}{kind}.svg" for kind in (".slide", ""))
        for address in (shown, alone):
            path = self.data / address.removeprefix("figures/")
            if name not in self.names.figures or not path.is_file():
                raise BookError(
                    f"slides of {self.plan.slug}: there is no figure {address.removeprefix('figures/')}; one that does not fit a slide has none"
                )
            self.figures[address] = path.read_text(encoding="utf-8")
        svg = self.figures[shown].encode()
        width, height = size(svg)
        alt = match["alt"] or self.names.figures[name][2]
        return (
            f'<a class="paper" href="{alone}" target="_blank" rel="noopener" title="This figure alone">'
            f'<img src="{shown}" alt="{html.escape(alt)}" style="--legible: {legible_width(svg)}px"></a>'
        ), width / height

    def _plan_table(self) -> str:
        rows = "".join(
            f"<tr><td>{start}–{start + part.minutes}</td>"
            f'<td><a href="#/{part.slides[0]}">{html.escape(part.title, quote=False)}</a></td></tr>'
            for start, part in zip(self.plan.starts(), self.plan.parts, strict=True)
        )
        head = "<thead><tr><th>Minutes</th><th>Part</th></tr></thead>"
        return f'<table class="plan">{head}<tbody>{rows}</tbody></table>'

    def _exercise(self, label: str) -> str:
        if label not in self.names.exercises:
            raise BookError(f"slides of {self.plan.slug}: there is no exercise {label!r}")
        exercise = self.names.exercises[label]
        page = f"notebooks/{exercise.slug}"
        title = self.html(f"**Exercise {exercise.title}** of {{doc}}`/{page}`")
        return f'<div class="exercise">{title}{self.html(exercise.text, page)}</div>'

    def _answer(self, label: str) -> str:
        """What the solution of an exercise says in words, and what it prints."""
        page = f"notebooks/{self.names.exercises[label].slug}"
        shown = {"markdown": lambda text: self.html(text, page), "output": lambda text: f"<pre>{html.escape(text)}</pre>"}
        pieces = [shown[kind](text) for kind, text in self.solutions[label] if kind in shown]
        return f"<p><strong>Answer.</strong></p>{''.join(pieces)}"

    def slide(self, slide: Slide) -> str:
        """One `<section>`."""
        matches = list(FIGURE.finditer(slide.body))
        figures = [self._figure(match) for match in matches]
        text = ""
        for n, piece in enumerate(_EXERCISE.split(FIGURE.sub("", slide.body))):
            text += self._exercise(piece) if n % 2 else self.html(piece) if piece.strip() else ""
        answers = "".join(self._answer(match["label"]) for match in _EXERCISE.finditer(slide.body))
        text = text.replace("<p>{plan}</p>", self._plan_table()).replace("<p>{provenance}</p>", self._provenance())
        if "<p>{scorecard}</p>" in text:
            counts = (self.data.parent / "scorecard_counts.md").read_text(encoding="utf-8")
            text = text.replace("<p>{scorecard}</p>", self.html(counts))
        wide = sum(ratio for _, ratio in figures) > _WIDE
        layout = "plain" if not figures else "above" if wide else "beside"
        shown = f"<figure>{''.join(code for code, _ in figures)}</figure>" if figures else ""
        heading = self.html(slide.heading).strip().removeprefix("<p>").removesuffix("</p>")
        words = f'<div class="words">{text}</div>' if text else ""
        return (
            f'<section id="{slide.name}" class="{layout}" aria-labelledby="{slide.name}-heading" '
            f'data-timing="{self.parts[slide.name].seconds(slide.name)}">\n<div class="sheet">\n'
            f'<h{slide.level} id="{slide.name}-heading">{heading}</h{slide.level}>\n'
            f'<div class="content">{shown}{words}</div>\n{self._source([match["name"] for match in matches])}</div>\n'
            f'<aside class="notes">{self._when(slide.name)}{self.html(slide.notes)}{answers}</aside>\n</section>'
        )

    def _provenance(self) -> str:
        """From which commit, data and versions the figures and numbers come."""
        line = (self.data.parent / "provenance.txt").read_text(encoding="utf-8")
        return f'<div class="provenance">{self.html(line)}</div>'

    def _source(self, figures: list[str]) -> str:
        """Where the figures come from, and their licence."""
        if not figures:
            return ""
        names = " and ".join(f"{{numref}}`{name}`" for name in figures)
        line = self.html(f"{names} of the book · {_CREDIT}").strip()
        return line.replace("<p>", '<p class="source">', 1) + "\n"

    def _when(self, name: str) -> str:
        part = self.parts[name]
        start = self.plan.starts()[self.plan.parts.index(part)]
        title = html.escape(part.title, quote=False)
        return f"<p><strong>Minutes {start} to {start + part.minutes}: {title}.</strong></p>"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="../_static/favicon.svg">
<link rel="stylesheet" href="reveal/reveal.css">
<link rel="stylesheet" href="deck.css">
</head>
<body>
<main><div id="deck"><div class="slides">
{slides}
</div></div></main>
<script>window.MathJax = {{options: {{enableMenu: false}}, chtml: {{matchFontHeight: false}}}};</script>
<script src="../_static/mathjax/tex-chtml.js"></script>
<script src="reveal/reveal.js"></script>
<script src="reveal/notes.js"></script>
<script src="reveal/zoom.js"></script>
<script src="deck.js"></script>
</body>
</html>
"""


def render_deck(
    plan: Plan, slides: list[Slide], names: Names, data: Path, link: Callable[[str], str | None], solutions: Solutions
) -> tuple[str, dict[str, str]]:
    """The deck as one HTML page, and its figures: address -> SVG.

    `link` makes the address of a page such as ``notebooks/method_a``, or of a setting, ``interactive.html#key=5``;
    None leaves the words without a link.
    """
    deck = _Deck(plan, names, data, link, solutions)
    sections = "\n".join(deck.slide(slide) for slide in slides)
    return _PAGE.format(title=html.escape(plan.title), slides=sections), deck.figures


def page_link(address: str) -> str:
    """The address of a page of the book, as the decks beside it have it."""
    page, mark, fragment = address.partition("#")
    return f"../{page.removesuffix('.html')}.html{mark}{fragment}"


def write_slides(project: Project, names: Names, target: Path, link: Callable[[str], str | None] = page_link) -> list[Path]:
    """Write all decks of the course, and what they load, into the folder `target`; the decks."""
    source = project.book / "slides"
    plans = load_course(project)
    data = project.generated / "data"
    solutions: dict[str, list[tuple[str, str]]] = {}
    for slug in sorted({names.exercises[label].slug for plan in plans for part in plan.parts for label in part.exercises}):
        solutions |= only_solutions(nbformat.read(project.staged / f"{slug}.ipynb", as_version=4))
    written = []
    for plan in plans:
        slides = parse_deck((source / f"{plan.slug}.md").read_text(encoding="utf-8"))
        page, figures = render_deck(plan, slides, names, data, link, solutions)
        written.append(target / f"{plan.slug}.html")
        write_atomic(written[-1], page)
        for address, svg in figures.items():
            write_atomic(target / address, svg)
    for name in ("deck.css", "deck.js"):
        write_atomic(target / name, (source / name).read_bytes())
    package = find_spec("sphinx_revealjs")
    if package is None or not package.submodule_search_locations:
        raise BookError("sphinx-revealjs is missing, which brings reveal.js: pip install 'keyfilters[book]'")
    reveal = Path(package.submodule_search_locations[0]) / "_static" / "revealjs"
    for name in _REVEAL:
        (target / "reveal").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(reveal / name, target / "reveal" / Path(name).name)
    return written


def add_slides(project: Project, html_folder: Path) -> None:
    """Write the decks beside the pages in `html_folder`; a book without a course has none."""
    if load_course(project):
        names = read_names(project, load_manifest(project), html_folder)
        write_slides(project, names, html_folder / "slides")
