"""``python -m keyfilters.networks.experiments``: makes the full set of runs, or goes on with it.

What is in the tables already is left out, so it can be stopped at any time and started again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from ...checks import choice
from ..evaluation.forward import check_device
from .campaign import DESIGN, Campaign
from .design import SETTINGS


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m keyfilters.networks.experiments", description=__doc__.splitlines()[0])
    parser.add_argument("--settings", nargs="+", default=list(DESIGN.settings), metavar="S", help=", ".join(SETTINGS))
    parser.add_argument("--variants", nargs="+", default=list(DESIGN.variants), metavar="V", help=", ".join(DESIGN.variants))
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at once, one thread each (default 1)")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda; results of another device than cpu go to a folder of their own")
    parser.add_argument("--amp", default="no", choices=("no", "bf16"))
    parser.add_argument("--eager", dest="compiled", action="store_false", help="do not compile the network (no C++ compiler needed)")
    options = parser.parse_args(arguments)
    try:
        for setting in options.settings:
            choice(setting, SETTINGS, "setting")
        for variant in options.variants:
            choice(variant, DESIGN.variants, "variant")
        if options.jobs < 1:
            raise ValueError(f"--jobs is {options.jobs}: expected at least 1")
        check_device(options.device)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
            campaign = Campaign(options, pool)
            # The extracted banks need a learned network, and that the learned variant's rate and scale.
            best = campaign.search(["learned"])
            campaign.banks(best)
            best = campaign.search(options.variants)
            campaign.runs(options.variants, options.settings, best)
    except ValueError as error:
        print(f"keyfilters.networks.experiments: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
