"""The claims of a notebook's run, as :func:`keyfilters_book.page.claim` keeps them among its results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["CLAIMS", "read_claims"]

CLAIMS = "claims.json"
"""The file among the results of a notebook that has its claims."""


def read_claims(results: Path) -> dict[str, dict[str, Any]]:
    """The claims of a run: statement -> ``{"holds": bool, "shown": str}``; none where it made none.

    Raises `ValueError` for a file that is not what `page.claim` writes.
    """
    path = results / CLAIMS
    if not path.is_file():
        return {}
    try:
        claims = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(c["holds"], bool) and isinstance(c["shown"], str) for c in claims.values()):
            raise TypeError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path.name} of {results.parent.name}: not a list of claims; execute the notebook anew") from None
    return claims
