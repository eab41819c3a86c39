"""Mend in the built pages what the theme leaves inaccessible, and put each figure into a box, with its drawing for a phone.

The theme's templates change from version to version; what is mended here is small and each row says why. A row that
no longer matches anything is found by a test.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from .narrow import narrow
from .project import write_atomic
from .text_size import legible_width


@dataclass(frozen=True)
class Mend:
    """One replacement in the text of every page: what is wrong with it, a pattern, what it becomes."""

    why: str
    pattern: re.Pattern[str]
    becomes: str


MENDS: tuple[Mend, ...] = (
    Mend(
        "the name of a button must contain the words it shows (Search, and the keys that open it)",
        re.compile(r'(<button class="btn search-button-field[^>]*?) aria-label="[^"]*"'),
        r"\1",
    ),
    Mend(
        "the three icons of the switch of colour modes have names of their own, which its name does not contain",
        re.compile(r'(<i class="theme-switch [^>]*?data-mode="\w+")\s+title="[^"]*"'),
        r"\1",
    ),
    Mend(
        "folded cells are named by the words they show, not by others",
        re.compile(r'<summary aria-label="Toggle hidden content">'),
        "<summary>",
    ),
    Mend(
        "the arrow that unfolds the pages below one has no name",
        re.compile(r'>([^<>]+)</a>(<details[^>]*>)<summary>(?=<span class="toctree-toggle")'),
        r'>\1</a>\2<summary aria-label="Pages below: \1">',
    ),
    Mend(
        "the title and the search above the contents belong to no part of the page that one can jump to",
        re.compile(r'<div id="pst-primary-sidebar" class="bd-sidebar-primary bd-sidebar">'),
        '<div id="pst-primary-sidebar" class="bd-sidebar-primary bd-sidebar" role="navigation" aria-label="Book">',
    ),
    Mend(
        "a list of references whose entries have a role that is deprecated, and no role of a list",
        re.compile(r' role="doc-biblioentry"|(?<=<div) role="list"(?= class="citation-list")'),
        "",
    ),
    Mend(
        "the empty corner of a table is no header",
        re.compile(r'<th class="(head[^"]*)">\s*(?:<p>\s*</p>)?\s*</th>'),
        r'<td class="\1"></td>',
    ),
    Mend("headers of columns say what they head", re.compile(r'<th class="(head[^"]*)">'), r'<th class="\1" scope="col">'),
    Mend(
        "the parameters of a long signature are set as definitions without a term",
        re.compile(r'<dl>(?=\s*<dd><em class="sig-param">)'),
        '<dl role="presentation">',
    ),
    Mend(
        "the title of a solution opens it; a link in it would lead away instead, to the exercise just above",
        re.compile(r'(<p class="admonition-title">Solution to)<a class="reference internal" href="#[^"]*">([^<]*)</a>'),
        r"\1\2",
    ),
    Mend(
        "the two drawers of a phone have names for those who build pages",
        re.compile(r'title="Toggle primary sidebar"'),
        'title="Contents of the book"',
    ),
    Mend("the second drawer, likewise", re.compile(r'title="Toggle secondary sidebar"'), 'title="Contents of this page"'),
    Mend("headers of rows say what they head", re.compile(r'<th class="(stub[^"]*)">'), r'<th class="\1" scope="row">'),
)

PHONES = "(max-width: 575px)"
"""Windows that get the drawings for a phone; custom.css has the same."""
_FIGURE = re.compile(
    r'<figure class="[^"]*" id="(?P<id>[^"]+)">\s*(?:<a [^>]*>)?(?P<img><img [^>]*?src="(?P<src>[^"]+)"[^>]*>)'
)


def _boxed(match: re.Match[str], page: Path, data: Path) -> str:
    """The picture in a box of its own, with the width that its text needs; on a phone the one that is drawn for it."""
    source = page.parent / unquote(match["src"])
    svg = source if source.suffix == ".svg" else data / page.stem / f"{match['id']}.svg"
    if not svg.is_file():
        return match[0]
    wide = svg.read_bytes()
    phone = narrow(wide)
    style = f"--legible: {legible_width(wide)}px" + (f"; --phone: {legible_width(phone)}px" if phone else "")
    image = re.sub(r"\s*/?>$", f' style="{style}">', match["img"])
    if phone:
        name = f"{page.stem}-{match['id']}-phone.svg"
        write_atomic(source.parent / name, phone)
        address = posixpath.join(posixpath.dirname(match["src"]), name)
        image = f'<picture><source media="{PHONES}" srcset="{address}">{image}</picture>'
    return match[0].replace(match["img"], f'<div class="figure-box">{image}</div>')


def mend_page(text: str, page: Path, data: Path) -> str:
    """The text of a page with every row of `MENDS` applied and its figures in boxes.

    `page` is the file, `data` the folder with the SVG of each figure as ``<page>/<figure>.svg``.
    """
    for mend in MENDS:
        text = mend.pattern.sub(mend.becomes, text)
    return _FIGURE.sub(lambda match: _boxed(match, page, data), text)


def mend_pages(folder: Path, data: Path) -> None:
    """Mend every page of the book in `folder` in place."""
    for page in sorted(folder.rglob("*.html")):
        if "_static" in page.relative_to(folder).parts:
            continue
        text = page.read_text(encoding="utf-8")
        mended = mend_page(text, page, data)
        if mended != text:
            write_atomic(page, mended)
