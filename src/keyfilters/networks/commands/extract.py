"""The command ``keyfilters extract``."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from os import PathLike
from pathlib import Path

import numpy as np

from . import METHODS_HELP, WEIGHTS_HELP, check_target, check_weights, weights_given

DESCRIPTION = "Extract master keys from the depthwise filters of a network and compare them with the eight."
EXAMPLES = """examples:
  keyfilters extract efficientnet_lite0 --size 5 -o keys.npy
  keyfilters extract convnextv2_tiny --weights mine.pth --algorithm autoencoder -o keys.csv
  keyfilters extract efficientnet_lite0 --keys 40 --reduce elbow --json"""
SUFFIXES = (".npy", ".csv")


def add_arguments(parser: ArgumentParser) -> None:
    """Give a parser the options of ``keyfilters extract``."""
    parser.add_argument("model", metavar="MODEL", help="efficientnet_lite0, small_convnext or a name of timm")
    parser.add_argument("--weights", metavar="FILE", help=WEIGHTS_HELP)
    parser.add_argument("--size", metavar="N", help="kernel size (default: the size of the most filters)")
    parser.add_argument("--keys", metavar="K", default="8", help="number of keys (default: 8)")
    parser.add_argument(
        "--algorithm", metavar="A", default="k-lines", help="k-lines, k-means or autoencoder (default: k-lines)"
    )
    parser.add_argument(
        "--normalize", metavar="HOW", default="l2 mean-free", help="'l2 mean-free' (default), mean-free, l2 or none"
    )
    parser.add_argument(
        "--reduce", metavar="N", help="leave out keys greedily by explained variance down to N, or to the 'elbow'"
    )
    parser.add_argument("--method", metavar="M", default="B", help=f"compare with these: {METHODS_HELP} (default: B)")
    parser.add_argument(
        "--null", metavar="NULL", default="gaussian", help="what chance is: gaussian or random (default: gaussian)"
    )
    parser.add_argument("--draws", metavar="N", help="of the null (default: 20 gaussian, 200 random)")
    parser.add_argument("--seed", metavar="N", default="0", help="default: 0")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the keys here, a name that ends in .npy or .csv")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def write_keys(keys: np.ndarray, path: str | PathLike, comment: str = "", force: bool = False) -> None:
    """Write keys (k, n, n) to a .npy or .csv file that ``keyfilters fit --filters`` and ``spread`` read.

    In a .csv file the keys are blocks of rows with an empty line between them, after the comment.

    Raises
    ------
    ValueError
        For another suffix, a missing folder, or an existing file without ``force``.
    """
    import numpy as np

    from ...output import written

    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}")
    with written(path, force) as temporary:
        if Path(path).suffix.lower() == ".npy":
            with temporary.open("wb") as stream:
                np.save(stream, np.asarray(keys, dtype=np.float64), allow_pickle=False)
        else:
            blocks = ["\n".join(",".join(map(repr, row)) for row in key) for key in np.asarray(keys, dtype=np.float64).tolist()]
            head = "".join(f"# {line}\n" for line in comment.splitlines())
            temporary.write_text(head + "\n\n".join(blocks) + "\n", encoding="utf-8")


def run(options: Namespace) -> int:
    """Load, extract, reduce, compare, write; prints the keys beside the eight."""
    from ...checks import choice, integer_text
    from ...output import as_json

    def given(text, option, least=1):
        return None if text is None else integer_text(text, option, least)

    size, count = given(options.size, "--size"), given(options.keys, "--keys")
    draws, seed = given(options.draws, "--draws"), given(options.seed, "--seed", 0)
    down_to = None if options.reduce == "elbow" else given(options.reduce, "--reduce")
    if down_to is not None and down_to > count:
        raise ValueError(f"--reduce is {down_to}: expected at most the number of keys, {count}")
    if options.output is not None:
        if Path(options.output).suffix.lower() not in SUFFIXES:
            raise ValueError(f"{options.output}: expected a name that ends in {' or '.join(SUFFIXES)}")
        check_target(options.output, options.force)
    check_weights(options.weights)
    from ..extraction.comparison import ALGORITHMS, KEY_NULLS
    from ..extraction.extracting import NORMALIZATIONS, extract
    from ..extraction.reduction import ExplainedVariance, greedy_reduction
    from ..surgery.depthwise import key_filters
    from ..surgery.printing import frame_text, terminal_width
    from ..zoo.loading import load_model

    # Cheap mistakes first: a network may take a while to load.
    for value, known, what in (
        (options.algorithm, ALGORITHMS, "algorithm"), (options.normalize, NORMALIZATIONS, "normalize"), (options.null, KEY_NULLS, "null"),
    ):  # fmt: skip
        choice(value, known, what)
    key_filters(options.method)
    loaded = load_model(options.model, **weights_given(options.weights))
    found = extract(loaded.model, count, options.algorithm, size=size, normalize=options.normalize, seed=seed)
    path = None
    if options.reduce is not None:
        path = greedy_reduction(found.keys, ExplainedVariance(found.vectors, found.affine))
        found = found.reduce(down_to if down_to is not None else path.elbow)
    compared = found.compare(options.method, options.null, draws, seed)
    facts = {
        "model": loaded.name, "weights": loaded.source, "size": found.size, "algorithm": found.algorithm, "normalize": found.normalize,
        "seed": seed, "keys": len(found.keys), "filters": len(found.labels), "dead": found.dead, "explained": found.explained,
        f"explained_by_{options.method}": compared.explained_reference,
    }  # fmt: skip
    if options.output is not None:
        comment = "\n".join(f"{name}: {value}" for name, value in facts.items())
        write_keys(found.keys, options.output, comment, options.force)
    chance = {
        "null": options.null, "draws": len(compared.chance), "correlation": compared.mean, "chance": compared.chance_mean,
        "p_value": compared.p_value, "explained_chance": float(compared.explained_chance.mean()),
    }  # fmt: skip
    if options.json:
        print(json.dumps(as_json(facts | {
            "notes": [*loaded.notes, *found.notes], "sizes": {str(n): c for n, c in found.sizes.items()}, "counts": found.counts.tolist(), "output": options.output,
            "comparison": chance | {"keys": _records(compared.frame())}, "layers": _records(found.frame()),
            "path": None if path is None else {"elbow": path.elbow, "steps": _records(path.frame())},
        }), indent=1, allow_nan=False, ensure_ascii=False))  # fmt: skip
        return 0
    width = terminal_width()
    sizes = ", ".join(f"{c} of {n}x{n}" for n, c in sorted(found.sizes.items()))
    print(f"{loaded.name} ({loaded.source}): filters {sizes}")
    print(
        f"{len(found.keys)} keys of {found.size}x{found.size} by {found.algorithm} ({found.normalize}): filters of each {found.counts.tolist()}, dead {found.dead}"
    )
    if path is not None:
        print(f"reduced from {count} keys; the elbow is at {path.elbow}\n" + frame_text(path.frame(), width))
    print(
        f"explained {found.explained:.3f}; by the filters {options.method} {compared.explained_reference:.3f}; null {options.null} {chance['explained_chance']:.3f}"
    )
    print(frame_text(compared.frame(), width))
    print(
        f"mean correlation {compared.mean:.3f}; null {options.null} {compared.chance_mean:.3f} in {chance['draws']} draws, p = {compared.p_value:.3g}"
    )
    for note in (*loaded.notes, *found.notes):
        print(f"note: {note}")
    if options.output is not None:
        print(f"written to {options.output}")
    return 0


def _records(frame) -> list[dict]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
