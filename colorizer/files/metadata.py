"""What a file says about its photograph: EXIF, XMP, IPTC, comments, texts, resolution."""

import contextlib
import dataclasses
import io
import re
import struct
import warnings

from PIL import ExifTags, PngImagePlugin, TiffImagePlugin

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
XMP, IPTC, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 700, 33723, 282, 283, 296
INCHES = {2: 1, 3: 2.54}

# Where a JPEG keeps IPTC: as a resource of Photoshop. A segment of a JPEG holds 65,533 bytes.
PHOTOSHOP, IPTC_RESOURCE = b"Photoshop 3.0\0", 0x0404
LONGEST_SEGMENT = 65533

PNG_XMP = "XML:com.adobe.xmp"
# Where ImageMagick puts what PNG has chunks for; Pillow reads the first as EXIF.
PNG_EXIF = ("Raw profile type exif", "Raw profile type APP1")


@dataclasses.dataclass
class Metadata:
    """Ready to be written with the upright photograph; empty where the file had none.

    `exif` is the bytes of a TIFF header and its directories; `resolution` pixels an inch, across
    and down, or None; `texts` a PNG's, by keyword.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    comment: bytes = b""
    texts: dict = dataclasses.field(default_factory=dict)
    resolution: tuple | None = None


def read(image, texts=True):
    """Return the Metadata of a Pillow image, its EXIF orientation (1 to 8), and a remark.

    With `texts`, a PNG is decoded, to find what stands behind the picture as well. The remark is a
    phrase for the user where something is damaged and left out, else empty.
    """
    if image.format == "TIFF":
        return read_tiff(image)
    info = image.info
    remark = ""
    try:
        exif, orientation = _upright_exif(_exif_of(image))
    except Exception:
        # A photograph is worth more than its EXIF, which breaks in as many ways as a picture.
        exif, orientation, remark = b"", 1, "its EXIF is damaged and was left out"
    found = {}
    if image.format == "PNG":
        found = image.text if texts else {k: v for k, v in info.items() if isinstance(v, str)}
    xmp = info.get("xmp") or found.get(PNG_XMP, "")
    comment = info.get("comment", b"")
    photoshop = info.get("photoshop")
    kept = Metadata(
        exif,
        _upright_xmp(xmp.encode() if isinstance(xmp, str) else xmp),
        photoshop.get(IPTC_RESOURCE, b"") if isinstance(photoshop, dict) else b"",
        comment.encode() if isinstance(comment, str) else comment,
        {key: text for key, text in found.items() if key not in (PNG_XMP, *PNG_EXIF)},
        _resolution(info.get("dpi"), orientation),
    )
    return kept, orientation, remark


def read_tiff(image):
    """Return the same of a page of a TIFF, which has an EXIF directory of its own or none."""
    try:
        first, exif, gps = _directories(image.fp, image.tag_v2.offset)
        orientation = first.get(ORIENTATION, 1)
        exif_bytes = _exif_bytes(first, exif, gps)
        unit = INCHES.get(first.get(RESOLUTION_UNIT, 2))
        dpi = None
        if unit and X_RESOLUTION in first and Y_RESOLUTION in first:
            dpi = float(first[X_RESOLUTION]) * unit, float(first[Y_RESOLUTION]) * unit
        xmp, iptc = first.get(XMP, b""), first.get(IPTC, b"")
        if isinstance(iptc, int | tuple):  # written as whole numbers of 32 bits, by the standard
            iptc = first._tagdata[IPTC]
        kept = Metadata(exif_bytes, _upright_xmp(xmp), iptc, resolution=_resolution(dpi, 1))
    except Exception:
        # As above.
        return Metadata(), 1, "its EXIF is damaged and was left out"
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    if kept.resolution and orientation >= 5:
        kept.resolution = kept.resolution[::-1]
    return kept, orientation, ""


def _resolution(dpi, orientation):
    """Return pixels an inch across and down the upright picture, None where there is no number."""
    try:
        across, down = float(dpi[0]), float(dpi[1])
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (0.1 < across < 1e6 and 0.1 < down < 1e6):
        return None
    return (down, across) if orientation >= 5 else (across, down)


def enlarged(kept, scale) -> Metadata:
    """Return the Metadata of the same print with `scale` times as many pixels a side."""
    resolution = kept.resolution and tuple(scale * each for each in kept.resolution)
    exif = bytearray(kept.exif)
    if scale > 1 and exif:
        # What is damaged, or too large for its field, stays as it is.
        with contextlib.suppress(struct.error, KeyError):
            order, start = _beginning(exif)
            first = {tag: place for tag, _, place in _entries(exif, order, start)}
            (more,) = struct.unpack_from(order + "L", exif, first[EXIF_IFD])
            for tag, kind, place in _entries(kept.exif, order, more):
                if tag in (WIDTH, HEIGHT):
                    code = order + {3: "H", 4: "L"}[kind]
                    (pixels,) = struct.unpack_from(code, exif, place)
                    struct.pack_into(code, exif, place, scale * pixels)
    return dataclasses.replace(kept, exif=bytes(exif), resolution=resolution)


def _upright_xmp(xmp) -> bytes:
    """Let XMP say that the picture is upright."""
    return re.sub(rb'(tiff:Orientation(?:="|>))\d', rb"\g<1>1", xmp)


def _exif_of(image) -> bytes:
    """Return the bytes of EXIF that a Pillow image carries, from the TIFF header on."""
    exif = image.info.get("exif")
    if exif is None and image.format == "PNG" and any(key in image.info for key in PNG_EXIF):
        exif = image.getexif().tobytes()
    return (exif or b"").removeprefix(b"Exif\0\0")


def _upright_exif(exif):
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


def _beginning(exif):
    """Return the byte order of EXIF bytes, as `struct` writes it, and where they begin."""
    order = {b"II*\0": "<", b"MM\0*": ">"}[bytes(exif[:4])]
    return order, *struct.unpack_from(order + "L", exif, 4)


def _entries(exif, order, start):
    """Yield (tag, type, place of the value) of a directory in EXIF bytes."""
    (count,) = struct.unpack_from(order + "H", exif, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        yield *struct.unpack_from(order + "HH", exif, place), place + 8


def _directories(file, start=None):
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


def _copied(source, tags, order=b"II") -> TiffImagePlugin.ImageFileDirectory_v2:
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


def _exif_bytes(first, exif, gps) -> bytes:
    """Put a TIFF's directories together as EXIF bytes; empty where they say nothing."""
    order = first.prefix
    start = _copied(first, KEPT_TIFF, order)
    below = {EXIF_IFD: _copied(exif, exif, order), GPS_IFD: _copied(gps, gps, order)}
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


def tiff_tags(kept) -> list:
    """Return what goes into the first directory of a TIFF, as tifffile's extratags."""
    tags = []
    if kept.exif:
        first, _, _ = _directories(io.BytesIO(kept.exif))
        for tag in KEPT_TIFF:
            value = first.get(tag)
            if isinstance(value, str):
                tags.append((int(tag), 2, 0, value.encode("latin-1") + b"\0", True))
            elif isinstance(value, bytes):
                tags.append((int(tag), 1, len(value), value, True))
            elif isinstance(value, int):
                tags.append((int(tag), 3, 1, value, True))
    if kept.xmp:
        tags.append((XMP, 1, len(kept.xmp), kept.xmp, True))
    if kept.iptc:
        tags.append((IPTC, 7, len(kept.iptc), kept.iptc, True))
    return tags


def append_directories(content, kept) -> bytes:
    """Put the EXIF and the GPS directory behind a little-endian TIFF of one page.

    `content` is the file's bytes. tifffile writes no such directories.
    """
    if not kept.exif:
        return content
    content = bytearray(content)
    _, exif, gps = _directories(io.BytesIO(kept.exif))
    (start,) = struct.unpack_from("<L", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    places = range(start + 2, start + 2 + 12 * count, 12)
    entries = [bytes(content[place : place + 12]) for place in places]
    for tag, directory in ((EXIF_IFD, exif), (GPS_IFD, gps)):
        if len(directory):
            content += bytes(len(content) % 2)
            entries.append(struct.pack("<HHLL", tag, 4, 1, len(content)))
            content += _copied(directory, directory).tobytes(len(content))
    content += bytes(len(content) % 2)
    struct.pack_into("<L", content, 4, len(content))
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    content += struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return bytes(content)


def pillow_settings(kept, format):
    """Return what Pillow's `save` takes in a format, and the names of what has no room in it."""
    settings, left_out = {}, []
    exif = b"Exif\0\0" + kept.exif if kept.exif else b""
    if format == "JPEG":
        room = LONGEST_SEGMENT - 40
        iptc = _photoshop_segment(kept.iptc) if kept.iptc else b""
        parts = {"exif": exif, "xmp": kept.xmp, "comment": kept.comment, "extra": iptc}
        settings = {name: part for name, part in parts.items() if part and len(part) < room}
        left_out = [name for name, part in parts.items() if len(part) >= room]
    elif format in ("WEBP", "AVIF", "HEIF"):
        settings = {"exif": exif, "xmp": kept.xmp}
        settings = {name: part for name, part in settings.items() if part}
    elif format == "PNG":
        settings = {"pnginfo": png_chunks(kept)} | ({"exif": exif} if exif else {})
    if kept.resolution and format in ("JPEG", "PNG", "BMP"):
        settings["dpi"] = kept.resolution
    return settings, ["IPTC" if name == "extra" else name.upper() for name in left_out]


def png_chunks(kept):
    """Return XMP and texts as Pillow's PngInfo."""
    chunks = PngImagePlugin.PngInfo()
    for keyword, text in kept.texts.items():
        if isinstance(text, PngImagePlugin.iTXt):
            chunks.add_itxt(keyword, text, text.lang or "", text.tkey or "")
        else:
            chunks.add_text(keyword, text)
    if kept.xmp:
        chunks.add_itxt(PNG_XMP, kept.xmp.decode("utf-8", "replace"))
    return chunks


def _photoshop_segment(iptc) -> bytes:
    """Return a JPEG's segment with IPTC in it, empty where that is too long for one."""
    resource = b"8BIM" + struct.pack(">HHL", IPTC_RESOURCE, 0, len(iptc)) + iptc
    content = PHOTOSHOP + resource + bytes(len(iptc) % 2)
    length = min(len(content) + 2, 65535)
    return b"\xff\xed" + struct.pack(">H", length) + content
