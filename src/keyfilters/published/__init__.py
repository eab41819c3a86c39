"""The published numbers, how each is computed here, and how the two compare.

- ``reproduce``: one function per published quantity
- ``verdicts``: the numbers, the scorecard and the known deviations
"""

from .reproduce import Row, Workbook, earlier_key7_scale, grids_of, reproduce, rerun
from .verdicts import (
    COLUMNS,
    DEVIATES,
    EQUAL,
    VERDICTS,
    WITHIN,
    counts,
    known_deviations,
    problems,
    published,
    scorecard,
    verdict,
)  # fmt: skip

__all__ = [
    "COLUMNS", "DEVIATES", "EQUAL", "VERDICTS", "WITHIN", "Row", "Workbook", "counts", "earlier_key7_scale", "grids_of",
    "known_deviations", "problems", "published", "reproduce", "rerun", "scorecard", "verdict",
]  # fmt: skip
