"""Check the built HTML: links and anchors lead somewhere, and nothing is loaded from another host."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import html as lxml_html

__all__ = ["SETTINGS", "check_html", "setting_problem"]

# The interactive page keeps its settings in its address: interactive.html#key=5&sx=0.8 (book/interactive/state.js).
INTERACTIVE = "interactive.html"
SETTINGS = ("key", "sx", "sy", "gamma", "border")

_CSS_URL = re.compile(r"url\(\s*['\"]?([^'\")]+)['\"]?\s*\)|@import\s+['\"]([^'\"]+)['\"]")
# What a browser fetches by itself; `a` is followed only when clicked and may lead outside.
_LOADED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "input": ("src",),
}
_LOADED_LINKS = {
    "stylesheet",
    "icon",
    "shortcut",
    "preload",
    "prefetch",
    "modulepreload",
    "preconnect",
    "dns-prefetch",
    "manifest",
    "apple-touch-icon",
}


def _outside(address: str) -> bool:
    return address.startswith("//") or urlsplit(address).scheme in ("http", "https", "ftp", "ws", "wss")


def _references(tree: lxml_html.HtmlElement) -> tuple[list[str], list[str]]:
    """Addresses that are loaded with the page, and those that are linked to."""
    loaded, linked = [], []
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue
        for attribute in _LOADED.get(element.tag, ()):
            value = element.get(attribute)
            if value and attribute == "srcset":
                loaded += [part.split()[0] for part in value.split(",") if part.strip()]
            elif value:
                loaded.append(value)
        if element.tag == "link" and element.get("href"):
            relations = set((element.get("rel") or "").lower().split())
            (loaded if relations & _LOADED_LINKS else linked).append(element.get("href"))
        if element.tag in ("a", "area") and element.get("href"):
            linked.append(element.get("href"))
        if element.get("style"):
            loaded += _css_addresses(element.get("style"))
        if element.tag == "style" and element.text:
            loaded += _css_addresses(element.text)
    return loaded, linked


def _css_addresses(text: str) -> list[str]:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return [first or second for first, second in _CSS_URL.findall(text)]


def _anchors(tree: lxml_html.HtmlElement) -> set[str]:
    return set(tree.xpath("//@id")) | set(tree.xpath("//a/@name"))


def check_html(folder: Path) -> list[str]:
    """Lines `page: what is wrong` for the book in `folder`; none for a book that is whole."""
    pages = {
        path.relative_to(folder).as_posix(): lxml_html.parse(str(path)).getroot()
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.relative_to(folder).parts
    }
    if "index.html" not in pages:
        return [f"{folder.name}: there is no index.html"]
    anchors = {name: _anchors(tree) for name, tree in pages.items()}
    failures = []
    for name, tree in pages.items():
        loaded, linked = _references(tree)
        failures += [f"{name}: loads {address} from another host" for address in loaded if _outside(address)]
        for address in [*loaded, *linked]:
            problem = _broken(folder, name, address, anchors)
            if problem:
                failures.append(f"{name}: {problem}")
    for path in sorted(folder.rglob("*.css")):
        name = path.relative_to(folder).as_posix()
        for address in _css_addresses(path.read_text(encoding="utf-8", errors="replace")):
            if _outside(address):
                failures.append(f"{name}: loads {address} from another host")
    return list(dict.fromkeys(failures))


def _broken(folder: Path, page: str, address: str, anchors: dict[str, set[str]]) -> str | None:
    """What is wrong with an address that leads into the book itself."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    target = page if not parts.path else posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(parts.path)))
    if target.startswith("..") or target.startswith("/"):
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
    "'sigma' is no setting; expected key, sx, sy, gamma or border"
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
