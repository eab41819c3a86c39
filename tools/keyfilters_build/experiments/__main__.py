"""``python -m keyfilters_build.experiments``: makes the full set of runs, or goes on with it.

What is in the tables already is left out, so it can be stopped at any time and started again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from keyfilters.checks import choice
from keyfilters.networks.evaluation.judging import check_device
from keyfilters_book.experiments.design import DESIGNS

from .campaign import Campaign

CHECKED = (("learned", "ideal-B", "random"), (0, 1), "small")
"""Variants, seeds and setting of the runs that ``--check`` makes again."""


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m keyfilters_build.experiments", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--campaign", default="eight_filters", choices=list(DESIGNS), help="which set of runs (default %(default)s)"
    )
    parser.add_argument("--settings", nargs="+", metavar="S", help="default: all, one after the other")
    parser.add_argument("--variants", nargs="+", metavar="V", help="default: all")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at once, one thread each (default 1)")
    parser.add_argument(
        "--device", default="cpu", help="cpu (default) or cuda; results of another device than cpu go to a folder of their own"
    )
    parser.add_argument("--amp", default="bf16", choices=("no", "bf16"))
    parser.add_argument(
        "--eager", dest="compiled", action="store_false", help="do not compile the network (no C++ compiler needed)"
    )
    parser.add_argument("--check", action="store_true", help="make six stored runs again, and say what differs")
    options = parser.parse_args(arguments)
    design = DESIGNS[options.campaign]
    try:
        settings, variants = options.settings or list(design.settings), options.variants or list(design.variants)
        for setting in settings:
            choice(setting, design.settings, "setting")
        for name in variants:
            choice(name, design.variants, "variant")
        if options.jobs < 1:
            raise ValueError(f"--jobs is {options.jobs}: expected at least 1")
        check_device(options.device)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
            campaign = Campaign(options, pool, design)
            if options.check:
                different = campaign.check(*CHECKED)
                print("\n".join(different) or "all as stored")
                return 1 if different else 0
            campaign.whole(variants, settings)
    except ValueError as error:
        print(f"keyfilters_build.experiments: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
