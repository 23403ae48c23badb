"""Which files are pictures: by suffix, by their first bytes; and which of them cannot be read."""

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


def begins_like_a_photograph(path) -> bool:
    """Tell by its first bytes whether a file without a suffix of SUFFIXES is a photograph."""
    try:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError:
        return False
    return start.startswith(SIGNATURES) or start[4:12] in ISO_BRANDS or start[8:12] == b"WEBP"
