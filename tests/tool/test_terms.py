"""Links from the first use of a term or a symbol: the rules on a small project, and all pages of the built book."""

import re
from io import StringIO
from pathlib import Path

import pytest
import yaml
from each import each
from lxml import html as lxml_html
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

from keyfilters_build.first_uses import Finder, canonical, identifier, sentence, spellings

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
    options = {
        "extensions": ["myst_parser", "keyfilters_build.first_uses"],
        "myst_enable_extensions": ["dollarmath", "colon_fence"],
        "nitpicky": True,
    }
    said = StringIO()
    with docutils_namespace():
        app = Sphinx(source, None, root / "out", root / "trees", builder, options, status=None, warning=said, freshenv=True)
        app.build()
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
    index = build(tmp_path, "singlehtml", page="# Page\n\nseparable KL", other="# Other\n\nseparable") / "index.html"
    assert linked(index) == ["separable", "KL", "separable"]
    ids = set(lxml_html.parse(str(index)).getroot().xpath("//@id"))
    assert {target.split("#")[-1] for _, target in term_links(index)} <= ids


def test_index_and_search_know_terms_symbols_and_words_of_the_list(folder):
    index = (folder / "genindex.html").read_text(encoding="utf-8")
    for word in ("C3PO", "scale space", "sigma_x", "σ_x", "T(n, s)", "delta_x+"):
        assert re.search(f">(<strong>)?{re.escape(word)}<", index), word


def test_a_form_of_a_term_that_is_not_there_is_named_and_without_a_glossary_there_are_no_links(tmp_path):
    with pytest.raises(ExtensionError, match="the glossary has no entry 'scales'"):
        build(tmp_path, page="# Page\n\nText.", settings={"terms": {"scales": {}}})
    _, meaning = Finder().words("page")
    assert not meaning and not Finder().formulas("page")


def test_formulas_that_look_alike_are_one_and_a_hint_is_the_first_sentence():
    assert canonical(r"\lVert h \rVert_1") == canonical(r"\| h\|_{1}")
    assert canonical(r"\sigma_{\mathrm{ref}}") == canonical(r"\sigma_\mathrm{ref}") != canonical(r"\sigma_r")
    assert canonical(r"\delta_{x+}") != canonical(r"\delta_{x-}")
    assert spellings(r"\sigma_{\mathrm{ref}}") == ("sigma_ref", "σ_ref")
    assert spellings(r"M(\lvert h \rvert)") == ("M(|h|)",)
    assert identifier(r"\delta_{x-}") == "symbol-delta-x-minus" != identifier(r"\delta_{x+}")
    assert sentence("The $a$ of b, 3.5 units. See there.") == "The $a$ of b, 3.5 units."
    assert sentence("A thing; see there") == "A thing."


# The built book.


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
def test_every_term_is_used_and_linked_once_on_a_page(uses, definitions):
    targets = {page: [target for _, target in links] for page, links in uses.items()}
    assert not [page for page, found in targets.items() if len(found) > len(set(found))]
    assert len(definitions) >= 60 and set(definitions) <= {
        target.split("#")[1] for found in targets.values() for target in found
    }


# A link that begins within another, which a tree builder would repair.
NESTED = re.compile(r"<a\s(?:(?!</a>).)*?<a\s", re.DOTALL)


@pytest.mark.book
def test_no_link_holds_a_link(book_html):
    assert NESTED.search('<a href="x"><span><a href="y">z</a></span></a>') and not NESTED.search(
        '<a href="x">z</a><a href="y">z</a>'
    )
    for path in pages(book_html):
        assert not NESTED.search(re.sub(r"(?s)<script.*?</script>", "", path.read_text(encoding="utf-8"))), path.name


@pytest.mark.book
def test_each_symbol_leads_to_its_row(book_html, uses):
    tree = lxml_html.parse(str(book_html / "notation.html")).getroot()
    formulas, used = {}, set()
    for row in tree.xpath('//tr[starts-with(@id, "symbol-")]'):
        shown = [formula.split(" = ")[0] for formula in re.findall(r"\\\((.*?)\\\)", row[0].text_content())]
        more = (FORMS["symbols"].get(shown[0]) or {}).get("forms", [])
        formulas[row.get("id")] = {canonical(formula) for formula in [*shown, *more]}
    for page, links in uses.items():
        for text, target in links:
            name = target.split("#")[1]
            if name.startswith("symbol-"):
                used.add(name)
                assert canonical(text.strip()[2:-2]).removesuffix("=") in formulas[name], (page, text)
    # Some symbols never stand alone in a line of text.
    assert len(formulas) >= 30 and len(used) > 0.75 * len(formulas), sorted(set(formulas) - used)
