"""Formats of photographs: one table, from which suffixes, choices, checks and the docs come.

`python -m colorizer.files.formats` prints the table of docs/files.md.
"""

import dataclasses

from colorizer.files import boxes

# Of the 0..100 that libjpeg calls quality, and what other lossy formats make of the same number.
QUALITY = 95

# What a file can hold beside 8 bits a channel, and what people call it.
HOLDS = {
    "depth": "16 bits",
    "alpha": "alpha",
    "profile": "colour profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "photoshop": "resources of Photoshop",
    "comment": "comment",
    "texts": "texts",
    "resolution": "resolution",
    "pages": "pages",
}


@dataclasses.dataclass(frozen=True)
class Format:
    """A file format of photographs.

    `name` is what people call it, `key` what Pillow does. `begins` are the first bytes of its
    files, at `place`; HEIF tells by its boxes. It `holds` names of HOLDS. `suffix` is how --format
    calls it, empty where it cannot be chosen. `settings` go to Pillow's `save`. A picture has at
    most `longest_side` pixels a side and `colours` different ones, None where there is no limit.
    `written_as` is the suffix of results where the format is read alone.
    """

    name: str
    key: str
    suffixes: tuple
    begins: tuple = ()
    place: int = 0
    holds: tuple = ()
    suffix: str = ""
    settings: dict = dataclasses.field(default_factory=dict)
    longest_side: int | None = None
    colours: int | None = None
    written_as: str = ""


FORMATS = (
    Format(
        "JPEG",
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"),
        (b"\xff\xd8\xff",),
        holds=("profile", "exif", "xmp", "iptc", "photoshop", "comment", "resolution"),
        suffix="jpg",
        settings={"quality": QUALITY},
        longest_side=65500,
    ),
    Format(
        "PNG",
        "PNG",
        (".png", ".apng"),
        (b"\x89PNG\r\n\x1a\n",),
        holds=tuple(each for each in HOLDS if each != "pages"),
        suffix="png",
    ),
    Format(
        "WebP",
        "WEBP",
        (".webp",),
        (b"WEBP",),
        place=8,
        holds=("alpha", "profile", "exif", "xmp", "resolution"),
        suffix="webp",
        settings={"quality": QUALITY},
        longest_side=16383,
    ),
    Format(
        "TIFF",
        "TIFF",
        (".tif", ".tiff"),
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        holds=tuple(each for each in HOLDS if each not in ("comment", "texts")),
        suffix="tif",
    ),
    Format("BMP", "BMP", (".bmp", ".dib"), (b"BM",), holds=("resolution",)),
    Format("GIF", "GIF", (".gif",), (b"GIF8",), holds=("alpha", "comment"), colours=256),
    Format(
        "HEIC",
        "HEIF",
        (".heic", ".heif", ".hif"),
        holds=("depth", "alpha", "profile", "exif", "xmp", "resolution"),
        settings={"quality": QUALITY},
    ),
    Format(
        "AVIF",
        "AVIF",
        (".avif",),
        holds=("alpha", "profile", "exif", "xmp", "resolution"),
        settings={"quality": QUALITY},
    ),
    Format(
        "JPEG 2000",
        "JPEG2000",
        (".jp2", ".j2k", ".jpf", ".jpx"),
        (b"\0\0\0\x0cjP  \r\n", b"\xff\x4f\xff\x51"),
        holds=("depth", "alpha", "profile", "exif", "xmp", "comment", "resolution"),
    ),
    Format(
        "PNM",
        "PPM",
        (".pnm", ".pgm", ".ppm", ".pbm"),
        tuple(b"P%d" % number for number in range(1, 7)),
        holds=("depth",),
    ),
    Format(
        "PDF",
        "PDF",
        (".pdf",),
        (b"%PDF-",),
        holds=("resolution", "pages"),
        written_as="jpg",
    ),
)

BY_KEY = {format.key: format for format in FORMATS}
BY_SUFFIX = {suffix: format for format in FORMATS for suffix in format.suffixes}
SUFFIXES = tuple(BY_SUFFIX)
# What --format offers, and the key of each.
CHOICES = {format.suffix: format.key for format in FORMATS if format.suffix}

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


def of_content(file):
    """Return the Format of an open file by what it holds, None where that is no photograph's."""
    file.seek(0)
    start = file.read(16)
    for format in FORMATS:
        if any(start.startswith(beginning, format.place) for beginning in format.begins):
            return format
    return BY_KEY.get(boxes.picture_codec(file))


def suffix_of_result(path) -> str:
    """Return the suffix of a photograph's result: its own, or of a format that is written."""
    for format in FORMATS:
        if format.written_as and path.suffix.lower() in format.suffixes:
            return f".{format.written_as}"
    return path.suffix


def begins_like_a_photograph(path) -> bool:
    """Tell by its content whether a file without a suffix of SUFFIXES is a photograph.

    BMP and PNM say too little there.
    """
    try:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            format = of_content(file)
    except OSError:
        return False
    return format is not None and format.key not in ("BMP", "PPM")


def table() -> str:
    """Return the formats and what each holds as a table in Markdown."""
    rows = [
        (
            format.name,
            ", ".join(format.suffixes),
            ", ".join(HOLDS[each] for each in format.holds) or "colours of 8 bits alone",
        )
        for format in FORMATS
    ]
    rows = [("format", "suffixes", "holds, beside 8 bits a channel"), ("---",) * 3, *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table())
