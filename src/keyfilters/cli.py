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
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from . import __version__

EXAMPLES = {
    "fit": """examples:
  keyfilters fit                                all methods, all keys, learned filters
  keyfilters fit --method C2 --key 3
  keyfilters fit --method C1 --method D1 --key 3 --level 0.68
  keyfilters fit --filters mine.npy --key 8 --method D1
  keyfilters fit --filters mine.csv --method B  each filter against every key, best first
  keyfilters fit --filters mine.csv --no-intervals  quicker

converged says that the optimum is certified, not that the model fits: explained is the share of the filter's energy that
it explains, misfit how many times larger than noise the rest is. The intervals, by a bootstrap at the noise that the
filter's own deviation from mirror symmetry tells, know of noise alone.""",
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


class _Once(argparse.Action):
    """An option that can be given once: the last of several would win in silence."""

    def __call__(self, parser, namespace, values, option_string=None):
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} is given twice: expected it once")
        setattr(namespace, self.dest, values)


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
    fit.add_argument(
        "--method", metavar="M", action="append", help=f"one of {', '.join(METHODS)}; may be repeated (default: all)"
    )
    fit.add_argument("--key", metavar="K", action="append", help="1 to 8; may be repeated (default: all)")
    fit.add_argument("--filters", metavar="FILE", action=_Once, help=f"raw filters to fit: {FILE_HELP}")
    fit.add_argument("--level", metavar="P", action=_Once, help="level of the intervals, between 0 and 1 (default: 0.95)")
    fit.add_argument("--no-intervals", action="store_true", help="leave them out: they take most of the time")
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


def _print(records: list[dict], in_json: bool, digits: int = 6) -> None:
    if in_json:
        from .output import as_json

        # NaN and infinity are not JSON: a missing number is null.
        print(json.dumps(as_json(records), indent=1, ensure_ascii=False, allow_nan=False))
        return
    import pandas as pd

    table = pd.DataFrame(records)
    if "gamma" in table:
        table["gamma"] = table["gamma"].astype("float64")
    print(table.to_string(index=False, float_format=lambda v: f"{v:.{digits}g}", na_rep="-"))


def _fits(arguments) -> list[dict]:
    from .checks import choice
    from .filter_files import load_filters
    from .filters import key_row
    from .fitting import METHODS, fit
    from .fitting.joint import all_fits
    from .normalization import normalize
    from .uncertainty import confidence_level

    # Check what was typed before the file, so that the message is about the first thing that is wrong.
    level = None if arguments.no_intervals else confidence_level(_number(arguments.level or "0.95", "--level"))
    if arguments.no_intervals and arguments.level:
        raise ValueError("--level is given with --no-intervals: there is nothing that has a level")
    methods = [choice(method, METHODS, "method") for method in dict.fromkeys(arguments.method or METHODS)]
    typed = [int(key) if key.isdecimal() else key for key in dict.fromkeys(arguments.key or ())]
    keys = [key_row(key).number for key in typed] or list(range(1, 9))
    if arguments.filters is None:
        if arguments.method is None and arguments.key is None:
            return [_record(found, level) for found in all_fits()]
        return [_record(fit(key, method), level) for method in methods for key in keys]
    records = []
    for name, h in load_filters(arguments.filters).items():
        misses = {}
        for key in keys:
            try:
                normalize(h, key)
            except ValueError as error:
                if arguments.key is not None:
                    raise ValueError(f"{arguments.filters} filter {name}: {error}") from None
                misses[key] = str(error)
        for method in methods:
            found = sorted((fit(key, method, filter=h) for key in keys if key not in misses), key=lambda one: one.relative_l2)
            records += [{"filter": name} | _record(one, level) for one in found]
            records += [{"filter": name, "method": method, "key": key, "note": text} for key, text in misses.items()]
    if all("note" in record for record in records):
        raise ValueError(f"{arguments.filters}: no filter can be normalised for any key")
    return records


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{option} is {text!r}: expected a number between 0 and 1, such as 0.95") from None


def _record(found, level: float | None) -> dict:
    """One fit as a row, with the ends of its intervals where a level is given and the method has intervals."""
    from .fitting.intervals import NoInterval

    try:
        ends = found.interval(level) if level is not None else {}
    except NoInterval:
        ends = {}
    record = {"method": found.method, "key": found.key}
    for name in ("sigma_x", "sigma_y", "gamma"):
        record[name] = getattr(found, name)
        if level is not None:
            record[f"{name}_low"], record[f"{name}_high"] = ends.get(name, (None, None))
    names = ("objective", "relative_l1", "relative_l2", "cosine", "explained", "misfit", "converged")
    return record | {name: getattr(found, name) for name in names}


def _print_fits(records: list[dict], as_json: bool) -> None:
    """As JSON all of it; as a table each interval in one column, and below it the keys that do not apply."""
    if as_json:
        columns = list(dict.fromkeys(name for record in records for name in record))
        _print([{name: record.get(name) for name in columns} for record in records], True)
        return
    shown = []
    for record in records:
        if "note" in record:
            continue
        row = {}
        for name, value in record.items():
            if name.endswith("_low"):
                high = record[name.removesuffix("_low") + "_high"]
                row[name.removesuffix("_low").removeprefix("sigma_") + " from to"] = (
                    "-" if value is None else f"{value:.4g} {high:.4g}"
                )
            elif not name.endswith("_high"):
                row[name] = value
        shown.append(row)
    _print(shown, False)
    notes = dict.fromkeys(f"filter {r['filter']}, key {r['key']}: {r['note']}" for r in records if "note" in r)
    for text in notes:
        print(text)


def _spreads(arguments) -> list[dict]:
    from .filter_files import load_filters
    from .moments import spread

    records = []
    for name, h in load_filters(arguments.file).items():
        s = spread(h)
        (xx, xy), (_, yy) = s.covariance.tolist()
        mean_x, mean_y = s.mean.tolist()
        records.append(
            {
                "filter": name,
                "size": len(h),
                "mean_x": mean_x,
                "mean_y": mean_y,
                "xx": xx,
                "xy": xy,
                "yy": yy,
                "l1_norm": s.l1_norm,
            }
        )
    return records


def _scorecard(arguments) -> int:
    from .published import VERDICTS, counts, problems, scorecard

    table = scorecard()
    if arguments.json:
        _print(table.to_dict("records"), True)
    else:
        columns = [
            "quantity",
            "key",
            "component",
            "method",
            "published",
            "reproduced",
            "difference",
            "matching_digits",
            "verdict",
            "deviation",
        ]
        _print(table[columns].to_dict("records"), False, digits=8)
        tally = counts()
        print(f"\n{tally['all']} published numbers: " + ", ".join(f"{tally[v]} {text}" for v, text in VERDICTS.items()))
    for line in problems():
        print(line, file=sys.stderr)
    return 1 if problems() else 0


def main(arguments: Sequence[str] | None = None) -> int:
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


def _afterwards(options) -> str:
    """How to go on after Ctrl-C, where there is a way."""
    if getattr(options, "command", None) != "train" or options.dry_run:
        return ""
    # Paths are stored by their last part only: where they are has to be said again.
    said = dict(text.partition("=")[::2] for text in options.settings)
    said |= {name: getattr(options, name) for name in ("data", "weights") if getattr(options, name) is not None}
    paths = [
        f" --{name} {shlex.quote(said[name])}"
        for name in ("data", "weights")
        if said.get(name) not in (None, "fashion-mnist", "pretrained", "none")
    ]
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
            if options.command == "fit":
                _print_fits(_fits(options), options.json)
            else:
                _print(_spreads(options), options.json)
            status = 0
        sys.stdout.flush()
        return status
    except ValueError as error:
        print(f"keyfilters: {' '.join(str(error).split())}", file=sys.stderr)
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
