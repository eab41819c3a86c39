"""Makes the pages with Sphinx, as `jupyter-book build` does: `python -m keyfilters_build.sphinx_build BOOK OUTPUT CONFIG`.

What Sphinx read is kept in `OUTPUT/_build/.doctrees`, and only sources that changed since are read again. Which pages are
written `rewriting` decides, for numbers, titles and links of a page come from others: `jupyter-book build` writes all or
the changed ones. They are written by as many processes as there are cores, beside the one that resolves them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["BEFORE", "RECORD", "main"]

BEFORE = "before"
"""The folder beside that of the pages where those of the build before lie."""

RECORD = ".written.json"
"""What the pages of a folder were made from: a file in it, written last, so that a build that broke off has none."""


def main(book: str, output: str, config: str) -> int:
    """Build the pages of the folder `book` into `output/_build/html`; returns the exit status, 1 after any warning."""
    from jupyter_book.sphinx import build_sphinx

    folder = Path(book).resolve()
    result = build_sphinx(
        folder,
        Path(output).resolve() / "_build" / "html",
        noconfig=True,
        path_config=config,
        confoverrides={"external_toc_path": (folder / "_toc.yml").as_posix(), "latex_individualpages": False, "nitpicky": True},
        force_all=True,
        warningiserror=True,
        keep_going=True,
        jobs=(os.cpu_count() or 1) + 1,
    )
    return result if isinstance(result, int) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
