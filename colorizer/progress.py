"""A progress bar on a terminal, and a line every few percent where there is none."""

import math
import sys
import time

from tqdm import tqdm

# Lines from nothing to all where there is no terminal: one every 5 %.
LINES = 20
# The least time between two of them, in seconds.
LEAST_SECONDS = 10


class Progress(tqdm):
    """tqdm's bar, which in a log file would be one line of tens of kilobytes."""

    def __init__(self, *arguments, **settings):
        """Take what tqdm takes."""
        self.written, self.last = -1, -math.inf
        terminal = getattr(sys.stderr, "isatty", bool)()
        self.is_log = not terminal
        super().__init__(*arguments, disable=sys.stderr is None, **settings)

    def display(self, msg=None, pos=None):
        """Draw the bar, or write the next line when it is due."""
        if not self.is_log:
            return super().display(msg, pos)
        lines = LINES * self.n // self.total if self.total else -1
        ended = self.leave and self.n == self.total
        if lines > self.written and (ended or time.monotonic() - self.last >= LEAST_SECONDS):
            self.written, self.last = lines, time.monotonic()
            self.fp.write(f"{self}\n")
            self.fp.flush()
        return True

    def close(self):
        """End the bar; a log gets its last line, unless all was done before the first was due."""
        if self.is_log and not self.disable:
            if self.written >= 0 or not self.delay:
                self.refresh()
            self.disable = True
        super().close()
