"""What the build keeps up to date in the README: the scorecard's counts and the picture of Figure 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .project import BookError, Project, write_atomic

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BEGIN", "END", "PICTURE", "counts", "refresh", "with_counts"]

BEGIN, END = "<!-- scorecard:begin -->", "<!-- scorecard:end -->"

# notebook, figure, and the copy in git that the README shows
PICTURE = ("all_methods", "fig-all-methods.svg", "eight-filters.svg")


def counts(scorecard: pd.DataFrame) -> str:
    """The scorecard's verdicts as a Markdown table, most frequent first.

    >>> import pandas as pd
    >>> print(counts(pd.DataFrame({"verdict": ["equal", "deviates", "equal"]})))
    | verdict | published numbers |
    | --- | ---: |
    | equal | 2 |
    | deviates | 1 |
    | all | 3 |
    """
    found = scorecard["verdict"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    rows = [*found.items(), ("all", len(scorecard))]
    return "\n".join(["| verdict | published numbers |", "| --- | ---: |", *(f"| {name} | {count} |" for name, count in rows)])


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
    return f"{head}{begin}\n{counts(scorecard)}\n{end}{tail}"


def refresh(project: Project, profile: str) -> list[str]:
    """Bring README.md and its picture up to date after a build; the files that changed.

    Files that are right already are not written, so that a second build changes nothing.
    """
    from ..published import scorecard

    notebook, figure, copy = PICTURE
    wanted = {
        project.root / "README.md": with_counts((project.root / "README.md").read_text(encoding="utf-8"), scorecard()).encode(),
        project.book / "_static" / copy: (project.results(profile, notebook) / figure).read_bytes(),
    }
    changed = [path for path, content in wanted.items() if not path.is_file() or path.read_bytes() != content]
    for path in changed:
        write_atomic(path, wanted[path])
    return [project.short(path) for path in changed]
