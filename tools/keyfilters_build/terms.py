"""A Sphinx extension: the first use of each term on a page leads to the glossary, that of each symbol to the notation.

The terms are those of the glossary, the symbols those of the first column of the table ``tbl-notation``. Further
forms, and pages on which a word means something else, stand in ``terms.yml`` beside the pages. Links are made last,
when all other references are resolved, and only in running text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.nodes import make_refnode

from .latex import identifier, spellings
from .wording import Entry, Finder, Page, form, sentence

__all__ = ["collect", "link_first_uses", "setup"]

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
_SKIPPED_CLASSES = {"page-card", "data-links", "cell", "sd-card", "sd-btn", "no-terms"}


def _plain(node: nodes.Node) -> str:
    """The text of a node with formulas as one would type them."""
    if isinstance(node, nodes.math):
        return spellings(node.astext())[-1]
    if isinstance(node, nodes.Text):
        return node.astext()
    return "".join(_plain(child) for child in node.children)


def _pages(options: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    return {"only": frozenset(options.get("only", ())), "without": frozenset(options.get("except", ()))}


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / FORMS
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


def _terms(doctree: nodes.document, docname: str, settings: Mapping[str, Any]) -> Iterator[Entry]:
    known = set()
    for item in doctree.findall(nodes.definition_list_item):
        if not isinstance(item.parent.parent, addnodes.glossary):
            continue
        headings = [child for child in item.children if isinstance(child, nodes.term)]
        names = [form(heading.astext(), hyphens=True) for heading in headings]
        options = settings.get(names[0]) or {}
        known.add(names[0])
        forms = [name for name in names if name not in options.get("without", ())] + list(options.get("forms", ()))
        hint = sentence(_plain(item.children[-1]))
        yield Entry(names[0], docname, headings[0]["ids"][0], hint, tuple(forms), **_pages(options))
    unknown = sorted(set(settings) - known)
    if unknown:
        raise ValueError(f"{FORMS}: the glossary has no entry {unknown[0]!r}")


def _rows(doctree: nodes.document) -> Iterator[tuple[nodes.row, list[str]]]:
    """The rows of the notation table with their symbols: what stands before an equals sign in the first column."""
    for table in doctree.findall(nodes.table):
        if TABLE in table["names"] + table["ids"]:
            for row in next(iter(table.findall(nodes.tbody))).children:
                yield row, [node.astext().split(" = ")[0].strip() for node in row.children[0].findall(nodes.math)]


def _symbols(doctree: nodes.document, docname: str, settings: Mapping[str, Any]) -> Iterator[Entry]:
    known = set()
    for row, formulas in _rows(doctree):
        options = settings.get(formulas[0]) or {}
        known.add(formulas[0])
        forms = [form for form in formulas if form not in options.get("without", ())] + list(options.get("forms", ()))
        hint = sentence(_plain(row.children[1]))
        yield Entry(formulas[0], docname, row["ids"][0], hint, tuple(forms), **_pages(options))
    unknown = sorted(set(settings) - known)
    if unknown:
        raise ValueError(f"{FORMS}: no row of the notation table begins with {unknown[0]!r}")


def collect(app: Sphinx) -> Finder:
    """The terms and symbols of all pages, with the forms of `terms.yml`."""
    settings = _settings(Path(app.srcdir))
    objects = app.env.get_domain("std").get_objects()
    glossaries = sorted({place for _, _, kind, place, _, _ in objects if kind == "term"})
    finder = Finder(phrases=tuple(settings.get("phrases", ())))
    for docname in glossaries:
        finder.terms += _terms(app.env.get_doctree(docname), docname, settings.get("terms") or {})
    tables = app.env.get_domain("std").anonlabels
    if TABLE in tables:
        docname = tables[TABLE][0]
        finder.symbols += _symbols(app.env.get_doctree(docname), docname, settings.get("symbols") or {})
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
            written = _opens_link(child.astext(), written)
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


def _opens_link(html: str, before: bool) -> bool:
    """Whether a link is open after this piece of HTML."""
    tags = re.findall(r"<(/?)a\b", html)
    return tags[-1] == "" if tags else before


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
