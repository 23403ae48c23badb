"""EXIF: the bytes of a TIFF header and its directories, as JPEG, PNG, WebP and HEIC hold them."""

import contextlib
import struct
import warnings

from PIL import ExifTags, TiffImagePlugin

EXIF_IFD, GPS_IFD = int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo)
ORIENTATION = int(ExifTags.Base.Orientation)
WIDTH, HEIGHT = int(ExifTags.Base.ExifImageWidth), int(ExifTags.Base.ExifImageHeight)

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
INTEROPERABILITY, COLOUR_SPACE, SCENE_TYPE = 0xA005, 0xA001, 0xA301
THUMBNAIL, THUMBNAIL_LENGTH = 0x201, 0x202
SRGB = 1
CENTIMETRES = 3
PER_INCH = {2: 1, CENTIMETRES: 2.54}

# What the first directory of a TIFF says about how it is stored, not about the photograph; and what
# Metadata has fields for.
STORAGE = frozenset(
    (
        *range(254, 267),
        *(273, 277, 278, 279, 280, 281, 284, *range(288, 294), 301, *range(317, 333)),
        *(334, 336, 338, 339, 340, 341, *range(342, 362), 400, *range(512, 522), *range(529, 533)),
        *(700, 33723, 34377, 34675, 37724, 52545, 0xA005, int(EXIF_IFD), int(GPS_IFD)),
        *(ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT),
        *range(50706, 50800),  # of a raw photograph
    )
)
# Those of them that EXIF itself has.
KEPT_IN_PLACE = {EXIF_IFD, GPS_IFD, ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, 531}


def upright(exif, orientation=1):
    """Return EXIF bytes of an upright picture in sRGB, and the orientation they said before.

    `orientation` is what holds where they say none.

    Changed in place, so that texts in any letters and makers' own notes, which hold addresses, stay
    as they are. The thumbnail, which shows the photograph before, is left out. Raises struct.error,
    KeyError or ValueError for what is damaged.
    """
    if not exif:
        return b"", 1
    changed = bytearray(exif)
    order, start = _beginning(exif)
    first = {tag: (kind, place) for tag, kind, place in _entries(exif, order, start)}
    if first.get(ORIENTATION, (0,))[0] == 3:
        place = first[ORIENTATION][1]
        (orientation,) = struct.unpack_from(order + "H", exif, place)
        struct.pack_into(order + "H", changed, place, 1)
    if not 1 <= orientation <= 8:
        orientation = 1
    below = {}
    if EXIF_IFD in first:
        (at,) = struct.unpack_from(order + "L", exif, first[EXIF_IFD][1])
        below = {tag: (kind, place) for tag, kind, place in _entries(exif, order, at)}
        if below.get(COLOUR_SPACE, (0,))[0] == 3:
            struct.pack_into(order + "H", changed, below[COLOUR_SPACE][1], SRGB)
        if INTEROPERABILITY in below:
            _say_srgb(
                changed, order, struct.unpack_from(order + "L", exif, below[INTEROPERABILITY][1])[0]
            )
    if orientation >= 5:
        for entries, pair in ((below, (WIDTH, HEIGHT)), (first, (X_RESOLUTION, Y_RESOLUTION))):
            if all(tag in entries for tag in pair):
                # Type and number of the two stand before their values.
                one, other = (slice(entries[tag][1] - 6, entries[tag][1] + 4) for tag in pair)
                changed[one], changed[other] = exif[other], exif[one]
    if below:
        _leave_out(changed, order, at, {SCENE_TYPE})
    end = start + 2 + 12 * len(list(_entries(exif, order, start)))
    if end + 4 <= len(changed):
        (thumbnail,) = struct.unpack_from(order + "L", exif, end)
        changed[end : end + 4] = bytes(4)
        changed = changed[: _before_thumbnail(exif, order, thumbnail)]
    # A JPEG that was a TIFF says how that was stored.
    _leave_out(changed, order, start, STORAGE - KEPT_IN_PLACE)
    return bytes(changed), orientation


def _say_srgb(exif, order, start) -> None:
    """Let an interoperability directory in EXIF bytes say sRGB instead of Adobe RGB."""
    with contextlib.suppress(struct.error):
        for tag, _, place in _entries(exif, order, start):
            if tag == 1 and exif[place : place + 3] == b"R03":
                exif[place : place + 3] = b"R98"


def _before_thumbnail(exif, order, start) -> int:
    """Return the length of EXIF bytes without a directory's thumbnail, if that is the last."""
    with contextlib.suppress(struct.error):
        found = {tag: place for tag, _, place in _entries(exif, order, start)} if start else {}
        if THUMBNAIL in found and THUMBNAIL_LENGTH in found:
            (place,) = struct.unpack_from(order + "L", exif, found[THUMBNAIL])
            (length,) = struct.unpack_from(order + "L", exif, found[THUMBNAIL_LENGTH])
            if start < place and len(exif) - 2 <= place + length <= len(exif):
                return place
    return len(exif)


def _leave_out(exif, order, start, tags) -> None:
    """Take entries out of a directory in EXIF bytes; what is behind it stays where it is."""
    (count,) = struct.unpack_from(order + "H", exif, start)
    end = start + 2 + 12 * count
    entries = [exif[place : place + 12] for place in range(start + 2, end, 12)]
    kept = [entry for entry in entries if struct.unpack(order + "H", entry[:2])[0] not in tags]
    if len(kept) < count:
        content = b"".join(kept) + exif[end : end + 4]
        struct.pack_into(order + "H", exif, start, len(kept))
        exif[start + 2 : end + 4] = content.ljust(end + 4 - start - 2, b"\0")[
            : len(exif) - start - 2
        ]


def resolution(exif):
    """Return the pixels an inch, across and down, that EXIF bytes say, or None."""
    with contextlib.suppress(struct.error, KeyError, ValueError, ZeroDivisionError):
        order, start = _beginning(exif)
        first = {tag: place for tag, _, place in _entries(exif, order, start)}
        (unit,) = struct.unpack_from(order + "H", exif, first[RESOLUTION_UNIT])
        found = []
        for tag in (X_RESOLUTION, Y_RESOLUTION):
            (place,) = struct.unpack_from(order + "L", exif, first[tag])
            over, under = struct.unpack_from(order + "LL", exif, place)
            found.append(over / under * PER_INCH[unit])
        return tuple(found)
    return None


def with_resolution(exif, across, down) -> bytes:
    """Return EXIF bytes that say the pixels an inch, in a new first directory behind the others."""
    exif = exif or b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    order, start = _beginning(exif)
    (count,) = struct.unpack_from(order + "H", exif, start)
    ours = (X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT)
    entries = [exif[place : place + 12] for place in range(start + 2, start + 2 + 12 * count, 12)]
    entries = [each for each in entries if struct.unpack(order + "H", each[:2])[0] not in ours]
    exif += bytes(len(exif) % 2)
    values = b"".join(struct.pack(order + "LL", round(1000 * dpi), 1000) for dpi in (across, down))
    places = len(exif), len(exif) + 8
    for tag, place in zip(ours, places, strict=False):
        entries.append(struct.pack(order + "HHLL", tag, 5, 1, place))
    entries.append(struct.pack(order + "HHLHH", RESOLUTION_UNIT, 3, 1, 2, 0))
    entries.sort(key=lambda each: struct.unpack(order + "H", each[:2]))
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    head = exif[:4] + struct.pack(order + "L", len(exif) + len(values))
    return head + exif[8:] + values + directory


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
        # Both may say the same place.
        values = {first[tag] for tag in (X_RESOLUTION, Y_RESOLUTION) if tag in first}
        for place in {struct.unpack_from(order + "L", exif, value)[0] for value in values}:
            (over,) = struct.unpack_from(order + "L", exif, place)
            struct.pack_into(order + "L", changed, place, scale * over)
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
    start = copied(first, sorted(set(first) - STORAGE), order)
    below = {
        EXIF_IFD: copied(exif, set(exif) - {INTEROPERABILITY}, order),
        GPS_IFD: copied(gps, gps, order),
    }
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
