"""`make pdf`: print the composed document with Chromium, twice, since the contents need the page numbers of the first print."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .compose import compose, document_path, printed_pages
from .project import BookError, Project, write_atomic

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_MARGIN_MM = {"left": 18, "right": 18, "top": 20, "bottom": 20}
_WIDTH_PX = round((210 - 36) / 25.4 * 96)

# What is wider than the column, such as a table of many columns or a long formula, is made smaller as a whole.
_FIT = """() => {
    const width = document.querySelector("main").clientWidth;
    const shrunk = [];
    for (const element of document.querySelectorAll("main table, main mjx-container[display='true'], main .sd-row")) {
        const wide = Math.max(element.scrollWidth, element.getBoundingClientRect().width);
        const room = element.parentElement.clientWidth || width;
        if (wide > room + 1) { element.style.zoom = Math.floor(1000 * room / wide) / 1000; shrunk.push(room / wide); }
    }
    return shrunk;
}"""

_CUT = """() => {
    const width = document.documentElement.clientWidth;
    const named = e => `${e.tagName.toLowerCase()}.${String(e.className).split(" ").join(".")} in ${(e.closest("section.page") || e).id}: ${e.textContent.trim().slice(0, 60)}`;
    return [...document.querySelectorAll("main pre, main table, main img, main mjx-container, main p, .contents p")]
        .filter(e => !e.closest("mjx-assistive-mml") && e.getBoundingClientRect().width > 0
            && (e.getBoundingClientRect().right > width + 1 || (e.tagName === "PRE" && e.scrollWidth > e.clientWidth + 1)))
        .map(named);
}"""


def fit(page: Page) -> list[str]:
    """Wait for fonts and mathematics, shrink what is too wide, and name what sticks out all the same."""
    from .chromium import settle

    settle(page)
    page.evaluate("() => Promise.all([...document.images].map(image => image.decode().catch(() => null)))")
    page.evaluate(_FIT)
    return page.evaluate(_CUT)


def destinations(path: Path) -> dict[str, int]:
    """Place in the document -> page of the print, counted from 1."""
    from pypdf import PdfReader

    reader = PdfReader(path)
    return {
        name.lstrip("/"): reader.get_destination_page_number(target) + 1 for name, target in reader.named_destinations.items()
    }


def print_book(project: Project) -> Path:
    """Write `_build/pdf/keyfilters-book.pdf` from the built pages and return its path.

    Raises `BookError` where the book is not built, there is no Chromium, or something does not fit the paper.
    """
    from .chromium import NoBrowser, chromium

    source, target = document_path(project), project.build / "pdf" / "keyfilters-book.pdf"
    missing = [page.name for page in printed_pages(project) if not (project.html / f"{page.name}.html").is_file()]
    if missing:
        raise BookError(f"{missing[0]}.html is missing: build the book first (make book)")
    try:
        with chromium() as browser:
            numbers: Mapping[str, int] = {}
            # The contents keep their length when the numbers are filled in, so two prints settle it.
            for _ in range(2):
                write_atomic(source, compose(project, numbers=dict(numbers)))
                fresh = target.with_suffix(".partial")
                cut = _print(browser, source, fresh)
                if cut:
                    raise BookError(
                        f"{len(cut)} pieces are wider than the paper, the first {cut[0]}; mend the page or book/print/print.css"
                    )
                numbers = destinations(fresh)
    except NoBrowser as error:
        raise BookError(str(error)) from None
    _describe(project, fresh, target)
    fresh.unlink()
    return target


def _print(browser: Browser, source: Path, target: Path) -> list[str]:
    page = browser.new_page(viewport={"width": _WIDTH_PX, "height": 1000}, color_scheme="light")
    try:
        page.set_default_timeout(600_000)
        page.emulate_media(media="print")
        page.goto(source.as_uri(), wait_until="load")
        cut = fit(page)
        small = "font: 7pt sans-serif; font-variant-ligatures: none; width: 100%; margin: 0 18mm; color: #444; display: flex; justify-content: space-between"
        page.pdf(
            path=target,
            format="A4",
            margin={side: f"{size}mm" for side, size in _MARGIN_MM.items()},
            print_background=True,
            outline=True,
            tagged=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=f'<div style="{small}"><span>{html.escape(page.title())}</span><span class="pageNumber"></span></div>',
        )
    finally:
        page.close()
    return cut


def _describe(project: Project, source: Path, target: Path) -> None:
    """Copy the print with title and author, and without the time at which it was made."""
    from pypdf import PdfWriter

    config = project.settings
    writer = PdfWriter(clone_from=source)
    writer.metadata = {"/Title": config["title"], "/Author": config["author"], "/Producer": "Chromium, pypdf"}
    writer.write(target)
