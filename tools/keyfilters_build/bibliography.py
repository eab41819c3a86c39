"""Sphinx extension: a list of references in the order of its labels, which are those of the citations in the text.

The pages cite by author and year (``bibtex_reference_style``); so the list has these as labels, in alphabetical order.
Where two works would be cited alike, ``references.bib`` has a letter behind the year; a test holds it to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.unsrt import Style as Unsorted
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx

STYLE = "author_year"


def authors(entry: Entry) -> str:
    """The names by which a work is cited: of its authors, its editors, or its title where nobody is named.

    >>> from pybtex.database import Person
    >>> editors = [Person("Abramowitz, Milton"), Person("Stegun, Irene A.")]
    >>> authors(Entry("book", persons={"editor": editors}))
    'Abramowitz and Stegun'
    """
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [str(Text.from_latex(" ".join([*person.prelast_names, *person.last_names]))) for person in people]
    if not names:
        return str(Text.from_latex(entry.fields.get("title", entry.key or "")))
    return names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."


def label(entry: Entry) -> str:
    """Authors and year, as in a citation.

    >>> from pybtex.database import Person
    >>> label(Entry("article", fields={"year": "1983"}, persons={"author": [Person("Witkin, Andrew P.")]}))
    'Witkin, 1983'
    """
    return f"{authors(entry)}, {entry.fields.get('year', 'no year')}"


class _AuthorYear(BaseLabelStyle):
    def format_labels(self, sorted_entries: Iterable[Entry]) -> Iterator[str]:
        return map(label, sorted_entries)


class _Alphabetical(Unsorted):
    default_sorting_style = "author_year_title"
    default_label_style = STYLE


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the style for ``bibtex_default_style``."""
    register_plugin("pybtex.style.labels", STYLE, _AuthorYear)
    register_plugin("pybtex.style.formatting", STYLE, _Alphabetical)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
