"""Which files below a folder are photographs and films, and which pictures cannot be read."""

import os
from pathlib import Path

from colorizer.files import formats
from colorizer.films.formats import is_film
from colorizer.films.hints import FOLDER_SUFFIX, FRAMES_SUFFIX
from colorizer.hints.drawing import beside, is_hints
from colorizer.jobs.record import RECORD, Record
from colorizer.prints.mend import beside as mask_beside
from colorizer.prints.mend import is_mask

# Folders in which other programs keep thumbnails and what was thrown away.
OF_OTHER_PROGRAMS = (
    *("@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information"),
    *("lost+found", "__MACOSX", "Thumbs"),
)


def find_photographs(folder, onerror=None) -> list[Path]:
    """List the photographs below `folder`, sorted, judged by suffix; hidden names are skipped.

    Symlinks are followed, and each folder is entered once, so that loops end. A folder that cannot
    be listed is passed over; `onerror` is called with its OSError, as in `os.walk`.
    """
    return [path for path in _files(folder, onerror) if _named_like_a_photograph(path)]


def find_pictures(folder, onerror=None):
    """List what looks like a picture below `folder`, as `find_photographs` does.

    Returns two sorted lists: films, and photographs by suffix or, where that says nothing, by
    content; and pictures in formats that cannot be read, and hints of which nothing is beside them,
    for which there is `advice`.
    """
    photographs, others = [], []
    for path in _files(folder, onerror):
        if _named_like_a_photograph(path):
            photographs.append(path)
        elif advice(path):
            others.append(path)
        elif is_film(path) or formats.begins_like_a_photograph(path):
            photographs.append(path)
    of_photographs = {each for path in photographs for each in (beside(path), mask_beside(path))}
    return photographs, [path for path in others if path not in of_photographs]


def _named_like_a_photograph(path) -> bool:
    return path.name.lower().endswith(formats.SUFFIXES) and not (is_hints(path) or is_mask(path))


def _files(folder, onerror) -> list[Path]:
    """List the files below `folder`, sorted, as `find_photographs` says."""
    found, entered, records = [], set(), []
    for parent, folders, files in os.walk(folder, onerror=onerror, followlinks=True):
        if (identity := _identity(parent)) in entered:
            folders.clear()
            continue
        entered.add(identity)
        folders[:] = sorted(
            name
            for name in folders
            if name not in OF_OTHER_PROGRAMS
            and not name.startswith(".")
            and not _holds_film_hints(name, parent, files)
        )
        # Results of an earlier run that lie in the album, in a folder of their own.
        if RECORD in files and parent != os.fspath(folder):
            records.append(Record(parent))
        paths = [Path(parent, name) for name in files if not name.startswith(".")]
        found += [path for path in paths if not any(each.holds(path) for each in records)]
    return sorted(found)


def _identity(folder):
    """Return what tells a folder from others: some network drives number no files."""
    status = os.stat(folder)
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def _holds_film_hints(name, parent, files) -> bool:
    """Tell whether a folder is that of a film's hints, of which the film lies beside it."""
    stem, suffix = os.path.splitext(name)
    beside = (Path(parent, file) for file in files if os.path.splitext(file)[0] == stem)
    return suffix in (FOLDER_SUFFIX, FRAMES_SUFFIX) and any(map(is_film, beside))


def advice(path) -> str:
    """Say why a picture's format cannot be read and what to do, empty where its name tells none."""
    if is_hints(path):
        return "by its name it holds hints; put it beside the photograph of that name"
    if is_mask(path):
        return "by its name it is a mask; put it beside the photograph of that name"
    for kind, suffixes in formats.UNREADABLE.items():
        if path.suffix.lower() in suffixes:
            return f"it is {kind}, which cannot be read; save it as TIFF or PNG"
    return ""
