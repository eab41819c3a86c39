"""Check the built pages: links and anchors lead somewhere, and nothing is loaded from another host.

Sphinx checks the references that it makes itself (`nitpicky`); it does not look into HTML that a page writes (the plans of
the course, settings of the interactive page), into slides or style sheets, nor for what a browser fetches from elsewhere.
lychee, which follows the links that lead out (`.github/workflows/links.yml`), is a program that no environment here brings, and
knows neither settings nor slides.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import html as lxml_html

# The interactive page keeps its settings in its address: interactive.html#key=5&sx=0.8 (book/interactive/state.js).
INTERACTIVE = "interactive.html"
SETTINGS = ("key", "sx", "sy", "gamma", "model", "angle", "border", "kernel", "image", "filter", "gains", "fit")

# What is followed only when clicked may lead outside; a browser fetches all else by itself.
_FOLLOWED = ("a", "area", "form")
_CSS_URL = re.compile(r"""url\(\s*['"]?([^'")]+)['"]?\s*\)|@import\s+['"]([^'"]+)['"]""")


def _outside(address: str) -> bool:
    return address.startswith("//") or urlsplit(address).scheme in ("http", "https", "ftp", "ws", "wss")


def _references(tree: lxml_html.HtmlElement) -> Iterator[tuple[str, bool]]:
    """Each address on a page, and whether it is loaded with the page."""
    for element, _, address, _ in tree.iterlinks():
        yield address, element.tag not in _FOLLOWED and element.get("rel") != "canonical"
    # What lxml does not know.
    for several in tree.xpath("//@srcset"):
        yield from ((part.split()[0], True) for part in several.split(",") if part.strip())
    for style in tree.xpath("//style/text()"):
        yield from ((address, True) for address in _css_addresses(style))


def _css_addresses(text: str) -> list[str]:
    return [first or second for first, second in _CSS_URL.findall(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))]


def check_html(folder: Path) -> list[str]:
    """Lines `page: what is wrong` for the book in `folder`; none for a book that is whole."""
    pages = {
        path.relative_to(folder).as_posix(): lxml_html.parse(str(path)).getroot()
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.relative_to(folder).parts
    }
    if "index.html" not in pages:
        return [f"{folder.name}: there is no index.html"]
    anchors = {name: set(tree.xpath("//@id | //a/@name")) for name, tree in pages.items()}
    found = [(name, *reference) for name, tree in pages.items() for reference in _references(tree)]
    for path in folder.rglob("*.css"):
        name, text = path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8", errors="replace")
        found += [(name, address, True) for address in _css_addresses(text) if _outside(address)]
    failures = [f"{name}: loads {address} from another host" for name, address, loaded in found if loaded and _outside(address)]
    problems = ((name, _broken(folder, name, address, anchors)) for name, address, _ in found)
    return list(dict.fromkeys([*failures, *(f"{name}: {problem}" for name, problem in problems if problem)]))


def _broken(folder: Path, page: str, address: str, anchors: dict[str, set[str]]) -> str | None:
    """What is wrong with an address that leads into the book itself."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    target = page if not parts.path else posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(parts.path)))
    if target.startswith(("..", "/")):
        return f"links to {address}, which lies outside the book"
    path = folder / target
    if path.is_dir():
        target, path = posixpath.join(target, "index.html").removeprefix("./"), path / "index.html"
    if not path.is_file():
        return f"links to {address}, which is not there"
    fragment = unquote(parts.fragment)
    if target == INTERACTIVE and "=" in fragment:
        problem = setting_problem(fragment)
        return f"links to {address}: {problem}" if problem else None
    # Slides are addressed as #/name.
    if target.startswith("slides/"):
        fragment = fragment.removeprefix("/")
    if fragment and target in anchors and fragment not in anchors[target]:
        return f"links to {address}, but {target} has no such anchor"
    return None


def setting_problem(setting: str) -> str | None:
    """What is wrong with the settings in an address of the interactive page.

    >>> setting_problem("key=5&sx=0.8")
    >>> setting_problem("key=5&sigma=0.8")
    "'sigma' is no setting; expected key, sx, sy, gamma, model, angle, border, kernel, image, filter, gains or fit"
    """
    seen = set()
    for part in setting.split("&"):
        name, equals, value = part.partition("=")
        if name not in SETTINGS:
            return f"{name!r} is no setting; expected {', '.join(SETTINGS[:-1])} or {SETTINGS[-1]}"
        if not equals or not value:
            return f"{name} has no value; expected {name}=..."
        if name in seen:
            return f"{name} is set twice"
        seen.add(name)
    return None
