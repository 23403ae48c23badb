"""TIFF: read beyond 8 bits a channel with tifffile, written with tifffile at any depth.

| pixels                                     | read as            |
|--------------------------------------------|--------------------|
| gray, RGB, CMYK, Lab, palette up to 8 bits | Pillow reads them  |
| gray (black or white is 0), RGB: 9..32 bits | 16 bits, by share  |
| the same, floating point from 0 to 1       | 16 bits            |
| CMYK of 16 bits                            | 8 bits, by profile |

with or without alpha, in planes, strips or tiles, compressed or not. What else there is, is refused
by what it is.
"""

import io
import itertools
import logging
import struct

from colorizer.files import exif

import numpy as np
import tifffile
from PIL import Image

# What it would print about a file that is damaged is in the file's failure.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4}
UNSIGNED, SIGNED, FLOATING = 1, 2, 3
ASSOCIATED, UNASSOCIATED = 1, 2
THUMBNAIL, MASK = 1, 4

# Tags of the first directory that are no part of EXIF.
XMP, IPTC, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 700, 33723, 282, 283, 296
INCHES = {2: 1, 3: 2.54}

# What has more pages than this is no album.
MOST_PAGES = 1000


class Refused(Exception):
    """A TIFF holds what this program does not read; the message says what, in one phrase."""


class DeepTiff:
    """A page of a TIFF of more than 8 bits a channel, of which only the header is read.

    `size` is width and height in pixels, as stored.
    """

    format = "TIFF"

    def __init__(self, file, page):
        self.fp, self.page = file, page
        self.size = page.imagewidth, page.imagelength
        self.info = {"icc_profile": page.iccprofile}
        self.tag_v2 = page  # for its offset, as Pillow's

    def load(self):
        """Decode it as stored: a Pillow image of CMYK, or uint16 (H, W, 1 or 3); and its alpha.

        The alpha is uint16 (H, W), or None. Raises Refused, and whatever tifffile raises for a file
        that is damaged.
        """
        page = self.page
        colours = _check(page)
        values = page.asarray(maxworkers=1)
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
        values = values.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
        kind = page.extrasamples[0] if page.extrasamples else None
        values = _to_sixteen(values[..., : colours + (kind in (ASSOCIATED, UNASSOCIATED))], page)
        pixels, alpha = values[..., :colours], None
        if kind in (ASSOCIATED, UNASSOCIATED):
            alpha = np.ascontiguousarray(values[..., colours])
        if kind == ASSOCIATED:
            opaque = np.maximum(alpha, 1)[..., np.newaxis]
            pixels = np.minimum(pixels.astype(np.uint32) * 65535 // opaque, 65535).astype(np.uint16)
        if page.photometric == WHITE_IS_ZERO:
            pixels = 65535 - pixels
        if page.photometric == CMYK:
            return Image.frombytes(
                "CMYK", self.size, (pixels >> 8).astype(np.uint8).tobytes()
            ), None
        return np.ascontiguousarray(pixels), alpha


def opened(file, page=0):
    """Return the DeepTiff of a page of an open file, or None where Pillow is to read it."""
    try:
        found = tifffile.TiffFile(file, _multifile=False).pages[page]
        bits, kind = found.bitspersample, int(found.sampleformat or UNSIGNED)
    except Exception:
        # Pillow says what is wrong with it.
        return None
    finally:
        file.seek(0)
    if bits <= 8 and kind == UNSIGNED:
        return None
    return DeepTiff(file, found)


def pages(path) -> list[int]:
    """Return the places of a TIFF's photographs among its pages, without thumbnails and masks.

    A file that is damaged or none at all has one, of which reading says what is wrong.
    """
    try:
        with tifffile.TiffFile(path, _multifile=False) as file:
            found = [
                place
                for place, page in enumerate(itertools.islice(file.pages, MOST_PAGES))
                if not page.subfiletype & (THUMBNAIL | MASK)
            ]
    except Exception:
        # tifffile stumbles in as many ways as there is damage.
        return [0]
    return found or [0]


def _check(page) -> int:
    """Return how many samples are colours; raises Refused where the pixels are none that are read.

    Nothing is decoded before this, so that a hostile header costs nothing.
    """
    bits, kind = page.bitspersample, int(page.sampleformat or UNSIGNED)
    photometric = page.photometric
    if photometric not in COLOURS:
        name = getattr(photometric, "name", photometric)
        raise Refused(f"it is a TIFF of {bits} bits in {name}; save it as RGB or gray")
    colours = COLOURS[photometric]
    if kind not in (UNSIGNED, FLOATING):
        name = {SIGNED: "whole numbers with a sign"}.get(kind, "complex numbers")
        raise Refused(f"it is a TIFF of {bits}-bit {name}; save it with 16 bits without a sign")
    if page.samplesperpixel < colours or page.samplesperpixel > colours + 2:
        raise Refused(f"it is a TIFF of {page.samplesperpixel} channels; save it as RGB or gray")
    if page.imagedepth != 1 or (kind == UNSIGNED and bits > 32):
        raise Refused("it is a TIFF of volumes or of 64 bits; save it with 16 bits a channel")
    return colours


def _to_sixteen(values, page) -> np.ndarray:
    """Scale the values of a page to uint16, the largest there can be to 65535."""
    if values.dtype.kind == "f":
        lowest, highest = float(values.min()), float(values.max())
        if not (lowest >= -1e-3 and highest <= 1 + 1e-3):
            raise Refused(
                f"its floating-point pixels go from {lowest:g} to {highest:g}, and 0 to 1 is read; "
                "save it with 16 bits a channel"
            )
        shares = np.clip(values.astype(np.float32), 0, 1)
        return np.rint(shares * 65535).astype(np.uint16)
    bits = page.bitspersample
    if bits == 16:
        return values.astype(np.uint16)
    return np.rint(values / (2.0**bits - 1) * 65535).astype(np.uint16)


def tags_of(image) -> dict:
    """Return the fields of Metadata that a page of a TIFF has, as stored, and its `orientation`.

    Raises whatever damage makes Pillow raise.
    """
    first, more, gps = exif.directories(image.fp, image.tag_v2.offset)
    orientation = first.get(exif.ORIENTATION, 1)
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    unit = INCHES.get(first.get(RESOLUTION_UNIT, 2))
    resolution = None
    if unit and X_RESOLUTION in first and Y_RESOLUTION in first:
        resolution = float(first[X_RESOLUTION]) * unit, float(first[Y_RESOLUTION]) * unit
    iptc = first.get(IPTC, b"")
    if isinstance(iptc, int | tuple):  # written as whole numbers of 32 bits, by the standard
        iptc = first._tagdata[IPTC]
    return {
        "exif": exif.from_directories(first, more, gps),
        "xmp": first.get(XMP, b""),
        "iptc": iptc,
        "resolution": resolution,
        "orientation": orientation,
    }


def encode(channels, colours, kept, icc_profile) -> bytes:
    """Encode pixels, uint8 or uint16 (H, W, 1 to 4), with what is known about them.

    `colours` of the channels are colour, 1 or 3; one more is alpha.
    """
    encoded = io.BytesIO()
    tifffile.imwrite(
        encoded,
        channels[..., 0] if channels.shape[2] == 1 else channels,
        byteorder="<",
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if channels.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if channels.shape[2] > colours else None,
        compression="adobe_deflate",
        iccprofile=icc_profile or None,
        resolution=kept.resolution,
        resolutionunit="inch" if kept.resolution else None,
        extratags=_extratags(kept),
        metadata=None,
        software=False,
    )
    return _append_directories(encoded.getvalue(), kept)


def _extratags(kept) -> list:
    """Return what goes into the first directory of a TIFF, as tifffile's extratags."""
    tags = []
    if kept.exif:
        first, _, _ = exif.directories(io.BytesIO(kept.exif))
        for tag in exif.KEPT_TIFF:
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


def _append_directories(content, kept) -> bytes:
    """Put the EXIF and the GPS directory behind a little-endian TIFF of one page.

    `content` is the file's bytes. tifffile writes no such directories.
    """
    if not kept.exif:
        return content
    content = bytearray(content)
    _, more, gps = exif.directories(io.BytesIO(kept.exif))
    (start,) = struct.unpack_from("<L", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    places = range(start + 2, start + 2 + 12 * count, 12)
    entries = [bytes(content[place : place + 12]) for place in places]
    for tag, directory in ((exif.EXIF_IFD, more), (exif.GPS_IFD, gps)):
        if len(directory):
            content += bytes(len(content) % 2)
            entries.append(struct.pack("<HHLL", tag, 4, 1, len(content)))
            content += exif.copied(directory, directory).tobytes(len(content))
    content += bytes(len(content) % 2)
    struct.pack_into("<L", content, 4, len(content))
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    content += struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return bytes(content)
