"""Which files below a folder are photographs and films, and which pictures cannot be read."""

import os
from pathlib import Path

from colorizer.files import formats
from colorizer.films.formats import is_film
from colorizer.films.hints import FOLDER_SUFFIX
from colorizer.hints.drawing import beside, is_hints


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
    of_photographs = {beside(path) for path in photographs}
    return photographs, [path for path in others if path not in of_photographs]


def _named_like_a_photograph(path) -> bool:
    return path.name.lower().endswith(formats.SUFFIXES) and not is_hints(path)


def _files(folder, onerror) -> list[Path]:
    """List the files below `folder`, sorted, as `find_photographs` says."""
    found, entered = [], set()
    for parent, folders, files in os.walk(folder, onerror=onerror, followlinks=True):
        folders[:] = [name for name in folders if not _holds_film_hints(name, parent, files)]
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in files if not name.startswith(".")]
    return sorted(found)


def _holds_film_hints(name, parent, files) -> bool:
    """Tell whether a folder is that of a film's hints, of which the film lies beside it."""
    stem, suffix = os.path.splitext(name)
    beside = (Path(parent, file) for file in files if os.path.splitext(file)[0] == stem)
    return suffix == FOLDER_SUFFIX and any(map(is_film, beside))


def advice(path) -> str:
    """Say why a picture's format cannot be read and what to do, empty where its name tells none."""
    if is_hints(path):
        return "by its name it holds hints; put it beside the photograph of that name"
    for kind, suffixes in formats.UNREADABLE.items():
        if path.suffix.lower() in suffixes:
            return f"it is {kind}, which cannot be read; save it as TIFF or PNG"
    return ""
