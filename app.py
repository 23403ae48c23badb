"""Colorize photographs and short films on a page in the browser; nothing leaves this machine.

    python app.py

Prints the address of the page. Uploads and results lie in a temporary folder, which is removed
when the page ends.
"""

import sys

from colorizer.page import main

if __name__ == "__main__":
    sys.exit(main())
