"""`python -m colorizer` is the command `colorize`."""

import sys

from colorizer.cli import main

if __name__ == "__main__":
    sys.exit(main())
