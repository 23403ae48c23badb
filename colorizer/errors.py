"""Errors that a user can mend: one sentence, exit status 2; and other ends without a traceback."""

import contextlib
import errno
import functools
import os
import signal
import sys

STOPPED = 130  # the exit status of a process that Ctrl-C stopped
NOBODY_READS = 141  # and of one whose output nobody reads any more, as behind `| head`

FULL = (errno.ENOSPC, errno.EDQUOT)


class UserError(Exception):
    """One sentence for the user: what was given, what is expected, the command that mends it."""


def run(script, arguments, stopped="stopped") -> int:
    """Call `script(arguments)` and return the process's exit status, as `Ending` says.

    That is what `script` returns; None counts as 0.
    """
    with Ending(stopped) as ending:
        ending.status = script(arguments) or 0
    return ending.status


class Ending:
    """A block whose end is an exit status, `status`.

    It is 2 after the one sentence of a `UserError` or of a full disk, 130 after Ctrl-C, reported as
    `stopped`, 141 when nobody reads the output any more, and else what the block sets. Every other
    exception passes through: it is a fault of this project.
    """

    def __init__(self, stopped="stopped"):
        self.stopped, self.status = stopped, 0

    def __enter__(self):
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for stream in (sys.stdout, sys.stderr):
            # A terminal may have no letters for the name of a photograph.
            with contextlib.suppress(AttributeError):
                stream.reconfigure(errors="backslashreplace")
        return self

    def __exit__(self, kind, error, trace) -> bool:
        if error is None:
            try:
                if sys.stdout:
                    sys.stdout.flush()
                return True
            except OSError as full:
                error = full
        if isinstance(error, UserError):
            self.status = _end(f"error: {shown(str(error))}", 2)
        elif isinstance(error, KeyboardInterrupt):
            self.status = _end(self.stopped, STOPPED)
        elif isinstance(error, BrokenPipeError):
            _drop_output()
            self.status = NOBODY_READS
        elif isinstance(error, OSError) and error.errno in FULL:
            place = f" on the disk of {error.filename}" if error.filename else ""
            _drop_output()
            room = f"there is no room left{place}; make some, and give the command again"
            self.status = _end(f"error: {room}", 2)
        else:
            return False
        return True


def _end(sentence, status) -> int:
    """Print a last sentence, if somebody reads it, and return the status."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr)
    return status


def _drop_output() -> None:
    """Let what could not be printed go, so that Python does not try again when it ends."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def reported(main):
    """Decorate a script's `main`: a `UserError` is printed as one line, and the status is 2."""

    @functools.wraps(main)
    def reporting(argv=None) -> int:
        return run(main, argv)

    return reporting


def shown(path) -> str:
    """Write a path for people: bytes that are no text, and control characters, are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
