"""What a reader stumbles over, measured on the built pages in a browser: `python -m keyfilters_build measure`.

Each row of `MEASURES` is counted on each page in windows of 1280 and 375 pixels and is to be zero. Tables may scroll on a
phone, figures may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .chromium import chromium, served, settle
from .manifest import contents
from .narrow import PHONE, SMALLEST
from .project import BookError, Project
from .stage import plumbing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (1280, PHONE)
LATEST = 1000
"""Pixels from the top of a page within which its first figure begins."""
TOUCH = 24
"""Pixels that a finger needs."""

MEASURES = {
    "late": f"first figure below {LATEST} px",
    "plumbing": "visible lines that import or call page.*",
    "wide": "tables (at 1280) and figures wider than the column",
    "small": f"figures with text below {SMALLEST:g} px",
    "bold": "numbers of runs in bold among words that are not",
    "powers": "numbers such as 1e-5 in running text, captions and tables",
    "cut": "displayed formulas of which a part is out of sight",
    "low": f"links and buttons lower than {TOUCH} px on a touch screen",
    "not_run": 'cells of a table that say "not run"',
}
"""Name of a measure -> what it counts."""

WITHOUT_FIGURE = {
    "how_to_read": "its picture is a map of links",
    "course": "plans and lists of files",
    "lecture": "a plan of the pages",
    "interactive": "the page draws its own pictures",
    "inspect_network": "the page draws its own pictures",
    "own_network": "commands to type",
    "concordance": "a table to look up",
    "notation": "a table to look up",
    "glossary": "words to look up",
    "status": "a table to look up",
    "reproduction": "a table to look up",
    "about": "what was read",
    "accessibility": "a statement",
    "references": "sources",
    "imagenet_training": "a recipe that was not run",
    "notebooks/performance": "its results are times, in a table",
}
"""Pages that need no figure -> the reason. Pages of the reference of the library (``api/``) need none either."""

ALLOWED: dict[tuple[str, str], str] = {
    ("notebooks/eight_filters", "not_run"): "says which trainings of the large setting are not stored yet",
    ("notebooks/learning_scales", "not_run"): "says which trainings of the large setting are not stored yet",
}
"""Page and measure that may be above zero -> the reason."""

_LOOK = r"""TOUCH => {
    const article = document.querySelector(".bd-article");
    const all = selector => [...article.querySelectorAll(selector)].filter(e => e.checkVisibility());
    const words = [], found = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
    for (let text = found.nextNode(); text; text = found.nextNode())
        if (/\d[eE][-+−]?\d/.test(text.data) && !text.parentElement.closest("pre, code, script, style, mjx-container, a.reference, .sig"))
            words.push(...(text.data.match(/(?<![\w.])\d(?:\.\d+)?[eE][-+−]?\d+(?!\w)/g) || []));
    const [first] = all("figure img, figure svg, canvas, .first-picture");
    const weight = element => Number(getComputedStyle(element).fontWeight);
    const wide = box => box.scrollWidth > box.clientWidth + 1;
    // On a phone a figure reaches from edge to edge.
    const phone = innerWidth <= 575, edge = phone ? document.documentElement.clientWidth : article.getBoundingClientRect().right;
    // The build says how wide an image must be for its text to have 9 points, which are 12 pixels.
    const text = image => {
        const style = getComputedStyle(image), width = image.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
        const needed = parseFloat(image.style.getPropertyValue(image.currentSrc === image.src ? "--legible" : "--phone"));
        return needed ? 12 * width / needed : Infinity;
    };
    return {
        first: first ? Math.round(first.getBoundingClientRect().top + scrollY) : null,
        code: all(".cell .cell_input pre").map(pre => pre.textContent),
        tables: all(".pst-scrollable-table-container").filter(wide).map(box => box.querySelector("table").id || "a table"),
        figures: all("figure").filter(figure => all("img").some(i => figure.contains(i) && i.getBoundingClientRect().right > edge + 1)
            || [...figure.querySelectorAll(".figure-box")].some(wide)).map(figure => figure.id),
        texts: all(".figure-box img").map(image => [image.closest("figure").id, text(image)]).filter(each => Number.isFinite(each[1])),
        bold: all(".pasted-text").filter(e => weight(e) > 400 && !e.closest("strong, b, th, h1, h2, h3, h4, dt, summary")).map(e => e.textContent),
        powers: words,
        cut: all('mjx-container[display="true"]').filter(wide).map(formula => formula.closest("[id]").id),
        // A link that covers a card is as high as the card; the workbench has tests of its own.
        low: all("a[href], button, summary, input, select").filter(e => !e.matches(".headerlink, .sd-stretched-link, .kx *")
            && Math.min(...[...e.getClientRects()].map(line => line.height)) < TOUCH).map(e => e.textContent.trim().slice(0, 30) || e.tagName),
        not_run: all("td").filter(cell => cell.textContent.trim() === "not run").length,
    };
}"""


def judged(name: str, width: int, seen: dict[str, Any]) -> dict[str, list[str]]:
    """Measure -> what was found on a page, from what the browser saw; empty lists where nothing is wrong.

    >>> seen = {"first": 1200, "code": ["import re"], "not_run": 0}
    >>> seen |= dict.fromkeys(("tables", "figures", "texts", "bold", "powers", "cut", "low"), [])
    >>> {name: found for name, found in judged("notebooks/a", 375, seen).items() if found}
    {'late': ['1200 px'], 'plumbing': ['1 line']}
    """
    first = seen["first"]
    if first is None:
        late = [] if name in WITHOUT_FIGURE or name.startswith("api/") else ["no figure"]
    else:
        late = [f"{first} px"] if first > LATEST and name not in WITHOUT_FIGURE and not name.startswith("api/") else []
    lines = sum(map(plumbing, seen["code"]))
    found = {
        "late": late,
        "plumbing": [f"{lines} line{'s' if lines > 1 else ''}"] if lines else [],
        "wide": [*(seen["tables"] if width == WIDTHS[0] else []), *seen["figures"]],
        # The build says the needed width in whole pixels.
        "small": [f"{figure} has {pixels:.1f} px" for figure, pixels in seen["texts"] if pixels < SMALLEST - 0.1],
        "bold": seen["bold"],
        "powers": seen["powers"],
        "cut": seen["cut"],
        "low": seen["low"] if width != WIDTHS[0] else [],
        "not_run": ["not run"] * seen["not_run"],
    }
    return {measure: [] if (name, measure) in ALLOWED else each for measure, each in found.items()}


def measured(project: Project, browser: Browser) -> Iterator[tuple[str, int, int | None, dict[str, list[str]]]]:
    """Page, width, place of its first figure, and what was found, for every page of the contents.

    Raises `BookError` where the book is not built, or lacks a page of its contents.
    """
    if not (project.html / "index.html").is_file():
        raise BookError(f"{project.short(project.html)} has no book: build it first (make book)")
    names = [name for _, name in contents(project)]
    with served(project.html) as address:
        for width in WIDTHS:
            phone = width != WIDTHS[0]
            tab: Page = browser.new_page(viewport={"width": width, "height": 900}, has_touch=phone, is_mobile=phone)
            for name in names:
                response = tab.goto(f"{address}/{name}.html", wait_until="load")
                # An empty answer would have nothing to find fault with.
                if response is None or not response.ok:
                    raise BookError(f"{project.short(project.html)} lacks {name}.html: build it again (make book)")
                settle(tab)
                seen = tab.evaluate(_LOOK, TOUCH)
                yield name, width, seen["first"], judged(name, width, seen)
            tab.close()


def measure(project: Project) -> list[str]:
    """Print a line for each page and width, and the lines of those on which something is above zero, which are returned."""
    failures = []
    print(f"{'page':44} {'width':>5} {'first':>6} " + " ".join(f"{name:>8}" for name in MEASURES if name != "late"))
    with chromium() as browser:
        for name, width, first, found in measured(project, browser):
            counts = " ".join(f"{len(each):>8}" for measure_, each in found.items() if measure_ != "late")
            print(f"{name:44} {width:>5} {first if first is not None else '–':>6} {counts}")
            failures += [
                f"{name} at {width} px: {MEASURES[key]}: {', '.join(dict.fromkeys(each))}"
                for key, each in found.items()
                if each
            ]
    return failures
