"""`python -m keyfilters.book`."""

import sys

try:
    from .command import main
except ModuleNotFoundError as error:
    sys.exit(f"error: {error.name} is missing: the book needs its extra, pip install 'keyfilters[book]'")

if __name__ == "__main__":
    sys.exit(main())
