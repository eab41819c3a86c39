"""Makes the pages with Sphinx, as `jupyter-book build` does: `python -m keyfilters_build.sphinx_build BOOK OUTPUT CONFIG`.

What Sphinx read is kept in `OUTPUT/_build/.doctrees`, and only sources that changed since are read again. All pages are
written: numbers, titles and links of a page come from others.
"""

from __future__ import annotations

import sys
from pathlib import Path


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
    )
    return result if isinstance(result, int) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
