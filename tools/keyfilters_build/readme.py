"""What the build says of the scorecard: its counts in the README and on the pages, its badge; and the picture of the README."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from keyfilters.published import DEVIATES, EQUAL, WITHIN
from keyfilters_book.chapters.scorecard_parts import counted_once

from .project import BookError, Project, write_atomic

if TYPE_CHECKING:
    import pandas as pd

BEGIN, END = "<!-- scorecard:begin -->", "<!-- scorecard:end -->"

# notebook, figure, and the copy in git that the README shows
PICTURE = ("all_methods", "fig-all-methods.svg", "eight-filters.svg")

# verdict of the scorecard -> what it means in a list of counts, in this order
VERDICTS: dict[str, str] = {
    EQUAL: "equal to their printed digits",
    WITHIN: "equal within the step of the published search grid",
    DEVIATES: "deviate, each with an explanation",
}


def scorecard_counts(scorecard: pd.DataFrame) -> str:
    """One line for each verdict with its number of rows.

    Raises `ValueError` for a verdict that is not one of `VERDICTS`: a number without a judgement may not be published.
    """
    counts = scorecard["verdict"].value_counts()
    unknown = [verdict for verdict in counts.index if verdict not in VERDICTS]
    if unknown:
        raise ValueError(f"the scorecard has the verdict {unknown[0]!r}; expected one of {', '.join(VERDICTS)}")
    lines = [f"Of **{len(scorecard)}** published numbers, each counted once:"]
    lines += [f"- **{int(counts.get(verdict, 0))}** {meaning}" for verdict, meaning in VERDICTS.items()]
    return lines[0] + "\n\n" + "\n".join(lines[1:]) + "\n"


def scorecard_badge(scorecard: pd.DataFrame) -> str:
    """SVG with the counts of the verdicts, in words short enough for a badge."""
    counts = scorecard["verdict"].value_counts()
    short = {EQUAL: "equal", WITHIN: "within the grid", DEVIATES: "explained"}
    return badge("scorecard", " · ".join(f"{int(counts.get(verdict, 0))} {word}" for verdict, word in short.items()))


_HEIGHT, _MARGIN, _CHARACTER = 28, 10, 7.4


def badge(label: str, message: str) -> str:
    """SVG of a badge with two fields, white on dark grey and on dark green (contrast above 7).

    Parameters
    ----------
    label, message : plain text; `textLength` fits it to its field whatever the reader's fonts are

    Examples
    --------
    >>> badge("scorecard", "3 of 4").startswith("<svg")
    True
    """
    widths = [round(_CHARACTER * len(text)) for text in (label, message)]
    left, right = (width + 2 * _MARGIN for width in widths)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" role="img">',
        f"<title>{html.escape(f'{label}: {message}')}</title>",
        f'<rect width="{left + right}" height="{_HEIGHT}" rx="4" fill="#0b5d1e"/>',
        f'<path d="M4 0h{left - 4}v{_HEIGHT}h-{left - 4}a4 4 0 0 1-4-4v-{_HEIGHT - 8}a4 4 0 0 1 4-4z" fill="#333"/>',
        '<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="13">',
    ]
    for start, width, text in ((_MARGIN, widths[0], label), (left + _MARGIN, widths[1], message)):
        parts.append(
            f'<text x="{start}" y="19" textLength="{width}" lengthAdjust="spacingAndGlyphs">{html.escape(text)}</text>'
        )
    return "\n".join([*parts, "</g>", "</svg>", ""])


def with_counts(text: str, scorecard: pd.DataFrame) -> str:
    """`text` of the README with the counts between the two markers.

    Raises
    ------
    BookError
        If the markers are not there, once each and in order.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end) or BEGIN in tail or END in tail:
        raise BookError(f"README.md: expected the lines {BEGIN} and {END} once each; put them back")
    return f"{head}{begin}\n{scorecard_counts(scorecard)}{end}{tail}"


def refresh(project: Project, profile: str, scorecard: pd.DataFrame) -> list[str]:
    """Bring README.md and its picture up to date after the notebooks ran; the files that changed.

    Files that are right already are not written, so that a second build changes nothing.
    """
    notebook, figure, copy = PICTURE
    readme = project.root / "README.md"
    wanted = {
        readme: with_counts(readme.read_text(encoding="utf-8"), counted_once(scorecard)).encode(),
        project.book / "_static" / copy: (project.results(profile, notebook) / figure).read_bytes(),
    }
    changed = [path for path, content in wanted.items() if not path.is_file() or path.read_bytes() != content]
    for path in changed:
        write_atomic(path, wanted[path])
    return [project.short(path) for path in changed]
