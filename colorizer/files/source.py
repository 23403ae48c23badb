"""What tells a file from others: its content."""

import functools
import hashlib
import os


class Source:
    """A photograph's file, told from others by its content."""

    def __init__(self, path):
        """Look at the file; one that is not there is like no other."""
        self.path = path
        try:
            status = os.stat(path)
        except OSError:
            self.size = self.mtime_ns = None
        else:
            self.size, self.mtime_ns = status.st_size, status.st_mtime_ns

    @functools.cached_property
    def place(self) -> str:
        """The whole path, symlinks followed."""
        return os.path.realpath(self.path)

    @functools.cached_property
    def sha256(self) -> str:
        """The hash of the content; empty where it cannot be read."""
        return sha256(self.path)

    def is_that_of(self, entry) -> bool:
        """Tell whether a result of the record was made from this photograph.

        It is where path, size and time are the same, and else where size and content are: a
        photograph that was moved or touched stays the same.
        """
        known = entry["source"]
        if known["size"] != self.size:
            return False
        if (known["path"], known["mtime_ns"]) == (self.place, self.mtime_ns):
            return True
        return known["sha256"] == self.sha256 != ""

    def described(self) -> dict:
        """Return what the record keeps of it."""
        return {
            "path": self.place,
            "size": self.size,
            "mtime_ns": self.mtime_ns,
            "sha256": self.sha256,
        }


def sha256(path) -> str:
    """Hash a file; returns an empty text where it cannot be read."""
    digest = hashlib.sha256()
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
