"""The record beside the results: which source, settings and model each result came from.

`colorized.jsonl` in the output folder has one JSON object a line, one line for each result:

    result    its path below the folder, with /  kind       picture or compare
    size, mtime_ns, result_sha256                of the result, as it was written
    source    path, size, mtime_ns and sha256 of the photograph or film
    settings  strength, working_size, model and its sha256, and what else decided about the pixels

A line is written before its result gets its name. Killed in between, it tells of a result that is
not there, which does no harm; a result without its line there is never. The record may come from
anywhere: nothing in it is believed that the files do not bear out.
"""

import contextlib
import enum
import errno
import json
import os
import socket
import stat
import threading
import unicodedata
from pathlib import Path

from colorizer.errors import UserError, shown
from colorizer.files.source import sha256

import filelock

RECORD = "colorized.jsonl"
LOCK = ".colorized.lock"

# What an entry has to hold, by kind.
ENTRY = {"result": str, "kind": str, "size": int, "mtime_ns": int, "source": dict, "settings": dict}
SOURCE = {"path": str, "size": int, "mtime_ns": int, "sha256": str}


class State(enum.Enum):
    """What lies where a result would be written."""

    FREE = "nothing, or an empty file"
    FINISHED = "this source, with these settings"
    OUTDATED = "this source, with other settings"
    CHANGED = "this source, changed by somebody since it was written"
    REPLACED = "what this path held before: another source"
    OTHER = "another source"
    UNKNOWN = "a file that is not in the record"
    BLOCKED = "a folder, or something else that is no file"


class Record:
    """The record of an output folder; threads may add to it at the same time.

    `unreadable` counts lines that are no entries, and are left out.
    """

    def __init__(self, folder):
        """Read what there is. Raises UserError when there is something that cannot be read."""
        self.folder = Path(folder)
        self.path = self.folder / RECORD
        self.lock = threading.Lock()
        self.entries, self.unreadable = {}, 0
        try:
            with open(self.path, "rb", opener=_open_regular) as file:
                content = file.read()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise UserError(
                f"{shown(self.path)}, the record of what is finished, cannot be read "
                f"({error.strerror}); give another folder as --output"
            ) from error
        # A process that was killed may have left half of a line; the next one begins a new line.
        self.torn = bool(content) and not content.endswith(b"\n")
        for line in content.splitlines():
            self._take(line)

    def _take(self, line) -> None:
        """Take up a line, unless it is no entry."""
        try:
            entry = json.loads(line)
            fits = all(type(entry.get(key)) is kind for key, kind in ENTRY.items())
            fits = fits and all(type(entry["source"].get(k)) is kind for k, kind in SOURCE.items())
        except (ValueError, AttributeError, RecursionError):
            fits = False
        if fits:
            self.entries.setdefault(_key(entry["result"]), []).append(entry)
        elif line.strip():
            self.unreadable += 1

    def state(self, path, kind, source, settings) -> State:
        """Tell what lies at `path`, where a result of `source` with these `settings` would go."""
        try:
            status = os.lstat(path)
        except OSError:
            return State.FREE
        if not stat.S_ISREG(status.st_mode):
            return State.BLOCKED
        if not status.st_size:
            return State.FREE
        written = self.entries.get(_key(self._name(path)), [])
        exact = [entry for entry in written if _is_result(entry, path, status)]
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
        if entry["settings"] == settings:
            return State.FINISHED
        # It would be written over: a line with the right size and time is not enough for that.
        return State.OUTDATED if _has_content(entry, path) else State.CHANGED

    def holds(self, path) -> bool:
        """Tell whether the file at `path` is a result of this record, as it was written."""
        written = self.entries.get(_key(self._name(path)), [])
        return any(_is_result(entry, path, os.stat(path)) for entry in written)

    def add(self, entry) -> None:
        """Write the line of a result that will be renamed, as `entry_of` describes it.

        Raises OSError when it cannot be written.
        """
        # ASCII, in which names that are no text come through as well.
        line = json.dumps(entry).encode() + b"\n"
        with self.lock:
            line = b"\n" + line if self.torn else line
            self.torn = True  # until it is written whole
            with open(self.path, "ab", buffering=0, opener=_open_regular) as file:
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            self.torn = False

    def _name(self, path) -> str:
        return _name_in(self.folder, path)


def entry_of(folder, path, temporary, kind, source, settings) -> dict:
    """Describe a result that lies at `temporary` and will be renamed to `path` below a folder."""
    status = os.stat(temporary)
    return {
        "result": _name_in(folder, path),
        "kind": kind,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "result_sha256": sha256(temporary),
        "source": source.described(),
        "settings": settings,
    }


def _name_in(folder, path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _is_result(entry, path, status) -> bool:
    """Tell whether the file at `path` is what an entry was written for.

    By size and time, which spares reading it; or else by its content, which a copy keeps.
    """
    if entry["size"] != status.st_size:
        return False
    return entry["mtime_ns"] == status.st_mtime_ns or _has_content(entry, path)


def _has_content(entry, path) -> bool:
    """Tell whether a file has the content that an entry was written for."""
    return entry.get("result_sha256") == sha256(path)


def _key(name) -> str:
    """Return what stands for a name: some file systems take these for the same."""
    return unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()


def _open_regular(path, flags) -> int:
    """Open a regular file that is no link, for `open`; a pipe would wait for its writer."""
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return descriptor


@contextlib.contextmanager
def locked(folder):
    """Hold an output folder during the block, so that two runs do not write into it at once.

    Raises UserError with the process that holds it. A process that ends, however, holds nothing.
    """
    path = Path(folder) / LOCK
    lock = filelock.FileLock(path)
    try:
        os.close(_open_regular(path, os.O_RDWR | os.O_CREAT))
        lock.acquire(timeout=0)
    except filelock.Timeout:
        holder = ""  # also until the other has written who it is
        with contextlib.suppress(OSError):
            holder = path.read_text(errors="replace")[:80]
        holder = holder and f" ({holder})"
        raise UserError(
            f"another run{shown(holder)} writes into {shown(folder)}; wait for its end, or give "
            "another --output"
        ) from None
    except OSError as error:
        raise UserError(
            f"{shown(path)} cannot be opened ({error.strerror}); give another folder as --output"
        ) from error
    try:
        with contextlib.suppress(OSError), open(path, "w", opener=_open_regular) as file:
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        # While it is held: whoever opened the file before sees that it is gone, and makes another.
        with contextlib.suppress(OSError):
            path.unlink()
        lock.release()


@contextlib.contextmanager
def held(folder):
    """Make an output folder and hold it during the block; without a result it goes again.

    Raises UserError as `locked` does, and where the folder cannot be made.
    """
    new = not os.path.lexists(folder)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{shown(folder)} cannot be made ({error.strerror}); give another folder as --output"
        ) from error
    try:
        with locked(folder):
            yield
    finally:
        if new:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
