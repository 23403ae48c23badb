"""What is known of films without PyAV: which files are films, and what becomes of them."""

import os
import stat
from pathlib import Path

from PIL import Image

# Files are looked for by these names, and judged by what they hold.
SUFFIXES = (".mp4", ".m4v", ".mkv", ".mov", ".avi", ".webm", ".mpg", ".mpeg", ".wmv")

# Codecs that films are written in, and the constant rate factor of each that looks the same as the
# film: of 0 to 51, or to 63 for av1 and vp9; lower is better and larger. MPEG-2 and 4
# have a quantizer of 1 to 31 instead.
CODECS = {"h264": 18, "hevc": 20, "av1": 25, "vp9": 24, "mpeg2": 3, "mpeg4": 3}

# How films begin, at a place in bytes.
SIGNATURES = (
    (4, b"moov"),  # QuickTime before it had a type
    (4, b"mdat"),
    (4, b"wide"),
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (8, b"AVI "),
    (0, b"\0\0\1\xba"),  # MPEG program stream
    (0, b"\0\0\1\xb3"),  # MPEG video alone
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # Windows Media
)
# ISO media files say their type behind "ftyp"; these are photographs.
PICTURE_TYPES = (b"avif", b"avis", b"heic", b"heix", b"heim", b"mif1", b"msf1")


def is_film(path) -> bool:
    """Tell whether a file is to be read as a film: by its content, or by a film's suffix.

    An animated GIF is a film. What cannot be read is one if it is called so.
    """
    path = Path(path)
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        # Opening a pipe would wait for its writer for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            head = file.read(16)
        if head.startswith(b"GIF8"):
            with Image.open(path, formats=["GIF"]) as image:
                return image.is_animated
    except Exception:
        # Pillow stumbles over broken files in many ways; whoever reads the photograph says so.
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] not in PICTURE_TYPES
    return any(head.startswith(signature, place) for place, signature in SIGNATURES)


def target_of(path) -> Path:
    """Return the name of a film's coloured file: its own if it is that of a film.

    An animated GIF has 256 colours, too few for a coloured one; it becomes MP4.
    """
    return path if path.suffix.lower() in SUFFIXES else path.with_suffix(".mp4")
