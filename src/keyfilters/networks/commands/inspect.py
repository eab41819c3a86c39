"""The command ``keyfilters inspect``."""

from __future__ import annotations

import json
from pathlib import Path

from . import METHODS_HELP, WEIGHTS_HELP

DESCRIPTION = "Describe the depthwise filters of a network layer by layer: keys, explained variance, nulls, offsets."
EXAMPLES = """examples:
  keyfilters inspect efficientnet_lite0
  keyfilters inspect efficientnet_lite0 --method learned --nulls random,lines --json
  keyfilters inspect convnextv2_tiny --weights mine.pth --html report.html
  keyfilters inspect mobilenetv3_small_050 -o layers.csv --force"""


def add_arguments(parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="efficientnet_lite0, small_convnext or a name of timm")
    parser.add_argument("--weights", metavar="FILE", help=WEIGHTS_HELP)
    parser.add_argument(
        "--method", metavar="M", default="B", help=f"key filters: {METHODS_HELP} (default: B)"
    )
    parser.add_argument(
        "--nulls", metavar="NULLS", default="all",
        help="all, none, or some of random, permuted, gaussian, impulse, lines with commas between (default: all)",
    )  # fmt: skip
    parser.add_argument("--draws", metavar="N", default="20", help="of each null that varies (default: 20)")
    parser.add_argument("--seed", metavar="N", default="0", help="default: 0")
    parser.add_argument("--html", metavar="FILE", help="write a page with maps, which needs no other file")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write all (.json), one row a layer (.csv) or the page (.html)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def _targets(options) -> list[str]:
    """The files to write, each with a suffix that says how."""
    from ...output import check_output
    from ..inspection.inspecting import report_kind

    if options.html is not None and Path(options.html).suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{options.html}: expected a name that ends in .html")
    if options.output is not None:
        report_kind(options.output)
    targets = [path for path in (options.html, options.output) if path is not None]
    if len(targets) == 2 and Path(targets[0]).absolute() == Path(targets[1]).absolute():
        raise ValueError(f"--html and -o both name {targets[0]}: expected two files")
    for path in targets:
        check_output(path, options.force)
    return targets


def run(options) -> int:
    """Load, inspect, write; prints a table."""
    from ...checks import integer_text

    draws, seed = integer_text(options.draws, "--draws", 1), integer_text(options.seed, "--seed", 0)
    targets = _targets(options)
    from ..surgery.depthwise import key_filters
    from ..inspection.inspecting import check_nulls, inspect_model
    from ..surgery.printing import terminal_width
    from ..zoo.loading import load_model

    # Cheap mistakes first: a network may take a while to load.
    nulls = check_nulls(options.nulls)
    key_filters(options.method)
    loaded = load_model(options.model, weights=options.weights, pretrained=options.weights is None)
    found = inspect_model(loaded.model, options.method, nulls, draws, seed, name=loaded.name)
    document = {"weights": loaded.source, "notes": loaded.notes} | found.document()
    for path in targets:
        found.write(path, options.force, {"weights": loaded.source, "notes": loaded.notes})
    if options.json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        print(found.text(terminal_width(), loaded.source, loaded.notes))
    return 0
