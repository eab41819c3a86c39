"""Links from the first use of a term or a symbol: the rules on a small project, and all pages of the built book."""

import re
import zlib
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
import yaml
from each import each
from lxml import html as lxml_html
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

from keyfilters_build.first_uses import Finder, sentence
from keyfilters_build.formulas import canonical, identifier, spellings

ROOT = Path(__file__).resolve().parents[2]
FORMS = yaml.safe_load((ROOT / "book" / "terms.yml").read_text(encoding="utf-8"))

GLOSSARY = """# Glossary

:::{glossary}
scale space
  All smoothed versions of a signal. It has $\\sigma$ and a *semigroup*.

depthwise convolution
  One kernel for each channel.

separable
  A product of two functions.

depthwise separable convolution
  Both of them; see {doc}`page`.

Holm's correction
  A correction.

KL
divergence
  How far from each other.
:::
"""
NOTATION = r"""# Notation

:::{table} Symbols.
:name: tbl-notation

| Symbol | Meaning |
| --- | --- |
| $\sigma$, $\sigma_x$ | scale in grid units |
| $T(n; s) = e^{-s} I_n(s)$ | kernel of scale $s$ |
| $\delta_{x+}$ | forward difference |
:::
"""
SETTINGS = {
    "terms": {"depthwise convolution": {"forms": ["depthwise"]}, "KL": {"without": ["divergence"], "except": ["other"]}},
    "phrases": ["separable cut"],
    "symbols": {"T(n; s)": {"forms": ["T"]}},
    "index": {"page": ["C3PO"]},
}


def build(root, builder="html", settings=SETTINGS, **pages):
    """Build a project with the pages `name=text`; the folder of what was built."""
    source = root / "source"
    source.mkdir()
    texts = {"glossary": GLOSSARY, "notation": NOTATION, **pages}
    for name, text in texts.items():
        (source / f"{name}.md").write_text(text, encoding="utf-8")
    contents = "\n".join(texts)
    (source / "index.md").write_text(f"# Start\n\n```{{toctree}}\n{contents}\n```\n", encoding="utf-8")
    (source / "terms.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    said = StringIO()
    settings = {
        "extensions": ["myst_parser", "keyfilters_build.first_uses"],
        "myst_enable_extensions": ["dollarmath", "colon_fence"],
        "nitpicky": True,
    }
    with docutils_namespace():
        Sphinx(
            source,
            None,
            root / "out",
            root / "trees",
            builder,
            confoverrides=settings,
            status=None,
            warning=said,
            freshenv=True,
        ).build()
    assert not said.getvalue()
    return root / "out"


def term_links(path):
    """(text, target) of the links to terms and symbols on a built page, in order."""
    tree = lxml_html.parse(str(path)).getroot()
    return [(link.text_content(), link.get("href")) for link in tree.xpath('//a[contains(@class, "term-link")]')]


WORDS = [
    ("Scale spaces, and scale space.", ["Scale spaces"]),
    ("The Scale space of a name, then scale-space\ntheory.", ["scale-space"]),
    ("A scale\nspace over two lines.", ["scale\nspace"]),
    ("A depthwise-separable convolution, separable.", ["depthwise-separable convolution", "separable"]),
    ("Depthwise: a *depthwise convolution*.", ["Depthwise"]),
    ("Inseparable, separability, nonseparable.", []),
    ("First a separable cut, then separable.", ["separable"]),
    ("Holm's correction and Holm’s corrections.", ["Holm’s correction"]),
    ("A divergence is no form, KL is.", ["KL"]),
    ("A kl is none.", []),
    ("**Strong separable** and `separable`.", ["separable"]),
    ("`separable` and [separable](glossary.md) only.", []),
    ('<a href="page.html">separable, KL</a> and separable.', ["separable"]),
    ("| a separable |\n| --- |\n| separable |\n", []),
    ("## A separable heading\n\nNo word.", []),
]
FORMULAS = [
    (r"$\sigma_{x}$, $\sigma$ and $\sigma_x$", [r"\(\sigma_{x}\)"]),
    (r"$\sigma = 1$, then $\sigma$", [r"\(\sigma\)"]),
    (r"$T( n ;\, s )$ and $T$", [r"\(T( n ;\, s )\)"]),
    (r"$\delta_{x-}$ and $\sigma =$ 3", [r"\(\sigma =\)"]),
]
PAGE = r"""# Page

A scale space of KL, $\sigma_x$ and $T$."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One project with a page for each text: every page has its own first uses."""
    pages = {f"case{n}": f"# Page\n\n{text}\n" for n, (text, _) in enumerate([*WORDS, *FORMULAS])}
    return build(tmp_path_factory.mktemp("terms"), page=PAGE, other="# Other\n\nKL, separable.", **pages)


def linked(path):
    return [words for words, _ in term_links(path)]


@each("number, found", [(number, found) for number, (_, found) in enumerate([*WORDS, *FORMULAS])])
def test_what_is_linked(folder, number, found):
    assert linked(folder / f"case{number}.html") == found


def test_links_lead_to_definitions_and_say_them(folder):
    tree = lxml_html.parse(str(folder / "page.html")).getroot()
    links = tree.xpath('//a[contains(@class, "term-link")]')
    assert [(link.get("href"), link.get("title")) for link in links] == [
        ("glossary.html#term-scale-space", "All smoothed versions of a signal."),
        ("glossary.html#term-KL", "How far from each other."),
        ("notation.html#symbol-sigma", "scale in grid units."),
        ("notation.html#symbol-T-n-s", "kernel of scale s."),
    ]
    for link in links:
        page, anchor = link.get("href").split("#")
        assert lxml_html.parse(str(folder / page)).getroot().xpath(f'//*[@id="{anchor}"]')
    assert not term_links(folder / "glossary.html") and not term_links(folder / "notation.html")


def test_a_page_can_be_left_out(folder):
    assert "KL" in linked(folder / "page.html")
    assert linked(folder / "other.html") == ["separable"]


def test_in_one_document_every_page_has_its_own_first_uses(tmp_path):
    folder = build(tmp_path, "singlehtml", page="# Page\n\nseparable KL", other="# Other\n\nseparable")
    assert linked(folder / "index.html") == ["separable", "KL", "separable"]
    ids = set(lxml_html.parse(str(folder / "index.html")).getroot().xpath("//@id"))
    assert all(target.split("#")[-1] in ids for _, target in term_links(folder / "index.html"))


def test_index_and_search_know_terms_symbols_and_words_of_the_list(folder):
    index = (folder / "genindex.html").read_text(encoding="utf-8")
    for word in ("C3PO", "scale space", "sigma_x", "σ_x", "T(n, s)", "delta_x+"):
        assert re.search(f">(<strong>)?{re.escape(word)}<", index), word


def test_a_form_of_a_term_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ExtensionError, match="the glossary has no entry 'scales'"):
        build(tmp_path, page="# Page\n\nText.", settings={"terms": {"scales": {}}})


def test_a_book_without_glossary_and_notation_has_no_links():
    pattern, meaning = Finder().words("page")
    assert not meaning and not Finder().formulas("page")


def test_formulas_that_look_alike_are_one():
    assert canonical(r"\lVert h \rVert_1") == canonical(r"\| h\|_{1}")
    assert canonical(r"\sigma_{\mathrm{ref}}") == canonical(r"\sigma_\mathrm{ref}") != canonical(r"\sigma_r")
    assert canonical(r"\delta_{x+}") != canonical(r"\delta_{x-}")
    assert spellings(r"\sigma_{\mathrm{ref}}") == ("sigma_ref", "σ_ref")
    assert spellings(r"M(\lvert h \rvert)") == ("M(|h|)",)
    assert identifier(r"\delta_{x-}") == "symbol-delta-x-minus" != identifier(r"\delta_{x+}")


def test_the_hint_is_the_firstsentence():
    assert sentence("The $a$ of b, 3.5 units. See there.") == "The $a$ of b, 3.5 units."
    assert sentence("A thing; see there") == "A thing."


# The built book.

BOOK = [pytest.mark.book]


def pages(folder):
    return [path for path in sorted(folder.rglob("*.html")) if "_" not in path.relative_to(folder).parts[0][:1]]


@pytest.fixture(scope="module")
def uses(book_html):
    """Page -> links of terms and symbols."""
    return {path.relative_to(book_html).as_posix(): term_links(path) for path in pages(book_html)}


@pytest.fixture(scope="module")
def definitions(book_html):
    """First anchor of each definition of the glossary -> its headings."""
    tree = lxml_html.parse(str(book_html / "glossary.html")).getroot()
    found, group = {}, []
    for element in tree.xpath('//dl[contains(@class, "glossary")]/*'):
        if element.tag == "dt":
            group.append(element)
        elif group:
            found[group[0].get("id")] = [dt.text_content().replace("#", "").strip() for dt in group]
            group = []
    return found


@pytest.mark.book
def test_every_term_is_used(uses, definitions):
    targets = {target.split("#")[1] for links in uses.values() for _, target in links}
    assert len(definitions) >= 60
    assert not set(definitions) - targets


@pytest.mark.book
def test_a_term_is_linked_once_on_a_page(uses):
    twice = []
    for page, links in uses.items():
        targets = [target for _, target in links]
        twice += [f"{page}: {target}" for target in set(targets) if targets.count(target) > 1]
    assert not twice


PASSED = (
    ".//h1|.//h2|.//h3|.//h4|.//table|.//pre|.//code|.//figure|.//a|.//script|.//style|.//dt"
    "|.//*[contains(@class, 'cell ')]"
    "|.//p[contains(@class, 'title') or contains(@class, 'rubric')]|.//div[contains(@class, 'sd-card')]"
    "|.//span[contains(@class, 'math')]|.//div[contains(@class, 'math') or contains(@class, 'page-card') or contains(@class, 'page-goals')]"
    "|.//div[contains(@class, 'page-play') or contains(@class, 'page-sweep')]"
    "|.//div[contains(@class, 'citation') or contains(@class, 'data-links') or @role='doc-biblioentry']"
    "|.//*[contains(@class, 'cell') and contains(@class, 'docutils')]|.//div[@id='searchbox']|.//nav|.//footer"
    "|.//dl[contains(@class, 'py')]"
)


def mark_of(target):
    """A sign for an anchor that holds no words."""
    return f"⟦{zlib.crc32(target.encode())}⟧"


def running_text(path):
    """The text of a page in which terms are linked, with a mark before each link of a term."""
    tree = lxml_html.parse(str(path)).getroot()
    article = next(iter(tree.xpath('//article[contains(@class, "bd-article")]')), None)
    if article is None:
        return ""
    for link in article.xpath('.//a[contains(@class, "term-link")]'):
        link.tag = "mark"
        link.text = mark_of(link.get("href").split("#")[1]) + (link.text or "")
    for element in article.xpath(".//em|.//strong|.//span[not(ancestor::mark)]"):
        # A form is not looked for across what is set apart.
        element.text, element.tail = f"\u2060{element.text or ''}", f"\u2060{element.tail or ''}"
    for element in article.xpath(PASSED):
        if element.getparent() is not None:
            element.text, element[:] = "¶", []
    return " ".join(article.text_content().split())


@pytest.mark.book
def test_the_first_use_is_the_one_that_is_linked(book_html, definitions):
    """The headings of the glossary, looked for in the text itself."""
    wrong, seen = [], 0
    headings = [name for names in definitions.values() for name in names]
    further = [form for options in FORMS["terms"].values() for form in options.get("forms", [])]
    everything = sorted({*headings, *further}, key=len, reverse=True)
    for path in pages(book_html):
        page = path.relative_to(book_html).with_suffix("").as_posix().rsplit("/", 1)[-1]
        if page in ("glossary", "notation", "genindex", "search", "interactive"):
            continue
        text = running_text(path)
        for target, names in definitions.items():
            options = FORMS["terms"].get(names[0].replace("’", "'")) or {}
            if page in options.get("except", []) or page not in options.get("only", [page]):
                continue
            for name in names:
                if name in options.get("without", []) or len(name) < 6:
                    continue
                others = [one for one in everything if name in one and one != name]
                longer = "|".join(re.escape(one).replace(r"\ ", "[- ]") for one in others)
                plain = re.sub(longer, "¶", text, flags=re.IGNORECASE) if longer else text
                first = re.search(rf"(?<![\w\-⟧]){re.escape(name)}s?(?![\w\-’'])", plain)
                mark = plain.find(mark_of(target))
                seen += mark >= 0
                if first and (mark < 0 or mark > first.start()):
                    wrong.append(f"{page}: {name}: …{plain[max(first.start() - 40, 0) : first.end() + 20]}…")
    assert seen > 100
    assert not wrong, "\n".join(wrong)


class Nesting(HTMLParser):
    """Counts links within links, which a tree builder would repair."""

    def __init__(self):
        super().__init__()
        self.open = self.nested = self.links = 0

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.links += 1
            self.nested += self.open > 0
            self.open += 1

    def handle_endtag(self, tag):
        self.open -= tag == "a"


@pytest.mark.book
def test_no_link_holds_a_link(book_html):
    for path in pages(book_html):
        reader = Nesting()
        reader.feed(path.read_text(encoding="utf-8"))
        assert reader.nested == 0 and reader.open == 0, path.name
    broken = Nesting()
    broken.feed('<a href="x"><span><a href="y">z</a></span></a>')
    assert broken.nested == 1


@pytest.mark.book
def test_each_symbol_leads_to_its_row(book_html, uses):
    tree = lxml_html.parse(str(book_html / "notation.html")).getroot()
    rows = {row.get("id"): row for row in tree.xpath('//tr[starts-with(@id, "symbol-")]')}
    formulas = {}
    for name, row in rows.items():
        shown = re.findall(r"\\\((.*?)\\\)", row[0].text_content())
        assert shown, name
        shown = [formula.split(" = ")[0] for formula in shown]
        more = (FORMS["symbols"].get(shown[0]) or {}).get("forms", [])
        formulas[name] = {canonical(formula) for formula in [*shown, *more]}
    assert len(rows) >= 30
    used = set()
    for page, links in uses.items():
        for text, target in links:
            if target.split("#")[1].startswith("symbol-"):
                name = target.split("#")[1]
                used.add(name)
                assert canonical(text.strip()[2:-2]).removesuffix("=") in formulas[name], (page, text)
    # Some symbols never stand alone in a line of text.
    assert len(used) > 0.75 * len(rows), sorted(set(rows) - used)
