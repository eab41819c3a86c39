"""Where on a page words and formulas are used for the first time. Knows nothing of Sphinx."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .latex import canonical

__all__ = ["Entry", "Finder", "Page", "form", "sentence"]


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

    @property
    def sources(self) -> set[str]:
        """The pages that explain: nothing on them is linked."""
        return {entry.docname for entry in [*self.terms, *self.symbols]}

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
        self.docname = docname
        self.pattern, self.meaning = finder.words(docname)
        self.formulas = finder.formulas(docname)
        self.active = docname not in finder.sources
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
