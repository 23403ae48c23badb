"""What films are written in, without PyAV: a table of containers and one of codecs."""

import dataclasses
import os
import stat
from pathlib import Path

from PIL import Image


@dataclasses.dataclass(frozen=True)
class Codec:
    """A codec that films are written in: FFmpeg's encoder of it and the options that it gets.

    `quality` is the constant rate factor that looks the same as the film: of 0 to 51, or to 63 for
    AV1 and VP9; lower is better and larger. A `quantized` codec has a quantizer of 1 to 31 instead,
    8 bits at most, and knows frame rates but no times. One without `full_range` cannot say that
    samples begin at 0, so players take them for limited range.
    """

    encoder: str
    quality: int
    options: dict
    quantized: bool = False
    full_range: bool = True


CODECS = {
    # Each frame that it looks ahead is 10 MB in 1080p of 10 bits; the preset's are 30.
    "h264": Codec("libx264", 18, {"preset": "fast", "rc-lookahead": "20"}),
    "hevc": Codec("libx265", 20, {"preset": "fast", "x265-params": "log-level=error"}),
    "av1": Codec("libsvtav1", 25, {"preset": "8"}),
    "vp9": Codec("libvpx-vp9", 24, {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
    "mpeg2": Codec(
        "mpeg2video",
        3,
        {"flags": "+qscale", "bf": "2", "g": "15"},
        quantized=True,
        full_range=False,
    ),
    "mpeg4": Codec("mpeg4", 3, {"flags": "+qscale"}, quantized=True, full_range=False),
}


@dataclasses.dataclass(frozen=True)
class Container:
    """A container of films: what it is called, its suffixes, FFmpeg's name of what writes it.

    `codecs`, keys of CODECS, are those that it holds, the one that players expect first.
    `signatures` are pairs of a place, in bytes, and what stands there in such a file. With
    `one_time` it has one time for each frame, not one for decoding and one for showing, so frames
    have to be coded in the order of showing.
    """

    name: str
    suffixes: tuple
    muxer: str
    codecs: tuple
    signatures: tuple = ()
    one_time: bool = False


ALL = tuple(CODECS)
OLD = ("mpeg4", "mpeg2", "h264", "av1", "vp9")

# By its name alone, FFmpeg takes .m4v and .mpg for others. An MPEG program stream has times for
# some frames only, which suits MPEG-2; AVI and Windows Media have `one_time`, which suits MPEG-4.
CONTAINERS = (
    Container("MP4", (".mp4", ".m4v"), "mp4", ALL),
    Container("Matroska", (".mkv",), "matroska", ALL, ((0, b"\x1a\x45\xdf\xa3"),)),
    Container(
        "MOV",
        (".mov",),
        "mov",
        ("h264", "hevc", "mpeg2", "mpeg4"),
        # Before QuickTime had a type it began with any of these.
        ((4, b"moov"), (4, b"mdat"), (4, b"wide")),
    ),
    Container(
        "AVI",
        (".avi",),
        "avi",
        OLD,
        ((8, b"AVI "),),
        one_time=True,
    ),
    Container("WebM", (".webm",), "webm", ("vp9", "av1")),
    Container(
        "MPEG",
        (".mpg", ".mpeg"),
        "vob",
        ("mpeg2", "mpeg4", "h264", "hevc"),
        ((0, b"\0\0\1\xba"), (0, b"\0\0\1\xb3")),  # a program stream, or pictures alone
    ),
    Container(
        "Windows Media",
        (".wmv",),
        "asf",
        OLD,
        ((0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),),
        one_time=True,
    ),
)

# Files are looked for by these names, and judged by what they hold.
SUFFIXES = tuple(suffix for container in CONTAINERS for suffix in container.suffixes)

# ISO media files say their type behind "ftyp"; these are photographs.
PICTURE_TYPES = (b"avif", b"avis", b"heic", b"heix", b"heim", b"mif1", b"msf1")

# For help texts: "h264; vp9 in .webm, ..." and "18 for h264, ...".
USUAL = CONTAINERS[0].codecs[0]
DEFAULT_CODECS = f"{USUAL}; " + ", ".join(
    f"{container.codecs[0]} in {' and '.join(container.suffixes)}"
    for container in CONTAINERS
    if container.codecs[0] != USUAL
)
DEFAULT_QUALITIES = ", ".join(f"{codec.quality} for {name}" for name, codec in CODECS.items())


def container_of(path) -> Container:
    """Return the container that a film is written in, by the suffix of its name, of SUFFIXES."""
    suffix = path.suffix.lower()
    return next(container for container in CONTAINERS if suffix in container.suffixes)


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
    return any(
        head.startswith(signature, place)
        for container in CONTAINERS
        for place, signature in container.signatures
    )


def target_of(path) -> Path:
    """Return the name of a film's coloured file: its own if it is that of a film.

    An animated GIF has 256 colours, too few for a coloured one; it becomes MP4.
    """
    return path if path.suffix.lower() in SUFFIXES else path.with_suffix(".mp4")
