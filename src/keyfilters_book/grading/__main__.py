"""`python -m keyfilters_book.grading`, where the command `keyfilters-grade` is not on the path."""

import sys

from .grade_command import grade

sys.exit(grade())
