"""A Chromium for the tests of the built pages, and screenshots for people.

python tests/helpers/browser.py shots OUTDIR [--only method]     a picture of every page, 1280 and 375 px, light and dark
python tests/helpers/browser.py find                             prints which Chromium the tests take
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from keyfilters_build.chromium import NoBrowser, chromium, find_chromium, served, settle

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"


def pages_of(html: Path) -> list[str]:
    """The pages of a built book, relative to its folder."""
    found = (path.relative_to(html) for path in html.rglob("*.html"))
    return sorted(path.as_posix() for path in found if not path.parts[0].startswith("_"))


def shots(folder: Path, only: str = "") -> int:
    """Write `<page>-<width>-<mode>.png` of every page whose name contains `only`; how many pages."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = [page for page in pages_of(HTML) if only in page]
    with chromium() as browser, served(HTML) as address:
        for mode in ("light", "dark"):
            for width in (1280, 375):
                tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=mode)
                for name in pages:
                    tab.goto(f"{address}/{name}", wait_until="load")
                    settle(tab)
                    stem = name.removesuffix(".html").replace("/", "-")
                    tab.screenshot(path=folder / f"{stem}-{width}-{mode}.png", full_page=True)
                tab.close()
    return len(pages)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("find", help="print which Chromium the tests take")
    pictures = commands.add_parser("shots", help="pictures of the built pages")
    pictures.add_argument("folder", type=Path, metavar="OUTDIR")
    pictures.add_argument("--only", default="", metavar="TEXT", help="pages whose name contains TEXT")
    options = parser.parse_args(arguments)
    try:
        if options.command == "find":
            print(find_chromium())
            return 0
        if not (HTML / "index.html").exists():
            print("error: _build/html holds no book; run `make book` first", file=sys.stderr)
            return 2
        count = shots(options.folder, options.only)
    except NoBrowser as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not count:
        print(f"error: no page has {options.only!r} in its name", file=sys.stderr)
        return 2
    print(f"{4 * count} pictures of {count} pages in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
