"""The command ``keyfilters inspect``."""

from __future__ import annotations

import dataclasses
import datetime
import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..zoo import SUFFIXES
from . import METHODS_HELP, WEIGHTS_HELP, check_target, check_weights, weights_given

DESCRIPTION = (
    "Describe the depthwise filters of a network, or of any file of weights, layer by layer: keys, explained variance, nulls, offsets. "
    "Several files are compared. Nothing in a file is executed."
)
EXAMPLES = """examples:
  keyfilters inspect mine.safetensors
  keyfilters inspect first.pth second.onnx --csv comparison.csv --html comparison.html
  keyfilters inspect efficientnet_lite0
  keyfilters inspect efficientnet_lite0 --method learned --nulls random,lines --json
  keyfilters inspect convnextv2_tiny --weights mine.pth --html report.html
  keyfilters inspect mobilenetv3_small_050 -o layers.csv --force"""


def add_arguments(parser: ArgumentParser) -> None:
    """Give a parser the options of ``keyfilters inspect``."""
    parser.add_argument(
        "model", metavar="FILE or MODEL", nargs="+",
        help="files (.safetensors, .pth, .onnx, .npz, ...), or efficientnet_lite0, small_convnext or a name of timm",
    )  # fmt: skip
    parser.add_argument("--weights", metavar="FILE", help=WEIGHTS_HELP)
    parser.add_argument("--method", metavar="M", default="B", help=f"key filters: {METHODS_HELP} (default: B)")
    parser.add_argument(
        "--nulls", metavar="NULLS", default="all",
        help="all, none, or some of random, permuted, gaussian, impulse, lines with commas between (default: all)",
    )  # fmt: skip
    parser.add_argument("--draws", metavar="N", default="20", help="of each null that varies (default: 20)")
    parser.add_argument("--seed", metavar="N", default="0", help="default: 0")
    parser.add_argument("--html", metavar="FILE", help="write a page with maps, which needs no other file")
    parser.add_argument("--csv", metavar="FILE", help="write one row a layer")
    parser.add_argument("-o", "--output", metavar="FILE", help="write all (.json), one row a layer (.csv) or the page (.html)")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def _targets(options) -> list[str]:
    """The files to write, each with a suffix that says how."""
    from ..inspection.inspecting import report_kind

    seen: dict[Path, str] = {}
    for flag, path in (("--html", options.html), ("--csv", options.csv), ("-o", options.output)):
        if path is None:
            continue
        kind = flag.replace("--", ".")
        if kind != "-o" and Path(path).suffix.lower() not in (kind, kind[:4]):
            raise ValueError(f"{path}: expected a name that ends in {kind}")
        report_kind(path)
        if first := seen.get(Path(path).absolute()):
            raise ValueError(f"{first} and {flag} both name {path}: expected two files")
        seen[Path(path).absolute()] = flag
        check_target(path, options.force)
    return [path for path in (options.html, options.csv, options.output) if path is not None]


def _is_file(name: str) -> bool:
    place = Path(name)
    if place.is_dir() and any(p.name.endswith(SUFFIXES) for p in place.iterdir()):
        return True  # refused, with the name of a file in it
    return Path(name).is_file() or name.lower().endswith((*SUFFIXES, ".onnx"))


def _compare(found, options, targets) -> int:
    """Several files beside each other: a row each on the screen, a row a layer in a table."""
    import pandas as pd

    from ...output import written
    from ..inspection.inspecting import report_kind
    from ..inspection.report_page import render_comparison
    from ..surgery.printing import broken, frame_text, terminal_width

    rows = [{"file": f.name, "layers": sum(m.match.matched for m in f.layers)} | record for f in found for record in f.sizes]
    document = json.dumps([f.document() for f in found], indent=1, allow_nan=False)
    for path in targets:
        with written(path, options.force) as temporary:
            if report_kind(path) == ".csv":
                frame = pd.concat([f.frame().assign(file=f.name) for f in found], ignore_index=True)
                frame[["file", *(c for c in frame if c != "file")]].to_csv(temporary, index=False, lineterminator="\n")
            else:
                text = document + "\n" if report_kind(path) == ".json" else render_comparison(found)
                temporary.write_text(text, encoding="utf-8", newline="\n")
    if options.json:
        print(document)
        return 0
    width = terminal_width()
    said = "\n".join(broken(line, width) for f in found for line in (f.answer, f.warning) if line)
    print(said)
    if rows:
        frame = pd.DataFrame(rows).rename(columns=lambda c: c.removeprefix("null_"))
        print("\n" + frame_text(frame.drop(columns=[c for c in frame if c.endswith("_95")]), width))
    for f in found:
        for note in (*f.notes, *(f"not matched: {m.name}: {m.note}" for m in f.not_matched)):
            print(broken(f"{f.name}: {note}", width))
    print("\n" + said)
    return 0


def run(options: Namespace) -> int:
    """Load, inspect, write; prints a table."""
    from ...checks import integer_text

    draws, seed = integer_text(options.draws, "--draws", 1), integer_text(options.seed, "--seed", 0)
    files = [name for name in options.model if _is_file(name)]
    for name in files:
        if not Path(name).exists():
            raise ValueError(
                f"{name} is not there: expected a file of weights ({', '.join(SUFFIXES)}, .onnx), or a network by name"
            )
    check_weights(options.weights)
    targets = _targets(options)
    from ..inspection.inspecting import check_nulls, inspect_file, inspect_model, sha256_of
    from ..surgery.depthwise import key_filters
    from ..surgery.printing import terminal_width
    from ..zoo.loading import load_model

    # Cheap mistakes first: a network may take a while to load.
    nulls = check_nulls(options.nulls)
    key_filters(options.method)
    if len(options.model) > 1 and len(files) < len(options.model):
        name = next(name for name in options.model if name not in files)
        raise ValueError(f"{name} is no file: expected several files, or one name of a network")
    if files and options.weights is not None:
        raise ValueError(f"--weights goes with the name of a network, and {files[0]} is a file: expected one or the other")
    if len(files) > 1:
        found = [inspect_file(name, options.method, nulls, draws, seed) for name in files]
        if len({f.name for f in found}) < len(found):
            # Files of the same name in several folders are told apart by these.
            found = [dataclasses.replace(f, name=name) for f, name in zip(found, files, strict=True)]
        return _compare(found, options, targets)
    if files:
        found, source, notes = inspect_file(files[0], options.method, nulls, draws, seed), f"file: {files[0]}", []
        more = {}
    else:
        loaded = load_model(options.model[0], **weights_given(options.weights))
        more = {"weights_sha256": sha256_of(loaded.path)} if loaded.path else {}
        found = inspect_model(loaded.model, options.method, nulls, draws, seed, name=loaded.name)
        source, notes = loaded.source, loaded.notes
    more = {"weights": source, "notes": notes, "date": datetime.date.today().isoformat()} | more
    document = more | found.document()
    for path in targets:
        found.write(path, options.force, more)
    if options.json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        print(found.text(terminal_width(), source, notes))
    return 0
