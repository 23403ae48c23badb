"""Colorize photographs and films at their own size: colour from a network, luminance their own.

    python colorize.py --input DIR_OR_FILE ...

Reads every photograph and film below each DIR, and each FILE, and writes each one in colour, under
the same relative path, below outputs/colorized/, where colorized.jsonl records what each result was
made of. Exit status: 0 all done, 1 some failed, 2 wrong call.
"""

import signal
import sys

if __name__ == "__main__":
    # What follows takes seconds to import. Ctrl-C ends it at once; later `cli.main` answers it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from colorizer.cli import main

if __name__ == "__main__":
    sys.exit(main())
