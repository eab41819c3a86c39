"""``python -m keyfilters`` is the command ``keyfilters``."""

import sys

from .cli import main

sys.exit(main())
