"""Errors that a user can mend: one sentence, exit status 2."""

import functools
import sys


class UserError(Exception):
    """One sentence for the user: what was given, what is expected, the command that mends it."""


def run(script, arguments) -> int:
    """Call `script(arguments)` and return the process's exit status.

    Returns what `script` returns (None counts as 0), or 2 after printing the one sentence of a
    `UserError`. Every other exception passes through: it is a fault of this project.
    """
    try:
        return script(arguments) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def reported(main):
    """Decorate a script's `main`: a `UserError` is printed as one line, and the status is 2."""

    @functools.wraps(main)
    def reporting(argv=None) -> int:
        return run(main, argv)

    return reporting
