"""`python -m keyfilters_book.grading`, where the command `keyfilters-grade` is not on the path."""

import sys

from .command import main

sys.exit(main())
