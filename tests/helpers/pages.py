"""The pages of the built book as a browser shows them, and what can be wrong with one: everything is looked at in one visit."""

from pathlib import Path

import yaml
from tabs import watched

from keyfilters_build.text_size import SMALLEST_TEXT, size, texts

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "book" / "_generated" / "data"
DESKTOP, PHONE = WIDTHS = (1280, 375)
MODES = ("light", "dark")


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
KINDS = (
    "index.html",
    "glossary.html",
    "notebooks/what_a_unit_wants.html",
    "api/layers.html",
    "interactive.html",
    "search.html",
)
"""A page of each kind: with cards, with words, with figures and tables, with signatures, with controls, of the theme."""

# What axe-core finds and what stays, with the reason. The page book/accessibility.md has the same list.
# rule -> (what it is found at, as a selector, why it stays)
KNOWN = {
    "empty-table-header": (
        "th:has(mjx-container)",
        "The header is a formula. axe-core looks for words and does not read the MathML beside the formula, which screen readers do.",
    )
}

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


# Most of the time of axe-core goes into the contrast of every word. Words have the same contrast where their own look and
# all that lies behind them are the same: of each such kind the first, the last and one between are marked (of some axe-core
# cannot tell what lies behind), and the others are looked at by a long test.
KINDS_OF_TEXT = """() => {
    const known = new Map([[null, ""]]);
    const behind = element => {
        if (!known.has(element)) {
            const style = getComputedStyle(element);
            known.set(element, behind(element.parentElement) + [style.backgroundColor, style.backgroundImage, style.opacity,
                style.filter, style.mixBlendMode, style.position] + "|");
        }
        return known.get(element);
    };
    for (const element of document.querySelectorAll("[data-kind-of-text]")) delete element.dataset.kindOfText;
    const kinds = new Map();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const element = text.parentElement;
        if (!text.data.trim() || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const kind = behind(element) + [style.color, style.fontSize, style.fontWeight, style.textShadow];
        if (!kinds.has(kind)) kinds.set(kind, []);
        kinds.get(kind).push(element);
    }
    for (const same of kinds.values())
        for (const element of [same[0], same[same.length >> 1], same.at(-1)]) element.dataset.kindOfText = "";
    axe.configure({rules: [{id: "color-contrast", selector: "[data-kind-of-text]"}]});
    return kinds.size;
}"""


# Style sheets are not fetched a second time: only a rule that is switched off reads them.
AXE = """async ({known, rules}) => {
    const which = rules ? {runOnly: {type: "rule", values: rules}} : {};
    const found = await axe.run(document, {elementRef: true, resultTypes: ["violations"], preload: {assets: ["media"]}, ...which});
    return found.violations.flatMap(rule => rule.nodes
        .filter(node => !(known[rule.id] && node.element.matches(known[rule.id])))
        .map(node => `${rule.id}: ${node.html.slice(0, 120)} ${[...node.any, ...node.all, ...node.none].map(c => c.message)[0] || ""}`));
}"""


def faults(page, every_text=False):
    """What axe-core, whose script is on the page, finds: by all its rules, or in the contrast of every text."""
    if not every_text:
        page.evaluate(KINDS_OF_TEXT)
    return page.evaluate(AXE, {"known": selectors(), "rules": ["color-contrast"] if every_text else None})


PICTURES = """() => [...document.querySelectorAll("figure[id]")].filter(figure => figure.querySelector("img").checkVisibility()).map(figure => {
    const image = figure.querySelector("img"), box = figure.querySelector(".figure-box"), style = getComputedStyle(image);
    const button = figure.querySelector("button.enlarge");
    return {id: figure.id, src: image.currentSrc, boxed: Boolean(box), wide: box && box.scrollWidth > box.clientWidth + 1,
            enlarges: Boolean(button && button.checkVisibility()),
            width: image.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)};
})"""


def small_texts(page, name, html):
    """Figures wider than the page, those with text below 9 points that cannot be enlarged, and those that can for no reason."""
    problems = []
    for shown in page.evaluate(PICTURES):
        if not shown["boxed"]:
            problems.append(f"{shown['id']} has no box of its own")
            continue
        image = html / "_images" / Path(shown["src"]).name
        svg = image if image.suffix == ".svg" else DATA / Path(name).stem / f"{shown['id']}.svg"
        drawn = svg.read_bytes()
        # A point is 96/72 CSS pixels.
        scale = shown["width"] * 72 / 96 / size(drawn)[0]
        points, label = min(texts(drawn))
        if points * scale < SMALLEST_TEXT - 0.05 and not shown["enlarges"]:
            problems.append(f"{shown['id']}: {label!r} has {points * scale:.1f} pt, and no button enlarges it")
        if points * scale > SMALLEST_TEXT + 0.05 and shown["enlarges"]:
            problems.append(f"{shown['id']} can be read, but offers to be enlarged")
        if shown["wide"]:
            problems.append(f"{shown['id']} is wider than the page")
    return problems


SCROLLERS = """() => [...document.querySelectorAll("main *")].filter(element => {
    if (!element.checkVisibility() || element.closest("mjx-assistive-mml")) return false;
    if (!/auto|scroll/.test(getComputedStyle(element).overflowX)) return false;
    return element.scrollWidth > element.clientWidth + 1;
}).filter(element => !(element.tabIndex === 0 && (element.getAttribute("aria-label") || element.matches("textarea, select"))))
  .map(element => `${element.tagName}.${element.className}: ${element.textContent.trim().slice(0, 60)}`)"""


def ready(page):
    """Wait until fonts, images, mathematics and the boxes that scroll are there."""
    page.evaluate(WAIT)
    page.wait_for_function("document.documentElement.dataset.boxes === 'ready'")


class Visitor:
    """Goes to pages of the book with a window of one width, and notes what goes wrong while they load."""

    def __init__(self, browser, html, addresses, width):
        self.html, self.addresses, self.width = html, addresses, width
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="light", reduced_motion="reduce")
        self.trouble = watched(self.page, addresses["http"])
        self.page.on("requestfailed", lambda request: self.trouble.append(f"not loaded: {request.url}"))

    def visit(self, protocol, name, modes, axe=None):
        """What is wrong with a page in the modes named, one after the other; with what axe-core finds, if its script is given."""
        self.trouble.clear()
        self.page.emulate_media(color_scheme="light")
        self.page.goto(f"{self.addresses[protocol]}/{name}", wait_until="load")
        ready(self.page)
        found = small_texts(self.page, name, self.html)
        found += [f"scrolls sideways without a stop or a name: {box}" for box in self.page.evaluate(SCROLLERS)]
        if axe:
            self.page.add_script_tag(path=axe)
        for mode in modes:
            self.page.emulate_media(color_scheme=mode)
            if not self.page.evaluate(SHOWN, mode):
                found.append(f"{mode}: the page does not follow what the system prefers")
            found += [f"{mode}: {problem}" for problem in self.page.evaluate(LOOK)]
            if axe:
                found += [f"{mode}: {problem}" for problem in faults(self.page)]
        return [f"{protocol}, {self.width} px, {problem}" for problem in [*self.trouble, *found]]


def selectors():
    """Rule of axe-core -> where its faults are known."""
    return {rule: selector for rule, (selector, _) in KNOWN.items()}
