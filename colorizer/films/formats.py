"""What films are written in, without PyAV: a table of containers and one of codecs.

`python -m colorizer.films.formats` prints the table of docs/files.md.
"""

import dataclasses
import functools
import hashlib
import os
import re
import stat
from pathlib import Path

from colorizer.files.formats import begins_like_a_photograph
from colorizer.files.source import Source, sha256

from PIL import Image


@dataclasses.dataclass(frozen=True)
class Codec:
    """A codec that films are written in: FFmpeg's encoder of it and the options that it gets.

    `quality` is the constant rate factor that looks the same as the film: of 0 to 51, or to 63 for
    AV1 and VP9; lower is better and larger. A `quantized` codec has a quantizer of 1 to 31 instead,
    and knows frame rates but no times; None is for codecs that need no such number. `pixel_formats`
    are FFmpeg's names of what films of 8 bits become, and of more. One without `full_range` cannot
    say that samples begin at 0, so players take them for limited range. `interlaced` are options
    for films that stay interlaced, by the field that comes first. `light_levels` is the option that
    tells those of HDR10, empty where there is none. `suffix` is that of the container
    in which a film goes whose own does not hold the codec; empty where that is refused.
    """

    encoder: str
    quality: int | None
    options: dict
    pixel_formats: tuple = ("yuv420p", "yuv420p10le")
    quantized: bool = False
    full_range: bool = True
    interlaced: dict = dataclasses.field(default_factory=dict)
    light_levels: str = ""
    suffix: str = ""


X264 = {scan: {"x264-params": f"{scan}=1"} for scan in ("tff", "bff")}

CODECS = {
    # Not all players show 10 bits in H.264. Each frame that it looks ahead is 10 MB in 1080p of 10
    # bits; the preset's are 30.
    "h264": Codec(
        "libx264",
        18,
        {"preset": "fast", "rc-lookahead": "20"},
        ("yuv420p", "yuv420p"),
        interlaced=X264,
    ),
    "hevc": Codec(
        "libx265",
        20,
        {"preset": "fast", "x265-params": "log-level=error"},
        light_levels="x265-params",
    ),
    "av1": Codec("libsvtav1", 25, {"preset": "8"}, light_levels="svtav1-params"),
    # PyAV's VP9 has no more than 8 bits.
    "vp9": Codec(
        "libvpx-vp9",
        24,
        {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
        ("yuv420p", "yuv420p"),
    ),
    "mpeg2": Codec(
        "mpeg2video",
        2,
        {"bf": "2", "g": "15"},
        ("yuv420p", "yuv420p"),
        quantized=True,
        full_range=False,
        interlaced={scan: {"flags": "+ilme+ildct"} for scan in ("tff", "bff")},
    ),
    "mpeg4": Codec(
        "mpeg4",
        2,
        {},
        ("yuv420p", "yuv420p"),
        quantized=True,
        full_range=False,
    ),
    # For those who edit: the codec of their programs, and one without loss.
    "prores": Codec(
        "prores_ks",
        None,
        {"profile": "standard", "vendor": "apl0"},
        ("yuv422p10le", "yuv422p10le"),
        full_range=False,
        suffix=".mov",
    ),
    "ffv1": Codec(
        "ffv1",
        None,
        {"level": "3", "g": "1", "slicecrc": "1"},
        ("yuv444p", "yuv444p16le"),
        full_range=False,
        suffix=".mkv",
    ),
}


@dataclasses.dataclass(frozen=True)
class Container:
    """A container of films: what it is called, its suffixes, FFmpeg's names of what reads it.

    `muxer` is FFmpeg's name of what writes it, with `options`, and with `phone_options` where a tag
    is named like com.apple.make; with `any_tag` it holds tags of any name. A film in a container
    that is read alone is `written_as` one of another suffix. `codecs`, keys of CODECS, are those
    that it holds, the one that players expect first. `begins` are the beginnings of such files,
    each of pairs of a place, in bytes, and what stands there. `shared` suffixes also belong to
    files of other kinds, so that content decides. With `one_time` it has one time for each frame,
    not one for decoding and one for showing, so frames have to be coded in the order of showing.
    """

    name: str
    suffixes: tuple
    demuxers: tuple
    muxer: str = ""
    codecs: tuple = ()
    begins: tuple = ()
    written_as: str = ""
    shared: tuple = ()
    options: dict = dataclasses.field(default_factory=dict)
    phone_options: dict = dataclasses.field(default_factory=dict)
    any_tag: bool = False
    one_time: bool = False


ISO = ("h264", "hevc", "av1", "vp9", "mpeg2", "mpeg4")
OLD = ("mpeg4", "mpeg2", "h264", "av1", "vp9", "ffv1")
# With this, MP4 and MOV hold the tags of phones, but no cover.
PHONE = {"movflags": "use_metadata_tags"}


def _every(step, first, count=3) -> tuple:
    """Return the beginning of a transport stream: a sync byte in each of its packets."""
    return tuple((first + step * number, b"G") for number in range(count))


# By its name alone, FFmpeg takes .m4v and .mpg for others. An MPEG program stream has times for
# some frames only, which suits MPEG-2; AVI and Windows Media have `one_time`, which suits MPEG-4.
# Flash has two, but begins at 0, so that frames coded earlier would make it begin later.
CONTAINERS = (
    Container("MP4", (".mp4", ".m4v", ".f4v"), ("mov",), "mp4", ISO, phone_options=PHONE),
    Container("3GP", (".3gp", ".3g2"), ("mov",), "3gp", ("h264", "mpeg4")),
    Container(
        "MOV",
        (".mov", ".qt"),
        ("mov",),
        "mov",
        ("h264", "hevc", "mpeg2", "mpeg4", "prores"),
        # Before QuickTime had a type it began with any of these.
        (((4, b"moov"),), ((4, b"mdat"),), ((4, b"wide"),), ((4, b"ftypqt"),)),
        phone_options=PHONE,
    ),
    Container(
        "Matroska",
        (".mkv", ".mk3d"),
        ("matroska",),
        "matroska",
        (*ISO, "prores", "ffv1"),
        (((0, b"\x1a\x45\xdf\xa3"),),),
        any_tag=True,
    ),
    Container("WebM", (".webm",), ("matroska",), "webm", ("vp9", "av1"), any_tag=True),
    Container("AVI", (".avi", ".divx"), ("avi",), "avi", OLD, (((8, b"AVI "),),), one_time=True),
    Container(
        "MPEG",
        (".mpg", ".mpeg", ".mpe", ".vob", ".vro"),
        ("mpeg",),
        "vob",
        ("mpeg2", "mpeg4", "h264", "hevc"),
        (((0, b"\0\0\1\xba"),),),
        shared=(".mod",),  # also music
    ),
    Container(
        "MPEG without sound",
        (".m1v", ".m2v"),
        ("mpegvideo", "m4v"),
        begins=(((0, b"\0\0\1\xb3"),),),
        written_as=".mpg",
    ),
    Container(
        "MPEG-TS",
        (".m2t", ".trp", ".tod"),
        ("mpegts",),
        "mpegts",
        ("h264", "hevc", "mpeg2"),
        (_every(188, 0),),
        shared=(".ts", ".tp"),  # also TypeScript
    ),
    Container(
        "AVCHD",
        (".mts", ".m2ts"),
        ("mpegts",),
        "mpegts",
        ("h264", "hevc", "mpeg2"),
        (_every(192, 4),),
        options={"mpegts_m2ts_mode": "1"},
    ),
    Container(
        "Windows Media",
        (".wmv", ".asf"),
        ("asf",),
        "asf",
        OLD[:-1],
        (((0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),),),
        any_tag=True,
        one_time=True,
    ),
    Container(
        "Flash",
        (".flv",),
        ("flv",),
        "flv",
        ("h264",),
        (((0, b"FLV\1"),),),
        any_tag=True,
        one_time=True,
    ),
    Container("DV", (".dv", ".dif"), ("dv",), begins=(((0, b"\x1f\x07\0"),),), written_as=".mov"),
    Container(
        "MXF",
        (".mxf",),
        ("mxf",),
        begins=(((0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01"),),),
        written_as=".mov",
    ),
    Container("Ogg", (".ogv", ".ogm"), ("ogg",), begins=(((0, b"OggS"),),), written_as=".mkv"),
    Container("RealMedia", (".rm", ".rmvb"), ("rm",), begins=(((0, b".RMF"),),), written_as=".mkv"),
    Container(
        "YUV4MPEG2",
        (".y4m",),
        ("yuv4mpegpipe",),
        begins=(((0, b"YUV4MPEG2"),),),
        written_as=".mkv",
    ),
    # 256 colours are too few for a coloured film. One that does not move is a photograph.
    Container("animated GIF", (), ("gif",), begins=(((0, b"GIF8"),),), written_as=".mp4"),
)

# Files are looked for by these names, and judged by what they hold.
SUFFIXES = tuple(suffix for container in CONTAINERS for suffix in container.suffixes)

# FFmpeg's names of all that reads a film by itself. Others open files that a film names.
DEMUXERS = sorted({name for container in CONTAINERS for name in container.demuxers})

# In the same containers as films, but sound alone.
SOUND_SUFFIXES = (".m4a", ".m4b", ".aac", ".ogg", ".oga", ".opus", ".wma", ".mka", ".ra")

# ISO media files say their type behind "ftyp"; these are photographs.
PICTURE_TYPES = (b"avif", b"avis", b"heic", b"heix", b"heim", b"mif1", b"msf1")

# Bytes at the start of a file in which its container shows.
HEAD = 1024

# For help texts: "h264; vp9 in .webm, ..." and "h264 18, ...".
USUAL = CONTAINERS[0].codecs[0]
DEFAULT_CODECS = "; ".join(
    [USUAL]
    + [
        f"{codec} in "
        + ", ".join(s for c in CONTAINERS if c.codecs[:1] == (codec,) for s in c.suffixes)
        for codec in dict.fromkeys(c.codecs[0] for c in CONTAINERS if c.codecs)
        if codec != USUAL
    ]
)
DEFAULT_QUALITIES = ", ".join(
    f"{name} {codec.quality}" for name, codec in CODECS.items() if codec.quality is not None
)


def container_of(path) -> Container | None:
    """Return the container that a file's suffix says, or None."""
    suffix = Path(path).suffix.lower()
    return next((c for c in CONTAINERS if suffix in (*c.suffixes, *c.shared)), None)


def container_by_content(path) -> Container | None:
    """Return the container that a file begins like, or None where it is no film."""
    try:
        # Opening a pipe would wait for its writer for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            head = file.read(HEAD)
        if head.startswith(b"GIF8"):
            with Image.open(path, formats=["GIF"]) as image:
                return CONTAINERS[-1] if image.is_animated else None
    except Exception:
        # Pillow stumbles over broken files in many ways; whoever reads the photograph says so.
        return None
    for container in CONTAINERS:
        for beginning in container.begins:
            if all(head.startswith(content, place) for place, content in beginning):
                return container
    if head[4:8] != b"ftyp" or head[8:12] in PICTURE_TYPES or begins_like_a_photograph(path):
        return None
    return CONTAINERS[0]


def is_film(path) -> bool:
    """Tell whether a file is to be read as a film: by its content, or by a film's suffix.

    What cannot be read is one if it is called so.
    """
    suffix = Path(path).suffix.lower()
    if suffix in SUFFIXES or suffix in SOUND_SUFFIXES:
        return suffix in SUFFIXES
    return container_by_content(path) is not None


def target_of(path, relative, codec=None) -> Path:
    """Return the name of a film's coloured file: `relative`, with the suffix of what it becomes.

    `path` is where the film lies, and `codec` the key of CODECS that was asked for, or None.
    """
    container = container_of(path) or container_by_content(path) or CONTAINERS[0]
    suffix = container.written_as
    if not suffix and relative.suffix.lower() not in (*container.suffixes, *container.shared):
        suffix = container.suffixes[0]
    target = relative.with_suffix(suffix) if suffix else relative
    if codec and codec not in container_of(target).codecs:
        target = relative.with_suffix(CODECS[codec].suffix or target.suffix)
    return target


class FrameFolder(Source):
    """The frames of a film as pictures in a folder, in the order of their names and numbers.

    `files` are their paths, `rate` is how many are shown a second, a Fraction.
    """

    def __init__(self, folder, files, rate):
        """Look at all files."""
        super().__init__(folder)
        self.files, self.rate = sorted(files, key=_by_number), rate
        sources = [Source(path) for path in self.files]
        self.size = sum(source.size or 0 for source in sources)
        self.mtime_ns = max(source.mtime_ns or 0 for source in sources)

    @functools.cached_property
    def sha256(self) -> str:
        """The hash of all pictures, in their order."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(sha256(path).encode())
        return digest.hexdigest()


def _by_number(path) -> list:
    """Return a key by which frame-2 comes before frame-10."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if part.isdecimal() else part for part in parts]


def table() -> str:
    """Return the containers, and what a film in each becomes, as a table in Markdown."""
    rows = [("films", "suffixes", "written as", "`--codec`, the default first"), ("---",) * 4]
    for container in CONTAINERS:
        suffixes = ", ".join((*container.suffixes, *container.shared)) or ".gif"
        becomes = container_of(f"film{container.written_as}") if container.written_as else container
        codecs = ", ".join(becomes.codecs)
        rows.append((container.name, suffixes, container.written_as or "the same", codecs))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table())
