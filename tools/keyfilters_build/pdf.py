"""`make pdf`: one document of all pages, made from the built ones, so that numbers and links are those of the book, and printed with
Chromium, twice, since the contents need the page numbers of the first print.

`jupyter-book build --builder pdfhtml` prints the single page of Sphinx: without page numbers in its contents, and with what only
works on a screen.
"""

from __future__ import annotations

import html
import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lxml import etree
from lxml import html as lxml_html

from .manifest import contents, load_manifest
from .project import BookError, Project, write_atomic
from .provenance import commit, data_sha256

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NOT_PRINTED: dict[str, str] = {
    "interactive": "needs a browser",
    "inspect_network": "needs a browser",
    "api/": "a reference to search in, not to read",
}
"""Pages, or folders of pages, that stay out of print -> the reason."""

# What makes no sense on paper: links to this place, buttons, links to files beside the pages.
_REMOVED = (
    "//a[contains(@class, 'headerlink')]", "//script", "//style", "//button", "//*[contains(@class, 'data-links')]",
    "//*[contains(@class, 'toctree-wrapper')]", "//span[@class='section-number']",
)  # fmt: skip


@dataclass(frozen=True)
class PrintedPage:
    """A page of the printed book: its name without suffix, the part it stands in, and its chapter's number if it has one."""

    name: str
    part: str
    chapter: int | None

    @property
    def key(self) -> str:
        """The name of its place in the document."""
        return self.name.replace("/", "-")


def printed_pages(project: Project) -> list[PrintedPage]:
    """The pages of the table of contents, in its order, without what is not printed."""
    numbers = {f"notebooks/{entry.slug}": number for number, entry in enumerate(load_manifest(project), start=1)}
    return [
        PrintedPage(name, part, numbers.get(name))
        for part, name in contents(project)
        if not any(name == left or (left.endswith("/") and name.startswith(left)) for left in NOT_PRINTED)
    ]


def compose(project: Project, numbers: Mapping[str, int]) -> str:
    """The whole document as HTML, to lie two folders below the book's root (`_build/pdf/book.html`).

    Parameters
    ----------
    project : the book; its pages must be built
    numbers : place in the document -> page of the print, for the contents; blank where it is not known

    Raises `BookError` where a page is missing.
    """
    pages = printed_pages(project)
    known = {page.name: page for page in pages}
    articles = [_article(project, page, known) for page in pages]
    title, heads = project.settings["title"], _heads(project)
    body = []
    for page, article in zip(pages, articles, strict=True):
        body.append(
            f'<section class="page" id="{page.key}">{etree.tostring(article, encoding="unicode", method="html")}</section>'
        )
    style = (project.book / "print" / "print.css").read_text(encoding="utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f"{heads}\n<style>\n{style}</style></head>\n<body>\n{_cover(project, title)}\n{_contents(pages, articles, numbers)}\n<main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _tree(project: Project, name: str) -> lxml_html.HtmlElement:
    path = project.html / f"{name}.html"
    if not path.is_file():
        raise BookError(f"{name}.html is missing: build the book first (make book)")
    return lxml_html.fromstring(path.read_text(encoding="utf-8"))


def _relative(project: Project) -> str:
    return posixpath.relpath(project.html.as_posix(), (project.build / "pdf").as_posix())


def _heads(project: Project) -> str:
    """What typesets mathematics and colours code, as the front page has it."""
    tree = _tree(project, "index")
    kept = [s for s in tree.xpath("//head//script") if "MathJax" in (s.text or "") or "mathjax" in (s.get("src") or "")]
    kept += [link for link in tree.xpath("//link[@rel='stylesheet']") if "pygments" in link.get("href", "")]
    for element in kept:
        for attribute in ("src", "href"):
            if element.get(attribute):
                element.set(attribute, posixpath.join(_relative(project), element.get(attribute)))
        element.tail = None
    return "\n".join(etree.tostring(element, encoding="unicode", method="html") for element in kept)


def _article(project: Project, page: PrintedPage, known: dict[str, PrintedPage]) -> lxml_html.HtmlElement:
    """The article of a page with ids of its own, links within the document, and pictures found from here."""
    (article,) = _tree(project, page.name).xpath("//article[contains(@class, 'bd-article')]")
    for pattern in _REMOVED:
        for element in article.xpath(f".{pattern}"):
            element.drop_tree()
    for details in article.iter("details"):
        details.set("open", "open")
    for element in article.xpath(".//*[@id]"):
        element.set("id", f"{page.key}--{element.get('id')}")
    folder = posixpath.dirname(f"{page.name}.html")
    for image in article.xpath(".//img[@src]"):
        image.set("src", posixpath.join(_relative(project), folder, image.get("src")))
        image.attrib.pop("loading", None)
    for link in article.xpath(".//a[@href]"):
        _relink(link, page, folder, known)
    heading = article.find(".//h1")
    if heading is not None and page.chapter is not None:
        number = lxml_html.Element("span", {"class": "chapter-number"})
        number.text, number.tail = f"{page.chapter}", f"  {heading.text or ''}"
        heading.text = None
        heading.insert(0, number)
    return article


def _relink(link: lxml_html.HtmlElement, page: PrintedPage, folder: str, known: dict[str, PrintedPage]) -> None:
    parts = urlsplit(link.get("href"))
    if parts.scheme or parts.netloc:
        return
    target = posixpath.normpath(posixpath.join(folder, unquote(parts.path))) if parts.path else f"{page.name}.html"
    name = target.removesuffix(".html")
    if name in known and (not parts.fragment or "=" not in parts.fragment):
        link.set("href", f"#{known[name].key}--{parts.fragment}" if parts.fragment else f"#{known[name].key}")
    else:  # a file beside the pages, or a page that is not printed: the words stay
        link.drop_tag()


def _cover(project: Project, title: str) -> str:
    config = project.settings
    picture = project.book / "_static" / "eight-filters.svg"
    image = os.path.relpath(picture, project.build / "pdf")
    made = commit(project.root)
    left_out = "; ".join(f"{name.rstrip('/')}: {reason}" for name, reason in NOT_PRINTED.items())
    return (
        f'<header class="cover"><p class="cover-title">{html.escape(title)}</p>\n'
        '<p class="cover-subtitle">The executable book on the filters of depthwise-separable networks and their scale-space models</p>\n'
        f'<img src="{html.escape(image)}" alt="The normalised learned filters above the idealised filters of six methods">\n'
        f"<p>{html.escape(config['author'])}, {html.escape(config['copyright'])}</p>\n"
        f'<p class="cover-small">Printed from commit {html.escape(made)}; data sha256 {data_sha256(project)[:12]}. Text and figures: '
        f"CC BY 4.0; code: MIT. The data behind the figures and the notebooks are in the book online and in its repository, "
        f'<a href="{html.escape(config["repository"]["url"])}">{html.escape(config["repository"]["url"])}</a>. '
        f"Not printed: {html.escape(left_out)}.</p></header>"
    )


def _heading(article: lxml_html.HtmlElement) -> str:
    heading = article.find(".//h1")
    return " ".join(heading.text_content().split()) if heading is not None else ""


def _contents(pages: list[PrintedPage], articles: list[lxml_html.HtmlElement], numbers: Mapping[str, int]) -> str:
    lines, part = ['<nav class="contents" id="contents"><h1>Contents</h1>'], ""
    for page, article in zip(pages, articles, strict=True):
        if page.part != part:
            part = page.part
            lines.append(f'<p class="contents-part">{html.escape(part)}</p>')
        number = numbers.get(page.key, "")
        lines.append(
            f'<p class="contents-line"><a href="#{page.key}">{html.escape(_heading(article))}</a>'
            f'<span class="contents-dots"></span><a class="contents-page" href="#{page.key}">{number}</a></p>'
        )
    return "\n".join([*lines, "</nav>"])


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

    source, target = (project.build / "pdf" / name for name in ("book.html", "keyfilters-book.pdf"))
    fresh = target.with_suffix(".partial")
    write_atomic(source, compose(project, {}))
    try:
        with chromium() as browser:
            # The contents keep their length when the numbers are filled in, so two prints settle it.
            for first in (True, False):
                if cut := _print(browser, source, fresh):
                    raise BookError(
                        f"{len(cut)} pieces are wider than the paper, the first {cut[0]}; mend the page or book/print/print.css"
                    )
                if first:
                    write_atomic(source, compose(project, destinations(fresh)))
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
