"""The command ``keyfilters``: thin wrappers around the library.

>>> main(["spread"])
Traceback (most recent call last):
...
SystemExit: 2
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
from importlib import import_module
from importlib.util import find_spec

from . import __version__

EXAMPLES = {
    "fit": """examples:
  keyfilters fit                                all methods, all keys, learned filters
  keyfilters fit --method C2 --key 3
  keyfilters fit --filters mine.npy --key 8 --method D1
  keyfilters fit --filters mine.csv --method B  each filter against every key, best first""",
    "spread": """examples:
  keyfilters spread mine.npy
  keyfilters spread mine.csv --json""",
    "scorecard": """examples:
  keyfilters scorecard
  keyfilters scorecard --json > scorecard.json""",
}
NETWORK_COMMANDS = ("inspect", "replace", "train", "evaluate", "extract")
"""Each is a module of keyfilters.networks.commands with DESCRIPTION, EXAMPLES, add_arguments and run."""
FILE_HELP = (
    ".npy, .npz, .csv or .txt with one or many odd-sized square filters: arrays (n, n), (k, n, n) or (k, 1, n, n), "
    "n at least 3; rows of numbers, separated by commas, semicolons or blanks"
)
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class _Parser(argparse.ArgumentParser):
    """argparse prints the usage before an error; here an error is one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    from .fitting import METHODS

    parser = _Parser(
        prog="keyfilters", description="The eight master key filters and their scale-space models.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"keyfilters {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, description: str, epilog: str | None = None):
        sub = commands.add_parser(
            name, help=description, description=description, epilog=epilog or EXAMPLES[name], allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.add_argument("--json", action="store_true", help="print JSON instead of a table")
        return sub

    fit = command("fit", "Fit idealised filters to the learned filters or to your own.")
    fit.add_argument("--method", metavar="M", help=f"one of {', '.join(METHODS)} (default: all)")
    fit.add_argument("--key", metavar="K", help="1 to 8 (default: all)")
    fit.add_argument("--filters", metavar="FILE", help=f"raw filters to fit: {FILE_HELP}")
    spread = command("spread", "Mean, covariance and l1 norm of the absolute values of filters (x, then y; y up).")
    spread.add_argument("file", metavar="FILE", help=FILE_HELP)
    command("scorecard", "Every published number beside the reproduced one, with a verdict.")
    for name in NETWORK_COMMANDS:
        module = _network_command(name)
        module.add_arguments(command(name, module.DESCRIPTION, module.EXAMPLES))
    return parser


def _network_command(name: str):
    return import_module(f"{__package__}.networks.commands.{name}")


def _run_network_command(options) -> int:
    for package in ("torch", "torchvision", "timm", "safetensors", "accelerate"):
        if find_spec(package) is None:
            raise ValueError(f"{options.command} needs {package}: pip install 'keyfilters[networks]'")
    return _network_command(options.command).run(options)


def _print(records: list[dict], as_json: bool, digits: int = 6) -> None:
    if as_json:
        # NaN is not JSON: a missing number is null.
        clean = [{k: None if isinstance(v, float) and v != v else v for k, v in r.items()} for r in records]
        print(json.dumps(clean, indent=1, ensure_ascii=False, allow_nan=False))
        return
    import pandas as pd

    table = pd.DataFrame(records)
    if "gamma" in table:
        table["gamma"] = table["gamma"].astype("float64")
    print(table.to_string(index=False, float_format=lambda v: f"{v:.{digits}g}", na_rep="-"))


def _fits(arguments) -> list[dict]:
    from .fitting import METHODS, TABLE_COLUMNS, fit, fit_table

    columns = [*TABLE_COLUMNS, "converged"]
    methods = list(METHODS) if arguments.method is None else [arguments.method]
    if arguments.key is None:
        keys: list = list(range(1, 9))
    else:
        keys = [int(arguments.key) if arguments.key.isdecimal() else arguments.key]
    if arguments.filters is None:
        if arguments.method is None and arguments.key is None:
            return fit_table().to_dict("records")
        fits = [fit(k, m) for m in methods for k in keys]
        return [{c: getattr(f, c) for c in columns} for f in fits]
    from .checks import choice
    from .filter_files import load_filters
    from .filters import key_row
    from .normalization import normalize

    # Check the labels before the file, so that the message is about the first thing that is wrong.
    for method in methods:
        choice(method, METHODS, "method")
    for key in keys:
        key_row(key)
    records = []
    for name, h in load_filters(arguments.filters).items():
        for method in methods:
            found = []
            for key in keys:
                try:
                    normalize(h, key)
                except ValueError as error:
                    if arguments.key is not None:
                        raise ValueError(f"{arguments.filters} filter {name}: {error}") from None
                    continue  # this key does not apply, for example no slope along its axis
                found.append(fit(key, method, filter=h))
            found.sort(key=lambda f: f.relative_l2)
            records += [{"filter": name} | {c: getattr(f, c) for c in columns} for f in found]
    if not records:
        raise ValueError(f"{arguments.filters}: no filter can be normalised for any key")
    return records


def _spreads(arguments) -> list[dict]:
    from .filter_files import load_filters
    from .moments import spread

    records = []
    for name, h in load_filters(arguments.file).items():
        s = spread(h)
        (xx, xy), (_, yy) = s.covariance.tolist()
        mean_x, mean_y = s.mean.tolist()
        records.append(
            {"filter": name, "size": len(h), "mean_x": mean_x, "mean_y": mean_y, "xx": xx, "xy": xy, "yy": yy, "l1_norm": s.l1_norm}
        )
    return records


def _scorecard(arguments) -> int:
    from .published import VERDICTS, counts, problems, scorecard

    table = scorecard()
    if arguments.json:
        _print(table.to_dict("records"), True)
    else:
        columns = ["quantity", "key", "component", "method", "published", "reproduced", "difference", "matching_digits", "verdict", "deviation"]
        _print(table[columns].to_dict("records"), False, digits=8)
        tally = counts()
        print(f"\n{tally['all']} published numbers: " + ", ".join(f"{tally[v]} {text}" for v, text in VERDICTS.items()))
    for line in problems():
        print(line, file=sys.stderr)
    return 1 if problems() else 0


def main(arguments=None) -> int:
    """Run the command.

    The exit status is 0, 1 (the scorecard has an unexplained row), 2 (wrong input) or 130 (Ctrl-C).
    """
    options = None
    try:
        options = _parser().parse_args(arguments)
        return _run(options)
    except KeyboardInterrupt:
        # Of several processes one says so.
        if os.environ.get("RANK", "0") == "0":
            print(f"keyfilters: interrupted{_afterwards(options)}", file=sys.stderr)
        return INTERRUPTED


def _as_options(message: str) -> str:
    """The message of a Python function with its arguments as options.

    >>> _as_options("a.csv: exists already; pass force=True to overwrite it")
    'a.csv: exists already; add --force to overwrite it'
    """
    return re.sub(r"\b(force|resume)=True\b", r"--\1", re.sub(r"\bpass (?=(force|resume)=True\b)", "add ", message))


def _afterwards(options) -> str:
    """How to go on after Ctrl-C, where there is a way."""
    if getattr(options, "command", None) != "train" or options.dry_run:
        return ""
    # Paths are stored by their last part only: where they are has to be said again.
    said = dict(text.partition("=")[::2] for text in options.settings)
    said |= {name: getattr(options, name) for name in ("data", "weights") if getattr(options, name) is not None}
    paths = [f" --{name} {shlex.quote(said[name])}" for name in ("data", "weights") if said.get(name) not in (None, "fashion-mnist", "pretrained", "none")]
    return f"; keyfilters train --resume -o {shlex.quote(options.output)}{''.join(paths)} goes on from the last checkpoint"


def _run(options) -> int:
    if sys.stdout is None:
        print("keyfilters: the output is closed: expected somewhere to write to", file=sys.stderr)
        return 2
    try:
        if options.command == "scorecard":
            status = _scorecard(options)
        elif options.command in NETWORK_COMMANDS:
            status = _run_network_command(options)
        else:
            _print(_fits(options) if options.command == "fit" else _spreads(options), options.json)
            status = 0
        sys.stdout.flush()
        return status
    except ValueError as error:
        print(f"keyfilters: {_as_options(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of a pipe (head, say) has enough; silence the interpreter's own flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A full disk: the interpreter would try to write the rest once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"keyfilters: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
