"""Which files are pictures: by suffix, by their first bytes; and which of them cannot be read."""

import os
from pathlib import Path

from colorizer.films.formats import is_film

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff"),
    *(".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx"),
    *(".pnm", ".pgm", ".ppm", ".pbm"),
)

# The first bytes of files in these formats; those of HEIC and AVIF come after a length of 4 bytes.
SIGNATURES = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8"),
    *(b"\0\0\0\x0cjP  \r\n", b"\xff\x4f\xff\x51"),
)
ISO_BRANDS = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif")

# NAME.hints.png says what colours places of the photograph NAME have.
HINTS_SUFFIX = ".hints.png"
# A folder NAME.hints holds the hints of the film NAME.
FILM_HINTS_SUFFIX = ".hints"

# Pictures that are named instead of read.
UNREADABLE = {
    "a Photoshop document": (".psd", ".psb"),
    "a GIMP document": (".xcf",),
    "a raw photograph": (
        *(".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".orf", ".rw2", ".raf"),
        *(".pef", ".srw", ".3fr", ".iiq", ".rwl", ".x3f", ".mrw", ".kdc", ".dcr", ".erf"),
    ),
    "a JPEG XL picture": (".jxl",),
    "a JPEG XR picture": (".jxr", ".wdp"),
    "an OpenEXR picture": (".exr",),
    "a Targa picture": (".tga",),
    "a PCX picture": (".pcx",),
    "a Photo CD picture": (".pcd",),
    "a Macintosh picture": (".pct", ".pict"),
    "a BPG picture": (".bpg",),
    "a QOI picture": (".qoi",),
}


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
        elif is_film(path) or _begins_like_a_photograph(path):
            photographs.append(path)
    of_photographs = {hints_beside(path) for path in photographs}
    return photographs, [path for path in others if path not in of_photographs]


def is_hints(path) -> bool:
    """Tell by its name whether a file holds hints, and so is no photograph."""
    return path.name.lower().endswith(HINTS_SUFFIX)


def hints_beside(path) -> Path | None:
    """Return the file of hints beside a photograph, or None where there is none."""
    hints = path.with_name(path.stem + HINTS_SUFFIX)
    return hints if os.path.isfile(hints) else None


def _named_like_a_photograph(path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and not is_hints(path)


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
    return suffix == FILM_HINTS_SUFFIX and any(map(is_film, beside))


def advice(path) -> str:
    """Say why a picture's format cannot be read and what to do, empty where its name tells none."""
    if is_hints(path):
        return "by its name it holds hints; put it beside the photograph of that name"
    for kind, suffixes in UNREADABLE.items():
        if path.suffix.lower() in suffixes:
            return f"it is {kind}, which cannot be read; save it as TIFF or PNG"
    return ""


def _begins_like_a_photograph(path) -> bool:
    """Tell by its first bytes whether a file without a suffix of SUFFIXES is a photograph."""
    try:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError:
        return False
    return start.startswith(SIGNATURES) or start[4:12] in ISO_BRANDS or start[8:12] == b"WEBP"
