"""EXIF: the bytes of a TIFF header and its directories, as JPEG, PNG, WebP and HEIC hold them."""

import contextlib
import struct
import warnings

from PIL import ExifTags, TiffImagePlugin

EXIF_IFD, GPS_IFD = int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo)
ORIENTATION = int(ExifTags.Base.Orientation)
WIDTH, HEIGHT = int(ExifTags.Base.ExifImageWidth), int(ExifTags.Base.ExifImageHeight)

# What the first directory of a TIFF says about the photograph, and not about how it is stored.
KEPT_TIFF = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Copyright,
    ExifTags.Base.Rating,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)


def upright(exif):
    """Return EXIF bytes that say the picture is upright, and the orientation they said before.

    Changed in place, so that texts in any letters and makers' own notes, which hold addresses, stay
    as they are. The thumbnail, which shows the photograph before, is no longer referred to. Raises
    struct.error, KeyError or ValueError for what is damaged.
    """
    if not exif:
        return b"", 1
    changed = bytearray(exif)
    order, start = _beginning(exif)
    first = {tag: (kind, place) for tag, kind, place in _entries(exif, order, start)}
    orientation = 1
    if first.get(ORIENTATION, (0,))[0] == 3:
        place = first[ORIENTATION][1]
        (orientation,) = struct.unpack_from(order + "H", exif, place)
        struct.pack_into(order + "H", changed, place, 1)
    if not 1 <= orientation <= 8:
        orientation = 1
    if EXIF_IFD in first:
        (at,) = struct.unpack_from(order + "L", exif, first[EXIF_IFD][1])
        sizes = {
            tag: place for tag, _, place in _entries(exif, order, at) if tag in (WIDTH, HEIGHT)
        }
        if orientation >= 5 and len(sizes) == 2:
            # Type and number of the two stand before their values.
            width, height = (slice(sizes[tag] - 6, sizes[tag] + 4) for tag in (WIDTH, HEIGHT))
            changed[width], changed[height] = exif[height], exif[width]
    (count,) = struct.unpack_from(order + "H", exif, start)
    end = start + 2 + 12 * count
    if end + 4 <= len(changed):
        changed[end : end + 4] = bytes(4)
    return bytes(changed), orientation


def enlarged(exif, scale) -> bytes:
    """Return EXIF bytes that say `scale` times as many pixels a side.

    What is damaged, or too large for its field, stays as it is.
    """
    changed = bytearray(exif)
    if not exif or scale == 1:
        return exif
    with contextlib.suppress(struct.error, KeyError):
        order, start = _beginning(exif)
        first = {tag: place for tag, _, place in _entries(exif, order, start)}
        (more,) = struct.unpack_from(order + "L", exif, first[EXIF_IFD])
        for tag, kind, place in _entries(exif, order, more):
            if tag in (WIDTH, HEIGHT):
                code = order + {3: "H", 4: "L"}[kind]
                (pixels,) = struct.unpack_from(code, exif, place)
                struct.pack_into(code, changed, place, scale * pixels)
    return bytes(changed)


def _beginning(exif):
    """Return the byte order of EXIF bytes, as `struct` writes it, and where they begin."""
    order = {b"II*\0": "<", b"MM\0*": ">"}[bytes(exif[:4])]
    return order, *struct.unpack_from(order + "L", exif, 4)


def _entries(exif, order, start):
    """Yield (tag, type, place of the value) of a directory in EXIF bytes."""
    (count,) = struct.unpack_from(order + "H", exif, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        yield *struct.unpack_from(order + "HH", exif, place), place + 8


def directories(file, start=None):
    """Load a directory of a TIFF or of EXIF bytes, its EXIF directory and its GPS one.

    `start` is the first byte of the directory, by default of the file's first one.
    """
    file.seek(0)
    header = file.read(8)
    if header[2:4] in (b"+\0", b"\0+"):
        header += file.read(8)
    first = TiffImagePlugin.ImageFileDirectory_v2(header)
    file.seek(first.next if start is None else start)
    found = [first]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first.load(file)
        for tag in (EXIF_IFD, GPS_IFD):
            directory = TiffImagePlugin.ImageFileDirectory_v2(header, group=tag)
            if isinstance(first.get(tag), int):
                file.seek(first[tag])
                directory.load(file)
            found.append(directory)
    return found


def copied(source, tags, order=b"II") -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return a directory of those of the `tags` that the source has, with their types and bytes."""
    header = {b"II": b"II*\0\x08\0\0\0", b"MM": b"MM\0*\0\0\0\x08"}[order]
    copy = TiffImagePlugin.ImageFileDirectory_v2(header, group=source.group)
    for tag in tags:
        if tag in source:
            value = source[tag]
            copy.tagtype[tag] = source.tagtype[tag]
            # Pillow reads texts as Latin-1, which holds any bytes, and would write ASCII alone.
            copy[tag] = value.encode("latin-1") if isinstance(value, str) else value
    return copy


def from_directories(first, exif, gps) -> bytes:
    """Put a TIFF's directories together as EXIF bytes; empty where they say nothing."""
    order = first.prefix
    start = copied(first, KEPT_TIFF, order)
    below = {EXIF_IFD: copied(exif, exif, order), GPS_IFD: copied(gps, gps, order)}
    below = {tag: directory for tag, directory in below.items() if len(directory)}
    if not len(start) and not below:
        return b""
    for tag in below:
        start[tag] = 0
    address, contents = 8 + len(start.tobytes(8)), []
    for tag, directory in below.items():
        start[tag] = address
        contents.append(directory.tobytes(address))
        address += len(contents[-1])
    return start._get_ifh() + start.tobytes(8) + b"".join(contents)
