"""Every page of the built book in a real browser: two widths, from a server and from a file, light and dark."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

import browser as chromium

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = (1280, 375)
MODES = ("light", "dark")

pytestmark = [pytest.mark.book, pytest.mark.browser]


def pages_of_the_contents():
    """The pages that book/_toc.yml names."""
    found = []

    def walk(node):
        if isinstance(node, dict):
            found.extend(str(node[key]) for key in ("root", "file") if key in node)
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                walk(child)

    walk(yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8")))
    return [name.removesuffix(".md").removesuffix(".ipynb") + ".html" for name in found]


def theme_pages():
    """The pages that Sphinx adds."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    return ["search.html", *(["genindex.html"] if config.get("html_use_index", True) else [])]


PAGES = [*pages_of_the_contents(), *theme_pages()]
each_page = pytest.mark.parametrize("name", PAGES)

# Images and fonts are waited for; images that the page would load only on scrolling are loaded now.
WAIT = """async () => {
    await document.fonts.ready;
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    for (const image of document.images) image.loading = "eager";
    await Promise.all([...document.images].map(image => image.decode().catch(() => null)));
}"""

# The theme hears of a change of the preferred colours a moment later.
SHOWN = """async mode => {
    for (let tries = 0; document.documentElement.dataset.theme !== mode && tries < 500; tries++)
        await new Promise(resolve => setTimeout(resolve, 20));
    return document.documentElement.dataset.theme === mode;
}"""

LOOK = r"""() => {
    const problems = [];
    const named = element => {
        const classes = typeof element.className === "string" && element.className ? "." + element.className.trim().split(/\s+/).join(".") : "";
        return element.tagName.toLowerCase() + (element.id ? "#" + element.id : "") + classes;
    };

    const page = document.scrollingElement;
    if (page.scrollWidth > innerWidth) problems.push(`scrolls sideways: ${page.scrollWidth} px in ${innerWidth} px`);

    // What sticks out of the window can only be read where the reader can scroll to it.
    const reachable = element => {
        for (let up = element; up && up !== document.body; up = up.parentElement)
            if (/auto|scroll/.test(getComputedStyle(up).overflowX)) return true;
        return false;
    };
    const outside = box => box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
    const cut = [...document.querySelectorAll("main *")].filter(element => element.checkVisibility({visibilityProperty: true})
        && outside(element.getBoundingClientRect()) && !element.closest("mjx-assistive-mml") && !reachable(element));
    for (const element of cut.slice(-3)) problems.push(`sticks out of the window: ${named(element)}`);

    // The caption of a wide table must not have to be looked for.
    for (const caption of document.querySelectorAll("caption, figcaption")) {
        const text = document.createRange();
        text.selectNodeContents(caption);
        if (outside(text.getBoundingClientRect())) problems.push(`caption out of sight: ${caption.textContent.trim().slice(0, 60)}`);
    }

    for (const image of document.images)
        if (!(image.complete && image.naturalWidth > 0)) problems.push(`broken image ${image.getAttribute("src")}`);

    for (const element of document.querySelectorAll(".math"))
        if (!element.querySelector("mjx-container")) problems.push(`maths not typeset: ${element.textContent.slice(0, 60)}`);
    for (const element of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
        problems.push(`MathJax: ${element.getAttribute("data-mjx-error") || element.textContent}`);

    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode())
        if (/\$\$|\\\(|\\\[|\\begin\{/.test(text.data) && !text.parentElement.closest("code, pre, script, style, mjx-container"))
            problems.push(`raw maths: ${text.data.trim().slice(0, 60)}`);

    // The theme repeats the title in a part that only shows in print.
    const headings = [...document.querySelectorAll("h1")].filter(heading => heading.checkVisibility());
    if (headings.length !== 1) problems.push(`${headings.length} headings of the first level`);
    if (!document.title.trim()) problems.push("no title");
    if (!document.documentElement.lang) problems.push("no language");
    return problems;
}"""


@pytest.fixture(scope="session")
def addresses(book_html):
    """Protocol to the address of the book's folder."""
    with chromium.served(book_html) as http:
        yield {"http": http, "file": book_html.as_uri()}


class Tab:
    """A page of the browser that notes what goes wrong while it loads."""

    def __init__(self, browser, addresses, width):
        self.addresses, self.width = addresses, width
        self.trouble = []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="light")
        self.page.on("console", self.console)
        self.page.on("pageerror", lambda error: self.trouble.append(f"script error: {error}"))
        self.page.on("request", self.request)
        self.page.on("requestfailed", lambda request: self.trouble.append(f"not loaded: {request.url}"))

    def console(self, message):
        if message.type == "error":
            self.trouble.append(f"console: {message.text} ({message.location.get('url', '')})")

    def request(self, request):
        url = urlsplit(request.url)
        home = urlsplit(self.addresses["http"]).netloc
        if not (url.scheme in ("file", "data", "blob", "about") or (url.scheme == "http" and url.netloc == home)):
            self.trouble.append(f"request to the outside: {request.url}")

    def visit(self, protocol, name):
        """Load a page; what went wrong, in light mode and then in dark mode."""
        self.trouble.clear()
        self.page.emulate_media(color_scheme="light")
        self.page.goto(f"{self.addresses[protocol]}/{name}", wait_until="load")
        self.page.evaluate(WAIT)
        found = []
        for mode in MODES:
            self.page.emulate_media(color_scheme=mode)
            if not self.page.evaluate(SHOWN, mode):
                found.append(f"{mode}: the page does not follow what the system prefers")
            found += [f"{mode}: {problem}" for problem in self.page.evaluate(LOOK)]
        return [f"{protocol}, {self.width} px, {problem}" for problem in [*self.trouble, *found]]


@pytest.fixture(scope="session")
def tabs(running, addresses):
    return [Tab(running, addresses, width) for width in WIDTHS]


def test_the_contents_name_every_page_that_was_built(book_html):
    slides = {f"slides/{path.stem}.html" for path in (ROOT / "book" / "slides").glob("*.md")}
    assert chromium.pages_of(book_html) == sorted({*PAGES, *slides, "index.html"})


@each_page
def test_page(name, tabs, addresses):
    problems = [problem for tab in tabs for protocol in addresses for problem in tab.visit(protocol, name)]
    assert not problems, "\n" + "\n".join(problems)


def test_links_between_pages_work_from_a_file(running, addresses, book_html):
    """A reader who opened index.html from the disk can go through the book with the arrows."""
    tab = running.new_page(viewport={"width": 1280, "height": 900})
    try:
        tab.goto(f"{addresses['file']}/index.html")
        seen = ["index.html"]
        while (following := tab.query_selector("a.right-next")) and len(seen) <= len(PAGES):
            following.click()
            tab.wait_for_load_state("load")
            seen.append(Path(urlsplit(tab.url).path).relative_to(book_html).as_posix())
    finally:
        tab.close()
    assert sorted(seen) == sorted(pages_of_the_contents())


def test_search_finds_a_word_from_a_server(running, addresses):
    tab = running.new_page(viewport={"width": 1280, "height": 900})
    try:
        tab.goto(f"{addresses['http']}/search.html?q=Gaussian")
        tab.wait_for_selector("#search-results li a", timeout=20_000)
        assert re.search(r"\.html", tab.query_selector("#search-results li a").get_attribute("href"))
    finally:
        tab.close()
