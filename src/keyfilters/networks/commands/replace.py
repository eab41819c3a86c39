"""The command ``keyfilters replace``."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from ..surgery.ideas import IDEAS
from . import REPLACING_HELP, WEIGHTS_HELP, check_target, check_weights, weights_given

DESCRIPTION = "Replace the depthwise filters of a network and write its weights, for the original architecture."
EXAMPLES = (
    "modes, what each filter becomes:\n"
    + "".join(f"  {name:<10} {idea}\n" for name, idea in IDEAS.items())
    + """
examples:
  keyfilters replace efficientnet_lite0 -o ideal.safetensors
  keyfilters replace convnextv2_tiny --weights mine.pth --method D2 --mode own -o own.safetensors
  keyfilters replace convnextv2_atto --layers 'stages.0.*' --mode unit -o first.safetensors --json"""
)


def add_arguments(parser: ArgumentParser) -> None:
    """Give a parser the options of ``keyfilters replace``."""
    parser.add_argument("model", metavar="MODEL", help="efficientnet_lite0, small_convnext or a name of timm")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="written here, a name that ends in .safetensors")
    parser.add_argument("--weights", metavar="FILE", help=WEIGHTS_HELP)
    parser.add_argument(
        "--method", metavar="M", default="B", help=f"whose scales the filters have: {REPLACING_HELP} (default: B)"
    )
    parser.add_argument(
        "--mode", metavar="MODE", default="affine",
        help=f"{', '.join(IDEAS)} (default: affine); see below",
    )  # fmt: skip
    parser.add_argument(
        "--layers", metavar="PATTERN", action="append", help="only layers of such names, repeatable (default: all)"
    )
    parser.add_argument("--seed", metavar="N", default="0", help="of the modes random and gaussian (default: 0)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def run(options: Namespace) -> int:
    """Replace, fold, write; prints the report, one row a layer."""
    from ...checks import choice, integer_text
    from ...output import as_json

    seed = integer_text(options.seed, "--seed", 0)
    if not options.output.endswith(".safetensors"):
        raise ValueError(f"{options.output}: expected a name that ends in .safetensors")
    check_target(options.output, options.force)
    check_weights(options.weights)
    choice(options.mode, IDEAS, "mode")
    from ..surgery.depthwise import key_filters
    from ..surgery.printing import frame_text, terminal_width
    from ..surgery.replacing import fold, replace
    from ..zoo.checkpoints import write_weights
    from ..zoo.loading import load_model

    # Cheap mistakes first: a network may take a while to load.
    key_filters(options.method)
    loaded = load_model(options.model, **weights_given(options.weights))
    done = replace(loaded.model, options.method, options.mode, layers=options.layers, seed=seed, inplace=True)
    network = fold(done.model, inplace=True)
    metadata = {
        "model": loaded.name, "weights": loaded.source, "method": options.method, "mode": options.mode,
        "layers": options.layers or "all", "seed": options.seed,
    }  # fmt: skip
    write_weights(network, options.output, metadata, force=options.force)
    notes = [*loaded.notes, *done.notes]
    if options.json:
        answer = {"output": options.output, "notes": notes} | metadata | {"report": done.report.to_dict("records")}
        print(json.dumps(as_json(answer), indent=1, allow_nan=False))
        return 0
    print(frame_text(done.report, terminal_width()))
    for note in notes:
        print(f"note: {note}")
    print(f"\n{options.output}: {done.summary()}")
    return 0
