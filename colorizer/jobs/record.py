"""The record beside the results: which photograph, settings and model each result came from.

`colorized.jsonl` in the output folder has one JSON object a line, one line for each result:

    result    its path below the folder     kind       picture or compare
    size, mtime_ns                          of the result, as it was written
    source    path, size, mtime_ns and sha256 of the photograph
    settings  strength, working_size, model and its sha256, and what else decided about the pixels

A line is written before its result gets its name. Killed in between, it tells of a result that is
not there, which does no harm; a result without its line there is never.
"""

import enum
import errno
import json
import os
import threading
from pathlib import Path

from colorizer.errors import UserError

RECORD = "colorized.jsonl"


class State(enum.Enum):
    """What lies where a result would be written."""

    FREE = "nothing, or an empty file"
    FINISHED = "this photograph, with these settings"
    OUTDATED = "this photograph, with other settings"
    CHANGED = "this photograph, changed by somebody since it was written"
    REPLACED = "what this path held before: another photograph"
    OTHER = "another photograph"
    UNKNOWN = "a file that the record does not tell of"
    BLOCKED = "a folder, or something else that is no file"


class Record:
    """The record of an output folder; threads may add to it at the same time."""

    def __init__(self, folder):
        """Read what there is. Raises UserError when there is something that cannot be read."""
        self.folder = Path(folder)
        self.path = self.folder / RECORD
        self.lock = threading.Lock()
        self.entries = {}
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise UserError(
                f"{self.path}, the record of what is finished, cannot be read ({error.strerror}); "
                "give another folder as --output"
            ) from error
        # A process that was killed may have left half of a line; the next one begins a new line.
        self.torn = bool(content) and not content.endswith(b"\n")
        for line in content.splitlines():
            self._take(line)

    def _take(self, line) -> None:
        """Take up a line, unless it is no entry."""
        try:
            entry = json.loads(line)
            source, settings = entry["source"], entry["settings"]
            if not isinstance(settings, dict) or {"path", "size", "mtime_ns", "sha256"} - set(
                source
            ):
                return
            key = entry["result"], entry["kind"]
            known = (entry["size"], entry["mtime_ns"]), key
            hash(known)
        except (ValueError, KeyError, TypeError):
            return
        self.entries.setdefault(key[0], []).append(entry)

    def state(self, path, kind, source, settings) -> State:
        """Tell what lies at `path`, where a result of `source` with these `settings` would go."""
        try:
            status = os.stat(path)
        except OSError:
            return State.BLOCKED if os.path.islink(path) else State.FREE
        if not os.path.isfile(path):
            return State.BLOCKED
        if not status.st_size:
            return State.FREE
        written = self.entries.get(self._name(path), [])
        as_it_is = (status.st_size, status.st_mtime_ns)
        exact = [e for e in written if (e["size"], e["mtime_ns"]) == as_it_is]
        if not written:
            return State.UNKNOWN
        # What was changed since is what was written last.
        entry = (exact or written)[-1]
        if entry["kind"] != kind:
            return State.OTHER
        if entry["settings"].get("page") != settings.get("page"):
            return State.OTHER
        if not source.is_that_of(entry):
            same_place = entry["source"]["path"] == source.place
            return State.REPLACED if same_place else State.OTHER
        if not exact:
            return State.CHANGED
        return State.FINISHED if entry["settings"] == settings else State.OUTDATED

    def add(self, path, temporary, kind, source, settings) -> None:
        """Write the line of a result that lies at `temporary` and will be renamed to `path`.

        Raises OSError when it cannot be written.
        """
        status = os.stat(temporary)
        entry = {
            "result": self._name(path),
            "kind": kind,
            "size": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "source": source.described(),
            "settings": settings,
        }
        # ASCII, in which names that are no text come through as well.
        line = json.dumps(entry).encode() + b"\n"
        with self.lock:
            line = b"\n" + line if self.torn else line
            self.torn = True  # until it is written whole
            with open(self.path, "ab", buffering=0) as file:
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            self.torn = False

    def _name(self, path) -> str:
        return os.path.relpath(path, self.folder)
