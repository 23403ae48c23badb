"""A progress bar on a terminal, and a line every few percent where there is none."""

import sys

from tqdm import tqdm

# Lines from nothing to all where there is no terminal: one every 5 %.
LINES = 20


class Progress(tqdm):
    """tqdm's bar, which in a log file would be one line of tens of kilobytes."""

    def __init__(self, *arguments, **settings):
        """Take what tqdm takes."""
        self.written = -1
        terminal = getattr(sys.stderr, "isatty", bool)()
        self.is_log = not terminal
        super().__init__(*arguments, disable=sys.stderr is None, **settings)

    def display(self, msg=None, pos=None):
        """Draw the bar, or write the next line when it is due."""
        if not self.is_log:
            return super().display(msg, pos)
        lines = LINES * self.n // self.total if self.total else -1
        if lines > self.written:
            self.written = lines
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
