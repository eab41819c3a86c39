"""The map of the chapters on *How to read*: a column for each part, a box for each chapter, marked by the reading paths."""

from __future__ import annotations

import html

from .manifest import Entry, contents
from .project import Project, write_atomic

PATHS = {
    "15 minutes": ("learned_filters", "all_methods", "eight_filters", "other_networks"),
    "an hour": ("learned_filters", "all_methods", "eight_filters"),
}
"""Reading path -> its chapters in the order in which they are read; the third, a weekend, has all of them. Of those of the first only
the top is read: question, picture, answer."""
TOP = 3
"""Minutes for the front page, and for the top of a chapter."""


def page_map(project: Project, entries: list[Entry]) -> str:
    """The map as HTML, with links to the chapters, the minutes of each, and which of the short paths go through it."""
    numbers = {f"notebooks/{entry.slug}": (number, entry) for number, entry in enumerate(entries, start=1)}
    parts: dict[str, list[str]] = {}
    for part, page in contents(project):
        if page not in numbers:
            continue
        number, entry = numbers[page]
        paths = [name for name, slugs in PATHS.items() if entry.slug in slugs]
        mark = f' <span class="map-path">{html.escape(paths[0])}</span>' if paths else ""
        style = ' class="on-path"' if paths else ""
        parts.setdefault(part, []).append(
            f'<li{style}><a href="{page}.html">{number}. {html.escape(entry.title)}</a> '
            f'<span class="map-minutes">{entry.minutes} min</span>{mark}</li>'
        )
    columns = "\n".join(
        f'<div><p class="map-part">{html.escape(part)}</p><ol>{"".join(boxes)}</ol></div>' for part, boxes in parts.items()
    )
    return f'<div class="page-map first-picture">\n{columns}\n</div>\n'


def minutes_of(entries: list[Entry]) -> str:
    """How long the paths take, one sentence each, in MyST.

    >>> print(minutes_of([Entry("learned_filters", "L", "1", 12, 60), Entry("all_methods", "A", "5", 18, 60),
    ...                   Entry("eight_filters", "E", "7", 25, 60), Entry("other", "O", "7", 65, 60)]), end="")
    - **15 minutes**: the front page, and the question, picture and answer of {doc}`notebooks/learned_filters`, {doc}`notebooks/all_methods`, {doc}`notebooks/eight_filters` (12 min).
    - **An hour**: {doc}`notebooks/learned_filters`, {doc}`notebooks/all_methods`, {doc}`notebooks/eight_filters` (55 min).
    - **A weekend**: all 4 chapters in their order (2 hours); the exercises take as long again.
    """
    minutes = {entry.slug: entry.minutes for entry in entries}
    lines = []
    for name, slugs in PATHS.items():
        known = [slug for slug in slugs if slug in minutes]
        pages = ", ".join(f"{{doc}}`notebooks/{slug}`" for slug in known)
        first = name == next(iter(PATHS))
        before = "the front page, and the question, picture and answer of " if first else ""
        time = TOP * (1 + len(known)) if first else sum(minutes[slug] for slug in known)
        lines.append(f"- **{name[0].upper()}{name[1:]}**: {before}{pages} ({time} min).")
    hours = round(sum(minutes.values()) / 60)
    lines.append(
        f"- **A weekend**: all {len(entries)} chapters in their order ({hours} hours); the exercises take as long again."
    )
    return "\n".join(lines) + "\n"


def write_page_map(project: Project, entries: list[Entry]) -> None:
    """Write map and paths to `book/_generated`."""
    write_atomic(project.generated / "page_map.html", page_map(project, entries))
    write_atomic(project.generated / "reading_paths.md", minutes_of(entries))
