"""``python -m keyfilters`` is the command ``keyfilters``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
