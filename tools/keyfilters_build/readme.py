"""What the build keeps up to date in the README: the scorecard's counts and the picture of Figure 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fragments import scorecard_counts
from .project import BookError, Project, write_atomic

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BEGIN", "END", "PICTURE", "refresh", "with_counts"]

BEGIN, END = "<!-- scorecard:begin -->", "<!-- scorecard:end -->"

# notebook, figure, and the copy in git that the README shows
PICTURE = ("all_methods", "fig-all-methods.svg", "eight-filters.svg")


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


def refresh(project: Project, profile: str, scorecard: pd.DataFrame | None = None) -> list[str]:
    """Bring README.md and its picture up to date after the notebooks ran; the files that changed.

    Files that are right already are not written, so that a second build changes nothing. Without `scorecard`
    the library's own is taken.
    """
    if scorecard is None:
        from keyfilters.published import scorecard as judge

        scorecard = judge()
    notebook, figure, copy = PICTURE
    readme = project.root / "README.md"
    wanted = {
        readme: with_counts(readme.read_text(encoding="utf-8"), scorecard).encode(),
        project.book / "_static" / copy: (project.results(profile, notebook) / figure).read_bytes(),
    }
    changed = [path for path, content in wanted.items() if not path.is_file() or path.read_bytes() != content]
    for path in changed:
        write_atomic(path, wanted[path])
    return [project.short(path) for path in changed]
