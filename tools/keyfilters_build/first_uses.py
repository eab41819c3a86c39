"""A Sphinx extension: the first use of each term on a page leads to the glossary, that of each symbol to the notation.

The terms are those of the glossary, the symbols those of the first column of the table ``tbl-notation``. Further
forms, and pages on which a word means something else, stand in ``terms.yml`` beside the pages. Links are made last,
when all other references are resolved, and only in running text.

Sphinx's own role ``{term}`` links where somebody writes it. It would have to stand at every first use in the notebooks, which
moves when somebody edits a page, and it knows no symbols.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.nodes import make_refnode

from .project import read_yaml

TABLE = "tbl-notation"
FORMS = "terms.yml"
# What holds no running text, or links of its own.
_SKIPPED = (
    nodes.reference,
    nodes.title,
    nodes.subtitle,
    nodes.rubric,
    nodes.term,
    nodes.table,
    nodes.figure,
    nodes.caption,
    nodes.literal,
    nodes.literal_block,
    nodes.doctest_block,
    nodes.raw,
    nodes.comment,
    nodes.math_block,
    nodes.citation,
    nodes.footnote,
    nodes.image,
    nodes.problematic,
    nodes.system_message,
    addnodes.download_reference,
    addnodes.desc,
    addnodes.toctree,
    addnodes.index,
    addnodes.glossary,
)
_SKIPPED_CLASSES = {"page-card", "page-play", "page-sweep", "data-links", "cell", "sd-card", "sd-btn", "no-terms"}


_GREEK = dict(
    zip(
        "alpha beta gamma delta epsilon theta kappa lambda mu xi pi rho sigma varphi phi psi omega Phi Sigma".split(),
        "αβγδεθκλμξπρσφφψωΦΣ",
        strict=True,
    )
)
# LaTeX -> (ASCII, Unicode)
_SIGNS = {
    "nabla": ("nabla", "∇"),
    "ell": ("ell", "ℓ"),
    "pm": ("+-", "±"),
    "infty": ("infinity", "∞"),
    "times": ("x", "×"),
    "cdot": (".", "·"),
    "ge": (">=", "≥"),
    "le": ("<=", "≤"),
    "approx": ("~", "≈"),
    "sqrt": ("sqrt ", "√"),
    "hat": ("hat ", "hat "),
    "tilde": ("tilde ", "tilde "),
}
_SIGNS |= {name: (name.removeprefix("var"), letter) for name, letter in _GREEK.items()}
_SPACE = re.compile(r"\\[,;:! ]|\\q?quad\b|\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])|\s+|~")
_BARS = re.compile(r"\\[lr]?vert(?![A-Za-z])")
_DOUBLE = re.compile(r"\\[lr]?Vert(?![A-Za-z])|\\\|")
_WRAPPED = re.compile(r"\\(?:mathrm|mathbf|mathcal|operatorname|text)\s*\{([^{}]*)\}")


def canonical(latex: str) -> str:
    r"""One form for formulas that are typeset alike.

    >>> canonical(r"M(\lvert h \rvert)") == canonical("M(|h|)")
    True
    >>> canonical(r"\sigma_{x}") == canonical(r"\sigma_x")
    True
    """
    text = re.sub(r"\{(\{[^{}]*\})\}", r"\1", _WRAPPED.sub(r"{\1}", latex))
    text = _DOUBLE.sub("‖", _BARS.sub("|", text))
    # A command ends where its letters do: a space behind it is kept as a boundary until the letters are replaced.
    text = re.sub(r"\\([A-Za-z]+)\s*", r"\\\1 ", text)
    text = re.sub(r"\\(left|right|[bB]igg?[lr]?) ", "", text)
    text = _SPACE.sub(" ", text)
    text = re.sub(r"(\\[A-Za-z]+) ", r"<\1>", text).replace(" ", "")
    return re.sub(r"\{([A-Za-z0-9]|<\\[A-Za-z]+>)\}", r"\1", text)


def _words(latex: str, column: int) -> str:
    text = _WRAPPED.sub(r"{\1}", latex)
    text = _DOUBLE.sub(("||", "‖")[column], _BARS.sub("|", text))
    text = re.sub(r"\\frac\s*(\{[^{}]*\}|\w)\s*(\{[^{}]*\}|\w)", r"\1/\2", text)
    text = re.sub(r"\\,|\\!|\\;|\\left|\\right", "", text)
    text = re.sub(r"\\([A-Za-z]+)\s?", lambda found: _SIGNS.get(found[1], (found[1] + " ", found[1] + " "))[column], text)
    return " ".join(re.sub(r"[{}\\]", "", text).split())


def spellings(latex: str) -> tuple[str, ...]:
    r"""A formula in ASCII and in Unicode, as one would type it; one spelling where they are the same.

    >>> spellings(r"\delta_{x+}")
    ('delta_x+', 'δ_x+')
    >>> spellings(r"M(\lvert h \rvert)")
    ('M(|h|)',)
    """
    both = [re.sub(r"([|‖(]+) ?(\w[^|‖()]*?) ?([|‖)]+)", r"\1\2\3", _words(latex, column)) for column in (0, 1)]
    return tuple(dict.fromkeys(both))


def identifier(latex: str) -> str:
    r"""A name for an anchor.

    >>> identifier(r"\delta_{x+}")
    'symbol-delta-x-plus'
    """
    words = _words(latex, 0).replace("+", " plus ").replace("||", " norm ").replace("|", " abs ")
    words = re.sub(r"-(?!\w)", " minus ", words)
    return "symbol-" + re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-")


@dataclass(frozen=True)
class Entry:
    """Where a term or a symbol is explained, and what of a page leads there."""

    name: str
    docname: str
    target: str
    hint: str
    forms: tuple[str, ...]
    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    def on(self, docname: str) -> bool:
        """Whether it may be linked on a page."""
        page = docname.rsplit("/", 1)[-1]
        return docname != self.docname and page not in self.without and (not self.only or page in self.only)


@dataclass
class Finder:
    """All terms and symbols of the book."""

    terms: list[Entry] = field(default_factory=list)
    symbols: list[Entry] = field(default_factory=list)
    phrases: tuple[str, ...] = ()

    def words(self, docname: str) -> tuple[re.Pattern[str], dict[str, Entry | None]]:
        """A pattern for all forms on a page, the longest first, and what each form stands for (None: nothing)."""
        meaning: dict[str, Entry | None] = {form(phrase): None for phrase in self.phrases}
        for entry in self.terms:
            if entry.on(docname):
                meaning.update({form(one): entry for one in entry.forms})
        forms = sorted(meaning, key=lambda one: (-len(one), one))
        gap, apostrophe = r"[\s\-\u2010\u2011]+", "['’]"
        alternatives = "|".join(re.escape(one).replace(r"\ ", gap).replace("'", apostrophe) for one in forms)
        return re.compile(rf"(?<![\w\-])(?:({alternatives})s?)(?![\w\-]|['’]\w)", re.IGNORECASE), meaning

    def formulas(self, docname: str) -> dict[str, Entry]:
        """Formula -> symbol, for a page."""
        return {canonical(one): entry for entry in self.symbols if entry.on(docname) for one in entry.forms}


def form(text: str, hyphens: bool = False) -> str:
    """A form as it is compared: one kind of apostrophe, and spaces for line ends and (unless kept) hyphens."""
    return re.sub(r"\s+" if hyphens else r"[\s\-\u2010\u2011]+", " ", text).replace("’", "'")


def _meant(found: str, wanted: str, starts: bool) -> bool:
    """Whether the case of what was found is that of the form; at the start of a sentence a capital may stand first."""
    return found == wanted or (starts and found[0] == wanted[0].upper() and found[1:] == wanted[1:])


def sentence(text: str) -> str:
    """The first sentence, or what stands before a semicolon and a pointer to a page."""
    text = " ".join(text.split())
    found = re.match(r"(.+?)(?:; see\b|[.:]$|\.\s+(?=[A-Z]))", text + " ")
    return (found[1] if found else text).strip().rstrip(".") + "."


class Page:
    """One page while its first uses are looked for."""

    def __init__(self, finder: Finder, docname: str) -> None:
        self.pattern, self.meaning = finder.words(docname)
        self.formulas = finder.formulas(docname)
        # Nothing is linked on the pages that explain.
        self.active = docname not in {entry.docname for entry in [*finder.terms, *finder.symbols]}
        self.done: set[str] = set()

    def term(self, text: str, before: str) -> Iterator[tuple[int, int, Entry]]:
        """Where in `text`, which stands behind `before`, terms are used for the first time."""
        for found in self.pattern.finditer(text) if self.active and self.meaning else ():
            words = form(found[1])
            starts = bool(re.search(r"(^|[.!?:]\s*|[(“\"‘']\s*)$", before + text[: found.start()]))
            entry = next(
                (entry for one, entry in self.meaning.items() if one.lower() == words.lower() and _meant(words, one, starts)),
                None,
            )
            if entry and entry.target not in self.done:
                self.done.add(entry.target)
                yield found.start(), found.end(), entry

    def symbol(self, latex: str) -> Entry | None:
        """The symbol that a formula is, if it stands on the page for the first time."""
        # A number may follow in the text: $\sigma =$ 0.5.
        entry = self.formulas.get(canonical(latex).removesuffix("=")) if self.active else None
        if entry is None or entry.target in self.done:
            return None
        self.done.add(entry.target)
        return entry


def _plain(node: nodes.Node) -> str:
    """The text of a node with formulas as one would type them."""
    if isinstance(node, nodes.math):
        return spellings(node.astext())[-1]
    if isinstance(node, nodes.Text):
        return node.astext()
    return "".join(_plain(child) for child in node.children)


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / FORMS
    return (read_yaml(path, FORMS) or {}) if path.is_file() else {}


def _terms(doctree: nodes.document) -> Iterator[tuple[list[str], str, nodes.Node]]:
    """The names of each entry of a glossary, its anchor, and the node that explains it."""
    for item in doctree.findall(nodes.definition_list_item):
        if isinstance(item.parent.parent, addnodes.glossary):
            headings = [child for child in item.children if isinstance(child, nodes.term)]
            yield [form(heading.astext(), hyphens=True) for heading in headings], headings[0]["ids"][0], item.children[-1]


def _rows(doctree: nodes.document) -> Iterator[tuple[nodes.row, list[str]]]:
    """The rows of the notation table with their symbols: what stands before an equals sign in the first column."""
    for table in doctree.findall(nodes.table):
        if TABLE in table["names"] + table["ids"]:
            for row in next(iter(table.findall(nodes.tbody))).children:
                yield row, [node.astext().split(" = ")[0].strip() for node in row.children[0].findall(nodes.math)]


def _symbols(doctree: nodes.document) -> Iterator[tuple[list[str], str, nodes.Node]]:
    """The same for the symbols of the notation table."""
    return ((formulas, row["ids"][0], row.children[1]) for row, formulas in _rows(doctree))


def _entries(app: Sphinx, docname: str, found: Callable, settings: Mapping[str, Any], unknown: str) -> list[Entry]:
    """The entries of a page that explains, with the forms and pages that the settings add or leave out."""
    entries = []
    for names, target, explained in found(app.env.get_doctree(docname)):
        options = settings.get(names[0]) or {}
        forms = [name for name in names if name not in options.get("without", ())] + list(options.get("forms", ()))
        only, without = (frozenset(options.get(which, ())) for which in ("only", "except"))
        entries.append(Entry(names[0], docname, target, sentence(_plain(explained)), tuple(forms), only, without))
    left = sorted(set(settings) - {entry.name for entry in entries})
    if left:
        raise ValueError(f"{FORMS}: {unknown} {left[0]!r}")
    return entries


def collect(app: Sphinx) -> Finder:
    """The terms and symbols of all pages, with the forms of `terms.yml`."""
    settings = _settings(Path(app.srcdir))
    objects = app.env.get_domain("std").get_objects()
    glossaries = sorted({place for _, _, kind, place, _, _ in objects if kind == "term"})
    finder = Finder(phrases=tuple(settings.get("phrases", ())))
    for docname in glossaries:
        finder.terms += _entries(app, docname, _terms, settings.get("terms") or {}, "the glossary has no entry")
    if TABLE in (tables := app.env.get_domain("std").anonlabels):
        unknown = "no row of the notation table begins with"
        finder.symbols += _entries(app, tables[TABLE][0], _symbols, settings.get("symbols") or {}, unknown)
    return finder


def _link(app: Sphinx, page: Page, home: str, entry: Entry, child: nodes.Node) -> nodes.reference:
    link = make_refnode(app.builder, home, entry.docname, entry.target, child, entry.hint)
    link["classes"].append("term-link")
    return link


def _walk(app: Sphinx, finder: Finder, node: nodes.Element, page: Page, home: str) -> None:
    """Link the first uses below `node`, in the order of reading."""
    before, written = "", False
    _join(node)
    for child in list(node.children):
        # A link that the page writes as HTML: what stands between its two tags is in a link already.
        if isinstance(child, nodes.raw):
            tags = re.findall(r"<(/?)a\b", child.astext())
            written = tags[-1] == "" if tags else written
        elif written:
            pass
        elif isinstance(child, addnodes.start_of_file):
            # All pages in one document, for print: each page has first uses of its own.
            _walk(app, finder, child, Page(finder, child["docname"]), home)
        elif isinstance(child, nodes.math):
            entry = page.symbol(child.astext())
            if entry:
                node.replace(child, _link(app, page, home, entry, child.deepcopy()))
        elif isinstance(child, nodes.Text):
            _replace(app, node, child, page, home, before)
        elif isinstance(child, nodes.Element) and not _skipped(child):
            _walk(app, finder, child, page, home)
        before += child.astext() or "\N{OBJECT REPLACEMENT CHARACTER}"


def _join(node: nodes.Element) -> None:
    """Make one text of neighbouring ones: a line end stands in a text of its own."""
    for position in range(len(node.children) - 1, 0, -1):
        one, two = node.children[position - 1 : position + 1]
        if isinstance(one, nodes.Text) and isinstance(two, nodes.Text):
            node[position - 1 : position + 1] = [nodes.Text(one.astext() + two.astext())]


def _skipped(node: nodes.Element) -> bool:
    return isinstance(node, _SKIPPED) or bool(_SKIPPED_CLASSES & set(node.get("classes", ())))


def _replace(app: Sphinx, node: nodes.Element, child: nodes.Text, page: Page, home: str, before: str) -> None:
    text, parts, end = child.astext(), [], 0
    for start, stop, entry in page.term(text, before):
        parts += [nodes.Text(text[end:start])] if start > end else []
        parts.append(_link(app, page, home, entry, nodes.inline("", text[start:stop])))
        end = stop
    if parts:
        node.replace(child, [*parts, nodes.Text(text[end:])] if end < len(text) else parts)


def link_first_uses(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Handler of ``doctree-resolved``."""
    if not hasattr(app.env, "keyfilters_terms"):
        app.env.keyfilters_terms = collect(app)
    finder = app.env.keyfilters_terms
    _walk(app, finder, doctree, Page(finder, docname), docname)


def _index(entries: Iterable[str], target: str) -> addnodes.index:
    # A semicolon would make two levels of an entry.
    return addnodes.index(entries=[("single", entry.replace(";", ","), target, "main", None) for entry in entries])


class Anchors(SphinxTransform):
    """Rows of the notation table get anchors and entries of the index, pages the entries of `terms.yml`."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        entries = []
        for row, formulas in _rows(self.document):
            target = identifier(formulas[0])
            row["ids"].append(target)
            words = dict.fromkeys(word for formula in formulas for word in spellings(formula))
            entries.append(_index(words, target))
        named = (_settings(Path(self.env.srcdir)).get("index") or {}).get(self.env.docname, ())
        if named:
            entries.append(_index(named, ""))
        section = next(iter(self.document.findall(nodes.section)), None)
        if section is not None:
            section[1:1] = entries


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_transform(Anchors)
    app.connect("env-updated", lambda app, env: vars(env).pop("keyfilters_terms", None) and None)
    # After everybody else's references.
    app.connect("doctree-resolved", link_first_uses, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
